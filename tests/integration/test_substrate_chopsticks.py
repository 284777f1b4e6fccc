"""The Substrate adapter against a real runtime, and the simulated node against the same questions.

The runtime encodes what it is given by its own metadata, so that keys and values are the chain's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from account_crawl import asked, connected, pinned, short
from chopsticks import GENESIS, Chopsticks, running

from chains.accounts import AccountAdapter
from chains.adapters.substrate import Adapter, storage, wire
from chains.addresses import ss58
from chains.endpoints import EndpointSpec
from chains.errors import WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Snapshot,
)
from chains.simulated.substrate import SimulatedSubstrate
from chains.transport import HttpTransport, RetryPolicy

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chopsticks")]

CHAIN = ChainId("polkadot:45454545454545454545454545454545")
SPEC = ChainSpec(
    id=CHAIN,
    name="Asset Hub",
    adapter="substrate",
    address="ss58",
    address_params={"prefix": 42},
    native=AssetId(f"{CHAIN}/slip44:1"),
    params={"genesis_hash": GENESIS},
)
USDT, NO_ASSET = 1984, 1985
RICH, SPLIT, NEVER, LATER = (bytes((i,)) * 32 for i in (1, 2, 3, 4))
FREE = {RICH: 2**64 + 1, SPLIT: 10**12}
RESERVED, FROZEN = {SPLIT: 7}, {SPLIT: 5}
TOKENS = {RICH: 2**53 + 1, SPLIT: 10}
HEIGHT = 2


def text(account: bytes) -> str:
    return ss58.encode(account, {"prefix": 42})


def account_data(account: bytes) -> dict[str, Any]:
    amounts = {
        "free": FREE[account],
        "reserved": RESERVED.get(account, 0),
        "miscFrozen": FROZEN.get(account, 0),
        "feeFrozen": FROZEN.get(account, 0),
    }
    return {"providers": 1, "data": {name: str(units) for name, units in amounts.items()}}


GENESIS_STORAGE = {
    "System": {"Account": [[[text(one)], account_data(one)] for one in FREE]},
    "Assets": {
        "Account": [
            [[USDT, text(one)], {"balance": str(units), "isFrozen": False, "reason": "Sufficient"}]
            for one, units in TOKENS.items()
        ],
        "Metadata": [[[USDT], {"name": "Tether USD", "symbol": "USDt", "decimals": 6}]],
    },
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chopsticks]:
    """A chain with three blocks; in the third account LATER has something, and RICH less."""
    with running(tmp_path_factory.mktemp("chopsticks"), GENESIS_STORAGE) as chopsticks:
        chopsticks.call("dev_newBlock", {"count": HEIGHT})
        changed = {"providers": 1, "data": {"free": "9"}}
        accounts = [[[text(one)], changed] for one in (LATER, RICH)]
        chopsticks.call("dev_newBlock")
        chopsticks.call("dev_setStorage", {"System": {"Account": accounts}})
        chopsticks.call("dev_newBlock")
        yield chopsticks


@asynccontextmanager
async def asking(node: Chopsticks) -> AsyncIterator[Adapter]:
    spec = EndpointSpec(name="real", chain=CHAIN, url=node.url, rate="0", timeout_s=30)
    policy = RetryPolicy(attempts=1, first_wait_s=0.01, longest_wait_s=0.02)
    async with HttpTransport(CHAIN, [spec], policy) as transport:
        yield Adapter(SPEC, transport)


@pytest.fixture
async def real(node: Chopsticks) -> AsyncIterator[Adapter]:
    async with asking(node) as adapter:
        yield adapter


def simulated() -> SimulatedSubstrate:
    made = SimulatedSubstrate(
        HEIGHT, FREE, reserved=RESERVED, frozen=FROZEN, assets={USDT: TOKENS}, seed="chopsticks"
    )
    made.genesis_text = f"0x{GENESIS}"
    return made


async def answered(
    adapter: AccountAdapter, at: Snapshot, asset: str, *accounts: bytes, fact: bool = False
) -> list[Observation | Gap]:
    kind = QueryKind.ASSET_FACT if fact else QueryKind.BALANCE
    questions = Questions(
        kind=kind, chain=CHAIN, height=at.height, asset=AssetId(asset), accounts=accounts
    )
    found = {
        position: answer
        async for extract in adapter.extract(questions, at)
        for position, answer in adapter.decode(questions, extract, at).each(questions)
    }
    return [found[position] for position in range(len(accounts))]


async def test_the_runtime_and_the_simulated_node_answer_alike(real):
    async with connected(Adapter, SPEC, simulated()) as pretended:
        seen = []
        for adapter in (real, pretended):
            at = await pinned(adapter, HEIGHT)
            native = await answered(adapter, at, SPEC.native, RICH, SPLIT, NEVER)
            tokens = await answered(adapter, at, f"{CHAIN}/asset:{USDT}", RICH, SPLIT, NEVER)
            none = await answered(adapter, at, f"{CHAIN}/asset:{NO_ASSET}", RICH)
            (fact,) = await answered(adapter, at, f"{CHAIN}/asset:{USDT}", b"1984", fact=True)
            assert isinstance(fact, Observation)
            parts = [one.parts for one in native if isinstance(one, Observation)]
            seen.append(([short(one) for one in native + tokens + none], parts, fact.facts))
    assert seen[0] == seen[1]
    units, parts, facts = seen[0]
    assert units == [2**64 + 1, 10**12 + 7, 0, 2**53 + 1, 10, 0, "zero-without-canary"]
    assert parts[1] == (
        Part(PartKind.LIQUID, 10**12),
        Part(PartKind.RESERVED, 7),
        Part(PartKind.FROZEN, 5, counted=False),
    )
    assert msgspec.json.decode(facts) == {"decimals": 6, "symbol": "USDt"}


async def test_each_height_has_the_balances_of_its_own(real):
    for height, expected in ((HEIGHT, [2**64 + 1, 0]), (HEIGHT + 2, [9, 9])):
        at = await pinned(real, height)
        found = await asked(real, at, RICH, LATER)
        assert [short(found[one]) for one in (RICH, LATER)] == expected


async def test_a_header_of_the_runtime_has_the_blocks_hash(real, node):
    at = await pinned(real, HEIGHT)
    assert at.block_hash == node.call("chain_getBlockHash", HEIGHT)
    assert at.detail["parent-hash"] == node.call("chain_getBlockHash", HEIGHT - 1)


async def test_a_block_that_the_node_does_not_have_is_no_zero(tmp_path):
    """Chopsticks answers with nulls, and from then on takes that hash for block 0's."""
    unknown = "0x" + "11" * 32
    with running(tmp_path, GENESIS_STORAGE) as node:
        node.call("dev_newBlock")
        async with asking(node) as adapter:
            at = await pinned(adapter, 1)
            elsewhere = msgspec.structs.replace(at, block_hash=unknown)
            found = await asked(adapter, elsewhere, RICH, NEVER)
            assert {short(one) for one in found.values()} == {"zero-without-canary"}
            key = wire.hexed(storage.account_key(RICH))
            nulls = {"block": unknown, "changes": [[key, None]]}
            assert node.call("state_queryStorageAt", [key], unknown) == [nulls]
            with pytest.raises(WrongChain):
                await pinned(adapter, 1)


