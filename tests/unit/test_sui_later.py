"""What Sui's GraphQL shows of the time after a checkpoint, and names of its objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.adapters.sui import fields, past, wire
from chains.model import Exchange, Gap

pytestmark = pytest.mark.unit

FIXTURE = Path(__file__).parents[2] / "fixtures" / "sui" / "later.json"
DIGEST = "BE4JixC94sDtCgHJZruyk7QffZnWDFvM2oFjC8XtChET"
ASKED = past.Asked(height=1000, later=2000, coin=wire.SUI)
ONE, CANARY = bytes((8,)) * 32, bytes((7,)) * 32
TYPE = "0x" + "db" * 32 + "::usdc::USDC"


def read(**changes: Any) -> tuple[wire.Answer, Any]:
    body = msgspec.json.decode(FIXTURE.read_bytes())
    body["data"]["checkpoint"]["query"] |= changes
    request = past.first_page(ASKED, ONE, CANARY)
    raw = msgspec.json.encode(body)
    answer = wire.read(Exchange(request=request, endpoint="n0", status=200, body=raw))
    assert isinstance(answer, wire.Answer)
    return answer, wire.within(answer, 2000, DIGEST)


def test_a_transaction_is_read_with_what_it_cost():
    answer, said = read()
    assert past.reach(ASKED, answer, said) is None
    page = past.read_page(ASKED, ONE, answer, said)
    assert isinstance(page, past.Page)
    (moved,) = page.moved
    assert (moved.units, moved.own, moved.recorded, moved.at) == (-1993, 1, 2, 1500)
    assert (moved.pays, moved.is_system, moved.staked, moved.rest) == (True, False, False, "")
    assert page.cursor == ""


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ({"first": {"sequenceNumber": 1002}, "last": {"sequenceNumber": 2000}}, "no-history"),
        ({"first": {"sequenceNumber": 0}, "last": {"sequenceNumber": 1999}}, "node-behind"),
        ({"first": {"sequenceNumber": 0}, "last": None}, "no-history"),
        (None, "no-history"),
    ],
)
@pytest.mark.parametrize("alias", ["kt", "kb", "kv"])
def test_records_have_to_reach_from_one_end_to_the_other(alias, kept, reason):
    _, said = read()
    answer, said = read(serviceConfig={**said["serviceConfig"], alias: kept})
    gap = past.reach(ASKED, answer, said)
    assert isinstance(gap, Gap)
    assert gap.reason == reason


def test_the_object_versions_have_to_reach_the_checkpoint_itself():
    answer, said = read()
    kept = {"first": {"sequenceNumber": 1001}, "last": {"sequenceNumber": 2000}}
    assert past.reach(ASKED, answer, {"serviceConfig": dict.fromkeys(("kt", "kb"), kept)})
    ranges = {**said["serviceConfig"], "kt": kept, "kb": kept}
    assert past.reach(ASKED, answer, {"serviceConfig": ranges}) is None
    assert past.reach(ASKED, answer, {"serviceConfig": {**ranges, "kv": kept}}) is not None


@pytest.mark.parametrize("at", [1000, 2001])
def test_a_transaction_of_another_time_is_refused(at):
    _, said = read()
    said["t"]["nodes"][0]["effects"]["checkpoint"]["sequenceNumber"] = at
    answer, said = read(t=said["t"])
    page = past.read_page(ASKED, ONE, answer, said)
    assert isinstance(page, Gap)
    assert page.reason == "malformed-answer"


@pytest.mark.parametrize("amount", ["1.5", "", "+1", 5, None, "1e3", "--1", "\u0665", "9" * 99])
def test_what_is_no_amount_is_a_gap(amount):
    _, said = read()
    changes = said["t"]["nodes"][0]["effects"]["balanceChanges"]
    changes["nodes"][1]["amount"] = amount
    answer, said = read(t=said["t"])
    assert isinstance(past.read_page(ASKED, ONE, answer, said), Gap)


@pytest.mark.parametrize(
    ("table", "number", "expected"),
    [(5, 2, "5b890eaf2abcfa2ab90b77b8e6f3d5d8609586c3e583baf3dccd5af17edf48d1")],
)
def test_entries_of_tables_have_the_ids_that_the_network_gives_them(table, number, expected):
    """Source: MystenLabs/sui crates/sui-e2e-tests (the inner object of ``0x5``)."""
    assert fields.number_field(table.to_bytes(32, "big"), number).hex() == expected


def test_address_balances_of_two_coins_or_accounts_are_two_objects():
    found = {
        fields.address_balance(coin, who) for coin in (wire.SUI, TYPE) for who in (ONE, CANARY)
    }
    assert len(found) == 4
    assert None not in found
    assert fields.address_balance(f"0x2::a::B<{TYPE}>", ONE) is None


def test_types_are_one_in_short_and_in_whole():
    whole = f"0x{2:064x}::coin::Coin<0x{2:064x}::sui::SUI>"
    assert fields.normal("0x2::coin::Coin<0x2::sui::SUI>") == whole
    assert fields.normal(whole) == whole


@pytest.mark.parametrize("coin", [wire.SUI, TYPE])
def test_requests_fit_a_service_with_default_limits(coin):
    asked = past.Asked(height=2**53 - 9, later=2**53 - 1, coin=coin)
    requests = [
        past.ends(asked, [ONE] * 4, [ONE]),
        past.first_page(asked, ONE, CANARY),
        past.next_page(asked, ONE, "x" * 80),
        past.rest(asked, DIGEST, "x" * 80),
    ]
    for request in requests:
        assert len(request.body) < 5000
        assert request.body.count(b"balance(") + request.body.count(b"ransactions(") <= 21
        assert request.body.count(b"{") == request.body.count(b"}")
