"""Published amounts to base units: what is an amount and what is not."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crawler.lists.amounts import REASONS, AmountError, amounts_to_units, parse_amount

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [
        ("0", 18, 0),
        (" 5.2834", 18, 5_283_400_000_000_000_000),
        ("113.97 ", 8, 11_397_000_000),
        ("1.500", 1, 15),
        ("007.10", 2, 710),
        ("12", 0, 12),
        ("12.0", 0, 12),
        ("9" * 78, 0, int("9" * 78)),
        ("0.000000000000000001", 18, 1),
    ],
)
def test_plain_decimals(text: str, decimals: int, units: int) -> None:
    assert parse_amount(text, decimals) == units


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "amount-missing"),
        ("   ", "amount-missing"),
        ("-1", "amount-not-plain"),
        ("+1", "amount-not-plain"),
        ("1e30", "amount-not-plain"),
        ("NaN", "amount-not-plain"),
        ("Infinity", "amount-not-plain"),
        ("1,000", "amount-not-plain"),
        ("1_000", "amount-not-plain"),
        ("0x10", "amount-not-plain"),
        (".5", "amount-not-plain"),
        ("5.", "amount-not-plain"),
        ("1 2", "amount-not-plain"),
        ("1\n", "amount-not-plain"),
        ("\t1", "amount-not-plain"),
        ("\u00a01", "amount-not-plain"),
        ("\u0661", "amount-not-plain"),
        ("1" * 101, "amount-too-long"),
        ("0." + "0" * 101, "amount-too-long"),
        ("0.123456789", "amount-too-fine"),
    ],
)
def test_everything_else_has_a_reason(text: str, reason: str) -> None:
    with pytest.raises(AmountError, match=REASONS[reason]) as caught:
        parse_amount(text, 8)
    assert caught.value.reason == reason


def test_columns_give_the_same_units() -> None:
    texts = ["1.5", " 0.0 ", "0", "0.001", "0.010", "-1", ""]
    units = amounts_to_units(pa.array(texts), 2).to_pylist()
    assert units == ["150", "0", "0", None, "1", None, None]
