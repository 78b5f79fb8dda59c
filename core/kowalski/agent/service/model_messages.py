"""What a face may ask of an agent about language models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from kowalski.agent.service.message import Message
from kowalski.agent.service.messages import RunStart
from kowalski.model.chat import ChatEvent, ChatRequest, ChatResult
from kowalski.model.placement import (
    PlacementEnd,
    PlacementRequest,
    PlacementStep,
    Removal,
    RemovalRequest,
)
from kowalski.model.score import InferenceScore
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


@dataclass(frozen=True, slots=True)
class Explain(Message[tuple[InferenceScore, ...]]):
    """How servers would be chosen from for a prompt to `model`, or to none that is named."""

    model: str | None
    op: Literal["explain"] = "explain"
    answer: ClassVar[Any] = tuple[InferenceScore, ...]


@dataclass(frozen=True, slots=True)
class PlacementOpened:
    """A placement that was begun. It is withdrawn with its connection, unless it is ready."""

    placement_id: int


@dataclass(frozen=True, slots=True)
class OpenPlacement(Message[PlacementOpened]):
    """Load a model on a cluster, to follow it."""

    request: PlacementRequest
    op: Literal["open_placement"] = "open_placement"
    answer: ClassVar[Any] = PlacementOpened


@dataclass(frozen=True, slots=True)
class ReadPlacement(Message[PlacementStep]):
    """How far a placement is; waits until that is another than was told. Raises why it failed."""

    placement_id: int
    op: Literal["read_placement"] = "read_placement"
    answer: ClassVar[Any] = PlacementStep


@dataclass(frozen=True, slots=True)
class WithdrawPlacement(Message[PlacementEnd]):
    """Take away what a placement made, unless it is over, and wait until that is done."""

    placement_id: int
    op: Literal["withdraw_placement"] = "withdraw_placement"
    answer: ClassVar[Any] = PlacementEnd


@dataclass(frozen=True, slots=True)
class RemoveModel(Message[Removal]):
    """Take a model out of a cluster's memory."""

    request: RemovalRequest
    op: Literal["remove_model"] = "remove_model"
    answer: ClassVar[Any] = Removal


MODEL_QUESTIONS: tuple[type[Message[Any]], ...] = (
    OpenChat,
    ReadChat,
    CloseChat,
    Complete,
    StartBatch,
    ListServers,
    AddServer,
    RemoveServer,
    Explain,
    OpenPlacement,
    ReadPlacement,
    WithdrawPlacement,
    RemoveModel,
)
"""All that can be asked about language models."""
