"""A list that names an owner and its token accounts counts the tokens once."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_up_run import recount
from solana_nodes import CHAIN, NATIVE

from chains.adapters.solana import wire
from chains.adapters.solana.derive import TOKEN, associated
from chains.simulated.solana import Mint, SimulatedSolana, TokenAccount

pytestmark = pytest.mark.integration

SLOT = 300_000_000
MINT, HOLDER, ALICE, BOB, SPARE, OTHER = (bytes((i,)) * 32 for i in range(10, 16))
ASSET = f"{CHAIN}/token:{wire.key(MINT)}"
HOME = associated(ALICE, MINT, TOKEN)
HELD = {
    HOME: (ALICE, 40),
    SPARE: (ALICE, 2),
    OTHER: (BOB, 7),
    associated(BOB, MINT, TOKEN): (BOB, 1),
}
WORLD = f"""replaces = true
[chains."{CHAIN}"]
name = "Simulated"
adapter = "solana"
address = "solana"
native = "{NATIVE}"
source = "made up"
params = {{ genesis_hash = "GENESIS" }}
[assets]
"{NATIVE}" = {{ symbol = "SOL", decimals = 9, counts_as = "SOL", class = "native", source = "x" }}
"{ASSET}" = {{ symbol = "", decimals = 6, counts_as = "USDX", class = "native", source = "x" }}
"""


async def ledger(directory: Path, *rows: tuple[bytes, int]) -> list[tuple[str | None, str]]:
    """Recount rows (account, base units); returns what was observed and the validity of each."""
    node = SimulatedSolana(SLOT, {ALICE: 10**9, BOB: 10**9}, finalized=SLOT)
    node.mints = {MINT: Mint()}
    node.tokens = {at: TokenAccount(MINT, owner, units) for at, (owner, units) in HELD.items()}
    node.tokens[associated(HOLDER, MINT, TOKEN)] = TokenAccount(MINT, HOLDER, 2**40)
    lines = [f"{CHAIN},{wire.key(at)},{ASSET},{units / 10**6:.6f},{SLOT}" for at, units in rows]
    async with node:
        files = {
            "world.toml": WORLD.replace("GENESIS", node.genesis),
            "list.csv": "\n".join(["network,address,asset,amount,height", *lines]) + "\n",
            "endpoints.toml": f'[[endpoints]]\nname = "a"\nchain = "{CHAIN}"\nurl = "{node.url}"\n',
        }
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
        code, _, err = await recount(
            "run", str(directory / "list.csv"), f"--config={directory / 'world.toml'}",
            f"--endpoints={directory / 'endpoints.toml'}", f"--run={directory / 'run'}",
            "--processes=1", "--quiet", "--json",
        )  # fmt: skip
    assert code in (0, 1, 3), err
    replayed, _, err = await recount("replay", str(directory / "run"), "--json")
    assert replayed == code, err
    found = pq.read_table(directory / "run/rows.parquet").to_pylist()
    return [(row["observed"], row["validity"]) for row in found]


async def test_token_accounts_of_a_listed_owner_count_once(tmp_path: Path):
    found = await ledger(tmp_path, (HOME, 40), (ALICE, 42), (SPARE, 2), (OTHER, 7))
    assert found == [("40", "repeat-of:3"), ("42", "valid"), ("2", "repeat-of:3"), ("7", "valid")]


async def test_token_accounts_alone_all_count(tmp_path: Path):
    found = await ledger(tmp_path, (HOME, 40), (SPARE, 2), (OTHER, 7))
    assert found == [("40", "valid"), ("2", "valid"), ("7", "valid")]
