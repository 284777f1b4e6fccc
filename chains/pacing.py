"""How hard one endpoint may be asked: requests at once, and calls per second.

Both can be changed while requests wait, for where several processes share one endpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from fractions import Fraction

from aiolimiter import AsyncLimiter


class Pause:
    """Some seconds during which nobody asks. Where the clock is stepped they are over."""

    def __init__(self) -> None:
        self._began = self._seconds = 0.0

    def begin(self, seconds: float) -> None:
        """Pause from now on, unless a pause under way ends later."""
        if seconds >= self.left:
            self._began, self._seconds = time.monotonic(), seconds

    def end(self) -> None:
        """Go on at once."""
        self._seconds = 0.0

    @property
    def left(self) -> float:
        """Seconds that remain, 0 for none."""
        passed = time.monotonic() - self._began
        return self._seconds - passed if 0 <= passed < self._seconds else 0.0


class Slot:
    """Concurrency of one endpoint: additive increase, multiplicative decrease.

    Who waits is let in first come, first served, and a release wakes nobody else: with thousands
    waiting, waking all of them for each answer would cost more than the answers. ``allow`` sets
    another most; with none at all, whoever wants in waits.
    """

    def __init__(self, limit: int) -> None:
        self._most = float(limit)
        self._limit = float(limit)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pause = Pause()
        self.active = 0

    @property
    def load(self) -> float:
        """Share of the present limit that is taken; above 1 while shrinking."""
        return self.active / self._limit if self._most else math.inf

    def allow(self, most: int) -> None:
        """Let ``most`` through at once from now on; what is under way goes on."""
        if most:
            scaled = self._limit * most / self._most if self._most else self._limit
            self._limit = max(1.0, min(scaled, float(most)))
        self._most = float(most)
        self._admit()

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Hold one unit of concurrency."""
        await self._enter()
        try:
            left = self._pause.left
            if left:
                await asyncio.sleep(left)
            yield
        finally:
            self._leave()

    async def _enter(self) -> None:
        if not self._waiting and self._has_room:
            self.active += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # it was this one's turn already
            raise

    def _leave(self) -> None:
        self.active -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._has_room:
            turn = self._waiting.popleft()
            if not turn.done():
                self.active += 1
                turn.set_result(None)

    @property
    def _has_room(self) -> bool:
        return self.active < min(self._most, max(1, int(self._limit)))

    def widen(self) -> None:
        """Grow slowly after a good answer."""
        self._limit = max(1.0, min(self._most, self._limit + 1.0 / max(self._limit, 1.0)))
        self._admit()

    def narrow(self, pause_s: float) -> None:
        """Shrink at once after push-back, and let nobody through for ``pause_s``."""
        self._limit = max(1.0, self._limit / 2)
        self._pause.begin(pause_s)


class Pace:
    """Calls per second at one endpoint: a leaky bucket. A rate of 0 is unlimited."""

    def __init__(self, rate: Fraction) -> None:
        self._rate: Fraction | None = rate
        self._bucket = _bucket(rate)
        self._open = asyncio.Event()
        self._open.set()
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    async def allow(self, rate: Fraction | None) -> None:
        """Go on at another rate, ``None``: not at all. Whoever waits, waits at the new one.

        The new bucket is full, so that changing the rate often lets nobody through at once.
        """
        if rate == self._rate:
            return
        self._rate = rate
        self._changed.set()
        self._changed = asyncio.Event()
        if rate is None:
            self._bucket = None
            self._open.clear()
            return
        self._bucket = _bucket(rate)
        if self._bucket is not None:
            await self._bucket.acquire(self._bucket.max_rate)
        self._open.set()

    async def wait(self, calls: int = 1) -> None:
        """Wait until so many calls may be made; first come, first served.

        A request with several calls waits for all of them, and nobody overtakes it.
        """
        if self._bucket is None and self._open.is_set():
            return
        async with self._turn:
            left = calls
            while left > 0:
                left -= await self._some(left)

    async def _some(self, calls: int) -> int:
        """Wait until some of these calls may be made; returns how many, 0 at a change of rate."""
        await self._open.wait()
        bucket, changed = self._bucket, self._changed
        if bucket is None:
            return calls
        step = min(calls, int(bucket.max_rate))
        if bucket.has_capacity(step):
            await bucket.acquire(step)
        else:
            await _first(bucket.acquire(step), changed.wait())
        return 0 if changed.is_set() else step


async def _first(*waits: Coroutine[None, None, object]) -> None:
    """Wait until one of several has come, and let go of the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _bucket(rate: Fraction) -> AsyncLimiter | None:
    return AsyncLimiter(max(1.0, float(rate)), max(1.0, float(1 / rate))) if rate > 0 else None
