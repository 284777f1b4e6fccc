"""Targets that read files: lists, archives, workbooks, configuration, and a run's own files."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pyarrow as pa

from chains.errors import ConfigError
from chains.model import Exchange, Extract, Request
from crawler import declarations, evidence, settings
from crawler.answers import ANSWERS
from crawler.endpoints import load_endpoints
from crawler.errors import EnvironmentFault, ListError, UsageError
from crawler.jobs import stored_inputs
from crawler.liabilities.table import load_liabilities
from crawler.lists.amounts import AmountError, amounts_to_units, parse_amount
from crawler.plan import PLAN
from crawler.reports import document
from crawler.runs import FORMAT, Manifest, RunDirectory
from crawler.settings import config_root, load_heights, load_policy, load_statement
from tests.fuzz.target import Target, file_with, place, split
from tests.property.test_lists import read_through

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "fixtures/lists"
WORKBOOK = LISTS / "htx.xlsx"
PARTS = ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml")
WORLD = b"""replaces = true
[chains."eip155:1"]
name = "E"
adapter = "eip155"
address = "evm"
native = "eip155:1/slip44:60"
source = "s"
params = { chain_id = 1 }
aliases = ["eth", "main"]
[assets."eip155:1/slip44:60"]
symbol = "ETH"
decimals = 18
counts_as = "ETH"
class = "native"
source = "s"
max_supply = 5
[schemes]
eip155 = ["eip191"]
[[exchanges]]
name = "x"
title = "X"
messages = ["m"]
networks = [{ network = "E", chain = "eip155:1", schemes = ["okx-evm"] }]
labels = [{ asset = "ETH", id = "eip155:1/slip44:60" }]
"""
ENDPOINTS = b"""found = "found.toml"
[[endpoints]]
name = "one"
chain = "eip155:1"
url = "https://user:${KEY}@example.org/v2/abc?key=1"
role = "witness"
rate = "1.5"
headers = { X-Key = "${KEY}" }
[[endpoints]]
name = "two"
chain = "bip122:000000000019d6689c085ae165831e93"
url = "ssl://127.0.0.1:50002"
protocol = "electrum"
"""
LIABILITIES = (
    b'as_of = "2024"\nsource = "s"\n[liabilities]\nBTC = "1.5"\nETH = "2"\n',
    b'[[liabilities]]\nasset = "BTC"\namount = "1"\nas_of = "2024"\nsource = "s"\n',
    b'asset,amount,as-of,source\nBTC,1.5,2024,s\n"ETH",2,2024,"a ""b"""\n',
)


def lists(name: str) -> Target:
    """Read a list that is a file of the fixtures, changed."""

    def check(data: bytes) -> None:
        path = file_with(data, "list")
        try:
            read_through(path)
        except ListError as error:
            said = str(error)
            assert str(path) in said
            assert len(said.splitlines()) == 1
            assert len(said) < 2500
            assert "please report" not in said, said

    seeds = sorted(LISTS.glob(name))
    return Target(f"list {name}", lambda: [seed.read_bytes() for seed in seeds], check)


def workbook_part(data: bytes) -> None:
    """Read a workbook in which one part has this content."""
    which, content = split(data, len(PARTS))
    out = io.BytesIO()
    with zipfile.ZipFile(WORKBOOK) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == PARTS[which] else old.read(name))
    with contextlib.suppress(ListError):
        read_through(file_with(out.getvalue(), "list"))


def workbook_seeds() -> list[bytes]:
    with zipfile.ZipFile(WORKBOOK) as book:
        return [bytes((at,)) + book.read(part) for at, part in enumerate(PARTS)]


def amounts(data: bytes) -> None:
    """Hold a text against an independent reading of plain decimals."""
    decimals, rest = split(data, 78)
    text = rest.decode("utf-8", "replace")
    try:
        units: int | None = parse_amount(text, decimals)
    except AmountError:
        units = None
    if units is not None:
        assert text.strip(" ").replace(".", "").isascii()
        assert Fraction(units, 10**decimals) == Fraction(text.strip(" "))
    column = amounts_to_units(pa.array([text], pa.string()), decimals)[0].as_py()
    assert column == (None if units is None else str(units))


def config(name: str, load: Callable[[Path], object], *seeds: Path | bytes) -> Target:
    """Load a declaration; whatever is wrong with it is a ``ConfigError``."""

    def check(data: bytes) -> None:
        with contextlib.suppress(ConfigError):
            load(file_with(data, "config.toml"))

    found = [seed if isinstance(seed, bytes) else seed.read_bytes() for seed in seeds]
    return Target(f"config {name}", lambda: found, check)


def world(path: Path) -> object:
    """Load a world that consists of one file."""
    builder = settings._Builder()
    builder.add(declarations.read_bytes(path, path.name), path.name, exchange=False)
    return builder.world()


def endpoints(path: Path) -> object:
    (place() / "found.toml").write_text("[found.one]\nbatch = 5\n")
    return load_endpoints(path, {"KEY": "s3cr3t-of-the-endpoint"})


def liabilities(data: bytes) -> None:
    which, content = split(data, 2)
    with contextlib.suppress(ConfigError):
        for one in load_liabilities(file_with(content, ("l.toml", "l.csv")[which])).values():
            assert one.coins >= 0


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
    """Read a pack of these lines; an exchange that is read is one that was written."""
    path = place() / "pack.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(data)
    known = {evidence.digest(one) for extract in extracts() for one in extract.exchanges}
    with contextlib.suppress(EnvironmentFault):
        for line in evidence.read_pack(path):
            if isinstance(line, Extract):
                assert {*evidence.extract_digests(line)} <= known


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


def report(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        document.encode(document.decode(data))


SHIPPED = config_root()
INPUTS = b'{"world":{"chains":{},"assets":{},"exchanges":{},"aliases":{},"schemes":{},"digest":""}'
TARGETS = (
    *map(lists, ("okx_[17]*.csv", "okx_[aq]*.csv", "okx_archive.zip", "htx.csv", "htx.xlsx")),
    *map(lists, ("binance.zip", "bitmex.yaml", "generic.csv", "generic.jsonl", "generic.parquet")),
    Target("workbook parts", workbook_seeds, workbook_part),
    Target("amounts", lambda: [b"\x12 1234.5600 ", b"\x000", b"\x08" + b"9" * 100], amounts),
    config("world", world, WORLD),
    config("policy", load_policy, SHIPPED / "policy.toml"),
    config("statement", load_statement, *sorted((SHIPPED / "statements").glob("*.toml"))),
    config("heights", load_heights, b'replaces = true\n[heights]\n"eip155:1" = 17\nBTC = 5\n'),
    config("endpoints", endpoints, ENDPOINTS),
    Target("liabilities", lambda: [b"\0" + LIABILITIES[0], b"\0" + LIABILITIES[1],
                                   b"\1" + LIABILITIES[2]], liabilities),
    Target("evidence pack", lambda: [pack()], read_pack),
    Target("evidence lines", lambda: [pack_lines()], read_pack_lines),
    table_target("shards/x.parquet", ANSWERED),
    table_target("plan/x.parquet", PLANNED),
    Target("manifest", manifests, manifest),
    Target("inputs", lambda: [INPUTS], inputs),
    Target("report", lambda: [(ROOT / "fixtures/reports/golden.json").read_bytes()], report),
)  # fmt: skip
