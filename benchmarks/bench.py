"""What every measure works with: an agent of the benchmark's own, and baselines beside it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import venv
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.account import ServerAccount, open_account
from benchmarks.cold import ColdProcess
from benchmarks.cold_sandbox import BaselineUnavailableError, CagedProcess
from benchmarks.measure import Contestant
from kowalski.agent.conduct.admission import Admission
from kowalski.agent.home.places import Places
from kowalski.engine import Engine
from kowalski.errors import LanguageUnavailable, UnsupportedLanguage
from kowalski.execution.sandbox.catalogue import candidates
from kowalski.model.event import RunResult, Started
from kowalski.model.run import RunRequest, Toolchain
from kowalski.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

PRINTING = {"python": "print(1)", "javascript": "console.log(1)", "bash": "echo 1"}
"""The least program that shows that it ran, by language."""

COMPILED = {"rust": 'println!("1");'}
"""The same in languages whose code is compiled first."""

COMPLAINING = {
    "python": "import sys; print(1, file=sys.stderr)",
    "javascript": "console.error(1)",
    "bash": "echo 1 >&2",
}
"""The same on standard error, by language."""

COLD_FLAGS = {"python": ("-I", "-c"), "javascript": ("-e",), "bash": ("--norc", "-c")}
"""How an interpreter is told to run a program on its command line, by language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One benchmark's surroundings.

    Attributes:
        quick: a tenth of the samples: to see that it works, not to quote.
        engine: connected to an agent that nobody else uses.
        agent: counts the processor time of that agent and of all its sandboxes.
        agent_pid: the agent's process.
        folder: an empty folder for the programs that want one.
        interpreters: the path of the interpreter that Kowalski uses, by language.
        problems: why a language cannot run here, by language.
    """

    quick: bool
    engine: Engine
    agent: ServerAccount
    agent_pid: int
    folder: Path
    interpreters: dict[str, str]
    problems: dict[str, str]
    accounts: AsyncExitStack

    def account(self, name: str) -> ServerAccount:
        """A new account of processor time; it ends with the benchmark."""
        account = open_account(name)
        self.accounts.push_async_callback(account.close)
        return account

    async def check(self) -> None:
        """Raises RuntimeError if what is counted is no longer what runs."""
        async with Engine() as engine:
            if (await engine.agent_status()).pid != self.agent_pid:
                raise RuntimeError(
                    "Another agent took over while it was measured: Kowalski's files have changed."
                )

    def rounds(self, count: int) -> int:
        """How many samples to take where a full run takes `count`."""
        return max(3, count // 10) if self.quick else count

    def cold(self, language: str) -> ColdProcess:
        """A cold process of a language's interpreter, outside of any sandbox."""
        command = (self.interpreters[language], *COLD_FLAGS[language], PRINTING[language])
        return ColdProcess(command, self.account(f"cold-{language}"), expects=b"1\n")

    async def cold_in_sandbox(self, language: str) -> CagedProcess:
        """A cold process of a language's interpreter in the sandbox that Kowalski uses.

        Raises:
            BaselineUnavailableError: Kowalski's sandbox is not one of this system's.
        """
        command = (self.interpreters[language], *COLD_FLAGS[language], COMPLAINING[language])
        return await self.caged(request(language), f"caged-{language}", command)

    async def caged(self, wanted: RunRequest, name: str, command: Sequence[str]) -> CagedProcess:
        """A command that complains of a 1, in the sandbox that Kowalski uses for `wanted`.

        Raises:
            BaselineUnavailableError: Kowalski's sandbox is not one of this system's.
        """
        account = self.account(name)
        name = (await self.engine.devices())[0].sandbox_mechanism
        found = [candidate for candidate in candidates() if candidate.mechanism == name]
        if not found:
            raise BaselineUnavailableError(f"this device's sandbox is {name}")
        admission = Admission(load(), Places.find(), sys.executable)
        admitted = await admission.admit(wanted)
        process = CagedProcess(found[0].make(), admitted.spec, command, account, expects="1\n")
        self.accounts.push_async_callback(process.close)
        await process.open()
        return process

    def contestant(self, name: str, language: str, session: str | None = None) -> Contestant:
        """Kowalski printing a 1 through the engine, in a session or in a fresh sandbox."""
        return self.runs_of(name, request(language, session))

    def runs_of(self, name: str, wanted: RunRequest) -> Contestant:
        """Kowalski running a program that prints a 1."""

        async def call() -> None:
            printed_one(await self.engine.run(wanted))

        return Contestant(name, call, (self.agent,))


def request(language: str, session: str | None = None) -> RunRequest:
    """Print a 1 with the interpreters that this process would find."""
    return RunRequest(
        language=language,
        code=PRINTING.get(language) or COMPILED[language],
        session=session,
        toolchain=Toolchain(path=os.environ.get("PATH"), virtual_env=os.environ.get("VIRTUAL_ENV")),
        requester="benchmark",
    )


def printed_one(result: RunResult) -> None:
    """Raises RuntimeError for a run that did not do its work: its time would mean nothing."""
    if result.check().stdout != "1\n":
        raise RuntimeError(f"the run {result.run_id} printed {result.stdout!r}")


def cold_contestant(name: str, process: ColdProcess | CagedProcess) -> Contestant:
    """A cold process, with the account that it has for itself."""
    return Contestant(name, process.call, (process.account,))


@asynccontextmanager
async def open_bench(*, quick: bool) -> AsyncIterator[Bench]:
    """An agent in a state folder of its own; all of it ends with the block."""
    base = Path(tempfile.mkdtemp(prefix="kowalski-bench-"))
    folder = base / "folder"
    folder.mkdir()
    home = base / "home"
    home.mkdir(mode=0o700)
    # What else runs on this machine must not answer.
    (home / "settings.toml").write_text("[inference]\ndiscover = false\n")
    (home / "settings.toml").chmod(0o600)
    os.environ["KOWALSKI_HOME"] = str(home)
    prefer_plain_python(base / "python")
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        agent = open_account("agent")
        stack.push_async_callback(agent.close)
        with agent.inside():
            engine = await stack.enter_async_context(Engine())
        stack.push_async_callback(engine.stop_agent)
        agent_pid = (await engine.agent_status()).pid
        agent.adopt(agent_pid)
        accounts = await stack.enter_async_context(AsyncExitStack())
        interpreters: dict[str, str] = {}
        problems: dict[str, str] = {}
        for language in (*PRINTING, *COMPILED):
            try:
                interpreters[language] = await interpreter(engine, request(language))
            except (LanguageUnavailable, UnsupportedLanguage) as problem:
                problems[language] = problem.user_message
        yield Bench(
            quick=quick,
            engine=engine,
            agent=agent,
            agent_pid=agent_pid,
            folder=folder,
            interpreters=interpreters,
            problems=problems,
            accounts=accounts,
        )


def prefer_plain_python(folder: Path) -> None:
    """Make an empty virtual environment in `folder`, whose interpreter everybody finds first.

    What is installed beside another interpreter may slow its start, and so flatter what is warm.
    """
    venv.create(folder, symlinks=True)
    found = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(folder / "bin"), found])
    os.environ["VIRTUAL_ENV"] = str(folder)


async def interpreter(engine: Engine, wanted: RunRequest) -> str:
    """The path of the interpreter with which the engine runs a program."""
    async with engine.start(wanted) as run:
        async for event in run.events():
            if isinstance(event, Started):
                return event.interpreter
    raise RuntimeError(f"a run of {wanted.language} never started")
