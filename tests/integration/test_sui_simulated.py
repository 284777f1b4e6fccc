"""The Sui adapter against simulated services: at the checkpoint, and when its balances are gone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import account_crawl
import msgspec
import pytest

from chains.adapters.sui import Adapter
from chains.addresses.base58 import bytes_to_base58
from chains.errors import NodeBehind
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Snapshot,
)
from chains.simulated.sui import SENDER, SimulatedSui

pytestmark = pytest.mark.integration

CHAIN = ChainId("sui:mainnet")
NATIVE = AssetId(f"{CHAIN}/slip44:784")
HEIGHT = 306_133_070
RICH, SPLIT, NEVER = (bytes((i,)) * 32 for i in range(1, 4))
TYPE = "0x" + "db" * 32 + "::usdc::USDC"
TOKEN = AssetId(f"{CHAIN}/coin:{TYPE.replace('::', '%3A%3A')}")
TRUE = {RICH: 2**63 + 1, SPLIT: 12, NEVER: 0}


def node(coins: Mapping[str, Mapping[bytes, int]] | None = None) -> SimulatedSui:
    return SimulatedSui(
        HEIGHT, {RICH: 2**63 + 1, SPLIT: 5}, address_balances={SPLIT: 7}, coins=coins
    )


def connected(*nodes: SimulatedSui, **params: object) -> AbstractAsyncContextManager[Adapter]:
    genesis = bytes_to_base58(nodes[0].genesis)
    spec = ChainSpec(
        id=CHAIN,
        name="Sui",
        adapter="sui",
        address="sui",
        native=NATIVE,
        params={"genesis_digest": genesis, **params},
    )
    return account_crawl.connected(Adapter, spec, *nodes, path="/graphql")


async def pinned(adapter: Adapter) -> Snapshot:
    return adapter.snapshot(HEIGHT, await adapter.pin(HEIGHT))


async def asked(
    adapter: Adapter,
    at: Snapshot,
    accounts: tuple[bytes, ...] = (RICH, SPLIT, NEVER),
    kind: QueryKind = QueryKind.BALANCE,
    asset: AssetId = NATIVE,
) -> Mapping[bytes, Observation | Gap]:
    return await account_crawl.asked(adapter, at, *accounts, asset=asset, kind=kind)


def units(found: Mapping[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    """Return units, or the reason of a gap."""
    return {
        account: answer.reason if isinstance(answer, Gap) else answer.units
        for account, answer in found.items()
    }


@pytest.mark.parametrize("long_identifier", [False, True])
async def test_balances_are_those_of_the_checkpoint_in_both_halves(long_identifier):
    one = node()
    one.long_identifier = long_identifier
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert at.block_hash == one.digest(HEIGHT)
        assert at.canaries == (SENDER.hex(),)
        found = await asked(adapter, at)
    assert units(found) == TRUE
    split = found[SPLIT]
    assert isinstance(split, Observation)
    assert split.parts == (Part(PartKind.LIQUID, 5), Part(PartKind.LIQUID, 7))


async def test_no_request_asks_for_more_than_a_service_takes():
    one = node()
    many = tuple(i.to_bytes(32, "big") for i in range(1, 100))
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter), many))
    assert set(found.values()) == {0}
    assert len(found) == 99
    assert max(one.rich) == Adapter.group + 1


async def test_a_service_without_the_other_half_is_not_believed():
    one = node()
    one.forgets_half = True
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter)))
    assert found == {**TRUE, SPLIT: "malformed-answer"}


async def test_balances_that_are_gone_are_no_history_before_and_after_the_pin():
    one = node()
    one.past.says_nothing = True
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.first_kept = HEIGHT + 1
        assert set(units(await asked(adapter, at)).values()) == {"no-history"}
        late = await pinned(adapter)
        assert (late.endpoints, late.canaries) == (("n0",), ())
        found = await asked(adapter, late)
    assert set(units(found).values()) == {"no-history"}
    assert all("capture" in gap.detail for gap in found.values() if isinstance(gap, Gap))


async def test_a_service_that_still_has_the_balances_is_preferred():
    old = node()
    old.first_kept = HEIGHT + 1
    async with connected(old, node()) as adapter:
        at = await pinned(adapter)
        assert at.endpoints == ("n1",)
        assert at.rejected == {"n0": "no-history"}
        assert units(await asked(adapter, at)) == TRUE


async def test_a_store_of_balances_that_is_late_is_behind_and_not_without_history():
    one = node()
    one.last_kept = HEIGHT - 1
    async with connected(one, node()) as adapter:
        at = await pinned(adapter)
    assert at.rejected == {"n0": "node-behind"}


async def test_a_service_that_is_behind_is_waited_for():
    one = node()
    one.newest = HEIGHT - 1
    async with connected(one) as adapter:
        with pytest.raises(NodeBehind):
            await pinned(adapter)


async def test_one_balance_that_fails_is_one_gap():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.null_for = {RICH}
        found = await asked(adapter, at)
        assert units(found) == {**TRUE, RICH: "server-error"}
        one.null_for = {SENDER}
        assert units(await asked(adapter, at)) == {**TRUE, NEVER: "server-error"}


async def test_an_answer_as_of_another_checkpoint_does_not_count():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.ignores_checkpoint = True
        assert set(units(await asked(adapter, at)).values()) == {"wrong-block"}


async def test_without_senders_only_zeros_are_doubted():
    one = node()
    one.no_senders = True
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter)))
    assert found == {**TRUE, NEVER: "zero-without-canary"}
    async with connected(one, canaries=["0x" + RICH.hex()]) as adapter:
        assert units(await asked(adapter, await pinned(adapter))) == TRUE


async def test_coins_count_with_their_metadata():
    one = node({TYPE: {RICH: 9}})
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert units(await asked(adapter, at, asset=TOKEN)) == {RICH: 9, SPLIT: 0, NEVER: 0}
        fact = (adapter, at, (RICH,), QueryKind.ASSET_FACT, TOKEN)
        (answer,) = (await asked(*fact)).values()
        assert isinstance(answer, Observation)
        assert msgspec.json.decode(answer.facts) == {"decimals": 6, "symbol": "USDC"}
        one.metadata[TYPE] = {"decimals": True, "symbol": "USDC"}
        assert set(units(await asked(*fact)).values()) == {"malformed-answer"}
        one.metadata.clear()
        assert set(units(await asked(*fact)).values()) == {"no-contract"}
        found = units(await asked(adapter, at, asset=TOKEN))
        assert found == {RICH: 9, SPLIT: "zero-without-canary", NEVER: "zero-without-canary"}


async def test_control_is_not_asked():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        before = one.requests
        found = units(await asked(adapter, at, kind=QueryKind.CONTROL))
        assert one.requests == before
    assert set(found.values()) == {"kind-unsupported"}


async def staking(*, then: str = "", **knobs: object) -> dict[bytes, int | str]:
    """Ask a service where RICH has two stakes and NEVER one and nothing else."""
    service = node()
    service.stakes = {RICH: [10**9, 5], NEVER: [7]}
    for name, value in knobs.items():
        setattr(service, name, value)
    async with connected(service) as adapter:
        at = await pinned(adapter)
        if then:
            setattr(service, then, True)
        found = await asked(adapter, at)
    return {who: one.reason if isinstance(one, Gap) else one.units for who, one in found.items()}


async def test_stakes_are_parts_that_count():
    service = node()
    service.stakes = {RICH: [10**9, 5], NEVER: [7]}
    async with connected(service) as adapter:
        found = await asked(adapter, await pinned(adapter))
    rich, never = found[RICH], found[NEVER]
    assert isinstance(rich, Observation)
    assert isinstance(never, Observation)
    assert rich.parts == (Part(PartKind.LIQUID, TRUE[RICH]), Part(PartKind.STAKED, 10**9 + 5))
    assert never.parts == (Part(PartKind.LIQUID, 0), Part(PartKind.STAKED, 7))
    assert (rich.units, never.units) == (TRUE[RICH] + 10**9 + 5, 7)


@pytest.mark.parametrize("most", [1, 50])
async def test_pool_tokens_are_a_gap_wherever_they_stand_in_the_list(most):
    found = await staking(most_objects=most, pool_tokens={RICH: 4, SPLIT: 0})
    assert found == {RICH: "rate-unread", SPLIT: "rate-unread", NEVER: 7}


POOL, LATE_POOL, GONE = (bytes((i,)) * 32 for i in (0xA1, 0xA2, 0xA3))


async def earned(**knobs: object) -> dict[bytes, tuple[int, list[int]]]:
    """Ask a service where RICH and NEVER have stakes in pools; returns totals and rewards."""
    service = node()
    service.stakes = {RICH: [1000, 1001], NEVER: [1002]}
    pools = service.pools
    pools.rates = {
        POOL: {5: (3, 2), 900: (2, 1)},
        LATE_POOL: {7: (0, 0), 900: (11, 10)},
    }
    pools.begun = {LATE_POOL: 7}
    pools.placed = {1000: (POOL, 5), 1001: (POOL, 901), 1002: (LATE_POOL, 6)}
    for name, value in knobs.items():
        setattr(pools, name, value)
    async with connected(service) as adapter:
        found = await asked(adapter, await pinned(adapter))
    return {
        who: (one.units, [part.units for part in one.parts if part.kind is PartKind.REWARD])
        for who, one in found.items()
        if isinstance(one, Observation)
    }


async def test_what_stake_has_earned_is_shown_and_does_not_count():
    # 1000 SUI at 3:2 are 666 tokens, which at 2:1 are 1332 SUI; 1001 does not count yet; 1002 was
    # there before its pool, one token for each SUI
    total = TRUE[RICH] + 2001
    assert await earned() == {RICH: (total, [332]), SPLIT: (12, []), NEVER: (1002, [100])}


@pytest.mark.parametrize(
    ("knobs", "rich", "never"),
    [
        ({"too_large": True}, [], []),
        ({"lost": {5}}, [], [100]),
        ({"lost": {900}}, [], []),
        ({"rates": {POOL: {5: (3, 2), 900: (1, 1)}}}, [], []),
        ({"placed": {1000: (POOL, 5), 1001: (GONE, 5)}}, [], []),
        ({"placed": {1000: (POOL, 5)}}, [], []),
        ({"lost": {5}, "placed": {1000: (POOL, 5), 1001: (LATE_POOL, 6)}}, [], []),
        ({"epoch": 5}, [], []),
    ],
    ids=[
        "too-large",
        "no-rate-then",
        "no-rate-now",
        "fell",
        "pool-gone",
        "untold",
        "in-part",
        "new",
    ],
)
async def test_rewards_that_cannot_be_read_change_no_total(knobs, rich, never):
    total = TRUE[RICH] + 2001
    assert await earned(**knobs) == {RICH: (total, rich), SPLIT: (12, []), NEVER: (1002, never)}


@pytest.mark.parametrize("most", [1, 2, 50])
async def test_stakes_of_all_pages_are_added(most):
    found = await staking(most_objects=most, stakes={RICH: [1, 2, 3, 4], SPLIT: [10, 20]})
    assert found == {RICH: TRUE[RICH] + 10, SPLIT: TRUE[SPLIT] + 30, NEVER: 0}


async def test_more_stakes_than_can_be_listed_are_a_gap_of_that_account():
    found = await staking(most_objects=1, stakes={RICH: [1] * 30})
    assert found == {RICH: "too-much-history", SPLIT: TRUE[SPLIT], NEVER: 0}


@pytest.mark.parametrize(
    ("knob", "reason"),
    [
        ("lists_nothing", "zero-without-canary"),
        ("no_objects", "method-missing"),
        ("odd_stakes", "malformed-answer"),
    ],
)
async def test_stakes_that_the_service_does_not_show_are_no_zeros(knob, reason):
    found = await staking(then=knob)
    staked = {RICH: reason, NEVER: reason}
    assert found == staked | {SPLIT: TRUE[SPLIT] if knob == "odd_stakes" else reason}


async def test_the_canary_that_shows_objects_owns_a_coin():
    service = node()
    service.address_balances[RICH] = 3
    rich = "0x" + SPLIT.hex()
    service.balances[SPLIT] = 0  # all that SPLIT has is its address balance
    async with connected(service, canaries=[rich]) as adapter:
        at = await pinned(adapter)
    assert at.canaries == (SENDER.hex(), SPLIT.hex())
