"""Which enclosure works on this device: found by trying to get out of it."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import KowalskiError, SandboxUnavailable
from kowalski.execution.limits import EffectiveLimits
from kowalski.execution.rights import Rights
from kowalski.execution.sandbox import open_files
from kowalski.execution.sandbox.catalogue import candidates
from kowalski.execution.sandbox.layout import KERNELS
from kowalski.execution.sandbox.mechanisms.opening import ASK_DOCTOR
from kowalski.execution.sandbox.process import Program
from kowalski.execution.sandbox.spec import SandboxSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kowalski.execution.sandbox.catalogue import Candidate
    from kowalski.execution.sandbox.level import Level
    from kowalski.execution.sandbox.mechanism import Mechanism

_MB: Final = 1 << 20
_WITHIN_S: Final = 30.0
_ANSWER_BYTES: Final = 1 << 16
_LIMITS: Final = EffectiveLimits(
    wall_s=_WITHIN_S,
    cpu_s=_WITHIN_S,
    memory_bytes=512 * _MB,
    processes=64,
    disk_bytes=16 * _MB,
    output_bytes=_MB,
)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one enclosure does on this device. `problem` and `remedy` are empty if it works."""

    mechanism: str
    level: Level
    works: bool
    problem: str = ""
    remedy: str = ""


async def strongest(minimum: Level = "L1") -> Mechanism:
    """The strongest enclosure that held against every attempt to get out. The caller closes it.

    Raises:
        SandboxUnavailable: none of at least the level `minimum` did, and the message says which
            do; or too few files may be open.
    """
    if shortage := open_files.shortage():
        raise SandboxUnavailable(shortage)
    failures = []
    for candidate in candidates():
        if candidate.level < minimum:
            continue
        result, mechanism = await _try(candidate)
        if mechanism is not None:
            return mechanism
        failures.append(f"{result.mechanism} ({result.level}): {result.problem} {result.remedy}")
    weaker = [f"{one.level} ({one.mechanism})" for one in await report() if one.works]
    if weaker:
        failures.append(
            f"These work: {', '.join(weaker)}. The setting `minimum` under [sandbox] asks for "
            f"{minimum}; `kowalski config` tells where it stands."
        )
    raise SandboxUnavailable(
        "\n".join(
            [f"No sandbox of level {minimum} works on this device, so no code is run.", *failures]
        )
    )


async def report() -> tuple[ProbeResult, ...]:
    """What each enclosure does on this device, strongest first; what is off by choice is absent."""
    results = []
    for candidate in candidates():
        if candidate.level > "L0":
            result, mechanism = await _try(candidate)
            results.append(result)
            if mechanism is not None:
                await mechanism.close()
    return tuple(results)


async def _try(candidate: Candidate) -> tuple[ProbeResult, Mechanism | None]:
    """Probe one enclosure; the mechanism comes open if it works."""
    try:
        mechanism = candidate.make()
        try:
            await prove(mechanism)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await mechanism.close()
            raise
    except (KowalskiError, OSError) as error:
        # The doctor says this itself.
        problem = str(getattr(error, "user_message", error)).removesuffix(f" {ASK_DOCTOR}")
        remedy = open_files.shortage() or candidate.remedy()
        failed = ProbeResult(candidate.mechanism, candidate.level, False, problem, remedy)
        return failed, None
    return ProbeResult(candidate.mechanism, candidate.level, True), mechanism


async def prove(mechanism: Mechanism) -> None:
    """Try to get out of a sandbox of this mechanism's, started as every other one is.

    Raises:
        SandboxUnavailable: it cannot be started, or a way out is open.
    """
    if mechanism.level == "L0":
        return
    spec = probe_spec()
    with _outside() as arguments:
        try:
            with anyio.fail_after(_WITHIN_S):
                answer = await _attempt(mechanism, spec, arguments)
        except TimeoutError as error:
            raise SandboxUnavailable("The attempts to get out did not come to an end.") from error
    *open_ways, last = answer.splitlines() or [""]
    if last != "done":
        raise SandboxUnavailable(f"The attempts to get out ended early: {answer[-500:]}")
    if open_ways:
        raise SandboxUnavailable(f"Ways out are open: {', '.join(open_ways)}.")


def probe_spec() -> SandboxSpec:
    """A sandbox that runs the Python that runs this."""
    prefix = str(Path(sys.base_prefix).resolve())
    python = getattr(sys, "_base_executable", sys.executable)
    return SandboxSpec(
        python=str(Path(python).resolve()),
        toolchains=() if prefix == "/usr" else (prefix,),
        limits=_LIMITS,
        rights=Rights(),
    )


async def _attempt(mechanism: Mechanism, spec: SandboxSpec, arguments: list[str]) -> str:
    sandbox = await mechanism.open(spec)
    try:
        argv = (spec.python, "-I", "-S", f"{KERNELS}/escapes.py", *arguments)
        process = await sandbox.spawn(Program(argv))
        try:
            await process.wait()
            said = [os.read(fd, _ANSWER_BYTES) for fd in (process.stdout_fd, process.stderr_fd)]
        finally:
            process.close()
        return (said[1] + said[0]).decode(errors="replace").strip()
    finally:
        await sandbox.close()


@contextmanager
def _outside() -> Iterator[list[str]]:
    """Things outside that code inside must not reach: the arguments of `escapes.py`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kowalski-probe-")))
        # It is the sandbox that has to keep code away, and not the folder's mode.
        folder.chmod(0o777)
        secret, path = folder / "secret", folder / "socket"
        secret.write_text("secret")
        secret.chmod(0o666)
        loopback = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        named = stack.enter_context(socket.socket(socket.AF_UNIX))
        named.bind(str(path))
        path.chmod(0o777)
        named.listen()
        name = f"kowalski-probe-{secrets.token_hex(8)}"
        if sys.platform == "linux":
            abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
            abstract.bind(f"\0{name}")
            abstract.listen()
        port = loopback.getsockname()[1]
        yield [str(secret), str(port), str(path), name, str(os.getpid()), str(_born())]


def _born() -> int:
    """When this process began, in ticks since the system did; -1 where that is unknown."""
    try:
        stat = Path("/proc/self/stat").read_bytes()
    except FileNotFoundError:
        return -1
    return int(stat.rpartition(b")")[2].split()[19])
