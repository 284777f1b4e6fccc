"""Writing observations with their evidence beside bare zstd Parquet of the same table.

    python -m tests.bench.bench_store [ROWS]

Ours takes what a crawl has at hand, answers and exchanges of 3,000 balances each, and writes what a
run writes: evidence packs, digested and compressed, and one Parquet file a shard, each synced and
put into its place, in threads for as many shards at once as the engine lets run. The limits write
the same observations, without evidence, as zstd Parquet, unsynced and in one thread: ``table`` the
whole table at once from memory, ``shards`` a row group a shard, ``values`` the same from Python
values, which is what any program has that decodes answers. Prints one JSON line; ratios are of
clock time, ``cpu_ratio`` of processor time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
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
from chains.words import WORD, Words
from crawler.crawling.answers import ANSWERS, AnswerColumns, keep_answers
from crawler.crawling.engine import SHARDS_AT_ONCE
from crawler.crawling.evidence import FORMAT, Header, PackWriter, evidence_pack
from crawler.keeping.runs import FORMAT as RUN
from crawler.keeping.runs import Manifest, RunDirectory

ROWS, SHARD, BATCH, ROUNDS = 628_484, 12_000, 3_000, 5
LIMITS = ("table", "shards", "values")
CHAIN = ChainId("eip155:1")
Shard = tuple[str, Questions, list[tuple[Extract, Answers]]]


def made(rows: int) -> Iterator[Shard]:
    """Yield shards as a crawl has them at hand, exchanges with bodies as a node answers."""
    accounts = sorted(hashlib.sha256(b"store %d" % i).digest()[:20] for i in range(rows))
    for start in range(0, rows, SHARD):
        own = tuple(bytes(bytearray(account)) for account in accounts[start : start + SHARD])
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
        yield hashlib.sha256(b"shard %d" % start).hexdigest(), asked, pieces


def _piece(positions: range, accounts: tuple[bytes, ...]) -> tuple[Extract, Answers]:
    own = accounts[positions.start : positions.stop]
    units = [int.from_bytes(account[:8], "big") * 10**3 for account in own]
    asked = b'{"jsonrpc":"2.0","id":0,"method":"eth_call","params":["0x%s"]}' % (
        b"".join(own).hex().encode()
    )
    words = b"".join(one.to_bytes(WORD, "big") for one in units)
    said = b'{"jsonrpc":"2.0","id":0,"result":"0x%s"}' % words.hex().encode()
    exchange = Exchange(request=Request(body=asked), endpoint="node", status=200, body=said)
    return (
        Extract(positions=positions, decoder="native-override", exchanges=(exchange,)),
        Answers(
            positions=positions,
            units=Words(words),
            source=Source.SINGLE,
            method=Method.STATE,
            endpoint="node",
        ),
    )


def ours(run: RunDirectory, shard: Shard) -> None:
    """Write a shard as a run does."""
    digest, asked, pieces = shard
    columns = AnswerColumns(range(len(asked.accounts)))
    with run.creating(evidence_pack(digest, 1)) as path:
        pack = PackWriter(path, Header(format=FORMAT, subject=digest, attempt=1))
        for number, (extract, answers) in enumerate(pieces):
            pack.add(extract)
            columns.add(answers, number)
        pack.close()
    keep_answers(run, digest, 1, columns.table(asked))


async def all_of_ours(run: RunDirectory, shards: Sequence[Shard]) -> None:
    """Write every shard, several at a time in threads, as the engine does."""
    slots = asyncio.Semaphore(SHARDS_AT_ONCE)

    async def one(shard: Shard) -> None:
        async with slots:
            await asyncio.to_thread(ours, run, shard)

    async with asyncio.TaskGroup() as group:
        for shard in shards:
            group.create_task(one(shard))


def table_of(shard: Shard) -> pa.Table:
    """Return the observations of a shard."""
    _, asked, pieces = shard
    columns = AnswerColumns(range(len(asked.accounts)))
    for number, (_, answers) in enumerate(pieces):
        columns.add(answers, number)
    return columns.table(asked)


class Clock:
    """Adds up clock and processor time of what one side does."""

    def __init__(self) -> None:
        self.clock = self.processor = 0.0

    def __call__(self, work: Callable[[], object]) -> None:
        clock, processor = time.perf_counter(), time.process_time()
        work()
        self.clock += time.perf_counter() - clock
        self.processor += time.process_time() - processor


def measure(folder: Path, rows: int) -> tuple[dict[str, Clock], int, int]:
    """Let all three write every shard; also the bytes of ours and of the limit."""
    manifest = Manifest(
        format=RUN, run="bench", started="", versions={}, inputs={}, options={}, config_sha256=""
    )
    run = RunDirectory.create(folder / "run", manifest)
    took = {name: Clock() for name in ("recount", *LIMITS)}
    shards = list(made(rows))
    took["recount"](lambda: asyncio.run(all_of_ours(run, shards)))
    tables = [table_of(shard) for shard in shards]
    shards.clear()
    with (
        pq.ParquetWriter(folder / "shards.parquet", ANSWERS, compression="zstd") as bare,
        pq.ParquetWriter(folder / "values.parquet", ANSWERS, compression="zstd") as from_values,
    ):
        for table in tables:
            values = table.to_pydict()
            took["shards"](lambda: bare.write_table(table))  # noqa: B023 - called at once
            took["values"](lambda: from_values.write_table(pa.table(values, schema=ANSWERS)))  # noqa: B023
        took["shards"](bare.close)
    run.close()
    whole = pa.concat_tables(tables).combine_chunks()
    took["table"](lambda: pq.write_table(whole, folder / "table.parquet", compression="zstd"))
    size = sum(file.stat().st_size for file in (folder / "run").rglob("*") if file.is_file())
    return took, size, (folder / "table.parquet").stat().st_size


def main() -> None:
    """Measure in rounds and print one JSON line."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    rounds: list[dict[str, Clock]] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as text:
            took, size, limit_size = measure(Path(text), rows)
        rounds.append(took)
    line: dict[str, object] = {"bench": "store", "rows": rows, "bytes": size}
    line["table_bytes"] = limit_size
    for name in ("recount", *LIMITS):
        line[f"{name}_s"] = round(statistics.median(one[name].clock for one in rounds), 3)
        line[f"{name}_cpu_s"] = round(statistics.median(one[name].processor for one in rounds), 3)
    for name in LIMITS:
        clocks = [one["recount"].clock / one[name].clock for one in rounds]
        work = [one["recount"].processor / one[name].processor for one in rounds]
        line[f"ratio_to_{name}"] = round(statistics.median(clocks), 2)
        line[f"cpu_ratio_to_{name}"] = round(statistics.median(work), 2)
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
