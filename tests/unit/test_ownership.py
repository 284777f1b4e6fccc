"""Rows to canonical accounts, base units and signature results."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from crawler.counting.units import to_text
from crawler.counting.validity import row_validity
from crawler.demo import keys
from crawler.examining import judges
from crawler.examining.ownership import (
    EXAMINED,
    LONGEST_DETAIL,
    SIGNATURES,
    UNKNOWN_DECIMALS,
    Reading,
    examine,
)
from crawler.model import CLAIMS
from crawler.settings import Heights, load_world
from tests.unit.ledger_rows import (
    ACCOUNT_A,
    BITCOIN,
    ETH,
    EVM,
    MESSAGE,
    USDT,
    USDT_BNB,
    WORLD,
    A,
    claim,
)

pytestmark = pytest.mark.unit

KEY = keys.secp256k1_key("ownership")
ACCOUNT = keys.evm_address(KEY)
OTHER = keys.secp256k1_key("somebody else")


def signed(row: int = 1, **more: Any) -> dict[str, Any]:
    fields = {"message": MESSAGE, "signatures": [keys.sign_evm(KEY)], **more}
    return claim(row, fields.pop("address", "0x" + ACCOUNT.hex()), **fields)


def judge(
    *claims: dict[str, Any],
    exchange: str = "acme",
    messages: tuple[str, ...] | None = None,
    heights: Heights | None = None,
) -> list[dict[str, Any]]:
    reading = Reading(
        world=WORLD, exchange=exchange, messages=messages, heights=heights or Heights()
    )
    batch = pa.RecordBatch.from_pylist(list(claims), schema=CLAIMS)
    ((found, signatures),) = examine([batch], reading, processes=1)
    assert (found.schema, signatures.schema) == (EXAMINED, SIGNATURES)
    assert signatures["row"].to_pylist() == [row["row"] for row in claims]
    return [
        {**row, **verdict}
        for row, verdict in zip(found.to_pylist(), signatures.to_pylist(), strict=True)
    ]


def verdict(*claims: dict[str, Any], **more: Any) -> tuple[str, str]:
    (row,) = judge(*claims, **more)
    return row["status"], row["reason"]


def test_a_row_signed_by_the_key_of_its_address_is_bound() -> None:
    (row,) = judge(signed())
    assert (row["status"], row["reason"], row["pinned"]) == ("bound", "key-derives-address", True)
    assert (row["account"], row["scheme"]) == (ACCOUNT, "okx-evm")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"signatures": []}, ("unsigned", "no-signature")),
        ({"signatures": ["", ""]}, ("unsigned", "no-signature")),
        ({"signatures": [keys.sign_evm(OTHER)]}, ("refuted", "wrong-key")),
        ({"signatures": ["0x00"]}, ("refuted", "bad-signature")),
        ({"address": ACCOUNT_A}, ("refuted", "wrong-key")),
        ({"address": "0xNO"}, ("refuted", "bad-address")),
        ({"message": ""}, ("refuted", "missing-message")),
        ({"message": MESSAGE + " "}, ("refuted", "unexpected-message")),
        ({"message": MESSAGE.lower()}, ("refuted", "unexpected-message")),
        ({"network": "NOWHERE"}, ("unsupported", "unknown-network")),
        ({"network": "", "asset": "USDT"}, ("unsupported", "unknown-label")),
        ({"network": "COSMOS", "asset": "ATOM"}, ("unsupported", "unsupported-address-type")),
        ({"scheme": "unheard-of"}, ("unsupported", "unknown-scheme")),
        ({"kind": "malformed", "problem": "torn"}, ("refuted", "malformed-row")),
    ],
)
def test_a_check_never_passes_by_default(more: dict[str, Any], expected: tuple[str, str]) -> None:
    assert verdict(signed(**more)) == expected


def test_a_named_owners_signature_waits_for_the_chain() -> None:
    owner = "0x" + ACCOUNT.hex()
    (row,) = judge(signed(address=ACCOUNT_A, owners=[owner]))
    assert (row["status"], row["reason"]) == ("signer-only", "control-unobserved")
    assert [signer.lower() for signer in row["signers"]] == [owner]


def test_a_known_network_with_an_unknown_asset_still_has_its_signature_checked() -> None:
    (row,) = judge(signed(asset="WHAT"))
    assert (row["status"], row["chain"], row["asset_id"]) == ("bound", EVM, "")
    assert (row["asset_class"], row["decimals"]) == ("unknown", UNKNOWN_DECIMALS)


def test_an_unknown_asset_never_counts_as_a_coin_that_is_known() -> None:
    known, unknown = judge(claim(1), claim(2, asset="ETH", network="BSC"))
    assert unknown["asset_id"] == ""
    assert known["counts_as"] != unknown["counts_as"]


def test_an_exchange_that_expects_nothing_leaves_the_text_unpinned() -> None:
    row = signed(scheme="okx-evm", network="eip155:1", message=MESSAGE)
    (found,) = judge(row, exchange="")
    assert (found["status"], found["reason"]) == ("bound", "message-not-pinned")
    assert not found["pinned"]


def test_a_generic_row_that_names_its_exchange_is_held_to_its_texts() -> None:
    row = signed(scheme="okx-evm", network="eip155:1", exchange="ACME")
    assert verdict(row, exchange="") == ("bound", "key-derives-address")
    assert verdict({**row, "message": "I am"}, exchange="") == ("refuted", "unexpected-message")


def test_a_generic_row_is_held_to_its_exchanges_schemes_whatever_names_the_network() -> None:
    for network in ("ETH", "eip155:1"):
        row = signed(network=network, exchange="acme")
        assert verdict(row, exchange="") == ("bound", "key-derives-address")


def test_given_messages_replace_those_of_the_exchange() -> None:
    assert verdict(signed(), messages=("other",)) == ("refuted", "unexpected-message")
    assert verdict(signed(), messages=(MESSAGE,)) == ("bound", "key-derives-address")
    assert verdict(signed(), messages=()) == ("refuted", "unexpected-message")


def test_details_of_strangers_are_cut() -> None:
    (row,) = judge(signed(message="x" * 10_000))
    assert len(row["detail"]) == LONGEST_DETAIL


@pytest.mark.parametrize(
    ("asset", "network", "amount", "units"),
    [
        ("USDT", "ETH", "1.5", "1500000"),
        ("USDT", "BSC", "1.5", "1500000000000000000"),
        ("BTC", "BTC", "0.00000001", "1"),
        ("BTC", "BTC", "0.000000010", "1"),
        ("BTC", "BTC", "0.000000001", None),
        ("USDT", "ETH", "1.0000001", None),
        ("ETH", "ETH", to_text(2**256 - 1, 18), str(2**256 - 1)),
        ("ETH", "ETH", to_text(2**256, 18), None),
        ("ETH", "ETH", to_text(3 * 2**256 // 2, 18), None),
        ("ETH", "ETH", "9" * 100, None),
        ("USDT", "ETH", to_text(2**256 - 1, 6), str(2**256 - 1)),
        ("ETH", "ETH", "", None),
        ("ETH", "ETH", "-1", None),
        ("ETH", "ETH", "1e18", None),
        ("ETH", "ETH", "\u0661", None),
        ("ETH", "ETH", "0", "0"),
    ],
)
def test_amounts_become_base_units_of_the_asset(
    asset: str, network: str, amount: str, units: str | None
) -> None:
    (row,) = judge(claim(1, amount=amount, asset=asset, network=network))
    assert row["units"] == units


def test_one_label_means_the_asset_of_the_rows_own_network() -> None:
    found = judge(*(claim(1, asset="USDT", network=name) for name in ("ETH", "BSC")))
    assert [row["asset_id"] for row in found] == [USDT, USDT_BNB]


@pytest.mark.parametrize(
    ("text", "given", "height"),
    [
        ("100", {}, 100),
        (" 100 ", {}, 100),
        ("100", {"ETH": 5}, 100),
        ("", {}, None),
        ("-1", {}, None),
        ("1.5", {}, None),
        ("\u0661", {}, None),
        ("9" * 19, {}, None),
        ("", {"ETH": 5}, 5),
        ("", {"eip155:1": 6}, 6),
        ("", {"BSC": 7}, None),
        ("soon", {"ETH": 5}, None),
        ("-", {"ETH": 5}, 5),
    ],
)
def test_heights_are_the_lists_own_or_given(
    text: str, given: dict[str, int], height: int | None
) -> None:
    (row,) = judge(claim(1, height=text), heights=Heights(at=given))
    assert row["at_height"] == height


def test_published_texts_stay_exactly_as_they_are() -> None:
    row = signed(address="0x" + ACCOUNT.hex().upper(), amount=" 1.50 ", message=" x\u00a0")
    (found,) = judge(row)
    assert {name: found[name] for name in row} == row


def alike_but_one() -> list[dict[str, Any]]:
    """A good row, and rows that differ from it, or from each other, in one field only."""
    good = signed(scheme="okx-evm", exchange="acme")
    other = "0x" + keys.evm_address(OTHER).hex()
    signature = good["signatures"][0]
    changes: list[dict[str, Any]] = [
        {},
        {"exchange": "nobody"},
        {"network": "BSC"},
        {"network": "NOWHERE"},
        {"asset": "USDT"},
        {"asset": "WHAT"},
        {"address": other},
        {"address": "0x" + ACCOUNT.hex().upper()},
        {"message": ""},
        {"message": MESSAGE + "\x1f"},
        {"signatures": []},
        {"signatures": [""]},
        {"signatures": [keys.sign_evm(OTHER)]},
        {"signatures": [signature, ""]},
        {"signatures": ["", signature]},
        {"signatures": [signature, signature]},
        {"signatures": [signature + "\x1e" + signature]},
        {"signatures": [signature + "\x1f"]},
        {"message": MESSAGE + "\x1fx", "signatures": ["y"]},
        {"message": MESSAGE, "signatures": ["x\x1fy"]},
        {"scheme": ""},
        {"scheme": "unheard-of"},
        {"script": "00"},
        {"public_key": "00"},
        {"owners": [other]},
        {"owners": ["0x" + ACCOUNT.hex()]},
        {"owners": ["", other]},
        {"address": other, "owners": ["0x" + ACCOUNT.hex()]},
        {"kind": "malformed", "problem": "torn"},
        {"kind": "malformed", "problem": "short"},
        {"kind": "signer", "amount": "", "height": ""},
    ]
    return [{**good, **change} for change in changes]


@pytest.mark.parametrize("exchange", ["acme", ""])
def test_no_row_gets_the_verdict_of_one_that_is_only_alike(exchange: str) -> None:
    rows = [{**row, "row": i} for i, row in enumerate(alike_but_one())]
    apart = [judge(row, exchange=exchange)[0] for row in rows]
    assert len({(row["status"], row["reason"]) for row in apart}) >= 8
    reading = Reading(world=WORLD, exchange=exchange)
    for size in (1, 4, len(rows)):
        for order in (1, -1):
            some = rows[::order] * 2
            source = [
                pa.RecordBatch.from_pylist(some[at : at + size], schema=CLAIMS)
                for at in range(0, len(some), size)
            ]
            together = [
                {**row, **verdict}
                for found, signatures in examine(source, reading, processes=1)
                for row, verdict in zip(found.to_pylist(), signatures.to_pylist(), strict=True)
            ]
            assert together == apart[::order] * 2


@pytest.mark.parametrize("batches", [0, 1, 2, 5])
def test_results_keep_the_order_of_the_list_in_one_process(batches: int) -> None:
    rows = [claim(i) for i in range(batches)]
    reading = Reading(world=WORLD, exchange="acme")
    source = [pa.RecordBatch.from_pylist([row], schema=CLAIMS) for row in rows]
    found = [pair[1]["row"].to_pylist() for pair in examine(source, reading, processes=1)]
    assert found == [[i] for i in range(batches)]


def test_worker_processes_say_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "PATIENCE_S", 0.0)  # else no process is started for so few
    rows = [signed(1), signed(2, message="no"), claim(3, "0xNO")]
    reading = Reading(world=WORLD, exchange="acme", messages=(MESSAGE,))
    source = [pa.RecordBatch.from_pylist([row], schema=CLAIMS) for row in rows]
    one, two = (list(examine(source, reading, processes=count)) for count in (1, 2))
    assert [pair[1].to_pylist() for pair in two] == [pair[1].to_pylist() for pair in one]
    assert [pair[0].to_pylist() for pair in two] == [pair[0].to_pylist() for pair in one]


def test_the_same_address_is_decoded_by_the_format_of_its_chain() -> None:
    found = judge(claim(1), claim(2, network="BTC", asset="BTC"))
    assert [row["account"] for row in found] == [A, b""]
    assert (found[1]["chain"], found[0]["asset_id"]) == (BITCOIN, ETH)
    assert (found[1]["status"], found[1]["reason"]) == ("refuted", "bad-address")


@pytest.mark.parametrize(
    ("asset", "network", "most", "finest"),
    [
        ("BTC", "BTC", "21000000", "21000000.00000001"),
        ("LTC", "LTC", "84000000.00000000", "84000000.00000001"),
        ("XRP", "XRP", "100000000000", "100000000000.000001"),
    ],
)
def test_more_than_the_protocol_can_issue_is_no_amount(
    asset: str, network: str, most: str, finest: str
) -> None:
    claims = [
        claim(row, f"address {row}", asset=asset, network=network, amount=amount)
        for row, amount in enumerate((most, finest, "999999999999999", "1"), start=1)
    ]
    eth = claim(9, "0x" + "11" * 20, asset="ETH", network="ETH", amount="999999999999999")
    reading = Reading(world=load_world(), exchange="binance", messages=None, heights=Heights())
    batch = pa.RecordBatch.from_pylist([*claims, eth], schema=CLAIMS)
    ((found, _),) = examine([batch], reading, processes=1)
    units = found["units"].to_pylist()
    assert [text is None for text in units] == [False, True, True, False, False]
    assert row_validity(pa.Table.from_batches([found]))[0].to_pylist() == [
        "valid",
        "bad-amount",
        "bad-amount",
        "valid",
        "valid",
    ]
