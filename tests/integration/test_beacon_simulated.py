"""The beacon adapter against simulated nodes: balances, control, answers not to be believed."""

from __future__ import annotations

import msgspec
import pytest
from beacon_crawl import (
    EXITED,
    HEIGHT,
    MISSED_AT,
    NEVER,
    OLD,
    OWNER,
    QUEUED,
    STAKED,
    TRUE,
    asked,
    connected,
    pinned,
    short,
    simulated,
)

from chains.adapters import beacon
from chains.control import decode
from chains.errors import Transient, Unanswerable
from chains.model import Observation, Part, PartKind, QueryKind
from chains.simulated.beacon import (
    ELECTRA_SLOT,
    GWEI,
    PROPOSER,
    SimulatedBeacon,
    SimulatedValidator,
)

pytestmark = pytest.mark.integration


async def test_a_node_without_blinded_blocks_or_states_by_root():
    node = simulated(missed=MISSED_AT)
    node.blinded = node.by_root = False
    async with connected(node, simulated(missed=MISSED_AT)) as adapter:
        at = await pinned(adapter)
        assert at.detail["state@n0"] == at.detail["slot"]
        assert at.detail["state@n1"] == at.detail["state_root"]
        for name in at.endpoints:
            alone = msgspec.structs.replace(at, endpoints=(name,))
            assert short(await asked(adapter, alone)) == TRUE


async def test_a_slot_whose_state_changes_its_root_is_another_block():
    node = simulated()
    node.by_root = False
    async with connected(node) as adapter:
        at = await pinned(adapter)
        real = node.state_root
        node.state_root = lambda slot: real(slot + 1)  # type: ignore[method-assign]
        node.header = lambda slot, old=node.header: {**old(slot), "state_root": real(slot)}  # type: ignore[method-assign,misc]
        assert set(short(await asked(adapter, at)).values()) == {"wrong-block"}


async def test_before_electra_there_are_no_queues():
    node = simulated(OLD)
    assert node.slot_of(OLD) < ELECTRA_SLOT
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter, OLD))
    assert short(found) == {**TRUE, QUEUED: 40 * GWEI}
    assert not [path for path in node.calls if "pending" in path]


async def test_without_the_queues_no_balance_is_complete():
    node = simulated()
    node.queues = False
    async with connected(node) as adapter:
        at = await pinned(adapter)
        assert set(short(await asked(adapter, at)).values()) == {"method-missing"}
        control = await asked(adapter, at, STAKED, kind=QueryKind.CONTROL)
    assert isinstance(control[STAKED], Observation)


async def test_a_deposit_to_a_key_that_is_no_validator_is_not_counted():
    node = simulated(orphans=[(NEVER, 32 * GWEI)])
    async with connected(node) as adapter:
        (found,) = (await asked(adapter, await pinned(adapter), NEVER)).values()
    assert isinstance(found, Observation)
    assert (found.units, found.parts[1]) == (0, Part(PartKind.RESERVED, 32 * GWEI, counted=False))


async def test_a_list_that_leaves_out_a_known_validator_makes_no_zero():
    node = simulated()
    node.drops = [STAKED]
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter))
    assert short(found) == {**TRUE, STAKED: "no-record"}


async def test_a_list_that_leaves_out_the_proposer_is_not_believed():
    node = simulated()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.drops = [PROPOSER]
        assert set(short(await asked(adapter, at)).values()) == {"canary-wrong"}
        again = await pinned(adapter)
    assert (again.endpoints, again.rejected) == ((), {"n0": "canary-failed"})


async def test_nothing_but_the_asked_keys_is_ever_asked():
    node = simulated()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, PROPOSER)
    assert short(found) == {PROPOSER: 32_003_141_592}


async def test_a_state_that_is_pruned_at_the_pin_or_later():
    node = simulated()
    node.forgets_states = True
    async with connected(node, simulated()) as adapter:
        at = await pinned(adapter)
        assert at.rejected == {"n0": "state-pruned"}
    node = simulated()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.forgets_states = True
        assert set(short(await asked(adapter, at)).values()) == {"state-pruned"}


@pytest.mark.parametrize(
    ("knob", "value", "reason"),
    [
        ("optimistic", True, "optimistic-answer"),
        ("finalized", False, "node-behind"),
        ("canonical", False, "reorganised"),
    ],
)
async def test_what_is_not_settled_is_not_pinned_nor_asked(knob, value, reason):
    node = simulated()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        setattr(node, knob, value)
        shown = {"reorganised": "wrong-block"}.get(reason, reason)
        assert set(short(await asked(adapter, at)).values()) == {shown}
        with pytest.raises((Transient, Unanswerable), match=reason):
            await pinned(adapter)


async def test_another_branch_after_the_pin_is_another_block():
    node = simulated()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.branch = 1
        assert set(short(await asked(adapter, at)).values()) == {"wrong-block"}


async def test_control_is_the_address_in_the_withdrawal_credentials():
    node = simulated()
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), kind=QueryKind.CONTROL)
    facts = {key: decode(one.facts) for key, one in found.items() if isinstance(one, Observation)}
    assert {key: one.exists for key, one in facts.items()} == {
        STAKED: True,
        QUEUED: True,
        EXITED: True,
        NEVER: False,
    }
    assert [dict(way.weights) for way in facts[STAKED].ways] == [{OWNER: 1}]
    assert facts[QUEUED].ways == ()
    assert facts[EXITED].notes["status"] == "withdrawal_done"


async def test_many_validators_in_few_requests():
    many = {
        i.to_bytes(48, "big"): SimulatedValidator(balance=i) for i in range(1, beacon.GROUP + 2)
    }
    node = SimulatedBeacon(HEIGHT, many)
    async with connected(node) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, *many)
    assert short(found) == {key: one.balance for key, one in many.items()}
    assert len([path for path in node.calls if path.endswith("/validators")]) == 1 + 2
