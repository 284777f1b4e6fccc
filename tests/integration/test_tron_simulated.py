"""The TRON adapter against simulated nodes: history, its absence, and who may be asked."""

from __future__ import annotations

import msgspec
import pytest
from tron_nodes import HEIGHT, asked, connected, pinned, short

from chains.adapters import tron
from chains.addresses.base58 import bytes_to_base58check
from chains.errors import Disagreement, NodeBehind, Unanswerable
from chains.model import Gap, Observation, PartKind, Source
from chains.simulated.tron import SOLID_DEPTH, TILL, TREASURY, SimulatedTron

pytestmark = pytest.mark.integration

RICH, LATE, GONE, NEVER = (bytes((i,)) * 20 for i in range(1, 5))
BALANCES = {RICH: 1_793_227_200, LATE: 5}


def text(account: bytes) -> str:
    return bytes_to_base58check(b"\x41" + account)


async def test_the_pinned_block_is_named_by_hash_and_time():
    node = SimulatedTron(HEIGHT, BALANCES)
    async with connected(node) as adapter:
        at = await pinned(adapter)
    assert at.block_hash == node.block_id(HEIGHT)
    assert at.time == node.block_time_ms(HEIGHT) // 1000
    assert at.canaries == (TILL.hex(),)


async def test_every_kind_of_account():
    node = SimulatedTron(
        HEIGHT,
        BALANCES,
        history={
            LATE: [(HEIGHT + 1, 5)],
            GONE: [(HEIGHT - 9, 7), (HEIGHT - 3, 0), (HEIGHT + 2, 9)],
        },
        created={LATE: 1_530_000_000_000 + 3_000 * HEIGHT + 1},
    )
    async with connected(node, own_node=True) as adapter:
        found = await asked(adapter, await pinned(adapter), (RICH, LATE, GONE, NEVER))
    assert {account: short(one) for account, one in found.items()} == {
        RICH: 1_793_227_200,
        LATE: 0,
        GONE: 0,
        NEVER: 0,
    }
    rich = found[RICH]
    assert isinstance(rich, Observation)
    assert rich.source is Source.OWN_NODE
    assert [part.kind for part in rich.parts] == [PartKind.LIQUID]


async def test_a_node_without_the_flag_is_not_asked():
    forgetful = SimulatedTron(HEIGHT, BALANCES)
    forgetful.history_flag = False
    async with connected(forgetful, SimulatedTron(HEIGHT, BALANCES)) as adapter:
        at = await pinned(adapter)
        assert at.rejected == {"n0": "canary-failed"}
        found = await asked(adapter, at, (RICH,))
    assert short(found[RICH]) == 1_793_227_200


async def test_a_flag_that_is_lost_after_the_pin_voids_everything():
    node = SimulatedTron(HEIGHT, BALANCES)
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.history_flag = False
        found = await asked(adapter, at, (RICH, NEVER))
    assert {short(one) for one in found.values()} == {"canary-wrong"}


async def test_a_flag_that_was_switched_on_late_makes_gaps_not_zeros():
    node = SimulatedTron(HEIGHT, BALANCES, history={RICH: [(HEIGHT - 500, 11)]})
    node.recorded_since = HEIGHT - 100
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), (RICH, NEVER))
    assert short(found[RICH]) == "no-record"
    assert short(found[NEVER]) == 0


@pytest.mark.parametrize("prints_zeros", [True, False])
async def test_a_zero_may_be_printed_or_left_out(prints_zeros):
    node = SimulatedTron(HEIGHT, BALANCES, history={GONE: [(5, 7), (6, 0)]})
    node.prints_zeros = prints_zeros
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), (GONE, NEVER))
    assert [short(one) for one in found.values()] == [0, 0]


async def test_a_contract_created_later_is_no_zero():
    node = SimulatedTron(
        HEIGHT,
        {},
        history={LATE: [(HEIGHT + 1, 5)]},
        created={LATE: 1_530_000_000_000 + 3_000 * HEIGHT + 1},
        contracts=[LATE],
    )
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), (LATE,))
    assert short(found[LATE]) == "no-record"


