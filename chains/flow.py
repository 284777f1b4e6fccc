"""Running many small jobs with a bounded number under way, results as they come.

Adapters use it to keep every slot of an endpoint busy without holding more than a window
of a long list in memory. What it starts it also ends: when the consumer stops early, or a
job fails, the jobs still under way are cancelled and awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


async def in_window(jobs: Iterable[Callable[[], Awaitable[T]]], window: int) -> AsyncIterator[T]:
    """Yield the result of each job, in the order of completion, at most ``window`` at once.

    A job's exception is raised here.
    """
    waiting = iter(jobs)
    running: set[asyncio.Task[T]] = set()
    try:
        while True:
            for job in islice(waiting, window - len(running)):
                running.add(asyncio.create_task(_run(job)))
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _run(job: Callable[[], Awaitable[T]]) -> T:
    return await job()
