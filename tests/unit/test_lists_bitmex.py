"""BitMEX's reserve files: entries, satoshi, and all that YAML can do besides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import ListError
from crawler.examining.labels import resolve
from crawler.lists import PublishedList, bitmex, open_list
from crawler.settings import load_world

pytestmark = pytest.mark.unit

LIST = Path(__file__).parents[2] / "fixtures" / "lists" / "bitmex.yaml"
HEAD = "chain: main\nheight: 5\ntotal: 1\n"


def read(published: PublishedList) -> list[dict[str, Any]]:
    return [row for batch in published.batches() for row in batch.to_pylist()]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Any]:
    def write(text: str) -> Path:
        path = tmp_path / "reserves.yaml"
        path.write_bytes(text.encode())
        return path

    return write


def test_entries_are_rows_at_their_first_line() -> None:
    published = open_list(LIST)
    rows = read(published)
    assert (published.dialect, published.exchange) == ("bitmex", "bitmex")
    assert [row["row"] for row in rows] == [4, 8, 10, 14, 21]
    assert [row["kind"] for row in rows] == ["claim"] * 3 + ["malformed", "claim"]
    assert [row["amount"] for row in rows] == ["0.00001", "2.5", "0.00000007", "", "0.000005"]
    assert {row["height"] for row in rows if row["kind"] == "claim"} == {"966053"}
    assert {row["network"] for row in rows if row["kind"] == "claim"} == {"main"}
    assert [row["type"] for row in rows] == ["", "", "unspendable", "", "custodial"]
    assert not any(row["signatures"] for row in rows)


def test_hex_is_a_script_and_a_descriptor_is_not() -> None:
    rows = read(open_list(LIST))
    assert rows[0]["script"].startswith("5341")
    assert not rows[0]["public_key"]
    assert rows[1]["public_key"].startswith("wpkh(")
    assert not rows[1]["script"]


def test_a_malformed_entry_keeps_its_text_and_the_unknown_key_is_named() -> None:
    published = open_list(LIST)
    assert published.unread == ("note",)
    row = read(published)[3]
    assert row["problem"] == "'note' is no text"
    assert "balance: 0x10" in row["message"]


def test_the_total_is_satoshi_and_every_line_is_accounted_for() -> None:
    published = open_list(LIST)
    assert [(total.row, total.label, total.amount) for total in published.totals] == [
        (29, "BTC", "2.50001507")
    ]
    read(published)
    account = published.account
    assert account.lines == len(LIST.read_bytes().splitlines()) == 30
    assert (account.claim, account.malformed, account.total) == (4, 1, 1)
    assert (account.continuation, account.header) == (12, 12)


def test_unspendable_entries_and_other_chains_do_not_count() -> None:
    world = load_world()
    exchange = world.exchanges["bitmex"]
    assert resolve(world, exchange, "BTC", "main").asset is not None
    assert resolve(world, exchange, "BTC", "main", "custodial").asset is not None
    assert resolve(world, exchange, "BTC", "main", "unspendable").asset is None
    assert resolve(world, exchange, "BTC", "test").asset is None


@pytest.mark.parametrize("balance", ["010", "1_000", "1:30", "1e3", "-1", "0x1f", "1.0", "''", "~"])
def test_a_balance_is_plain_digits(written: Any, balance: str) -> None:
    path = written(HEAD + f"address:\n- {{addr: a, balance: {balance}}}\n")
    (row,) = read(open_list(path))
    assert row["kind"] == "malformed"
    assert "plain digits" in row["problem"]


def test_an_entry_may_lack_its_balance_but_not_its_address(written: Any) -> None:
    path = written(HEAD + "address:\n- {addr: a}\n- {balance: 1}\n- just a text\n- [a, b]\n")
    rows = read(open_list(path))
    assert [row["problem"] for row in rows] == [
        "",
        "no addr",
        "an entry is no mapping",
        "an entry is no mapping",
    ]
    assert rows[0]["amount"] == ""


def test_a_key_given_twice_in_an_entry_is_malformed(written: Any) -> None:
    path = written(HEAD + "address:\n- {addr: a, balance: 1, balance: 2}\n")
    assert read(open_list(path))[0]["problem"] == "'balance' stands twice"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "chain: main\naddress: []\n", "line 4: the key 'chain' stands twice"),
        (HEAD + "address: &a []\n", "line 4: an anchor or alias"),
        (HEAD + "address: &a\n- *a\n", "line 4: an anchor or alias"),
        (HEAD + "address:\n- !!python/object:os.system {addr: a}\n", "line 5: a tag"),
        (HEAD + "address:\n- {addr: a}\n---\nchain: main\n", "line 6: expected StreamEnd"),
        (HEAD + "address: [{addr: a}, {addr: b}]\n", "line 4: two entries on one line"),
        (HEAD + "address:\n  [{addr: a}, {addr: b}]\n", "line 5: two entries on one line"),
        (HEAD + "address:\n- {addr: a}\n- {addr: b\n", "is not YAML"),
        (HEAD + "address: 7\n", "line 4: expected a list of entries"),
        (HEAD + "address:\n- {addr: a}\u2028- {addr: b}\n", r"line 5: a line ends with '\\u2028'"),
        (HEAD + "address:\r- {addr: a}\n", r"line 4: a line ends with '\\r'"),
        (HEAD + "address:\n- {addr: '\x07'}\n", "is not YAML"),
        ("chain: main\naddress: []\n", "no 'height'"),
        ("chain: main\nheight: 0x10\naddress: []\n", "line 2: height is '0x10'"),
        (HEAD.replace("total: 1", "total: -1") + "address: []\n", "line 3: total is '-1'"),
        ("chain: {a: b}\n", "expected one value for 'chain'"),
        ("chain: a\n" + "".join(f"k{i}: 1\n" for i in range(64)), "line 65: more than 64 keys"),
        (HEAD + "address:\n- {" + "".join(f"k{i}: 1, " for i in range(65)) + "}", "in one entry"),
        ("token_reserves:\n  ETH: []\n", "no 'address', 'chain', 'height'"),
    ],
)
def test_what_is_refused(written: Any, text: str, said: str) -> None:
    path = written(text)
    with pytest.raises(ListError, match=said) as refusal:
        read(open_list(path))
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_depth_is_limited(written: Any) -> None:
    path = written(HEAD + "keys: " + "[" * 100_000 + "\n")
    with pytest.raises(ListError, match="line 4: nested deeper than 8"):
        open_list(path)
    path = written(HEAD + "address:\n- addr: a\n  x: " + "{a: " * 1000 + "\n")
    with pytest.raises(ListError, match="nested deeper than 8"):
        open_list(path)


def test_a_text_without_end_is_cut_off(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitmex, "MAX_GAP", 1 << 18)
    path = written(HEAD + "address:\n- addr: |\n" + ("   " + "x" * 1000 + "\n") * 1000)
    with pytest.raises(ListError, match="nothing but text for more than 262144 bytes"):
        open_list(path)


def test_many_entries_pass_that_limit(written: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitmex, "MAX_GAP", 1 << 18)
    count = 10_000
    entries = "".join(f"- addr: {i}\n  balance: {i}\n  x: {'y' * 40}\n" for i in range(count))
    published = open_list(written(HEAD + "address:\n" + entries))
    assert published.size > 1 << 19
    rows = read(published)
    assert [row["row"] for row in rows] == list(range(5, 5 + 3 * count, 3))
    assert rows[-1]["amount"] == "0.00009999"


def test_a_csv_is_not_taken_for_yaml(written: Any) -> None:
    with pytest.raises(ListError, match="no detail section"):
        open_list(written("a,b: c\n"))
