"""The system call filter of every sandbox on Linux: classic BPF, written without any library.

It takes away what a program that computes does not need and what has been a way out: kernel
interfaces with a history, memory that no limit counts, and sockets that lead elsewhere.
"""

from __future__ import annotations

import functools
import os
import struct
from dataclasses import dataclass
from typing import Final

from kowalski.errors import SandboxUnavailable

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _EACCES, _ENOSYS = 1, 13, 38

_X32_BIT: Final = 0x40000000
_FIRST_UNREVIEWED: Final = 472
"""System calls from here on did not exist when this was written."""

_NAMESPACE_FLAGS: Final = 0x7E020000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10

# Name: number on x86_64, number on aarch64 (None where it has none).
_DENIED: Final[dict[str, tuple[int, int | None]]] = {
    "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280),
    "chroot": (161, 51), "clock_adjtime": (305, 266), "clock_settime": (227, 112),
    "create_module": (174, None), "delete_module": (176, 106), "fanotify_init": (300, 262),
    "finit_module": (313, 273), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fsopen": (430, 430), "fspick": (433, 433), "get_kernel_syms": (177, None),
    "init_module": (175, 105), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "ioperm": (173, None), "iopl": (172, None), "kcmp": (312, 272),
    "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219),
    "lookup_dcookie": (212, 18), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "migrate_pages": (256, 238), "modify_ldt": (154, None), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239),
    "mq_open": (240, 180), "msgget": (68, 186), "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42), "open_by_handle_at": (304, 265), "open_tree": (428, 428),
    "open_tree_attr": (467, 467), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "ptrace": (101, 117), "query_module": (178, None), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "reboot": (169, 142), "request_key": (249, 218),
    "semget": (64, 190), "setdomainname": (171, 162), "sethostname": (170, 161),
    "setns": (308, 268), "settimeofday": (164, 170), "shmat": (30, 196), "shmctl": (31, 195),
    "shmget": (29, 194), "swapoff": (168, 225), "swapon": (167, 224), "_sysctl": (156, None),
    "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97), "uselib": (134, None),
    "userfaultfd": (323, 282), "ustat": (136, None), "vhangup": (153, 58), "vmsplice": (278, 75),
}  # fmt: skip

# Ways to signal a process that is named by its number.
_SIGNALS: Final = {
    "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
}  # fmt: skip
# Ways to change what Landlock does not know: a file's mode, owner, times and attributes.
_ATTRIBUTES: Final = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "file_setattr": (469, 469),
}  # fmt: skip
_KILL_CALL: Final = (62, 129)
_CLONE, _CLONE3, _IOCTL = (56, 220), (435, 435), (16, 29)
_SOCKET, _PERSONALITY = (41, 198), (135, 92)

_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


@dataclass(frozen=True, slots=True)
class Openings:
    """What the filter leaves open, where the rest of the sandbox makes that safe.

    Attributes:
        internet: sockets of the internet families.
        unix: Unix sockets with a name; unnamed pairs always work.
        signals: signals to a process by its number; to the own group they always work.
        attributes: changes of a file's mode, owner, times and extended attributes.
    """

    internet: bool
    unix: bool
    signals: bool
    attributes: bool


@functools.cache
def filter_program(openings: Openings, machine: str | None = None) -> bytes:
    """The filter for this machine, or for the one named as `os.uname` does.

    Raises:
        SandboxUnavailable: its processor is unknown.
    """
    machine = machine or os.uname().machine
    if machine not in _ARCHITECTURES:
        raise SandboxUnavailable(
            f"No system call filter is known for the processor {machine}: use x86_64 or aarch64."
        )
    column, architecture = _ARCHITECTURES[machine]
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL),
        _step(_AT_LEAST, _FIRST_UNREVIEWED, 0, 1),
        _step(_RETURN, _ERRNO | _ENOSYS),
    ]
    numbers = [row[column] for row in _DENIED.values()]
    if not openings.signals:
        numbers += [row[column] for row in _SIGNALS.values()]
    if not openings.attributes:
        numbers += [row[column] for row in _ATTRIBUTES.values()]
    for number in numbers:
        if number is not None:
            code += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ERRNO | _EPERM)]
    # Its flags are in memory, where no filter can look; programs fall back to clone.
    code += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _ERRNO | _ENOSYS)]
    code += _judged(_CLONE[column], 0, [_step(_ANY_BIT, _NAMESPACE_FLAGS, 0, 1)], _EPERM)
    code += _judged(
        _IOCTL[column], 1,
        [_step(_EQUAL, _TIOCSTI, 1, 0), _step(_EQUAL, _TIOCLINUX, 0, 1)],
        _EPERM,
    )  # fmt: skip
    families = [_AF_INET, _AF_INET6] if openings.internet else []
    families += [_AF_UNIX] if openings.unix else []
    code += _only(_SOCKET[column], 0, families, _EACCES)
    code += _only(_PERSONALITY[column], 0, [0, 0xFFFFFFFF], _EPERM)
    if not openings.signals:
        code += _only(_KILL_CALL[column], 0, [0], _EPERM)
    code.append(_step(_RETURN, _ALLOW))
    return b"".join(code)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _judged(number: int, argument: int, tests: list[bytes], errno: int) -> list[bytes]:
    """Refuse a call when the tests on one argument fall through; otherwise allow it."""
    body = [
        _step(_LOAD, _ARGUMENTS + 8 * argument),
        *tests,
        _step(_RETURN, _ERRNO | errno),
        _step(_RETURN, _ALLOW),
    ]
    return [_step(_EQUAL, number, 0, len(body)), *body]


def _only(number: int, argument: int, allowed: list[int], errno: int) -> list[bytes]:
    """Allow a call only with these values of one argument."""
    tests = [_step(_EQUAL, value, len(allowed) - place, 0) for place, value in enumerate(allowed)]
    return _judged(number, argument, tests, errno)
