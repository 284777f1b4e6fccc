"""How fast a monthly list becomes ``CLAIMS``, beside pyarrow's own reader in the same run.

    python tests/bench/bench_lists.py [ROWS]

Two made-up files of 628,484 rows in 12 columns: ``regular``, all of which pyarrow can read,
and ``quirky``, in which some rows leave out trailing columns and some hold unquoted objects
and lists. The limit is pyarrow reading the regular file on one thread, all columns as text.
All on one core, since pyarrow reads ahead in a thread of its own even so. Ours includes two digests
of the file, before and while it is parsed.
Prints one JSON line with medians of five, in seconds by the clock (``s``) and of the processor
(``cpu_s``); on a busy machine compare the latter.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from crawler.lists import open_list

ROWS, ROUNDS = 628_484, 5
_TOTALS = "coin,amount\nETH(ALL),6\nETH,5.2834\n\n"
_HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key,EOA1,EOA2\n"
)
_TEXT = "I am an OKX address"
_SPREAD = 20_000
"""Different rows; the file repeats them, with amounts of their own."""


def _row(chance: random.Random) -> list[str]:
    """One row with the shape and length of a real one: EVM, TRON, Bitcoin multisig, keys."""

    def hexes(octets: int) -> str:
        return chance.randbytes(octets).hex()

    kind = chance.random()
    amount = f"{chance.random() * 100:.18f}"
    if kind < 0.52:
        evm = ["ETH", "Non Staking", "ETH", "20914735", "0x" + hexes(20), amount, _TEXT]
        return [*evm, "0x" + hexes(65), "", "", "", ""]
    if kind < 0.62:
        safe = ["USDT-ERC20", "Non Staking", "ETH", "20914735", "0x" + hexes(20), amount, _TEXT]
        owners = ["0x" + hexes(20), "0x" + hexes(20)]
        return [*safe, "0x" + hexes(65), "0x" + hexes(65), "", *owners]
    if kind < 0.78:
        tron = ["USDT-TRC20", "Non Staking", "TRON", "62941075", "T" + hexes(16) + "Q", amount]
        return [*tron, _TEXT, "0x" + hexes(65), "null", "", "", ""]
    if kind < 0.95:
        script = "5221" + "21".join(hexes(33) for _ in range(3)) + "53ae"
        bitcoin = ["BTC", "Non Staking", "BTC", "850000", "bc1q" + hexes(29), amount[:10], _TEXT]
        return [*bitcoin, hexes(44), hexes(44), script, "", ""]
    key = ["SOL", "Non Staking", "SOL", "270000000", hexes(22), amount[:12], _TEXT]
    return [*key, "0x" + hexes(64), "\\N", "0x" + hexes(32), "", ""]


def _quirky(row: list[str], at: int) -> str:
    """The row with one of the quirks of published lists: 1 % objects and lists, 30 % short."""
    if at % 150 == 0:
        keys = f'{{"key1":"{row[4]}","key2":"{row[7]}"}}'
        return ",".join([*row[:9], keys, "", ""])
    if at % 300 == 1:
        return ",".join([*row[:9], f"[{row[4]},{row[7]}]", "", ""])
    if at % 10 < 3 and not any(row[9:]):
        return ",".join(row[:9])
    return ",".join(row)


def _write(path: Path, rows: int, line: Callable[[list[str], int], str]) -> None:
    chance = random.Random(20)
    spread = [_row(chance) for _ in range(_SPREAD)]

    def lines() -> Iterator[str]:
        for at in range(rows):
            row = spread[at % _SPREAD].copy()
            row[5] = f"{at % 97}{row[5]}"
            yield line(row, at) + "\n"

    with path.open("w") as file:
        file.write(_TOTALS + _HEADER)
        file.writelines(lines())


def _limit(path: Path) -> int:
    """Read everything at once with pyarrow, one thread, all columns as text."""
    names = [str(at) for at in range(12)]
    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False, skip_rows=5, column_names=names),
        convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return int(table.num_rows)


def _ours(path: Path) -> int:
    """Open the list, digest it, and walk through all batches."""
    published = open_list(path)
    rows = sum(batch.num_rows for batch in published.batches())
    if rows != published.account.claim:
        raise SystemExit(f"rows went missing: {published.account}")
    return rows


def _timed(run: Callable[[Path], int], path: Path, rows: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    found = run(path)
    seconds = time.perf_counter() - clock, time.process_time() - processor
    if found != rows:
        raise SystemExit(f"{path.name}: {found} rows instead of {rows}")
    return seconds


def main() -> None:
    """Write the files, measure in turns, print one JSON line."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        regular, quirky = Path(folder, "regular.csv"), Path(folder, "quirky.csv")
        _write(regular, rows, lambda row, _: ",".join(row))
        _write(quirky, rows, _quirky)
        _ours(quirky)
        figures: dict[str, float] = {
            "rows": rows,
            "bytes": regular.stat().st_size,
            "our_peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        runs = {
            "pyarrow": (_limit, regular),
            "regular": (_ours, regular),
            "quirky": (_ours, quirky),
        }
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, (run, path) in runs.items():
                seconds[name].append(_timed(run, path, rows))
    for at, kind in enumerate(("s", "cpu_s")):
        medians = {name: statistics.median(s[at] for s in seconds[name]) for name in runs}
        figures |= {f"{name}_{kind}": round(value, 3) for name, value in medians.items()}
        for name in ("regular", "quirky"):
            figures[f"{name}_{kind}_ratio"] = round(medians[name] / medians["pyarrow"], 2)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
