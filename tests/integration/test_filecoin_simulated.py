"""The Filecoin adapter against simulated nodes: names of an actor, parts, epochs, no false zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from account_crawl import asked, connected, pinned, short

from chains.adapters.filecoin import Adapter
from chains.addresses import filecoin
from chains.errors import Disagreement, NodeBehind, Unanswerable, WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Observation,
    PartKind,
    QueryKind,
    Questions,
)
from chains.simulated.filecoin import SimulatedActor, SimulatedLotus, code_of

pytestmark = pytest.mark.integration

CHAIN = ChainId("fil:simulated")
HEIGHT = 4_863_282
FIL = 10**18
KEY, ACTOR, BLS = (
    filecoin.encode(bytes((protocol,)) + bytes([protocol]) * length, {})
    for protocol, length in ((1, 20), (2, 20), (3, 48))
)
DELEGATED = filecoin.encode(filecoin.ETHEREUM + bytes(range(20)), {})
MASKED = "0xff" + f"{1004:038x}"
PARAMS = {"evm": True}
PLAIN = [code_of(kind) for kind in ("account", "ethaccount")]
PARTY, MINER, BROKE, MARKET = "f02001", "f02002", "f02003", "f02004"
ACTORS = {
    "f01001": SimulatedActor(balance=2**64 + 1),
    "f01002": SimulatedActor(balance=2, kind="multisig", available=2),
    "f01003": SimulatedActor(balance=3),
    "f01004": SimulatedActor(balance=4, kind="ethaccount", delegated=DELEGATED),
    PARTY: SimulatedActor(balance=100 * FIL, kind="multisig", available=30 * FIL + 1),
    MINER: SimulatedActor(
        balance=1000 * FIL, kind="miner", available=100 * FIL, pledge=600 * FIL,
        deposits=50 * FIL, vesting=260 * FIL, debt=10 * FIL, escrow=7, locked=5,
    ),
    BROKE: SimulatedActor(balance=10, kind="miner", available=-90, pledge=80, vesting=20),
    MARKET: SimulatedActor(balance=11, escrow=20, locked=15),
}  # fmt: skip
NAMES = {KEY: "f01001", ACTOR: "f01002", BLS: "f01003", DELEGATED: "f01004"}


def node_of(**fields: Any) -> SimulatedLotus:
    return SimulatedLotus(HEIGHT, ACTORS, names=NAMES, **fields)


def spec_of(node: SimulatedLotus) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Filecoin",
        adapter="filecoin",
        address="filecoin",
        address_params=PARAMS,
        native=AssetId(f"{CHAIN}/slip44:461"),
        params={"genesis": node.genesis, "plain_codes": PLAIN},
    )


async def named(adapter: Adapter, at: Any, texts: Sequence[str]) -> Mapping[str, Observation | Gap]:
    accounts = {text: filecoin.decode(text, PARAMS) for text in texts}
    found = await asked(adapter, at, *set(accounts.values()))
    return {text: found[account] for text, account in accounts.items()}


async def found_of(node: SimulatedLotus, *texts: str) -> Mapping[str, Observation | Gap]:
    async with connected(Adapter, spec_of(node), node) as adapter:
        return await named(adapter, await pinned(adapter, HEIGHT), texts)


async def after_pin(node: SimulatedLotus, change: Mapping[str, Any]) -> set[int | str]:
    """Pin, let the node change its ways, and ask for one account that exists and one that not."""
    async with connected(Adapter, spec_of(node), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        for name, value in change.items():
            assert hasattr(node, name)
            setattr(node, name, value)
        found = await named(adapter, at, [KEY, "f09999"])
    return {short(one) for one in found.values()}


def parts(answer: Observation | Gap) -> dict[PartKind, int]:
    assert isinstance(answer, Observation)
    assert all(part.counted for part in answer.parts)
    units: Counter[PartKind] = Counter()
    for part in answer.parts:
        units[part.kind] += part.units
    return units


async def test_every_name_of_an_actor_leads_to_its_balance_and_to_one_subject():
    found = await found_of(node_of(), *NAMES, *NAMES.values(), MASKED, "f09999")
    assert {text: short(one) for text, one in found.items()} == {
        KEY: 2**64 + 1, ACTOR: 2, BLS: 3, DELEGATED: 4, MASKED: 4,
        "f01001": 2**64 + 1, "f01002": 2, "f01003": 3, "f01004": 4, "f09999": 0,
    }  # fmt: skip
    subjects = {
        text: filecoin.encode(one.subject, {})
        for text, one in found.items()
        if isinstance(one, Observation)
    }
    assert subjects == {
        KEY: "f01001", ACTOR: "f01002", BLS: "f01003", DELEGATED: DELEGATED, MASKED: DELEGATED,
        "f01001": "f01001", "f01002": "f01002", "f01003": "f01003", "f01004": DELEGATED,
        "f09999": "f09999",
    }  # fmt: skip


async def test_what_still_vests_in_a_multisig_is_frozen():
    found = await found_of(node_of(), PARTY)
    assert parts(found[PARTY]) == {
        PartKind.LIQUID: 30 * FIL + 1,
        PartKind.FROZEN: 70 * FIL - 1,
    }


async def test_a_miners_balance_is_told_apart_and_its_escrow_added():
    """Of 260 that vest, 20 already may be taken: 250 frozen with the debt of 10."""
    found = await found_of(node_of(), MINER)
    assert parts(found[MINER]) == {
        PartKind.LIQUID: 100 * FIL,
        PartKind.STAKED: 600 * FIL,
        PartKind.RESERVED: 50 * FIL + 5,
        PartKind.FROZEN: 250 * FIL,
        PartKind.ESCROWED: 2,
    }
    assert short(found[MINER]) == 1000 * FIL + 7


async def test_a_miner_that_has_less_than_it_pledged_has_it_all_staked():
    assert parts((await found_of(node_of(), BROKE))[BROKE]) == {PartKind.STAKED: 10}


async def test_escrow_is_apart_from_what_the_actor_holds():
    assert parts((await found_of(node_of(), MARKET))[MARKET]) == {
        PartKind.LIQUID: 11,
        PartKind.RESERVED: 15,
        PartKind.ESCROWED: 5,
    }


@pytest.mark.parametrize(
    ("lacks", "account"),
    [
        ("StateMarketBalance", KEY),
        ("StateLookupID", KEY),
        ("StateMinerAvailableBalance", PARTY),
        ("MsigGetAvailableBalance", PARTY),
        ("StateReadState", MINER),
    ],
)
async def test_a_part_that_was_not_told_is_a_gap_not_nothing(lacks, account):
    node = node_of()
    node.lacks = {lacks}
    assert short((await found_of(node, account))[account]) == "server-error"


@pytest.mark.parametrize("wrong", [{"pledge": 1}, {"available": 1001 * FIL}])
async def test_a_miner_whose_parts_do_not_add_up_is_a_gap(wrong):
    node = node_of()
    node.actors[MINER] = msgspec.structs.replace(ACTORS[MINER], **wrong)
    assert short((await found_of(node, MINER))[MINER]) == "malformed-answer"


async def test_forests_null_is_an_absent_actor():
    node = node_of()
    node.as_forest = True
    found = await found_of(node, KEY, "f09999")
    assert [short(one) for one in found.values()] == [2**64 + 1, 0]


async def test_the_balance_is_that_after_the_epochs_own_messages():
    """``StateGetActor`` tells the state before a tipset's messages: one epoch off would show."""
    node = node_of()
    changes = {HEIGHT - 1: 10, HEIGHT: 20, HEIGHT + 1: 30}
    node.actors["f01003"] = SimulatedActor(balance=3, later=changes)
    assert short((await found_of(node, "f01003"))["f01003"]) == 20


