"""Start a real Substrate runtime in chopsticks: Asset Hub for Rococo, offline, from its genesis.

It is looked for in .nodes, where .ci/install-chopsticks puts it (with the genesis).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from anvil import free_port

from tests.nodes import note

INSTALLED = Path(__file__).resolve().parents[2] / ".nodes" / "chopsticks"
_PROGRAM = INSTALLED / "node_modules" / "@acala-network" / "chopsticks" / "chopsticks.cjs"
GENESIS = "45" * 32
"""What chopsticks calls the hash of block 0."""
START_S = 60.0


class Chopsticks:
    """A running node at ``url``; it makes a block when it is told to."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, *params: Any) -> Any:
        """Call a method and return its result."""
        body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url, data=body.encode(), headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as response:
            answer = json.loads(response.read())
        if "result" not in answer:
            raise RuntimeError(answer)
        return answer["result"]


@contextlib.contextmanager
def running(directory: Path, storage: Mapping[str, Any]) -> Iterator[Chopsticks]:
    """Start it with some storage written over the genesis; it ends with the context."""
    node = shutil.which("node")
    if node is None or not (INSTALLED / "genesis.json").exists():
        pytest.skip("chopsticks is not installed; run .ci/install-chopsticks")
    note("chopsticks")
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
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
    chopsticks = Chopsticks(port)
    try:
        _wait(chopsticks, process)
        yield chopsticks
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(chopsticks: Chopsticks, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"chopsticks ended with status {process.returncode}")
        with contextlib.suppress(OSError):
            chopsticks.call("chain_getBlockHash", 0)
            return
        time.sleep(0.1)
    raise TimeoutError("chopsticks did not start")
