"""Words of 32 bytes against Python's integers, one by one and as a column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.model import Answers, AssetId, ChainId, Gap, Method, QueryKind, Questions, Source
from chains.words import Words
from crawler.crawling.answers import AnswerColumns
from crawler.errors import EnvironmentFault

pytestmark = pytest.mark.unit

EDGES = [0, 1, 2**53 + 1, 2**63, 2**64 - 1, 2**64, 2**128, 2**252 - 1, 2**252, 2**255 + 3]
NUMBERS = st.lists(st.integers(0, 2**256 - 1) | st.sampled_from([*EDGES, 2**256 - 1]), max_size=9)


def words(numbers: list[int]) -> Words:
    return Words(b"".join(number.to_bytes(32, "big") for number in numbers))


@given(NUMBERS, st.integers(0, 2**256 - 1), st.integers(-9, 9), st.integers(-9, 9))
def test_words_are_the_integers_that_they_stand_for(numbers, other, start, stop):
    found = words(numbers)
    assert list(found) == numbers
    assert found.texts().to_pylist() == [str(number) for number in numbers]
    assert list(found[start:stop]) == numbers[start:stop]
    assert all(number in found for number in numbers)
    assert (other in found) == (other in numbers)
    assert found == words(numbers)
    assert found != words([*numbers, 1])


@pytest.mark.parametrize("number", EDGES)
def test_each_size_of_number_is_exact_in_a_column_of_its_own(number):
    assert words([number, 5]).texts().to_pylist() == [str(number), "5"]


@pytest.mark.parametrize("absent", [None, "1", -1, 2**256, 1.0])
def test_what_is_no_word_is_not_among_them(absent):
    assert absent not in words([0, 1])


def test_places_beyond_the_end_are_refused():
    with pytest.raises(IndexError):
        words([1])[1]
    with pytest.raises(ValueError, match="neighbours"):
        words([1, 2, 3])[::2]


def asked(count):
    chain = ChainId("eip155:1")
    return Questions(
        kind=QueryKind.BALANCE, chain=chain, height=1, asset=AssetId(f"{chain}/slip44:60"),
        accounts=tuple(bytes([i]) * 20 for i in range(count)),
    )  # fmt: skip


def answers(positions, units, gaps=None):
    return Answers(
        positions=positions, units=units, gaps=gaps or {}, source=Source.SINGLE,
        method=Method.STATE, endpoint="one",
    )  # fmt: skip


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_columns_of_words_stand_in_their_places_whatever_came_first(order):
    pieces = [answers(range(2), words([2**70, 1])), answers(range(2, 4), words([0, 7]))]
    columns = AnswerColumns(range(4))
    for number in order:
        columns.add(pieces[number], number)
    table = columns.table(asked(4))
    assert table["units"].to_pylist() == [str(2**70), "1", "0", "7"]
    assert table["extract"].to_pylist() == [0, 0, 1, 1]


def test_words_beside_texts_and_gaps():
    columns = AnswerColumns(range(5))
    columns.add(answers(range(2), words([3, 4])), 0)
    columns.add(answers([4, 2], [9, 8]), 1)
    columns.fill(Gap("not-answered"))
    assert columns.table(asked(5))["units"].to_pylist() == ["3", "4", "8", None, "9"]


def test_a_gap_takes_the_place_of_a_word():
    columns = AnswerColumns(range(2))
    columns.add(answers(range(2), words([3, 4]), {1: Gap("call-failed")}), 0)
    table = columns.table(asked(2))
    assert table["units"].to_pylist() == ["3", None]
    assert table["gap"].to_pylist() == ["", "call-failed"]


def test_a_second_answer_in_words_is_refused():
    columns = AnswerColumns(range(2))
    columns.add(answers(range(2), words([3, 4])), 0)
    with pytest.raises(EnvironmentFault, match="twice"):
        columns.add(answers(range(2), words([3, 4])), 1)


def test_a_witness_that_says_other_words_leaves_a_gap():
    one, other = AnswerColumns(range(2)), AnswerColumns(range(2))
    one.add(answers(range(2), words([3, 4])), 0)
    other.add(answers(range(2), words([3, 5])), 0)
    one.confirm(other)
    table = one.table(asked(2))
    assert table["units"].to_pylist() == ["3", None]
    assert table["gap"].to_pylist() == ["", "witness-disagrees"]
    assert table["source"][0].as_py() == "quorum"
