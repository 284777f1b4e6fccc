"""Start a real Substrate runtime in chopsticks: Asset Hub for Rococo, offline, from its genesis.

It is looked for in .nodes, where .ci/install-chopsticks puts it (with the genesis).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import node_program
import pytest
from anvil import free_port

INSTALLED = Path(__file__).resolve().parents[2] / ".nodes" / "chopsticks"
_PROGRAM = INSTALLED / "node_modules" / "@acala-network" / "chopsticks" / "chopsticks.cjs"
GENESIS = "45" * 32
"""What chopsticks calls the hash of block 0."""


class Chopsticks:
    """A running node at ``url``; it makes a block when it is told to."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, *params: Any) -> Any:
        """Call a method and return its result."""
        return node_program.call(self.url, method, params)


@contextlib.contextmanager
def running(directory: Path, storage: Mapping[str, Any]) -> Iterator[Chopsticks]:
    """Start it with some storage written over the genesis; it ends with the context."""
    node = shutil.which("node")
    if node is None or not (INSTALLED / "genesis.json").exists():
        pytest.skip("chopsticks is not installed; run .ci/install-chopsticks")
    port = free_port()
    config = directory / "config.json"
    given = {
        "genesis": str(INSTALLED / "genesis.json"),
        "port": port,
        "addr": "127.0.0.1",
        "mock-signature-host": True,
        "block": 0,
        "build-block-mode": "Manual",
        "import-storage": storage,
    }
    config.write_text(json.dumps(given))
    command = [node, str(_PROGRAM), "--config", str(config), "--addr", "127.0.0.1"]
    chopsticks = Chopsticks(port)

    def is_up() -> object:
        return chopsticks.call("chain_getBlockHash", 0)

    with node_program.running("chopsticks", command, directory, is_up):
        yield chopsticks
