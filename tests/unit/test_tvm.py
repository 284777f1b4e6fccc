"""Answers of toncenter servers: documented and constructed ones, and hostile ones."""

from __future__ import annotations

import msgspec
import pytest
from tvm_answers import (
    BLOCK,
    ELECTOR,
    FILE,
    HEIGHT,
    NETWORK,
    PARAMS,
    ROOT,
    altered,
    answered,
    fixture,
    pinned_id,
    read_state,
    shown,
    spec_of,
    state,
)

from chains.adapters.tvm import Adapter, pinning, wire
from chains.errors import ConfigError, WrongChain
from chains.model import (
    ChainId,
    Gap,
)

pytestmark = pytest.mark.unit


def test_the_documented_block_is_the_pinned_one():
    view = pinning.view(NETWORK, HEIGHT, "n0", shown(), [ELECTOR])
    assert (view.block_hash, view.time, view.reason) == (ROOT, 1_724_744_427, "")
    assert view.shown == {pinning.FILE: FILE, pinning.canary_key(ELECTOR): "5"}
    assert view.canaries == (ELECTOR.hex(),)
    assert pinning.read_head(shown()[wire.info()]) == 41_579_322


def test_hashes_in_hex_and_in_the_other_base64_name_the_same_block():
    said = pinned_id(
        root_hash=ROOT.upper(), file_hash="lLylrj7eZn0TSNxpg4yovJJ4x_ILgeeJ3byS6MFVTJw="
    )
    assert wire.block(said) == wire.block(pinned_id()) == BLOCK


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"info": altered("masterchain-info", last=pinned_id(seqno=HEIGHT - 1))}, "node-behind"),
        ({"info": altered("masterchain-info", last=None)}, "malformed-answer"),
        ({"info": altered("masterchain-info", init={})}, "identity-unproven"),
        ({"info": altered("masterchain-info", init=[])}, "identity-unproven"),
        ({"info": {"ok": False, "error": "no", "code": 500}}, "identity-unproven"),
        ({"header": altered("header", id=pinned_id(seqno=HEIGHT + 1))}, "wrong-block"),
        ({"header": altered("header", id=pinned_id(workchain=0))}, "wrong-block"),
        ({"header": altered("header", id=pinned_id(shard="0"))}, "wrong-block"),
        ({"header": altered("header", id=pinned_id(seqno=True))}, "malformed-answer"),
        ({"header": altered("header", id=pinned_id(root_hash="AAAA"))}, "malformed-answer"),
        ({"header": altered("header", gen_utime="1724744427")}, "malformed-answer"),
        ({"header": altered("header", gen_utime=-1)}, "malformed-answer"),
        ({"header": altered("header", global_id=None)}, "malformed-answer"),
        ({"header": fixture("block-missing")}, "state-pruned"),
        ({"header": fixture("shard-lagging")}, "node-behind"),
        ({"canary": state(balance="0")}, "canary-failed"),
        ({"canary": state(balance=None)}, "malformed-answer"),
        ({"canary": fixture("account-active")}, "wrong-block"),
    ],
)
def test_an_endpoint_that_shows_too_little_is_not_asked(changed, reason):
    assert pinning.view(NETWORK, HEIGHT, "n0", shown(**changed), [ELECTOR]).reason == reason


@pytest.mark.parametrize(
    "changed",
    [
        {"info": altered("masterchain-info", init=pinned_id())},
        {"header": altered("header", global_id=-3)},
    ],
)
def test_another_network_stops_the_run(changed):
    with pytest.raises(WrongChain):
        pinning.view(NETWORK, HEIGHT, "n0", shown(**changed), [ELECTOR])


