"""What code inside a sandbox can reach of the system outside: next to nothing."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from enclosed import box, spec, spec_for
from kowalski.errors import RightsDenied, SandboxUnavailable
from kowalski.execution.rights import Rights

if TYPE_CHECKING:
    from kowalski.execution.sandbox.mechanism import Mechanism

CONNECT = """
import socket, sys
family, kind, address = eval(sys.argv[1])
try:
    client = socket.socket(family, kind)
    client.settimeout(2)
    client.connect(address)
    print("connected")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def outside(reachable: Path) -> Path:
    """A folder that everybody may read and write by its mode, with a secret in it."""
    (reachable / "secret").write_text("s3cret")
    (reachable / "secret").chmod(0o666)
    return reachable


async def test_files_of_the_host_cannot_be_read(enclosing: Mechanism, outside: Path) -> None:
    places = ["/etc/shadow", "/root/.ssh", "/home", "/etc/hostname", str(outside / "secret")]
    async with box(enclosing, spec_for(enclosing)) as inside:
        for place in places:
            ran = await inside.run("/bin/cat", place)
            assert (ran.out, ran.status.exit_code) == ("", 1), place


async def test_nothing_of_the_host_can_be_written(enclosing: Mechanism, outside: Path) -> None:
    before = sorted(outside.iterdir())
    async with box(enclosing, spec_for(enclosing)) as inside:
        for place in ("/", "/usr", "/etc", "/dev", "/proc", "/var", "/run", str(outside)):
            ran = await inside.bash(f"echo x > {place}/kowalski-was-here")
            assert ran.status.exit_code != 0, place
        await inside.bash(f"echo x > {outside}/secret; rm -rf {outside}")
    assert sorted(outside.iterdir()) == before
    assert (outside / "secret").read_text() == "s3cret"


async def test_the_scratch_folders_can_be_written(enclosing: Mechanism) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        ran = await inside.bash('pwd > "$HOME/a" && cat "$HOME/a" > "$TMPDIR/b" && cat "$TMPDIR/b"')
        assert ran.out.strip() == inside.sandbox.places.home


