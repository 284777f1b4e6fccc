"""Solana accounts that were touched since the slot: what the transactions around it state."""

from __future__ import annotations

import pytest
from solana_nodes import asked, connected, pinned, short

from chains.adapters.solana import rules
from chains.model import Method, Observation, Part, PartKind
from chains.simulated.solana import SimulatedSolana
from chains.simulated.solana_ledger import Happened, stake_account

pytestmark = pytest.mark.integration

SLOT = 300_000_000
MOVED, OTHER, STAKE = (bytes((i,)) * 32 for i in range(1, 4))
RICH = 7_000_000_000


def moved(slot: int, before: int, after: int, account: bytes = MOVED, **more: object) -> Happened:
    return Happened(slot=slot, lamports={account: (before, after)}, **more)  # type: ignore[arg-type]


def node_with(*happened: Happened, now: int = RICH, account: bytes = MOVED) -> SimulatedSolana:
    node = SimulatedSolana(SLOT, {account: now, OTHER: RICH})
    node.happened = list(happened)
    return node


async def found(node: SimulatedSolana, account: bytes = MOVED, **params: object) -> object:
    async with connected(node, **params) as adapter:
        answers = await asked(adapter, await pinned(adapter, SLOT), (account, OTHER))
    assert short(answers[OTHER]) == RICH
    assert isinstance(answers[OTHER], Observation)
    assert answers[OTHER].method is Method.UNTOUCHED
    one = answers[account]
    if isinstance(one, Observation) and account == MOVED:
        assert one.method is Method.ROLLED_BACK
    return short(one)


async def test_the_transactions_on_both_sides_state_the_balance():
    node = node_with(
        moved(SLOT - 9, 1, 2), moved(SLOT, 2, 555), moved(SLOT + 1, 555, 9), moved(SLOT + 4, 9, 70)
    )
    assert await found(node) == 555


async def test_an_account_from_a_lookup_table_and_a_failed_transaction_count():
    node = node_with(
        moved(SLOT - 1, 2, 555, loaded=frozenset({MOVED})),
        moved(SLOT + 1, 555, 550, error=True),
    )
    assert await found(node) == 555


async def test_an_account_that_was_closed_since_is_rolled_back():
    assert await found(node_with(moved(SLOT - 3, 0, 555), moved(SLOT + 1, 555, 0), now=0)) == 555


async def test_an_account_that_came_since_was_empty_at_the_slot():
    assert await found(node_with(moved(SLOT + 1, 0, RICH))) == 0


async def test_a_credit_without_transaction_breaks_the_chain():
    node = node_with(moved(SLOT - 1, 0, 555), moved(SLOT + 1, 556, RICH))
    assert await found(node) == "no-history"


async def test_transactions_of_one_slot_in_a_wrong_order_break_the_chain():
    right = [moved(SLOT, 1, 2), moved(SLOT, 2, 555), moved(SLOT + 1, 555, RICH)]
    assert await found(node_with(*right)) == 555
    assert await found(node_with(right[1], right[0], right[2])) == "no-history"
    later = [moved(SLOT, 1, 5), moved(SLOT + 1, 5, 6), moved(SLOT + 1, 6, RICH)]
    assert await found(node_with(*later)) == 5
    assert await found(node_with(later[0], later[2], later[1])) == "no-history"


async def test_too_many_transactions_of_one_slot_are_not_read():
    many = [moved(SLOT, i, i + 1) for i in range(17)]
    node = node_with(*many, moved(SLOT + 1, 17, RICH))
    assert await found(node) == "no-history"
    assert "getTransaction" not in node.calls


async def test_short_pages_are_followed_to_the_slot_and_no_further():
    later = [moved(SLOT + i, 555 + i, 556 + i) for i in range(9)]
    node = node_with(moved(SLOT - 1, 1, 555), moved(SLOT, 555, 555), *later[1:])
    node.happened[2] = moved(SLOT + 1, 555, 557)
    node.page = 3
    assert await found(node) == 555
    node = node_with(*node.happened)
    node.page = 3
    assert await found(node, pages=2) == "no-history"


async def test_a_list_that_ends_says_nothing_on_a_pruned_ledger():
    node = node_with(moved(SLOT + 1, 0, RICH))
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        shown = {**at.detail, "first-available@n0": str(SLOT + 1)}
        at = type(at)(
            **{name: getattr(at, name) for name in at.__struct_fields__} | {"detail": shown}
        )
        answers = await asked(adapter, at, (MOVED,))
    assert short(answers[MOVED]) == "state-pruned"


async def test_another_transaction_than_the_one_asked_for_is_refused():
    node = node_with(moved(SLOT, 1, 555), moved(SLOT + 1, 555, RICH))
    node._methods["getTransaction"] = lambda _: node.happened[0].shown(0)
    assert await found(node) == "malformed-answer"


async def test_a_stake_account_without_reward_since_its_last_transaction():
    node = node_with(moved(SLOT - 5, 0, RICH, STAKE), account=STAKE)
    node.owners[STAKE] = rules.STAKE_PROGRAM
    node.data[STAKE] = stake_account(OTHER, RICH - 2_282_880, until=SLOT // 432_000)
    async with connected(node, epoch_slots=432_000) as adapter:
        answers = await asked(adapter, await pinned(adapter, SLOT), (STAKE,))
    one = answers[STAKE]
    assert isinstance(one, Observation)
    assert one.parts == (
        Part(PartKind.UNBONDING, RICH - 2_282_880),
        Part(PartKind.RESERVED, 2_282_880),
    )
    node.balances = {**node.balances, STAKE: RICH + 1}
    rewarded = SimulatedSolana(SLOT, node.balances, owners=node.owners)
    rewarded.data, rewarded.happened = node.data, node.happened
    assert await found(rewarded, STAKE) == "no-history"


async def test_a_stake_account_that_a_reward_may_have_reached_before_is_not_answered():
    node = node_with(moved(SLOT + 5, RICH, RICH, STAKE), account=STAKE)
    node.owners[STAKE] = rules.STAKE_PROGRAM
    node.data[STAKE] = stake_account(OTHER, RICH - 2_282_880)
    assert await found(node, STAKE) == "no-history"
