"""The adapter against anvil: what the batch programs really do, at a block that is not the tip."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from anvil import (
    DEV_ACCOUNT,
    INSTALL,
    VIEM,
    Anvil,
    find_anvil,
    multicall3_initcode,
    running_anvil,
)
from evm_crawl import Crawler, chain, endpoint, pinned, reasons, token_asset

from chains.adapters.eip155 import control
from chains.model import Gap, Observation, QueryKind
from chains.simulated.evm_bytecode import REVERTING, SHORT, owned, safe, token

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_anvil() is None, reason=f"anvil is not installed: {INSTALL}"),
]

CHAIN_ID = 31337
SPEC = chain(CHAIN_ID, canaries=[DEV_ACCOUNT])
COUNT = 900
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"


def made_up(i: int) -> bytes:
    """Return an address without code; the low bytes keep clear of precompiles."""
    return (0xA0000000000000000000 + i * 0x100000001).to_bytes(20, "big")


ACCOUNTS = tuple(made_up(i) for i in range(COUNT))
TOKEN, OLD, REVERTS, SHORTS = (made_up(10**6 + i) for i in range(4))
SAFE, OWNED, NOTHING = (made_up(2 * 10**6 + i) for i in range(3))


@dataclass(frozen=True)
class Ledger:
    """The node and what it holds at ``height``; every balance differs at the tip."""

    node: Anvil
    height: int
    natives: Mapping[bytes, int]
    holdings: Mapping[bytes, int]


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    natives = {at: (i % 4) * (10**18 * i + 1) for i, at in enumerate(ACCOUNTS)}
    holdings = {at: (i % 3) * (2**90 + i) for i, at in enumerate(ACCOUNTS)}
    with running_anvil("--gas-limit", "60000000") as node:
        node.mine()
        node.set_code(TOKEN, token("USDT", 6))
        node.set_code(OLD, token("OLD", 18, bytes32=True))
        node.set_code(REVERTS, REVERTING)
        node.set_code(SHORTS, SHORT)
        node.set_code(SAFE, safe(ACCOUNTS[:3], 2))
        node.set_code(OWNED, owned(ACCOUNTS[7]))
        node.set_storage(OWNED, control.ADMIN_SLOT, int.from_bytes(ACCOUNTS[8], "big"))
        node.set_storage(TOKEN, 1, sum(holdings.values()))
        node.set_natives(natives)
        node.set_holdings(TOKEN, holdings)
        height = node.mine()
        node.mine()  # anvil sets into the newest block: the pinned one must not be it
        node.set_natives(dict.fromkeys(ACCOUNTS, 5))
        node.set_holdings(TOKEN, dict.fromkeys(ACCOUNTS, 6))
        node.mine(3)
        yield Ledger(node, height, natives, holdings)


@asynccontextmanager
async def filtering(
    url: str, *, overrides: bool = True, deployless: bool = True
) -> AsyncIterator[str]:
    """Put a proxy before the node that refuses what some nodes refuse."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        asked = json.loads(body)
        if isinstance(asked, dict) and asked["method"] == "eth_call":
            params = asked["params"]
            refused = None
            if len(params) > 2 and not overrides:
                refused = "too many arguments, want at most 2"
            if "to" not in params[0] and not deployless:
                refused = "invalid argument 0: missing to"
            if refused is not None:
                error = {"code": -32602, "message": refused}
                return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": error})
        async with session.post(url, data=body) as answer:
            return web.Response(body=await answer.read(), content_type="application/json")

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


@pytest.mark.parametrize(
    ("refused", "way"),
    [
        ({}, "override"),
        ({"overrides": False}, "deployless"),
        ({"overrides": False, "deployless": False}, "rpc"),
    ],
)
async def test_each_way_reads_the_historic_block(
    ledger: Ledger, refused: dict[str, bool], way: str
) -> None:
    async with (
        filtering(ledger.node.url, **refused) as url,
        pinned(SPEC, ledger.height, endpoint(SPEC, url)) as crawler,
    ):
        assert await crawler.natives(ACCOUNTS) == ledger.natives
        assert crawler.decoders() == {f"native-{way}"}
        assert await crawler.holdings(TOKEN, ACCOUNTS) == ledger.holdings
        assert crawler.decoders() == {f"erc20-{way}"}


