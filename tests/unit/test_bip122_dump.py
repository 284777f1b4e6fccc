"""The dump format: vectors of Bitcoin Core, and every file that must be refused."""

# ruff: noqa: FBT001 - pytest passes fixtures by position

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import pytest

from chains.adapters.bip122 import dump, dump_files, scan, set_hash
from chains.errors import Malformed
from chains.simulated.bip122 import REGTEST_MAGIC, SimulatedCoin, write_dump, write_old_dump

pytestmark = pytest.mark.unit

KEY = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
LONG_KEY = bytes.fromhex(
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)
HASH = bytes(range(20))
P2PKH = b"\x76\xa9\x14" + HASH + b"\x88\xac"
BLOCK = "11" * 32


def coin(
    txid: int = 1, vout: int = 0, units: int = 5, script: bytes = P2PKH, height: int = 7
) -> SimulatedCoin:
    # big-endian in the file's order, so that numbers sort as transactions do
    file_order = txid.to_bytes(32)
    return SimulatedCoin(
        txid=file_order[::-1].hex(), vout=vout, height=height, units=units, script=script
    )


def raw_dump(path: Path, *coins: SimulatedCoin) -> bytes:
    write_dump(path, coins, block_hash=BLOCK)
    return path.read_bytes()


@pytest.fixture(params=["plain", "fast"])
def plain(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "plain")


# Spec: bitcoin/bitcoin src/test/compress_tests.cpp, compress_amounts
@pytest.mark.parametrize(
    ("units", "short"),
    [
        (0, 0x0),
        (1, 0x1),
        (1_000_000, 0x7),
        (100_000_000, 0x9),
        (50 * 100_000_000, 0x32),
        (21_000_000 * 100_000_000, 0x1406F40),
    ],
)
def test_amounts_compress_as_in_core(units: int, short: int) -> None:
    assert dump.compress_amount(units) == short
    assert dump.decompress_amount(short) == units


# Spec: bitcoin/bitcoin src/serialize.h, the comment above WriteVarInt
@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8000"),
        (255, "807f"),
        (256, "8100"),
        (16383, "fe7f"),
        (16384, "ff00"),
        (16511, "ff7f"),
        (65535, "82fe7f"),
        (2**32, "8efefeff00"),
    ],
)
def test_varints_are_written_as_core_documents(number: int, written: str) -> None:
    assert dump.write_varint(number).hex() == written


@pytest.mark.parametrize(
    ("script", "form"),
    [
        (P2PKH, 0),
        (b"\xa9\x14" + HASH + b"\x87", 1),
        (b"\x21" + KEY + b"\xac", 2),
        (b"\x21\x03" + KEY[1:] + b"\xac", 3),
        (b"\x41" + LONG_KEY + b"\xac", 4),
        (b"\x00\x14" + HASH, 6),
        (b"", 6),
    ],
)
def test_every_form_of_script_survives_compression(script: bytes, form: int) -> None:
    compressed = dump.compress_script(script)
    assert compressed[0] == form
    assert dump.decompress_script(compressed) == script


def test_a_long_key_that_is_no_point_stays_raw() -> None:
    script = b"\x41" + LONG_KEY[:-1] + b"\xb9\xac"
    assert dump.compress_script(script) == b"\x06" + script


def test_odd_y_is_form_five() -> None:
    y = dump._FIELD - int.from_bytes(LONG_KEY[33:])
    script = b"\x41" + LONG_KEY[:33] + y.to_bytes(32) + b"\xac"
    assert dump.compress_script(script) == b"\x05" + KEY[1:]
    assert dump.decompress_script(b"\x05" + KEY[1:]) == script


def test_header_is_read(tmp_path: Path) -> None:
    header = dump.read_header(raw_dump(tmp_path / "d", coin())[:51])
    assert header == dump.DumpHeader(magic=REGTEST_MAGIC, block_hash=BLOCK, coins=1)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "truncated-answer"),
        (dump.MAGIC + bytes(45), "truncated-answer"),
        (dump.MAGIC + b"\x03\x00" + bytes(44), "dump-version"),
    ],
)
def test_other_headers_are_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Malformed) as error:
        dump.read_header(raw)
    assert error.value.code == code


