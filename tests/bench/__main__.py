"""``make bench``: every benchmark in turn, each against its limit in the same run.

Each benchmark is a program of its own that prints one JSON line. The lines go, with machine and
versions, to ``bench-results.json``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

BENCHES = (
    "bench_ownership",
    "bench_evm",
    "bench_lists",
    "bench_dump",
    "bench_verify",
    "bench_bls",
    "bench_cluster",
)
RESULTS = Path("bench-results.json")
VERSIONS = ("coincurve", "pynacl", "pyarrow", "aiohttp", "numba", "reserve-recount")


def run(name: str) -> dict[str, object]:
    """Run one benchmark; a failed or skipped one says so instead of a figure."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}"], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"bench": name, "failed": (done.stderr or done.stdout).strip()[-400:]}
    return json.loads(lines[-1])


def machine() -> dict[str, object]:
    """Describe where the figures were taken."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = models[0].partition(":")[2].strip() if models else ""
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main() -> int:
    """Run all, print each line as it comes, write the file."""
    results = []
    for name in BENCHES:
        results.append(run(name))
        sys.stdout.write(json.dumps(results[-1]) + "\n")
        sys.stdout.flush()
    RESULTS.write_text(json.dumps({"machine": machine(), "results": results}, indent=2) + "\n")
    sys.stdout.write(f"written to {RESULTS}\n")
    return 1 if any("failed" in result for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
