"""The report for a terminal, a log file or a pipe.

Written for 80 columns and for no columns at all: no boxes, nothing that needs colour, no
line longer than the console. Where the amounts of a table do not fit, decimals are cut
(shown by ``…``) before anything else is; where even whole numbers do not fit, the table
becomes a block per asset. Exact figures are in report.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crawler.reports import display, summary
from crawler.result import AssetLine, Finding, RatioLine, Report, Result

_GUTTER = 2
_LONGEST_NAME = 24
_PLACES = (8, 6, 4, 2, 0)
_MOST_ROWS = 10
_STYLES = {
    "shortfall": "bold red",
    "incomplete": "yellow",
    "not-looked-at": "yellow",
    "stands": "green",
    "surplus": "green",
    "refuted": "bold red",
    "bound": "green",
    "controlled": "green",
}
_ASCII = {
    "…": "..", "≥": ">=", "⟨": "<", "⟩": ">", "·": "-",
}  # fmt: skip


class Column(msgspec.Struct, frozen=True):
    """One column: heading, whether numbers stand in it, and how a line fills it."""

    title: str
    right: bool
    cell: Callable[[int, AssetLine], str]


def render(report: Report, console: Console) -> None:
    """Print the whole report to ``console``."""
    result = report.result
    _headline(result, console)
    _assets(result, console)
    _ratios(result, console)
    _shares(result, console)
    _totals(result, console)
    _statement(result, console)
    _findings(result, console)
    _endpoints(report, console)
    _outcome(result, console)


def ownership_table(lines: Sequence[AssetLine], console: Console) -> None:
    """Print the claimed amount of each asset by ownership status and reason."""
    rows = [(line, group) for line in lines for group in line.ownership]
    cells = [
        ["asset", "status", "reason", "rows", "claimed"],
        *(
            [
                display.short(line.asset, 24),
                display.short(group.status, 16),
                display.short(group.reason, 28),
                f"{group.rows:,}",
                display.amount(group.claimed),
            ]
            for line, group in rows
        ),
    ]
    _heading("Ownership, by claimed amount", console)
    if not rows:
        _say("No rows.", console)
        return
    if _width(cells) <= console.width:
        _table(cells, (False, False, False, True, True), console)
        return
    for asset, status, reason, count, claimed in cells[1:]:
        _say(f"{asset} · {status} · {reason}", console)
        _say(f"{count} rows · claimed {claimed}", console, indent=4)


def _headline(result: Result, console: Console) -> None:
    _say(summary.headline(result), console, style="bold")
    _say(summary.tally(result), console)
    list_name = display.visible(result.list.name)
    _say(f"List {list_name}, sha256 {display.visible(result.list.sha256)}", console, style="dim")


def _assets(result: Result, console: Console) -> None:
    if not result.assets:
        return
    lines = summary.worst_first(result.assets)
    first = summary.first_ratios(result)

    def ratio(kind: str) -> Callable[[int, AssetLine], str]:
        return lambda _, line: _ratio_cell(first.get(line.asset), kind)

    name = Column("asset", False, lambda _, line: display.short(line.asset, _LONGEST_NAME))
    amounts = [
        Column("verdict", False, lambda _, line: _verdict(line)),
        Column("claimed", True, lambda places, line: display.amount(line.claimed, places)),
        Column("recounted", True, lambda places, line: _found(line, line.observed, places)),
        Column("owned", True, lambda places, line: _found(line, line.owned, places)),
    ]
    shares = [
        Column("looked at", True, lambda _, line: display.percent(line.coverage)),
        Column("gaps", True, lambda _, line: f"{summary.unobserved_rows(line):,}"),
        *(
            Column(f"ratio {kind}", True, ratio(kind))
            for kind in ("claimed", "recounted", "owned")
            if result.ratios
        ),
    ]
    _heading("Assets", console)
    whole = [name, *amounts, *shares]
    if not _fitted(whole, lines, console, _PLACES[:-1]):
        split = _fitted([name, *amounts], lines, console, _PLACES)
        if split:
            console.print()
        if not (split and _fitted([name, *shares], lines, console, (0,))):
            _blocks([name, *(shares if split else (*amounts, *shares))], lines, console)
    _notes(lines, console)


def _fitted(
    columns: Sequence[Column], lines: Sequence[AssetLine], console: Console, places: Sequence[int]
) -> bool:
    """Print a table with as many decimals as fit; say whether any fitted."""
    for most in places:
        cells = [
            [column.title for column in columns],
            *([column.cell(most, line) for column in columns] for line in lines),
        ]
        if _width(cells) <= console.width:
            coloured = lines if columns[1].title == "verdict" else ()
            _table(cells, [column.right for column in columns], console, verdicts=coloured)
            return True
    return False


def _found(line: AssetLine, value: str | None, places: int) -> str:
    """Show what was found; what was not looked at is not known, never zero."""
    seen = summary.line_seen(line)
    if seen == "none" or value is None:
        return "not known"
    return f"{'≥ ' if seen == 'part' else ''}{display.amount(value, places)}"


def _notes(lines: Sequence[AssetLine], console: Console) -> None:
    if any(summary.unobserved_rows(line) for line in lines):
        text = "gaps: rows that we could not look at; ≥: at least, because of them."
        _say(text, console, style="dim")


def _ratio_cell(line: RatioLine | None, kind: str) -> str:
    if line is None:
        return "no liabilities"
    value = {"claimed": line.claimed, "recounted": line.recounted, "owned": line.owned}[kind]
    return display.percent(value, lower_bound=line.lower_bound and kind != "claimed")


def _verdict(line: AssetLine) -> str:
    return display.VERDICTS.get(line.verdict, display.visible(line.verdict))


def _blocks(columns: Sequence[Column], lines: Sequence[AssetLine], console: Console) -> None:
    """Print each asset as a block of its own, for amounts wider than the console."""
    for line in lines:
        _say(display.visible(line.asset), console, style="bold")
        for column in columns[1:]:
            _say(f"{column.title}: {column.cell(8, line)}", console, indent=2)


def _ratios(result: Result, console: Console) -> None:
    if not result.ratios:
        _say("No liabilities were given, so no reserve ratio can be said.", console, gap=True)
        return
    listed = {line.asset for line in result.assets}
    for line in result.ratios:
        if line.asset not in listed and line.liabilities is not None:
            owed = display.amount(line.liabilities)
            name = display.short(line.asset, _LONGEST_NAME)
            _say(f"Owed but not in the list: {owed} {name}.", console)
        if line.liabilities is None and line.implied_liabilities is not None:
            name = display.short(line.asset, _LONGEST_NAME)
            implied = display.amount(line.implied_liabilities)
            _say(f"{name}: stated {line.stated}% implies liabilities of {implied}.", console)
    given = [line for line in result.ratios if line.liabilities is not None]
    sources = sorted({(line.trust, line.source, line.as_of) for line in given})
    for trust, source, as_of in sources:
        dated = f", as of {display.visible(as_of)}" if as_of else ""
        text = f"Liabilities: {display.visible(source)}{dated}; trust: {display.visible(trust)}."
        _say(text, console, style="dim")


def _shares(result: Result, console: Console) -> None:
    if not result.shares:
        return
    _heading("What shares are worth", console)
    _say("They count as themselves; the rate is what their own contract states.", console)
    for line in result.shares:
        coin, of = display.visible(line.asset), display.visible(line.of_asset)
        worth = (
            f"not known, {display.visible(line.gap)}"
            if line.worth is None
            else f"{display.amount(line.worth)} {of} by {display.visible(line.call)}"
        )
        _item(
            f"{display.amount(line.observed)} {coin} at {line.height} on "
            f"{display.visible(line.network)}: {worth}",
            console,
        )


def _totals(result: Result, console: Console) -> None:
    differing = [line for line in result.totals if line.verdict not in ("equal", "rounding")]
    if not result.totals:
        return
    _heading("The list's own totals", console)
    fine = len(result.totals) - len(differing)
    _say(
        f"{fine} of {display.count(len(result.totals), 'total')} equal the sum of their rows.",
        console,
    )
    for line in differing:
        label = display.visible(line.label)
        if line.rows_sum is None:
            _item(
                f"line {line.row}, {label}: states {display.amount(line.stated)}, no such rows",
                console,
            )
            continue
        _item(
            f"line {line.row}, {label}: states {display.amount(line.stated)}, its rows add up to "
            f"{display.amount(line.rows_sum)}, difference {display.amount(line.difference)}",
            console,
        )


def _statement(result: Result, console: Console) -> None:
    if not result.statement:
        return
    _heading("The exchange's statement", console)
    for line in result.statement:
        found = display.UNSAID if line.found is None else display.visible(line.found)
        note = f" {display.visible(line.note)}" if line.note else ""
        verdict = display.visible(line.verdict).replace("-", " ")
        stated = display.visible(line.stated)
        _item(
            f"{verdict}: {display.visible(line.what)}: stated {stated}, found {found}.{note}",
            console,
        )


def _findings(result: Result, console: Console) -> None:
    for about, findings in summary.grouped_findings(result.findings).items():
        _heading(display.ABOUT.get(about, display.visible(about)), console)
        for finding in findings:
            _item(f"{display.visible(finding.sentence)} ({display.visible(finding.code)})", console)
            _say(_details(finding), console, indent=4, style="dim")


def _details(finding: Finding) -> str:
    noun = "row" if finding.rows else "time"
    parts = [display.count(finding.count, noun), _amounts(finding.amounts), _lines(finding)]
    return " · ".join(part for part in parts if part)


def _amounts(amounts: Mapping[str, str]) -> str:
    return ", ".join(
        f"{display.amount(value)} {display.visible(asset)}"
        for asset, value in sorted(amounts.items())
    )


def _lines(finding: Finding) -> str:
    if not finding.rows:
        return ""
    shown = ", ".join(str(row) for row in finding.rows[:_MOST_ROWS])
    rest = finding.count - min(len(finding.rows), _MOST_ROWS)
    return f"{'line' if finding.count == 1 else 'lines'} {shown}" + (
        f" and {rest:,} more" if rest > 0 else ""
    )


def _endpoints(report: Report, console: Console) -> None:
    troubled = [e for e in report.circumstances.endpoints if e.troubles or e.rejected]
    if not troubled:
        return
    _heading("Endpoints that gave trouble", console)
    for line in troubled:
        name = f"{display.visible(line.name)} ({display.visible(line.chain)})"
        if line.rejected:
            reason = display.explain(line.rejected) or display.visible(line.rejected)
            _item(f"{name}: rejected. {reason}", console)
        for code, number in sorted(line.troubles.items()):
            _item(
                f"{name}: {number:,} times: {display.explain(code) or display.visible(code)}",
                console,
            )


def _outcome(result: Result, console: Console) -> None:
    _heading("What this does not prove", console)
    for sentence in result.does_not_prove:
        _item(display.visible(sentence), console)
    if not result.does_not_prove:
        _say("The report names no limits; that is itself a reason for care.", console)
    code = result.outcome.exit_code
    _heading(f"Outcome: exit code {code}, {summary.EXITS.get(code, 'unknown')}", console)
    for sentence in result.outcome.sentences:
        _item(display.visible(sentence), console)


def _width(cells: Sequence[Sequence[str]]) -> int:
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return sum(widths) + _GUTTER * (len(widths) - 1)


def _table(
    cells: Sequence[Sequence[str]],
    right: Sequence[bool],
    console: Console,
    verdicts: Sequence[AssetLine] = (),
) -> None:
    """Print cells that are known to fit; the first row is the heading."""
    table = Table(box=None, pad_edge=False, padding=(0, _GUTTER, 0, 0), show_header=True)
    for title, is_right in zip(cells[0], right, strict=True):
        table.add_column(
            Text(_plain(title, console)), justify="right" if is_right else "left", no_wrap=True,
            header_style="dim",
        )  # fmt: skip
    for i, row in enumerate(cells[1:]):
        style = _STYLES.get(verdicts[i].verdict, "") if verdicts else ""
        table.add_row(
            *(
                Text(_plain(cell, console), style=style if verdicts and j == 1 else "")
                for j, cell in enumerate(row)
            )
        )
    console.print(table)


def _heading(text: str, console: Console) -> None:
    console.print()
    _say(text, console, style="bold")


def _item(text: str, console: Console) -> None:
    _say(text, console, indent=4, bullet="  - ")


def _say(
    text: str, console: Console, *, style: str = "", indent: int = 0, bullet: str = "",
    gap: bool = False,
) -> None:  # fmt: skip
    """Print one paragraph, wrapped below its first letter; long words are folded, never cut."""
    if gap:
        console.print()
    paragraph = Text(_plain(text, console), style=style)
    lead = bullet or " " * indent
    for line in paragraph.wrap(console, max(1, console.width - indent), overflow="fold"):
        line.rstrip()
        console.print(Text(lead) + line, no_wrap=True, crop=False, overflow="ignore")
        lead = " " * indent


def _plain(text: str, console: Console) -> str:
    """Replace what a console without Unicode cannot show."""
    if not console.options.ascii_only:
        return text
    for sign, plain in _ASCII.items():
        text = text.replace(sign, plain)
    return text.encode("ascii", "backslashreplace").decode("ascii")