def test_sums_counts_and_digest(tmp_path: Path, plain: bool) -> None:
    pay_to_key = b"\x21" + KEY + b"\xac"
    absent = b"\x00\x14" + HASH
    raw = raw_dump(
        tmp_path / "d",
        coin(1, 0, 5),
        coin(1, 300, 7, height=99),
        coin(2, 1, 2_100_000, pay_to_key),
        coin(3, 0, 0, b"\x51"),
    )
    wanted = sorted([P2PKH, pay_to_key, absent])
    found = scan.scan_dump(tmp_path / "d", wanted, plain=plain)
    assert found.matched == (
        scan.Matched(pay_to_key.hex(), "2100000", 1),
        scan.Matched(P2PKH.hex(), "12", 2),
    )
    assert found.sha256 == hashlib.sha256(raw).hexdigest()
    assert (found.size, found.coins, found.highest) == (len(raw), 4, 99)
    assert (found.total_units, found.matched_coins) == ("2100012", 3)
    assert [listed.outpoint for listed in found.listed] == [
        f"{coin(1).txid}:0",
        f"{coin(1).txid}:300",
        f"{coin(2).txid}:1",
    ]
    assert [found.matched[listed.script].script for listed in found.listed] == [
        P2PKH.hex(),
        P2PKH.hex(),
        pay_to_key.hex(),
    ]


def test_paying_to_a_key_is_not_paying_to_its_address(tmp_path: Path, plain: bool) -> None:
    for stored in (b"\x21" + KEY + b"\xac", b"\x41" + LONG_KEY + b"\xac"):
        raw_dump(tmp_path / "d", coin(1, 0, 5, stored))
        address = b"\x76\xa9\x14" + bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
        found = scan.scan_dump(tmp_path / "d", [address + b"\x88\xac"], plain=plain)
        assert found.matched == ()


def body(*coins: bytes, txid: int = 1) -> bytes:
    return txid.to_bytes(32) + dump.write_compact_size(len(coins)) + b"".join(coins)


def stored(
    vout: bytes = b"\x00", code: bytes = b"\x02", amount: bytes = b"\x09", size: bytes = b"\x00",
    script: bytes = HASH,
) -> bytes:  # fmt: skip
    return vout + code + amount + size + script


def written(*groups: bytes, count: int) -> bytes:
    head = dump.MAGIC + b"\x02\x00" + REGTEST_MAGIC + bytes(32)
    return head + count.to_bytes(8, "little") + b"".join(groups)


def amount(units: int) -> bytes:
    return dump.write_varint(dump.compress_amount(units))


