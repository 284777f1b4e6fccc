"""The fast pass over a dump: its short way through coins, its look-ups, its pieces."""

from __future__ import annotations

import errno
import hashlib
import random
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from chains.adapters.bip122 import dump, kernel, kernel_index, pieces, scan
from chains.errors import Malformed
from chains.simulated.bip122 import SimulatedCoin, write_dump

pytestmark = pytest.mark.unit

HASH = bytes(range(20))
P2PKH = b"\x76\xa9\x14" + HASH + b"\x88\xac"
KEY = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
FULL_KEY = dump.decompress_script(b"\x05" + KEY)
NO_POINT = FULL_KEY[:-2] + bytes([FULL_KEY[-2] ^ 1]) + FULL_KEY[-1:]
HEAD = dump.MAGIC + b"\x02\x00" + bytes(36)


def stored(
    vout: bytes = b"\x00", code: bytes = b"\x82\x10", amount: bytes = b"\x09",
    script: bytes = b"\x00" + HASH,
) -> bytes:  # fmt: skip
    return vout + code + amount + script


def group(txid: int, *coins: bytes) -> bytes:
    return txid.to_bytes(32) + dump.write_compact_size(len(coins)) + b"".join(coins)


def amount(units: int) -> bytes:
    return dump.write_varint(dump.compress_amount(units))


