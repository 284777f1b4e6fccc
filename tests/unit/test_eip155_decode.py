from __future__ import annotations

import json

import msgspec
import pytest
from eip155_fixtures import AMOUNTS, Recording, load

from chains.model import Gap, Observation, Source

pytestmark = pytest.mark.unit

WAYS = ("override", "deployless", "rpc")
PROGRAMS = ("override", "deployless")


def with_bodies(recording: Recording, old: bytes, new: bytes) -> Recording:
    assert any(old in exchange.body for e in recording.extracts for exchange in e.exchanges)
    return recording.changed(
        lambda exchange: msgspec.structs.replace(exchange, body=exchange.body.replace(old, new))
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["native", "erc20"])
def test_recorded_balances_decode_to_what_was_loaded(kind: str, way: str) -> None:
    assert load(f"{kind}-{way}").results() == list(AMOUNTS)


def test_decoding_twice_gives_the_same_columns() -> None:
    recording = load("erc20-override")
    first, second = (
        recording.adapter.decode(recording.questions, recording.extracts[0], recording.at)
        for _ in range(2)
    )
    assert first == second


def test_an_own_node_is_told_apart_from_a_third_party() -> None:
    recording = load("native-override")
    observation = recording.decode()[1]
    assert isinstance(observation, Observation)
    assert (observation.source, observation.endpoint) == (Source.SINGLE, "anvil")
    own = recording.changed(lambda e: msgspec.structs.replace(e, own_node=True)).decode()[1]
    assert isinstance(own, Observation)
    assert own.source is Source.OWN_NODE


@pytest.mark.parametrize("way", PROGRAMS)
@pytest.mark.parametrize("kind", ["native", "erc20"])
@pytest.mark.parametrize("word", [0, 1, 2])
def test_each_header_word_must_be_that_of_the_pinned_block(kind: str, way: str, word: int) -> None:
    recording = load(f"{kind}-{way}")
    header = [31337, recording.at.height, int(recording.at.detail["parent_hash"], 16)][word]
    old, new = f"{header:064x}".encode(), f"{header ^ 1:064x}".encode()
    assert with_bodies(recording, old, new).results() == ["wrong-block"] * len(AMOUNTS)


def test_the_chain_id_word_is_compared_even_when_the_others_are_not() -> None:
    recording = load("native-override", header_words="chain-id")
    height = recording.at.height
    moved = with_bodies(recording, f"{height:064x}".encode(), f"{height + 1:064x}".encode())
    assert moved.results() == list(AMOUNTS)
    other = with_bodies(recording, f"{31337:064x}".encode(), f"{1:064x}".encode())
    assert other.results() == ["wrong-block"] * len(AMOUNTS)


@pytest.mark.parametrize("way", WAYS)
def test_marked_holders_are_gaps_and_the_code_says_which(way: str) -> None:
    assert load(f"reverting-{way}").results() == ["call-failed"] * len(AMOUNTS)
    assert load(f"nothing-{way}").results() == ["no-contract"] * len(AMOUNTS)


@pytest.mark.parametrize("way", PROGRAMS)
def test_one_marked_holder_is_one_gap(way: str) -> None:
    recording = load(f"erc20-{way}")
    marked = with_bodies(recording, f"{AMOUNTS[2]:064x}".encode(), b"f" * 64)
    assert marked.results() == [
        "call-failed" if amount == AMOUNTS[2] else amount for amount in AMOUNTS
    ]


def test_a_native_balance_of_all_ones_is_no_mark() -> None:
    marked = with_bodies(load("native-override"), f"{AMOUNTS[2]:064x}".encode(), b"f" * 64)
    assert marked.results()[2] == 2**256 - 1


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_canary_takes_every_balance_with_it(way: str) -> None:
    recording = load(f"native-{way}")
    units = int(recording.at.detail["canary_units"])
    shapes = {"rpc": (hex(units), "0x0")}
    old, new = shapes.get(way, (f"{units:064x}", f"{0:064x}"))
    empty = with_bodies(recording, old.encode(), new.encode())
    assert empty.results() == ["zero-without-canary"] * len(AMOUNTS)


