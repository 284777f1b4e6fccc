"""The whole of ``recount run`` at two sizes, and with endpoints at a fixed latency.

    python -m tests.bench.bench_run [SMALL] [LARGE]

The made-up exchange of the demo without its faulty endpoints: every network that can be asked, UTXO
totals from a dump, simulated nodes in processes of their own; Ethereum is anvil where that is
installed, but not at a latency. Making the list and starting the nodes are outside the clock.
Three runs: SMALL rows, LARGE rows, and SMALL rows with nodes that wait 50 ms before each answer. A
run at latency cannot end before its processor time over the cores, nor before any endpoint has
given its answers one latency each, ``concurrency`` at a time: the larger of the two is the limit.
Prints one JSON line; memory is the highest sum of resident sets of all our processes, the nodes'
left out.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chains.simulated.anvil import find_anvil
from crawler import demo
from tests.bench.processes import Measured, apart_cpu, measured

SMALL, LARGE = 62_848, 628_484
LATENCY_S = 0.05
CONCURRENCY = 16
"""Of every endpoint, in all three runs."""
FAULTY = ("ethereum-busy", "tron-empty", "solana-silent")
RECOUNT = "import sys; from crawler.cli import main; main()"
PROVEN = 1
"""Exit code: faults are planted in the list."""
TIMEOUT_S = 1500


def run(rows: int, *, delay_s: float = 0.0) -> tuple[Measured, float, Mapping[str, Any]]:
    """Make the exchange and recount it; returns what it took, the nodes' CPU, and the report."""
    anvil = not delay_s and find_anvil() is not None
    with tempfile.TemporaryDirectory(prefix="recount-bench-") as text:
        folder = Path(text)
        with demo.serving(rows, folder, delay_s=delay_s, anvil=anvil):
            endpoints = folder / "endpoints.toml"
            endpoints.write_text(healthy(endpoints.read_text()))
            command = [
                sys.executable, "-c", RECOUNT, "run", str(folder / "list.csv"),
                "--run", str(folder / "run"), "--config", str(folder / "world.toml"),
                "--endpoints", str(endpoints), "--exchange", "demo", "--quiet",
                "--liabilities", str(folder / "liabilities.toml"),
            ]  # fmt: skip
            before = apart_cpu(os.getpid())
            took = measured(command, cwd=folder, timeout_s=TIMEOUT_S)
            nodes = apart_cpu(os.getpid()) - before
        if took.code != PROVEN:
            raise SystemExit(f"exit code {took.code}: {took.err[-400:]}")
        report = json.loads((folder / "run/report.json").read_bytes())
    gaps = [one for one in report["result"]["findings"] if one["code"].startswith("gap:")]
    if gaps:
        raise SystemExit(f"not everything was answered: {gaps[0]['code']}")
    return took, nodes, report


def healthy(toml: str) -> str:
    """Leave out the endpoints that are faulty on purpose, and set the concurrency."""
    first, *entries = toml.split("[[endpoints]]")
    kept = [one for one in entries if not any(f'name = "{name}"' in one for name in FAULTY)]
    return first + "".join(f"[[endpoints]]\nconcurrency = {CONCURRENCY}{one}" for one in kept)


def slowest(report: Mapping[str, Any]) -> tuple[str, float]:
    """Return the endpoint that needs longest at the latency, and how many seconds."""
    needs = {
        line["name"]: line["requests"] * LATENCY_S / CONCURRENCY
        for line in report["circumstances"]["endpoints"]
    }
    name = max(needs, key=lambda one: needs[one])
    return name, needs[name]


def main() -> None:
    """Run all three and print one JSON line."""
    given = list(map(int, sys.argv[1:]))
    small, large = (*given, *(SMALL, LARGE)[len(given) :])
    cores = os.cpu_count() or 1
    line: dict[str, object] = {"bench": "run", "concurrency": CONCURRENCY}
    line["anvil"] = find_anvil() is not None
    times = []
    for word, rows in (("small", small), ("large", large)):
        took, nodes, _ = run(rows)
        times.append(took.seconds)
        line |= {
            f"{word}_rows": rows,
            f"{word}_s": round(took.seconds, 1),
            f"{word}_cpu_s": round(took.cpu_s, 1),
            f"{word}_nodes_cpu_s": round(nodes, 1),
            f"{word}_rows_per_s": round(rows / took.seconds),
            f"{word}_peak_mb": took.peak_rss >> 20,
        }
    line["growth"] = round(times[1] / times[0], 2)
    line["growth_of_rows"] = round(large / small, 2)
    took, nodes, report = run(small, delay_s=LATENCY_S)
    name, needs = slowest(report)
    limit = max((took.cpu_s + nodes) / cores, needs)
    line |= {
        "latency_ms": round(LATENCY_S * 1000),
        "latency_s": round(took.seconds, 1),
        "latency_cpu_s": round(took.cpu_s, 1),
        "latency_nodes_cpu_s": round(nodes, 1),
        "latency_slowest_endpoint": name,
        "latency_slowest_endpoint_s": round(needs, 1),
        "latency_limit_s": round(limit, 1),
        "latency_ratio": round(took.seconds / limit, 2),
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
