"""The report on a terminal, in a log and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Callable

import msgspec
import pytest
from report_samples import result, sample
from report_variants import all_good, empty, hostile, many, twenty_two, with_result
from rich.cells import cell_len
from rich.console import Console

from crawler.reports import display, document, terminal
from crawler.result import Report

pytestmark = pytest.mark.unit


def huge() -> Report:
    base = result().assets[1]
    amount = f"{2**256}.000000000000000001"
    line = msgspec.structs.replace(base, claimed=amount, observed=amount, owned=amount)
    return with_result(assets=(line, *result().assets))


def printed(report: Report, width: int = 80, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    console = Console(file=stream, width=width, _environ={})
    terminal.render(report, console)
    terminal.ownership_table(report.result.assets, console)
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_a_report_read_back_prints_the_same() -> None:
    first, *rest = result().findings
    turned = msgspec.structs.replace(first, amounts={"USDT": "1", "BTC": "2"})
    report = with_result(findings=(turned, *rest))
    assert printed(report) == printed(document.decode(document.encode(report)))


REPORTS = [sample, hostile, empty, all_good, twenty_two, huge, lambda: many(300)]


@pytest.mark.parametrize("width", [30, 60, 80, 100, 132, 200])
@pytest.mark.parametrize("report", REPORTS)
def test_no_line_is_wider_than_the_console(report: Callable[[], Report], width: int) -> None:
    for line in printed(report(), width).splitlines():
        assert cell_len(line) <= width, line


@pytest.mark.parametrize("report", REPORTS)
def test_without_a_terminal_the_text_is_plain(report: Callable[[], Report]) -> None:
    text = printed(report())
    assert display.visible(text.replace("\n", "")) == text.replace("\n", "")
    assert not set("─│┃━┏╭") & set(text)


def test_the_whole_part_of_an_amount_is_never_cut() -> None:
    folded = printed(huge()).replace("\n", "").replace(" ", "")
    assert f"{2**256:,}." in folded


def test_wide_consoles_get_one_table_with_eight_decimals() -> None:
    text = printed(sample(), 170)
    line = next(line for line in text.splitlines() if line.startswith("ETH "))
    assert "1,571,240.50000000…" in line
    assert "≥ 92.20%" in line


def test_at_eighty_columns_decimals_are_cut_before_anything_else() -> None:
    text = printed(sample(), 80)
    line = next(line for line in text.splitlines() if line.startswith("DOGE "))
    assert ["DOGE", "stands", *["8,123,456,789.12…"] * 3] == line.split()


def test_markup_in_the_list_is_text() -> None:
    folded = printed(hostile()).replace("\n", "").replace(" ", "")
    assert "[boldred]markup[/boldred]" in folded
    assert "⟨U+001B⟩[31mred" in folded


def test_markup_in_a_table_is_text() -> None:
    line = msgspec.structs.replace(result().assets[2], asset="[red]X[/red]")
    text = printed(with_result(assets=(line,)))
    assert "[red]X[/red]  stands" in text
    assert "[red]X[/red]  bound" in text


def test_what_was_not_looked_at_is_not_known() -> None:
    line = next(line for line in printed(sample()).splitlines() if line.startswith("APT "))
    assert "not known" in line
    assert " 0" not in line


def test_what_was_looked_at_in_part_is_a_lower_bound() -> None:
    line = next(line for line in printed(sample()).splitlines() if line.startswith("ETH "))
    assert "≥ 1,420,000.00…" in line


def test_faults_of_the_list_and_our_gaps_have_headings_of_their_own() -> None:
    text = printed(sample())
    against, ours, notes = (text.index(display.ABOUT[k]) for k in ("exchange", "recount", "note"))
    assert against < text.index("refuted:wrong-signature") < ours
    assert ours < text.index("gap:state-pruned") < notes


def test_the_outcome_stands_last_with_its_code_and_every_rule() -> None:
    text = printed(sample())
    outcome = text.partition("Outcome: exit code 1")[2]
    for sentence in result().outcome.sentences:
        assert sentence in " ".join(outcome.split())


def test_limits_endpoints_totals_and_statement_are_told() -> None:
    text = " ".join(printed(sample(), 120).split())
    for limit in result().does_not_prove:
        assert limit in text
    assert "15,000 times: The node no longer holds the state at this height." in text
    assert "eth-witness (eip155:1): rejected." in text
    assert "line 5, USDT: states 6,992,200,000" in text
    assert "2 of 4 totals equal the sum of their rows" in text
    assert "fails: addresses: stated 628484, found 427752." in text


def test_no_liabilities_are_no_ratio() -> None:
    text = printed(all_good())
    assert "No liabilities were given, so no reserve ratio can be said." in text
    assert "ratio claimed" not in text


def test_consoles_without_unicode_get_ascii() -> None:
    text = printed(sample(), encoding="ascii")
    assert ">= 1,420,000.00.." in text


def test_the_ownership_table_has_a_line_per_status_and_reason() -> None:
    text = printed(sample()).partition("Ownership, by claimed amount")[2]
    assert "BTC    refuted      wrong-signature            2                   101.5" in text
    groups = sum(len(line.ownership) for line in result().assets)
    assert groups + 2 == len(text.splitlines())
