"""The node is asked about our own declarations: our mistake is never the exchange's shortfall."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from anvil import INSTALL, find_anvil, running_anvil
from command_line import call

from chains.simulated.eip155 import SimulatedEvm, TokenState
from chains.simulated.evm_bytecode import token

pytestmark = pytest.mark.integration

__all__ = ["call"]  # a fixture

CHAIN, HEIGHT = 31337, 20_000_000
CONTRACT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
HOLDER = "0x" + "0b" * 20
HELD = 250 * 10**6
"""250 coins of 6 decimals: what the list claims, and what is there."""


def world(decimals: int, symbol: str, contract: str = CONTRACT) -> str:
    return f"""
[chains."eip155:{CHAIN}"]
name = "Test"
adapter = "eip155"
address = "evm"
native = "eip155:{CHAIN}/slip44:60"
source = "made up"
params = {{ chain_id = {CHAIN} }}

[assets]
"eip155:{CHAIN}/slip44:60" = {{ symbol = "ETH", decimals = 18, counts_as = "ETH", class = "native", source = "made up" }}
"eip155:{CHAIN}/erc20:{contract}" = {{ symbol = "{symbol}", decimals = {decimals}, counts_as = "USDT", class = "native", source = "made up" }}
"""  # noqa: E501 - one line per asset, as in config/


def ran(
    directory: Path, url: str, declared: str, height: int, call: Any
) -> tuple[int, Mapping[str, Any], str]:
    """Run the whole job; return exit code, the row's record and the report's text."""
    (directory / "world.toml").write_text(declared, encoding="utf-8")
    (directory / "endpoints.toml").write_text(
        f'[[endpoints]]\nname = "node"\nchain = "eip155:{CHAIN}"\nurl = "{url}"\nown_node = true\n',
        encoding="utf-8",
    )
    asset = next(line for line in declared.splitlines() if "/erc20:" in line).split('"')[1]
    (directory / "list.csv").write_text(
        f"network,address,asset,amount,height\neip155:{CHAIN},{HOLDER},{asset},250,{height}\n",
        encoding="utf-8",
    )
    code, out, _ = call(
        "run", str(directory / "list.csv"), "--run", str(directory / "run"), "--config",
        str(directory / "world.toml"), "--endpoints", str(directory / "endpoints.toml"),
        "--processes", "1", "--quiet", "--json",
    )  # fmt: skip
    (row,) = pq.read_table(directory / "run" / "rows.parquet").to_pylist()
    return code, row, json.dumps(json.loads(out)["result"]["findings"])


@pytest.mark.parametrize(
    ("declared", "answered", "gap"),
    [
        ((6, "USDT"), "USDT", ""),
        ((6, ""), "USD₮0", ""),
        ((6, "USD₮0"), "USD₮0", ""),
        ((6, "USDT"), "USD₮0", "asset-mismatch"),
        ((6, "USDC"), "USDC.e", "asset-mismatch"),
        ((18, "USDT"), "USDT", "asset-mismatch"),
        ((18, ""), "USDT", "asset-mismatch"),
        ((4, "USDT"), "USDT", "asset-mismatch"),
    ],
)
async def test_a_wrong_declaration_is_a_gap_and_no_shortfall(
    tmp_path: Path,
    call: Any,
    declared: tuple[int, str],
    answered: str,
    gap: str,
) -> None:
    holder, contract = bytes.fromhex(HOLDER[2:]), bytes.fromhex(CONTRACT[2:])
    tokens = {contract: TokenState(symbol=answered, decimals=6, balances={holder: HELD})}
    native = {bytes.fromhex("aa" * 20): 10**18}
    async with SimulatedEvm(chain_id=CHAIN, height=HEIGHT, native=native, tokens=tokens) as node:
        code, row, found = await asyncio.to_thread(
            ran, tmp_path, node.url, world(*declared), HEIGHT, call
        )
    assert row["gap"] == gap
    assert row["observed"] == (None if gap else str(HELD))
    assert code == (3 if gap else 0)
    assert "shortfall" not in found
    assert "surplus" not in found


@pytest.mark.skipif(find_anvil() is None, reason=f"anvil is not installed: {INSTALL}")
@pytest.mark.parametrize(("decimals", "gap"), [(6, ""), (18, "asset-mismatch")])
def test_the_same_on_a_real_node(tmp_path: Path, call: Any, decimals: int, gap: str) -> None:
    with running_anvil() as node:
        contract = bytes.fromhex(CONTRACT[2:])
        node.set_code(contract, token("USDT", 6))
        node.set_holdings(contract, {bytes.fromhex(HOLDER[2:]): HELD})
        height = node.mine()
        node.mine()
        code, row, found = ran(tmp_path, node.url, world(decimals, "USDT"), height, call)
    assert row["gap"] == gap
    assert row["observed"] == (None if gap else str(HELD))
    assert code == (3 if gap else 0)
    assert "shortfall" not in found
