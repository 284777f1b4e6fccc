"""Cells: TON's trees of bits, as the bags in which nodes send them, and dictionaries in them.

Only what get methods need is read: ordinary cells, addresses, dictionaries with fixed keys, texts
that run on from cell to cell. Whatever is damaged, nested too deeply or not of the form raises
``CellError``, never anything else.

Spec: https://docs.ton.org/v3/documentation/data-formats/tlb/cell-boc,
https://docs.ton.org/v3/documentation/data-formats/tlb/tl-b-types
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256

import msgspec

MAGIC = bytes.fromhex("b5ee9c72")
DEEPEST = 512
MOST_BITS, MOST_REFERENCES = 1023, 4
ADDRESS_BITS = 267
_HAS_INDEX, _HAS_CRC, _SIZE = 0x80, 0x40, 0x07
_SPECIAL, _WITH_HASHES_OR_LEVEL = 0x08, 0xF0
_MOST_SIZE, _MOST_OFFSET = 4, 8
_CRC_BYTES = 4
_ADDRESS_TAG = 0b100
"""``addr_std`` without anycast: bits 10, then 0."""


class CellError(ValueError):
    """The bytes are no bag of cells, or the cells do not hold what was asked for."""


class Cell(msgspec.Struct, frozen=True):
    """``value`` holds ``bits`` bits, the first the most significant; ``digest`` is its hash."""

    value: int
    bits: int
    references: tuple[Cell, ...] = ()
    is_special: bool = False
    depth: int = 0
    digest: bytes = b""


class _Piece(msgspec.Struct, frozen=True):
    """A cell as it stands in a bag: descriptors and data, and the numbers of its references."""

    raw: bytes
    value: int
    bits: int
    links: Sequence[int]


class Reader:
    """Takes bits and references off a cell, in order."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.left = cell.bits
        self._next = 0

    def take(self, count: int) -> int:
        """Return the next ``count`` bits as a number."""
        if not 0 <= count <= self.left:
            raise CellError("the cell has too few bits")
        self.left -= count
        return (self._cell.value >> self.left) & ((1 << count) - 1)

    def reference(self) -> Cell:
        """Return the next reference."""
        if self._next >= len(self._cell.references):
            raise CellError("the cell has too few references")
        self._next += 1
        return self._cell.references[self._next - 1]


def of_text(text: object) -> Cell:
    """Return the one root of a bag in base64."""
    if not isinstance(text, str):
        raise CellError("a bag of cells is a text")
    try:
        return parse(b64decode(text.encode("ascii"), validate=True))
    except ValueError as error:
        raise error if isinstance(error, CellError) else CellError("not base64") from error


def parse(raw: bytes) -> Cell:
    """Return the one root of a bag of cells."""
    if raw[:4] != MAGIC or len(raw) < len(MAGIC) + 2:
        raise CellError("not a bag of cells")
    flags, wide = raw[4], raw[5]
    size = flags & _SIZE
    if not 1 <= size <= _MOST_SIZE or not 1 <= wide <= _MOST_OFFSET:
        raise CellError("a width of the bag is out of range")
    if flags & _HAS_CRC:
        raw, crc = raw[:-_CRC_BYTES], raw[-_CRC_BYTES:]
        if crc32c(raw).to_bytes(_CRC_BYTES, "little") != crc:
            raise CellError("the bag's checksum is wrong")
    count, roots, absent = (_number(raw, 6 + i * size, size) for i in range(3))
    length = _number(raw, 6 + 3 * size, wide)
    root = _number(raw, 6 + 3 * size + wide, size)
    start = 6 + 4 * size + wide + (count * wide if flags & _HAS_INDEX else 0)
    if roots != 1 or absent or root >= count or start + length != len(raw):
        raise CellError("the bag has not one root, or another length than it says")
    return _linked(_pieces(raw[start:], count, size), root)


