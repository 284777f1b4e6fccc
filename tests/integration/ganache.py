"""Start ganache's Filecoin simulator.

It is looked for in .nodes, where .ci/install-filecoin puts it. It answers a handful of Lotus'
methods and knows neither actors nor state.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import node_program
import pytest
from anvil import free_port

INSTALLED = Path(__file__).resolve().parents[2] / ".nodes" / "filecoin"
_PROGRAM = INSTALLED / "node_modules" / "ganache" / "dist" / "node" / "cli.js"


class Ganache:
    """A running simulator; ``url`` is that of its JSON-RPC."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/rpc/v0"

    def call(self, method: str, *params: Any) -> Any:
        """Call a method and return its result."""
        return node_program.call(self.url, method, params)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Ganache]:
    """Start it with two accounts of 100 FIL; it ends with the context."""
    node = shutil.which("node")
    if node is None or not (INSTALLED / "installed").exists():
        pytest.skip("ganache's Filecoin simulator is not installed; run .ci/install-filecoin")
    port = free_port()
    given = {
        "server.host": "127.0.0.1",
        "server.port": port,
        "chain.ipfsHost": "127.0.0.1",
        "chain.ipfsPort": free_port(),
        "wallet.totalAccounts": 2,
        "wallet.seed": "recount",
        "wallet.defaultBalance": 100,
    }
    options = [f"--{name}={value}" for name, value in given.items()]
    ganache = Ganache(port)

    def is_up() -> object:
        return ganache.call("Filecoin.Version")

    with node_program.running(
        "ganache-filecoin",
        [node, str(_PROGRAM), "filecoin", *options],
        directory,
        is_up,
        # What .ci/install-filecoin does not compile
        {**os.environ, "NODE_BACKEND": "js", "HOME": str(directory)},
    ):
        yield ganache
