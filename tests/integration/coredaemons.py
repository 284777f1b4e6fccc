"""Start real bitcoind and litecoind regtest nodes for the tests of the Bitcoin family.

The programs are looked for in RECOUNT_BITCOIND and RECOUNT_LITECOIND, on PATH, and in .nodes,
where .ci/install-bitcoind and .ci/install-litecoind put them. A test that needs one which is
absent skips and says how to install it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.nodes import note

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "recount", "regtest"
START_S = 30.0

EVERY_FORM_KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
"""The public key of private key 1."""
UNCOMPRESSED_KEY = bytes.fromhex(
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)


def program(name: str) -> str:
    """Return the path of a daemon, or skip the test and say how to install it."""
    declared = os.environ.get(f"RECOUNT_{name.upper()}")
    unpacked = ROOT / ".nodes" / name / name
    found = declared or shutil.which(name) or (str(unpacked) if unpacked.exists() else None)
    if found is None:
        pytest.skip(f"{name} is not installed; run .ci/install-{name}")
    return found


class RpcError(Exception):
    """The daemon answered with an error."""


class Daemon:
    """A running node. ``url`` carries user and password; ``call`` is one RPC."""

    def __init__(self, port: int, directory: Path) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.url = f"http://{USER}:{PASSWORD}@127.0.0.1:{port}"
        self.directory = directory

    def call(self, method: str, *params: Any, wallet: str = "") -> Any:
        """Make one call; decimals come back as ``Decimal``."""
        body = json.dumps({"jsonrpc": "1.0", "id": 0, "method": method, "params": params})
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            self.address + wallet,
            data=body.encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                answer = json.loads(response.read(), parse_float=Decimal)
        except urllib.error.HTTPError as error:
            with error:
                raise RpcError(error.read().decode()) from error
        return answer["result"]

    def mine(self, count: int, script: bytes) -> list[str]:
        """Mine blocks whose reward goes to any script; returns their hashes."""
        return list(self.call("generatetodescriptor", count, _described(f"raw({script.hex()})")))


def _described(descriptor: str) -> str:
    """Append a descriptor's checksum. Spec: https://github.com/bitcoin/bips/blob/master/bip-0380.mediawiki"""
    inputs = (
        "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH"
        '`#"\\ '
    )
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    generator = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
    symbols: list[int] = []
    groups: list[int] = []
    for character in descriptor:
        value = inputs.index(character)
        symbols.append(value & 31)
        groups.append(value >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups = []
    if len(groups) == 1:
        symbols.append(groups[0])
    elif len(groups) == 2:
        symbols.append(groups[0] * 3 + groups[1])
    check = 1
    for value in [*symbols, *([0] * 8)]:
        top = check >> 35
        check = (check & 0x7FFFFFFFF) << 5 ^ value
        for i in range(5):
            check ^= generator[i] if (top >> i) & 1 else 0
    check ^= 1
    return descriptor + "#" + "".join(letters[(check >> (5 * (7 - i))) & 31] for i in range(8))


@contextlib.contextmanager
def bitcoind(directory: Path, *extra: str) -> Iterator[Daemon]:
    """Run a bitcoind on regtest."""
    with _daemon(program("bitcoind"), directory, extra) as daemon:
        yield daemon


@contextlib.contextmanager
def litecoind(directory: Path, *extra: str) -> Iterator[Daemon]:
    """Run a litecoind on regtest."""
    with _daemon(program("litecoind"), directory, extra) as daemon:
        yield daemon


@contextlib.contextmanager
def _daemon(path: str, directory: Path, extra: tuple[str, ...]) -> Iterator[Daemon]:
    port = _free_port()
    directory.mkdir(parents=True, exist_ok=True)
    command = [
        path,
        "-regtest",
        f"-datadir={directory}",
        "-server=1",
        "-listen=0",
        "-dnsseed=0",
        "-printtoconsole=0",
        "-disablewallet=1",
        f"-rpcuser={USER}",
        f"-rpcpassword={PASSWORD}",
        f"-rpcport={port}",
        "-rpcbind=127.0.0.1",
        "-rpcallowip=127.0.0.1",
        *extra,
    ]
    note(Path(path).name)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    daemon = Daemon(port, directory)
    try:
        _wait(process, daemon)
        yield daemon
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        if process.stderr is not None:
            process.stderr.close()


def _wait(process: subprocess.Popen[bytes], daemon: Daemon) -> None:
    deadline = time.monotonic() + START_S
    while True:
        if process.poll() is not None:
            told = process.stderr.read() if process.stderr is not None else b""
            pytest.fail(f"the daemon ended at once: {told.decode(errors='replace')[:500]}")
        try:
            daemon.call("getblockcount")
        except (OSError, RpcError):
            if time.monotonic() > deadline:
                pytest.fail(f"the daemon did not answer within {START_S} s")
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def hash160(raw: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    from Crypto.Hash import RIPEMD160  # noqa: PLC0415 - OpenSSL 3 may lack it

    return RIPEMD160.new(hashlib.sha256(raw).digest()).digest()


def scripts_of_one_key() -> dict[str, bytes]:
    """Return a script of every standard form for one key, by name."""
    key, long_key = EVERY_FORM_KEY, UNCOMPRESSED_KEY
    pair = b"\x51\x21" + key + b"\x41" + long_key + b"\x52\xae"
    return {
        "p2pk": b"\x21" + key + b"\xac",
        "p2pk-uncompressed": b"\x41" + long_key + b"\xac",
        "p2pkh": b"\x76\xa9\x14" + hash160(key) + b"\x88\xac",
        "p2pkh-uncompressed": b"\x76\xa9\x14" + hash160(long_key) + b"\x88\xac",
        "p2sh": b"\xa9\x14" + hash160(b"\x00\x14" + hash160(key)) + b"\x87",
        "p2wpkh": b"\x00\x14" + hash160(key),
        "p2wsh": b"\x00\x20" + hashlib.sha256(pair).digest(),
        "p2tr": b"\x51\x20" + key[1:],
        "multisig": pair,
        "witness-16": b"\x60\x02\x4e\x73",
        "odd": b"\x51",
    }


class Ledger:
    """Coins of every form on a running node. ``units`` says what each script holds, in satoshi."""

    def __init__(self, daemon: Daemon, many: int = 40) -> None:
        self.daemon = daemon
        self.units: dict[bytes, int] = {}
        first = daemon.mine(101, ANYONE)[0]
        reward = daemon.call("getblock", first, 1)["tx"][0]
        outputs = list(self._outputs(many))
        value = 50 * 10**8 - sum(units for units, _ in outputs)
        raw = _transaction(reward, [*outputs, (value, ANYONE), (0, b"\x6a\x02hi")])
        daemon.call("generateblock", _described(f"raw({ANYONE.hex()})"), [raw.hex()])
        self.height = int(daemon.call("getblockcount"))

    def _outputs(self, many: int) -> Iterator[tuple[int, bytes]]:
        for place, script in enumerate(scripts_of_one_key().values()):
            for units in (1 + place, 10**place, 123_456_789 + place):
                if script != ANYONE:
                    self.units[script] = self.units.get(script, 0) + units
                    yield units, script
        for number in range(many):
            script = b"\x00\x14" + (number % 1000).to_bytes(20)
            self.units[script] = self.units.get(script, 0) + number + 1
            yield number + 1, script


ANYONE = b"\x51"
"""OP_TRUE: rewards go here, since anyone may spend them without a key."""


def _transaction(txid: str, outputs: list[tuple[int, bytes]]) -> bytes:
    """Spend output 0 of ``txid``, which anyone may spend."""
    body = (2).to_bytes(4, "little") + b"\x01" + bytes.fromhex(txid)[::-1] + bytes(4) + b"\x00"
    body += b"\xff\xff\xff\xff" + b"\xfd" + len(outputs).to_bytes(2, "little")
    if len(outputs) < 0xFD:
        body = body[:-3] + bytes([len(outputs)])
    for units, script in outputs:
        body += units.to_bytes(8, "little") + bytes([len(script)]) + script
    return body + bytes(4)
