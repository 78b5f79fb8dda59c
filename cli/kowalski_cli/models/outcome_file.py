"""A file with what became of many prompts, a line of JSON each, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kowalski.errors import InvalidRequest
from kowalski_cli.screen.event_lines import json_line

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from kowalski.model.chat import PromptOutcome


class OutcomeFile:
    """Writes each outcome as soon as those before it are there. Use as a context manager.

    However the block is left, what has come by then stands in the file, still in order. It is
    first written to by `begin`; until then an older file stays as it was.

    Raises:
        InvalidRequest: on entering, where the file exists and is not to be replaced; and
            whenever it cannot be written.
    """

    def __init__(self, path: Path, *, replace: bool) -> None:
        self._path = path
        self._replace = replace
        self._begun = False
        self._following = 0
        self._waiting: dict[int, bytes] = {}

    def __enter__(self) -> Self:
        try:
            self._fresh = not self._path.exists()
            self._file = self._path.open("ab" if self._replace else "xb")
        except FileExistsError:
            raise InvalidRequest(
                f"{self._path} exists: choose another file, or add --force to replace it."
            ) from None
        except OSError as error:
            raise self._failure(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                self._write([self._waiting[index] for index in sorted(self._waiting)])
            if not self._begun and self._fresh:
                self._path.unlink()
        except OSError as problem:
            raise self._failure(problem) from problem

    def begin(self) -> None:
        """The prompts are on their way: what an older file said is gone."""
        try:
            self._file.truncate(0)
        except OSError as error:
            raise self._failure(error) from error
        self._begun = True

    def put(self, outcome: PromptOutcome) -> None:
        """Take in one outcome."""
        line = json_line(_told(outcome))
        # A lone surrogate becomes its escape, which is JSON as well.
        self._waiting[outcome.index] = line.encode("utf-8", "backslashreplace")
        ready = []
        while (found := self._waiting.pop(self._following, None)) is not None:
            ready.append(found)
            self._following += 1
        try:
            self._write(ready)
        except OSError as error:
            raise self._failure(error) from error

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            self._file.write(b"".join(lines))
            self._file.flush()

    def _failure(self, error: OSError) -> InvalidRequest:
        return InvalidRequest(f"{self._path} cannot be written: {error.strerror}.")


def _told(outcome: PromptOutcome) -> dict[str, Any]:
    result, failure = outcome.result, outcome.failure
    error = None
    if failure is not None:
        error = {
            "code": failure.code,
            "message": failure.message,
            "partial_text": failure.partial_text,
        }
    served_by = failure.served_by if failure else None
    return {
        "index": outcome.index,
        "text": result.text if result else None,
        "finish_reason": result.finish_reason if result else None,
        "usage": result.usage.counts() if result and result.usage else None,
        "latency_ms": result.latency_ms if result else None,
        "served_by": result.served_by if result else served_by,
        "restarted": result.restarted if result else 0,
        "input_truncated": result.input_truncated if result else False,
        "error": error,
    }