@pytest.mark.parametrize(
    ("null_rounds", "epoch"),
    [
        ({HEIGHT}, HEIGHT - 1),
        ({HEIGHT - 1, HEIGHT}, HEIGHT - 2),
        ({HEIGHT, HEIGHT + 1}, HEIGHT - 1),
        ({HEIGHT + 1, HEIGHT + 2}, HEIGHT),
    ],
)
async def test_a_null_round_has_the_state_of_the_tipset_before_it(null_rounds, epoch):
    node = node_of(null_rounds=null_rounds)
    node.actors["f01003"] = SimulatedActor(balance=3, later={epoch: 20, HEIGHT + 3: 30})
    async with connected(Adapter, spec_of(node), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        found = await named(adapter, at, ["f01003"])
    assert at.detail["epoch"] == str(epoch)
    assert short(found["f01003"]) == 20


async def test_every_question_names_the_pinned_tipset_and_none_is_about_datacap():
    node = node_of()
    async with connected(Adapter, spec_of(node), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        key = [{"/": cid} for cid in at.detail["state-tipset"].split(",")]
        accounts = sorted(filecoin.decode(text, PARAMS) for text in (KEY, MINER))
        questions = Questions(
            kind=QueryKind.BALANCE,
            chain=CHAIN,
            height=HEIGHT,
            asset=adapter.spec.native,
            accounts=tuple(accounts),
        )
        exchanges = await adapter.ask(questions, at, accounts)
    calls = [msgspec.json.decode(exchange.request.body) for exchange in exchanges]
    assert {call["method"].removeprefix("Filecoin.") for call in calls} == {
        "StateGetActor", "StateLookupID", "StateMarketBalance", "StateMinerAvailableBalance",
        "MsigGetAvailableBalance", "StateReadState",
    }  # fmt: skip
    assert all(call["params"][1] == key for call in calls)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answers_head": True}, "canary-wrong"),
        ({"forgets_everything": True}, "canary-wrong"),
        ({"names_another_block": True}, "rpc-error"),
    ],
)
async def test_another_state_than_the_pinned_one_is_no_zero(change, reason):
    assert await after_pin(node_of(), change) == {reason}


async def test_another_chain_behind_the_url_is_refused():
    node = node_of()
    spec = spec_of(node)
    node.seed = "another"
    async with connected(Adapter, spec, node) as adapter:
        with pytest.raises(WrongChain, match="has the genesis"):
            await pinned(adapter, HEIGHT)


async def test_nodes_that_name_different_tipsets_are_not_asked():
    one, two = node_of(), node_of()
    two.names_another_block = True
    async with connected(Adapter, spec_of(one), one, two) as adapter:
        with pytest.raises(Disagreement):
            await pinned(adapter, HEIGHT)


@pytest.mark.parametrize("knob", ["head", "final"])
async def test_an_epoch_that_is_not_final_yet_is_not_pinned(knob):
    node = node_of()
    setattr(node, knob, HEIGHT)
    async with connected(Adapter, spec_of(node), node) as adapter:
        with pytest.raises(NodeBehind):
            await pinned(adapter, HEIGHT)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"lookback": 900}, "state-pruned"), ({"unlinked": True}, "wrong-block")],
)
async def test_a_tipset_that_cannot_be_had_pins_nothing(change, code):
    node = node_of()
    for name, value in change.items():
        setattr(node, name, value)
    async with connected(Adapter, spec_of(node), node) as adapter:
        with pytest.raises(Unanswerable) as error:
            await pinned(adapter, HEIGHT)
    assert error.value.code == code
