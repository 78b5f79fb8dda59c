"""What the system call filter decides, judged by reading it as the kernel does."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kowalski.errors import SandboxUnavailable
from kowalski.execution.sandbox.launcher.seccomp import Openings, filter_program

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003
SHUT = Openings(internet=False, unix=False, signals=False, attributes=False)
OPEN = Openings(internet=True, unix=True, signals=True, attributes=True)

# Numbers from the kernel's tables: x86_64, aarch64.
READ, OPENAT, EXECVE = (0, 63), (257, 56), (59, 221)
SOCKET, SOCKETPAIR, IOCTL, CLONE, CLONE3 = (41, 198), (53, 199), (16, 29), (56, 220), (435, 435)
KILL_CALL, TGKILL, PERSONALITY, FCHMODAT = (62, 129), (234, 131), (135, 92), (268, 53)
DANGEROUS = {
    "ptrace": (101, 117), "bpf": (321, 280), "mount": (165, 40), "unshare": (272, 97),
    "setns": (308, 268), "keyctl": (250, 219), "memfd_create": (319, 279),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "shmget": (29, 194),
    "perf_event_open": (298, 241), "process_vm_writev": (311, 271), "open_by_handle_at": (304, 265),
    "pidfd_getfd": (438, 438), "kexec_load": (246, 104), "init_module": (175, 105),
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A system call as the kernel shows it to a filter."""

    number: int
    architecture: int
    arguments: tuple[int, ...] = ()

    def pack(self) -> bytes:
        words = (*self.arguments, *[0] * 6)[:6]
        return struct.pack("=IIQ6Q", self.number, self.architecture, 0, *words)


def judge(program: bytes, call: Call) -> int:
    """Run a classic BPF program over a call, and return its verdict."""
    steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    data, accumulator, at = call.pack(), 0, 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x15:
            at += if_true if accumulator == value else if_false
        elif code == 0x35:
            at += if_true if accumulator >= value else if_false
        elif code == 0x45:
            at += if_true if accumulator & value else if_false
        elif code == 0x06:
            return int(value)
        else:
            raise AssertionError(f"an unknown instruction {code:#x}")


def refused(number: int) -> int:
    return ERRNO | number


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def verdict(machine: str, openings: Openings, numbers: tuple[int, int], *arguments: int) -> int:
    number = numbers[0 if machine == "x86_64" else 1]
    call = Call(number, ARCHITECTURES[machine], arguments)
    return judge(filter_program(openings, machine), call)


@pytest.mark.parametrize("openings", [SHUT, OPEN])
def test_ordinary_calls_are_allowed(machine: str, openings: Openings) -> None:
    for numbers in (READ, OPENAT, EXECVE, SOCKETPAIR):
        assert verdict(machine, openings, numbers) == ALLOW


@pytest.mark.parametrize("name", DANGEROUS)
def test_dangerous_calls_are_refused_whatever_is_open(machine: str, name: str) -> None:
    assert verdict(machine, OPEN, DANGEROUS[name]) == refused(errno.EPERM)


@given(number=st.integers(0, 2**32 - 1), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_calls_of_another_architecture_kill(number: int, arguments: list[int]) -> None:
    call = Call(number, I386, tuple(arguments))
    assert judge(filter_program(OPEN, "x86_64"), call) == KILL


@given(number=st.integers(0x40000000, 2**32 - 1))
def test_calls_of_the_x32_kind_kill(number: int) -> None:
    assert judge(filter_program(OPEN, "x86_64"), Call(number, ARCHITECTURES["x86_64"])) == KILL


@given(number=st.integers(472, 0x3FFFFFFF))
def test_calls_that_did_not_exist_when_the_filter_was_written_do_not_exist(number: int) -> None:
    for machine, architecture in ARCHITECTURES.items():
        verdict = judge(filter_program(OPEN, machine), Call(number, architecture))
        assert verdict == refused(errno.ENOSYS)


@given(number=st.integers(0, 471), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_what_the_open_filter_refuses_the_shut_one_refuses_too(
    number: int, arguments: list[int]
) -> None:
    for machine, architecture in ARCHITECTURES.items():
        call = Call(number, architecture, tuple(arguments))
        if judge(filter_program(SHUT, machine), call) == ALLOW:
            assert judge(filter_program(OPEN, machine), call) == ALLOW


@given(family=st.integers(0, 2**64 - 1))
def test_sockets_are_of_the_families_that_are_open(family: int) -> None:
    families = {1: "unix", 2: "internet", 10: "internet"}
    for machine in ARCHITECTURES:
        for kind in (None, "unix", "internet"):
            openings = Openings(kind == "internet", kind == "unix", signals=True, attributes=True)
            # The kernel itself looks at the lower half alone.
            wanted = kind is not None and families.get(family & 0xFFFFFFFF) == kind
            expected = ALLOW if wanted else refused(errno.EACCES)
            assert verdict(machine, openings, SOCKET, family) == expected


@pytest.mark.parametrize("flag", [0x10000000, 0x20000, 0x20000000, 0x40000000, 0x2000000])
def test_clone_makes_no_namespace(machine: str, flag: int) -> None:
    assert verdict(machine, OPEN, CLONE, flag | 17) == refused(errno.EPERM)
    assert verdict(machine, OPEN, CLONE, 0x3D0F00) == ALLOW
    assert verdict(machine, OPEN, CLONE3) == refused(errno.ENOSYS)


@pytest.mark.parametrize("request_number", [0x5412, 0x541C])
def test_a_terminal_cannot_be_typed_into(machine: str, request_number: int) -> None:
    assert verdict(machine, OPEN, IOCTL, 0, request_number) == refused(errno.EPERM)
    # The kernel drops the upper half of the request.
    assert verdict(machine, OPEN, IOCTL, 0, request_number | 1 << 32) == refused(errno.EPERM)
    assert verdict(machine, OPEN, IOCTL, 0, 0x5401) == ALLOW


def test_signals_by_number_are_refused_where_nothing_else_keeps_them_in(machine: str) -> None:
    assert verdict(machine, SHUT, KILL_CALL, 0, 15) == ALLOW
    for target in (1, 1234, 2**64 - 1, 2**64 - 1234):
        assert verdict(machine, SHUT, KILL_CALL, target, 9) == refused(errno.EPERM)
        assert verdict(machine, OPEN, KILL_CALL, target, 9) == ALLOW
    assert verdict(machine, SHUT, TGKILL, 1, 1, 9) == refused(errno.EPERM)


def test_attributes_are_refused_where_nothing_else_keeps_them(machine: str) -> None:
    assert verdict(machine, SHUT, FCHMODAT) == refused(errno.EPERM)
    assert verdict(machine, OPEN, FCHMODAT) == ALLOW


def test_personalities_that_weaken_memory_are_refused(machine: str) -> None:
    assert verdict(machine, OPEN, PERSONALITY, 0xFFFFFFFF) == ALLOW
    assert verdict(machine, OPEN, PERSONALITY, 0x0400000) == refused(errno.EPERM)


def test_an_unknown_processor_is_said() -> None:
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        filter_program(OPEN, "riscv64")
