"""What a caller asks for: a run of some code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kowalski.model.blob import BlobRef

Access = Literal["read", "overlay", "write"]
"""How a run sees its workspace.

`read`: a live read-only view. `overlay`: writable in appearance, nothing reaches the folder.
`write`: changes reach the folder; the device's owner must have granted it.
"""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder of one device that a run sees at its own path.

    `cwd` is where in it an interpreter starts, relative to `root`; in a session that already
    stands, code goes on where its interpreter is.
    """

    root: str
    access: Access = "read"
    device: str = "local"
    cwd: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run. None stands for the device's default; more than its maximum is cut to it.

    Attributes:
        wall_s: seconds of execution; waiting for a slot or for a host call does not count.
        cpu_s: seconds of processor time of all its processes together.
        memory_bytes: processes, tmpfs and overlay together; at least 128 MB.
        processes: how many processes and threads may live at once; at least 20.
        disk_bytes: what it may write to its scratch folder and overlay.
        output_bytes: how much of its output is kept on disk; the rest is counted.
    """

    wall_s: float | None = None
    cpu_s: float | None = None
    memory_bytes: int | None = None
    processes: int | None = None
    disk_bytes: int | None = None
    output_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where code stands in a document.

    `first_line` is the document's line, counted from 1, of the code's first line, so that
    `first_line + error.line - 1` is a line of the document.

    `name` is for a document that is a whole program, which then is told both: its name as it was
    typed, such as `./report.py`, and its path, which is `document`.
    """

    document: str
    first_line: int = 1
    block: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The caller's way to its interpreters: what `PATH` and `VIRTUAL_ENV` held where it stood."""

    path: str | None = None
    virtual_env: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """Code to run, and all that it may use.

    Attributes:
        language: a canonical name or an alias of one.
        session: the session whose sandbox it runs in; None for a sandbox of its own.
        session_ends: a session that this run opens ends with the caller's connection.
        kernel: which of the session's interpreters of this language: blocks that name the same
            one share its state. None for a fresh interpreter in the same sandbox.
        background: it goes on beside the runs after it, until its session ends: it needs a session
            and no slot, has an interpreter of its own, and as much time as any run may have.
        workspace: the folder that it sees. In a session that already stands, the session's.
        network: False to go without the network even where the owner granted it.
        inputs: read-only values by name, attached without copying.
        host_functions: names of functions that the code may call and the caller answers.
        args: what the program is given on its command line, behind its own name: at most 1,000
            words and 128 kB together.
        env: values for environment variables; each name must have been granted.
        idempotent: may be run again where it is not known whether it ran.
        release: compiled for speed, where the language is compiled.
        requester: who asks, for the journal: a face and its client.
    """

    language: str
    code: str
    session: str | None = None
    session_ends: bool = False
    kernel: str | None = "main"
    background: bool = False
    workspace: Workspace | None = None
    network: bool = True
    limits: Limits = Limits()
    stdin: str | None = None
    inputs: Mapping[str, BlobRef] = field(default_factory=dict)
    host_functions: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    origin: Origin | None = None
    toolchain: Toolchain = Toolchain()
    device: str | None = None
    idempotent: bool = False
    release: bool = False
    requester: str = "python"
