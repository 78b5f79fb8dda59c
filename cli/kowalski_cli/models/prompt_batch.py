"""Asking all prompts of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from kowalski.errors import AgentUnavailable, InvalidRequest, by_code
from kowalski_cli import exit_codes
from kowalski_cli.models.outcome_file import OutcomeFile
from kowalski_cli.models.prompt_lines import prompt_lines
from kowalski_cli.models.remaining import Remaining
from kowalski_cli.models.tally import Tally
from kowalski_cli.screen.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.engine import Engine
    from kowalski.handles.batch import Batch
    from kowalski.model.chat import ChatRequest
    from kowalski.model.event import Finished
    from kowalski_cli.interruption import Interruption
    from kowalski_cli.models.outcome_file import Older
    from kowalski_cli.screen.live_screen import LiveScreen

_TIDYING_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """The prompts of one file, and the file for what becomes of them.

    Attributes:
        pattern: what a prompt is that says no more than its text.
        older: what to do with a `target` that is there.
    """

    source: Path
    target: Path
    pattern: ChatRequest
    older: Older

    async def run(
        self, engine: Engine, live: LiveScreen, interruption: Interruption
    ) -> tuple[Tally, int]:
        """Ask them. Returns the numbers and the exit code. Ctrl-C ends it.

        Raises:
            KowalskiError: nothing was asked, or what came could not be written.
        """
        if self.target.exists() and self.source.exists() and self.target.samefile(self.source):
            raise InvalidRequest(f"{self.target} holds the prompts: choose another file for --out.")
        with OutcomeFile(self.target, older=self.older) as file:
            prompts = Remaining(prompt_lines(self.source, self.pattern), file.answered)
            if not await prompts.any() and prompts.total:
                self._check(file, prompts)
                file.begin()
                return Tally(0, before=prompts.total), exit_codes.OK
            async with engine.infer_batch(prompts) as batch:
                self._check(file, prompts)
                file.begin()
                interruption.run = batch.run
                try:
                    tally = await _take_in(batch, prompts, file, live)
                finally:
                    interruption.run = None
        return tally, _exit_code(batch.finished, tally)

    def _check(self, file: OutcomeFile, prompts: Remaining) -> None:
        last = max(file.answered, default=-1)
        if last >= prompts.total:
            raise InvalidRequest(
                f"{self.target} answers a prompt {last}, counted from 0, but there are "
                f"{prompts.total}: it belongs to other prompts. Choose another file for --out."
            )


async def _take_in(batch: Batch, prompts: Remaining, file: OutcomeFile, live: LiveScreen) -> Tally:
    tally = Tally(batch.count, before=prompts.total - batch.count)
    async with anyio.create_task_group() as tasks:
        progress = Progress(live, tasks)
        progress.begin(tally.line)
        try:
            async for outcome in batch.as_completed():
                tally.take(outcome)
                told = replace(outcome, index=prompts.indices[outcome.index])
                await anyio.to_thread.run_sync(file.put, told)
        finally:
            with anyio.move_on_after(_TIDYING_S, shield=True):
                await progress.end()
    return tally


def _exit_code(finished: Finished | None, tally: Tally) -> int:
    if finished is None:
        raise AgentUnavailable("The batch has no ending. `kowalski runs` may tell more.")
    if finished.status == "failed" and not tally.failed and finished.error is not None:
        raise by_code(finished.error.type, finished.error.message)
    if finished.status == "ok" and tally.answered < tally.total:
        return exit_codes.FAILED
    return exit_codes.of_status(finished.status)
