"""The tool that asks language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations

from kowalski.errors import InvalidRequest
from kowalski_mcp.client import requester
from kowalski_mcp.inference import Inference
from kowalski_mcp.progress import CallClock
from kowalski_mcp.prompt_arguments import (
    PLACE,
    Inputs,
    JsonSchema,
    MaxTokens,
    Model,
    Prompts,
    PromptTimeout,
    System,
    Temperature,
    Template,
)
from kowalski_mcp.prompt_inputs import lines_of
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT_S = 600.0


def distributed_infer_tool(scope: Scope) -> ExactTool:
    """`distributed_infer` within a scope."""

    async def distributed_infer(
        ctx: Context[Any, Any],
        prompts: Prompts | None = None,
        template: Template | None = None,
        inputs: Inputs | None = None,
        model: Model | None = None,
        system: System | None = None,
        max_tokens: MaxTokens | None = None,
        temperature: Temperature | None = None,
        json_schema: JsonSchema | None = None,
        timeout_s: PromptTimeout | None = None,
    ) -> Annotated[CallToolResult, Inference]:
        """Ask language models on the user's own computers many prompts at once.

        Give prompts, or template and inputs. Each prompt stands alone and gets an answer or an
        error. A batch that takes over 45 s goes on and is answered with status "running" and a
        run_id for wait or cancel. Long results are cut; read_output has them whole.
        """
        # A server starts without what only models need.
        from kowalski.model.chat import ChatMessage, ChatRequest
        from kowalski_mcp.answer_schema import check_schema
        from kowalski_mcp.batch import FollowedBatch

        before = () if system is None else (ChatMessage("system", system),)
        if template is not None and isinstance(inputs, str):
            inputs = await lines_of(inputs, scope, requester(ctx, scope.face))
        asked = _prompts(prompts, template, inputs)
        if json_schema is not None:
            await check_schema(json_schema)
        requests = (
            ChatRequest(
                messages=(*before, ChatMessage("user", prompt)),
                model=model,
                max_tokens=max_tokens,
                temperature=temperature,
                json_schema=json_schema,
                timeout_s=_TIMEOUT_S if timeout_s is None else timeout_s,
            )
            for prompt in asked
        )
        clock = CallClock.start(scope)
        engine = await scope.engine.get()
        async with engine.infer_batch(requests) as batch:
            followed = FollowedBatch(engine, batch.run.id, batch.count)
            result = await followed.follow(ctx, clock)
            batch.run.leave()
        return result

    annotations = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, open_world_hint=False
    )
    return ExactTool.of(
        distributed_infer,
        title="Ask language models",
        annotations=annotations,
        private=scope.private,
    )


def _prompts(
    prompts: Sequence[str] | None, template: str | None, inputs: Sequence[str] | str | None
) -> Sequence[str]:
    if prompts is not None and template is None and inputs is None:
        return prompts
    if prompts is None and template is not None and inputs is not None:
        return [template.replace(PLACE, one) for one in inputs]
    raise InvalidRequest(
        f"Nothing was asked: give either prompts, or template (a prompt with {PLACE} in it) "
        "together with inputs."
    )
