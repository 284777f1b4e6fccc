"""From a run directory to its report: the pure half of the job.

Reads claims, signature results, plan and answers as they lie on disk, joins them, adds them up
and returns ``Result``. Asks nobody, reads no clock: the same directory always gives the same
bytes. ``replay`` does the same with answers decoded anew from the evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.bulk import Halves
from chains.model import AssetId, ChainId, QueryKind, Questions
from chains.packed import Packed
from crawler.asking.plan import PLAN, Moment, shard_digest
from crawler.counting.findings import MOST_ROWS, Findings
from crawler.counting.ledger import ALIKE, Join, Shards
from crawler.counting.outcome import judge
from crawler.counting.published_totals import LabelSums, check_totals
from crawler.counting.ratio import check_statement, ratio_lines
from crawler.counting.reconciled import chosen_in_conflict, judged_rows, scales
from crawler.counting.shares import Shares
from crawler.counting.totals import Totals
from crawler.counting.validity import groups
from crawler.crawling.answers import Place, read_shard
from crawler.crawling.evidence import Header, evidence_pack, extract_digests, read_pack
from crawler.crawling.pins import Pinned
from crawler.errors import EnvironmentFault
from crawler.examining.hygiene import SignedTexts
from crawler.keeping.runs import RunDirectory, ShardEntry
from crawler.liabilities import Liability
from crawler.model import Exchange, ListedTotal, Rounding, RowKind
from crawler.reasons import DOES_NOT_PROVE
from crawler.result import (
    SCHEMA,
    EvidencePointer,
    ListFacts,
    Result,
    SnapshotLine,
    StatementCheck,
)
from crawler.settings import Policy, Statement, World
from crawler.tables.columns import whole
from crawler.tables.digests import RowDigests, for_rows
from crawler.tables.memory import give_back
from crawler.tables.spool import Spool


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the report needs besides claims and answers.

    ``heights_replaced``: heights of a file that stand instead of those of the list.
    """

    world: World
    policy: Policy
    list_name: str
    list_sha256: str
    dialect: str
    exchange: str
    expected: tuple[str, ...] | None
    asked: bool = True
    rounding: Rounding
    totals: tuple[ListedTotal, ...]
    lines: Mapping[str, int]
    unread_columns: tuple[str, ...] = ()
    liabilities: Mapping[str, Liability] = {}
    statement: Statement | None = None
    heights_replaced: tuple[int, ...] = ()


def planned_questions(
    run: RunDirectory, pinned: Mapping[str, Pinned]
) -> Iterator[tuple[ShardEntry, Questions]]:
    """Read the frozen plan, shard by shard.

    Raises ``EnvironmentFault`` where it is missing or was changed.
    """
    if run.manifest.plan is None:
        raise EnvironmentFault(f"{run.path} has no plan yet; continue it with 'recount resume'")
    for entry in run.manifest.plan:
        yield entry, planned_shard(run, entry, pinned)


def planned_shard(run: RunDirectory, entry: ShardEntry, pinned: Mapping[str, Pinned]) -> Questions:
    """Read the questions of one frozen shard; raises ``EnvironmentFault``."""
    snapshot = pinned[Moment(ChainId(entry.chain), entry.height).key].snapshot
    return planned(run, entry, snapshot.block_hash if snapshot else "")


def planned(run: RunDirectory, entry: ShardEntry, block_hash: str) -> Questions:
    """Read one shard of the frozen plan; raises as ``planned_questions``."""
    name = f"plan/{entry.digest}.parquet"
    questions = Questions(
        kind=QueryKind(entry.kind),
        chain=ChainId(entry.chain),
        height=entry.height,
        asset=AssetId(entry.asset),
        accounts=Packed.from_arrow(run.read_table(name, schema=PLAN)["account"]),
    )
    if shard_digest(questions, block_hash) != entry.digest:
        raise EnvironmentFault(
            f"{run.path / name} is not what its digest says; the run directory was changed; start "
            "a new run"
        )
    return questions


def stored_shards(run: RunDirectory, pinned: Mapping[str, Pinned]) -> Shards:
    """Yield the plan with the answers as stored."""
    for entry, questions in planned_questions(run, pinned):
        yield entry, questions, read_shard(run, entry.digest)


