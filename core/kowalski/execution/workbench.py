"""A workbench: one sandbox and the kernels in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kowalski.execution.kernel import Kernel
from kowalski.execution.preparing import prepare

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from kowalski.execution.sandbox.mechanism import Mechanism
    from kowalski.execution.sandbox.process import Program
    from kowalski.execution.sandbox.sandbox import Sandbox
    from kowalski.execution.sandbox.spec import SandboxSpec


class Workbench:
    """A live sandbox with its kernels. Whoever opened it closes it.

    Attributes:
        tasks: carries its kernels, and who watches over them.
        cpu_s: the processor time that was used inside when it was last measured.
    """

    def __init__(self, mechanism: Mechanism, sandbox: Sandbox, tasks: TaskGroup) -> None:
        self.sandbox = sandbox
        self._mechanism = mechanism
        self.tasks = tasks
        self._kernels: dict[tuple[str, str], Kernel] = {}
        self._spawning = anyio.Lock(fast_acquire=True)
        self._closing = anyio.Lock(fast_acquire=True)
        self.closed = False
        self.cpu_s = 0.0

    @classmethod
    async def open(cls, mechanism: Mechanism, spec: SandboxSpec, tasks: TaskGroup) -> Workbench:
        """A new sandbox, empty but for its init.

        Raises:
            SandboxUnavailable: the mechanism does not work with this specification.
        """
        return cls(mechanism, await mechanism.open(spec), tasks)

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels that live."""
        return tuple(kernel for kernel in self._kernels.values() if kernel.alive)

    async def kernel(self, language: str, name: str | None, program: Program) -> Kernel:
        """The kernel of this language and name, started if it does not live; a new one for None.

        It may not have said hello yet; `Kernel.run` waits for that.

        Raises:
            LanguageUnavailable: it cannot be started, or what it needs cannot be made.
            SandboxUnavailable: the sandbox has ended.
        """
        if name is not None and (known := self._kernels.get((language, name))) and known.alive:
            return known
        async with self._spawning:
            if name is not None and (known := self._kernels.get((language, name))) and known.alive:
                return known
            if program.needs is not None:
                await prepare(program.needs, self._mechanism, self.sandbox.spec)
            process = await self.sandbox.spawn(program)
            kernel = Kernel(self.sandbox, process, language, name)
            key = name if name is not None else f"#{id(kernel)}"
            self._forget_ended()
            self._kernels[language, key] = kernel
            self.tasks.start_soon(kernel.serve)
            return kernel

    async def retire(self, kernel: Kernel) -> None:
        """End one kernel and what it left behind; the others live on."""
        await kernel.kill()
        await kernel.ended.wait()
        self._forget_ended()

    async def sweep(self) -> None:
        """Kill every process inside but the kernels, and what those in the background started."""
        background = [kernel.process for kernel in self.kernels if kernel.background]
        others = [kernel.process for kernel in self.kernels if not kernel.background]
        await self.sandbox.sweep(others, background)

    async def close(self) -> None:
        """End everything inside. Returns when no process is left, also under cancellation."""
        with anyio.CancelScope(shield=True):
            async with self._closing:
                if not self.closed:
                    self.closed = True
                    await self.sandbox.close()

    def _forget_ended(self) -> None:
        self._kernels = {key: kernel for key, kernel in self._kernels.items() if kernel.alive}
