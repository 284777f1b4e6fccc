"""The Substrate adapter against simulated nodes: parts, assets, and everything that is no zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from account_crawl import asked, connected, pinned, short

from chains.adapters.substrate import Adapter, storage
from chains.addresses import ss58
from chains.errors import Disagreement, Unanswerable
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Snapshot,
)
from chains.simulated.substrate import TREASURY, TREASURY_UNITS, SimulatedSubstrate

pytestmark = pytest.mark.integration

HUB = "polkadot:68d56f15f85d3136970ec16946040bc1"
CHAIN = ChainId("polkadot:91b171bb158e2d3848fa23a9f1c25182")
NATIVE = AssetId(f"{CHAIN}/slip44:354")
USDT = AssetId(f"{CHAIN}/asset:1984")
HEIGHT = 28_000_000
RICH, SPLIT, HELD, NEVER = (bytes((i,)) * 32 for i in (1, 2, 3, 4))
BALANCES = {RICH: 2**53 + 1, SPLIT: 10**12}
TOKENS = {1984: {RICH: 2**64, SPLIT: 5}, 7: {RICH: 1}}


def spec(**params: Any) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Polkadot",
        adapter="substrate",
        address="ss58",
        address_params={"prefix": 0},
        native=NATIVE,
        params={"genesis_hash": node_of().genesis[2:], **params},
    )


def node_of(height: int = HEIGHT, **fields: Any) -> SimulatedSubstrate:
    reserved, frozen = {SPLIT: 7 * 10**9, HELD: 3}, {SPLIT: 10**11}
    given = {"reserved": reserved, "frozen": frozen, "assets": TOKENS, **fields}
    return SimulatedSubstrate(height, BALANCES, **given)


async def tokens(
    adapter: Adapter, at: Snapshot, *accounts: bytes, asset: AssetId = USDT, fact: bool = False
) -> list[Observation | Gap]:
    kind = QueryKind.ASSET_FACT if fact else QueryKind.BALANCE
    questions = Questions(
        kind=kind, chain=CHAIN, height=at.height, asset=asset, accounts=tuple(sorted(accounts))
    )
    found = {
        position: answer
        async for extract in adapter.extract(questions, at)
        for position, answer in adapter.decode(questions, extract, at).each(questions)
    }
    return [found[position] for position in range(len(accounts))]


async def found_of(
    node: SimulatedSubstrate, *accounts: bytes, height: int = HEIGHT, **params: Any
) -> list[int | str]:
    async with connected(Adapter, spec(**params), node) as adapter:
        found = await asked(adapter, await pinned(adapter, height), *accounts)
    return [short(found[account]) for account in accounts]


async def after_the_pin(change: Mapping[str, Any]) -> set[int | str]:
    """Return what a node says that changes after the pin."""
    node = node_of()
    async with connected(Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        for name, value in change.items():
            setattr(node, name, value)
        found = [*(await asked(adapter, at, RICH, NEVER)).values()]
        found += await tokens(adapter, at, RICH, NEVER)
        return {short(one) for one in found}


@pytest.mark.parametrize("old", [False, True])
async def test_free_and_reserved_are_added_and_frozen_is_only_shown(old):
    node = node_of()
    node.old_shape = old
    async with connected(Adapter, spec(), node) as adapter:
        found = await asked(adapter, await pinned(adapter, HEIGHT), RICH, SPLIT, HELD, NEVER)
    assert [short(found[one]) for one in (RICH, SPLIT, HELD, NEVER)] == [
        2**53 + 1,
        10**12 + 7 * 10**9,
        3,
        0,
    ]
    split = found[SPLIT]
    assert isinstance(split, Observation)
    assert split.parts == (
        Part(PartKind.LIQUID, 10**12),
        Part(PartKind.RESERVED, 7 * 10**9),
        Part(PartKind.FROZEN, 10**11, counted=False),
    )


async def test_an_asset_has_balances_and_facts_of_its_own():
    async with connected(Adapter, spec(), node_of()) as adapter:
        at = await pinned(adapter, HEIGHT)
        found = await tokens(adapter, at, RICH, SPLIT, NEVER)
        assert [short(one) for one in found] == [2**64, 5, 0]
        other = await tokens(adapter, at, RICH, SPLIT, asset=AssetId(f"{CHAIN}/asset:7"))
        assert [short(one) for one in other] == [1, 0]
        (fact,) = await tokens(adapter, at, b"1984", fact=True)
        assert isinstance(fact, Observation)
        assert msgspec.json.decode(fact.facts) == {"decimals": 6, "symbol": "USDt"}


async def test_an_asset_that_nobody_has_is_no_zero():
    async with connected(Adapter, spec(), node_of()) as adapter:
        at = await pinned(adapter, HEIGHT)
        missing = AssetId(f"{CHAIN}/asset:1985")
        found = await tokens(adapter, at, RICH, NEVER, asset=missing)
        assert {short(one) for one in found} == {"zero-without-canary"}
        (fact,) = await tokens(adapter, at, b"1985", asset=missing, fact=True)
        assert short(fact) == "no-contract"


@pytest.mark.parametrize("reference", ["01984", "4294967296", "-1", "x", "1984%20", "٣", "9" * 999])
async def test_what_is_no_number_of_an_asset_is_not_asked(reference):
    node = node_of()
    async with connected(Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        before = node.requests
        found = await tokens(adapter, at, RICH, asset=AssetId(f"{CHAIN}/asset:{reference}"))
        assert short(found[0]) == "asset-unsupported"
        assert node.requests == before


async def test_the_relays_empty_account_after_the_move_is_no_zero():
    after = 28_500_000
    node = node_of(after)
    node.moved = True
    move = {"moved_to": HUB, "moved_during": [28_490_502, 28_495_696]}
    assert await found_of(node, RICH, NEVER, TREASURY, height=after, **move) == [
        "moved-elsewhere",
        "moved-elsewhere",
        TREASURY_UNITS,
    ]
    async with connected(Adapter, spec(**move), node) as adapter:
        gap = (await asked(adapter, await pinned(adapter, after), RICH))[RICH]
    assert isinstance(gap, Gap)
    assert HUB in gap.detail


async def test_before_the_move_and_of_another_asset_an_empty_account_is_a_zero():
    move = {"moved_to": HUB, "moved_during": [HEIGHT + 1, HEIGHT + 2]}
    assert await found_of(node_of(), RICH, NEVER, **move) == [2**53 + 1, 0]
    async with connected(Adapter, spec(**move | {"moved_during": [1, 2]}), node_of()) as adapter:
        found = await tokens(adapter, await pinned(adapter, HEIGHT), RICH, NEVER)
    assert [short(one) for one in found] == [2**64, 0]


@pytest.mark.parametrize(
    ("during", "expected"),
    [([HEIGHT - 2, HEIGHT - 1], 0), ([HEIGHT - 2, HEIGHT], "moved-elsewhere")],
)
async def test_a_hub_shows_nothing_by_empty_accounts_while_balances_arrive(during, expected):
    move = {"moved_from": HUB, "moved_during": during}
    assert await found_of(node_of(), RICH, NEVER, **move) == [2**53 + 1, expected]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answers_head": True}, "wrong-block"),
        ({"forgets_everything": True}, "zero-without-canary"),
        ({"pruned": [HEIGHT]}, "state-pruned"),
        ({"moved": True, "balances": {}}, "canary-wrong"),
        ({"balances": {}, "reserved": {TREASURY: 1}}, "canary-wrong"),
        ({"lies": {storage.NOW: None}}, "zero-without-canary"),
        ({"lies": {storage.NOW: "0x"}}, "wrong-block"),
        ({"lies": {storage.NOW: 7}}, "malformed-answer"),
        ({"lacks": ["state_queryStorageAt", "state_getStorage"]}, "method-missing"),
    ],
)
async def test_what_changes_after_the_pin_is_no_answer(change, reason):
    assert await after_the_pin(change) == {reason}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("0x", "malformed-answer"),
        ("0x" + "00" * 84, "malformed-answer"),
        ("0x" + "00" * 72, "malformed-answer"),
        (0, "malformed-answer"),
        ("", "malformed-answer"),
        ({"free": 0}, "malformed-answer"),
    ],
)
async def test_a_value_of_another_shape_is_no_zero(value, reason):
    node = node_of()
    node.lies = {storage.account_key(NEVER): value}
    assert (await found_of(node, RICH, NEVER))[1] == reason


async def test_an_account_with_zeros_under_its_key_has_nothing():
    node = node_of()
    node.lies = {storage.account_key(NEVER): "0x" + "00" * 80}
    assert await found_of(node, RICH, NEVER) == [2**53 + 1, 0]


async def test_each_key_is_asked_alone_where_many_at_once_are_not_offered():
    node = node_of()
    node.lacks = ["state_queryStorageAt"]
    assert await found_of(node, RICH, SPLIT, NEVER) == [2**53 + 1, 10**12 + 7 * 10**9, 0]


@pytest.mark.parametrize("value", ["", "0x0", "00", 0, [], False])
async def test_a_value_of_another_shape_is_no_zero_when_asked_alone_either(value):
    node = node_of()
    node.lacks = ["state_queryStorageAt"]
    node.lies = {storage.account_key(NEVER): value}
    assert await found_of(node, RICH, NEVER) == ["malformed-answer"] * 2


async def test_the_block_of_another_height_is_not_the_pinned_one():
    node = node_of()
    node.off_by = -1
    async with connected(Adapter, spec(), node) as adapter:
        with pytest.raises(Unanswerable) as error:
            await pinned(adapter, HEIGHT)
    assert error.value.code == "wrong-block"


async def test_a_block_that_is_answered_with_nulls_pins_nothing():
    node = node_of()
    node.nulls_for_unknown = True
    async with connected(Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        elsewhere = msgspec.structs.replace(at, block_hash="0x" + "11" * 32)
        found = await asked(adapter, elsewhere, RICH, NEVER)
    assert {short(one) for one in found.values()} == {"zero-without-canary"}


async def test_a_node_without_the_state_is_not_asked():
    pruned = node_of()
    pruned.pruned = [HEIGHT]
    async with connected(Adapter, spec(), pruned, node_of()) as adapter:
        at = await pinned(adapter, HEIGHT)
        assert (at.endpoints, at.rejected) == (("n1",), {"n0": "state-pruned"})
        assert [short(one) for one in (await asked(adapter, at, RICH)).values()] == [2**53 + 1]


@pytest.mark.parametrize(
    ("knobs", "reason"),
    [
        ({"lacks": ["state_getKeysPaged"]}, "method-missing"),
        ({"lies": {storage.account_key(TREASURY): None}, "balances": {}}, "canary-failed"),
        ({"lies": {storage.NOW: None}}, "canary-failed"),
        ({"forgets_everything": True}, "canary-failed"),
    ],
)
async def test_a_node_that_shows_no_canary_is_not_asked(knobs, reason):
    node = SimulatedSubstrate(HEIGHT, {})
    for name, value in knobs.items():
        setattr(node, name, value)
    async with connected(Adapter, spec(), node) as adapter:
        assert (await pinned(adapter, HEIGHT)).rejected == {"n0": reason}


async def test_a_node_that_does_not_tell_its_chain_is_not_believed():
    node = node_of()
    node.lacks = ["chain_getBlockHash"]
    async with connected(Adapter, spec(), node) as adapter:
        with pytest.raises(Unanswerable) as error:
            await pinned(adapter, HEIGHT)
    assert error.value.code == "identity-unproven"


async def test_a_height_that_the_node_has_left_out_is_pruned():
    node = node_of()
    async with connected(Adapter, spec(), node) as adapter:
        with pytest.raises(Unanswerable) as error:
            await pinned(adapter, HEIGHT - 1000)
    assert error.value.code == "state-pruned"


async def test_canaries_of_the_configuration_are_used_instead_of_the_state():
    node = node_of()
    node.lacks = ["state_getKeysPaged"]
    named = [ss58.encode(account, {"prefix": 0}) for account in (NEVER, SPLIT)]
    async with connected(Adapter, spec(canaries=named), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        assert at.canaries == (SPLIT.hex(),)
        found = await asked(adapter, at, RICH, SPLIT)
    assert [short(found[one]) for one in (RICH, SPLIT)] == [2**53 + 1, 10**12 + 7 * 10**9]


async def test_the_order_of_the_answers_does_not_matter():
    reversing = node_of()
    reversing.reverses = True
    async with connected(Adapter, spec(), node_of(), reversing) as adapter:
        at = await pinned(adapter, HEIGHT)
        assert at.endpoints == ("n0", "n1")
        both = msgspec.structs.replace(at, endpoints=("n1",))
        found = await asked(adapter, both, RICH, NEVER)
    assert [short(found[one]) for one in (RICH, NEVER)] == [2**53 + 1, 0]


async def test_endpoints_with_another_state_of_one_block_stop_the_run():
    honest, liar = (SimulatedSubstrate(HEIGHT, {}) for _ in range(2))
    liar.balances[TREASURY] += 1
    async with connected(Adapter, spec(), honest, liar) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        with pytest.raises(Disagreement):
            adapter.snapshot(HEIGHT, exchanges)


async def test_balances_are_those_of_the_height():
    later = {HEIGHT: {RICH: 5}, HEIGHT + 1: {RICH: 0, NEVER: 8}}
    for height, expected in ((HEIGHT - 1, [2**53 + 1, 0]), (HEIGHT, [5, 0]), (HEIGHT + 1, [0, 8])):
        assert await found_of(node_of(later=later), RICH, NEVER, height=height) == expected


async def test_more_accounts_than_one_request_are_all_answered():
    accounts = [i.to_bytes(32, "big") for i in range(1, 2502)]
    held = {account: i % 3 for i, account in enumerate(accounts)}
    node = SimulatedSubstrate(HEIGHT, held)
    assert await found_of(node, *accounts, batch=400) == [*held.values()]
    assert node.requests == 7 + 3 + 3 + 2  # the pin, then 1000, 1000 and 501 accounts


async def test_who_controls_an_account_is_not_asked():
    async with connected(Adapter, spec(), node_of()) as adapter:
        at = await pinned(adapter, HEIGHT)
        found = await asked(adapter, at, RICH, kind=QueryKind.CONTROL)
    assert short(found[RICH]) == "kind-unsupported"
