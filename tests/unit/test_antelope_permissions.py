"""Who controls an account, read from permissions: recorded, circular, endless, broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chains.adapters.antelope import params, permissions, wire
from chains.addresses.antelope import decode
from chains.control import Authority, ControlFacts, is_met
from chains.model import Exchange, Gap
from chains.simulated.antelope import KEY, permission, required

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "antelope"
HOLDER = decode("holder", {})
CORE = params.Token("eosio.token", "EOS")


def reason(found: object) -> str:
    assert isinstance(found, Gap)
    return found.reason


def facts(
    *shown: dict[str, Any], others: dict[str, list[dict[str, Any]]] | None = None
) -> ControlFacts | permissions.Needed | Gap:
    known = {
        decode(who, {}): wire.Account(1, 0, {"permissions": found})
        for who, found in (others or {}).items()
    }
    own_account = wire.Account(1, 0, {"permissions": list(shown)})
    known[HOLDER] = own_account
    return permissions.read(HOLDER, own_account, known.get, CORE)


ONE = required(keys={KEY: 1})
OWNER = permission("owner", ONE)


def test_recorded_permissions_name_the_nested_account():
    body = (FIXTURES / "get_account-nested.json").read_bytes()
    exchange = Exchange(request=wire.INFO, endpoint="a", status=200, body=body)
    shown = wire.read_account(exchange, decode("nested", {}))
    assert isinstance(shown, wire.Account)
    found = permissions.read(decode("nested", {}), shown, lambda _: None, CORE)
    assert isinstance(found, permissions.Needed)
    assert set(found.accounts) == {decode("plain", {}), decode("vault", {})}


def test_waits_and_other_permissions_do_not_count():
    waiting = permission("active", required(2, {KEY: 1}, waits={60: 1}))
    claim = permission("claim", ONE, linked=[{"account": "eosio", "action": "claim"}])
    found = facts(waiting, claim, OWNER)
    assert isinstance(found, ControlFacts)
    assert [way.kind for way in found.ways] == ["permission-active", "permission-owner"]
    assert found.ways[0] == Authority(kind="permission-active", threshold=2, weights={KEY: 1})


@pytest.mark.parametrize("action", [None, "", "transfer"])
def test_a_permission_linked_to_transfers_is_a_way(action):
    link = {"account": "eosio.token", "action": action}
    found = facts(permission("active", ONE), OWNER, permission("pay", ONE, linked=[link]))
    assert isinstance(found, ControlFacts)
    assert [way.kind for way in found.ways][2:] == ["permission-linked"]


def test_keys_are_compared_as_one_text():
    modern = "PUB_K1_6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5BoDq63"
    other = "PUB_R1_6FPFZqw5ahYrR9jD96yDbbDNTdKtNqRbze6oTDLntrsANgQKZu"
    found = facts(permission("active", required(keys={modern: 1, other: 2})), OWNER)
    assert isinstance(found, ControlFacts)
    assert found.ways[0].weights == {KEY: 1, other: 2}


def test_a_circle_of_accounts_ends_and_helps_nobody():
    circle = permission("active", required(accounts={"other@active": 1}))
    back = permission("active", required(2, {KEY: 1}, {"holder@active": 1}))
    found = facts(circle, OWNER, others={"other": [back, OWNER]})
    assert isinstance(found, ControlFacts)
    assert found.ways[0].nested["other@active"][0].nested == {}
    assert not is_met(found.ways[0], frozenset({KEY}))


def test_a_nested_accounts_owner_does_not_stand_in_for_its_active():
    nested = permission("active", required(accounts={"other@active": 1}))
    theirs = [permission("active", required(2, {KEY: 1})), OWNER]
    found = facts(nested, OWNER, others={"other": theirs})
    assert isinstance(found, ControlFacts)
    assert not is_met(found.ways[0], frozenset({KEY}))
    assert is_met(found.ways[1], frozenset({KEY}))


def test_what_a_named_account_hides_is_a_gap_and_no_refutation():
    nested = permission("active", required(accounts={"other@active": 1}))
    account = wire.Account(1, 0, {"permissions": [nested, OWNER]})
    for hidden in (wire.Absent(), Gap("timeout", retryable=True)):
        found = permissions.read(HOLDER, account, lambda _, hidden=hidden: hidden, CORE)
        assert isinstance(found, Gap)


def test_a_contracts_own_right_has_no_key():
    code = permission("active", required(accounts={"other@eosio.code": 1}))
    found = facts(code, OWNER)
    assert isinstance(found, ControlFacts)
    assert found.ways[0].nested == {}


def test_trees_that_grow_without_end_are_cut_off():
    names = [f"acc{letter}" for letter in "abcdefgh"]
    levels = {f"{who}@active": 1 for who in names}
    wide = [permission("active", required(accounts=levels)), OWNER]
    found = facts(*wide, others=dict.fromkeys(names, wide))
    assert reason(found) == "answer-too-large"
    many = {f"a{first}{second}@active": 1 for first in "abcdefg" for second in "abcdefg"}
    assert reason(facts(permission("active", required(accounts=many)), OWNER)) == "answer-too-large"


BAD_AUTHORITIES: Sequence[object] = (
    None,
    [],
    {"threshold": 1},
    required(0, {KEY: 1}),
    required(True, {KEY: 1}),
    required(2**64, {KEY: 1}),
    required(keys={"EOS1": 1}),
    required(keys={KEY: 2**70}),
    required(keys={KEY: -1}),
    required() | {"keys": [{"key": 7, "weight": 1}]},
    required() | {"keys": [{"key": KEY, "weight": 1}] * 2},
    required() | {"accounts": [{"permission": "x", "weight": 1}]},
    required(accounts={"Other@active": 1}),
)


@pytest.mark.parametrize("auth", BAD_AUTHORITIES, ids=str)
def test_authorities_of_another_shape_are_gaps(auth):
    broken = permission("active", ONE) | {"required_auth": auth}
    assert reason(facts(broken, OWNER)) == "malformed-answer"


@pytest.mark.parametrize("shown", [[], [OWNER], [OWNER, OWNER], [1], [{"perm_name": 7}]], ids=str)
def test_an_account_without_its_two_permissions_is_a_gap(shown):
    assert reason(facts(*shown)) == "malformed-answer"
