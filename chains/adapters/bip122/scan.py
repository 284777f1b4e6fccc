"""One pass over a UTXO set dump: sums for all wanted scripts at once, and the file's digest.

``scan_dump`` reads the file once, in pieces, so memory does not grow with the file. The
digest is taken of the very bytes that were counted. Small files are read by the plain reader
of ``dump``; large ones by the machine code of ``kernel``. Both give the same record, which
is what the adapter keeps as the raw answer: decoding needs nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chains.adapters.bip122 import dump
from chains.adapters.bip122.pieces import Pieces
from chains.errors import Malformed

PIECE_BYTES = 1 << 20
"""Small enough that digest and kernel find the bytes in the processor's second cache."""
SMALL_FILE_BYTES = 16 << 20
"""Up to this size the plain reader is quicker than compiling the kernel."""
LONGEST_COIN = dump.LONGEST_SCRIPT + 4096
"""No coin has more bytes, its transaction's id included."""
LISTED_COINS = 10_000
"""So many matched coins are kept one by one; of all of them the sums and a digest."""
_HITS = 1 << 14
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
        self.sums = np.zeros((len(scripts), 2), dtype=np.int64)
        self.matched_coins = 0
        self._listed: list[np.ndarray[Any, Any]] = []
        self._digest = hashlib.sha256()

    def coins(self, txids: Any, numbers: Any) -> None:
        """Keep matched coins: rows of txid, and of vout, code, units, wanted."""
        records = np.empty(len(txids), dtype=_RECORD)
        records["txid"] = txids.view("V32")[:, 0]
        for column, name in enumerate(("vout", "code", "units", "wanted")):
            records[name] = numbers[:, column]
        self._digest.update(records.tobytes())
        room = LISTED_COINS - self.matched_coins
        if room > 0:
            self._listed.append(records[:room].copy())
        self.matched_coins += len(records)

    def record(
        self, *, sha256: str, size: int, highest: int, total: int, wanted_sha256: str
    ) -> DumpScan:
        """Build the record; scripts without a coin are left out of ``matched``."""
        places = np.flatnonzero(self.sums[:, 1])
        held = [self.scripts[i].hex() for i in places.tolist()]
        units, counts = self.sums[places].T.tolist()
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
            wanted_sha256=wanted_sha256,
            matched=tuple(map(Matched, held, map(str, units), counts)),
            matched_coins=self.matched_coins,
            coins_sha256=self._digest.hexdigest(),
            listed=tuple(self._list(places)),
        )

    def _list(self, places: Any) -> Iterator[MatchedCoin]:
        """Yield the first coins that were kept, each with its script's place in ``places``."""
        for kept in self._listed:
            txids = kept["txid"].tobytes()[::-1].hex()
            ends = range(len(txids), 0, -64)
            vouts, units = kept["vout"].tolist(), map(str, kept["units"].tolist())
            yield from map(
                MatchedCoin,
                [f"{txids[i - 64 : i]}:{vout}" for i, vout in zip(ends, vouts, strict=True)],
                (kept["code"] >> 1).tolist(),
                (kept["code"] & 1).astype(bool).tolist(),
                units,
                np.searchsorted(places, kept["wanted"]).tolist(),
            )


def _plain_pass(file: RawIOBase, scripts: Sequence[bytes], max_money: int) -> DumpScan:
    """Read with the plain reader. The file is small, so it is read whole."""
    raw = file.read()
    reader = dump.DumpReader(BytesIO(raw), max_money=max_money)
    places = {dump.compress_script(script): i for i, script in enumerate(scripts)}
    tally = _Tally(reader.header, scripts)
    total = highest = 0
    txids = bytearray()
    numbers: list[tuple[int, int, int, int]] = []
    for coin in reader.coins():
        total += coin.units
        highest = max(highest, coin.height)
        i = places.get(coin.compressed)
        if i is None:
            continue
        tally.sums[i] += (coin.units, 1)
        txids += coin.txid
        numbers.append((coin.vout, coin.height << 1 | coin.coinbase, coin.units, i))
    if numbers:
        rows = np.frombuffer(txids, dtype=np.uint8).reshape(-1, 32)
        tally.coins(rows, np.array(numbers, dtype=np.int64))
    return tally.record(
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        highest=highest,
        total=total,
        wanted_sha256=wanted_digest(scripts),
    )


def _fast_pass(file: RawIOBase, scripts: Sequence[bytes], max_money: int) -> DumpScan:
    """Read in pieces, each digested and searched while it is in the processor's cache."""
    from chains.adapters.bip122 import kernel, kernel_coins  # noqa: PLC0415

    header, start = dump.open_dump(file, max_money=max_money)  # type: ignore[arg-type]
    read = kernel.scan_flat if header.version == 1 else kernel.scan
    tally = _Tally(header, scripts)
    index = kernel.build_index(scripts)
    laid_out = tuple(index)
    state = kernel.start(header.coins)
    limits = kernel_coins.limits_of(max_money)
    txid = np.zeros(32, dtype=np.uint8)
    hits = np.empty((_HITS, kernel.HIT_COLUMNS), dtype=np.int64)
    hit_txids = np.empty((_HITS, 32), dtype=np.uint8)
    code = kernel.MORE
    file.seek(0)
    with Pieces(file, PIECE_BYTES, longest=LONGEST_COIN, slack=kernel.SLACK) as pieces:
        pieces.skip(start)
        state[kernel.POSITION] = pieces.end
        while pieces.more(int(state[kernel.POSITION])):
            if code == kernel.DONE:
                raise Malformed("bytes follow the last coin")
            state[kernel.POSITION] = pieces.begin
            while True:
                code = read(
                    pieces.buffer, pieces.end, state, txid, limits, laid_out,
                    tally.sums, hits, hit_txids,
                )  # fmt: skip
                if code != kernel.FULL:
                    break
                _drain(tally, kernel, state, hits, hit_txids)
            if code < 0:
                raise Malformed(kernel.ERRORS[code])
        if state[kernel.COINS_LEFT]:
            raise Malformed("the file ends inside a coin", code="truncated-answer")
        if pieces.begin < pieces.end:
            raise Malformed("bytes follow the last coin")
        _drain(tally, kernel, state, hits, hit_txids)
        return tally.record(
            sha256=pieces.sha256(),
            size=pieces.given,
            highest=int(state[kernel.HIGHEST]),
            total=int(state[kernel.TOTAL]),
            wanted_sha256=hashlib.sha256(index.scripts[: -kernel.SLACK].data).hexdigest(),
        )


def _drain(tally: _Tally, kernel: Any, state: Any, hits: Any, hit_txids: Any) -> None:
    """Move the kernel's matches into the tally and empty its list."""
    count = int(state[kernel.HITS])
    tally.coins(hit_txids[:count], hits[:count])
    state[kernel.HITS] = 0
