"""The TON adapter against simulated servers: blocks, coins, jettons, and lite servers that fail."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import account_crawl
import msgspec
import pytest

from chains import control
from chains.adapters.tvm import ELECTOR, MOST_TRIES, NAMESPACE, Adapter
from chains.addresses.ton import decode, encode
from chains.errors import Disagreement, NodeBehind, Unanswerable, WrongChain
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
from chains.simulated.tvm import MAINNET_ZERO_STATE, SimulatedTon
from crawler.asking.control import judge_signers

pytestmark = pytest.mark.integration

CHAIN = ChainId("tvm:-239")
NATIVE = AssetId(f"{CHAIN}/slip44:607")
SEQNO = 39_984_096
RICH, LARGE, NEVER, COLD, HELD = (b"\0" + bytes((i,)) * 32 for i in range(1, 6))
BURNT = bytes(33)
USDT = decode("EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs", {})
JETTON = AssetId(f"{CHAIN}/{NAMESPACE}:{encode(USDT, {}).replace('_', '%5F')}")
BALANCES = {RICH: 150_000_000, LARGE: 2**63 + 1, COLD: 7, HELD: 8, BURNT: 9 * 10**12, USDT: 10**9}
JETTONS = {USDT: {RICH: 1_293_147, LARGE: 2**64, COLD: 0}}
ALL = (RICH, LARGE, NEVER, COLD, HELD)
TRUE = {RICH: 150_000_000, LARGE: 2**63 + 1, NEVER: 0, COLD: 7, HELD: 8}
TRUE_JETTONS = {RICH: 1_293_147, LARGE: 2**64, NEVER: 0, COLD: 0, HELD: 0}
LATER = {RICH: 1, NEVER: 999, BURNT: 10**13}


def node() -> SimulatedTon:
    states = {COLD: "frozen", BURNT: "uninitialized"}
    one = SimulatedTon(SEQNO, BALANCES, later=LATER, states=states, jettons=JETTONS)
    one.suspended.add(HELD)
    return one


def connected(*nodes: SimulatedTon, **params: object) -> AbstractAsyncContextManager[Adapter]:
    root, file = MAINNET_ZERO_STATE
    known = {"zero_state_root": root, "zero_state_file": file, "canaries": [encode(BURNT, {})]}
    spec = ChainSpec(
        id=CHAIN,
        name="TON",
        adapter="tvm",
        address="ton",
        native=NATIVE,
        params={**known, **params},
    )
    return account_crawl.connected(Adapter, spec, *nodes, path="/api/v2")


async def pinned(adapter: Adapter, height: int = SEQNO) -> Snapshot:
    return adapter.snapshot(height, await adapter.pin(height))


async def asked(
    adapter: Adapter,
    at: Snapshot,
    asset: AssetId = NATIVE,
    accounts: tuple[bytes, ...] = ALL,
    kind: QueryKind = QueryKind.BALANCE,
) -> Mapping[bytes, Observation | Gap]:
    return await account_crawl.asked(adapter, at, *accounts, asset=asset, kind=kind)


def units(found: Mapping[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    """Return units, or the reason of a gap."""
    return {
        account: answer.reason if isinstance(answer, Gap) else answer.units
        for account, answer in found.items()
    }


async def test_balances_are_those_of_the_block_and_every_question_names_it():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert (at.block_hash, at.time) == (one.hash_of("root", SEQNO).hex(), one.time_of(SEQNO))
        assert at.canaries == (BURNT.hex(), ELECTOR.hex())
        found = await asked(adapter, at)
        assert units(found) == TRUE
        assert units(await asked(adapter, at, JETTON)) == TRUE_JETTONS
        late = await pinned(adapter, SEQNO + 1)
        assert units(await asked(adapter, late)) == TRUE | {RICH: 1, NEVER: 999}
    assert {seqno for _, seqno in one.asked} == {SEQNO, SEQNO + 1}


async def test_what_cannot_be_moved_is_a_part_of_its_own():
    async with connected(node()) as adapter:
        found = await asked(adapter, await pinned(adapter))
    for account, kind in {
        RICH: PartKind.LIQUID,
        COLD: PartKind.FROZEN,
        HELD: PartKind.FROZEN,
    }.items():
        answer = found[account]
        assert isinstance(answer, Observation)
        assert answer.parts == (Part(kind, TRUE[account]),)


async def test_the_newest_block_is_told():
    one = node()
    async with connected(one) as adapter:
        shown = await adapter.together(adapter.head_requests(), "n0")
        assert adapter.read_head(shown) == one.newest


@pytest.mark.parametrize(
    ("knob", "reason"),
    [
        ("ignores_seqno", "wrong-block"),
        ("hides_block", "canary-wrong"),
        ("empty_states", "canary-wrong"),
    ],
)
async def test_a_state_of_another_block_and_none_are_not_believed(knob, reason):
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        setattr(one, knob, True)
        for asset in (NATIVE, JETTON):
            assert set(units(await asked(adapter, at, asset)).values()) == {reason}


async def test_the_canary_is_of_the_accounts_own_workchain():
    one = node()
    master = b"\xff" + b"\x55" * 32
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.balances[BURNT] = 0
        assert units(await asked(adapter, at, accounts=(NEVER,))) == {NEVER: "canary-wrong"}
        assert units(await asked(adapter, at, accounts=(master,))) == {master: 0}


async def test_without_any_canary_a_server_is_not_asked():
    one = node()
    one.empty_states = True
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert at.rejected == {"n0": "canary-failed"}
        assert set(units(await asked(adapter, at)).values()) == {"no-usable-endpoint"}


async def test_servers_that_contradict_each_other_on_a_canary_stop_the_run():
    one, other = node(), node()
    other.balances[BURNT] = 0
    async with connected(one, other) as adapter:
        with pytest.raises(Disagreement):
            await pinned(adapter)


async def test_another_network_by_its_headers_stops_the_run():
    one = node()
    one.global_id = -3
    async with connected(one) as adapter:
        with pytest.raises(WrongChain):
            await pinned(adapter)


async def test_missing_state_is_a_gap_before_and_after_the_pin():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.oldest = SEQNO + 1
        for asset in (NATIVE, JETTON):
            assert set(units(await asked(adapter, at, asset)).values()) == {"state-pruned"}
        with pytest.raises(Unanswerable) as caught:
            await pinned(adapter)
    assert caught.value.code == "state-pruned"


async def test_a_server_that_is_behind_is_waited_for():
    one = node()
    one.newest = SEQNO - 1
    async with connected(one) as adapter:
        with pytest.raises(NodeBehind):
            await pinned(adapter)


async def test_shards_that_lag_behind_the_masterchain_are_waited_for():
    one = node()
    one.shard_client = SEQNO - 12
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert at.rejected == {"n0": "node-behind"}


async def test_a_lite_server_that_fails_now_and_then_is_asked_again():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        for asset, truth in ((NATIVE, TRUE), (JETTON, TRUE_JETTONS)):
            one.broken = MOST_TRIES - 1
            assert units(await asked(adapter, at, asset)) == truth
            assert one.broken == 0
        one.broken = 1000
        found = await asked(adapter, at)
    assert set(units(found).values()) == {"state-pruned"}
    assert one.broken == 1000 - 1 - MOST_TRIES


async def test_a_get_method_that_does_not_name_its_block_is_not_believed():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.nameless = True
        assert set(units(await asked(adapter, at, JETTON)).values()) == {"malformed-answer"}
        assert units(await asked(adapter, at)) == TRUE


async def test_a_server_without_get_methods_answers_coins_only():
    one = node()
    one.methodless = True
    async with connected(one) as adapter:
        at = await pinned(adapter)
        assert units(await asked(adapter, at)) == TRUE
        assert set(units(await asked(adapter, at, JETTON)).values()) == {"method-missing"}


async def test_zeros_of_a_jetton_without_supply_are_not_believed():
    one = node()
    one.no_supply = True
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter), JETTON))
    zeros = dict.fromkeys((NEVER, COLD, HELD), "zero-without-canary")
    assert found == TRUE_JETTONS | zeros


@pytest.mark.parametrize(
    "knobs", [{"wrong_owner": LARGE}, {"wrong_master": RICH}, {"exit_code": 9}, {"exit_code": -13}]
)
async def test_a_wallet_that_is_there_and_does_not_fit_is_a_gap(knobs):
    one = node()
    for name, value in knobs.items():
        setattr(one, name, value)
    async with connected(one) as adapter:
        found = units(await asked(adapter, await pinned(adapter), JETTON))
    deployed = {RICH, COLD} | ({LARGE} if "wrong_owner" not in knobs else set())
    assert {account for account, answer in found.items() if answer == "call-failed"} == deployed
    assert (found[NEVER], found[HELD]) == (0, 0)


async def test_a_jetton_that_does_not_exist_has_no_zeros():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.jettons.clear()
        assert set(units(await asked(adapter, at, JETTON)).values()) == {"call-failed"}
        fact = await asked(adapter, at, JETTON, (USDT,), QueryKind.ASSET_FACT)
        assert units(fact) == {USDT: "call-failed"}
        del one.balances[USDT]
        fact = await asked(adapter, at, JETTON, (USDT,), QueryKind.ASSET_FACT)
        assert units(fact) == {USDT: "no-contract"}


async def test_decimals_are_read_from_the_master():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        fact = (await asked(adapter, at, JETTON, (USDT,), QueryKind.ASSET_FACT))[USDT]
        assert isinstance(fact, Observation)
        assert msgspec.json.decode(fact.facts) == {"decimals": 6, "symbol": ""}
        one.contents[USDT] = "te6ccgEBAQEAHQAANgFodHRwczovL2V4YW1wbGUub3JnL3gueanNvbg=="
        fact = (await asked(adapter, at, JETTON, (USDT,), QueryKind.ASSET_FACT))[USDT]
        assert isinstance(fact, Gap)
        one.hides_block = True
        fact = (await asked(adapter, at, JETTON, (USDT,), QueryKind.ASSET_FACT))[USDT]
        assert isinstance(fact, Gap)
        assert fact.reason == "canary-wrong"


@pytest.mark.parametrize(
    "members",
    [
        {"block_id": None}, {"balance": -5, "exit_code": "0"}, {"balance": "x", "stack": None},
        {"state": "nonexist", "stack": [["num", "0x1"]] * 5}, {"code": 5, "exit_code": 2},
    ],
)  # fmt: skip
async def test_hostile_answers_are_gaps(members):
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.odd = members
        for asset in (NATIVE, JETTON):
            assert all(isinstance(gap, Gap) for gap in (await asked(adapter, at, asset)).values())


async def test_other_assets_and_questions_are_refused_without_asking():
    one = node()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        one.asked.clear()
        for asset in ("nonsense:1", f"{NAMESPACE}:nothing", "slip44:60"):
            found = await asked(adapter, at, AssetId(f"{CHAIN}/{asset}"))
            assert set(units(found).values()) == {"asset-unsupported"}
        found = await asked(adapter, at, kind=QueryKind.SIGNATURE)
        assert set(units(found).values()) == {"kind-unsupported"}
    assert one.asked == []


CODE = (
    "te6cckEBAQEAcQAA3v8AIN0gggFMl7ohggEznLqxn3Gw7UTQ0x/THzHXC//jBOCk8mCDCNcYINMf0x/TH/gjE7vyY+1E"
    "0NMf0x/T/9FRMrryoVFEuvKiBPkBVBBV+RDyo/gAkyDXSpbTB9QC+wDo0QGkyMsfyx/L/8ntVBC9ba0="
)
DATA = "te6cckEBAQEAKgAAUAAAAVUpqaMXcsnta2Km4uuhSpO5BGLno2d3e+uKOPsVufM4RNIs4v+Z1A2U"
KEY = "0x72c9ed6b62a6e2eba14a93b90462e7a367777beb8a38fb15b9f33844d22ce2ff"
"""A wallet V3R2 of mainnet; the address is another's, as if it had another subwallet."""


async def test_a_wallet_shows_whose_key_it_obeys():
    one = node()
    one.wallets[RICH] = (CODE, DATA)
    async with connected(one) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, kind=QueryKind.CONTROL)
        shown = {
            account: control.decode(answer.facts)
            for account, answer in found.items()
            if isinstance(answer, Observation)
        }
        assert judge_signers((KEY,), (), shown[RICH]) == ("controlled", "owner-in-control")
        assert judge_signers((KEY,), (), shown[LARGE])[1] == "no-control-rule"
        assert judge_signers((KEY,), (), shown[COLD])[1] == "no-control-rule"
        assert judge_signers((KEY,), (), shown[NEVER])[1] == "nothing-at-address"
        one.empty_states = True
        found = await asked(adapter, at, kind=QueryKind.CONTROL)
    assert set(units(found).values()) == {"canary-wrong"}