@pytest.mark.parametrize(
    ("name", "seqno", "expected"),
    [
        ("account-active", 50_940_162, (1_592_521_995_920_473, wire.ACTIVE)),
        ("account-uninitialized", 41_577_780, (0, wire.UNINITIALISED)),
    ],
)
def test_documented_accounts_read(name, seqno, expected):
    said = msgspec.json.decode(fixture(name))["result"]["block_id"]
    at = wire.Block(seqno, wire.digest(said["root_hash"]), wire.digest(said["file_hash"]))
    found = read_state(fixture(name), at)
    assert isinstance(found, wire.Account)
    assert (found.balance, found.state) == expected
    assert isinstance(read_state(fixture(name)), Gap)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"block_id": pinned_id(seqno=HEIGHT + 1)}, "wrong-block"),
        ({"block_id": pinned_id(root_hash=PARAMS["zero_state_root"])}, "wrong-block"),
        ({"block_id": pinned_id(file_hash=PARAMS["zero_state_root"])}, "wrong-block"),
        ({"block_id": pinned_id(workchain=0)}, "wrong-block"),
        ({"block_id": None}, "malformed-answer"),
        ({"balance": "-1"}, "malformed-answer"),
        ({"balance": -1}, "malformed-answer"),
        ({"balance": True}, "malformed-answer"),
        ({"balance": 1.0}, "malformed-answer"),
        ({"balance": "1e9"}, "malformed-answer"),
        ({"balance": "\u0665"}, "malformed-answer"),
        ({"balance": str(2**120)}, "malformed-answer"),
        ({"balance": "9" * 5000}, "malformed-answer"),
        ({"state": "uninitialized"}, "malformed-answer"),
        ({"state": "active", "code": ""}, "malformed-answer"),
        ({"state": "uninitialized", "code": "", "frozen_hash": "AA"}, "malformed-answer"),
        ({"state": "uninitialized", "code": None}, "malformed-answer"),
        ({"data": None}, "malformed-answer"),
    ],
)
def test_an_account_of_another_block_or_form_is_a_gap(members, reason):
    found = read_state(state(**members))
    assert isinstance(found, Gap)
    assert found.reason == reason


def test_the_largest_amount_is_exact():
    found = read_state(state(balance=str(2**120 - 1)))
    assert isinstance(found, wire.Account)
    assert found.balance == 2**120 - 1


@pytest.mark.parametrize(
    ("status", "error", "reason", "retryable"),
    [
        (500, "LITE_SERVER_NOTREADY: seqno not in db", "state-pruned", True),
        (500, "LITE_SERVER_UNKNOWN: cannot load block (-1,8000000000000000)", "state-pruned", True),
        (500, "LITE_SERVER_UNKNOWN: state already gc'd", "state-pruned", True),
        (
            500,
            f"not in db (possibly out of sync: shard_client_seqno={HEIGHT})",
            "state-pruned",
            True,
        ),
        (500, "LITE_SERVER_UNKNOWN: too many requests", "rate-limited", True),
        (500, "LITE_SERVER_UNKNOWN: something else", "rpc-error", True),
        (542, "LITE_SERVER_NETWORKtimeout", "timeout", True),
        (422, "failed to parse request", "rpc-error", False),
        (401, "API key does not exist", "refused", False),
        (403, "Network not allowed", "refused", False),
        (404, "Not Found", "method-missing", False),
        (200, "cannot find block", "state-pruned", True),
    ],
)
def test_errors_are_gaps(status, error, reason, retryable):
    found = read_state({"ok": False, "error": error, "code": status}, status=status)
    assert isinstance(found, Gap)
    assert (found.reason, found.retryable) == (reason, retryable)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"5", b"{}", b'{"ok":true}', b'{"ok":1,"result":{}}',
     b'{"ok":"true","result":{}}', b'{"ok":true,"result":[]}', b'{"ok":false,"result":{}}',
     b'{"ok":true,"result":' + b"[" * 5000, b"\xff"],
)  # fmt: skip
def test_what_is_no_answer_is_a_gap(body):
    for status in (200, 500, 404):
        assert isinstance(read_state(body, status=status), Gap)
    assert isinstance(wire.ran(answered(wire.info(), body), BLOCK), Gap)
    assert isinstance(pinning.read_head(answered(wire.info(), body)), Gap)


def test_a_500_without_a_word_of_the_server_may_pass():
    assert read_state(b"<html>", status=500) == Gap("server-error", retryable=True, detail="500")
    missing = answered(wire.info(), fixture("block-missing"), 500)
    assert wire.may_pass(missing)
    assert not wire.may_pass(answered(wire.info(), b"<html>", 500))
    assert not wire.may_pass(answered(wire.info(), fixture("block-missing")))


@pytest.mark.parametrize(
    "params",
    [
        {"zero_state_root": ""}, {"zero_state_file": "AAAA"}, {"zero_state_root": 5},
        {"canaries": ["x"]}, {"canaries": [5]},
    ],
)  # fmt: skip
def test_params_are_checked_before_anything_is_asked(params):
    with pytest.raises(ConfigError):
        Adapter(spec_of(**params), None)  # type: ignore[arg-type]


def test_the_reference_is_the_number_of_the_network():
    spec = msgspec.structs.replace(spec_of(), id=ChainId("tvm:mainnet"))
    with pytest.raises(ConfigError):
        Adapter(spec, None)  # type: ignore[arg-type]
