"""Judges answers by JSON schemas, where no schema and no answer can hold up anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from kowalski.errors import InvalidRequest
from kowalski.inference.pool.judgement import LENGTH
from kowalski.model.json_form import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import Process

AT_ONCE: Final = 4
"""How many judgements there are at once, each in a process of its own; more wait."""

JUDGED_S: Final = 5.0

_PROGRAM: Final = "kowalski.inference.pool.judgement"
_KEPT: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL")
_LONGEST_VERDICT: Final = 64 * 1024 * 1024


class JudgementTooLong(Exception):
    """A judgement took more seconds of computing than it may, or more memory than there is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The JSON within an answer, and what is wrong with it; None if nothing is."""

    text: str
    problem: str | None


class JsonJudge:
    """Starts processes as they are needed, and keeps them. Whoever is cancelled takes along the
    one that judges for it. Close it with `aclose`."""

    def __init__(self, judged_s: float = JUDGED_S) -> None:
        """`judged_s`: seconds of computing that a judgement may take."""
        self.judged_s = judged_s
        self._idle: list[_Seat] = []
        self._turns = anyio.CapacityLimiter(AT_ONCE)

    async def aclose(self) -> None:
        """End the processes that wait. Those that judge end with whoever asked them."""
        while self._idle:
            await self._idle.pop().end()

    async def check(self, schema: Mapping[str, Any]) -> None:
        """Whether answers can be judged by `schema`.

        Raises:
            InvalidRequest: it is no schema, refers to something outside of itself, or takes
                too long.
        """
        try:
            await self._ask(schema, None)
        except JudgementTooLong as error:
            raise InvalidRequest(
                f"The JSON schema itself takes more than {self.judged_s:g} s to check. Simplify it."
            ) from error

    async def judge(self, schema: Mapping[str, Any], text: str) -> Verdict:
        """What the JSON in `text` is, and whether it satisfies `schema`.

        Raises:
            InvalidRequest: the schema is none, or refers to itself without end.
            JudgementTooLong: that cannot be told in bounded time.
        """
        told = await self._ask(schema, text)
        return Verdict(told["text"], told["problem"])

    async def _ask(self, schema: Mapping[str, Any], text: str | None) -> dict[str, Any]:
        question = {
            "schema": json.dumps(to_json(schema)),
            "text": text,
            "within_s": self.judged_s,
        }
        async with self._turns:
            seat = await self._seat()
            try:
                told = await seat.ask(json.dumps(question).encode())
            except BaseException:
                await seat.end()
                raise
            self._idle.append(seat)
        if "refused" in told:
            raise InvalidRequest(told["refused"])
        return told

    async def _seat(self) -> _Seat:
        while self._idle:
            seat = self._idle.pop()
            if seat.stands:
                return seat
            await seat.end()
        return _Seat(
            await anyio.open_process(
                [sys.executable, "-P", "-m", _PROGRAM],
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
            )
        )


class _Seat:
    """One process that judges."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        self._process = process
        self._questions = process.stdin
        self._verdicts = BufferedByteReceiveStream(process.stdout)

    @property
    def stands(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def ask(self, question: bytes) -> dict[str, Any]:
        """Its verdict.

        Raises:
            JudgementTooLong: it ended over this.
        """
        try:
            await self._questions.send(LENGTH.pack(len(question)) + question)
            head = await self._verdicts.receive_exactly(LENGTH.size)
            length = min(LENGTH.unpack(head)[0], _LONGEST_VERDICT)
            told: dict[str, Any] = json.loads(await self._verdicts.receive_exactly(length))
        except (anyio.BrokenResourceError, anyio.IncompleteRead, anyio.EndOfStream) as error:
            raise JudgementTooLong from error
        return told

    async def end(self) -> None:
        """Kill it, whoever is cancelled."""
        with anyio.CancelScope(shield=True):
            if self.stands:
                self._process.kill()
            await self._process.aclose()
