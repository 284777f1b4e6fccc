"""One account of Filecoin, published on ``fil:f`` and on ``eip155:314``: found, and added once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from evm_crawl import endpoint, pinned
from made_up_run import recount

from chains.addresses import filecoin
from chains.model import ChainId, Gap, Observation, QueryKind
from chains.simulated.eip155 import EvmState, SimulatedEvm
from chains.simulated.filecoin import SimulatedActor, SimulatedLotus, code_of
from crawler.settings import load_world

pytestmark = pytest.mark.integration

FEVM = load_world().chains[ChainId("eip155:314")]
MULTICALL3 = bytes.fromhex(FEVM.params["multicall3"]["address"][2:])
WFIL = bytes.fromhex(FEVM.params["canaries"][0][2:])
HEIGHT = 4_863_282
KEY = "f1abjxfbp274xpdqcpuaykwkfb43omjotacm2p3za"
ONE, TWO, THREE, FOUR = (bytes([n]) * 20 for n in (0x11, 0x22, 0x33, 0x44))
FIL = 10**18
NUMBERS = {2001: ONE, 2002: TWO, 2003: THREE}
BALANCES = {ONE: 7 * FIL, TWO: 9 * FIL, THREE: 3 * FIL, FOUR: FIL}


def masked(number: int) -> str:
    return "0xff" + f"{number:038x}"


def f410(account: bytes) -> str:
    return filecoin.encode(filecoin.ETHEREUM + account, {})


def lotus() -> SimulatedLotus:
    actors = {"f01001": SimulatedActor(balance=5 * FIL)} | {
        f"f0{number}": SimulatedActor(balance=BALANCES[at], kind="ethaccount", delegated=f410(at))
        for number, at in NUMBERS.items()
    }
    names = {KEY: "f01001"} | {f410(at): f"f0{number}" for number, at in NUMBERS.items()}
    return SimulatedLotus(HEIGHT, actors, names=names)


def fevm(actors: Mapping[int, bytes] | None = NUMBERS) -> SimulatedEvm:
    numbered = bytes.fromhex(masked(1001)[2:])
    native = {**BALANCES, numbered: 5 * FIL, WFIL: 10**24}
    state = EvmState(native=native, actors=actors)
    node = SimulatedEvm(chain_id=314, height=HEIGHT, history={HEIGHT: state})
    node.multicall3 = MULTICALL3
    node.no_overrides = node.no_deployless = True
    return node


async def told(
    directory: Path, *rows: tuple[str, str, str]
) -> tuple[Sequence[str], Mapping[str, str]]:
    """Run a list of (chain, address, amount); returns validity by row and FIL's totals."""
    lines = [f"{chain},{address},FIL,{amount},{HEIGHT}" for chain, address, amount in rows]
    table = "\n".join(["network,address,asset,amount,height", *lines, ""])
    (directory / "list.csv").write_text(table, encoding="utf-8")
    async with lotus() as one, fevm() as two:
        codes = json.dumps([code_of("account"), code_of("ethaccount")])
        (directory / "world.toml").write_text(
            f"""replaces = true
[chains."fil:f"]
name = "Filecoin"
adapter = "filecoin"
address = "filecoin"
native = "fil:f/slip44:461"
source = "made up"
params = {{ genesis = "{one.genesis}", plain_codes = {codes} }}
address_params = {{ evm = true }}
""",
            encoding="utf-8",
        )
        declared = [
            f'[[endpoints]]\nname = "{name}"\nchain = "{chain}"\nurl = "{node.url}"\n'
            for name, chain, node in (("lotus", "fil:f", one), ("fevm", "eip155:314", two))
        ]
        (directory / "endpoints.toml").write_text("".join(declared), encoding="utf-8")
        code, out, err = await recount(
            "run", str(directory / "list.csv"), f"--config={directory / 'world.toml'}",
            f"--endpoints={directory / 'endpoints.toml'}", f"--run={directory / 'run'}",
            "--processes=1", "--quiet", "--json",
        )  # fmt: skip
    assert code in (0, 1, 3), err
    ledger = pq.read_table(directory / "run" / "rows.parquet").sort_by("row")
    (coin,) = json.loads(out)["result"]["assets"]
    return ledger["validity"].to_pylist(), coin


async def test_an_account_of_both_networks_counts_once(tmp_path):
    rows = {
        ("fil:f", KEY, "5"): "valid",
        ("eip155:314", masked(1001), "5"): "repeat-of:2",
        ("fil:f", "f01001", "5"): "repeat-of:2",
        ("eip155:314", "0x" + ONE.hex(), "7"): "valid",
        ("fil:f", f410(ONE), "7"): "repeat-of:5",
        ("fil:f", "f02001", "7"): "repeat-of:5",
        ("eip155:314", masked(2001), "7"): "repeat-of:5",
        ("fil:f", f410(TWO), "9"): "conflict:10",
        ("eip155:314", masked(2002), "8"): "conflict:9",
        ("eip155:314", "0x" + THREE.hex(), "3"): "valid",
        ("eip155:314", "0x" + FOUR.hex(), "1"): "valid",
    }
    validity, coin = await told(tmp_path, *rows)
    assert validity == list(rows.values())
    assert coin["claimed"] == coin["observed"] == "16"


async def asked_of_fevm(
    node: SimulatedEvm, height: int = HEIGHT
) -> dict[str, tuple[int, bytes] | str]:
    texts = ("0x" + ONE.hex(), masked(1001), masked(2001))
    accounts = {text: bytes.fromhex(text[2:]) for text in texts}
    async with node, pinned(FEVM, height, endpoint(FEVM, node.url)) as crawler:
        found = await crawler.ask(QueryKind.BALANCE, FEVM.native, sorted(accounts.values()))
    return {text: _short(found[account]) for text, account in accounts.items()}


def _short(answer: Observation | Gap) -> tuple[int, bytes] | str:
    return answer.reason if isinstance(answer, Gap) else (answer.units, answer.subject)


async def test_the_chain_tells_which_account_a_masked_address_is():
    assert await asked_of_fevm(fevm()) == {
        "0x" + ONE.hex(): (7 * FIL, ONE),
        masked(1001): (5 * FIL, bytes.fromhex(masked(1001)[2:])),
        masked(2001): (7 * FIL, ONE),
    }


async def test_a_machine_that_tells_no_addresses_leaves_masked_ones_open():
    """An empty answer would mean "no other address": it must not pass for one."""
    found = await asked_of_fevm(fevm(actors=None))
    assert found == {
        "0x" + ONE.hex(): (7 * FIL, ONE),
        masked(1001): "account-unresolved",
        masked(2001): "account-unresolved",
    }


async def test_below_multicall3_masked_addresses_are_left_open():
    height = FEVM.params["multicall3"]["from_block"] - 1
    node = fevm()
    node.history = {height: node.history[HEIGHT]}
    found = await asked_of_fevm(node, height)
    assert found[masked(2001)] == "account-unresolved"
    assert found["0x" + ONE.hex()] == (7 * FIL, ONE)
