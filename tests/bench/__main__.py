"""``make bench``: every benchmark in turn, each against its limit in the same run.

    python -m tests.bench [NAME …]

Each benchmark is a program of its own that prints one JSON line, and is given so many seconds; one
that fails, is late or lacks something says so and does not hold up the others. The lines go, with
machine and versions, to ``bench-results.json``, and from there into ``docs/benchmarks.md``
(``python -m tests.bench.page`` alone makes the page anew). With names only those are run, and the
other lines of the file stay. ``whole``, the longest, is run by its name alone. The others take a
quarter of an hour on two idle cores, 44 minutes at most.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.bench import page
from tests.bench.commit import commit

LIMITS_S = {
    "bench_verify": 240,
    "bench_evm": 120,
    "bench_peers": 150,
    "bench_dump": 150,
    "bench_scan": 150,
    "bench_lists": 90,
    "bench_store": 90,
    "bench_run": 780,
    "bench_memory": 420,
    "bench_ownership": 60,
    "bench_bls": 60,
    "bench_cluster": 300,
    "bench_whole": 9000,
}
"""The benchmarks in their order, each with the seconds that it may take."""
BY_NAME = ("bench_whole",)
"""Run only where they are named; else their earlier lines stay."""
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench-results.json"
VERSIONS = ("coincurve", "pynacl", "pyarrow", "aiohttp", "numba", "reserve-recount")


def run(name: str) -> dict[str, object]:
    """Run one benchmark; a failed or late one says so instead of a figure."""
    label = name.removeprefix("bench_")
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.bench.{name}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            out, err = process.communicate(timeout=LIMITS_S[name])
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the session that was started for it
            process.communicate()
            return {"bench": label, "failed": f"took more than {LIMITS_S[name]} s"}
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode or not lines:
        said = (err or out).strip().splitlines() or ["it said nothing"]
        return {"bench": label, "failed": said[-1][:400]}
    return {**json.loads(lines[-1]), "bench": label}


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
        "memory_gib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30,
        "load_before": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in VERSIONS},
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def main() -> int:
    """Run all, print each line as it comes, write the file and the page."""
    names = sys.argv[1:] or [name for name in LIMITS_S if name not in BY_NAME]
    names = [f"bench_{name.removeprefix('bench_')}" for name in names]
    unknown = [name for name in names if name not in LIMITS_S]
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)}\n")
        return 2
    found = {"machine": machine(), "results": []}
    before = json.loads(RESULTS.read_text())["results"] if RESULTS.exists() else []
    if not sys.argv[1:]:
        before = [line for line in before if f"bench_{line['bench']}" in BY_NAME]
    kept = {line["bench"]: line for line in before}
    for name in names:
        line = run(name)
        kept[str(line["bench"])] = line
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        order = [one.removeprefix("bench_") for one in LIMITS_S]
        found["results"] = [kept[one] for one in order if one in kept]
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    page.write(RESULTS)
    sys.stdout.write(f"written to {RESULTS.name} and {page.PAGE.relative_to(ROOT)}\n")
    return 1 if any("failed" in line for line in kept.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
