"""What a reader must know: findings by kind, and every row that does not stand.

``about`` keeps two things apart in every table: ``exchange`` (we looked, and the list or the
chain contradicts the claim) and ``recount`` (we could not look). ``note`` is neither. An equal
repeat is the list's own doing, so of the exchange, but proves nothing (``proven``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from crawler import reasons
from crawler.counting.reconciled import Alike, Scales
from crawler.counting.units import to_text
from crawler.crawling.answers import Place
from crawler.model import Reconciliation, RowKind
from crawler.result import Discrepancy, Finding, StatementCheck, TotalCheck

MOST_ROWS = 100
MOST_DISCREPANCIES = 1000

EXCHANGE, RECOUNT, NOTE = "exchange", "recount", "note"
_OBSERVED = ("shortfall", "surplus")
_ROWS_HELD = 100 * MOST_ROWS
_HELD = 20 * MOST_DISCREPANCIES
_ABOUT_ANOTHER_ROW = ("repeat-of", "conflict")
_ORDER = {EXCHANGE: 0, RECOUNT: 1, NOTE: 2}


class Findings:
    """Collects findings and discrepancies while the rows stream by."""

    def __init__(self, scale: Scales, *, asked: bool = True) -> None:
        """``asked`` is false where no balance was asked for, so that none can be missing."""
        self._scale = scale
        self._asked = asked
        self._rows: dict[tuple[str, str], list[int]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._amounts: dict[tuple[str, str], dict[str, int]] = {}
        self._sentences: dict[tuple[str, str], str] = {}
        self._discrepancies: list[Discrepancy] = []
        self._discrepancy_count = 0
        self._places: dict[int, Place] = {}
        self.left_out = 0

    def add_row(self, row: Alike) -> None:
        """Note everything about rows judged alike that a reader must know."""
        entry = row.cells
        if entry["kind"] == RowKind.SIGNER:
            return
        claimed = row.claimed if row.claimed is not None else 0
        if entry["kind"] == RowKind.MALFORMED:
            self._note(EXCHANGE, "malformed-row", row, 0)
            self._discrepant(row, "malformed-row", "")
            return
        if entry["validity"] in ("repeat-of", "conflict", "bad-amount"):
            self._note(EXCHANGE, entry["validity"], row, claimed)
            self._discrepant(row, entry["validity"], "")
        if row.outcome in (Reconciliation.SHORTFALL, Reconciliation.SURPLUS):
            kind = row.outcome.value
            self._note(EXCHANGE, kind, row, abs(row.difference) if row.difference else 0)
            self._discrepant(row, kind, "")
        self._add_ownership(row, claimed)
        if not self._asked:
            return
        if row.outcome is Reconciliation.UNOBSERVED and entry["gap"] != "no-account":
            self._note(RECOUNT, f"gap:{entry['gap']}", row, claimed)

    def _add_ownership(self, row: Alike, claimed: int) -> None:
        status, reason = row.cells["status"], row.cells["reason"]
        if status == "refuted":
            self._note(EXCHANGE, f"refuted:{reason}", row, claimed)
            self._discrepant(row, "refuted", reason)
        elif status == "unsupported":
            self._note(RECOUNT, f"unsupported:{reason}", row, claimed)
        elif status in ("unsigned", "signer-only"):
            self._note(NOTE, status if status == "unsigned" else f"{status}:{reason}", row, claimed)
        elif reason == "message-not-pinned":
            self._note(NOTE, reason, row, claimed)

    def add_totals(self, checks: Iterable[TotalCheck]) -> None:
        """Note the totals that differ or stand alone."""
        for check in checks:
            if check.verdict == "differs":
                self._line(EXCHANGE, "total-differs", [check.row])
            elif check.verdict == "unclear":
                self._line(RECOUNT, "total-unclear", [check.row])
            elif check.verdict == "no-rows" and check.stated.strip("0.") != "":
                self._line(EXCHANGE, "total-without-rows", [check.row])

    def add_statement(self, checks: Iterable[StatementCheck]) -> None:
        """Note what the exchange stated and what does not hold."""
        for check in checks:
            if check.verdict == "fails":
                self._line(EXCHANGE, "statement-fails", [0])

    def add_note(self, code: str, rows: Iterable[int], count: int) -> None:
        """Note something that a reader must know, though nobody is at fault.

        ``rows`` are the first of the ``count`` rows that it is about.
        """
        if count:
            self._line(NOTE, code, rows, count)

    def add_unread(self, columns: Iterable[str]) -> None:
        """Note columns of the list that nothing reads."""
        for _ in columns:
            self._line(NOTE, "unread-column", [0])

    def findings(self) -> tuple[Finding, ...]:
        """Return all findings: the exchange's first, then ours, then notes."""
        first = {key: sorted(numbers)[:MOST_ROWS] for key, numbers in self._rows.items()}
        keys = sorted(self._counts, key=lambda key: (_ORDER[key[0]], key[1]))
        return tuple(
            Finding(
                about=about,
                code=code,
                sentence=self._sentences[about, code],
                count=self._counts[about, code],
                rows=tuple(row for row in first[about, code] if row),
                amounts={
                    coin: self._scale.text(coin, units)
                    for coin, units in sorted(self._amounts[about, code].items())
                },
            )
            for about, code in keys
        )

    def discrepancies(self) -> tuple[Discrepancy, ...]:
        """Return the rows that do not stand, by kind and row, at most ``MOST_DISCREPANCIES``."""
        self.left_out = max(0, self._discrepancy_count - MOST_DISCREPANCIES)
        return tuple(_shown(self._discrepancies))

    @property
    def places(self) -> Mapping[int, Place]:
        """Where the answers behind the rows lie that were observed and do not stand."""
        shown = {one.row for one in self.discrepancies() if one.kind in _OBSERVED}
        return {row: place for row, place in self._places.items() if row in shown}

    def _note(self, about: str, code: str, row: Alike, units: int) -> None:
        self._line(about, code, row.numbers(MOST_ROWS), row.rows)
        amounts = self._amounts[about, code]
        amounts[row.coin] = amounts.get(row.coin, 0) + units

    def _line(self, about: str, code: str, rows: Iterable[int], count: int = 1) -> None:
        key = (about, code)
        if key not in self._counts:
            self._counts[key], self._rows[key], self._amounts[key] = 0, [], {}
            kind, _, reason = code.partition(":")
            self._sentences[key] = reasons.sentence(reason or kind)
        self._counts[key] += count
        self._rows[key] += rows
        if len(self._rows[key]) > _ROWS_HELD:
            self._rows[key] = sorted(self._rows[key])[:MOST_ROWS]

    def _discrepant(self, row: Alike, kind: str, reason: str) -> None:
        """List each of the rows; no more of them than can be shown."""
        self._discrepancy_count += row.rows
        for entry in row.first(MOST_DISCREPANCIES):
            self._discrepancies.append(_discrepancy(entry, kind, reason))
            if kind in _OBSERVED:
                place = Place(entry["shard"], entry["attempt"], entry["extract"])
                self._places[entry["row"]] = place
        if len(self._discrepancies) > _HELD:
            self._discrepancies = _shown(self._discrepancies)


