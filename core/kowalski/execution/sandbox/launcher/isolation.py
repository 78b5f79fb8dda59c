"""The launcher's side of a sandbox without bubblewrap: a root folder of its own, and no power.

The steps are bubblewrap's. They are taken here so that an interpreter that runs already can be
forked into a sandbox, as starting one takes most of the time that a fresh sandbox takes.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from kowalski.execution.sandbox import syscalls
from kowalski.execution.sandbox.launcher import stage

if TYPE_CHECKING:
    from kowalski.execution.sandbox.plan import Mount, Plan

_STAGE: Final = "/sys"
_ROOT: Final = f"{_STAGE}/root"
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS: Final = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_PLAIN: Final = syscalls.NO_SET_UID | syscalls.NO_DEVICES
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def isolate(plan: Plan) -> None:
    """Enter the sandbox that `plan` describes, as the first process of its process namespace.

    The process is root of its namespaces before, and nobody without any power afterwards, but for
    the system call filter.

    Raises:
        OSError: the kernel does not allow it.
    """
    host = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.umask(0o022)
    options = "size=4m,nr_inodes=4096,mode=0755"
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    syscalls.mount("kowalski", _ROOT, "tmpfs", flags, options)
    _mount_proc_and_dev()
    for mount in plan["mounts"]:
        _mount(mount)
    for place in ("", "/dev", "/proc"):
        syscalls.restrict_mount(_ROOT + place, syscalls.READ_ONLY)
    syscalls.leave_root_for(_ROOT)
    socket.sethostname("kowalski")
    if not plan["network"]:
        _raise_loopback()
    # A further user namespace has no power over the mounts, which belong to the one before.
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    nobody = f"{stage.NOBODY} 0 1"
    stage.map_identity("self", nobody, nobody, host)
    os.close(host)
    syscalls.drop_capabilities()


def _mount_proc_and_dev() -> None:
    proc = f"{_ROOT}/proc"
    os.mkdir(proc)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("proc", proc, "proc", flags, None)
    # One more is made in the end, and none by code inside.
    limit = os.open(f"{proc}/sys/user/max_user_namespaces", os.O_WRONLY)
    os.write(limit, b"1")
    os.close(limit)
    dev = f"{_ROOT}/dev"
    os.mkdir(dev)
    syscalls.mount("kowalski", dev, "tmpfs", flags, "size=64k,nr_inodes=64,mode=0755")
    for name in _DEVICES:
        _make_file(f"{dev}/{name}")
        unusual = syscalls.NO_SET_UID | syscalls.NO_PROGRAMS
        syscalls.attach(f"/dev/{name}", f"{dev}/{name}", unusual)
    for name, target in _LINKS.items():
        os.symlink(target, f"{dev}/{name}")
    os.mkdir(f"{dev}/shm")
    os.mkdir(f"{dev}/pts")
    flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
    syscalls.mount("devpts", f"{dev}/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=620")


def _mount(mount: Mount) -> None:
    kind, source, place = mount
    target = _ROOT + place
    if kind == "link":
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(source, target)
        return
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _make_file(target)
    if kind == "overlay":
        layers = {"lowerdir": source, "upperdir": f"{_STAGE}/upper", "workdir": f"{_STAGE}/scratch"}
        options = ",".join(f"{name}={_escaped(path)}" for name, path in layers.items())
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("overlay", target, "overlay", flags, f"{options},userxattr")
    else:
        kept = _PLAIN | (syscalls.READ_ONLY if kind == "ro" else 0)
        syscalls.attach(source, target, kept)


def _escaped(path: str) -> str:
    """A path within mount options, where some characters have a meaning."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _make_file(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH22x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))
