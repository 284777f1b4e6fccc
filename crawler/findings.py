"""What a reader must know: findings by kind, and every row that does not stand.

``about`` keeps two things apart in every table: ``exchange`` (we looked, and the list or the
chain contradicts the claim) and ``recount`` (we could not look). ``note`` is neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crawler import reasons
from crawler.model import Reconciliation, RowKind
from crawler.result import Discrepancy, Finding, StatementCheck, TotalCheck
from crawler.totals import Row, Scales

MOST_ROWS = 100
MOST_DISCREPANCIES = 1000

EXCHANGE, RECOUNT, NOTE = "exchange", "recount", "note"
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
        self._discrepancies: list[tuple[int, Discrepancy]] = []
        self.left_out = 0

    def add_row(self, row: Row) -> None:
        """Note everything about one row that a reader must know."""
        entry = row.ledger
        if entry["kind"] == RowKind.SIGNER:
            return
        validity, _, other = entry["validity"].partition(":")
        claimed = row.claimed if row.claimed is not None else 0
        if entry["kind"] == RowKind.MALFORMED:
            self._note(EXCHANGE, "malformed-row", row, 0)
            self._discrepancy(row, "malformed-row", "")
            return
        if validity in ("repeat-of", "conflict", "bad-amount"):
            self._note(EXCHANGE, validity, row, claimed)
            self._discrepancy(row, validity, f"line {other}" if other else "")
        if row.outcome in (Reconciliation.SHORTFALL, Reconciliation.SURPLUS):
            kind = row.outcome.value
            self._note(EXCHANGE, kind, row, abs(row.difference) if row.difference else 0)
            self._discrepancy(row, kind, "")
        self._add_ownership(row, claimed)
        if not self._asked:
            return
        if row.outcome is Reconciliation.UNOBSERVED and entry["gap"] != "no-account":
            self._note(RECOUNT, f"gap:{entry['gap']}", row, claimed)

    def _add_ownership(self, row: Row, claimed: int) -> None:
        status, reason = row.ledger["status"], row.ledger["reason"]
        if status == "refuted":
            self._note(EXCHANGE, f"refuted:{reason}", row, claimed)
            self._discrepancy(row, "refuted", reason)
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
                self._line(EXCHANGE, "total-differs", check.row)
            elif check.verdict == "unclear":
                self._line(RECOUNT, "total-unclear", check.row)
            elif check.verdict == "no-rows" and check.stated.strip("0.") != "":
                self._line(EXCHANGE, "total-without-rows", check.row)

    def add_statement(self, checks: Iterable[StatementCheck]) -> None:
        """Note what the exchange stated and what does not hold."""
        for check in checks:
            if check.verdict == "fails":
                self._line(EXCHANGE, "statement-fails", 0)

    def add_note(self, code: str, rows: Iterable[int]) -> None:
        """Note something that a reader must know of these rows, though nobody is at fault."""
        for row in rows:
            self._line(NOTE, code, row)

    def add_unread(self, columns: Iterable[str]) -> None:
        """Note columns of the list that nothing reads."""
        for _ in columns:
            self._line(NOTE, "unread-column", 0)

    def findings(self) -> tuple[Finding, ...]:
        """Return all findings: the exchange's first, then ours, then notes."""
        keys = sorted(self._counts, key=lambda key: (_ORDER[key[0]], key[1]))
        return tuple(
            Finding(
                about=about,
                code=code,
                sentence=self._sentences[about, code],
                count=self._counts[about, code],
                rows=tuple(row for row in self._rows[about, code] if row),
                amounts={
                    coin: self._scale.text(coin, units)
                    for coin, units in sorted(self._amounts[about, code].items())
                },
            )
            for about, code in keys
        )

    def discrepancies(self) -> tuple[Discrepancy, ...]:
        """Return the rows that do not stand, by kind and row, at most ``MOST_DISCREPANCIES``."""
        ordered = sorted(self._discrepancies, key=lambda pair: (pair[1].kind, pair[0]))
        self.left_out = max(0, len(ordered) - MOST_DISCREPANCIES)
        return tuple(discrepancy for _, discrepancy in ordered[:MOST_DISCREPANCIES])

    def _note(self, about: str, code: str, row: Row, units: int) -> None:
        self._line(about, code, row.row)
        amounts = self._amounts[about, code]
        amounts[row.coin] = amounts.get(row.coin, 0) + units

    def _line(self, about: str, code: str, row: int) -> None:
        key = (about, code)
        if key not in self._counts:
            self._counts[key], self._rows[key], self._amounts[key] = 0, [], {}
            kind, _, reason = code.partition(":")
            self._sentences[key] = reasons.sentence(reason or kind)
        self._counts[key] += 1
        if self._counts[key] <= MOST_ROWS:
            self._rows[key].append(row)

    def _discrepancy(self, row: Row, kind: str, reason: str) -> None:
        entry, scale, coin = row.ledger, self._scale, row.coin
        show = kind in ("shortfall", "surplus")
        discrepancy = Discrepancy(
            row=row.row,
            kind=kind,
            reason=reason,
            asset=coin,
            label=entry["asset"],
            network=entry["network"],
            address=entry["address"],
            claimed=entry["amount"] if row.claimed is None else scale.text(coin, row.claimed),
            observed=None if row.observed is None else scale.text(coin, row.observed),
            difference=(
                scale.text(coin, row.difference) if show and row.difference is not None else None
            ),
        )
        self._discrepancies.append((row.row, discrepancy))


def proven(findings: Sequence[Finding]) -> Mapping[str, int]:
    """Count the findings that prove something wrong with the list, by code."""
    return {
        finding.code: finding.count
        for finding in findings
        if finding.about == EXCHANGE and finding.code != "repeat-of"
    }
