"""The page of traps names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\|(.+)\|$", PAGE, re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")


def test_every_trap_names_a_test_in_its_last_column() -> None:
    traps = [row for row in ROWS if not row.startswith((" trap ", "---"))]
    assert len(traps) > 0
    for row in traps:
        cells = row.split(" | ")
        assert len(cells) == 3, row
        assert _TEST.fullmatch(cells[-1].strip()), row


@pytest.mark.parametrize(("file", "name"), sorted(set(_TEST.findall(PAGE))))
def test_every_named_test_is_there(file: str, name: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE) or not name