def _shown(discrepancies: list[Discrepancy]) -> list[Discrepancy]:
    ordered = sorted(discrepancies, key=lambda found: (found.kind, found.row))
    return ordered[:MOST_DISCREPANCIES]


def _discrepancy(entry: Mapping[str, Any], kind: str, reason: str) -> Discrepancy:
    decimals = entry["decimals"]
    claimed, observed = (
        None if entry[name] is None else int(entry[name]) for name in ("claimed", "observed")
    )
    other = entry["validity"].partition(":")[2] if kind in _ABOUT_ANOTHER_ROW else ""
    difference = None
    if kind in _OBSERVED and claimed is not None and observed is not None:
        difference = to_text(observed - claimed, decimals)
    return Discrepancy(
        row=entry["row"],
        kind=kind,
        reason=f"line {other}" if other else reason,
        asset=entry["counts_as"],
        label=entry["asset"],
        network=entry["network"],
        address=entry["address"],
        claimed=entry["amount"] if claimed is None else to_text(claimed, decimals),
        observed=None if observed is None else to_text(observed, decimals),
        difference=difference,
    )


def proven(findings: Sequence[Finding]) -> Mapping[str, int]:
    """Count the findings that prove something wrong with the list, by code."""
    return {
        finding.code: finding.count
        for finding in findings
        if finding.about == EXCHANGE and finding.code != "repeat-of"
    }
