"""Lotus' answers, read as it documents them; what is no answer is a gap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chains.adapters.filecoin import wire
from chains.addresses import AddressError, filecoin
from chains.model import Exchange, Gap, Request

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "filecoin"
ADDRESS = "f01234"


def said(result: Any = None, *, error: Any = None) -> Exchange:
    body = {"jsonrpc": "2.0", "id": 0} | ({"error": error} if error else {"result": result})
    return Exchange(request=Request(), endpoint="a", status=200, body=json.dumps(body).encode())


def shipped(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())["result"]


def test_an_actor_is_read_to_the_last_unit() -> None:
    actor = wire.read_actor(said(shipped("stategetactor.json")), ADDRESS, "f")
    assert isinstance(actor, wire.Actor)
    assert actor.units == 1_234_567_890_123_456_789_012_345
    assert actor.code.startswith("bafy2bzacea3wsdh6")


def test_the_escrow_is_read_with_what_is_locked_in_it() -> None:
    market = wire.read_market(said(shipped("statemarketbalance.json")))
    assert market == (2 * 10**18 + 1, 3 * 10**18 - 1)  # locked, free


@pytest.mark.parametrize(
    "change",
    [
        {"Balance": "-1"},
        {"Balance": "1.5"},
        {"Balance": 7.5},
        {"Balance": None},
        {"Balance": "1" * 5000},
        {"Code": {}},
        {"Code": {"/": 7}},
        {"DelegatedAddress": 9},
        {"DelegatedAddress": "f3"},
    ],
)
def test_a_malformed_actor_is_a_gap(change: dict[str, Any]) -> None:
    found = wire.read_actor(said({**shipped("stategetactor.json"), **change}), ADDRESS, "f")
    assert isinstance(found, Gap)


@pytest.mark.parametrize("missing", ["Code", "Balance"])
def test_an_actor_without_a_field_is_a_gap(missing: str) -> None:
    actor = shipped("stategetactor.json")
    del actor[missing]
    assert isinstance(wire.read_actor(said(actor), ADDRESS, "f"), Gap)


def test_an_error_that_is_not_about_this_actor_shows_no_absence() -> None:
    for text in (
        "actor not found",
        "unexpected EOF",
        "load state tree: blockstore: block not found",
    ):
        found = wire.read_actor(said(error={"code": 1, "message": text}), ADDRESS, "f")
        if found is wire.ABSENT or found == wire.ABSENT:
            assert "actor not found" in text
        else:
            assert isinstance(found, Gap)
    other = {"code": 1, "message": "actor not found: f09999"}
    assert wire.read_actor(said(error=other), ADDRESS, "f") != wire.ABSENT


@pytest.mark.parametrize("change", [{"Escrow": None}, {"Locked": "x"}, {"Escrow": "-5"}])
def test_a_malformed_escrow_is_a_gap(change: dict[str, Any]) -> None:
    found = wire.read_market(said({**shipped("statemarketbalance.json"), **change}))
    assert isinstance(found, Gap)


def test_an_address_of_a_test_network_is_none_of_mainnet() -> None:
    account = b"\x01" + bytes(20)
    text = filecoin.encode(account, {"network": "t"})
    assert filecoin.decode(text, {"network": "t"}) == account
    with pytest.raises(AddressError, match="not a Filecoin address of network 'f'"):
        filecoin.decode(text, {})
