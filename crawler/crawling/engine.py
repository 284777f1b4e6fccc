"""Drives shards through adapters: pins the moments, asks, decodes, stores, asks again.

For each moment one adapter pins a ``Snapshot``; then its shards run, several at a time. An
attempt writes its raw exchanges first and its answers after them. Retryable Gaps are asked again
as the next attempt. Where a witness is configured, every question is asked of it as well: an
equal answer becomes ``quorum``, an unequal one a Gap that nobody may count.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import msgspec

from chains import adapters
from chains.adapter import ChainAdapter
from chains.endpoints import EndpointSpec
from chains.errors import ChainError, Fatal, Reorganised, Transient
from chains.heads import heads
from chains.model import ChainId, Extract, Gap, Questions, Snapshot
from chains.packed import Packed
from chains.transport import EndpointStatistics, HttpTransport, RetryPolicy
from crawler.asking.plan import Moment
from crawler.crawling.answers import AnswerColumns, agree, keep_answers, read_shard
from crawler.crawling.decoding import DEFECTS, Asked, decode, decoded_pack, named
from crawler.crawling.evidence import FORMAT, Header, PackWriter, evidence_pack
from crawler.crawling.pins import (
    Pinned,
    is_unread,
    keep_evidence,
    lost,
    unpinned,
    unusable,
)
from crawler.keeping.runs import RunDirectory, ShardEntry
from crawler.keeping.storage import AlreadyThere
from crawler.watching.progress import Progress

ATTEMPTS = 3
"""Attempts of a shard within one command; ``resume`` starts anew where Gaps are left."""
SHARDS_AT_ONCE = 6
LONG = 1 << 20
"""Bytes of exchanges that wait, at most, before a thread packs them."""

Store = Callable[[], AnswerColumns]
"""Stores evidence, where it is not yet stored, and returns the answers that rest on it."""


class Engine:
    """One crawl over one run directory."""

    def __init__(
        self,
        run: RunDirectory,
        specs: Mapping[ChainId, Any],
        endpoints: Sequence[EndpointSpec],
        progress: Progress,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._run = run
        self._specs = specs
        self._endpoints = endpoints
        self._progress = progress
        self._retry = retry
        self._stack = contextlib.AsyncExitStack()
        self._transports: dict[ChainId, HttpTransport] = {}
        self._adapters: dict[ChainId, ChainAdapter] = {}
        self.rejected: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @property
    def statistics(self) -> Mapping[str, EndpointStatistics]:
        """What happened at each endpoint, over all chains."""
        return {
            name: statistics
            for transport in self._transports.values()
            for name, statistics in transport.statistics.items()
        }

    async def heads(self, chain: ChainId) -> Mapping[str, int | Gap]:
        """Ask every endpoint of a chain for its newest final block."""
        transport = await self._transport(chain)
        return await heads(self._adapter(chain), transport)

    async def pin(
        self, moments: Sequence[Moment], known: Mapping[str, Pinned]
    ) -> dict[str, Pinned]:
        """Pin every moment; one that is already ``known`` must still be the same block.

        Raises ``Fatal``: wrong chain, endpoints that disagree, a reorganised block.
        """
        pinned: dict[str, Pinned] = {}

        async def one(moment: Moment) -> None:
            before = known.get(moment.key)
            pinned[moment.key] = await self._pin(moment, before)

        async with _unwrapped_group() as group:
            for moment in moments:
                group.create_task(one(moment))
        return dict(sorted(pinned.items()))

    async def _pin(self, moment: Moment, known: Pinned | None) -> Pinned:
        transport = await self._transport(moment.chain)
        before = known.snapshot if known else None
        if not transport.endpoints:
            return unpinned(known, "no-endpoint", "", retryable=True)
        is_first = before is None
        shown, may_show_more = await self._ask_moment(moment, is_first=is_first)
        for _ in range(ATTEMPTS - 1):
            if not may_show_more:
                break
            shown, may_show_more = await self._ask_moment(moment, is_first=is_first)
        snapshot = shown.snapshot
        if snapshot is None:
            return unpinned(known, shown.reason, shown.detail, retryable=shown.retryable)
        self.rejected.update(snapshot.rejected)
        if known is None or before is None:
            return shown if snapshot.endpoints else unusable(snapshot)
        if before.block_hash != snapshot.block_hash:
            raise Reorganised(
                f"{self._specs[moment.chain].name}: block {moment.height} was "
                f"{before.block_hash} when this run began and is now {snapshot.block_hash}; "
                "start a new run"
            )
        # What was pinned first stays; only who may be asked is today's.
        still = msgspec.structs.replace(
            before,
            endpoints=snapshot.endpoints,
            rejected=snapshot.rejected,
            detail={**snapshot.detail, **before.detail},
        )
        return Pinned(snapshot=still, pack=known.pack)

    async def _ask_moment(self, moment: Moment, *, is_first: bool) -> tuple[Pinned, bool]:
        """Ask for a moment once; also tells whether asking again at once may show more.

        What is pinned first stays for the whole run, so that nothing may be missing from it.
        """
        transport, adapter = await self._transport(moment.chain), self._adapter(moment.chain)
        try:
            exchanges = await adapter.pin(moment.height)
            pack = keep_evidence(self._run, moment, exchanges)
            snapshot = adapter.snapshot(moment.height, exchanges)
            missing = lost(snapshot, exchanges) if is_first else None
            if missing is None:
                shown = Pinned(snapshot=snapshot, pack=pack)
                return shown, is_unread(shown)
            endpoint, reason = missing
            detail = f"{endpoint} did not give every answer that belongs to the moment"
            return unpinned(None, reason, detail, retryable=True), True
        except Fatal as error:
            error.args = (transport.redact(str(error)),)
            raise
        except ChainError as error:
            reason, detail, retryable = error.code, str(error), isinstance(error, Transient)
        except DEFECTS as error:
            reason, detail, retryable = "adapter-error", named(error), False
        shown = unpinned(None, reason, transport.redact(detail), retryable=retryable)
        return shown, is_unread(shown)

    async def crawl(
        self, plan: Sequence[tuple[ShardEntry, Questions]], pinned: Mapping[str, Pinned]
    ) -> None:
        """Ask whatever is not yet answered. Raises ``Fatal`` and ``EnvironmentFault``."""
        by_moment: dict[Moment, list[tuple[ShardEntry, Questions]]] = {}
        for entry, questions in plan:
            moment = Moment(questions.chain, questions.height)
            by_moment.setdefault(moment, []).append((entry, questions))
        async with _unwrapped_group() as group:
            for moment, shards in by_moment.items():
                snapshot = pinned[moment.key].snapshot
                if snapshot is not None:
                    group.create_task(self._crawl_moment(snapshot, shards))

    async def _crawl_moment(
        self,
        snapshot: Snapshot,
        shards: Sequence[tuple[ShardEntry, Questions]],
    ) -> None:
        spec = self._specs[snapshot.chain]
        total = sum(len(questions.accounts) for _, questions in shards)
        self._progress.begin(spec.name, total)
        slots = asyncio.Semaphore(self.shards_at_once(snapshot.chain))

        async def one(entry: ShardEntry, questions: Questions) -> None:
            async with slots:
                await self.complete(entry, questions, snapshot)
                self._progress.advance(spec.name, len(questions.accounts))

        async with _unwrapped_group() as group:
            for entry, questions in shards:
                group.create_task(one(entry, questions))

    def shards_at_once(self, chain: ChainId) -> int:  # noqa: ARG002 - elsewhere it matters
        """Return how many shards of a moment of a chain run at once."""
        return SHARDS_AT_ONCE

    async def complete(self, entry: ShardEntry, questions: Questions, at: Snapshot) -> None:
        """Make attempts until nothing retryable is left or the attempts are used up."""
        attempt = len(self._run.attempts(entry.digest))
        if attempt and not at.endpoints:
            return
        for _ in range(ATTEMPTS):
            positions = open_positions(self._run, entry.digest, questions)
            if not positions:
                return
            attempt += 1
            if not await self._attempt(entry, questions, positions, at, attempt):
                return

    async def _attempt(
        self,
        entry: ShardEntry,
        questions: Questions,
        positions: Sequence[int],
        at: Snapshot,
        attempt: int,
    ) -> bool:
        """Ask once about these positions and store it; tells whether any may be asked again."""
        transport = await self._transport(questions.chain)
        primaries = tuple(name for name in at.endpoints if not transport.is_witness(name))
        witnesses = tuple(name for name in at.endpoints if transport.is_witness(name))
        told = questions
        if len(positions) < len(questions.accounts):
            accounts = Packed.of(questions.accounts).take(positions)
            told = msgspec.structs.replace(questions, accounts=accounts)
        asked = Asked(
            shard=entry.digest, attempt=attempt, questions=told, positions=positions, at=at
        )
        with contextlib.ExitStack() as unfinished:
            own = await self._ask(asked, primaries, unfinished, witness=False)
            second = None
            if witnesses:
                second = await self._ask(asked, witnesses, unfinished, witness=True)
            # In a thread: while one shard goes to the disk, others are asked.
            return await asyncio.to_thread(self._store, asked, own, second)

    def _store(self, asked: Asked, own: Store, second: Store | None) -> bool:
        """Store an attempt, its evidence first; tells whether anything may be asked again."""
        columns = own()
        if second is not None:
            columns.confirm(second())
        table = columns.table(asked.questions)
        is_ours = keep_answers(self._run, asked.shard, asked.attempt, table)
        return columns.may_be_asked_again or not is_ours

    async def _ask(
        self,
        asked: Asked,
        endpoints: tuple[str, ...],
        unfinished: contextlib.ExitStack,
        *,
        witness: bool,
    ) -> Store:
        """Ask these endpoints; evidence that is not stored is removed with ``unfinished``.

        Evidence that is there already is that of an attempt that was broken off, or of another
        machine that was faster: it is decoded instead of asking the same again.
        """
        transport = await self._transport(asked.questions.chain)
        columns = AnswerColumns(asked.positions, transport.redact)
        if not endpoints:
            columns.fill(Gap("no-usable-endpoint", retryable=True))
            return lambda: columns
        asked = msgspec.structs.replace(
            asked, at=msgspec.structs.replace(asked.at, endpoints=endpoints)
        )
        adapter = self._adapter(asked.questions.chain)
        name = evidence_pack(asked.shard, asked.attempt, witness=witness)
        if self._run.holds(name):
            return lambda: self._left_behind(name, adapter, asked)
        place = unfinished.enter_context(contextlib.ExitStack())
        path = place.enter_context(self._run.creating(name))
        header = Header(format=FORMAT, subject=asked.shard, attempt=asked.attempt, witness=witness)
        pack = PackWriter(path, header)
        await self._extract(adapter, asked, columns, pack)

        def stored() -> AnswerColumns:
            pack.close()
            try:
                place.close()  # synced and in its place
            except AlreadyThere:
                theirs = self._left_behind(name, adapter, asked)
                told = asked.questions
                agree(theirs.table(told), columns.table(told), asked.attempt, asked.shard)
                return theirs
            return columns

        return stored

    def _left_behind(self, name: str, adapter: ChainAdapter, asked: Asked) -> AnswerColumns:
        redact = self._transports[asked.questions.chain].redact
        with self._run.reading(name) as path:
            return decoded_pack(path, adapter, asked, redact)

    async def _extract(
        self, adapter: ChainAdapter, asked: Asked, columns: AnswerColumns, pack: PackWriter
    ) -> None:
        """Ask, and fill ``columns`` and ``pack``."""
        count = 0
        try:
            async for extract in adapter.extract(asked.questions, asked.at):
                pack.add(_within_shard(extract, asked.positions))
                columns.add(decode(adapter, asked.questions, extract, asked.at), count)
                count += 1
                if pack.waiting > LONG:
                    await asyncio.to_thread(pack.write)
        except Fatal as error:
            error.args = (self._transports[asked.questions.chain].redact(str(error)),)
            raise
        except ChainError as error:
            columns.fill(
                Gap(error.code, retryable=isinstance(error, Transient), detail=str(error)[:200])
            )
        except DEFECTS as error:
            columns.fill(Gap("adapter-error", detail=named(error)))
        columns.fill(Gap("not-answered", retryable=True))

    async def _transport(self, chain: ChainId) -> HttpTransport:
        if chain not in self._transports:
            answering = adapters.load(self._specs[chain].adapter).capabilities.answering
            transport = HttpTransport(chain, self._endpoints, self._retry, answering)
            self._transports[chain] = transport
            await self._stack.enter_async_context(transport)
        return self._transports[chain]

    def _adapter(self, chain: ChainId) -> ChainAdapter:
        if chain not in self._adapters:
            spec = self._specs[chain]
            self._adapters[chain] = adapters.load(spec.adapter)(spec, self._transports[chain])
        return self._adapters[chain]


def _within_shard(extract: Extract, positions: Sequence[int]) -> Extract:
    """Count an extract's positions within the shard instead of within the attempt."""
    if isinstance(positions, range):  # the first attempt asks about all
        return extract
    return msgspec.structs.replace(extract, positions=[positions[p] for p in extract.positions])


def open_positions(run: RunDirectory, digest: str, questions: Questions) -> Sequence[int]:
    """Return the positions that were never answered or whose Gap may be asked again.

    A range where nothing was answered yet.
    """
    answered = read_shard(run, digest)
    if answered is None:
        return range(len(questions.accounts))
    return answered.open_positions(len(questions.accounts))


@contextlib.asynccontextmanager
async def _unwrapped_group() -> Any:
    """Task group whose first failure comes out as itself, not wrapped in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
