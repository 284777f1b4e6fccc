"""TRC-20, permissions and stakes against simulated nodes: what is rolled back, and the traps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tron_nodes import CHAIN, HEIGHT, NATIVE, asked, connected, pinned, short

from chains import control
from chains.adapters import tron
from chains.adapters.tron import tokens
from chains.model import AssetId, Gap, Method, Observation, PartKind, QueryKind, Questions
from chains.simulated.tron import ACTIVE_OPERATIONS, SOLID_DEPTH, SimulatedTron
from chains.simulated.trongrid import Event, SimulatedTronGrid, Transfer, text
from crawler.asking.control import CONTROLLED, DENIED, judge_signers
from crawler.asking.forecast import load_of
from crawler.settings import load_world
from tests.forecasts import check_about, received

pytestmark = pytest.mark.integration

HEAD = HEIGHT + 2000
TOKEN = b"\x77" * 20
ASSET = AssetId(f"{CHAIN}/trc20:{text(TOKEN)}")
IDLE, BUSY, PAID, NEVER, WHALE = (bytes((i,)) * 20 for i in range(1, 6))
HOLDINGS = {IDLE: 2**70, BUSY: 1_000, WHALE: 10**9}
TRANSFERS = (
    Transfer(HEIGHT - 50, WHALE, BUSY, 77),
    Transfer(HEIGHT, WHALE, IDLE, 5),
    Transfer(HEIGHT + 1, WHALE, BUSY, 300),
    Transfer(HEIGHT + 2, BUSY, PAID, 1_250),
    Transfer(HEIGHT + 3, BUSY, WHALE, 9_999, "Approval"),
)


def grid(**more: Any) -> SimulatedTronGrid:
    return SimulatedTronGrid(HEIGHT, TOKEN, HOLDINGS, more.pop("transfers", TRANSFERS), head=HEAD)


@asynccontextmanager
async def with_token(*nodes: SimulatedTron, **params: object) -> AsyncIterator[tron.Adapter]:
    async with connected(*nodes, transfer_tokens=[text(TOKEN)], **params) as adapter:
        yield adapter


def shorts(found: Mapping[bytes, Observation | Gap]) -> set[int | str]:
    return {short(one) for one in found.values()}


async def test_tokens_are_those_of_the_height():
    async with with_token(grid()) as adapter:
        at = await pinned(adapter)
        assert at.detail["events@n0"] == "served"
        found = await asked(adapter, at, (IDLE, BUSY, PAID, NEVER), ASSET)
    assert {who: short(one) for who, one in found.items()} == {
        IDLE: 2**70,
        BUSY: 1_000,
        PAID: 0,
        NEVER: 0,
    }
    assert {one.method for one in found.values() if isinstance(one, Observation)} == {
        Method.ROLLED_BACK
    }


SUPPLY = {
    "supply_events": {
        text(TOKEN): [
            {"name": "Issue", "amount": "amount", "sign": 1},
            {"name": "Redeem", "amount": "amount", "sign": -1},
            {
                "name": "DestroyedBlackFunds",
                "account": "_blackListedUser",
                "amount": "_balance",
                "sign": -1,
            },
            {"name": "Deprecate"},
        ]
    }
}


def destroyed(who: bytes, units: int, block: int = HEIGHT + 5) -> Event:
    said = {"_blackListedUser": "0x" + who.hex(), "_balance": str(units)}
    return Event(block, "DestroyedBlackFunds", said)


def tether(*events: Event) -> SimulatedTronGrid:
    node = grid()
    node.owner = WHALE
    node.events = events
    return node


async def test_what_was_issued_redeemed_and_destroyed_is_taken_back():
    """Owner: 10^9 at the height, then 700 issued and 200 redeemed; 300 to BUSY and back by none."""
    node = tether(
        Event(HEIGHT - 10, "Issue", {"amount": "55"}),
        Event(HEIGHT + 4, "Issue", {"amount": "700"}),
        Event(HEIGHT + 6, "Redeem", {"amount": "200"}),
        destroyed(PAID, 1_250),
        destroyed(IDLE, 2**70),
    )
    assert node.held(WHALE, HEAD) == 10**9 - 300 + 700 - 200
    assert (node.held(PAID, HEAD), node.held(IDLE, HEAD)) == (0, 0)
    async with with_token(node, **SUPPLY) as adapter:
        found = await asked(adapter, await pinned(adapter), (IDLE, PAID, WHALE), ASSET)
    assert {who: short(one) for who, one in found.items()} == {
        IDLE: 2**70,
        PAID: 0,
        WHALE: 10**9,
    }
    assert {one.method for one in found.values() if isinstance(one, Observation)} == {
        Method.ROLLED_BACK
    }


async def test_what_was_destroyed_is_missed_where_its_event_is_not_declared():
    """Why the declaration matters: without it the account would have held nothing."""
    async with with_token(tether(destroyed(IDLE, 2**70))) as adapter:
        found = await asked(adapter, await pinned(adapter), (IDLE,), ASSET)
    assert shorts(found) == {0}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Event(HEIGHT + 5, "Deprecate", {"newAddress": "0x" + "11" * 20}), "no-history"),
        (Event(HEIGHT, "Deprecate", {"newAddress": "0x" + "11" * 20}), 2**70),
        (Event(HEIGHT + 5, "Issue", {"value": "5"}), "malformed-answer"),
        (destroyed(b"\x99" * 19, 1), "malformed-answer"),
        (destroyed(IDLE, 1, HEAD - SOLID_DEPTH), "no-history"),
    ],
)
async def test_an_event_after_which_nothing_can_be_said_is_a_gap(event, expected):
    async with with_token(tether(event), **SUPPLY) as adapter:
        found = await asked(adapter, await pinned(adapter), (IDLE,), ASSET)
    assert shorts(found) == {expected}


async def test_events_of_the_contract_that_are_not_listed_to_the_end_are_a_gap():
    node = tether(destroyed(IDLE, 5), destroyed(PAID, 5))
    async with with_token(node, **SUPPLY) as adapter:
        at = await pinned(adapter)
        node.cuts_page = True
        found = await asked(adapter, at, (NEVER,), ASSET)
    assert shorts(found) == {"truncated-answer"}


async def test_an_event_that_does_not_say_when_is_a_gap():
    node = tether(destroyed(IDLE, 5))
    node.timeless = True
    async with with_token(node, **SUPPLY) as adapter:
        found = await asked(adapter, await pinned(adapter), (IDLE,), ASSET)
    assert shorts(found) == {"malformed-answer"}


async def test_accounts_without_transfers_are_untouched():
    async with with_token(grid(), token_canaries={text(TOKEN): text(WHALE)}) as adapter:
        found = await asked(adapter, await pinned(adapter), (IDLE, NEVER), ASSET)
    assert shorts(found) == {2**70, 0}
    assert all(
        isinstance(one, Observation) and one.method is Method.UNTOUCHED for one in found.values()
    )


async def test_a_declared_holder_that_is_empty_voids_the_batch():
    async with with_token(grid(), token_canaries={text(TOKEN): text(NEVER)}) as adapter:
        found = await asked(adapter, await pinned(adapter), (IDLE, NEVER), ASSET)
    assert shorts(found) == {"canary-wrong"}


async def test_only_endpoints_that_list_transfers_are_asked_for_tokens():
    plain = SimulatedTron(HEIGHT, {IDLE: 5}, head=HEAD)
    async with with_token(plain, grid()) as adapter:
        at = await pinned(adapter)
        assert at.endpoints == ("n0", "n1")
        found = await asked(adapter, at, (BUSY,), ASSET)
    assert short(found[BUSY]) == 1_000
    assert tokens.TRIGGER not in plain.calls
    async with with_token(SimulatedTron(HEIGHT, {}, head=HEAD)) as adapter:
        found = await asked(adapter, await pinned(adapter), (BUSY,), ASSET)
    assert found[BUSY] == Gap("no-history", detail=tokens.NO_EVENTS)


async def test_hundreds_of_transfers_are_read_page_after_page():
    many = tuple(Transfer(HEIGHT + 1 + i, WHALE, BUSY, i + 1) for i in range(999))
    node = grid(transfers=many)
    async with with_token(node) as adapter:
        found = await asked(adapter, await pinned(adapter), (BUSY,), ASSET)
    assert short(found[BUSY]) == 1_000
    assert node.calls[f"/v1/accounts/{text(BUSY)}/transactions/trc20"] == 5
    node.forgets_mark = True
    async with with_token(node) as adapter:
        found = await asked(adapter, await pinned(adapter), (BUSY,), ASSET)
    assert short(found[BUSY]) == "truncated-answer"


async def test_more_pages_than_we_read_are_a_gap(monkeypatch):
    monkeypatch.setattr(tokens, "MOST_PAGES", 2)
    many = tuple(Transfer(HEIGHT + 1 + i, WHALE, BUSY, 1) for i in range(401))
    async with with_token(grid(transfers=many)) as adapter:
        found = await asked(adapter, await pinned(adapter), (BUSY,), ASSET)
    assert short(found[BUSY]) == "no-history"


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        ({"cuts_page": True}, "truncated-answer"),
        ({"events_until": HEAD - SOLID_DEPTH - 1}, "node-behind"),
        ({"token_zeros": True}, "canary-wrong"),
        ({"reverts": True}, "call-failed"),
        ({"serves_events": False}, "refused"),
        ({"token": b"\x78" * 20}, "no-contract"),
        ({"head": HEIGHT + 5}, "node-behind"),
    ],
)
async def test_lies_about_tokens_that_begin_after_the_pin_are_gaps(lie, expected):
    node = grid()
    async with with_token(node) as adapter:
        at = await pinned(adapter)
        for name, value in lie.items():
            setattr(node, name, value)
        found = await asked(adapter, at, (BUSY, PAID), ASSET)
    assert shorts(found) == {expected}


async def test_a_lost_row_that_leaves_less_than_nothing_is_seen():
    node = grid(transfers=(*TRANSFERS, Transfer(HEIGHT + 9, PAID, WHALE, 1_250)))
    node.loses_every = 2
    async with with_token(node) as adapter:
        found = await asked(adapter, await pinned(adapter), (PAID,), ASSET)
    assert short(found[PAID]) == "malformed-answer"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (HEAD - SOLID_DEPTH - 10, 1_000),
        (HEAD - SOLID_DEPTH - 9, "no-history"),
        (HEAD - SOLID_DEPTH, "no-history"),
        (HEAD - SOLID_DEPTH + 10, "no-history"),
        (HEAD - SOLID_DEPTH + 11, 1_000),
    ],
)
async def test_a_transfer_near_the_head_may_or_may_not_be_in_the_balance(block, expected):
    async with with_token(grid(transfers=(Transfer(block, WHALE, BUSY, 7),))) as adapter:
        found = await asked(adapter, await pinned(adapter), (BUSY,), ASSET)
    assert short(found[BUSY]) == expected


async def test_facts_of_the_token_come_from_any_endpoint():
    node = grid()
    node.serves_events = False
    async with with_token(node) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, (TOKEN,), ASSET, kind=QueryKind.ASSET_FACT)
        one = found[TOKEN]
        assert isinstance(one, Observation)
        assert msgspec.json.decode(one.facts) == {
            "decimals": 6,
            "symbol": "USDT",
            "total_supply": str(sum(HOLDINGS.values())),
            "code": True,
        }
        node.faults.error_every = 1
        found = await asked(adapter, at, (TOKEN,), ASSET, kind=QueryKind.ASSET_FACT)
    assert shorts(found) == {"server-error"}


def moved_to(*owners: bytes, threshold: int) -> dict[str, Any]:
    keys = [{"address": "41" + who.hex(), "weight": 1} for who in owners]
    active = {"type": "Active", "id": 2, "operations": ACTIVE_OPERATIONS}
    shared = {"threshold": threshold, "keys": keys}
    return {"owner_permission": shared, "active_permission": [active | shared]}


async def test_control_of_an_account_end_to_end():
    node = SimulatedTron(HEIGHT, {IDLE: 5, BUSY: 6, PAID: 7}, head=HEAD, contracts=[PAID])
    node.head_state[IDLE] = moved_to(BUSY, WHALE, threshold=2)
    node.operated = {IDLE: HEIGHT, BUSY: HEIGHT + 1}
    async with connected(node) as adapter:
        at = await pinned(adapter)
        everyone = (IDLE, BUSY, PAID, NEVER)
        found = await asked(adapter, at, everyone, NATIVE, QueryKind.CONTROL)
    assert (short(found[BUSY]), short(found[PAID])) == ("no-history", "no-history")
    nobody, shared = found[NEVER], found[IDLE]
    assert isinstance(nobody, Observation)
    assert isinstance(shared, Observation)
    assert control.decode(nobody.facts) == control.ControlFacts(exists=False)
    facts = control.decode(shared.facts)
    assert judge_signers([text(BUSY), text(WHALE)], [], facts) == CONTROLLED
    assert judge_signers([text(BUSY)], [], facts) == ("signer-only", "owners-below-threshold")
    assert judge_signers([text(IDLE)], [], facts) == DENIED


async def test_a_lagging_node_behind_the_address_shows_no_control():
    node = SimulatedTron(HEIGHT, {IDLE: 5}, head=HEAD)
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.stale_head = HEIGHT - 1
        found = await asked(adapter, at, (IDLE, NEVER), NATIVE, QueryKind.CONTROL)
    assert shorts(found) == {"node-behind"}


async def test_stakes_count_for_accounts_that_did_nothing_since():
    stake = {"frozenV2": [{"amount": 40}, {"type": "ENERGY", "amount": 2}]}
    node = SimulatedTron(HEIGHT, {IDLE: 5, BUSY: 6}, head=HEAD)
    node.head_state = {IDLE: stake, BUSY: stake}
    node.operated = {IDLE: HEIGHT, BUSY: HEIGHT + 1}
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), (IDLE, BUSY, NEVER), NATIVE)
    idle, busy = found[IDLE], found[BUSY]
    assert isinstance(idle, Observation)
    assert isinstance(busy, Observation)
    assert [(part.kind, part.units) for part in idle.parts] == [
        (PartKind.LIQUID, 5),
        (PartKind.STAKED, 42),
    ]
    assert (idle.units, busy.units, short(found[NEVER])) == (47, 6, 0)


async def test_tokens_are_asked_about_as_often_as_a_plan_says():
    accounts = tuple(i.to_bytes(20, "big") for i in range(1000, 1100))
    node = grid(transfers=[*TRANSFERS, *(Transfer(HEIGHT + 4, WHALE, one, 1) for one in accounts)])
    async with with_token(node) as adapter:
        at = await pinned(adapter)
        pinning = received(node)
        found = await asked(adapter, at, accounts, ASSET)
        asking = received(node)
        world = msgspec.structs.replace(load_world(), chains={CHAIN: adapter.spec})
    assert {(short(one), one.method) for one in found.values()} == {(0, Method.ROLLED_BACK)}
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=HEIGHT, asset=ASSET, accounts=accounts
    )
    said = load_of(world, questions, len(accounts), [], late=True)
    check_about(said, asking, pinning)
