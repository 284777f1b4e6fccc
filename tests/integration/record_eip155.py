"""Record the fixtures of ``fixtures/eip155`` from a fresh anvil.

    PYTHONPATH=. python tests/integration/record_eip155.py

Each file holds one question, the snapshot, and the extracts with their raw exchanges, as the
adapter made them; the unit tests decode them again without a network. Accounts and amounts
are made up; every byte of an answer is anvil's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anvil import DEV_ACCOUNT, Anvil, running_anvil
from evm_crawl import chain, endpoint, pinned, token_asset

from chains.model import AssetId, ChainSpec, Exchange, Extract, QueryKind, Questions
from chains.simulated.evm_bytecode import (
    REVERTING,
    accepting,
    answering,
    owned,
    pod_manager,
    safe,
    token,
)

FOLDER = Path(__file__).parents[2] / "fixtures" / "eip155"
CHAIN_ID = 31337
ACCOUNTS = tuple((0xB0000000000000000000 + i * 0x100000001).to_bytes(20, "big") for i in range(6))
AMOUNTS = (0, 1, 10**18, 2**64 - 1, 2**64, 2**200 + 7)
TOKEN, REVERTS, NOTHING, SAFE = (bytes.fromhex("c0" * 19 + f"0{i}") for i in range(4))
POD, FAKE_POD, MANAGER = (bytes.fromhex("c1" * 19 + f"0{i}") for i in range(3))
ACCEPTING, REJECTING, CREDULOUS = (bytes.fromhex("c2" * 19 + f"0{i}") for i in range(3))
SIGNED = bytes(range(32)) + b"\x5a" * 65
"""A digest and a signature, both made up."""


def prepare(node: Anvil) -> int:
    """Load the ledger and return the height; the tip differs."""
    node.mine()
    node.set_code(TOKEN, token("USDT", 6))
    node.set_code(REVERTS, REVERTING)
    node.set_code(SAFE, safe(ACCOUNTS[:2], 2))
    node.set_code(ACCOUNTS[1], owned(ACCOUNTS[2]))
    for pod in (POD, FAKE_POD):
        node.set_code(pod, answering({"0b18ff66": [int.from_bytes(ACCOUNTS[2], "big")]}))
    node.set_code(MANAGER, pod_manager({ACCOUNTS[2]: POD}))
    node.set_code(ACCEPTING, accepting(SIGNED[:32]))
    node.set_code(CREDULOUS, answering({"1626ba7e": [0x1626BA7E << 224]}))
    node.set_code(REJECTING, answering({"1626ba7e": [0xFFFFFFFF << 224]}))
    balances = dict(zip(ACCOUNTS, AMOUNTS, strict=True))
    node.set_storage(TOKEN, 1, sum(AMOUNTS))
    node.set_natives(balances)
    node.set_holdings(TOKEN, balances)
    height = node.mine()
    node.mine()
    node.set_natives(dict.fromkeys(ACCOUNTS, 3))
    node.set_holdings(TOKEN, dict.fromkeys(ACCOUNTS, 4))
    node.mine()
    return height


def plain(exchange: Exchange) -> dict[str, Any]:
    """Return an exchange as JSON; bodies as text, which they are."""
    return {
        "request": exchange.request.body.decode(),
        "endpoint": exchange.endpoint,
        "status": exchange.status,
        "failure": exchange.failure,
        "body": exchange.body.decode(),
    }


async def record(node: Anvil, height: int) -> None:
    ways = ["override", "deployless", "rpc"]
    for way in ways:
        spec = chain(CHAIN_ID, canaries=[DEV_ACCOUNT], ways=[way])
        await record_one(
            node, height, spec, f"native-{way}", kind=QueryKind.BALANCE, asset=spec.native
        )
        for name, contract in (("erc20", TOKEN), ("reverting", REVERTS), ("nothing", NOTHING)):
            asset = token_asset(spec, contract)
            await record_one(
                node, height, spec, f"{name}-{way}", kind=QueryKind.BALANCE, asset=asset
            )
    spec = chain(CHAIN_ID, canaries=[DEV_ACCOUNT])
    asset = token_asset(spec, TOKEN)
    await record_one(
        node, height, spec, "asset-fact", kind=QueryKind.ASSET_FACT, asset=asset, accounts=(TOKEN,)
    )
    people = (ACCOUNTS[0], ACCOUNTS[1], SAFE)
    await record_one(
        node, height, spec, "control", kind=QueryKind.CONTROL, asset=spec.native, accounts=people
    )
    asked = [at + SIGNED for at in (ACCOUNTS[0], REVERTS, ACCEPTING, REJECTING, CREDULOUS)]
    await record_one(
        node, height, spec, "signature", kind=QueryKind.SIGNATURE, asset=spec.native, accounts=asked
    )
    spec = chain(CHAIN_ID, canaries=[DEV_ACCOUNT], eigen_pod_manager="0x" + MANAGER.hex())
    await record_one(
        node,
        height,
        spec,
        "pods",
        kind=QueryKind.CONTROL,
        asset=spec.native,
        accounts=(POD, FAKE_POD),
    )


async def record_one(
    node: Anvil,
    height: int,
    spec: ChainSpec,
    name: str,
    *,
    kind: QueryKind,
    asset: AssetId,
    accounts: Sequence[bytes] = ACCOUNTS,
) -> None:
    async with pinned(spec, height, endpoint(spec, node.url, "anvil")) as crawler:
        pins = await crawler.adapter.pin(height)
        questions = Questions(
            kind=kind, chain=spec.id, height=height, asset=asset, accounts=tuple(accounts)
        )
        extracts: list[Extract] = [e async for e in crawler.adapter.extract(questions, crawler.at)]
    document = {
        "provenance": "recorded: anvil 1.7.1 by tests/integration/record_eip155.py",
        "params": dict(spec.params),
        "height": height,
        "pin": [plain(exchange) for exchange in pins],
        "kind": kind.value,
        "asset": asset,
        "accounts": [account.hex() for account in accounts],
        "extracts": [
            {
                "positions": list(extract.positions),
                "decoder": extract.decoder,
                "exchanges": [plain(exchange) for exchange in extract.exchanges],
            }
            for extract in sorted(extracts, key=lambda extract: list(extract.positions))
        ],
    }
    text = json.dumps(document, indent=1) + "\n"
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running_anvil("--timestamp", "1700000000") as node:
        asyncio.run(record(node, prepare(node)))


if __name__ == "__main__":
    main()
