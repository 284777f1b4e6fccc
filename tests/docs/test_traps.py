"""docs/traps.md: every trap names tests, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
ROWS = [
    line
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| trap |", "|---"))
]


def test_the_page_has_traps() -> None:
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=[row[2:50] for row in ROWS])
def test_each_trap_names_tests_that_exist(row: str) -> None:
    _, _, _, tests, _ = row.split("|")
    named = re.findall(r"`([^`:]+)::([^`]+)`", tests)
    assert named
    assert len(named) == tests.count("`") // 2
    for path, test in named:
        source = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {re.escape(test)}\(", source, re.MULTILINE), test
