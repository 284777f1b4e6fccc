"""Memory of ``recount run`` behind the signatures, stage by stage: plan, freeze, crawl, recount.

    python -m tests.bench.bench_memory [ROWS] [mixed]

A made-up list as it lies examined in a run directory: half EVM rows, whose accounts stand under
several coins, then TRON, Bitcoin and Solana, sorted by coin as published lists are (``mixed``: in
no order). The stages are those of a run and in one process, as there; every endpoint is a function
of the account that answers at once, so that hours of asking take minutes. Judging signatures, which
comes before, is measured by ``bench_verify``, whole runs by ``bench_run``. Prints one JSON line;
memory is the highest resident set of the process (it has no others) while a stage lasts, and
``exact`` says whether the sums came out as they were made.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
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
    Snapshot,
    Source,
)
from chains.words import WORD, Words
from crawler import jobs
from crawler.asking import rounds
from crawler.asking.plan import Moment
from crawler.counting import recount as pure
from crawler.counting.ledger import LEDGER
from crawler.crawling.engine import Engine
from crawler.crawling.pins import Pinned
from crawler.examining.ownership import EXAMINED, SIGNATURES
from crawler.keeping.runs import FORMAT, INPUTS, Manifest, RunDirectory
from crawler.model import Rounding
from crawler.result import Result
from crawler.settings import load_policy, load_world
from crawler.tables.memory import collect_rarely
from crawler.watching.progress import Silent

ROWS, PART, PIECE = 10_000_000, 65_536, 3_000
HEIGHT = 20_914_735
EVM = "eip155:1"
BITCOIN = "bip122:000000000019d6689c085ae165831e93"
SHARES = (
    (f"{EVM}/slip44:60", 4, (20,)),
    (f"{EVM}/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", 3, (20,)),
    (f"{EVM}/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7", 3, (20,)),
    (f"{BITCOIN}/slip44:0", 4, (22, 23, 25, 34)),
    ("tron:0x2b6653dc/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", 4, (20,)),
    ("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/slip44:501", 2, (32,)),
)
"""Assets with their twentieths of the list and the lengths of their accounts."""


def accounts(asset: str, widths: Sequence[int], start: int, count: int) -> Iterator[bytes]:
    """Yield accounts of a chain by their numbers: the same ones under each of its assets."""
    seed = hashlib.sha256(asset.partition("/")[0].encode()).digest()
    for number in range(start, start + count):
        width = widths[number % len(widths)]
        yield (hashlib.sha256(seed + number.to_bytes(8, "big")).digest() * 2)[:width]


def held(account: bytes) -> int:
    """Return the balance of an account."""
    return int.from_bytes(account[-7:], "big")


def examined(rows: int, *, mixed: bool) -> Iterator[tuple[pa.Table, pa.Table, Mapping[str, int]]]:
    """Yield the parts of the list with what they claim of each asset."""
    wanted = [(asset, rows * share // 20, widths) for asset, share, widths in SHARES]
    row, done = 1, dict.fromkeys((asset for asset, *_ in wanted), 0)
    while any(done[asset] < count for asset, count, _ in wanted):
        pieces, room = [], PART
        for asset, count, widths in wanted:
            most = PART * count // rows + 1 if mixed else room
            size = min(most, room, count - done[asset])
            pieces.append((asset, list(accounts(asset, widths, done[asset], size))))
            done[asset] += size
            room -= size
        yield _part(row, pieces)
        row += PART - room


def _part(
    row: int, pieces: Sequence[tuple[str, Sequence[bytes]]]
) -> tuple[pa.Table, pa.Table, Mapping[str, int]]:
    world = load_world()
    names = [asset for asset, own in pieces for _ in own]
    found = [account for _, own in pieces for account in own]
    units = [held(account) for account in found]
    assets = {asset: world.assets[AssetId(asset)] for asset, _ in pieces}
    count = len(found)

    def of(name: str) -> list[Any]:
        texts = {asset: getattr(one, name) for asset, one in assets.items()}
        return [texts[asset] for asset in names]

    same: Mapping[str, Any] = {"kind": "claim", "message": "I am an OKX address"}
    columns: dict[str, Any] = {
        "row": range(row, row + count),
        "network": of("chain"),
        "asset": of("counts_as"),
        "address": [account.hex() for account in found],
        "amount": [str(one) for one in units],
        "chain": of("chain"),
        "asset_id": names,
        "counts_as": of("counts_as"),
        "asset_class": [one.value for one in of("asset_class")],
        "decimals": of("decimals"),
        "account": found,
        "units": [str(one) for one in units],
        "at_height": [HEIGHT] * count,
    }
    empty = {"list": [[]] * count, "bool": [False] * count}

    def column(field: pa.Field) -> Any:
        if field.name in columns:
            return columns[field.name]
        return empty.get(str(field.type).partition("<")[0], [same.get(field.name, "")] * count)

    claims = pa.table({field.name: column(field) for field in EXAMINED}, schema=EXAMINED)
    judged = {"row": columns["row"], "status": ["bound"] * count, "reason": ["key"] * count}
    columns = {**judged, "scheme": ["okx-evm"] * count, "pinned": [True] * count}
    columns |= {"asked": [b""] * count, "detail": [""] * count}
    signatures = pa.table({field.name: column(field) for field in SIGNATURES}, schema=SIGNATURES)
    sums = {asset: sum(map(held, own)) for asset, own in pieces}
    return claims, signatures, sums


def make(path: Path, rows: int, *, mixed: bool) -> None:
    """Write a run directory whose list is examined, and what it claims beside it."""
    manifest = Manifest(
        format=FORMAT, run="bench", started="", versions={}, inputs={}, options={},
        config_sha256="",
    )  # fmt: skip
    run = RunDirectory.create(path, manifest)
    files: dict[str, str] = {}
    claimed: dict[str, int] = {}
    for number, (claims, signatures, sums) in enumerate(examined(rows, mixed=mixed)):
        for stage, table in (("claims", claims), ("signatures", signatures)):
            name = f"{stage}/part-{number:06d}.parquet"
            run.write_table(name, table)
            files[name] = run.digest(name)
        claimed = {asset: claimed.get(asset, 0) + units for asset, units in sums.items()}
    run.write(INPUTS, b"{}")
    manifest.examined = {"rows": rows, "parts": len(files) // 2, "files": files}
    run.save()
    run.close()
    path.with_suffix(".json").write_text(json.dumps(claimed))


class Watch:
    """Notes the highest resident set and the seconds of each stage of this process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, int] = {}
        self._began = time.perf_counter()

    def ends(self, stage: str) -> None:
        """End a stage and begin the next one."""
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) >> 10
        self.peaks[stage] = max(self.peaks.get(stage, 0), peak)
        self.seconds[stage] = round(time.perf_counter() - self._began, 1)
        self._began = time.perf_counter()
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): begin the peak anew


