"""What fits into a model's context, and what a server silently leaves unread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_model_server import FakeModelServer, answers, events_of, fails, prompt
from kowalski.errors import ContextTooLarge, RequestRefused
from kowalski.inference.model_notes import ModelNotes
from kowalski.inference.pool.context_window import AGAIN_S, MATTERS_FROM
from kowalski.inference.pool.pool import Pool
from kowalski.inference.pool.refused_lengths import BELIEVED_S
from kowalski.model.chat import Done, ServedModel, Text, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fake_model_server import Behaviour
    from kowalski.model.chat import ChatEvent, ChatRequest


def silently_reads(limit: int) -> Behaviour:
    """A server that cuts prompts to `limit` tokens, one a word, and says nothing."""

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        read = min(limit, len(request.messages[-1].content.split()))
        async for event in answers("x", prompt_tokens=read)(request):
            yield event

    return behave


def telling(tokens: int | None) -> list[ServedModel]:
    return [ServedModel(name="m", state="loaded", context_tokens=tokens)]


@given(words=st.integers(1, 300), context=st.integers(1, 300))
async def test_what_fits_is_sent_and_what_surely_does_not_is_refused(
    words: int, context: int
) -> None:
    server = FakeModelServer("a", models=telling(context))
    async with Pool([server]) as pool:
        if words <= context:
            await pool.complete(prompt("word " * words))
            assert len(server.asked) == 1
        else:
            with pytest.raises(ContextTooLarge, match=f"reads {context} at most") as raised:
                await pool.complete(prompt("word " * words))
            assert raised.value.limit_tokens == context
            assert not server.asked


async def test_a_long_prompt_goes_where_the_context_is_wide_enough() -> None:
    narrow = FakeModelServer("a", models=telling(100))
    wide = FakeModelServer("b", models=telling(1000))
    async with Pool([narrow, wide]) as pool:
        for _ in range(3):
            assert (await pool.complete(prompt("word " * 500))).served_by == "b"


async def test_a_limit_that_a_refusal_names_is_remembered() -> None:
    server = FakeModelServer("a", script=[fails(ContextTooLarge("Too long.", 100))])
    async with Pool([server]) as pool:
        for _ in range(2):
            with pytest.raises(ContextTooLarge):
                await pool.complete(prompt("word " * 200))
        assert len(server.asked) == 1
        assert [score.reads_tokens for score in await pool.explain_for("m")] == [100]
        await pool.complete(prompt("word " * 90))
    # Nobody else would doubt it.
    assert server.notes.of("m").reads is None


async def test_a_limit_that_a_refusal_names_is_forgotten_after_some_minutes() -> None:
    server = FakeModelServer("a", script=[fails(ContextTooLarge("Too long.", 100))])
    async with Pool([server]) as pool:
        with pytest.raises(ContextTooLarge):
            await pool.complete(prompt("word " * 200))
        await anyio.sleep(BELIEVED_S - 1)
        with pytest.raises(ContextTooLarge):
            await pool.complete(prompt("word " * 200))
        await anyio.sleep(1)
        await pool.complete(prompt("word " * 200))


async def test_it_is_forgotten_when_the_server_was_away() -> None:
    server = FakeModelServer("a", script=[fails(ContextTooLarge("Too long.", 100))])
    async with Pool([server]) as pool:
        with pytest.raises(ContextTooLarge):
            await pool.complete(prompt("word " * 200))
        server.listing_problem = "It is being started."
        await pool.models()
        server.listing_problem = None
        await pool.models()
        await pool.complete(prompt("word " * 200))


async def test_it_is_forgotten_when_the_server_lists_something_else() -> None:
    server = FakeModelServer("a", script=[fails(ContextTooLarge("Too long.", 100))])
    async with Pool([server]) as pool:
        with pytest.raises(ContextTooLarge):
            await pool.complete(prompt("word " * 200))
        server.served = [ServedModel(name="m", state="loading"), *server.served]
        await pool.models()
        await pool.complete(prompt("word " * 200))


async def test_it_holds_for_the_name_that_the_server_does_not_spell_out() -> None:
    latest = [ServedModel(name="m:latest", state="loaded")]
    server = FakeModelServer("a", models=latest, script=[fails(ContextTooLarge("Too long.", 100))])
    async with Pool([server]) as pool:
        for _ in range(2):
            with pytest.raises(ContextTooLarge):
                await pool.complete(prompt("word " * 200))
    assert len(server.asked) == 1


async def test_what_was_found_out_earlier_holds() -> None:
    notes = ModelNotes()
    notes.reads("m", 100)
    server = FakeModelServer("a", notes=notes)
    async with Pool([server]) as pool:
        with pytest.raises(ContextTooLarge):
            await pool.complete(prompt("word " * 200))
    assert not server.asked


async def test_what_was_found_out_is_explained_and_what_a_server_tells_is_not() -> None:
    cutting = FakeModelServer("a", otherwise=silently_reads(4096))
    telling_one = FakeModelServer("b", models=telling(100_000))
    async with Pool([cutting, telling_one]) as pool:
        before = {one.server: one.asked_how_much for one in await pool.explain_for("m")}
        await pool.complete(prompt("word " * 6000))
        after = {
            one.server: (one.reads_tokens, one.asked_how_much)
            for one in await pool.explain_for("m")
        }
    assert before == {"a": False, "b": False}
    assert after == {"a": (4096, True), "b": (100_000, False)}


async def test_an_answer_to_less_than_was_given_is_marked() -> None:
    server = FakeModelServer("a", otherwise=silently_reads(1000))
    async with Pool([server], probing=False) as pool:
        assert (await pool.complete(prompt("word " * 2000))).input_truncated
        assert not (await pool.complete(prompt("word " * 1000))).input_truncated
        last = (await events_of(pool, "word " * 2000))[-1]
    assert last == Done(finish_reason="stop", served_by="a", input_truncated=True)


def cuts_to(limit: int) -> Behaviour:
    """As `silently_reads`, with a token for each four characters."""

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        read = min(limit, len(request.messages[-1].content) // 4)
        async for event in answers("x", prompt_tokens=read)(request):
            yield event

    return behave


def minified(entries: int) -> str:
    """JSON without a blank, about 50 characters an entry."""
    entry = '{{"identifier":{n},"owner":"person-{n}","active":true}}'
    return ",".join(entry.format(n=n) for n in range(entries))


async def test_a_text_without_blanks_that_is_surely_too_long_is_not_sent() -> None:
    server = FakeModelServer("a", models=telling(4096))
    async with Pool([server]) as pool:
        with pytest.raises(ContextTooLarge, match="reads 4,096 at most"):
            await pool.complete(prompt(minified(2300)))
    assert not server.asked


@pytest.mark.parametrize("limit", [512, 1024, 4096])
async def test_an_answer_to_a_prompt_that_was_cut_at_the_known_limit_is_marked(limit: int) -> None:
    server = FakeModelServer("a", models=telling(limit), otherwise=cuts_to(limit - 2))
    async with Pool([server]) as pool:
        assert (await pool.complete(prompt(minified(limit // 10)))).input_truncated
        assert not (await pool.complete(prompt(minified(limit // 20)))).input_truncated


async def test_far_fewer_tokens_than_any_text_of_that_length_has_are_noticed() -> None:
    server = FakeModelServer("a", otherwise=cuts_to(2048))
    async with Pool([server], probing=False) as pool:
        assert (await pool.complete(prompt(minified(800)))).input_truncated


@pytest.mark.parametrize(
    "text",
    [" " * 40_000 + "word " * 300, "=" * 40_000, "a" * 40_000, "    x = 1\n" * 400, "กา" * 4000],
    ids=["blanks", "rules", "letters", "code", "thai"],
)
async def test_texts_of_few_tokens_are_neither_refused_nor_marked(text: str) -> None:
    server = FakeModelServer("a", models=telling(4096), otherwise=answers("x", prompt_tokens=1400))
    async with Pool([server]) as pool:
        assert not (await pool.complete(prompt(text))).input_truncated


async def test_a_small_context_is_found_out_as_well() -> None:
    server = FakeModelServer("a", otherwise=silently_reads(511))
    async with Pool([server]) as pool:
        with pytest.raises(ContextTooLarge, match="reads 511 at most"):
            await pool.complete(prompt("word " * 3000))


async def test_a_server_that_cuts_silently_is_found_out_before_the_first_long_prompt() -> None:
    server = FakeModelServer("a", otherwise=silently_reads(4096))
    async with Pool([server]) as pool:
        await pool.complete(prompt("short"))
        assert len(server.asked) == 1
        with pytest.raises(ContextTooLarge, match="reads 4,096 at most"):
            await pool.complete(prompt("word " * 6000))
        probe = server.asked[1]
        assert probe.max_tokens == 1
        assert (len(server.asked), server.notes.of("m").reads) == (2, 4096)


async def test_a_prompt_that_one_server_would_cut_goes_to_another() -> None:
    cutting = FakeModelServer("a", otherwise=silently_reads(4096))
    whole = FakeModelServer("b", models=telling(100_000))
    async with Pool([cutting, whole]) as pool:
        assert (await pool.complete(prompt("word " * 6000))).served_by == "b"
        assert len(cutting.asked) == 1


async def test_a_prompt_that_one_server_refuses_as_too_long_goes_to_another_and_then_straight() -> (
    None
):
    small = FakeModelServer("a", otherwise=fails(ContextTooLarge("Too long.", 1000)))
    large = FakeModelServer("b", slots=1)
    async with Pool([small, large]) as pool:
        for _ in range(3):
            assert (await pool.complete(prompt("word " * 1200))).served_by == "b"
    assert len(small.asked) == 1


async def test_where_all_refuse_it_the_widest_is_told() -> None:
    servers = [
        FakeModelServer(str(limit), otherwise=fails(ContextTooLarge(f"Reads {limit}.", limit)))
        for limit in (700, 900, 800)
    ]
    async with Pool(servers) as pool:
        with pytest.raises(ContextTooLarge, match="Reads 900"):
            await pool.complete(prompt("word " * 600))
    assert [len(server.asked) for server in servers] == [1, 1, 1]


async def test_one_probe_answers_for_all_prompts_of_its_size() -> None:
    server = FakeModelServer("a", otherwise=silently_reads(1_000_000))
    async with Pool([server]) as pool:
        for _ in range(10):
            await pool.complete(prompt("word " * 3000))
    assert [request.max_tokens for request in server.asked].count(1) == 1


async def test_prompts_that_come_together_share_a_probe_and_short_ones_do_not_wait_for_it() -> None:
    async def slow(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        await anyio.sleep(5 if request.max_tokens == 1 else 0)
        async for event in silently_reads(1_000_000)(request):
            yield event

    server = FakeModelServer("a", otherwise=slow)
    async with Pool([server]) as pool, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(pool.complete, prompt("word " * 3000))
        await anyio.sleep(1)
        assert (await pool.complete(prompt("short"))).latency_ms == 0
    assert [request.max_tokens for request in server.asked].count(1) == 1


async def test_no_probe_is_sent_to_a_server_that_tells_its_context() -> None:
    server = FakeModelServer("a", models=telling(100_000))
    async with Pool([server]) as pool:
        await pool.complete(prompt("word " * 3000))
    assert len(server.asked) == 1


async def test_a_server_that_refuses_rather_than_cuts_is_probed_once() -> None:
    for refusal in (ContextTooLarge("Too long."), RequestRefused("No.")):
        server = FakeModelServer("a", script=[fails(refusal)])
        async with Pool([server]) as pool:
            for _ in range(3):
                await pool.complete(prompt("word " * (MATTERS_FROM + 1)))
        assert [request.max_tokens for request in server.asked] == [1, None, None, None]


async def test_a_server_that_counts_no_tokens_is_probed_once() -> None:
    async def uncounted(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        async for event in answers("x")(request):
            if not isinstance(event, Usage):
                yield event

    server = FakeModelServer("a", otherwise=uncounted)
    async with Pool([server]) as pool:
        for length in (3000, 3000, 30_000):
            result = await pool.complete(prompt("word " * length))
            assert (result.text, result.input_truncated) == ("x", False)
    assert [request.max_tokens for request in server.asked] == [1, None, None, None]


async def test_a_count_that_no_context_could_have_is_not_believed() -> None:
    server = FakeModelServer("a", otherwise=answers("x", prompt_tokens=7))
    async with Pool([server]) as pool:
        result = await pool.complete(prompt("word " * 6000))
        assert (result.text, result.input_truncated) == ("x", False)
        assert server.notes.of("m").reads is None


async def test_a_server_that_fails_its_probe_is_replaced() -> None:
    bad = FakeModelServer("a", script=[fails()])
    good = FakeModelServer("b", models=telling(100_000))
    async with Pool([bad, good]) as pool, pool.chat(prompt("word " * 3000)) as events:
        assert isinstance(await anext(events), Text)
    assert (len(bad.asked), len(good.asked)) == (1, 1)


def reads_slowly(each_s: float) -> Behaviour:
    """A server that counts nothing, and takes `each_s` for each thousand words of a prompt."""

    async def behave(request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        await anyio.sleep(len(request.messages[-1].content.split()) / 1000 * each_s)
        yield Text(text="read")
        yield Done(finish_reason="stop")

    return behave


async def test_a_probe_takes_half_of_its_prompts_time_at_most_and_is_not_sent_again_at_once() -> (
    None
):
    server = FakeModelServer("a", otherwise=reads_slowly(10))
    async with Pool([server]) as pool:
        for _ in range(2):
            assert (await pool.complete(prompt("word " * 4000, timeout_s=100))).text == "read"
        assert [request.max_tokens for request in server.asked] == [1, None, None]
        await anyio.sleep(AGAIN_S)
        assert (await pool.complete(prompt("word " * 4000, timeout_s=600))).text == "read"
    assert [request.max_tokens for request in server.asked[3:]] == [1, None]


async def test_whoever_waits_for_anothers_probe_does_so_for_half_of_the_own_time() -> None:
    server = FakeModelServer("a", otherwise=reads_slowly(10))
    async with Pool([server]) as pool, anyio.create_task_group() as tasks:
        tasks.start_soon(pool.complete, prompt("word " * 4000))
        await anyio.sleep(1)
        assert (await pool.complete(prompt("word " * 4000, timeout_s=90))).text == "read"
        tasks.cancel_scope.cancel()


async def test_a_probe_that_fails_costs_one_attempt() -> None:
    server = FakeModelServer("a", script=[fails()], otherwise=reads_slowly(1))
    async with Pool([server]) as pool:
        assert (await pool.complete(prompt("word " * 4000))).text == "read"
    assert [request.max_tokens for request in server.asked] == [1, None]
