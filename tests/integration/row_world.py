"""A list whose rows come to their balances in every way, run against simulated nodes."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from made_up_run import recount

from chains import addresses
from chains.addresses.aelf import encode as aelf_text
from chains.model import AssetId, ChainId, ChainSpec
from chains.simulated.aelf import GENESIS, SimulatedAelf
from chains.simulated.eip155 import Contract, SimulatedEvm
from chains.simulated.electrum import SimulatedElectrum
from chains.simulated.electrum import Transfer as Payment
from chains.simulated.solana import SimulatedSolana
from chains.simulated.trongrid import SimulatedTronGrid, Transfer, text
from crawler.demo import keys

HEIGHT, TIP = 100, 105
LOST = "LOSTX"
FIRST = 2
"""The line of the first row."""
COLUMNS = (
    "network", "asset", "address", "amount", "height", "message", "signature1", "owner1", "scheme",
)  # fmt: skip
OWNER, STRANGER = keys.secp256k1_key("row owner"), keys.secp256k1_key("row stranger")
ME, ANOTHER = keys.evm_address(OWNER), keys.evm_address(STRANGER)
THEIRS, MINE, EMPTY = (bytes((n,)) * 20 for n in (0xA1, 0xA2, 0xA3))
TOKEN = b"\x77" * 20
BUSY, WHALE = bytes((2,)) * 20, bytes((5,)) * 20
IDLE, MOVED = bytes((7,)) * 32, bytes((6,)) * 32
MOVES = 9
SPENT, REST, PINNED = (b"\x76\xa9\x14" + bytes([n]) * 20 + b"\x88\xac" for n in (1, 2, 3))
WITNESS, ELECTRUM, PLAIN, TOKENS, SOL, ELF = (
    "EVMX-witness",
    "DOGEX",
    "EVMX",
    "TRONX",
    "SOLX",
    "ELFX",
)


def payments() -> list[Payment]:
    """Return what moved before the height, at it, and since."""
    node = SimulatedElectrum()
    coins = [node.reward_id(height) for height in range(1, 6)]
    first = Payment(height=10, spends=((coins[0], 0),), pays=((SPENT, 40 * 10**8), (REST, 7)))
    pinned = Payment(height=HEIGHT, spends=((coins[1], 0),), pays=((PINNED, 50 * 10**8),))
    spent = Payment(height=101, spends=((first.txid, 0),), pays=((SPENT, 10**8),))
    came = Payment(height=103, spends=((coins[2], 0),), pays=((SPENT, 3),))
    return [first, pinned, spent, came]


class RowWorld:
    """The nodes, their chains, and the rows by name."""

    def __init__(self) -> None:
        transfers = [Transfer(HEIGHT + 1, WHALE, BUSY, 300)]
        transfers += [Transfer(HEIGHT + 2 + i, BUSY, WHALE, 10) for i in range(MOVES)]
        held = {MINE: 2 * 10**18, THEIRS: 10**18, ME: 5 * 10**18}
        contracts = {THEIRS: Contract(owner=ANOTHER), MINE: Contract(owner=ME)}
        self.nodes: dict[str, Any] = {
            PLAIN: SimulatedEvm(chain_id=1337, height=HEIGHT, native=held, contracts=contracts),
            WITNESS: SimulatedEvm(chain_id=1337, height=HEIGHT, native=held, contracts=contracts),
            TOKENS: SimulatedTronGrid(
                HEIGHT, TOKEN, {BUSY: 1_000_000, WHALE: 10**9}, transfers, head=HEIGHT + 2000
            ),
            ELECTRUM: SimulatedElectrum(payments(), tip=TIP),
            SOL: SimulatedSolana(
                HEIGHT, {IDLE: 2**53 + 1, MOVED: 5_000_000}, touched={MOVED: HEIGHT + 1}
            ),
            ELF: SimulatedAelf(HEIGHT, {IDLE: 123_456_789}),
        }
        self.nodes[ELF].best, self.nodes[ELF].final = HEIGHT + 7, HEIGHT
        nodes = self.nodes
        self.specs = {
            PLAIN: spec("eip155:1337", "eip155", "evm", {"chain_id": 1337}),
            TOKENS: spec(
                "tron:sim",
                "tron",
                "tron",
                {"genesis_hash": nodes[TOKENS].genesis, "transfer_tokens": [text(TOKEN)]},
            ),
            ELECTRUM: spec("bip122:sim", "bip122", "bitcoin", {"genesis": nodes[ELECTRUM].genesis}),
            LOST: spec("eip155:1338", "eip155", "evm", {"chain_id": 1338}),
            SOL: spec("solana:sim", "solana", "solana", {"genesis_hash": nodes[SOL].genesis}),
            ELF: spec("aelf:AELF", "aelf", "aelf", {"genesis_contract": aelf_text(GENESIS, {})}),
        }
        self.rows: dict[str, dict[str, str]] = {
            "plain": self.row(PLAIN, ME, "5", **signed(OWNER)),
            "refuted": self.row(PLAIN, THEIRS, "1", **signed(OWNER), owner1=hexed(ME)),
            "controlled": self.row(PLAIN, MINE, "2", **signed(OWNER), owner1=hexed(ME)),
            "repeat": self.row(PLAIN, ME, "5.0"),
            "short": self.row(PLAIN, EMPTY, "1"),
            "rolled token": self.row(TOKENS, BUSY, "1", asset=f"tron:sim/trc20:{text(TOKEN)}"),
            "rolled coin": self.row(ELECTRUM, SPENT, "40"),
            "untouched coin": self.row(ELECTRUM, REST, "0.00000007"),
            "untouched account": self.row(SOL, IDLE, "9007199.254740993"),
            "pruned": self.row(SOL, MOVED, "0.005"),
            "unnamed account": self.row(ELF, IDLE, "1.23456789"),
            "gap": self.row("NOWHERE", ME, "1") | {"address": "\x1b[31mhidden\u202e"},
            "unpinned": self.row(LOST, ME, "1"),
            "silent": self.row(ELF, bytes((8,)) * 32, "1") | {"height": str(HEIGHT + 1)},
        }

    def row(self, network: str, account: bytes, amount: str, **more: str) -> dict[str, str]:
        chain = self.specs.get(network)
        address = addresses.encode(chain, account) if chain else ""
        common = {"network": network, "asset": network, "amount": amount, "height": str(HEIGHT)}
        return {**common, "address": address, **more}

    def line(self, name: str) -> int:
        return FIRST + list(self.rows).index(name)

    def account(self, name: str) -> bytes:
        row = self.rows[name]
        return addresses.decode(self.specs[row["network"]], row["address"])

    def write(self, directory: Path) -> None:
        with (directory / "list.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(self.rows.values())
        endpoints = [
            f'[[endpoints]]\nname = "{name}"\nchain = "{self.specs[name.partition("-")[0]].id}"\n'
            f'url = "{node.url}"\nown_node = true\nrate = "0"\ntimeout_s = 5\n'
            + ('protocol = "electrum"\n' if name == ELECTRUM else "")
            + ('role = "witness"\n' if name == WITNESS else "")
            for name, node in self.nodes.items()
        ]
        (directory / "endpoints.toml").write_text("\n".join(endpoints))
        (directory / "messages.txt").write_text(keys.MESSAGE + "\n")
        (directory / "world.toml").write_text(
            "replaces = true\n" + "".join(toml(name, one) for name, one in self.specs.items())
        )


def signed(key: Any) -> dict[str, str]:
    return {"message": keys.MESSAGE, "signature1": keys.sign_evm(key), "scheme": "okx-evm"}


def hexed(account: bytes) -> str:
    return "0x" + account.hex()


def spec(chain: str, adapter: str, address: str, params: Mapping[str, Any]) -> ChainSpec:
    return ChainSpec(
        id=ChainId(chain),
        name=chain,
        adapter=adapter,
        address=address,
        native=AssetId(f"{chain}/slip44:1"),
        address_params={"p2pkh": [0x1E], "p2sh": [0x16]} if address == "bitcoin" else {},
        params=params,
    )


DECIMALS = {PLAIN: 18, LOST: 18, TOKENS: 6, ELECTRUM: 8, SOL: 9, ELF: 8}


def toml(name: str, one: ChainSpec) -> str:
    params, address = (
        ", ".join(f"{key} = {json.dumps(value)}" for key, value in given.items())
        for given in (one.params, one.address_params)
    )
    assets = asset(one.native, name, DECIMALS[name])
    if name == TOKENS:
        assets += asset(f"{one.id}/trc20:{text(TOKEN)}", "USDTX", 6, symbol="USDT")
    return f"""
[chains."{one.id}"]
name = "{name}"
adapter = "{one.adapter}"
address = "{one.address}"
native = "{one.native}"
source = "made up"
params = {{ {params} }}
address_params = {{ {address} }}
{assets}"""


def asset(named: str, coin: str, decimals: int, symbol: str = "") -> str:
    return f"""[assets."{named}"]
symbol = "{symbol or coin}"
decimals = {decimals}
counts_as = "{coin}"
class = "native"
source = "made up"
"""


async def ran(directory: Path) -> tuple[RowWorld, Path]:
    """Serve the nodes and do the whole job; returns the world and the run."""
    world, run = RowWorld(), directory / "run"
    async with contextlib.AsyncExitStack() as stack:
        for node in world.nodes.values():
            await stack.enter_async_context(node)
        world.write(directory)
        given = {"config": "world.toml", "endpoints": "endpoints.toml", "messages": "messages.txt"}
        options = [f"--{name}={directory / file}" for name, file in given.items()]
        code, _, err = await recount(
            "run", str(directory / "list.csv"), *options, f"--run={run}", "--processes=1", "--quiet"
        )
    assert code == 1, err
    return world, run
