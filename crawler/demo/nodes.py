"""The demo's nodes: which there are, and three that are faulty on purpose.

``crawler.demo.serving`` runs them in processes of their own.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chains.simulated.bip122 import SimulatedCore
from chains.simulated.eip155 import SimulatedEvm
from chains.simulated.evm_calls import Contract, TokenState
from chains.simulated.node import Faults, SimulatedNode
from chains.simulated.solana import SimulatedSolana
from chains.simulated.tron import SimulatedTron
from crawler.demo.exchange import (
    BITCOIN_HEIGHT,
    ETHEREUM_HEIGHT,
    SOLANA_SLOT,
    TRON_HEIGHT,
    USDC,
    USDT,
    MadeUp,
)
from crawler.demo.networks import by_label

CHAIN_ID = 31337
MOMENT = 1_717_977_600
"""2024-06-10 00:00 UTC: all pinned blocks of the demo lie within seconds of it."""


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """What the declarations need: URLs by endpoint name, genesis hashes by network.

    ``params`` are those of the further networks, by label.
    """

    urls: dict[str, str]
    genesis: dict[str, str]
    params: dict[str, dict[str, Any]] = {}


def nodes(world: MadeUp) -> dict[str, SimulatedNode]:
    """Make the nodes, faulty ones included, not yet listening."""
    core = SimulatedCore(world.coins, tip=BITCOIN_HEIGHT)
    core.genesis_time = MOMENT - 600 * BITCOIN_HEIGHT
    tron_empty = SimulatedTron(TRON_HEIGHT, world.tron)
    tron_empty.zero_for_everything = True
    tron_one = SimulatedTron(TRON_HEIGHT, world.tron)
    for tron in (tron_one, tron_empty):
        tron.start_ms = (MOMENT + 9 - 3 * TRON_HEIGHT) * 1000
    solana_one = SimulatedSolana(SOLANA_SLOT, world.solana)
    solana_silent = SimulatedSolana(SOLANA_SLOT, world.solana, faults=Faults(hang_every=1))
    for solana in (solana_one, solana_silent):
        solana.start_s = MOMENT + 2 - SOLANA_SLOT * 2 // 5
    return {
        "bitcoin-core": core,
        "ethereum-one": _evm(world, Faults()),
        "ethereum-busy": _evm(world, Faults(rate_limit_every=2, retry_after="0")),
        "tron-one": tron_one,
        "tron-empty": tron_empty,
        "solana-one": solana_one,
        "solana-silent": solana_silent,
    }


def _evm(world: MadeUp, faults: Faults) -> SimulatedEvm:
    contracts = {account: Contract(owner=owner) for account, owner in world.owned_contracts.items()}
    contracts |= {
        account: Contract(safe_owners=owners, threshold=len(owners))
        for account, owners in world.safes.items()
    }
    node = SimulatedEvm(
        chain_id=CHAIN_ID,
        height=ETHEREUM_HEIGHT,
        native=world.ether,
        tokens={
            USDT: TokenState(symbol="USDT", decimals=6, balances=world.tokens[USDT]),
            USDC: TokenState(symbol="USDC", decimals=6, balances=world.tokens[USDC]),
        },
        contracts=contracts,
        faults=faults,
    )
    node.genesis_time = MOMENT + 11 - 12 * ETHEREUM_HEIGHT
    return node


def further_nodes(world: MadeUp) -> dict[str, SimulatedNode]:
    """Make the nodes of the further networks, by label."""
    return {
        label: by_label()[label].family.node(by_label()[label], held)
        for label, held in sorted(world.others.items())
    }
