"""One pass over a UTXO set dump: sums for all wanted scripts at once, and the file's digest.

``scan_dump`` reads the file once, in pieces, so memory does not grow with the file. The
digest is taken of the very bytes that were counted. Small files are read by the plain reader
of ``dump``; large ones by the machine code of ``kernel``. Both give the same record, which
is what the adapter keeps as the raw answer: decoding needs nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chains.adapters.bip122 import dump
from chains.errors import Malformed

PIECE_BYTES = 16 << 20
"""Small enough that the digest and the kernel find the bytes in the processor's cache."""
SMALL_FILE_BYTES = 16 << 20
"""Up to this size the plain reader is quicker than compiling the kernel."""
LISTED_COINS = 10_000
"""So many matched coins are kept one by one; of all of them the sums and a digest."""
_HITS = 1 << 18
_RECORD = [("txid", "V32"), ("vout", "<u4"), ("code", "<u4"), ("units", "<i8"), ("wanted", "<i4")]


class Matched(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Sum over the coins of one wanted script. ``units`` is a decimal string of satoshi."""

    script: str
    units: str
    coins: int


class MatchedCoin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One matched coin; ``script`` is its place in ``DumpScan.matched``."""

    outpoint: str
    height: int
    coinbase: bool
    units: str
    script: int


class DumpScan(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass over a dump found: the body of the exchange that stands for it.

    ``version`` is that of the format; version 1 has no ``magic``.
    ``wanted`` and ``wanted_sha256`` say which scripts were looked for (see ``wanted_digest``);
    those that are not in ``matched`` have no coin in the set. ``highest`` is the height of the
    newest coin. ``total_units`` is the sum over all coins, wanted or not. ``listed`` are the
    first matched coins in the file's order; ``coins_sha256`` covers all of them, each as
    txid (file order), vout u32, height*2+coinbase u32, units i64, place among the sorted
    wanted scripts i32, little-endian. ``set_hash`` is the hash of the whole set (``set_hash``),
    empty where it was not wanted.
    """

    sha256: str
    size: int
    magic: str
    base_hash: str
    coins: int
    highest: int
    total_units: str
    wanted: int
    wanted_sha256: str
    matched: tuple[Matched, ...]
    matched_coins: int
    coins_sha256: str
    listed: tuple[MatchedCoin, ...]
    version: int = dump.VERSION
    set_hash: str = ""


def wanted_digest(scripts: Sequence[bytes]) -> str:
    """Return the SHA-256 of scripts, each preceded by its length as u32, in the order given."""
    prefix = {size: size.to_bytes(4, "little") for size in {len(script) for script in scripts}}
    return hashlib.sha256(b"".join([prefix[len(one)] + one for one in scripts])).hexdigest()


def scan_dump(
    path: Path,
    scripts: Sequence[bytes],
    *,
    max_money: int = dump.MAX_MONEY,
    plain: bool | None = None,
) -> DumpScan:
    """Sum the coins of every script in ``scripts`` (distinct, ascending) over the whole file.

    ``plain`` forces the plain reader or the kernel; by default the size decides. Raises
    ``Malformed`` for a file that breaks the format, ``OSError`` where it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        before = path.stat()
        if plain is None:
            plain = before.st_size <= SMALL_FILE_BYTES
        found = (_plain_pass if plain else _fast_pass)(file, scripts, max_money)
        after = path.stat()
    if found.size != before.st_size or (before.st_size, before.st_mtime_ns, before.st_ino) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    ):
        raise Malformed("the file changed while it was read", code="truncated-answer")
    return found


class _Tally:
    """What both passes collect on the way, and how it becomes the record."""

    def __init__(self, header: dump.DumpHeader, scripts: Sequence[bytes]) -> None:
        self.header = header
        self.scripts = scripts
        self.listed: list[tuple[str, int, bool, int, int]] = []
        self.matched_coins = 0
        self.coins_digest = hashlib.sha256()

    def coins(self, txids: bytes, numbers: Any) -> None:
        """Keep matched coins: txids end to end, and rows of vout, code, units, wanted."""
        count = len(txids) // 32
        records = np.zeros(count, dtype=_RECORD)
        records["txid"] = np.frombuffer(txids, dtype="V32")
        for column, name in enumerate(("vout", "code", "units", "wanted")):
            records[name] = numbers[:count, column]
        self.coins_digest.update(records.tobytes())
        self.matched_coins += count
        room = min(count, max(0, LISTED_COINS - len(self.listed)))
        for i, (vout, code, units, wanted) in enumerate(numbers[:room].tolist()):
            outpoint = f"{txids[32 * i : 32 * i + 32][::-1].hex()}:{vout}"
            self.listed.append((outpoint, code >> 1, bool(code & 1), units, wanted))

    def record(
        self,
        *,
        sha256: str,
        size: int,
        highest: int,
        total: int,
        units: Sequence[int],
        counts: Sequence[int],
    ) -> DumpScan:
        """Build the record; scripts without a coin are left out of ``matched``."""
        places = [i for i, count in enumerate(counts) if count]
        wanted_of_listed = sorted({wanted for *_, wanted in self.listed})
        at = np.searchsorted(places, wanted_of_listed).tolist()
        place_of = dict(zip(wanted_of_listed, at, strict=True))
        return DumpScan(
            sha256=sha256,
            size=size,
            magic=self.header.magic.hex(),
            version=self.header.version,
            base_hash=self.header.block_hash,
            coins=self.header.coins,
            highest=highest,
            total_units=str(total),
            wanted=len(self.scripts),
            wanted_sha256=wanted_digest(self.scripts),
            matched=tuple(
                [Matched(self.scripts[i].hex(), str(units[i]), counts[i]) for i in places]
            ),
            matched_coins=self.matched_coins,
            coins_sha256=self.coins_digest.hexdigest(),
            listed=tuple(
                MatchedCoin(outpoint, height, coinbase, str(amount), place_of[wanted])
                for outpoint, height, coinbase, amount, wanted in self.listed
            ),
        )


def _plain_pass(file: RawIOBase, scripts: Sequence[bytes], max_money: int) -> DumpScan:
    """Read with the plain reader. The file is small, so it is read whole."""
    raw = file.read()
    reader = dump.DumpReader(BytesIO(raw), max_money=max_money)
    places = {dump.compress_script(script): i for i, script in enumerate(scripts)}
    tally = _Tally(reader.header, scripts)
    units, counts = [0] * len(scripts), [0] * len(scripts)
    total = highest = 0
    txids = bytearray()
    numbers: list[tuple[int, int, int, int]] = []
    for coin in reader.coins():
        total += coin.units
        highest = max(highest, coin.height)
        i = places.get(coin.compressed)
        if i is None:
            continue
        units[i] += coin.units
        counts[i] += 1
        txids += coin.txid
        numbers.append((coin.vout, coin.height << 1 | coin.coinbase, coin.units, i))
    if numbers:
        tally.coins(bytes(txids), np.array(numbers, dtype=np.int64))
    return tally.record(
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        highest=highest,
        total=total,
        units=units,
        counts=counts,
    )


def _fast_pass(file: RawIOBase, scripts: Sequence[bytes], max_money: int) -> DumpScan:
    """Read in pieces; while the kernel works on one, its digest is taken beside it."""
    from chains.adapters.bip122 import kernel  # noqa: PLC0415

    header, start = dump.open_dump(file, max_money=max_money)  # type: ignore[arg-type]
    read = kernel.scan_flat if header.version == 1 else kernel.scan
    file.seek(0)
    digest = hashlib.sha256(file.read(start))
    tally = _Tally(header, scripts)
    index = kernel.build_index([dump.compress_script(script) for script in scripts])
    state = np.zeros(kernel.STATE_PLACES, dtype=np.int64)
    state[kernel.COINS_LEFT] = min(1 << 62, header.coins)
    state[kernel.VOUT_ORDER] = kernel.NO_TRANSACTION
    txid = np.zeros(32, dtype=np.uint8)
    units = np.zeros(len(scripts), dtype=np.int64)
    counts = np.zeros(len(scripts), dtype=np.int64)
    hits = np.empty((_HITS, 4), dtype=np.int64)
    hit_txids = np.empty((_HITS, 32), dtype=np.uint8)
    room = PIECE_BYTES + dump.LONGEST_SCRIPT + 4096
    buffer = np.empty(room + kernel.SLACK, dtype=np.uint8)
    kept, size, done = 0, start, False
    with ThreadPoolExecutor(max_workers=1) as beside:
        while True:
            view = memoryview(buffer.data)[kept : kept + PIECE_BYTES]
            got = read_fully(file, view)
            if not got:
                break
            if done:
                raise Malformed("bytes follow the last coin")
            size += got
            end = kept + got
            buffer[end : end + kernel.SLACK] = 0
            hashing = beside.submit(digest.update, view[:got])
            state[kernel.POSITION] = 0
            while True:
                code = int(
                    read(buffer, end, state, txid, max_money, index, units, counts, hits, hit_txids)
                )
                _drain(tally, kernel, state, hits, hit_txids)
                if code != kernel.FULL:
                    break
            hashing.result()
            if code < 0:
                raise Malformed(kernel.ERRORS[code])
            position = int(state[kernel.POSITION])
            kept = end - position
            done = code == kernel.DONE
            if done and kept:
                raise Malformed("bytes follow the last coin")
            buffer[:kept] = buffer[position:end].copy()
    if state[kernel.COINS_LEFT]:
        raise Malformed("the file ends inside a coin", code="truncated-answer")
    return tally.record(
        sha256=digest.hexdigest(),
        size=size,
        highest=int(state[kernel.HIGHEST]),
        total=int(state[kernel.TOTAL]),
        units=units.tolist(),
        counts=counts.tolist(),
    )


def _drain(tally: _Tally, kernel: Any, state: Any, hits: Any, hit_txids: Any) -> None:
    """Move the kernel's matches into the tally and empty its list."""
    count = int(state[kernel.HITS])
    if count:
        tally.coins(hit_txids[:count].tobytes(), hits)
    state[kernel.HITS] = 0


def read_fully(file: RawIOBase, view: memoryview) -> int:
    """Fill ``view`` from the file as far as it goes; returns the number of bytes."""
    got = 0
    while got < len(view):
        count = file.readinto(view[got:])
        if not count:
            break
        got += count
    return got
