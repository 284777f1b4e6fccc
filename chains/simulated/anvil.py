"""Starts anvil, a real EVM, and loads balances and contracts into it: for demo, tests and bench.

The binary is looked for in ``RECOUNT_ANVIL``, on the path, and in a checkout's ``.nodes``, where
``.ci/install-anvil`` puts it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from Crypto.Hash import keccak

INSTALL = "run .ci/install-anvil, or set RECOUNT_ANVIL"
DEV_ACCOUNT = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
"""The first account that anvil funds: 10,000 coins."""
_ROOT = Path(__file__).parents[2]
_INSTALLED = _ROOT / ".nodes/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"


def find_anvil() -> str | None:
    """Return the path of the anvil binary, if there is one."""
    named = os.environ.get("RECOUNT_ANVIL")
    if named:
        return named
    return shutil.which("anvil") or (str(_INSTALLED) if _INSTALLED.exists() else None)


class Anvil:
    """A running anvil; ``rpc`` and ``rpc_many`` talk to it directly."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def rpc(self, method: str, *params: Any) -> Any:
        """Call one method; an error object is raised."""
        answer = self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def rpc_many(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Call many methods in arrays, for their effect."""
        for start in range(0, len(calls), 2000):
            body = [
                {"jsonrpc": "2.0", "id": i, "method": method, "params": params}
                for i, (method, params) in enumerate(calls[start : start + 2000])
            ]
            for answer in self._post(body):
                if "error" in answer:
                    raise RuntimeError(answer["error"])

    def set_natives(self, balances: Mapping[bytes, int]) -> None:
        """Give accounts these balances, in wei."""
        self.rpc_many(
            [("anvil_setBalance", ["0x" + at.hex(), hex(wei)]) for at, wei in balances.items()]
        )

    def set_holdings(self, token: bytes, balances: Mapping[bytes, int], *, slot: int = 0) -> None:
        """Write balances into the mapping at ``slot`` of ``token``."""
        self.rpc_many(
            [
                (
                    "anvil_setStorageAt",
                    ["0x" + token.hex(), "0x" + mapping_key(at, slot).hex(), word(units)],
                )
                for at, units in balances.items()
            ]
        )

    def set_code(self, at: bytes, code: bytes) -> None:
        """Put a contract at an address."""
        self.rpc("anvil_setCode", "0x" + at.hex(), "0x" + code.hex())

    def set_storage(self, at: bytes, slot: int, value: int) -> None:
        """Write one word of a contract's storage."""
        self.rpc("anvil_setStorageAt", "0x" + at.hex(), word(slot), word(value))

    def mine(self, blocks: int = 1) -> int:
        """Mine blocks and return the number of the newest."""
        self.rpc("anvil_mine", hex(blocks))
        return int(self.rpc("eth_blockNumber"), 16)

    def close(self) -> None:
        """Close the connection; the node goes on."""
        self._connection.close()

    def _post(self, value: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/", json.dumps(value), headers)
        return json.loads(self._connection.getresponse().read())


def mapping_key(account: bytes, slot: int) -> bytes:
    """Return where Solidity keeps ``mapping(address => …)[account]`` of ``slot``.

    Spec: https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html
    """
    data = account.rjust(32, b"\0") + slot.to_bytes(32, "big")
    return keccak.new(digest_bits=256, data=data).digest()


def word(value: int) -> str:
    """Write a number as a word of 32 bytes."""
    return "0x" + value.to_bytes(32, "big").hex()


@contextlib.contextmanager
def running_anvil(*options: str) -> Iterator[Anvil]:
    """Start anvil on a free port; it ends with the context. Raises ``FileNotFoundError``."""
    binary = find_anvil()
    if binary is None:
        raise FileNotFoundError(f"anvil is not installed: {INSTALL}")
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - what the user installed, no shell
        [binary, "--host", "127.0.0.1", "--port", str(port), "--accounts", "1", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    node = Anvil(port)
    try:
        _wait(process, port)
        yield node
    finally:
        node.close()
        process.terminate()
        process.wait(timeout=10)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"anvil ended with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError("anvil did not start to listen")
