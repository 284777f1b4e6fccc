"""The hash of a whole UTXO set, made anew from a dump: what ties its coins to another's word.

Bitcoin Core calls it ``hash_serialized_3`` (``gettxoutsetinfo``) and ``txoutset_hash``
(``dumptxoutset``), and has the values of some heights compiled in. It is SHA-256, twice, over
all coins by transaction and number of output: txid, vout u32, height*2+coinbase u32, amount i64,
script behind its CompactSize length; numbers little-endian. Every coin goes in, so a file that
hashes to it holds neither a coin more nor one less.

Format: https://github.com/bitcoin/bitcoin/blob/v29.0/src/kernel/coinstats.cpp (TxOutSer)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from io import FileIO
from itertools import groupby, islice
from pathlib import Path

import msgspec
import numpy as np

from chains.adapters.bip122 import dump
from chains.adapters.bip122.pieces import read_fully
from chains.adapters.bip122.scan import LONGEST_COIN, SMALL_FILE_BYTES
from chains.errors import Malformed

PIECE_BYTES = 16 << 20
_ROOM = 2 * PIECE_BYTES + dump.LONGEST_SCRIPT
_POINTS = 1 << 16


def set_hash(path: Path, *, max_money: int = dump.MAX_MONEY, plain: bool | None = None) -> str:
    """Return the set's hash, 64 hex digits as Core shows them.

    ``plain`` forces the plain reader or the kernel; by default the size decides. Raises
    ``Malformed`` for a file that breaks the format or is of version 1, ``OSError`` where it cannot
    be read.
    """
    with path.open("rb", buffering=0) as file:
        if plain is None:
            plain = path.stat().st_size <= SMALL_FILE_BYTES
        header, start = dump.open_dump(file, max_money=max_money)
        if header.version == 1:
            raise Malformed("the hash of a set is made of a dump in format version 2")
        file.seek(start)
        digest = (_plain if plain else _fast)(file, header, max_money)
    return hashlib.sha256(digest).digest()[::-1].hex()


def serialized(coin: dump.Coin) -> bytes:
    """Return a coin as it goes into the hash; raises ``Malformed`` for a key off the curve."""
    script = dump.decompress_script(coin.compressed)
    return (
        coin.txid
        + coin.vout.to_bytes(4, "little")
        + (coin.height << 1 | coin.coinbase).to_bytes(4, "little")
        + coin.units.to_bytes(8, "little")
        + dump.write_compact_size(len(script))
        + script
    )


def _plain(file: FileIO, header: dump.DumpHeader, max_money: int) -> bytes:
    reader = dump.DumpReader(file, max_money=max_money, header=header)
    digest = hashlib.sha256()
    for _, coins in groupby(reader.coins(), key=lambda coin: coin.txid):
        digest.update(_by_number(coins))
    return digest.digest()


def _by_number(coins: Iterable[dump.Coin]) -> bytes:
    """Return the coins of one transaction as they go into the hash."""
    return b"".join(serialized(coin) for coin in sorted(coins, key=lambda coin: coin.vout))


def _fast(file: FileIO, header: dump.DumpHeader, max_money: int) -> bytes:
    """Write the coins out at length with the kernel, and hash that."""
    return _FastPass(file, header, max_money).digest()


class _FastPass:
    """Reads the file in pieces; what is written of a transaction is hashed when it is whole."""

    def __init__(self, file: FileIO, header: dump.DumpHeader, max_money: int) -> None:
        from chains.adapters.bip122 import kernel_coins, kernel_set  # noqa: PLC0415

        self._kernel, self._errors, self._slack = (
            kernel_set,
            kernel_coins.ERRORS,
            kernel_coins.SLACK,
        )
        self._file, self._header, self._max_money = file, header, max_money
        self._limits = kernel_coins.limits_of(max_money)
        self._state = np.zeros(kernel_set.STATE_PLACES, dtype=np.int64)
        self._state[kernel_set.COINS_LEFT] = min(1 << 62, header.coins)
        self._state[kernel_set.LAST_VOUT] = kernel_set.NO_TRANSACTION
        self._txid = np.zeros(32, dtype=np.uint8)
        self._out = np.zeros(_ROOM, dtype=np.uint8)
        self._points = np.zeros((_POINTS, 2), dtype=np.int64)
        room = PIECE_BYTES + LONGEST_COIN
        self._buffer = np.zeros(room + self._slack, dtype=np.uint8)
        self._hash = hashlib.sha256()
        self._group_start = 0

    def digest(self) -> bytes:
        """Return the hash of all coins; raises ``Malformed``."""
        kernel, state, buffer = self._kernel, self._state, self._buffer
        kept, code = 0, kernel.MORE
        while got := read_fully(self._file, memoryview(buffer.data)[kept : kept + PIECE_BYTES]):
            if code == kernel.DONE:
                raise Malformed("bytes follow the last coin")
            end = kept + got
            buffer[end : end + self._slack] = 0
            code = self._piece(end)
            if code == kernel.UNORDERED:
                self._transaction()
                kept, code = 0, kernel.MORE if state[kernel.COINS_LEFT] else kernel.DONE
                continue
            if code < 0:
                raise Malformed(self._errors[code])
            position = int(state[kernel.POSITION])
            kept = end - position
            buffer[:kept] = buffer[position:end].copy()
        if state[kernel.COINS_LEFT]:
            raise Malformed("the file ends inside a coin", code="truncated-answer")
        if kept:
            raise Malformed("bytes follow the last coin")
        state[kernel.WHOLE_WRITTEN], state[kernel.WHOLE_POINTS] = (
            state[kernel.WRITTEN],
            state[kernel.POINTS],
        )
        self._drain()
        return self._hash.digest()

    def _piece(self, end: int) -> int:
        """Write out the coins of the buffer up to ``end``; returns why it stopped."""
        kernel, state = self._kernel, self._state
        base = self._file.tell() - end
        state[kernel.POSITION] = 0
        while True:
            state[kernel.GROUP_AT] = -1
            code = int(
                kernel.write_out(
                    self._buffer, end, state, self._txid, self._limits, self._out, self._points
                )
            )
            if state[kernel.GROUP_AT] >= 0:
                self._group_start = base + int(state[kernel.GROUP_AT])
            if code == kernel.FULL and not state[kernel.WHOLE_WRITTEN]:
                raise Malformed("a transaction is longer than a block")
            self._drain()
            if code != kernel.FULL:
                return code

    def _drain(self) -> None:
        """Hash what was written of whole transactions, and move the rest to the front."""
        kernel, state = self._kernel, self._state
        written, points = int(state[kernel.WHOLE_WRITTEN]), int(state[kernel.WHOLE_POINTS])
        for place, parity in self._points[:points].tolist():
            key = bytes([4 + parity]) + self._out[place : place + 32].tobytes()
            full = dump.decompress_script(key)[34:66]
            self._out[place + 32 : place + 64] = np.frombuffer(full, dtype=np.uint8)
        self._hash.update(memoryview(self._out.data)[:written])
        rest = self._out[written : int(state[kernel.WRITTEN])].copy()
        open_points = self._points[points : int(state[kernel.POINTS])] - (written, 0)
        self._out[: rest.size], self._points[: len(open_points)] = rest, open_points
        state[kernel.WRITTEN], state[kernel.POINTS] = rest.size, len(open_points)
        state[kernel.WHOLE_WRITTEN] = state[kernel.WHOLE_POINTS] = 0

    def _transaction(self) -> None:
        """Take back what was written of the present transaction and read it in plain."""
        kernel, state = self._kernel, self._state
        count = int(state[kernel.GROUP_COINS])
        left = int(state[kernel.COINS_LEFT]) + count - int(state[kernel.GROUP_LEFT])
        self._file.seek(self._group_start)
        header = msgspec.structs.replace(self._header, coins=left)
        reader = dump.DumpReader(self._file, max_money=self._max_money, header=header)
        self._hash.update(_by_number(islice(reader.coins(), count)))
        state[kernel.COINS_LEFT], state[kernel.GROUP_LEFT] = left - count, 0
        state[kernel.LAST_VOUT] = kernel.NO_OUTPUT
        state[kernel.WRITTEN] = state[kernel.POINTS] = 0
