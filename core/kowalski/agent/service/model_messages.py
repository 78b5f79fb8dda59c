"""What a face may ask of an agent about language models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from kowalski.agent.service.message import Message
from kowalski.agent.service.messages import RunStart
from kowalski.model.chat import ChatEvent, ChatRequest, ChatResult
from kowalski.model.server import BatchRequest, ServerEntry, ServerInfo


@dataclass(frozen=True, slots=True)
class ChatOpened:
    """A chat that was begun, and will end with its connection."""

    chat_id: int


@dataclass(frozen=True, slots=True)
class ChatBatch:
    """Events of a chat in order; none at all after the last."""

    events: tuple[ChatEvent, ...]


@dataclass(frozen=True, slots=True)
class OpenChat(Message[ChatOpened]):
    """Ask a language model, to follow its answer."""

    request: ChatRequest
    op: Literal["open_chat"] = "open_chat"
    answer: ClassVar[Any] = ChatOpened


@dataclass(frozen=True, slots=True)
class ReadChat(Message[ChatBatch]):
    """What has come of an answer since the last time; waits for something. Raises why it failed."""

    chat_id: int
    op: Literal["read_chat"] = "read_chat"
    answer: ClassVar[Any] = ChatBatch


@dataclass(frozen=True, slots=True)
class CloseChat(Message[None]):
    """End a chat, on its server too."""

    chat_id: int
    op: Literal["close_chat"] = "close_chat"
    answer: ClassVar[Any] = None


@dataclass(frozen=True, slots=True)
class Complete(Message[ChatResult]):
    """Ask a language model and wait for the whole answer."""

    request: ChatRequest
    op: Literal["complete"] = "complete"
    answer: ClassVar[Any] = ChatResult


@dataclass(frozen=True, slots=True)
class StartBatch(Message[RunStart]):
    """Ask many prompts at once, as a run whose output is a line of JSON for each outcome."""

    request: BatchRequest
    op: Literal["start_batch"] = "start_batch"
    answer: ClassVar[Any] = RunStart


@dataclass(frozen=True, slots=True)
class ListServers(Message[tuple[ServerInfo, ...]]):
    """The servers of language models, asked now what they have."""

    op: Literal["list_servers"] = "list_servers"
    answer: ClassVar[Any] = tuple[ServerInfo, ...]


@dataclass(frozen=True, slots=True)
class AddServer(Message[ServerInfo]):
    """Know a server from now on; the file of servers keeps it."""

    entry: ServerEntry
    key: str | None = field(default=None, repr=False)
    op: Literal["add_server"] = "add_server"
    answer: ClassVar[Any] = ServerInfo


@dataclass(frozen=True, slots=True)
class RemoveServer(Message[None]):
    """Forget a server that was added."""

    name: str
    op: Literal["remove_server"] = "remove_server"
    answer: ClassVar[Any] = None


MODEL_QUESTIONS: tuple[type[Message[Any]], ...] = (
    OpenChat,
    ReadChat,
    CloseChat,
    Complete,
    StartBatch,
    ListServers,
    AddServer,
    RemoveServer,
)
"""All that can be asked about language models."""
