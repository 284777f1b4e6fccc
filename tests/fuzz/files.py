"""Targets that read files of people: lists, archives, workbooks, configuration, liabilities."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path

import pyarrow as pa

from chains.errors import ConfigError
from crawler import declarations, settings
from crawler.counting.provenance import load_provenance
from crawler.endpoints import load_endpoints
from crawler.errors import ListError, UsageError
from crawler.inputs import _messages
from crawler.liabilities.table import load_liabilities
from crawler.lists import blocks, head
from crawler.lists.amounts import AmountError, amounts_to_units, parse_amount
from crawler.settings import config_root, load_heights, load_policy, load_statement, load_world
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
MOST_AMOUNTS = 64
LIABILITIES = (
    b'as_of = "2024"\nsource = "s"\n[liabilities]\nBTC = "1.5"\nETH = "2"\n',
    b'[[liabilities]]\nasset = "BTC"\namount = "1"\nas_of = "2024"\nsource = "s"\n',
    b'asset,amount,as-of,source\nBTC,1.5,2024,s\n"ETH",2,2024,"a ""b"""\n',
)


@contextlib.contextmanager
def small_blocks() -> Iterator[None]:
    """Read in small blocks: their memory is written over for every list, and edges are met."""
    before = blocks.BLOCK_SIZE, blocks.MAX_LINE, head.BLOCK_SIZE
    blocks.BLOCK_SIZE, blocks.MAX_LINE, head.BLOCK_SIZE = 1 << 10, 1 << 16, 1 << 9
    try:
        yield
    finally:
        blocks.BLOCK_SIZE, blocks.MAX_LINE, head.BLOCK_SIZE = before


def lists(name: str) -> Target:
    """Read a list that is a file of the fixtures, changed."""

    def check(data: bytes) -> None:
        path = file_with(data, "list")
        try:
            with small_blocks():
                read_through(path)
        except ListError as error:
            said = str(error)
            assert str(path) in said
            assert len(said.splitlines()) == 1
            assert len(said) < 2500
            assert "please report" not in said, said

    seeds = sorted(LISTS.glob(name))
    return Target(f"list {name}", lambda: [seed.read_bytes() for seed in seeds], check)


@cache
def workbook_members() -> Mapping[str, bytes]:
    with zipfile.ZipFile(WORKBOOK) as book:
        return {name: book.read(name) for name in book.namelist()}


def workbook_part(data: bytes) -> None:
    """Read a workbook in which one part has this content."""
    which, content = split(data, len(PARTS))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for name, usual in workbook_members().items():
            new.writestr(name, content if name == PARTS[which] else usual)
    with contextlib.suppress(ListError), small_blocks():
        read_through(file_with(out.getvalue(), "list"))


def workbook_seeds() -> list[bytes]:
    return [bytes((at,)) + workbook_members()[part] for at, part in enumerate(PARTS)]


def amounts(data: bytes) -> None:
    """Hold texts against an independent reading of plain decimals, alone and as a column."""
    decimals, rest = split(data, 78)
    texts = rest.decode("utf-8", "replace").split("\n")[:MOST_AMOUNTS]
    column = amounts_to_units(pa.array(texts, pa.string()), decimals).to_pylist()
    for text, units in zip(texts, column, strict=True):
        try:
            alone: int | None = parse_amount(text, decimals)
        except AmountError:
            alone = None
        if alone is not None:
            assert text.strip(" ").replace(".", "").isascii()
            assert Fraction(alone, 10**decimals) == Fraction(text.strip(" "))
        assert units == (None if alone is None else str(alone))


def config(name: str, load: Callable[[Path], object], *seeds: Path | bytes) -> Target:
    """Load a declaration; whatever is wrong with it is a ``ConfigError``."""

    def check(data: bytes) -> None:
        with contextlib.suppress(ConfigError):
            load(file_with(data, "config.toml"))

    found = [seed if isinstance(seed, bytes) else seed.read_bytes() for seed in seeds]
    return Target(f"config {name}", lambda: found, check)


def exchange(path: Path) -> object:
    """Load a world with one file of an exchange."""
    builder = settings._Builder()
    builder.add(WORLD, "world.toml", exchange=False)
    builder.add(declarations.read_bytes(path, path.name), path.name, exchange=True)
    return builder.world()


def provenance(path: Path) -> object:
    return load_provenance(shipped_world(), path)


@cache
def shipped_world() -> settings.World:
    return load_world()


def messages(path: Path) -> object:
    with contextlib.suppress(UsageError):
        return _messages(str(path))
    return None


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


AMOUNTS = (b"\x12 1234.5600 \n1e5\n.5\n00.10", b"\x000", b"\x08" + b"9" * 100)
SHIPPED = config_root()
TARGETS = (
    *map(lists, ("okx_[179]*.csv", "okx_[aq]*.csv", "okx_archive.zip", "htx.csv", "htx.xlsx")),
    *map(lists, ("binance.zip", "bitmex.yaml", "generic.csv", "generic.jsonl", "generic.parquet")),
    Target("workbook parts", workbook_seeds, workbook_part),
    Target("amounts", lambda: list(AMOUNTS), amounts),
    config("world", world, WORLD),
    config("policy", load_policy, SHIPPED / "policy.toml"),
    config("statement", load_statement, *sorted((SHIPPED / "statements").glob("*.toml"))),
    config("heights", load_heights, b'replaces = true\n[heights]\n"eip155:1" = 17\nBTC = 5\n'),
    config("endpoints", endpoints, ENDPOINTS),
    config("exchange", exchange, *sorted((SHIPPED / "exchanges").glob("*.toml"))),
    config("provenance", provenance, SHIPPED / "provenance.toml"),
    config("messages", messages, b"I control this wallet\r\nanother text\n"),
    Target("liabilities", lambda: [b"\0" + LIABILITIES[0], b"\0" + LIABILITIES[1],
                                   b"\1" + LIABILITIES[2]], liabilities),
)  # fmt: skip
