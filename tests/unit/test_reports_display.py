"""Texts, amounts and percentages as people see them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from crawler.reports import display

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BTC-TRC20 é 币", "BTC-TRC20 é 币"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\x00\x1b[2J\n\r\t", "⟨U+0000⟩⟨U+001B⟩[2J⟨U+000A⟩⟨U+000D⟩⟨U+0009⟩"),
        ("zero\u200bwidth\u2066", "zero⟨U+200B⟩width⟨U+2066⟩"),
        ("e\u0301", "e⟨U+0301⟩"),
        ("a\u00a0b\u3000", "a⟨U+00A0⟩b⟨U+3000⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("\U000e0041\ufeff\u2028", "⟨U+E0041⟩⟨U+FEFF⟩⟨U+2028⟩"),
    ],
)
def test_what_could_hide_or_reorder_is_shown_as_its_code_point(text: str, shown: str) -> None:
    assert shown == display.visible(text)
    assert shown == display.visible(shown)


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        ("0", 8, "0"),
        ("1234567", 8, "1,234,567"),
        ("1234567.10", 8, "1,234,567.1"),
        ("1.123456789", 8, "1.12345678…"),
        ("1.12345678", 8, "1.12345678"),
        ("0.999999999", 8, "0.99999999…"),
        ("-1234.999", 2, "-1,234.99…"),
        ("133814.9", 0, "133,814…"),
        ("0.000000000000000001", 8, "0.000000000000000001"),
        ("0.0000000000123456", 8, "0.000000000012…"),
        ("0.004", 2, "0.004"),
        ("-0.0000001", 0, "-0.0000001"),
        ("1.000000000000000001", None, "1.000000000000000001"),
        ("1e5", 8, "1e5"),
        ("=1+1", 8, "=1+1"),
        ("١٢", 8, "١٢"),
        ("", 8, ""),
        (None, 8, "cannot be said"),
    ],
)
def test_amounts_are_grouped_and_cut_visibly(
    value: str | None, places: int | None, shown: str
) -> None:
    assert shown == display.amount(value, places)


def test_the_whole_part_is_never_cut() -> None:
    assert f"{2**256:,}" == display.amount(str(2**256), 0)


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        ("99.9999", 2, "99.99%"),
        ("104", 4, "104.0000%"),
        ("0.0000", 2, "0.00%"),
        ("0.0012", 2, "0.0012%"),
        ("12345.6789", 2, "12,345.67%"),
        (None, 2, "cannot be said"),
    ],
)
def test_percentages_are_cut_never_rounded_up(value: str | None, places: int, shown: str) -> None:
    assert shown == display.percent(value, places)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (Fraction(1), Fraction(3), "33.33%"),
        (Fraction(2), Fraction(3), "66.66%"),
        (Fraction(999999999), Fraction(1000000000), "99.99%"),
        (Fraction(1, 10**18), Fraction(1), "<0.01%"),
        (Fraction(0), Fraction(1), "0.00%"),
        (Fraction(21), Fraction(20), "105.00%"),
        (Fraction(1), Fraction(0), "cannot be said"),
    ],
)
def test_shares_never_read_as_nothing_or_all_when_they_are_not(
    part: Fraction, whole: Fraction, shown: str
) -> None:
    assert shown == display.share(part, whole)


def test_names_join_as_in_a_sentence_and_are_bounded() -> None:
    assert display.names([]) == ""
    assert display.names(["A"]) == "A"
    assert display.names(["A", "B", "C"]) == "A, B and C"
    assert display.names(["A", "B", "C", "D", "E"]) == "A, B, C and 2 more"
    assert len(display.names(["x" * 500])) == 40


def test_moments_are_utc_and_unknown_says_so() -> None:
    assert display.moment(1717999512) == "2024-06-10 06:05:12 UTC"
    assert display.moment(0) == "not told by the chain"
    assert f"{10**20} s since 1970" == display.moment(10**20)


def test_reasons_are_explained_with_or_without_their_kind() -> None:
    sentence = "The list publishes no signature for this row."
    assert sentence == display.explain("no-signature")
    assert sentence == display.explain("unsigned:no-signature")
    assert display.explain("bad-amount").startswith("The amount is not a plain decimal")
    assert display.explain("nobody-knows") == ""
