"""A face's link to its agent: over the socket, or inside the same process."""

from __future__ import annotations

import itertools
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio

from kowalski.agent.background import Background
from kowalski.agent.reach.launch import connect
from kowalski.errors import AgentUnavailable, by_code
from kowalski.model.json_form import compact, from_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from kowalski.agent.home.places import Places
    from kowalski.agent.service.connection import Connection
    from kowalski.agent.service.message import Message

T = TypeVar("T")


class Link(Protocol):
    """Asks an agent. An async context manager: leaving it ends what was not detached."""

    @property
    def connected(self) -> bool:
        """Whether the agent can still be asked."""
        ...

    async def ask(self, message: Message[T]) -> T:
        """The answer to `message`.

        Raises:
            KowalskiError: the agent's reason for not answering it.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None: ...


class SocketLink:
    """Asks the agent of this user over its socket; starts it if there is none.

    `notice` hears what the person should know, such as that an older agent is still at work.
    """

    def __init__(self, places: Places, principal: str, notice: Callable[[str], None]) -> None:
        self._places = places
        self._principal = principal
        self._notice = notice
        self._numbers = itertools.count()
        self._waiting: dict[int, _Answer] = {}
        self._connection: Connection
        self._open = False
        self._broken = False

    async def __aenter__(self) -> Self:
        self._connection = await connect(self._places, self._principal, self._notice)
        self._background = Background()
        tasks = await self._background.__aenter__()
        tasks.start_soon(self._listen)
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        try:
            await self._background.__aexit__(kind, error, trace)
        finally:
            await self._connection.close()

    @property
    def connected(self) -> bool:
        """As `Link.connected`."""
        return not self._broken

    async def ask(self, message: Message[T]) -> T:
        """As `Link.ask`.

        Raises:
            AgentUnavailable: the agent has gone, or the link is not open.
        """
        if self._broken or not self._open:
            raise self._unanswered()
        number = next(self._numbers)
        answer = self._waiting[number] = _Answer()
        try:
            args = compact(message)
            await self._connection.send({"id": number, "op": args.pop("op"), "args": args})
            await answer.arrived.wait()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._connection.send({"cancel": number})
            raise
        finally:
            del self._waiting[number]
        if answer.value is None:
            raise self._unanswered()
        if (problem := answer.value.get("error")) is not None:
            raise by_code(problem["code"], problem["message"])
        told: T = from_json(type(message).answer, answer.value["ok"])
        return told

    def _unanswered(self) -> AgentUnavailable:
        return _gone() if self._open else _closed()

    async def _listen(self) -> None:
        try:
            await self._connection.hear(self._take)
        finally:
            self._broken = True
            for answer in self._waiting.values():
                answer.arrived.set()

    def _take(self, value: dict[str, Any]) -> None:
        if (answer := self._waiting.get(value["id"])) is not None:
            answer.value = value
            answer.arrived.set()


class _Answer:
    """An answer that is waited for; its value stays None if the agent goes first."""

    __slots__ = ("arrived", "value")

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.value: dict[str, Any] | None = None


class EmbeddedLink:
    """Asks an agent inside this process, which keeps everything in one folder of its own.

    Without a `home` that folder is a temporary one, and goes with the link.
    """

    def __init__(self, home: Path | None, principal: str) -> None:
        self._home = home
        self._principal = principal
        self._open = False
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # Faces that talk to the agent's process must not load all that runs in it.
        from kowalski.agent.embedded import Embedded

        async with AsyncExitStack() as stack:
            home = self._home
            if home is None:
                made = tempfile.TemporaryDirectory(prefix="kowalski-", ignore_cleanup_errors=True)
                home = Path(stack.enter_context(made))
            embedded = Embedded(home, self._principal)
            self._embedded = await stack.enter_async_context(embedded)
            self._stack = stack.pop_all()
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._open = False
        return await self._stack.__aexit__(kind, error, trace)

    @property
    def connected(self) -> bool:
        """As `Link.connected`: always, within the block."""
        return True

    async def ask(self, message: Message[T]) -> T:
        """As `Link.ask`.

        Raises:
            AgentUnavailable: the link is not open.
        """
        if not self._open:
            raise _closed()
        return await self._embedded.desk.ask(message)


def _gone() -> AgentUnavailable:
    return AgentUnavailable(
        "The agent ended while it was asked. What it ran has ended with it; `kowalski runs` tells "
        "how. The next command starts a new agent."
    )


def _closed() -> AgentUnavailable:
    return AgentUnavailable(
        "This engine is closed: it can be asked within its `async with` block, and not before or "
        "behind it. Open another: `async with Engine() as engine`."
    )


def say_on_stderr(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"kowalski: {text}\n")
