"""How answers of rippled and Clio are read: documented ones, hostile ones, and what they prove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.adapters.xrpl import entries, wire
from chains.addresses.xrpl import encode
from chains.model import Exchange, Gap, Request

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "xrpl"
ACCOUNT = "rG1QQv2nh2gr7RCZ1P8YYcBUKCCN633jCn"
AT = "8169428EDF7F046F817CE44F5F1DF23AD9FAEFFA2CBA7645C3254D66AA79B46E"
SOMEBODY = "rhLkGGNZdjSpnHJw4XAFw1Jy7PD8TqxoET"
OBJECTS_AT = "E471A081996BB5CBB666AC99085CB8E3CA4D59DFCEDC0060B8701DC45A0EE423"


def fixture(name: str) -> Any:
    return msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())


def exchange(body: object, failure: str = "", status: int = 200) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=Request(), endpoint="a", status=status, body=raw, failure=failure)


def reason(found: object) -> str:
    assert isinstance(found, Gap), found
    return found.reason


def test_documented_headers_hash_to_their_names():
    found = wire.read_ledger(exchange(fixture("ledger")), 100972465)
    assert found == wire.Ledger(
        hash="9DAAAE85FC0D64E95506608FDB48E8B77706EF64FF144F18EEBC2FC4366D9B20",
        parent="1FB3618846E1201E38FED328BD13A9D62012469193C0B5BA4ECE6C8BDAA2BFC9",
        state="6FD2916DDD574886EBCBAA1CE0048D94E5A57E13EA5DD7B0283A7AB63EBF0131",
        time=1766114160,  # 2025-12-19T03:16:00Z
    )
    first = wire.read_ledger(exchange(fixture("ledger-32570")), 32570)
    assert isinstance(first, wire.Ledger)
    assert first.time == 1357010470  # 2013-01-01T03:21:10Z


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("account_hash", "00" * 32, "malformed-answer"),
        ("close_time", 819429361, "malformed-answer"),
        ("close_time", 2**32, "malformed-answer"),
        ("close_flags", True, "malformed-answer"),
        ("close_flags", "BIG", "malformed-answer"),
        ("parent_hash", None, "malformed-answer"),
        ("total_coins", "-1", "malformed-answer"),
        ("total_coins", "9" * 30, "malformed-answer"),
        ("ledger_hash", "00" * 32, "malformed-answer"),
        ("ledger_hash", 7, "malformed-answer"),
        ("ledger_index", 100972466, "wrong-block"),
        ("ledger_index", "BIG", "wrong-block"),
    ],
)
def test_a_header_that_was_changed_is_not_believed(field, value, code):
    answer = fixture("ledger")
    answer["result"]["ledger"][field] = value
    body = msgspec.json.encode(answer).replace(b'"BIG"', b"1" + b"0" * 4000)
    assert reason(wire.read_ledger(exchange(body), 100972465)) == code


def test_a_header_that_is_not_validated_is_not_there_yet():
    answer = fixture("ledger")
    answer["result"]["validated"] = False
    assert reason(wire.read_ledger(exchange(answer), 100972465)) == "node-behind"


def test_documented_server_infos_are_read():
    assert wire.read_info(exchange(fixture("server_info"))) == wire.Info(0, ((32570, 82521761),))
    clio = wire.read_info(exchange(fixture("server_info-clio")))
    assert clio == wire.Info(None, ((32570, 73737719),))


@pytest.mark.parametrize(
    ("text", "height", "code"),
    [
        ("5-9", 5, ""),
        ("5-9", 9, ""),
        ("5-9", 10, "node-behind"),
        ("5-9", 4, "state-pruned"),
        ("5-9,12-14", 10, "state-pruned"),
        ("5-9,12", 12, ""),
        ("empty", 1, "node-behind"),
    ],
)
def test_complete_ledgers_say_what_is_at_hand(text, height, code):
    info = wire.read_info(
        exchange({"result": {"info": {"complete_ledgers": text}, "status": "success"}})
    )
    assert isinstance(info, wire.Info)
    assert info.why_not(height) == code


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"complete_ledgers": 7},
        {"complete_ledgers": ""},
        {"complete_ledgers": "1-2-3"},
        {"complete_ledgers": "1-" + "9" * 5000},
        {"complete_ledgers": "\u0661-\u0662"},
        {"complete_ledgers": "1-2", "network_id": "0"},
        {"complete_ledgers": "1-2", "network_id": -1},
    ],
)
def test_a_malformed_server_info_says_nothing(info):
    answer = exchange({"result": {"info": info, "status": "success"}})
    assert reason(wire.read_info(answer)) == "malformed-answer"


def test_a_documented_account_is_read():
    found = entries.read_account(exchange(fixture("account_info")), ACCOUNT, AT)
    assert found == entries.Account(
        drops=9986,
        owned=0,
        is_master_disabled=True,
        regular_key="rhLkGGNZdjSpnHJw4XAFw1Jy7PD8TqxoET",
        is_amm=False,
        quorum=0,
        signers={},
    )


def test_the_documented_account_of_the_open_ledger_is_of_another_block():
    found = entries.read_account(exchange(fixture("account_info-current")), ACCOUNT, AT)
    assert reason(found) == "wrong-block"


@pytest.mark.parametrize("place", ["inside", "beside"])
def test_a_list_of_signers_is_found_in_both_places(place):
    answer = fixture("account_info-signers")
    if place == "beside":
        answer["result"]["signer_lists"] = answer["result"]["account_data"].pop("signer_lists")
    found = entries.read_account(exchange(answer), ACCOUNT, AT, with_signers=True)
    assert isinstance(found, entries.Account)
    assert (found.quorum, found.signers) == (
        3,
        {
            "rsA2LpzuawewSBQXkiju3YQTMzW13pAAdW": 2,
            "raKEEVSGnKSD9Zyvxu4z6Pqpm4ABH8FS6n": 1,
            "rUpy3eEg8rqjqfUoLeBnZkscbKbFsKXC3v": 1,
        },
    )


def test_a_list_of_signers_that_was_asked_for_and_is_missing_is_no_answer():
    found = entries.read_account(exchange(fixture("account_info")), ACCOUNT, AT, with_signers=True)
    assert reason(found) == "malformed-answer"


MANY = [
    {"SignerEntry": {"Account": encode(bytes((i,)) * 20, {}), "SignerWeight": 1}} for i in range(33)
]
SIGNER = {"SignerEntry": {"Account": ACCOUNT, "SignerWeight": 1}}


@pytest.mark.parametrize(
    "lists",
    [
        None,
        {},
        [{}, {}],
        [{"SignerQuorum": 1}],
        [{"SignerQuorum": "1", "SignerEntries": []}],
        [{"SignerQuorum": 1, "SignerEntries": [SIGNER, SIGNER]}],
        [{"SignerQuorum": 1, "SignerEntries": [{"Account": ACCOUNT, "SignerWeight": 1}]}],
        [{"SignerQuorum": 1, "SignerEntries": [{"SignerEntry": {"Account": "rX"}}]}],
        [{"SignerQuorum": 1, "SignerEntries": MANY}],
    ],
)
def test_a_malformed_list_of_signers_is_no_answer(lists):
    answer = fixture("account_info")
    answer["result"]["account_data"]["signer_lists"] = lists
    found = entries.read_account(exchange(answer), ACCOUNT, AT, with_signers=True)
    assert reason(found) == "malformed-answer"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Account", "rhLkGGNZdjSpnHJw4XAFw1Jy7PD8TqxoET"),
        ("Balance", 9986),
        ("Balance", "9986.0"),
        ("Balance", "-1"),
        ("Balance", "NaN"),
        ("Balance", "100000000000000001"),
        ("Balance", "\u0669"),
        ("Balance", None),
        ("OwnerCount", None),
        ("OwnerCount", True),
        ("Flags", "0"),
        ("RegularKey", "not an address"),
        ("RegularKey", ["r"]),
    ],
)
def test_a_malformed_account_is_no_answer(field, value):
    answer = fixture("account_info")
    answer["result"]["account_data"][field] = value
    assert reason(entries.read_account(exchange(answer), ACCOUNT, AT)) == "malformed-answer"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ledger_hash": OBJECTS_AT}, "wrong-block"),
        ({"ledger_hash": None}, "wrong-block"),
        ({"ledger_hash": 7}, "wrong-block"),
        ({"validated": False}, "wrong-block"),
        ({"validated": "true"}, "wrong-block"),
        ({"status": "error"}, "malformed-answer"),
        ({"status": None}, "malformed-answer"),
        ({"error": 5}, "malformed-answer"),
    ],
)
def test_an_answer_must_be_of_the_pinned_validated_ledger(change, code):
    answer = fixture("account_info")
    answer["result"] |= change
    assert reason(entries.read_account(exchange(answer), ACCOUNT, AT)) == code


def test_load_warnings_and_forwarding_do_not_change_an_answer():
    answer = fixture("account_info") | {
        "warning": "load",
        "forwarded": True,
        "warnings": [{"id": 7}],
    }
    assert isinstance(entries.read_account(exchange(answer), ACCOUNT, AT), entries.Account)


@pytest.mark.parametrize(
    ("name", "failure", "status"),
    [("actnotfound", "", 200), ("actnotfound-clio", "refused", 400)],
)
def test_no_account_at_the_named_ledger(name, failure, status):
    found = entries.read_account(exchange(fixture(name), failure, status), ACCOUNT, AT)
    assert found is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("actnotfound", {"ledger_hash": OBJECTS_AT}),
        ("actnotfound", {"validated": False}),
        ("actnotfound", {"account": "rhLkGGNZdjSpnHJw4XAFw1Jy7PD8TqxoET"}),
        ("actnotfound-clio", {"request": None}),
        ("actnotfound-clio", {"request": {"account": ACCOUNT}}),
        ("actnotfound-clio", {"request": {"account": SOMEBODY, "ledger_hash": AT}}),
        ("actnotfound-clio", {"request": {"params": []}}),
        ("actnotfound-clio", {"request": {"params": [7]}}),
        ("actnotfound-clio", {"ledger_current_index": 7}),
        ("actnotfound-clio", {"ledger_index": 7, "validated": True}),
    ],
)
def test_no_account_at_another_ledger_is_not_zero(name, change):
    answer = fixture(name)
    answer["result"] |= change
    assert reason(entries.read_account(exchange(answer), ACCOUNT, AT)) == "no-record"


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        ("slowDown", "rate-limited", True),
        ("tooBusy", "rate-limited", True),
        ("noCurrent", "node-behind", True),
        ("noNetwork", "node-behind", True),
        ("lgrNotFound", "state-pruned", False),
        ("failedToForward", "unreachable", True),
        ("unknownCmd", "method-missing", False),
        ("internal", "rpc-error", False),
    ],
)
def test_errors_of_the_server_have_their_reasons(error, code, retryable):
    body = exchange({"result": {"error": error, "status": "error"}})
    found = entries.read_account(body, ACCOUNT, AT)
    assert found == Gap(code, retryable=retryable, detail=error)
    assert reason(wire.read_info(exchange(fixture("error")))) == "rpc-error"


@pytest.mark.parametrize(
    ("body", "failure", "code"),
    [
        (b"Null method", "refused", "refused"),
        (b"", "timeout", "timeout"),
        (b"[]", "", "malformed-answer"),
        (b'{"result": []}', "", "malformed-answer"),
        (b'{"result": {"status": "succ', "", "truncated-answer"),
        (b"[" * 100_000, "", "truncated-answer"),
        (b'{"result": {"status": "success"}}', "refused", "refused"),
    ],
)
def test_what_is_no_answer_is_a_gap(body, failure, code):
    broken = exchange(body, failure)
    assert reason(entries.read_account(broken, ACCOUNT, AT)) == code
    assert reason(entries.read_objects(broken, AT)) == code
    assert reason(wire.read_info(broken)) == code


def test_documented_objects_are_read_with_their_owner():
    page = entries.read_objects(exchange(fixture("account_objects")), OBJECTS_AT)
    assert not isinstance(page, Gap)
    assert [one.drops for one in page[0]] == [0]
    assert page[1].startswith("F60ADF64")
    locked = entries.read_objects(exchange(fixture("account_objects-locked")), OBJECTS_AT)
    assert not isinstance(locked, Gap)
    assert [(one.owner, one.drops) for one in locked[0]] == [
        ("rf1BiGeXwwQoi8Z2ueFYTEXSwuJYfV2Jpn", 10000),
        ("rBqb89MRQJnMPq8wTwEbtz4kvxrEDfcYvt", 4325800 - 2323423),
    ]
    assert locked[1] == ""


@pytest.mark.parametrize(
    ("at", "change", "drops"),
    [
        (0, {"Amount": {"value": "5", "currency": "USD", "issuer": ACCOUNT}}, 0),
        (0, {"Amount": 10000}, None),
        (0, {"Destination": None}, None),
        (0, {"index": "x"}, None),
        (1, {"Balance": "4325801"}, None),
        (1, {"Balance": None}, None),
    ],
)
def test_a_locked_amount_must_be_exact(at, change, drops):
    answer = fixture("account_objects-locked")
    answer["result"]["account_objects"][at] |= change
    page = entries.read_objects(exchange(answer), OBJECTS_AT)
    if drops is None:
        assert reason(page) == "malformed-answer"
    else:
        assert not isinstance(page, Gap)
        assert page[0][at].drops == drops


@pytest.mark.parametrize("change", [{"marker": ""}, {"marker": {}}, {"marker": "x" * 201}])
def test_a_marker_must_be_usable(change):
    answer = fixture("account_objects")
    answer["result"] |= change
    assert reason(entries.read_objects(exchange(answer), OBJECTS_AT)) == "malformed-answer"
    answer["result"]["account_objects"] = None
    assert reason(entries.read_objects(exchange(answer), OBJECTS_AT)) == "malformed-answer"


def test_reserves_in_both_forms():
    answer = fixture("feesettings")
    assert entries.read_fees(exchange(answer), AT) == (20_000_000, 5_000_000)
    answer["result"]["node"] = {"ReserveBaseDrops": "1000000", "ReserveIncrementDrops": "200000"}
    assert entries.read_fees(exchange(answer), AT) == (1_000_000, 200_000)
    for node in (None, {}, {"ReserveBase": -1, "ReserveIncrement": 1}, {"ReserveBaseDrops": 5}):
        answer["result"]["node"] = node
        assert entries.read_fees(exchange(answer), AT) is None
    assert entries.read_fees(exchange(fixture("feesettings")), OBJECTS_AT) is None
