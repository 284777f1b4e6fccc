"""Jobs run a bounded number at a time, and nothing outlives its consumer."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from functools import partial

import pytest

from chains.flow import in_window

pytestmark = pytest.mark.unit


async def test_all_results_come_and_no_more_run_than_the_window():
    running: Counter[str] = Counter()

    async def job(number: int) -> int:
        running["now"] += 1
        running["most"] = max(running["most"], running["now"])
        for _ in range(number % 4):
            await asyncio.sleep(0)
        running["now"] -= 1
        return number

    found = [number async for number in in_window((partial(job, i) for i in range(20)), 3)]
    assert sorted(found) == list(range(20))
    assert running["most"] == 3


async def test_a_failure_is_raised_and_the_others_are_cancelled():
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        async for _ in in_window([waits, fails], 2):
            pass
    assert ended == ["cancelled"]


async def test_a_consumer_that_stops_early_leaves_nothing_behind():
    async def job(number: int) -> int:
        await asyncio.sleep(number * 60)
        return number

    async with aclosing(in_window((partial(job, i) for i in range(4)), 4)) as results:
        assert await anext(results) == 0
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others
