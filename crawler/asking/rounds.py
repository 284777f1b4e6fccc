"""Asks in rounds: first what the list asks, then what the answers ask about those in control.

Every round pins its moments, freezes its part of the plan in the manifest, and only then asks.
What is frozen stays. The first round follows from the list alone; each later one from the answers
so far (``crawler.asking.controllers``), so that whoever continues an interrupted run plans the
same, and what a gap kept hidden is asked as soon as the gap is filled
(docs/adr/0009-rounds-of-control.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import pyarrow as pa

from chains.errors import Fatal
from chains.model import ChainId, QueryKind, Questions
from chains.packed import Packed
from chains.transport import EndpointStatistics
from crawler.asking.controllers import LEVELS, further
from crawler.asking.plan import (
    PLAN,
    ControlQuestion,
    Moment,
    capabilities,
    questions,
    questions_about,
    shard_digest,
    shards,
)
from crawler.counting import recount as pure
from crawler.counting.ledger import control_answers
from crawler.crawling import captured
from crawler.crawling.answers import read_shard
from crawler.crawling.engine import Engine
from crawler.crawling.pins import Pinned, stored_pins
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import RunDirectory, ShardEntry
from crawler.settings import World
from crawler.tables.memory import give_back

MOST_ASKED = 50_000
"""Questions of all further rounds of a run; what is beyond stays unasked."""

Parts = Iterable[tuple[pa.Table, pa.Table]]


async def crawl(
    run: RunDirectory,
    world: World,
    parts: Parts,
    engine: Engine,
    *,
    proofs: int = 0,
) -> tuple[dict[str, Pinned], Mapping[str, EndpointStatistics], Mapping[str, str]]:
    """Ask everything that claims and signature results need; raises ``EnvironmentFault``.

    ``proofs``: how many balances of each asset are to be proven, see ``plan.questions``.

    Returns the moments, what happened at each endpoint, and why some were not asked.
    """
    async with engine:
        rounds = _Rounds(run, world, engine)
        try:
            await rounds.begin(questions(world, parts, proofs))
            for _ in range(LEVELS):
                asked = rounds.further(parts)
                if not asked:
                    break
                await rounds.ask(asked)
        except Fatal as error:
            raise EnvironmentFault(str(error)) from error
        return rounds.pinned, engine.statistics, engine.rejected


def next_round(
    world: World, found: Iterable[tuple[int, ControlQuestion]], most: int
) -> list[Questions]:
    """Put questions with their heights together, the first ``most`` of them in their order."""
    ordered = sorted(found, key=lambda one: (one[1].chain, one[0], one[1].account))
    control: dict[tuple[QueryKind, Moment], set[bytes]] = defaultdict(set)
    for height, question in ordered[: max(0, most)]:
        control[question.kind, Moment(question.chain, height)].add(question.account)
    return questions_about(world, control)


class _Rounds:
    """The rounds of one run, as far as they got."""

    def __init__(self, run: RunDirectory, world: World, engine: Engine) -> None:
        self._run = run
        self._world = world
        self._engine = engine
        self.pinned: dict[str, Pinned] = {}

    async def begin(self, asked: Sequence[Questions]) -> None:
        """Ask what the list asks, and what further rounds of earlier commands have frozen."""
        known = stored_pins(self._run)
        frozen = _frozen(self._run, known)
        later = [one for pieces in frozen.values() for one in pieces]
        give_back()
        self.pinned = await self._engine.pin(_moments([*asked, *later]), known)
        entries = self._cut(asked, 0)
        del asked
        give_back()
        for number, pieces in frozen.items():
            entries += self._named(pieces, number)
        await self._ask(entries, [])

    async def ask(self, asked: Sequence[Questions]) -> None:
        """Pin, freeze and ask one more round."""
        new = [moment for moment in _moments(asked) if moment.key not in self.pinned]
        pinned = {**self.pinned, **await self._engine.pin(new, {})}
        self.pinned = dict(sorted(pinned.items()))
        before = list(self._run.manifest.plan or ())
        number = 1 + max((entry.round for entry in before), default=0)
        await self._ask(self._cut(asked, number), before)

    def further(self, parts: Parts) -> list[Questions]:
        """Return what the answers so far ask and no round has asked."""
        run, pinned = self._run, self.pinned
        control_shards = [
            (entry, pure.planned_shard(run, entry, pinned), read_shard(run, entry.digest))
            for entry in run.manifest.plan or ()
            if entry.kind == QueryKind.CONTROL
        ]
        if not control_shards:
            return []
        known = control_answers(captured.joined(control_shards, pinned, captured.stored(run)))
        found = {
            (height, question)
            for claims, signatures in parts
            for height, question in further(self._world, claims, signatures, known)
        }
        asked = sum(entry.questions for entry in run.manifest.plan or () if entry.round)
        return next_round(self._world, found, MOST_ASKED - asked)

    async def _ask(self, entries: list[ShardEntry], before: list[ShardEntry]) -> None:
        """Freeze the plan with these entries in it, and ask them."""
        manifest = self._run.manifest
        manifest.snapshots = {key: msgspec.to_builtins(one) for key, one in self.pinned.items()}
        manifest.plan = (*before, *entries)
        self._run.save()
        frozen = [(one, pure.planned_shard(self._run, one, self.pinned)) for one in entries]
        await self._engine.crawl(frozen, self.pinned)
        del frozen
        give_back()

    def _cut(self, asked: Sequence[Questions], number: int) -> list[ShardEntry]:
        chains = {ChainId(q.chain) for q in asked}
        sizes = {one: capabilities(self._world.chains[one]).shard for one in chains}
        return self._named(shards(asked, sizes), number)

    def _named(self, pieces: Iterable[Questions], number: int) -> list[ShardEntry]:
        """Name shards by their questions and pinned block, and write them down."""
        entries: list[ShardEntry] = []
        for shard in pieces:
            snapshot = self.pinned[Moment(shard.chain, shard.height).key].snapshot
            digest = shard_digest(shard, snapshot.block_hash if snapshot else "")
            name = f"plan/{digest}.parquet"
            if not self._run.holds(name):
                accounts = Packed.of(shard.accounts).to_arrow()
                table = pa.table({"account": accounts}, schema=PLAN)
                self._run.write_table(name, table, alike=())
            entries.append(
                ShardEntry(
                    digest=digest,
                    kind=shard.kind.value,
                    chain=shard.chain,
                    height=shard.height,
                    asset=shard.asset,
                    questions=len(shard.accounts),
                    round=number,
                )
            )
        return entries


def _moments(asked: Iterable[Questions]) -> list[Moment]:
    return sorted({Moment(q.chain, q.height) for q in asked})


def _frozen(run: RunDirectory, known: Mapping[str, Pinned]) -> Mapping[int, list[Questions]]:
    """Return the shards of the further rounds that are frozen already, by round.

    One whose file is gone is left out: what it asked comes again as a new round.
    """
    found: dict[int, list[Questions]] = defaultdict(list)
    for entry in run.manifest.plan or ():
        if entry.round and run.holds(f"plan/{entry.digest}.parquet"):
            found[entry.round].append(pure.planned_shard(run, entry, known))
    return found
