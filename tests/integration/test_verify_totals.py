"""What ``recount verify`` says of totals, conflicts and amounts, which no chain has to prove."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler import jobs
from crawler.inputs import Options
from crawler.reports.verify_summary import VerifySummary, summarise, worse
from crawler.watching.progress import Silent

pytestmark = pytest.mark.integration

HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key,EOA1,EOA2\n"
)
FIRST, SECOND = "0x" + "11" * 20, "0x" + "22" * 20


def verified(tmp_path: Path, total: str, *rows: tuple[str, str]) -> VerifySummary:
    """Verify an OKX list of unsigned ETH rows (address, amount) under one stated total."""
    path = tmp_path / "list.csv"
    lines = [f"ETH,Non Staking,ETH,20914735,{one},{amount},,,,,,\n" for one, amount in rows]
    path.write_text(f"coin,amount\nETH(ALL),{total}\n\n{HEADER}" + "".join(lines), encoding="utf-8")
    return summarise(jobs.verify(Options(list_path=str(path)), Silent()))


@pytest.mark.parametrize(
    ("total", "rows", "verdict", "code"),
    [
        ("8", [(FIRST, "5"), (SECOND, "3")], "equal", 0),
        ("7.9", [(FIRST, "5"), (SECOND, "3")], "differs", 1),
        ("8", [(FIRST, "5"), (SECOND, "2.999999999999999999")], "rounding", 0),
        ("8.25", [(FIRST, "5"), (SECOND, "3")], "differs", 1),
        ("10", [(FIRST, "5"), (FIRST, "5")], "equal", 0),
        ("5", [(FIRST, "5"), (FIRST, "5")], "differs", 1),
        ("5", [(FIRST, "5"), (SECOND, "five")], "equal", 1),
    ],
    ids=["holds", "less", "rounded", "more", "repeat", "repeat left out", "bad amount"],
)
def test_a_stated_total_is_compared_and_the_exit_code_tells(
    tmp_path: Path, total: str, rows: list[tuple[str, str]], verdict: str, code: int
) -> None:
    summary = verified(tmp_path, total, *rows)
    assert [check.verdict for check in summary.totals] == [verdict]
    assert (summary.rows, summary.exit_code) == (len(rows), code)


def test_two_amounts_of_one_account_fail(tmp_path: Path) -> None:
    summary = verified(tmp_path, "5", (FIRST, "5"), (FIRST, "4"))
    assert summary.validity == {"conflict": 2}
    assert summary.exit_code == 1


def test_a_discrepancy_of_one_list_outranks_another_list_without_rows() -> None:
    assert [worse(1, 3), worse(3, 1), worse(0, 3), worse(0, 1), worse(0, 0)] == [1, 1, 3, 1, 0]
