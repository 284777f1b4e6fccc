"""One entry per adapter for the contract suite: a chain, a ledger, and how to make it lie.

A new adapter is added here and nowhere else. ``ledger`` is the truth at ``height``: accounts
(canonical bytes) and base units, some of them zero. ``node`` starts nothing; it builds a
simulated node of that ledger. The four functions turn a node into a liar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chains.model import AssetId, ChainId, ChainSpec
from chains.simulated.bip122 import SimulatedCoin, SimulatedCore
from chains.simulated.eip155 import SimulatedEvm
from chains.simulated.node import SimulatedNode
from chains.simulated.solana import SimulatedSolana
from chains.simulated.tron import SimulatedTron

Lie = Callable[[Any], None]


@dataclass(frozen=True)
class Case:
    """What the contract suite needs to know of one adapter."""

    name: str
    spec: ChainSpec
    height: int
    ledger: Mapping[bytes, int]
    node: Callable[[], SimulatedNode]
    be_another_chain: Lie
    name_another_block: Lie
    answer_zero: Lie
    fall_behind: Lie


def _spec(adapter: str, reference: str, coin: int, params: Mapping[str, Any]) -> ChainSpec:
    return ChainSpec(
        id=ChainId(f"{adapter}:{reference}"),
        name=adapter,
        adapter=adapter,
        address="none",
        native=AssetId(f"{adapter}:{reference}/slip44:{coin}"),
        params=params,
    )


def _set(**values: Any) -> Lie:
    """Return a function that sets attributes of a node."""

    def change(node: Any) -> None:
        for name, value in values.items():
            setattr(node, name, value)

    return change


def _set_fault(**values: Any) -> Lie:
    """Return a function that sets fault knobs of a node."""

    def change(node: Any) -> None:
        for name, value in values.items():
            setattr(node.faults, name, value)

    return change


def _ledger(width: int, smallest: int) -> dict[bytes, int]:
    """Return accounts that own something, one with more than 2^53, and two that own nothing."""
    rich = {bytes((i,)) * width: smallest + i for i in range(1, 8)}
    return rich | {b"\x09" * width: 2**53 + 1, b"\x0a" * width: 0, b"\x0b" * width: 0}


def tron() -> Case:
    """TRON: a record of history per account."""
    height, ledger = 60_000_000, _ledger(20, 1)
    node = SimulatedTron(height, ledger)
    return Case(
        name="tron",
        spec=_spec("tron", "simulated", 195, {"genesis_hash": node.genesis}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedTron(height, ledger),
        be_another_chain=_set(seed="another"),
        name_another_block=_rename_tron_block,
        answer_zero=_set(zero_for_everything=True),
        fall_behind=_set(head=height - 1),
    )


def _rename_tron_block(node: SimulatedTron) -> None:
    genesis = node.genesis

    def block_id(number: int) -> str:
        return f"{number:016x}" + "ab" * 24 if number else genesis

    node.block_id = block_id  # type: ignore[method-assign]


def solana() -> Case:
    """Solana: the tip, and the slot of each account's last transaction."""
    slot, ledger = 300_000_000, _ledger(32, 10**9)
    node = SimulatedSolana(slot, ledger)
    return Case(
        name="solana",
        spec=_spec("solana", "simulated", 501, {"genesis_hash": node.genesis}),
        height=slot,
        ledger=ledger,
        node=lambda: SimulatedSolana(slot, ledger),
        be_another_chain=_set(seed="another"),
        name_another_block=_rename_solana_block,
        answer_zero=_set(null_for_everything=True),
        fall_behind=_set(finalized=slot - 1),
    )


def _rename_solana_block(node: SimulatedSolana) -> None:
    real = node.block_hash
    node.block_hash = lambda slot: real(slot + 1)  # type: ignore[method-assign]


def eip155() -> Case:
    """Ethereum: state at a block hash, many accounts per call."""
    height, ledger = 20_000_000, _ledger(20, 10**18)
    return Case(
        name="eip155",
        spec=_spec("eip155", "1337", 60, {"chain_id": 1337}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedEvm(chain_id=1337, height=height, native=ledger),
        be_another_chain=_set(wrong_chain_id=1),
        name_another_block=_set(wrong_block_hash=True),
        answer_zero=_set(zero_for_everything=True),
        fall_behind=_set(lag=10**6),
    )


def bip122() -> Case:
    """Bitcoin: a scan of all coins while the tip is the pinned block."""
    height = 120
    scripts = _ledger(20, 1000)
    ledger = {b"\x00\x14" + program: units for program, units in scripts.items()}
    ledger = dict(sorted((s, min(u, 21 * 10**14 // 20)) for s, u in ledger.items()))
    coins = [
        SimulatedCoin(txid=f"{i:064x}", vout=0, height=5, units=units, script=script)
        for i, (script, units) in enumerate(ledger.items(), start=1)
        if units
    ]
    node = SimulatedCore(coins, tip=height)
    return Case(
        name="bip122",
        spec=_spec("bip122", "simulated", 1, {"genesis": node.genesis}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedCore(coins, tip=height),
        be_another_chain=_set_fault(wrong_chain=True),
        name_another_block=_set_fault(other_block=True),
        answer_zero=_set_fault(silent_zero=True),
        fall_behind=_set(tip=height - 1),
    )


CASES = (tron(), solana(), eip155(), bip122())
