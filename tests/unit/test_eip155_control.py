"""What contracts say about owners, pods and signatures, read from answers that may be hostile."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from eip155_fixtures import CHAIN, adapter

from chains.adapters.eip155 import asking, control, pinning, pods, validity
from chains.adapters.eip155.reading import code_request, storage_request, view_request
from chains.control import ControlFacts, decode, is_met
from chains.errors import ConfigError
from chains.model import (
    AssetId,
    Exchange,
    Extract,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)

pytestmark = pytest.mark.unit

AT = Snapshot(chain=CHAIN, height=7, block_hash="0x" + "ab" * 32, time=1, endpoints=("a",))
ACCOUNT, OWNER, OTHER, MANAGER = (bytes([i]) * 20 for i in (0xA1, 0xB2, 0xC3, 0xD4))
DIGEST, SIGNATURE = bytes(range(32)), b"\x51" * 65
ASKED = ACCOUNT + DIGEST + SIGNATURE
MAGIC = "0x1626ba7e" + "00" * 28
REVERT = {"error": {"code": 3, "message": "execution reverted", "data": "0x"}}
CODE = code_request(ACCOUNT, AT)
POD_OWNER = view_request(ACCOUNT, "0b18ff66", AT)


def says(digest: bytes) -> Request:
    said = f"{64:064x}" + f"{65:064x}" + SIGNATURE.hex() + "00" * 31
    return view_request(ACCOUNT, "1626ba7e" + digest.hex() + said, AT)


SAYS, SAYS_OF_ANOTHER = says(DIGEST), says(DIGEST[:-1] + bytes((DIGEST[-1] ^ 1,)))
CLAIMED = {"pod-owner": {"0x" + OWNER.hex(): 1}}


def pod_request(owner: bytes = OWNER, manager: bytes = MANAGER) -> Request:
    return view_request(manager, "9ba06275" + "00" * 12 + owner.hex(), AT)


def word(address: bytes) -> str:
    return "0x" + "00" * 12 + address.hex()


def exchange(request: Request, said: Any, endpoint: str = "a") -> Exchange:
    """Answer with a result, with the members of an object, or with raw bytes."""
    if isinstance(said, bytes):
        body = said
    else:
        members = said if isinstance(said, dict) else {"result": said}
        body = json.dumps({"jsonrpc": "2.0", "id": 0, **members}).encode()
    return Exchange(request=request, endpoint=endpoint, status=200, body=body)


def mute() -> dict[Request, Any]:
    """Return what a contract that shows nothing answers."""
    calls = (control.OWNER, control.GET_OWNERS, control.GET_THRESHOLD)
    return {
        CODE: "0x6000",
        **{view_request(ACCOUNT, call, AT): REVERT for call in calls},
        storage_request(ACCOUNT, control.ADMIN_SLOT, AT): "0x" + "00" * 32,
    }


def pod(**changed: Any) -> dict[Request, Any]:
    """Return what an EigenPod and its manager answer; ``claim`` and ``pod`` may be changed."""
    return {
        **mute(),
        POD_OWNER: changed.get("claim", word(OWNER)),
        pod_request(): changed.get("pod", word(ACCOUNT)),
    }


def read(
    kind: QueryKind,
    said: Mapping[Request, Any],
    *,
    account: bytes = ACCOUNT,
    manager: bytes | None = MANAGER,
    elsewhere: frozenset[Request] = frozenset(),
    at: Snapshot = AT,
) -> ControlFacts | str:
    """Return the facts, or the reason of the gap; ``elsewhere`` another endpoint answered."""
    params = {} if manager is None else {"eigen_pod_manager": "0x" + manager.hex()}
    exchanges = tuple(
        exchange(request, answer, "b" if request in elsewhere else "a")
        for request, answer in said.items()
    )
    questions = Questions(
        kind=kind, chain=CHAIN, height=7, asset=AssetId(f"{CHAIN}/slip44:60"), accounts=(account,)
    )
    decoder = control.DECODER if kind is QueryKind.CONTROL else validity.DECODER
    extract = Extract(positions=[0], decoder=decoder, exchanges=exchanges)
    answers = adapter(**params).decode(questions, extract, at)
    ((_, answer),) = answers.each(questions)
    if isinstance(answer, Gap):
        return answer.reason
    assert isinstance(answer, Observation)
    assert answer.units == 0
    return decode(answer.facts)


def shown_pod(said: Mapping[Request, Any], **more: Any) -> dict[str, Mapping[str, int]] | str:
    facts = read(QueryKind.CONTROL, said, **more)
    if isinstance(facts, str):
        return facts
    assert facts.exists
    assert all(way.threshold == 1 for way in facts.ways)
    return {way.kind: way.weights for way in facts.ways}


def test_a_pod_shows_its_owner_when_the_manager_confirms_it() -> None:
    assert shown_pod(pod()) == CLAIMED


@pytest.mark.parametrize(
    "said",
    [
        word(OTHER),  # the owner's real pod is another account
        word(bytes(20)),  # the owner has no pod
        word(OWNER),
        "0x",  # nothing is deployed at the manager's address
        REVERT,
        word(ACCOUNT)[:-2],
        word(ACCOUNT) + "00" * 32,
        "0x" + "01" * 12 + ACCOUNT.hex(),
        "0x" + ACCOUNT.hex(),
        "0x" + ACCOUNT.hex() + "00" * 12,
    ],
)
def test_a_claim_that_the_manager_does_not_confirm_shows_nobody(said: Any) -> None:
    assert shown_pod(pod(pod=said)) == {}


@pytest.mark.parametrize(
    "claim",
    [
        REVERT,
        "0x",
        word(OWNER)[:-2],
        word(bytes(20)),
        "0x" + "01" * 12 + OWNER.hex(),
        word(OWNER) + "00" * 32,
        "0x" + "ff" * 32,
    ],
)
def test_what_is_no_address_is_no_claim(claim: Any) -> None:
    said = pod(claim=claim)
    assert shown_pod(said) == {}
    del said[pod_request()]  # the manager is not asked about it
    assert shown_pod(said) == {}


FAILURES = [
    ({"error": {"code": -32000, "message": "missing trie node 12"}}, "state-pruned"),
    ({"error": {"code": -32005, "message": "limit exceeded"}}, "rate-limited"),
    ({"error": {"code": -32000, "message": "out of gas"}}, "rpc-error"),
    ({"error": {"code": -32601, "message": "method not found"}}, "method-missing"),
    ({"error": "execution"}, "rpc-error"),
    ({"result": None}, "malformed-answer"),
    ({"result": 7}, "malformed-answer"),
    ({"result": True}, "malformed-answer"),
    ({"result": [MAGIC]}, "malformed-answer"),
    ({"result": {"a": "0x"}}, "malformed-answer"),
    ({"result": MAGIC[2:]}, "malformed-answer"),
    ({"result": MAGIC, "id": 1}, "malformed-answer"),
    ({"result": "0x" + "zz" * 32}, "malformed-answer"),
    ({"result": "0x" + "0 " * 32}, "malformed-answer"),
    ({"result": "0x" + "0" * 63}, "truncated-answer"),
    ({}, "malformed-answer"),
    (b"", "truncated-answer"),
    (b"\xff\xfe", "malformed-answer"),
    (b"<html>", "malformed-answer"),
    (b'{"jsonrpc":"2.0","id":0,"result":NaN}', "malformed-answer"),
    (b'{"jsonrpc":"2.0","id":0,"result":' + b"9" * 5000 + b"}", "malformed-answer"),
    (
        b'{"jsonrpc":"2.0","id":0,"result":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "malformed-answer",
    ),
    (b'{"jsonrpc":"2.0","id":0,"result":"' + MAGIC.encode(), "truncated-answer"),
]


@pytest.mark.parametrize(("said", "reason"), FAILURES)
@pytest.mark.parametrize("request_", [CODE, POD_OWNER, pod_request()], ids=["code", "pod", "map"])
def test_an_endpoint_that_fails_about_a_pod_is_a_gap(
    request_: Request, said: Any, reason: str
) -> None:
    assert shown_pod({**pod(), request_: said}) == reason


@pytest.mark.parametrize("missing", [CODE, POD_OWNER, pod_request()], ids=["code", "pod", "map"])
def test_a_pod_needs_every_answer_from_the_endpoint_that_was_asked_first(missing: Request) -> None:
    whole = pod()
    said = {request: answer for request, answer in whole.items() if request != missing}
    assert shown_pod(said) == "not-answered"
    if missing != CODE:
        assert shown_pod(whole, elsewhere=frozenset({missing})) == "not-answered"


def test_the_confirmation_of_another_manager_or_owner_is_none() -> None:
    said = pod()
    del said[pod_request()]
    for other in (pod_request(manager=OTHER), pod_request(owner=OTHER)):
        assert shown_pod({**said, other: word(ACCOUNT)}) == "not-answered"


def test_without_a_manager_no_pod_is_shown() -> None:
    assert shown_pod(pod(), manager=None) == {}
    assert shown_pod(mute(), manager=None) == {}
    assert shown_pod(mute()) == "not-answered"


def test_a_contract_with_an_owner_and_a_confirmed_pod_shows_both_ways() -> None:
    said = {**pod(), view_request(ACCOUNT, control.OWNER, AT): word(OTHER)}
    assert shown_pod(said) == {"contract-owner": {"0x" + OTHER.hex(): 1}, **CLAIMED}


def safe_answers(owners: str, threshold: str) -> dict[Request, Any]:
    return {
        **mute(),
        view_request(ACCOUNT, control.GET_OWNERS, AT): "0x" + owners,
        view_request(ACCOUNT, control.GET_THRESHOLD, AT): "0x" + threshold,
    }


TWO = f"{32:064x}{2:064x}" + word(OWNER)[2:] + word(OTHER)[2:]


@pytest.mark.parametrize(
    ("owners", "threshold"),
    [
        (TWO, f"{0:064x}"),
        (TWO, f"{3:064x}"),
        (TWO, "f" * 64),
        (TWO, ""),
        (TWO[:-2], f"{1:064x}"),
        (f"{32:064x}{0:064x}", f"{0:064x}"),
        (f"{32:064x}" + "f" * 64, f"{1:064x}"),  # more owners than there are numbers
        ("f" * 64 + TWO[64:], f"{1:064x}"),  # they begin past every memory
        (f"{32:064x}{2**40:064x}" + TWO[128:], f"{1:064x}"),
        (f"{0:064x}" * 40, f"{1:064x}"),
        (f"{32:064x}{1:064x}" + "01" * 32, f"{1:064x}"),
    ],
)
def test_answers_that_make_no_safe_show_nobody(owners: str, threshold: str) -> None:
    found = read(QueryKind.CONTROL, safe_answers(owners, threshold), manager=None)
    assert found == ControlFacts(exists=True)


def test_an_owner_named_twice_counts_once() -> None:
    owners = f"{32:064x}{2:064x}" + word(OWNER)[2:] * 2
    found = read(QueryKind.CONTROL, safe_answers(owners, f"{2:064x}"), manager=None)
    assert isinstance(found, ControlFacts)
    (way,) = found.ways
    assert (way.threshold, dict(way.weights)) == (2, {"0x" + OWNER.hex(): 1})
    assert not is_met(way, frozenset(way.weights))


@pytest.mark.parametrize("manager", ["0x12", "", "pods", 7, "0x" + "g" * 40])
def test_a_manager_that_is_no_address_is_an_error_of_the_configuration(manager: object) -> None:
    with pytest.raises(ConfigError, match="params"):
        adapter(eigen_pod_manager=manager)


def validity_of(
    said: Any, code: Any = "0x6000", *, other: Any = "0x", **more: Any
) -> ControlFacts | str:
    answers = {CODE: code, SAYS: said, SAYS_OF_ANOTHER: other}
    return read(QueryKind.SIGNATURE, answers, account=ASKED, **more)


def test_a_contract_that_accepts_anything_shows_nothing() -> None:
    anything = ControlFacts(exists=True, notes={"accepts": "anything"})
    assert validity_of(MAGIC, other=MAGIC) == anything
    for other in (REVERT, "0x" + "00" * 32, "0x" + "ff" * 32):
        assert validity_of(MAGIC, other=other) == ControlFacts(exists=True, accepts=True)
    assert validity_of("0x" + "00" * 32, other=MAGIC) == ControlFacts(exists=True, accepts=False)
    missing = {CODE: "0x6000", SAYS: MAGIC}
    assert read(QueryKind.SIGNATURE, missing, account=ASKED) == "not-answered"


@pytest.mark.parametrize("code", ["0x6000", "0xef0100" + "b2" * 20], ids=["code", "eip7702"])
def test_a_signature_is_accepted_by_the_magic_value_alone(code: str) -> None:
    assert validity_of(MAGIC, code) == ControlFacts(exists=True, accepts=True)
    assert validity_of(MAGIC.upper().replace("0X", "0x"), code) == ControlFacts(
        exists=True, accepts=True
    )


@pytest.mark.parametrize(
    "said",
    [
        "0x" + "00" * 32,
        "0xffffffff" + "00" * 28,
        "0x20c13b0b" + "00" * 28,  # the magic value of the draft before
        "0x" + "00" * 28 + "1626ba7e",
        "0x1626ba7e" + "00" * 27 + "01",
        "0x1626ba7e" + "ff" * 28,
        "0x1626ba7f" + "00" * 28,
        "0x" + "00" * 31 + "01",
        "0x" + "ff" * 32,
    ],
)
def test_another_word_rejects_the_signature(said: str) -> None:
    assert validity_of(said) == ControlFacts(exists=True, accepts=False)


@pytest.mark.parametrize(
    "said", [REVERT, "0x", "0x1626ba7e", MAGIC[:-2], MAGIC + "00", MAGIC + "00" * 32]
)
def test_a_revert_or_what_is_not_one_word_is_no_rule(said: Any) -> None:
    assert validity_of(said) == ControlFacts(exists=True, accepts=None)


def test_no_code_is_nothing_whatever_else_is_said() -> None:
    assert validity_of(MAGIC, "0x") == ControlFacts(exists=False)
    alone = read(QueryKind.SIGNATURE, {CODE: "0x"}, account=ASKED)
    assert alone == ControlFacts(exists=False)


@pytest.mark.parametrize(("said", "reason"), FAILURES)
def test_an_endpoint_that_fails_about_a_signature_is_a_gap(said: Any, reason: str) -> None:
    assert validity_of(said) == reason
    assert validity_of(MAGIC, said) == reason
    assert validity_of(MAGIC, other=said) == reason


def test_a_signature_needs_the_answer_to_exactly_its_question() -> None:
    for asked in (
        ACCOUNT + DIGEST[::-1] + SIGNATURE,
        ACCOUNT + DIGEST + SIGNATURE[:-1],
        ACCOUNT + DIGEST + SIGNATURE + b"\0",
        ACCOUNT + DIGEST,
    ):
        said = {CODE: "0x6000", SAYS: MAGIC}
        assert read(QueryKind.SIGNATURE, said, account=asked) == "not-answered"
    assert validity_of(MAGIC, elsewhere=frozenset({SAYS})) == "not-answered"
    assert read(QueryKind.SIGNATURE, {SAYS: MAGIC}, account=ASKED) == "not-answered"


@pytest.mark.parametrize("size", [0, 19, 20, 51])
def test_a_question_that_is_cut_is_never_answered(size: int) -> None:
    said = {CODE: "0x6000", SAYS: MAGIC}
    assert read(QueryKind.SIGNATURE, said, account=ASKED[:size]) == "not-answered"
    assert read(QueryKind.SIGNATURE, {}, account=ASKED[:size]) == "not-answered"


def test_one_node_of_our_own_is_named_and_a_mixed_extract_is_not() -> None:
    questions = Questions(
        kind=QueryKind.SIGNATURE,
        chain=CHAIN,
        height=7,
        asset=AssetId(f"{CHAIN}/slip44:60"),
        accounts=(ASKED,),
    )
    first = msgspec.structs.replace(exchange(CODE, "0x6000"), own_node=True)
    for own, source in ((True, "own-node"), (False, "single")):
        second = msgspec.structs.replace(exchange(SAYS, MAGIC), own_node=own)
        third = msgspec.structs.replace(exchange(SAYS_OF_ANOTHER, "0x"), own_node=True)
        exchanges = (first, second, third)
        extract = Extract(positions=[0], decoder=validity.DECODER, exchanges=exchanges)
        found = validity.decode(questions, extract, AT)
        assert (found.source, found.endpoint) == (source, "a")


def test_the_kinds_are_declared() -> None:
    declared = adapter().capabilities.control
    assert {pods.KIND, validity.KIND} <= set(declared)
    assert asking.UNSENT not in (control.DECODER, validity.DECODER)


CANARY = bytes([0xE5]) * 20
AT_CANARY = msgspec.structs.replace(AT, canaries=(CANARY.hex(),), detail={"canary_units": "1000"})
CANARY_BALANCE = pinning.balance_request(CANARY, AT.block_hash)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({CANARY_BALANCE: "0x3e8"}, ControlFacts(exists=False, plain=True)),
        ({}, ControlFacts(exists=False)),
        ({CANARY_BALANCE: "0x0"}, "canary-wrong"),
        ({CANARY_BALANCE: "0x3e9"}, "canary-wrong"),
        ({CANARY_BALANCE: None}, "zero-without-canary"),
        ({CANARY_BALANCE: REVERT}, "zero-without-canary"),
        ({CANARY_BALANCE: b"<html>"}, "zero-without-canary"),
    ],
)
def test_an_account_is_plain_only_beside_a_canary_of_the_block(
    said: Mapping[Request, Any], expected: ControlFacts | str
) -> None:
    found = read(QueryKind.CONTROL, {CODE: "0x", **said}, at=AT_CANARY)
    assert found == expected


def test_a_canary_that_another_endpoint_showed_makes_nothing_plain() -> None:
    said = {CODE: "0x", CANARY_BALANCE: "0x3e8"}
    elsewhere = frozenset({CANARY_BALANCE})
    found = read(QueryKind.CONTROL, said, at=AT_CANARY, elsewhere=elsewhere)
    assert found == ControlFacts(exists=False)


def test_a_block_without_a_canary_shows_no_plain_account() -> None:
    assert read(QueryKind.CONTROL, {CODE: "0x"}) == ControlFacts(exists=False)


class Falling:
    """A contract whose fallback takes any call and returns nothing, as WETH9's does."""

    endpoints = ("a",)

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        said = "0x6001" if request == CODE else "0x" + "00" * 32
        return exchange(request, "0x" if b"eth_call" in request.body else said, endpoint)

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        return await self.exchange(request, among[0])


async def test_a_contract_that_answers_every_call_with_nothing_has_no_owner_and_stops_nobody() -> (
    None
):
    kind = QueryKind.CONTROL
    asked = Questions(
        kind=kind, chain=CHAIN, height=7, asset=AssetId(f"{CHAIN}/slip44:60"), accounts=(ACCOUNT,)
    )
    found = [one async for one in control.extract(Falling(), asked, AT, None)]  # type: ignore[arg-type]
    assert [len(one.exchanges) for one in found] == [5]
    answers = adapter().decode(asked, found[0], AT)
    assert [
        decode(one.facts) for _, one in answers.each(asked) if isinstance(one, Observation)
    ] == [ControlFacts(exists=True)]
