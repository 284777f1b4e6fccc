"""What the bench of the whole run measures, and what it says when not all was answered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crawler
from tests.bench.bench_run import RECOUNT, gaps_of

pytestmark = pytest.mark.unit


def test_the_recount_beside_the_bench_is_measured_not_another_one(tmp_path: Path) -> None:
    (tmp_path / "crawler").mkdir()
    (tmp_path / "crawler" / "__init__.py").touch()
    (tmp_path / "crawler" / "cli.py").write_text("def main(): raise SystemExit('another recount')")
    done = subprocess.run(
        [sys.executable, "-c", RECOUNT, "--help"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "another recount" in done.stderr) == (0, False)
    assert "Usage" in done.stdout


def test_what_tests_start_elsewhere_is_the_recount_that_they_test(tmp_path: Path) -> None:
    code = "import crawler; print(crawler.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == crawler.__file__


def test_a_run_that_lacks_answers_is_told_with_their_details(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for name, gap, detail in (("a", "", ""), ("b", "malformed-answer", "no stake: ['Coin']")):
        table = pa.table({"gap": [gap] * 2, "detail": [detail] * 2})
        pq.write_table(table, tmp_path / "shards" / f"{name}.parquet")
    assert gaps_of(tmp_path) == "2 times malformed-answer (no stake: ['Coin'])"
