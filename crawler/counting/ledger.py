"""One record per row with everything that is known about it, ready to be added up.

Joins claims, signature results, control answers, balances and asset facts. Pure: the same run
directory always gives the same ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.control import decode as decode_control
from chains.model import AssetId, ChainId, QueryKind, Questions
from chains.packed import Packed
from crawler.asking.control import AWAITING
from crawler.asking.controllers import Answered, Known, judge_row
from crawler.asking.plan import (
    ControlQuestion,
    Moment,
    capabilities,
    is_token,
    unread_heights,
    why_not,
)
from crawler.counting.asset_facts import Key, asset_gaps, possible, read_rate, supplies
from crawler.counting.standing import ANSWERED, STANDING, STORED, Standing
from crawler.counting.unified import unified
from crawler.counting.validity import Judged, Subjects
from crawler.crawling.answers import MergedShard, Place
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import ShardEntry
from crawler.model import RowKind
from crawler.settings import World
from crawler.tables.columns import Numbers, distinct, flags, members, records, whole
from crawler.tables.memory import give_back

LEDGER = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("network", pa.string(), nullable=False),
        pa.field("asset", pa.string(), nullable=False),
        pa.field("address", pa.string(), nullable=False),
        pa.field("amount", pa.string(), nullable=False),
        pa.field("chain", pa.string(), nullable=False),
        pa.field("asset_id", pa.string(), nullable=False),
        pa.field("counts_as", pa.string(), nullable=False),
        pa.field("asset_class", pa.string(), nullable=False),
        pa.field("decimals", pa.int16(), nullable=False),
        pa.field("height", pa.int64(), nullable=True),
        pa.field("claimed", pa.string(), nullable=True),  # base units
        pa.field("observed", pa.string(), nullable=True),  # base units; null: see gap
        pa.field("gap", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # who answered, "" with a gap
        pa.field("method", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("validity", pa.string(), nullable=False),
        pa.field("group", pa.int64(), nullable=False),  # same asset and account, see validity
        pa.field("shard", pa.string(), nullable=False),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("extract", pa.int32(), nullable=False),
    ]
)

ABOUT_CONTROL = (QueryKind.CONTROL, QueryKind.SIGNATURE)
PROVEN = pa.array(["bound", "controlled"])

JOINED = pa.schema([field for field in LEDGER if field.name not in ("validity", "group")])
"""The ledger of a part, before its rows are compared with those of the others."""

ALIKE = (
    "kind", "network", "asset", "chain", "asset_id", "counts_as", "asset_class", "gap", "source",
    "method", "status", "reason", "shard",
)  # fmt: skip
"""Columns of texts of which a part has few different ones."""

Shards = Iterable[tuple[ShardEntry, Questions, MergedShard | None]]
"""Shards with their answers; read once, so that they need not all be in memory."""


class Join:
    """Joins the parts of a list, one after another, with all that was answered."""

    def __init__(self, world: World, shards: Shards, unpinned: Mapping[str, str]) -> None:
        """``unpinned`` maps ``<chain>@<height>`` to why that moment could not be pinned."""
        self._world = world
        self._balances: dict[Key, Standing] = defaultdict(Standing)
        others: dict[QueryKind, dict[Key, list[pa.Table]]] = defaultdict(lambda: defaultdict(list))
        for entry, questions, merged in shards:
            key: Key = (questions.asset, questions.height)
            found = _standing_shard(entry, questions, merged, unpinned)
            if questions.kind is QueryKind.BALANCE:
                self._balances[key].add(found)
            else:
                others[questions.kind][key].append(found)
        for (asset, height), proofs in _whole(others[QueryKind.PROOF]).items():
            self._balances[asset, height].confirm(proofs, coin=not is_token(AssetId(asset)))
        facts = _whole(others[QueryKind.ASSET_FACT])
        self._asset_gaps = asset_gaps(world, facts, self._balances)
        self._supplies = supplies(world, facts, self._asset_gaps)
        self._control = _known(others)
        self.rates = {key: read_rate(standing) for key, standing in facts.items()}
        self._subjects = Subjects()
        self._judged: Judged | None = None
        self.places: dict[int, tuple[Place, ...]] = {}

    def part(self, claims: pa.Table, signatures: pa.Table) -> pa.Table:
        """Return the ledger of a part but for validity and group.

        ``places`` grows by its rows that control refutes, with the answers that do.
        """
        claims = claims.combine_chunks()
        answers, where = _answered(claims, self._balances, self._asset_gaps)
        where[flags(pc.not_equal(claims["kind"], RowKind.CLAIM.value))] = -1
        known = pa.array(where, mask=where < 0)
        found = {name: answers[name].take(known) for name in answers.column_names}
        claims = possible(claims, found["units"], self._supplies)
        statuses, reasons, places = _verdicts(self._world, claims, signatures, self._control)
        self.places |= places
        at = claims.schema.get_field_index("account")
        subjects = whole(pc.coalesce(found["subject"], claims["account"]))
        holders = _holders(self._world, claims, subjects)
        if holders is not None:
            subjects = pc.if_else(pc.is_valid(holders), claims["account"], subjects)
        resolved = unified(self._world, claims.set_column(at, "account", subjects))
        self._subjects.add(resolved, _proofs(statuses, reasons), holders)
        columns = {name: claims[name] for name in claims.column_names if name in LEDGER.names}
        columns |= {
            "height": claims["at_height"],
            "claimed": claims["units"],
            "observed": found["units"],
            "gap": pc.coalesce(found["gap"], _unasked(self._world, claims)),
            "source": pc.fill_null(found["source"], ""),
            "method": pc.fill_null(found["method"], ""),
            "status": statuses,
            "reason": reasons,
            "shard": pc.fill_null(found["shard"], ""),
            "attempt": pc.fill_null(found["attempt"], 0),
            "extract": pc.fill_null(found["extract"], -1),
        }
        return pa.table(columns, schema=JOINED)

    def end(self) -> Judged:
        """Compare the rows of all parts; no more can be joined then: the answers are given up."""
        if self._judged is None:
            self._balances.clear()
            give_back()
            self._judged = self._subjects.judge()
        return self._judged

    def completed(self, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield the ledger (``LEDGER``) of all parts that were joined, in their order."""
        judged = self.end()
        start = 0
        for part in parts:
            columns = {name: part[name] for name in JOINED.names}
            end = start + part.num_rows
            columns["validity"] = judged.texts(start, part.num_rows)
            columns["group"] = pa.array(judged.groups[start:end])
            yield pa.table(columns, schema=LEDGER)
            start = end


