"""Asking for balances: which way each endpoint can, in pieces it can bear, many at a time.

Each endpoint is probed once per block with the real call: the first way that answers is used
for it from then on. Endpoints that can do the same form a lane. All lanes eat from one queue
of positions, so that a slow endpoint takes little and a fast one much. A piece that is too
large is halved, and the lane remembers the smaller size. When a whole lane fails a worker, the
worker puts its piece back and goes on with a lane that has not failed, if there is one.

Nothing is interpreted here beyond what decides the next request; that is ``reading``'s part.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from chains.adapter import Transport
from chains.adapters.eip155 import masked, reading, ways
from chains.adapters.eip155.endpoints import batch_limit, concurrency, primaries
from chains.adapters.eip155.programs import HEADER_WORDS
from chains.adapters.eip155.reading import Asked, asked
from chains.adapters.eip155.refusals import Trouble, too_large, trouble
from chains.adapters.eip155.ways import Quirks, Way
from chains.model import Exchange, Extract, Gap, Questions, Request, Snapshot
from chains.words import WORD

_MARK_HEX = b"f" * 64
_RESULT = b'"result":"0x'
_HEAD = 300
"""A JSON-RPC error stands near the front of its answer."""


class Probe(msgspec.Struct, frozen=True):
    """The way found for an endpoint, ``None`` if none, with every exchange of the search."""

    way: Way | None
    exchanges: tuple[Exchange, ...]


class _Lane(msgspec.Struct):
    """Endpoints that are asked in the same way; ``size`` shrinks when a piece was too large."""

    way: Way
    size: int
    endpoints: tuple[str, ...]
    workers: int
    has_failed: bool = False


async def probe(quirks: Quirks, transport: Transport, at: Snapshot, endpoint: str) -> Probe:
    """Try the ways on ``endpoint`` with the real call at the real height, best first."""
    tried: list[Exchange] = []
    canary = bytes.fromhex(at.canaries[0]) if at.canaries else bytes(20)
    for way in quirks.ways:
        contract = quirks.multicall
        if way is Way.MULTICALL3 and (contract is None or at.height < contract.from_block):
            continue
        request = ways.build(way, quirks, at, None, [canary])
        exchange = await transport.exchange(request, endpoint)
        tried.append(exchange)
        found = ways.read(way, quirks, at, exchange, token=None, count=1)
        gap = found if isinstance(found, Gap) else found[0]
        if not isinstance(gap, Gap) or gap.reason == "wrong-block":
            return Probe(way, tuple(tried))  # a wrong block is no reason to ask otherwise
        if not _is_about_the_way(gap):
            break
    return Probe(None, tuple(tried))


def _is_about_the_way(gap: Gap) -> bool:
    """Tell a refusal of this kind of call from an endpoint that cannot answer at all."""
    return gap.reason in {
        "method-missing",
        "rpc-error",
        "call-failed",
        "malformed-answer",
        "truncated-answer",
        "refused",
    }


def _leaves_nothing_open(body: bytes) -> bool:
    """Tell, without reading the numbers, that no holder is marked and not all are zero."""
    start = body.find(_RESULT)
    if start < 0 or _MARK_HEX in body:
        return False
    first = start + len(_RESULT) + 2 * WORD * HEADER_WORDS
    return bool(body[first : body.find(b'"', first)].strip(b"0"))


class BalanceReader:
    """Asks for balances of one chain; remembers what each endpoint can do."""

    def __init__(self, quirks: Quirks, transport: Transport) -> None:
        self._quirks = quirks
        self._transport = transport
        self._probes: dict[tuple[str, str], asyncio.Task[Probe]] = {}

    async def extract(
        self, questions: Questions, at: Snapshot, token: bytes | None
    ) -> AsyncIterator[Extract]:
        """Yield extracts covering every position once, as they arrive."""
        lanes, trail = await self._lanes(at)
        if not lanes:
            if not trail:
                block = Request(body=b"")
                trail = [await self._transport.exchange_any(block, ())]
            every = list(range(len(questions.accounts)))
            yield Extract(positions=every, decoder=reading.UNSENT, exchanges=tuple(trail))
            return
        crawl = _Crawl(self._quirks, self._transport, questions, at=at, token=token, lanes=lanes)
        async for extract in crawl.run():
            if trail:
                yield msgspec.structs.replace(extract, exchanges=(*trail, *extract.exchanges))
                trail = []
            else:
                yield extract

    async def _lanes(self, at: Snapshot) -> tuple[list[_Lane], list[Exchange]]:
        """Group the endpoints by way and size, best way first; also the probes made for it."""
        names = primaries(self._transport, at.endpoints)
        fresh = [name for name in names if (name, at.block_hash) not in self._probes]
        for name in fresh:
            task = asyncio.create_task(probe(self._quirks, self._transport, at, name))
            self._probes[name, at.block_hash] = task
        found = {name: await self._probes[name, at.block_hash] for name in names}
        groups: dict[tuple[Way, int], list[str]] = {}
        for name, result in found.items():
            if result.way is None:
                continue
            size = ways.most(result.way, self._quirks)
            own = batch_limit(self._transport, name)
            if own:
                size = own if result.way is not Way.DEPLOYLESS else min(own, size)
            groups.setdefault((result.way, max(1, size)), []).append(name)
        lanes = [
            _Lane(way, size, tuple(group), sum(concurrency(self._transport, n) for n in group))
            for (way, size), group in sorted(groups.items(), key=lambda item: _rank(item[0]))
        ]
        kept = found.values() if not lanes else [found[name] for name in fresh]
        for name, result in found.items():
            if result.way is None:  # ask again next time: it may have been a bad moment
                self._probes.pop((name, at.block_hash), None)
        return lanes, [exchange for result in kept for exchange in result.exchanges]


def _rank(key: tuple[Way, int]) -> tuple[int, int]:
    return list(Way).index(key[0]), -key[1]


class _Crawl:
    """One run over the positions of one ``Questions``."""

    def __init__(
        self,
        quirks: Quirks,
        transport: Transport,
        questions: Questions,
        *,
        at: Snapshot,
        token: bytes | None,
        lanes: list[_Lane],
    ) -> None:
        self._quirks = quirks
        self._transport = transport
        self._accounts = questions.accounts
        self._at = at
        self._token = token
        self._kind = "native" if token is None else "erc20"
        self._lanes = lanes
        self._open: deque[tuple[int, int]] = deque([(0, len(self._accounts))])
        self._supply: dict[str, asyncio.Task[Exchange]] = {}
        self._code: dict[str, asyncio.Task[Exchange]] = {}
        self._trail: dict[int, tuple[Exchange, ...]] = {}

    async def run(self) -> AsyncIterator[Extract]:
        """Yield an extract for each piece as it is done."""
        if not self._accounts:
            return
        self._even_out()
        done: asyncio.Queue[Extract | None] = asyncio.Queue()
        tasks = [
            asyncio.create_task(self._work(lane, done))
            for lane in self._lanes
            for _ in range(min(lane.workers, self._pieces(lane.size)))
        ]
        left = len(tasks)
        try:
            while left:
                extract = await done.get()
                if extract is None:
                    left -= 1
                else:
                    yield extract
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _pieces(self, size: int) -> int:
        """Return into how many pieces of at most ``size`` the accounts fall."""
        return -(-len(self._accounts) // size)

    def _even_out(self) -> None:
        """Make the pieces equal, and a whole number of rounds, so that no worker ends alone."""
        if len(self._lanes) > 1:
            return
        lane = self._lanes[0]
        pieces = self._pieces(lane.size)
        if pieces > lane.workers:
            pieces = -(-pieces // lane.workers) * lane.workers
        lane.size = min(lane.size, self._pieces(pieces))

    async def _work(self, lane: _Lane, done: asyncio.Queue[Extract | None]) -> None:
        """Take pieces until none is left, of another lane once this one has failed."""
        try:
            while (piece := self._take(lane)) is not None:
                extract, lane = await self._ask(lane, piece)
                if extract is not None:
                    done.put_nowait(extract)
        finally:
            done.put_nowait(None)

    def _standing(self, lane: _Lane) -> _Lane | None:
        """Return another lane that has not failed."""
        return next((one for one in self._lanes if one is not lane and not one.has_failed), None)

    def _take(self, lane: _Lane) -> tuple[int, int] | None:
        """Take the next piece, at most ``lane.size`` long."""
        if not self._open:
            return None
        start, stop = self._open.popleft()
        if stop - start > lane.size:
            self._open.appendleft((start + lane.size, stop))
            stop = start + lane.size
        return start, stop

    async def _ask(self, lane: _Lane, piece: tuple[int, int]) -> tuple[Extract | None, _Lane]:
        """Ask for one piece; also returns the lane to go on with.

        Returns no extract when the piece was put back: halved, or left to that other lane.
        """
        start, stop = piece
        batch = asked(lane.way, self._quirks, self._at, self._token, self._accounts[start:stop])
        request = batch.request(self._quirks, self._at)
        exchange = await self._transport.exchange_any(request, lane.endpoints)
        trail = (*self._trail.pop(start, ()), exchange)
        if exchange.failure and exchange.retryable:
            lane.has_failed = True
            other = self._standing(lane)
            if other is not None:
                self._open.appendleft(piece)
                self._trail[start] = trail
                return None, other
        if self._is_too_large(batch, exchange) and stop - start > 1:
            middle = start + (stop - start) // 2
            lane.size = max(1, min(lane.size, middle - start))
            self._open.extendleft([(middle, stop), (start, middle)])
            self._trail[start] = trail
            return None, lane
        more = await self._clear_up(lane, batch, exchange)
        return (
            Extract(
                positions=range(start, stop),
                decoder=f"{self._kind}-{lane.way.value}",
                exchanges=(*trail, *more),
            ),
            lane,
        )

    def _is_too_large(self, batch: Asked, exchange: Exchange) -> bool:
        if exchange.failure and too_large(Gap(exchange.failure, detail=str(exchange.status))):
            return True
        if b'"error"' not in exchange.body[:_HEAD]:
            return False
        found = batch.read(self._quirks, self._at, exchange)
        return isinstance(found, Gap) and trouble(found.detail) is Trouble.TOO_LARGE

    async def _clear_up(self, lane: _Lane, batch: Asked, exchange: Exchange) -> list[Exchange]:
        """Ask what an answer leaves open: whose coins, or a token's contract, failures, holders."""
        if exchange.failure:
            return []
        if self._token is None:
            lookup = masked.lookup_request(self._quirks, self._at, batch.accounts)
            return [await self._transport.exchange(lookup, exchange.endpoint)] if lookup else []
        if lane.way in (Way.OVERRIDE, Way.DEPLOYLESS) and _leaves_nothing_open(exchange.body):
            return []
        found = batch.read(self._quirks, self._at, exchange)
        if isinstance(found, Gap):
            return []
        marks = reading.doubtful(found)
        more: list[Exchange] = []
        if marks:
            code = await self._once(
                self._code, reading.code_request(self._token, self._at), exchange.endpoint
            )
            more.append(code)
            there = ways.answer_bytes(code)
            if lane.way is not Way.RPC and isinstance(there, bytes) and there:
                own = [i for i in marks if i < len(batch.accounts)]
                for _, smaller in batch.again(own):
                    request = smaller.request(self._quirks, self._at)
                    more.append(await self._transport.exchange(request, exchange.endpoint))
        holders = any(isinstance(value, int) and value > 0 for value in found)
        if batch.canary is None and not holders and len(marks) < len(found):
            request = reading.supply_request(self._token, self._at)
            more.append(await self._once(self._supply, request, exchange.endpoint))
        return more

    async def _once(
        self, asked_before: dict[str, asyncio.Task[Exchange]], request: Request, endpoint: str
    ) -> Exchange:
        """Ask an endpoint once per crawl; the exchange belongs to every extract that needs it."""
        if endpoint not in asked_before:
            asked_before[endpoint] = asyncio.create_task(
                self._transport.exchange(request, endpoint)
            )
        return await asked_before[endpoint]
