"""Exact totals: what is claimed, what the chains hold, what is owned, per coin, network, class.

Sums are Python integers at one common scale per coin, so that 6-decimals and 18-decimals forms of a
coin add up exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from crawler.counting.reconciled import Alike, Scales
from crawler.counting.units import percent
from crawler.model import Reconciliation
from crawler.result import AssetLine, Group, NetworkLine, OwnershipGroup
from crawler.settings import World


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

    def add(self, row: Alike) -> None:
        """Add rows that count."""
        self.rows += row.rows
        claimed = row.claimed if row.claimed is not None else 0
        self.claimed += claimed
        if row.observed is None:
            self.unobserved += claimed
            return
        self.observed_rows += row.rows
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

    def add(self, row: Alike) -> None:
        """Add rows, counted or not."""
        entry = row.cells
        self.rows += row.rows
        verdict = (entry["status"], entry["reason"])
        group = self.ownership.get(verdict)
        if group is None:
            group = self.ownership[verdict] = [0, 0]
        group[0] += row.rows
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

    def add(self, row: Alike) -> None:
        """Add rows to the totals of their coin."""
        if row.coin not in self._coins:
            self._coins[row.coin] = CoinTotals(row.coin)
        self._coins[row.coin].add(row)

    def by_coin(self) -> dict[str, CoinTotals]:
        """Return the totals, sorted by coin."""
        return dict(sorted(self._coins.items()))


def observed_share(totals: CoinTotals) -> Fraction | None:
    """Return the share of the claimed amount that was observed; ``None`` for nothing claimed."""
    return Fraction(totals.seen, totals.all.claimed) if totals.all.claimed else None
