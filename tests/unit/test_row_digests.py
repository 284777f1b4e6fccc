"""Digests of rows against SipHash written out plainly, and what they must tell apart."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from chains.bulk.tasks import row_digests
from crawler.tables import digests

pytestmark = pytest.mark.unit

KEY = bytes(range(16))
WORD = (1 << 64) - 1
COLUMNS = [
    pa.array(["", "a", "seven..", "eight...", "nine....."]),
    pa.array([b"\0", b"", b"\xff" * 17, b"\0\0", b"x"]),
    pa.array([["a", "b"], [], ["ab"], ["", ""], ["eight...", "c"]]),
]


def rotated(word: int, count: int) -> int:
    return (word << count | word >> (64 - count)) & WORD


def rounds(v: list[int], count: int) -> None:
    for _ in range(count):
        v[0] = (v[0] + v[1]) & WORD
        v[1] = rotated(v[1], 13) ^ v[0]
        v[0] = rotated(v[0], 32)
        v[2] = (v[2] + v[3]) & WORD
        v[3] = rotated(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & WORD
        v[3] = rotated(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & WORD
        v[1] = rotated(v[1], 17) ^ v[2]
        v[2] = rotated(v[2], 32)


def siphash(key: bytes, words: list[int]) -> bytes:
    """SipHash-2-4 with 128 bits of output over words, the last of which the caller has added."""
    low, high = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    v = [
        low ^ 0x736F6D6570736575,
        high ^ 0x646F72616E646F6D ^ 0xEE,
        low ^ 0x6C7967656E657261,
        high ^ 0x7465646279746573,
    ]
    for word in words:
        v[3] ^= word
        rounds(v, 2)
        v[0] ^= word
    out = b""
    for place, mark in ((2, 0xEE), (1, 0xDD)):
        v[place] ^= mark
        rounds(v, 4)
        out += (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")
    return out


def words_of(cells: list[object]) -> list[int]:
    found = []
    for cell in cells:
        strings = cell if isinstance(cell, list) else [cell]
        found.append(len(strings))
        for string in strings:
            raw = string.encode() if isinstance(string, str) else string
            found.append(len(raw))
            padded = raw + bytes(-len(raw) % 8)
            found += [int.from_bytes(padded[i : i + 8], "little") for i in range(0, len(padded), 8)]
    return found


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "a3817f04ba25a8e66df67214c7550293"),
        (8, "3b62a9ba6258f5610f83e264f31497b4"),
        (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
    ],
)
def test_the_plain_form_is_siphash(count, expected):
    """Vectors: veorq/SipHash, vectors.h (vectors_sip128)."""
    message = bytes(range(count))
    padded = message + bytes(7 - len(message) % 8) + bytes([len(message)])
    words = [int.from_bytes(padded[i : i + 8], "little") for i in range(0, len(padded), 8)]
    assert siphash(KEY, words).hex() == expected


def test_the_digest_of_a_row_is_siphash_of_its_words():
    rows = zip(*(column.to_pylist() for column in COLUMNS), strict=True)
    expected = [siphash(KEY, words_of(list(row))) for row in rows]
    assert [row.tobytes() for row in row_digests(COLUMNS, KEY)] == expected


def test_a_slice_is_digested_like_a_column_of_its_own():
    found = row_digests([column.slice(2, 2) for column in COLUMNS], KEY)
    assert (found == row_digests(COLUMNS, KEY)[2:4]).all()


def test_another_key_gives_other_digests():
    assert not (row_digests(COLUMNS, KEY) == row_digests(COLUMNS, bytes(16))).any()


@pytest.mark.parametrize("digest", [digests.one_by_one, digests.for_rows(digests.MANY)])
def test_what_runs_together_elsewhere_is_told_apart(digest):
    rows = [
        ("ab", "c", ["d"]), ("a", "bc", ["d"]), ("a", "bcd", []), ("", "abc", ["d"]),
        ("a", "b", ["c", "d"]), ("a", "b", ["cd"]), ("a", "b", ["cd", ""]), ("a", "b", ["", "cd"]),
        ("a\0", "b", ["cd"]), ("a", "b\0", ["cd"]), ("a", "b", ["cd\0"]),
    ]  # fmt: skip
    texts, more, lists = zip(*rows, strict=True)
    columns = [pa.array(texts), pa.array(more), pa.array(lists, pa.list_(pa.string()))]
    found = digest(columns)
    assert len(np.unique(found, axis=0)) == len(rows)
    assert (digest(columns) == found).all()
