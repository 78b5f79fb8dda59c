"""The tool that runs code."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations

from kowalski.errors import AgentUnavailable, StorageUnavailable, UnknownRun
from kowalski.model.run import Limits, RunRequest
from kowalski_mcp.arguments import (
    Code,
    Device,
    Idempotent,
    Language,
    Release,
    RunTimeout,
    SessionId,
    Stdin,
)
from kowalski_mcp.client import requester
from kowalski_mcp.progress import CallClock, follow
from kowalski_mcp.result import Execution, execution_result
from kowalski_mcp.scope import Scope
from kowalski_mcp.tool import ExactTool

if TYPE_CHECKING:
    from kowalski.agent.service.messages import RunState
    from kowalski.engine import Engine

_CANCEL_S = 10.0


def execute_code_tool(scope: Scope) -> ExactTool:
    """`execute_code` within a scope."""

    async def execute_code(
        ctx: Context[Any, Any],
        code: Code,
        language: Language,
        session_id: SessionId | None = None,
        timeout_s: RunTimeout | None = None,
        device: Device | None = None,
        stdin: Stdin | None = None,
        idempotent: Idempotent = False,
        release: Release = False,
    ) -> Annotated[CallToolResult, Execution]:
        """Run code in a sandbox and get what it printed, its last expression, figures and errors.

        With session_id, state lives on: variables, imports, functions, and files in /tmp and
        $HOME; in Rust, files. Without it, each call starts anew. Code that takes over
        45 s goes on and is answered with status "running" and a run_id for wait or cancel.
        """
        session = None if session_id is None else scope.session_within(session_id)
        request = RunRequest(
            language=language,
            code=code,
            session=session,
            workspace=scope.workspace,
            network=scope.network,
            limits=Limits(wall_s=timeout_s),
            stdin=stdin,
            env=scope.env,
            device=device,
            idempotent=idempotent,
            release=release,
            requester=requester(ctx, scope.face),
        )
        clock = CallClock.start(scope)
        engine = await scope.engine.get()
        if session is not None and request.workspace is None:
            await _refuse_with_folder(engine, session)
        state = await engine.submit(request, wait_s=clock.until_first_note())
        if state.result is None:
            state = await _follow(engine, state, ctx, clock)
        return execution_result(scope.shown(state), notes=_notes(state, scope))

    annotations = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, open_world_hint=scope.network
    )
    return ExactTool.of(
        execute_code, title="Run code", annotations=annotations, private=scope.private
    )


async def _refuse_with_folder(engine: Engine, name: str) -> None:
    """A server that shows no folder lets code into no session that does."""
    for session in await engine.sessions():
        if session.name == name and session.workspace is not None:
            raise ToolError(
                f"The session {name!r} is in a folder, and this server shows code none. Use "
                "another session_id."
            )


async def _follow(
    engine: Engine, state: RunState, ctx: Context[Any, Any], clock: CallClock
) -> RunState:
    try:
        return await follow(engine, state.run_id, ctx, clock)
    except anyio.get_cancelled_exc_class():
        # Who cancels the call wants the code to end, and nobody has its id yet.
        with anyio.move_on_after(_CANCEL_S, shield=True):
            # It may be over, or have ended with its agent.
            with suppress(UnknownRun, AgentUnavailable, StorageUnavailable):
                await engine.cancel(state.run_id)
        raise


def _notes(state: RunState, scope: Scope) -> tuple[str, ...]:
    result = state.result
    hint = result.error.hint if result is not None and result.error is not None else None
    if hint is None or scope.access != "read" or scope.folder.root is None:
        return ()
    if "--write" not in hint.split():
        return ()
    return ("This server shows the folder read-only unless it is started with --write too.",)
