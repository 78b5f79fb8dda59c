"""What the launcher is told to do for one sandbox."""

from __future__ import annotations

from typing import Final, Literal, TypedDict

STAGE: Final = "/sys"
"""Where the launcher mounts a sandbox's bounded memory, in a mount namespace of the sandbox's own.

A folder that every system has and no sandbox shows.
"""

CONTROL_FD: Final = 10
SECCOMP_FD: Final = 11
NOBODY: Final = 65534


MountKind = Literal["ro", "rw", "overlay", "link"]

Mount = tuple[MountKind, str, str]
"""What is to be seen, and at which path inside; for a link, what it says."""


class Plan(TypedDict):
    """One sandbox with namespaces, as the launcher prepares it.

    Attributes:
        argv: the command to become; `argv[0]` is opened before identities change. Without one,
            the launcher's own interpreter serves as the first program.
        stage_bytes, stage_inodes: the size of the memory that holds every file written inside.
        etc_files, etc_folders: the files that its /etc holds, and the folders shown in there.
        views: folders and files that a dropped identity could not reach; the n-th appears
            at `STAGE/view/n`.
        view_owners: for each view, whose files are to appear as the sandbox's own (uid, gid).
        writable: those views that are of no use unless they can be written.
        drop: become `NOBODY`; for an agent that runs as root.
        rlimits: pairs of a resource's number and its limit.
        filter: the system call filter, which appears at `SECCOMP_FD`.
        mounts: what is mounted, where the launcher does it itself.
        network: keep the host's network.
        first: what the first program is told: the folder of the kernels, its scratch folder, and
            how many processes may live.
        python: what the interpreter calls itself.
    """

    argv: list[str]
    stage_bytes: int
    stage_inodes: int
    etc_files: list[str]
    etc_folders: list[str]
    views: list[str]
    view_owners: list[tuple[int, int]]
    writable: list[str]
    drop: bool
    rlimits: list[tuple[int, int]]
    filter: bytes
    mounts: list[Mount]
    network: bool
    first: tuple[str, str, str]
    python: str


class GuardedPlan(TypedDict):
    """One sandbox without namespaces: a guardian process stays outside and ends it.

    Attributes:
        argv: the command to become.
        scratch: the folder that holds what is written inside; it is removed in the end.
        drop: become `NOBODY`.
        rlimits: pairs of a resource's number and its limit.
        processes: how many processes and threads may live; 0 for no limit.
        filter: the system call filter, empty for none.
        handled: what Landlock takes away: file system rights, network rights, scopes.
        rules: what it leaves: paths and file system rights. `handled` of zeros means no Landlock.
    """

    argv: list[str]
    scratch: str
    drop: bool
    rlimits: list[tuple[int, int]]
    processes: int
    filter: bytes
    handled: tuple[int, int, int]
    rules: list[tuple[str, int]]
