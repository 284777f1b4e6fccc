"""How answers of Horizon are read: documented ones, hostile ones, and what they leave open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.adapters.stellar import horizon
from chains.model import Exchange, Gap, Request

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "stellar"
ACCOUNT = "GDI73WJ4SX7LOG3XZDJC3KCK6ED6E5NBYK2JUBQSPBCNNWEG3ZN7T75U"
OTHER = "GAP5LETOV6YIE62YAM56STDANPRDO7ZFDBGSNHJQIYGGKSMOZAHOOS2S"
LEDGER = 26857634


def fixture(name: str) -> Any:
    return msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())


def exchange(body: object, failure: str = "", status: int = 200) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=Request(), endpoint="a", status=status, body=raw, failure=failure)


def reason(found: object) -> str:
    assert isinstance(found, Gap), found
    return found.reason


def test_the_documented_account_is_read():
    found = horizon.read_entry(exchange(fixture("account")), ACCOUNT)
    assert found == horizon.Entry(
        changed=23569316,
        units=1988944970,
        selling=0,
        fixed=5,
        threshold=0,
        signers={ACCOUNT: 10},
    )


def test_the_documented_header_hashes_to_its_name():
    found = horizon.read_ledger(exchange(fixture("ledger")), LEDGER)
    assert found == {
        "block_hash": "548393ec23959e1959a62f003029ecf96be89e13df036073bf64918996ec4227",
        "time": 1574105241,  # 2019-11-18T19:27:21Z
        "shown": {
            "parent-hash": "446d6eca81dd6db6daf50d93ca9d297bd60b1233b91de3765cccdf503cfffcb0",
            "base-reserve": "5000000",
        },
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"hash": "00" * 32}, "malformed-answer"),
        ({"prev_hash": "00" * 32}, "malformed-answer"),
        ({"closed_at": "2019-11-18T19:27:22Z"}, "malformed-answer"),
        ({"closed_at": 7}, "malformed-answer"),
        ({"base_reserve_in_stroops": None}, "malformed-answer"),
        ({"header_xdr": "AAAA"}, "wrong-block"),
        ({"header_xdr": "?"}, "malformed-answer"),
        ({"sequence": LEDGER + 1}, "wrong-block"),
    ],
)
def test_a_header_that_was_changed_is_not_believed(change, code):
    body = exchange(fixture("ledger") | change)
    assert reason(horizon.read_ledger(body, LEDGER)) == code


def test_a_ledger_under_another_number_is_another_ledger():
    body = exchange(fixture("ledger") | {"sequence": LEDGER + 1})
    assert reason(horizon.read_ledger(body, LEDGER + 1)) == "wrong-block"


def test_a_ledger_before_the_history_is_pruned():
    body = exchange(fixture("before-history"), "refused", 410)
    assert reason(horizon.read_ledger(body, LEDGER)) == "state-pruned"


NATIVE = {"asset_type": "native", "balance": "1.0000000"}
KEY = {"key": OTHER, "type": "ed25519_public_key", "weight": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": OTHER},
        {"last_modified_ledger": "7"},
        {"last_modified_ledger": -1},
        {"last_modified_ledger": 2**32},
        {"last_modified_ledger": True},
        {"balances": []},
        {"balances": [NATIVE, NATIVE]},
        {"balances": [NATIVE | {"balance": 1.5}]},
        {"balances": [NATIVE | {"balance": "1.5"}]},
        {"balances": [NATIVE | {"balance": "-1.0000000"}]},
        {"balances": [NATIVE | {"balance": "NaN"}]},
        {"balances": [NATIVE | {"selling_liabilities": None}]},
        {"num_sponsored": 9},
        {"signers": None},
        {"signers": [KEY, KEY]},
        {"signers": [KEY | {"weight": -1}]},
        {"signers": [KEY | {"key": "GAAA"}]},
        {"signers": [{"key": "X", "type": "sha256_hash", "weight": 1}] * 22},
        {"thresholds": {}},
        {"thresholds": {"med_threshold": "1"}},
    ],
)
def test_a_malformed_account_is_no_answer(change):
    body = exchange(fixture("account") | change)
    assert reason(horizon.read_entry(body, ACCOUNT)) == "malformed-answer"


def test_only_keys_are_signers():
    hashes = [{"key": "X", "type": kind, "weight": 9} for kind in ("sha256_hash", "preauth_tx")]
    found = horizon.read_entry(exchange(fixture("account") | {"signers": [KEY, *hashes]}), ACCOUNT)
    assert isinstance(found, horizon.Entry)
    assert found.signers == {OTHER: 1}


MISSING = {"type": "https://stellar.org/horizon-errors/not_found", "status": 404}


def test_no_account_only_in_horizons_own_words():
    assert horizon.read_entry(exchange(MISSING, "refused", 404), ACCOUNT) is None
    for body in (b"404 page not found", {}, [], {"type": 7}, {"type": "/before_history"}):
        assert reason(horizon.read_entry(exchange(body, "refused", 404), ACCOUNT)) == "refused"
    assert reason(horizon.read_entry(exchange(MISSING, "refused", 403), ACCOUNT)) == "refused"
    assert reason(horizon.read_entry(exchange(MISSING), ACCOUNT)) == "malformed-answer"


@pytest.mark.parametrize(
    ("records", "last"),
    [([], None), ([{"ledger": 7}], 7), ([{"ledger": "7"}], ""), ([7], ""), (None, "")],
)
def test_the_last_transaction_of_an_account(records, last):
    found = horizon.read_last(exchange({"_embedded": {"records": records}}))
    assert found == last if last != "" else reason(found) == "malformed-answer"
    assert horizon.read_last(exchange(MISSING, "refused", 404)) is None