def _proofs(statuses: pa.Array, reasons: pa.Array) -> Numbers:
    """Rank rows for ``Subjects``: 2 is proven, 1 is proven over a text that nobody expects."""
    proven = flags(pc.is_in(statuses, value_set=PROVEN)).astype(np.int8)
    return proven + (proven & flags(pc.not_equal(reasons, "message-not-pinned")))


def build(
    world: World,
    claims: pa.Table,
    signatures: pa.Table,
    shards: Shards,
    unpinned: Mapping[str, str],
) -> tuple[pa.Table, Mapping[int, tuple[Place, ...]]]:
    """Return the ledger of a list in one part, and what ``Join.places`` says."""
    join = Join(world, shards, unpinned)
    (ledger,) = join.completed([join.part(claims, signatures)])
    return ledger, join.places


def _holders(world: World, claims: pa.Table, subjects: pa.Array) -> pa.Array | None:
    """Return, per row, the owner to whose balance its account belongs, null for none.

    ``None`` where no row has one.
    """
    is_other = pc.not_equal(subjects, claims["account"])
    chains = pc.unique(claims["chain"].filter(is_other)).to_pylist()
    holding = [one for one in chains if capabilities(world.chains[ChainId(one)]).subject_holds]
    if not holding:
        return None
    is_held = pc.and_(is_other, pc.is_in(claims["chain"], value_set=pa.array(holding)))
    return whole(pc.if_else(is_held, subjects, None))


def _unasked(world: World, claims: pa.Table) -> pa.Array:
    """Return, per row, why there is no answer about it, as far as the row itself says why."""
    names = ("kind", "chain", "asset_id", "at_height")
    has_account = flags(pc.greater(pc.binary_length(claims["account"]), 0))
    unread = unread_heights(claims)
    codes, firsts = distinct([*(claims[name] for name in names), has_account, unread])
    columns = [claims[name].take(firsts).to_pylist() for name in names]
    columns += [has_account[firsts].tolist(), unread[firsts].tolist()]
    reasons = [
        _why_unasked(world, *row, has_account=account, unread=no_number)
        for *row, account, no_number in zip(*columns, strict=True)
    ]
    return pa.array(reasons, pa.string()).take(pa.array(codes))


def _why_unasked(
    world: World,
    kind: str,
    chain: str,
    asset: str,
    height: int | None,
    *,
    has_account: bool,
    unread: bool,
) -> str:
    if kind != RowKind.CLAIM:
        return "not-a-claim"
    blocked = why_not(world, chain, asset, height, unread=unread)
    return blocked or ("not-answered" if has_account else "no-account")


def _answered(
    claims: pa.Table,
    balances: Mapping[Key, Standing],
    asset_gaps: Mapping[Key, str],
) -> tuple[pa.Table, Numbers]:
    """Return the answers about the balances of rows, and each row's place in them, -1 for none."""
    where = np.full(claims.num_rows, -1, np.int64)
    tables = [ANSWERED.empty_table()]
    before = 0
    codes, firsts = distinct([claims["asset_id"], claims["at_height"]])
    keys = [claims[name].take(firsts).to_pylist() for name in ("asset_id", "at_height")]
    for key, rows in zip(zip(*keys, strict=True), members(codes), strict=True):
        found = balances.get(key)
        if found is None:
            continue
        accounts = claims["account"].take(pa.array(rows))
        places, answers = found.answers(accounts)
        where[rows[places]] = np.arange(before, before + len(places))
        tables.append(_with_gap(answers, asset_gaps.get(key, "")))
        before += len(places)
    return pa.concat_tables(tables).combine_chunks(), where


