"""What to do about a program's error, where Kowalski knows: the sandbox is often the cause."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kowalski.agent.conduct.exhaustion import exhaustion_hint
from kowalski.agent.conduct.misplaced_module import misplaced_module
from kowalski.agent.home.allow_command import allow_command
from kowalski.execution.rights import Rights

if TYPE_CHECKING:
    from kowalski.agent.conduct.admission import Admitted
    from kowalski.agent.conduct.ending import Ending
    from kowalski.model.event import ProgramError
    from kowalski.model.run import RunRequest

_NO_NETWORK: Final = re.compile(
    r"(?i:network is unreachable|name or service not known|could not resolve host"
    r"|temporary failure in name resolution|nodename nor servname|\bgetaddrinfo\b|urlopen error"
    r"|couldn't connect to server|\bfetch failed\b"
    r"|\bcurl\b.*(?:failed to connect|exit status [67]\b))"
    r"|\b(?:ENETUNREACH|EAI_AGAIN|ENOTFOUND|CratesUnavailable)\b"
)
_REFUSED: Final = re.compile(
    r"(?i:connection refused|failed to connect to (?:localhost|127\.[\d.]+|::1) port)"
    r"|\bECONNREFUSED\b"
)
_DENIED: Final = re.compile(r"(?i:permission ?(?:denied|error))|\bEACCES\b")
_TAKEN: Final = re.compile(r"(?i:address (?:is )?already in use)|\bEADDRINUSE\b|\bAddrInUse\b")
_READ_ONLY: Final = re.compile(r"(?i:read-only file system)|\bEROFS\b")


def explained(
    ending: Ending,
    admitted: Admitted,
    request: RunRequest,
    stderr: str,
    label: str,
    *,
    beside: bool,
) -> Ending:
    """The ending, with a hint where its error has a cause that the sandbox knows of.

    `stderr` is the end of what the program printed there, for programs that tell only so, and
    `label` what the code is called in it. `beside`: another run goes on in the background of its
    session.
    """
    error = ending.error
    if error is None or ending.status != "failed":
        return ending
    error = admitted.language.explain(error, admitted.interpreter, stderr, label)
    workspace = admitted.spec.workspace
    if workspace is not None:
        root = Path(workspace.root)
        misplaced = misplaced_module(error, root, root / admitted.program.cwd, request.origin)
        error = replace(error, hint=misplaced or error.hint)
    if error.hint is None and beside and _TAKEN.search(f"{error.message}\n{stderr}"):
        error = replace(error, hint=_taken(request))
    if error.hint is None:
        error = replace(error, hint=_hint(error, admitted, stderr))
    return replace(ending, error=error)


def _hint(error: ProgramError, admitted: Admitted, stderr: str) -> str | None:
    # Node tells the cause only below the error that it led to.
    said = f"{error.type}: {error.message}\n{error.traceback}\n{stderr}"
    rights, workspace = admitted.spec.rights, admitted.spec.workspace
    if not rights.network and _REFUSED.search(said):
        # Without a network there is no other place that could refuse.
        hint = (
            "Nobody listens there: without network, 127.0.0.1 is the sandbox's own, which blocks "
            "of one document or session share. Start the server in one of them (`background`)."
        )
        if workspace is None:
            return hint
        return f"{hint} To reach one outside of it: {_allow(workspace.root, net=True)}"
    if not rights.network and _NO_NETWORK.search(said):
        if workspace is None:
            return "Code runs without network. Run it in a folder that was allowed to have it."
        if admitted.may_connect:
            return "Code runs without network, as was asked. This folder may use it: drop --no-net."
        return f"Code runs without network here. To allow it: {_allow(workspace.root, net=True)}"
    if _DENIED.search(said) and (name := _hidden(admitted, said)) is not None:
        root = workspace.root if workspace is not None else "FOLDER"
        return (
            f"{name} is hidden from code, as a place of credentials. What code needs of it can be "
            f"given as a variable: {allow_command(root, Rights(env=('NAME',)))}"
        )
    if _READ_ONLY.search(said):
        scratch = "Write to /tmp or to the folder in $HOME instead"
        if workspace is None or workspace.access != "read":
            held = ", and so is what `.git` and its like hold" if admitted.spec.held else ""
            return f"{scratch}; the system is read-only{held}."
        if admitted.may_write:
            return (
                f"{scratch}. Changing this folder was allowed, and must be asked for: add --write. "
                "A session sees the folder as it did when it began."
            )
        return f"{scratch}. To let code change this folder: {_allow(workspace.root, write=True)}"
    return exhaustion_hint(error, stderr, admitted.limits)


def _hidden(admitted: Admitted, said: str) -> str | None:
    """The file that is hidden from code and was spoken of."""
    names = (Path(path).name for path in admitted.spec.hidden)
    return next((name for name in names if name in said), None)


def _taken(request: RunRequest) -> str:
    if request.session_ends:
        return "A block in the background, before this one, may have the port: give another."
    return (
        f"A run in the background still goes on in the session {request.session}, and may have the "
        f"port. To end it with the session: kowalski sessions end {request.session}"
    )


def _allow(root: str, *, net: bool = False, write: bool = False) -> str:
    return allow_command(root, Rights(network=net, write=write))
