"""The simulated nodes of the demo's further networks, and what a declaration says of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chains.simulated.node import SimulatedNode

if TYPE_CHECKING:
    from crawler.demo.networks import Network

Ledger = Mapping[bytes, int]
"""Accounts and their base units."""
Server = Callable[["Network", Ledger], SimulatedNode]


def evm_node(network: Network, ledger: Ledger) -> SimulatedNode:
    """Make an EVM node."""
    from chains.simulated.eip155 import SimulatedEvm  # noqa: PLC0415 - each family where needed

    height = network.family.height
    return SimulatedEvm(chain_id=network.chain_id, height=height, native=ledger)


def coin_node(network: Network, ledger: Ledger) -> SimulatedNode:
    """Make a node of a Bitcoin-like chain, one coin an account."""
    from chains.simulated.bip122 import SimulatedCoin, SimulatedCore  # noqa: PLC0415

    height = network.family.height
    coins = [
        SimulatedCoin(
            txid=hashlib.sha256(script).hexdigest(), vout=0, height=5, units=units, script=script
        )
        for script, units in ledger.items()
    ]
    return SimulatedCore(coins, tip=height, salt=network.label)


def plain_node(module: str, name: str) -> Server:
    """Return a maker of nodes whose ledger is keyed by accounts."""

    def node(network: Network, ledger: Ledger) -> SimulatedNode:
        made: SimulatedNode = _server(module, name)(network.family.height, ledger)
        return made

    return node


def named_node(module: str, name: str) -> Server:
    """Return a maker of nodes whose ledger is keyed by addresses."""

    def node(network: Network, ledger: Ledger) -> SimulatedNode:
        named = {network.text(account): units for account, units in ledger.items()}
        made: SimulatedNode = _server(module, name)(network.family.height, named)
        return made

    return node


def _server(module: str, name: str) -> Any:
    return getattr(import_module(f"chains.simulated.{module}"), name)


def filecoin_node(network: Network, ledger: Ledger) -> SimulatedNode:
    """Make a Lotus node."""
    from chains.simulated.filecoin import SimulatedActor, SimulatedLotus  # noqa: PLC0415

    actors, names = {}, {}
    for number, (account, units) in enumerate(ledger.items(), start=10_000):
        actors[f"f0{number}"] = SimulatedActor(balance=units)
        names[network.text(account)] = f"f0{number}"
    return SimulatedLotus(network.family.height, actors, names=names)


def filecoin_params(_: Network, node: Any) -> Mapping[str, Any]:
    """Declare its genesis and what code plain accounts have."""
    from chains.simulated.filecoin import code_of  # noqa: PLC0415

    return {"genesis": node.genesis, "plain_codes": [code_of("account")]}


def beacon_node(network: Network, ledger: Ledger) -> SimulatedNode:
    """Make a beacon node."""
    from chains.simulated.beacon import SimulatedBeacon, SimulatedValidator  # noqa: PLC0415

    validators = {key: SimulatedValidator(balance=units) for key, units in ledger.items()}
    return SimulatedBeacon(network.family.height, validators)


def ton_node(network: Network, ledger: Ledger) -> SimulatedNode:
    """Make a toncenter."""
    from chains.simulated.tvm import SimulatedTon  # noqa: PLC0415

    node = SimulatedTon(network.family.height, ledger)
    node.global_id = network.chain_id
    return node


def starknet_node(network: Network, ledger: Ledger) -> SimulatedNode:
    """Make a Starknet node."""
    from chains.simulated.starknet import SimulatedStarknet  # noqa: PLC0415

    node = SimulatedStarknet(network.family.height, ledger)
    node.chain = network.id.partition(":")[2]
    return node


def ton_params(_: Network, node: Any) -> Mapping[str, Any]:
    """Declare its zero state."""
    root, file = node.zero_state
    return {"zero_state_root": root, "zero_state_file": file}


def sui_params(_: Network, node: Any) -> Mapping[str, Any]:
    """Declare its genesis."""
    from chains.addresses.base58 import bytes_to_base58  # noqa: PLC0415

    return {"genesis_digest": bytes_to_base58(node.genesis)}


def aelf_params(_: Network, node: Any) -> Mapping[str, Any]:
    """Declare its genesis contract and name."""
    from chains.addresses.aelf import encode  # noqa: PLC0415
    from chains.simulated.aelf import GENESIS  # noqa: PLC0415

    return {"genesis_contract": encode(GENESIS, {}), "chain": node.chain}


def xrpl_params(_: Network, node: Any) -> Mapping[str, Any]:
    """Declare a ledger that it has."""
    from chains.simulated.xrpl import KNOWN  # noqa: PLC0415

    return {"network_id": 0, "known_ledger": {"index": KNOWN, "hash": node.hash_of(KNOWN)}}
