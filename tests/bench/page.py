"""Makes ``docs/benchmarks.md`` from ``bench-results.json``.

python -m tests.bench.page [RESULTS]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/benchmarks.md"
WIDTH = 20
"""Characters of a bar that just reaches its aim."""
MOST = 40


class Aim(msgspec.Struct, frozen=True):
    """One line of the table: a figure of a benchmark that is to be at most or at least so much."""

    what: str
    against: str
    bench: str
    key: str
    reach: float
    at_least: bool = False
    unit: str = ""


AIMS = (
    Aim(
        "`verify`, reading and writing included",
        "bare library calls for the distinct signatures, one process per core",
        "verify",
        "ratio_of_times",
        1.25,
    ),
    Aim(
        "EVM crawl: encode, check, decode, store",
        "the same requests, pre-encoded, answers thrown away",
        "evm",
        "ratio",
        0.6,
        at_least=True,
    ),
    Aim("EVM crawl, addresses/s", "multicall", "peers", "times_multicall", 15, at_least=True),
    Aim("EVM crawl, addresses/s", "cryo", "peers", "times_cryo", 25, at_least=True),
    Aim("EVM crawl, addresses/s", "AsyncWeb3", "peers", "times_web3", 1000, at_least=True),
    Aim(
        "UTXO dump scan with digest, 300,000 scripts",
        "sha256 of the same file, one core",
        "dump",
        "ratio",
        2.5,
    ),
    Aim(
        "UTXO dump scan, 100,000 scripts",
        "`scantxoutset` of bitcoind on the same set",
        "scan",
        "times",
        15,
        at_least=True,
    ),
    Aim(
        "list reading, into typed claims",
        "pyarrow's CSV reader, one thread",
        "lists",
        "regular_s_ratio",
        4,
    ),
    Aim(
        "writing observations and evidence",
        "bare zstd Parquet of the same table",
        "store",
        "ratio_to_table",
        3,
    ),
    Aim(
        "whole run, endpoints at 50 ms",
        "CPU seconds ÷ cores, or the slowest endpoint",
        "run",
        "latency_ratio",
        1.15,
    ),
    Aim("whole run, ten times the rows", "the time of the small one", "run", "growth", 11),
    Aim(
        "peak memory, 628,484 rows",
        "all processes of recount",
        "run",
        "large_peak_mb",
        1500,
        unit=" MB",
    ),
    Aim(
        "peak memory, 10 million rows, end to end",
        "all processes of recount",
        "whole",
        "peak_mb",
        2000,
        unit=" MB",
    ),
    Aim(
        "peak memory, 10 million rows, behind the signatures",
        "the process that plans, asks and recounts",
        "memory",
        "peak_mb",
        2000,
        unit=" MB",
    ),
    Aim(
        "checking signatures by two workers of a cluster",
        "the same by one worker",
        "cluster",
        "speed_up_of_checks",
        1.7,
        at_least=True,
    ),
)
"""Higher is better where ``at_least``."""


def write(results: Path) -> None:
    """Write the page."""
    PAGE.write_text(text(json.loads(results.read_bytes())), encoding="utf-8")


def text(found: Mapping[str, Any]) -> str:
    """Return the page."""
    machine = found["machine"]
    lines = {line["bench"]: line for line in found["results"]}
    versions = ", ".join(f"{name} {one}" for name, one in machine["versions"].items() if one)
    rows = [_row(aim, lines.get(aim.bench, {})) for aim in AIMS]
    bars = [_bar(aim, lines.get(aim.bench, {})) for aim in AIMS]
    parts = [
        "# Benchmarks",
        (
            "Made by `make bench`; each line was measured side by side with what it is compared\n"
            "to, in one run on one machine. Absolute figures move with it, the ratios less.\n"
            "Ten million rows end to end are run by name alone, with commit and date of their own."
        ),
        (
            f"{machine['cpu']}, {machine['cores']} cores, {machine.get('memory_gib', '?')} GiB, "
            f"{machine.get('system', '')}, Python {machine['python']};\nload before: "
            f"{machine.get('load_before', '?')}. {versions}.\n"
            f"{machine['date']}, commit {machine.get('commit', '')}."
        ),
        "| what | against | aim | measured | |\n|---|---|---|---|---|\n" + "\n".join(rows),
        "How far each figure goes towards its aim; `|` is the aim, a longer bar is better:",
        "```\n" + "\n".join(bars) + "\n```",
        "## Every figure\n\n```json\n"
        + "\n".join(json.dumps(line) for line in found["results"])
        + "\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _value(aim: Aim, line: Mapping[str, Any]) -> float | None:
    value = line.get(aim.key)
    return float(value) if isinstance(value, int | float) else None


def _row(aim: Aim, line: Mapping[str, Any]) -> str:
    value = _value(aim, line)
    sign = "≥" if aim.at_least else "≤"
    if value is None:
        measured, verdict = str(line.get("failed", "not measured")).replace("|", "/"), ""
    else:
        reached = value >= aim.reach if aim.at_least else value <= aim.reach
        measured, verdict = f"{value:g}{aim.unit}", "reached" if reached else "**not reached**"
    return (
        f"| {aim.what} | {aim.against} | {sign} {aim.reach:g}{aim.unit} | {measured} | {verdict} |"
    )


def _bar(aim: Aim, line: Mapping[str, Any]) -> str:
    value = _value(aim, line)
    name = f"{aim.bench}.{aim.key}"
    if not value:
        return f"{name:26}"
    share = value / aim.reach if aim.at_least else aim.reach / value
    length = min(MOST, round(share * WIDTH))
    bar = "█" * length + " " * max(0, WIDTH - length)
    marked = bar[:WIDTH] + "|" + bar[WIDTH:]
    return f"{name:26} {marked}{'…' if length == MOST else ''} {value:g}"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "bench-results.json")
