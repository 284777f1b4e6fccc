"""The UTXO set dump that Bitcoin Core writes, format versions 1 and 2: header, coins, reader.

A dump holds every unspent coin at one block. It opens with a header that names the block but
not the height, and ends with the last coin: nothing follows. Version 2 (Core 28 and newer) has
51 bytes, which name the network as well, and lists coins by transaction. Version 1 has no mark
and no network: the block's hash, the number of coins and, in Core 0.21 and Litecoin 0.21 but
not from Core 22 to 27, a number of transactions; every coin carries its whole outpoint. Which
of the two it is shows in the coins. Litecoin marks coins that came out of its extension block
in the highest bit of height and coinbase. Scripts are stored compressed, amounts too. This
module is the format in plain Python: it reads small files and is the yardstick for the fast
pass in ``scan``. Both are strict in the same way, and both refuse what Core would never write:
coins out of order or twice, a script that should have been compressed, more money than the
chain can have.

Format: https://github.com/bitcoin/bitcoin/blob/v29.0/src/node/utxo_snapshot.h,
src/rpc/blockchain.cpp (WriteUTXOSnapshot), src/compressor.cpp and src/serialize.h (VARINT);
version 1: https://github.com/litecoin-project/litecoin/blob/v0.21.5.5/src/node/utxo_snapshot.h,
src/rpc/blockchain.cpp (CreateUTXOSnapshot), src/coins.h (Coin).
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import msgspec

from chains.errors import Malformed

MAGIC = b"utxo\xff"
"""src/node/utxo_snapshot.h, SNAPSHOT_MAGIC_BYTES."""
VERSION = 2
HEADER_BYTES = 51
OLD_HEADER_BYTES = (44, 40)
"""Version 1 with and without the number of transactions."""
OUTPOINT_BYTES = 36
OLD_CODE_MASK = 0x7FFFFFFF
"""src/coins.h of Litecoin: the bit above is for coins out of the extension block."""
LARGEST_OLD_VOUT = 4_000_000
"""A transaction cannot have more outputs than a block has bytes."""
SAMPLE_BYTES = 1 << 16
"""So much of the coins decides which form a header of version 1 has."""
LARGEST_COMPACT_SIZE = 0x02000000
"""src/serialize.h, MAX_SIZE."""
LONGEST_SCRIPT = 4_000_000
"""No script is longer than a block; src/consensus/consensus.h, MAX_BLOCK_SERIALIZED_SIZE."""
SPECIAL_SCRIPTS = 6
"""src/compressor.h, ScriptCompression::nSpecialScripts."""
COIN = 100_000_000
MAX_MONEY = 21_000_000 * COIN
"""src/consensus/amount.h, in satoshi. Litecoin has four times as much: spec.params."""

_SIZES_WITH_SHORT_FORM = frozenset({23, 25, 35, 67})
_NO_FIT, _CUT_FIT, _WHOLE_FIT = range(3)
_FIELD = 2**256 - 2**32 - 977
"""The prime of secp256k1. Spec: https://www.secg.org/sec2-v2.pdf, section 2.4.1."""


class DumpHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the header says. ``block_hash`` is in the usual (reversed) hex order.

    Version 1 names no network: ``magic`` is empty.
    """

    magic: bytes
    block_hash: str
    coins: int
    version: int = VERSION


class Coin(msgspec.Struct, frozen=True, kw_only=True):
    """One unspent output. ``txid`` is in the file's byte order, ``units`` are satoshi.

    ``compressed`` is the script as the file stores it, its size or form code left out and
    the form kept as the first byte: 0 to 5 for the special forms, 6 for a raw script.
    """

    txid: bytes
    vout: int
    height: int
    coinbase: bool
    units: int
    compressed: bytes

    @property
    def outpoint(self) -> str:
        """The usual ``txid:vout`` text."""
        return f"{self.txid[::-1].hex()}:{self.vout}"


def read_header(raw: bytes) -> DumpHeader:
    """Take the header apart; raises ``Malformed``, with ``dump-version`` for an unknown format.

    A file without the mark of version 2 is taken for version 1: any bytes can be one.
    """
    if len(raw) < HEADER_BYTES:
        raise Malformed(
            f"the file has {len(raw)} bytes, less than the {HEADER_BYTES} of a header",
            code="truncated-answer",
        )
    if raw[:5] != MAGIC:
        coins = int.from_bytes(raw[32:40], "little")
        return DumpHeader(magic=b"", block_hash=raw[:32][::-1].hex(), coins=coins, version=1)
    version = int.from_bytes(raw[5:7], "little")
    if version != VERSION:
        raise Malformed(f"dump version {version}, expected {VERSION}", code="dump-version")
    return DumpHeader(
        magic=raw[7:11],
        block_hash=raw[11:43][::-1].hex(),
        coins=int.from_bytes(raw[43:51], "little"),
    )


def compress_script(script: bytes) -> bytes:
    """Return a scriptPubKey as Core stores it: form byte 0 to 5 and payload, or 6 and the script.

    A form byte of 6 stands for every raw script; the file itself has the size plus 6 there.
    """
    size = len(script)
    if size not in _SIZES_WITH_SHORT_FORM:
        return b"\x06" + script
    if size == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":  # noqa: PLR2004
        return b"\x00" + script[3:23]
    if size == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":  # noqa: PLR2004
        return b"\x01" + script[2:22]
    if size == 35 and script[0] == 33 and script[34] == 0xAC and script[1] in (2, 3):  # noqa: PLR2004
        return script[1:34]
    if size == 67 and script[0] == 65 and script[66] == 0xAC and script[1] == 4:  # noqa: PLR2004
        x, y = script[2:34], int.from_bytes(script[34:66])
        if on_curve(int.from_bytes(x), y):
            return bytes([4 + y % 2]) + x
    return b"\x06" + script


def decompress_script(compressed: bytes) -> bytes:
    """Return the scriptPubKey behind a compressed one; raises ``Malformed`` for a bad point."""
    form, payload = compressed[0], compressed[1:]
    if form == 0:
        return b"\x76\xa9\x14" + payload + b"\x88\xac"
    if form == 1:
        return b"\xa9\x14" + payload + b"\x87"
    if form in (2, 3):
        return b"\x21" + compressed + b"\xac"
    if form in (4, 5):
        x = int.from_bytes(payload)
        y = pow(x**3 + 7, (_FIELD + 1) // 4, _FIELD)
        if not on_curve(x, y):
            raise Malformed("a stored public key is not on the curve")
        y = y if y % 2 == form - 4 else _FIELD - y
        return b"\x41\x04" + payload + y.to_bytes(32) + b"\xac"
    return payload


def on_curve(x: int, y: int) -> bool:
    """Tell whether (x, y) is a point of secp256k1."""
    return x < _FIELD and y < _FIELD and (y * y - x**3 - 7) % _FIELD == 0


def compress_amount(units: int) -> int:
    """Return Core's short form of an amount. src/compressor.cpp, CompressAmount."""
    if units == 0:
        return 0
    exponent = 0
    while units % 10 == 0 and exponent < 9:  # noqa: PLR2004
        units //= 10
        exponent += 1
    if exponent < 9:  # noqa: PLR2004
        units, digit = divmod(units, 10)
        return 1 + (units * 9 + digit - 1) * 10 + exponent
    return 1 + (units - 1) * 10 + 9


def decompress_amount(short: int) -> int:
    """Return the amount behind its short form. src/compressor.cpp, DecompressAmount."""
    if short == 0:
        return 0
    short, exponent = divmod(short - 1, 10)
    if exponent < 9:  # noqa: PLR2004
        short, digit = divmod(short, 9)
        return (short * 10 + digit + 1) * int(10**exponent)
    return (short + 1) * 10**9


def write_varint(number: int) -> bytes:
    """Return Core's VARINT, base 128 with the high digits first and no two spellings."""
    out = [number & 0x7F]
    while number > 0x7F:  # noqa: PLR2004
        number = (number >> 7) - 1
        out.append(0x80 | (number & 0x7F))
    return bytes(reversed(out))


def write_compact_size(number: int) -> bytes:
    """Return Bitcoin's CompactSize, the shortest spelling."""
    if number < 0xFD:  # noqa: PLR2004
        return bytes([number])
    if number <= 0xFFFF:  # noqa: PLR2004
        return b"\xfd" + number.to_bytes(2, "little")
    if number <= 0xFFFFFFFF:  # noqa: PLR2004
        return b"\xfe" + number.to_bytes(4, "little")
    return b"\xff" + number.to_bytes(8, "little")


def open_dump(file: BinaryIO, *, max_money: int = MAX_MONEY) -> tuple[DumpHeader, int]:
    """Read the header and go to the first coin; returns the header and its size in bytes.

    Raises ``Malformed``: ``dump-version`` where the coins fit neither form of version 1, or both.
    """
    raw = file.read(HEADER_BYTES + SAMPLE_BYTES)
    header = read_header(raw[:HEADER_BYTES])
    size = HEADER_BYTES
    if header.version == 1:
        fits = {start: _fits(header, raw[start:], max_money) for start in OLD_HEADER_BYTES}
        best = max(fits.values())
        if best == _NO_FIT or list(fits.values()).count(best) > 1:
            raise Malformed(
                "the file has neither the mark of a UTXO set dump nor coins as version 1 has them",
                code="dump-version",
            )
        size = max(fits, key=lambda start: fits[start])
    file.seek(size)
    return header, size


