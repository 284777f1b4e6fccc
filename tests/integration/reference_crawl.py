"""Runs the whole job on a published list whose balances stand on test nodes.

The list is read here a second time, with nothing but ``csv``: what each row should come to is
decided by its label alone, from the two tables below, and not by the code under test.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from anvil import Anvil, running_anvil

LOADER = Path(__file__).parents[2] / "examples/walkthrough/load.py"

ETHEREUM, ARBITRUM, OPTIMISM, AVALANCHE = "eip155:1", "eip155:42161", "eip155:10", "eip155:43114"
BITCOIN = "bip122:000000000019d6689c085ae165831e93"
DOGECOIN = "bip122:1a91e3dace36e2be3bf030a65679fe82"

CHAIN_OF = {
    **dict.fromkeys(("ETH", "stETH", "aETH", "HT-ETH", "HTX-ERC20", "WLFI"), ETHEREUM),
    **dict.fromkeys(("USDT-ETH", "USDT-aEthUSDT", "ERC20-USDC"), ETHEREUM),
    "ETH-Arbitrum": ARBITRUM,
    "ETH-Optimism": OPTIMISM,
    "USDT-Avalanche C-Chain": AVALANCHE,
    "BTC": BITCOIN,
    "DOGE": DOGECOIN,
}
"""Labels of the Ethereum and Bitcoin families. Without a node their rows are gaps, no-endpoint."""
GAP_OF = {
    "TRX": "no-endpoint",
    **dict.fromkeys(("BTC-TRC20", "HTX-TRC20", "USDT-TRC20", "stUSDT-TRC20"), "no-endpoint"),
    "SOL": "no-endpoint",
    "APTOS": "no-endpoint",
    **dict.fromkeys(("USDC-SOL", "USDT-SOL"), "no-endpoint"),
    "XRP": "no-endpoint",
    "USDT-ALGO": "no-adapter",
    "USDT-TON": "no-endpoint",
    **dict.fromkeys(("STEAK-USDC", "jsTRX", "jUSDT-TRC20"), "unknown-network"),
    **dict.fromkeys(("BETH-Heco", "ETH-BTTC", "USDT-BTTC"), "unknown-network"),
}
"""What the rows of other labels come to: nobody to ask, nothing that can ask, or no meaning."""


class Published(msgspec.Struct, frozen=True):
    """A row with an amount: its physical line, its label, and the amount as it stands."""

    line: int
    label: str
    amount: str


class Loaded(msgspec.Struct, frozen=True):
    """The list and what ``load.py`` wrote for it."""

    list: Path
    inputs: Path

    @property
    def arguments(self) -> list[str]:
        """What follows ``recount run``."""
        given = [
            f"--{name}={self.inputs / file}"
            for name, file in (
                ("config", "world.toml"),
                ("endpoints", "endpoints.toml"),
                ("heights", "heights.toml"),
            )
        ]
        return [str(self.list), *given, "--processes=1", "--quiet", "--json"]


class Ran(msgspec.Struct, frozen=True):
    """A finished run: its list and directory, the exit code, and the report's ``result``."""

    list: Path
    directory: Path
    code: int
    result: dict[str, Any]


def published(path: Path) -> list[Published]:
    """Read the rows that claim an amount; neither totals nor rows that only carry a signature."""
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    start = max(i for i, row in enumerate(rows) if row and row[0] == "coin")
    names = [name.strip().lower() for name in rows[start]]
    amount = next(names.index(name) for name in ("balance", "amount") if name in names)
    return [
        Published(i + 1, row[0], row[amount].strip())
        for i, row in enumerate(rows[start + 1 :], start + 1)
        if row and row[amount].strip() != "-"
    ]


@functools.cache
def verified(path: Path) -> Any:
    """Return what ``recount verify`` says of a list, offline, of the real chains."""
    return recount("verify", str(path), "--processes=1", "--quiet", "--json")[1]


def load(path: Path, into: Path, nodes: Mapping[str, str], short: Mapping[int, str]) -> Loaded:
    """Run the walkthrough's script."""
    command = [sys.executable, str(LOADER), str(path), "--into", str(into)]
    command += [f"--node={chain}={url}" for chain, url in nodes.items()]
    command += [f"--short={line}={amount}" for line, amount in short.items()]
    subprocess.run(command, check=True, capture_output=True)
    return Loaded(path, into)


def recount(*arguments: str) -> tuple[int, Any]:
    """Run the command line; return the exit code and what it printed as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", "from crawler.cli import main; main()", *arguments],
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr.decode()
    return done.returncode, json.loads(done.stdout)


def run(loaded: Loaded, directory: Path) -> Ran:
    """Do the whole job."""
    code, report = recount("run", *loaded.arguments, f"--run={directory}")
    return Ran(loaded.list, directory, code, report["result"])


@contextlib.contextmanager
def anvils(*chains: str) -> Iterator[dict[str, Anvil]]:
    """Start one anvil for each chain, with a chain id of its own; the key is the real chain."""
    with contextlib.ExitStack() as stack:
        yield {
            chain: stack.enter_context(running_anvil("--chain-id", str(31337 + i)))
            for i, chain in enumerate(chains)
        }


def gaps_expected(rows: Sequence[Published], loaded: Collection[str]) -> dict[str, set[int]]:
    """Return reason → lines for the rows of chains that no node was loaded for."""
    found: dict[str, set[int]] = {}
    for row in rows:
        chain = CHAIN_OF.get(row.label)
        if chain not in loaded:
            reason = "no-endpoint" if chain else GAP_OF[row.label]
            found.setdefault(f"gap:{reason}", set()).add(row.line)
    return found


def lines_of(result: Mapping[str, Any], prefix: str) -> dict[str, set[int]]:
    """Return code → lines of the findings whose code begins with ``prefix``."""
    return {
        finding["code"]: set(finding["rows"])
        for finding in result["findings"]
        if finding["code"].startswith(prefix)
    }


def ownership(result: Mapping[str, Any]) -> Counter[str]:
    """Count the rows by ``status:reason``, as ``recount verify`` does."""
    counts: Counter[str] = Counter()
    for asset in result["assets"]:
        for group in asset["ownership"]:
            counts[f"{group['status']}:{group['reason']}"] += group["rows"]
    return counts


def matches(result: Mapping[str, Any]) -> int:
    """Count the rows that match."""
    groups = [asset["reconciliation"].get("match", {}) for asset in result["assets"]]
    return sum(group.get("rows", 0) for group in groups)


def stated_totals(checks: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Return what can be said of the list's totals without asking a chain."""
    fields = ("row", "label", "stated", "rows_sum", "difference", "verdict")
    return [tuple(check[field] for field in fields) for check in checks]


def last_place(amount: str) -> Decimal:
    """Return one unit of the last place that is written."""
    return Decimal(1).scaleb(-len(amount.partition(".")[2]))
