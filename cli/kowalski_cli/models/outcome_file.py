"""A file with what became of many prompts, a line of JSON each."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from kowalski.errors import InvalidRequest
from kowalski_cli.models.outcome_line import outcome_line, read_outcome_line

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from kowalski.model.chat import PromptOutcome

Older = Literal["keep out", "replace", "resume"]
"""What to do with a file that is there: refuse, write over it, or keep the answers in it."""

_MODE: Final = 0o777
_STREAMS: Final = ("/dev/stdin", "/dev/stdout", "/dev/stderr")
_DESCRIPTORS: Final = ("/dev/fd", "/proc/self/fd")


class OutcomeFile:
    """Writes each outcome as it comes, and puts them in order at the end. A context manager.

    However the block is left, what has come by then stands in the file, in the order of the
    prompts. If the process is killed it stands there as it came, and the last line may be cut. The
    file is first written to by `begin`; until then an older one stays as it was.

    `answered` are the prompts that an older file has an answer for, once the block is entered.

    Raises:
        InvalidRequest: on entering, where the file exists and is to be kept out of, holds
            something else or is none; and whenever it cannot be written.
    """

    def __init__(self, path: Path, *, older: Older = "keep out") -> None:
        self.answered: set[int] = set()
        self._path = path
        self._older = older
        self._begun = False
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0

    def __enter__(self) -> Self:
        _check_kind(self._path)
        try:
            self._fresh = not self._path.exists()
            self._file = self._path.open("x+b" if self._older == "keep out" else "a+b")
        except FileExistsError:
            raise InvalidRequest(
                f"{self._path} exists: choose another file, or add --force to replace it, or "
                "--resume to ask only what it has no answer for."
            ) from None
        except OSError as error:
            raise self._failure(error) from error
        if self._older == "resume":
            try:
                self._read()
            except BaseException:
                self._file.close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                if self._begun and not self._in_order():
                    self._put_in_order()
            if not self._begun and self._fresh:
                self._path.unlink()
        except OSError as problem:
            raise self._failure(problem) from problem

    def begin(self) -> None:
        """The prompts are on their way: what an older file said is gone, but for what is kept."""
        try:
            self._file.truncate(self._end)
        except OSError as error:
            raise self._failure(error) from error
        self._begun = True

    def put(self, outcome: PromptOutcome) -> None:
        """Take in one outcome."""
        line = outcome_line(outcome)
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error
        self._add(outcome.index, len(line))

    def _read(self) -> None:
        self._file.seek(0)
        for number, line in enumerate(self._file, 1):
            if not line.endswith(b"\n"):
                # It was cut, as by a power failure.
                return
            found = read_outcome_line(line)
            if found is None:
                raise InvalidRequest(
                    f"{self._path}, line {number}: not what `kowalski infer --batch` writes, so "
                    "nothing there can be resumed. Choose another file."
                )
            index, answered = found
            if answered:
                self.answered.add(index)
            if answered or index not in self.answered:
                self._add(index, len(line))
            else:
                self._end += len(line)

    def _add(self, index: int, length: int) -> None:
        self._places[index] = self._end, length
        self._end += length

    def _in_order(self) -> bool:
        following = 0
        for _, (start, length) in sorted(self._places.items()):
            if start != following:
                return False
            following += length
        return following == self._end

    def _put_in_order(self) -> None:
        # Whoever made it a link wants what it points to changed.
        target = self._path.resolve()
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as ordered:
            try:
                for _, (start, length) in sorted(self._places.items()):
                    self._file.seek(start)
                    ordered.write(self._file.read(length))
                ordered.flush()
                os.fchmod(ordered.fileno(), os.fstat(self._file.fileno()).st_mode & _MODE)
                Path(ordered.name).replace(target)
            except BaseException:
                Path(ordered.name).unlink(missing_ok=True)
                raise

    def _failure(self, error: OSError) -> InvalidRequest:
        return InvalidRequest(f"{self._path} cannot be written: {error.strerror}.")


def is_stream(path: Path) -> bool:
    """Whether `path` is a name for something that this process has open."""
    return str(path) in _STREAMS or str(path.parent) in _DESCRIPTORS


def _check_kind(path: Path) -> None:
    """Raise where `path` leads to something that lines cannot be put in order in."""
    kind = None
    if is_stream(path):
        # It may lead to a file, which belongs to whoever opened it.
        kind = "an open stream"
    elif path.is_dir():
        kind = "a folder"
    elif path.exists() and not path.is_file():
        kind = "a device, a pipe or a socket"
    if kind is not None:
        raise InvalidRequest(
            f"{path} is {kind}, and no file in which answers can be kept. Name a file, or say "
            "--out - for stdout."
        )
