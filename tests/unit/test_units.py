"""Exact numbers as text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from crawler.counting.units import percent, to_text

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [
        (0, 0, "0"),
        (0, 18, "0"),
        (5, 0, "5"),
        (1200, 0, "1200"),
        (1, 18, "0.000000000000000001"),
        (10**18, 18, "1"),
        (1_500_000, 6, "1.5"),
        (-1, 6, "-0.000001"),
        (-1_500_000, 6, "-1.5"),
        (1, 77, "0." + "0" * 76 + "1"),
        (2**256 - 1, 0, str(2**256 - 1)),
        (2**256 - 1, 77, "1." + str(2**256 - 1)[1:]),
        (10**300, 18, "1" + "0" * 282),
    ],
)
def test_base_units_are_written_exactly(units: int, decimals: int, text: str) -> None:
    assert to_text(units, decimals) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1, 3, "33.3333"),
        (2, 3, "66.6666"),
        (999_999_999, 1_000_000_000, "99.9999"),
        (1, 1, "100"),
        (0, 5, "0"),
        (1, 10**9, "0"),
        (-2, 3, "-66.6666"),
        (-1, 10**9, "0"),
        (Fraction(1, 3), Fraction(1, 3), "100"),
        (10**40 - 1, 10**40, "99.9999"),
        (10**400, 1, str(10**402)),
    ],
)
def test_a_percentage_is_cut_never_rounded_up(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_a_share_of_nothing_cannot_be_said() -> None:
    assert percent(0, 0) is None
    assert percent(7, 0) is None
