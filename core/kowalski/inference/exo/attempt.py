"""One answer of a cluster, watched while it makes no progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import anyio

from kowalski.errors import ServerUnavailable
from kowalski.inference.completions.answer import Answer
from kowalski.inference.exo.fields import identifier
from kowalski.inference.exo.node_api import MAX_LONG_BYTES
from kowalski.inference.exo.task import read_tasks
from kowalski.inference.model_server import Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Self

    from kowalski.inference.completions.completion import Completion
    from kowalski.inference.completions.endpoint import Endpoint
    from kowalski.inference.completions.http_client import HttpClient
    from kowalski.inference.exo.instance import Instance
    from kowalski.inference.exo.limits import ExoLimits
    from kowalski.inference.exo.lookout import Lookout
    from kowalski.inference.exo.node_api import NodeApi
    from kowalski.inference.exo.view import View
    from kowalski.model.chat import ChatEvent

T = TypeVar("T")


class Attempt:
    """The events of one answer: an asynchronous iterator. Run `watch` beside it.

    When a node dies, exo says nothing for a minute and a half, or for ever, and keeps the
    connection alive. The state of the cluster tells sooner.

    Attributes:
        candidates: the instances that may serve it; exo chooses one and does not say which.
        resets: as the cluster's were when it was asked.
        failed: whether it ended for want of a server.
    """

    def __init__(
        self,
        api: NodeApi,
        lookout: Lookout,
        limits: ExoLimits,
        endpoint: Endpoint,
        view: View,
        model: str,
        completion: Completion,
    ) -> None:
        """`endpoint` is the node to ask, and `view` what was seen before; `completion` reads what
        it answers.
        """
        self.candidates: tuple[Instance, ...] = tuple(
            standing.instance for standing in view.of_model(model)
        )
        self.resets = view.resets
        self.failed = False
        self._api = api
        self._lookout = lookout
        self._limits = limits
        self._endpoint = endpoint
        self._gateway = next((n for n, url in view.urls.items() if url == endpoint.root), "")
        self._completion = completion
        self._answer: Answer | None = None
        self._asked_at = anyio.current_time()
        self._reading: anyio.CancelScope | None = None
        self._watching = anyio.CancelScope()
        self._doom: str | None = None
        self._whole = False

    async def ask(self, client: HttpClient, body: dict[str, Any]) -> None:
        """Send the request, and wait until an answer begins.

        Raises:
            KowalskiError: the refusal, as callers know it.
            ServerUnavailable: the cluster cannot be asked, or those who would answer have gone.
        """
        self._answer = await self._unless_doomed(
            Answer.asked(client, self._endpoint, body, self._completion, self._limits.calls)
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatEvent:
        """The next event.

        Raises:
            KowalskiError: the answer is not whole.
            ServerUnavailable: those who were to answer have gone.
        """
        if self._answer is None:
            raise StopAsyncIteration
        try:
            return await self._unless_doomed(self._answer.__anext__())
        except StopAsyncIteration:
            self._whole = True
            raise

    async def watch(self) -> None:
        """Look at the cluster whenever there is no progress; until `aclose`."""
        with self._watching:
            wait_s, blind = self._limits.quiet_s, 0
            while self._doom is None:
                await anyio.sleep(wait_s)
                progress_at = self._progress_at
                quiet_s = anyio.current_time() - progress_at
                if quiet_s < self._limits.quiet_s or self._reading is None:
                    wait_s = max(self._limits.quiet_s - quiet_s, self._limits.quiet_s / 4)
                    continue
                wait_s = self._limits.poll_s
                try:
                    doom = await self._fate(await self._lookout.look(max_age_s=wait_s / 2))
                    blind = 0
                except ServerUnavailable as error:
                    # All nodes may be slow for once, but not twice.
                    blind += 1
                    doom = error.user_message if blind > 1 else None
                if doom and self._reading is not None and self._progress_at == progress_at:
                    self._doom = doom
                    self._reading.cancel()

    async def aclose(self) -> None:
        """End it. The cluster is told that an answer which is not whole is not wanted any more."""
        self._watching.cancel()
        if self._answer is not None:
            await self._answer.aclose()
        command = identifier(self._completion.completion_id)
        over = self._whole or self._completion.ended
        # Before the first piece nobody knows its id: of the cluster's tasks only the prompts, which
        # are never read, would tell it from another's.
        if command and not over and self._completion.finish_reason is None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(self._limits.cancel_s):
                await self._cancel(command)

    @property
    def _progress_at(self) -> float:
        return self._asked_at if self._answer is None else self._answer.progress_at

    async def _unless_doomed(self, step: Awaitable[T]) -> T:
        try:
            with anyio.CancelScope() as self._reading:
                return await step
        except ServerUnavailable as error:
            self.failed = True
            if isinstance(error, Unreachable):
                # That was one node, and no word about the cluster.
                raise ServerUnavailable(error.user_message) from error
            raise
        finally:
            self._reading = None
        self.failed = True
        raise ServerUnavailable(
            f"The answer of {self._endpoint.name} will not come: {self._doom}. Ask again."
        )

    async def _fate(self, view: View) -> str | None:
        """Why no answer will come, for a person; None while one may."""
        if self._gateway in view.gone:
            return f"the node that was asked is not alive: {view.gone[self._gateway].reason}"
        bad: dict[str, str] = {}
        for instance in self.candidates:
            standing = view.standings.get(instance.id)
            if standing is None:
                bad[instance.id] = "the cluster does not have the model's instance any more"
            elif standing.problem is not None:
                bad[instance.id] = f"of the model's instance, {standing.problem}"
        if not bad:
            return None
        serving = set(bad)
        if len(bad) < len(self.candidates):
            serving &= await self._serving(view)
        return next((reason for instance_id, reason in bad.items() if instance_id in serving), None)

    async def _serving(self, view: View) -> set[str]:
        """The instances that may be at work on this answer, by their tasks."""
        told = await self._api.get(view.url, "/state/tasks", limit_bytes=MAX_LONG_BYTES)
        tasks = read_tasks(told)
        own = {task.instance for task in tasks if task.command == self._completion.completion_id}
        return own or {task.instance for task in tasks if task.open}

    async def _cancel(self, command: str) -> None:
        """Through the node that was asked, or else through another."""
        view = self._lookout.last
        others = view.urls.values() if view is not None else ()
        for url in dict.fromkeys((self._endpoint.root, *others)):
            try:
                await self._api.post(url, f"/v1/cancel/{quote(command, safe='')}", {})
            except ServerUnavailable:
                # Not that one; exo gives the answer up by itself in the end.
                continue
            return
