"""BCS, the byte format of Sui and Aptos, as far as their keys and signatures need it.

Spec: https://github.com/diem/bcs
"""

from __future__ import annotations

_MORE, _SEVEN = 0x80, 7
_LONGEST_UINT = 5


def uleb128(number: int) -> bytes:
    """Return a length or variant as BCS writes it."""
    written = bytearray()
    while number >= _MORE:
        written.append(number & ~_MORE & 0xFF | _MORE)
        number >>= _SEVEN
    return bytes(written) + bytes((number,))


class Reader:
    """Reads values one after the other; every method raises ``ValueError`` at a wrong one."""

    def __init__(self, raw: bytes) -> None:
        """Begin at the start of ``raw``."""
        self._raw, self._at = raw, 0

    def take(self, length: int) -> bytes:
        """Return the next ``length`` bytes."""
        piece = self._raw[self._at : self._at + length]
        if len(piece) != length:
            raise ValueError("the bytes end too early")
        self._at += length
        return piece

    def number(self, length: int) -> int:
        """Return an unsigned integer of so many bytes, the lowest first."""
        return int.from_bytes(self.take(length), "little")

    def uleb(self) -> int:
        """Return a length or variant, written in the one shortest way."""
        number = 0
        for place in range(_LONGEST_UINT):
            byte = self.take(1)[0]
            number |= (byte & ~_MORE) << (_SEVEN * place)
            if byte < _MORE:
                if place and not byte:
                    raise ValueError("a number is not written in the shortest way")
                return number
        raise ValueError("a number is too long")

    def blob(self) -> bytes:
        """Return bytes behind their length."""
        return self.take(self.uleb())

    def end(self) -> None:
        """Raise unless everything was read."""
        if self._at != len(self._raw):
            raise ValueError("there are bytes behind the end")
