"""The whole of ``recount run`` at two sizes, and with endpoints at a fixed latency.

    python -m tests.bench.bench_run [SMALL] [LARGE] [LATE]

The made-up exchange of the demo without its faulty endpoints: every network that can be asked, UTXO
totals from a dump, simulated nodes in processes of their own; Ethereum is anvil where that is
installed, but not at a latency. Making the list and starting the nodes are outside the clock.
Three runs: SMALL rows, LARGE rows, and LATE rows with nodes that wait 50 ms before each answer. A
run at latency cannot end before its processor time over the cores, nor before any endpoint has
given its answers, ``concurrency`` at a time: the larger of the two is the limit. How long one
answer of that endpoint takes, 50 ms and its own work, is measured then and there by a bare client
that sends some of the same requests, as many at a time. Prints one JSON line; memory is the highest
sum of resident sets of all our processes, the nodes' left out.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pyarrow.parquet as pq

from chains.simulated.anvil import find_anvil
from crawler import demo
from crawler.crawling.evidence import Header, read_pack
from tests.bench.bare_client import bare, http_message
from tests.bench.processes import Measured, apart_cpu, measured

SMALL, LARGE, LATE = 62_848, 628_484, 125_696
LATENCY_S = 0.05
CONCURRENCY = 16
"""Of every endpoint, in all three runs."""
FAULTY = ("ethereum-busy", "tron-empty", "solana-silent")
ROOT = Path(__file__).parents[2]
RECOUNT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from crawler.cli import main; main()"
"""The recount beside this file, as the nodes are: it is started in another directory."""
SAMPLE = 1_500
"""Requests from which the time of an answer is taken."""
PROVEN = 1
"""Exit code: faults are planted in the list."""
TIMEOUT_S = 1500
"""Of a run of up to ``LARGE`` rows; longer ones have as many times longer."""


class Slowest(msgspec.Struct, frozen=True):
    """The endpoint that needs longest for its answers, and how many seconds."""

    name: str
    requests: int
    answer_s: float

    @property
    def seconds(self) -> float:
        """All its answers, ``CONCURRENCY`` at a time."""
        return self.requests * self.answer_s / CONCURRENCY


def run(rows: int, *, delay_s: float = 0.0) -> tuple[Measured, float, Slowest]:
    """Make the exchange and recount it; returns what it took, and the nodes' CPU."""
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
            longest = TIMEOUT_S * max(1, rows / LARGE)
            took = measured(command, cwd=folder, timeout_s=longest)
            nodes = apart_cpu(os.getpid()) - before
            if took.code != PROVEN:
                raise SystemExit(f"exit code {took.code}: {took.err[-400:]}")
            report = json.loads((folder / "run/report.json").read_bytes())
            last = slowest(report, folder / "run", answers=bool(delay_s))
        gaps = [one for one in report["result"]["findings"] if one["code"].startswith("gap:")]
        if gaps:
            raise SystemExit(f"not everything was answered: {gaps_of(folder / 'run')}")
    return took, nodes, last


def gaps_of(path: Path) -> str:
    """Say how often a run has which gap with which detail; the run itself is thrown away."""
    found: Counter[tuple[str, str]] = Counter()
    for file in sorted((path / "shards").glob("*.parquet")):
        answers = pq.read_table(file, columns=["gap", "detail"])
        found.update(zip(*(answers[name].to_pylist() for name in ("gap", "detail")), strict=True))
    common = (f"{n} times {gap} ({detail})" for (gap, detail), n in found.most_common() if gap)
    return ", ".join(islice(common, 5))


def healthy(toml: str) -> str:
    """Leave out the endpoints that are faulty on purpose, and set the concurrency."""
    first, *entries = toml.split("[[endpoints]]")
    kept = [one for one in entries if not any(f'name = "{name}"' in one for name in FAULTY)]
    return first + "".join(f"[[endpoints]]\nconcurrency = {CONCURRENCY}{one}" for one in kept)


def slowest(report: Mapping[str, Any], path: Path, *, answers: bool) -> Slowest:
    """Find the endpoint with the most requests; with ``answers`` ask it some of them again."""
    line = max(report["circumstances"]["endpoints"], key=lambda one: one["requests"])
    answer_s = 0.0
    if answers:
        port = urlsplit(line["url"]).port or 80
        messages = list(islice(requests_to(line["name"], path, port), SAMPLE))
        started = time.perf_counter()
        asyncio.run(bare(port, messages, CONCURRENCY))
        answer_s = (time.perf_counter() - started) * CONCURRENCY / len(messages)
    return Slowest(line["name"], line["requests"], answer_s)


def requests_to(name: str, path: Path, port: int) -> Iterator[bytes]:
    """Yield the HTTP messages that an endpoint was sent, from the run's evidence."""
    for pack in sorted((path / "evidence").glob("[!s]*.zst")):
        for line in read_pack(pack):
            for exchange in () if isinstance(line, Header) else line.exchanges:
                if exchange.endpoint == name:
                    yield http_message(port, exchange.request)


def figures(rows: int, took: Measured, nodes_s: float) -> dict[str, object]:
    """Return the figures of one run; ``nodes_s`` is the processor time of the nodes."""
    return {
        "rows": rows,
        "s": round(took.seconds, 1),
        "cpu_s": round(took.cpu_s, 1),
        "nodes_cpu_s": round(nodes_s, 1),
        "rows_per_s": round(rows / took.seconds),
        "peak_mb": took.peak_rss >> 20,
    }


def main() -> None:
    """Run all three and print one JSON line."""
    given = list(map(int, sys.argv[1:]))
    small, large, late = (*given, *(SMALL, LARGE, LATE)[len(given) :])
    cores = os.cpu_count() or 1
    line: dict[str, object] = {"bench": "run", "concurrency": CONCURRENCY}
    line["anvil"] = find_anvil() is not None
    times = []
    for word, rows in (("small", small), ("large", large)):
        took, nodes, _ = run(rows)
        times.append(took.seconds)
        line |= {f"{word}_{name}": one for name, one in figures(rows, took, nodes).items()}
    line["growth"] = round(times[1] / times[0], 2)
    line["growth_of_rows"] = round(large / small, 2)
    took, nodes, last = run(late, delay_s=LATENCY_S)
    limit = max((took.cpu_s + nodes) / cores, last.seconds)
    line |= {
        "latency_ms": round(LATENCY_S * 1000),
        "latency_rows": late,
        "latency_s": round(took.seconds, 1),
        "latency_cpu_s": round(took.cpu_s, 1),
        "latency_nodes_cpu_s": round(nodes, 1),
        "latency_slowest_endpoint": last.name,
        "latency_answer_ms": round(last.answer_s * 1000, 1),
        "latency_slowest_endpoint_s": round(last.seconds, 1),
        "latency_limit_s": round(limit, 1),
        "latency_ratio": round(took.seconds / limit, 2),
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
