"""Addresses per second: the whole crawl through the adapter, beside a bare socket client.

Both ask a local anvil for the native coin and one ERC-20 of the same addresses, at a block
whose balances differ from the tip. The crawl encodes, sends, checks and decodes. The bare
client sends the same requests, encoded beforehand, over plain sockets (no HTTP library) and
throws the answers away: what is left is node, kernel and event loop. Rounds alternate;
client and node share the machine. Prints one line of JSON; asserts nothing about time.

    python tests/bench/bench_evm.py [--addresses 20000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from anvil import DEV_ACCOUNT, Anvil, running_anvil
from evm_bytecode import token

from chains.adapters import load
from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainId, ChainSpec, QueryKind, Questions, Request, Snapshot
from chains.transport import HttpTransport

CHAIN = ChainId("eip155:31337")
TOKEN = bytes.fromhex("00000000000000000000000000000000000070ce")
ASSETS = (AssetId(f"{CHAIN}/slip44:60"), AssetId(f"{CHAIN}/erc20:0x{TOKEN.hex()}"))
SPEC = ChainSpec(
    id=CHAIN,
    name="anvil",
    adapter="eip155",
    address="evm",
    native=ASSETS[0],
    params={"chain_id": 31337, "canaries": [DEV_ACCOUNT]},
)


def made_up(count: int) -> tuple[bytes, ...]:
    """Return distinct accounts in ascending order."""
    seeds = (i.to_bytes(4, "big") for i in range(count))
    return tuple(sorted(hashlib.sha256(b"bench" + seed).digest()[:20] for seed in seeds))


def load_balances(node: Anvil, accounts: tuple[bytes, ...]) -> tuple[int, list[dict[bytes, int]]]:
    """Give every account both balances, then other ones one block later."""
    natives = {at: (i * 7919 + 1) * 10**15 for i, at in enumerate(accounts)}
    holdings = {at: i * 104_729 + 1 for i, at in enumerate(accounts)}
    node.set_code(TOKEN, token("USDT", 6))
    node.set_storage(TOKEN, 1, sum(holdings.values()))
    node.set_natives(natives)
    node.set_holdings(TOKEN, holdings)
    height = node.mine()
    node.mine()  # what is set now changes the newest block: the pinned one must not be it
    node.set_natives(dict.fromkeys(accounts, 1))
    node.set_holdings(TOKEN, dict.fromkeys(accounts, 2))
    node.mine(2)
    return height, [natives, holdings]


async def crawl(
    transport: HttpTransport, at: Snapshot, questions: list[Questions]
) -> tuple[list[dict[int, int | None]], list[Request]]:
    """Ask and decode everything with a fresh adapter."""
    adapter = load("eip155")(SPEC, transport)
    found: list[dict[int, int | None]] = []
    sent: list[Request] = []
    for asked in questions:
        units: dict[int, int | None] = {}
        async for extract in adapter.extract(asked, at):
            answers = adapter.decode(asked, extract, at)
            units.update(zip(answers.positions, answers.units, strict=True))
            sent += [exchange.request for exchange in extract.exchanges]
        found.append(units)
    return found, sent


async def bare(port: int, messages: list[bytes], connections: int) -> None:
    """Send whole HTTP messages over ``connections`` sockets; read and discard the answers."""
    waiting = iter(messages)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        for message in waiting:
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(work() for _ in range(connections)))


def http_message(port: int, body: bytes) -> bytes:
    head = (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def compare(node: Anvil, count: int, rounds: int, connections: int) -> dict[str, object]:
    accounts = made_up(count)
    height, expected = load_balances(node, accounts)
    questions = [
        Questions(
            kind=QueryKind.BALANCE, chain=CHAIN, height=height, asset=asset, accounts=accounts
        )
        for asset in ASSETS
    ]
    endpoint = EndpointSpec(
        name="anvil", chain=CHAIN, url=node.url, rate="0", concurrency=connections
    )
    crawls: list[float] = []
    bares: list[float] = []
    async with HttpTransport(CHAIN, [endpoint]) as transport:
        adapter = load("eip155")(SPEC, transport)
        at = adapter.snapshot(height, await adapter.pin(height))
        found, sent = await crawl(transport, at, questions)
        wanted = [{i: each[account] for i, account in enumerate(accounts)} for each in expected]
        if found != wanted:
            raise SystemExit("the crawl brought other balances than were loaded")
        messages = [http_message(node.port, request.body) for request in sent]
        for _ in range(rounds):
            start = time.perf_counter()
            await crawl(transport, at, questions)
            middle = time.perf_counter()
            await bare(node.port, messages, connections)
            crawls.append(count / (middle - start))
            bares.append(count / (time.perf_counter() - middle))
    ours, limit = statistics.median(crawls), statistics.median(bares)
    return {
        "bench": "evm",
        "addresses": count,
        "balances": 2 * count,
        "requests": len(sent),
        "rounds": rounds,
        "crawl_addresses_per_s": round(ours),
        "crawl_rounds": [round(rate) for rate in crawls],
        "bare_addresses_per_s": round(limit),
        "bare_rounds": [round(rate) for rate in bares],
        "ratio": round(ours / limit, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--addresses", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    with running_anvil("--gas-limit", "60000000") as node:
        result = asyncio.run(compare(node, options.addresses, options.rounds, options.connections))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