P2SH = b"\xa9\x14" + HASH + b"\x87"
BAD: dict[str, tuple[bytes, str]] = {
    "bytes-after-the-last-coin": (written(body(stored()), b"\x00", count=1), "malformed-answer"),
    "a-coin-too-many": (
        written(body(stored()), body(stored(), txid=2), count=1),
        "malformed-answer",
    ),
    "a-coin-too-few": (written(body(stored()), count=2), "truncated-answer"),
    "cut-in-a-script": (written(body(stored())[:-1], count=1), "truncated-answer"),
    "cut-in-a-txid": (written(bytes(20), count=1), "truncated-answer"),
    "cut-in-a-number": (written(bytes(31) + b"\x01\xfd", count=1), "truncated-answer"),
    "no-coins-in-a-transaction": (
        written(bytes(31) + b"\x01\x00", body(stored(), txid=2), count=1),
        "malformed-answer",
    ),
    "more-coins-than-announced": (
        written(body(stored(), stored(b"\x01")), count=1),
        "malformed-answer",
    ),
    "transaction-twice": (
        written(body(stored()), body(stored(b"\x01")), count=2),
        "malformed-answer",
    ),
    "transactions-out-of-order": (
        written(body(stored(), txid=2), body(stored(), txid=1), count=2),
        "malformed-answer",
    ),
    "output-twice": (written(body(stored(), stored()), count=2), "malformed-answer"),
    "outputs-out-of-order": (written(body(stored(b"\x01"), stored()), count=2), "malformed-answer"),
    "long-compact-size": (written(body(stored(b"\xfd\x01\x00")), count=1), "malformed-answer"),
    "vout-too-large": (written(body(stored(b"\xfe\xff\xff\xff\xff")), count=1), "malformed-answer"),
    "vout-above-32-bits": (
        written(body(stored(b"\xff" + (1 << 32).to_bytes(8, "little"))), count=1),
        "malformed-answer",
    ),
    "height-above-32-bits": (
        written(body(stored(code=dump.write_varint(1 << 32))), count=1),
        "malformed-answer",
    ),
    "endless-varint": (written(body(stored(amount=b"\xff" * 12)), count=1), "malformed-answer"),
    "one-satoshi-too-many": (
        written(body(stored(amount=amount(dump.MAX_MONEY + 1))), count=1),
        "malformed-answer",
    ),
    "amount-that-overflows": (
        written(body(stored(amount=dump.write_varint((1 << 54) - 1))), count=1),
        "malformed-answer",
    ),
    "more-than-all-money-in-two-coins": (
        written(
            body(
                stored(amount=amount(dump.MAX_MONEY)),
                stored(b"\x01", amount=b"\x01"),
            ),
            count=2,
        ),
        "malformed-answer",
    ),
    "p2pkh-stored-raw": (
        written(body(stored(size=dump.write_varint(31), script=P2PKH)), count=1),
        "malformed-answer",
    ),
    "p2sh-stored-raw": (
        written(body(stored(size=dump.write_varint(29), script=P2SH)), count=1),
        "malformed-answer",
    ),
    "p2pk-stored-raw": (
        written(body(stored(size=dump.write_varint(41), script=b"\x21" + KEY + b"\xac")), count=1),
        "malformed-answer",
    ),
    "script-longer-than-a-block": (
        written(body(stored(size=dump.write_varint(4_000_007))), count=1),
        "malformed-answer",
    ),
    "huge-number-of-coins": (written(body(stored()), count=(1 << 64) - 1), "truncated-answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(name: str, plain: bool, tmp_path: Path) -> None:
    raw, code = BAD[name]
    (tmp_path / "d").write_bytes(raw)
    with pytest.raises(Malformed) as error:
        scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain)
    assert error.value.code == code, str(error.value)


def test_the_good_file_behind_the_bad_ones_is_read(plain: bool, tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(written(body(stored()), count=1))
    found = scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain)
    assert found.matched == (scan.Matched(P2PKH.hex(), "100000000", 1),)


def test_the_most_money_is_accepted(plain: bool, tmp_path: Path) -> None:
    raw_dump(tmp_path / "d", coin(units=84_000_000 * dump.COIN))
    found = scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain, max_money=84_000_000 * dump.COIN)
    assert found.total_units == str(84_000_000 * dump.COIN)


def test_outputs_follow_the_order_of_the_database_not_of_numbers(
    tmp_path: Path, plain: bool
) -> None:
    # VARINT(16512) begins with 80 80 and so sorts before VARINT(300), 81 2c
    raw_dump(tmp_path / "d", coin(vout=300), coin(vout=16512))
    coins = list(dump.DumpReader(BytesIO((tmp_path / "d").read_bytes())).coins())
    assert [found.vout for found in coins] == [16512, 300]
    assert scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain).matched_coins == 2


def test_only_so_many_coins_are_listed_but_all_are_digested(
    tmp_path: Path, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "LISTED_COINS", 2)
    raw_dump(tmp_path / "d", *(coin(i) for i in range(1, 6)))
    found = scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain)
    records = b"".join(
        i.to_bytes(32)
        + (0).to_bytes(4, "little")
        + (14).to_bytes(4, "little")
        + (5).to_bytes(8, "little")
        + (0).to_bytes(4, "little")
        for i in range(1, 6)
    )
    assert len(found.listed) == 2
    assert found.matched_coins == 5
    assert found.coins_sha256 == hashlib.sha256(records).hexdigest()


def test_a_file_that_cannot_be_read_is_a_failure_without_its_path(tmp_path: Path) -> None:
    exchange = dump_files.scanned(
        "dump", tmp_path / "absent.dat", [P2PKH], own_node=True, max_money=dump.MAX_MONEY
    )
    assert (exchange.failure, exchange.retryable) == ("unreachable", True)
    assert str(tmp_path).encode() not in exchange.body


