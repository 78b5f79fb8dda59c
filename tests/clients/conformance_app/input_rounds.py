"""Tools that answer with what they still need, as revision 2026-07-28 does."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolResult,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    MissingRequiredClientCapabilityErrorData,
    SamplingCapability,
    SamplingMessage,
    TextContent,
)

Answer = CallToolResult | InputRequiredResult


def ask_user(message: str, field: str, kind: str = "string") -> ElicitRequest:
    """A question with one required field."""
    return ElicitRequest(
        params=ElicitRequestFormParams(
            message=message,
            requested_schema={
                "type": "object",
                "properties": {field: {"type": kind}},
                "required": [field],
            },
        )
    )


def said(ctx: Context, key: str) -> ElicitResult | None:
    """What the user accepted under `key`; None as long as there is nothing."""
    answer = (ctx.input_responses or {}).get(key)
    return answer if isinstance(answer, ElicitResult) and answer.action == "accept" else None


def _ask_model(text: str, max_tokens: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    )


def _need(state: str | None = None, /, **requests: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def _text(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)])


def add_single_round_tools(server: MCPServer[Any]) -> None:
    """Register the tools that need one answer."""

    @server.tool(description="Needs a name.")
    async def test_input_required_result_elicitation(ctx: Context) -> Answer:
        answer = said(ctx, "user_name")
        if answer is None:
            return _need(user_name=ask_user("What is your name?", "name"))
        return _text(f"Hello, {(answer.content or {}).get('name')}!")

    @server.tool(description="Needs the client's model.")
    async def test_input_required_result_sampling(ctx: Context) -> Answer:
        answer = (ctx.input_responses or {}).get("capital_question")
        if not isinstance(answer, CreateMessageResult):
            return _need(capital_question=_ask_model("What is the capital of France?", 100))
        return _text(answer.content.text if isinstance(answer.content, TextContent) else "no text")

    @server.tool(description="Needs the client's roots.")
    async def test_input_required_result_list_roots(ctx: Context) -> Answer:
        answer = (ctx.input_responses or {}).get("client_roots")
        if not isinstance(answer, ListRootsResult):
            return _need(client_roots=ListRootsRequest())
        return _text(", ".join(str(root.uri) for root in answer.roots))

    @server.tool(description="Asks only for what the client said it can do.")
    async def test_input_required_result_capabilities(ctx: Context) -> Answer:
        able = ctx.client_capabilities or ClientCapabilities()
        requests: dict[str, InputRequest] = {}
        if able.sampling is not None:
            requests["greeting"] = _ask_model("Generate a greeting", 50)
        if able.elicitation is not None:
            requests["user_name"] = ask_user("What is your name?", "name")
        return _need(None, **requests) if requests else _text("This client can do neither.")

    @server.tool(description="Asks the user, over a stream.")
    async def test_streaming_elicitation(ctx: Context) -> Answer:
        if said(ctx, "confirm") is None:
            return _need(confirm=ask_user("Please confirm", "ok", "boolean"))
        return _text("Confirmed.")

    @server.tool(description="Refuses a client that cannot sample.")
    async def test_missing_capability(ctx: Context) -> str:
        able = ctx.client_capabilities
        if able is None or able.sampling is None:
            needed = MissingRequiredClientCapabilityErrorData(
                required_capabilities=ClientCapabilities(sampling=SamplingCapability())
            )
            raise MCPError(
                code=MISSING_REQUIRED_CLIENT_CAPABILITY,
                message="This tool needs a client that can sample",
                data=needed.model_dump(by_alias=True, exclude_none=True),
            )
        return "This client can sample."


def add_stateful_round_tools(server: MCPServer[Any]) -> None:
    """Register the tools that hand the client a state to bring back."""

    @server.tool(description="Hands out a state and expects it back.")
    async def test_input_required_result_request_state(ctx: Context) -> Answer:
        if said(ctx, "confirm") is None or ctx.request_state != "asked":
            return _need("asked", confirm=ask_user("Please confirm", "ok", "boolean"))
        return _text("state-ok")

    @server.tool(description="Hands out a state that nobody may change.")
    async def test_input_required_result_tampered_state(ctx: Context) -> Answer:
        if said(ctx, "confirm") is None:
            return _need("sealed", confirm=ask_user("Please confirm", "ok", "boolean"))
        return _text("The state came back whole.")

    @server.tool(description="Needs three answers at once.")
    async def test_input_required_result_multiple_inputs(ctx: Context) -> Answer:
        requests: dict[str, InputRequest] = {
            "user_name": ask_user("What is your name?", "name"),
            "greeting": _ask_model("Generate a greeting", 50),
            "client_roots": ListRootsRequest(),
        }
        if (
            ctx.request_state != "asked"
            or not requests.keys() <= (ctx.input_responses or {}).keys()
        ):
            return _need("asked", **requests)
        return _text("All three are here.")

    @server.tool(description="Needs two answers, one after the other.")
    async def test_input_required_result_multi_round(ctx: Context) -> Answer:
        if ctx.request_state == "named" and said(ctx, "step2"):
            return _text("Name and colour are known.")
        if ctx.request_state == "asked" and said(ctx, "step1"):
            return _need("named", step2=ask_user("Step 2: What is your favorite color?", "color"))
        return _need("asked", step1=ask_user("Step 1: What is your name?", "name"))