class Everyone:
    """Adapter, transport and endpoint of every chain in one: what an account holds is in it."""

    endpoints = ("node",)
    statistics: Mapping[str, Any] = {}

    def __init__(self, world: Any) -> None:
        self._world = world

    def is_witness(self, _: str) -> bool:
        return False

    def redact(self, text: str) -> str:
        return text

    async def extract(self, questions: Questions, _: Snapshot) -> AsyncIterator[Extract]:
        for start in range(0, len(questions.accounts), PIECE):
            positions = range(start, min(start + PIECE, len(questions.accounts)))
            own = questions.accounts[positions.start : positions.stop]
            said = b""
            if questions.kind is QueryKind.BALANCE:
                said = b"".join(bytes(WORD - 7) + account[-7:] for account in own)
            request = Request(body=hashlib.sha256(b"".join(own)).hexdigest().encode())
            body = said.hex().encode()
            exchange = Exchange(request=request, endpoint="node", status=200, body=body)
            yield Extract(positions=positions, decoder="made-up", exchanges=(exchange,))
            await asyncio.sleep(0)

    def decode(self, questions: Questions, extract: Extract, _: Snapshot) -> Answers:
        (exchange,) = extract.exchanges
        units: Sequence[int] = Words(bytes.fromhex(exchange.body.decode()))
        facts: dict[int, str] = {}
        if questions.kind is QueryKind.ASSET_FACT:
            asset = self._world.assets[questions.asset]
            units = [0]
            facts[0] = json.dumps({"decimals": asset.decimals, "symbol": asset.symbol})
        return Answers(
            positions=extract.positions,
            units=units,
            source=Source.SINGLE,
            method=Method.STATE,
            endpoint="node",
            facts=facts,
        )