@pytest.mark.parametrize("transactions", [7, None, 2**32 - 1])
def test_both_forms_of_version_1_are_read(
    tmp_path: Path, plain: bool, transactions: int | None
) -> None:
    path = tmp_path / "d"
    coins = [coin(1, 0, 5), coin(1, 300, 6, LONG_KEY), coin(2, 1, 7, height=2**31 - 1)]
    write_old_dump(path, coins, block_hash=BLOCK, transactions=transactions)
    found = scan.scan_dump(path, sorted([P2PKH, LONG_KEY]), plain=plain)
    assert {m.script: m.units for m in found.matched} == {P2PKH.hex(): "12", LONG_KEY.hex(): "6"}
    assert (found.base_hash, found.magic, found.version, found.coins) == (BLOCK, "", 1, 3)
    # Litecoin marks coins out of its extension block in the highest bit; the height is below it
    assert found.highest == 2**30 - 1


def old(*coins: bytes, count: int, head: bytes = b"\x07\0\0\0") -> bytes:
    return bytes(32) + count.to_bytes(8, "little") + head + b"".join(coins)


def flat(txid: int = 1, vout: int = 0, rest: bytes = b"\x02\x09\x00" + HASH) -> bytes:
    return txid.to_bytes(32) + vout.to_bytes(4, "little") + rest


BAD_OLD = {
    "no-dump": (bytes(200), "dump-version"),
    "header-only": (old(count=1), "truncated-answer"),
    "cut": (old(flat(), flat(2), count=2)[:-1], "truncated-answer"),
    "bytes-after-the-last-coin": (old(flat(), flat(2), count=1), "dump-version"),
    "coin-twice": (old(flat(), flat(), count=2), "dump-version"),
    "outputs-out-of-order": (old(flat(vout=1), flat(vout=0), count=2), "dump-version"),
    "transactions-out-of-order": (old(flat(2), flat(1), count=2), "dump-version"),
    "output-beyond-any-block": (old(flat(vout=4_000_001), count=1), "dump-version"),
}


@pytest.mark.parametrize("name", BAD_OLD)
def test_a_bad_file_of_version_1_is_refused(name: str, plain: bool, tmp_path: Path) -> None:
    raw, code = BAD_OLD[name]
    (tmp_path / "d").write_bytes(raw)
    with pytest.raises(Malformed) as error:
        scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain)
    assert error.value.code == code


@pytest.mark.parametrize(
    "last",
    [
        flat(5000, 0),
        flat(4999, 0),
        flat(5001, 4_000_001),
        flat(5001, 0, b"\x02\x09\x1f\x76\xa9\x14" + HASH + b"\x88\xac"),
        flat(5001) + b"\0",
    ],
    ids=["twice", "out-of-order", "output-beyond-any-block", "long-form", "bytes-after"],
)
def test_errors_behind_the_sample_are_found(last: bytes, plain: bool, tmp_path: Path) -> None:
    raw = old(*(flat(i) for i in range(1, 5001)), last, count=5001)
    assert len(raw) > 2 * dump.SAMPLE_BYTES
    (tmp_path / "d").write_bytes(raw)
    with pytest.raises(Malformed) as error:
        scan.scan_dump(tmp_path / "d", [P2PKH], plain=plain)
    assert error.value.code == "malformed-answer"


def test_a_set_larger_than_the_room_for_it_is_hashed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = dump.decompress_script(b"\x05" + KEY[1:])
    coins = [
        SimulatedCoin(txid=f"{i:064x}", vout=vout, height=i, units=i, script=key)
        for i in range(300)
        for vout in (0, 3)
    ]
    path = tmp_path / "d"
    write_dump(path, coins, block_hash="ab" * 32)
    plain = set_hash.set_hash(path, plain=True)
    monkeypatch.setattr(set_hash, "_ROOM", 1000)
    monkeypatch.setattr(set_hash, "_POINTS", 4)
    assert set_hash.set_hash(path, plain=False) == plain


def test_a_dump_of_version_1_has_no_set_hash(tmp_path: Path) -> None:
    path = tmp_path / "d"
    coin = SimulatedCoin(txid="ab" * 32, vout=0, height=1, units=1, script=b"\x51")
    write_old_dump(path, [coin], block_hash="ab" * 32)
    with pytest.raises(Malformed, match="version 2"):
        set_hash.set_hash(path)