async def test_no_environment_of_the_agent_is_visible(
    enclosing: Mechanism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOWALSKI_TEST_TOKEN", "t0ken")
    async with box(enclosing, spec_for(enclosing)) as inside:
        ran = await inside.bash("env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")
    assert "t0ken" not in ran.out
    names = {line.partition("=")[0] for line in ran.out.splitlines() if line}
    assert names <= {"PATH", "HOME", "TMPDIR", "LANG", "PWD", "SHLVL", "_", "LC_CTYPE"}


async def test_a_server_on_the_hosts_loopback_is_out_of_reach(enclosing: Mechanism) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("127.0.0.1", server.getsockname()[1])
        async with box(enclosing, spec_for(enclosing)) as inside:
            for kind in (1, 2):
                ran = await inside.python(CONNECT, repr((2, kind, address)))
                connected = kind == 2 and enclosing.level == "L2"
                # A datagram socket "connects" within the sandbox's own loopback.
                assert connected or ran.out.strip() in ("ConnectionRefusedError", "PermissionError")


async def test_unix_sockets_of_the_host_are_out_of_reach(
    enclosing: Mechanism, outside: Path
) -> None:
    path, name = str(outside / "s"), "\0kowalski-" + secrets.token_hex(4)
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        named.bind(path)
        named.listen()
        Path(path).chmod(0o777)
        abstract.bind(name)
        abstract.listen()
        for access in ("read", "write", "overlay"):
            wanted = spec_for(enclosing, outside, access)
            async with box(enclosing, wanted) as inside:
                for address in (path, name):
                    ran = await inside.python(CONNECT, repr((1, 1, address)))
                    assert "connected" not in ran.out, (access, address)


async def test_abstract_sockets_stay_out_of_reach_when_the_network_is_granted(
    enclosing: Mechanism,
) -> None:
    name = "\0kowalski-" + secrets.token_hex(4)
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(name)
        abstract.listen()
        async with box(enclosing, spec_for(enclosing, rights=Rights(network=True))) as inside:
            ran = await inside.python(CONNECT, repr((1, 1, name)))
            assert ran.out.strip() == "PermissionError"


async def test_the_network_is_there_when_it_is_granted(enclosing: Mechanism) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("127.0.0.1", server.getsockname()[1])
        async with box(enclosing, spec_for(enclosing, rights=Rights(network=True))) as inside:
            ran = await inside.python(CONNECT, repr((2, 1, address)))
            assert ran.out.strip() == "connected"
            hosts = await inside.bash("cat /etc/resolv.conf | wc -l")
            assert hosts.status.exit_code == 0


@pytest.mark.parametrize("family", [16, 17, 38, 40], ids=["netlink", "packet", "alg", "vsock"])
async def test_sockets_of_other_families_cannot_be_made(enclosing: Mechanism, family: int) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        ran = await inside.python(CONNECT, repr((family, 3 if family == 17 else 1, (1, 1))))
        assert ran.out.strip() == "PermissionError"


async def test_processes_outside_cannot_be_signalled(enclosing: Mechanism) -> None:
    # The one outside belongs to the very user that code inside runs as.
    identity = {"user": 65534, "group": 65534} if os.getuid() == 0 else {}
    with subprocess.Popen(["/bin/sleep", "1000"], **identity) as sibling:  # type: ignore[call-overload]
        try:
            async with box(enclosing, spec_for(enclosing)) as inside:
                for target in (sibling.pid, os.getpid(), os.getppid()):
                    ran = await inside.bash(f"kill -9 {target}")
                    assert ran.status.exit_code != 0
                # Without a namespace this reaches the first program, and so ends the sandbox.
                with suppress(SandboxUnavailable):
                    await inside.bash("kill -9 -1")
            assert sibling.poll() is None
        finally:
            sibling.kill()


async def test_the_first_program_survives_what_code_inside_does_to_everything(
    isolating: Mechanism,
) -> None:
    async with box(isolating) as inside:
        await inside.bash("kill -STOP 1; kill -TERM 1; kill -INT 1; kill -9 1; kill -9 -1")
        assert (await inside.bash("echo alive")).out == "alive\n"


async def test_kernel_interfaces_are_closed(enclosing: Mechanism) -> None:
    async with box(enclosing, spec_for(enclosing)) as inside:
        for command in (
            "unshare -U true",
            "unshare -n true",
            "mount -t tmpfs none /tmp",
            "chroot / true",
            "exec 9<>/proc/sys/kernel/core_pattern",
            "exec 9<>/dev/kmsg",
            "dmesg",
        ):
            ran = await inside.bash(command)
            assert ran.status.exit_code != 0, command


async def test_what_describes_the_system_is_read_only(isolating: Mechanism) -> None:
    async with box(isolating) as inside:
        ran = await inside.bash("cat /proc/self/mountinfo; echo 0 > /proc/self/oom_score_adj")
    assert "Read-only file system" in ran.err
    options = {}
    for line in ran.out.splitlines():
        words = line.split()
        options[words[4]] = set(words[5].split(","))
    for place in ("/", "/proc", "/dev", "/usr", "/etc"):
        assert {"ro", "nosuid"} <= options[place], place
    writable = {place for place, kept in options.items() if "rw" in kept}
    assert {"/work", "/tmp", "/dev/shm", "/dev/pts"} <= writable
    assert all(place in ("/work", "/tmp") or place.startswith("/dev/") for place in writable)
    assert all("nosuid" in kept for kept in options.values())


ENTER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
namespace = os.open(f"/proc/{sys.argv[1]}/ns/user", os.O_RDONLY)
assert libc.setns(namespace, 0x10000000) == 0, os.strerror(ctypes.get_errno())
print(libc.unshare(0x10000000), ctypes.get_errno())
"""


async def test_no_user_namespace_can_be_made_even_without_the_filter(isolating: Mechanism) -> None:
    async with box(isolating) as inside:
        process = await inside.start("/bin/sleep", "1000.25")
        (pid,) = [path.parent.name for path in Path("/proc").glob("[0-9]*/comm") if _sleeps(path)]
        # Entered from outside, the namespace has no filter, and all power within itself.
        entered = await anyio.to_thread.run_sync(
            lambda: subprocess.run(
                [sys.executable, "-c", ENTER, pid], capture_output=True, check=True
            )
        )
        process.close()
    assert entered.stdout.split() == [b"-1", str(errno.ENOSPC).encode()]


async def test_no_device_but_the_harmless_ones_is_there(isolating: Mechanism) -> None:
    async with box(isolating) as inside:
        ran = await inside.bash("find /dev \\( -type c -o -type b \\) -printf '%p\\n' | sort")
    names = {line.removeprefix("/dev/") for line in ran.out.split()}
    assert names <= {"null", "zero", "full", "random", "urandom", "tty", "pts/ptmx"}


async def test_code_runs_as_nobody_and_without_capabilities(isolating: Mechanism) -> None:
    async with box(isolating) as inside:
        ran = await inside.bash("id -u; grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status")
    uid, *lines = ran.out.splitlines()
    facts = dict(line.split(":") for line in lines)
    assert uid == "65534"
    assert {facts[name].strip() for name in facts if name.startswith("Cap")} == {"0" * 16}
    assert (facts["NoNewPrivs"].strip(), facts["Seccomp"].strip()) == ("1", "2")


@pytest.mark.skipif(os.getuid() != 0, reason="only root has an identity to drop")
@pytest.mark.parametrize("access", ["read", "overlay", "write"])
async def test_an_agent_of_roots_gives_its_identity_away(
    isolating: Mechanism, tmp_path: Path, access: str
) -> None:
    async with box(isolating, spec(tmp_path, access)) as inside:  # type: ignore[arg-type]
        process = await inside.start("/bin/sleep", "1000.25")
        names = [path for path in Path("/proc").glob("[0-9]*/comm") if _sleeps(path)]
        owners = {path.stat().st_uid for path in names}
        process.close()
    assert owners == {65534}


def _sleeps(comm: Path) -> bool:
    try:
        arguments = comm.with_name("cmdline").read_bytes()
    except OSError:
        return False
    return arguments == b"/bin/sleep\0" + b"1000.25\0"


async def test_nothing_of_the_agents_descriptors_is_inherited(enclosing: Mechanism) -> None:
    with Path("/etc/hostname").open("rb") as file, socket.socket() as other:
        os.set_inheritable(file.fileno(), True)
        os.set_inheritable(other.fileno(), True)
        async with box(enclosing, spec_for(enclosing)) as inside:
            own = await inside.bash("cd /proc/self/fd; echo *")
            parent = "$PPID" if enclosing.level == "L1" else "1"
            first = await inside.bash(f"readlink /proc/{parent}/fd/*")
    assert own.out.split()[:5] == ["0", "1", "2", "3", "4"]
    # The shell's own descriptor for the pattern is the only one besides.
    assert len(own.out.split()) <= 6
    # The first program may not have closed yet what it passed on: pipes and the memory for input.
    held = [target.split(":")[0] for target in first.out.splitlines()]
    assert set(held) <= {"/dev/null", "pipe", "socket", "/memfd"}
    assert held.count("socket") == 1


@pytest.mark.parametrize("place", ["/", "/proc", "/proc/self", "/sys/kernel", "/dev/shm"])
async def test_system_folders_are_refused_as_workspaces(enclosing: Mechanism, place: str) -> None:
    with pytest.raises(RightsDenied, match=r"No sandbox can show|real path"):
        await enclosing.open(spec_for(enclosing, Path(place)))


async def test_a_workspace_that_is_named_by_a_link_is_refused(
    enclosing: Mechanism, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(RightsDenied, match=str(tmp_path / "real")):
        await enclosing.open(spec_for(enclosing, tmp_path / "link"))
