"""A share token counts as itself; what it is worth stands beside it, or why that is not known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anvil import DEV_ACCOUNT, INSTALL, Anvil, find_anvil, running_anvil
from made_up_run import recount

from chains.simulated.evm_bytecode import answering, text_words

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_anvil() is None, reason=f"anvil is not installed: {INSTALL}"),
]

CHAIN = "eip155:31337"
HOLDER = "0x" + "0b" * 20
HELD, DECIMALS = 123_456_789_012, 8
UNDER, COMPOUND, VAULT, SILENT = (f"0x{i:040x}" for i in range(0xA0001, 0xA0005))
RATE = 212_345_678_901_234_567
"""Of a token with 8 decimals in one with 6, as Compound scales it: 0.0021 of it a share."""
CALLS = {
    COMPOUND: ("exchangeRateStored()", "182df0f5"),
    VAULT: ("convertToAssets(uint256)", "07a2d13a"),
    SILENT: ("stEthPerToken()", "035faf82"),
}


def contract(rate: str) -> bytes:
    """Return a token of which everybody holds as much, and which states a rate."""
    answers = {
        "313ce567": [DECIMALS], "95d89b41": text_words("SHARE"), "18160ddd": [HELD],
        "70a08231": [HELD],
    }  # fmt: skip
    return answering(answers | ({rate: [RATE]} if rate else {}))


@pytest.fixture(scope="module")
def node() -> Iterator[tuple[Anvil, int]]:
    with running_anvil() as anvil:
        for at, (_, selector) in CALLS.items():
            code = contract("" if at == SILENT else selector)
            anvil.set_code(bytes.fromhex(at[2:]), code)
        height = anvil.mine()
        anvil.mine(2)
        for at, (_, selector) in CALLS.items():  # what it states later is another rate
            anvil.set_code(bytes.fromhex(at[2:]), answering({selector: [1]}))
        anvil.mine()
        yield anvil, height


def world() -> str:
    shares = [
        f'"{CHAIN}/erc20:{at}" = {{ symbol = "SHARE", decimals = {DECIMALS}, counts_as = "S{i}", '
        f'class = "receipt", source = "made up", share = {{ of = "{CHAIN}/erc20:{UNDER}", '
        f'call = "{call}", scale = 18 }} }}'
        for i, (at, (call, _)) in enumerate(CALLS.items())
    ]
    return "\n".join(
        [
            f'[chains."{CHAIN}"]', 'name = "Test"', 'adapter = "eip155"', 'address = "evm"',
            f'native = "{CHAIN}/slip44:60"', 'source = "made up"',
            f'params = {{ chain_id = 31337, canaries = ["{DEV_ACCOUNT}"] }}', "[assets]",
            (f'"{CHAIN}/slip44:60" = {{ symbol = "ETH", decimals = 18, counts_as = "ETH", '
            'class = "native", source = "made up" }'),
            (f'"{CHAIN}/erc20:{UNDER}" = {{ symbol = "USDX", decimals = 6, counts_as = "USDX", '
            'class = "native", source = "made up" }'),
            *shares,
        ]
    )  # fmt: skip


async def result(directory: Path, node: tuple[Anvil, int]) -> Any:
    anvil, height = node
    rows = [f"{CHAIN},{HOLDER},{CHAIN}/erc20:{at},1234.56789012,{height}" for at in CALLS]
    files = {
        "world.toml": world(),
        "list.csv": "\n".join(["network,address,asset,amount,height", *rows]),
        "endpoints.toml": f'[[endpoints]]\nname = "a"\nchain = "{CHAIN}"\nurl = "{anvil.url}"',
    }
    for name, text in files.items():
        (directory / name).write_text(text + "\n", encoding="utf-8")
    code, out, err = await recount(
        "run", str(directory / "list.csv"), f"--run={directory / 'run'}",
        f"--config={directory / 'world.toml'}", f"--endpoints={directory / 'endpoints.toml'}",
        "--processes=1", "--quiet", "--json",
    )  # fmt: skip
    assert code in (0, 1, 3), err
    return json.loads(out)["result"]


def test_shares_count_as_themselves_and_their_worth_stands_beside(
    node: tuple[Anvil, int], tmp_path: Path
) -> None:
    found = asyncio.run(result(tmp_path, node))
    assert [(line["asset"], line["observed"], line["verdict"]) for line in found["assets"]] == [
        (f"S{i}", "1234.56789012", "stands") for i in range(3)
    ]
    units = HELD * RATE // 10**18
    worth = f"{units // 10**6}.{units % 10**6:06d}".rstrip("0")
    shown = {line["asset_id"].rpartition(":")[2]: line for line in found["shares"]}
    assert {at: (line["rate"], line["worth"], line["gap"]) for at, line in shown.items()} == {
        COMPOUND: (str(RATE), worth, ""),
        VAULT: (str(RATE), worth, ""),
        SILENT: (None, None, "rate-unread"),
    }
    assert {line["of_asset"] for line in shown.values()} == {"USDX"}
