"""No row that a sound verifier must refuse is counted as owned by ``recount verify``."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from crawler import jobs
from crawler.counting.reconciled import is_owned
from crawler.inputs import Options
from crawler.lists import open_list
from crawler.settings import load_policy
from crawler.tables.columns import records
from crawler.watching.progress import Silent
from tests.reference import reference

pytestmark = pytest.mark.integration

MONTHLY = (
    "coin,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key, eoa1, eoa2"
)
AUDITOR = (
    "digitalAsset,network,address,signedMessage,signedMessage2,message,publicKey,owner1,owner2"
)


def refusals(layout: str) -> list[dict]:
    lines = reference("must_refuse.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if layout in row["layout"]]


def judged(path: Path, text: str) -> list[dict]:
    path.write_text(text, encoding="utf-8")
    return list(records(verified(path)))


def verified(path: Path) -> pa.Table:
    parts: list[pa.Table] = []
    jobs.verify(Options(list_path=str(path), processes=1), Silent(), keep=parts.append)
    return pa.concat_tables(parts)


def owned(row: dict) -> bool:
    return row["validity"] == "valid" and is_owned(row["status"], row["reason"], load_policy())


def genuine() -> str:
    """The first genuine row of the publisher's example: owned by itself, repeated by a refusal."""
    lines = reference("okx/okx_por_example.csv").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("ETH,ETH,"))


def test_the_genuine_row_by_itself_is_owned(tmp_path):
    rows = judged(tmp_path / "list.csv", f"{MONTHLY}\n{genuine()}\n")
    assert [owned(row) for row in rows] == [True]


def test_no_refused_row_of_a_monthly_list_is_owned(tmp_path):
    cases = refusals("monthly")
    assert len(cases) > 20
    counted = []
    for number, case in enumerate(cases):
        text = f"{MONTHLY}\n{genuine()}\n{case['csv_row']}\n"
        rows = judged(tmp_path / f"{number}.csv", text)
        assert len(rows) == 2
        if owned(rows[1]):
            counted.append((case["rule"], case["csv_row"][:80]))
    assert counted == []


def test_no_refused_row_of_an_auditor_list_is_owned(tmp_path):
    cases = refusals("auditor")
    assert len(cases) >= 5
    text = "\n".join([AUDITOR, *(case["csv_row"] for case in cases)]) + "\n"
    rows = judged(tmp_path / "list.csv", text)
    assert len(rows) == len(cases)
    assert [row["address"] for row in rows if owned(row)] == []


def test_the_text_of_one_layout_does_not_stand_in_the_other(tmp_path):
    lines = reference("okx/test.csv").read_text(encoding="utf-8").splitlines()
    auditor = next(line for line in lines if line.startswith("USDT,ETH,")).split(",")
    row = f"ETH,ETH,1,{auditor[2]},1,{auditor[5]},{auditor[3]},,,,"
    (judged_row,) = judged(tmp_path / "list.csv", f"{MONTHLY}\n{row}\n")
    assert (judged_row["status"], judged_row["reason"]) == ("refuted", "unexpected-message")


def test_a_row_with_an_impossible_amount_adds_nothing(tmp_path):
    broken = genuine().replace(",0.058959708849230328,", ",1e30,")
    assert broken != genuine()
    rows = judged(tmp_path / "list.csv", f"{MONTHLY}\n{broken}\n")
    assert [(row["validity"], row["claimed"]) for row in rows] == [("bad-amount", None)]


def test_every_row_of_the_lists_is_in_the_verdicts():
    for path in sorted([*reference("okx").glob("*.csv"), *reference("htx").glob("*.csv")]):
        published = open_list(path)
        expected = sum(batch.num_rows for batch in published.batches())
        ledger = verified(path)
        assert ledger.num_rows == expected
        assert len(set(ledger["row"].to_pylist())) == expected
