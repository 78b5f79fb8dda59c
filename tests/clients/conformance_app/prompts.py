"""Prompts that the suite gets."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Message, UserMessage
from mcp.types import EmbeddedResource, ImageContent, InputRequiredResult, TextResourceContents

from clients.conformance_app.input_rounds import ask_user, said
from clients.conformance_app.samples import PNG_BASE64


def add_prompts(server: MCPServer[Any]) -> None:
    """Register a prompt of each kind."""

    @server.prompt(description="Text alone.")
    async def test_simple_prompt() -> list[Message]:
        return [UserMessage("This is a simple prompt for testing.")]

    @server.prompt(description="Text with two arguments in it.")
    async def test_prompt_with_arguments(arg1: str, arg2: str) -> list[Message]:
        return [UserMessage(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]

    @server.prompt(description="A resource, and what to do with it.")
    async def test_prompt_with_embedded_resource(
        resourceUri: str,  # noqa: N803 - the suite's name
    ) -> list[Message]:
        content = TextResourceContents(
            uri=resourceUri, mime_type="text/plain", text="Embedded resource content for testing."
        )
        return [
            UserMessage(EmbeddedResource(type="resource", resource=content)),
            UserMessage("Please process the embedded resource above."),
        ]

    @server.prompt(description="An image, and what to do with it.")
    async def test_prompt_with_image() -> list[Message]:
        return [
            UserMessage(ImageContent(type="image", data=PNG_BASE64, mime_type="image/png")),
            UserMessage("Please analyze the image above."),
        ]

    @server.prompt(description="Needs to know its context first.")
    async def test_input_required_result_prompt(
        ctx: Context,
    ) -> list[Message] | InputRequiredResult:
        answer = said(ctx, "user_context")
        if answer is None:
            question = ask_user("What context should the prompt use?", "context")
            return InputRequiredResult(input_requests={"user_context": question})
        return [UserMessage(f"The context is {(answer.content or {}).get('context')}.")]
