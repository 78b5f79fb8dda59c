"""This device, as its agent describes it."""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import TYPE_CHECKING, Final

import anyio

from kowalski import __version__
from kowalski.errors import KowalskiError
from kowalski.execution.languages.catalogue import BY_NAME
from kowalski.execution.rights import Rights
from kowalski.execution.workbench import Workbench
from kowalski.model.device import Device, LanguageSupport
from kowalski.model.run import Limits, Toolchain

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from kowalski.agent.conduct.admission import Admission, Surroundings
    from kowalski.agent.conduct.slots import Slots
    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.settings.model import Settings

_PATIENCE_S: Final = 15.0


class LocalDevice:
    """Describes this device. A language counts as available once its kernel has said hello."""

    def __init__(
        self,
        settings: Settings,
        admission: Admission,
        mechanism: Mechanism,
        tasks: TaskGroup,
        slots: Slots,
    ) -> None:
        self._settings = settings
        self._admission = admission
        self._mechanism = mechanism
        self._tasks = tasks
        self._slots = slots
        self._proven: dict[str, LanguageSupport] = {}

    async def describe(self) -> Device:
        """The device as it stands. The first call starts each language once, to prove it."""
        around = await self._admission.surroundings(Toolchain(os.environ.get("PATH")), None)
        await self._prove(around)
        languages = tuple(self._support(name, around) for name in BY_NAME)
        name = self._settings.device.name
        return Device(
            id="local",
            name=name,
            system=f"{platform.system()} {platform.machine()}",
            can=("run code",),
            languages=languages,
            sandbox=self._mechanism.level,
            sandbox_mechanism=self._mechanism.name,
            slots=self._slots.total,
            busy_slots=self._slots.busy,
            cpus=os.cpu_count() or 1,
            memory_total_bytes=_memory("SC_PHYS_PAGES"),
            memory_available_bytes=_available_memory(),
            version=__version__,
        )

    def _support(self, name: str, around: Surroundings) -> LanguageSupport:
        interpreter = around.interpreters.get(name)
        if interpreter is None:
            problem = around.problems[name].user_message
            return LanguageSupport(language=name, available=False, problem=problem)
        return self._proven[interpreter.path]

    async def _prove(self, around: Surroundings) -> None:
        unproven = [n for n, i in around.interpreters.items() if i.path not in self._proven]
        if not unproven:
            return
        limits, _ = self._admission.limits(Limits())
        spec = self._admission.spec(around, None, Rights(), limits)
        workbench = await Workbench.open(self._mechanism, spec, self._tasks)
        try:
            async with anyio.create_task_group() as tasks:
                for name in unproven:
                    tasks.start_soon(self._prove_one, workbench, name, around)
        finally:
            await workbench.close()

    async def _prove_one(self, workbench: Workbench, name: str, around: Surroundings) -> None:
        language, interpreter = BY_NAME[name], around.interpreters[name]
        version, problem = None, None
        try:
            with anyio.fail_after(_PATIENCE_S):
                program = language.program(interpreter, workbench.sandbox.spec.limits.memory_bytes)
                kernel = await workbench.kernel(name, "main", program)
                await kernel.ready.wait()
            version = kernel.version or None
            if version is None:
                problem = f"{interpreter.path} ended before it could take code."
        except TimeoutError:
            problem = f"{interpreter.path} took no code within {_PATIENCE_S:g} s."
        except KowalskiError as error:
            problem = error.user_message
        self._proven[interpreter.path] = LanguageSupport(
            language=name,
            available=problem is None,
            interpreter=interpreter.path,
            version=version,
            sessions=language.keeps_state,
            problem=problem,
        )


def resident_bytes() -> int:
    """Memory of this process, in bytes: what is resident now, or its peak on macOS."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:  # noqa: PTH123 - procfs answers at once
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _memory(pages: str) -> int:
    return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")


def _available_memory() -> int:
    if sys.platform == "linux":
        with open("/proc/meminfo") as file:  # noqa: PTH123 - procfs answers at once
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    return _memory("SC_PHYS_PAGES")
