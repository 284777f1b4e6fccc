"""Start a real ElectrumX beside a regtest litecoind, for the tests of the Electrum protocol.

It is looked for in RECOUNT_ELECTRUMX (electrumx_server) and in .nodes/electrumx, where
.ci/install-electrumx puts it. A test that needs it skips where it is absent.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coredaemons import ROOT, START_S, Daemon, _free_port

from tests.nodes import note


class Server:
    """A running server. ``url`` is for an endpoint; ``call`` is one call."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"tcp://127.0.0.1:{port}"

    def call(self, method: str, *params: Any) -> Any:
        """Make one call on a connection of its own."""
        hello = {"id": 0, "method": "server.version", "params": ["test", "1.4"]}
        call = {"id": 1, "method": method, "params": params}
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"".join(json.dumps(one).encode() + b"\n" for one in (hello, call)))
            for line in connection.makefile():
                answer = json.loads(line)
                if answer.get("id") == 1:
                    return answer["result"]
        raise ConnectionError("the server ended the connection")

    def await_height(self, height: int) -> None:
        """Wait until the server has taken in a block of the daemon."""
        deadline = time.monotonic() + START_S
        while self.call("blockchain.headers.subscribe")["height"] != height:
            if time.monotonic() > deadline:
                pytest.fail(f"the server did not reach {height} within {START_S} s")
            time.sleep(0.1)


@contextlib.contextmanager
def electrumx(daemon: Daemon, directory: Path) -> Iterator[Server]:
    """Run an ElectrumX on the chain of a litecoind with ``-txindex``; ready at its tip."""
    program = Path(
        os.environ.get("RECOUNT_ELECTRUMX")
        or ROOT / ".nodes" / "electrumx" / "bin" / "electrumx_server"
    )
    if not program.exists():
        pytest.skip("ElectrumX is not installed; run .ci/install-electrumx")
    directory.mkdir(parents=True, exist_ok=True)
    port, local = _free_port(), _free_port()
    settings = {
        "DB_ENGINE": "leveldb",
        "DAEMON_URL": f"{daemon.url}/",
        "COIN": "Litecoin",
        "NET": "regtest",
        "DB_DIRECTORY": str(directory),
        "ALLOW_ROOT": "1",
        "SERVICES": f"tcp://127.0.0.1:{port},rpc://127.0.0.1:{local}",
        "PEER_DISCOVERY": "off",
        "PEER_ANNOUNCE": "",
        "COST_SOFT_LIMIT": "0",
        "COST_HARD_LIMIT": "0",
    }
    note("electrumx")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program)], env={**os.environ, **settings}, stdout=log, stderr=log
        )
        server = Server(port)
        try:
            _wait(process, server, daemon, directory / "log")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait(process: subprocess.Popen[bytes], server: Server, daemon: Daemon, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        if process.poll() is not None:
            pytest.fail(f"ElectrumX ended at once: {log.read_text(errors='replace')[-800:]}")
        try:
            server.call("server.features")
        except (OSError, ValueError):
            if time.monotonic() > deadline:
                pytest.fail(f"no answer within {START_S} s: {log.read_text()[-800:]}")
            time.sleep(0.2)
        else:
            server.await_height(int(daemon.call("getblockcount")))
            return
