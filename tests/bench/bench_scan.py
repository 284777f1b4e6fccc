"""Our scan of a UTXO dump beside the node's own ``scantxoutset`` on the same set.

    python -m tests.bench.bench_scan [COINS] [WANTED]

A bitcoind on regtest mines blocks whose one transaction pays thousands of scripts; then it is asked
to scan for WANTED of them as descriptors, and to write its dump, which ours scans for the same
scripts. Both must find the same amount. Ours runs once before the clock, for the compiler's cache.
The mainnet's set has some forty times as many coins: ours has the more of an advantage, the larger
the set is for the same WANTED.
Prints one JSON line; ``cpu`` is processor time, which other programs on the machine do not
lengthen, of the node itself and of all our threads. The daemon comes from ``.ci/install-bitcoind``.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import statistics
import struct
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from coredaemons import PASSWORD, USER, Daemon, bitcoind

from chains.adapters.bip122 import scan
from chains.adapters.bip122.dump import write_compact_size

COINS, WANTED, ROUNDS = 4_000_000, 100_000, 3
OUTPUTS = 30_000
"""Outputs of one transaction: below a block's million virtual bytes."""
SUBSIDY = 50 * 10**8
SPENDABLE = b"\x51"
MATURITY = 100
TIMEOUT_S = 600


def script_of(number: int) -> bytes:
    """Return the n-th P2WPKH script."""
    return b"\x00\x14" + hashlib.sha256(b"coin %d" % number).digest()[:20]


def ask(daemon: Daemon, method: str, *params: Any) -> Any:
    """Make one call that may take minutes."""
    port = int(daemon.address.rpartition(":")[2])
    token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    body = json.dumps({"jsonrpc": "1.0", "id": 0, "method": method, "params": params})
    connection.request("POST", "/", body, {"Authorization": f"Basic {token}"})
    answer = json.loads(connection.getresponse().read(), parse_float=str)
    connection.close()
    if answer["error"]:
        raise RuntimeError(f"{method}: {str(answer['error'])[:200]}")
    return answer["result"]


def paying(txid: str, scripts: list[bytes]) -> str:
    """Return a transaction that spends the reward of a block (OP_TRUE) to all of these scripts."""
    count = len(scripts)
    outputs = b"".join(
        struct.pack("<q", SUBSIDY // 2 // count) + bytes([len(one)]) + one for one in scripts
    )
    return (
        b"\x02\x00\x00\x00\x01"
        + bytes.fromhex(txid)[::-1]
        + b"\x00\x00\x00\x00\x00\xff\xff\xff\xff"
        + write_compact_size(count)
        + outputs
        + bytes(4)
    ).hex()


def fill(daemon: Daemon, coins: int) -> None:
    """Make ``coins`` coins."""
    blocks = -(-coins // OUTPUTS)
    to = f"raw({SPENDABLE.hex()})"
    described = ask(daemon, "getdescriptorinfo", to)["descriptor"]
    ask(daemon, "generatetodescriptor", blocks + MATURITY, described)
    for number in range(blocks):
        block = ask(daemon, "getblock", ask(daemon, "getblockhash", number + 1))
        start = number * OUTPUTS
        scripts = [script_of(i) for i in range(start, min(start + OUTPUTS, coins))]
        raw = paying(block["tx"][0], scripts)
        ask(daemon, "generateblock", described, [raw])


def processor_time(folder: Path) -> float:
    """Return the seconds of processor time that the node has used; 0 where Linux does not tell."""
    (pid,) = folder.rglob("bitcoind.pid")
    stat = Path("/proc", pid.read_text().strip(), "stat")
    if not stat.exists():
        return 0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure in turns and print one JSON line."""
    given = list(map(int, sys.argv[1:]))
    coins, wanted = (*given, *(COINS, WANTED)[len(given) :])
    scripts = sorted(script_of(i * (coins // wanted)) for i in range(wanted))
    descriptors = [f"raw({one.hex()})" for one in scripts]
    with (
        tempfile.TemporaryDirectory() as folder,
        bitcoind(Path(folder, "node"), "-acceptnonstdtxn=1") as node,
    ):
        started = time.perf_counter()
        fill(node, coins)
        filling = time.perf_counter() - started
        dump = Path(folder, "utxo.dat")
        ask(node, "dumptxoutset", str(dump), "latest")
        scan.scan_dump(dump, scripts[:10], plain=False)
        theirs, ours, theirs_cpu, ours_cpu = [], [], [], []
        for _ in range(ROUNDS):
            started, used = time.perf_counter(), processor_time(Path(folder))
            answer = ask(node, "scantxoutset", "start", descriptors)
            theirs.append(time.perf_counter() - started)
            theirs_cpu.append(processor_time(Path(folder)) - used)
            started, used = time.perf_counter(), time.process_time()
            found = scan.scan_dump(dump, scripts, plain=False)
            ours.append(time.perf_counter() - started)
            ours_cpu.append(time.process_time() - used)
            units = int(answer["total_amount"].replace(".", ""))
            if (
                units != sum(int(one.units) for one in found.matched)
                or len(answer["unspents"]) != found.matched_coins
            ):
                raise SystemExit("the two scans found different amounts")
            del found  # so that the next one's time is not that of throwing this one away
        size = dump.stat().st_size
    line = {
        "bench": "scan",
        "coins": answer["txouts"],
        "wanted": wanted,
        "dump_bytes": size,
        "filling_s": round(filling, 1),
        "scantxoutset_s": round(statistics.median(theirs), 3),
        "recount_s": round(statistics.median(ours), 3),
        "times": round(statistics.median(a / b for a, b in zip(theirs, ours, strict=True)), 1),
        "scantxoutset_cpu_s": round(statistics.median(theirs_cpu), 3),
        "recount_cpu_s": round(statistics.median(ours_cpu), 3),
        "cpu_times": round(statistics.median(theirs_cpu) / statistics.median(ours_cpu), 1),
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
