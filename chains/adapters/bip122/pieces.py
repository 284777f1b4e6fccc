"""A large file in pieces: buffers that are used again and again, and the digest of what was read.

A piece is small enough that the digest finds it, and leaves it, in the processor's second cache.
Where there is a second core, the next piece is read and the digest is taken there, beside whatever
else is done with a piece.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from io import RawIOBase
from typing import Any, Self

import numpy as np


class Pieces:
    """Gives a file's bytes piece by piece in ``buffer``, from ``begin`` up to ``end``. A context.

    In front of each piece stands what was left of the one before, at most ``longest`` bytes;
    ``slack`` zero bytes follow it. ``given`` counts the bytes so far.
    """

    def __init__(self, file: RawIOBase, size: int, *, longest: int, slack: int) -> None:
        self._file, self._size, self._longest, self._slack = file, size, longest, slack
        room = longest + size + slack
        self._beside = ThreadPoolExecutor(max_workers=1) if _cores() > 1 else None
        self._ahead: Future[int] | None = None
        self._hashed: Future[None] | None = None
        self._sha256 = hashlib.sha256()
        self.buffer = np.empty(room, dtype=np.uint8)
        self._other = np.empty(room, dtype=np.uint8) if self._beside else self.buffer
        self.begin = self.end = longest
        self.given = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._beside is not None:
            self._beside.shutdown(cancel_futures=True)

    def skip(self, size: int) -> None:
        """Read and digest bytes that are not given; only before the first piece."""
        raw = self._file.read(size) or b""
        self.given += len(raw)
        self._sha256.update(raw)

    def more(self, position: int) -> int:
        """Give the next piece; of the last one keep what follows ``position``.

        Returns how many bytes came from the file: 0 at its end. Raises ``OSError``.
        """
        begin = self._longest - (self.end - position)
        self._other[begin : self._longest] = self.buffer[position : self.end]
        got = self._ahead.result() if self._ahead else self._read(self._other)
        self.buffer, self._other = self._other, self.buffer
        self.begin, self.end = begin, self._longest + got
        self.buffer[self.end : self.end + self._slack] = 0
        self.given += got
        self._digest(memoryview(self.buffer.data)[self._longest : self.end])
        return got

    def sha256(self) -> str:
        """Return the digest of all bytes so far as hex digits."""
        if self._hashed:
            self._hashed.result()
        return self._sha256.hexdigest()

    def _read(self, buffer: np.ndarray[Any, Any]) -> int:
        """Fill a buffer, behind the room for what is kept, as far as the file goes."""
        return read_fully(
            self._file, memoryview(buffer.data)[self._longest : self._longest + self._size]
        )

    def _digest(self, piece: memoryview) -> None:
        """Take the digest further, here or beside, and there read the next piece before that.

        What is done beside is done in turn: nothing is read over a piece that is not digested yet.
        """
        if self._beside is None:
            self._sha256.update(piece)
        elif piece:
            self._ahead = self._beside.submit(self._read, self._other)
            self._hashed = self._beside.submit(self._sha256.update, piece)


def read_fully(file: RawIOBase, view: memoryview) -> int:
    """Fill ``view`` from the file as far as it goes; returns the number of bytes."""
    got = 0
    while got < len(view):
        count = file.readinto(view[got:])
        if not count:
            break
        got += count
    return got


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
