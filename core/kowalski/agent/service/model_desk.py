"""Answers what one connection asks about language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kowalski.agent.models.live_chat import Chats, LiveChat
from kowalski.agent.service.messages import RunStart
from kowalski.agent.service.model_messages import (
    AddServer,
    ChatBatch,
    ChatOpened,
    CloseChat,
    Complete,
    ListServers,
    OpenChat,
    ReadChat,
    RemoveServer,
    StartBatch,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kowalski.agent.agent import Agent
    from kowalski.agent.conduct.lease import Lease
    from kowalski.agent.service.message import Message
    from kowalski.model.chat import ChatResult
    from kowalski.model.server import ServerInfo


class ModelDesk:
    """Answers one face. Its chats end with `close`; its batches with its lease."""

    def __init__(self, agent: Agent, lease: Lease) -> None:
        self._agent = agent
        self._lease = lease
        self._chats = Chats()
        self.answers: dict[type[Message[Any]], Callable[[Any], Awaitable[Any]]] = {
            OpenChat: self._open_chat,
            ReadChat: self._read_chat,
            CloseChat: self._close_chat,
            Complete: self._complete,
            StartBatch: self._start_batch,
            ListServers: self._list_servers,
            AddServer: self._add_server,
            RemoveServer: self._remove_server,
        }

    def close(self) -> None:
        """The face has gone: end the chats that it left."""
        self._chats.close_all()

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
