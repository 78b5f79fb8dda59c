"""A server with one small model, which greets whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doubles.completion_server import CHAT, DONE, MODELS, delta, finish, json_reply, stream, usage
from kowalski.model.chat import ChatMessage, ChatRequest

if TYPE_CHECKING:
    from doubles.completion_server import Reply

LISTED = json_reply({"data": [{"id": "small"}]})
GREETING = stream(
    delta(content="good "),
    delta(content="day"),
    finish(),
    usage(5, 2),
    DONE,
)


def ask(text: str = "hello", model: str | None = "small") -> ChatRequest:
    return ChatRequest(messages=(ChatMessage("user", text),), model=model, timeout_s=30)


def serving(chat: Reply) -> dict[str, Reply | list[Reply]]:
    return {MODELS: LISTED, CHAT: chat}
