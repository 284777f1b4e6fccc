"""Published decimal texts to integers of base units, one at a time and by the column.

An amount is a plain decimal: ASCII digits, perhaps a point with digits on both sides, and
perhaps spaces around it, which occur in real lists. No sign, exponent, thousands separator
or word. More fractional digits than the asset has are allowed only when they are zero,
because nothing is ever rounded here.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

MAX_DIGITS = 100
"""Digits on either side of the point; uint256 needs 78."""
MAX_DECIMALS = 77
"""Decimals an asset may have."""

_PLAIN = re.compile(r" *([0-9]+)(?:\.([0-9]+))? *")
_PLAIN_COLUMN = (
    rf"^ *(?P<whole>[0-9]{{1,{MAX_DIGITS}}})(?:\.(?P<fraction>[0-9]{{1,{MAX_DIGITS}}}))? *$"
)


class AmountError(ValueError):
    """A text is no amount. ``reason`` is one of ``REASONS``."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{REASONS[reason]}: {text[:100]!r}")
        self.reason = reason


REASONS = {
    "amount-missing": "no amount is published",
    "amount-not-plain": "not a plain decimal",
    "amount-too-long": f"more than {MAX_DIGITS} digits on one side of the point",
    "amount-too-fine": "more fractional digits than the asset has",
}
"""Why a text is no amount: a stable reason and its sentence."""


def parse_amount(text: str, decimals: int) -> int:
    """Give the base units of a decimal text, for an asset with ``decimals`` fractional digits.

    Raises ``AmountError`` when the text is no plain decimal or finer than the asset.
    """
    _check(decimals)
    if not text.strip(" "):
        raise AmountError("amount-missing", text)
    match = _PLAIN.fullmatch(text)
    if match is None:
        raise AmountError("amount-not-plain", text)
    whole, fraction = match[1], match[2] or ""
    if max(len(whole), len(fraction)) > MAX_DIGITS:
        raise AmountError("amount-too-long", text)
    if fraction[decimals:].strip("0"):
        raise AmountError("amount-too-fine", text)
    return int(whole + fraction[:decimals].ljust(decimals, "0"))


def amounts_to_units(texts: pa.Array, decimals: int) -> pa.Array:
    """Give base units as decimal texts, null where ``parse_amount`` would raise."""
    _check(decimals)
    parts = pc.extract_regex(texts, _PLAIN_COLUMN)
    whole, fraction = parts.field("whole"), parts.field("fraction")
    valid = pc.is_valid(parts)
    kept = pc.utf8_slice_codeunits(fraction, 0, decimals)
    beyond = pc.utf8_slice_codeunits(fraction, decimals)
    valid = pc.and_(valid, pc.equal(pc.ascii_ltrim(beyond, "0"), ""))
    padded = pc.ascii_rpad(kept, decimals, "0")
    digits = pc.ascii_ltrim(pc.binary_join_element_wise(whole, padded, ""), "0")
    units = pc.if_else(pc.equal(digits, ""), "0", digits)
    return pc.if_else(valid, units, pa.scalar(None, pa.string()))


def _check(decimals: int) -> None:
    if not 0 <= decimals <= MAX_DECIMALS:
        raise ValueError(f"decimals must be 0 to {MAX_DECIMALS}, not {decimals}")
