"""Exact numbers as text: base units to coin units and back, shares and ratios as percent.

Everything is integers and ``Fraction``; no float, no decimal context.
"""

from __future__ import annotations

from fractions import Fraction

PERCENT_PLACES = 4
MOST_PLACES = 100


def to_text(units: int, decimals: int) -> str:
    """Write base units in coin units, exactly, without exponent or trailing zeros."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    whole, rest = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"


def percent(part: Fraction | int, whole: Fraction | int) -> str | None:
    """Return ``part / whole`` in percent, cut at four places; ``None`` for no whole."""
    if whole == 0:
        return None
    scaled = Fraction(part) / Fraction(whole) * 100 * 10**PERCENT_PLACES
    cut = abs(scaled.numerator) // scaled.denominator
    return to_text(-cut if scaled < 0 else cut, PERCENT_PLACES)


def fraction_text(value: Fraction) -> str:
    """Write a sum of exact decimals exactly; raises ``ValueError`` for any other fraction."""
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
        if places > MOST_PLACES:
            raise ValueError(f"{value} is no sum of decimals")
    return to_text(int(value * 10**places), places)
