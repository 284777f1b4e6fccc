"""Validators' signatures: one by one, in milagro's batches, and spread over the cores.

    python -m tests.bench.bench_bls [ROWS]

All rows sign one text, as a list of validators does. The limit is milagro's ``Verify`` in a loop
on one core; the batch is milagro's random linear combination, which recount does not use because it
is no faster. Prints one JSON line, with what 100,000 rows would take at the rate of the last way.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from chains.signatures import bls
from chains.signatures.digests import okx_evm

ROWS = 512
PART = 64
Check = tuple[bytes, bytes, bytes]
"""Key, message, signature."""
TEXT = "I am an OKX address"


def made(count: int) -> list[Check]:
    """Return checks of made-up validators."""
    library = bls._milagro()
    secrets = [number.to_bytes(32, "big") for number in range(1, count + 1)]
    message = okx_evm(TEXT)
    return [(library.SkToPk(one), message, library.Sign(one, message)) for one in secrets]


def good(checks: list[Check]) -> int:
    """Count the good checks."""
    return sum(bls.verify(*check) for check in checks)


def measure(rows: int) -> dict[str, object]:
    """Time the three ways in one run, each by wall clock and processor time."""
    checks = made(rows)
    cores = os.cpu_count() or 1
    verify = bls._milagro().Verify
    started, busy = time.perf_counter(), time.process_time()
    assert all(verify(*check) for check in checks)
    single, single_cpu = time.perf_counter() - started, time.process_time() - busy
    started, busy = time.perf_counter(), time.process_time()
    sets = [(signature, key, message) for key, message, signature in checks]
    assert bls._milagro().VerifyMultipleAggregateSignatures(sets)
    batch, batch_cpu = time.perf_counter() - started, time.process_time() - busy
    parts = [checks[at : at + PART] for at in range(0, rows, PART)]
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert sum(pool.map(good, [checks[:1]] * cores)) == cores
        started = time.perf_counter()
        assert sum(pool.map(good, parts)) == rows
        spread = time.perf_counter() - started
    return {
        "bench": "bls",
        "rows": rows,
        "processes": cores,
        "single_ms": round(single / rows * 1e3, 2),
        "batch_ms": round(batch / rows * 1e3, 2),
        "single_cpu_ms": round(single_cpu / rows * 1e3, 2),
        "batch_cpu_ms": round(batch_cpu / rows * 1e3, 2),
        "spread_ms": round(spread / rows * 1e3, 2),
        "single_over_batch": round(single_cpu / batch_cpu, 2),
        "seconds_for_100000_rows": round(spread / rows * 1e5),
    }


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    sys.stdout.write(json.dumps(measure(wanted)) + "\n")
