"""The demo's Ethereum in anvil instead of the simulated node: a real EVM runs the batch programs.

The pinned block holds one payment, from which a canary is taken; everything that the list claims
was set before it. The endpoint that asks to slow down stands before the same anvil.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import aiohttp
from aiohttp import web

from chains.simulated.anvil import DEV_ACCOUNT, Anvil, running_anvil
from chains.simulated.evm_bytecode import owned, safe, token
from chains.simulated.node import Faults, SimulatedNode
from crawler.demo.exchange import ETHEREUM_HEIGHT, USDC, USDT, MadeUp
from crawler.demo.nodes import CHAIN_ID, MOMENT

SYMBOLS = {USDT: "USDT", USDC: "USDC"}
SUPPLY_SLOT = 1
TOKEN_DECIMALS = 6
ABOVE = 3
"""Blocks above the pinned one; anvil keeps a copy of the state for each."""


class SlowingDown(SimulatedNode):
    """Stands before another node and answers every second request with 429."""

    def __init__(self, behind: str) -> None:
        super().__init__(Faults(rate_limit_every=2, retry_after="0"))
        self._behind = behind

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Hand the request on, and the answer back."""
        del request
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.post(self._behind, data=body, headers=headers) as answer,
        ):
            return web.Response(body=await answer.read(), content_type="application/json")


@contextlib.contextmanager
def serving(world: MadeUp) -> Iterator[Anvil]:
    """Run anvil with what the world holds at the pinned height."""
    options = (
        "--chain-id", str(CHAIN_ID), "--number", str(ETHEREUM_HEIGHT - 1),
        "--timestamp", str(MOMENT), "--gas-limit", "60000000", "--no-mining",
    )  # fmt: skip
    with running_anvil(*options) as node:
        load(node, world)
        yield node


def load(node: Anvil, world: MadeUp) -> None:
    """Set the state, then make the pinned block and some above it."""
    node.set_natives(world.ether)
    for at, held in world.tokens.items():
        node.set_code(at, token(SYMBOLS[at], TOKEN_DECIMALS))
        node.set_storage(at, SUPPLY_SLOT, sum(held.values()))
        node.set_holdings(at, held)
    for at, owner in world.owned_contracts.items():
        node.set_code(at, owned(owner))
    for at, owners in world.safes.items():
        node.set_code(at, safe(owners, len(owners)))
    payment = {"from": DEV_ACCOUNT, "to": DEV_ACCOUNT, "value": "0x1"}
    node.rpc("eth_sendTransaction", payment)
    if node.mine() != ETHEREUM_HEIGHT:
        raise RuntimeError("anvil made another block than the pinned one")
    node.mine(ABOVE)
