"""The whole of ``recount verify`` against bare library calls for the list's distinct signatures.

    python -m tests.bench.bench_verify [ROWS]

A made-up list in OKX's 12 columns: half EVM rows, whose addresses stand under several coins with
the same signature, then TRON, Bitcoin 2-of-3 scripts and Solana. Ours reads the list, judges it,
adds it up and writes the verdicts. The limit recovers the key of each distinct signature and
derives its address (or verifies it, for Ed25519), with one process per core and its work at hand
in memory. Each side is a program of its own; both times include starting their workers. On a busy
machine compare the processor times (``ratio_of_cpu``).
Memory is the sum over all processes of ours at its highest.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROWS = 628_484
ROUNDS = 3
TEXT = "I am an OKX address"
HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key,EOA1,EOA2\n"
)
TOTALS = "coin,amount\nETH(ALL),6\n\n"
EVM_COINS = (("ETH", "ETH"), ("USDT-ERC20", "ETH"), ("USDC", "ETH"), ("ETH", "BASE"))
"""Each EVM address has a row under every one of these, far apart: lists are sorted by coin."""
PAGE = os.sysconf("SC_PAGE_SIZE")

Job = tuple[str, bytes, bytes, bytes]
"""What the limit has at hand: kind, digest or framed text, signature, key or account."""


def made(start: int, count: int) -> tuple[list[str], list[Job]]:  # noqa: PLR0915 - four kinds of rows
    """Return lines of the list, and the bare work for their distinct signatures."""
    from base64 import b64encode  # noqa: PLC0415 - this part runs in workers
    from hashlib import sha256  # noqa: PLC0415

    from chains.addresses.base58 import bytes_to_base58  # noqa: PLC0415
    from chains.addresses.bitcoin import encode  # noqa: PLC0415
    from chains.signatures.digests import (  # noqa: PLC0415
        OKX_HEADER,
        bitcoin_message,
        frame,
        okx_evm,
        tron_hashed,
    )
    from crawler.demo import keys  # noqa: PLC0415

    evm_digest, tron_digest = okx_evm(TEXT), tron_hashed(TEXT)
    btc_digest, framed = bitcoin_message("Bitcoin", TEXT), frame(OKX_HEADER, TEXT)
    lines: list[str] = []
    jobs: list[Job] = []

    def recoverable(key, digest):
        raw = key.sign_recoverable(digest, hasher=None)
        return raw, "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()

    def line(coin, network, height, address, number, *, signatures, last=""):
        amount = f"{number % 977}.{number % 999_983:06d}"
        both = (*signatures, "")[:2]
        fields = [coin, "Non Staking", network, height, address, amount, TEXT, *both, last, "", ""]
        lines.append(",".join(fields) + "\n")

    number = start
    while len(lines) < count:
        number += 1
        key = keys.secp256k1_key("verify", number)
        account = keys.evm_address(key)
        share = number % 12
        if share < 3:  # 12 of 24 rows
            raw, text = recoverable(key, evm_digest)
            jobs.append(("evm", evm_digest, raw, account))
            for coin, network in EVM_COINS:
                line(coin, network, "20914735", "0x" + account.hex(), number, signatures=[text])
        elif share < 8:
            raw, text = recoverable(key, tron_digest)
            jobs.append(("evm", tron_digest, raw, account))
            address = keys.tron_text(account)
            line("USDT-TRC20", "TRON", "62941075", address, number, signatures=[text])
        elif share < 11:
            signers = [keys.secp256k1_key("verify", number, part) for part in range(3)]
            script = keys.multisig_script(2, [keys.compressed(one) for one in signers])
            program = sha256(script).digest()
            texts = []
            for one in signers[:2]:
                raw = one.sign_recoverable(btc_digest, hasher=None)
                texts.append(b64encode(bytes([31 + raw[64]]) + raw[:64]).decode())
                jobs.append(("btc", btc_digest, raw, script))
            address = encode(b"\x00\x20" + program, {"p2pkh": [0], "p2sh": [5], "hrp": "bc"})
            line("BTC", "BTC", "850000", address, number, signatures=texts, last=script.hex())
        else:
            signer = keys.ed25519_key("verify", number)
            public = bytes(signer.verify_key)
            signature = bytes(signer.sign(framed).signature)
            jobs.append(("ed25519", framed, signature, public))
            address = bytes_to_base58(public)
            text = "0x" + signature.hex()
            line("SOL", "SOL", "290000000", address, number, signatures=[text], last=public.hex())
    return lines[:count], jobs


def bare(jobs: list[Job]) -> int:
    """Recover or verify each signature and derive its address, with the libraries alone."""
    from hashlib import sha256  # noqa: PLC0415 - imported in the worker, as ours is

    from coincurve import PublicKey  # noqa: PLC0415
    from nacl.bindings import crypto_sign_open  # noqa: PLC0415
    from sha3 import keccak_256  # noqa: PLC0415

    good = 0
    for kind, digest, signature, owner in jobs:
        if kind == "ed25519":
            good += crypto_sign_open(signature + digest, owner) == digest
            continue
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
        if kind == "evm":
            body = key.format(compressed=False)[1:]
            good += keccak_256(body).digest()[12:] == owner
        else:
            good += key.format() in owner and len(sha256(owner).digest()) == 32
    return good


def run_bare(folder: Path) -> dict[str, float]:
    """Time the limit in this process and its workers."""
    cores = os.cpu_count() or 1
    jobs: list[Job] = pickle.loads((folder / "jobs.pickle").read_bytes())
    size = -(-len(jobs) // (cores * 4))
    parts = [jobs[at : at + size] for at in range(0, len(jobs), size)]
    before, started = _cpu(), time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        good = sum(pool.map(bare, parts))
    seconds = time.perf_counter() - started
    assert good == len(jobs), (good, len(jobs))
    return {"seconds": seconds, "cpu": _cpu() - before}


def run_recount(folder: Path) -> dict[str, object]:
    """Time ours in this process and its workers, with its memory."""
    from crawler import jobs  # noqa: PLC0415 - outside the clock, as the limit's imports are
    from crawler.inputs import Options  # noqa: PLC0415
    from crawler.reports.verdict_files import verdict_file  # noqa: PLC0415
    from crawler.tables.memory import collect_rarely  # noqa: PLC0415
    from crawler.watching.progress import Silent  # noqa: PLC0415

    memory = Memory()
    memory.start()
    collect_rarely()  # as the command does
    before, started = _cpu(), time.perf_counter()
    options = Options(list_path=str(folder / "list.csv"))
    with verdict_file(folder / "verdicts.parquet") as keep:
        result = jobs.verify(options, Silent(), keep=keep)
    seconds, cpu = time.perf_counter() - started, _cpu() - before
    statuses = {group.status for line in result.assets for group in line.ownership}
    assert statuses == {"bound"}, statuses
    return {"seconds": seconds, "cpu": cpu, "rss": memory.stop()}


def _cpu() -> float:
    """Return the processor time of this process and its finished children."""
    return sum(os.times()[:4])


class Memory(threading.Thread):
    """Watches the resident memory of this process and its children."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._peak, self._over = 0, threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            pids = [os.getpid()] + [p.pid for p in multiprocessing.active_children() if p.pid]
            self._peak = max(self._peak, sum(map(_resident, pids)))

    def stop(self) -> int:
        """Return the highest sum seen, in MB."""
        self._over.set()
        return self._peak >> 20


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def prepare(folder: Path, rows: int) -> int:
    """Write the list and the limit's work; return the number of distinct signatures."""
    cores = os.cpu_count() or 1
    share = -(-rows // (cores * 8))
    starts = [number * 10_000_000 for number in range(cores * 8)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        parts = list(pool.map(made, starts, [share] * len(starts)))
    lines = [line for found, _ in parts for line in found]
    lines = sorted(lines[:rows], key=_coin)
    (folder / "list.csv").write_text(TOTALS + HEADER + "".join(lines))
    jobs = [job for _, found in parts for job in found]
    (folder / "jobs.pickle").write_bytes(pickle.dumps(jobs))
    return len(jobs)


def _coin(line: str) -> list[str]:
    return line.split(",", 3)[:3]


def measure(rows: int) -> dict[str, object]:
    """Run both sides in turn and return medians and their ratio."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        distinct = prepare(folder, rows)
        ours, limit = [], []
        for _ in range(ROUNDS):
            limit.append(_side("bare", folder))
            ours.append(_side("recount", folder))
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(ours, limit, strict=True)]
    work = [a["cpu"] / b["cpu"] for a, b in zip(ours, limit, strict=True)]
    middle = sorted(ours, key=lambda one: one["seconds"])[ROUNDS // 2]
    return {
        "bench": "verify",
        "rows": rows,
        "distinct_signatures": distinct,
        "processes": os.cpu_count(),
        "recount_s": round(middle["seconds"], 2),
        "bare_s": round(statistics.median(one["seconds"] for one in limit), 2),
        "recount_rows_per_s": round(rows / middle["seconds"]),
        "ratio_of_times": round(statistics.median(ratios), 2),
        "ratio_of_cpu": round(statistics.median(work), 2),
        "peak_rss_mb": max(one["rss"] for one in ours),
    }


def _side(name: str, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_verify", "--side", name, str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    if "--side" in sys.argv:
        side = {"bare": run_bare, "recount": run_recount}[sys.argv[2]]
        sys.stdout.write(json.dumps(side(Path(sys.argv[3]))) + "\n")
    else:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
        sys.stdout.write(json.dumps(measure(wanted)) + "\n")
