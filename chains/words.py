"""Balances as the EVM answers them: unsigned integers of 32 bytes, thousands in one string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import pyarrow as pa

WORD = 32
_DIGITS = 76
"""What a 256-bit decimal holds: more than 252 bits need."""
_TOP = 60
"""Bits of the first of four parts that a number of 252 bits may fill."""


class Words(Sequence[int]):
    """Integers that stay bytes until one is asked for; ``len(raw)`` is a multiple of 32."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def __len__(self) -> int:
        return len(self._raw) // WORD

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Words: ...

    def __getitem__(self, place: int | slice) -> int | Words:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                raise ValueError("only neighbours can be taken together")
            return Words(self._raw[start * WORD : stop * WORD])
        at = range(len(self))[place] * WORD
        return int.from_bytes(self._raw[at : at + WORD], "big")

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int) or not 0 <= number < 1 << (8 * WORD):
            return False
        wanted = np.frombuffer(number.to_bytes(WORD, "big"), ">u8")
        parts = self._parts()
        alike = np.flatnonzero(parts[:, -1] == wanted[-1])  # the lowest part tells most apart
        return bool((parts[alike] == wanted).all(axis=1).any())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and other._raw == self._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def texts(self) -> pa.StringArray:
        """Return the numbers in decimal, as one column."""
        parts = self._parts()
        if not parts[:, :-1].any():
            return pa.array(parts[:, -1].astype("<u8")).cast(pa.string())
        if (parts[:, 0] >> np.uint64(_TOP)).any():
            return pa.array([str(number) for number in self], pa.string())
        turned = parts[:, ::-1].astype("<u8", order="C")
        buffers = [None, pa.py_buffer(turned)]
        numbers = pa.Array.from_buffers(pa.decimal256(_DIGITS, 0), len(self), buffers)
        return numbers.cast(pa.string())

    def _parts(self) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
        """Each number as four of 64 bits, the highest first."""
        return np.frombuffer(self._raw, ">u8").reshape(-1, WORD // 8)
