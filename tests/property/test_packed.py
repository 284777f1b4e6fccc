"""Packed byte strings behave as the tuple of them, and sort, merge and look up as Python does."""

from __future__ import annotations

import hashlib

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.model import AssetId, ChainId, QueryKind, Questions
from chains.packed import LONG, Packed
from crawler.asking.plan import DECODER_VERSION, shard_digest

pytestmark = pytest.mark.property

# Zeros at the end, common beginnings and neighbours in length are what goes wrong.
LETTERS = st.sampled_from([b"\x00", b"\x01", b"\xff"])
SHORT = st.lists(LETTERS, max_size=4).map(b"".join)
ALIKE = st.binary(max_size=3).map(lambda end: b"\x00\x14common" + end)
SAME_WIDTH = st.integers(0, 12).flatmap(
    lambda width: st.lists(st.lists(LETTERS, min_size=width, max_size=width).map(b"".join))
)
LONG_ONES = st.binary(max_size=2).map(lambda end: b"\x07" * LONG + end)
STRINGS = st.one_of(
    SAME_WIDTH, st.lists(st.one_of(SHORT, ALIKE)), st.lists(st.one_of(SHORT, LONG_ONES))
)


@given(STRINGS)
def test_it_is_the_sequence_of_what_was_packed(strings: list[bytes]) -> None:
    packed = Packed.of(strings)
    assert tuple(packed) == tuple(strings) == packed
    assert (len(packed), packed.joined) == (len(strings), b"".join(strings))
    assert [packed[i] for i in range(-len(strings), len(strings))] == strings * 2
    assert packed.lengths.tolist() == [len(one) for one in strings]
    assert hash(packed) == hash(tuple(strings))
    assert packed.to_arrow() == pa.array(strings, pa.binary())
    assert Packed.from_arrow(pa.array(strings, pa.binary())) == packed
    framed = b"".join(len(one).to_bytes(4, "big") + one for one in strings)
    assert packed.framed().tobytes() == framed


@given(STRINGS, st.slices(20))
def test_slices_are_those_of_a_list(strings: list[bytes], places: slice) -> None:
    packed = Packed.of(strings)[places]
    assert list(packed) == strings[places]
    assert packed == Packed.of(strings[places])
    assert packed.to_arrow() == pa.array(strings[places], pa.binary())
    assert packed.joined == b"".join(strings[places])
    assert list(packed[1:]) == strings[places][1:]


@given(STRINGS, st.data())
def test_strings_are_taken_by_their_places(strings: list[bytes], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(strings) - 1))) if strings else []
    assert list(Packed.of(strings).take(places)) == [strings[i] for i in places]
    with pytest.raises(IndexError):
        Packed.of(strings).take([len(strings)])


@given(STRINGS, SHORT)
def test_strings_are_found_where_they_are(strings: list[bytes], other: bytes) -> None:
    packed = Packed.of(strings)
    for one in [*strings, other]:
        assert (one in packed) is (one in strings)
        if one in strings:
            assert packed.index(one) == strings.index(one)
        else:
            with pytest.raises(ValueError, match="no such string"):
                packed.index(one)
    assert "text" not in packed


@given(st.lists(STRINGS, max_size=4))
def test_distinct_is_the_sorted_set(parts: list[list[bytes]]) -> None:
    expected = sorted({one for part in parts for one in part})
    assert list(Packed.distinct([Packed.of(part) for part in parts])) == expected


@given(st.lists(STRINGS, max_size=4))
def test_concatenated_keeps_the_order(parts: list[list[bytes]]) -> None:
    expected = [one for part in parts for one in part]
    column = pa.chunked_array([pa.array(part, pa.binary()) for part in parts], pa.binary())
    assert list(Packed.concatenated([Packed.of(part) for part in parts])) == expected
    assert list(Packed.from_arrow(column)) == expected


@given(STRINGS, STRINGS)
def test_places_are_those_in_the_sorted_set(strings: list[bytes], others: list[bytes]) -> None:
    ordered = sorted(set(strings))
    wanted = [*others, *strings]
    expected = [ordered.index(one) if one in strings else -1 for one in wanted]
    assert Packed.of(ordered).places_of(Packed.of(wanted)).tolist() == expected


@given(STRINGS, SHORT)
def test_one_more_stands_behind(strings: list[bytes], last: bytes) -> None:
    assert list(Packed.of(strings).followed_by(last)) == [*strings, last]


@given(STRINGS, STRINGS)
def test_equal_are_those_with_the_same_strings(strings: list[bytes], others: list[bytes]) -> None:
    same = strings == others
    assert (Packed.of(strings) == Packed.of(others)) is same
    assert (Packed.of(strings) == tuple(others)) is same
    assert Packed.of(strings) != strings  # a list is no tuple either


@given(STRINGS)
def test_a_shard_is_named_by_its_accounts_one_by_one(strings: list[bytes]) -> None:
    asked = Questions(
        kind=QueryKind.BALANCE,
        chain=ChainId("eip155:1"),
        height=7,
        asset=AssetId("eip155:1/slip44:60"),
        accounts=strings,
    )
    digest = hashlib.sha256()
    for text in (DECODER_VERSION, "balance", "eip155:1", "7", "eip155:1/slip44:60", "0xb10c"):
        digest.update(len(text).to_bytes(8, "big") + text.encode())
    for one in strings:
        digest.update(len(one).to_bytes(4, "big") + one)
    assert shard_digest(asked, "0xb10c") == digest.hexdigest()


def test_questions_are_packed_whatever_they_are_given_as() -> None:
    asked = Questions(
        kind=QueryKind.BALANCE,
        chain=ChainId("eip155:1"),
        height=7,
        asset=AssetId("eip155:1/slip44:60"),
        accounts=(b"a", b"b"),
    )
    assert type(asked.accounts) is Packed
    changed = msgspec.structs.replace(asked, accounts=[b"c"])
    assert type(changed.accounts) is Packed
    assert asked == msgspec.structs.replace(changed, accounts=asked.accounts[:])


def test_neighbours_share_their_buffer() -> None:
    whole = Packed.of([bytes([n]) * 20 for n in range(9)])
    assert whole[3:6]._data.base is not None
    mixed = Packed.of([b"a", b"bc", b"def"])
    assert mixed[1:]._data is mixed._data
