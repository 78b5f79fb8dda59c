"""A server of which one model is broken, in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from doubles.completion_server import (
    CHAT,
    DONE,
    MODELS,
    completion_server,
    delta,
    finish,
    json_reply,
    stream,
    usage,
)
from kowalski.inference.openai.server import OpenAIServer
from kowalski.inference.pool.batch import PATIENCE_S, run_batch
from kowalski.inference.pool.pool import Pool
from kowalski.model.chat import ChatMessage, ChatRequest

if TYPE_CHECKING:
    from doubles.completion_server import Wire

ANSWER = stream(delta(content="Hi"), finish(), usage(5, 1), DONE)


async def hang_up_on_bad(wire: Wire) -> None:
    """Answer for every model but `bad`."""
    if wire.heard.json()["model"] == "bad":
        await wire.stream.aclose()
    else:
        await ANSWER(wire)


async def test_prompts_for_its_other_models_are_answered_meanwhile() -> None:
    listing = json_reply({"data": [{"id": "bad"}, {"id": "good"}]})
    hello = (ChatMessage("user", "Hello"),)
    requests = [ChatRequest(messages=hello, model=m) for m in ["bad", "good"] * 30 + ["good"] * 40]
    async with (
        completion_server({CHAT: hang_up_on_bad, MODELS: listing}) as server,
        OpenAIServer(server.url) as client,
        Pool([client]) as pool,
        run_batch(pool, requests, in_order=False) as batch,
    ):
        with anyio.fail_after(PATIENCE_S / 2):
            while batch.progress.per_server.get(client.name) != 70:
                await anext(batch)
        assert batch.progress.failed < 15
