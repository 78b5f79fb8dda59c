"""Tries to get out of the sandbox that it runs in, and tells which attempts succeeded.

`python -I -S escapes.py SECRET PORT SOCKET ABSTRACT PID BORN`: a file, a TCP port of the loopback,
a Unix socket by path and by abstract name, and a process with the tick of its birth; all of them
outside. Prints a line for each way out that is open, and `done` at the end.
"""

import ctypes
import os
import socket
import sys
from functools import partial

if False:  # for type checkers; importing typing takes time
    from typing import Callable

# name: its number on x86_64 and on aarch64, arguments
CALLS = {
    "add_key": (248, 217, ()),
    "bpf": (321, 280, ()),
    "io_uring_setup": (425, 425, ()),
    "keyctl": (250, 219, (0, -2, 1)),
    "memfd_create": (319, 279, ()),
    "mount": (165, 40, ()),
    "perf_event_open": (298, 241, ()),
    "process_vm_readv": (310, 270, ()),
    "ptrace": (101, 117, ()),
    "setns": (308, 268, ()),
    "shmget": (29, 194, (0, 4096, 0o1600)),
    "unshare": (272, 97, (0x10000000,)),
    "userfaultfd": (323, 282, ()),
}
EPERM, ENOSYS = 1, 38
AF_NETLINK, AF_PACKET, AF_VSOCK = 16, 17, 40
SOCK_STREAM, SOCK_RAW = 1, 3


def attempts(
    secret: str, port: int, path: str, abstract: str, pid: int, born: int
) -> "dict[str, Callable[[], bool]]":
    """Every attempt by its name. Each returns whether it succeeded, or raises OSError."""
    found = {  # type: dict[str, Callable[[], bool]]
        "read_file": lambda: reads(secret),
        "write_file": lambda: writes(secret + ".new"),
        "host_loopback": lambda: connects(socket.AF_INET, ("127.0.0.1", port)),
        "unix_by_path": lambda: connects(socket.AF_UNIX, path),
        "unix_abstract": lambda: connects(socket.AF_UNIX, "\0" + abstract),
        "netlink": lambda: opens(AF_NETLINK, SOCK_RAW),
        "packet": lambda: opens(AF_PACKET, SOCK_RAW),
        "vsock": lambda: opens(AF_VSOCK, SOCK_STREAM),
        "signal": lambda: signals(pid, born),
        "core_pattern": lambda: writes("/proc/sys/kernel/core_pattern", keep=True),
        "environment": environment_of_another,
    }
    for place in ("/", "/usr/", "/etc/", "/dev/"):
        found["write " + place] = partial(writes, place + "kowalski-escape")
    for device in ("kmsg", "mem", "dri/card0", "nvidiactl", "fuse", "kvm"):
        found["device " + device] = partial(reads, "/dev/" + device)
    for name in CALLS if sys.platform == "linux" else ():
        found[name] = partial(calls, name)
    return found


def reads(path: str) -> bool:
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return True


def writes(path: str, keep: bool = False) -> bool:
    os.close(os.open(path, os.O_WRONLY | (0 if keep else os.O_CREAT), 0o600))
    if not keep:
        os.unlink(path)
    return True


def connects(family: int, address: "tuple[str, int] | str") -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(address)
    return True


def opens(family: int, kind: int) -> bool:
    socket.socket(family, kind).close()
    return True


def signals(pid: int, born: int) -> bool:
    """Whether that very process can be signalled: in here, its number may be another's."""
    os.kill(pid, 0)
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19]) == born
    except FileNotFoundError:
        return True


def environment_of_another() -> bool:
    """Whether a variable of another process can be read, besides its working folder's."""
    own = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != own:
            try:
                with open("/proc/" + name + "/environ", "rb") as file:
                    words = file.read().strip(b"\0").split(b"\0")
                if any(word and not word.startswith(b"PWD=") for word in words):
                    return True
            except OSError:
                pass
    return False


def calls(name: str) -> bool:
    """Whether the kernel considers a system call at all."""
    on_x86, on_arm, arguments = CALLS[name]
    number = on_x86 if os.uname().machine == "x86_64" else on_arm
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(word) for word in (number, *arguments, 0, 0, 0, 0)]
    return libc.syscall(*words[:6]) >= 0 or ctypes.get_errno() not in (EPERM, ENOSYS)


def main() -> None:
    secret, port, path, abstract, pid, born = sys.argv[1:7]
    for name, attempt in attempts(secret, int(port), path, abstract, int(pid), int(born)).items():
        try:
            if attempt():
                print(name)
        except OSError:
            pass
    print("done")


if __name__ == "__main__":
    main()
