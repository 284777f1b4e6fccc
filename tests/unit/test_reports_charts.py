"""Charts keep exact proportions and take no class from data."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pytest

from crawler.reports import charts
from crawler.reports.summary import Segment

pytestmark = pytest.mark.unit


def boxes(svg: str) -> list[tuple[str, Decimal, Decimal]]:
    found = re.findall(r'<rect class="k-([a-z-]+)" x="([\d.]+)%" y="\d+" width="([\d.]+)%"', svg)
    return [(key, Decimal(x), Decimal(width)) for key, x, width in found]


def bar(*values: str, keys: tuple[str, ...] = ("owned", "found", "unseen")) -> str:
    segments = [Segment(key, key, Fraction(v)) for key, v in zip(keys, values, strict=False)]
    return str(charts.stacked_bar(segments, "words"))


def test_widths_are_the_proportions() -> None:
    assert [
        ("owned", Decimal("0.0000"), Decimal("50.0000")),
        ("found", Decimal("50.0000"), Decimal("25.0000")),
        ("unseen", Decimal("75.0000"), Decimal("25.0000")),
    ] == boxes(bar("2", "1", "1"))


def test_parts_touch_and_fill_the_bar_whatever_the_amounts() -> None:
    edge = Decimal(0)
    amounts = ("1.000000000000000001", str(2**200), f"{2**199}.7")
    for _, left, width in boxes(bar(*amounts)):
        assert edge == left
        edge += width
    assert Decimal(100) == edge


def test_a_claim_shorter_than_what_was_found_has_a_shorter_rule() -> None:
    svg = str(charts.stacked_bar([Segment("owned", "o", Fraction(4))], "w", claim=Fraction(3)))
    assert 'class="rule" x="0" y="25" width="75.0000%"' in svg


def test_a_claim_longer_than_its_parts_leaves_room() -> None:
    svg = str(charts.stacked_bar([Segment("owned", "o", Fraction(1))], "w", claim=Fraction(4)))
    assert [("owned", Decimal(0), Decimal(25))] == boxes(svg)


def test_what_is_missing_gets_a_pointer_even_when_too_thin_to_see() -> None:
    parts = [Segment("owned", "o", Fraction(10**30)), Segment("short", "s", Fraction(1))]
    assert 'class="pointer"' in charts.stacked_bar(parts, "w")
    assert 'class="pointer"' not in charts.stacked_bar(parts[:1], "w")


def test_nothing_at_all_is_an_empty_bar() -> None:
    assert boxes(str(charts.stacked_bar([], "nothing", claim=Fraction(0)))) == []


def test_unknown_keys_become_other_and_words_are_escaped() -> None:
    svg = str(charts.stacked_bar([Segment('"><script>', "x", Fraction(1))], '"><script>'))
    assert 'class="k-other"' in svg
    assert "<script>" not in svg


def test_every_part_but_the_plain_ones_has_a_pattern() -> None:
    plain = {"owned", "bound", "native"}
    keys = charts.CLAIM_KEYS.keys() | charts.STATUS_KEYS.keys() | charts.CLASS_KEYS.keys()
    assert keys - plain == charts.HATCHED.keys()


def test_every_kind_of_stripe_is_defined_in_the_page() -> None:
    defined = set(re.findall(r'id="hatch-([a-z]+)"', charts.patterns()))
    assert set(charts.HATCHED.values()) == defined


def test_a_scale_shows_the_hundred_and_clamps_what_is_far_away() -> None:
    scale = charts.ratio_scale([Fraction(104), Fraction(5000)])
    assert scale.low < 100 < scale.high <= 220
    assert Fraction(1) == scale.at(Fraction(5000))
    assert Fraction(0) == scale.at(Fraction(-1))
    assert charts.ratio_scale([]).low < 100 < charts.ratio_scale([]).high
