"""The list's own totals section, against its rows and against the recount.

Three numbers per label, always: what the header states, what the rows add up to as published
(repeats included), and what the chains hold for the rows that count. Labels of the two sections
differ in spelling and name, so a total is matched by label first, then by the asset it means;
``(ALL)`` sums everything that counts as the coin.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from crawler.labels import plain, resolve
from crawler.lists.amounts import AmountError, parse_amount
from crawler.model import Exchange, ListedTotal, RowKind
from crawler.result import TotalCheck
from crawler.settings import Policy, World
from crawler.totals import Row, Scales

ALL = re.compile(r"\(\s*all\s*\)\s*$", re.IGNORECASE)


class LabelSums:
    """Sums of the rows by label, by asset and by coin, in scaled units of the coin."""

    def __init__(self) -> None:
        self.published: dict[tuple[str, str], int] = defaultdict(int)
        self.recounted: dict[tuple[str, str], int] = defaultdict(int)
        self.tolerance: dict[tuple[str, str], int] = defaultdict(int)
        self.unobserved: dict[tuple[str, str], int] = defaultdict(int)
        self.coin: dict[tuple[str, str], str] = {}

    def add(self, row: Row) -> None:
        """Add one row under each of its keys."""
        if row.ledger["kind"] != RowKind.CLAIM or row.claimed is None:
            return
        for key in (
            ("label", plain(row.ledger["asset"])),
            ("asset", row.ledger["asset_id"]),
            ("coin", row.coin),
        ):
            self.coin.setdefault(key, row.coin)
            self.published[key] += row.claimed
            self.tolerance[key] += row.tolerance
            if row.counted and row.observed is not None:
                self.recounted[key] += row.observed
            if row.counted and row.observed is None:
                self.unobserved[key] += 1


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
    key = next((key for key in _keys(total, world, exchange) if key in sums.published), None)
    if key is None:
        return _line(total, "no-rows")
    coin = sums.coin[key]
    decimals = scale.decimals[coin]
    try:
        stated = parse_amount(total.amount, decimals)
    except AmountError:
        return _line(total, "differs", rows_sum=scale.text(coin, sums.published[key]))
    difference = sums.published[key] - stated
    _, _, fraction = total.amount.strip().partition(".")
    place = 10 ** max(decimals - len(fraction), 0)
    bought = min(place + sums.tolerance[key], int(policy.max_rounding * stated))
    within = abs(difference) <= max(bought, 0)
    verdict = "equal" if difference == 0 else "rounding" if within else "differs"
    return _line(
        total,
        verdict,
        rows_sum=scale.text(coin, sums.published[key]),
        recounted=None if sums.unobserved[key] else scale.text(coin, sums.recounted[key]),
        difference=scale.text(coin, difference),
    )


def _keys(total: ListedTotal, world: World, exchange: Exchange | None) -> Iterable[tuple[str, str]]:
    bare = ALL.sub("", total.label).strip()
    if bare != total.label.strip():
        yield "coin", bare
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
