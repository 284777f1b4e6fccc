"""The Antelope adapter against a real nodeos with the reference contracts.

A producing node writes the chain: staking, refunds, REX, a second token, accounts with several
keys. What the node lets sign is noted there. Then the node is started again without producing, so
that its state stands still, and asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from coincurve import PrivateKey
from nodeos import STANDING, WRITING, Nodeos, public, running, sign
from nodeos_world import KEYS, SIGNING, who_can_sign, write

from chains.adapters import antelope
from chains.adapters.antelope import wire
from chains.addresses.antelope import decode
from chains.control import ControlFacts
from chains.control import decode as decode_facts
from chains.endpoints import EndpointSpec
from chains.errors import NodeBehind, WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Gap,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Snapshot,
)
from chains.signatures import antelope as signatures
from chains.signatures.digests import OKX_HEADER, frame
from chains.signatures.model import SignedAddress
from chains.simulated.antelope import KEY, SimulatedAntelope, Stored, permission, required
from chains.transport import HttpTransport, RetryPolicy
from crawler.asking.control import BELOW_THRESHOLD, CONTROLLED, DENIED, judge_signers

pytestmark = pytest.mark.integration

CHAIN = ChainId("antelope:test")
NATIVE = AssetId(f"{CHAIN}/slip44:194")
A_TOKEN = AssetId(f"{CHAIN}/token:core.vaulta%3AA")
NO_TOKEN = AssetId(f"{CHAIN}/token:core.vaulta%3AB")
STRANGER = PrivateKey(sha256(b"stranger").digest())
HOLDER, DIGITS, POOR, NOBODY, LATER = (
    decode(text, {}) for text in ("holder", "123451234512", "poor", "nobody", "lateraccount")
)
MESSAGE = "I am the signer of this list"


class World(msgspec.Struct):
    """What the tests know: the standing node, two heights, and who could sign for whom."""

    node: Nodeos
    chain_id: str
    height: int
    earlier: int
    moved: dict[tuple[str, frozenset[str]], bool]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("nodeos")
    with running(directory, *WRITING) as node:
        earlier = write(node)
        moved = who_can_sign(node)
        chain_id = node.info()["chain_id"]
        node.settle()
    with running(directory, *STANDING) as node:
        height = node.info()["head_block_num"]
        yield World(node=node, chain_id=chain_id, height=height, earlier=earlier, moved=moved)


@asynccontextmanager
async def connected(url: str, chain_id: str) -> AsyncIterator[antelope.Adapter]:
    spec = ChainSpec(
        id=CHAIN,
        name="Antelope",
        adapter="antelope",
        address="antelope",
        native=NATIVE,
        params={"chain_id": chain_id, "token_canaries": {"core.vaulta:A": "holder"}},
    )
    endpoint = EndpointSpec(name="n0", chain=CHAIN, url=url, rate="0", concurrency=8, own_node=True)
    policy = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02)
    async with HttpTransport(CHAIN, [endpoint], policy, (500,)) as transport:
        yield antelope.Adapter(spec, transport)


async def asked(
    adapter: antelope.Adapter,
    at: Snapshot,
    *accounts: bytes,
    asset: AssetId = NATIVE,
    kind: QueryKind = QueryKind.BALANCE,
) -> Mapping[bytes, Observation | Gap]:
    questions = Questions(
        kind=kind, chain=CHAIN, height=at.height, asset=asset, accounts=tuple(sorted(accounts))
    )
    return {
        questions.accounts[position]: answer
        async for extract in adapter.extract(questions, at)
        for position, answer in adapter.decode(questions, extract, at).each(questions)
    }


async def pinned(adapter: antelope.Adapter, height: int) -> Snapshot:
    return adapter.snapshot(height, await adapter.pin(height))


def units(found: Mapping[bytes, Observation | Gap]) -> list[int | str]:
    """Return units or reasons, in the order of the accounts."""
    return [one.reason if isinstance(one, Gap) else one.units for one in found.values()]


async def test_every_part_of_a_real_account(world):
    async with connected(world.node.url, world.chain_id) as adapter:
        at = await pinned(adapter, world.height)
        found = await asked(adapter, at, HOLDER, POOR, NOBODY)
    info = world.node.info()
    assert (at.block_hash, at.endpoints) == (info["head_block_id"], ("n0",))
    liquid = world.node.call("/v1/chain/get_account", {"account_name": "holder"})
    liquid_units = int(liquid["core_liquid_balance"].removesuffix(" EOS").replace(".", ""))
    holder = found[HOLDER]
    assert isinstance(holder, Observation)
    assert holder.parts == (
        Part(PartKind.LIQUID, liquid_units),
        Part(PartKind.STAKED, 230_000),
        Part(PartKind.DELEGATED, 30_000),
        Part(PartKind.UNBONDING, 70_000),
        Part(PartKind.RESERVED, 200_000),
        Part(PartKind.STAKED, 300_000),
    )
    assert (holder.method, holder.source.value) == (Method.STATE, "own-node")
    assert 9_159_000 < liquid_units < 9_160_000  # of 1000 EOS: 84 spent, and RAM
    assert [answer.units for who, answer in found.items() if who != HOLDER] == [0, 0]


async def test_a_name_of_digits_is_not_read_as_a_number(world):
    wrong = {"json": True, "code": "eosio", "scope": "123451234512", "table": "delband"}
    assert world.node.call("/v1/chain/get_table_rows", wrong)["rows"] == []
    async with connected(world.node.url, world.chain_id) as adapter:
        found = await asked(adapter, await pinned(adapter, world.height), DIGITS)
    answer = found[DIGITS]
    assert isinstance(answer, Observation)
    assert Part(PartKind.DELEGATED, 30_000) in answer.parts


async def test_a_second_token_and_its_facts(world):
    async with connected(world.node.url, world.chain_id) as adapter:
        at = await pinned(adapter, world.height)
        found = await asked(adapter, at, HOLDER, POOR, NOBODY, asset=A_TOKEN)
        reference = A_TOKEN.rpartition(":")[2].encode()
        facts = await asked(adapter, at, reference, asset=A_TOKEN, kind=QueryKind.ASSET_FACT)
        missing = await asked(adapter, at, HOLDER, asset=NO_TOKEN)
    assert {who: one.units for who, one in found.items()} == {HOLDER: 70_001, POOR: 0, NOBODY: 0}
    assert facts[reference].facts == '{"decimals":4,"symbol":"A"}'
    assert units(missing) == ["no-contract"]


async def test_past_the_block_only_absence_is_known(world):
    async with connected(world.node.url, world.chain_id) as adapter:
        at = await pinned(adapter, world.earlier)
        found = await asked(adapter, at, HOLDER, LATER, NOBODY)
        control = await asked(adapter, at, HOLDER, LATER, kind=QueryKind.CONTROL)
        tokens = await asked(adapter, at, HOLDER, NOBODY, asset=A_TOKEN)
    assert found[HOLDER].reason == "no-history"
    assert [(found[who].units, found[who].method) for who in (LATER, NOBODY)] == [
        (0, Method.UNTOUCHED)
    ] * 2
    assert control[HOLDER].reason == "no-history"
    assert decode_facts(control[LATER].facts) == ControlFacts(exists=False)
    assert units(tokens) == ["no-history"] * 2


async def test_a_block_that_is_not_there_and_another_chain(world):
    async with connected(world.node.url, world.chain_id) as adapter:
        with pytest.raises(NodeBehind):
            await pinned(adapter, world.height + 1)
    async with connected(world.node.url, "ab" * 32) as adapter:
        with pytest.raises(WrongChain):
            await pinned(adapter, world.height)


def signers(who: str, some: frozenset[str]) -> tuple[str, ...]:
    """Sign the row's text as its keys do and let the signature checks say who signed."""
    keys = [KEYS[text] for text in sorted(some)]
    two = [public(key) for key in keys]
    column = two[0]
    if len(two) > 1:
        column = msgspec.json.encode({"publicKey1": two[0], "publicKey2": two[1]}).decode()
    text = MESSAGE
    while not all(sign(sha256(frame(OKX_HEADER, text)).digest(), key) for key in keys):
        text += "."  # until nodeos would call each signature canonical
    row = SignedAddress(
        spec=ChainSpec(id=CHAIN, name="", adapter="none", address="antelope", native=NATIVE),
        address=who,
        account=decode(who, {}),
        message=text,
        signatures=tuple(sign(sha256(frame(OKX_HEADER, text)).digest(), key) for key in keys),
        schemes=("okx-eos",),
        public_key=column,
    )
    return signatures.judge(row, "okx-eos").signers


