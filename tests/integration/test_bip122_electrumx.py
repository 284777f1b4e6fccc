"""The adapter against a real ElectrumX on litecoind's regtest: balances now and earlier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from coredaemons import ANYONE, Daemon, Ledger, _described, _transaction, litecoind
from electrumservers import Server, electrumx

from chains.adapters.bip122 import Adapter
from chains.endpoints import EndpointSpec
from chains.errors import NodeBehind, WrongChain
from chains.model import AssetId, ChainId, ChainSpec, Gap, Method, Observation, QueryKind, Questions
from chains.transport import HttpTransport

pytestmark = pytest.mark.integration

CHAIN = ChainId("bip122:regtest")
NATIVE = AssetId(f"{CHAIN}/slip44:1")
NEVER = b"\x00\x14" + b"\xee" * 20
TRUE_AGAIN = b"\x51\x51"
LATE = b"\x00\x14" + b"\xdd" * 20


class World(NamedTuple):
    """A daemon, a server, and what scripts held at two heights by the daemon's own scans."""

    daemon: Daemon
    server: Server
    early: int
    then: dict[bytes, int]
    late: int
    now: dict[bytes, int]


def scanned(daemon: Daemon, scripts: list[bytes]) -> dict[bytes, int]:
    found = daemon.call("scantxoutset", "start", [f"raw({script.hex()})" for script in scripts])
    units = dict.fromkeys(scripts, 0)
    for coin in found["unspents"]:
        units[bytes.fromhex(coin["scriptPubKey"])] += int(coin["amount"] * 10**8)
    return units


def pay(daemon: Daemon, txid: str, *outputs: tuple[int, bytes]) -> str:
    """Mine a block with a transaction that spends output 0 of ``txid``; returns its id."""
    raw = _transaction(txid, list(outputs))
    miner = _described(f"raw({ANYONE.hex()})")
    block = daemon.call("generateblock", miner, [raw.hex()])["hash"]
    return str(daemon.call("getblock", block, 1)["tx"][1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with litecoind(tmp_path_factory.mktemp("litecoind"), "-txindex=1") as daemon:
        ledger = Ledger(daemon, 60)
        scripts = [*ledger.units, NEVER, ANYONE, TRUE_AGAIN, LATE]
        reward = daemon.call("getblock", daemon.call("getblockhash", 2), 1)["tx"][0]
        coin = pay(daemon, reward, (30 * 10**8, TRUE_AGAIN), (20 * 10**8, next(iter(ledger.units))))
        early, then = int(daemon.call("getblockcount")), scanned(daemon, scripts)
        rich = next(iter(ledger.units))
        # spent, paid back in part, spent again: the script is on both sides of its transactions
        coin = pay(daemon, coin, (9 * 10**8, TRUE_AGAIN), (21 * 10**8 - 1000, rich))
        coin = pay(daemon, coin, (8 * 10**8, TRUE_AGAIN), (5 * 10**7, TRUE_AGAIN), (7, LATE))
        pay(daemon, coin, (8 * 10**8 - 500, LATE))
        daemon.mine(3, ANYONE)
        late, now = int(daemon.call("getblockcount")), scanned(daemon, scripts)
        with electrumx(daemon, tmp_path_factory.mktemp("electrumx")) as server:
            yield World(daemon, server, early, then, late, now)


@asynccontextmanager
async def connected(
    world: World, *, genesis: str = "", batch: int = 0, node: bool = False
) -> AsyncIterator[Adapter]:
    urls = {"server": world.server.url} | ({"node": world.daemon.url} if node else {})
    endpoints = [
        EndpointSpec(
            name=name,
            chain=CHAIN,
            url=url,
            own_node=True,
            rate="0",
            batch=batch,
            protocol="electrum" if name == "server" else "",
        )
        for name, url in urls.items()
    ]
    known = genesis or await asyncio.to_thread(world.daemon.call, "getblockhash", 0)
    spec = ChainSpec(
        id=CHAIN,
        name="Regtest",
        adapter="bip122",
        address="bitcoin",
        native=NATIVE,
        params={"genesis": str(known)},
    )
    async with HttpTransport(CHAIN, endpoints) as transport:
        yield Adapter(spec, transport)


async def ask(
    adapter: Adapter, height: int, scripts: dict[bytes, int]
) -> dict[bytes, Observation | Gap]:
    at = adapter.snapshot(height, await adapter.pin(height))
    asked = Questions(
        kind=QueryKind.BALANCE,
        chain=CHAIN,
        height=height,
        asset=NATIVE,
        accounts=tuple(sorted(scripts)),
    )
    found: dict[bytes, Observation | Gap] = {}
    async for extract in adapter.extract(asked, at):
        for position, answer in adapter.decode(asked, extract, at).each(asked):
            found[asked.accounts[position]] = answer
    return found


def units(found: dict[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    return {
        script: one.units if isinstance(one, Observation) else f"{one.reason} {one.detail}"
        for script, one in found.items()
    }


@pytest.mark.parametrize("batch", [0, 7])
async def test_the_server_agrees_with_the_scan_of_the_node_at_the_tip(
    world: World, batch: int
) -> None:
    async with connected(world, batch=batch) as adapter:
        found = await ask(adapter, world.late, world.now)
    assert units(found) == world.now
    methods = {one.method for one in found.values() if isinstance(one, Observation)}
    assert methods == {Method.UNTOUCHED}


async def test_the_server_agrees_with_a_scan_that_was_made_earlier(world: World) -> None:
    async with connected(world, batch=9) as adapter:
        found = await ask(adapter, world.early, world.then)
    assert units(found) == world.then
    moved = {script for script in world.now if world.now[script] != world.then[script]}
    assert {TRUE_AGAIN, LATE, ANYONE} < moved
    for script, one in found.items():
        assert isinstance(one, Observation)
        assert (one.method is Method.ROLLED_BACK) == (script in moved)


async def test_a_server_is_asked_beside_a_node_that_has_moved_on(world: World) -> None:
    async with connected(world, node=True) as adapter:
        then = await ask(adapter, world.early, world.then)
        now = await ask(adapter, world.late, world.now)
    assert {one.endpoint for one in then.values() if isinstance(one, Observation)} == {"server"}
    assert {one.endpoint for one in now.values() if isinstance(one, Observation)} == {"node"}
    assert (units(then), units(now)) == (world.then, world.now)


async def test_another_genesis_is_the_wrong_chain(world: World) -> None:
    async with connected(world, genesis="00" * 32) as adapter:
        exchanges = await adapter.pin(world.early)
        with pytest.raises(WrongChain):
            adapter.snapshot(world.early, exchanges)


async def test_a_height_that_is_not_there_yet_is_behind(world: World) -> None:
    async with connected(world) as adapter:
        exchanges = await adapter.pin(world.late + 1)
        with pytest.raises(NodeBehind):
            adapter.snapshot(world.late + 1, exchanges)
