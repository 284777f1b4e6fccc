"""Verdict files: a record per row, inert in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import ADDRESS, CHAIN, OTHER, Files, call, files, row

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures

FIELDS = ["row", "network", "asset", "address", "status", "reason", "validity"]
NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", '"=1\n+2"', "\uff1d1"]


def read_back(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(newline="", encoding="utf-8") as file:
        return [{**one, "row": int(one["row"])} for one in csv.DictReader(file)]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".CSV"])
def test_verdicts_have_one_record_per_row_with_the_documented_fields(
    call: Any, files: Files, suffix: str
) -> None:
    rows = [row(), row("0X" + ADDRESS[2:]), row(OTHER), row(amount="x"), row(), "torn"]
    path = files.path / f"verdicts{suffix}"
    config = str(files.path / "world.toml")
    code, _, _ = call(
        "verify", files.listed(*rows), "--config", config, "--verdicts", str(path), "--quiet"
    )
    assert code == 1
    lower = path.rename(path.with_suffix(suffix.lower()))
    found = read_back(lower)
    assert [list(one) for one in found] == [FIELDS] * len(rows)
    assert [one["row"] for one in found] == [2, 3, 4, 5, 6, 7]
    assert [(one["status"], one["reason"], one["validity"]) for one in found] == [
        ("bound", "key-derives-address", "valid"),
        ("refuted", "bad-address", "valid"),
        ("refuted", "wrong-key", "valid"),
        ("bound", "key-derives-address", "bad-amount"),
        ("bound", "key-derives-address", "repeat-of:2"),
        ("refuted", "malformed-row", "bad-amount"),
    ]
    assert (found[0]["network"], found[0]["asset"]) == (f"eip155:{CHAIN}", "ETH")
    assert found[1]["address"] == "0X" + ADDRESS[2:]


def test_texts_of_the_list_are_inert_in_a_spreadsheet(call: Any, files: Files) -> None:
    path = files.path / "verdicts.csv"
    rows = [row(text, network=text, asset=text) for text in NASTY]
    call("verify", files.listed(*rows), "--verdicts", str(path), "--quiet")
    found = read_back(path)
    for text, one in zip(NASTY, found, strict=True):
        for field in ("network", "asset", "address"):
            assert one[field] == "'" + text.strip('"').replace("\n", "⟨U+000A⟩")
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n\uff1d"))]
    assert path.read_bytes().count(b"\n") == 1 + len(NASTY)


def test_machine_formats_keep_the_texts_of_the_list_as_they_are(call: Any, files: Files) -> None:
    for suffix in (".jsonl", ".parquet"):
        path = files.path / f"verdicts{suffix}"
        call("verify", files.listed(row("=1+1")), "--verdicts", str(path), "--quiet")
        assert read_back(path)[0]["address"] == "=1+1"


def test_the_types_of_the_parquet_verdicts(call: Any, files: Files) -> None:
    path = files.path / "verdicts.parquet"
    call("verify", str(files.path / "list.csv"), "--verdicts", str(path), "--quiet")
    schema = pq.read_schema(path)
    assert [(field.name, field.type) for field in schema] == [
        ("row", pa.int64()),
        *((name, pa.string()) for name in FIELDS[1:]),
    ]
