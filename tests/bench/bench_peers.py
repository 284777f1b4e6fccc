"""Addresses per second beside multicall and cryo (PyPI) and AsyncWeb3, each doing the same work.

    python -m tests.bench.bench_peers [ADDRESSES]

All ask one anvil for the native coin and one token at a block below the tip, and keep the answers
in memory; that is the same work. Beside it stands our crawl with evidence and answers stored and
synced. Every tool's sums are compared with what was loaded. AsyncWeb3 is given fewer addresses: its
rate does not depend on how many. Prints one JSON line. The peers come from ``.ci/install-peers``.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.bench import bench_evm
from tests.bench.bench_evm import ASSETS, CHAIN, TOKEN, Anvil, running_anvil

ADDRESSES = 20_000
OURS = ("recount", "recount_stored")
FEWER = {"multicall": 1, "cryo": 1, "web3": 40}
"""Each tool is given one address in so many."""
ROUNDS = 3
CHAIN_ID = 1
"""multicall knows only public networks."""
ROOT = Path(__file__).parents[2]


def environment() -> Path:
    """Return the Python of the peers' environment; raises ``SystemExit`` with how to get it."""
    place = Path(os.environ.get("RECOUNT_PEERS", ROOT / ".nodes/peers"))
    python = place / "bin/python"
    if not python.exists():
        raise SystemExit("the peers are not installed: run .ci/install-peers")
    return python


def peer(
    python: Path, name: str, node: Anvil, *, height: int, loaded: list[dict[bytes, int]], file: Path
) -> float:
    """Run one tool; returns addresses per second."""
    accounts = list(loaded[0])[:: FEWER[name]]
    file.write_text("\n".join("0x" + account.hex() for account in accounts))
    done = subprocess.run(
        [python, str(ROOT / "tests/bench/peer_tools.py"), name, node.url, str(height),
         "0x" + TOKEN.hex(), str(file)],
        capture_output=True, text=True, check=False, timeout=300, cwd=file.parent,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-400:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    expected = [str(sum(held[account] for account in accounts)) for held in loaded]
    if [found["native"], found["token"]] != expected:
        raise RuntimeError(f"{name} brought other sums than were loaded")
    return len(accounts) / float(found["seconds"])


async def ours(
    node: Anvil, height: int, accounts: tuple[bytes, ...], folder: Path
) -> dict[str, float]:
    """Crawl the same, kept in memory and stored; returns addresses per second of both."""
    endpoint = bench_evm.EndpointSpec(
        name="anvil", chain=CHAIN, url=node.url, rate="0", concurrency=4
    )
    questions = bench_evm.questions_of(height, accounts)
    asked, found = await bench_evm.in_memory(endpoint, height, questions)
    assert found == 2 * len(accounts), found
    stored, *_ = await bench_evm.crawl(folder, endpoint, height, questions)
    return {"recount": len(accounts) / asked, "recount_stored": len(accounts) / stored}


def main() -> None:
    """Measure in turns and print one JSON line."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ADDRESSES
    python = environment()
    bench_evm.SPEC = msgspec.structs.replace(
        bench_evm.SPEC, params={**bench_evm.SPEC.params, "chain_id": CHAIN_ID}
    )
    rates: dict[str, list[float]] = {name: [] for name in (*OURS, *FEWER)}
    with (
        tempfile.TemporaryDirectory() as text,
        running_anvil("--gas-limit", "60000000", "--chain-id", str(CHAIN_ID)) as node,
    ):
        folder = Path(text)
        accounts = bench_evm.made_up(count)
        height, loaded = bench_evm.load_balances(node, accounts)
        asyncio.run(ours(node, height, accounts, folder / "warm"))
        for number in range(ROUNDS):
            own = asyncio.run(ours(node, height, accounts, folder / f"crawl-{number}"))
            for name in OURS:
                rates[name].append(own[name])
            for name in FEWER:
                file = folder / f"{name}.txt"
                rates[name].append(
                    peer(python, name, node, height=height, loaded=loaded, file=file)
                )
    line: dict[str, object] = {"bench": "peers", "addresses": count, "assets": list(ASSETS)}
    for name, found in rates.items():
        line[f"{name}_addresses_per_s"] = round(statistics.median(found))
    for own_name, word in zip(OURS, ("times", "times_stored"), strict=True):
        for name in FEWER:
            pairs = zip(rates[own_name], rates[name], strict=True)
            line[f"{word}_{name}"] = round(statistics.median(a / b for a, b in pairs), 1)
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
