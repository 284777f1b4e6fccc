"""How balances of another moment became those of the height: every adapter tells the same way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import solana_nodes
import test_aelf_simulated as aelf_case
import test_antelope_simulated as antelope_case
import test_bip122_address_index as index_case
import test_bip122_electrum_simulated as electrum_case
import test_hedera_simulated as hedera_case
import test_solana_history as solana_case
import test_solana_tokens_simulated as token_case
import test_stellar_simulated as stellar_case
import test_sui_past as sui_case
import test_trongrid_simulated as tron_case
import tron_nodes
from account_crawl import connected, pinned

from chains import workings
from chains.addresses import hedera as hedera_address
from chains.model import AssetId, Gap, Observation, QueryKind, Questions, Snapshot
from chains.simulated.address_index import SimulatedIndexedCore
from chains.simulated.antelope import Stored
from chains.simulated.hedera import SimulatedHedera
from chains.simulated.tron import SimulatedTron
from chains.simulated.trongrid import Event, Transfer
from chains.workings import Clock, Movement, Rule, Working

pytestmark = pytest.mark.integration


async def told(
    adapter: Any, at: Snapshot, asset: AssetId, account: bytes, *beside: bytes
) -> tuple[Observation | Gap, list[Working]]:
    """Ask about an account and others, decode while listening for it, and check what is told."""
    questions = Questions(
        kind=QueryKind.BALANCE,
        chain=at.chain,
        height=at.height,
        asset=asset,
        accounts=tuple(sorted({account, *beside})),
    )
    extracts = [one async for one in adapter.extract(questions, at)]
    plain = [list(adapter.decode(questions, one, at).each(questions)) for one in extracts]
    with workings.listening(account) as heard:
        again = [list(adapter.decode(questions, one, at).each(questions)) for one in extracts]
    assert again == plain
    own = questions.accounts.index(account)
    (answer,) = [one for each in plain for position, one in each if position == own]
    found = list(heard.values())
    if isinstance(answer, Observation) and found:
        assert all(one.holds() for one in found)
        assert sum(one.result for one in found) == answer.units or not all(
            one.whole for one in found
        )
    return answer, found


def numbers(one: Working) -> tuple[Rule, int | None, list[int | None], int]:
    return one.rule, one.start, [each.units for each in one.movements], one.result


async def test_an_electrum_servers_tip_is_taken_back_over_its_transactions():
    case = electrum_case
    async with case.server() as server, case.connected(server) as adapter:
        at = await case.pin(adapter)
        _, (late,) = await told(adapter, at, case.NATIVE, case.LATE, *case.THEN)
        _, (busy,) = await told(adapter, at, case.NATIVE, case.BUSY, *case.THEN)
        _, (rich,) = await told(adapter, at, case.NATIVE, case.RICH, *case.THEN)
        _, (never,) = await told(adapter, at, case.NATIVE, case.NEVER, *case.THEN)
    assert numbers(late) == (Rule.BACK, 25 * 10**8, [10**8, 24 * 10**8], 0)
    assert numbers(busy) == (Rule.BACK, 0, [-(10**8), -24 * 10**8], 25 * 10**8)
    assert [one.at for one in busy.movements] == [101, 103]
    assert [one.id for one in busy.movements] == [one.txid for one in case.transfers()[3:]]
    assert (busy.clock, busy.height, busy.start_at) == (Clock.HEIGHT, 100, 105)
    assert numbers(rich) == (Rule.UNTOUCHED, 25 * 10**8 - 1, [], 25 * 10**8 - 1)
    assert rich.last is not None
    assert rich.last.at == 20
    assert (numbers(never), never.last) == ((Rule.UNTOUCHED, 0, [], 0), None)


async def test_an_address_index_tells_of_which_changes_a_balance_is_the_sum():
    case = index_case
    node = SimulatedIndexedCore(case.SPEC, case.COINS, tip=case.TIP)
    async with node, case.connected(node) as adapter:
        at = adapter.snapshot(case.HEIGHT, await adapter.pin(case.HEIGHT))
        _, (spent,) = await told(adapter, at, case.NATIVE, case.SPENT, *case.AT_HEIGHT)
    assert numbers(spent) == (Rule.FORWARD, 0, [2**53 + 1, 500, 30, -500], 2**53 + 31)
    assert {one.id for one in spent.movements[:3]} == {"a1" * 32, "a2" * 32, "a3" * 32}


async def test_tokens_of_tron_are_taken_back_over_transfers_and_the_contracts_own_events():
    case = tron_case
    node = case.tether(
        Event(case.HEIGHT - 10, "Issue", {"amount": "55"}),
        Event(case.HEIGHT + 4, "Issue", {"amount": "700"}),
        Event(case.HEIGHT + 6, "Redeem", {"amount": "200"}),
        case.destroyed(case.PAID, 1_250),
    )
    async with case.with_token(node, **case.SUPPLY) as adapter:
        at = await tron_nodes.pinned(adapter)
        others = (case.IDLE, case.PAID, case.BUSY, case.WHALE)
        _, (whale,) = await told(adapter, at, case.ASSET, case.WHALE, *others)
        _, (paid,) = await told(adapter, at, case.ASSET, case.PAID, *others)
        _, (idle,) = await told(adapter, at, case.ASSET, case.IDLE, *others)
    now = 10**9 - 300 + 700 - 200
    assert numbers(whale) == (Rule.BACK, now, [-300, 700, -200], 10**9)
    assert [one.what for one in whale.movements] == ["Transfer", "Issue", "Redeem"]
    assert whale.movements[0].id == "" or len(whale.movements[0].id) == 64
    assert numbers(paid) == (Rule.BACK, 0, [1_250, -1_250], 0)
    assert paid.movements[1].what == "DestroyedBlackFunds"
    assert paid.clock is Clock.MILLISECONDS
    assert paid.height < paid.movements[0].at < paid.movements[1].at
    assert numbers(idle) == (Rule.UNTOUCHED, 2**70, [], 2**70)


async def test_every_page_of_many_transfers_is_told():
    case = tron_case
    many = tuple(Transfer(case.HEIGHT + 1 + i, case.WHALE, case.BUSY, 1) for i in range(450))
    async with case.with_token(case.grid(transfers=many)) as adapter:
        at = await tron_nodes.pinned(adapter)
        answer, (busy,) = await told(adapter, at, case.ASSET, case.BUSY)
    assert isinstance(answer, Observation)
    assert (len(busy.movements), busy.start, busy.result) == (450, 1_450, 1_000)
    assert len({one.id for one in busy.movements}) == 450


async def test_hedera_adds_what_moved_since_its_snapshot():
    case = hedera_case
    moves = [(case.SINCE + 1, case.RICH, -7), (case.LAST, case.RICH, 5), (case.AFTER, case.RICH, 9)]
    node = SimulatedHedera(case.HEIGHT, case.BALANCES, moves=moves)
    account = hedera_address.decode(case.RICH, {})
    other = hedera_address.decode(case.NEVER, {})
    async with connected(case.Adapter, case.spec_of(node), node) as adapter:
        at = await pinned(adapter, case.HEIGHT)
        _, (rich,) = await told(adapter, at, case.NATIVE, account, other)
        _, (never,) = await told(adapter, at, case.NATIVE, other, account)
    assert numbers(rich) == (Rule.FORWARD, 2**53 + 1, [-7, 5], 2**53 - 1)
    assert (rich.start_at, rich.height) == (case.SINCE, case.LAST)
    assert numbers(never) == (Rule.FORWARD, 0, [], 0)


async def test_solana_shows_the_records_on_both_sides_of_the_slot():
    case = solana_case
    slot, moved = case.SLOT, case.moved
    node = case.node_with(
        moved(slot - 9, 1, 2), moved(slot, 2, 555), moved(slot + 1, 555, 9), moved(slot + 4, 9, 70)
    )
    async with solana_nodes.connected(node) as adapter:
        at = await solana_nodes.pinned(adapter, slot)
        _, (between,) = await told(adapter, at, solana_nodes.NATIVE, case.MOVED, case.OTHER)
        _, (other,) = await told(adapter, at, solana_nodes.NATIVE, case.OTHER, case.MOVED)
    assert (between.rule, between.result) == (Rule.BETWEEN, 555)
    assert [(one.at, one.found, one.left) for one in between.movements] == [
        (slot, 2, 555),
        (slot + 1, 555, 9),
    ]
    assert numbers(other) == (Rule.UNTOUCHED, case.RICH, [], case.RICH)


async def test_every_token_account_of_an_owner_on_solana_is_told():
    case = token_case
    node = case.made(finalized=case.SLOT + 50)
    async with solana_nodes.connected(node) as adapter:
        at = await solana_nodes.pinned(adapter, case.SLOT)
        answer, found = await told(adapter, at, case.asset(), case.ALICE, case.BOB)
    assert isinstance(answer, Observation)
    assert sorted(one.result for one in found) == [5, case.BIG]
    assert {one.rule for one in found} == {Rule.UNTOUCHED}


async def test_sui_shows_the_transactions_between_the_checkpoint_and_a_later_one():
    case = sui_case
    async with case.connected(case.late()) as adapter:
        at = await case.pinned(adapter)
        _, (rich,) = await told(adapter, at, case.NATIVE, case.RICH, case.SPLIT)
        _, (split,) = await told(adapter, at, case.NATIVE, case.SPLIT, case.RICH)
        _, (never,) = await told(adapter, at, case.NATIVE, case.NEVER, case.RICH)
    now, then = case.TRUE[case.RICH] + 66, case.TRUE[case.RICH]
    assert numbers(rich) == (Rule.BACK, now, [100, -35, 1], then)
    assert [one.at - case.HEIGHT for one in rich.movements] == [1, 2, 80_000]
    assert (rich.clock, rich.height) == (Clock.HEIGHT, case.HEIGHT)
    assert rich.start_at == case.NEWEST - case.since.LAG
    assert numbers(split) == (Rule.UNTOUCHED, 12, [], 12)
    assert numbers(never) == (Rule.UNTOUCHED, 0, [], 0)


async def test_aelf_says_over_how_many_blocks_nothing_named_the_account():
    case = aelf_case
    node = case.node_of()
    async with connected(case.aelf.Adapter, case.spec(), node) as adapter:
        at = await pinned(adapter, case.HEIGHT)
        node.best, node.final = case.HEIGHT + 9, case.HEIGHT + 2
        answer, (rich,) = await told(adapter, at, case.NATIVE, case.RICH, case.POOR)
    assert isinstance(answer, Observation)
    assert numbers(rich) == (Rule.UNTOUCHED, answer.units, [], answer.units)
    assert (rich.height, rich.start_at) == (case.HEIGHT, case.HEIGHT + 9)
    assert "9 blocks" in rich.shown


async def test_stellar_names_the_ledger_that_changed_the_account_last():
    case = stellar_case
    async with case.connected(case.horizon()) as adapter:
        at = await case.pinned(adapter)
        answer, (idle,) = await told(adapter, at, case.NATIVE, case.IDLE, case.NEVER)
        _, (never,) = await told(adapter, at, case.NATIVE, case.NEVER, case.IDLE)
        gap, none = await told(adapter, at, case.NATIVE, case.MOVED, case.IDLE)
    assert isinstance(answer, Observation)
    assert numbers(idle) == (Rule.UNTOUCHED, 10**9 + 7, [], 10**9 + 7)
    assert idle.last is not None
    assert idle.last.at <= case.HEIGHT
    assert (numbers(never), never.last) == ((Rule.UNTOUCHED, 0, [], 0), None)
    assert (isinstance(gap, Gap), none) == (True, [])


async def test_tokens_that_moved_on_solana_are_told_account_by_account():
    case = token_case
    node = case.made()
    node.happened = [case.moved(case.SLOT - 4, 0, 900), case.moved(case.SLOT + 1, 900, case.BIG)]
    async with solana_nodes.connected(node) as adapter:
        at = await solana_nodes.pinned(adapter, case.SLOT)
        answer, found = await told(adapter, at, case.asset(), case.ALICE, case.BOB)
    assert isinstance(answer, Observation)
    assert answer.units == 905
    assert {one.rule: one.result for one in found} == {Rule.BETWEEN: 900, Rule.UNTOUCHED: 5}


async def test_what_is_staked_on_tron_is_that_of_the_height_where_the_account_did_nothing():
    case = tron_case
    stake = {"frozenV2": [{"amount": 40}, {"type": "ENERGY", "amount": 2}]}
    node = SimulatedTron(case.HEIGHT, {case.IDLE: 5, case.BUSY: 6}, head=case.HEAD)
    node.head_state = {case.IDLE: stake, case.BUSY: stake}
    node.operated = {case.IDLE: case.HEIGHT, case.BUSY: case.HEIGHT + 1}
    async with tron_nodes.connected(node) as adapter:
        at = await tron_nodes.pinned(adapter)
        _, (idle,) = await told(adapter, at, tron_nodes.NATIVE, case.IDLE, case.BUSY)
        _, none = await told(adapter, at, tron_nodes.NATIVE, case.BUSY, case.IDLE)
    assert (numbers(idle), idle.whole) == ((Rule.UNTOUCHED, 42, [], 42), False)
    assert idle.last is not None
    assert idle.last.at < idle.height
    assert none == []


async def test_antelope_knows_of_who_was_not_there_yet():
    case = antelope_case
    node = case.node_of(later=Stored(liquid=5, created=case.HEIGHT + 1))
    async with case.connected(node) as adapter:
        at = await case.pinned(adapter)
        _, none = await told(adapter, at, case.NATIVE, case.NOBODY)
        node.head = case.HEIGHT + 7
        _, (later,) = await told(adapter, at, case.NATIVE, case.LATER, case.RICH)
    assert none == []  # the node stood at the block
    assert numbers(later) == (Rule.UNTOUCHED, 0, [], 0)


def working(rule: Rule, result: int, *movements: Movement, start: int | None = 10) -> Working:
    return Working(
        rule=rule, clock=Clock.HEIGHT, height=5, result=result, start=start, movements=movements
    )


@pytest.mark.parametrize(
    "wrong",
    [
        working(Rule.BACK, 10, Movement(units=1, at=6)),
        working(Rule.BACK, 10, Movement(units=None, at=6)),
        working(Rule.FORWARD, 9, Movement(units=1, at=4)),
        working(Rule.UNTOUCHED, 9),
        working(Rule.UNTOUCHED, 0, start=None),
        working(Rule.BETWEEN, 3),
        working(Rule.BETWEEN, 3, Movement(units=1, at=5, found=3, left=4)),
        working(Rule.BETWEEN, 3, Movement(units=1, at=6, found=4, left=3)),
    ],
)
def test_a_working_that_does_not_add_up_is_noticed(wrong: Working):
    assert not wrong.holds()
    right = msgspec.structs.replace(wrong, rule=Rule.UNTOUCHED, start=1, result=1, movements=())
    assert right.holds()
