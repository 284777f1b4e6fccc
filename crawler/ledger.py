"""One record per row with everything that is known about it, ready to be added up.

Joins claims, signature results, control answers, balances and asset facts. Pure: the same run
directory always gives the same ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains import addresses
from chains.control import ControlFacts
from chains.control import decode as decode_control
from chains.model import AssetId, ChainId, QueryKind, Questions
from crawler.answers import MergedShard
from crawler.control import AWAITING, judge_contract, judge_signers
from crawler.errors import EnvironmentFault
from crawler.model import RowKind
from crawler.plan import (
    ControlQuestion,
    Moment,
    control_questions,
    is_token,
    why_not,
)
from crawler.runs import ShardEntry
from crawler.settings import World
from crawler.validity import row_validity

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

STORED = ("subject", "units", "facts", "gap", "source", "method", "extract")
"""Columns of an answer that the ledger needs."""

PROVEN = frozenset({"bound", "controlled"})

Shards = Sequence[tuple[ShardEntry, Questions, MergedShard | None]]


class _Standing(msgspec.Struct, frozen=True):
    """The merged answers to all questions about one asset at one height."""

    accounts: pa.Array
    columns: Mapping[str, Sequence[Any]]


class Place(msgspec.Struct, frozen=True):
    """Where an answer lies: shard, attempt, and line of the attempt's evidence pack."""

    shard: str
    attempt: int
    extract: int


def build(
    world: World,
    claims: pa.Table,
    signatures: pa.Table,
    shards: Shards,
    unpinned: Mapping[str, str],
) -> tuple[pa.Table, Mapping[int, Place]]:
    """Return the ledger (``LEDGER``) in list order, and the control answers' places by row.

    ``unpinned`` maps ``<chain>@<height>`` to the reason why that moment could not be pinned.
    """
    count = claims.num_rows
    balances = _standing(shards, QueryKind.BALANCE, unpinned)
    asset_gaps = _asset_gaps(world, _standing(shards, QueryKind.ASSET_FACT, unpinned), balances)

    @cache
    def blocked(chain: str, asset: str, height: int | None) -> str:
        return why_not(world, chain, asset, height)

    kinds = claims["kind"].to_pylist()
    chains = claims["chain"].to_pylist()
    assets = claims["asset_id"].to_pylist()
    heights = claims["at_height"].to_pylist()
    accounts = claims["account"].to_pylist()
    observed: list[str | None] = [None] * count
    gaps = ["not-answered"] * count
    sources = [""] * count
    methods = [""] * count
    subjects = list(accounts)
    shard_of = [""] * count
    attempt_of = [0] * count
    extract_of = [-1] * count
    for i in range(count):
        if kinds[i] != RowKind.CLAIM:
            gaps[i] = "not-a-claim"
        elif blocked(chains[i], assets[i], heights[i]):
            gaps[i] = blocked(chains[i], assets[i], heights[i])
        elif not accounts[i]:
            gaps[i] = "no-account"
    for (asset, height), rows in _groups(claims).items():
        found = balances.get((asset, height))
        if found is None:
            continue
        gap_of_asset = asset_gaps.get((asset, height), "")
        where = pc.index_in(claims["account"].take(pa.array(rows)), value_set=found.accounts)
        for i, position in zip(rows.tolist(), where.to_pylist(), strict=True):
            if position is None or kinds[i] != RowKind.CLAIM:
                continue
            columns = found.columns
            subjects[i] = columns["subject"][position]
            shard_of[i] = columns["shard"][position]
            attempt_of[i] = columns["attempt"][position]
            extract_of[i] = columns["extract"][position]
            gaps[i] = columns["gap"][position] or gap_of_asset
            if not gaps[i]:
                observed[i] = columns["units"][position]
                sources[i] = columns["source"][position]
                methods[i] = columns["method"][position]
    statuses, reasons, places = _verdicts(world, claims, signatures, shards)
    resolved = claims.set_column(
        claims.schema.get_field_index("account"), "account", pa.array(subjects, pa.binary())
    )
    proven = [status in PROVEN for status in statuses]
    validity, groups = row_validity(resolved, proven)
    ledger = pa.Table.from_arrays(
        [
            claims["row"],
            claims["kind"],
            claims["network"],
            claims["asset"],
            claims["address"],
            claims["amount"],
            claims["chain"],
            claims["asset_id"],
            claims["counts_as"],
            claims["asset_class"],
            claims["decimals"],
            claims["at_height"],
            claims["units"],
            pa.array(observed, pa.string()),
            pa.array(gaps, pa.string()),
            pa.array(sources, pa.string()),
            pa.array(methods, pa.string()),
            pa.array(statuses, pa.string()),
            pa.array(reasons, pa.string()),
            validity,
            groups,
            pa.array(shard_of, pa.string()),
            pa.array(attempt_of, pa.int32()),
            pa.array(extract_of, pa.int32()),
        ],
        schema=LEDGER,
    )
    return ledger, places


