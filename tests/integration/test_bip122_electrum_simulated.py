"""An Electrum server that lies, forgets or moves on: what must not become a balance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from chains.adapters.bip122 import Adapter, rolling
from chains.endpoints import EndpointSpec
from chains.errors import ChainError, Disagreement, NodeBehind, Unanswerable, WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Method,
    Observation,
    QueryKind,
    Questions,
    Snapshot,
    Source,
)
from chains.simulated.electrum import ElectrumFaults, SimulatedElectrum, Transfer
from chains.transport import HttpTransport, RetryPolicy
from crawler.asking.forecast import load_of
from crawler.settings import load_world
from tests.forecasts import check_about, received

pytestmark = pytest.mark.integration

CHAIN = ChainId("bip122:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:1")
QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02, total_s=5)
HEIGHT = 100
RICH, POOR, NEVER, BUSY, LATE, EMPTIED, PINNED = (b"\x00\x14" + bytes([i]) * 20 for i in range(7))


def transfers() -> list[Transfer]:
    """Make a ledger: everything before 100, or exactly there, and what moved since."""
    node = SimulatedElectrum()
    coins = [node.reward_id(height) for height in range(1, 6)]
    first = Transfer(
        height=10,
        spends=((coins[0], 0),),
        pays=((RICH, 20 * 10**8), (POOR, 1), (BUSY, 25 * 10**8), (EMPTIED, 5 * 10**8 - 1)),
    )
    emptied = Transfer(height=20, spends=((first.txid, 3),), pays=((RICH, 5 * 10**8 - 1),))
    pinned = Transfer(height=HEIGHT, spends=((coins[1], 0),), pays=((PINNED, 50 * 10**8),))
    # in and out in one transaction, and a coin that came and went since
    moved = Transfer(
        height=101, spends=((first.txid, 2),), pays=((BUSY, 24 * 10**8), (LATE, 10**8))
    )
    gone = Transfer(height=103, spends=((moved.txid, 0),), pays=((LATE, 24 * 10**8),))
    return [first, emptied, pinned, moved, gone]


THEN = {
    RICH: 25 * 10**8 - 1,
    POOR: 1,
    NEVER: 0,
    BUSY: 25 * 10**8,
    LATE: 0,
    EMPTIED: 0,
    PINNED: 50 * 10**8,
}
MOVED = {BUSY, LATE}


def server(**faults: Any) -> SimulatedElectrum:
    return SimulatedElectrum(transfers(), tip=105, faults=ElectrumFaults(**faults))


@asynccontextmanager
async def connected(
    *servers: SimulatedElectrum,
    batch: int = 0,
    genesis: str = "",
    timeout_s: int = 5,
    **params: Any,
) -> AsyncIterator[Adapter]:
    endpoints = [
        EndpointSpec(
            name=f"server-{i}",
            chain=CHAIN,
            url=one.url,
            own_node=i == 0,
            rate="0" if i == 0 else "1000",
            batch=batch,
            timeout_s=timeout_s,
            protocol="electrum",
        )
        for i, one in enumerate(servers)
    ]
    spec = ChainSpec(
        id=CHAIN,
        name="Simulated",
        adapter="bip122",
        address="bitcoin",
        native=NATIVE,
        params={"genesis": genesis or server().genesis, **params},
    )
    async with HttpTransport(CHAIN, endpoints, QUICK) as transport:
        yield Adapter(spec, transport)


async def pin(adapter: Adapter, height: int = HEIGHT) -> Snapshot:
    return adapter.snapshot(height, await adapter.pin(height))


def asked(height: int = HEIGHT) -> Questions:
    accounts = tuple(sorted(THEN))
    return Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=height, asset=NATIVE, accounts=accounts
    )


async def ask(adapter: Adapter, at: Snapshot) -> dict[bytes, Observation | Gap]:
    questions = asked(at.height)
    found: dict[bytes, Observation | Gap] = {}
    async for extract in adapter.extract(questions, at):
        for position, answer in adapter.decode(questions, extract, at).each(questions):
            assert questions.accounts[position] not in found
            found[questions.accounts[position]] = answer
    assert list(questions.accounts) == sorted(found)
    return found


def units(answers: dict[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    return {
        script: answer.units if isinstance(answer, Observation) else answer.reason
        for script, answer in answers.items()
    }


def test_the_ledger_says_what_the_table_says() -> None:
    assert {script: server().units(script, HEIGHT) for script in THEN} == THEN


@pytest.mark.parametrize("batch", [0, 1, 3])
async def test_balances_of_the_tip_are_taken_back_to_the_height(batch: int) -> None:
    async with server() as node, connected(node, batch=batch) as adapter:
        at = await pin(adapter)
        answers = await ask(adapter, at)
        assert (at.block_hash, at.time) == (node.block_hash(HEIGHT), 1_296_688_602 + 60_000)
    assert units(answers) == THEN
    for script, answer in answers.items():
        assert isinstance(answer, Observation)
        method = Method.ROLLED_BACK if script in MOVED else Method.UNTOUCHED
        assert (answer.method, answer.source) == (method, Source.OWN_NODE)


@pytest.mark.parametrize("height", [10, 20, 99, 101, 102, 103, 105])
async def test_every_height_has_its_own_balances(height: int) -> None:
    async with server() as node, connected(node) as adapter:
        answers = await ask(adapter, await pin(adapter, height))
        assert units(answers) == {script: node.units(script, height) for script in THEN}


async def test_answers_are_the_same_when_decoded_again_and_the_questions_when_asked_again() -> None:
    sent = []
    for _ in range(2):
        async with server() as node, connected(node) as adapter:
            exchanges = await adapter.pin(HEIGHT)
            at = adapter.snapshot(HEIGHT, exchanges)
            extracts = [extract async for extract in adapter.extract(asked(), at)]
        sent.append([one.request for extract in extracts for one in extract.exchanges])
    assert sent[0] == sent[1]
    found: dict[bytes, int | None] = {}
    async with connected() as offline:
        assert offline.snapshot(HEIGHT, exchanges) == at
        for extract in extracts:
            decoded = offline.decode(asked(), extract, at)
            for position, one in zip(decoded.positions, decoded.units, strict=True):
                found[asked().accounts[position]] = one
    assert found == THEN


async def test_what_is_in_no_block_does_not_count() -> None:
    node = server()
    spent = next(one for one in node.transfers if one.height == 10)
    node.waiting = [Transfer(height=0, spends=((spent.txid, 0),), pays=((POOR, 9),))]
    node.waiting += [Transfer(height=-1, spends=((node.waiting[0].txid, 0),), pays=((NEVER, 9),))]
    async with node, connected(node) as adapter:
        assert units(await ask(adapter, await pin(adapter))) == THEN


async def test_answers_may_come_in_any_order_and_between_notifications() -> None:
    async with server(unordered=True, notify=True) as node, connected(node) as adapter:
        assert units(await ask(adapter, await pin(adapter))) == THEN


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ({"silent_zero": True}, {"canary-wrong"}),
        ({"negative": True}, {"malformed-answer"}),
        ({"no_history": True}, {"canary-wrong"}),
        ({"half_history": True}, {"canary-wrong"}),
        ({"forgetful": 99}, {"canary-wrong"}),
        ({"made_up": True}, {"malformed-answer"}),
        ({"odd_branch": True}, {"malformed-answer"}),
        ({"other_block": True}, {"wrong-block", "malformed-answer"}),
        ({"too_large": 0, "moving": 99}, {"wrong-block"}),
        ({"bad_json_every": 1}, {"malformed-answer"}),
        ({"html_every": 1}, {"malformed-answer"}),
        ({"cut_every": 1}, {"unreachable"}),
        ({"truncate_every": 1}, {"truncated-answer"}),
        ({"hang_every": 1}, {"timeout"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_no_lie_and_no_fault_after_the_pin_becomes_a_balance(
    fault: dict[str, Any], reasons: set[str]
) -> None:
    async with server() as node, connected(node, timeout_s=1) as adapter:
        at = await pin(adapter)
        node.faults = ElectrumFaults(**fault)
        answers = await ask(adapter, at)
    assert set(units(answers).values()) <= reasons


@pytest.mark.parametrize(
    "fault",
    ["no_history", "made_up", "odd_branch", "bad_json_every", "cut_every", "truncate_every"],
)
async def test_a_server_that_shows_nothing_of_the_block_is_not_asked(fault: str) -> None:
    async with server(**{fault: 1}) as node, connected(node) as adapter:
        with pytest.raises(ChainError) as error:
            await pin(adapter)
        assert not isinstance(error.value, WrongChain)
        assert node.caused.total() > 0


async def test_a_transaction_that_is_forgotten_above_the_height_cannot_be_noticed_alone() -> None:
    """The limit of the way: a history that is cut off above the height gives the tip's balance.

    It is why a second, independent endpoint is asked.
    """
    async with server() as node, connected(node) as adapter:
        at = await pin(adapter)
        node.faults.forgetful = HEIGHT
        found = units(await ask(adapter, at))
    assert {script for script in THEN if found[script] != THEN[script]} == MOVED


@pytest.mark.parametrize("blocks", [1, 2])
async def test_blocks_that_arrive_in_between_are_waited_for(blocks: int) -> None:
    async with server() as node, connected(node) as adapter:
        at = await pin(adapter)
        node.faults.moving = blocks
        assert units(await ask(adapter, at)) == THEN
        assert node.caused["moving"] == blocks


async def test_a_script_with_too_much_history_is_a_gap_and_costs_no_other() -> None:
    node = server()
    async with node, connected(node) as adapter:
        at = await pin(adapter)
        node.faults.too_large = 2
        found = units(await ask(adapter, at))
        assert found == {**THEN, BUSY: "too-much-history"}


async def test_a_script_that_moved_too_often_since_is_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rolling, "MOST_ABOVE", 1)
    async with server() as node, connected(node) as adapter:
        found = units(await ask(adapter, await pin(adapter)))
    assert found == {**THEN, BUSY: "too-much-history", LATE: "too-much-history"}


@pytest.mark.parametrize("others", [0, 1])
async def test_another_chain_stops_the_run(others: int) -> None:
    async with (
        server() as one,
        server(wrong_chain=True) as two,
        connected(*(one,)[:others], two) as adapter,
    ):
        with pytest.raises(WrongChain):
            await pin(adapter)


async def test_another_branch_stops_the_run() -> None:
    fork = {"fork_height": 50, "fork_hash": "00" * 32}
    async with server() as node, connected(node, **fork) as adapter:
        with pytest.raises(WrongChain):
            await pin(adapter)
        assert (await pin(adapter, 49)).endpoints == ("server-0",)


async def test_servers_with_different_blocks_disagree() -> None:
    async with server() as one, server(other_block=True) as two, connected(one, two) as adapter:
        with pytest.raises(Disagreement):
            await pin(adapter)


async def test_a_server_that_is_behind_may_be_asked_again() -> None:
    async with SimulatedElectrum(transfers(), tip=99) as node, connected(node) as adapter:
        with pytest.raises(NodeBehind):
            await pin(adapter)


async def test_where_the_hash_of_a_block_is_not_computed_no_server_is_asked() -> None:
    async with server() as node, connected(node, header="unchecked") as adapter:
        with pytest.raises(Unanswerable) as error:
            await pin(adapter)
    assert error.value.code == "identity-unproven"


async def test_groups_are_shared_between_servers() -> None:
    async with server() as one, server() as two, connected(one, two, batch=1) as adapter:
        answers = await ask(adapter, await pin(adapter))
    assert units(answers) == THEN
    endpoints = {answer.endpoint for answer in answers.values() if isinstance(answer, Observation)}
    assert endpoints == {"server-0", "server-1"}


@pytest.mark.parametrize("scans", [True, False], ids=["a-node-could-scan", "no-node-scans"])
@pytest.mark.parametrize("moved", [False, True], ids=["untouched", "moved"])
async def test_it_asks_as_often_as_a_plan_says(*, moved: bool, scans: bool) -> None:
    scripts = tuple(b"\x00\x14" + i.to_bytes(20, "big") for i in range(1, 121))
    idle = SimulatedElectrum()
    pays = ((PINNED, 10**9), *((script, 1000) for script in scripts))
    first = Transfer(height=HEIGHT, spends=((idle.reward_id(1), 0),), pays=pays)
    since = [
        Transfer(height=101, spends=((first.txid, i),), pays=((script, 999),))
        for i, script in enumerate(scripts, start=1)
    ]
    node = SimulatedElectrum([first, *(since if moved else ())], tip=105)
    params = {"genesis": node.genesis, "dumps": scans, "scans": scans}
    async with node, connected(node, **params) as adapter:
        at = await pin(adapter)
        pinning = received(node)
        questions = msgspec.structs.replace(asked(), accounts=scripts)
        async for extract in adapter.extract(questions, at):
            assert adapter.decode(questions, extract, at).units == [1000] * len(extract.positions)
        asking = received(node)
        endpoint = EndpointSpec(name="server-0", chain=CHAIN, url=node.url, protocol="electrum")
        world = msgspec.structs.replace(load_world(), chains={CHAIN: adapter._spec})
        said = load_of(world, questions, len(scripts), [endpoint], late=moved)
    check_about(said, asking, pinning)
