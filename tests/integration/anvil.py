"""Start anvil for a test, and note that a real node was exercised."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from chains.simulated import anvil
from chains.simulated.anvil import (
    DEV_ACCOUNT,
    INSTALL,
    Anvil,
    find_anvil,
    free_port,
    mapping_key,
    word,
)
from tests.nodes import note

__all__ = [
    "DEV_ACCOUNT",
    "INSTALL",
    "VIEM",
    "Anvil",
    "find_anvil",
    "free_port",
    "mapping_key",
    "multicall3_initcode",
    "running_anvil",
    "word",
]

_ROOT = Path(__file__).parents[2]
VIEM = "mkdir -p .nodes && cd .nodes && npm i viem"
_VIEM_CONTRACTS = _ROOT / ".nodes/node_modules/viem/_cjs/constants/contracts.js"


def multicall3_initcode() -> bytes | None:
    """Return Multicall3's initcode as the npm package viem carries it, if that is installed."""
    if not _VIEM_CONTRACTS.exists():
        return None
    found = re.search(r"multicall3Bytecode = '0x([0-9a-f]+)'", _VIEM_CONTRACTS.read_text())
    return None if found is None else bytes.fromhex(found[1])


@contextlib.contextmanager
def running_anvil(*options: str) -> Iterator[Anvil]:
    """Start anvil on a free port; it ends with the context. Raises ``FileNotFoundError``."""
    with anvil.running_anvil(*options) as node:
        note("anvil")
        yield node
