"""What the tests of the Antelope adapter write to a real nodeos: stakes, tokens, permissions."""

from __future__ import annotations

from hashlib import sha256
from itertools import combinations
from typing import Any

from coincurve import PrivateKey
from nodeos import (
    DEV,
    PREACTIVATE,
    Nodeos,
    Refused,
    asset,
    authority,
    create,
    deploy,
    name,
    string,
    symbol,
    varuint,
)

KEYS = {text: PrivateKey(sha256(text.encode()).digest()) for text in ("one", "two", "guard")}
SIGNING = ("vault", "nested", "waiting", "plain")
SYSTEM_ACCOUNTS = ("token", "ram", "ramfee", "stake", "rex", "names", "saving", "bpay", "vpay")
BY_SIGNATURE = ("unsatisfied_authorization", "tx_irrelevant_sig")
"""Errors of too few signatures, and of one that is not needed."""


def write(node: Nodeos) -> int:
    """Fill the chain; returns an irreversible height before the last account was created."""
    features = node.call("/v1/producer/get_supported_protocol_features")
    wanted = {"protocol_features_to_activate": [PREACTIVATE]}
    node.call("/v1/producer/schedule_protocol_feature_activations", wanted)
    node.settle()
    _create_accounts(node)
    node.push(*deploy("eosio", "eosio.bios"))
    digests = [one["feature_digest"] for one in features if one["feature_digest"] != PREACTIVATE]
    for digest in digests:
        node.push(("eosio", "activate", "eosio", bytes.fromhex(digest)))
    node.settle()
    _issue(node, "eosio.token", "EOS")
    _issue(node, "core.vaulta", "A")
    for who in ("holder", "123451234512", "proxy", *SIGNING):
        transfer(node, "eosio.token", "eosio", who, "1000.0000 EOS")
    transfer(node, "core.vaulta", "eosio", "holder", "7.0001 A")
    node.push(*deploy("eosio", "eosio.system"))
    node.push(("eosio", "init", "eosio", varuint(0) + symbol(4, "EOS")))
    for who in ("holder", "123451234512"):
        _stake(node, who)
    earlier = node.settle()
    later = ("eosio", "newaccount", "holder", name("holder") + name("lateraccount") + 2 * _single())
    ram = ("eosio", "buyrambytes", "holder", name("holder") + name("lateraccount") + _u32(40_000))
    node.push(later, ram)
    transfer(node, "eosio.token", "holder", "lateraccount", "1.0000 EOS")
    return earlier


def _create_accounts(node: Nodeos) -> None:
    one, two, guard = KEYS["one"], KEYS["two"], KEYS["guard"]
    usual = [f"eosio.{text}" for text in SYSTEM_ACCOUNTS]
    usual += ["core.vaulta", "holder", "bob", "123451234512", "poor", "proxy"]
    for account in usual:
        node.push(create(account, _single(), _single()))
    owner = authority(1, {guard: 1})
    node.push(create("plain", owner, authority(1, {one: 1})))
    node.push(create("vault", owner, authority(2, {one: 1, two: 1})))
    through_plain = authority(2, {two: 1}, {"plain@active": 1})
    node.push(create("nested", authority(1, accounts={"vault@owner": 1}), through_plain))
    node.push(create("waiting", owner, authority(2, {one: 1}, waits={3600: 1})))


def _issue(node: Nodeos, contract: str, code: str) -> None:
    node.push(*deploy(contract, "eosio.token"))
    most, some = asset(f"1000000000.0000 {code}"), asset(f"1000000.0000 {code}")
    node.push((contract, "create", contract, name("eosio") + most))
    node.push((contract, "issue", "eosio", name("eosio") + some + string("")))


def transfer(node: Nodeos, contract: str, who: str, to: str, text: str, **signed: Any) -> None:
    data = name(who) + name(to) + asset(text) + string("")
    node.push((contract, "transfer", who, data), **signed)


def _stake(node: Nodeos, who: str) -> None:
    own = name(who)
    for receiver in (who, "bob"):
        ram = own + name(receiver) + _u32(20_000)
        node.push(("eosio", "buyrambytes", who, ram))
    steps = {
        "delegatebw": own + own + asset("10.0000 EOS") + asset("20.0000 EOS") + b"\0",
        "undelegatebw": own + own + asset("3.0000 EOS") + asset("4.0000 EOS"),
        "voteproducer": own + name("proxy") + varuint(0),
        "deposit": own + asset("50.0000 EOS"),
        "buyrex": own + asset("30.0000 EOS"),
    }
    to_other = own + name("bob") + asset("1.0000 EOS") + asset("2.0000 EOS") + b"\0"
    node.push(("eosio", "regproxy", "proxy", name("proxy") + b"\1")) if who == "holder" else None
    for action, data in steps.items():
        node.push(("eosio", action, who, data))
    node.push(("eosio", "delegatebw", who, to_other))


def who_can_sign(node: Nodeos) -> dict[tuple[str, frozenset[str]], bool]:
    """Let every account pay with every set of keys, and note what the chain accepts."""
    moved = {}
    sets = [set(some) for count in (1, 2) for some in combinations(KEYS, count)]
    for who in SIGNING:
        for some in sets:
            keys = [KEYS[text] for text in sorted(some)]
            try:
                transfer(node, "eosio.token", who, "bob", "0.0001 EOS", keys=keys)
            except Refused as error:
                if not any(text in str(error) for text in BY_SIGNATURE):
                    raise
                moved[who, frozenset(some)] = False
            else:
                moved[who, frozenset(some)] = True
    return moved


def _single() -> bytes:
    return authority(1, {DEV: 1})


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")
