"""What runs in the workers: signatures are judged, shards are asked, decoded and stored.

A task is one call with bytes. Shards of one command share a ``Station``: an engine on an event
loop in a thread of its own, so that a worker with several threads works on several shards at once
over the same connections. A station asks nobody but within the lease that the coordinator renews;
when that has run out it waits, and gives up when nobody comes back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec
import pyarrow as pa

from chains.errors import ConfigError
from chains.model import ChainId
from chains.transport import HttpTransport
from crawler.cluster.wire import Lease, Setup, ShardTask, Share, Told, build, difference
from crawler.counting.recount import planned
from crawler.crawling.engine import Engine
from crawler.errors import EnvironmentFault, RecountError
from crawler.examining.judges import LaneThenJudge
from crawler.examining.judging import TASKS, message, read_message, unpacked
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import place_of
from crawler.watching.progress import Silent

ABANDONED_AFTER_S = 30.0
"""Seconds without a lease after which a station gives up its shards."""
_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_stations: dict[str, Station] = {}
_one = threading.Lock()


def as_is(packed: bytes) -> bytes:
    """Return what it is given: bytes that tasks share, and that a lost worker cannot lose."""
    return packed


def identity() -> Mapping[str, str]:
    """Say which recount runs here."""
    return dict(build())


def judge(here: Mapping[str, str], reading: bytes, tasks: pa.Buffer) -> pa.Buffer:
    """Settle and judge tasks; both sides travel as one Arrow message of their rows.

    ``reading`` is what ``crawler.examining.judging.compressed`` returned. Raises
    ``EnvironmentFault`` in another build.
    """
    _check_build(here)
    return message(_judge(reading).judge(read_message(tasks, TASKS)))


@lru_cache(maxsize=4)
def _judge(reading: bytes) -> LaneThenJudge:
    return LaneThenJudge(unpacked(reading), _log.warning)


def begin(packed: bytes) -> str:
    """Look whether this worker can work on a run; returns what hinders it, or ``""``.

    What an earlier command on the same run left here ends.
    """
    setup = _setup(packed)
    with _one:
        old = [one for one in _stations.values() if one.setup.place == setup.place]
    for station in old:
        station.close()
    try:
        _check_build(setup.build)
        RunDirectory.open(place_of(setup.place), lock=False)
        for spec in setup.endpoints:
            spec.resolved_url()
            spec.resolved_headers()
    except (RecountError, ConfigError) as error:
        return str(error)
    return ""


def complete(packed: bytes, task: bytes) -> int:
    """Bring a shard as far as it comes; returns how many attempts at it are stored.

    Raises ``Fatal``, ``ConfigError`` and ``EnvironmentFault``.
    """
    setup = _setup(packed)
    _check_build(setup.build)
    return _station(setup).complete(msgspec.json.decode(task, type=ShardTask))


async def hear(packed: bytes) -> bytes:
    """Take a lease, and tell how things are; on the worker's own event loop."""
    lease = msgspec.json.decode(packed, type=Lease)
    station = _stations.get(lease.epoch)
    told = Told() if station is None else await station.hear(lease)
    return msgspec.json.encode(told)


def end(epoch: str) -> None:
    """Close the station of a command."""
    with _one:
        station = _stations.get(epoch)
    if station is not None:
        station.close()


@lru_cache(maxsize=4)
def _setup(packed: bytes) -> Setup:
    return msgspec.json.decode(packed, type=Setup)


def _check_build(expected: Mapping[str, str]) -> None:
    other = difference(expected, build())
    if other:
        raise EnvironmentFault(
            f"a worker runs another build of recount ({other}); install the same on every machine"
        )


def _station(setup: Setup) -> Station:
    with _one:
        if setup.epoch not in _stations:
            _stations[setup.epoch] = Station(setup)
        return _stations[setup.epoch]


