"""Decodes what a run holds anew from its evidence: moments and answers, without a network.

What comes out must be what was stored. ``recount replay`` does so with everything, ``recount report
--row`` with what one row rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from chains import adapters
from chains.adapter import ChainAdapter
from chains.errors import ChainError
from chains.model import Extract, Gap, Questions, Snapshot
from chains.packed import Packed
from chains.workings import Working, listening
from crawler.asking.plan import Moment
from crawler.counting.ledger import Shards
from crawler.counting.recount import planned_questions
from crawler.crawling.answers import ANSWERS, AnswerColumns, MergedShard, merge, read_shard
from crawler.crawling.decoding import Asked, decode, decoded_pack
from crawler.crawling.evidence import Header, evidence_pack, read_pack
from crawler.crawling.pins import Pinned
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import RunDirectory, ShardEntry, shard_name
from crawler.settings import World

COMPARED = (
    "position", "account", "subject", "units", "parts", "facts", "gap",
    "source", "method", "endpoint",
)  # fmt: skip
"""What a replay must give again, column by column."""


class ExchangeMissing(Exception):
    """A replayed adapter asked for the network."""


class NoTransport:
    """Stands where the network was; a decoder that touches it is not pure."""

    endpoints: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> object:
        raise ExchangeMissing(f"replay reached for the network ({name})")


def replay_pins(run: RunDirectory, world: World, pinned: Mapping[str, Pinned]) -> None:
    """Resolve every pinned moment again from its evidence; raises ``EnvironmentFault``."""
    for key, entry in pinned.items():
        if entry.snapshot is None:
            continue
        spec = world.chains[entry.snapshot.chain]
        adapter = adapters.load(spec.adapter)(spec, NoTransport())  # type: ignore[arg-type]
        with run.inside(entry.pack) as pack:
            lines = [line for line in read_pack(pack) if not isinstance(line, Header)]
        exchanges = [exchange for line in lines for exchange in line.exchanges]
        named = f"{run.path / entry.pack}: replay of {key}"
        try:
            again = adapter.snapshot(entry.snapshot.height, exchanges)
        except ChainError as error:
            raise EnvironmentFault(f"{named} does not resolve its block again: {error}") from error
        stored = entry.snapshot
        same = (again.block_hash, again.time, again.canaries, again.detail) == (
            stored.block_hash,
            stored.time,
            stored.canaries,
            {name: stored.detail.get(name) for name in again.detail},
        )
        if not same:
            raise EnvironmentFault(f"{named} gives another snapshot than was stored")


def replayed_shards(run: RunDirectory, world: World, pinned: Mapping[str, Pinned]) -> Shards:
    """Yield the plan with every answer decoded anew from the evidence; no network.

    Raises ``EnvironmentFault`` where a pack is damaged, missing, or no longer gives the stored
    answer.
    """
    for entry, questions in planned_questions(run, pinned):
        stored = read_shard(run, entry.digest)
        if stored is None:
            yield entry, questions, None
            continue
        snapshot = pinned[Moment(questions.chain, questions.height).key].snapshot
        if snapshot is None:
            raise EnvironmentFault(f"shard {entry.digest[:12]} has answers but no snapshot")
        replay = ShardReplay(run, world, entry, questions, snapshot)
        yield entry, questions, replay.merged(stored)


class ShardReplay(msgspec.Struct, frozen=True):
    """Decodes one shard's evidence again."""

    run: RunDirectory
    world: World
    entry: ShardEntry
    questions: Questions
    snapshot: Snapshot

    def merged(self, stored: MergedShard) -> MergedShard:
        """Return the standing answers, decoded anew; raises where they are not those stored.

        What nodes said of their gaps is left as it was stored: evidence has their words with all
        secrets that they repeated.
        """
        attempts = self.run.attempts(self.entry.digest)
        again = merge([self.attempt(number) for number in attempts], attempts, self.entry.digest)
        for column in COMPARED:
            if again.table[column].to_pylist() != stored.table[column].to_pylist():
                raise EnvironmentFault(
                    f"replay of shard {self.entry.digest[:12]} gives another {column} than was "
                    "stored; the run directory was changed, or made by another version of recount"
                )
        at = again.table.schema.get_field_index("detail")
        hidden = again.table.set_column(at, again.table.schema.field(at), stored.table["detail"])
        return MergedShard(hidden, again.attempts)

    def workings(self, number: int, extract: Extract, account: bytes) -> list[Working]:
        """Decode one extract of an attempt once more, and return what is told of an account."""
        stored = self.run.read_table(shard_name(self.entry.digest, number), schema=ANSWERS)
        positions = stored["position"].to_pylist()
        within = {position: i for i, position in enumerate(positions)}
        local = msgspec.structs.replace(extract, positions=[within[p] for p in extract.positions])
        with listening(account) as told:
            decode(self._adapter(), self._asked(positions), local, self.snapshot)
        return list(told.values())

    def attempt(self, number: int) -> pa.Table:
        """Return the answers of one attempt, as the evidence gives them."""
        digest = self.entry.digest
        stored = self.run.read_table(shard_name(digest, number), schema=ANSWERS)
        positions = stored["position"].to_pylist()
        columns = self._pack(positions, number, witness=False)
        columns.restore(stored)
        if self.run.holds(evidence_pack(digest, number, witness=True)):
            columns.confirm(self._pack(positions, number, witness=True))
        return columns.table(self._asked(positions))

    def _asked(self, positions: Sequence[int]) -> Questions:
        accounts = Packed.of(self.questions.accounts)
        return msgspec.structs.replace(self.questions, accounts=accounts.take(positions))

    def _pack(self, positions: Sequence[int], number: int, *, witness: bool) -> AnswerColumns:
        name = evidence_pack(self.entry.digest, number, witness=witness)
        if not self.run.holds(name):
            columns = AnswerColumns(positions)
            columns.fill(Gap("no-usable-endpoint", retryable=True))
            return columns
        asked = Asked(
            shard=self.entry.digest,
            attempt=number,
            questions=self._asked(positions),
            positions=positions,
            at=self.snapshot,
        )
        with self.run.reading(name) as path:
            return decoded_pack(path, self._adapter(), asked)

    def _adapter(self) -> ChainAdapter:
        spec = self.world.chains[self.questions.chain]
        return adapters.load(spec.adapter)(spec, NoTransport())  # type: ignore[arg-type]
