"""Whatever one answer of a nodeos is replaced with: a gap or the truth, never an exception."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.adapters import antelope
from chains.adapters.antelope import holdings, params, wire
from chains.addresses.antelope import decode
from chains.errors import ChainError
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Request,
)

pytestmark = pytest.mark.property

FIXTURES = Path(__file__).parents[2] / "fixtures" / "antelope"
CHAIN = ChainId("antelope:test")
HOLDER = decode("holder", {})
TRUTH = 9_159_991 + 230_000 + 30_000 + 70_000 + 200_000 + 300_000


def recorded(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


INFO = msgspec.json.decode(recorded("get_info"))
HEIGHT = INFO["head_block_num"]
SPEC = ChainSpec(
    id=CHAIN,
    name="Antelope",
    adapter="antelope",
    address="antelope",
    native=AssetId(f"{CHAIN}/slip44:194"),
    params={"chain_id": INFO["chain_id"], "canaries": ["holder"]},
)


class NoTransport:
    endpoints = ("a",)


ADAPTER = antelope.Adapter(SPEC, NoTransport())  # type: ignore[arg-type]
PARAMS = params.read(SPEC)


def exchange(request: Request, body: bytes, status: int = 200) -> Exchange:
    failure = "" if status == 200 else "refused"
    return Exchange(request=request, endpoint="a", status=status, body=body, failure=failure)


PIN = [
    exchange(request, recorded(name))
    for request, name in zip(
        ADAPTER.pin_requests(HEIGHT),
        ("get_info", "get_block_info", "get_account", "get_currency_balance"),
        strict=True,
    )
]
AT = ADAPTER.snapshot(HEIGHT, PIN)
BATCH = [
    exchange(wire.INFO, recorded("get_info")),
    exchange(wire.account_request(HOLDER), recorded("get_account")),
    *(
        exchange(request, recorded(name))
        for request, name in zip(
            [*holdings.requests(PARAMS, HOLDER), *holdings.standing_requests(PARAMS)],
            ("get_currency_balance", "delband", "rexfund", "rexqueue", "global", "rexpool"),
            strict=True,
        )
    ),
    exchange(wire.INFO, recorded("get_info")),
]

MUST_BELIEVE = (1, 4, 5, 7)
"""Answers whose amounts nothing else in the batch repeats: account, fund, order, pool."""

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["holder", "1.0000 EOS", "1.0000 REX", "eosio", "2026-01-01T00:00:00.000"])
)
NAMES = st.sampled_from(
    ["rows", "more", "error", "code", "details", "permissions", "account_name", "head_block_num"]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def bodies(draw: st.DrawFn, original: bytes) -> bytes:
    """Return other bytes, another value, or the recorded answer with one field replaced."""
    value = msgspec.json.decode(original)
    if draw(st.booleans()) and isinstance(value, dict):
        field = draw(st.sampled_from(sorted(value)))
        return msgspec.json.encode(value | {field: draw(VALUES)})
    return draw(st.binary(max_size=40) | VALUES.map(msgspec.json.encode))


def ask(kind: QueryKind, exchanges: list[Exchange]) -> Observation | Gap:
    questions = Questions(
        kind=kind, chain=CHAIN, height=HEIGHT, asset=SPEC.native, accounts=(HOLDER,)
    )
    extract = Extract(positions=[0], decoder=f"{kind}/1", exchanges=tuple(exchanges))
    ((_, found),) = ADAPTER.decode(questions, extract, AT).each(questions)
    return found


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_one_answer_replaced(data):
    i = data.draw(st.integers(0, len(BATCH) - 1))
    status = data.draw(st.sampled_from([200, 400, 500]))
    changed = list(BATCH)
    changed[i] = exchange(BATCH[i].request, data.draw(bodies(BATCH[i].body)), status)
    balance = ask(QueryKind.BALANCE, changed)
    assert isinstance(balance, Gap) or i in MUST_BELIEVE or balance.units == TRUTH
    ask(QueryKind.CONTROL, changed)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_one_answer_at_the_pin_replaced(data):
    i = data.draw(st.integers(0, len(PIN) - 1))
    changed = list(PIN)
    changed[i] = exchange(PIN[i].request, data.draw(bodies(PIN[i].body)))
    try:
        at = ADAPTER.snapshot(HEIGHT, changed)
    except ChainError:
        return
    assert at.block_hash == AT.block_hash
