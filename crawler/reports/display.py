"""How texts, amounts and percentages are shown to people, the same in every format.

Nothing here calculates: it only cuts and groups what the report already says. Amounts are
cut for display, never rounded, a cut is always visible as ``…``, and an amount that is not
zero never reads as zero. Texts from the list may try to hide or to reorder what stands
beside them; ``visible`` turns every character that could into its code point.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction

from chains import reasons
from crawler.reasons import ROWS

CUT = "…"
UNSAID = "cannot be said"

VERDICTS = {
    "shortfall": "falls short",
    "not-looked-at": "not looked at",
    "incomplete": "incomplete",
    "surplus": "holds more",
    "stands": "stands",
}
"""Asset verdicts in plain words, in the order in which a reader should meet them."""

ABOUT = {
    "exchange": "Against the list: the list or the chains contradict it",
    "recount": "We could not look: gaps of this recount, not faults of the exchange",
    "note": "Notes",
}
"""Headings of findings, by whose matter they are."""

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"})
_FIRST_PRINTABLE, _DELETE = 0x20, 0x7F


def visible(text: str) -> str:
    """Return ``text`` with every character that could hide or reorder shown as ``⟨U+XXXX⟩``.

    That is: control and format characters (NUL, line feeds, escapes, bidirectional
    overrides, zero-width), combining marks, unassigned and private code points, lone
    surrogates, and every space except the plain one.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if _FIRST_PRINTABLE <= ord(character) < _DELETE:
        return character
    category = unicodedata.category(character)
    if category in _UNSAFE or category == "Zs":
        return f"⟨U+{ord(character):04X}⟩"
    return character


def split_amount(value: str, places: int | None = None) -> tuple[str, str, str]:
    """Split a decimal string into (sign, grouped whole part, fraction without the point).

    With ``places`` the fraction is cut there and ends with ``…``; where only zeros would be
    left of an amount that is not zero, it is cut after its second significant digit instead.
    A value that is no plain decimal comes back whole as the second part.
    """
    sign = "-" if value.startswith("-") else ""
    if not value.isascii():
        return "", visible(value), ""
    whole, _, fraction = value.removeprefix("-").partition(".")
    if not whole.isdecimal() or not f"0{fraction}".isdecimal():
        return "", visible(value), ""
    fraction = fraction.rstrip("0")
    grouped = f"{int(whole):,}" if len(whole) < 4000 else whole  # noqa: PLR2004
    if places is None or len(fraction) <= places:
        return sign, grouped, fraction
    if not whole.strip("0") and not fraction[:places].strip("0"):
        places = len(fraction) - len(fraction.lstrip("0")) + 2
        if len(fraction) <= places:
            return sign, grouped, fraction
    return sign, grouped, fraction[:places] + CUT


def amount(value: str | None, places: int | None = 8) -> str:
    """Show an amount with thousands separators and at most ``places`` decimals."""
    if value is None:
        return UNSAID
    sign, whole, fraction = split_amount(value, places)
    point = "." if fraction.removeprefix(CUT) else ""
    return f"{sign}{whole}{point}{fraction}"


def percent(value: str | None, places: int = 2, *, lower_bound: bool = False) -> str:
    """Show a percent string of the report, cut after ``places`` decimals."""
    if value is None:
        return UNSAID
    whole, _, fraction = value.partition(".")
    grouped = split_amount(whole)
    shown = f"{grouped[0]}{grouped[1]}"
    if places:
        shown += "." + fraction[:places].ljust(places, "0")
    at_least = "≥ " if lower_bound else ""
    if not shown.strip("-0.") and value.strip("-0."):
        return f"{at_least}{value}%"
    return f"{at_least}{shown}%"


def share(part: Fraction, whole: Fraction, places: int = 2) -> str:
    """Show ``part`` of ``whole`` in percent, cut; what is smaller than shown says so."""
    if not whole:
        return UNSAID
    scale = 10**places
    units = int(part * 100 * scale / whole)
    if units == 0 and part:
        return f"<0.{1:0{places}d}%"
    if units >= 100 * scale and part < whole:
        units = 100 * scale - 1
    return f"{units // scale:,}.{units % scale:0{places}d}%"


def count(number: int, one: str, many: str = "") -> str:
    """Return ``1 row``, ``2 rows``, ``1,000 rows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def names(items: Sequence[str], most: int = 4) -> str:
    """Join names as a sentence would, at most ``most`` of them, each at most 40 characters."""
    shown = [short(item) for item in items]
    if len(shown) > most:
        rest = len(shown) - most + 1
        return ", ".join(shown[: most - 1]) + f" and {rest} more"
    if len(shown) > 1:
        return ", ".join(shown[:-1]) + f" and {shown[-1]}"
    return "".join(shown)


def short(text: str, most: int = 40) -> str:
    """Return a text made visible and, where it is long, cut with ``…``: for use in sentences."""
    shown = visible(text)
    return shown if len(shown) <= most else shown[: most - 1] + CUT


def moment(seconds: int) -> str:
    """Show Unix seconds as UTC; 0 is what the protocol does not tell."""
    if seconds == 0:
        return "not told by the chain"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds} s since 1970"


def explain(code: str) -> str:
    """Return the sentence of a reason code (``kind:reason`` or ``reason``), "" where none is."""
    reason = code.rpartition(":")[2]
    for table in (ROWS, reasons.OWNERSHIP, reasons.GAPS, reasons.SNAPSHOT):
        if reason in table:
            return table[reason]
    return ""
