"""Fields of a protocol buffer: numbers and byte strings, as far as accounts and keys need them."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _BYTES = 0, 2
_LONGEST_VARINT = 10
_MORE = 0x80


class BadMessage(ValueError):
    """The bytes are no message that is understood."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field; raises ``BadMessage``.

    Spec: https://protobuf.dev/programming-guides/encoding/
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == _VARINT:
            yield tag >> 3, value
            continue
        if tag & 7 != _BYTES or at + value > len(message):
            raise BadMessage("a field of an unknown type or beyond the end")
        yield tag >> 3, message[at : at + value]
        at += value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & ~_MORE) << 7 * i
        if byte < _MORE:
            return value, at + i + 1
    raise BadMessage("a number that does not end")
