"""Whatever bytes or JSON a Substrate node sends, reading ends in a value or a Gap."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.accounts import Held
from chains.adapters.substrate import storage, trie, wire
from chains.model import Exchange, Gap, Request
from chains.simulated.substrate_trie import Trie

pytestmark = pytest.mark.property

U128 = st.integers(0, 2**128 - 1)
BLOCK = "0x" + "ab" * 32
KEY = storage.account_key(bytes(32))
HEX = st.binary(max_size=90).map(wire.hexed)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | HEX
NAMES = st.sampled_from(["block", "changes", "number", "digest", "logs", "parentHash", "x"])
JSON = st.recursive(
    LEAVES | st.sampled_from([BLOCK, wire.hexed(KEY)]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(U128, U128, U128, st.sampled_from([12, 16]), st.binary(min_size=16, max_size=16))
def test_an_account_comes_to_free_and_reserved(free, reserved, frozen, counters, head):
    amounts = (free, reserved, frozen, 1 << 127)
    value = head[:counters] + b"".join(one.to_bytes(16, "little") for one in amounts)
    held = storage.read_account(value)
    assert isinstance(held, Held)
    assert held.units == free + reserved
    assert [part.units for part in held.parts if not part.counted] == ([frozen] if frozen else [])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_by_their_length_or_not_at_all(value):
    account = storage.read_account(value)
    assert isinstance(account, Held) == (len(value) in {76, 80})
    if isinstance(storage.read_asset_account(value), Held):
        assert len(value) in {18, 34, 66}
    assert isinstance(storage.read_metadata(value), storage.Metadata | Gap)
    assert isinstance(storage.read_time(value), int) == (len(value) == 8)


@given(JSON)
def test_any_json_is_read_without_an_error(result: Any):
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 0, "result": result})
    exchange = Exchange(request=Request(), endpoint="a", status=200, body=body)
    assert isinstance(wire.read_header(exchange), wire.Header | Gap)
    assert isinstance(wire.read_hash(exchange), str | Gap | None)
    assert isinstance(wire.read_accounts(exchange, storage.ACCOUNTS), list | Gap)
    found = wire.read_values({wire.query([KEY], BLOCK): exchange}, [KEY], BLOCK)
    assert isinstance(found, Gap) or found.keys() == {KEY}


@given(st.integers(0, 2**64 - 1))
def test_compact_numbers_tell_their_width(number):
    encoded = storage.compact(number)
    mode = encoded[0] & 3
    width = (1, 2, 4, 5 + (encoded[0] >> 2))[mode]
    assert len(encoded) == width
    big = int.from_bytes(encoded[1:], "little")
    assert number == (big if mode == 3 else int.from_bytes(encoded, "little") >> 2)


KEYS = st.binary(max_size=6) | st.sampled_from([b"\x11" * 40, b"\x11" * 41, b"\x12" * 150])
STATES = st.dictionaries(KEYS, st.binary(max_size=70), max_size=20)


@given(STATES, KEYS, st.integers(0, 1), st.data())
def test_a_proof_shows_what_the_state_holds_and_less_of_it_never_another_value(
    state, key, version, data
):
    made = Trie(state, version)
    nodes = made.prove([key])
    assert trie.look_up(made.root, key, trie.by_name(nodes)) == state.get(key)
    kept = data.draw(st.lists(st.sampled_from(nodes), unique=True))
    spoilt = [bytes(one) for one in data.draw(st.lists(st.binary(max_size=60), max_size=3))]
    try:
        found = trie.look_up(made.root, key, trie.by_name([*kept, *spoilt]))
    except trie.Unproven:
        return
    assert found == state.get(key)


@given(st.binary(max_size=120), st.binary(max_size=4))
def test_any_bytes_as_a_root_end_in_a_value_nothing_or_no_proof(node, key):
    try:
        trie.look_up(trie.named(node), key, trie.by_name([node]))
    except trie.Unproven:
        return
