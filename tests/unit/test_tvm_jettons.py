"""Jettons and control: recorded stacks and descriptions, remains, wallets of others."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey
from tvm_answers import (
    BARE,
    BLOCK,
    BROKEN_TEXT,
    CHUNKS,
    EMPTY,
    HEIGHT,
    HOLDER,
    LARGE,
    LAYOUT,
    LONG,
    NO_DECIMALS,
    OFF,
    ONE,
    OTHER_FORM,
    OWNER,
    SIGNED,
    URI_ONLY,
    USDT,
    WALLET,
    WHOLE,
    WORDS,
    altered,
    answered,
    by_request,
    fixture,
    pinned_id,
    read_state,
    spec_of,
    state,
)

from chains.accounts import Fact, Held
from chains.adapters.tvm import cells, control, jettons, wire
from chains.addresses.ton import decode, encode
from chains.control import Authority, ControlFacts
from chains.model import (
    Exchange,
    Gap,
    Ownership,
    Part,
    PartKind,
    Request,
)
from chains.signatures import SignedAddress, judge
from chains.signatures.digests import OKX_HEADER, frame
from chains.signatures.ton_wallets import WALLETS, accounts
from crawler.asking.control import judge_signers

pytestmark = pytest.mark.unit


def jetton(own_data: object, own_wallet: object = None) -> dict[Request, Exchange]:
    """What is known of USDT's holder: the wallet's data and, if given, its state."""
    request = jettons.wallet_of(USDT, HOLDER, HEIGHT)
    found = [
        answered(request, fixture("wallet-address")),
        answered(jettons.wallet_data(WALLET, HEIGHT), own_data),
    ]
    if own_wallet is not None:
        found.append(answered(wire.state(WALLET, HEIGHT), own_wallet))
    return by_request(*found)


def nothing(**members: object) -> dict[str, Any]:
    return altered("account-uninitialized", **{"block_id": pinned_id(), **members})


def test_the_recorded_wallet_of_usdt_reads():
    found = jettons.held(jetton(fixture("wallet-data")), USDT, HOLDER, BLOCK)
    assert found == Held((Part(PartKind.LIQUID, 0x13BB5B),))
    body = msgspec.json.decode(jettons.wallet_of(USDT, OWNER, HEIGHT).body)
    assert body["stack"] == [["tvm.Slice", cells.address_bag(OWNER)]]
    assert (body["method"], body["seqno"]) == ("get_wallet_address", HEIGHT)


@pytest.mark.parametrize(("master", "owner"), [(USDT, OWNER), (HOLDER, HOLDER)])
def test_a_wallet_of_somebody_else_is_not_counted(master, owner):
    own = jetton(fixture("wallet-data"))
    own[jettons.wallet_of(master, owner, HEIGHT)] = answered(
        jettons.wallet_of(master, owner, HEIGHT), fixture("wallet-address")
    )
    found = jettons.held(own, master, owner, BLOCK)
    assert isinstance(found, Gap)
    assert found.reason == "call-failed"


@pytest.mark.parametrize(
    ("state_of_wallet", "expected"),
    [
        (nothing(), Held((Part(PartKind.LIQUID, 0),))),
        (None, "call-failed"),
        (state(), "call-failed"),
        (nothing(state="frozen", frozen_hash="AAAA"), "call-failed"),
        (nothing(block_id=pinned_id(seqno=HEIGHT + 1)), "call-failed"),
        (nothing(block_id=None), "call-failed"),
    ],
)
def test_remains_on_the_stack_are_no_balance(state_of_wallet, expected):
    found = jettons.held(jetton(fixture("not-deployed"), state_of_wallet), USDT, HOLDER, BLOCK)
    assert (found.reason if isinstance(found, Gap) else found) == expected


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"stack": []}, "malformed-answer"),
        ({"stack": [["num", "-0x1"]]}, "malformed-answer"),
        ({"stack": [["num", "5"]]}, "malformed-answer"),
        ({"stack": [["num", 5]]}, "malformed-answer"),
        ({"stack": [["num", hex(2**120)]]}, "malformed-answer"),
        ({"stack": [["cell", "0x5"]]}, "malformed-answer"),
        ({"stack": {"0": ["num", "0x5"]}}, "malformed-answer"),
        ({"stack": [["num", "0x5"]]}, "call-failed"),
        ({"exit_code": None}, "malformed-answer"),
        ({"exit_code": False}, "malformed-answer"),
        ({"exit_code": 11}, "call-failed"),
        ({"block_id": pinned_id(seqno=1)}, "wrong-block"),
        ({"block_id": None}, "malformed-answer"),
    ],
)
def test_what_is_no_wallet_is_a_gap(members, reason):
    own = jetton(altered("wallet-data", **members), nothing())
    if reason == "wrong-block":
        found = jettons.held(own, USDT, HOLDER, BLOCK)
        assert isinstance(found, Gap)
    own = jetton(altered("wallet-data", **members), nothing(state="active", code="AA"))
    found = jettons.held(own, USDT, HOLDER, BLOCK)
    assert isinstance(found, Gap)
    assert found.reason == reason


def test_the_recorded_description_of_usdt_has_decimals_and_no_symbol():
    own = by_request(answered(jettons.data(USDT, HEIGHT), fixture("jetton-data")))
    assert jettons.fact(own, USDT, BLOCK) == Fact('{"decimals":6,"symbol":""}')
    assert jettons.supply(own, USDT, BLOCK) == 1_030_000_002_000_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (WHOLE, (8, "XMPL")),
        (NO_DECIMALS, (9, "XMPL")),
        (BARE, (9, "")),
        (ONE, (255, "")),
        (URI_ONLY, (None, "X")),
        (OFF, (None, "")),
    ],
)
def test_descriptions_of_another_tool_read(content, expected):
    assert jettons.described(cells.of_text(content)) == expected


@pytest.mark.parametrize(
    "content",
    [LARGE, WORDS, SIGNED, CHUNKS, OTHER_FORM, LONG, BROKEN_TEXT, LAYOUT, EMPTY, OFF, URI_ONLY],
)
def test_a_description_that_does_not_name_decimals_confirms_nothing(content):
    stack = msgspec.json.decode(fixture("jetton-data"))["result"]["stack"]
    stack[3] = ["cell", {"bytes": content}]
    own = by_request(answered(jettons.data(USDT, HEIGHT), altered("jetton-data", stack=stack)))
    found = jettons.fact(own, USDT, BLOCK)
    assert isinstance(found, Gap)
    assert found.reason == "asset-unconfirmed"


def test_an_asset_without_a_contract_is_said_to_have_none():
    failed = answered(jettons.data(USDT, HEIGHT), fixture("not-deployed"))
    request = wire.state(USDT, HEIGHT)
    assert jettons.failed(by_request(failed), USDT, failed.request, BLOCK) == [request]
    there = by_request(failed, answered(request, state()))
    assert jettons.fact(there, USDT, BLOCK) == Gap("call-failed", detail="exit code -13")
    gone = by_request(failed, answered(request, nothing()))
    assert jettons.fact(gone, USDT, BLOCK) == Gap("no-contract")


def test_the_keys_of_a_description_are_hashes_of_their_names():
    root = cells.of_text(WHOLE).references[0]
    key = int.from_bytes(sha256(b"symbol").digest(), "big")
    assert cells.lookup(root, key, 256) is not None
    assert cells.lookup(root, key ^ 1, 256) is None


RECORDED_KEY = "72c9ed6b62a6e2eba14a93b90462e7a367777beb8a38fb15b9f33844d22ce2ff"
V3R2 = "84dafa449f98a6987789ba232358072bc0f76dc4524002a5d0918b9a75d2d599"


def account_of(**members: object) -> wire.Account:
    found = read_state(state(**members))
    assert isinstance(found, wire.Account)
    return found


def test_the_recorded_wallet_obeys_the_key_that_its_address_derives_from():
    facts = control.read(account_of())
    way = Authority(kind=control.KEY, threshold=1, weights={f"0x{RECORDED_KEY}": 1})
    assert facts == ControlFacts(exists=True, ways=(way,), notes={"code_hash": f"0x{V3R2}"})
    documented = decode("EQCD39VS5jcptHL8vMjEXrzGaRcCVYto7HUn4bpAOg8xqB2N", {})
    assert accounts(bytes.fromhex(RECORDED_KEY))[documented] == "wallet-v3r2"


@pytest.mark.parametrize("wallet", WALLETS, ids=lambda wallet: wallet.name)
def test_the_key_stands_where_the_first_data_of_a_wallet_has_it(wallet):
    key = int(RECORDED_KEY, 16)
    data = cells.Cell(*wallet.data(key))
    assert control._key(data, control.PLACES[wallet.code_hash]) == key


def test_a_v5_wallet_that_takes_no_signatures_obeys_no_key():
    (wallet,) = (one for one in WALLETS if one.name == "wallet-v5r1")
    value, bits = wallet.data(int(RECORDED_KEY, 16))
    silent = cells.Cell(value & ~(1 << (bits - 1)), bits)
    assert control._key(silent, control.PLACES[wallet.code_hash]) is None


def test_other_contracts_and_accounts_without_one_show_nobody():
    other = control.read(account_of(code=EMPTY))
    assert isinstance(other, ControlFacts)
    assert (other.exists, other.ways) == (True, ())
    frozen = control.read(account_of(code="", state="frozen", frozen_hash="AAAA"))
    assert frozen == ControlFacts(exists=True, notes={"state": "frozen"})
    gone = control.read(account_of(code="", state="uninitialized", frozen_hash=""))
    assert gone == ControlFacts(exists=False)


@pytest.mark.parametrize("members", [{"code": "AAAA"}, {"data": "x"}, {"data": EMPTY}])
def test_a_wallet_that_does_not_read_is_a_gap(members):
    assert isinstance(control.read(account_of(**members)), Gap)


def test_the_signer_is_named_by_the_key_that_the_wallet_shows():
    secret = SigningKey(bytes(range(32)))
    message = "I am an OKX address"
    row = SignedAddress(
        spec=spec_of(),
        address=encode(OWNER, {}),
        account=OWNER,
        message=message,
        signatures=(secret.sign(frame(OKX_HEADER, message)).signature.hex(),),
        public_key=secret.verify_key.encode().hex(),
        schemes=("okx-ed25519",),
        owners=(),
    )
    outcome = judge(row)
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    other = control.read(account_of())
    assert isinstance(other, ControlFacts)
    assert judge_signers(outcome.signers, (), other) == ("refuted", "owner-not-in-control")
    (way,) = other.ways
    its_own = Authority(kind=way.kind, threshold=1, weights={f"0x{row.public_key}": 1})
    facts = ControlFacts(exists=True, ways=(its_own,))
    assert judge_signers(outcome.signers, (), facts) == ("controlled", "owner-in-control")