async def test_without_any_canary_no_zero_is_believed():
    node = SimulatedTron(HEIGHT, BALANCES)
    node.empty_blocks = True
    async with connected(node) as adapter:
        at = await pinned(adapter)
        assert at.canaries == ()
        found = await asked(adapter, at, (RICH, NEVER))
    assert short(found[RICH]) == 1_793_227_200
    assert short(found[NEVER]) == "zero-without-canary"


async def test_a_declared_canary_stands_in_for_an_empty_block():
    node = SimulatedTron(HEIGHT, BALANCES)
    node.empty_blocks = True
    async with connected(node, canaries=[text(TREASURY)]) as adapter:
        at = await pinned(adapter)
        assert at.canaries == (TREASURY.hex(),)
        assert short((await asked(adapter, at, (NEVER,)))[NEVER]) == 0


async def test_a_declared_canary_that_is_empty_rejects_the_endpoint():
    async with connected(SimulatedTron(HEIGHT, BALANCES), canaries=[text(NEVER)]) as adapter:
        at = await pinned(adapter)
        assert at.rejected == {"n0": "canary-failed"}
        assert short((await asked(adapter, at, (RICH,)))[RICH]) == "no-usable-endpoint"


async def test_endpoints_that_contradict_each_other_stop_the_run():
    other = SimulatedTron(HEIGHT, BALANCES)
    other.contradict = 1
    async with connected(SimulatedTron(HEIGHT, BALANCES), other) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        with pytest.raises(Disagreement, match="canary:"):
            adapter.snapshot(HEIGHT, exchanges)


@pytest.mark.parametrize(("confirmations", "accepted"), [(26, False), (27, True)])
async def test_without_a_solid_head_the_block_must_lie_deep(confirmations, accepted):
    node = SimulatedTron(HEIGHT, BALANCES, head=HEIGHT + confirmations)
    node.serves_solidity = False
    async with connected(node) as adapter:
        at = await pinned(adapter)
    assert (at.rejected == {}) is accepted
    assert accepted or at.rejected == {"n0": "node-behind"}


@pytest.mark.parametrize(("above", "accepted"), [(SOLID_DEPTH - 1, False), (SOLID_DEPTH, True)])
async def test_the_block_must_be_solidified(above, accepted):
    async with connected(SimulatedTron(HEIGHT, BALANCES, head=HEIGHT + above)) as adapter:
        at = await pinned(adapter)
    assert (at.rejected == {}) is accepted


async def test_a_node_that_has_not_seen_the_block_is_behind():
    async with connected(SimulatedTron(HEIGHT, BALANCES, head=HEIGHT - 1)) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        with pytest.raises(NodeBehind):
            adapter.snapshot(HEIGHT, exchanges)


async def test_errors_in_the_apis_own_form_are_gaps():
    node = SimulatedTron(HEIGHT, BALANCES)
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.fail_with = "class java.lang.IllegalAccessException : lack of computing resources"
        found = await asked(adapter, at, (RICH,))
        assert found[RICH] == Gap("rate-limited", retryable=True, detail=node.fail_with)
        exchanges = await adapter.pin(HEIGHT)
        with pytest.raises(Exception, match="rate-limited"):
            adapter.snapshot(HEIGHT, exchanges)


async def test_a_lite_node_without_block_0_is_not_believed():
    node = SimulatedTron(HEIGHT, BALANCES)
    async with connected(node) as adapter:
        exchanges = [
            msgspec.structs.replace(one, body=b"{}") if b'"num":0' in one.request.body else one
            for one in await adapter.pin(HEIGHT)
        ]
        with pytest.raises(Unanswerable, match="identity-unproven"):
            adapter.snapshot(HEIGHT, exchanges)


async def test_thousands_of_accounts_in_bounded_batches():
    balances = {(i * 7919).to_bytes(20, "big"): i for i in range(1, 1001)}
    node = SimulatedTron(HEIGHT, balances)
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), tuple(balances))
    assert {account: short(one) for account, one in found.items()} == balances
    assert node.calls["/wallet/getaccountbalance"] == 1 + 1000 + 1000 // tron.BATCH