class Station:
    """Asks for one command in this process."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.run = RunDirectory.open(place_of(setup.place), lock=False)
        self._wanted: Counter[ChainId] = Counter()
        self._shares: Mapping[str, Share] = {}
        self._until = time.monotonic()
        self._shards: set[asyncio.Task[int]] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="recount").start()
        self._engine, self._news, self._watch = self._from_outside(self._begin())

    def complete(self, task: ShardTask) -> int:
        """Work on a shard; blocks. Raises as ``complete`` of the module."""
        return self._from_outside(self._shard(task))

    async def hear(self, lease: Lease) -> Told:
        """Take a lease; called on another loop."""
        there = asyncio.run_coroutine_threadsafe(self._take(lease), self._loop)
        return await asyncio.wrap_future(there)

    def close(self) -> None:
        """Break off what is under way and end the thread."""
        with _one:
            _stations.pop(self.setup.epoch, None)
        asyncio.run_coroutine_threadsafe(self._close(), self._loop)

    def _from_outside(self, work: Coroutine[None, None, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin(self) -> tuple[_Leased, asyncio.Condition, asyncio.Task[None]]:
        engine = _Leased(self)
        await engine.__aenter__()
        return engine, asyncio.Condition(), asyncio.create_task(self._watching())

    async def _shard(self, task: ShardTask) -> int:
        work = asyncio.current_task()
        assert work is not None
        self._shards.add(work)
        chain = task.at.chain
        self._wanted[chain] += 1
        try:
            async with self._news:
                await self._news.wait_for(lambda: self._may_ask(chain))
            questions = planned(self.run, task.entry, task.at.block_hash)
            await self._engine.complete(task.entry, questions, task.at)
            return len(self.run.attempts(task.entry.digest))
        except asyncio.CancelledError as error:
            raise EnvironmentFault("the command that asked for this shard has gone") from error
        finally:
            self._wanted[chain] -= 1
            self._shards.discard(work)

    def share(self, endpoint: str) -> Share:
        """Return what may be taken of an endpoint now."""
        return self._shares.get(endpoint, Share())

    def _may_ask(self, chain: ChainId) -> bool:
        """Tell whether there is a slot of every endpoint of a chain."""
        mine = [spec.name for spec in self.setup.endpoints if spec.chain == chain]
        return all(self.share(name).slots for name in mine)

    async def _take(self, lease: Lease) -> Told:
        self._until = time.monotonic() + lease.lasting_s
        await self._allow(lease.shares)
        return Told(
            wanted={chain: count for chain, count in self._wanted.items() if count},
            under_way=self._engine.under_way(),
            statistics=self._engine.statistics,
        )

    async def _allow(self, shares: Mapping[str, Share]) -> None:
        if shares != self._shares:
            self._shares = shares
            await self._engine.allow()
            async with self._news:
                self._news.notify_all()

    async def _watching(self) -> None:
        """Stop asking when the lease has run out, and give up when it stays so."""
        while True:
            await asyncio.sleep(0.25)
            late = time.monotonic() - self._until
            if late > 0:
                await self._allow({})
            if late > ABANDONED_AFTER_S:
                self.close()

    async def _close(self) -> None:
        self._watch.cancel()
        for shard in list(self._shards):
            shard.cancel()
        await asyncio.gather(*self._shards, return_exceptions=True)
        await self._engine.__aexit__(None, None, None)
        self._loop.call_soon(self._loop.stop)


class _Leased(Engine):
    """An engine that takes no more of an endpoint than its station may."""

    def __init__(self, station: Station) -> None:
        setup = station.setup
        super().__init__(station.run, setup.specs, setup.endpoints, Silent(), setup.retry)
        self._station = station

    async def allow(self) -> None:
        """Pass the shares on to the transports."""
        for transport in self._transports.values():
            await self._limit(transport)

    def under_way(self) -> dict[str, int]:
        """Count requests by endpoint."""
        return {
            name: transport.under_way(name)
            for transport in self._transports.values()
            for name in transport.endpoints
        }

    async def _transport(self, chain: ChainId) -> HttpTransport:
        new = chain not in self._transports
        transport = await super()._transport(chain)
        if new:
            await self._limit(transport)
        return transport

    async def _limit(self, transport: HttpTransport) -> None:
        for name in transport.endpoints:
            share = self._station.share(name)
            await transport.allow(name, slots=share.slots, rate=share.per_second)