class Answering(Engine):
    """The engine of a run, with an endpoint for every chain that answers at once."""

    def __init__(self, run: RunDirectory, world: Any, watch: Watch) -> None:
        super().__init__(run, world.chains, (), Silent())
        self._everyone, self._watch = Everyone(world), watch

    async def pin(
        self,
        moments: Sequence[Moment],
        known: Mapping[str, Pinned],  # noqa: ARG002 - nothing is
    ) -> dict[str, Pinned]:
        self._watch.ends("plan")
        return {one.key: Pinned(snapshot=_snapshot(one)) for one in moments}

    async def crawl(self, plan: Any, pinned: Mapping[str, Pinned]) -> None:
        self._watch.ends("freeze")
        await super().crawl(plan, pinned)
        self._watch.ends("crawl")

    async def _transport(self, _: ChainId) -> Any:
        return self._everyone

    def _adapter(self, _: ChainId) -> Any:
        return self._everyone


def _snapshot(moment: Moment) -> Snapshot:
    text = hashlib.sha256(moment.key.encode()).hexdigest()
    return Snapshot(
        chain=moment.chain, height=moment.height, block_hash=text, time=1, endpoints=("node",)
    )


def stages(path: Path) -> dict[str, object]:
    """Plan, freeze, crawl and recount in this process, as a run does."""
    collect_rarely()
    world = load_world()
    inputs = pure.Inputs(
        world=world, policy=load_policy(), list_name="list", list_sha256="", dialect="okx",
        exchange="okx", expected=None, rounding=Rounding(), totals=(), lines={},
    )  # fmt: skip
    run = RunDirectory.open(path)
    watch = Watch()
    watch.ends("start")
    parts = jobs.examined_parts(run)
    pinned, *_ = asyncio.run(rounds.crawl(run, world, parts, Answering(run, world, watch)))
    watch.ends("rounds")
    with (
        run.replacing("rows.parquet") as file,
        pq.ParquetWriter(file, LEDGER, compression="zstd") as writer,
    ):
        stored = pure.stored_shards(run, pinned)
        result, _ = pure.recount(inputs, parts, stored, pinned, writer.write_table)
    watch.ends("recount")
    run.close()
    claimed = json.loads(path.with_suffix(".json").read_text())
    exact = _sums(result, world, "claimed") == _sums(result, world, "observed") == _made(claimed)
    digest = hashlib.sha256(msgspec.json.encode(result)).hexdigest()
    rows = _digest(path / "rows.parquet")
    plan = hashlib.sha256(msgspec.json.encode(run.manifest.plan)).hexdigest()
    return {
        "exact": exact,
        **{f"{stage}_mb": peak for stage, peak in watch.peaks.items()},
        "peak_mb": max(watch.peaks.values()),
        **{f"{stage}_s": seconds for stage, seconds in watch.seconds.items()},
        "plan_sha256": plan[:16],
        "result_sha256": digest[:16],
        "rows_sha256": rows[:16],
    }


def _digest(path: Path) -> str:
    """Digest a ledger but for the numbers of its groups, which each process gives anew."""
    digest = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, use_threads=False).drop_columns(["group"])
            with pa.BufferOutputStream() as stream:
                with pa.ipc.new_stream(stream, table.schema) as writer:
                    writer.write_table(table.combine_chunks())
                digest.update(stream.getvalue())
    return digest.hexdigest()


def _sums(result: Result, world: Any, name: str) -> dict[str, int]:
    found = {}
    for line in result.assets:
        for network in line.networks:
            decimals = world.assets[AssetId(network.asset_id)].decimals
            whole, _, fraction = str(getattr(network, name)).partition(".")
            found[network.asset_id] = int(whole + fraction.ljust(decimals, "0")[:decimals])
    return found


def _made(claimed: Mapping[str, int]) -> dict[str, int]:
    return {asset: units for asset, units in claimed.items() if units}


def measure(rows: int, *, mixed: bool) -> dict[str, object]:
    """Make the list and run the stages in a process of their own."""
    with tempfile.TemporaryDirectory(prefix="recount-bench-") as text:
        folder = Path(text)
        make(folder / "run", rows, mixed=mixed)
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.bench_memory", "--stages", str(folder / "run")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    line: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return {"bench": "memory", "rows": rows, "mixed": mixed, **line}


def main() -> None:
    """Measure and print one JSON line, or be the measured process."""
    if "--stages" in sys.argv:
        line = stages(Path(sys.argv[2]))
    elif "--make" in sys.argv:
        make(Path(sys.argv[2]), int(sys.argv[3]), mixed="mixed" in sys.argv)
        return
    else:
        rows = next((int(one) for one in sys.argv[1:] if one.isdigit()), ROWS)
        line = measure(rows, mixed="mixed" in sys.argv)
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
