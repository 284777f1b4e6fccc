"""A toncenter server whose accounts and get methods are those of TON's real virtual machine.

``ton_sandbox.cjs`` runs the machine (@ton/sandbox) with wallets, a jetton and a nominator pool of
compiled code that packages carry; .ci/install-ton puts them into .nodes. Blocks are the simulated
node's, and so is the elector, whom the machine does not have.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from chains.addresses.ton import decode
from chains.simulated.tvm import ELECTOR, SimulatedTon
from tests.nodes import note

INSTALLED = Path(__file__).resolve().parents[2] / ".nodes" / "ton"
_PROGRAM = Path(__file__).with_name("ton_sandbox.cjs")


class Sandbox:
    """The running machine; ``deployed`` names what it has."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._in, self._out = stdin, stdout
        self.deployed: dict[str, Any] = self._read()

    def state(self, account: bytes) -> Mapping[str, str]:
        """Return nanotons, state, code and data of an account."""
        found: dict[str, str] = self._ask({"address": raw(account)})
        return found

    def run(self, account: bytes, method: str, slices: list[str]) -> tuple[list[Any], int]:
        """Run a get method; returns stack and exit code."""
        said = self._ask({"address": raw(account), "method": method, "slices": slices})
        return said["stack"], said["exit_code"]

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        self._in.write(json.dumps(question) + "\n")
        self._in.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._out.readline()
        if not line:
            raise RuntimeError("the sandbox ended")
        said: dict[str, Any] = json.loads(line)
        return said


def raw(account: bytes) -> str:
    """Return the raw text of an account."""
    return f"{int.from_bytes(account[:1], 'big', signed=True)}:{account[1:].hex()}"


@contextlib.contextmanager
def running() -> Iterator[Sandbox]:
    """Start the machine; it ends with the context, since its input then does."""
    node = shutil.which("node")
    if node is None or not (INSTALLED / "installed").exists():
        pytest.skip("TON's sandbox is not installed; run .ci/install-ton")
    note("ton-sandbox")
    process = subprocess.Popen(
        [node, str(_PROGRAM), str(INSTALLED)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Sandbox(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.terminate()


class SandboxTon(SimulatedTon):
    """Answers at one block from the machine."""

    def __init__(self, seqno: int, sandbox: Sandbox) -> None:
        super().__init__(seqno, {})
        self._sandbox = sandbox

    def _account(self, account: bytes, seqno: int) -> tuple[int, str]:
        if account == ELECTOR:
            return super()._account(account, seqno)
        found = self._sandbox.state(account)
        if found["state"] == "active":
            self.wallets[account] = found["code"], found["data"]
        return int(found["balance"]), found["state"]

    def _returned(self, contract: bytes, method: str, stack: list[Any]) -> tuple[list[Any], int]:
        return self._sandbox.run(contract, method, [text for _, text in stack])


def account(text: str) -> bytes:
    """Return the account of a raw address."""
    return decode(text, {})
