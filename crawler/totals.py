"""Exact totals: what is claimed, what the chains hold, what is owned, per coin, network, class.

A row counts when it is a claim, its amount is usable, and it is valid: an equal repeat counts
once, rows in conflict count in no total until policy says which. Sums are Python integers at one
common scale per coin, so that 6-decimals and 18-decimals forms of a coin add up exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from crawler.ledger import iter_rows
from crawler.model import Reconciliation, Rounding, RowKind, Validity
from crawler.result import AssetLine, Group, NetworkLine, OwnershipGroup
from crawler.settings import Policy, World
from crawler.units import percent, to_text


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger row, judged: amounts at the coin's common scale."""

    row: int
    coin: str
    counted: bool
    owned: bool
    claimed: int | None
    observed: int | None
    tolerance: int
    outcome: Reconciliation | None
    ledger: Mapping[str, Any]

    @property
    def difference(self) -> int | None:
        """Observed minus claimed, where both are known."""
        if self.claimed is None or self.observed is None:
            return None
        return self.observed - self.claimed


class Scales(msgspec.Struct, frozen=True):
    """Decimals at which each coin is added up: the most that any of its rows has."""

    decimals: Mapping[str, int]

    def text(self, coin: str, units: int) -> str:
        """Write scaled units of a coin in coin units."""
        return to_text(units, self.decimals[coin])


def scales(ledger: pa.Table) -> Scales:
    """Find the common scale of every coin in the ledger."""
    grouped = ledger.group_by("counts_as").aggregate([("decimals", "max")])
    pairs = zip(grouped["counts_as"].to_pylist(), grouped["decimals_max"].to_pylist(), strict=True)
    return Scales(dict(sorted(pairs)))