def test_a_canary_with_another_balance_is_of_another_block() -> None:
    recording = load("native-override")
    units = int(recording.at.detail["canary_units"])
    other = with_bodies(recording, f"{units:064x}".encode(), f"{units - 1:064x}".encode())
    assert other.results() == ["wrong-block"] * len(AMOUNTS)


def test_zeros_without_any_canary_are_not_believed() -> None:
    recording = load("native-override")
    at = msgspec.structs.replace(recording.at, canaries=())
    batch = recording.extracts[0].exchanges[-1]
    canary = recording.at.canaries[0].encode()
    units = f"{int(recording.at.detail['canary_units']):064x}".encode()
    without = msgspec.structs.replace(
        batch,
        request=msgspec.structs.replace(
            batch.request, body=batch.request.body.replace(canary, b"")
        ),
        body=batch.body.replace(units, b""),
    )
    bare = recording._replace(at=at).changed(lambda e: without if e is batch else e)
    assert bare.results() == ["zero-without-canary", *AMOUNTS[1:]]


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (lambda body: body[: len(body) // 2], "truncated-answer"),
        (lambda body: body[:-66] + b'"}', "truncated-answer"),
        (lambda body: body[:-3] + b'"}', "truncated-answer"),
        (lambda body: body[:-2] + b"00" * 32 + b'"}', "malformed-answer"),
        (lambda body: body.replace(b'"id":0', b'"id":1'), "malformed-answer"),
        (lambda body: body.replace(b'"0x', b'"  '), "malformed-answer"),
        (lambda body: body[:-34] + b" " * 32 + b'"}', "malformed-answer"),
        (lambda _: b"", "truncated-answer"),
        (lambda _: b"<html>", "malformed-answer"),
        (lambda _: b'{"jsonrpc":"2.0","id":0,"result":null}', "malformed-answer"),
        (lambda _: b'{"jsonrpc":"2.0","id":0,"result":7}', "malformed-answer"),
        (lambda _: b'{"jsonrpc":"2.0","id":0,"result":"0x"}', "truncated-answer"),
    ],
    ids=[
        "half",
        "two-words-short",
        "half-a-byte",
        "one-word-more",
        "another-id",
        "no-prefix",
        "spaces",
        "nothing",
        "html",
        "null",
        "number",
        "no-data",
    ],
)
@pytest.mark.parametrize("kind", ["native", "erc20"])
def test_a_damaged_answer_is_a_retryable_gap(kind: str, cut: object, reason: str) -> None:
    recording = load(f"{kind}-override")
    batch = recording.extracts[0].exchanges[-1]
    assert callable(cut)
    damaged = msgspec.structs.replace(batch, body=cut(batch.body))
    found = recording.changed(lambda e: damaged if e is batch else e).decode()
    seen = [(a.reason, a.retryable) if isinstance(a, Gap) else a.units for a in found]
    assert seen == [(reason, True)] * len(AMOUNTS)


@pytest.mark.parametrize("way", WAYS)
def test_an_exchange_about_other_accounts_answers_nothing(way: str) -> None:
    recording = load(f"native-{way}")
    first = recording.questions.accounts[0]
    other = bytes.fromhex("ab" * 20)
    questions = msgspec.structs.replace(
        recording.questions,
        accounts=tuple(other if at == first else at for at in recording.questions.accounts),
    )
    found = recording._replace(questions=questions).results()
    assert found == ["not-answered"] * len(AMOUNTS)


def test_an_exchange_about_another_block_answers_nothing() -> None:
    recording = load("erc20-rpc")
    at = msgspec.structs.replace(recording.at, block_hash="0x" + "12" * 32)
    assert recording._replace(at=at).results() == ["not-answered"] * len(AMOUNTS)


