"""Calls of language models: what is asked, what happens, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeAlias

Role = Literal["system", "user", "assistant", "tool"]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why a model stopped by itself. A stream that ends without one was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that the model wants called. `arguments` is JSON as the model wrote it, complete."""

    id: str
    name: str
    arguments: str
    type: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation.

    Attributes:
        tool_calls: what the assistant wanted called, in a message of its.
        tool_call_id: the call that a message of a tool answers.
    """

    role: Role
    content: str
    _: KW_ONLY
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A prompt for a language model.

    Attributes:
        messages: the conversation, oldest first; never logged.
        model: as the servers name it; None for the default, or the only one that is loaded.
        max_tokens: the most that the answer may have.
        temperature: None for the server's own.
        stop: texts at which the answer ends.
        json_schema: the answer must be JSON that satisfies it.
        tools: what the model may want called, each as OpenAI's API has it:
            `{"type": "function", "function": {"name": ..., "parameters": {...}}}`.
        tool_choice: `auto`, `none`, `required`, or the tool that must be called, as OpenAI's API
            has it; None for the server's own. exo takes no notice of it.
        timeout_s: seconds for the whole call, its retries included.
    """

    messages: tuple[ChatMessage, ...]
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A piece of the answer."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """A piece of what the model thought before it answered."""

    text: str
    type: Literal["reasoning"] = "reasoning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that were read and written, as the server counted them."""

    prompt_tokens: int
    completion_tokens: int
    type: Literal["usage"] = "usage"

    def counts(self) -> dict[str, int]:
        """The numbers alone, as an answer's `usage` has them."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """The answer begins anew, on `server`: forget the text so far. `reason` is for a person."""

    server: str
    reason: str
    type: Literal["restarted"] = "restarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The answer is whole.

    `served_by` is the server that gave it, where a pool chose one; `input_truncated`: it seems to
    have read less than it was given.
    """

    finish_reason: FinishReason
    served_by: str | None = None
    input_truncated: bool = False
    type: Literal["done"] = "done"


ChatEvent: TypeAlias = Text | Reasoning | ToolCall | Usage | Restarted | Done


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatResult:
    """A whole answer.

    Attributes:
        latency_ms: from the request to the end.
        first_token_ms: from the request to the first piece of text, reasoning or tool call.
        served_by: the server that gave it.
        restarted: how often the answer began anew.
        input_truncated: the server seems to have read less than it was given.
    """

    text: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason
    usage: Usage | None = None
    latency_ms: float
    first_token_ms: float | None = None
    served_by: str
    restarted: int = 0
    input_truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFailure:
    """Why a prompt has no answer: an error's code and message, and what had come by then."""

    code: str
    message: str
    partial_text: str = ""
    served_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptOutcome:
    """What became of one prompt of a batch; exactly one of `result` and `failure` is there."""

    index: int
    result: ChatResult | None = None
    failure: ChatFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model as one server has it.

    Attributes:
        name: what requests call it.
        state: `loaded`: answers at once; `loading`; `downloaded`: can be loaded; `listed`: the
            server names it and does not say more.
        on_demand: whether its server loads it by itself when it is asked.
        context_tokens: what it can read and write together, where the server tells.
        instances: where it is loaded, for a cluster.
    """

    name: str
    state: Literal["loaded", "loading", "downloaded", "listed"]
    context_tokens: int | None = None
    on_demand: bool = False
    instances: tuple[ModelInstance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInstance:
    """A model loaded on some nodes of a cluster.

    `nodes` are their friendly names. `progress` is the part that is loaded, 0 to 1.
    """

    id: str
    nodes: tuple[str, ...]
    sharding: str
    ready: bool
    progress: float = 1.0
    problem: str | None = None