def _verdicts(
    world: World, claims: pa.Table, signatures: pa.Table, shards: Shards
) -> tuple[list[str], list[str], dict[int, Place]]:
    statuses = signatures["status"].to_pylist()
    reasons = signatures["reason"].to_pylist()
    waiting = np.flatnonzero([reason in AWAITING for reason in reasons]).tolist()
    places: dict[int, Place] = {}
    if not waiting:
        return statuses, reasons, places
    known = _control_answers(shards)
    for i in waiting:
        height = claims["at_height"][i].as_py()
        asked = control_questions(world, claims, signatures, i) if height is not None else []
        if not asked or asked[0] not in known[height]:
            continue
        own, *through = asked
        facts, places[claims["row"][i].as_py()] = known[height][own]
        if own.kind is QueryKind.SIGNATURE:
            status, reason = judge_contract(facts)
        else:
            between = {
                one.account: known[height][one][0] for one in through if one in known[height]
            }
            facts = _through(world, own, facts, between)
            signed, silent = (signatures[name][i].as_py() for name in ("signers", "silent"))
            status, reason = judge_signers(signed, silent, facts)
        if status == "controlled" and not signatures["pinned"][i].as_py():
            reason = "message-not-pinned"
        statuses[i], reasons[i] = status, reason
    return statuses, reasons, places


def _control_answers(
    shards: Shards,
) -> Mapping[int, Mapping[ControlQuestion, tuple[ControlFacts, Place]]]:
    """Return what the chains showed, with its place, by height and question."""
    known: dict[int, dict[ControlQuestion, tuple[ControlFacts, Place]]] = defaultdict(dict)
    for kind in (QueryKind.CONTROL, QueryKind.SIGNATURE):
        for (_, height), standing in _standing(shards, kind, {}).items():
            columns = standing.columns
            for i, account in enumerate(standing.accounts.to_pylist()):
                if not columns["gap"][i]:
                    place = Place(columns["shard"][i], columns["attempt"][i], columns["extract"][i])
                    question = ControlQuestion(kind, columns["chain"][i], account)
                    known[height][question] = (decode_control(columns["facts"][i]), place)
    return known


def _through(
    world: World, own: ControlQuestion, facts: ControlFacts, between: Mapping[bytes, ControlFacts]
) -> ControlFacts:
    """Put what the other chain shows about accounts in between into the authorities they are in."""
    controllers = world.chains[own.chain].controllers
    if not controllers or not between:
        return facts
    spec = world.chains[ChainId(controllers)]
    ways = []
    for way in facts.ways:
        found = {name: between.get(addresses.decode(spec, name)) for name in way.weights}
        nested = {name: one.ways for name, one in found.items() if one is not None}
        ways.append(msgspec.structs.replace(way, nested={**way.nested, **nested}))
    return msgspec.structs.replace(facts, ways=tuple(ways))


