"""What a model answers, from the events of `/v1/chat/completions`.

When is an answer whole? When the model said why it stopped: its `finish_reason` came, and no error
with it. `[DONE]` alone will do if some answer came and every tool call in it is whole, as some
servers never name a reason. Everything else was cut.

An answer with nothing in it is whole only if something accounts for that: the server counted its
tokens (`usage`), or the reason is `length` or `content_filter`. exo answers 200 and nothing at all
when a runner has died.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from kowalski.errors import ServerUnavailable
from kowalski.inference.completions.delta_text import delta_text
from kowalski.inference.completions.refusal import Complaint, refusal
from kowalski.inference.completions.thoughts import Thoughts, named_a_thinker
from kowalski.inference.completions.tool_calls import ToolCallPieces, TooManyToolCalls
from kowalski.inference.model_server import ServerFault
from kowalski.model.chat import ChatEvent, Done, FinishReason, Reasoning, Text, Usage

if TYPE_CHECKING:
    from kowalski.inference.completions.endpoint import Endpoint
    from kowalski.inference.completions.event_stream import ServerSentEvent

_LAST: Final = "[DONE]"
MAX_ANSWER_CHARACTERS: Final = 4 * 1024 * 1024
"""Of text, thoughts and what tools are called with, together."""

_CARRYING: Final = ("content", "refusal", "reasoning_content", "reasoning", "tool_calls")
_LARGEST_COUNT: Final = 10**12
_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class Completion:
    """Reads one answer.

    Attributes:
        completion_id: what the server calls the answer, as soon as it said so.
        begun: whether any text, thought or tool call has come.
        ended: whether the server said that nothing more comes.
        finish_reason: why the model stopped, as soon as it said so.
        steps: how many events carried something: text, thoughts, a piece of a tool call, another
            count of tokens, or an end.
    """

    def __init__(
        self, endpoint: Endpoint, model: str | None, *, begins_thinking: bool | None = None
    ) -> None:
        """`begins_thinking`: whether this model begins inside a thought; None if unknown."""
        self.completion_id: str | None = None
        self.begun = False
        self.ended = False
        self.finish_reason: FinishReason | None = None
        self.steps = 0
        self._endpoint = endpoint
        self._model = model
        guess = named_a_thinker(model or "") if begins_thinking is None else begins_thinking
        self._thoughts = Thoughts(begins_inside=guess)
        self._tools = ToolCallPieces()
        self._usage: Usage | None = None
        self._spoke = False
        self._characters = 0

    @property
    def begins_thinking(self) -> bool | None:
        """What this answer showed: whether its model begins inside a thought; None: nothing."""
        return self._thoughts.began_inside

    def take(self, event: ServerSentEvent) -> list[ChatEvent]:
        """What `event` adds to the answer.

        Raises:
            KowalskiError: it is an error of the server's, told as callers know it.
            ServerUnavailable: it is nonsense.
            ServerFault: the answer is longer than any that is meant.
        """
        data = event.data.strip()
        if self.ended or not data:
            return []
        if data == _LAST:
            self.ended = True
            self.steps += 1
            return []
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            if event.event == "error":
                raise self._refused(data) from error
            if not event.complete:
                return []
            raise self._nonsense("no JSON") from error
        if event.event == "error" or _is_error(value):
            raise self._refused(value)
        if not isinstance(value, dict):
            if not event.complete:
                return []
            raise self._nonsense("no JSON object")
        return self._take_chunk(value)

    def end(self) -> list[ChatEvent]:
        """What was kept for the end, and `Done`.

        Raises:
            ServerUnavailable: the answer is not whole.
        """
        last: list[ChatEvent] = [*self._thoughts.end(cut=self.finish_reason == "length")]
        self._note(last)
        reason = self.finish_reason
        calls = self._tools.joined(cut=reason in (None, "length"))
        if reason is None:
            lost = len(self._tools) - len(calls)
            if not self.ended or lost or not (self._spoke or calls):
                raise self._cut()
            reason = "stop"
        accounted = self._usage is not None or reason in ("length", "content_filter")
        if not (self.begun or accounted) or (reason == "tool_calls" and not calls):
            raise ServerUnavailable(
                f"{self._endpoint.name} says that its answer is whole, but nothing is in it. Ask "
                "again; if it stays so, its log may say why."
            )
        last += calls
        if self._usage is not None:
            last.append(self._usage)
        last.append(Done(finish_reason=reason))
        return last

    def _take_chunk(self, chunk: dict[str, Any]) -> list[ChatEvent]:
        if self.completion_id is None and isinstance(chunk.get("id"), str):
            self.completion_id = chunk["id"]
        counted = _usage(chunk.get("usage"))
        carries = counted not in (None, self._usage)
        self._usage = counted or self._usage
        choice = _first_choice(chunk.get("choices"))
        delta = choice.get("delta") or choice.get("message")
        events = self._take_delta(delta) if isinstance(delta, dict) else []
        reason = choice.get("finish_reason")
        told = isinstance(delta, dict) and any(delta.get(name) for name in _CARRYING)
        self.steps += bool(carries or told or reason)
        if isinstance(reason, str) and reason:
            known = _REASONS.get(reason.lower())
            if known is None:
                raise ServerUnavailable(
                    f"{self._endpoint.name} gave its answer up: {self._endpoint.quote(reason)!r}. "
                    "Ask again."
                )
            self.finish_reason = known
        return events

    def _take_delta(self, delta: dict[str, Any]) -> list[ChatEvent]:
        events: list[ChatEvent] = []
        if thought := delta_text(delta.get("reasoning_content")) or delta_text(
            delta.get("reasoning")
        ):
            events += self._thoughts.told_apart()
            events.append(Reasoning(text=thought))
        if text := delta_text(delta.get("content")) or delta_text(delta.get("refusal")):
            self.begun = True
            events += self._thoughts.divide(text)
        self._note(events)
        self._characters += len(thought) + len(text)
        pieces = delta.get("tool_calls")
        for position, piece in enumerate(pieces if isinstance(pieces, list) else []):
            if isinstance(piece, dict):
                self.begun = True
                try:
                    self._tools.add(piece, position)
                except TooManyToolCalls as error:
                    raise self._nonsense(str(error)) from error
        if self._characters + self._tools.characters > MAX_ANSWER_CHARACTERS:
            raise ServerFault(
                f"{self._endpoint.name} sent an answer of more than "
                f"{MAX_ANSWER_CHARACTERS // 2**20} million characters, which is not kept. Set "
                "max_tokens, or ask for less."
            )
        return events

    def _note(self, events: list[ChatEvent]) -> None:
        self.begun = self.begun or bool(events)
        self._spoke = self._spoke or any(isinstance(event, Text) for event in events)

    def _refused(self, value: Any) -> Exception:
        return refusal(self._endpoint, Complaint.of_value(value), model=self._model)

    def _nonsense(self, what: str) -> ServerUnavailable:
        return ServerUnavailable(
            f"{self._endpoint.name} sent an answer that cannot be read ({what}). Is it an "
            "OpenAI-compatible server?"
        )

    def _cut(self) -> ServerUnavailable:
        how = "broke off its answer" if self.begun else "sent an empty answer"
        return ServerUnavailable(
            f"{self._endpoint.name} {how}: the model or its computer may have gone. Ask again."
        )


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.get("error") or value.get("object") == "error")


def _first_choice(choices: Any) -> dict[str, Any]:
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict) and choice.get("index") in (None, 0):
            return choice
    return {}


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    counts = [value.get(name, 0) for name in ("prompt_tokens", "completion_tokens")]
    if not all(isinstance(count, int) and 0 <= count < _LARGEST_COUNT for count in counts):
        return None
    return Usage(prompt_tokens=counts[0], completion_tokens=counts[1])
