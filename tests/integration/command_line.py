"""The command called in this process, with a list about one account and a node that knows it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.simulated.eip155 import SimulatedEvm
from crawler import cli
from crawler.demo import keys

CHAIN, HEIGHT = 31337, 20_000_000
KEY = keys.secp256k1_key("cli")
ACCOUNT = keys.evm_address(KEY)
ADDRESS = "0x" + ACCOUNT.hex()
OTHER = "0x" + "0b" * 20
HELD = 5 * 10**18
WORLD = f"""
[chains."eip155:{CHAIN}"]
name = "Ethereum (test)"
adapter = "eip155"
address = "evm"
native = "eip155:{CHAIN}/slip44:60"
source = "made up"
params = {{ chain_id = {CHAIN} }}

[assets."eip155:{CHAIN}/slip44:60"]
symbol = "ETH"
decimals = 18
counts_as = "ETH"
class = "native"
source = "made up"

[[exchanges]]
name = "acme"
title = "Acme"
messages = ["{keys.MESSAGE}"]
networks = [{{ network = "ETH", chain = "eip155:{CHAIN}", schemes = ["okx-evm"] }}]
labels = [{{ asset = "ETH", id = "eip155:{CHAIN}/slip44:60" }}]
"""
HEADER = "exchange,network,asset,address,amount,height,message,signature1,scheme"

Ended = tuple[int, str, str]


class Files(msgspec.Struct):
    """A directory with a list and all that is needed to read it."""

    path: Path

    def write(self, name: str, content: str | bytes) -> str:
        file = self.path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    def listed(self, *rows: str, name: str = "list.csv") -> str:
        return self.write(name, "\n".join([HEADER, *rows]) + "\n")

    def endpoints(self, url: str) -> str:
        return self.write(
            "endpoints.toml",
            f'[[endpoints]]\nname = "one"\nchain = "eip155:{CHAIN}"\nurl = "{url}"\n'
            'own_node = true\nrate = "0"\ntimeout_s = 3\n',
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.write("world.toml", WORLD)
    made.listed(row())
    return made


def row(
    address: str = ADDRESS,
    amount: str = "5",
    *,
    network: str = f"eip155:{CHAIN}",
    asset: str = "ETH",
    sign: bool = True,
    message: str = keys.MESSAGE,
) -> str:
    """One line of the generic table, signed by the key of ``ADDRESS``."""
    signature = keys.sign_evm(KEY) if sign else ""
    text = message if sign else ""
    return f"acme,{network},{asset},{address},{amount},{HEIGHT},{text},{signature},okx-evm"


def recount(
    *arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ended:
    """Run ``main`` as the console script does: exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["recount", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    assert "Traceback" not in out + err
    return code, out, err


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def called(*arguments: str) -> Ended:
        return recount(*arguments, monkeypatch=monkeypatch, capsys=capsys)

    return called


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[SimulatedEvm]:
    async with SimulatedEvm(chain_id=CHAIN, height=HEIGHT, native={ACCOUNT: HELD}) as node:
        yield node


async def crawl(call: Any, files: Files, *rows: str, wrong_chain: bool = False) -> Ended:
    """Run the whole job against a simulated node."""
    async with serving() as node:
        if wrong_chain:
            node.wrong_chain_id = 1
        return await asyncio.to_thread(
            call,
            *("run", files.listed(*rows), "--run", str(files.path / "run"), "--quiet", "--json"),
            *("--config", str(files.path / "world.toml")),
            *("--endpoints", files.endpoints(node.url)),
        )


def assert_one_error(err: str, *expected: str) -> None:
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("recount: ")
    for text in expected:
        assert text in lines[0]
