"""The servers of the pool, and what they have, as of a few seconds ago."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio

from kowalski.errors import InvalidRequest, KowalskiError, ModelUnavailable, NoServerAvailable
from kowalski.inference.excerpt import excerpt, sentences
from kowalski.inference.pool.member import CHECK_EVERY_S, CHECK_LIMIT_S, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.abc import TaskGroup

    from kowalski.inference.model_server import ModelServer

_MODELS_SHOWN: Final = 8
GRACE_S: Final = 0.5
"""How long the others may take to tell once a server is known that can be asked."""


class Roster:
    """Checks each server every `CHECK_EVERY_S` seconds, while somebody has an interest.

    `changed` is called after every check, and when servers come and go.
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self.members: dict[str, Member] = {}
        self._clock = clock
        self._changed = changed
        self._watches: dict[str, anyio.CancelScope] = {}
        self._interests = 0
        self._wanted = anyio.Event()

    def add(self, server: ModelServer, tasks: TaskGroup) -> None:
        """Take a server in; `tasks` owns the checks.

        Raises:
            InvalidRequest: there is one of that name.
        """
        if server.name in self.members:
            raise InvalidRequest(
                f"There is a server called {server.name!r} already. Give this one another name."
            )
        member = Member(server, self._clock)
        self.members[member.name] = member
        self._watches[member.name] = anyio.CancelScope()
        tasks.start_soon(self._watch, member, self._watches[member.name])
        self._changed()

    def remove(self, name: str) -> None:
        """Let a server go: calls that it is at go on, and no more begin.

        Raises:
            InvalidRequest: there is none of that name.
        """
        if name not in self.members:
            known = excerpt(self.members) or "none"
            raise InvalidRequest(f"There is no server called {name!r}. There are: {known}.")
        del self.members[name]
        self._watches.pop(name).cancel()
        self._changed()

    @contextmanager
    def interest(self) -> Iterator[None]:
        """For the block's duration, servers are checked."""
        self._interests += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._interests -= 1
            if not self._interests:
                self._wanted = anyio.Event()

    async def settle(self, model: str | None) -> None:
        """Wait until a server is known to have `model` (None: any), or all have told.

        Those that failed their last check are checked in the background: nobody waits for a server
        that hangs twice.
        """
        if not self._has(model):
            await self._check_until(
                model, [m for m in self.members.values() if m.outdated and m.problem is None]
            )

    async def seek(self, model: str | None) -> None:
        """Check every server now, until one has `model` (None: any)."""
        await self._check_until(model, list(self.members.values()))

    async def refresh(self) -> None:
        """Check every server now, and wait for all of them."""
        async with anyio.create_task_group() as tasks:
            for member in self.members.values():
                tasks.start_soon(member.check)
        self._changed()

    def choose(self, model: str | None, default: str | None) -> str:
        """The model for a prompt that names `model`, or none.

        Raises:
            NoServerAvailable: there is no server.
            ModelUnavailable: none is named, and none stands out.
        """
        if not self.members:
            raise no_server()
        named = model or default
        if named:
            return named
        served = [model for member in self.members.values() for model in member.models]
        for kind in (
            [model for model in served if model.state == "loaded"],
            [model for model in served if model.state == "listed"],
            [model for model in served if model.state == "loading"],
            [model for model in served if model.on_demand],
        ):
            names = dict.fromkeys(model.name for model in kind)
            if len(names) == 1:
                return next(iter(names))
            if names:
                raise ModelUnavailable(
                    f"Which model? Name one, or set a default. {self.description()}"
                )
        raise ModelUnavailable(f"No model is loaded. Load one first. {self.description()}")

    def unavailable(self, model: str, tried: str = "") -> KowalskiError:
        """The error for a model that no server answers for; `tried` tells what was tried."""
        if not self.members:
            return no_server()
        states = {
            m.state for member in self.members.values() for m in member.models if m.name == model
        }
        if "loading" in states:
            remedy = "It is being loaded: try again in a moment."
        elif "downloaded" in states:
            remedy = "It is downloaded: load it, or name another."
        else:
            remedy = "Load it, or name another."
        return ModelUnavailable(
            f"No server answers for the model {model!r}. {tried}{' ' if tried else ''}{remedy} "
            f"{self.description()}"
        )

    def description(self) -> str:
        """What servers have, for messages."""
        return sentences(
            [f"{member.name}: {_holdings(member)}." for member in self.members.values()]
        )

    def _has(self, model: str | None) -> bool:
        """Whether a server that was seen lately has `model`; None for one that answers at all."""
        recent = [member for member in self.members.values() if not member.outdated]
        if model is None:
            return any(member.served(m.name) for member in recent for m in member.models)
        return any(member.served(model) for member in recent)

    async def _check_until(self, model: str | None, members: list[Member]) -> None:
        """Check `members` until one has the model. The rest, and those that failed before, then
        have `GRACE_S` more; whoever needs longer is checked in the background."""
        sound = [member for member in members if member.problem is None]
        waited_for = {member.name for member in sound or members}

        async def check(member: Member) -> None:
            await member.check()
            waited_for.discard(member.name)
            if not waited_for or self._has(model):
                soon = self._clock() + GRACE_S
                tasks.cancel_scope.deadline = min(tasks.cancel_scope.deadline, soon)

        async with anyio.create_task_group() as tasks:
            for member in members:
                tasks.start_soon(check, member)
        if members:
            self._changed()

    async def _watch(self, member: Member, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                await self._wanted.wait()
                if member.stale:
                    await member.check()
                    self._changed()
                age_s = self._clock() - (member.checked_at or 0.0)
                await anyio.sleep(max(0.0, CHECK_EVERY_S - age_s))


def no_server() -> NoServerAvailable:
    """The error where there is nobody to ask."""
    return NoServerAvailable(
        "No server of language models is known. Start exo, Ollama, LM Studio or llama.cpp on this "
        "device, where it is found by itself, or name one elsewhere: "
        "kowalski servers add NAME http://HOST:PORT"
    )


def _holdings(member: Member) -> str:
    if member.problem is not None and not member.models:
        return f"cannot be asked ({member.problem.rstrip('.')})"
    if member.checked_at is None:
        return f"has not told yet (it has {CHECK_LIMIT_S:g} s)"
    by_state: dict[str, list[str]] = {}
    for model in member.models:
        by_state.setdefault(model.state, []).append(model.name)
    parts = [f"{state} {excerpt(names, _MODELS_SHOWN)}" for state, names in by_state.items()]
    return "; ".join(parts) or "has no model"
