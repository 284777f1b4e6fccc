"""The list's own totals section, against its rows and against the recount.

Three numbers per label, always: what the header states, what the rows add up to as published
(repeats included), and what the chains hold for the rows that count. Labels of the two sections
differ in spelling and name, so a total is matched by label first, then by the asset it means;
``(ALL)`` sums everything that counts as the coin, and the rows whose labels we do not know but
which name it: that they do not count for us is our reading, not the publisher's mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec

from crawler.counting.reconciled import Alike, Scales
from crawler.counting.units import to_text
from crawler.examining.labels import resolve
from crawler.lists.amounts import AmountError, parse_amount
from crawler.model import Exchange, ListedTotal, RowKind, Validity, plain
from crawler.result import TotalCheck
from crawler.settings import Policy, World

ALL = re.compile(r"\(\s*all\s*\)\s*$", re.IGNORECASE)


class Sum(msgspec.Struct):
    """Rows of one key added up, in scaled units of ``coin``."""

    coin: str
    published: int = 0
    recounted: int = 0
    tolerance: int = 0
    unobserved: int = 0
    excluded: int = 0

    def include(self, other: Sum) -> None:
        """Add another sum of the same coin."""
        self.published += other.published
        self.recounted += other.recounted
        self.tolerance += other.tolerance
        self.unobserved += other.unobserved
        self.excluded += other.excluded


class LabelSums:
    """Sums of the rows by label, by asset and by coin."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], Sum] = {}

    def add(self, row: Alike) -> None:
        """Add rows; what they count under follows from their label, asset and coin."""
        entry = row.cells
        if entry["kind"] != RowKind.CLAIM or row.claimed is None:
            return
        cell = (entry["asset"], entry["asset_id"], row.coin)
        total = self._cells.get(cell)
        if total is None:
            total = self._cells[cell] = Sum(row.coin)
        total.published += row.claimed
        total.tolerance += row.tolerance
        if row.counted and row.observed is not None:
            total.recounted += row.observed
        elif row.counted:
            total.unobserved += row.rows
        if entry["validity"] == Validity.CONFLICT:
            total.excluded += row.rows

    @cached_property
    def found(self) -> dict[tuple[str, str], dict[str, Sum]]:
        """Sums by key and coin; ask only when every row was added."""
        found: dict[tuple[str, str], dict[str, Sum]] = {}
        for (text, asset_id, coin), cell in self._cells.items():
            keys = [("label", plain(text))]
            keys += (
                [("asset", asset_id), ("coin", coin)] if asset_id else [("unknown", plain(text))]
            )
            for key in keys:
                found.setdefault(key, {}).setdefault(coin, Sum(coin)).include(cell)
        return found

    def unknown_naming(self, coin: str) -> list[Sum]:
        """Return the sums of unknown labels that name the coin."""
        wanted = plain(coin)
        return [
            total
            for (kind, label), by_coin in self.found.items()
            if kind == "unknown" and wanted in label
            for total in by_coin.values()
        ]


def check_totals(
    stated: Sequence[ListedTotal],
    sums: LabelSums,
    *,
    scale: Scales,
    world: World,
    exchange: Exchange | None,
    policy: Policy,
) -> tuple[TotalCheck, ...]:
    """Check every line of the totals section, in list order."""
    return tuple(
        _check(total, sums, scale=scale, world=world, exchange=exchange, policy=policy)
        for total in stated
    )


def _check(
    total: ListedTotal,
    sums: LabelSums,
    *,
    scale: Scales,
    world: World,
    exchange: Exchange | None,
    policy: Policy,
) -> TotalCheck:
    key = next((key for key in _keys(total, world, exchange) if key in sums.found), None)
    if key is None:
        return _line(total, "no-rows")
    known = [*sums.found[key].values()]
    check = _against(total, known, scale, policy)
    unknown = sums.unknown_naming(key[1]) if key[0] == "coin" else []
    if check.verdict != "differs" or not unknown:
        return check
    # The publisher may count these rows as the coin; that we do not know them is our gap.
    with_unknown = _against(total, [*known, *unknown], scale, policy)
    if with_unknown.verdict != "differs":
        return with_unknown
    return msgspec.structs.replace(check, verdict="unclear")


def _against(total: ListedTotal, parts: list[Sum], scale: Scales, policy: Policy) -> TotalCheck:
    """Compare a stated total with some sums added up."""
    decimals = max(scale.decimals[part.coin] for part in parts)

    def added(name: str) -> int:
        return sum(
            getattr(part, name) * 10 ** (decimals - scale.decimals[part.coin]) for part in parts
        )

    published = added("published")
    try:
        stated = parse_amount(total.amount, decimals)
    except AmountError:
        return _line(total, "differs", rows_sum=to_text(published, decimals))
    difference = published - stated
    bought = min(
        10 ** max(decimals - stated_places(total.amount), 0) + added("tolerance"),
        int(policy.max_rounding * stated),
    )
    within = abs(difference) <= bought
    unobserved = any(part.unobserved or part.excluded for part in parts)
    return _line(
        total,
        "equal" if difference == 0 else "rounding" if within else "differs",
        rows_sum=to_text(published, decimals),
        recounted=None if unobserved else to_text(added("recounted"), decimals),
        difference=to_text(difference, decimals),
    )


def stated_places(text: str) -> int:
    """Return how many places of a stated total say something: trailing zeros do not.

    Large totals pass through floating point before they are published with two places.
    """
    return len(text.strip().partition(".")[2].rstrip("0"))


def _keys(total: ListedTotal, world: World, exchange: Exchange | None) -> Iterable[tuple[str, str]]:
    bare = ALL.sub("", total.label).strip()
    if bare != total.label.strip():
        coins = {asset.counts_as.lower(): asset.counts_as for asset in world.assets.values()}
        yield "coin", coins.get(bare.lower(), bare)
        yield "label", plain(bare)
        return
    yield "label", plain(total.label)
    if exchange is not None:
        found = resolve(world, exchange, total.label, "")
        if found.asset:
            yield "asset", found.asset


def _line(
    total: ListedTotal,
    verdict: str,
    *,
    rows_sum: str | None = None,
    recounted: str | None = None,
    difference: str | None = None,
) -> TotalCheck:
    return TotalCheck(
        row=total.row,
        label=total.label,
        stated=total.amount.strip(),
        rows_sum=rows_sum,
        recounted=recounted,
        difference=difference,
        verdict=verdict,
    )
