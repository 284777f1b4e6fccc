r"""Read a table's bytes in blocks that end at line ends, with line numbers.

Memory stays flat: one block at a time, whatever the size of the file. A physical line ends
with ``\n`` (a ``\r`` before it belongs to the line end).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

import msgspec
import numpy as np

from crawler.errors import ListError

BLOCK_SIZE = 4 << 20
"""Bytes read at a time."""
MAX_LINE = 1 << 20
"""Bytes that one physical line may have. Real lines stay below 10,000."""
GZIP_MAGIC = b"\x1f\x8b"
"""Spec: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1"""
_LINE_FEED = 10
_COUNTED = 1 << 16
"""Bytes looked at together: what is made of them stays in the processor's cache."""


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


class Stream(Protocol):
    """A file, or a member of an archive, that is read into the reader's own memory."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer as far as possible; nothing at the end."""


def measure(stream: Stream) -> Size:
    """Digest, size and physical lines of a stream."""
    digest = hashlib.sha256()
    size = lines = 0
    last = _LINE_FEED
    buffer = memoryview(bytearray(BLOCK_SIZE))
    while read := stream.readinto(buffer):
        data = buffer[:read]
        digest.update(data)
        size += read
        lines += count_lines(data)
        last = data[-1]
    return Size(digest.hexdigest(), size, lines + (last != _LINE_FEED))


def count_lines(data: bytes | memoryview) -> int:
    """Count line feeds; five times as fast as ``bytes.count`` where lines are short."""
    octets = np.frombuffer(data, dtype=np.uint8)
    parts = (octets[at : at + _COUNTED] for at in range(0, len(octets), _COUNTED))
    return sum(int(np.count_nonzero(part == _LINE_FEED)) for part in parts)


class Digest(Protocol):
    """What ``hashlib`` makes."""

    def update(self, data: memoryview, /) -> None:
        """Take in more bytes."""


def blocks(
    stream: Stream, name: str, size: int | None = None, digest: Digest | None = None
) -> Iterator[Block]:
    """Yield the lines of a stream, whole, about ``size`` bytes at a time, digested on the way.

    Each block but the last ends with a line end. Raises ``ListError`` for a line above
    ``MAX_LINE`` and for bytes that are not UTF-8, naming file, line and byte.
    """
    size = BLOCK_SIZE if size is None else size
    buffer = bytearray(MAX_LINE + size)  # one for all blocks: fresh memory takes time to get
    held = 0
    line, offset = 1, 0
    while True:
        read = stream.readinto(memoryview(buffer)[held : held + size])
        end = held + read
        if digest is not None:
            digest.update(memoryview(buffer)[held:end])
        cut = buffer.rfind(b"\n", held, end) + 1 if read else end
        if read and not cut:
            _check_lines(bytes(buffer[:end]), name, line)
            held = end
            continue
        data = bytes(memoryview(buffer)[:cut])
        held = end - cut
        buffer[:held] = buffer[cut:end]
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
    if offset == 0 and data.startswith(GZIP_MAGIC):
        raise ListError(
            f"{name}: is packed by gzip, which is not read; unpack it (gunzip) and give the list "
            "as plain text in UTF-8, or as a zip of .csv files"
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        number = line + data.count(b"\n", 0, error.start)
        hint = "; it looks like UTF-16" if b"\0" in data[:8] else ""
        raise ListError(
            f"{name}, line {number}: byte {offset + error.start} "
            f"(0x{data[error.start]:02x}) is not UTF-8{hint}; save the list as UTF-8"
        ) from error
