"""Protocol Buffers as far as read-only calls need them: fields in, fields out.

Spec: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_MOST_VARINT_BYTES = 10
_U64, _I64 = 2**64, 2**63

Fields = dict[int, list[int | bytes]]


def integer(number: int, value: int) -> bytes:
    """Encode a field of a non-negative integer; zero is left out, as proto3 does."""
    return _varint(number << 3 | VARINT) + _varint(value) if value else b""


def text(number: int, value: bytes) -> bytes:
    """Encode a field of bytes, a string or a message; nothing is left out if it is empty."""
    return _varint(number << 3 | BYTES) + _varint(len(value)) + value if value else b""


def parse(message: bytes) -> Fields:
    """Return the values of each field in their order; raises ``ValueError``.

    Integers are unsigned 64 bits; the rest is bytes.
    """
    found: Fields = {}
    for number, value in _each(message):
        found.setdefault(number, []).append(value)
    return found


def one_integer(fields: Fields, number: int) -> int:
    """Return an ``int64`` field, zero where it is left out; raises ``ValueError``."""
    values = fields.get(number, [0])
    value = values[0]
    if len(values) != 1 or not isinstance(value, int):
        raise ValueError(f"field {number} is not one integer")
    return value if value < _I64 else value - _U64


def one_bytes(fields: Fields, number: int) -> bytes:
    """Return a field of bytes, empty where it is left out; raises ``ValueError``."""
    values = fields.get(number, [b""])
    value = values[0]
    if len(values) != 1 or not isinstance(value, bytes):
        raise ValueError(f"field {number} is not one text")
    return value


def _each(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise ValueError("a field has the number 0")
        if kind == VARINT:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == BYTES:
            length, at = _read_varint(message, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise ValueError(f"wire type {kind} is not known")
        if at + length > len(message):
            raise ValueError("a field goes beyond the end")
        yield number, message[at : at + length]
        at += length


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004 - seven bits a byte, the eighth says that more follow
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(message[at : at + _MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:  # noqa: PLR2004
            if value >= _U64:
                raise ValueError("an integer has more than 64 bits")
            return value, at + i + 1
    raise ValueError("an integer has no end")
