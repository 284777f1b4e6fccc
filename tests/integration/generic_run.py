"""Runs the whole job on a generic table whose rows stand on one EVM test node."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
from made_up_run import recount

from chains.model import ChainSpec

COLUMNS = (
    "network", "address", "amount", "height", "message",
    "signature1", "signature2", "owner1", "owner2", "scheme",
)  # fmt: skip
FIRST = 2
"""The line of the first row."""


class Ran(msgspec.Struct, frozen=True):
    """A finished run: its directory, and its ledger's records by the rows' names."""

    directory: Path
    rows: Mapping[str, Mapping[str, Any]]

    def verdicts(self) -> dict[str, tuple[str, str]]:
        """Return status and reason of each row."""
        return {name: (row["status"], row["reason"]) for name, row in self.rows.items()}

    def observed(self) -> dict[str, str | None]:
        """Return the base units that the chain showed for each row."""
        return {name: row["observed"] for name, row in self.rows.items()}


async def run(
    directory: Path, spec: ChainSpec, url: str, message: str, rows: Mapping[str, Mapping[str, str]]
) -> Ran:
    """Write the inputs, do the whole job, and check that it replays to the same result."""
    files = {
        "world.toml": _world(spec),
        "endpoints.toml": f'[[endpoints]]\nname = "node"\nchain = "{spec.id}"\nurl = "{url}"\n'
        "own_node = true\n",
        "messages.txt": message + "\n",
    }
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    with (directory / "list.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows.values())
    done = directory / "run"
    given = {
        "config": "world.toml", "endpoints": "endpoints.toml", "messages": "messages.txt",
        "run": "run",
    }  # fmt: skip
    options = [f"--{name}={directory / file}" for name, file in given.items()]
    code, _, err = await recount(
        "run", str(directory / "list.csv"), *options, "--processes=1", "--quiet", "--json"
    )
    assert code in (0, 1, 3), err
    replayed, _, err = await recount("replay", str(done), "--json")
    assert replayed == code, err
    ledger = pq.read_table(done / "rows.parquet").to_pylist()
    by_line = {record["row"]: record for record in ledger}
    return Ran(done, {name: by_line[FIRST + i] for i, name in enumerate(rows)})


def _world(spec: ChainSpec) -> str:
    ether = 'symbol = "ETH", decimals = 18, counts_as = "ETH", class = "native", source = "made up"'
    params = "\n".join(f"{name} = {json.dumps(value)}" for name, value in spec.params.items())
    return f"""replaces = true
[chains."{spec.id}"]
name = "{spec.name}"
adapter = "{spec.adapter}"
address = "{spec.address}"
native = "{spec.native}"
source = "made up"
[chains."{spec.id}".params]
{params}
[assets]
"{spec.native}" = {{ {ether} }}
"""
