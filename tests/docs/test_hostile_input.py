"""``docs/hostile-input.md`` names tests that exist, and every fuzzing target."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/hostile-input.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 50
    gone = [
        f"{file}::{name}"
        for file, name in NAMED
        if not re.search(rf"def {name}\(", (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert gone == []


def test_every_row_of_the_table_names_a_test() -> None:
    rows = [line for line in TEXT.partition("## Fuzzing")[0].splitlines() if line[:2] == "| "]
    assert [row for row in rows[1:] if "::test_" not in row] == []


def test_the_table_of_the_campaign_names_targets() -> None:
    """A new adapter is a new target of its own; the next campaign adds its line."""
    told = set(re.findall(r"^\| `([^`]+)` \|", TEXT.partition("## Fuzzing")[2], re.MULTILINE))
    assert told <= set(TARGETS)
    of_adapters = ("decode ", "pin ", "head ", "ask ")
    assert [name for name in set(TARGETS) - told if not name.startswith(of_adapters)] == []
