"""Every label in the lists that were really published resolves, or is listed here with its reason.

The files are read where they lie (``tests.reference``); without them the tests skip.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.examining.labels import resolve
from crawler.settings import World, load_world
from tests.reference import reference

pytestmark = pytest.mark.integration

HTX_UNKNOWN = {
    "BETH-Heco",  # an exchange's own staking claim; contract not known
    "ETH-BTTC",  # several bridged forms
    "USDT-BTTC",  # several bridged forms
    "USDT-XPL",  # USDT0 on Plasma or a receipt for it
    "STEAK-USDC",  # two vaults of that symbol; value, not shares
    "jsTRX",  # JustLend receipt published as its value
    "jUSDT-TRC20",  # JustLend receipt published as its value
}
HTX_TOTALS_UNKNOWN = HTX_UNKNOWN | {
    "BTC-BUY-BACK",  # no address
    "ETH-BUY-BACK",  # no address
    "USDT-T-Bills",  # no address
}


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


def folder(name: str) -> Path:
    return reference(name)


def sections(path: Path) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield (header, rows) of each section of a list; a header begins with a column name."""
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    starts = [i for i, row in enumerate(rows) if row and row[0] in ("coin", "digitalAsset")]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield (
            [name.strip().lower() for name in rows[start]],
            [row for row in rows[start + 1 : end] if row and any(row)],
        )


def test_htx_rows(world: World) -> None:
    unknown, seen = set(), set()
    for path in sorted(folder("htx").glob("*.csv")):
        for header, rows in sections(path):
            if "address" in header:
                seen |= {row[0] for row in rows}
    for label in seen:
        if resolve(world, world.exchanges["htx"], label, "").asset is None:
            unknown.add(label)
    assert len(seen) > 25
    assert unknown == HTX_UNKNOWN


def test_htx_totals(world: World) -> None:
    seen = set()
    for path in sorted(folder("htx").glob("*.csv")):
        for header, rows in sections(path):
            if "address" not in header:
                seen |= {row[0] for row in rows if not row[0].upper().endswith("(ALL)")}
    unknown = {
        label for label in seen if resolve(world, world.exchanges["htx"], label, "").asset is None
    }
    assert len(seen) > 25
    assert unknown == HTX_TOTALS_UNKNOWN


def test_htx_messages(world: World) -> None:
    texts = {
        row[4]
        for path in folder("htx").glob("*.csv")
        for header, rows in sections(path)
        if "message" in header
        for row in rows
    }
    assert texts - {"-"} == set(world.exchanges["htx"].messages)


def test_okx_rows(world: World) -> None:
    checked = 0
    for path in sorted(folder("okx").glob("*.csv")):
        for header, rows in sections(path):
            if "network" not in header:
                continue
            for row in rows:
                kind = row[header.index("type")] if "type" in header else ""
                found = resolve(
                    world, world.exchanges["okx"], row[0], row[header.index("network")], kind
                )
                assert found.reason == "", (path.name, row[:3])
                assert found.schemes
                checked += 1
    assert checked >= 15


def test_okx_totals(world: World) -> None:
    labels = {
        row[0]
        for path in folder("okx").glob("*.csv")
        for header, rows in sections(path)
        if "address" not in header
        for row in rows
        if not row[0].endswith("(ALL)")
    }
    assert len(labels) > 8
    for label in labels:
        assert resolve(world, world.exchanges["okx"], label, "").reason == "", label


@pytest.mark.parametrize(("first", "dialect"), [("coin", ""), ("digitalasset", "okx-auditor")])
def test_okx_messages_by_layout(world: World, first: str, dialect: str) -> None:
    texts = {
        row[header.index("message")]
        for path in folder("okx").glob("*.csv")
        for header, rows in sections(path)
        if "message" in header and header[0] == first
        for row in rows
    }
    okx = world.exchanges["okx"]
    assert texts <= set(okx.messages_of[dialect] if dialect else okx.messages)
    assert texts
