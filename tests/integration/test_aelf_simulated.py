"""The aelf adapter against simulated nodes: where the head stands, and answers that mislead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from account_crawl import connected, pinned, short

from chains.adapters import aelf
from chains.adapters.aelf import calls, protobuf, since
from chains.addresses.aelf import encode
from chains.errors import WrongChain
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
)
from chains.simulated.aelf import GENESIS, PRODUCER, SENDER, TOKEN, SimulatedAelf

pytestmark = pytest.mark.integration

CHAIN = ChainId("aelf:AELF")
NATIVE, USDT, ALIAS = (
    AssetId(f"{CHAIN}/{name}") for name in ("slip44:1616", "token:USDT", "token:SGR")
)
HEIGHT = 4_229_086
RICH, POOR, OTHER = b"\x21" * 32, b"\x22" * 32, b"\x23" * 32
HELD = {RICH: 123_456_789, POOR: 0}


def node_of(**more: Any) -> SimulatedAelf:
    return SimulatedAelf(HEIGHT, HELD, **more)


def spec(**params: object) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="aelf",
        adapter="aelf",
        address="aelf",
        native=NATIVE,
        params={"genesis_contract": encode(GENESIS, {}), **params},
    )


def fired(name: str, **whose: bytes) -> tuple[str, bytes]:
    """Return an event with an address in each of its fields, as the token contract fires it."""
    fields = [protobuf.text(1 + i, calls.message(who)) for i, who in enumerate(whose.values())]
    return name, b"".join(fields) + protobuf.integer(9, 5)


def fee(payer: bytes) -> tuple[str, bytes]:
    return "TransactionFeeCharged", b"\x0a\x03ELF\x10\x05" + protobuf.text(3, calls.message(payer))


async def asked(
    adapter: aelf.Adapter,
    at: Snapshot,
    *accounts: bytes,
    asset: AssetId = NATIVE,
    kind: QueryKind = QueryKind.BALANCE,
) -> Mapping[bytes, Observation | Gap]:
    questions = Questions(
        kind=kind, chain=CHAIN, height=HEIGHT, asset=asset, accounts=tuple(sorted(accounts))
    )
    return {
        questions.accounts[position]: answer
        async for extract in adapter.extract(questions, at)
        for position, answer in adapter.decode(questions, extract, at).each(questions)
    }


async def balances(
    *nodes: SimulatedAelf, asset: AssetId = NATIVE, then: Any = None, **params: object
) -> tuple[list[int | str], set[Method]]:
    """Pin, let ``then`` change the first node, and ask for RICH, POOR and OTHER."""
    async with connected(aelf.Adapter, spec(**params), *nodes) as adapter:
        at = await pinned(adapter, HEIGHT)
        if then is not None:
            then(nodes[0])
        found = await asked(adapter, at, RICH, POOR, OTHER, asset=asset)
    methods = {one.method for one in found.values() if isinstance(one, Observation)}
    return [short(found[who]) for who in (RICH, POOR, OTHER)], methods


EXACT = [HELD[RICH], 0, 0]


@pytest.mark.parametrize("bare", [False, True])
async def test_a_node_that_stands_at_the_block_answers_exactly(bare):
    node = node_of()
    node.bare = bare
    assert await balances(node) == (EXACT, {Method.STATE})


async def test_a_node_past_the_block_answers_for_whom_no_block_names():
    events = {HEIGHT + 2: [fired("Transferred", a=SENDER, b=POOR)], HEIGHT + 3: [fee(SENDER)]}
    node = node_of(events=events)
    node.best, node.final = HEIGHT + 40, HEIGHT + 9
    found, methods = await balances(node)
    assert (found, methods) == ([HELD[RICH], "no-history", 0], {Method.UNTOUCHED})


@pytest.mark.parametrize(
    "event",
    [
        fired("Transferred", a=RICH, b=OTHER),
        fired("Burned", a=RICH),
        fired("Issued", a=OTHER, b=RICH),
        fired("CrossChainTransferred", a=RICH, b=OTHER),
        fired("CrossChainReceived", a=OTHER, b=RICH),
        fired("RentalCharged", a=RICH, b=TOKEN),
        fired("ResourceTokenClaimed", a=RICH, b=TOKEN),
        fee(RICH),
    ],
    ids=lambda event: event[0],
)
async def test_whom_an_event_names_is_no_longer_known(event):
    node = node_of(events={HEIGHT + 1: [event]})
    node.best = HEIGHT + 1
    found, _ = await balances(node)
    assert (found[0], found[1]) == ("no-history", 0)


async def test_the_head_may_grow_while_balances_are_asked():
    node = node_of()
    found, methods = await balances(node, then=lambda one: setattr(one, "moves", True))
    assert (found, methods) == (EXACT, {Method.UNTOUCHED})


async def test_what_happens_while_balances_are_asked_is_seen():
    node = node_of(events={HEIGHT + 2: [fired("Transferred", a=RICH, b=OTHER)]})
    found, _ = await balances(node, then=lambda one: setattr(one, "moves", True))
    assert found == ["no-history", 0, "no-history"]


LIES = {
    "breaks_links": "wrong-block",
    "loses_results": "malformed-answer",
    "unnamed_fees": "no-history",
}


@pytest.mark.parametrize("knob", LIES)
async def test_a_story_with_a_hole_in_it_is_not_believed(knob):
    node = node_of(events={HEIGHT + 1: [fee(SENDER)]})
    node.best = HEIGHT + 3

    def lie(one: SimulatedAelf) -> None:
        setattr(one, knob, True)

    assert await balances(node, then=lie) == ([LIES[knob]] * 3, set())


async def test_a_head_far_past_the_block_is_not_traced():
    node = node_of()
    node.best = HEIGHT + since.MOST_BLOCKS + 1
    before = node.requests
    assert await balances(node) == (["no-history"] * 3, set())
    assert node.requests - before < 20


async def test_more_transactions_than_anybody_reads_are_not_asked_for():
    node = node_of()
    node.best = HEIGHT + 8
    before = node.requests
    found, _ = await balances(node, then=lambda one: setattr(one, "claims_transactions", 99_999))
    assert found == ["no-history"] * 3
    assert node.requests - before < 40


async def test_a_reorganisation_between_pin_and_read_is_a_gap():
    found, _ = await balances(node_of(), then=lambda one: setattr(one, "fork", "other"))
    assert found == ["wrong-block"] * 3


async def test_a_branch_that_changes_while_balances_are_asked_is_a_gap():
    node = node_of()
    node.best = HEIGHT + 5
    found, _ = await balances(node, then=lambda one: setattr(one, "switches_branch", True))
    assert found == ["wrong-block"] * 3


@pytest.mark.parametrize(
    "stands",
    [
        [(HEIGHT, "other"), (HEIGHT + 3, "")],
        [(HEIGHT + 2, "other"), (HEIGHT + 3, "")],
        [(HEIGHT + 2, ""), (HEIGHT + 3, "other")],
        [(HEIGHT + 3, ""), (HEIGHT + 2, "")],
    ],
)
async def test_a_head_of_another_branch_around_the_balances_is_a_gap(stands):
    node = node_of()
    node.best = HEIGHT + 3
    found, _ = await balances(node, then=lambda one: one.stands.extend(stands))
    assert found == ["wrong-block"] * 3


async def test_who_sent_a_transaction_is_no_longer_known():
    node = node_of()
    node.best = HEIGHT + 1
    async with connected(aelf.Adapter, spec(), node) as adapter:
        found = await asked(adapter, await pinned(adapter, HEIGHT), SENDER, RICH)
    assert (short(found[SENDER]), short(found[RICH])) == ("no-history", HELD[RICH])


SILENCES = {
    "zero_for_everything": "canary-wrong",
    "echoes_another": "malformed-answer",
    "says_nothing": "no-record",
}


@pytest.mark.parametrize("knob", SILENCES)
async def test_an_answer_that_looks_like_zero_is_a_gap(knob):
    found, _ = await balances(node_of(), then=lambda one: setattr(one, knob, True))
    assert found == [SILENCES[knob]] * 3


async def test_a_call_with_a_broken_signature_is_refused_and_that_is_no_zero(monkeypatch):
    node = node_of()
    async with connected(aelf.Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        signed = calls.signed
        monkeypatch.setattr(calls, "signed", lambda *all_: b"\n" + signed(*all_)[1:-2] + b"\1\0")
        found = await asked(adapter, at, RICH, POOR)
    gaps = {one.reason for one in found.values() if isinstance(one, Gap)}
    details = {one.detail for one in found.values() if isinstance(one, Gap)}
    assert (gaps, details) == ({"rpc-error"}, {"20013: Invalid signature"})


async def test_a_block_that_is_irreversible_for_nobody_is_not_asked_about():
    node = node_of()
    node.final = HEIGHT - 20
    async with connected(aelf.Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
    assert (at.endpoints, at.rejected) == ((), {"n0": "node-behind"})


async def test_another_endpoint_says_that_the_block_of_a_stopped_node_is_irreversible():
    stopped, running = node_of(), node_of()
    stopped.final, running.best = HEIGHT - 20, HEIGHT + 300
    async with connected(aelf.Adapter, spec(), running, stopped) as adapter:
        at = await pinned(adapter, HEIGHT)
        found = await asked(adapter, at, RICH)
    assert at.endpoints == ("n0", "n1")
    assert found[RICH] == Observation(
        subject=RICH,
        units=HELD[RICH],
        parts=found[RICH].parts,  # type: ignore[union-attr]
        facts="",
        source="single",  # type: ignore[arg-type]
        method=Method.STATE,
        endpoint="n1",
    )


@pytest.mark.parametrize(
    ("params", "attribute", "value"),
    [
        ({}, "chain", "tDVV"),
        ({"genesis_hash": "73b6" + "0" * 60}, "chain", "AELF"),
        ({"chain": "tDVV"}, "chain", "AELF"),
    ],
)
async def test_the_side_chain_and_the_test_network_are_other_chains(params, attribute, value):
    node = node_of()
    setattr(node, attribute, value)
    async with connected(aelf.Adapter, spec(**params), node) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        with pytest.raises(WrongChain):
            adapter.snapshot(HEIGHT, exchanges)


async def test_another_token_contract_than_the_configured_one_is_not_believed():
    node = node_of()
    async with connected(aelf.Adapter, spec(token_contract=encode(OTHER, {})), node) as adapter:
        at = await pinned(adapter, HEIGHT)
    assert at.rejected == {"n0": "identity-unproven"}


async def test_the_canaries_come_from_the_block_and_from_the_configuration():
    node, config = node_of(), encode(RICH, {})
    async with connected(aelf.Adapter, spec(canaries=[config]), node) as adapter:
        at = await pinned(adapter, HEIGHT)
    assert at.canaries == (RICH.hex(), PRODUCER.hex(), SENDER.hex())
    assert at.detail["version@n0"] == "1.12.1"
    node = node_of()
    node.balances |= {PRODUCER: 0, SENDER: 0}
    async with connected(aelf.Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
    assert at.rejected == {"n0": "canary-failed"}


def tokens(**more: Sequence[bytes]) -> SimulatedAelf:
    return node_of(tokens={"USDT": {RICH: 7, SENDER: 9}, **{k: {} for k in more}})


async def test_a_token_is_read_by_its_symbol_and_a_zero_needs_a_canary_of_its_own():
    found, _ = await balances(tokens(), asset=USDT)
    assert found == [7, "zero-without-canary", "zero-without-canary"]
    found, _ = await balances(tokens(), asset=USDT, token_canaries={"USDT": encode(SENDER, {})})
    assert found == [7, 0, 0]
    found, _ = await balances(tokens(), asset=USDT, token_canaries={"USDT": encode(OTHER, {})})
    assert found == [7, "zero-without-canary", "zero-without-canary"]


async def test_a_symbol_that_nobody_created_reads_as_zero_and_is_a_gap():
    found, _ = await balances(node_of(), asset=USDT, token_canaries={"USDT": encode(RICH, {})})
    assert found == ["no-contract"] * 3


async def test_an_alias_reads_as_the_other_token_and_is_a_gap():
    node = tokens()
    node.aliases["SGR"] = "USDT"
    found, _ = await balances(node, asset=ALIAS)
    assert found == ["no-contract"] * 3


async def test_decimals_and_symbol_of_a_token_are_read():
    node = tokens()
    node.best = HEIGHT + 3
    async with connected(aelf.Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        kind, who = QueryKind.ASSET_FACT, b"USDT"
        fact = (await asked(adapter, at, who, asset=USDT, kind=kind))[who]
        gone = (await asked(adapter, at, who, asset=ALIAS, kind=kind))[who]
        native = (await asked(adapter, at, who, asset=NATIVE, kind=kind))[who]
    assert isinstance(fact, Observation)
    assert fact.facts == '{"decimals":8,"symbol":"USDT"}'
    assert (short(gone), short(native)) == ("no-contract", "asset-unsupported")
