"""Answers of one attempt, and how attempts and witnesses merge."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.errors import Malformed, Unreachable, WrongChain
from chains.model import (
    Answers,
    Extract,
    Gap,
    Part,
    PartKind,
    QueryKind,
    Snapshot,
)
from crawler.crawling.answers import ANSWERS, AnswerColumns, merge, read_shard
from crawler.crawling.decoding import decode
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import shard_name
from tests.unit.attempt_answers import ASKED, AT, answers, extract, new_run
from tests.unit.ledger_rows import ETH, A, B, C, columns, questions

pytestmark = pytest.mark.unit

EARNED = Part(PartKind.REWARD, 3, counted=False)
TIMEOUT = Gap("timeout", retryable=True)


def told(found: AnswerColumns, asked: Any = ASKED) -> list[tuple[str | None, str]]:
    table = found.table(asked)
    assert table.schema == ANSWERS
    table.validate(full=True)
    return list(zip(table["units"].to_pylist(), table["gap"].to_pylist(), strict=True))


def test_each_answer_stands_at_its_own_position_in_any_order() -> None:
    for order in itertools.permutations(range(3)):
        found = AnswerColumns(range(3))
        for number, position in enumerate(order):
            found.add(answers([position], [position * 10]), number)
        assert told(found) == [("0", ""), ("10", ""), ("20", "")]
        table = found.table(ASKED)
        assert table["account"].to_pylist() == [A, B, C]
        assert table["extract"].to_pylist() == [order.index(i) for i in range(3)]


def test_amounts_of_any_size_are_stored_exactly() -> None:
    assert told(columns({0: 2**256 - 1, 1: 0, 2: 10**100})) == [
        (str(2**256 - 1), ""),
        ("0", ""),
        (str(10**100), ""),
    ]


def test_a_gap_has_no_units() -> None:
    assert told(columns({0: TIMEOUT, 1: 0, 2: 1})) == [(None, "timeout"), ("0", ""), ("1", "")]


def test_units_beside_a_gap_are_not_believed() -> None:
    found = AnswerColumns(range(3))
    found.add(answers([0, 1, 2], [0, 1, 2], gaps={0: TIMEOUT}), 0)
    assert told(found)[0] == (None, "timeout")


def test_neither_units_nor_a_gap_is_an_error_of_the_adapter() -> None:
    found = AnswerColumns(range(3))
    found.add(answers([0, 1, 2], [None, 1, 2]), 0)
    assert told(found)[0] == (None, "adapter-error")


def test_an_adapter_that_answers_a_position_twice_stops_the_run() -> None:
    found = columns({0: 1, 1: 2, 2: 3})
    with pytest.raises(EnvironmentFault, match="answered position 1 twice"):
        found.add(answers([1], [2]), 1)
    with pytest.raises(EnvironmentFault, match="twice"):
        AnswerColumns(range(3)).add(answers([0, 0], [1, 1]), 0)


def test_positions_that_nobody_answered_get_the_gap_and_others_keep_theirs() -> None:
    found = AnswerColumns(range(3))
    found.add(answers([1], [7]), 0)
    found.fill(Gap("not-answered", retryable=True))
    assert told(found) == [(None, "not-answered"), ("7", ""), (None, "not-answered")]
    assert found.table(ASKED)["retryable"].to_pylist() == [True, False, True]


def test_parts_subjects_and_facts_stand_beside_their_own_position() -> None:
    parts = (Part(PartKind.LIQUID, 5), Part(PartKind.STAKED, 2, counted=False))
    found = AnswerColumns(range(3))
    found.add(answers([2, 0], [5, 1], subjects={0: B}, parts={0: parts}, facts={1: "{}"}), 0)
    found.fill(TIMEOUT)
    table = found.table(ASKED)
    assert table["subject"].to_pylist() == [A, B, B]
    assert table["facts"].to_pylist() == ["{}", "", ""]
    stored = msgspec.json.decode(table["parts"][2].as_py(), type=tuple[Part, ...])
    assert (stored, table["parts"][0].as_py()) == (parts, "")


def test_a_witness_that_agrees_makes_a_quorum() -> None:
    found = columns({0: 1, 1: "{}", 2: TIMEOUT})
    found.confirm(columns({0: 1, 1: "{}", 2: 9}, endpoint="two"))
    table = found.table(ASKED)
    assert table["source"].to_pylist() == ["quorum", "quorum", "single"]
    assert table["endpoint"].to_pylist() == ["one+two", "one+two", "one"]
    assert told(found)[2] == (None, "timeout")


@pytest.mark.parametrize(
    ("first", "second"), [(1, 2), (0, 1), (1, 0), ('{"code":true}', '{"code":false}'), ("{}", 0)]
)
def test_a_witness_that_disagrees_leaves_a_gap_that_nobody_may_count(
    first: int | str, second: int | str
) -> None:
    found = columns({0: first, 1: 5, 2: 6})
    found.confirm(columns({0: second, 1: 5, 2: 6}, endpoint="two"))
    assert told(found) == [(None, "witness-disagrees"), ("5", ""), ("6", "")]
    assert found.table(ASKED)["retryable"][0].as_py() is False


def test_a_witness_about_another_subject_disagrees() -> None:
    found = columns({0: 1, 1: 5, 2: 6})
    found.confirm(columns({0: 1, 1: 5, 2: 6}, endpoint="two", subjects={0: C}))
    assert told(found)[0] == (None, "witness-disagrees")


OTHERWISE = (Part(PartKind.LIQUID, 1), Part(PartKind.REWARD, 4, counted=False))


@pytest.mark.parametrize("other", [{}, {0: OTHERWISE}])
def test_a_witness_may_tell_other_parts_that_do_not_count(other: dict[int, Any]) -> None:
    found = columns({0: 1, 1: 5, 2: 6}, parts={0: (Part(PartKind.LIQUID, 1), EARNED)})
    found.confirm(columns({0: 1, 1: 5, 2: 6}, endpoint="two", parts=other))
    table = found.table(ASKED)
    assert table["source"].to_pylist() == ["quorum"] * 3
    kept = msgspec.json.decode(table["parts"][0].as_py(), type=tuple[Part, ...])
    assert EARNED in kept


def test_a_witness_that_says_another_part_counts_disagrees() -> None:
    parts = (Part(PartKind.LIQUID, 4), Part(PartKind.STAKED, 2))
    found = columns({0: 6, 1: 5, 2: 6}, parts={0: parts})
    found.confirm(columns({0: 6, 1: 5, 2: 6}, endpoint="two"))
    assert told(found)[0] == (None, "witness-disagrees")


def test_a_silent_witness_confirms_nothing() -> None:
    found = columns({0: 1, 1: 5, 2: 6})
    found.confirm(columns({0: TIMEOUT, 1: 5, 2: 6}, endpoint="two"))
    assert told(found)[0] == ("1", "")
    assert found.table(ASKED)["source"].to_pylist() == ["single", "quorum", "quorum"]


def attempt(said: dict[int, Any]) -> Any:
    """The table of one attempt that asked ``said`` by position within the shard."""
    asked = questions(QueryKind.BALANCE, ETH, [[A, B, C][p] for p in said])
    return columns(dict(enumerate(said.values())), list(said)).table(asked)


def merged(*attempts: dict[int, Any]) -> tuple[list[tuple[str | None, str]], list[int]]:
    numbers = list(range(1, len(attempts) + 1))
    found = merge([attempt(said) for said in attempts], numbers, "digest")
    assert found.table["position"].to_pylist() == [0, 1, 2]
    assert found.table["account"].to_pylist() == [A, B, C]
    pairs = zip(found.table["units"].to_pylist(), found.table["gap"].to_pylist(), strict=True)
    return list(pairs), list(found.attempts)


def test_an_observation_supersedes_a_gap_and_says_which_attempt_gave_it() -> None:
    found = merged({0: 1, 1: TIMEOUT, 2: TIMEOUT}, {1: 0, 2: TIMEOUT}, {2: 9})
    assert found == ([("1", ""), ("0", ""), ("9", "")], [1, 2, 3])


def test_of_two_gaps_the_later_stands() -> None:
    found = merged({0: 1, 1: TIMEOUT, 2: 3}, {1: Gap("state-pruned")})
    assert found == ([("1", ""), (None, "state-pruned"), ("3", "")], [1, 2, 1])


def test_a_later_gap_does_not_undo_an_observation() -> None:
    found = merged({0: 1, 1: 2, 2: 3}, {1: TIMEOUT})
    assert found == ([("1", ""), ("2", ""), ("3", "")], [1, 1, 1])


def test_an_equal_observation_changes_nothing() -> None:
    assert merged({0: 1, 1: 2, 2: 3}, {1: 2})[1] == [1, 1, 1]


@pytest.mark.parametrize(
    ("first", "second"), [(2, 3), (2, 0), (0, 2), ('{"owner":"a"}', '{"owner":"b"}')]
)
def test_two_unequal_observations_stop_the_run(first: int | str, second: int | str) -> None:
    with pytest.raises(EnvironmentFault, match="one of them is wrong") as caught:
        merged({0: 1, 1: first, 2: 3}, {1: second})
    for said in (first, second):
        assert str(said) in str(caught.value)
    with pytest.raises(EnvironmentFault):
        merged({0: 1, 1: first, 2: 3}, {1: TIMEOUT}, {1: second})


def test_open_positions_are_the_retryable_gaps_and_what_was_never_asked() -> None:
    found = merge([attempt({0: 1, 2: TIMEOUT})], [1], "digest")
    assert found.open_positions(4) == [1, 2, 3]
    final = merge([attempt({0: 1, 1: Gap("state-pruned"), 2: 3})], [1], "digest")
    assert final.open_positions(3) == []


def test_attempts_are_merged_from_disk_oldest_first(tmp_path: Path) -> None:
    run = new_run(tmp_path / "run")
    assert read_shard(run, "d") is None
    for number, said in enumerate(({0: 1, 1: TIMEOUT, 2: 3}, {1: 2}), start=1):
        run.write_table(shard_name("d", number), attempt(said))
    found = read_shard(run, "d")
    assert found is not None
    assert found.table["units"].to_pylist() == ["1", "2", "3"]
    assert found.attempts == [1, 2, 1]
    run.close()


class Decoder:
    """An adapter whose ``decode`` does what the test says."""

    def __init__(self, does: Any) -> None:
        self._does = does

    def decode(self, _asked: Any, _extract: Extract, _at: Snapshot) -> Answers:
        if isinstance(self._does, Exception):
            raise self._does
        return self._does


def decoded(does: Any) -> Answers:
    return decode(Decoder(does), ASKED, extract(0, 2), AT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        TypeError("x"),
        KeyError("x"),
        IndexError("x"),
        ZeroDivisionError("x"),
        AttributeError("x"),
        OverflowError("x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
    ],
)
def test_an_error_of_the_decoder_becomes_gaps_never_a_number(error: Exception) -> None:
    found = decoded(error)
    assert (found.positions, list(found.units)) == ([0, 2], [None, None])
    assert [gap.reason for gap in found.gaps.values()] == ["adapter-error"] * 2
    assert not any(gap.retryable for gap in found.gaps.values())


def test_a_chain_error_of_the_decoder_keeps_its_reason() -> None:
    assert decoded(Malformed("x")).gaps[1] == Gap("malformed-answer", detail="x")
    assert decoded(Unreachable("x")).gaps[0] == Gap("unreachable", retryable=True, detail="x")


def test_a_fatal_error_of_the_decoder_stops_the_run() -> None:
    with pytest.raises(WrongChain):
        decoded(WrongChain("x"))


@pytest.mark.parametrize(
    "wrong",
    [
        answers([0, 2], [1]),
        answers([0, 2], [1, 2, 3]),
        answers([0, 1], [1, 2]),
        answers([0, 2, 1], [1, 2, 3]),
        answers([0, -1], [1, 2]),
    ],
)
def test_answers_that_do_not_fit_the_extract_become_gaps(wrong: Answers) -> None:
    found = decoded(wrong)
    assert (list(found.units), found.gaps[0].reason) == ([None, None], "adapter-error")
