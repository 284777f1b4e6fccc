"""Writing observations with their evidence beside bare zstd Parquet of the same table.

    python -m tests.bench.bench_store [ROWS]

Ours takes what a crawl has at hand, answers and exchanges of 3,000 balances each, and writes what a
run writes: evidence packs, digested and compressed, and one Parquet file a shard, each synced and
renamed into place. The limit writes the same observations as one zstd Parquet file, once from the
table in memory and once from Python values, which is what any program has that decodes answers;
neither is synced. Prints one JSON line; ratios are of clock time, ``cpu_ratio`` of processor time.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chains.model import (
    Answers,
    AssetId,
    ChainId,
    Exchange,
    Extract,
    Method,
    QueryKind,
    Questions,
    Request,
    Source,
)
from crawler.answers import ALIKE, ANSWERS, AnswerColumns
from crawler.engine import evidence_pack
from crawler.evidence import FORMAT, Header, PackWriter
from crawler.runs import FORMAT as RUN
from crawler.runs import Manifest, RunDirectory, shard_name

ROWS, SHARD, BATCH, ROUNDS = 628_484, 12_000, 3_000, 5
CHAIN = ChainId("eip155:1")
Shard = tuple[str, Questions, list[tuple[Extract, Answers]]]


def made(rows: int) -> list[Shard]:
    """Return shards as a crawl has them at hand, exchanges with bodies as a node answers."""
    accounts = sorted(hashlib.sha256(b"store %d" % i).digest()[:20] for i in range(rows))
    shards = []
    for start in range(0, rows, SHARD):
        own = tuple(accounts[start : start + SHARD])
        asked = Questions(
            kind=QueryKind.BALANCE,
            chain=CHAIN,
            height=1,
            asset=AssetId(f"{CHAIN}/slip44:60"),
            accounts=own,
        )
        pieces = [
            _piece(range(at, min(at + BATCH, len(own))), own) for at in range(0, len(own), BATCH)
        ]
        shards.append((hashlib.sha256(b"shard %d" % start).hexdigest(), asked, pieces))
    return shards


def _piece(positions: range, accounts: tuple[bytes, ...]) -> tuple[Extract, Answers]:
    own = accounts[positions.start : positions.stop]
    units = [int.from_bytes(account[:8], "big") * 10**3 for account in own]
    asked = b'{"jsonrpc":"2.0","id":0,"method":"eth_call","params":["0x%s"]}' % (
        b"".join(own).hex().encode()
    )
    said = b'{"jsonrpc":"2.0","id":0,"result":"0x%s"}' % b"".join(b"%064x" % one for one in units)
    exchange = Exchange(request=Request(body=asked), endpoint="node", status=200, body=said)
    return (
        Extract(positions=positions, decoder="native-override", exchanges=(exchange,)),
        Answers(
            positions=positions,
            units=units,
            source=Source.SINGLE,
            method=Method.STATE,
            endpoint="node",
        ),
    )


def ours(folder: Path, shards: list[Shard]) -> None:
    """Write them as a run does."""
    manifest = Manifest(
        format=RUN, run="bench", started="", versions={}, inputs={}, options={}, config_sha256=""
    )
    run = RunDirectory.create(folder, manifest)
    for digest, asked, pieces in shards:
        columns = AnswerColumns(range(len(asked.accounts)))
        with run.replacing(evidence_pack(digest, 1)) as path:
            pack = PackWriter(path, Header(format=FORMAT, subject=digest, attempt=1))
            for number, (extract, answers) in enumerate(pieces):
                pack.add(extract)
                columns.add(answers, number)
            pack.close()
        run.write_table(shard_name(digest, 1), columns.table(asked), alike=ALIKE)
    run.close()


def bare(path: Path, table: pa.Table) -> None:
    """Write a table in memory."""
    pq.write_table(table, path, compression="zstd")


def from_values(path: Path, columns: dict[str, list[object]]) -> None:
    """Make the table of Python values and write it."""
    bare(path, pa.table(columns, schema=ANSWERS))


def main() -> None:
    """Measure in turns and print one JSON line."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    shards = made(rows)
    tables = []
    for _, asked, pieces in shards:
        columns = AnswerColumns(range(len(asked.accounts)))
        for number, (_, answers) in enumerate(pieces):
            columns.add(answers, number)
        tables.append(columns.table(asked))
    table = pa.concat_tables(tables).combine_chunks()
    values = table.to_pydict()
    took: dict[str, list[tuple[float, float]]] = {"recount": [], "table": [], "values": []}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for number in range(ROUNDS):
            for name, write in (
                ("recount", lambda: ours(folder / f"run-{number}", shards)),  # noqa: B023 - called at once
                ("table", lambda: bare(folder / "table.parquet", table)),
                ("values", lambda: from_values(folder / "values.parquet", values)),
            ):
                clock, processor = time.perf_counter(), time.process_time()
                write()
                took[name].append((time.perf_counter() - clock, time.process_time() - processor))
        size = sum(f.stat().st_size for f in (folder / "run-0").rglob("*") if f.is_file())
        limit_size = (folder / "table.parquet").stat().st_size
    line: dict[str, object] = {"bench": "store", "rows": rows, "bytes": size}
    line["table_bytes"] = limit_size
    for name, found in took.items():
        line[f"{name}_s"] = round(statistics.median(clock for clock, _ in found), 3)
        line[f"{name}_cpu_s"] = round(statistics.median(cpu for _, cpu in found), 3)
    for name in ("table", "values"):
        pairs = list(zip(took["recount"], took[name], strict=True))
        line[f"ratio_to_{name}"] = round(statistics.median(a[0] / b[0] for a, b in pairs), 2)
        line[f"cpu_ratio_to_{name}"] = round(statistics.median(a[1] / b[1] for a, b in pairs), 2)
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
