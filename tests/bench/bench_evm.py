"""Addresses per second: the whole crawl into a run directory, beside a bare socket client.

Both ask a local anvil for the native coin and one ERC-20 of the same addresses, at a block
whose balances differ from the tip. The crawl is the engine's: it encodes, sends, checks, decodes
and stores evidence and answers, synced to the disk. The bare client sends the same requests,
encoded beforehand, over plain sockets (no HTTP library) and throws the answers away: what is left
is node, kernel and event loop. Rounds alternate; client and node share the machine. Prints one
line of JSON; asserts nothing about time.

    python -m tests.bench.bench_evm [--addresses 200000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from anvil import DEV_ACCOUNT, Anvil, running_anvil

from chains.adapters import load
from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainId, ChainSpec, QueryKind, Questions, Request, Snapshot
from chains.simulated.evm_bytecode import token
from chains.transport import HttpTransport
from crawler.asking.plan import Moment, shard_digest, shards
from crawler.crawling.answers import read_shard
from crawler.crawling.engine import Engine
from crawler.crawling.evidence import Header, evidence_pack, read_pack
from crawler.keeping.runs import FORMAT, Manifest, RunDirectory, ShardEntry
from crawler.watching.progress import Silent
from tests.bench.bare_client import bare, http_message

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


def questions_of(height: int, accounts: tuple[bytes, ...]) -> list[Questions]:
    """Ask for both assets of every account."""
    return [
        Questions(
            kind=QueryKind.BALANCE, chain=CHAIN, height=height, asset=asset, accounts=accounts
        )
        for asset in ASSETS
    ]


def plan_of(at: Snapshot, questions: list[Questions]) -> list[tuple[ShardEntry, Questions]]:
    """Cut the questions into shards, as a run does."""
    return [
        (
            ShardEntry(
                digest=shard_digest(one, at.block_hash),
                kind=one.kind.value,
                chain=one.chain,
                height=one.height,
                asset=one.asset,
                questions=len(one.accounts),
            ),
            one,
        )
        for one in shards(questions, {CHAIN: load("eip155").capabilities.shard})
    ]


async def crawl(
    directory: Path, endpoint: EndpointSpec, height: int, questions: list[Questions]
) -> tuple[float, float, RunDirectory, Snapshot]:
    """Ask, check, decode and store everything in a new run directory; seconds and CPU seconds."""
    manifest = Manifest(
        format=FORMAT,
        run="bench",
        started="",
        versions={},
        inputs={},
        options={},
        config_sha256="",
    )
    run = RunDirectory.create(directory, manifest)
    async with Engine(run, {CHAIN: SPEC}, [endpoint], Silent()) as engine:
        pinned = await engine.pin([Moment(CHAIN, height)], {})
        at = pinned[Moment(CHAIN, height).key].snapshot
        assert at is not None
        plan = plan_of(at, questions)
        started, used = time.perf_counter(), time.process_time()
        await engine.crawl(plan, pinned)
        took = time.perf_counter() - started, time.process_time() - used
    run.close()
    return *took, run, at


async def in_memory(
    endpoint: EndpointSpec, height: int, questions: list[Questions]
) -> tuple[float, int]:
    """Ask, check and decode as above, but keep nothing; seconds and the number of answers."""
    async with HttpTransport(CHAIN, [endpoint]) as transport:
        adapter = load("eip155")(SPEC, transport)
        at = adapter.snapshot(height, await adapter.pin(height))
        started, found = time.perf_counter(), 0
        for asked in questions:
            async for extract in adapter.extract(asked, at):
                found += len(adapter.decode(asked, extract, at).units)
        return time.perf_counter() - started, found


def answers(run: RunDirectory, at: Snapshot, questions: list[Questions]) -> list[list[str | None]]:
    """Read the balances back, as stored, per question in the order of its accounts."""
    found: dict[str, list[str | None]] = {one.asset: [] for one in questions}
    for entry, _ in plan_of(at, questions):
        merged = read_shard(run, entry.digest)
        assert merged is not None
        found[entry.asset] += merged.table["units"].to_pylist()
    return [found[one.asset] for one in questions]


def requests_of(run: RunDirectory, at: Snapshot, questions: list[Questions]) -> list[Request]:
    """Return the requests of a crawl, from its evidence."""
    return [
        exchange.request
        for entry, _ in plan_of(at, questions)
        for line in read_pack(run.path / evidence_pack(entry.digest, 1))
        if not isinstance(line, Header)
        for exchange in line.exchanges
    ]


async def compare(node: Anvil, count: int, rounds: int, connections: int) -> dict[str, object]:
    accounts = made_up(count)
    height, expected = load_balances(node, accounts)
    questions = questions_of(height, accounts)
    endpoint = EndpointSpec(
        name="anvil", chain=CHAIN, url=node.url, rate="0", concurrency=connections
    )
    crawls: list[float] = []
    bares: list[float] = []
    cpu: list[float] = []
    wanted = [[str(each[account]) for account in accounts] for each in expected]
    with tempfile.TemporaryDirectory() as folder:
        *_, run, at = await crawl(Path(folder, "first"), endpoint, height, questions)
        if answers(run, at, questions) != wanted:
            raise SystemExit("the crawl brought other balances than were loaded")
        sent = requests_of(run, at, questions)
        messages = [http_message(node.port, request) for request in sent]
        for number in range(rounds):
            seconds, used, *_ = await crawl(Path(folder, str(number)), endpoint, height, questions)
            start, before = time.perf_counter(), time.process_time()
            await bare(node.port, messages, connections)
            bares.append(count / (time.perf_counter() - start))
            crawls.append(count / seconds)
            cpu.append(used - (time.process_time() - before))
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
        "our_cpu_ms_per_1000": round(statistics.median(cpu) / count * 1e6, 2),
        "ratio": round(statistics.median(a / b for a, b in zip(crawls, bares, strict=True)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--addresses", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    with running_anvil("--gas-limit", "60000000") as node:
        result = asyncio.run(compare(node, options.addresses, options.rounds, options.connections))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
