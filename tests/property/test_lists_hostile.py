"""Lists made to harm: every one is read to its end or refused in one clear line."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.cli import main
from crawler.errors import ListError
from crawler.lists import blocks, open_list
from crawler.model import RowKind
from tests.property.test_lists import read_through

pytestmark = pytest.mark.property

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lists"
WORKBOOK = (FIXTURES / "htx.xlsx").read_bytes()
OKX = (
    "coin,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key"
)
HTX = "coin,address,snapshot height,balance,message,signature"
BINANCE = "coin,network,address,balance,Height,Third party custodian name"
GENERIC = "network,address,asset,amount,height,message,signature1,signatures"
HEADERS = (OKX, HTX, BINANCE, GENERIC)

relaxed = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NASTY = st.one_of(
    st.sampled_from(
        [
            "NaN",
            "inf",
            "-0",
            "1e999",
            "0x10",
            "1_000",
            "9" * 5000,
            "\u202e\u2066drowssap\u2069",
            "\u200b\u200d\ufeff",
            "\x00",
            "\x1b[31m",
            "\x85",
            "\u2028",
            "../../etc/passwd",
            "=HYPERLINK(1)",
            "{" * 3000,
            "[" * 3000,
            '"' * 3000,
            "&a",
            "*a",
            "!!int 1",
            "<<",
            "---",
            "~",
            "a: b",
            "\u0661\u0662",
            "\U0001f600",
            "null",
            "-",
            "\\N",
            "",
        ]
    ),
    st.text(max_size=20),
    st.integers().map(str),
)


def outcome(path: Path) -> list[dict[str, Any]] | None:
    """All rows, or nothing when the list is refused as it should be: one line, naming the file."""
    try:
        return read_through(path)
    except ListError as error:
        said = str(error)
        assert str(path) in said
        assert len(said.splitlines()) == 1
        assert len(said) < 2500
        assert "please report" not in said
        assert not re.search(
            "[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", said.replace(str(path), "")
        )
        return None


@relaxed
@given(header=st.sampled_from(HEADERS), rows=st.lists(st.lists(NASTY, max_size=10), max_size=8))
def test_nasty_fields(header: str, rows: list[list[str]], tmp_path: Path) -> None:
    path = tmp_path / "list"
    text = "\n".join([header, *(",".join(row) for row in rows)])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = outcome(path)
    if found is not None:
        given = re.sub(r"[\s,\"]", "", text)
        for row in found:
            assert re.sub(r"[\s,\"]", "", row["amount"]) in given


@relaxed
@given(
    records=st.lists(st.dictionaries(NASTY, st.one_of(NASTY, st.none(), st.floats())), max_size=5)
)
def test_nasty_json(records: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "list"
    first = {"network": "eip155:1", "address": "0x00"}
    lines = [json.dumps({**first, **record}) for record in records]
    path.write_text("\n".join([json.dumps(first), *lines, '{"address":1,"address":2}']))
    found = outcome(path)
    assert found is not None
    assert len(found) == len(records) + 2
    assert found[-1]["kind"] == RowKind.MALFORMED


YAML = st.recursive(
    st.one_of(NASTY, st.none(), st.integers(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(NASTY, st.just("addr")), inner)
    ),
    max_leaves=12,
)
ENTRY = st.dictionaries(st.sampled_from(["addr", "balance", "script", "addr_type", "x"]), YAML)


@relaxed
@given(
    document=st.fixed_dictionaries(
        {"chain": NASTY, "height": st.one_of(st.integers(0, 10**9), NASTY)},
        optional={"address": st.lists(ENTRY, max_size=5), "custodial": YAML, "total": YAML},
    ),
    noise=st.lists(st.tuples(st.floats(0, 1), NASTY), max_size=2),
)
def test_nasty_yaml(
    document: dict[str, Any], noise: list[tuple[float, str]], tmp_path: Path
) -> None:
    path = tmp_path / "list"
    # JSON's forms of texts, lists and objects are YAML.
    text = "".join(f"{key}:{_block(value)}\n" for key, value in document.items())
    for place, extra in noise:
        at = int(place * len(text))
        text = text[:at] + extra + text[at:]
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = outcome(path)
    if found is not None and not noise:
        entries = document.get("address", [])
        assert len([row for row in found if row["type"] != "custodial"]) >= len(entries)


def _block(value: Any) -> str:
    if isinstance(value, list):
        return "".join(f"\n- {json.dumps(item)}" for item in value) if value else " []"
    return " " + json.dumps(value)


def _rezipped(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return out.getvalue()


@relaxed
@given(
    member=st.sampled_from(["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), NASTY), min_size=1, max_size=3),
    raw=st.booleans(),
)
def test_nasty_workbooks(
    *, member: str, cuts: list[tuple[float, int, str]], raw: bool, tmp_path: Path
) -> None:
    def change(name: str, data: bytes) -> bytes:
        for place, length, extra in cuts if name == member else []:
            at = int(place * len(data))
            text = extra if raw else escape(extra)
            data = data[:at] + text.encode("utf-8", "surrogatepass") + data[at + length :]
        return data

    path = tmp_path / "list"
    path.write_bytes(_rezipped(WORKBOOK, change))
    outcome(path)


@relaxed
@given(name=st.one_of(NASTY, st.text(min_size=1, max_size=30)), suffix=st.booleans())
def test_nasty_names_in_archives(*, name: str, suffix: bool, tmp_path: Path) -> None:
    path = tmp_path / "list"
    name = (name.replace("\0", "").encode("utf-8", "replace").decode() or "x")[:200] + (
        ".csv" if suffix else ""
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, HTX + "\nBTC,1a,1,1,-,-\n")
    found = outcome(path)
    assert found is None or len(found) == 1
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("header", HEADERS)
def test_a_line_without_end_is_cut_off_by_a_limit(header: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(header.encode() + b"\n" + b"a" * 3_000_000)
    with (
        patch.object(blocks, "BLOCK_SIZE", 1 << 16),
        pytest.raises(ListError, match="line 2: longer"),
    ):
        read_through(path)


def test_an_archive_that_lies_about_its_size(tmp_path: Path) -> None:
    """A bomb whose directory says that it unpacks to little: what is read is never more."""
    path = tmp_path / "list"
    bomb = (HTX + "\n").encode() + b"BTC,1a,1,1,-,-\n" * 4_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bomb)
    data = path.read_bytes()
    assert len(data) < len(bomb) // 200
    assert outcome(path) is None
    path.write_bytes(data.replace(struct.pack("<L", len(bomb)), struct.pack("<L", 1000)))
    assert outcome(path) is None


def test_a_workbook_that_unpacks_to_gigabytes_is_stopped_early(tmp_path: Path) -> None:
    def fill(name: str, data: bytes) -> bytes:
        blank = b" " * (300 << 20) if name == "xl/styles.xml" else b""
        return data + blank

    path = tmp_path / "list"
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(WORKBOOK)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            new.writestr(name, fill(name, old.read(name)))
    path.write_bytes(out.getvalue())
    start = time.process_time()
    with pytest.raises(ListError, match="unpacks to more than"):
        open_list(path)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + b"\xff" * 100,
        b"PK\x05\x06" + b"\0" * 18,
        b"PAR1" + b"\xff" * 100 + b"PAR1",
        b"chain: main\nheight: &a 1\n",
        b"chain: " + b"[" * 100_000,
        b'{"network": ' + b"[" * 100_000,
        b"\xff\xfec\0o\0i\0n\0",
        b"",
        gzip.compress(HTX.encode()),
        gzip.compress(gzip.compress(b"coin," * 1000)),
        _rezipped(WORKBOOK, lambda name, data: WORKBOOK if name.endswith("sheet1.xml") else data),
        WORKBOOK[:3000],
        _rezipped(WORKBOOK, lambda name, data: b"" if name.endswith("sheet1.xml") else data),
        _rezipped(WORKBOOK, lambda _, __: b"<!DOCTYPE a []><a/>"),
    ],
    ids=range(14),
)
def test_the_command_ends_with_exit_code_2_and_one_sentence(
    data: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(data)
    monkeypatch.setattr("sys.argv", ["recount", "verify", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "hostile" in said
