"""What one more round asks: the same whatever the order in which rows ask, and within the limit."""

from __future__ import annotations

import itertools

import pytest

from chains.model import QueryKind
from crawler.asking.plan import ControlQuestion
from crawler.asking.rounds import next_round
from tests.unit.ledger_rows import BNB, BNB_COIN, ETH, EVM, HEIGHT, WORLD, A, B, C, questions

pytestmark = pytest.mark.unit

FOUND = [
    (HEIGHT, ControlQuestion(QueryKind.CONTROL, EVM, B)),
    (HEIGHT, ControlQuestion(QueryKind.CONTROL, EVM, A)),
    (HEIGHT + 1, ControlQuestion(QueryKind.CONTROL, EVM, A)),
    (HEIGHT, ControlQuestion(QueryKind.CONTROL, BNB, C)),
]
WHOLE = [
    questions(QueryKind.CONTROL, ETH, [A, B]),
    questions(QueryKind.CONTROL, ETH, [A], HEIGHT + 1),
    questions(QueryKind.CONTROL, BNB_COIN, [C]),
]


def test_a_round_is_the_same_in_any_order() -> None:
    for order in itertools.permutations(FOUND):
        assert next_round(WORLD, order, 100) == WHOLE


@pytest.mark.parametrize(("most", "expected"), [(3, WHOLE[:2]), (2, WHOLE[:1]), (0, []), (-5, [])])
def test_a_run_asks_no_more_than_its_limit(most: int, expected: list[object]) -> None:
    assert next_round(WORLD, FOUND, most) == expected
