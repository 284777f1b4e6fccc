"""Sui after the fact: balances of a checkpoint that the service has dropped, or why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from test_sui_simulated import (
    CHAIN,
    HEIGHT,
    NATIVE,
    NEVER,
    RICH,
    SPLIT,
    TOKEN,
    TRUE,
    TYPE,
    asked,
    connected,
    node,
    pinned,
)

from chains.adapters.sui import since, wire
from chains.model import (
    AssetId,
    Gap,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Questions,
)
from chains.simulated.sui import SENDER, SimulatedSui
from chains.simulated.sui_past import Past, Transaction
from crawler.asking.forecast import load_of
from crawler.settings import load_world

pytestmark = pytest.mark.integration

NEWEST = HEIGHT + 90_000
STAKED = "0x3::staking_pool::StakedSui"
BUSY = bytes((4,)) * 32


def moved(*more: Transaction) -> list[Transaction]:
    """RICH received and sent, BUSY lost all but 4, SPLIT and NEVER had no part in anything."""
    return [
        Transaction(at=HEIGHT - 1, changes={(RICH, wire.SUI): 999, (NEVER, wire.SUI): 999}),
        Transaction(at=HEIGHT + 1, changes={(RICH, wire.SUI): 100}),
        Transaction(at=HEIGHT + 2, sender=RICH, changes={(RICH, wire.SUI): -30}, gas=5),
        Transaction(at=HEIGHT + 3, sender=BUSY, changes={(BUSY, wire.SUI): -6}, payer=SENDER),
        *more,
        Transaction(at=HEIGHT + 80_000, changes={(RICH, wire.SUI): 1, (RICH, TYPE): 3}),
        Transaction(at=NEWEST, changes={(RICH, wire.SUI): 10**15}),
    ]


def late(*more: Transaction, **knobs: Any) -> SimulatedSui:
    """Return a service that has dropped the balances of the checkpoint."""
    one = node({TYPE: {RICH: 9, SPLIT: 2}})
    one.balances[BUSY] = 10
    one.newest, one.first_kept = NEWEST, NEWEST - 15_000
    one.past = Past(moved(*more))
    for name, value in knobs.items():
        setattr(one.past if hasattr(one.past, name) else one, name, value)
    return one


ALL = (RICH, SPLIT, NEVER, BUSY)
THEN = {**TRUE, BUSY: 10}


async def answers(
    one: SimulatedSui, accounts: Sequence[bytes] = ALL, asset: AssetId = NATIVE
) -> Mapping[bytes, Observation | Gap]:
    async with connected(one) as adapter:
        at = await pinned(adapter)
        return await asked(adapter, at, tuple(accounts), asset=asset)


async def units(
    one: SimulatedSui, accounts: Sequence[bytes] = ALL, asset: AssetId = NATIVE
) -> dict[bytes, int | str]:
    found = await answers(one, accounts, asset)
    return {who: a.reason if isinstance(a, Gap) else a.units for who, a in found.items()}


async def test_balances_that_are_gone_are_those_of_later_taken_back():
    found = await answers(late())
    assert {who: one.units for who, one in found.items() if isinstance(one, Observation)} == THEN
    methods = {who: one.method for who, one in found.items() if isinstance(one, Observation)}
    back, untouched = Method.ROLLED_BACK, Method.UNTOUCHED
    assert methods == {RICH: back, BUSY: back, SPLIT: untouched, NEVER: untouched}
    split = found[SPLIT]
    assert isinstance(split, Observation)
    assert split.parts == (Part(PartKind.LIQUID, 5), Part(PartKind.LIQUID, 7))


async def test_coins_are_taken_back_by_their_own_changes():
    found = await answers(late(), (RICH, SPLIT, NEVER), TOKEN)
    assert {who: getattr(one, "units", one) for who, one in found.items()} == {
        RICH: 9, SPLIT: 2, NEVER: 0,
    }  # fmt: skip


@pytest.mark.parametrize("knobs", [{"most": 1}, {"most": 2}, {"empty_pages": True}])
async def test_all_pages_are_read(knobs):
    assert await units(late(**knobs)) == THEN


async def test_all_pages_of_balance_changes_are_read():
    many = {(bytes((9, i)) * 16, wire.SUI): 1 for i in range(120)}
    payout = Transaction(
        at=HEIGHT + 9, sender=RICH, gas=3, changes={**many, (RICH, wire.SUI): -120}
    )
    one = late(payout)
    one.balances[RICH] = TRUE[RICH]
    assert await units(one) == THEN
    one.past.changes_go_round = True
    assert (await units(one))[RICH] == "malformed-answer"


DOUBTED = {RICH, BUSY}
"""Those whom a transaction named after the checkpoint."""
EVERYBODY = set(ALL)


@pytest.mark.parametrize(
    ("knobs", "who", "reason"),
    [
        ({"last_page": 1, "most": 1}, {RICH}, "malformed-answer"),
        ({"repeats": True, "most": 2}, {RICH}, "malformed-answer"),
        ({"zeros": True}, EVERYBODY, "canary-wrong"),
        ({"goes_round": True}, EVERYBODY, "malformed-answer"),
        ({"first_kept": HEIGHT + 2}, EVERYBODY, "no-history"),
        ({"first_kept": HEIGHT + 2, "claims": 0}, EVERYBODY, "canary-wrong"),
        ({"claims": HEIGHT + 2}, EVERYBODY, "no-history"),
        ({"says_nothing": True}, EVERYBODY, "no-history"),
        ({"index_ends": HEIGHT + 50}, EVERYBODY, "canary-wrong"),
        ({"no_changes": True}, DOUBTED, "no-record"),
        ({"lost_changes": True}, DOUBTED, "no-record"),
        ({"lost": True}, DOUBTED, "no-record"),
        ({"cut_objects": True}, DOUBTED, "no-record"),
        ({"objects": {RICH, NEVER}}, {RICH, NEVER}, "no-history"),
        ({"no_senders": True}, EVERYBODY, "zero-without-canary"),
        ({"no_objects": True}, EVERYBODY, "method-missing"),
        ({"lists_nothing": True}, EVERYBODY, "zero-without-canary"),
        ({"null_for": {RICH}}, {RICH}, "server-error"),
        ({"forgets_half": True}, {SPLIT}, "malformed-answer"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_no_dangerous_answer_becomes_a_balance(knobs, who, reason):
    expected = {one: reason if one in who else THEN[one] for one in ALL}
    assert await units(late(**knobs)) == expected


async def test_transactions_that_are_dropped_while_they_are_read_are_a_gap():
    assert await units(late(most=1, prunes_after=9), (RICH,)) == {RICH: THEN[RICH]}
    assert await units(late(most=1, prunes_after=2), (RICH,)) == {RICH: "no-history"}


async def test_a_service_that_forgets_what_gas_cost_is_not_believed():
    idle = Transaction(at=HEIGHT + 4, sender=SPLIT, changes={(NEVER, wire.SUI): 0}, gas=2)
    found = await units(late(idle, no_gas=True))
    assert found == {**THEN, RICH: THEN[RICH] - 5, SPLIT: "no-record"}


async def test_what_others_pay_into_an_address_balance_is_a_gap_listed_or_not():
    paid = Transaction(at=HEIGHT + 4, deposits={NEVER: 50, SPLIT: 1})
    for lists in (True, False):
        found = await units(late(paid, lists_deposits=lists))
        assert found == {**THEN, NEVER: "no-history", SPLIT: "no-history"}


async def test_an_address_balance_that_came_and_went_is_a_gap():
    came = Transaction(at=HEIGHT + 4, deposits={BUSY: 50})
    went = Transaction(at=HEIGHT + 5, sender=BUSY, payer=SENDER, deposits={BUSY: -50})
    found = await units(late(came, went, lists_deposits=False))
    assert found == {**THEN, BUSY: "no-history"}


async def test_an_address_balance_that_was_emptied_is_a_gap():
    went = Transaction(at=HEIGHT + 5, sender=SPLIT, payer=SENDER, deposits={SPLIT: -7})
    assert await units(late(went)) == {**THEN, SPLIT: "no-history"}


async def test_more_that_came_in_than_there_is_is_a_gap():
    said = Transaction(at=HEIGHT + 4, made_up={(SPLIT, wire.SUI): 6, (BUSY, wire.SUI): 4})
    assert await units(late(said)) == {**THEN, SPLIT: "malformed-answer", BUSY: THEN[BUSY] - 4}


async def test_more_transactions_than_are_taken_back_are_a_gap_that_says_so():
    many = [Transaction(at=HEIGHT + 10 + i, changes={(RICH, wire.SUI): 1}) for i in range(400)]
    found = await answers(late(*many))
    rich = found[RICH]
    assert isinstance(rich, Gap)
    assert (rich.reason, "capture" in rich.detail) == ("too-much-history", True)
    assert isinstance(found[BUSY], Observation)


async def test_stake_counts_unless_it_moved_since():
    one = late()
    one.stakes = {RICH: [7], NEVER: [8, 9]}
    assert await units(one) == {**THEN, RICH: THEN[RICH] + 7, NEVER: 17}
    one.pool_tokens = {NEVER: 3}
    assert await units(one) == {**THEN, RICH: THEN[RICH] + 7, NEVER: "rate-unread"}
    ended = Transaction(at=HEIGHT + 6, sender=RICH, gas=1, kinds=(f"0x{3:064x}{STAKED[3:]}",))
    one = late(ended)
    one.stakes = {RICH: [7]}
    assert await units(one) == {**THEN, RICH: "no-history"}


async def test_an_epochs_end_changes_no_balance():
    end = Transaction(at=HEIGHT + 7, sender=None, changes={}, kinds=("0x2::a::B",))
    one = late(end)
    one.past.transactions[-3] = msgspec.structs.replace(end, changes={(BUSY, wire.SUI): 0})
    assert (await units(one))[BUSY] == THEN[BUSY]


async def test_the_later_checkpoint_is_pinned_and_both_ends_are_in_the_evidence():
    one = late()
    async with connected(one) as adapter:
        at = await pinned(adapter)
        first = await adapter.ask(_questions(), at, (RICH,))
        one.newest += 1000
        assert (
            adapter.read(_questions(), at, (RICH,), first)[0]
            == adapter.read(_questions(), at, (RICH,), list(reversed(first[1:])) and first)[0]
        )
    texts = b"".join(exchange.body for exchange in first)
    assert one.digest(HEIGHT).encode() in texts
    assert one.digest(NEWEST - since.LAG).encode() in texts


def _questions() -> Questions:
    return Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=HEIGHT, asset=NATIVE, accounts=(RICH,)
    )


async def test_what_was_not_asked_to_the_end_is_a_gap():
    async with connected(late(most=1)) as adapter:
        at = await pinned(adapter)
        shown = await adapter.ask(_questions(), at, (RICH,))
        reasons = [
            getattr(adapter.read(_questions(), at, (RICH,), shown[:n])[0], "reason", "")
            for n in range(1, len(shown) + 1)
        ]
    assert reasons[0] == "no-history"
    assert set(reasons[1:-1]) == {"not-answered"}
    assert reasons[-1] == ""


def paths(node: Any, *before: Any) -> Iterator[tuple[Any, ...]]:
    """Yield where the values of an answer stand."""
    if before:
        yield before
    pairs = node.items() if isinstance(node, dict) else ()
    for key, value in enumerate(node) if isinstance(node, list) else pairs:
        yield from paths(value, *before, key)


async def test_a_null_anywhere_is_a_gap_or_changes_nothing():
    one = late(most=2)
    one.stakes = {RICH: [7]}
    async with connected(one) as adapter:
        at = await pinned(adapter)
        shown = await adapter.ask(_questions(), at, (RICH,))
        (true,) = adapter.read(_questions(), at, (RICH,), shown)
        tried = 0
        for i, exchange in enumerate(shown):
            for path in paths(msgspec.json.decode(exchange.body)):
                body = node_ = msgspec.json.decode(exchange.body)
                for key in path[:-1]:
                    node_ = node_[key]
                node_[path[-1]] = None
                changed = msgspec.structs.replace(exchange, body=msgspec.json.encode(body))
                found = adapter.read(
                    _questions(), at, (RICH,), [*shown[:i], changed, *shown[i + 1 :]]
                )
                assert found == [true] or isinstance(found[0], Gap), path
                tried += 1
    assert tried > 250


@pytest.mark.parametrize("asset", [NATIVE, TOKEN])
@pytest.mark.parametrize("is_late", [False, True], ids=["kept", "dropped"])
async def test_it_asks_as_often_as_a_plan_says(asset: AssetId, *, is_late: bool) -> None:
    accounts = tuple(i.to_bytes(32, "big") for i in range(1000, 1090))
    one = late() if is_late else node({TYPE: {RICH: 9}})
    one.balances |= dict.fromkeys(accounts, 10)
    one.coins[TYPE] |= dict.fromkeys(accounts, 10)
    async with connected(one) as adapter:
        at = await pinned(adapter)
        pinning = one.requests
        found = await asked(adapter, at, accounts, asset=asset)
        asking = one.requests - pinning
        world = msgspec.structs.replace(load_world(), chains={CHAIN: adapter.spec})
    assert {a.units for a in found.values() if isinstance(a, Observation)} == {10}
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=HEIGHT, asset=asset, accounts=accounts
    )
    assert (asking, asking) == load_of(world, questions, len(accounts), [], late=is_late)
