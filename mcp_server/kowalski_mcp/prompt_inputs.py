"""Texts for a template that are not in the call: the lines of a file, or of what a run printed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from kowalski.errors import InvalidRequest, UnknownRun
from kowalski.model.run import RunRequest

if TYPE_CHECKING:
    from kowalski.engine import Engine
    from kowalski_mcp.scope import Scope

MOST_INPUTS: Final = 10_000
_MOST_BYTES: Final = 32 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024
# What is no file may have no end, or never begin.
_PRINT_FILE: Final = """\
for kind in -b -c -p -S; do
    if test $kind {path}; then
        echo {path}: This is a device, a pipe or a socket, not a file >&2
        exit 1
    fi
done
cat -- {path}"""


async def lines_of(source: str, scope: Scope, requester: str) -> list[str]:
    """The lines of a run's output, or else of a file as code in the folder sees it.

    Lines of nothing but blanks are left out.

    Raises:
        InvalidRequest: there is neither, or it has no lines, too many, or too much in them.
    """
    try:
        text = await _printed(source, await scope.engine_of(source))
    except UnknownRun:
        text = await _written(source, scope, requester)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InvalidRequest(f"Nothing was asked: {source} has no lines for the template.")
    if len(lines) > MOST_INPUTS:
        raise InvalidRequest(
            f"Nothing was asked: {source} has {len(lines):,} lines, and {MOST_INPUTS:,} inputs at "
            "most go into one call. Split it with execute_code, and ask part by part."
        )
    return lines


async def _written(path: str, scope: Scope, requester: str) -> str:
    # In a sandbox, so that nobody reads here what code in the folder may not.
    request = RunRequest(
        language="bash",
        code=_PRINT_FILE.format(path=shlex.quote(path)),
        workspace=scope.workspace,
        network=False,
        requester=requester,
    )
    engine = await scope.engine.get()
    result = await engine.run(request)
    if result.status != "ok":
        why = result.stderr.strip().removeprefix("cat: ") or result.reason or result.status
        raise InvalidRequest(
            f"Nothing was asked: inputs is neither a run's handle nor a file that can be read: "
            f"{why}. A path is relative to the server's folder. Or give the inputs as a list."
        )
    return await _printed(result.run_id, engine)


async def _printed(handle: str, engine: Engine) -> str:
    pieces = []
    offset: int | None = 0
    while offset is not None:
        piece = await engine.read_output(handle, offset, _PIECE_BYTES)
        if not piece.finished:
            raise InvalidRequest(
                f"Nothing was asked: the run {handle} is not over. Wait for it first."
            )
        if piece.total_bytes > _MOST_BYTES or piece.dropped_bytes:
            raise InvalidRequest(
                f"Nothing was asked: {piece.total_bytes:,} bytes are too many for one call, which "
                f"takes {_MOST_BYTES:,}."
            )
        pieces.append(piece.text)
        offset = piece.next_offset
    return "".join(pieces)
