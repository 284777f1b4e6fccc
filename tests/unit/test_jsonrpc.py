"""JSON-RPC: answers matched by id, exact numbers, and a Gap for everything else."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest

from chains import jsonrpc, rest
from chains.model import Exchange, Gap, Request

pytestmark = pytest.mark.unit


def exchange(body: bytes | Any, **more: Any) -> Exchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(request=Request(), endpoint="one", **{"status": 200, "body": raw, **more})


def said(i: Any, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": i, "result": result}


def failed(i: Any, message: str = "no") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": i, "error": {"code": -32000, "message": message}}


def reasons(found: list[Any]) -> list[Any]:
    return [entry.reason if isinstance(entry, Gap) else entry for entry in found]


THROTTLING = [
    (429, "Your app has exceeded its compute units per second capacity."),  # Alchemy
    (-32007, "50/second request limit reached - reduce calls per second"),  # QuickNode
    (-32005, "daily request count exceeded, request rate limited"),  # Infura
    (-32005, "You've exceeded the RPS limit available on the current plan."),  # Chainstack
    (-32016, "over rate limit"),  # Base
    (-32000, "Too many requests"),
    (429, None),
]
OTHER = [
    (3, "execution reverted: rate limit exceeded"),  # what a contract says
    (-32000, "VM Exception while processing transaction: revert too many requests"),
    (3, "rate limit"),
    (-32005, "Node is unhealthy"),  # Solana: it is behind
    (-32007, "Slot 5 was skipped, or missing due to ledger jump to recent snapshot"),  # Solana
    (-32005, "block range exceeds the configured maximum"),
    ("429", "no"),
    (None, None),
    (-32000, ["rate limit"]),
]


def refusing(code: Any, message: Any, i: int = 0) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": i, "error": {"code": code, "message": message}}


@pytest.mark.parametrize(
    ("code", "message", "asked"),
    [(*one, 1) for one in THROTTLING] + [(*one, 0) for one in OTHER],
)
def test_a_server_that_asks_to_slow_down_in_its_answer_is_understood(
    code: Any, message: Any, asked: int
) -> None:
    single = refusing(code, message)
    array = [said(0, "0x1"), refusing(code, message, 1)]
    assert jsonrpc.throttled(json.dumps(single).encode()) == (asked, 1)
    assert jsonrpc.throttled(json.dumps(array, indent=1).encode()) == (asked, 2)
    reason = "rate-limited" if asked else "rpc-error"
    gap = jsonrpc.result(exchange(single))
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.retryable) == (reason, bool(asked))
    assert reasons(jsonrpc.results(exchange(array), 2)) == ["0x1", reason]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b'"error"', b'{"error":"rate limit"}', b'{"error":null}', b'[{"error":1}]',
        b'{"error":{"code":429}', b'{"error":[]}', b'{"error":' * 9000, b'\xff"error"',
        b'{"result":"too many requests, rate limit"}', b'{"error":{"code":' + b"[" * 9000 + b"}}",
    ],
)  # fmt: skip
def test_what_is_no_error_object_asks_nobody_to_slow_down(body: bytes) -> None:
    assert jsonrpc.throttled(body)[0] == 0


def test_the_same_call_is_always_the_same_bytes() -> None:
    expected = b'{"jsonrpc":"2.0","id":0,"method":"m","params":["0x1",true]}'
    assert jsonrpc.call("m", ["0x1", True]).body == expected
    assert jsonrpc.call("m", ["0x1", True], path="/p").path == "/p"


def test_ids_of_a_batch_are_positions() -> None:
    request = jsonrpc.batch([("a", [1]), ("b", [])])
    assert json.loads(request.body) == [
        {"jsonrpc": "2.0", "id": 0, "method": "a", "params": [1]},
        {"jsonrpc": "2.0", "id": 1, "method": "b", "params": []},
    ]


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        (jsonrpc.batch([("m", [])] * 3).body, 3),
        (jsonrpc.call("m", [[1, 2, 3]]).body, 1),
        (b"", 1),
        (b"[]", 1),
        (b"[1,", 1),
        (b'["\xff"]', 1),
        (b"[" * 9000, 1),
        (b'[{"params":["[1,2]",{"method":"m"}]},{"params":[[],[]]}]', 2),
    ],
)
def test_calls_are_counted_as_a_server_counts_them(body: bytes, calls: int) -> None:
    assert jsonrpc.calls_in(body) == calls


@pytest.mark.parametrize("value", [0, False, "", [], {}, None, "0x0", 2**256 - 1, 10**80])
def test_a_result_comes_back_as_it_was_said(value: Any) -> None:
    assert jsonrpc.result(exchange(said(0, value))) == value
    assert jsonrpc.results(exchange([said(0, value)]), 1) == [value]


@pytest.mark.parametrize("text", ["1e999999999999999999999", "-1.5e-9999999999999999999999"])
def test_a_number_with_an_exponent_beyond_all_bounds_is_no_answer(text: str) -> None:
    body = b'{"id":0,"result":%s}' % text.encode()
    assert reasons([jsonrpc.result(exchange(body)), rest.answer(exchange(body))]) == [
        "malformed-answer",
        "malformed-answer",
    ]
    assert reasons(jsonrpc.results(exchange(b"[%s]" % body), 2)) == ["malformed-answer"] * 2


@pytest.mark.parametrize("text", ["0.1", "123456789.123456789123456789", "1e400", "1E-30"])
def test_numbers_with_a_point_are_decimals_never_floats(text: str) -> None:
    body = b'{"id":0,"result":%s}' % text.encode()
    found = jsonrpc.result(exchange(body))
    assert isinstance(found, Decimal)
    assert found == Decimal(text)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "truncated-answer"),
        (b'{"id":0,"resu', "truncated-answer"),
        (b"[", "truncated-answer"),
        (b"<html>busy</html>", "malformed-answer"),
        (b'{"id":0,"result":1}}', "malformed-answer"),
        (b'"text"', "malformed-answer"),
        (b"null", "malformed-answer"),
        (b"[]", "malformed-answer"),
        (b'{"id":0}', "malformed-answer"),
        (b'{"result":1}', "malformed-answer"),
        (b'{"id":1,"result":1}', "malformed-answer"),
        (b'{"id":"0","result":1}', "malformed-answer"),
        (b'{"id":null,"result":1}', "malformed-answer"),
        (b'{"id":0,"result":NaN}', "malformed-answer"),
        (b'{"id":0,"result":"\xff"}', "malformed-answer"),
        (b'{"id":0,"\xff":1}', "malformed-answer"),
        (b"\xff\xfe", "malformed-answer"),
        (b"[" * 100_000, "truncated-answer"),
        (b'{"id":0,"result":' + b"[" * 100_000, "truncated-answer"),
    ],
)
def test_what_is_no_answer_is_a_gap_that_may_be_asked_again(body: bytes, reason: str) -> None:
    found = jsonrpc.result(exchange(body))
    assert isinstance(found, Gap)
    assert (found.reason, found.retryable) == (reason, True)
    assert all(isinstance(entry, Gap) for entry in jsonrpc.results(exchange(body), 2))


@pytest.mark.parametrize("i", [0, None])
def test_an_error_of_the_node_is_a_gap_with_its_words(i: int | None) -> None:
    assert jsonrpc.result(exchange(failed(i, "missing trie node"))) == Gap(
        "rpc-error", detail="-32000: missing trie node"
    )


def test_an_error_beside_a_result_is_an_error() -> None:
    both = {**failed(0), "result": "0x0"}
    assert jsonrpc.result(exchange(both)).reason == "rpc-error"
    assert reasons(jsonrpc.results(exchange([both]), 1)) == ["rpc-error"]


def test_a_null_error_beside_a_result_is_a_result() -> None:
    assert jsonrpc.result(exchange({**said(0, 7), "error": None})) == 7


def test_a_long_error_text_is_cut() -> None:
    found = jsonrpc.result(exchange(failed(0, "x" * 10_000)))
    assert len(found.detail) == 300
    assert len(jsonrpc.error_text("y" * 10_000)) == 300


def test_answers_are_matched_by_id_in_any_order() -> None:
    for order in itertools.permutations(range(3)):
        body = [said(i, i * 10) for i in order]
        assert jsonrpc.results(exchange(body), 3) == [0, 10, 20]


@pytest.mark.parametrize("i", [3, -1, "0", None, True, 0.5, [0]])
def test_an_answer_with_another_id_is_nobodys(i: Any) -> None:
    found = jsonrpc.results(exchange([said(i, 99), said(2, 2)]), 3)
    assert reasons(found) == ["malformed-answer", "malformed-answer", 2]


def test_a_missing_answer_is_a_gap_never_its_neighbours() -> None:
    found = jsonrpc.results(exchange([said(0, 0), said(2, 2)]), 3)
    assert reasons(found) == [0, "malformed-answer", 2]


def test_two_answers_with_one_id_are_no_answer() -> None:
    found = jsonrpc.results(exchange([said(0, 1), said(1, 5), said(0, 1)]), 2)
    assert reasons(found) == ["malformed-answer", 5]


def test_an_error_in_a_batch_concerns_its_own_question() -> None:
    found = jsonrpc.results(exchange([failed(1), said(0, 1)]), 2)
    assert reasons(found) == [1, "rpc-error"]


def test_an_error_without_an_id_concerns_whatever_is_missing() -> None:
    found = jsonrpc.results(exchange([failed(None, "batch too large"), said(0, 1)]), 3)
    assert reasons(found) == [1, "rpc-error", "rpc-error"]


def test_one_error_for_the_whole_batch_concerns_every_question() -> None:
    found = jsonrpc.results(exchange(failed(None, "batch too large")), 2)
    assert found == [Gap("rpc-error", detail="-32000: batch too large")] * 2


def test_a_single_answer_to_a_batch_answers_nothing() -> None:
    assert reasons(jsonrpc.results(exchange(said(0, 1)), 2)) == ["malformed-answer"] * 2


@pytest.mark.parametrize("body", [b'[1, {"id":0,"result":1}]', b"[null]", b"[[]]"])
def test_a_batch_of_other_things_answers_nothing(body: bytes) -> None:
    assert reasons(jsonrpc.results(exchange(body), 1)) == ["malformed-answer"]


@pytest.mark.parametrize("retryable", [True, False])
def test_a_failure_below_the_protocol_keeps_its_reason(*, retryable: bool) -> None:
    lost = exchange(said(0, 1), failure="timeout", retryable=retryable, status=0)
    assert jsonrpc.result(lost) == Gap("timeout", retryable)
    assert jsonrpc.results(lost, 2) == [Gap("timeout", retryable)] * 2


def test_a_refusal_that_carries_the_nodes_own_error_shows_it() -> None:
    refused = exchange(failed(None, "invalid key"), failure="refused", status=403)
    assert jsonrpc.result(refused) == Gap("rpc-error", detail="-32000: invalid key")
    assert reasons(jsonrpc.results(refused, 2)) == ["rpc-error"] * 2


@pytest.mark.parametrize("body", [b"", b"Forbidden", b"<html>", b"\xff"])
def test_a_refusal_without_words_of_the_node_is_a_refusal(body: bytes) -> None:
    refused = exchange(body, failure="refused", status=403)
    assert jsonrpc.result(refused) == Gap("refused", detail="403")
