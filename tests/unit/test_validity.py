"""Which rows may count: repeats, conflicts, unusable amounts, signer rows."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pyarrow as pa
import pytest

from chains.addresses.bech32 import BECH32, bytes_to_digits, digits_to_bech32
from crawler.counting.validity import Subjects, row_validity
from crawler.examining.ownership import EXAMINED
from tests.unit.ledger_rows import ACCOUNT_A, ACCOUNT_B, A, B, C, claim, examined

pytestmark = pytest.mark.unit

MIXED = "0x52908400098527886E0F7030069857D2E4169EE7"
BECH = digits_to_bech32(b"\x00" + bytes_to_digits(bytes(range(20))), "bc", BECH32)


def validity(*claims: dict[str, Any]) -> list[str]:
    return row_validity(examined(claims)[0])[0].to_pylist()


def test_rows_of_different_accounts_are_valid() -> None:
    assert validity(claim(1, ACCOUNT_A), claim(2, ACCOUNT_B)) == ["valid", "valid"]


def test_an_equal_repeat_points_to_the_first_row() -> None:
    assert validity(claim(7), claim(8), claim(9)) == ["valid", "repeat-of:7", "repeat-of:7"]


@pytest.mark.parametrize(
    ("first", "second", "network"),
    [
        (MIXED, MIXED.lower(), "ETH"),
        (MIXED.lower(), "0x" + MIXED[2:].upper(), "ETH"),
        (BECH, BECH.upper(), "BTC"),
    ],
)
@pytest.mark.parametrize("flipped", [False, True])
def test_a_repeat_is_found_in_whatever_spelling(
    first: str, second: str, network: str, *, flipped: bool
) -> None:
    assert first != second
    pair = (second, first) if flipped else (first, second)
    rows = [
        claim(i, address, network=network, asset=network) for i, address in enumerate(pair, start=1)
    ]
    assert validity(*rows) == ["valid", "repeat-of:1"]


@pytest.mark.parametrize(("one", "two"), [("1", "1.000"), ("1", " 1 "), ("0.5", "00.50")])
def test_equal_amounts_are_equal_in_whatever_spelling(one: str, two: str) -> None:
    assert validity(claim(1, amount=one), claim(2, amount=two)) == ["valid", "repeat-of:1"]


@pytest.mark.parametrize("amounts", [("1", "2"), ("2", "1"), ("1", "1.000000000000000001")])
def test_a_conflict_flags_both_rows_whatever_their_order(amounts: tuple[str, str]) -> None:
    rows = [claim(i, amount=amount) for i, amount in enumerate(amounts, start=1)]
    assert validity(*rows) == ["conflict:2", "conflict:1"]


def test_two_equal_rows_and_another_are_a_conflict_of_all_three_in_any_order() -> None:
    for amounts in set(itertools.permutations(("1", "1", "2"))):
        found = validity(*(claim(i, amount=amount) for i, amount in enumerate(amounts, start=1)))
        assert [text.partition(":")[0] for text in found] == ["conflict"] * 3
        for own, text in zip(amounts, found, strict=True):
            named = int(text.partition(":")[2])
            assert amounts[named - 1] != own


def test_one_account_under_two_assets_is_no_repeat() -> None:
    assert validity(claim(1, asset="ETH"), claim(2, asset="USDT")) == ["valid", "valid"]


def test_one_account_on_two_chains_is_no_repeat() -> None:
    rows = [claim(i, asset="USDT", network=name) for i, name in enumerate(("ETH", "BSC"), start=1)]
    assert validity(*rows) == ["valid", "valid"]


def test_two_labels_of_one_asset_are_a_repeat() -> None:
    assert validity(claim(1, asset="USDT"), claim(2, asset="USDT-ERC20")) == [
        "valid",
        "repeat-of:1",
    ]


def test_another_height_makes_no_other_account() -> None:
    assert validity(claim(1), claim(2, height="101")) == ["valid", "repeat-of:1"]


@pytest.mark.parametrize("amount", ["-1", "+1", "1e3", "1,000", "ten", "0.0000000000000000001"])
def test_a_bad_amount_is_its_own_verdict_and_spoils_no_other_row(amount: str) -> None:
    assert validity(claim(1, amount=amount), claim(2)) == ["bad-amount", "valid"]


def test_a_malformed_row_is_a_bad_amount_and_spoils_no_other_row() -> None:
    broken = claim(1, kind="malformed", problem="too few columns")
    assert validity(broken, claim(2)) == ["bad-amount", "valid"]


def test_a_signer_row_neither_repeats_nor_conflicts() -> None:
    signer = claim(2, kind="signer", amount="", height="")
    assert validity(claim(1), signer, claim(3)) == ["valid", "signer-row", "repeat-of:1"]


def test_rows_without_any_amount_repeat_each_other() -> None:
    assert validity(claim(1, amount=""), claim(2, amount=" ")) == ["valid", "repeat-of:1"]


def test_a_row_without_an_amount_repeats_the_one_that_has_it() -> None:
    rows = (claim(1, amount=""), claim(2), claim(3, amount=""))
    assert validity(*rows) == ["repeat-of:2", "valid", "repeat-of:2"]


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        ([0, 0, 0], ["valid", "repeat-of:1", "repeat-of:1"]),
        ([2, 2, 2], ["valid", "repeat-of:1", "repeat-of:1"]),
        ([0, 2, 2], ["repeat-of:2", "valid", "repeat-of:2"]),
        ([0, 0, 1], ["repeat-of:3", "repeat-of:3", "valid"]),
        ([1, 0, 2], ["repeat-of:3", "repeat-of:3", "valid"]),
        ([0, 1, 1], ["repeat-of:2", "valid", "repeat-of:2"]),
    ],
)
def test_of_equal_rows_the_first_of_the_best_proof_counts(
    proofs: list[int], expected: list[str]
) -> None:
    table, _ = examined([claim(1), claim(2), claim(3)])
    assert row_validity(table, proofs)[0].to_pylist() == expected


def test_a_proof_resolves_no_conflict() -> None:
    table, _ = examined([claim(1), claim(2), claim(3, amount="2")])
    for proofs in ([1, 0, 0], [0, 1, 0], [0, 0, 2]):
        found = row_validity(table, proofs)[0].to_pylist()
        assert [text.partition(":")[0] for text in found] == ["conflict"] * 3


def test_undecodable_addresses_are_compared_by_their_text() -> None:
    rows = (claim(1, "0xNO"), claim(2, "0xNO"), claim(3, "0xno"), claim(4, "0xNO", amount="2"))
    assert validity(*rows[:3]) == ["valid", "repeat-of:1", "valid"]
    assert validity(rows[0], rows[3]) == ["conflict:4", "conflict:1"]


def test_a_text_never_equals_decoded_bytes() -> None:
    table, _ = examined([claim(1, ACCOUNT_B), claim(2, B.decode("latin-1"))])
    assert table["account"].to_pylist() == [B, b""]
    verdicts, groups = row_validity(table)
    assert verdicts.to_pylist() == ["valid", "valid"]
    assert len(set(groups.to_pylist())) == 2


def test_unknown_labels_are_compared_by_network_and_label() -> None:
    one = claim(1, asset="WHAT")
    assert validity(one, claim(2, asset="WHAT")) == ["valid", "repeat-of:1"]
    assert validity(one, claim(2, asset="ELSE")) == ["valid", "valid"]
    assert validity(one, claim(2, asset="WHAT", network="BSC")) == ["valid", "valid"]


def test_unknown_networks_are_compared_by_their_label() -> None:
    one = claim(1, network="NOWHERE")
    assert validity(one, claim(2, network="NOWHERE")) == ["valid", "repeat-of:1"]
    assert validity(one, claim(2, network="ELSEWHERE")) == ["valid", "valid"]


def test_rows_of_one_group_share_a_number() -> None:
    table, _ = examined([claim(1, MIXED), claim(2, MIXED.lower()), claim(3, ACCOUNT_B)])
    groups = row_validity(table)[1].to_pylist()
    assert groups[0] == groups[1] != groups[2]


def test_an_empty_list_has_no_verdicts() -> None:
    verdicts, groups = row_validity(EXAMINED.empty_table())
    assert (verdicts.to_pylist(), groups.to_pylist()) == ([], [])


def test_a_huge_group_is_judged_in_linear_time() -> None:
    count = 20_000
    table, _ = examined([claim(1), claim(2, amount="2")])
    many = pa.concat_tables([table.slice(0, 1)] * count + [table.slice(1, 1)])
    started = time.process_time()
    verdicts = row_validity(many)[0].to_pylist()
    assert verdicts == ["conflict:2"] * count + ["conflict:1"]
    assert time.process_time() - started < 3


def contained(rows: list[dict[str, Any]], holders: list[bytes | None]) -> list[str]:
    """Return the validity of rows, taken in one by one; some belong to the account of another."""
    subjects = Subjects()
    for row, holder in zip(rows, holders, strict=True):
        of = pa.array([holder], pa.binary())
        subjects.add(examined([row])[0], None, of if holder else None)
    return subjects.judge().texts(0, len(rows)).to_pylist()


def test_what_belongs_to_the_account_of_another_row_repeats_it_whatever_the_amounts() -> None:
    rows = [claim(1, ACCOUNT_A, amount="1"), claim(2, ACCOUNT_B, amount="7")]
    assert contained(rows, [B, None]) == ["repeat-of:2", "valid"]
    assert contained(rows, [None, A]) == ["valid", "repeat-of:1"]
    assert contained(rows, [C, None]) == ["valid", "valid"]


def test_what_belongs_to_another_is_no_conflict_with_itself_but_two_claims_of_its_holder_are() -> (
    None
):
    own = [claim(1, ACCOUNT_A, amount="1"), claim(2, ACCOUNT_A, amount="2")]
    holder = claim(3, ACCOUNT_B, amount="7")
    assert contained([*own, holder], [B, B, None]) == ["repeat-of:3", "repeat-of:3", "valid"]
    assert contained(own, [B, B]) == ["conflict:2", "conflict:1"]
    both = contained([own[0], holder, claim(4, ACCOUNT_B, amount="8")], [B, None, None])
    assert both == ["repeat-of:3", "conflict:4", "conflict:3"]


def test_two_that_belong_to_each_other_both_count() -> None:
    rows = [claim(1, ACCOUNT_A), claim(2, ACCOUNT_B)]
    assert contained(rows, [B, A]) == ["valid", "valid"]


def test_a_holder_of_another_asset_or_without_a_readable_amount_holds_nothing() -> None:
    rows = [claim(1, ACCOUNT_A, asset="USDT"), claim(2, ACCOUNT_B, asset="ETH")]
    assert contained(rows, [B, None]) == ["valid", "valid"]
    rows = [claim(1, ACCOUNT_A), claim(2, ACCOUNT_B, amount="many")]
    assert contained(rows, [B, None]) == ["valid", "bad-amount"]