async def test_an_array_of_single_calls_gives_the_same(real):
    at = await pinned(real, HEIGHT)
    keys = [storage.account_key(one) for one in (RICH, SPLIT, NEVER)]
    requests = wire.query(keys, at.block_hash), wire.singles(keys, at.block_hash)
    first, second = await real.together(requests, "real")
    missing = b'{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"Method not found"}}'
    lacking = msgspec.structs.replace(first, body=missing)
    one = wire.read_values({requests[0]: first}, keys, at.block_hash)
    other = wire.read_values({requests[0]: lacking, requests[1]: second}, keys, at.block_hash)
    assert one == other
    assert not isinstance(one, Gap)


async def test_answers_of_both_have_the_same_form(real):
    """What the simulated node says differs from the runtime's in values only."""
    forms = []
    async with connected(Adapter, SPEC, simulated()) as pretended:
        for adapter in (real, pretended):
            at = await pinned(adapter, HEIGHT)
            key = storage.account_key(RICH)
            requests = (
                wire.block_hash(HEIGHT),
                wire.block_hash(999),
                wire.finalized(),
                wire.header(at.block_hash),
                wire.keys(storage.ACCOUNTS, at.block_hash),
                wire.query([storage.NOW, key, storage.account_key(NEVER)], at.block_hash),
                wire.singles([key], at.block_hash),
            )
            answers = await adapter.together(requests, adapter.transport.endpoints[0])
            forms.append([form(msgspec.json.decode(one.body)) for one in answers])
    assert forms[0] == forms[1]


def form(value: Any) -> Any:
    """Return the types of an answer; of a list with one kind of member, that kind."""
    if isinstance(value, dict):
        return {name: form(one) for name, one in value.items()}
    if isinstance(value, list):
        kinds = [form(one) for one in value]
        return kinds[:1] if all(kind == kinds[0] for kind in kinds) else kinds
    return type(value).__name__
