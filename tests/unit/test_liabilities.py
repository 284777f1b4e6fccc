"""Tables of liabilities: exact amounts, each with date and source, never more than asserted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from chains.errors import ConfigError
from crawler.liabilities import Trust
from crawler.liabilities.table import load_liabilities

pytestmark = pytest.mark.unit

CSV = """asset,amount,as-of,source
BTC,123456.12345678,2024-06-10,page
ETH,"1500000",2024-06-10,"page, second table"
"""
FLAT = """
as_of = "2024-06-10"
source = "page"
[liabilities]
BTC = "123456.12345678"
ETH = "1500000"
"""
ARRAY = """source = "page"

[[liabilities]]
asset = "BTC"
amount = "123456.12345678"
as_of = "2024-06-10"

# [[liabilities]]
[[liabilities]]
asset = "ETH"
amount = "1500000"
as_of = "2024-06-10"
source = "another page"
"""


def write(tmp_path: Path, text: str, name: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_byte_order_mark_does_not_shift_the_places(tmp_path: Path) -> None:
    text = "\ufeff" + ARRAY.partition("\n\n")[2].replace("\n\n", '\nsource = "page"\n\n')
    found = load_liabilities(write(tmp_path, text, "l.toml"))
    assert [item.place for item in found.values()] == ["line 1", "line 8"]


@pytest.mark.parametrize(("text", "name"), [(CSV, "l.csv"), (FLAT, "l.toml"), (ARRAY, "l.toml")])
def test_the_three_forms_say_the_same(tmp_path: Path, text: str, name: str) -> None:
    found = load_liabilities(write(tmp_path, text, name))
    assert list(found) == ["BTC", "ETH"]
    assert found["BTC"].amount == "123456.12345678"
    assert found["BTC"].units(8) == 12_345_612_345_678
    assert found["ETH"].coins == Fraction(1_500_000)
    assert {liability.trust for liability in found.values()} == {Trust.ASSERTED}
    assert {liability.as_of for liability in found.values()} == {"2024-06-10"}


def test_places(tmp_path: Path) -> None:
    csv = load_liabilities(write(tmp_path, CSV, "l.csv"))
    assert [item.place for item in csv.values()] == ["line 2", "line 3"]
    array = load_liabilities(write(tmp_path, ARRAY, "l.toml"))
    assert [item.place for item in array.values()] == ["line 3", "line 9"]
    assert array["ETH"].source == "another page"
    assert array["BTC"].source == "page"


def test_more_places_than_the_asset_has(tmp_path: Path) -> None:
    found = load_liabilities(write(tmp_path, CSV, "l.csv"))
    with pytest.raises(ValueError, match="more than 7 places"):
        found["BTC"].units(7)


def test_amounts_are_exact_beyond_every_float(tmp_path: Path) -> None:
    amount = "9" * 40 + "." + "1" * 30
    text = f"asset,amount,as-of,source\nX,{amount},d,s\n"
    found = load_liabilities(write(tmp_path, text, "l.csv"))
    assert found["X"].units(30) == int("9" * 40 + "1" * 30)


def test_the_csv_header_may_be_in_any_order_and_case(tmp_path: Path) -> None:
    text = "\ufeffSource, As_Of ,AMOUNT,Asset\r\npage,2024,1,BTC\r\n\r\n"
    found = load_liabilities(write(tmp_path, text, "l.CSV"))
    assert (found["BTC"].amount, found["BTC"].as_of) == ("1", "2024")


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (CSV + "BTC,1,d,s\n", "line 4", "stands already at line 2"),
        (CSV + 'X,"1,000.00",d,s\n', "line 4", "plain decimal"),
        (CSV + "X,-1,d,s\n", "line 4", "plain decimal"),
        (CSV + "X,1e5,d,s\n", "line 4", "plain decimal"),
        (CSV + "X,NaN,d,s\n", "line 4", "plain decimal"),
        (CSV + "X,,d,s\n", "line 4", "plain decimal"),
        (CSV + "X,1,,s\n", "line 4", "no as-of"),
        (CSV + "X,1,2024-13-45,s\n", "line 4", "'2024-13-45', which is no date"),
        (CSV + "X,1,2023-02-29,s\n", "line 4", "no date"),
        (CSV + "X,1,2024-00,s\n", "line 4", "no date"),
        (CSV + "X,1,d,\n", "line 4", "no source"),
        (CSV + ",1,d,s\n", "line 4", "asset is empty"),
        (CSV + "X,1,d\n", "line 4", "3 columns"),
        (CSV + 'X,"1\n', "line 4", "not CSV"),
        ("asset,amount\nX,1\n", "line 1", "needs the columns"),
        ("asset,amount,as-of,source,asset\n", "line 1", "each once"),
        ("asset,amount,as-of,source,note\n", "line 1", "'note'"),
        ("", "line 1", "needs the columns"),
        ("asset,amount,as-of,source\n", "", "no liabilities"),
    ],
)
def test_a_bad_csv_names_the_line(tmp_path: Path, text: str, place: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_liabilities(write(tmp_path, text, "l.csv"))
    assert str(caught.value).startswith(f"l.csv: {place}")
    assert what in str(caught.value)


def test_bytes_that_are_not_utf8_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_bytes(CSV.encode() + b"\xff,1,d,s\n")
    with pytest.raises(ConfigError, match="line 4: is not UTF-8"):
        load_liabilities(path)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (FLAT.replace('"1500000"', "1500000.5"), "liabilities.ETH", "text"),
        (FLAT.replace('"1500000"', "1500000"), "liabilities.ETH.amount", "str"),
        (FLAT.replace('source = "page"', ""), "liabilities.BTC", "no source"),
        (FLAT.replace("2024-06-10", "2024-13-45"), "liabilities.BTC, as-of", "no date"),
        (FLAT + "\n[totals]\n", "totals", "known keys"),
        (ARRAY.replace('amount = "1500000"', 'amount = "x"'), "line 9", "plain decimal"),
        (ARRAY.replace('amount = "1500000"', ""), "line 9", "lacks the key 'amount'"),
        (ARRAY.replace('asset = "ETH"', 'asset = "BTC"'), "line 9", "already at line 3"),
        (ARRAY + "trust = 'zk-checked'\n", "line 9", "trust"),
        ("liabilities = 3", "liabilities", "array of tables"),
        ("[liabilities]\n", "", "no liabilities"),
        ("x = = 1", "", "line 1"),
    ],
)
def test_a_bad_toml_names_the_place(tmp_path: Path, text: str, place: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_liabilities(write(tmp_path, text, "l.toml"))
    assert str(caught.value).startswith(f"l.toml: {place}")
    assert what in str(caught.value)
