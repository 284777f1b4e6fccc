"""The Antelope adapter against simulated nodes: where the head stands, and answers that mislead."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from typing import Any

import account_crawl
import pytest
from coincurve import PrivateKey

from chains.adapters import antelope
from chains.addresses.antelope import decode
from chains.control import ControlFacts
from chains.control import decode as decode_facts
from chains.errors import NodeBehind
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Snapshot,
)
from chains.signatures.antelope import key_text
from chains.simulated.antelope import KEY, SimulatedAntelope, Stored, permission, required
from crawler.asking.control import BELOW_THRESHOLD, CONTROLLED, DENIED, judge_signers

pytestmark = pytest.mark.integration

CHAIN = ChainId("antelope:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:194")
A_TOKEN = AssetId(f"{CHAIN}/token:core.vaulta%3AA")
HEIGHT = 400_000_000
RICH, POOR, NOBODY, LATER, DIGITS, FIRST, SECOND = (
    decode(name, {})
    for name in ("rich", "poor", "nobody", "later", "111111111111", "first", "second")
)
ONE, TWO, STRANGER = (
    key_text(PrivateKey(sha256(text).digest()).public_key.format())
    for text in (b"one", b"two", b"stranger")
)
OWNER = permission("owner", required(keys={KEY: 1}))


def node_of(**accounts: Stored) -> SimulatedAntelope:
    stored = {decode(name, {}): kept for name, kept in accounts.items()}
    return SimulatedAntelope(HEIGHT, {RICH: 123_456, POOR: 0}, accounts=stored)


def connected(
    *nodes: SimulatedAntelope, **more: object
) -> AbstractAsyncContextManager[antelope.Adapter]:
    spec = ChainSpec(
        id=CHAIN,
        name="Antelope",
        adapter="antelope",
        address="antelope",
        native=NATIVE,
        params={"chain_id": nodes[0].chain_id, **more},
    )
    return account_crawl.connected(antelope.Adapter, spec, *nodes)


async def pinned(adapter: antelope.Adapter) -> Snapshot:
    return adapter.snapshot(HEIGHT, await adapter.pin(HEIGHT))


async def asked(
    adapter: antelope.Adapter,
    at: Snapshot,
    *accounts: bytes,
    asset: AssetId = NATIVE,
    kind: QueryKind = QueryKind.BALANCE,
) -> Mapping[bytes, Observation | Gap]:
    return await account_crawl.asked(adapter, at, *accounts, asset=asset, kind=kind)


def short(found: Mapping[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    return {who: one.reason if isinstance(one, Gap) else one.units for who, one in found.items()}


async def test_a_node_that_stands_at_the_block_answers_exactly():
    node = node_of()
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), RICH, POOR, NOBODY)
    assert short(found) == {RICH: 123_456, POOR: 0, NOBODY: 0}
    assert {one.method for one in found.values() if isinstance(one, Observation)} == {Method.STATE}


async def test_older_nodes_say_500_where_there_is_no_account():
    node = node_of()
    node.old_errors = True
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), NOBODY)
    assert short(found) == {NOBODY: 0}


async def test_a_node_past_the_block_knows_only_who_was_not_there():
    node = node_of(later=Stored(liquid=5, created=HEIGHT + 1))
    node.accounts[SECOND] = Stored(created=HEIGHT)
    node.head = HEIGHT + 7
    async with connected(node) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, RICH, POOR, NOBODY, LATER, SECOND)
        control = await asked(adapter, at, RICH, LATER, kind=QueryKind.CONTROL)
        tokens = await asked(adapter, at, RICH, NOBODY, asset=A_TOKEN)
    gap = "no-history"
    assert short(found) == {RICH: gap, POOR: gap, NOBODY: 0, LATER: 0, SECOND: gap}
    zeros = [one for one in found.values() if isinstance(one, Observation)]
    assert {one.method for one in zeros} == {Method.UNTOUCHED}
    assert short(control)[RICH] == gap
    assert decode_facts(control[LATER].facts) == ControlFacts(exists=False)
    assert short(tokens) == {RICH: gap, NOBODY: gap}
    assert "get_table_rows" not in node.calls


@pytest.mark.parametrize("after", [1, 3, 6, 9])
async def test_a_head_that_moves_on_during_the_batch_makes_gaps(after):
    node = node_of()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.moves_after = node.requests + after
        found = await asked(adapter, at, RICH, POOR)
    assert node.head == HEIGHT + 1
    assert set(short(found).values()) <= {"no-history", "wrong-block"}


class Paying(SimulatedAntelope):
    """With the block after the height, money arrives and a token is paid out."""

    def _stored(self, name: str) -> Stored | None:
        kept = super()._stored(name)
        if kept is None or self.head == HEIGHT or name not in ("rich", "poor"):
            return kept
        return Stored(liquid=kept.liquid + 1, tokens={"core.vaulta:A": 1})


@pytest.mark.parametrize("asset", [NATIVE, A_TOKEN])
async def test_a_head_that_moves_between_pin_and_read_never_gives_a_balance(asset):
    """Whichever request of the batch the block comes before, none of its balances is told."""
    seen = set()
    for after in range(30):
        node = Paying(HEIGHT, {RICH: 123_456, POOR: 0})
        node.accounts |= {
            FIRST: Stored(tokens={"core.vaulta:A": 1}),
            RICH: Stored(liquid=123_456, tokens={"core.vaulta:A": 70_001}),
        }
        truth = {NATIVE: {RICH: 123_456, POOR: 0}, A_TOKEN: {RICH: 70_001, POOR: 0}}[asset]
        async with connected(node, token_canaries={"core.vaulta:A": "first"}) as adapter:
            at = await pinned(adapter)
            if after:
                node.moves_after = node.requests + after
            else:
                node.head += 1
            found = short(await asked(adapter, at, RICH, POOR, asset=asset))
        assert found == truth or set(found.values()) <= {"no-history", "wrong-block"}
        assert node.head == HEIGHT or found != truth
        seen.add(found == truth)
    assert seen == {True, False}


async def test_the_gap_of_a_node_past_the_block_says_what_would_answer():
    node = node_of()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.head = HEIGHT + 1
        found = await asked(adapter, at, RICH)
    gap = found[RICH]
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.retryable) == ("no-history", False)
    assert f"--read-mode irreversible --terminate-at-block {HEIGHT}" in gap.detail


async def test_a_block_that_is_not_irreversible_is_not_pinned():
    node = node_of()
    node.irreversible = HEIGHT - 1
    async with connected(node) as adapter:
        with pytest.raises(NodeBehind):
            await pinned(adapter)


async def test_a_head_that_was_replaced_after_the_pin():
    node = node_of()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.block_id = lambda number: f"{number:08x}" + "ab" * 28  # type: ignore[method-assign]
        found = await asked(adapter, at, RICH, NOBODY)
    assert short(found) == {RICH: "wrong-block", NOBODY: "wrong-block"}


async def test_another_chain_behind_the_same_address_after_the_pin():
    node = node_of()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.seed = "another"
        found = await asked(adapter, at, RICH, NOBODY)
    assert short(found) == {RICH: "wrong-block", NOBODY: "wrong-block"}


@pytest.mark.parametrize("shift", [-1, 1])
async def test_an_account_shown_at_another_block_is_a_gap(shift):
    node = node_of()

    def edit(call: str, answer: Any) -> Any:
        elsewhere = call == "get_account" and answer["account_name"] == "rich"
        return answer | {"head_block_num": HEIGHT + shift} if elsewhere else answer

    async with connected(node) as adapter:
        at = await pinned(adapter)
        node.edit = edit
        found = await asked(adapter, at, RICH, POOR)
    assert short(found) == {RICH: "wrong-block", POOR: 0}


@pytest.mark.parametrize("knob", ["knows_nobody", "tables_empty", "zero_for_everything"])
@pytest.mark.parametrize("kind", [QueryKind.BALANCE, QueryKind.CONTROL])
async def test_a_node_that_forgets_shows_nothing(knob, kind):
    node = node_of()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        setattr(node, knob, True)
        found = await asked(adapter, at, RICH, POOR, NOBODY, kind=kind)
    if (knob, kind) == ("tables_empty", QueryKind.CONTROL):
        assert all(isinstance(one, Observation) for one in found.values())
    else:
        assert set(short(found).values()) == {"canary-wrong"}


async def test_every_page_of_delegations_counts():
    to = {decode(f"to{letter}", {}): (1, 10**i) for i, letter in enumerate("abcde")}
    node = node_of()
    node.accounts[DIGITS] = Stored(liquid=7, delegated=to | {DIGITS: (2, 3)}, refund=(4, 5))
    node.page = 2
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), DIGITS)
    answer = found[DIGITS]
    assert isinstance(answer, Observation)
    assert answer.parts == (
        Part(PartKind.LIQUID, 7),
        Part(PartKind.STAKED, 5),
        Part(PartKind.DELEGATED, 11_111 + 5),
        Part(PartKind.UNBONDING, 9),
    )


async def test_too_many_pages_are_a_gap():
    letters = "abcdefghijklmnopqrstuvwxyz"
    node = node_of()
    node.accounts[FIRST] = Stored(delegated={decode(f"to{one}", {}): (1, 1) for one in letters})
    node.page = 1
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), FIRST)
    assert short(found) == {FIRST: "answer-too-large"}


async def test_rex_is_added_in_the_core_token():
    node = node_of(first=Stored(liquid=1, rex=3_001, rex_fund=20, rex_order=300))
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), FIRST)
    answer = found[FIRST]
    assert isinstance(answer, Observation)
    parts = (Part(PartKind.LIQUID, 1), Part(PartKind.RESERVED, 320), Part(PartKind.STAKED, 1))
    assert answer.parts == parts


async def test_wax_has_eight_decimals_and_no_rex():
    node = SimulatedAntelope(HEIGHT, {RICH: 10**16 + 1}, symbol=(8, "WAX"))
    node.rex = False
    async with connected(node, symbol="8,WAX", rex=False) as adapter:
        found = await asked(adapter, await pinned(adapter), RICH)
    assert short(found) == {RICH: 10**16 + 1}
    async with connected(SimulatedAntelope(HEIGHT, {}), symbol="8,WAX") as adapter:
        assert (await pinned(adapter)).rejected == {"n0": "canary-failed"}


async def test_a_pool_for_swaps_is_shown_and_counts_as_nobodys():
    node = node_of(first=Stored(liquid=9), second=Stored(tokens={"core.vaulta:A": 7}))
    node.accounts[decode("second", {})] = Stored(liquid=55, tokens={"core.vaulta:A": 70_001})
    async with connected(node, pools=["second"]) as adapter:
        at = await pinned(adapter)
        coins = await asked(adapter, at, FIRST, SECOND)
        tokens = await asked(adapter, at, SECOND, asset=A_TOKEN)
    assert short(coins) == {FIRST: 9, SECOND: 0}
    assert short(tokens) == {SECOND: 0}
    for found, units in ((coins[SECOND], 55), (tokens[SECOND], 70_001)):
        assert isinstance(found, Observation)
        assert Part(PartKind.LIQUID, units, counted=False) in found.parts


async def test_a_tokens_zero_needs_a_canary_of_that_token():
    node = node_of(first=Stored(tokens={"core.vaulta:A": 70_001}))
    node.accounts[decode("core.vaulta", {})] = Stored(tokens={"core.vaulta:A": 1})
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), FIRST, POOR, asset=A_TOKEN)
    assert short(found) == {FIRST: 70_001, POOR: "zero-without-canary"}
    canaries = {"core.vaulta:A": "core.vaulta"}
    async with connected(node, token_canaries=canaries) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, FIRST, POOR, asset=A_TOKEN)
        node.accounts[decode("core.vaulta", {})] = Stored()
        later = await asked(adapter, at, POOR, asset=A_TOKEN)
    assert short(found) == {FIRST: 70_001, POOR: 0}
    assert short(later) == {POOR: "zero-without-canary"}


async def test_a_token_whose_decimals_changed_is_a_gap():
    node = node_of(first=Stored(tokens={"core.vaulta:A": 70_001}))

    def edit(call: str, answer: Any) -> Any:
        return ["7.00 A"] if call == "get_currency_balance" and "A" in str(answer) else answer

    node.edit = edit
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), FIRST, asset=A_TOKEN)
    assert short(found) == {FIRST: "malformed-answer"}


def guarded() -> SimulatedAntelope:
    """``first`` needs two of: key one, ``second``, whose active is key two through ``third``."""
    through = required(2, keys={ONE: 1}, accounts={"second@active": 1})
    third = required(accounts={"third@active": 1})
    return node_of(
        first=Stored(permissions=[permission("active", through), OWNER]),
        second=Stored(permissions=[permission("active", third), OWNER]),
        third=Stored(permissions=[permission("active", required(keys={TWO: 1})), OWNER]),
    )


async def test_control_through_accounts_of_accounts():
    async with connected(guarded()) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, FIRST, NOBODY, kind=QueryKind.CONTROL)
    facts = decode_facts(found[FIRST].facts)
    assert judge_signers((ONE, TWO), (), facts) == CONTROLLED
    assert judge_signers((KEY,), (), facts) == CONTROLLED
    assert judge_signers((ONE,), (), facts) == BELOW_THRESHOLD
    assert judge_signers((TWO,), (), facts) == BELOW_THRESHOLD
    assert judge_signers((STRANGER,), (), facts) == DENIED
    assert decode_facts(found[NOBODY].facts) == ControlFacts(exists=False)


async def test_a_nested_account_that_is_not_shown_refutes_nobody():
    node = guarded()
    async with connected(node) as adapter:
        at = await pinned(adapter)
        del node.accounts[decode("third", {})]
        found = await asked(adapter, at, FIRST, SECOND, RICH, kind=QueryKind.CONTROL)
    answers = {who: isinstance(one, Gap) for who, one in found.items()}
    assert answers == {FIRST: True, SECOND: True, RICH: False}


async def test_of_two_nodes_the_one_at_the_block_is_asked():
    standing, later = node_of(), node_of()
    later.head = HEIGHT + 3
    async with connected(later, standing) as adapter:
        at = await pinned(adapter)
        assert at.endpoints == ("n0", "n1")
        accounts = [decode(f"acc{a}{b}", {}) for a in "abcdef" for b in "abcdef"]
        standing.accounts |= {who: Stored(liquid=9) for who in accounts}
        later.accounts |= {who: Stored(liquid=11) for who in accounts}
        found = await asked(adapter, at, *accounts)
    assert set(short(found).values()) == {9}
    assert later.calls["get_account"] == 1
