"""The Stellar adapter against a simulated Horizon: what is untouched, what is gone, who signs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import account_crawl
import pytest
from account_crawl import asked, short

from chains.adapters import stellar
from chains.addresses.stellar import encode
from chains.control import ControlFacts, decode
from chains.errors import ChainError, ConfigError, WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Snapshot,
)
from chains.simulated.stellar import PASSPHRASE, START_S, SimulatedHorizon
from crawler.asking.control import judge_signers

pytestmark = pytest.mark.integration

CHAIN = ChainId("stellar:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:148")
HEIGHT = 50_000_000
IDLE, MOVED, NEVER, GONE, LEFT, RICH = (bytes((i,)) * 32 for i in range(1, 7))
BALANCES = {IDLE: 10**9 + 7, MOVED: 5, RICH: 2**53 + 1}
TOUCHED = {MOVED: HEIGHT + 1, RICH: HEIGHT}


def connected(
    *nodes: SimulatedHorizon, **params: object
) -> AbstractAsyncContextManager[stellar.Adapter]:
    spec = ChainSpec(
        id=CHAIN,
        name="Stellar",
        adapter="stellar",
        address="stellar",
        native=NATIVE,
        params={"network_passphrase": PASSPHRASE, **params},
    )
    return account_crawl.connected(stellar.Adapter, spec, *nodes)


async def pinned(adapter: stellar.Adapter) -> Snapshot:
    return adapter.snapshot(HEIGHT, await adapter.pin(HEIGHT))


def horizon(**more: object) -> SimulatedHorizon:
    gone = {GONE: HEIGHT, LEFT: HEIGHT + 1}
    return SimulatedHorizon(HEIGHT, BALANCES, touched=TOUCHED, gone=gone, **more)  # type: ignore[arg-type]


async def test_what_did_not_change_since_the_height_is_answered():
    async with connected(horizon()) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, IDLE, MOVED, NEVER, GONE, LEFT, RICH)
    assert at.time == START_S + 5 * HEIGHT
    assert {account: short(one) for account, one in found.items()} == {
        IDLE: 10**9 + 7,
        RICH: 2**53 + 1,
        NEVER: 0,
        GONE: 0,
        MOVED: "no-history",
        LEFT: "no-history",
    }
    idle = found[IDLE]
    assert isinstance(idle, Observation)
    assert idle.method is Method.UNTOUCHED
    assert idle.parts == (
        Part(PartKind.LIQUID, 10**9 + 7 - 10**7),
        Part(PartKind.RESERVED, 10**7),
    )


async def test_offers_and_sponsors_are_parts_of_the_balance():
    node = horizon(
        entries={
            IDLE: {
                "subentry_count": 4,
                "num_sponsoring": 2,
                "num_sponsored": 1,
                "balances": [
                    {
                        "asset_type": "native",
                        "balance": "100.0000007",
                        "selling_liabilities": "2.5000000",
                    }
                ],
            }
        }
    )
    async with connected(node) as adapter:
        found = (await asked(adapter, await pinned(adapter), IDLE))[IDLE]
    assert isinstance(found, Observation)
    assert found.units == 10**9 + 7
    assert [part.units for part in found.parts] == [10**9 + 7 - 60_000_000, 35_000_000, 25_000_000]


@pytest.mark.parametrize(
    ("knobs", "idle", "never"),
    [
        ({"knows_nobody": True}, "canary-wrong", "canary-wrong"),
        ({"state_at": HEIGHT - 1}, "canary-wrong", "canary-wrong"),
        ({"latest": HEIGHT - 1}, "node-behind", "node-behind"),
        ({"elder": HEIGHT + 1}, "state-pruned", "state-pruned"),
        ({"passphrase": "another"}, "canary-wrong", "canary-wrong"),
        ({"history_at": HEIGHT - 1}, 10**9 + 7, "no-record"),
        ({"history_at": HEIGHT}, 10**9 + 7, "node-behind"),
        ({"no_history": "empty"}, 10**9 + 7, "no-record"),
        ({"no_history": "missing"}, 10**9 + 7, "no-record"),
        ({"says_why": False}, 10**9 + 7, "refused"),
    ],
)
async def test_a_server_that_changes_after_the_pin_is_not_believed(knobs, idle, never):
    node = horizon()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        for name, value in knobs.items():
            setattr(node, name, value)
        found = await asked(adapter, at, IDLE, NEVER)
    assert (short(found[IDLE]), short(found[NEVER])) == (idle, never)


@pytest.mark.parametrize(
    ("knobs", "code"),
    [
        ({"latest": HEIGHT - 1}, "node-behind"),
        ({"elder": HEIGHT + 1}, "state-pruned"),
        ({"state_at": HEIGHT - 1}, "canary-failed"),
        ({"has_transactions": False}, "canary-failed"),
    ],
)
async def test_a_server_that_cannot_show_the_height_is_rejected(knobs, code):
    lacking = horizon()
    for name, value in knobs.items():
        setattr(lacking, name, value)
    async with connected(lacking, horizon()) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        at = adapter.snapshot(HEIGHT, exchanges)
    assert at.rejected == {"n0": code}


async def test_canaries_may_be_declared():
    node = horizon()
    node.has_transactions = False
    async with connected(node, canaries=[encode(RICH, {})]) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, IDLE)
    assert at.canaries == (RICH.hex(),)
    assert short(found[IDLE]) == 10**9 + 7


async def test_another_network_stops_the_run():
    node = horizon()
    node.passphrase = "Test SDF Network ; September 2015"
    async with connected(node) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        with pytest.raises(WrongChain):
            adapter.snapshot(HEIGHT, exchanges)


def test_the_network_must_be_declared():
    spec = ChainSpec(
        id=CHAIN, name="Stellar", adapter="stellar", address="stellar", native=NATIVE, params={}
    )
    with pytest.raises(ConfigError):
        stellar.Adapter(spec, None)  # type: ignore[arg-type]


async def test_a_ledger_that_nobody_has_is_an_error():
    node = horizon()
    node.latest = HEIGHT - 1
    async with connected(node) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        with pytest.raises(ChainError) as caught:
            adapter.snapshot(HEIGHT, exchanges)
    assert caught.value.code == "node-behind"


def signer(account: bytes, weight: int, kind: str = "ed25519_public_key") -> dict[str, object]:
    return {"key": encode(account, {}), "weight": weight, "type": kind}


async def test_signers_at_the_medium_threshold():
    shared = {
        "signers": [
            signer(IDLE, 0),
            signer(GONE, 2),
            signer(LEFT, 1),
            signer(NEVER, 9, "preauth_tx"),
        ],
        "thresholds": {"low_threshold": 1, "med_threshold": 3, "high_threshold": 5},
    }
    node = horizon(entries={IDLE: shared})
    async with connected(node) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, IDLE, RICH, MOVED, NEVER, kind=QueryKind.CONTROL)
    assert short(found[MOVED]) == "no-history"
    facts = {
        account: decode(one.facts) for account, one in found.items() if isinstance(one, Observation)
    }
    assert facts[NEVER] == ControlFacts(exists=False)
    assert facts[IDLE].notes == {"master-key": "weight 0"}

    def verdict(account: bytes, *who: bytes) -> str:
        return judge_signers([encode(one, {}) for one in who], (), facts[account])[1]

    assert verdict(IDLE, GONE, LEFT) == "owner-in-control"
    assert verdict(IDLE, GONE) == "owners-below-threshold"
    assert verdict(IDLE, IDLE) == "owner-not-in-control"
    assert verdict(IDLE, NEVER) == "owner-not-in-control"
    assert verdict(RICH, RICH) == "owner-in-control"