def judged_rows(
    ledger: pa.Table, policy: Policy, rounding: Rounding, scale: Scales
) -> Iterable[Row]:
    """Yield every ledger row, reconciled under the policy, in list order."""
    chosen = _chosen_in_conflict(ledger) if policy.conflict == "smaller" else frozenset()
    for entry in iter_rows(ledger):
        coin = entry["counts_as"]
        factor = 10 ** (scale.decimals[coin] - entry["decimals"])
        claimed = None if entry["claimed"] is None else int(entry["claimed"]) * factor
        observed = None if entry["observed"] is None else int(entry["observed"]) * factor
        valid = entry["validity"] == Validity.VALID or entry["row"] in chosen
        counted = entry["kind"] == RowKind.CLAIM and valid and claimed is not None
        tolerance = (
            row_tolerance(entry["amount"], claimed, scale.decimals[coin], rounding, policy)
            if claimed is not None
            else 0
        )
        yield Row(
            row=entry["row"],
            coin=coin,
            counted=counted,
            owned=counted and is_owned(entry["status"], entry["reason"], policy),
            claimed=claimed,
            observed=observed,
            tolerance=tolerance,
            outcome=reconcile(claimed, observed, tolerance) if counted else None,
            ledger=entry,
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


def _chosen_in_conflict(ledger: pa.Table) -> frozenset[int]:
    """Rows that count under ``conflict = "smaller"``: the smallest claim of each group."""
    mask = pc.starts_with(ledger["validity"], f"{Validity.CONFLICT.value}:")
    best: dict[int, tuple[int, int]] = {}
    for entry in iter_rows(ledger.filter(mask).select(["row", "group", "claimed"])):
        if entry["claimed"] is not None:
            candidate = (int(entry["claimed"]), entry["row"])
            best[entry["group"]] = min(best.get(entry["group"], candidate), candidate)
    return frozenset(row for _, row in best.values())


class _Sum:
    """Rows added up."""

    def __init__(self) -> None:
        self.rows = 0
        self.claimed = 0
        self.observed = 0
        self.owned = 0
        self.difference = 0
        self.unobserved = 0
        self.observed_rows = 0

    def add(self, row: Row) -> None:
        """Add a counted row."""
        self.rows += 1
        claimed = row.claimed if row.claimed is not None else 0
        self.claimed += claimed
        if row.observed is None:
            self.unobserved += claimed
            return
        self.observed_rows += 1
        self.observed += row.observed
        self.difference += row.observed - claimed
        if row.owned:
            self.owned += row.observed

    def group(self, coin: str, scale: Scales) -> Group:
        """Write the sum."""
        return Group(
            rows=self.rows,
            claimed=scale.text(coin, self.claimed),
            observed=self.seen(coin, scale, self.observed),
            difference=self.seen(coin, scale, self.difference),
        )

    def seen(self, coin: str, scale: Scales, units: int) -> str | None:
        """Write an observed amount; ``None`` where no row was observed, which is not zero."""
        return scale.text(coin, units) if self.observed_rows else None


def _folded(sums: Iterable[_Sum]) -> _Sum:
    """Add sums up."""
    total = _Sum()
    for part in sums:
        total.rows += part.rows
        total.claimed += part.claimed
        total.observed += part.observed
        total.owned += part.owned
        total.difference += part.difference
        total.unobserved += part.unobserved
        total.observed_rows += part.observed_rows
    return total


class CoinTotals:
    """Running totals of one coin."""

    def __init__(self, coin: str) -> None:
        self.coin = coin
        self.rows = 0
        self.excluded = 0
        self._cells: dict[tuple[str, str, str, str, Reconciliation], _Sum] = {}
        self.ownership: dict[tuple[str, str], list[int]] = {}
        self.sources: dict[str, int] = {}

    def add(self, row: Row) -> None:
        """Add a row, counted or not."""
        entry = row.ledger
        self.rows += 1
        verdict = (entry["status"], entry["reason"])
        group = self.ownership.get(verdict)
        if group is None:
            group = self.ownership[verdict] = [0, 0]
        group[0] += 1
        group[1] += row.claimed if row.counted and row.claimed is not None else 0
        if not row.counted or row.outcome is None:
            self.excluded += row.claimed if row.claimed is not None else 0
            return
        asset_id = entry["asset_id"]
        network = "" if asset_id else entry["network"]
        cell = (entry["chain"], asset_id, entry["asset_class"], network, row.outcome)
        total = self._cells.get(cell)
        if total is None:
            total = self._cells[cell] = _Sum()
        total.add(row)
        if row.observed is not None:
            source = f"{entry['source']}/{entry['method']}"
            self.sources[source] = self.sources.get(source, 0) + row.observed

    @property
    def all(self) -> _Sum:
        """All counted rows."""
        return _folded(self._cells.values())

    @property
    def outcomes(self) -> Mapping[str, _Sum]:
        """Counted rows by reconciliation, every kind of it."""
        return {
            kind.value: _folded(cell for key, cell in self._cells.items() if key[4] is kind)
            for kind in Reconciliation
        }

    @property
    def classes(self) -> Mapping[str, _Sum]:
        """Counted rows by asset class."""
        names = {key[2] for key in self._cells}
        return {
            name: _folded(cell for key, cell in self._cells.items() if key[2] == name)
            for name in sorted(names)
        }

    @property
    def networks(self) -> Mapping[tuple[str, str, str, str], _Sum]:
        """Counted rows by (chain, asset, class, label of an unknown network)."""
        places = {key[:4] for key in self._cells}
        return {
            place: _folded(cell for key, cell in self._cells.items() if key[:4] == place)
            for place in sorted(places)
        }

    @property
    def seen(self) -> int:
        """Claimed amount of the rows that were observed."""
        return self.all.claimed - self.all.unobserved

    @property
    def observed_rows(self) -> int:
        """Counted rows that were observed."""
        return self.all.observed_rows

    def verdict(self) -> str:
        """Say in one word how the coin stands."""
        if not self.observed_rows:
            return "not-looked-at"
        if self.outcomes[Reconciliation.SHORTFALL.value].rows:
            return "shortfall"
        if self.outcomes[Reconciliation.UNOBSERVED.value].rows:
            return "incomplete"
        return "surplus" if self.outcomes[Reconciliation.SURPLUS.value].rows else "stands"

    def line(self, world: World, scale: Scales) -> AssetLine:
        """Write the coin's line of the report."""
        coin, total = self.coin, self.all
        return AssetLine(
            asset=coin,
            verdict=self.verdict(),
            rows=self.rows,
            claimed=scale.text(coin, total.claimed),
            observed=total.seen(coin, scale, total.observed),
            owned=total.seen(coin, scale, total.owned),
            unobserved=scale.text(coin, total.unobserved),
            excluded=scale.text(coin, self.excluded),
            coverage=percent(self.seen, total.claimed),
            owned_share=percent(total.owned, total.observed),
            reconciliation={
                kind: group.group(coin, scale) for kind, group in self.outcomes.items()
            },
            ownership=tuple(
                OwnershipGroup(
                    status=status, reason=reason, rows=rows, claimed=scale.text(coin, claimed)
                )
                for (status, reason), (rows, claimed) in sorted(self.ownership.items())
            ),
            sources={
                source: scale.text(coin, units) for source, units in sorted(self.sources.items())
            },
            networks=tuple(self._network_lines(world, scale)),
            classes={
                name: total.group(coin, scale) for name, total in sorted(self.classes.items())
            },
        )

    def _network_lines(self, world: World, scale: Scales) -> Iterable[NetworkLine]:
        for (chain, asset_id, asset_class, label), total in sorted(self.networks.items()):
            spec = world.chains.get(chain)  # type: ignore[call-overload]  # any text may be asked
            yield NetworkLine(
                network=spec.name if spec else label,
                chain=chain,
                asset_id=asset_id,
                asset_class=asset_class,
                rows=total.rows,
                claimed=scale.text(self.coin, total.claimed),
                observed=total.seen(self.coin, scale, total.observed),
                owned=total.seen(self.coin, scale, total.owned),
                unobserved=scale.text(self.coin, total.unobserved),
            )


class Totals:
    """Running totals of every coin."""

    def __init__(self) -> None:
        self._coins: dict[str, CoinTotals] = {}

    def add(self, row: Row) -> None:
        """Add a row to the totals of its coin."""
        if row.coin not in self._coins:
            self._coins[row.coin] = CoinTotals(row.coin)
        self._coins[row.coin].add(row)

    def by_coin(self) -> dict[str, CoinTotals]:
        """Return the totals, sorted by coin."""
        return dict(sorted(self._coins.items()))


def observed_share(totals: CoinTotals) -> Fraction | None:
    """Return the share of the claimed amount that was observed; ``None`` for nothing claimed."""
    return Fraction(totals.seen, totals.all.claimed) if totals.all.claimed else None


def validity_counts(ledger: pa.Table) -> dict[str, int]:
    """Count rows by validity, without the row numbers."""
    counts = Counter(text.partition(":")[0] for text in ledger["validity"].to_pylist())
    return dict(sorted(counts.items()))
