"""Measure the pass over a UTXO set dump against hashing the same file.

Makes a dump of COINS coins (P2PKH, P2SH, P2WPKH, P2TR, P2WSH and P2PK mixed, one to a
transaction), WANTED scripts of which one in six occurs,
and prints one JSON line per round: seconds of the scan with its digest, of ``hashlib.sha256``
alone, and the ratio. Both run on one core; ``cpu`` is processor time, which other programs on
the machine do not lengthen. Nothing is asserted.

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
CHUNK = 1 << 17


def make(path: Path, coins: int, wanted: int) -> list[bytes]:
    """Write the file; returns the wanted scripts, distinct and ascending."""
    numbers = np.random.default_rng(7)
    scripts: list[bytes] = []
    keep = wanted / 6 / coins
    with path.open("wb") as file:
        file.write(dump.MAGIC + b"\x02\x00\xf9\xbe\xb4\xd9" + bytes(32))
        file.write(coins.to_bytes(8, "little"))
        for start in range(0, coins, CHUNK):
            count = min(CHUNK, coins - start)
            forms = numbers.choice(len(FORMS), size=count, p=SHARES).tolist()
            amounts = numbers.integers(1, 100_000_000, size=count).tolist()
            codes = numbers.integers(20_000, 1_900_000, size=count).tolist()
            noise = numbers.bytes(count * 60)
            kept = (numbers.random(count) < keep).tolist()
            out = []
            for i in range(count):
                stored, size, before, after = FORMS[forms[i]]
                bytes_ = noise[60 * i : 60 * i + 60]
                payload = bytes_[28 : 28 + size]
                out.append(
                    (start + i).to_bytes(4) + bytes_[:28] + b"\x01\x00"
                    + dump.write_varint(codes[i])
                    + dump.write_varint(dump.compress_amount(amounts[i]))
                    + stored + payload
                )  # fmt: skip
                if kept[i]:
                    scripts.append(before + payload + after)
            file.write(b"".join(out))
    scripts += [b"\x00\x14" + numbers.bytes(20) for _ in range(wanted - len(scripts))]
    return sorted(set(scripts))


def main(coins: int = 5_000_000, wanted: int = 300_000, rounds: int = 3) -> None:
    """Print one line per round."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "utxo.dat"
        scripts = make(path, coins, wanted)
        small = Path(directory) / "small.dat"
        make(small, 1000, 10)
        started = time.perf_counter()
        scan.scan_dump(small, scripts[:10], plain=False)
        compiling = time.perf_counter() - started
        for _ in range(rounds):
            started, used = time.perf_counter(), time.process_time()
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            hashing = time.perf_counter() - started
            hashing_cpu = time.process_time() - used
            started, used = time.perf_counter(), time.process_time()
            found = scan.scan_dump(path, scripts, plain=False)
            scanning = time.perf_counter() - started
            scanning_cpu = time.process_time() - used
            line = {
                "coins": coins,
                "bytes": found.size,
                "wanted": len(scripts),
                "matched_coins": found.matched_coins,
                "same_digest": digest == found.sha256,
                "compile_s": round(compiling, 2),
                "sha256_s": round(hashing, 3),
                "scan_s": round(scanning, 3),
                "coins_per_s": round(coins / scanning),
                "ratio": round(scanning / hashing, 2),
                "sha256_cpu_s": round(hashing_cpu, 3),
                "scan_cpu_s": round(scanning_cpu, 3),
                "cpu_ratio": round(scanning_cpu / hashing_cpu, 2),
            }
            print(json.dumps(line), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
