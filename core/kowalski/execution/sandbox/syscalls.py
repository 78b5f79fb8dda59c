"""Linux system calls that Python does not offer, by their numbers."""

from __future__ import annotations

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REC, MS_PRIVATE = 0x4000, 0x40000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38

CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000

READ_ONLY, NO_SET_UID, NO_DEVICES, NO_PROGRAMS = 1, 2, 4, 8
"""What `attach` can take away."""

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, 0x80000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_MOUNT_ATTR_IDMAP = 0x00100000

_NOTHING_BELOW = 0
_IN_MOVED_TO, _IN_CREATE, _IN_ONLYDIR = 0x80, 0x100, 0x01000000
_MNT_DETACH = 2
_PR_CAPBSET_DROP = 24
_CAPABILITY_VERSION = 0x20080522
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

# From 424 on, numbers are the same on every architecture.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Give this process namespaces of its own."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def enter_namespace(fd: int, kind: int) -> None:
    """Join the namespace at a descriptor."""
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)), "setns")


def inotify() -> int:
    """A descriptor that tells of changes in watched folders."""
    return _check(_libc.inotify_init1(ctypes.c_int(os.O_NONBLOCK | os.O_CLOEXEC)), "inotify_init1")


def watch_for_arrivals(fd: int, folder: str) -> int:
    """Let the descriptor tell when a name appears in `folder`; the watch's number."""
    events = ctypes.c_uint32(_IN_CREATE | _IN_MOVED_TO | _IN_ONLYDIR)
    watch = _libc.inotify_add_watch(ctypes.c_int(fd), os.fsencode(folder), events)
    return _check(watch, f"inotify_add_watch {folder}")


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    """mount(2)."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() if options else None,
    )
    _check(result, f"mount {target}")


def prctl(option: int, value: int, pointer: object = None) -> int:
    """prctl(2) with up to two arguments."""
    third = pointer if pointer is not None else ctypes.c_ulong(0)
    zero = ctypes.c_ulong(0)
    return _check(_libc.prctl(option, ctypes.c_ulong(value), third, zero, zero), "prctl")


def attach(source: str, target: str, attributes: int, user_namespace: int | None = None) -> None:
    """Show the folder or file `source`, with what is mounted below it, at `target`.

    `attributes` restrict it, and all that is mounted below. With a user namespace, owners appear
    as that namespace maps them.
    """
    fd = _check(
        _libc.syscall(
            ctypes.c_long(_OPEN_TREE),
            ctypes.c_int(_AT_FDCWD),
            os.fsencode(source),
            ctypes.c_uint(_OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE),
        ),
        f"open_tree {source}",
    )
    try:
        mapped = 0 if user_namespace is None else _MOUNT_ATTR_IDMAP
        if attributes or mapped:
            _set_attributes(fd, b"", attributes | mapped, user_namespace or 0, source)
        _check(
            _libc.syscall(
                ctypes.c_long(_MOVE_MOUNT),
                ctypes.c_int(fd),
                b"",
                ctypes.c_int(_AT_FDCWD),
                os.fsencode(target),
                ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
            ),
            f"move_mount {target}",
        )
    finally:
        os.close(fd)


def restrict_mount(place: str, attributes: int) -> None:
    """Restrict what is mounted at `place`, and not what is mounted below."""
    _set_attributes(_AT_FDCWD, os.fsencode(place), attributes, 0, place, _NOTHING_BELOW)


def _set_attributes(
    fd: int, path: bytes, attributes: int, namespace: int, name: str, below: int = _AT_RECURSIVE
) -> None:
    words = (ctypes.c_uint64 * 4)(attributes, 0, 0, namespace)
    _check(
        _libc.syscall(
            ctypes.c_long(_MOUNT_SETATTR),
            ctypes.c_int(fd),
            path,
            ctypes.c_uint(below if path else below | _AT_EMPTY_PATH),
            ctypes.byref(words),
            ctypes.c_size_t(ctypes.sizeof(words)),
        ),
        f"mount_setattr {name}",
    )


def leave_root_for(folder: str) -> None:
    """Make the mount at `folder` the root, and let go of the old one with all that is in it."""
    os.chdir(folder)
    number = _PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(ctypes.c_long(number), b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", ctypes.c_int(_MNT_DETACH)), "umount2")
    os.chdir("/")


def drop_capabilities() -> None:
    """Give away every capability, for good."""
    capability = 0
    while _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), *[ctypes.c_ulong(0)] * 3) == 0:
        capability += 1
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


def landlock_version() -> int:
    """The version of the kernel's Landlock; 0 where it has none."""
    version = _libc.syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(1)
    )
    return max(0, int(version))


def landlock(handled: tuple[int, int, int], rules: list[tuple[str, int]]) -> None:
    """Take the `handled` rights (file system, network, scopes) from this process but for `rules`.

    A rule is a path, and the file system rights that stay at and below it. Paths that are missing
    are left out.
    """
    ruleset = (ctypes.c_uint64 * 3)(*handled)
    # Older kernels know a shorter structure.
    size = 8 * max(n for n in (1, 2, 3) if n == 1 or handled[n - 1])
    fd = _check(
        _libc.syscall(
            ctypes.c_long(_LANDLOCK_CREATE_RULESET),
            ctypes.byref(ruleset),
            ctypes.c_size_t(size),
            ctypes.c_uint(0),
        ),
        "landlock_create_ruleset",
    )
    for path, rights in rules:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            continue
        rule = struct.pack("=Qi", rights, place)
        _check(
            _libc.syscall(
                ctypes.c_long(_LANDLOCK_ADD_RULE),
                ctypes.c_int(fd),
                ctypes.c_int(1),
                rule,
                ctypes.c_uint(0),
            ),
            f"landlock_add_rule {path}",
        )
        os.close(place)
    _check(
        _libc.syscall(ctypes.c_long(_LANDLOCK_RESTRICT_SELF), ctypes.c_int(fd), ctypes.c_uint(0)),
        "landlock_restrict_self",
    )
    os.close(fd)


def filter_calls(program: bytes) -> None:
    """Let the kernel judge every system call of this process by a classic BPF program."""
    code = ctypes.create_string_buffer(program, len(program))
    description = _Filter(len(program) // 8, ctypes.addressof(code))
    prctl(PR_SET_SECCOMP, 2, ctypes.byref(description))


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))
