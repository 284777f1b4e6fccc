"""Measure the pass over a UTXO set dump against hashing the same file.

Makes a dump of COINS coins (P2PKH, P2SH, P2WPKH, P2TR, P2WSH and P2PK mixed) in as many
transactions as a real set has, and WANTED scripts of which one in six occurs. Prints one JSON line
per round, that of the middle ratio once more at the end: seconds of the scan with its digest, of
``hashlib.sha256`` alone, and the ratio. Both run on one core; ``cpu`` is processor time, which
other programs on the machine do not lengthen. The first line is of a smaller dump with one coin to
a transaction: what is done for each wanted script weighs more there. ``memory_mib`` is how much the
process grew on the way, at most. Nothing is asserted.

    python tests/bench/bench_dump.py [COINS] [WANTED] [ROUNDS]
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from chains.adapters.bip122 import dump, scan

FORMS = (
    (b"\x00", 20, b"\x76\xa9\x14", b"\x88\xac"),
    (b"\x01", 20, b"\xa9\x14", b"\x87"),
    (b"\x1c\x00\x14", 20, b"\x00\x14", b""),
    (b"\x28\x51\x20", 32, b"\x51\x20", b""),
    (b"\x28\x00\x20", 32, b"\x00\x20", b""),
    (b"\x02", 32, b"\x21\x02", b"\xac"),
)
"""As stored, bytes of payload, what stands before and after it in the scriptPubKey."""
SHARES = (0.3, 0.2, 0.3, 0.15, 0.04, 0.01)
COINS_PER_TRANSACTION = 1.68
"""83,082,178 coins of 49,517,483 transactions at height 745,995: bitcoin/bitcoin issue 25675."""
SMALL_COINS = 5_000_000
CHUNK = 1 << 17
HEAD, VOUT, CODE, AMOUNT, STORED, PAYLOAD, WIDTH = 0, 33, 36, 40, 46, 49, 81
"""Columns of a coin before the bytes that it does not have are left out."""


def digits_of(numbers: Any, columns: Any, has: Any) -> None:
    """Write VARINTs of up to ``columns.shape[1]`` digits, the last one rightmost."""
    width = columns.shape[1]
    left = numbers.copy()
    columns[:, width - 1], has[:, width - 1] = left & 0x7F, True
    for column in range(width - 2, -1, -1):
        more = left > 0x7F
        left = (left >> 7) - more
        columns[:, column], has[:, column] = 0x80 | (left & 0x7F), more


def compressed(units: Any) -> Any:
    """Compress amounts above nothing: ``dump.compress_amount`` of a whole array."""
    exponents = np.zeros_like(units)
    for _ in range(9):
        even = units % 10 == 0
        units = np.where(even, units // 10, units)
        exponents += even
    short = 1 + (units // 10 * 9 + units % 10 - 1) * 10 + exponents
    return np.where(exponents < 9, short, 1 + (units - 1) * 10 + 9)


def outputs(numbers: np.random.Generator, count: int, grouped: float) -> tuple[Any, Any, Any]:
    """Deal coins out to transactions: whether each is a first one, of how many, and its number."""
    first = numbers.random(count) < 1 / grouped
    first[0] = True
    starts = np.flatnonzero(first)
    sizes = np.diff(starts, append=count)
    many = numbers.random(len(starts)) < 0.01
    begin = np.where(
        many, numbers.integers(3, 2000, len(starts)), numbers.integers(0, 3, len(starts))
    )
    vouts = np.repeat(begin - starts, sizes) + np.arange(count)
    return first, np.repeat(sizes, sizes), vouts if grouped > 1 else np.zeros_like(vouts)


def make(path: Path, coins: int, wanted: int, grouped: float = 1) -> list[bytes]:
    """Write the file; returns the wanted scripts, distinct and ascending."""
    numbers = np.random.default_rng(7)
    scripts: list[bytes] = []
    keep = wanted / 6 / coins
    stored = np.zeros((len(FORMS), 3), dtype=np.uint8)
    for row, (code, *_) in zip(stored, FORMS, strict=True):
        row[3 - len(code) :] = list(code)
    with path.open("wb") as file:
        file.write(dump.MAGIC + b"\x02\x00\xf9\xbe\xb4\xd9" + bytes(32))
        file.write(coins.to_bytes(8, "little"))
        for start in range(0, coins, CHUNK):
            count = min(CHUNK, coins - start)
            rows = np.frombuffer(numbers.bytes(count * WIDTH), dtype=np.uint8).reshape(count, -1)
            rows, has = rows.copy(), np.ones((count, WIDTH), dtype=bool)
            first, group, vouts = outputs(numbers, count, grouped)
            rows[:, :4] = (
                np.arange(start, start + count).astype(">u4").view(np.uint8).reshape(-1, 4)
            )
            rows[:, 32] = group
            has[:, :VOUT] = first[:, None]
            long = vouts >= 0xFD
            rows[:, VOUT] = np.where(long, 0xFD, vouts)
            rows[:, VOUT + 1 : CODE] = vouts.astype("<u2").view(np.uint8).reshape(-1, 2)
            has[:, VOUT + 1 : CODE] = long[:, None]
            codes = numbers.integers(20_000, 1_900_000, size=count)
            digits_of(codes, rows[:, CODE:AMOUNT], has[:, CODE:AMOUNT])
            amounts = compressed(numbers.integers(1, 100_000_000, size=count))
            digits_of(amounts, rows[:, AMOUNT:STORED], has[:, AMOUNT:STORED])
            forms = numbers.choice(len(FORMS), size=count, p=SHARES)
            rows[:, STORED:PAYLOAD] = stored[forms]
            sizes = np.array([len(code) for code, *_ in FORMS])[forms]
            has[:, STORED:PAYLOAD] = np.arange(3) >= 3 - sizes[:, None]
            sizes = np.array([size for _, size, *_ in FORMS])[forms]
            has[:, PAYLOAD:] = np.arange(32) < sizes[:, None]
            file.write(rows[has].tobytes())
            for i in np.flatnonzero(numbers.random(count) < keep).tolist():
                _, size, before, after = FORMS[forms[i]]
                scripts.append(before + rows[i, PAYLOAD : PAYLOAD + size].tobytes() + after)
    scripts += [b"\x00\x14" + numbers.bytes(20) for _ in range(wanted - len(scripts))]
    return sorted(set(scripts))


def resident(label: str) -> int:
    """Return KiB of memory, now or at most since the last call; 0 where Linux does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    Path("/proc/self/clear_refs").write_text("5")  # the maximum counts from here
    return int(lines[label].split()[0])


