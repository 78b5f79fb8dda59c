"""Slots: at most so many at once, and nobody is starved."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from kowalski.agent.conduct.slots import Slots
from kowalski.errors import Busy


async def until(condition: object) -> None:
    while not condition():  # type: ignore[operator]
        await checkpoint()


async def test_no_more_than_the_total_hold_a_slot_at_once() -> None:
    slots = Slots(2, 100)
    most = 0

    async def work() -> None:
        nonlocal most
        async with slots.hold("a"):
            most = max(most, slots.busy)
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(work)
    assert most == 2
    assert (slots.busy, slots.queued) == (0, 0)


async def test_principals_take_turns_however_many_runs_one_of_them_has_queued() -> None:
    slots = Slots(1, 100)
    served: list[str] = []

    async def work(principal: str) -> None:
        async with slots.hold(principal):
            served.append(principal)

    async with anyio.create_task_group() as tasks, slots.hold("first"):
        for _ in range(5):
            tasks.start_soon(work, "hog")
        await until(lambda: slots.queued == 5)
        tasks.start_soon(work, "guest")
        await until(lambda: slots.queued == 6)
    assert served.index("guest") <= 1


async def test_a_full_queue_refuses_with_busy() -> None:
    slots = Slots(1, 0)
    async with slots.hold("a"):
        with pytest.raises(Busy):
            async with slots.hold("b"):
                pass
    assert slots.busy == 0


async def test_whoever_gives_up_waiting_leaves_no_trace() -> None:
    slots = Slots(1, 10)
    async with slots.hold("a"):
        with anyio.move_on_after(0):
            async with slots.hold("b"):
                pass
        assert slots.queued == 0
    assert slots.busy == 0


async def test_a_slot_laid_down_serves_another_and_is_taken_up_again_past_a_full_queue() -> None:
    slots = Slots(1, 0)
    async with slots.hold("parent") as parent:
        parent.release()
        async with slots.hold("child"):
            assert slots.busy == 1
        await parent.acquire()
        assert slots.busy == 1
    assert slots.busy == 0


async def test_who_waits_to_take_its_slot_up_again_when_its_block_is_left_holds_none() -> None:
    slots = Slots(1, queue_limit=10)
    async with anyio.create_task_group() as tasks, slots.hold("first") as slot:
        slot.release()
        async with slots.hold("second"):
            tasks.start_soon(slot.acquire)
            await anyio.wait_all_tasks_blocked()
            assert slots.queued == 1
            await slot.__aexit__(None, None, None)
    assert (slots.busy, slots.queued) == (0, 0)
