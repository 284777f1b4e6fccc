"""What a hostile node can bring about in any adapter: Gaps, and lies that are well formed.

The answers of an honest node are recorded once for each adapter of ``cases``; then one of them is
spoilt (``hostile``). Whatever comes of it, pinning ends in a snapshot or a ``ChainError``,
decoding in one answer per question, and a spoilt answer never in another number.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from adapter_cases import Case, cases
from hostile import Recorded, Spoilt, any_body, is_observed, lies, nonsense, recorded, with_body
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chains import heads
from chains.adapters import load
from chains.errors import ChainError
from chains.heads import TellsHead
from chains.model import Exchange, Extract, Gap, Observation, QueryKind, Questions, Snapshot
from chains.reasons import GAPS, SNAPSHOT
from tests.fuzzing import inputs

pytestmark = pytest.mark.property

CASES = cases()
CONTROLLED = [case for case in CASES if load(case.spec.adapter).capabilities.control]
PROVING = [
    case
    for case in CASES
    if load(case.spec.adapter).capabilities.proof_questions and case.name != "eip155"
]
"""Not ``eip155``: its node here has headers without real hashes (``test_eip155_proof_lies``)."""
relaxed = settings(
    max_examples=inputs(60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
each_adapter = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
Answer = Observation | Gap


def answers(
    one: Recorded, questions: Questions, extract: Extract, at: Snapshot
) -> dict[bytes, Answer]:
    """Decode one extract; fails where that breaks the contract of ``decode``."""
    said = one.adapter.decode(questions, extract, at)
    found = {questions.accounts[i]: answer for i, answer in said.each(questions)}
    assert list(found) == [questions.accounts[i] for i in extract.positions]
    for answer in found.values():
        is_observed(answer, questions.kind)
    return found


def spoilt_extract(extract: Extract, way: Any, data: st.DataObject) -> tuple[Extract, Spoilt]:
    """Spoil one of the extract's answers."""
    exchanges = list(extract.exchanges)
    i = data.draw(st.integers(0, len(exchanges) - 1), "exchange")
    spoilt = data.draw(way(exchanges[i].body), "spoilt")
    exchanges[i] = with_body(exchanges[i], spoilt.body)
    return msgspec.structs.replace(extract, exchanges=tuple(exchanges)), spoilt


def one_extract(one: Recorded, kind: QueryKind, data: st.DataObject) -> tuple[Questions, Extract]:
    questions, extracts = one.asked[kind]
    return questions, data.draw(st.sampled_from(extracts), "extract")


def is_true(case: Case, account: bytes, answer: Answer) -> bool:
    return isinstance(answer, Gap) or answer.units == case.ledger[account]


def snapshot(case: Case, one: Recorded, exchanges: list[Exchange]) -> Snapshot | None:
    """Resolve the moment; ``None`` where a ``ChainError`` says why that cannot be."""
    code = ""
    try:
        return one.adapter.snapshot(case.height, exchanges)
    except ChainError as error:
        code = error.code
    assert code in {**GAPS, **SNAPSHOT}
    return None


@each_adapter
def test_the_recorded_answers_are_whole_and_true(case: Case) -> None:
    one = recorded(case)
    for questions, extracts in one.asked.values():
        for extract in extracts:
            found = answers(one, questions, extract, one.at)
            if questions.kind is QueryKind.BALANCE:
                assert all(isinstance(answer, Observation) for answer in found.values())
                assert all(is_true(case, *each) for each in found.items())


@each_adapter
@relaxed
@given(data=st.data())
def test_nonsense_in_an_answer_changes_no_number(case: Case, data: st.DataObject) -> None:
    one = recorded(case)
    questions, extract = one_extract(one, QueryKind.BALANCE, data)
    extract, _ = spoilt_extract(extract, nonsense, data)
    for account, answer in answers(one, questions, extract, one.at).items():
        assert is_true(case, account, answer)


@each_adapter
@relaxed
@given(data=st.data())
def test_a_lie_in_an_answer_ends_in_a_number_or_a_gap(case: Case, data: st.DataObject) -> None:
    one = recorded(case)
    questions, extract = one_extract(one, QueryKind.BALANCE, data)
    extract, _ = spoilt_extract(extract, lies, data)
    answers(one, questions, extract, one.at)


@each_adapter
@relaxed
@given(data=st.data())
def test_an_answer_that_says_nothing_is_no_number(case: Case, data: st.DataObject) -> None:
    one = recorded(case)
    body = data.draw(any_body())
    for questions, extracts in one.asked.values():
        for extract in extracts:
            said = tuple(with_body(exchange, body) for exchange in extract.exchanges)
            changed = msgspec.structs.replace(extract, exchanges=said)
            found = answers(one, questions, changed, one.at)
            if questions.kind is QueryKind.BALANCE:
                assert all(isinstance(answer, Gap) for answer in found.values())


@pytest.mark.parametrize("case", CONTROLLED, ids=lambda case: case.name)
@relaxed
@given(data=st.data())
def test_no_answer_about_control_fails(case: Case, data: st.DataObject) -> None:
    one = recorded(case)
    questions, extract = one_extract(one, QueryKind.CONTROL, data)
    way = data.draw(st.sampled_from((nonsense, lies)))
    answers(one, questions, spoilt_extract(extract, way, data)[0], one.at)


@pytest.mark.parametrize("case", PROVING, ids=lambda case: case.name)
@relaxed
@given(data=st.data())
def test_no_lie_in_a_proof_proves_another_number(case: Case, data: st.DataObject) -> None:
    one = recorded(case)
    questions, extract = one_extract(one, QueryKind.PROOF, data)
    way = data.draw(st.sampled_from((nonsense, lies)))
    extract, _ = spoilt_extract(extract, way, data)
    for account, answer in answers(one, questions, extract, one.at).items():
        assert is_true(case, account, answer)


@each_adapter
@relaxed
@given(data=st.data())
def test_a_spoilt_pin_stops_the_run_or_changes_no_number(case: Case, data: st.DataObject) -> None:
    one = recorded(case)
    exchanges = list(one.pin)
    i = data.draw(st.integers(0, len(exchanges) - 1), "exchange")
    way = data.draw(st.sampled_from((nonsense, lies)))
    exchanges[i] = with_body(exchanges[i], data.draw(way(exchanges[i].body), "spoilt").body)
    at = snapshot(case, one, exchanges)
    if at is None:
        return
    assert set(at.rejected.values()) <= {*GAPS, *SNAPSHOT}
    if not at.endpoints:
        return  # nobody is asked anything further
    questions, extracts = one.asked[QueryKind.BALANCE]
    for extract in extracts:
        for account, answer in answers(one, questions, extract, at).items():
            assert is_true(case, account, answer)


@each_adapter
@relaxed
@given(data=st.data())
def test_any_head_is_a_height_that_can_be_shown_or_a_gap(case: Case, data: st.DataObject) -> None:
    one = recorded(case)
    exchanges = list(one.head)
    if not exchanges:
        return  # this adapter tells no head
    i = data.draw(st.integers(0, len(exchanges) - 1), "exchange")
    way = data.draw(st.sampled_from((nonsense, lies)))
    exchanges[i] = with_body(exchanges[i], data.draw(way(exchanges[i].body), "spoilt").body)
    assert isinstance(one.adapter, TellsHead)
    found = heads._read(one.adapter, exchanges)
    if isinstance(found, Gap):
        assert found.reason in {**GAPS, **SNAPSHOT}
        assert found.reason != "adapter-error"
    else:
        assert 0 <= found < heads.HIGHEST
