"""Answers what one connection asks about language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kowalski.agent.models.followed import Followed
from kowalski.agent.models.live_chat import LiveChat
from kowalski.agent.service.messages import RunStart
from kowalski.agent.service.model_messages import (
    AddServer,
    ChatBatch,
    ChatOpened,
    CloseChat,
    Complete,
    Explain,
    ListServers,
    OpenChat,
    OpenPlacement,
    PlacementOpened,
    ReadChat,
    ReadPlacement,
    RemoveModel,
    RemoveServer,
    StartBatch,
    WithdrawPlacement,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.agent.agent import Agent
    from kowalski.agent.conduct.lease import Lease
    from kowalski.agent.service.message import Message
    from kowalski.inference.exo.placing import Placing
    from kowalski.model.chat import ChatResult
    from kowalski.model.placement import PlacementEnd, PlacementStep, Removal
    from kowalski.model.score import InferenceScore
    from kowalski.model.server import ServerInfo


class ModelDesk:
    """Answers one face. Its chats and placements end with `close`; its batches with its lease."""

    def __init__(self, agent: Agent, lease: Lease) -> None:
        self._agent = agent
        self._lease = lease
        self._chats: Followed[LiveChat] = Followed("chat")
        self._placements: Followed[Placing] = Followed("placement")
        self.answers: dict[type[Message[Any]], Callable[[Any], Awaitable[Any]]] = {
            OpenChat: self._open_chat,
            ReadChat: self._read_chat,
            CloseChat: self._close_chat,
            Complete: self._complete,
            StartBatch: self._start_batch,
            ListServers: self._list_servers,
            AddServer: self._add_server,
            RemoveServer: self._remove_server,
            Explain: self._explain,
            OpenPlacement: self._open_placement,
            ReadPlacement: self._read_placement,
            WithdrawPlacement: self._withdraw_placement,
            RemoveModel: self._remove_model,
        }

    def close(self) -> None:
        """The face has gone: end the chats and the placements that it left."""
        self._chats.close_all()
        self._placements.close_all()

    async def _open_chat(self, message: OpenChat) -> ChatOpened:
        servers = await self._agent.models.servers()
        chat = LiveChat(message.request, self._lease.principal)
        self._agent.tasks.start_soon(chat.follow, servers.pool)
        return ChatOpened(self._chats.add(chat))

    async def _read_chat(self, message: ReadChat) -> ChatBatch:
        return ChatBatch(tuple(await self._chats.get(message.chat_id).read()))

    async def _close_chat(self, message: CloseChat) -> None:
        self._chats.close(message.chat_id)

    async def _complete(self, message: Complete) -> ChatResult:
        servers = await self._agent.models.servers()
        return await servers.pool.complete(message.request, principal=self._lease.principal)

    async def _start_batch(self, message: StartBatch) -> RunStart:
        run = await self._agent.start_batch(message.request, self._lease)
        return RunStart(run.run_id, None)

    async def _list_servers(self, message: ListServers) -> tuple[ServerInfo, ...]:
        return await (await self._agent.models.servers()).list()

    async def _add_server(self, message: AddServer) -> ServerInfo:
        return await (await self._agent.models.servers()).add(message.entry, message.key)

    async def _remove_server(self, message: RemoveServer) -> None:
        await (await self._agent.models.servers()).remove(message.name)

    async def _explain(self, message: Explain) -> tuple[InferenceScore, ...]:
        servers = await self._agent.models.servers()
        return await servers.pool.explain_for(message.model)

    async def _open_placement(self, message: OpenPlacement) -> PlacementOpened:
        servers = await self._agent.models.servers()
        cluster = servers.cluster(message.request.server)
        return PlacementOpened(self._placements.add(cluster.place(message.request)))

    async def _read_placement(self, message: ReadPlacement) -> PlacementStep:
        return await self._placements.get(message.placement_id).read()

    async def _withdraw_placement(self, message: WithdrawPlacement) -> PlacementEnd:
        return await self._placements.get(message.placement_id).withdraw()

    async def _remove_model(self, message: RemoveModel) -> Removal:
        return await (await self._agent.models.servers()).unload(message.request)
