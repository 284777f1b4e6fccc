"""TRC-20 at a height: how single answers are read, and the arithmetic back to the height."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from tron_answers import ACCOUNT, CHAIN, HEIGHT, TIME_MS, NoTransport, exchange, fixture
from tron_answers import AT as NILE
from tron_answers import SPEC as PLAIN

from chains.adapters import tron
from chains.adapters.tron import facts, tokens, wire
from chains.addresses import tron as address
from chains.model import (
    AssetId,
    Exchange,
    Extract,
    Gap,
    Method,
    Observation,
    QueryKind,
    Questions,
    Snapshot,
)

pytestmark = pytest.mark.unit

USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
TOKEN = address.decode(USDT, {})
ASSET = AssetId(f"{CHAIN}/trc20:{USDT}")
NAME = address.encode(ACCOUNT, {})
OTHER = address.encode(b"\x11" * 20, {})
HEAD_MS = TIME_MS + 300_000
OF = tokens.List(account=NAME, token=USDT, since_ms=TIME_MS)
NEWEST = tokens.newest_request(USDT)
AT = msgspec.structs.replace(
    NILE, endpoints=("a", "b"), detail={"time-ms": str(TIME_MS), "events@a": "served"}
)
SPEC = msgspec.structs.replace(PLAIN, params={"transfer_tokens": [USDT]})


def head(time: int = HEAD_MS, number: int = HEIGHT + 100) -> Exchange:
    block = {
        "blockID": f"{number:016x}" + 48 * "0",
        "block_header": {"raw_data": {"number": number, "timestamp": time}},
    }
    return exchange(wire.head_request(wire.SOLID_HEAD), block)


def returned(value: bytes, *, failed: bool = False) -> dict[str, object]:
    ret = [{"ret": "FAILED"}] if failed else [{}]
    result: dict[str, object] = {"result": True}
    return {"result": result, "constant_result": [value.hex()], "transaction": {"ret": ret}}


def number(value: int) -> dict[str, object]:
    return returned(value.to_bytes(32, "big"))


def row(time: int, value: object, *, out: bool = False, **other: object) -> dict[str, object]:
    ends = {"from": NAME, "to": OTHER} if out else {"from": OTHER, "to": NAME}
    token = {"symbol": "USDT", "address": USDT, "decimals": 6}
    base = {"token_info": token, "block_timestamp": time, "type": "Transfer", "value": value}
    return {**base, **ends, **other}


def listed(*rows: object, **meta: object) -> dict[str, object]:
    return {"data": rows, "success": True, "meta": {"page_size": len(rows), **meta}}


def newest(time: object = HEAD_MS) -> Exchange:
    return exchange(NEWEST, listed({"block_timestamp": time}))


def canary(value: int = 10**15) -> Exchange:
    return exchange(tokens.call_request(TOKEN, tokens.TOTAL_SUPPLY), number(value))


def batch(now: object, *pages: object, marks: Sequence[str] = ("", "m1", "m2")) -> list[Exchange]:
    """Return a whole batch; ``now`` is the balance or a body."""
    body = number(now) if isinstance(now, int) else now
    asked = exchange(tokens.balance_request(TOKEN, ACCOUNT), body)
    lists = [exchange(OF.page(mark), page) for mark, page in zip(marks, pages, strict=False)]
    return [head(), canary(), asked, head(), newest(), *lists]


def answer(exchanges: Sequence[Exchange], at: Snapshot = AT) -> Observation | Gap:
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=HEIGHT, asset=ASSET, accounts=(ACCOUNT,)
    )
    extract = Extract(positions=(0,), decoder="balance/1", exchanges=tuple(exchanges))
    answers = tron.Adapter(SPEC, NoTransport()).decode(questions, extract, at)
    ((_, found),) = answers.each(questions)
    return found


def short(found: Observation | Gap) -> object:
    return found.reason if isinstance(found, Gap) else (found.units, found.method)


def test_documented_balance_is_read():
    asked = tokens.balance_request(TOKEN, ACCOUNT)
    assert asked.path == "/walletsolidity/triggerconstantcontract"
    assert msgspec.json.decode(asked.body)["data"] == (
        "70a08231000000000000000000000000dd791d6b49e190062d650e6a23c575510d35f2f9"
    )
    read = tokens.read_number(exchange(asked, fixture("triggerconstantcontract.json")))
    assert read == 0x40CFCC00


def test_a_page_is_read_for_the_account_on_either_side():
    body = fixture("transactions-trc20.json")
    (one,) = msgspec.json.decode(body)["data"]
    for who, added in ((one["from"], -2_700_000_000), (one["to"], 2_700_000_000)):
        of = tokens.List(account=who, token=USDT, since_ms=0)
        assert tokens.read_page(exchange(of.page(), body), of) == tokens.Transfers(
            ((one["block_timestamp"], added),)
        )


def test_the_first_page_asks_since_the_block_and_the_next_by_its_mark():
    first = OF.page().path
    assert first == (
        f"/v1/accounts/{NAME}/transactions/trc20?only_confirmed=false&limit=200"
        f"&contract_address={USDT}&min_timestamp={TIME_MS}"
    )
    assert OF.page("m1").path == first + "&fingerprint=m1"


def test_untouched_since_the_height():
    before = row(TIME_MS, "999")
    assert short(answer(batch(7, listed()))) == (7, Method.UNTOUCHED)
    assert short(answer(batch(7, listed(before)))) == (7, Method.UNTOUCHED)


def test_rolled_back_over_what_came_in_and_went_out():
    first = [row(TIME_MS + 3000, "100"), row(TIME_MS + 6000, "30", out=True)]
    second = [row(TIME_MS + 1, "5"), row(TIME_MS - 3000, "999"), row(TIME_MS + 2, "8", out=True)]
    found = answer(batch(1000, listed(*first, fingerprint="m1"), listed(*second)))
    assert short(found) == (1000 - 100 + 30 - 5 + 8, Method.ROLLED_BACK)


def test_a_transfer_to_itself_and_an_approval_move_nothing():
    own = row(TIME_MS + 3000, "100", **{"from": NAME})
    approval = row(TIME_MS + 3000, "100", type="Approval")
    assert short(answer(batch(7, listed(own, approval)))) == (7, Method.UNTOUCHED)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (HEAD_MS - tokens.SETTLED_MS, (93, Method.ROLLED_BACK)),
        (HEAD_MS - tokens.SETTLED_MS + 1, "no-history"),
        (HEAD_MS, "no-history"),
        (HEAD_MS + tokens.SETTLED_MS, "no-history"),
        (HEAD_MS + tokens.SETTLED_MS + 1, (100, Method.ROLLED_BACK)),
    ],
)
def test_what_moves_while_it_is_read_is_a_gap(time, expected):
    assert short(answer(batch(100, listed(row(time, "7"))))) == expected


def test_zero_needs_the_canary_and_positive_does_not():
    assert short(answer(batch(0, listed()))) == (0, Method.UNTOUCHED)
    failed = exchange(tokens.call_request(TOKEN, tokens.TOTAL_SUPPLY), b"", "timeout")
    for now, expected in ((0, "zero-without-canary"), (7, (7, Method.UNTOUCHED))):
        exchanges = batch(now, listed())
        exchanges[1] = failed
        assert short(answer(exchanges)) == expected
    for now in (0, 7):
        exchanges = batch(now, listed())
        exchanges[1] = canary(0)
        assert short(answer(exchanges)) == "canary-wrong"


def test_rolled_back_to_zero_needs_the_canary_too():
    exchanges = batch(7, listed(row(TIME_MS + 3000, "7")))
    assert short(answer(exchanges)) == (0, Method.ROLLED_BACK)
    del exchanges[1]
    assert short(answer(exchanges)) == "zero-without-canary"


def test_more_came_in_than_is_there_is_a_gap():
    assert short(answer(batch(7, listed(row(TIME_MS + 3000, "8"))))) == "malformed-answer"


@pytest.mark.parametrize("time", [HEAD_MS - 1, TIME_MS, 0, "1777445421000", None])
def test_a_list_that_does_not_reach_the_head_says_nothing(time):
    exchanges = batch(7, listed())
    exchanges[4] = newest(time)
    expected = "node-behind" if time in (HEAD_MS - 1, TIME_MS) else "malformed-answer"
    assert short(answer(exchanges)) == expected


def test_heads_must_not_go_back_nor_lie_below_the_height():
    for first, last in (
        (head(number=HEIGHT - 1), head()),
        (head(number=HEIGHT + 101), head()),
        (head(time=HEAD_MS + 1), head()),
    ):
        exchanges = batch(7, listed())
        exchanges[0], exchanges[3] = first, last
        assert short(answer(exchanges)) == "node-behind"
    assert short(answer(batch(7, listed())[1:])) == "not-answered"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (listed(*[row(TIME_MS + 3000, "1")] * 200), "truncated-answer"),
        (listed(row(TIME_MS + 3000, "1"), page_size=2), "truncated-answer"),
        (listed(row(TIME_MS + 3000, "1"), page_size=None), "truncated-answer"),
        (listed(fingerprint="m 1&x=y"), "malformed-answer"),
        (listed(fingerprint=5), "malformed-answer"),
        (listed(fingerprint="m1"), "not-answered"),
        (listed(row(TIME_MS + 3000, "1"), row(0, "1")), "malformed-answer"),
        (listed(row(TIME_MS + 3000, 1)), "malformed-answer"),
        (listed(row(TIME_MS + 3000, "-1")), "malformed-answer"),
        (listed(row(TIME_MS + 3000, "1.5")), "malformed-answer"),
        (listed(row(TIME_MS + 3000, "9" * 79)), "malformed-answer"),
        (listed(row(TIME_MS + 3000, "1", to=OTHER)), "malformed-answer"),
        (listed(row(TIME_MS + 3000, "1", type="Mint")), "malformed-answer"),
        (listed(row(TIME_MS + 3000, "1", token_info={})), "malformed-answer"),
        (listed(row(TIME_MS + 3000, "1", token_info={"address": OTHER})), "malformed-answer"),
        (listed("text"), "malformed-answer"),
        ({"data": [], "success": False, "meta": {"page_size": 0}}, "malformed-answer"),
        ({"data": {}, "success": True, "meta": {}}, "malformed-answer"),
        ({"data": [], "success": True}, "malformed-answer"),
        (b"[]", "malformed-answer"),
        (b"[" * 100_000, "malformed-answer"),
        (b'{"data":[', "truncated-answer"),
    ],
)
def test_a_list_that_is_not_shown_to_its_end_is_a_gap(page, expected):
    found = answer(batch(1000, page))
    if page == b"[" * 100_000:
        assert isinstance(found, Gap)
    else:
        assert short(found) == expected


def test_pages_that_never_end_are_a_gap():
    again = listed(row(TIME_MS + 3000, "1"), fingerprint="m1")
    assert short(answer(batch(1000, again, again))) == "malformed-answer"
    there = listed(row(TIME_MS + 3000, "1"), fingerprint="m2")
    assert short(answer(batch(1000, again, there, again))) == "no-history"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (fixture("triggerconstantcontract-missing.json"), "no-contract"),
        ({"result": {"code": "CONTRACT_VALIDATE_ERROR", "message": "xyz"}}, "call-failed"),
        (
            {"result": {"code": "X", "message": b"this node does not support constant".hex()}},
            "method-missing",
        ),
        (returned(b"", failed=True), "call-failed"),
        (returned((5).to_bytes(32, "big"), failed=True), "call-failed"),
        (returned(b""), "call-failed"),
        (returned(b"\x01" * 31), "call-failed"),
        ({"result": {"result": True}, "constant_result": []}, "malformed-answer"),
        ({"result": {"result": True}, "constant_result": ["zz"]}, "malformed-answer"),
        ({"result": {"result": True}, "constant_result": [5]}, "malformed-answer"),
        (
            {"result": {"result": True}, "constant_result": ["00" * 32], "transaction": []},
            "malformed-answer",
        ),
        ({"result": 5}, "malformed-answer"),
        ({}, "malformed-answer"),
        ({"Error": "class x : lack of computing resources"}, "rate-limited"),
    ],
)
def test_a_call_that_gave_no_number_is_a_gap(body, expected):
    assert short(answer(batch(body, listed()))) == expected


def test_no_list_at_all_is_no_answer():
    assert short(answer(batch(7))) == "not-answered"


async def test_without_an_endpoint_that_lists_transfers_nothing_is_sent():
    plain = msgspec.structs.replace(AT, detail={"time-ms": str(TIME_MS)})
    adapter = tron.Adapter(SPEC, NoTransport())
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=HEIGHT, asset=ASSET, accounts=(ACCOUNT,)
    )
    (extract,) = [one async for one in adapter.extract(questions, plain)]
    ((_, found),) = adapter.decode(questions, extract, plain).each(questions)
    assert found == Gap("no-history", detail=tokens.NO_EVENTS)
    rebasing = tron.Adapter(msgspec.structs.replace(SPEC, params={}), NoTransport())
    (extract,) = [one async for one in rebasing.extract(questions, AT)]
    ((_, found),) = rebasing.decode(questions, extract, AT).each(questions)
    assert found == Gap("no-history", detail=tokens.NO_RULE)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        (
            (number(6), returned(word(32) + word(4) + b"USDT".ljust(32, b"\0")), number(10**15)),
            {"decimals": 6, "symbol": "USDT", "total_supply": str(10**15), "code": True},
        ),
        (
            (returned(b"", failed=True), returned(b"WTRX".ljust(32, b"\0")), returned(b"")),
            {"decimals": None, "symbol": "WTRX", "total_supply": None, "code": True},
        ),
        (
            (number(256), returned(b"\xff" * 32), number(0)),
            {"decimals": None, "symbol": None, "total_supply": "0", "code": True},
        ),
        ((fixture("triggerconstantcontract-missing.json"), number(1), number(1)), "no-contract"),
        ((number(6), {}, number(1)), "malformed-answer"),
        ((number(6), number(6)), "not-answered"),
    ],
)
def test_facts_of_a_token(bodies, expected):
    requests = facts.requests(TOKEN)
    exchanges = [exchange(*pair) for pair in zip(requests, bodies, strict=False)]
    found = facts.read(exchanges, TOKEN)
    read = found.reason if isinstance(found, Gap) else msgspec.json.decode(found.text)
    assert read == expected
