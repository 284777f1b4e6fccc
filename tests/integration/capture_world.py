"""Five chains on simulated nodes that stand at a height now and move on later."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from made_up_run import recount

from chains.addresses import encode
from chains.addresses.aelf import encode as aelf_text
from chains.addresses.antelope import decode as antelope_name
from chains.model import AssetId, ChainId, ChainSpec
from chains.simulated.aelf import GENESIS, SimulatedAelf
from chains.simulated.antelope import SimulatedAntelope
from chains.simulated.eip155 import SimulatedEvm
from chains.simulated.node import SimulatedNode
from chains.simulated.solana import SimulatedSolana
from chains.simulated.tron import SOLID_DEPTH, SimulatedTron

HEIGHT = 20_000_000
RICH, POOR, EMPTY = 2**53 + 1, 7, 0
COLUMNS = ("network", "asset", "address", "amount", "height")


def ledger(width: int) -> dict[bytes, int]:
    return {bytes((1,)) * width: RICH, bytes((2,)) * width: POOR, bytes((3,)) * width: EMPTY}


def names() -> dict[bytes, int]:
    amounts = {"alice": RICH, "bob": POOR, "carol": EMPTY}
    return {antelope_name(name, {}): units for name, units in amounts.items()}


class World:
    """The nodes by network, the truth at ``HEIGHT``, and the command lines."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ledgers: Mapping[str, Mapping[bytes, int]] = {
            "EVMX": ledger(20), "TRONX": ledger(20), "SOLX": ledger(32), "EOSX": names(),
            "ELFX": ledger(32),
        }  # fmt: skip
        self.nodes: dict[str, Any] = {
            "EVMX": SimulatedEvm(chain_id=1337, height=HEIGHT, native=self.ledgers["EVMX"]),
            "TRONX": SimulatedTron(HEIGHT, self.ledgers["TRONX"], head=HEIGHT + SOLID_DEPTH),
            "SOLX": SimulatedSolana(HEIGHT, self.ledgers["SOLX"], finalized=HEIGHT),
            "EOSX": SimulatedAntelope(HEIGHT, self.ledgers["EOSX"]),
            "ELFX": SimulatedAelf(HEIGHT, self.ledgers["ELFX"]),
        }
        self.nodes["EVMX"].head = HEIGHT
        self.nodes["ELFX"].best, self.nodes["ELFX"].final = HEIGHT + 7, HEIGHT
        self.specs = {
            "EVMX": _spec("EVMX", "eip155:1337", "evm", "60", {"chain_id": 1337}),
            "TRONX": _spec(
                "TRONX", "tron:sim", "tron", "195", {"genesis_hash": self.nodes["TRONX"].genesis}
            ),
            "SOLX": _spec(
                "SOLX", "solana:sim", "solana", "501", {"genesis_hash": self.nodes["SOLX"].genesis}
            ),
            "EOSX": _spec(
                "EOSX", "antelope:sim", "antelope", "194", {"chain_id": self.nodes["EOSX"].chain_id}
            ),
            "ELFX": _spec(
                "ELFX", "aelf:AELF", "aelf", "1616", {"genesis_contract": aelf_text(GENESIS, {})}
            ),
        }

    def move_on(self, *networks: str) -> None:
        """Let the nodes pass the height and forget what was there."""
        for network in networks or tuple(self.nodes):
            node = self.nodes[network]
            if network == "EVMX":
                node.head, node.pruned_below = HEIGHT + 1000, HEIGHT + 900
            elif network == "TRONX":
                node.head, node.history_flag = HEIGHT + 1000, False
            elif network == "SOLX":
                node.finalized = HEIGHT + 1000
                node.touched = dict.fromkeys(self.ledgers["SOLX"], HEIGHT + 500)
            elif network == "ELFX":
                node.best = node.final = HEIGHT + 2000
            else:
                node.head = HEIGHT + 1000

    def rows(self, *, amounts: bool, networks: Sequence[str] = ()) -> list[dict[str, str]]:
        found = []
        for network in networks or tuple(self.ledgers):
            spec = self.specs[network]
            for account, units in self.ledgers[network].items():
                row = {"network": network, "asset": network, "address": encode(spec, account)}
                if amounts:
                    digits = DECIMALS[network]
                    row["amount"] = f"{units // 10**digits}.{units % 10**digits:0{digits}d}"
                    row["height"] = str(HEIGHT)
                found.append(row)
        return found

    def write(self, name: str, rows: Sequence[Mapping[str, str]]) -> Path:
        path = self.directory / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return path

    def endpoints(self, nodes: Mapping[str, SimulatedNode] | None = None) -> Path:
        path = self.directory / "endpoints.toml"
        tables = [
            f'[[endpoints]]\nname = "{name}"\nchain = "{self.specs[name.split("-")[0]].id}"\n'
            f'url = "{node.url}"\nown_node = true\ntimeout_s = 5\n'
            + ('role = "witness"\n' if "-" in name else "")
            for name, node in (nodes or self.nodes).items()
        ]
        path.write_text("\n".join(tables), encoding="utf-8")
        return path

    def config(self) -> Path:
        path = self.directory / "world.toml"
        path.write_text(
            "replaces = true\n" + "".join(map(_toml, self.specs.values())), encoding="utf-8"
        )
        return path

    async def command(
        self, name: str, list_path: Path, run: Path, *more: str, asks: bool = True
    ) -> tuple[int, Any, str]:
        options = [f"--run={run}", f"--config={self.config()}", "--processes=1", "--quiet"]
        if asks:
            options.append(f"--endpoints={self.directory / 'endpoints.toml'}")
        code, out, err = await recount(name, str(list_path), *options, "--json", *more)
        return code, json.loads(out) if out else None, err


DECIMALS = {"EVMX": 18, "TRONX": 6, "SOLX": 9, "EOSX": 4, "ELFX": 8}


@contextlib.asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """Start the nodes and write who they are."""
    made = World(directory)
    async with contextlib.AsyncExitStack() as stack:
        for node in made.nodes.values():
            await stack.enter_async_context(node)
        made.endpoints()
        yield made


def ledger_of(run: Path) -> list[dict[str, Any]]:
    """The rows of a finished run."""
    found: list[dict[str, Any]] = pq.read_table(run / "rows.parquet").to_pylist()
    return found


def observed(run: Path) -> dict[tuple[str, str], tuple[str | None, str, str]]:
    """What the run found, by network and address: units, method, gap."""
    return {
        (row["network"], row["address"]): (row["observed"], row["method"], row["gap"])
        for row in ledger_of(run)
    }


def _spec(name: str, chain: str, address: str, coin: str, params: Mapping[str, Any]) -> ChainSpec:
    return ChainSpec(
        id=ChainId(chain),
        name=name,
        adapter=chain.partition(":")[0],
        address=address,
        native=AssetId(f"{chain}/slip44:{coin}"),
        params=params,
    )


def _toml(spec: ChainSpec) -> str:
    params = ", ".join(f"{key} = {json.dumps(value)}" for key, value in spec.params.items())
    return f"""
[chains."{spec.id}"]
name = "{spec.name}"
adapter = "{spec.adapter}"
address = "{spec.address}"
native = "{spec.native}"
source = "made up"
params = {{ {params} }}
[assets."{spec.native}"]
symbol = "{spec.name}"
decimals = {DECIMALS[spec.name]}
counts_as = "{spec.name}"
class = "native"
source = "made up"
"""
