"""Whatever happens to calls, every slot is free in the end."""

from __future__ import annotations

from functools import partial

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_model_server import Behaviour, FakeModelServer, answers, fails, hangs, prompt
from kowalski.errors import ContextTooLarge, KowalskiError, ModelUnavailable, RequestRefused
from kowalski.inference.pool.pool import Pool

behaviours: st.SearchStrategy[Behaviour] = st.one_of(
    st.floats(0, 3).map(lambda s: answers("x", "y", after_s=s)),
    st.floats(0, 3).map(lambda s: fails(None, after_s=s)),
    st.floats(0, 3).map(lambda s: fails(None, "half", after_s=s)),
    st.sampled_from(
        [
            fails(RequestRefused("No.")),
            fails(ContextTooLarge("Too long.")),
            fails(ModelUnavailable("Gone.")),
            hangs(),
            hangs("half"),
        ]
    ),
)
scripts = st.lists(st.lists(behaviours, max_size=6), min_size=1, max_size=3)
callers = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 8)), min_size=1, max_size=12)


@given(scripts, callers, st.integers(1, 3))
@settings(max_examples=150)
async def test_after_any_mix_of_outcomes_and_cancellations(
    scripts: list[list[Behaviour]], callers: list[tuple[float, float]], slots: int
) -> None:
    servers = [
        FakeModelServer(str(n), slots=slots, script=script, otherwise=answers("x", after_s=1))
        for n, script in enumerate(scripts)
    ]

    async def call(pool: Pool, after_s: float, leaves_after_s: float) -> None:
        await anyio.sleep(after_s)
        with anyio.move_on_after(leaves_after_s):
            try:
                await pool.complete(prompt(timeout_s=6))
            except KowalskiError:
                return

    async with Pool(servers) as pool:
        async with anyio.create_task_group() as tasks:
            for caller in callers:
                tasks.start_soon(partial(call, pool, *caller))
        assert (pool.busy, pool.waiting) == (0, 0)
        assert [server.active for server in servers] == [0] * len(servers)
        assert all(server.most_active <= slots for server in servers)
        # Nothing is left that keeps a well server from being asked.
        for server in servers:
            server.script.clear()
        await anyio.sleep(60)
        assert (await pool.complete(prompt())).text == "x"
