"""What to do about a program's error, where Kowalski knows: the sandbox is often the cause."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kowalski.agent.home.grants import allow_command
from kowalski.execution.rights import Rights

if TYPE_CHECKING:
    from kowalski.agent.conduct.admission import Admitted
    from kowalski.agent.conduct.ending import Ending
    from kowalski.model.event import ProgramError

_NO_NETWORK: Final = (
    "network is unreachable",
    "name or service not known",
    "temporary failure in name resolution",
    "could not resolve host",
    "nodename nor servname",
    "enetunreach",
    "eai_again",
    "enotfound",
    "getaddrinfo",
    "urlopen error",
)
_READ_ONLY: Final = ("read-only file system", "erofs")


def explained(ending: Ending, admitted: Admitted, stderr: str) -> Ending:
    """The ending, with a hint where its error has a cause that the sandbox knows of.

    `stderr` is the end of what the program printed there, for programs that tell only so.
    """
    error = ending.error
    if error is None or ending.status != "failed":
        return ending
    error = admitted.language.explain(error, admitted.interpreter, stderr)
    if error.hint is None:
        error = replace(error, hint=_hint(error, admitted, stderr))
    return replace(ending, error=error)


def _hint(error: ProgramError, admitted: Admitted, stderr: str) -> str | None:
    said = f"{error.type}: {error.message}\n{stderr}".lower()
    rights, workspace = admitted.spec.rights, admitted.spec.workspace
    if not rights.network and any(sign in said for sign in _NO_NETWORK):
        if workspace is None:
            return "Code runs without network. Run it in a folder that was allowed to have it."
        return f"Code runs without network here. To allow it: {_allow(workspace.root, net=True)}"
    if any(sign in said for sign in _READ_ONLY):
        scratch = "Write to /tmp or to the folder in $HOME instead"
        if workspace is None or workspace.access != "read":
            return f"{scratch}; the system is read-only."
        return f"{scratch}. To let code change this folder: {_allow(workspace.root, write=True)}"
    return None


def _allow(root: str, *, net: bool = False, write: bool = False) -> str:
    return allow_command(root, Rights(network=net, write=write))
