"""What ``recount verify`` and ``recount plan`` show: counts and claimed amounts by status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

import msgspec
from rich.console import Console

from crawler.asking.control import AWAITING
from crawler.counting.outcome import DISCREPANT, INCOMPLETE
from crawler.counting.units import fraction_text
from crawler.examining.hygiene import Reuse
from crawler.reasons import sentence
from crawler.reports import display, terminal
from crawler.result import MessageLine, Result, TotalCheck

STATUSES = ("bound", "controlled", "signer-only", "unsigned", "unsupported", "refuted")


class StatusGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one status: how many, and the claimed amount of those that count."""

    rows: int
    claimed: str


class VerifySummary(msgspec.Struct, frozen=True, kw_only=True):
    """The result of ``recount verify`` for one list.

    ``assets`` maps coin to status to rows and claimed amount; ``reasons`` counts rows by
    ``status:reason``; ``reuse`` is null for the first of several lists; ``to_be_shown_on_chain``
    counts the rows whose control is still open, by reason.
    """

    list: str
    sha256: str
    dialect: str
    exchange: str
    lines: Mapping[str, int]
    rows: int
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    validity: Mapping[str, int]
    assets: Mapping[str, Mapping[str, StatusGroup]]
    totals: tuple[TotalCheck, ...]
    to_be_shown_on_chain: Mapping[str, int]
    messages: tuple[MessageLine, ...]
    reuse: Reuse | None
    exit_code: int


def summarise(result: Result, reuse: Reuse | None = None) -> VerifySummary:
    """Take from a result what was judged offline; ``reuse`` is what earlier lists share."""
    statuses: Counter[str] = Counter(dict.fromkeys(STATUSES, 0))
    reasons: Counter[str] = Counter()
    assets: dict[str, dict[str, StatusGroup]] = {}
    for line in result.assets:
        groups: dict[str, tuple[int, Fraction]] = {}
        for group in line.ownership:
            statuses[group.status] += group.rows
            reasons[f"{group.status}:{group.reason}"] += group.rows
            rows, claimed = groups.get(group.status, (0, Fraction(0)))
            groups[group.status] = (rows + group.rows, claimed + Fraction(group.claimed))
        if groups:
            assets[line.asset] = {
                status: StatusGroup(rows=rows, claimed=fraction_text(claimed))
                for status, (rows, claimed) in sorted(groups.items())
            }
    return VerifySummary(
        list=result.list.name,
        sha256=result.list.sha256,
        dialect=result.list.dialect,
        exchange=result.list.exchange,
        lines=result.list.lines,
        rows=sum(statuses.values()),
        statuses=dict(statuses),
        reasons=dict(sorted(reasons.items())),
        validity=result.list.validity,
        assets=assets,
        totals=result.totals,
        to_be_shown_on_chain={
            reason: reasons[f"signer-only:{reason}"]
            for reason in sorted(AWAITING)
            if reasons[f"signer-only:{reason}"]
        },
        messages=result.messages,
        reuse=reuse,
        exit_code=_exit_code(result),
    )


def _exit_code(result: Result) -> int:
    """Nobody was asked, so that no balance can be missing; but of no rows nothing was judged."""
    if result.outcome.exit_code == DISCREPANT:
        return DISCREPANT
    return 0 if any(result.list.validity.values()) else INCOMPLETE


def worse(one: int, other: int) -> int:
    """Return which of the exit codes of two lists the command ends with."""
    return max(one, other, key=(0, INCOMPLETE, DISCREPANT).index)


def render(summary: VerifySummary, result: Result, console: Console) -> None:
    """Print the summary as tables."""
    console.print(
        f"{display.visible(summary.list)}: {summary.dialect}, {summary.lines['lines']} lines, "
        f"{summary.rows} rows, sha256 {summary.sha256}",
        markup=False,
        highlight=False,
    )
    if summary.exit_code == INCOMPLETE:
        console.print("The list holds no row: nothing was judged.", highlight=False)
    terminal.ownership_table(result.assets, console)
    console.print("\nAll rows")
    for status in STATUSES:
        console.print(f"  {summary.statuses[status]:>8}  {status}", markup=False, highlight=False)
    _validity(summary, console)
    _totals(summary, console)
    if summary.messages:
        console.print("Signed texts, and how they are dated:")
    for line in summary.messages:
        console.print(
            f"  {line.rows:>8}  {display.visible(line.text)!r}: {line.dated}",
            markup=False,
            highlight=False,
        )
    if summary.reuse is not None and summary.reuse.oldest:
        again = summary.reuse
        amounts = ", ".join(f"{display.amount(a)} {c}" for c, a in again.claimed.items())
        console.print(
            f"Seen before: {again.signatures} rows carry signatures of earlier lists, the oldest "
            f"in {display.visible(again.oldest)}; {again.keys} rows with keys and "
            f"{again.addresses} with addresses seen before. Claimed on them: {amounts}.",
            markup=False,
            highlight=False,
        )
    if summary.to_be_shown_on_chain:
        console.print("To be shown on chain, by 'recount run' with endpoints of these networks:")
    for reason, rows in summary.to_be_shown_on_chain.items():
        console.print(f"  {rows:>8}  {sentence(reason)}", markup=False, highlight=False)
    if result.discrepancies_left_out:
        console.print(f"{result.discrepancies_left_out} further discrepancies: see --verdicts.")


_VALIDITY = {
    "repeat-of": "repeat another row with the same amount and count once",
    "conflict": "are about one account and asset, with unequal amounts",
    "bad-amount": "are malformed or have an amount that cannot be",
    "signer-row": "only carry a key that signs for another row, no balance",
}
_TOTALS = {
    "no-rows": "no row has its label",
    "unclear": "rows of labels that recount does not know stand in the way",
}


def _validity(summary: VerifySummary, console: Console) -> None:
    kinds = {kind: rows for kind, rows in summary.validity.items() if kind != "valid"}
    if kinds:
        console.print("Among all these rows, whatever their status:")
    for kind, rows in kinds.items():
        text = f"{_VALIDITY[kind]} ({kind})" if kind in _VALIDITY else kind
        console.print(f"  {rows:>8}  {text}", markup=False, highlight=False)


def _totals(summary: VerifySummary, console: Console) -> None:
    wrong = [check for check in summary.totals if check.verdict in ("differs", *_TOTALS)]
    if wrong:
        console.print("Totals that the list states and its rows do not confirm:")
    for check in wrong:
        what = _TOTALS.get(check.verdict, "")
        if check.rows_sum:
            what += f"{'; ' if what else ''}rows add up to {check.rows_sum}"
        console.print(
            f"  line {check.row}: {display.visible(check.label)} "
            f"{display.visible(check.stated)}: {what or check.verdict}",
            markup=False,
            highlight=False,
        )
