"""The journal: what was asked, what happened and what was printed, in one SQLite file.

What is noted of runs is in the redo log at once, and with what else comes soon in the file. Writes
happen in the event loop: into SQLite's own log, without waiting for the disk, one takes less time
than handing it to a thread and back. What can take long happens in a thread: reading, and moving
that log into the file, which waits for the disk.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from kowalski.agent.background import Background
from kowalski.agent.store.redo_log import RedoLog
from kowalski.agent.store.schema import open_journal
from kowalski.errors import StorageUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from kowalski.agent.store.redo_log import Statement

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]
_LOG: Final = logging.getLogger(__name__)
_TAKE_IN_AFTER_S: Final = 0.02
_TRY_AGAIN_AFTER_S: Final = 1.0
_MOVE_AFTER_WRITES: Final = 200
_NEARLY_NOTHING_BYTES: Final = 1 << 16


class Journal:
    """The journal of one agent. Use as an async context manager.

    Raises:
        StorageUnavailable: on entering, where the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writes = 0
        self._many_writes = anyio.Event()
        self._reading = anyio.CapacityLimiter(2)
        self._stack = AsyncExitStack()
        self._connection: sqlite3.Connection
        self._redo: RedoLog
        self._loop: asyncio.AbstractEventLoop
        self._due: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Journal:
        async with AsyncExitStack() as stack:
            try:
                self._connection = await anyio.to_thread.run_sync(open_journal, self._path)
            except (sqlite3.Error, OSError) as error:
                raise self._unusable(error) from error
            stack.callback(self._connection.close)
            try:
                self._redo = await anyio.to_thread.run_sync(RedoLog, _redo_path(self._path))
            except OSError as error:
                raise self._unusable(error) from error
            stack.callback(self._redo.close)
            self._loop = asyncio.get_running_loop()
            self._take_in_what_was_left()
            stack.callback(self._end)
            tasks = await stack.enter_async_context(Background())
            tasks.start_soon(self._move_log)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    @property
    def is_behind(self) -> bool:
        """Whether something was noted that the file does not have yet."""
        return bool(self._redo.held)

    def note(self, *statements: Statement) -> None:
        """Note some statements, which survive the death of this process: all of them, or none.

        They are executed within milliseconds, and before anything is read or written.

        Raises:
            StorageUnavailable: they cannot be noted, for instance because the disk is full.
        """
        try:
            if self._redo.add(statements):
                if self._due is None:
                    self._due = self._loop.call_later(_TAKE_IN_AFTER_S, self._take_in_later)
                return
        except (OSError, UnicodeEncodeError) as error:
            raise self._unusable(error) from error
        self.write(partial(_execute, statements=statements))

    def write(self, operation: Operation[T]) -> T:
        """Run `operation` as one transaction; its effect survives the death of this process.

        Raises:
            StorageUnavailable: the file cannot be written, for instance because the disk is full.
        """
        self._take_in()
        return self._transact(operation)

    def _transact(self, operation: Operation[T]) -> T:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = operation(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from error
            raise
        self._writes += 1
        if self._writes >= _MOVE_AFTER_WRITES:
            self._many_writes.set()
        return result

    async def read(self, operation: Operation[T]) -> T:
        """Run `operation`, which only reads, in a thread. It sees all that was written before.

        Raises:
            StorageUnavailable: the file cannot be read.
        """
        try:
            self._take_in()
        except StorageUnavailable:
            return self._foreseen(operation)

        def reading() -> T:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
                return operation(connection)

        try:
            return await anyio.to_thread.run_sync(reading, limiter=self._reading)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _take_in(self) -> None:
        """Execute what was noted.

        Raises:
            StorageUnavailable: the file cannot be written. What was noted stays noted.
        """
        if self._redo.held:
            self._transact(partial(_execute, statements=self._redo.held))
            self._forget_notes()

    def _foreseen(self, operation: Operation[T]) -> T:
        """What a reader would find, were there room on the disk: seen, and not written."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _execute(connection, self._redo.held)
                return operation(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _take_in_later(self) -> None:
        self._due = None
        try:
            self._take_in()
        except StorageUnavailable as error:
            _LOG.warning("What was noted is not in the journal's file yet: %s", error)
            self._due = self._loop.call_later(_TRY_AGAIN_AFTER_S, self._take_in_later)

    def _take_in_what_was_left(self) -> None:
        """Execute what an agent that died had noted. What cannot be executed is let go of.

        Raises:
            StorageUnavailable: the disk is full.
        """
        for statement in list(self._redo.held):
            try:
                self._transact(partial(_execute, statements=[statement]))
            except StorageUnavailable as error:
                if self._disk_is_full(error.__cause__):
                    raise
                _LOG.warning("The journal cannot take in %r: %s", statement, error)
        self._forget_notes()

    def _forget_notes(self) -> None:
        try:
            self._redo.clear()
        except OSError as error:
            raise self._unusable(error) from error

    def _end(self) -> None:
        if self._due is not None:
            self._due.cancel()
        try:
            self._take_in()
        except StorageUnavailable as error:
            _LOG.warning("The next agent takes in what this one noted: %s", error)

    async def _move_log(self) -> None:
        """Move the log into the file, whenever it has grown."""
        while True:
            await self._many_writes.wait()
            self._writes = 0
            self._many_writes = anyio.Event()
            try:
                await anyio.to_thread.run_sync(self._checkpoint, limiter=self._reading)
            except sqlite3.Error:
                # The log stays as it is, and keeps what was written; the next round tries again.
                continue

    def _checkpoint(self) -> None:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _unusable(self, error: Exception) -> StorageUnavailable:
        if self._disk_is_full(error):
            return StorageUnavailable(
                f"The disk is full: Kowalski writes down in {self._path} what it runs, and cannot. "
                "Free some space on that disk, or choose a folder elsewhere with KOWALSKI_HOME."
            )
        return StorageUnavailable(
            f"The journal {self._path} cannot be used: {error}. Check the disk and the file's "
            "owner."
        )

    def _disk_is_full(self, error: BaseException | None) -> bool:
        if isinstance(error, OSError):
            return error.errno in (errno.ENOSPC, errno.EDQUOT)
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        # Of the log's own index, SQLite says only that it cannot be made longer.
        try:
            return shutil.disk_usage(self._path.parent).free < _NEARLY_NOTHING_BYTES
        except OSError:
            return False


def _redo_path(path: Path) -> Path:
    return path.with_name(path.name + "-redo")


def _execute(connection: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    for sql, values in statements:
        connection.execute(sql, values)
