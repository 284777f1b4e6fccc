"""Whole columns against the libraries and the code that deal with one row."""

from __future__ import annotations

import hashlib
import random
from base64 import b64encode

import numpy as np
import pyarrow as pa
import pytest
from numba import types
from sha3 import keccak_256

from chains.addresses import AddressError, bitcoin, evm, solana, tron
from chains.addresses.base58 import bytes_to_base58, bytes_to_base58check
from chains.bulk import Unavailable, rows_as_texts, texts
from chains.bulk.encodings import HexBytes, base64
from chains.bulk.hashes import keccak256, sha256
from chains.bulk.machine import c_function
from chains.signatures.ed25519 import FIELD, SMALL_ORDER, _is_weak
from chains.signatures.lanes.ed25519 import _doubtful

pytestmark = pytest.mark.unit

DICE = random.Random("bulk")
STRINGS = [DICE.randbytes(length) for length in [*range(150), 271, 272, 273, 600]]
BITCOIN = {"p2pkh": [0], "p2sh": [5], "hrp": "bc"}


def column(values):
    return texts(pa.array(values, pa.binary()))


def lines(rows):
    return [row.tobytes() for row in rows]


@pytest.mark.parametrize(
    ("of_column", "of_one"),
    [
        (keccak256, lambda string: keccak_256(string).digest()),
        (sha256, lambda string: hashlib.sha256(string).digest()),
    ],
)
def test_hashes_of_a_column_are_those_of_the_library(of_column, of_one):
    assert lines(of_column(column(STRINGS))) == [of_one(string) for string in STRINGS]


def test_a_slice_of_a_column_is_read_from_its_own_place():
    whole = pa.array([b"", b"one", b"two", b"three"])
    assert lines(sha256(texts(whole.slice(2)))) == lines(sha256(column([b"two", b"three"])))


def test_rows_of_one_width_are_read_as_strings():
    rows = np.arange(24, dtype=np.uint8).reshape(3, 8)[:, 2:]
    assert lines(keccak256(rows_as_texts(rows))) == lines(keccak256(column(lines(rows))))


@pytest.mark.parametrize(
    "text",
    ["", "0x", "0", "00f", "0x0g", "0X00", " 00", "00 ", "0 0 ", "\u0660\u0661", "0x00\n"],
)
def test_what_is_no_hex_of_the_width_is_left_out(text):
    rows, good = HexBytes(texts(pa.array([text, "0xaF"]))).rows(1)
    assert (good.tolist(), rows[1].tolist()) == ([False, True], [0xAF])


def test_base64_is_exact_or_left_out():
    right = b64encode(bytes(range(65))).decode()
    inexact = right[:-2] + chr(ord(right[-2]) + 1) + "="
    found = [right, inexact, right[:-1], right + "=", " " + right[1:], right.replace("=", "A")]
    rows, good = base64(texts(pa.array(found)), 65)
    assert good.tolist() == [True] + [False] * 5
    assert rows[0].tobytes() == bytes(range(65))


def _changed(text):
    place = DICE.randrange(len(text) + 1)
    other = DICE.choice("0123456789abcdefABCDEFqpzry9x8gf2tvdw0s3jn54khce6mua7l1OIl \u00e9")
    ways = [
        text[:place] + other + text[place + 1 :], text[:place] + other + text[place:],
        text[:place] + text[place + 1 :], text.upper(), text.lower(), text.swapcase(), "1" + text,
        text[1:], text + text, text[:place] + text[place:].swapcase(),
    ]  # fmt: skip
    return DICE.choice([text, *ways])


def _p2wsh(value, params):
    return bitcoin.script_hash_columns(value, params)[0]


def _p2sh(value, params):
    return bitcoin.script_hash_columns(value, params)[1]


@pytest.mark.parametrize(
    ("module", "of_column", "params", "around", "make"),
    [
        (evm, evm.decode_column, {}, (0, None), lambda raw: evm.encode(raw[:20], {})),
        (tron, tron.decode_column, {}, (0, None), lambda raw: tron.encode(raw[:20], {})),
        (solana, solana.decode_column, {}, (0, None), lambda raw: bytes_to_base58(raw[:32])),
        (bitcoin, _p2wsh, BITCOIN, (2, None), lambda raw: bitcoin.encode(b"\0\x20" + raw, BITCOIN)),
        (bitcoin, _p2sh, BITCOIN, (2, -1), lambda raw: bytes_to_base58check(b"\5" + raw[:20])),
    ],
)
def test_addresses_of_a_column_are_those_of_single_texts(module, of_column, params, around, make):
    plain = [make(bytes(zeros) + DICE.randbytes(32 - zeros)) for zeros in (0, 0, 1, 2, 31)]
    found = [_changed(DICE.choice(plain)) for _ in range(600)] + plain
    accounts, good = of_column(texts(pa.array(found)), params)
    assert good[-len(plain) :].all()
    assert not good.all()
    for text, account, is_good in zip(found, accounts, good, strict=True):
        if is_good:
            assert module.decode(text, params)[slice(*around)] == account.tobytes(), text
    with pytest.raises(AddressError):
        module.decode(found[int(np.flatnonzero(~good)[0])] + "!", params)


@pytest.mark.parametrize("sign", [0, 0x80])
def test_every_weak_point_is_in_doubt(sign):
    numbers = [
        *range(FIELD - 5, 2**255),
        *(int.from_bytes(point, "little") for point in SMALL_ORDER),
    ]
    points = [number.to_bytes(32, "little") for number in numbers]
    points = [point[:31] + bytes([point[31] | sign]) for point in points] + [bytes(range(32))]
    rows = np.frombuffer(b"".join(points), np.uint8).reshape(-1, 32)
    doubtful = _doubtful(rows).tolist()
    assert sum(map(_is_weak, points)) > 20
    assert not any(
        _is_weak(point) and not doubt for point, doubt in zip(points, doubtful, strict=True)
    )
    assert not doubtful[-1]


def test_a_library_without_the_function_is_said_to_lack_it():
    from coincurve import _libsecp256k1  # noqa: PLC0415

    with pytest.raises(Unavailable, match="secp256k1_not_there"):
        c_function(_libsecp256k1, "secp256k1_not_there", types.int32())
