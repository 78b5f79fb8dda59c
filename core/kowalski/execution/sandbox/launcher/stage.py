"""The launcher's side of a sandbox's mounts: bounded memory, views of folders, and identity."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kowalski.execution.sandbox import syscalls

if TYPE_CHECKING:
    from kowalski.execution.sandbox.plan import Plan

_STAGE = "/sys"
NOBODY = 65534
_ALL_IDS = 1 << 32
_MOST_OF_A_FILE = 1 << 20


def prepare(plan: Plan, namespaces: list[int], more: int = 0) -> int:
    """Give this process the mounts and the identity of `plan`'s sandbox.

    `namespaces` maps the owners of each view. With `more` namespaces, the process is their root in
    the end. Returns a descriptor of the folder in bounded memory. The process must have one thread.

    Raises:
        OSError: the kernel does not allow it.
    """
    if plan["drop"]:
        syscalls.unshare(syscalls.CLONE_NEWNS)
    else:
        _own_user_namespace(syscalls.CLONE_NEWNS | more)
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE, None)
    options = f"size={plan['stage_bytes']},nr_inodes={plan['stage_inodes']},mode=0711"
    syscalls.mount("kowalski", _STAGE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)
    for name in ("tmp", "work", "shm", "upper", "scratch", "root"):
        folder = f"{_STAGE}/{name}"
        os.mkdir(folder, 0o755)
        if plan["drop"]:
            os.chown(folder, NOBODY, NOBODY)
    _make_etc(plan)
    # What is bound over what a sandbox must not read.
    os.mkdir(f"{_STAGE}/empty", 0o555)
    _write(f"{_STAGE}/nothing", b"", 0)
    _show(plan["views"], namespaces, plan["writable"])
    floor = os.open(_STAGE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if plan["drop"]:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        if more:
            # Else what describes this process in /proc would belong to root.
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
            _own_user_namespace(syscalls.CLONE_NEWNS | more)
    return floor


def _make_etc(plan: Plan) -> None:
    """Fill the folder that is to be /etc, and make the places for what is shown in there."""
    etc = f"{_STAGE}/etc"
    os.mkdir(etc, 0o755)
    _write(f"{etc}/passwd", b"kowalski:x:65534:65534:kowalski:/work:/bin/bash\n")
    _write(f"{etc}/group", b"kowalski:x:65534:\n")
    _write(f"{etc}/hosts", b"127.0.0.1 localhost kowalski\n::1 localhost\n")
    for path in plan["etc_files"]:
        with open(path, "rb") as file:
            _write(f"{_STAGE}{path}", file.read(_MOST_OF_A_FILE))
    for path in plan["etc_folders"]:
        os.makedirs(f"{_STAGE}{path}", 0o755)


def _write(path: str, content: bytes, mode: int = 0o644) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, mode)
    os.write(fd, content)
    os.close(fd)


def _own_user_namespace(more: int) -> None:
    """Become root of a user namespace in which only this user exists, and of `more`."""
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER | more)
    map_identity("/proc/self", f"0 {uid} 1", f"0 {gid} 1")


def map_identity(process: str, users: str, groups: str, at: int | None = None) -> None:
    """Write the maps of a user namespace; `process` is its folder in a proc file system."""
    for name, text in (("setgroups", "deny"), ("uid_map", users), ("gid_map", groups)):
        fd = os.open(f"{process}/{name}", os.O_WRONLY, dir_fd=at)
        os.write(fd, text.encode())
        os.close(fd)


def _show(sources: list[str], namespaces: list[int], writable: list[str]) -> None:
    """Make the n-th source appear at `view/n`, where a dropped identity can reach it."""
    os.mkdir(f"{_STAGE}/view", 0o755)
    for number, source in enumerate(sources):
        target = f"{_STAGE}/view/{number}"
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            _write(target, b"")
        try:
            syscalls.attach(source, target, 0, namespaces[number])
        except OSError as error:
            if source in writable:
                raise OSError(
                    f"the file system of {source} cannot map owners, so nothing can be written "
                    "there by an agent that runs as root: run it as the folder's owner"
                ) from error
            # What others may read stays readable.
            syscalls.attach(source, target, 0)


def mapping_namespace(uid: int, gid: int) -> int:
    """A descriptor of a user namespace that exchanges one owner and `NOBODY`."""
    reader, writer = os.pipe()
    done_reader, done_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.write(writer, b"x")
        os.close(done_writer)
        os.read(done_reader, 1)
        os._exit(0)
    try:
        os.close(writer)
        os.close(done_reader)
        if not os.read(reader, 1):
            raise OSError("a user namespace for mapped mounts could not be made")
        for kind, owner in (("uid_map", uid), ("gid_map", gid)):
            fd = os.open(f"/proc/{pid}/{kind}", os.O_WRONLY)
            os.write(fd, _mapping(owner).encode())
            os.close(fd)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(reader)
        os.close(done_writer)
        os.waitpid(pid, 0)


def _mapping(owner: int) -> str:
    """A map of ids that exchanges `owner` and `NOBODY`."""
    low, high = sorted((owner, NOBODY))
    spans = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    spans.append((high + 1, high + 1, _ALL_IDS - 2 - high))
    if low == high:
        spans = [(0, 0, _ALL_IDS - 1)]
    return "".join(f"{a} {b} {length}\n" for a, b, length in spans if length > 0)
