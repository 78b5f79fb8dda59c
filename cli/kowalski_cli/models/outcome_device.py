"""A device, such as /dev/null, as the place for what becomes of many prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kowalski.errors import InvalidRequest
from kowalski_cli.models.outcome_file import is_stream
from kowalski_cli.models.outcome_line import outcome_line

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from kowalski.model.chat import PromptOutcome


def is_device(path: Path) -> bool:
    """Whether `path` leads to a character device by its own name."""
    return path.is_char_device() and not is_stream(path)


class OutcomeDevice:
    """Writes each outcome, and keeps none. A context manager.

    Raises:
        InvalidRequest: on entering and whenever it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            raise self._failure(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def put(self, outcome: PromptOutcome) -> None:
        """Write one outcome."""
        line = memoryview(outcome_line(outcome))
        try:
            while line:
                line = line[self._file.write(line) or 0 :]
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> InvalidRequest:
        return InvalidRequest(f"{self._path} cannot be written: {error.strerror}.")
