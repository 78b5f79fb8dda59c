"""Asking all prompts of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kowalski.errors import AgentUnavailable, InvalidRequest, by_code
from kowalski_cli import exit_codes
from kowalski_cli.models.outcome_device import OutcomeDevice, is_device
from kowalski_cli.models.outcome_file import OutcomeFile
from kowalski_cli.models.outcome_line import outcome_line
from kowalski_cli.models.prompt_lines import prompt_lines
from kowalski_cli.models.remaining import Remaining
from kowalski_cli.models.tally import Tally
from kowalski_cli.screen.progress import Progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from kowalski.engine import Engine
    from kowalski.model.chat import ChatRequest, PromptOutcome
    from kowalski.model.event import Finished
    from kowalski_cli.interruption import Interruption
    from kowalski_cli.models.outcome_file import Older
    from kowalski_cli.screen.live_screen import LiveScreen

_TIDYING_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """The prompts of one file, and the file for what becomes of them.

    Attributes:
        target: that file, or a device; None for stdout.
        pattern: what a prompt is that says no more than its text.
        older: what to do with a `target` that is there.
    """

    source: Path
    target: Path | None
    pattern: ChatRequest
    older: Older

    @property
    def keeps(self) -> bool:
        """Whether the answers are kept, so that the rest can be asked later."""
        return self.target is not None and not is_device(self.target)

    async def run(
        self, engine: Engine, live: LiveScreen, interruption: Interruption
    ) -> tuple[Tally, int]:
        """Ask them. Returns the numbers and the exit code. Ctrl-C ends it.

        Raises:
            KowalskiError: nothing was asked, or what came could not be written.
        """
        target = self.target
        if target is None:
            return await self._print(engine, live, interruption)
        if not self.keeps:
            return await self._pour(target, engine, live, interruption)
        if target.exists() and self.source.exists() and target.samefile(self.source):
            raise InvalidRequest(f"{target} holds the prompts: choose another file for --out.")
        with OutcomeFile(target, older=self.older) as file:
            prompts = Remaining(prompt_lines(self.source, self.pattern), file.answered)
            if not await prompts.any() and prompts.total:
                _check(target, file, prompts)
                file.begin()
                return Tally(0, before=prompts.total), exit_codes.OK

            async def keep(outcome: PromptOutcome) -> None:
                told = replace(outcome, index=prompts.indices[outcome.index])
                await anyio.to_thread.run_sync(file.put, told)

            async with engine.infer_batch(prompts) as batch:
                _check(target, file, prompts)
                file.begin()
                tally = Tally(batch.count, before=prompts.total - batch.count)
                with interruption.ends(batch.run):
                    await _take_in(batch.as_completed(), tally, keep, live)
        return tally, _exit_code(batch.finished, tally)

    async def _print(
        self, engine: Engine, live: LiveScreen, interruption: Interruption
    ) -> tuple[Tally, int]:
        """What becomes of the prompts on stdout."""

        async def keep(outcome: PromptOutcome) -> None:
            await live.write(outcome_line(outcome).decode())

        return await self._in_order(keep, engine, live, interruption)

    async def _pour(
        self, device: Path, engine: Engine, live: LiveScreen, interruption: Interruption
    ) -> tuple[Tally, int]:
        """What becomes of the prompts on a device."""
        if self.older == "resume":
            raise InvalidRequest(
                f"{device} is a device and keeps no answers: leave --resume out, or name a file."
            )
        with OutcomeDevice(device) as file:

            async def keep(outcome: PromptOutcome) -> None:
                await anyio.to_thread.run_sync(file.put, outcome)

            return await self._in_order(keep, engine, live, interruption)

    async def _in_order(
        self,
        keep: Callable[[PromptOutcome], Awaitable[None]],
        engine: Engine,
        live: LiveScreen,
        interruption: Interruption,
    ) -> tuple[Tally, int]:
        """Hand outcomes to `keep` in the prompts' order, where that cannot be made at the end."""
        async with engine.infer_batch(prompt_lines(self.source, self.pattern)) as batch:
            tally = Tally(batch.count)
            with interruption.ends(batch.run):
                await _take_in(batch.outcomes(), tally, keep, live)
        return tally, _exit_code(batch.finished, tally)


def _check(target: Path, file: OutcomeFile, prompts: Remaining) -> None:
    last = max(file.answered, default=-1)
    if last >= prompts.total:
        raise InvalidRequest(
            f"{target} answers a prompt {last}, counted from 0, but there are "
            f"{prompts.total}: it belongs to other prompts. Choose another file for --out."
        )


async def _take_in(
    outcomes: AsyncIterator[PromptOutcome],
    tally: Tally,
    keep: Callable[[PromptOutcome], Awaitable[None]],
    live: LiveScreen,
) -> None:
    async with anyio.create_task_group() as tasks:
        progress = Progress(live, tasks)
        progress.begin(tally.line)
        try:
            async for outcome in outcomes:
                tally.take(outcome)
                await keep(outcome)
        finally:
            with anyio.move_on_after(_TIDYING_S, shield=True):
                await progress.end()


def _exit_code(finished: Finished | None, tally: Tally) -> int:
    if finished is None:
        raise AgentUnavailable("The batch has no ending. `kowalski runs` may tell more.")
    if finished.status == "failed" and not tally.failed and finished.error is not None:
        raise by_code(finished.error.type, finished.error.message)
    if finished.status == "ok" and tally.answered < tally.total:
        return exit_codes.FAILED
    return exit_codes.of_status(finished.status)
