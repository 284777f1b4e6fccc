"""One entry per adapter for the contract suite: a chain, a ledger, and how to make it lie.

Each module of ``cases`` has ``case()`` for one adapter and is found by being there. ``ledger`` is
the truth at ``height``: accounts (canonical bytes) and base units, some of them zero. ``node``
starts nothing; it builds a simulated node of that ledger. The four functions turn a node into a
liar. ``pass_by`` lets time pass at a node that shows balances after the fact: it keeps no state of
the height any more, and what it lets be taken back has moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from chains.model import AssetId, ChainId, ChainSpec
from chains.simulated.node import SimulatedNode

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
    pass_by: Lie | None = None


def spec_of(adapter: str, reference: str, coin: int, params: Mapping[str, Any]) -> ChainSpec:
    return ChainSpec(
        id=ChainId(f"{adapter}:{reference}"),
        name=adapter,
        adapter=adapter,
        address="none",
        native=AssetId(f"{adapter}:{reference}/slip44:{coin}"),
        params=params,
    )


def setting(**values: Any) -> Lie:
    """Return a function that sets attributes of a node."""

    def change(node: Any) -> None:
        for name, value in values.items():
            setattr(node, name, value)

    return change


def setting_fault(**values: Any) -> Lie:
    """Return a function that sets fault knobs of a node."""

    def change(node: Any) -> None:
        for name, value in values.items():
            setattr(node.faults, name, value)

    return change


def ledger_of(width: int, smallest: int) -> dict[bytes, int]:
    """Return accounts that own something, one with more than 2^53, and two that own nothing."""
    rich = {bytes((i,)) * width: smallest + i for i in range(1, 8)}
    return rich | {b"\x09" * width: 2**53 + 1, b"\x0a" * width: 0, b"\x0b" * width: 0}


def cases() -> tuple[Case, ...]:
    """Return the case of every module of ``cases``, by name."""
    import cases as package  # noqa: PLC0415 - its modules import this one

    names = sorted(module.name for module in iter_modules(package.__path__))
    return tuple(import_module(f"cases.{name}").case() for name in names)