def _pieces(raw: bytes, count: int, size: int) -> list[_Piece]:
    """Cut the cells of a bag apart. Cells with a level (proofs) are refused."""
    found: list[_Piece] = []
    at = 0
    while at < len(raw):
        if len(found) == count or at + 2 > len(raw):
            raise CellError("the bag holds another number of cells than it says")
        first, second = raw[at], raw[at + 1]
        own = raw[at : at + 2 + (second + 1) // 2]
        at += len(own)
        links = [_number(raw, at + i * size, size) for i in range(first & 7)]
        at += len(links) * size
        is_odd = first & _WITH_HASHES_OR_LEVEL or len(links) > MOST_REFERENCES
        if is_odd or len(own) != 2 + (second + 1) // 2:
            raise CellError("a cell is not of a form that is read here")
        found.append(_Piece(own, *_bits(own[2:], second), links))
    if len(found) != count:
        raise CellError("the bag holds another number of cells than it says")
    return found


def _bits(data: bytes, descriptor: int) -> tuple[int, int]:
    """Return value and length of a cell's data; an odd descriptor marks a padded last byte."""
    value = int.from_bytes(data, "big")
    if not descriptor % 2:
        return value, len(data) * 8
    if not data or not data[-1]:
        raise CellError("the padding of a cell is missing")
    spare = (value & -value).bit_length()
    return value >> spare, len(data) * 8 - spare


def _linked(pieces: Sequence[_Piece], root: int) -> Cell:
    """Join cells to trees, last to first: a reference only leads forward.

    A cell's hash is over descriptors, data, and the depths and hashes of its references.
    """
    whole: list[Cell] = [Cell(0, 0)] * len(pieces)
    for i in reversed(range(len(pieces))):
        piece = pieces[i]
        if any(not i < link < len(pieces) for link in piece.links):
            raise CellError("a reference does not lead forward")
        below = tuple(whole[link] for link in piece.links)
        depth = max((cell.depth + 1 for cell in below), default=0)
        if depth > DEEPEST:
            raise CellError("the cells are nested too deeply")
        depths = b"".join(cell.depth.to_bytes(2, "big") for cell in below)
        digest = sha256(piece.raw + depths + b"".join(cell.digest for cell in below)).digest()
        is_special = bool(piece.raw[0] & _SPECIAL)
        whole[i] = Cell(piece.value, piece.bits, below, is_special, depth, digest)
    return whole[root]


def _number(raw: bytes, start: int, width: int) -> int:
    piece = raw[start : start + width]
    if len(piece) != width:
        raise CellError("the bag ends too early")
    return int.from_bytes(piece, "big")


def address_bag(account: bytes) -> str:
    """Return a bag in base64 with the one cell that holds an address."""
    value = (_ADDRESS_TAG << 264 | int.from_bytes(account, "big")) << 5 | 1 << 4
    cell = bytes((0, 2 * (ADDRESS_BITS // 8) + 1)) + value.to_bytes(34, "big")
    return b64encode(MAGIC + bytes((1, 1, 1, 1, 0, len(cell), 0)) + cell).decode()


def address(cell: Cell) -> bytes:
    """Return the account of a cell that holds nothing but an address: workchain byte and hash."""
    reader = Reader(cell)
    tag = reader.take(3)
    if tag != _ADDRESS_TAG or cell.bits != ADDRESS_BITS or cell.references or cell.is_special:
        raise CellError("the cell holds no plain address")
    return reader.take(264).to_bytes(33, "big")


def lookup(cell: Cell, key: int, width: int) -> Reader | None:
    """Return what stands under a key of ``width`` bits in a dictionary that is not empty.

    ``None`` where the key is missing.
    """
    while True:
        reader = Reader(cell)
        label, length = _label(reader, width)
        width -= length
        if label != (key >> width) & ((1 << length) - 1):
            return None
        if not width:
            return reader
        if reader.left:
            raise CellError("a fork of a dictionary holds more than its label")
        left, right = reader.reference(), reader.reference()
        width -= 1
        cell = right if key >> width & 1 else left


def _label(reader: Reader, width: int) -> tuple[int, int]:
    """Read what the keys below an edge have in common: value and length."""
    if not reader.take(1):
        length = 0
        while reader.take(1):
            length += 1
        if length > width:
            raise CellError("a label is longer than its key")
        return reader.take(length), length
    is_same = reader.take(1)
    bit = reader.take(1) if is_same else 0
    length = reader.take(width.bit_length())
    if length > width:
        raise CellError("a label is longer than its key")
    return ((1 << length) - 1) * bit if is_same else reader.take(length), length


def snake(cell: Cell, reader: Reader) -> bytes:
    """Return what is left of a cell, and all of the cells behind it, as bytes."""
    found = bytearray()
    while True:
        if reader.left % 8:
            raise CellError("a text does not end with a byte")
        size = reader.left
        found += reader.take(size).to_bytes(size // 8, "big")
        if not cell.references:
            return bytes(found)
        cell = cell.references[0]
        reader = Reader(cell)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


def crc32c(raw: bytes) -> int:
    """Return the Castagnoli checksum.

    Spec: https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4
    """
    crc = 0xFFFFFFFF
    for byte in raw:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
