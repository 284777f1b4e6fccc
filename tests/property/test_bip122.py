"""Generated dumps: the fast pass and the plain reader agree, on good files and on damaged ones."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from chains.adapters.bip122 import dump, scan, set_hash
from chains.errors import Malformed
from chains.simulated.bip122 import SimulatedCoin, write_dump, write_old_dump

pytestmark = pytest.mark.property

KEYS = [
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
]
"""x of 1, 2 and 3 times the generator of secp256k1."""


def long_key(x: str, *, odd: bool) -> bytes:
    return dump.decompress_script(bytes([5 if odd else 4]) + bytes.fromhex(x))


hashes = st.integers(0, 3).map(lambda number: number.to_bytes(20, "little"))
long_hashes = st.integers(0, 3).map(lambda number: number.to_bytes(32, "big"))
scripts = st.one_of(
    hashes.map(lambda h: b"\x76\xa9\x14" + h + b"\x88\xac"),
    hashes.map(lambda h: b"\xa9\x14" + h + b"\x87"),
    hashes.map(lambda h: b"\x00\x14" + h),
    long_hashes.map(lambda h: b"\x51\x20" + h),
    st.builds(lambda x, y: b"\x21" + y + bytes.fromhex(x) + b"\xac", st.sampled_from(KEYS),
              st.sampled_from([b"\x02", b"\x03"])),
    st.builds(long_key, st.sampled_from(KEYS), odd=st.booleans()),
    st.binary(max_size=9),
    st.integers(0, 400).map(lambda size: b"\x52" * size),
)  # fmt: skip
edges = [2**k + d for k in (7, 14, 21, 28) for d in (-1, 0, 1)] + [252, 253, 65535, 65536, 16511]
vouts = st.one_of(st.integers(0, 5), st.sampled_from(edges), st.integers(0, 0xFFFFFFFE))
heights = st.one_of(st.integers(0, 1_000_000), st.sampled_from(edges), st.just(2**31 - 1))
amounts = st.one_of(
    st.integers(0, 10**12),
    st.builds(lambda digits, zeros: digits * 10**zeros, st.integers(0, 999), st.integers(0, 11)),
)
coins = st.builds(
    SimulatedCoin,
    txid=st.integers(0, 5).map(lambda number: f"{number:064x}"),
    vout=vouts,
    height=heights,
    units=amounts,
    script=scripts,
    coinbase=st.booleans(),
)
old_vouts = vouts.map(lambda vout: vout % (dump.LARGEST_OLD_VOUT + 1))
old_coins = st.builds(lambda coin, vout: structs.replace(coin, vout=vout), coins, old_vouts)
old_ledgers = st.lists(
    old_coins, min_size=1, max_size=30, unique_by=lambda coin: (coin.txid, coin.vout)
)
counted = st.one_of(st.none(), st.integers(0, 2**32 - 1))
piece_sizes = st.one_of(st.integers(1, 400), st.just(1 << 20))
"""Mostly the end of a piece; or all of the file at once, most of it far from any end."""
ledgers = st.lists(coins, max_size=30, unique_by=lambda coin: (coin.txid, coin.vout))


@settings(max_examples=150, deadline=None)
@given(ledger=ledgers, more=st.lists(scripts, max_size=4), piece=piece_sizes)
def test_both_passes_give_the_sums_of_the_ledger(
    ledger: list[SimulatedCoin], more: list[bytes], piece: int
) -> None:
    wanted = sorted({coin.script for coin in ledger[::2]} | set(more))
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE_BYTES", piece)
        patch.setattr(scan, "_HITS", 3)
        path = Path(directory) / "d"
        write_dump(path, ledger, block_hash="ab" * 32)
        plain = scan.scan_dump(path, wanted, plain=True)
        fast = scan.scan_dump(path, wanted, plain=False)
    assert fast == plain
    expected: Counter[bytes] = Counter()
    for coin in ledger:
        expected[coin.script] += coin.units
    held = {coin.script for coin in ledger}
    assert {bytes.fromhex(m.script): int(m.units) for m in plain.matched} == {
        script: expected[script] for script in wanted if script in held
    }
    assert plain.coins == len(ledger)
    assert plain.total_units == str(sum(coin.units for coin in ledger))


@settings(max_examples=300, deadline=None)
@given(
    ledger=ledgers,
    at=st.integers(0, 10_000),
    bits=st.integers(0, 255),
    cut=st.integers(0, 40),
    piece=piece_sizes,
)
def test_both_passes_judge_a_damaged_file_alike(
    ledger: list[SimulatedCoin], at: int, bits: int, cut: int, piece: int
) -> None:
    wanted = sorted({coin.script for coin in ledger})
    said: list[object] = []
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE_BYTES", piece)
        path = Path(directory) / "d"
        write_dump(path, ledger, block_hash="ab" * 32)
        raw = bytearray(path.read_bytes())
        raw[at % len(raw)] ^= bits
        path.write_bytes(raw[: len(raw) - cut])
        for plain in (True, False):
            try:
                said.append(scan.scan_dump(path, wanted, plain=plain))
            except Malformed as error:
                said.append(type(error))
    assert said[0] == said[1]


@settings(max_examples=150, deadline=None)
@given(ledger=ledgers, piece=piece_sizes)
def test_both_ways_hash_the_whole_set(ledger: list[SimulatedCoin], piece: int) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(set_hash, "PIECE_BYTES", piece)
        path = Path(directory) / "d"
        write_dump(path, ledger, block_hash="ab" * 32)
        plain = set_hash.set_hash(path, plain=True)
        fast = set_hash.set_hash(path, plain=False)
    ordered = sorted(ledger, key=lambda coin: (bytes.fromhex(coin.txid)[::-1], coin.vout))
    whole = b"".join(
        bytes.fromhex(coin.txid)[::-1]
        + coin.vout.to_bytes(4, "little")
        + (2 * coin.height + coin.coinbase).to_bytes(4, "little")
        + coin.units.to_bytes(8, "little")
        + dump.write_compact_size(len(coin.script))
        + coin.script
        for coin in ordered
    )
    expected = hashlib.sha256(hashlib.sha256(whole).digest()).digest()[::-1].hex()
    assert (plain, fast) == (expected, expected)


@settings(max_examples=200, deadline=None)
@given(
    ledger=ledgers,
    at=st.integers(0, 10_000),
    bits=st.integers(0, 255),
    cut=st.integers(0, 40),
    piece=piece_sizes,
)
def test_both_ways_judge_a_damaged_set_alike(
    ledger: list[SimulatedCoin], at: int, bits: int, cut: int, piece: int
) -> None:
    said: list[object] = []
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(set_hash, "PIECE_BYTES", piece)
        path = Path(directory) / "d"
        write_dump(path, ledger, block_hash="ab" * 32)
        raw = bytearray(path.read_bytes())
        raw[at % len(raw)] ^= bits
        path.write_bytes(raw[: len(raw) - cut])
        for plain in (True, False):
            try:
                said.append(set_hash.set_hash(path, plain=plain))
            except Malformed as error:
                said.append(type(error))
    assert said[0] == said[1]


def fits_both_headers(path: Path) -> bool:
    """Tell whether the coins read as well behind the other header; such a file is refused."""
    raw = path.read_bytes()
    header = dump.read_header(raw[: dump.HEADER_BYTES])
    fits = [dump._fits(header, raw[size:], dump.MAX_MONEY) for size in dump.OLD_HEADER_BYTES]
    return fits[0] == fits[1]


@settings(max_examples=150, deadline=None)
@given(ledger=old_ledgers, transactions=counted, piece=piece_sizes)
def test_both_passes_read_the_old_format_alike(
    ledger: list[SimulatedCoin], transactions: int | None, piece: int
) -> None:
    wanted = sorted({coin.script for coin in ledger[::2]})
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE_BYTES", piece)
        patch.setattr(scan, "_HITS", 3)
        path = Path(directory) / "d"
        write_dump(path, ledger, block_hash="ab" * 32)
        newer = scan.scan_dump(path, wanted, plain=True)
        write_old_dump(path, ledger, block_hash="ab" * 32, transactions=transactions)
        assume(not fits_both_headers(path))
        plain = scan.scan_dump(path, wanted, plain=True)
        fast = scan.scan_dump(path, wanted, plain=False)
    assert fast == plain
    assert (plain.version, plain.magic, plain.base_hash) == (1, "", "ab" * 32)
    assert (plain.matched, plain.total_units) == (newer.matched, newer.total_units)


@settings(max_examples=300, deadline=None)
@given(
    ledger=old_ledgers,
    at=st.integers(0, 10_000),
    bits=st.integers(0, 255),
    cut=st.integers(0, 40),
    piece=piece_sizes,
)
def test_both_passes_judge_a_damaged_old_file_alike(
    ledger: list[SimulatedCoin], at: int, bits: int, cut: int, piece: int
) -> None:
    wanted = sorted({coin.script for coin in ledger})
    said: list[object] = []
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PIECE_BYTES", piece)
        patch.setattr(dump, "SAMPLE_BYTES", 100)
        path = Path(directory) / "d"
        write_old_dump(path, ledger, block_hash="ab" * 32)
        raw = bytearray(path.read_bytes())
        raw[at % len(raw)] ^= bits
        path.write_bytes(raw[: len(raw) - cut])
        for plain in (True, False):
            try:
                said.append(scan.scan_dump(path, wanted, plain=plain))
            except Malformed as error:
                said.append(error.code)
    assert said[0] == said[1]


@settings(max_examples=300, deadline=None)
@given(units=st.integers(0, dump.MAX_MONEY))
def test_amounts_return(units: int) -> None:
    assert dump.decompress_amount(dump.compress_amount(units)) == units


@settings(max_examples=300, deadline=None)
@given(script=st.one_of(scripts, st.binary(max_size=80)))
def test_scripts_return(script: bytes) -> None:
    assert dump.decompress_script(dump.compress_script(script)) == script
