"""Running the blocks of a document, one after another, in one sandbox."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from kowalski.errors import (
    AgentUnavailable,
    Busy,
    InvalidRequest,
    LanguageUnavailable,
    NoDeviceAvailable,
    RightsDenied,
    SandboxUnavailable,
    UnknownRun,
    UnsupportedLanguage,
)
from kowalski.model.block import NO_SESSION
from kowalski.model.language import is_data
from kowalski.model.run import Limits, Origin, RunRequest, Workspace
from kowalski.model.session import Change, TakenOver
from kowalski_cli import exit_codes
from kowalski_cli.document.background_block import BackgroundBlock
from kowalski_cli.document.story import (
    BlockBegins,
    BlockRefused,
    BlockSkipped,
    BlockUnfit,
    DocumentRan,
)
from kowalski_cli.follow import follow, lost
from kowalski_cli.talk import REQUESTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kowalski.documents.document import Document
    from kowalski.documents.plan import Plan
    from kowalski.engine import Engine
    from kowalski.model.block import CodeBlock
    from kowalski.model.event import Event, Finished
    from kowalski_cli.document.story import Told
    from kowalski_cli.interruption import Interruption


_REFUSALS: Final = (
    Busy,
    InvalidRequest,
    LanguageUnavailable,
    NoDeviceAvailable,
    RightsDenied,
    SandboxUnavailable,
    UnsupportedLanguage,
)
"""What keeps one block from running, and perhaps not the next."""


class Listener(Protocol):
    """Is told of everything that happens: a report for people, or lines for programs."""

    async def hear(self, told: Told | Event) -> None:
        """Take in what has happened."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How a document is run.

    Attributes:
        workspace: the folder that its blocks see, and where in it they start.
        env: variables that they get.
        session: one that lives on, read-only; None for one that ends with the run and whose
            changes stay in an overlay.
        timeout_s, device: for every block; None for what each block says.
        keep_files: take the changes over into the folder.
        keep_going: go on after a failure with what does not need it.
    """

    workspace: Workspace
    env: Mapping[str, str]
    session: str | None
    timeout_s: float | None
    device: str | None
    network: bool
    keep_files: bool
    keep_going: bool


class DocumentRun:
    """One run of a document's blocks. They share a sandbox and its files across languages."""

    def __init__(
        self,
        engine: Engine,
        document: Document,
        plan: Plan,
        choices: Choices,
        listener: Listener,
        interruption: Interruption,
    ) -> None:
        self._engine = engine
        self._document = document
        self._blocks = plan.blocks
        self._manual = tuple(_called(left.block) for left in plan.left_out if left.block.runnable)
        # Fences that name no language, or data, hold what is shown, and nobody expects a run.
        self._unfit = tuple(
            BlockUnfit(index=left.block.index, start_line=left.block.start_line, reason=left.reason)
            for left in plan.left_out
            if not left.block.runnable and left.block.info.strip() and not is_data(left.block.info)
        )
        self._faulty = plan.faulty
        self._choices = choices
        self._listener = listener
        self._interruption = interruption
        self._session = choices.session or f"run-{time.time_ns():x}"
        self._missing: set[str] = set()
        self._background: list[BackgroundBlock] = []
        self._held = AsyncExitStack()
        self._exit_code = exit_codes.OK
        self._ended = {"ok": 0, "failed": 0, "tolerated": 0, "skipped": 0}
        self._duration_ms = 0.0
        self._dropped_bytes = 0
        self._sandbox = ""

    async def run(self) -> int:
        """Run the blocks, with the listener told of everything. Returns the exit code.

        Raises:
            KowalskiError: a block could not be begun.
        """
        async with self._held:
            for position, block in enumerate(self._blocks, 1):
                if self._interruption.heard:
                    self._exit_code = self._exit_code or exit_codes.CANCELLED
                    break
                if self._exit_code and not self._choices.keep_going:
                    break
                missing = next((n for n in block.attributes.needs if n in self._missing), None)
                if missing is not None:
                    await self._skip(block, position, missing)
                else:
                    await self._run_block(block, position)
            await self._end_background()
            await self._summarise()
        return self._exit_code

    async def _run_block(self, block: CodeBlock, position: int) -> None:
        await self._listener.hear(
            BlockBegins(
                index=block.index,
                position=position,
                total=len(self._blocks),
                name=block.name,
                language=str(block.language),
                start_line=block.start_line,
                end_line=block.end_line,
                first_line=block.first_line,
            )
        )
        request = self._request(block)
        finished: Finished | None
        try:
            if block.attributes.background:
                finished = await self._begin_background(block, request)
            else:
                finished = await follow(
                    self._engine, request, self._interruption, self._listener.hear
                )
        except _REFUSALS as error:
            self._note(block, "failed", exit_codes.of_error(error.code))
            refused = BlockRefused(code=error.code, message=error.user_message)
            await self._listener.hear(refused)
        else:
            if finished is not None:
                self._duration_ms += finished.duration_ms
                self._judge(block, finished)

    async def _begin_background(self, block: CodeBlock, request: RunRequest) -> Finished | None:
        """Run a block until it needs no waiting for any more; its ending if it came at once.

        Raises:
            RunLost: the agent went away, and code may have run.
            KowalskiError: nothing was run.
        """
        run = await self._held.enter_async_context(self._engine.start(request))
        background = BackgroundBlock(block, run)
        self._interruption.run = run
        try:
            finished = await background.settle(self._listener.hear)
        except AgentUnavailable as error:
            raise lost() from error
        finally:
            self._interruption.run = None
        if finished is None:
            self._background.append(background)
        return finished

    async def _end_background(self) -> None:
        """End what goes on, the last one first; in a session that lives on it goes on with it.

        Raises:
            RunLost: the agent went away.
        """
        for background in reversed(self._background):
            if self._choices.session is not None and not self._interruption.heard:
                await background.leave()
                self._ended["ok"] += 1
                continue
            finished = await background.end(self._listener.hear)
            if finished.status == "cancelled":
                self._account(finished)
                self._ended["ok"] += 1
            else:
                self._judge(background.block, finished)

    def _account(self, finished: Finished) -> None:
        self._sandbox = finished.sandbox or self._sandbox
        self._dropped_bytes += finished.output.dropped_bytes

    def _judge(self, block: CodeBlock, finished: Finished) -> None:
        self._account(finished)
        if finished.status == "failed" and block.attributes.check == "ignore":
            self._ended["tolerated"] += 1
        elif finished.status == "ok":
            self._ended["ok"] += 1
        else:
            self._note(block, "failed", exit_codes.of_status(finished.status))

    async def _skip(self, block: CodeBlock, position: int, missing: str) -> None:
        self._note(block, "skipped", exit_codes.FAILED)
        await self._listener.hear(
            BlockSkipped(
                index=block.index,
                position=position,
                total=len(self._blocks),
                name=block.name,
                language=str(block.language),
                start_line=block.start_line,
                reason=f"it needs {missing}, which did not end well",
            )
        )

    def _note(self, block: CodeBlock, how: str, exit_code: int) -> None:
        """Note a block that did not end well. The first one's exit code is the run's."""
        self._ended[how] += 1
        self._exit_code = self._exit_code or exit_code
        if block.name:
            self._missing.add(block.name)

    def _request(self, block: CodeBlock) -> RunRequest:
        choices, attributes = self._choices, block.attributes
        kernel = None if attributes.session == NO_SESSION else attributes.session or "main"
        # A time for every block is none for what is to go on beside them.
        general_s = None if attributes.background else choices.timeout_s
        timeout_s = general_s or attributes.timeout_s
        return RunRequest(
            language=str(block.language),
            code=block.code,
            session=self._session,
            session_ends=choices.session is None,
            kernel=kernel,
            background=attributes.background,
            workspace=choices.workspace,
            network=choices.network,
            limits=Limits(wall_s=timeout_s),
            env=choices.env,
            origin=Origin(self._document.name, block.first_line, block.name),
            device=choices.device or attributes.device,
            release=attributes.release,
            requester=REQUESTER,
        )

    async def _summarise(self) -> None:
        changes, lost, taken = await self._changes()
        ended = self._ended
        await self._listener.hear(
            DocumentRan(
                document=self._document.name,
                folder=self._choices.workspace.root,
                ok=ended["ok"],
                failed=ended["failed"],
                tolerated=ended["tolerated"],
                skipped=ended["skipped"],
                not_run=len(self._blocks) - sum(ended.values()),
                unfit=self._unfit,
                faulty=self._faulty,
                manual=self._manual,
                duration_ms=round(self._duration_ms, 3),
                dropped_bytes=self._dropped_bytes,
                sandbox=self._sandbox,
                session=self._session,
                changes=changes,
                changes_lost=lost,
                kept=None if taken is None else taken.kept,
                not_kept=taken.left if taken else (),
            )
        )

    async def _changes(self) -> tuple[tuple[Change, ...], bool, TakenOver | None]:
        """What was changed, whether that is lost, and what was taken over.

        Raises:
            RunLost: the agent went away after the last block.
        """
        if self._choices.session is not None or not self._sandbox:
            return (), False, None
        try:
            changes = await self._engine.changes(self._session)
            if not self._choices.keep_files or self._interruption.heard:
                return changes, False, None
            if not changes:
                return (), False, TakenOver()
            return changes, False, await self._engine.take_over(self._session)
        except UnknownRun:
            return (), True, None
        except AgentUnavailable as error:
            raise lost() from error


def _called(block: CodeBlock) -> str:
    """What names a block on the command line."""
    return block.name or str(block.index)
