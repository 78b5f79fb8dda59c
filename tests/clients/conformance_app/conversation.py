"""Tools that ask the client in the middle of a call, as revisions until 2025-11-25 do."""

from __future__ import annotations

from typing import Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel, Field, JsonValue


class Account(BaseModel):
    """What `test_elicitation` asks for."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    """One field of each primitive type, each with a default."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Literal["active", "inactive", "pending"] = "active"
    verified: bool = True


def _titled(*names: str) -> list[JsonValue]:
    return [{"const": name, "title": name.capitalize()} for name in names]


class Choices(BaseModel):
    """One choice of each form that a schema can give it."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})  # noqa: N815 - the suite's name
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled("value1", "value2")})  # noqa: N815 - the suite's name
    legacyEnum: str = Field(  # noqa: N815 - the suite's name
        json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]}
    )
    untitledMulti: list[str] = Field(  # noqa: N815 - the suite's name
        json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}}
    )
    titledMulti: list[str] = Field(  # noqa: N815 - the suite's name
        json_schema_extra={"items": {"anyOf": _titled("value1", "value2")}}
    )


def add_conversation_tools(server: MCPServer[Any]) -> None:
    """Register the tools that sample the client's model or ask its user."""

    @server.tool(description="Ask the client's model.")
    async def test_sampling(prompt: str, ctx: Context) -> str:
        answer = await ctx.session.create_message(
            messages=[SamplingMessage(role="user", content=TextContent(type="text", text=prompt))],
            max_tokens=100,
            related_request_id=ctx.request_id,
        )
        text = answer.content.text if isinstance(answer.content, TextContent) else "no text"
        return f"LLM response: {text}"

    @server.tool(description="Ask the client's user for an account.")
    async def test_elicitation(message: str, ctx: Context) -> str:
        return f"User response: {await _ask(ctx, message, Account)}"

    @server.tool(description="Ask the client's user, with a default for each field.")
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        return f"Elicitation completed: {await _ask(ctx, 'Please check these', Defaults)}"

    @server.tool(description="Ask the client's user to choose.")
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        return f"Elicitation completed: {await _ask(ctx, 'Please choose', Choices)}"


async def _ask(ctx: Context, message: str, schema: type[BaseModel]) -> str:
    answer = await ctx.elicit(message, schema)
    content = answer.data.model_dump_json() if answer.action == "accept" else "{}"
    return f"action={answer.action}, content={content}"