@pytest.mark.skipif(multicall3_initcode() is None, reason=f"viem is not installed: {VIEM}")
async def test_multicall3_reads_the_historic_block() -> None:
    """The real contract, deployed from the initcode that the npm package viem carries."""
    initcode = multicall3_initcode()
    assert initcode is not None
    spec = chain(
        CHAIN_ID, canaries=[DEV_ACCOUNT], multicall3={"address": MULTICALL3, "from_block": 1}
    )
    natives = {at: i % 4 for i, at in enumerate(ACCOUNTS)}
    holdings = {at: i % 3 for i, at in enumerate(ACCOUNTS)}
    with running_anvil("--gas-limit", "60000000") as node:
        runtime = node.rpc("eth_call", {"data": "0x" + initcode.hex()}, "latest")
        node.rpc("anvil_setCode", MULTICALL3, runtime)
        node.set_code(TOKEN, token("USDT", 6))
        node.set_code(REVERTS, REVERTING)
        node.set_natives(natives)
        node.set_holdings(TOKEN, holdings)
        node.mine()
        height = node.mine()
        node.mine()
        node.set_natives(dict.fromkeys(ACCOUNTS, 5))
        node.mine()
        async with (
            filtering(node.url, overrides=False, deployless=False) as url,
            pinned(spec, height, endpoint(spec, url)) as crawler,
        ):
            assert await crawler.natives(ACCOUNTS) == natives
            assert crawler.decoders() == {"native-multicall3"}
            assert await crawler.holdings(TOKEN, ACCOUNTS) == holdings
            assert crawler.decoders() == {"erc20-multicall3"}
            assert reasons(await crawler.holdings(REVERTS, ACCOUNTS)) == {"call-failed"}
            assert reasons(await crawler.holdings(NOTHING, ACCOUNTS)) == {"no-contract"}


async def test_the_tip_has_other_balances(ledger: Ledger) -> None:
    async with pinned(SPEC, ledger.height + 4, endpoint(SPEC, ledger.node.url)) as crawler:
        assert await crawler.natives(ACCOUNTS) == dict.fromkeys(ACCOUNTS, 5)
        assert await crawler.holdings(TOKEN, ACCOUNTS) == dict.fromkeys(ACCOUNTS, 6)


async def test_a_deployless_call_carries_765_and_not_more(ledger: Ledger) -> None:
    """764 accounts and the canary fit; one more is refused by the node and halved by us."""
    async with (
        filtering(ledger.node.url, overrides=False) as url,
        pinned(SPEC, ledger.height, endpoint(SPEC, url)) as crawler,
    ):
        found = await crawler.natives(ACCOUNTS[:764])
        assert found == {at: ledger.natives[at] for at in ACCOUNTS[:764]}
        assert [len(extract.exchanges) for extract in crawler.extracts] == [3]  # two probes
        found = await crawler.natives(ACCOUNTS[:765])
        assert found == {at: ledger.natives[at] for at in ACCOUNTS[:765]}
        assert len(crawler.extracts) == 2


async def test_canaries_come_from_the_block_when_none_is_configured(ledger: Ledger) -> None:
    node = ledger.node
    spec = chain(CHAIN_ID)
    async with pinned(spec, ledger.height, endpoint(spec, node.url)) as crawler:
        assert crawler.at.canaries == ()  # an empty block shows nobody
        found = await crawler.natives(ACCOUNTS[:8])
        zeros = {at for at in ACCOUNTS[:8] if ledger.natives[at] == 0}
        assert reasons({at: found[at] for at in zeros}) == {"zero-without-canary"}
        assert all(found[at] == ledger.natives[at] for at in ACCOUNTS[:8] if at not in zeros)
    with running_anvil("--no-mining") as fresh:
        paid = {"from": DEV_ACCOUNT, "to": "0x" + ACCOUNTS[1].hex(), "value": "0x5"}
        fresh.rpc("eth_sendTransaction", paid)
        height = fresh.mine()
        async with pinned(spec, height, endpoint(spec, fresh.url)) as crawler:
            assert crawler.at.canaries == (DEV_ACCOUNT[2:],)
            assert await crawler.natives(ACCOUNTS[:3]) == dict(
                zip(ACCOUNTS[:3], (0, 5, 0), strict=True)
            )


async def test_a_token_whose_holders_are_all_empty_is_zero_only_with_a_supply(
    ledger: Ledger,
) -> None:
    empty = [at for at in ACCOUNTS if ledger.holdings[at] == 0]
    async with pinned(SPEC, ledger.height, endpoint(SPEC, ledger.node.url)) as crawler:
        assert await crawler.holdings(TOKEN, empty) == dict.fromkeys(empty, 0)
        assert reasons(await crawler.holdings(OLD, empty)) == {"zero-without-canary"}


@pytest.mark.parametrize("overrides", [True, False])
async def test_a_token_that_does_not_answer_is_a_gap(ledger: Ledger, *, overrides: bool) -> None:
    async with (
        filtering(ledger.node.url, overrides=overrides, deployless=overrides) as url,
        pinned(SPEC, ledger.height, endpoint(SPEC, url)) as crawler,
    ):
        assert reasons(await crawler.holdings(NOTHING, ACCOUNTS[:70])) == {"no-contract"}
        assert reasons(await crawler.holdings(REVERTS, ACCOUNTS[:70])) == {"call-failed"}
        assert reasons(await crawler.holdings(SHORTS, ACCOUNTS[:70])) == {"call-failed"}