HALF = amount(dump.MAX_MONEY // 2)
WRAPPED = amount(-(-(2**64) // 10**9) * 10**9)
"""What is left of it in 64 bits is less than three coins."""
MIDDLE = 100 << 192
"""Of this transaction, and those that follow it with the same first eight bytes."""
MISTAKES = {
    "no-coins": group(MIDDLE) + group(MIDDLE + 1, stored(), stored(b"\x01")),
    "transaction-twice": group(MIDDLE, stored()) + group(MIDDLE, stored(b"\x01")),
    "transactions-out-of-order": group(MIDDLE + 1, stored()) + group(MIDDLE, stored()),
    "behind-an-unusual-one": group((29 << 192) + 1, stored()) + group(5 << 192, stored()),
    "output-twice": group(MIDDLE, stored(), stored()),
    "outputs-out-of-order": group(MIDDLE, stored(b"\x01"), stored()),
    "long-outputs-out-of-order": group(MIDDLE, stored(b"\xfd\x2d\x01"), stored(b"\xfd\x2c\x01")),
    "long-vout": group(MIDDLE, stored(b"\xfd\xfc\x00"), stored(b"\xfd\xfd\x00")),
    "long-vout-alone": group(MIDDLE, stored(b"\xfd\xfc\x00")) + group(MIDDLE + 1, stored()),
    "vout-too-large": group(MIDDLE, stored(), stored(b"\xfe\xff\xff\xff\xff")),
    "code-above-32-bits": group(MIDDLE, stored(code=dump.write_varint(1 << 32)), stored(b"\x01")),
    "endless-code": group(MIDDLE, stored(code=b"\xff" * 30), stored(b"\x01")),
    "endless-amount": group(MIDDLE, stored(amount=b"\xff" * 30), stored(b"\x01")),
    "too-much": group(MIDDLE, stored(amount=amount(dump.MAX_MONEY + 1)), stored(b"\x01")),
    "too-much-beyond-64-bits": group(MIDDLE, stored(amount=WRAPPED), stored(b"\x01")),
    "too-much-together": group(MIDDLE, *(stored(vout, amount=HALF) for vout in (b"\0", b"\1"))),
    "p2pkh-in-full": group(MIDDLE, stored(script=b"\x1f" + P2PKH), stored(b"\x01")),
    "script-longer-than-a-block": group(
        MIDDLE, stored(script=dump.write_varint(4_000_007)), stored(b"\x01")
    ),
}  # fmt: skip


def among_good_ones(middle: bytes) -> bytes:
    before = b"".join(group(i << 192, stored()) for i in range(1, 30))
    after = b"".join(group(i << 192, stored()) for i in range(200, 230))
    return HEAD + (29 + 2 + 30).to_bytes(8, "little") + before + middle + after


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_among_good_coins_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(among_good_ones(MISTAKES[name]))
    said = []
    for plain in (True, False):
        with pytest.raises(Malformed) as error:
            scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain)
        said.append(error.value.code)
    assert said == ["malformed-answer"] * 2


REST = amount(dump.MAX_MONEY - 60 * dump.COIN)
UNUSUAL = {
    "same-first-bytes": group(MIDDLE, stored()) + group(MIDDLE + 1, stored()),
    "long-vouts": group(MIDDLE, stored(b"\xfd\x80\x40"), stored(b"\xfd\x2c\x01")),
    "high-vout": group(MIDDLE, stored(), stored(b"\xfe\xff\xff\xff\x7f")),
    "high-code": group(MIDDLE, stored(), stored(b"\x01", code=dump.write_varint(2**32 - 1))),
    "nothing": group(MIDDLE, stored(amount=b"\x00"), stored(b"\x01")),
    "all-money": group(MIDDLE, stored(amount=REST), stored(b"\x01")),
    "ten-digits": group(MIDDLE, stored(amount=amount(20 * 10**9)), stored(b"\x01")),
    "short-script": group(MIDDLE, stored(script=b"\x07\x51"), stored(b"\x01")),
    "empty-script": group(MIDDLE, stored(script=b"\x06"), stored(b"\x01")),
    "long-script": group(
        MIDDLE, stored(script=dump.write_varint(406) + b"\x51" * 400), stored(b"\x01")
    ),
    "25-bytes": group(MIDDLE, stored(script=b"\x1f" + bytes(25)), stored(b"\x01")),
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_coins_among_others_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(among_good_ones(UNUSUAL[name]))
    wanted = sorted([P2PKH, b"", b"\x51", b"\x51" * 400, bytes(25)])
    plain, fast = (scan.scan_dump(tmp_path / "d", wanted, plain=how) for how in (True, False))
    assert fast == plain
    assert plain.matched_coins == plain.coins == 61


def test_scripts_that_end_alike_do_not_crowd_the_table(tmp_path: Path) -> None:
    # a list's author chooses scripts: by their last bytes alone they would all be sought in a row
    wanted = [b"\x51\x20" + i.to_bytes(24) + b"the same" for i in range(5000)]
    table = kernel_index.build_index(wanted).table
    free = np.flatnonzero(table == 0)
    assert np.diff(free).max() < 100
    coins = [
        SimulatedCoin(txid=f"{i:064x}", vout=0, height=1, units=i + 1, script=script)
        for i, script in enumerate(wanted)
    ]
    write_dump(tmp_path / "d", coins, block_hash="ab" * 32)
    found = scan.scan_dump(tmp_path / "d", wanted, plain=False)
    assert [int(one.units) for one in found.matched] == list(range(1, 5001))


def test_scripts_that_begin_alike_or_differ_in_size_are_told_apart() -> None:
    wanted = sorted(
        [bytes(size) for size in range(60)] + [bytes(40) + bytes([i]) for i in range(1, 200)]
    )
    index = kernel_index.build_index(wanted)
    buffer = np.zeros(1000 + kernel.SLACK, dtype=np.uint8)
    for number, script in enumerate(wanted):
        compressed = dump.compress_script(script)
        buffer[: len(script)] = np.frombuffer(compressed[1:], dtype=np.uint8)
        found = kernel_index._find(buffer, 0, len(script) << 3 | compressed[0], index)
        assert found == number
    assert kernel_index._find(buffer, 0, 999 << 3 | 6, index) == -1


def test_wanted_scripts_are_digested_as_they_are_laid_out() -> None:
    wanted = sorted([b"", b"\x51", P2PKH, FULL_KEY, NO_POINT, bytes(70_000)])
    index = kernel_index.build_index(wanted)
    laid_out = index.scripts[: -kernel.SLACK].tobytes()
    assert hashlib.sha256(laid_out).hexdigest() == scan.wanted_digest(wanted)
    forms = {
        script: (start - 4 - sum(4 + len(one) for one in wanted[:i]), of >> 3, of & 7)
        for i, (script, (start, of)) in enumerate(zip(wanted, index.entries.tolist(), strict=True))
    }
    assert forms == {
        b"": (0, 0, 6),
        b"\x51": (0, 1, 6),
        P2PKH: (3, 20, 0),
        FULL_KEY: (2, 32, 5),
        NO_POINT: (0, 67, 6),
        bytes(70_000): (0, 70_000, 6),
    }


def test_vouts_sort_as_their_varints_do() -> None:
    edges = [0x7F, 0x80, 0xFC, 0xFD, 16_511, 16_512, 65_535, 2_113_663, 2_113_664, 2**32 - 2]
    numbers = sorted({max(0, edge + by) for edge in edges for by in (-1, 0, 1)} | {0, 300, 20_000})
    assert sorted(numbers, key=kernel._vout_order) == sorted(numbers, key=dump.write_varint)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("piece", [700, 4096, 1 << 20])
def test_digest_and_sums_do_not_depend_on_cores_and_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, piece: int
) -> None:
    monkeypatch.setattr(pieces, "_cores", lambda: cores)
    monkeypatch.setattr(scan, "PIECE_BYTES", piece)
    monkeypatch.setattr(scan, "_HITS", 16)
    numbers = random.Random(1)
    coins = [
        SimulatedCoin(
            txid=f"{numbers.randrange(80):02x}" + "00" * 31,
            vout=vout,
            height=numbers.randrange(900_000),
            units=numbers.randrange(10**9),
            script=numbers.choice([P2PKH, FULL_KEY, NO_POINT, b"\x00\x14" + HASH, b"\x51" * 300]),
        )
        for vout in range(0, 70_000, 70)
    ]
    write_dump(tmp_path / "d", coins, block_hash="ab" * 32)
    wanted = sorted([P2PKH, FULL_KEY, NO_POINT, bytes(22)])
    fast = scan.scan_dump(tmp_path / "d", wanted, plain=False)
    assert fast == scan.scan_dump(tmp_path / "d", wanted, plain=True)
    assert fast.sha256 == hashlib.sha256((tmp_path / "d").read_bytes()).hexdigest()
    assert len(fast.matched) == 3


def test_a_script_of_several_pieces_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "PIECE_BYTES", 1 << 16)
    script = bytes(3_999_999) + b"\x01"
    coins = [
        SimulatedCoin(txid=f"{i:064x}", vout=0, height=1, units=i + 1, script=script)
        for i in range(2)
    ]
    coins.append(structs.replace(coins[0], txid="ff" * 32, script=P2PKH))
    write_dump(tmp_path / "d", coins, block_hash="ab" * 32)
    found = scan.scan_dump(tmp_path / "d", [script, P2PKH], plain=False)
    assert [(int(one.units), one.coins) for one in found.matched] == [(3, 2), (1, 1)]


@pytest.mark.parametrize("cores", [1, 2])
def test_a_read_that_fails_further_on_is_an_error_of_the_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    class Failing(FileIO):
        reads = 0

        def readinto(self, view: memoryview) -> int | None:  # type: ignore[override]
            self.reads += 1
            if self.reads > 3:
                raise OSError(errno.EIO, "Input/output error")
            return super().readinto(view)

    monkeypatch.setattr(pieces, "_cores", lambda: cores)
    (tmp_path / "d").write_bytes(bytes(1000))
    with (
        Failing(tmp_path / "d") as file,
        pieces.Pieces(file, 100, longest=10, slack=4) as parts,
    ):
        for _ in range(3):
            assert parts.more(parts.end) == 100
        with pytest.raises(OSError, match="Input/output error"):
            parts.more(parts.end)