def _groups(claims: pa.Table) -> dict[tuple[str, int], np.ndarray[Any, Any]]:
    """Row indices by (asset, height), only rows that have both."""
    keys = pc.binary_join_element_wise(
        claims["asset_id"], claims["at_height"].cast(pa.string()), "\x1f"
    ).combine_chunks()
    encoded = keys.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    found: dict[tuple[str, int], np.ndarray[Any, Any]] = {}
    names = encoded.dictionary.to_pylist()
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for code, name in enumerate(names):
        asset, _, height = name.partition("\x1f")
        if asset:
            found[asset, int(height)] = order[bounds[code] : bounds[code + 1]]
    return found


def _standing(
    shards: Shards, kind: QueryKind, unpinned: Mapping[str, str]
) -> dict[tuple[str, int], _Standing]:
    """Concatenate the merged shards of one kind by (asset, height)."""
    gathered: dict[tuple[str, int], list[tuple[ShardEntry, Questions, MergedShard | None]]] = {}
    for entry, questions, merged in shards:
        if questions.kind is kind:
            key = (questions.asset, questions.height)
            gathered.setdefault(key, []).append((entry, questions, merged))
    return {key: _concatenate(parts, unpinned) for key, parts in gathered.items()}


def _concatenate(parts: Shards, unpinned: Mapping[str, str]) -> _Standing:
    accounts: list[bytes] = []
    columns: dict[str, list[Any]] = {name: [] for name in (*STORED, "shard", "attempt", "chain")}
    for entry, questions, merged in parts:
        size = len(questions.accounts)
        accounts.extend(questions.accounts)
        columns["shard"].extend([entry.digest] * size)
        columns["chain"].extend([questions.chain] * size)
        if merged is None:
            moment = Moment(questions.chain, questions.height).key
            gap = unpinned.get(moment) or "not-answered"
            for name, value in (
                ("units", None),
                ("facts", ""),
                ("gap", gap),
                ("extract", -1),
                ("attempt", 0),
                ("source", ""),
                ("method", ""),
            ):
                columns[name].extend([value] * size)
            columns["subject"].extend(questions.accounts)
            continue
        if merged.table["account"].to_pylist() != list(questions.accounts):
            raise EnvironmentFault(
                f"the answers of shard {entry.digest[:12]} are not those of its questions; delete "
                "its files in shards/ and run 'recount resume' to ask again"
            )
        for name in STORED:
            columns[name].extend(merged.table[name].to_pylist())
        columns["attempt"].extend(merged.attempts)
    return _Standing(pa.array(accounts, pa.binary()), columns)


def _asset_gaps(
    world: World,
    facts_by_asset: Mapping[tuple[str, int], _Standing],
    asked: Iterable[tuple[str, int]],
) -> dict[tuple[str, int], str]:
    """For each token and height: why its balances may not be used, where that is so."""
    found = {
        (asset, height): "asset-unconfirmed"
        for asset, height in asked
        if is_token(AssetId(asset)) and (asset, height) not in facts_by_asset
    }
    for (asset, height), standing in facts_by_asset.items():
        if standing.columns["gap"][0]:
            gap = standing.columns["gap"][0]
            found[asset, height] = gap if gap == "no-contract" else "asset-unconfirmed"
            continue
        facts = msgspec.json.decode(standing.columns["facts"][0].encode())
        declared = world.assets[AssetId(asset)]
        symbol = declared.symbol or facts.get("symbol")  # "" means: not confirmed, decimals only
        if (facts.get("decimals"), facts.get("symbol")) != (declared.decimals, symbol):
            found[asset, height] = "asset-mismatch"
    return found


def iter_rows(ledger: pa.Table) -> Iterable[dict[str, Any]]:
    """Yield the ledger's rows as dictionaries, batch by batch."""
    for batch in ledger.to_batches(max_chunksize=65536):
        columns = [batch.column(name).to_pylist() for name in batch.schema.names]
        names = batch.schema.names
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))
