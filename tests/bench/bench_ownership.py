"""Ownership verdicts against bare coincurve recovery plus address derivation.

Both sides judge the same made-up EVM rows, every signature distinct, with one process per core;
both times include starting the processes. Ours also resolves labels, decodes addresses and
amounts, and builds the result columns.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import pyarrow as pa

from chains.signatures.digests import okx_evm
from crawler.demo import keys
from crawler.examining.ownership import Reading, examine
from crawler.model import CLAIMS
from crawler.settings import load_world

ROWS = 120_000
BATCH = 16_384
ROUNDS = 3
TEXT = "I am an OKX address"


def make_rows(start: int, count: int) -> list[tuple[str, str]]:
    """Return (address, signature) of made-up keys."""
    digest = okx_evm(TEXT)
    rows = []
    for number in range(start, start + count):
        key = keys.secp256k1_key("bench", number)
        signature = key.sign_recoverable(digest, hasher=None)
        text = "0x" + (signature[:64] + bytes([27 + signature[64]])).hex()
        rows.append(("0x" + keys.evm_address(key).hex(), text))
    return rows


def bare(rows: list[tuple[str, str]]) -> int:
    """Recover each key and derive its address, with the libraries alone."""
    from coincurve import PublicKey  # noqa: PLC0415 - imported in the worker, as ours is
    from Crypto.Hash import keccak  # noqa: PLC0415

    digest = okx_evm(TEXT)
    good = 0
    for address, text in rows:
        raw = bytes.fromhex(text[2:])
        key = PublicKey.from_signature_and_message(
            raw[:64] + bytes([raw[64] - 27]), digest, hasher=None
        )
        body = key.format(compressed=False)[1:]
        good += keccak.new(digest_bits=256, data=body).digest()[12:] == bytes.fromhex(address[2:])
    return good


def batches(rows: list[tuple[str, str]]) -> list[pa.RecordBatch]:
    """Return the rows as ``CLAIMS``."""
    found = []
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        size = len(part)
        texts = {
            "kind": "claim", "network": "ETH", "asset": "ETH", "type": "Non Staking",
            "amount": "1.5", "height": "20000000", "message": TEXT,
        }  # fmt: skip
        columns = []
        for field in CLAIMS:
            if field.name == "row":
                columns.append(pa.array(range(start + 1, start + size + 1), pa.int64()))
            elif field.name == "address":
                columns.append(pa.array([address for address, _ in part]))
            elif field.name == "signatures":
                columns.append(pa.array([[text] for _, text in part], pa.list_(pa.string())))
            elif field.name == "owners":
                columns.append(pa.array([[]] * size, pa.list_(pa.string())))
            else:
                columns.append(pa.array([texts.get(field.name, "")] * size, pa.string()))
        found.append(pa.RecordBatch.from_arrays(columns, schema=CLAIMS))
    return found


def measure() -> dict[str, object]:
    """Run both sides in turn and return medians and their ratio."""
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        share = ROWS // cores
        parts = list(pool.map(make_rows, range(0, share * cores, share), [share] * cores))
    rows = [row for part in parts for row in part]
    claims = batches(rows)
    reading = Reading(world=load_world(), exchange="okx")
    ours, limit = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        with ProcessPoolExecutor(cores, mp_context=context) as pool:
            assert sum(pool.map(bare, parts)) == len(rows)
        limit.append(time.perf_counter() - started)
        started = time.perf_counter()
        bound = 0
        for _, signatures in examine(claims, reading, processes=cores):
            bound += signatures.column("status").to_pylist().count("bound")
        assert bound == len(rows)
        ours.append(time.perf_counter() - started)
    ratios = [mine / theirs for mine, theirs in zip(ours, limit, strict=True)]
    return {
        "bench": "ownership",
        "rows": len(rows),
        "processes": cores,
        "recount_s": round(statistics.median(ours), 2),
        "bare_s": round(statistics.median(limit), 2),
        "recount_rows_per_s": round(len(rows) / statistics.median(ours)),
        "ratio_of_times": round(statistics.median(ratios), 2),
    }


if __name__ == "__main__":
    import json
    import sys

    sys.stdout.write(json.dumps(measure()) + "\n")
