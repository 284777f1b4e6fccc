"""Dash and Zcash nodes with an address index: balances of any height, and what not to believe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chains.adapters.bip122 import Adapter
from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainId, ChainSpec, Gap, Method, Observation, QueryKind, Questions
from chains.simulated.address_index import IndexFaults, SimulatedIndexedCore
from chains.simulated.bip122 import SimulatedCoin, SimulatedCore
from chains.transport import HttpTransport, RetryPolicy

pytestmark = pytest.mark.integration

CHAIN = ChainId("bip122:indexed")
NATIVE = AssetId(f"{CHAIN}/slip44:5")
SPEC = ChainSpec(
    id=CHAIN,
    name="Indexed",
    adapter="bip122",
    address="bitcoin",
    address_params={"p2pkh": [0x4C], "p2sh": [0x10]},
    native=NATIVE,
    params={
        "genesis": SimulatedCore().genesis,
        "address_index": True,
        "header": "unchecked",
        "max_money": 2**60,  # of a coin whose amounts no float can hold
    },
)
MOST = int(SPEC.params["max_money"])
HEIGHT, TIP = 100, 130
SPENT, LATER, NEVER = (b"\x76\xa9\x14" + bytes([i]) * 20 + b"\x88\xac" for i in (1, 2, 3))
SHARED = b"\xa9\x14" + b"\x04" * 20 + b"\x87"
BARE_KEY = b"\x21\x02" + b"\x05" * 32 + b"\xac"
COINS = [
    SimulatedCoin(txid="a1" * 32, vout=0, height=5, units=2**53 + 1, script=SPENT),
    SimulatedCoin(txid="a2" * 32, vout=0, height=6, units=500, script=SPENT, spent=HEIGHT),
    SimulatedCoin(txid="a3" * 32, vout=0, height=7, units=30, script=SPENT, spent=HEIGHT + 1),
    SimulatedCoin(txid="a4" * 32, vout=1, height=HEIGHT + 1, units=9, script=LATER),
    SimulatedCoin(txid="a5" * 32, vout=0, height=HEIGHT, units=11, script=SHARED),
    SimulatedCoin(txid="a5" * 32, vout=1, height=HEIGHT, units=12, script=SHARED),
]
AT_HEIGHT = {SPENT: 2**53 + 31, LATER: 0, NEVER: 0, SHARED: 23}
QUICK = RetryPolicy(attempts=1, first_wait_s=0.01, longest_wait_s=0.02, total_s=5)


@asynccontextmanager
async def connected(node: SimulatedIndexedCore, batch: int = 0) -> AsyncIterator[Adapter]:
    endpoint = EndpointSpec(name="node", chain=CHAIN, url=node.url, rate="0", batch=batch)
    async with HttpTransport(CHAIN, [endpoint], QUICK) as transport:
        yield Adapter(SPEC, transport)


async def answers(
    node: SimulatedIndexedCore, *, batch: int = 0, scripts: tuple[bytes, ...] = tuple(AT_HEIGHT)
) -> dict[bytes, Observation | Gap]:
    asked = Questions(
        kind=QueryKind.BALANCE,
        chain=CHAIN,
        height=HEIGHT,
        asset=NATIVE,
        accounts=tuple(sorted(scripts)),
    )
    found: dict[bytes, Observation | Gap] = {}
    async with node, connected(node, batch) as adapter:
        at = adapter.snapshot(HEIGHT, await adapter.pin(HEIGHT))
        async for extract in adapter.extract(asked, at):
            for position, answer in adapter.decode(asked, extract, at).each(asked):
                found[asked.accounts[position]] = answer
    assert sorted(found) == sorted(scripts)
    return found


def told(found: dict[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    return {
        script: answer.reason if isinstance(answer, Gap) else answer.parts[0].units
        for script, answer in found.items()
    }


@pytest.mark.parametrize("names_ends", [False, True], ids=["dash", "zcash"])
@pytest.mark.parametrize("batch", [0, 1], ids=["together", "singly"])
async def test_a_balance_is_the_sum_of_changes_up_to_the_height(
    *, names_ends: bool, batch: int
) -> None:
    node = SimulatedIndexedCore(SPEC, COINS, tip=TIP, names_ends=names_ends)
    found = await answers(node, batch=batch)
    assert told(found) == AT_HEIGHT
    assert {one.method for one in found.values() if isinstance(one, Observation)} == {Method.STATE}


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (IndexFaults(silent_zero=True), "canary-wrong"),
        (IndexFaults(drop_delta=True), "canary-wrong"),
        (IndexFaults(repeat_delta=True), "malformed-answer"),
        (IndexFaults(no_index=True), "method-missing"),
        (IndexFaults(moving_tip=True), "wrong-block"),
    ],
    ids=["zero", "lacks-reward", "repeats", "no-index", "moves"],
)
async def test_an_index_that_cannot_be_believed_gives_gaps(
    faults: IndexFaults, reason: str
) -> None:
    found = await answers(SimulatedIndexedCore(SPEC, COINS, tip=TIP, faults=faults))
    assert told(found) == dict.fromkeys(AT_HEIGHT, reason)


async def test_a_reward_without_an_address_proves_no_zero() -> None:
    node = SimulatedIndexedCore(SPEC, COINS, tip=TIP)
    node.reward_script = BARE_KEY
    assert told(await answers(node)) == dict.fromkeys(AT_HEIGHT, "zero-without-canary")


async def test_a_script_without_an_address_is_a_gap_beside_its_neighbours() -> None:
    found = await answers(
        SimulatedIndexedCore(SPEC, COINS, tip=TIP), scripts=(*AT_HEIGHT, BARE_KEY)
    )
    assert told(found) == {**AT_HEIGHT, BARE_KEY: "method-missing"}


async def test_zcash_changes_that_end_at_another_block_are_refused() -> None:
    node = SimulatedIndexedCore(SPEC, COINS, tip=TIP, names_ends=True)
    changes = node.methods()["getaddressdeltas"]

    def ends_elsewhere(params: list[dict[str, object]]) -> object:
        return changes(params) | {"end": {"height": HEIGHT, "hash": "00" * 32}}

    node.methods = lambda: {  # type: ignore[method-assign]
        **SimulatedIndexedCore.methods(node),
        "getaddressdeltas": ends_elsewhere,
    }
    assert told(await answers(node)) == dict.fromkeys(AT_HEIGHT, "malformed-answer")


async def test_a_node_that_ignores_the_range_gives_gaps() -> None:
    node = SimulatedIndexedCore(SPEC, COINS, tip=TIP)
    changes = node.methods()["getaddressdeltas"]

    def everything(params: list[dict[str, object]]) -> object:
        return changes([{**params[0], "start": 0, "end": TIP}])

    node.methods = lambda: {  # type: ignore[method-assign]
        **SimulatedIndexedCore.methods(node),
        "getaddressdeltas": everything,
    }
    assert told(await answers(node)) == dict.fromkeys(AT_HEIGHT, "malformed-answer")


async def test_more_spent_than_paid_is_no_balance() -> None:
    node = SimulatedIndexedCore(SPEC, COINS, tip=TIP)
    changes = node.methods()["getaddressdeltas"]

    def lost(params: list[dict[str, object]]) -> object:
        gone = {"a1" * 32, "a2" * 32, "a3" * 32}
        return [one for one in changes(params) if one["txid"] not in gone]

    node.methods = lambda: {  # type: ignore[method-assign]
        **SimulatedIndexedCore.methods(node),
        "getaddressdeltas": lost,
    }
    assert told(await answers(node)) == dict.fromkeys(AT_HEIGHT, "malformed-answer")


@pytest.mark.parametrize("count", [1, 2], ids=["a-change", "a-sum"])
async def test_more_than_all_coins_is_no_balance(count: int) -> None:
    node = SimulatedIndexedCore(SPEC, COINS, tip=TIP)
    changes = node.methods()["getaddressdeltas"]
    units = MOST // count + 1

    def inflated(params: list[dict[str, object]]) -> object:
        told = changes(params)
        more = [{**told[0], "txid": f"{i:064x}", "satoshis": units} for i in range(count)]
        return [*told, *more]

    node.methods = lambda: {  # type: ignore[method-assign]
        **SimulatedIndexedCore.methods(node),
        "getaddressdeltas": inflated,
    }
    assert told(await answers(node)) == dict.fromkeys(AT_HEIGHT, "malformed-answer")