def _fits(header: DumpHeader, sample: bytes, max_money: int) -> int:
    """Tell whether the bytes are the coins of a version 1 file, or can be the first of them."""
    reader = DumpReader(BytesIO(sample), max_money=max_money, header=header)
    try:
        for _ in reader.coins():
            pass
    except Malformed as error:
        return _CUT_FIT if error.code == "truncated-answer" else _NO_FIT
    return _WHOLE_FIT


class DumpReader:
    """Yields the coins of a dump one by one, and checks everything on the way.

    With ``header`` the file stands at the first coin already. Raises ``Malformed``:
    ``truncated-answer`` when the bytes end early, ``malformed-answer`` for everything else.
    """

    def __init__(
        self, file: BinaryIO, *, max_money: int = MAX_MONEY, header: DumpHeader | None = None
    ) -> None:
        self._file = file
        self._max_money = max_money
        self._total = 0
        self.header = header or open_dump(file, max_money=max_money)[0]

    def coins(self) -> Iterator[Coin]:
        """Yield every coin in the file's order; at the end nothing may be left."""
        last, before = b"", b""
        for txid, vout in self._flat() if self.header.version == 1 else self._grouped():
            coin = self._coin(txid, vout)
            order = write_varint(vout)
            if txid == last and order <= before:
                raise Malformed("outputs of a transaction are out of order or repeated")
            last, before = txid, order
            yield coin
        if self._file.read(1):
            raise Malformed("bytes follow the last coin")

    def _flat(self) -> Iterator[tuple[bytes, int]]:
        """Yield outpoints as version 1 has them; the coin is read by the caller in between."""
        last = b""
        for _ in range(self.header.coins):
            txid, vout = self._take(32), int.from_bytes(self._take(4), "little")
            if txid < last:
                raise Malformed("transactions are out of order or repeated")
            last = txid
            yield txid, vout

    def _grouped(self) -> Iterator[tuple[bytes, int]]:
        """Yield outpoints as version 2 has them; otherwise as ``_flat``."""
        left = self.header.coins
        last = b""
        while left > 0:
            txid = self._take(32)
            if txid <= last:
                raise Malformed("transactions are out of order or repeated")
            last = txid
            group = self._compact_size()
            if group == 0 or group > left:
                raise Malformed(f"{group} coins of one transaction where {left} are left")
            left -= group
            for _ in range(group):
                yield txid, self._compact_size(largest=0xFFFFFFFE)

    def _coin(self, txid: bytes, vout: int) -> Coin:
        code = self._varint(32)
        short = self._varint(64)
        size = self._varint(32)
        if self.header.version == 1:
            code &= OLD_CODE_MASK
            if vout > LARGEST_OLD_VOUT:
                raise Malformed("a number is too large")
        if short > 9 * self._max_money + 10 or decompress_amount(short) > self._max_money:
            raise Malformed("an amount is above all the money there can be")
        if size < SPECIAL_SCRIPTS:
            compressed = bytes([size]) + self._take(20 if size < 2 else 32)  # noqa: PLR2004
        elif size - SPECIAL_SCRIPTS > LONGEST_SCRIPT:
            raise Malformed("a script is longer than a block")
        else:
            script = self._take(size - SPECIAL_SCRIPTS)
            compressed = b"\x06" + script
            if len(script) in (23, 25, 35) and compress_script(script) != compressed:
                raise Malformed("a script is stored raw that has a short form")
        units = decompress_amount(short)
        self._total += units
        if self._total > self._max_money:
            raise Malformed("the coins together are above all the money there can be")
        return Coin(
            txid=txid,
            vout=vout,
            height=code >> 1,
            coinbase=bool(code & 1),
            units=units,
            compressed=compressed,
        )

    def _take(self, count: int) -> bytes:
        raw = self._file.read(count)
        if len(raw) != count:
            raise Malformed("the file ends inside a coin", code="truncated-answer")
        return raw

    def _compact_size(self, largest: int = LARGEST_COMPACT_SIZE) -> int:
        first = self._take(1)[0]
        if first < 0xFD:  # noqa: PLR2004
            return first
        width = 2 << (first - 0xFD)
        number = int.from_bytes(self._take(width), "little")
        if number < (0xFD, 0x10000, 0x100000000)[first - 0xFD]:
            raise Malformed("a number is not in its shortest form")
        if number > largest:
            raise Malformed("a number is too large")
        return number

    def _varint(self, bits: int) -> int:
        number = 0
        limit = 1 << bits
        while True:
            byte = self._take(1)[0]
            number = (number << 7) | (byte & 0x7F)
            if number >= limit:
                raise Malformed("a number is too large")
            if not byte & 0x80:
                return number
            number += 1
