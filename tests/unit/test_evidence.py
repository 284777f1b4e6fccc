"""Evidence packs: what went over the wire, exactly, or a fault that names the file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from chains.model import Exchange, Extract, Request
from crawler.crawling import evidence
from crawler.crawling.evidence import FORMAT, Header, PackWriter, digest, extract_digests, read_pack
from crawler.errors import EnvironmentFault

pytestmark = pytest.mark.unit

HEADER = Header(format=FORMAT, subject="shard", attempt=2, witness=True)


def exchange(received: bytes = b"answer", sent: bytes = b"question", **more: Any) -> Exchange:
    fields = {"endpoint": "one", "status": 200, "own_node": True, **more}
    return Exchange(request=Request(path="/p", body=sent), body=received, **fields)


def write(path: Path, *extracts: Extract) -> Path:
    pack = PackWriter(path, HEADER)
    for extract in extracts:
        pack.add(extract)
    pack.close()
    return path


def text_of(path: Path) -> bytes:
    with pa.input_stream(str(path), compression="zstd") as stream:
        return bytes(stream.read())


def rewrite(path: Path, text: bytes) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(text)


BODIES = [
    b"",
    b"text",
    "gr\u00fc\u00df \u2713 \U0001f600".encode(),
    b"\xff\xfe\x00",
    b"\x00",
    bytes(range(256)),
    b"line\nline\r\n",
    b'{"a":"\\u0000"}',
    b"\xed\xa0\x80",
    "\ufeffx".encode(),
]


@pytest.mark.parametrize("body", BODIES)
def test_any_bytes_come_back_exactly(tmp_path: Path, body: bytes) -> None:
    extract = Extract(
        positions=[0, 5],
        decoder="d",
        exchanges=(exchange(body), exchange(sent=body), exchange(failure="timeout", status=0)),
    )
    path = write(tmp_path / "pack.zst", extract, extract)
    assert list(read_pack(path)) == [HEADER, extract, extract]


def test_text_stands_as_text_for_an_auditor_to_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p", Extract(positions=[0], decoder="d", exchanges=(exchange(b'{"x":1}'),))
    )
    line = json.loads(text_of(path).splitlines()[1])
    assert line["exchanges"][0]["received"] == '{"x":1}'


def test_a_digest_depends_on_request_answer_endpoint_status_and_failure() -> None:
    base = exchange()
    changed = [
        exchange(b"answer2"),
        exchange(sent=b"question2"),
        exchange(b"", sent=b"questionanswer"),
        exchange(endpoint="two"),
        exchange(status=500),
        exchange(failure="refused"),
        msgspec.structs.replace(base, request=Request(path="/q", body=b"question")),
        msgspec.structs.replace(base, request=Request(path="/pq", body=b"uestion")),
        exchange(endpoint="one2", status=0),
        exchange(endpoint="one", status=20),
        msgspec.structs.replace(base, request=Request(path="/p", body=b"question", method="GET")),
    ]
    assert len({digest(entry) for entry in [base, *changed]}) == len(changed) + 1
    assert digest(exchange()) == digest(base)


def test_digests_of_an_extract_are_in_order() -> None:
    one, two = exchange(b"1"), exchange(b"2")
    extract = Extract(positions=[0], decoder="d", exchanges=(one, two))
    assert extract_digests(extract) == [digest(one), digest(two)]


def good(path: Path) -> Path:
    exchanges = (exchange(b"answer" * 50), exchange(bytes(range(256))))
    return write(path, *(Extract(positions=[n], decoder="d", exchanges=exchanges) for n in (0, 1)))


def replaced(old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        before = text_of(path)
        assert old in before
        rewrite(path, before.replace(old, new, 1))

    return change


def cut(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def cut_by_one(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty file"),
        pytest.param(lambda path: path.write_bytes(b"no zstd at all"), id="no zstd"),
        pytest.param(lambda path: rewrite(path, b""), id="nothing packed"),
        pytest.param(cut, id="cut in half"),
        pytest.param(cut_by_one, id="last byte cut"),
        pytest.param(flipped, id="a byte flipped"),
        pytest.param(lambda path: rewrite(path, text_of(path)[:-20]), id="last line incomplete"),
        pytest.param(lambda path: rewrite(path, text_of(path)[:-1]), id="last line feed missing"),
        pytest.param(lambda path: rewrite(path, text_of(path) + b"\n"), id="an empty line"),
        pytest.param(lambda path: rewrite(path, b"[]\n"), id="no header"),
        pytest.param(replaced(b"recount/evidence/1", b"recount/evidence/2"), id="another format"),
        pytest.param(replaced(b"answer", b"Answer"), id="an answer edited"),
        pytest.param(replaced(b"question", b"Question"), id="a request edited"),
        pytest.param(replaced(b'"status":200', b'"status":201'), id="a status edited"),
        pytest.param(replaced(b'"one"', b'"two"'), id="an endpoint edited"),
        pytest.param(replaced(b'"sha256":"', b'"sha256":"0'), id="a digest edited"),
        pytest.param(replaced(b'"received_base64":"', b'"received_base64":"*'), id="bad base64"),
        pytest.param(replaced(b'"positions":[0]', b'"positions":["a"]'), id="bad positions"),
        pytest.param(replaced(b"answer", b"\xff\xff"), id="not UTF-8"),
        pytest.param(replaced(b'{"positions"', b'{"x":' + b"[" * 3000), id="deep"),
    ],
)
def test_a_damaged_or_edited_pack_is_a_fault_that_names_the_file(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = good(tmp_path / "shard.1.jsonl.zst")
    assert len(list(read_pack(path))) == 3
    damage(path)
    with pytest.raises(EnvironmentFault, match=r"shard\.1\.jsonl\.zst"):
        list(read_pack(path))


def test_a_long_pack_is_read_block_by_block(tmp_path: Path) -> None:
    big = Extract(positions=[0], decoder="d", exchanges=(exchange(b"\xff" * (5 << 20)),))
    small = Extract(positions=[1], decoder="d", exchanges=(exchange(),))
    path = write(tmp_path / "pack", big, small, big)
    assert list(read_pack(path)) == [HEADER, big, small, big]


def test_a_line_without_end_takes_no_more_time_for_each_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pack.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(b"a" * (24 << 20))
    monkeypatch.setattr(evidence, "BLOCK", 1 << 14)
    began = time.process_time()
    with pytest.raises(EnvironmentFault, match="the last line is incomplete"):
        list(read_pack(path))
    assert time.process_time() - began < 1
