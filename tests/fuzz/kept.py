"""Targets that read what a run keeps: packs, tables, manifest, report; and a cluster's messages."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from chains.model import ChainId, Exchange, Extract, Request, Snapshot
from chains.transport import EndpointStatistics, RetryPolicy
from crawler.asking.plan import PLAN
from crawler.cluster import wire
from crawler.counting.ledger import LEDGER
from crawler.crawling import circumstances, evidence
from crawler.crawling.answers import ANSWERS
from crawler.errors import EnvironmentFault, RecountError, UsageError
from crawler.examining import earlier
from crawler.jobs import stored_inputs
from crawler.keeping.objects import LOCK, Holder, ObjectStore, _boot
from crawler.keeping.runs import FORMAT, Manifest, RunDirectory, ShardEntry
from crawler.keeping.storage import Url
from crawler.reports import document
from crawler.rowview import kept
from tests.fuzz.target import Target, file_with, place, split

ROOT = Path(__file__).parents[2]


def extracts() -> list[Extract]:
    request = Request(path="/x", body=b'{"method": "eth_call"}')
    said = Exchange(request=request, endpoint="one", status=200, body=b'{"result": "0x10"}')
    binary = Exchange(request=request, endpoint="one", status=200, body=b"\xff\x00\x10")
    failed = Exchange(request=request, endpoint="two", failure="timeout", retryable=True)
    return [
        Extract(positions=[0, 1], decoder="batch", exchanges=(said, failed)),
        Extract(positions=[2], decoder="single", exchanges=(binary,)),
    ]


def pack() -> bytes:
    path = place() / "made.zst"
    header = evidence.Header(format=evidence.FORMAT, subject="d", attempt=1)
    writer = evidence.PackWriter(path, header)
    for extract in extracts():
        writer.add(extract)
    writer.close()
    return path.read_bytes()


def pack_lines() -> bytes:
    (place() / "made.zst").write_bytes(pack())
    with pa.input_stream(str(place() / "made.zst"), compression="zstd") as stream:
        return bytes(stream.read())


def read_pack(data: bytes) -> None:
    """Read a pack: every exchange in it has the digest under which it stands."""
    path = file_with(data, "pack.zst")
    with contextlib.suppress(EnvironmentFault):
        for line in evidence.read_pack(path):
            if isinstance(line, Extract):
                assert len(evidence.extract_digests(line)) == len(line.exchanges)


def read_pack_lines(data: bytes) -> None:
    """Read a pack of these lines; an exchange that is read stands under its own digest.

    A digest is no signature: guided by what it is compared with, a fuzzer writes the right one.
    """
    path = place() / "pack.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(data)
    with contextlib.suppress(EnvironmentFault):
        for line in evidence.read_pack(path):
            if isinstance(line, Extract):
                assert all(one.encode() in data for one in evidence.extract_digests(line))


def run_directory() -> RunDirectory:
    """Return an empty run, without its lock."""
    manifest = Manifest(
        format=FORMAT, run="r", started="", versions={}, inputs={}, options={}, config_sha256=""
    )
    run = RunDirectory(place() / "run", manifest)
    for part in ("plan", "shards", "inputs"):
        (run.path / part).mkdir(parents=True, exist_ok=True)
    return run


def table_target(name: str, table: pa.Table) -> Target:
    """Read a table of a run: what was written, or a fault."""

    def seeds() -> list[bytes]:
        run = run_directory()
        run.write_table(name, table)
        return [(run.path / name).read_bytes()]

    def check(data: bytes) -> None:
        run = run_directory()
        (run.path / name).write_bytes(data)
        with contextlib.suppress(EnvironmentFault):
            run.read_table(name, schema=table.schema).validate(full=True)

    return Target(f"table {name.partition('/')[0]}", seeds, check)


ANSWERED = pa.Table.from_pylist(
    [
        {
            **dict.fromkeys(("parts", "facts", "source", "method", "endpoint", "detail"), "x"),
            "position": n,
            "account": b"a" * 20,
            "subject": b"a" * 20,
            "extract": 0,
            "units": None if n else str(7**30),
            "gap": "timeout" * (n > 0),
            "retryable": n > 0,
        }
        for n in range(3)
    ],
    schema=ANSWERS,
)
PLANNED = pa.table({"account": [b"a" * 20, b"b" * 20]}, schema=PLAN)


def manifest(data: bytes) -> None:
    run = run_directory()
    (run.path / "manifest.json").write_bytes(data)
    with contextlib.suppress(EnvironmentFault, UsageError):
        RunDirectory.open(run.path, lock=False)


def manifests() -> list[bytes]:
    run = run_directory()
    run.save()
    return [(run.path / "manifest.json").read_bytes()]


def inputs(data: bytes) -> None:
    run = run_directory()
    (run.path / "inputs/inputs.json").write_bytes(data)
    with contextlib.suppress(EnvironmentFault):
        stored_inputs(run)


def endpoint_lines(data: bytes) -> None:
    """Read what endpoints did in earlier processes of a run."""
    run = run_directory()
    (run.path / circumstances.CIRCUMSTANCES).write_bytes(data)
    with contextlib.suppress(EnvironmentFault):
        circumstances.stored_circumstances(run)


def earlier_inputs(data: bytes) -> None:
    """Read whose list an earlier run was about."""
    run = run_directory()
    (run.path / "inputs/inputs.json").write_bytes(data)
    with contextlib.suppress(EnvironmentFault):
        earlier._exchange(run)


def rows_table() -> bytes:
    """Return a ledger of three rows, two of which are about one account."""
    rows = []
    for n in range(3):
        row: dict[str, Any] = {}
        for field in LEDGER:
            row[field.name] = "x" if field.type == pa.string() else n
        rows.append({**row, "group": n // 2})
    path = place() / "made.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=LEDGER), path)
    return path.read_bytes()


def rows(data: bytes) -> None:
    """Look for a row in a ledger; those of its group come with it."""
    run = run_directory()
    (run.path / kept.ROWS).write_bytes(data)
    with contextlib.suppress(RecountError):
        found = kept._ledger(run, 1)
        assert found["row"].to_pylist().count(1) == 1
        assert len(set(found["group"].to_pylist())) == 1


def report(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        document.encode(document.decode(data))


ENTRY = ShardEntry(
    digest="d", kind="balance", chain="eip155:1", height=1, asset="eip155:1/slip44:60", questions=2
)
MESSAGES: Mapping[Any, msgspec.Struct] = {
    wire.Setup: wire.Setup(
        epoch="e",
        build={"build": "b"},
        place="runs/r",
        specs={},
        endpoints=(),
        retry=RetryPolicy(),
    ),
    wire.ShardTask: wire.ShardTask(
        entry=ENTRY,
        at=Snapshot(
            chain=ChainId("eip155:1"), height=1, block_hash="0x1", time=1, endpoints=("a",)
        ),
    ),
    wire.Lease: wire.Lease(epoch="e", shares={"a": wire.Share(1, "1/3")}, lasting_s=1.0),
    wire.Told: wire.Told(under_way={"a": 1}, statistics={"a": EndpointStatistics(requests=1)}),
}


def lock_seeds() -> list[bytes]:
    holder = Holder(socket.gethostname(), _boot(), 1 << 22, "2024-01-01T00:00:00+00:00")
    return [msgspec.json.encode(holder)]


def lock(data: bytes) -> None:
    """Take over the lock of a run in an object store, if its process has ended."""
    store = ObjectStore(Url("memory://fuzz/run"))
    store._files.pipe_file(store._at(LOCK), data)
    with contextlib.suppress(EnvironmentFault):
        store._take_over()


def cluster_message(data: bytes) -> None:
    """Read what a worker tells, and what a worker is told: a message, or nothing."""
    which, said = split(data, len(MESSAGES))
    kind = tuple(MESSAGES)[which]
    found = wire.read(said, kind)
    assert found is None or type(found) is kind


def cluster_messages() -> list[bytes]:
    return [bytes((at,)) + msgspec.json.encode(one) for at, one in enumerate(MESSAGES.values())]


def cluster_address(data: bytes) -> None:
    """Judge an address of a scheduler: one that is refused says so."""
    plain, text = split(data, 2)
    with contextlib.suppress(UsageError):
        wire.check_address(text.decode("utf-8", "replace"), plain=bool(plain))


INPUTS = b'{"world":{"chains":{},"assets":{},"exchanges":{},"aliases":{},"schemes":{},"digest":""}'
LINES = (
    b'[{"name":"a","chain":"eip155:1","role":"primary","url":"https://h","used":true,'
    b'"rejected":"","troubles":{"timeout":1},"requests":5}]'
)
WHOSE = b'{"exchange":"okx","heights":{}}'
ADDRESSES = (b"\0tls://host:8786", b"\1tcp://[::1]:1")
TARGETS = (
    Target("evidence pack", lambda: [pack()], read_pack),
    Target("evidence lines", lambda: [pack_lines()], read_pack_lines),
    table_target("shards/x.parquet", ANSWERED),
    table_target("plan/x.parquet", PLANNED),
    Target("rows", lambda: [rows_table()], rows),
    Target("manifest", manifests, manifest),
    Target("inputs", lambda: [INPUTS], inputs),
    Target("inputs of an earlier run", lambda: [WHOSE], earlier_inputs),
    Target("circumstances", lambda: [LINES], endpoint_lines),
    Target("report", lambda: [(ROOT / "fixtures/reports/golden.json").read_bytes()], report),
    Target("lock", lock_seeds, lock),
    Target("cluster messages", cluster_messages, cluster_message),
    Target("cluster addresses", lambda: list(ADDRESSES), cluster_address),
)