def measure(path: Path, coins: int, scripts: list[bytes]) -> dict[str, float]:
    """Hash the file, and scan it; returns the line's figures."""
    started, used = time.perf_counter(), time.process_time()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    hashing, hashing_cpu = time.perf_counter() - started, time.process_time() - used
    memory = resident("VmRSS")
    started, used = time.perf_counter(), time.process_time()
    found = scan.scan_dump(path, scripts, plain=False)
    scanning, scanning_cpu = time.perf_counter() - started, time.process_time() - used
    return {
        "coins": coins,
        "bytes": found.size,
        "wanted": len(scripts),
        "matched_coins": found.matched_coins,
        "same_digest": digest == found.sha256,
        "sha256_s": round(hashing, 3),
        "scan_s": round(scanning, 3),
        "coins_per_s": round(coins / scanning),
        "ratio": round(scanning / hashing, 2),
        "sha256_cpu_s": round(hashing_cpu, 3),
        "scan_cpu_s": round(scanning_cpu, 3),
        "cpu_ratio": round(scanning_cpu / hashing_cpu, 2),
        "memory_mib": (resident("VmHWM") - memory) >> 10,
    }


def middle(lines: list[dict[str, float]]) -> dict[str, float]:
    """Return the line of the middle ratio."""
    return sorted(lines, key=lambda line: line["ratio"])[len(lines) // 2]


def main(coins: int = 20_000_000, wanted: int = 300_000, rounds: int = 3) -> None:
    """Print one line per round."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "utxo.dat"
        scripts = make(path, 1000, 10)
        started = time.perf_counter()
        scan.scan_dump(path, scripts, plain=False)
        compiling = {"compile_s": round(time.perf_counter() - started, 2)}
        fewer = min(coins, SMALL_COINS)
        scripts = make(path, fewer, wanted)
        small = middle([measure(path, fewer, scripts) for _ in range(rounds)])
        print(json.dumps(small), flush=True)  # noqa: T201
        scripts = make(path, coins, wanted, COINS_PER_TRANSACTION)
        lines = []
        for _ in range(rounds):
            line = measure(path, coins, scripts) | compiling
            lines.append(line | {"cpu_ratio_small": small["cpu_ratio"]})
            print(json.dumps(lines[-1]), flush=True)  # noqa: T201
        print(json.dumps(middle(lines)))  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
