"""A run while it lives: its events, on their way to the journal and to whoever reads them."""

from __future__ import annotations

import asyncio
import codecs
import logging
import time
from collections import deque
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import anyio.to_thread

from kowalski.agent.store import entries, run_table
from kowalski.agent.store.excerpt import Excerpt, with_excerpts
from kowalski.errors import KowalskiError
from kowalski.model.event import (
    Artifact,
    Compiling,
    Event,
    Finished,
    HostCall,
    Listening,
    Output,
    OutputTotals,
    Running,
    RunResult,
    Started,
    Stream,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kowalski.agent.store.blobs import Blobs
    from kowalski.agent.store.journal import Journal
    from kowalski.agent.store.redo_log import Statement
    from kowalski.model.run import RunRequest

MEMORY_BYTES: Final = 1024 * 1024
"""Of a run's output, what memory holds for readers that keep up, and again for its excerpts."""

EVENT_BYTES: Final = 64 * 1024
"""About the most that one output event carries."""

_Between: TypeAlias = Compiling | Output | Artifact | HostCall | Running | Listening
_LOG: Final = logging.getLogger(__name__)
_LAST_LINE_CHARACTERS: Final = 200
_GATHER_S: Final = 0.004


class LiveRun:
    """The events of one run, from its request to its end, for any number of readers.

    An event is published once the journal has it. A reader that falls behind what memory holds
    reads on from the journal; it never slows the run.

    Attributes:
        waits_for: what it waits for, as long as it has not begun.
        last_line: the end of what was printed last.
    """

    def __init__(
        self, run_id: str, request: RunRequest, journal: Journal, blobs: Blobs, output_bytes: int
    ) -> None:
        self.run_id = run_id
        self.request = request
        self.started: Started | None = None
        self.finished: Finished | None = None
        self.artifacts: list[Artifact] = []
        self.last_line = ""
        self.waits_for = "a free slot"
        self.done = anyio.Event()
        self._loop = asyncio.get_running_loop()
        self._journal = journal
        self._blobs = blobs
        self._output_bytes = output_bytes
        self._seq = 0
        self._notes: list[str] = []
        self._unwritten: tuple[Statement, ...] = ()
        self._ending: tuple[Statement, ...] = ()
        self._recent: deque[tuple[Event, int]] = deque()
        self._recent_bytes = 0
        self._changed: anyio.Event | None = None
        self._pending: deque[tuple[Stream, str, int]] = deque()
        self._pending_bytes = 0
        self._kept = 0
        self._dropped = 0
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {"stdout": decoder("replace"), "stderr": decoder("replace")}
        self._excerpts: dict[Stream, Excerpt] = {
            "stdout": Excerpt(MEMORY_BYTES // 2),
            "stderr": Excerpt(MEMORY_BYTES // 2),
        }

    def output(self, stream: Stream, data: bytes, *, final: bool = False) -> None:
        """Take in bytes that the program printed; `final` ends the stream's last character."""
        text = self._decoders[stream].decode(data, final)
        if not text:
            return
        encoded = text.encode()
        self._excerpts[stream].add(encoded)
        self.last_line = _last_line(text) or self.last_line
        size = len(encoded)
        if self._kept + size > self._output_bytes:
            self._dropped += size
            return
        self._kept += size
        if not self._pending:
            # What else comes soon shares the transaction; of a short run, its ending too.
            self._loop.call_later(_GATHER_S, self._write_pending)
        self._pending_bytes += size
        if self._pending and self._pending[-1][0] == stream:
            _, earlier, earlier_size = self._pending[-1]
            if earlier_size + size <= EVENT_BYTES:
                self._pending[-1] = (stream, earlier + text, earlier_size + size)
                return
        self._pending.append((stream, text, size))
        if self._pending_bytes > EVENT_BYTES:
            self._write_pending()

    def compiling(self, doing: str) -> None:
        """Take in what is being done before the program begins."""
        self.last_line = doing
        self._write_pending()
        self._happen(Compiling(seq=self._seq, doing=doing))

    async def artifact(self, name: str, media_type: str, data: bytes) -> None:
        """Take in a thing that the program made. The run goes on without what cannot be kept."""
        try:
            ref = await anyio.to_thread.run_sync(self._blobs.put, data)
        except (KowalskiError, OSError) as error:
            _LOG.warning("%s of the run %s is lost: %s", name, self.run_id, error)
            told = error.user_message if isinstance(error, KowalskiError) else error.strerror
            self._notes.append(f"{name} could not be kept: {told}")
            return
        self._write_pending()
        artifact = Artifact(
            seq=self._seq,
            id=f"{self.run_id}-{len(self.artifacts)}",
            sha256=ref.sha256,
            name=name,
            media_type=media_type,
            size=ref.size,
        )
        self.artifacts.append(artifact)
        self._happen(artifact)

    def call(self, call_id: str, name: str, arguments: str) -> None:
        """Take in a call of the program's to its caller."""
        self._write_pending()
        self._happen(HostCall(seq=self._seq, call_id=call_id, name=name, arguments=arguments))

    def run(self) -> None:
        """Take in that its program begins."""
        self._write_pending()
        self._happen(Running(seq=self._seq))

    def listen(self, ports: tuple[int, ...]) -> None:
        """Take in that it listens."""
        self._write_pending()
        self._happen(Listening(seq=self._seq, ports=ports))

    def queue(self, language: str, owner: str, device: str) -> None:
        """Note that the run was asked for: together with its beginning, if that is now."""
        request = entries.asked(
            self.run_id,
            owner=owner,
            request=self.request,
            language=language,
            device=device,
            queued_at=time.time(),
        )
        self._unwritten = (request,)
        self._loop.call_soon(self._write_request)

    def begin(self, started: Started) -> None:
        """Publish that execution begins.

        Raises:
            StorageUnavailable: the journal cannot be written, so nothing may begin.
        """
        started = replace(started, seq=self._seq)
        self._record(entries.begun(started))
        self._seq += 1
        self.started = started
        self._publish([(started, 0)])

    def finish(self, finished: Finished) -> None:
        """Publish how the run ended, with the number and the totals that are right then.

        Where the journal cannot be written, those who wait are told all the same, and `settle`
        tries again.
        """
        self.output("stdout", b"", final=True)
        self.output("stderr", b"", final=True)
        batch = self._take_pending()
        start = self._kept - sum(size for _, size in batch)
        notes = (*finished.notes, *self._notes)
        finished = replace(finished, seq=self._seq, output=self.totals(), notes=notes)
        printed = self._entries(batch, start)
        now = time.time()
        try:
            self._record(*printed, entries.ended(finished, now))
        except Exception as error:  # noqa: BLE001 - whatever it is, they must be told of the end
            _LOG.warning("The end of the run %s is not in the journal: %s", self.run_id, error)
            told = error.user_message if isinstance(error, KowalskiError) else repr(error)
            finished = replace(finished, notes=(*finished.notes, told))
            self._ending = (*printed, entries.ended(finished, now))
        self.finished = finished
        self._publish([*batch, (finished, 0)])
        self.done.set()

    def settle(self) -> bool:
        """Whether the journal's file has the ending; what it could not take is tried again."""
        if self._ending:
            try:
                self._record(*self._ending)
            except KowalskiError:
                return False
            self._ending = ()
        return not self._journal.is_behind

    def totals(self) -> OutputTotals:
        """What was printed so far."""
        return OutputTotals(
            stdout_bytes=self._excerpts["stdout"].total,
            stderr_bytes=self._excerpts["stderr"].total,
            kept_bytes=self._kept,
            dropped_bytes=self._dropped,
        )

    def excerpt(self, stream: Stream, limit: int) -> str:
        """Head and tail of what was printed so far to a stream, of `limit` bytes together."""
        return self._excerpts[stream].render(limit)

    def stderr_tail(self) -> str:
        """The end of what was printed to stderr."""
        return self._excerpts["stderr"].render()[-2000:]

    def result(self) -> RunResult:
        """The ending together with the excerpts of what was printed; only once it is finished."""
        if self.finished is None:
            raise RuntimeError(f"the run {self.run_id} is not finished")
        return with_excerpts(self.finished, self._excerpts)

    async def read(self, from_seq: int, max_bytes: int) -> Sequence[Event]:
        """Events from `from_seq` on, about `max_bytes` of text of them; waits for the first.

        Empty when the run is over and there are no more.
        """
        while True:
            oldest = self._recent[0][0].seq if self._recent else self._seq
            newest = self._recent[-1][0].seq if self._recent else -1
            if from_seq < oldest and self._recent:
                read = partial(
                    run_table.events_from,
                    run_id=self.run_id,
                    from_seq=from_seq,
                    max_bytes=max_bytes,
                )
                return await self._journal.read(read)
            if from_seq <= newest:
                return self._from_memory(from_seq - oldest, max_bytes)
            if self.finished is not None:
                return ()
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()

    def _from_memory(self, index: int, max_bytes: int) -> list[Event]:
        events: list[Event] = []
        for event, size in islice(self._recent, index, None):
            events.append(event)
            max_bytes -= size
            if max_bytes <= 0:
                break
        return events

    def _happen(self, event: _Between) -> None:
        """Take in an event that is no output, after the output before it."""
        self._write_pending()
        self._seq = event.seq + 1
        self._write([(event, 0)], 0)

    def _write_pending(self) -> None:
        if batch := self._take_pending():
            self._write(batch, self._kept - sum(size for _, size in batch))

    def _take_pending(self) -> list[tuple[_Between, int]]:
        batch: list[tuple[_Between, int]] = []
        for stream, text, size in self._pending:
            batch.append((Output(seq=self._seq, stream=stream, text=text), size))
            self._seq += 1
        self._pending.clear()
        self._pending_bytes = 0
        return batch

    def _write(self, batch: list[tuple[_Between, int]], start: int) -> None:
        try:
            self._record(*self._entries(batch, start))
        except KowalskiError as error:
            # The run goes on with what memory holds, and tells that more is not kept.
            _LOG.warning("Events of the run %s are lost: %s", self.run_id, error)
            lost = sum(size for _, size in batch)
            self._kept -= lost
            self._dropped += lost
        self._publish(batch)

    def _write_request(self) -> None:
        if self._unwritten:
            try:
                self._record()
            except KowalskiError as error:
                # Told by `begin` or `finish`, which find the same.
                _LOG.warning("The run %s is not noted yet: %s", self.run_id, error)

    def _record(self, *statements: Statement) -> None:
        """Tell the journal, after the request if it does not have that yet."""
        self._journal.note(*self._unwritten, *statements)
        self._unwritten = ()

    def _entries(self, batch: Sequence[tuple[_Between, int]], start: int) -> list[Statement]:
        found = []
        for event, size in batch:
            found.append(entries.happened(self.run_id, event, start))
            start += size
        return found

    def _publish(self, batch: Sequence[tuple[Event, int]]) -> None:
        self._recent.extend(batch)
        self._recent_bytes += sum(size for _, size in batch)
        while self._recent_bytes > MEMORY_BYTES:
            self._recent_bytes -= self._recent.popleft()[1]
        if self._changed is not None:
            self._changed.set()
            self._changed = None


def _last_line(text: str) -> str:
    line = text.rstrip().rpartition("\n")[2]
    return line[-_LAST_LINE_CHARACTERS:]
