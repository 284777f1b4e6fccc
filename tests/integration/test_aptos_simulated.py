"""The Aptos adapter against simulated nodes: versions, blocks, tokens, stake and control."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import account_crawl
import msgspec
import pytest
from aiohttp import web

from chains import control
from chains.adapters.aptos import Adapter, wire
from chains.errors import Disagreement, NodeBehind, Unanswerable
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
from chains.simulated.aptos import PAYER, SimulatedAptos
from crawler.asking.control import judge_signers

pytestmark = pytest.mark.integration

CHAIN = ChainId("aptos:1")
NATIVE = AssetId(f"{CHAIN}/slip44:637")
VERSION = 3_363_904_007
RICH, LARGE, NEVER, OTHER = (bytes((i,)) * 32 for i in range(1, 5))
METADATA, POOL, ROTATED = (bytes((i,)) * 32 for i in range(0x70, 0x73))
BALANCES = {RICH: 150_000_000, LARGE: 2**64 - 1, OTHER: 1}
TOKEN = AssetId(f"{CHAIN}/fungible:{wire.text(METADATA)}")
ALL = (RICH, LARGE, NEVER, OTHER)


def node(**given: object) -> SimulatedAptos:
    return SimulatedAptos(VERSION, BALANCES, **given)  # type: ignore[arg-type]


def connected(*nodes: SimulatedAptos, **params: object) -> AbstractAsyncContextManager[Adapter]:
    spec = ChainSpec(
        id=CHAIN,
        name="Aptos",
        adapter="aptos",
        address="aptos",
        native=NATIVE,
        params={"chain_id": 1, **params},
    )
    return account_crawl.connected(Adapter, spec, *nodes, path="/v1")


async def pinned(adapter: Adapter, height: int = VERSION) -> Snapshot:
    return adapter.snapshot(height, await adapter.pin(height))


async def asked(
    adapter: Adapter,
    at: Snapshot,
    accounts: tuple[bytes, ...] = ALL,
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


TRUE = {RICH: 150_000_000, LARGE: 2**64 - 1, NEVER: 0, OTHER: 1}


async def test_balances_are_those_of_the_version_and_every_question_names_it():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert at.canaries == (PAYER.hex(),)
        assert units(await asked(adapter, at)) == TRUE
    assert {version for _, version in one.views} == {VERSION}


async def test_the_coins_resource_that_migrated_accounts_lack_is_never_read():
    asked_paths: list[str] = []

    class Watched(SimulatedAptos):
        async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
            asked_paths.append(request.path)
            return await super().answer(request, body)

    one = Watched(VERSION, {RICH: 5})
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter), (RICH,)))
    assert found == {RICH: 5}  # the node has no CoinStore of anybody: it would answer 404
    assert {name for name, _ in one.views} == {
        "0x1::coin::balance",
        "0x1::timestamp::now_microseconds",
    }
    assert not [path for path in asked_paths if "CoinStore" in path or "/resource" in path]


async def test_a_block_stands_for_its_last_version():
    one = node()
    async with connected(one, height_is="block") as adapter:
        at = await pinned(adapter, one.block)
        assert (at.height, at.detail["version"]) == (one.block, str(VERSION))
        assert at.block_hash == one.digest("accumulator", VERSION)
        assert units(await asked(adapter, at)) == TRUE


async def test_a_state_of_another_version_is_not_believed():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.ignores_version = True
        assert set(units(await asked(adapter, at)).values()) == {"wrong-block"}
        late = await pinned(adapter)
        assert late.endpoints == ()
        assert late.rejected == {"n0": "wrong-block"}


async def test_pruned_state_is_a_gap_before_and_after_the_pin():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.oldest = VERSION + 1
        assert set(units(await asked(adapter, at)).values()) == {"state-pruned"}
        with pytest.raises(Unanswerable) as caught:
            await pinned(adapter)
    assert caught.value.code == "state-pruned"


async def test_a_node_that_is_behind_is_waited_for():
    one = node()
    one.newest = VERSION - 1
    async with connected(one) as adapter:
        with pytest.raises(NodeBehind):
            await pinned(adapter)


async def test_a_missing_coin_store_of_an_old_framework_is_a_gap():
    one = node()
    one.without_store = {RICH, NEVER}
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter)))
    assert found == {**TRUE, RICH: "call-failed", NEVER: "call-failed"}


async def test_without_anyone_who_paid_gas_only_zeros_are_doubted():
    one = node()
    one.no_payers = True
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter)))
        assert found == {**TRUE, NEVER: "zero-without-canary"}
    async with connected(one, canaries=[wire.text(RICH)]) as adapter:
        assert units(await asked(adapter, await pinned(adapter))) == TRUE


async def test_a_view_that_the_operator_filters_is_a_gap():
    one = node()
    one.filtered = "0x1::coin::balance"
    async with connected(one, node()) as adapter:
        at = await pinned(adapter)
    assert at.endpoints == ("n1",)
    assert at.rejected == {"n0": "call-failed"}


@pytest.mark.parametrize("answer", [[], ["x"], [5], [None], {}, "5", ["-1"], [str(2**64)], 7])
async def test_an_answer_of_another_shape_is_never_a_number(answer):
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.odd = answer
        assert set(units(await asked(adapter, at)).values()) == {"malformed-answer"}


async def test_endpoints_whose_canaries_differ_stop_the_run():
    liar = node()
    liar.balances = {**BALANCES, PAYER: 1}
    async with connected(node(), liar) as adapter:
        with pytest.raises(Disagreement):
            await pinned(adapter)


async def test_a_canary_that_changes_makes_the_whole_group_doubtful():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.balances[PAYER] += 1
        assert set(units(await asked(adapter, at)).values()) == {"canary-wrong"}


async def test_a_fungible_asset_counts_with_its_supply():
    held = {RICH: 7, OTHER: 2**60}
    one = node(tokens={METADATA: held})
    async with connected(one) as adapter:
        at = await pinned(adapter)
        found = units(await asked(adapter, at, asset=TOKEN))
        assert found == {RICH: 7, OTHER: 2**60, LARGE: 0, NEVER: 0}
        held[RICH] = held[OTHER] = 0
        assert set(units(await asked(adapter, at, asset=TOKEN)).values()) == {"zero-without-canary"}
        one.tokens.clear()
        assert set(units(await asked(adapter, at, asset=TOKEN)).values()) == {"call-failed"}


async def test_the_facts_of_a_fungible_asset():
    one = node(tokens={METADATA: {RICH: 7}})
    async with connected(one) as adapter:
        at = await pinned(adapter)
        question = (adapter, at, (METADATA,), QueryKind.ASSET_FACT, TOKEN)
        (answer,) = (await asked(*question)).values()
        assert isinstance(answer, Observation)
        assert msgspec.json.decode(answer.facts) == {"decimals": 6, "symbol": "USDt"}
        one.symbols[METADATA] = ("USDt", 256)
        assert set(units(await asked(*question)).values()) == {"malformed-answer"}
        one.symbols[METADATA] = ("USDt", True)
        assert set(units(await asked(*question)).values()) == {"malformed-answer"}
        one.paired.add(METADATA)
        assert set(units(await asked(*question)).values()) == {"asset-unsupported"}
        one.ignores_version = True
        assert set(units(await asked(*question)).values()) == {"wrong-block"}


@pytest.mark.parametrize("reference", ["fungible:0xa", "fungible:junk", "coin:0x1", "slip44:1"])
async def test_assets_that_are_not_read_are_not_asked(reference):
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        before = one.requests
        found = units(await asked(adapter, at, asset=AssetId(f"{CHAIN}/{reference}")))
        assert one.requests == before
    assert set(found.values()) == {"asset-unsupported"}


async def test_stake_in_the_pools_of_the_configuration_is_a_part_of_its_own():
    one = node(stakes={(POOL, RICH): (10**9, 5, 6), (POOL, NEVER): (0, 0, 3)})
    async with connected(one, delegation_pools=[wire.text(POOL)]) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at)
        rich = found[RICH]
        assert isinstance(rich, Observation)
        assert rich.parts == (
            Part(PartKind.LIQUID, 150_000_000),
            Part(PartKind.STAKED, 10**9),
            Part(PartKind.UNBONDING, 11),
        )
        assert units(found) == {**TRUE, RICH: 1_150_000_011, NEVER: 3}
        one.stakes.clear()
        assert set(units(await asked(adapter, at)).values()) == {"call-failed"}


async def shown(adapter: Adapter, at: Snapshot, account: bytes) -> control.ControlFacts | str:
    (answer,) = (await asked(adapter, at, (account,), QueryKind.CONTROL)).values()
    return answer.reason if isinstance(answer, Gap) else control.decode(answer.facts)


def verdict(facts: control.ControlFacts | str, *signers: bytes) -> tuple[str, str]:
    assert isinstance(facts, control.ControlFacts)
    return judge_signers([wire.text(signer) for signer in signers], (), facts)


async def test_a_rotated_key_is_shown_to_control_the_account():
    one = node(keys={RICH: ROTATED})
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert verdict(await shown(adapter, at, RICH), ROTATED) == (
            "controlled",
            "owner-in-control",
        )
        assert verdict(await shown(adapter, at, RICH), RICH) == ("signer-only", "key-not-shown")
        assert verdict(await shown(adapter, at, NEVER), NEVER)[1] == "nothing-at-address"
        one.stateless = True
        assert verdict(await shown(adapter, at, NEVER), NEVER)[1] == "owner-in-control"


async def test_the_owners_of_a_multisig_account_are_asked_for_their_keys():
    one = node(
        keys={RICH: bytes(32), LARGE: ROTATED},
        multisigs={RICH: ([LARGE, OTHER], 2)},
    )
    async with connected(one) as adapter:
        at = await pinned(adapter)
        facts = await shown(adapter, at, RICH)
        assert verdict(facts, ROTATED, OTHER) == ("controlled", "owner-in-control")
        assert verdict(facts, OTHER) == ("signer-only", "owners-below-threshold")
        assert verdict(facts, LARGE, OTHER) == ("signer-only", "key-not-shown")
        one.multisigs[OTHER] = ([RICH], 1)
        assert await shown(adapter, at, RICH) == "kind-unsupported"


async def test_control_of_another_version_or_of_pruned_state_is_a_gap():
    one = node(keys={RICH: ROTATED})
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.ignores_version = True
        assert await shown(adapter, at, NEVER) == "wrong-block"
        one.ignores_version, one.oldest = False, VERSION + 1
        assert await shown(adapter, at, NEVER) == "state-pruned"


async def test_nobody_to_ask_is_a_gap_for_every_kind_of_question():
    one = node(tokens={METADATA: {RICH: 7}})
    one.ignores_version = True
    async with connected(one) as adapter:
        at = await pinned(adapter)
        for kind, asset in (
            (QueryKind.BALANCE, NATIVE),
            (QueryKind.BALANCE, TOKEN),
            (QueryKind.CONTROL, NATIVE),
            (QueryKind.ASSET_FACT, TOKEN),
        ):
            found = units(await asked(adapter, at, (METADATA,), kind, asset))
            assert set(found.values()) == {"no-usable-endpoint"}