def recount(
    inputs: Inputs,
    parts: Iterable[tuple[pa.Table, pa.Table]],
    shards: Shards,
    pinned: Mapping[str, Pinned],
    keep: Callable[[pa.Table], None] = lambda _: None,
) -> tuple[Result, Mapping[int, Sequence[Place]]]:
    """Return the result, and where the answers behind the rows that do not stand lie.

    ``parts`` are claims and signature results in list order; ``keep`` gets the ledger on which the
    result rests, part by part.
    """
    world, policy = inputs.world, inputs.policy
    unpinned = {key: entry.reason for key, entry in pinned.items() if entry.reason}
    join = Join(world, shards, unpinned)
    texts = SignedTexts()
    published = _Published(inputs)
    with Spool(alike=ALIKE) as kept:
        for claims, signatures in parts:
            joined = join.part(claims, signatures)
            texts.add(claims["message"], signatures["scheme"], joined)
            published.add(claims)
            kept.append(joined)
        join.end()
        give_back()
        scale = scales(kept)
        chosen: frozenset[int] = frozenset()
        if policy.conflict == "smaller":
            chosen = chosen_in_conflict(join.completed(kept))
        running, sums, shares = Totals(), LabelSums(), Shares(world, join.rates)
        findings = Findings(scale, asked=inputs.asked)
        validity: Counter[str] = Counter()
        for ledger in join.completed(kept):
            for row in judged_rows(ledger, policy, inputs.rounding, scale, chosen):
                running.add(row)
                findings.add_row(row)
                sums.add(row)
                shares.add(row)
                validity[row.cells["validity"]] += row.rows
            keep(ledger)
    totals = running.by_coin()
    exchange: Exchange | None = world.exchanges.get(inputs.exchange)
    checks = check_totals(
        inputs.totals, sums, scale=scale, world=world, exchange=exchange, policy=policy
    )
    ratios = ratio_lines(totals, scale, inputs.liabilities, inputs.statement)
    stated: tuple[StatementCheck, ...] = ()
    if inputs.statement is not None:
        stated = check_statement(
            inputs.statement,
            rows=published.rows,
            accounts=published.accounts(),
            unknown_labels=published.has_unknown_labels,
            totals=totals,
            scale=scale,
            ratios=ratios,
        )
    findings.add_totals(checks)
    findings.add_statement(stated)
    findings.add_unread(inputs.unread_columns)
    if inputs.heights_replaced:
        rows = published.at_replaced_heights
        findings.add_note("heights-replaced", rows, published.count_at_replaced_heights)
    messages, messages_left_out = texts.lines(scale, inputs.expected)
    found = findings.findings()
    discrepancies = findings.discrepancies()
    result = Result(
        schema=SCHEMA,
        list=ListFacts(
            name=inputs.list_name,
            sha256=inputs.list_sha256,
            dialect=inputs.dialect,
            exchange=inputs.exchange,
            lines=inputs.lines,
            validity=dict(sorted(validity.items())),
        ),
        policy={**msgspec.to_builtins(policy), "sha256": policy.digest},
        config_sha256=world.digest,
        snapshots=tuple(_snapshot_line(world, key, entry) for key, entry in pinned.items()),
        assets=tuple(total.line(world, scale) for total in totals.values()),
        totals=checks,
        ratios=ratios,
        statement=stated,
        shares=shares.lines(),
        messages=messages,
        messages_left_out=messages_left_out,
        findings=found,
        discrepancies=discrepancies,
        discrepancies_left_out=findings.left_out,
        does_not_prove=DOES_NOT_PROVE,
        outcome=judge(policy, found, totals),
    )
    refuted = {one.row for one in discrepancies if one.kind == "refuted"}
    control = {line: places for line, places in join.places.items() if line in refuted}
    behind = {line: [place] for line, place in findings.places.items()}
    for line, places in control.items():
        behind.setdefault(line, []).extend(places)
    return result, behind


class _Published:
    """What a statement and the notes say of the list itself, collected part by part."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._digest: RowDigests | None = None
        self._accounts: list[Halves] = []
        self.rows = 0
        self.has_unknown_labels = False
        self.at_replaced_heights: list[int] = []
        """The first rows of these, as many as are shown."""
        self.count_at_replaced_heights = 0

    def add(self, claims: pa.Table) -> None:
        """Take in the claims of a part."""
        replaced = pa.array(self._inputs.heights_replaced, pa.int64())
        claims = claims.filter(pc.equal(claims["kind"], RowKind.CLAIM.value))
        of_file = pc.is_in(claims["at_height"], value_set=replaced)
        rows = claims["row"].filter(of_file)
        self.count_at_replaced_heights += len(rows)
        known = [*self.at_replaced_heights, *rows.to_pylist()]
        self.at_replaced_heights = sorted(known)[:MOST_ROWS]
        self.rows += claims.num_rows
        if self._inputs.statement is not None:
            self.has_unknown_labels |= bool(pc.any(pc.equal(claims["asset_id"], "")).as_py())
            self._digest = self._digest or for_rows(claims.num_rows)
            decoded = pc.greater(pc.binary_length(claims["account"]), 0)
            text = pc.if_else(decoded, "", claims["address"])
            columns = [whole(one) for one in (claims["chain"], claims["account"], text)]
            self._accounts.append(self._digest(columns))

    def accounts(self) -> int:
        """Count the accounts of the claims: the same account under two assets is one."""
        halves = np.concatenate([np.zeros((0, 2), np.int64), *self._accounts])
        return int(groups(halves).max(initial=-1)) + 1


def evidence_pointers(
    run: RunDirectory, behind: Mapping[int, Sequence[Place]]
) -> tuple[EvidencePointer, ...]:
    """Find the exchanges at these places, by row."""
    places: dict[str, dict[int, list[int]]] = {}
    for row, place in ((row, place) for row, found in behind.items() for place in found):
        if place.shard and place.extract >= 0:
            pack = evidence_pack(place.shard, place.attempt)
            places.setdefault(pack, {}).setdefault(place.extract, []).append(row)
    pointers = [
        EvidencePointer(row=row, pack=pack, sha256=digest)
        for pack, extracts in sorted(places.items())
        for number, digests in enumerate(_extracts(run, pack))
        for row in extracts.get(number, [])
        for digest in digests
    ]
    return tuple(sorted(pointers, key=lambda pointer: (pointer.row, pointer.pack)))


def _extracts(run: RunDirectory, pack: str) -> list[Sequence[str]]:
    with run.reading(pack) as path:
        return [extract_digests(line) for line in read_pack(path) if not isinstance(line, Header)]


def _snapshot_line(world: World, key: str, entry: Pinned) -> SnapshotLine:
    chain, _, height = key.rpartition("@")
    spec = world.chains[ChainId(chain)]
    snapshot = entry.snapshot
    return SnapshotLine(
        chain=chain,
        name=spec.name,
        height=int(height),
        block_hash=snapshot.block_hash if snapshot else "",
        time=snapshot.time if snapshot else 0,
    )
