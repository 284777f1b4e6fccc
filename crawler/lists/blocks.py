r"""Read a table's bytes in blocks that end at line ends, with line numbers.

Memory stays flat: one block at a time, whatever the size of the file. A physical line ends
with ``\n`` (a ``\r`` before it belongs to the line end).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO, Protocol

import msgspec
import numpy as np

from crawler.errors import ListError

BLOCK_SIZE = 4 << 20
"""Bytes read at a time."""
MAX_LINE = 1 << 20
"""Bytes that one physical line may have. Real lines stay below 10,000."""


_LINE_FEED = 10


class Block(msgspec.Struct, frozen=True):
    """Whole lines. ``line`` is the number of the first, ``offset`` its place in the file."""

    data: bytes
    line: int
    offset: int


class Size(msgspec.Struct, frozen=True):
    """What one pass over a table's bytes shows."""

    sha256: str
    bytes: int
    lines: int


def measure(stream: IO[bytes]) -> Size:
    """Digest, size and physical lines of a stream."""
    digest = hashlib.sha256()
    size = lines = 0
    tail = b"\n"
    while data := stream.read(BLOCK_SIZE):
        digest.update(data)
        size += len(data)
        lines += count_lines(data)
        tail = data
    return Size(digest.hexdigest(), size, lines + (not tail.endswith(b"\n")))


def count_lines(data: bytes) -> int:
    """Count line feeds; three times as fast as ``bytes.count`` where lines are short."""
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == _LINE_FEED))


class Digest(Protocol):
    """What ``hashlib`` makes."""

    def update(self, data: bytes, /) -> None:
        """Take in more bytes."""


def blocks(
    stream: IO[bytes], name: str, size: int | None = None, digest: Digest | None = None
) -> Iterator[Block]:
    """Yield the lines of a stream, whole, about ``size`` bytes at a time, digested on the way.

    Each block but the last ends with a line end. Raises ``ListError`` for a line above
    ``MAX_LINE`` and for bytes that are not UTF-8, naming file, line and byte.
    """
    size = BLOCK_SIZE if size is None else size
    rest = b""
    line, offset = 1, 0
    while True:
        read = stream.read(size)
        if digest is not None:
            digest.update(read)
        cut = read.rfind(b"\n") + 1
        if read and not cut:
            rest += read
            _check_lines(rest, name, line)
            continue
        data = b"".join((rest, memoryview(read)[:cut])) if read else rest
        rest = read[cut:]
        if data:
            _check_lines(data, name, line)
            _check_utf8(data, name, line, offset)
            yield Block(data, line, offset)
            line += count_lines(data)
            offset += len(data)
        if not read:
            return


def _check_lines(data: bytes, name: str, line: int) -> None:
    """Refuse a line above ``MAX_LINE``, looking at one byte in a million where there is none."""
    start = 0
    while len(data) - start > MAX_LINE:
        end = data.rfind(b"\n", start, start + MAX_LINE + 1) + 1
        if not end:
            number = line + data.count(b"\n", 0, start)
            raise ListError(
                f"{name}, line {number}: longer than {MAX_LINE} bytes; expected one row per line"
            )
        start = end


def _check_utf8(data: bytes, name: str, line: int, offset: int) -> None:
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        number = line + data.count(b"\n", 0, error.start)
        hint = "; it looks like UTF-16" if b"\0" in data[:8] else ""
        raise ListError(
            f"{name}, line {number}: byte {offset + error.start} "
            f"(0x{data[error.start]:02x}) is not UTF-8{hint}; save the list as UTF-8"
        ) from error
