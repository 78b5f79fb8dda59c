"""Running code from a plain script, without `async`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

from kowalski.engine import Engine
from kowalski.errors import InvalidRequest
from kowalski.model.run import Limits, RunRequest, Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from kowalski.model.event import RunResult


def run(
    code: str,
    language: str = "python",
    *,
    session: str | None = None,
    folder: str | PathLike[str] | None = None,
    timeout_s: float | None = None,
    stdin: str | None = None,
    args: Sequence[str] = (),
) -> RunResult:
    """Run code in a sandbox and wait for its end.

    Args:
        code: what to run.
        language: a language or an alias of one.
        session: the session to run in; what it defines is there for later runs in it.
        folder: a folder that the code can read.
        timeout_s: seconds of execution; the device's default if left out.
        stdin: what the program reads.
        args: what the program finds on its command line, behind its own name.

    Raises:
        InvalidRequest: an event loop runs here already, as it does in Jupyter.
        KowalskiError: nothing was run. A program that fails does not raise: see
            `RunResult.check`.
    """
    if _in_event_loop():
        raise InvalidRequest(
            "An event loop runs here, as it does in Jupyter, so this must be awaited: "
            "`async with kowalski.Engine() as engine: result = await engine.run("
            "kowalski.RunRequest(language='python', code=...))`."
        )
    workspace = Workspace(str(folder)) if folder is not None else None
    request = RunRequest(
        language=language,
        code=code,
        session=session,
        workspace=workspace,
        limits=Limits(wall_s=timeout_s),
        stdin=stdin,
        args=tuple(args),
    )

    async def ask() -> RunResult:
        async with Engine() as engine:
            return await engine.run(request)

    return anyio.run(ask)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