async def test_control_end_to_end_agrees_with_what_the_chain_accepts(world):
    async with connected(world.node.url, world.chain_id) as adapter:
        at = await pinned(adapter, world.height)
        names = [decode(who, {}) for who in SIGNING]
        found = await asked(adapter, at, *names, kind=QueryKind.CONTROL)
    for (who, some), could in world.moved.items():
        facts = decode_facts(found[decode(who, {})].facts)
        verdict = judge_signers(signers(who, some), (), facts)
        # A key that is not needed makes nodeos refuse; active is the permission it was given.
        ways = [way for way in facts.ways if way.kind == "permission-active"]
        assert len(ways) == 1
        if could:
            assert verdict == CONTROLLED, (who, some)
    shown = {who: decode_facts(found[decode(who, {})].facts) for who in SIGNING}
    one, two, guard = (signers("plain", frozenset({text})) for text in ("one", "two", "guard"))
    assert judge_signers(one, (), shown["plain"]) == CONTROLLED
    assert judge_signers(two, (), shown["plain"]) == DENIED
    assert judge_signers(guard, (), shown["plain"]) == CONTROLLED  # owner
    assert judge_signers(one, (), shown["vault"]) == BELOW_THRESHOLD
    assert judge_signers(one + two, (), shown["vault"]) == CONTROLLED
    assert judge_signers(one, (), shown["nested"]) == BELOW_THRESHOLD
    assert judge_signers(one + two, (), shown["nested"]) == CONTROLLED
    assert judge_signers(guard, (), shown["nested"]) == CONTROLLED  # vault's owner
    assert judge_signers(one, (), shown["waiting"]) == BELOW_THRESHOLD
    assert judge_signers((public(STRANGER),), (), shown["vault"]) == DENIED
    assert {key for key, could in world.moved.items() if could} == {
        ("plain", frozenset({"one"})),
        ("vault", frozenset({"one", "two"})),
        ("nested", frozenset({"one", "two"})),
    }