def test_a_member_of_an_array_is_matched_by_its_id() -> None:
    recording = load("native-rpc")
    batch = recording.extracts[0].exchanges[-1]
    answers = json.loads(batch.body)
    turned = msgspec.structs.replace(batch, body=json.dumps(answers[::-1]).encode())
    assert recording.changed(lambda e: turned if e is batch else e).results() == list(AMOUNTS)
    answers[1] = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "oops"}}
    del answers[3]
    broken = msgspec.structs.replace(batch, body=json.dumps(answers).encode())
    assert recording.changed(lambda e: broken if e is batch else e).results() == [
        0,
        "rpc-error",
        AMOUNTS[2],
        "malformed-answer",
        *AMOUNTS[4:],
    ]


@pytest.mark.parametrize("value", ["0x", "", "7", "0x-1", "0x 1", "0x" + "f" * 65, None, 1.5])
def test_a_malformed_quantity_is_never_a_number(value: object) -> None:
    recording = load("native-rpc")
    batch = recording.extracts[0].exchanges[-1]
    answers = json.loads(batch.body)
    answers[0]["result"] = value
    damaged = msgspec.structs.replace(batch, body=json.dumps(answers).encode())
    found = recording.changed(lambda e: damaged if e is batch else e).results()
    assert found == ["malformed-answer", *AMOUNTS[1:]]


def test_a_failed_exchange_keeps_its_own_reason() -> None:
    recording = load("native-override")
    failed = recording.changed(
        lambda e: msgspec.structs.replace(e, body=b"", status=0, failure="timeout", retryable=True)
    )
    gap = failed.decode()[0]
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.retryable) == ("timeout", True)


def test_token_facts_decode() -> None:
    answer = load("asset-fact").decode()[0]
    assert isinstance(answer, Observation)
    assert json.loads(answer.facts) == {
        "decimals": 6,
        "symbol": "USDT",
        "total_supply": str(sum(AMOUNTS)),
        "code": True,
    }


def test_token_facts_need_every_answer() -> None:
    recording = load("asset-fact")
    failed = recording.changed(
        lambda e: (
            msgspec.structs.replace(e, body=b"", failure="timeout", retryable=True)
            if b"313ce567" in e.request.body
            else e
        )
    )
    assert failed.results() == ["timeout"]
    extract = recording.extracts[0]
    fewer = msgspec.structs.replace(extract, exchanges=extract.exchanges[:-1])
    assert recording._replace(extracts=(fewer,)).results() == ["not-answered"]


def way(kind: str, threshold: int, *signers: str) -> dict[str, object]:
    return {"kind": kind, "threshold": threshold, "weights": dict.fromkeys(signers, 1)}


def test_control_facts_decode_without_web3() -> None:
    recording = load("control")
    key, owned, safe = (
        json.loads(answer.facts) for answer in recording.decode() if isinstance(answer, Observation)
    )
    people = ["0x" + at.hex() for at in recording.questions.accounts]
    third = (0xB0000000000000000000 + 2 * 0x100000001).to_bytes(20, "big")
    assert key == {"exists": False}
    assert owned == {"exists": True, "ways": [way("contract-owner", 1, "0x" + third.hex())]}
    assert safe == {"exists": True, "ways": [way("safe-owners", 2, *people[:2])]}


def recorded_facts(name: str) -> list[dict[str, object]]:
    answers = load(name).decode()
    return [json.loads(answer.facts) for answer in answers if isinstance(answer, Observation)]


def test_recorded_pods_and_signatures_decode() -> None:
    owner = (0xB0000000000000000000 + 2 * 0x100000001).to_bytes(20, "big")
    confirmed = {"exists": True, "ways": [way("pod-owner", 1, "0x" + owner.hex())]}
    assert recorded_facts("pods") == [confirmed, {"exists": True}]
    said = [{"exists": True, "accepts": accepts} for accepts in (True, False)]
    credulous = {"exists": True, "notes": {"accepts": "anything"}}
    assert recorded_facts("signature") == [{"exists": False}, {"exists": True}, *said, credulous]


def test_control_facts_are_a_gap_when_the_node_fails() -> None:
    error = b'{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"missing trie node 12"}}'
    pruned = load("control").changed(
        lambda e: msgspec.structs.replace(e, body=error) if b"8da5cb5b" in e.request.body else e
    )
    assert pruned.results() == [0, "state-pruned", "state-pruned"]
