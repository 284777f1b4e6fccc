"""Rows reconciled: which count, and whether what is claimed is what the chains hold.

A row counts when it is a claim, its amount is usable, and it is valid: an equal repeat counts
once, rows in conflict count in no total until policy says which.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.counting.units import to_text
from crawler.model import Reconciliation, Rounding, RowKind, Validity
from crawler.settings import Policy
from crawler.tables.columns import (
    Flags,
    Numbers,
    distinct,
    flags,
    members,
    numbers,
    records,
    sums,
    whole,
)


class Alike(msgspec.Struct, frozen=True, kw_only=True):
    """Ledger rows that are judged alike, added up: amounts at the coin's common scale.

    ``cells`` are the texts that the rows share; in ``validity`` the other row's number is left
    out. ``claimed`` is ``None`` where no row has a usable amount, ``observed`` where none was
    observed. ``places`` are the rows' places in ``ledger``, ascending.
    """

    coin: str
    rows: int
    counted: bool
    owned: bool
    claimed: int | None
    observed: int | None
    tolerance: int
    outcome: Reconciliation | None
    cells: Mapping[str, str]
    ledger: pa.Table
    places: Numbers

    @property
    def difference(self) -> int | None:
        """Observed minus claimed, where both are known."""
        if self.claimed is None or self.observed is None:
            return None
        return self.observed - self.claimed

    def first(self, most: int) -> Iterable[Mapping[str, Any]]:
        """Yield the first of the rows, as they stand in the ledger."""
        return records(self.ledger.take(pa.array(self.places[:most])))

    def numbers(self, most: int) -> list[int]:
        """Return the first rows' numbers in the list."""
        return list(self.ledger["row"].take(pa.array(self.places[:most])).to_pylist())


class Scales(msgspec.Struct, frozen=True):
    """Decimals at which each coin is added up: the most that any of its rows has."""

    decimals: Mapping[str, int]

    def text(self, coin: str, units: int) -> str:
        """Write scaled units of a coin in coin units."""
        return to_text(units, self.decimals[coin])


def scales(parts: Iterable[pa.Table]) -> Scales:
    """Find the common scale of every coin in the parts of a ledger."""
    found: dict[str, int] = {}
    for ledger in parts:
        grouped = ledger.group_by("counts_as").aggregate([("decimals", "max")])
        columns = (grouped[name].to_pylist() for name in ("counts_as", "decimals_max"))
        for coin, decimals in zip(*columns, strict=True):
            found[coin] = max(found.get(coin, 0), decimals)
    return Scales(dict(sorted(found.items())))


SHARED = (
    "kind", "network", "asset", "chain", "asset_id", "asset_class", "gap", "source", "method",
    "status", "reason", "validity",
)  # fmt: skip
"""Columns of the ledger that are the same in rows judged alike, besides coin and decimals."""


def judged_rows(
    ledger: pa.Table,
    policy: Policy,
    rounding: Rounding,
    scale: Scales,
    chosen: Collection[int] = (),
) -> Iterable[Alike]:
    """Yield the ledger's rows, reconciled under the policy, those judged alike added up.

    ``chosen`` are rows that count although they are in conflict.
    """
    ledger = ledger.combine_chunks()
    tolerances = _tolerances(ledger, rounding, policy)
    counted = _counted(ledger, chosen)
    outcomes = _outcomes(ledger, counted, tolerances)
    texts = {name: ledger[name] for name in SHARED} | {"validity": validity_kinds(ledger)}
    present = [flags(pc.is_valid(ledger[name])) for name in ("claimed", "observed")]
    keys = [*texts.values(), ledger["counts_as"], numbers(ledger["decimals"]), counted, *present]
    codes, firsts = distinct([*keys, outcomes])
    count = len(firsts)
    claimed, observed = (sums(codes, count, ledger[name]) for name in ("claimed", "observed"))
    allowed = sums(codes, count, tolerances) if tolerances is not None else [0] * count
    shared = records(pa.table({name: whole(text).take(firsts) for name, text in texts.items()}))
    coins = ledger["counts_as"].take(firsts).to_pylist()
    decimals = ledger["decimals"].take(firsts).to_pylist()
    for code, (cells, places) in enumerate(zip(shared, members(codes), strict=True)):
        first = firsts[code]
        factor = 10 ** (scale.decimals[coins[code]] - decimals[code])
        owned = is_owned(cells["status"], cells["reason"], policy)
        yield Alike(
            coin=coins[code],
            rows=len(places),
            counted=bool(counted[first]),
            owned=bool(counted[first]) and owned,
            claimed=claimed[code] * factor if present[0][first] else None,
            observed=observed[code] * factor if present[1][first] else None,
            tolerance=allowed[code] * factor,
            outcome=_OUTCOMES[outcomes[first]] if counted[first] else None,
            cells=cells,
            ledger=ledger,
            places=places,
        )


_OUTCOMES = tuple(Reconciliation)