async def test_batches_that_need_too_much_gas_are_halved(ledger: Ledger) -> None:
    spec = chain(CHAIN_ID, canaries=[DEV_ACCOUNT], call_gas=1_000_000)
    async with pinned(spec, ledger.height, endpoint(spec, ledger.node.url)) as crawler:
        assert await crawler.natives(ACCOUNTS) == ledger.natives
        assert len(crawler.extracts) > 2
        assert await crawler.holdings(TOKEN, ACCOUNTS) == ledger.holdings


async def test_pruned_history_is_a_gap() -> None:
    """anvil's ``--prune-history`` keeps the headers and drops the old states."""
    with running_anvil("--prune-history", "2") as node:
        node.set_natives(dict.fromkeys(ACCOUNTS[:5], 9))
        height = node.mine()
        async with pinned(SPEC, height, endpoint(SPEC, node.url)) as crawler:
            assert await crawler.natives(ACCOUNTS[:5]) == dict.fromkeys(ACCOUNTS[:5], 9)
            for _ in range(20):
                node.mine()
            found = await crawler.natives(ACCOUNTS[:5])
            assert reasons(found) == {"state-pruned"}
        async with pinned(SPEC, height, endpoint(SPEC, node.url)) as crawler:
            assert dict(crawler.at.rejected) == {"a": "state-pruned"}
            assert reasons(await crawler.natives(ACCOUNTS[:5])) == {"no-usable-endpoint"}


async def test_a_reorganisation_between_pin_and_read_is_a_gap() -> None:
    with running_anvil() as node:
        node.set_natives(dict.fromkeys(ACCOUNTS[:5], 9))
        node.mine(3)
        height = node.mine(2)
        async with pinned(SPEC, height, endpoint(SPEC, node.url)) as crawler:
            assert await crawler.natives(ACCOUNTS[:5]) == dict.fromkeys(ACCOUNTS[:5], 9)
            node.rpc("anvil_reorg", 3, [])
            assert int(node.rpc("eth_blockNumber"), 16) == height
            found = await crawler.natives(ACCOUNTS[:5])
            assert all(isinstance(answer, Gap) for answer in found.values())
            assert reasons(found) <= {"state-pruned", "wrong-block"}


async def test_facts_are_read_at_the_height(ledger: Ledger) -> None:
    async with pinned(SPEC, ledger.height, endpoint(SPEC, ledger.node.url)) as crawler:
        supply = str(sum(ledger.holdings.values()))
        expected = {"decimals": 6, "symbol": "USDT", "total_supply": supply, "code": True}
        assert await facts(crawler, QueryKind.ASSET_FACT, TOKEN) == expected
        expected = {"decimals": 18, "symbol": "OLD", "total_supply": "0", "code": True}
        assert await facts(crawler, QueryKind.ASSET_FACT, OLD) == expected
        silent = {"decimals": None, "symbol": None, "total_supply": None, "code": True}
        assert await facts(crawler, QueryKind.ASSET_FACT, REVERTS) == silent
        assert await facts(crawler, QueryKind.ASSET_FACT, NOTHING) == "no-contract"


async def test_control_is_read_through_web3_at_the_height(ledger: Ledger) -> None:
    async with pinned(SPEC, ledger.height, endpoint(SPEC, ledger.node.url)) as crawler:
        owners = ["0x" + at.hex() for at in ACCOUNTS[:3]]
        safe = {"kind": "safe-owners", "threshold": 2, "weights": dict.fromkeys(owners, 1)}
        expected = {"exists": True, "ways": [safe]}
        assert await facts(crawler, QueryKind.CONTROL, SAFE) == expected
        owner, admin = "0x" + ACCOUNTS[7].hex(), "0x" + ACCOUNTS[8].hex()
        owned = {"kind": "contract-owner", "threshold": 1, "weights": {owner: 1}}
        expected = {"exists": True, "ways": [owned], "notes": {"eip1967_admin": admin}}
        assert await facts(crawler, QueryKind.CONTROL, OWNED) == expected
        for mute in (REVERTS, SHORTS):
            assert await facts(crawler, QueryKind.CONTROL, mute) == {"exists": True}
        assert await facts(crawler, QueryKind.CONTROL, ACCOUNTS[0]) == PLAIN
    async with pinned(SPEC, 0, endpoint(SPEC, ledger.node.url)) as crawler:
        assert await facts(crawler, QueryKind.CONTROL, SAFE) == PLAIN


PLAIN = {"exists": False, "plain": True}
"""What is shown about an account that obeys its key and nothing else."""


async def facts(crawler: Crawler, kind: QueryKind, account: bytes) -> Any:
    """Return the facts of one account as an object, or the reason of the gap."""
    asset = crawler.spec.native if kind is QueryKind.CONTROL else token_asset(crawler.spec, account)
    answer = (await crawler.ask(kind, asset, [account]))[account]
    return json.loads(answer.facts) if isinstance(answer, Observation) else answer.reason