def _with_gap(answers: pa.Table, gap: str) -> pa.Table:
    """Put the gap of the asset on every answer that has none of its own; a gap has no amount."""
    gaps = answers["gap"]
    if gap:
        gaps = pc.if_else(pc.equal(gaps, ""), gap, gaps)
    seen = pc.equal(gaps, "")
    columns = {"gap": gaps, "units": pc.if_else(seen, answers["units"], None)}
    columns |= {name: pc.if_else(seen, answers[name], "") for name in ("source", "method")}
    columns = {name: columns.get(name, answers[name]) for name in ANSWERED.names}
    return pa.table(columns, schema=ANSWERED)


def _verdicts(
    world: World, claims: pa.Table, signatures: pa.Table, known: Mapping[int, Known]
) -> tuple[pa.Array, pa.Array, dict[int, tuple[Place, ...]]]:
    """Return status and reason of each row, and the answers behind what control refutes."""
    columns = whole(signatures["status"]), whole(signatures["reason"])
    waiting = pc.is_in(columns[1], value_set=pa.array(sorted(AWAITING)))
    places: dict[int, tuple[Place, ...]] = {}
    if not known or not pc.any(waiting).as_py():
        return *columns, places
    statuses, reasons = (column.to_pylist() for column in columns)
    for i in np.flatnonzero(flags(waiting)).tolist():
        height = claims["at_height"][i].as_py()
        answers = known.get(height)
        if answers is None:
            continue
        judged = judge_row(world, claims, signatures, i, answers)
        if judged is None:
            continue
        statuses[i], reasons[i] = judged.status, judged.reason
        if judged.status == "controlled" and not signatures["pinned"][i].as_py():
            reasons[i] = "message-not-pinned"
        if judged.status == "refuted":
            row = claims["row"][i].as_py()
            places[row] = tuple(answers[one].place for one in judged.rests_on)
    return pa.array(statuses, pa.string()), pa.array(reasons, pa.string()), places


def control_answers(shards: Shards) -> Mapping[int, Known]:
    """Return what was asked about control and what the chains showed, by height."""
    found: dict[QueryKind, dict[Key, list[pa.Table]]] = defaultdict(lambda: defaultdict(list))
    for entry, questions, merged in shards:
        if questions.kind in ABOUT_CONTROL:
            key = (questions.asset, questions.height)
            found[questions.kind][key].append(_standing_shard(entry, questions, merged, {}))
    return _known(found)


def _known(gathered: Mapping[QueryKind, Mapping[Key, list[pa.Table]]]) -> Mapping[int, Known]:
    known: dict[int, dict[ControlQuestion, Answered]] = defaultdict(dict)
    for kind in ABOUT_CONTROL:
        for (asset, height), standing in _whole(gathered.get(kind, {})).items():
            chain = ChainId(asset.partition("/")[0])
            for found in records(standing):
                place = Place(found["shard"], found["attempt"], found["extract"])
                facts = None if found["gap"] else decode_control(found["facts"])
                question = ControlQuestion(kind, chain, found["account"])
                known[height][question] = Answered(facts, place)
    return known


def _whole(gathered: Mapping[Key, list[pa.Table]]) -> dict[Key, pa.Table]:
    """Put the merged shards about one asset at one height together (``STANDING``)."""
    return {key: pa.concat_tables(parts).combine_chunks() for key, parts in gathered.items()}


def _standing_shard(
    entry: ShardEntry,
    questions: Questions,
    merged: MergedShard | None,
    unpinned: Mapping[str, str],
) -> pa.Table:
    accounts = Packed.of(questions.accounts).to_arrow()
    if merged is None:
        moment = Moment(questions.chain, questions.height).key
        same = dict.fromkeys(STANDING.names, "") | {
            "units": None,
            "gap": unpinned.get(moment) or "not-answered",
            "attempt": 0,
            "extract": -1,
        }
        columns = {field.name: _repeated(same[field.name], field, accounts) for field in STANDING}
        return pa.table(columns | {"account": accounts, "subject": accounts}, schema=STANDING)
    if not whole(merged.table["account"]).equals(accounts):
        raise EnvironmentFault(
            f"the answers of shard {entry.digest[:12]} are not those of its questions; delete "
            "its files in shards/ and run 'recount resume' to ask again"
        )
    columns = {name: merged.table[name] for name in STORED}
    columns["shard"] = _repeated(entry.digest, STANDING.field("shard"), accounts)
    columns["attempt"] = pa.array(merged.attempts, pa.int32())
    return pa.table(columns, schema=STANDING)


def _repeated(value: object, field: pa.Field, accounts: pa.Array) -> pa.Array:
    return pa.array([value], field.type).take(pa.array(np.zeros(len(accounts), np.int64)))