def _counted(ledger: pa.Table, chosen: Collection[int]) -> Flags:
    valid = flags(pc.equal(ledger["validity"], Validity.VALID.value))
    if chosen:
        rows = pa.array(sorted(chosen), pa.int64())
        valid |= flags(pc.is_in(ledger["row"], value_set=rows))
    claims = flags(pc.equal(ledger["kind"], RowKind.CLAIM.value))
    return valid & claims & flags(pc.is_valid(ledger["claimed"]))


def _outcomes(ledger: pa.Table, counted: Flags, tolerances: pa.Array | None) -> Numbers:
    """Return each row's place in ``_OUTCOMES``; it says something only of rows that count."""
    equal = flags(pc.equal(ledger["claimed"], ledger["observed"]))
    both = flags(pc.and_(pc.is_valid(ledger["claimed"]), pc.is_valid(ledger["observed"])))
    found = np.full(ledger.num_rows, _OUTCOMES.index(Reconciliation.UNOBSERVED), np.int64)
    found[equal] = _OUTCOMES.index(Reconciliation.MATCH)
    unequal = np.flatnonzero(counted & both & ~equal)
    columns = [ledger["claimed"], ledger["observed"]]
    columns += [] if tolerances is None else [tolerances]
    taken = [column.take(pa.array(unequal)).to_pylist() for column in columns]
    for i, *amounts in zip(unequal.tolist(), *taken, strict=True):
        claimed, observed, tolerance = map(int, (*amounts, "0")[:3])
        found[i] = _OUTCOMES.index(reconcile(claimed, observed, tolerance))
    found[~counted] = 0
    return found


def _tolerances(ledger: pa.Table, rounding: Rounding, policy: Policy) -> pa.Array | None:
    """Return what the dialect's rounding may explain, per row in base units; ``None``: nothing."""
    if rounding.direction == "exact":
        return None
    columns = (ledger[name].to_pylist() for name in ("amount", "claimed", "decimals"))
    return pa.array(
        [
            "0"
            if claimed is None
            else str(row_tolerance(amount, int(claimed), decimals, rounding, policy))
            for amount, claimed, decimals in zip(*columns, strict=True)
        ],
        pa.string(),
    )


def is_owned(status: str, reason: str, policy: Policy) -> bool:
    """Tell whether a verdict counts as owned under the policy."""
    if reason == "message-not-pinned" and not policy.count_unpinned_messages:
        return False
    return status in policy.owned_counts


def reconcile(claimed: int | None, observed: int | None, tolerance: int) -> Reconciliation:
    """Compare one row; amounts at one scale."""
    if claimed is None or observed is None:
        return Reconciliation.UNOBSERVED
    if abs(observed - claimed) <= tolerance:
        return Reconciliation.MATCH
    return Reconciliation.SURPLUS if observed > claimed else Reconciliation.SHORTFALL


def row_tolerance(
    text: str, claimed: int, decimals: int, rounding: Rounding, policy: Policy
) -> int:
    """Return the largest difference that the dialect's rounding may explain, scaled units.

    The unit of the last published place stands for the rounding: half of it where the dialect
    rounds to nearest, less than one where it cuts or does not say. Policy caps it twice.
    """
    if rounding.direction == "exact":
        return 0
    last = last_place(text, decimals, rounding)
    if last <= 1:
        return 0
    bought = last // 2 if rounding.direction == "nearest" else last - 1
    bought = min(bought, last * policy.max_rounding_last_places)
    return min(bought, int(policy.max_rounding * claimed))


def last_place(text: str, decimals: int, rounding: Rounding) -> int:
    """Return one unit of the last published place in scaled units; 1 for exact amounts."""
    _, _, fraction = text.strip().partition(".")
    if rounding.significant:
        digits = len(text.strip().replace(".", "").lstrip("0"))
        places = len(fraction) + rounding.significant - digits  # zeros at the end are not written
    elif rounding.places == "exact":
        return 1
    elif rounding.places == "as-written":
        places = len(fraction)
    else:
        places = int(rounding.places)
    return int(10 ** max(decimals - places, 0))


def chosen_in_conflict(ledgers: Iterable[pa.Table]) -> frozenset[int]:
    """Rows that count under ``conflict = "smaller"``: the smallest claim of each group."""
    best: dict[int, tuple[int, int]] = {}
    for ledger in ledgers:
        mask = pc.starts_with(ledger["validity"], f"{Validity.CONFLICT.value}:")
        for entry in records(ledger.filter(mask).select(["row", "group", "claimed"])):
            if entry["claimed"] is not None:
                candidate = (int(entry["claimed"]), entry["row"])
                best[entry["group"]] = min(best.get(entry["group"], candidate), candidate)
    return frozenset(row for _, row in best.values())


def validity_kinds(ledger: pa.Table) -> pa.Array:
    """Return each row's validity without the number of the other row."""
    validity = whole(ledger["validity"])
    named = pc.match_substring(validity, ":")
    if not pc.any(named).as_py():
        return validity
    return pc.if_else(named, pc.replace_substring_regex(validity, ":.*", ""), validity)