def simulated(world: World) -> SimulatedAntelope:
    """Return a simulated node that was told what the real chain holds."""
    node = SimulatedAntelope(world.height, {})
    asked = {"account_name": "holder"}
    account = world.node.call("/v1/chain/get_account", asked)
    liquid = int(account["core_liquid_balance"].removesuffix(" EOS").replace(".", ""))
    single, owner = required(keys={KEY: 1}), required(keys={public(KEYS["guard"]): 1})
    active = required(2, keys={public(KEYS["two"]): 1}, accounts={"plain@active": 1})
    of_plain = required(keys={public(KEYS["one"]): 1})
    of_vault = required(2, keys={public(KEYS[text]): 1 for text in ("one", "two")})
    node.accounts |= {
        HOLDER: Stored(
            liquid=liquid,
            delegated={HOLDER: (70_000, 160_000), decode("bob", {}): (10_000, 20_000)},
            refund=(30_000, 40_000),
            rex=3_000_000_000,
            rex_fund=200_000,
            tokens={"core.vaulta:A": 70_001},
            permissions=[permission("active", single), permission("owner", single)],
        ),
        POOR: Stored(),
        LATER: Stored(liquid=10_000),
        decode("nested", {}): Stored(
            liquid=9_999_999,
            permissions=[
                permission("active", active),
                permission("owner", required(accounts={"vault@owner": 1})),
            ],
        ),
        decode("plain", {}): Stored(
            permissions=[permission("active", of_plain), permission("owner", owner)]
        ),
        decode("vault", {}): Stored(
            permissions=[permission("active", of_vault), permission("owner", owner)]
        ),
    }
    node.pool = (600_000, 6_000_000_000)
    return node


async def test_the_simulated_node_answers_as_the_real_one(world):
    names = (HOLDER, POOR, NOBODY, LATER, decode("nested", {}))
    asks: tuple[tuple[AssetId, QueryKind], ...] = (
        (NATIVE, QueryKind.BALANCE),
        (A_TOKEN, QueryKind.BALANCE),
        (NO_TOKEN, QueryKind.BALANCE),
        (A_TOKEN, QueryKind.ASSET_FACT),
        (NATIVE, QueryKind.CONTROL),
    )
    shown: list[list[Any]] = []
    async with simulated(world) as node:
        for url, chain_id in ((world.node.url, world.chain_id), (node.url, node.chain_id)):
            async with connected(url, chain_id) as adapter:
                at = await pinned(adapter, world.height)
                found = [
                    await asked(adapter, at, *names, asset=asset, kind=kind) for asset, kind in asks
                ]
            shown.append([list(one.values()) for one in found])
    assert shown[0] == shown[1]
    assert all(isinstance(one, Observation) for one in (*shown[0][0], *shown[0][4]))


QUESTIONS = (
    ("get_account", {"account_name": "nobody"}),
    ("get_block_info", {"block_num": 10**9}),
    ("get_table_rows", {"json": True, "code": "eosio", "scope": "eosio", "table": "nothing"}),
    ("get_currency_stats", {"code": "core.vaulta", "symbol": "B"}),
    ("get_currency_balance", {"code": "nobody", "account": "poor", "symbol": "A"}),
    ("get_nonsense", {}),
)


@pytest.mark.parametrize(("call", "body"), QUESTIONS, ids=[call for call, _ in QUESTIONS])
async def test_errors_have_the_same_shape_on_both(world, call, body):
    request = wire.rest.post(wire.CHAIN + call, body)
    shown = []
    async with simulated(world) as node:
        for url in (world.node.url, node.url):
            endpoint = EndpointSpec(name="n", chain=CHAIN, url=url, rate="0")
            policy = RetryPolicy(attempts=1)
            async with HttpTransport(CHAIN, [endpoint], policy, (500,)) as transport:
                shown.append(_shape(await transport.exchange(request, "n")))
    assert shown[0] == shown[1]


def _shape(exchange: Exchange) -> tuple[int, str, object]:
    found = wire.read(exchange)
    return exchange.status, exchange.failure, found.code if isinstance(found, wire.Fault) else found
