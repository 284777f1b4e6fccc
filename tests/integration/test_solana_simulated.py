"""The Solana adapter against simulated nodes: at the slot, after it, and behind it."""

from __future__ import annotations

import pytest
from solana_nodes import asked, connected, pinned, short

from chains.adapters.solana import rules
from chains.errors import NodeBehind, Unanswerable
from chains.model import Method, Observation
from chains.simulated.solana import SimulatedSolana
from chains.simulated.solana_ledger import stake_account

pytestmark = pytest.mark.integration

SLOT = 300_000_000
IDLE, MOVED, NEVER, CLOSED, STAKE = (bytes((i,)) * 32 for i in range(1, 6))
BALANCES = {IDLE: 2**53 + 1, MOVED: 5_000_000, STAKE: 9_000_000}


async def test_the_pinned_block_is_named_by_hash_time_and_parent():
    node = SimulatedSolana(SLOT, BALANCES, skipped=[SLOT - 1])
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
    assert at.block_hash == node.block_hash(SLOT)
    assert at.detail["parent-hash"] == node.block_hash(SLOT - 2)
    assert at.time == 1_584_368_940 + SLOT * 2 // 5


async def test_every_kind_of_account_after_the_slot():
    node = SimulatedSolana(
        SLOT,
        BALANCES,
        touched={MOVED: SLOT + 1, CLOSED: SLOT - 5},
        owners={STAKE: rules.STAKE_PROGRAM},
    )
    async with connected(node) as adapter:
        accounts = (IDLE, MOVED, NEVER, CLOSED, STAKE)
        found = await asked(adapter, await pinned(adapter, SLOT), accounts)
    assert {account: short(one) for account, one in found.items()} == {
        IDLE: 2**53 + 1,
        MOVED: "state-pruned",
        NEVER: 0,
        CLOSED: 0,
        STAKE: "state-pruned",
    }
    idle = found[IDLE]
    assert isinstance(idle, Observation)
    assert idle.method is Method.UNTOUCHED


async def test_at_the_slot_itself_everything_is_answered():
    node = SimulatedSolana(SLOT, BALANCES, finalized=SLOT, owners={STAKE: rules.STAKE_PROGRAM})
    node.data[STAKE] = stake_account(IDLE, 6_000_000)
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter, SLOT), (IDLE, MOVED, NEVER, STAKE))
    assert [short(found[one]) for one in (IDLE, MOVED, NEVER)] == [2**53 + 1, 5_000_000, 0]
    assert {one.method for one in found.values() if isinstance(one, Observation)} == {Method.STATE}
    assert "getSignaturesForAddress" not in node.calls


async def test_an_account_touched_between_the_two_questions_is_seen():
    node = SimulatedSolana(SLOT, BALANCES)
    real = node._accounts

    def then_touch(params):
        answer = real(params)
        node.touched[IDLE] = node.finalized = node.finalized + 1
        return answer

    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        node._methods["getMultipleAccounts"] = then_touch
        found = await asked(adapter, at, (IDLE,))
    assert short(found[IDLE]) == "state-pruned"  # the node lists a transaction that it lacks


async def test_a_lagging_list_of_transactions_says_nothing():
    node = SimulatedSolana(SLOT, BALANCES, touched={MOVED: SLOT + 49})
    node.index_lag = 10
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter, SLOT), (IDLE, MOVED, NEVER))
    assert {short(one) for one in found.values()} == {"node-behind"}


async def test_a_pruned_ledger_rejects_the_endpoint():
    pruned = SimulatedSolana(SLOT, BALANCES)
    pruned.first_available = SLOT + 1
    async with connected(pruned, SimulatedSolana(SLOT, BALANCES)) as adapter:
        at = await pinned(adapter, SLOT)
    assert at.rejected == {"n0": "state-pruned"}


async def test_a_node_without_transaction_history_answers_nothing():
    node = SimulatedSolana(SLOT, BALANCES)
    node.keeps_signatures = False
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter, SLOT), (IDLE, NEVER))
    assert {short(one) for one in found.values()} == {"method-missing"}


@pytest.mark.parametrize("ignores_minimum", [True, False])
async def test_a_backend_that_falls_behind_after_the_pin_answers_nothing(ignores_minimum):
    node = SimulatedSolana(SLOT, BALANCES)
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        node.finalized = SLOT - 1
        node.ignores_minimum = ignores_minimum
        found = await asked(adapter, at, (IDLE, NEVER))
    assert {short(one) for one in found.values()} == {"node-behind"}


async def test_a_node_without_the_standing_accounts_is_rejected():
    node = SimulatedSolana(SLOT, BALANCES)
    node.null_for_everything = True
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        assert at.rejected == {"n0": "canary-failed"}
        found = await asked(adapter, at, (IDLE, NEVER))
    assert {short(one) for one in found.values()} == {"no-usable-endpoint"}


async def test_a_skipped_slot_is_said_to_be_one():
    async with connected(SimulatedSolana(SLOT, BALANCES, skipped=[SLOT])) as adapter:
        exchanges = await adapter.pin(SLOT)
        with pytest.raises(Unanswerable, match="block height") as caught:
            adapter.snapshot(SLOT, exchanges)
    assert caught.value.code == "slot-skipped"


async def test_one_node_that_jumped_over_a_slot_does_not_hide_its_block():
    jumped = SimulatedSolana(SLOT, BALANCES, skipped=[SLOT])
    async with connected(jumped, SimulatedSolana(SLOT, BALANCES)) as adapter:
        at = await pinned(adapter, SLOT)
    assert at.rejected == {"n0": "slot-skipped"}
    assert at.endpoints == ("n1",)


async def test_a_future_slot_is_behind():
    async with connected(SimulatedSolana(SLOT, BALANCES)) as adapter:
        exchanges = await adapter.pin(SLOT + 51)
        with pytest.raises(NodeBehind):
            adapter.snapshot(SLOT + 51, exchanges)


async def test_arrays_too_long_for_the_provider_are_gaps():
    node = SimulatedSolana(SLOT, BALANCES)
    node.most_calls = 5
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter, SLOT), (*BALANCES, NEVER, CLOSED))
    assert {short(one) for one in found.values()} == {"rpc-error"}
    fresh = SimulatedSolana(SLOT, BALANCES)
    fresh.most_calls = 5
    async with connected(fresh, calls=5) as adapter:
        found = await asked(adapter, await pinned(adapter, SLOT), (*BALANCES, NEVER, CLOSED))
    assert all(isinstance(one, Observation) for one in found.values())


@pytest.mark.parametrize("shuffles", [True, False])
async def test_thousands_of_accounts_in_batches(shuffles):
    balances = {(i * 7919).to_bytes(32, "big"): 10**9 + i for i in range(1, 1001)}
    node = SimulatedSolana(SLOT, balances)
    node.shuffles = shuffles
    async with connected(node, calls=100) as adapter:
        found = await asked(adapter, await pinned(adapter, SLOT), tuple(balances))
    assert {account: short(one) for account, one in found.items()} == balances
    assert node.calls["getMultipleAccounts"] == 1 + 11
