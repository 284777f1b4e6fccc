"""One peer tool asks a node for the native coin and one token of many addresses.

Runs in an environment of its own (``.ci/install-peers``) and imports nothing of ours:

    PEERS/bin/python tests/bench/peer_tools.py TOOL URL HEIGHT TOKEN FILE

FILE holds one address a line. Prints one JSON line: seconds, and the sums of what was answered, by
which the caller sees that the answers are right. Imports are outside the clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

Sums = tuple[int, int]
STEP = 3_000
"""Calls per aggregate: multicall's own default runs out of the node's gas."""
IN_FLIGHT = 50


def multicall(url: str, height: int, token: str, addresses: list[str]) -> Callable[[], Sums]:
    """banteg/multicall.py with its own batching, both balances in one list of calls."""
    os.environ["WEB3_PROVIDER_URI"] = url
    import multicall as library  # noqa: PLC0415 - each tool where it is used
    from multicall.multicall import batcher  # noqa: PLC0415
    from web3 import Web3  # noqa: PLC0415

    batcher.step = STEP
    w3 = Web3(Web3.HTTPProvider(url))

    def run() -> Sums:
        contract = "0xcA11bde05977b3631167028862bE2a173976CA11"
        calls = [
            library.Call(contract, ["getEthBalance(address)(uint256)", one], [(f"n{one}", None)])
            for one in addresses
        ]
        calls += [
            library.Call(token, ["balanceOf(address)(uint256)", one], [(f"t{one}", None)])
            for one in addresses
        ]
        found = library.Multicall(calls, block_id=height, _w3=w3)()
        return (
            sum(units for name, units in found.items() if name[0] == "n"),
            sum(units for name, units in found.items() if name[0] == "t"),
        )

    return run


def cryo(url: str, height: int, token: str, addresses: list[str]) -> Callable[[], Sums]:
    """Cryo's datasets of balances, collected into memory."""
    import cryo as library  # noqa: PLC0415

    def run() -> Sums:
        same = {"blocks": [str(height)], "rpc": url, "output_format": "list"}
        same |= {"max_concurrent_requests": 100}
        native = library.collect("balances", address=addresses, **same)
        held = library.collect("erc20_balances", contract=[token], address=addresses, **same)
        return (
            sum(int(row["balance_string"]) for row in native),
            sum(int(row["balance_string"]) for row in held),
        )

    return run


def web3(url: str, height: int, token: str, addresses: list[str]) -> Callable[[], Sums]:
    """AsyncWeb3, one call per balance."""
    from web3 import AsyncHTTPProvider, AsyncWeb3  # noqa: PLC0415

    abi = [
        {
            "name": "balanceOf",
            "type": "function",
            "stateMutability": "view",
            "inputs": [{"name": "account", "type": "address"}],
            "outputs": [{"name": "", "type": "uint256"}],
        }
    ]

    async def ask() -> Sums:
        w3 = AsyncWeb3(AsyncHTTPProvider(url))
        contract = w3.eth.contract(address=w3.to_checksum_address(token), abi=abi)
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def one(address: str) -> Sums:
            async with slots:
                who = w3.to_checksum_address(address)
                native = await w3.eth.get_balance(who, height)
                held = await contract.functions.balanceOf(who).call(block_identifier=height)
                return native, held

        found = await asyncio.gather(*map(one, addresses))
        await w3.provider.disconnect()
        return sum(one for one, _ in found), sum(one for _, one in found)

    return lambda: asyncio.run(ask())


TOOLS = {"multicall": multicall, "cryo": cryo, "web3": web3}


def main() -> None:
    """Time one tool."""
    name, url, height, token, file = sys.argv[1:]
    addresses = Path(file).read_text().split()
    run = TOOLS[name](url, int(height), token, addresses)
    started = time.perf_counter()
    native, held = run()
    seconds = time.perf_counter() - started
    line = {"seconds": seconds, "native": str(native), "token": str(held)}
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
