"""The conductor of a batch of prompts: a run whose output is a line of JSON for each outcome."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from pydantic import TypeAdapter, ValidationError

from kowalski.errors import InvalidRequest, KowalskiError
from kowalski.execution.warden import Verdict
from kowalski.inference.pool.batch import run_batch
from kowalski.model.chat import ChatRequest
from kowalski.model.event import Finished, ProgramError, Started
from kowalski.model.json_form import compact
from kowalski.model.server import BATCH_LANGUAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kowalski.agent.conduct.lease import Lease
    from kowalski.agent.conduct.live_run import LiveRun
    from kowalski.inference.pool.batch import BatchProgress
    from kowalski.inference.pool.pool import Pool
    from kowalski.model.run import RunRequest

_LINES_READ: Final = 64
_CHAT_REQUEST: Final = TypeAdapter(ChatRequest)


class BatchConductor:
    """Conducts one batch. Outcomes are written as they come, so that none is lost with a later."""

    def __init__(
        self, run: LiveRun, lease: Lease, *, pool: Pool, prompts: Path, count: int, device: str
    ) -> None:
        self.run = run
        self.lease = lease
        self._pool = pool
        self._prompts = prompts
        self._count = count
        self._device = device
        self._order: Verdict | None = None
        self._scope = anyio.CancelScope()
        self._began = anyio.current_time()

    @property
    def request(self) -> RunRequest:
        """What was asked for."""
        return self.run.request

    async def conduct(self) -> None:
        """Take the batch to its end, whatever it be. Its ending is always published."""
        try:
            with self._scope:
                self._begin()
                self._finish(self._verdict(await self._ask_all()))
        except KowalskiError as error:
            self._finish(Verdict("failed", error.user_message), error)
        except anyio.get_cancelled_exc_class():
            self._finish(Verdict("interrupted", "The agent was stopped."))
            raise
        finally:
            if self._order is not None:
                self._finish(self._order)
            self.lease.runs.discard(self.run.run_id)

    def stop(self, verdict: Verdict) -> None:
        """End the batch; what is under way is withdrawn from its servers."""
        if self._order is None:
            self._order = verdict
            self._scope.cancel()

    def give_up(self, reason: str) -> None:
        """Publish an ending for a batch that could not be conducted."""
        self._finish(Verdict("failed", reason))

    async def answer(self, call_id: str, value: object, *, failed: bool = False) -> None:
        """Nothing to answer.

        Raises:
            InvalidRequest: always; models call nobody here.
        """
        raise InvalidRequest(f"The run {self.run.run_id} waits for no call {call_id!r}.")

    def _begin(self) -> None:
        self.run.begin(
            Started(
                seq=0,
                run_id=self.run.run_id,
                at=time.time(),
                language=BATCH_LANGUAGE,
                interpreter="",
                device=self._device,
                sandbox="",
                session=None,
                fresh=True,
            )
        )

    async def _ask_all(self) -> BatchProgress:
        requests = _requests(self._prompts)
        async with run_batch(
            self._pool, requests, in_order=False, principal=self.lease.principal
        ) as batch:
            async for outcome in batch:
                line = json.dumps(compact(outcome), separators=(",", ":")) + "\n"
                self.run.output("stdout", line.encode())
            return batch.progress

    def _verdict(self, progress: BatchProgress) -> Verdict:
        answered = f"{progress.done - progress.failed} of {self._count} prompts were answered"
        return Verdict("failed" if progress.failed else "ok", answered)

    def _finish(self, verdict: Verdict, error: KowalskiError | None = None) -> None:
        if self.run.finished is not None:
            return
        problem = None
        if error is not None:
            problem = ProgramError(type=error.code, message=error.user_message)
        elif verdict.status == "failed":
            problem = ProgramError(
                type="prompts_failed",
                message=f"{verdict.reason}; the outcome of each of the others says why not.",
            )
        self.run.finish(
            Finished(
                seq=0,
                run_id=self.run.run_id,
                status=verdict.status,
                reason=None if verdict.status == "ok" else verdict.reason,
                value=verdict.reason if verdict.status == "ok" else None,
                error=problem,
                duration_ms=round((anyio.current_time() - self._began) * 1000, 3),
                device=self._device,
            )
        )


async def _requests(prompts: Path) -> AsyncIterator[ChatRequest]:
    """The requests of a file of JSON lines, some at a time.

    Raises:
        InvalidRequest: a line is no request.
    """
    with prompts.open("rb") as file:
        number = 0
        while lines := await anyio.to_thread.run_sync(file.readlines, _LINES_READ * 1024):
            for line in lines:
                number += 1
                try:
                    yield _CHAT_REQUEST.validate_json(line)
                except ValidationError as error:
                    first = error.errors(include_url=False, include_input=False)[0]
                    where = ".".join(str(part) for part in first["loc"])
                    raise InvalidRequest(f"Prompt {number}, {where}: {first['msg']}") from error
