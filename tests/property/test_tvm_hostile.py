"""Whatever an answer of a toncenter server is replaced with: a gap or the truth, no exception."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chains.adapters.tvm import ELECTOR, Adapter, cells, jettons, pinning, wire
from chains.addresses.ton import decode
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
from chains.simulated.tvm import USDT_CONTENT

pytestmark = pytest.mark.property

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tvm"
CHAIN = ChainId("tvm:-239")
HEIGHT = 39_984_096
USDT = decode("EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs", {})
HOLDER = decode("EQA6KfVWDGL36F6rL-7puTnCNG08gaga5ImhBpl12PxEuVLX", {})
WALLET = decode("EQC9lSq4FyI3XwwtP-3KysuxFkzVqUi-kbda6sdAJ2Fk4mIs", {})
JETTON = AssetId(f"{CHAIN}/jetton:EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id%5FsDs")
SPEC = ChainSpec(
    id=CHAIN,
    name="TON",
    adapter="tvm",
    address="ton",
    native=AssetId(f"{CHAIN}/slip44:607"),
    params={
        "zero_state_root": "F6OpKZKqvqeFp6CQmFomXNMfMj2EnaUSOXN+Mh+wVWk=",
        "zero_state_file": "XplPz01CXAps5qeSWUtxcyBfdAo5zVb1N979KLSKD24=",
    },
)


class NoTransport:
    endpoints = ("a",)


ADAPTER = Adapter(SPEC, NoTransport())  # type: ignore[arg-type]


def recorded(name: str, **members: object) -> bytes:
    answer = msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())
    return msgspec.json.encode({**answer, "result": {**answer["result"], **members}})


BLOCK_ID = msgspec.json.decode(recorded("header"))["result"]["id"]
ACCOUNT = recorded("account-active", block_id=BLOCK_ID)
COINS, TOKENS = 1_592_521_995_920_473, 0x13BB5B


def exchange(request: Request, body: bytes, status: int = 200) -> Exchange:
    failure = "" if status == 200 else "refused"
    return Exchange(request=request, endpoint="a", status=status, body=body, failure=failure)


PIN = [
    exchange(wire.info(), recorded("masterchain-info")),
    exchange(wire.header(HEIGHT), recorded("header")),
    exchange(wire.state(ELECTOR, HEIGHT), ACCOUNT),
]
AT = ADAPTER.snapshot(HEIGHT, PIN)
NATIVE_BATCH = [PIN[2], exchange(wire.state(HOLDER, HEIGHT), ACCOUNT)]
JETTON_BATCH = [
    PIN[2],
    exchange(jettons.data(USDT, HEIGHT), recorded("jetton-data")),
    exchange(jettons.wallet_of(USDT, HOLDER, HEIGHT), recorded("wallet-address")),
    exchange(jettons.wallet_data(WALLET, HEIGHT), recorded("wallet-data")),
]
MUST_BELIEVE = {SPEC.native: (1,), JETTON: (3,)}
"""Answers whose amounts nothing else in the batch repeats."""

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["0x0", "-0x1", "num", "cell", "active", "uninitialized", "frozen", "te6ccg=="]
    )
)
NAMES = st.sampled_from(
    ["ok", "result", "error", "code", "stack", "exit_code", "block_id", "bytes", "seqno", "state"]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def bodies(draw: st.DrawFn, original: bytes) -> bytes:
    """Return other bytes, another value, or the answer with one member of its result replaced."""
    value = msgspec.json.decode(original)
    if draw(st.booleans()):
        field = draw(st.sampled_from(sorted(value["result"])))
        result = {**value["result"], field: draw(VALUES)}
        return msgspec.json.encode({**value, "result": result})
    return draw(st.binary(max_size=40) | VALUES.map(msgspec.json.encode))


def ask(kind: QueryKind, asset: AssetId, exchanges: list[Exchange]) -> Observation | Gap:
    account = USDT if kind is QueryKind.ASSET_FACT else HOLDER
    questions = Questions(kind=kind, chain=CHAIN, height=HEIGHT, asset=asset, accounts=(account,))
    extract = Extract(positions=[0], decoder=f"{kind}/1", exchanges=tuple(exchanges))
    ((_, found),) = ADAPTER.decode(questions, extract, AT).each(questions)
    return found


@pytest.mark.parametrize(
    ("asset", "batch", "truth"),
    [(SPEC.native, NATIVE_BATCH, COINS), (JETTON, JETTON_BATCH, TOKENS)],
)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_one_answer_replaced(asset, batch, truth, data):
    intact = ask(QueryKind.BALANCE, asset, batch)
    assert isinstance(intact, Observation)
    assert intact.units == truth
    i = data.draw(st.integers(0, len(batch) - 1))
    status = data.draw(st.sampled_from([200, 404, 500]))
    changed = list(batch)
    changed[i] = exchange(batch[i].request, data.draw(bodies(batch[i].body)), status)
    found = ask(QueryKind.BALANCE, asset, changed)
    assert isinstance(found, Gap) or i in MUST_BELIEVE[asset] or found.units == truth
    ask(QueryKind.CONTROL, SPEC.native, changed)
    if asset == JETTON:
        ask(QueryKind.ASSET_FACT, asset, changed)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_one_answer_at_the_pin_replaced(data):
    i = data.draw(st.integers(0, len(PIN) - 1))
    changed = list(PIN)
    changed[i] = exchange(PIN[i].request, data.draw(bodies(PIN[i].body)))
    pinning.read_head(changed[i])
    try:
        at = ADAPTER.snapshot(HEIGHT, changed)
    except ChainError:
        return
    assert at.block_hash == AT.block_hash


@given(raw=st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_tree_of_cells_or_refused(raw):
    for bag in (raw, cells.MAGIC + raw, cells.MAGIC + bytes((1, 1)) + raw):
        try:
            cell = cells.parse(bag)
        except cells.CellError:
            continue
        read(cell)


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_a_description_with_bytes_replaced_is_read_or_refused(data):
    raw = bytearray(b64decode(USDT_CONTENT)[:-4])
    raw[4] &= 0xBF  # without its checksum, which would refuse everything
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        cell = cells.parse(bytes(raw))
    except cells.CellError:
        return
    read(cell)


@given(account=st.binary(min_size=33, max_size=33))
@example(account=b"\xff" * 33)
def test_addresses_come_back_from_their_bags(account):
    assert cells.address(cells.of_text(cells.address_bag(account))) == account


def read(cell: cells.Cell) -> None:
    """Read a cell in every way there is."""
    for way in (cells.address, jettons.described):
        try:
            way(cell)
        except (cells.CellError, UnicodeDecodeError):
            continue
