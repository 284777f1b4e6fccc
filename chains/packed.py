"""Byte strings end to end in one buffer, so that millions of accounts are not millions of objects.

``Packed`` is a sequence of ``bytes`` that never changes. Slices of neighbours share its buffer. An
object is made of a string only when somebody asks for that one.
"""

# ruff: noqa: SLF001 - of other instances of the same class

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, repeat
from typing import Any, Self, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Places = np.ndarray[tuple[int], np.dtype[np.int64]]
_Bounds = np.ndarray[tuple[int], np.dtype[Any]]

LONG = 128
"""Bytes of the longest string up to which strings of several lengths are compared as one width."""
_LENGTH = 2
"""Bytes behind a padded string that hold its length."""
_WORD = 8
_ROWS = 1 << 16
"""Strings padded at a time."""
_MOST = (1 << 31) - 1
"""Bytes that a column of 32-bit offsets can hold."""


class Packed(Sequence[bytes]):
    """Byte strings in one buffer; equal to the tuple of the same strings, with its hash."""

    __slots__ = ("_bounds", "_count", "_data", "_width")

    def __init__(self, data: Bytes, count: int, width: int, bounds: _Bounds | None = None) -> None:
        """Hold ``count`` strings of ``width``, or those between the ``bounds`` in ``data``."""
        self._data = data
        self._count = count
        self._width = width
        self._bounds = bounds

    @classmethod
    def of(cls, strings: Iterable[bytes]) -> Packed:
        """Pack strings; what is packed already stays as it is."""
        if isinstance(strings, Packed):
            return strings
        found = tuple(strings)
        return cls._fitting(
            np.frombuffer(b"".join(found), np.uint8), np.fromiter(map(len, found), np.int64)
        )

    @classmethod
    def _fitting(cls, data: Bytes, lengths: _Bounds) -> Self:
        count = len(lengths)
        width = int(lengths[0]) if count else 0
        if (lengths == width).all():
            return cls(data, count, width)
        bounds = np.zeros(count + 1, np.int32 if len(data) <= _MOST else np.int64)
        np.cumsum(lengths, out=bounds[1:])
        return cls(data, count, 0, bounds)

    @classmethod
    def from_arrow(cls, column: Any) -> Packed:
        """Take over a binary column without nulls; its buffers are used, not copied."""
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        return cls.concatenated([cls._from_array(chunk) for chunk in chunks])

    @classmethod
    def _from_array(cls, array: Any) -> Packed:
        count = len(array)
        _, offsets, data = array.buffers()
        if not count or data is None:
            return cls(np.zeros(0, np.uint8), count, 0)
        kind = np.int64 if pa.types.is_large_binary(array.type) else np.int32
        bounds = np.frombuffer(offsets, kind, count + 1, array.offset * np.dtype(kind).itemsize)
        raw = np.frombuffer(data, np.uint8)
        width = int(bounds[1] - bounds[0])
        if (np.diff(bounds) == width).all():
            return cls(raw[bounds[0] : bounds[-1]], count, width)
        return cls(raw, count, 0, bounds)

    @classmethod
    def concatenated(cls, parts: Sequence[Packed]) -> Packed:
        """Put several behind each other."""
        parts = [part for part in parts if len(part)]
        if len(parts) == 1:
            return parts[0]
        data = np.concatenate([np.zeros(0, np.uint8), *(part._flat for part in parts)])
        widths = {part._width if part._bounds is None else None for part in parts}
        if len(widths) == 1 and None not in widths:
            return cls(data, sum(map(len, parts)), parts[0]._width)
        return cls._fitting(
            data, np.concatenate([np.zeros(0, np.int64), *(part.lengths for part in parts)])
        )

    @classmethod
    def distinct(cls, parts: Sequence[Packed]) -> Packed:
        """Return the different strings of several, in ascending order."""
        whole = cls.concatenated(parts)
        if not len(whole):
            return whole
        width = whole._longest
        if not width:
            return whole[:1]
        if width > LONG:
            column = whole.to_arrow().unique()
            return cls.from_arrow(column.take(pc.array_sort_indices(column)))
        keys, uniform = whole._keys(width), whole._bounds is None
        del whole, parts
        keys = _ascending(keys)
        if len(keys) > 1:
            fresh = np.concatenate([np.ones(1, np.bool_), keys[1:] != keys[:-1]])
            keys = keys if fresh.all() else keys[fresh]
        raw = keys.view(np.uint8)
        return cls(raw, len(keys), width) if uniform else cls._unpadded(raw, len(keys), width)

    @classmethod
    def _unpadded(cls, raw: Bytes, count: int, width: int) -> Self:
        padded = raw.reshape(count, width + _LENGTH)
        lengths = padded[:, width:].astype(np.int64) @ np.array([256, 1])
        inside = np.arange(width)
        pieces = [
            padded[at : at + _ROWS, :width][inside < lengths[at : at + _ROWS, None]]
            for at in range(0, count, _ROWS)
        ]
        return cls._fitting(np.concatenate(pieces), lengths)

    @property
    def joined(self) -> bytes:
        """The strings end to end."""
        return self._flat.tobytes()

    @property
    def lengths(self) -> Places:
        """How many bytes each string has."""
        if self._bounds is None:
            return np.full(self._count, self._width, np.int64)
        return np.diff(self._bounds).astype(np.int64)

    @property
    def width(self) -> int | None:
        """The length of every string; ``None`` where they have several."""
        return self._width if self._bounds is None else None

    @property
    def is_ascending(self) -> bool:
        """Whether each string is greater than the one before it."""
        if not 0 < self._longest <= LONG:
            return all(one < other for one, other in pairwise(self))
        keys = self._keys(self._longest)
        return bool((keys[1:] > keys[:-1]).all())

    @property
    def _flat(self) -> Bytes:
        if self._bounds is None:
            return self._data
        return self._data[self._bounds[0] : self._bounds[-1]]

    @property
    def _longest(self) -> int:
        return self._width if self._bounds is None else int(np.diff(self._bounds).max(initial=0))

    def to_arrow(self) -> pa.Array:
        """Return the strings as a binary column; raises ``OverflowError`` for 2 GB and more."""
        flat = self._flat
        if len(flat) > _MOST:
            raise OverflowError(f"{len(flat)} bytes are too many for one column")
        if self._bounds is None:
            bounds = np.arange(self._count + 1, dtype=np.int64) * self._width
        else:
            bounds = self._bounds - self._bounds[0]
        buffers = [None, pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(flat)]
        return pa.BinaryArray.from_buffers(pa.binary(), self._count, buffers)

    def framed(self) -> Bytes:
        """Return the strings end to end, each behind its length in four bytes, big-endian."""
        flat, lengths = self._flat, self.lengths
        heads = lengths.astype(">u4").view(np.uint8).reshape(-1, 4)
        if self._bounds is None:
            return np.hstack([heads, flat.reshape(self._count, self._width)]).reshape(-1)
        before = Packed(heads.reshape(-1), self._count, 4).to_arrow()
        return Packed.from_arrow(pc.binary_join_element_wise(before, self.to_arrow(), b""))._flat

    def take(self, places: Sequence[int] | Places) -> Packed:
        """Return the strings at some places, in their order."""
        if isinstance(places, range) and places.step == 1:
            return self[places.start : places.stop]
        where = np.asarray(places, np.int64)
        if len(where) and (where.min() < 0 or where.max() >= self._count):
            raise IndexError("no such place")
        if self._bounds is None:
            rows = self._data.reshape(self._count, self._width)[where]
            return Packed(rows.reshape(-1), len(where), self._width)
        return Packed.from_arrow(self.to_arrow().take(pa.array(where)))

    def followed_by(self, last: bytes) -> Packed:
        """Return the strings with one more behind them."""
        return Packed.concatenated([self, Packed.of([last])])

    def places_of(self, wanted: Packed) -> Places:
        """Return where each of ``wanted`` stands in this ascending sequence, -1 for nowhere."""
        found = np.full(len(wanted), -1, np.int64)
        if not self._count:
            return found
        longest = self._longest
        if not longest or longest > LONG:
            column = pc.index_in(wanted.to_arrow(), value_set=self.to_arrow())
            return np.asarray(pc.fill_null(column, -1), np.int64)
        if self._bounds is None:
            fitting = np.flatnonzero(wanted.lengths == self._width)
        else:
            fitting = np.flatnonzero(wanted.lengths <= longest)
        if len(fitting) < len(wanted):
            wanted = wanted.take(fitting)
        own, keys = self._keys(longest), wanted._keys(longest, mixed=self._bounds is not None)
        order = _order(keys)  # neighbours are looked for where those before them were found
        keys = keys[order]
        places = np.searchsorted(own, keys)
        places[places == len(own)] = 0
        found[fitting[order]] = np.where(own[places] == keys, places, -1)
        return found

    def floors_of(self, wanted: Packed) -> Places:
        """Return the place of the last of these ascending strings that is not greater, -1: none."""
        longest = max(self._longest, wanted._longest)
        if not 0 < longest <= LONG:
            own = list(self)
            return np.array([bisect_right(own, one) - 1 for one in wanted], np.int64)
        mixed = self.width != wanted.width or self.width is None
        keys, sought = (each._keys(longest, mixed=mixed) for each in (self, wanted))
        return np.asarray(np.searchsorted(keys, sought, side="right") - 1, np.int64)

    def _keys(self, width: int, *, mixed: bool = False) -> np.ndarray[Any, Any]:
        """Return what compares as the strings do, byte for byte: all have one width.

        Strings of several lengths are padded with zeros, and their lengths stand behind that: of
        two that differ in nothing but zeros at the end the shorter one comes first.
        """
        if self._bounds is None and not mixed:
            return self._data.view(f"S{width}")
        lengths, flat = self.lengths, self._flat
        padded = np.zeros((self._count, width + _LENGTH), np.uint8)
        padded[:, width:] = lengths.astype(">u2").view(np.uint8).reshape(-1, _LENGTH)
        inside, before = np.arange(width), 0
        for at in range(0, self._count, _ROWS):
            own = lengths[at : at + _ROWS]
            after = before + int(own.sum())
            rows = padded[at : at + _ROWS, :width]
            rows[inside < own[:, None]] = flat[before:after]
            before = after
        keys: np.ndarray[Any, Any] = padded.reshape(-1).view(f"S{width + _LENGTH}")
        return keys

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Packed: ...

    def __getitem__(self, place: int | slice) -> bytes | Packed:
        if isinstance(place, slice):
            start, stop, step = place.indices(self._count)
            if step != 1:
                return self.take(range(start, stop, step)[:])
            stop = max(start, stop)
            if self._bounds is not None:
                return Packed(self._data, stop - start, 0, self._bounds[start : stop + 1])
            data = self._data[start * self._width : stop * self._width]
            return Packed(data, stop - start, self._width)
        at = range(self._count)[place]
        if self._bounds is not None:
            return self._data[self._bounds[at] : self._bounds[at + 1]].tobytes()
        return self._data[at * self._width : (at + 1) * self._width].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        raw = self.joined
        if self._bounds is not None:
            bounds = (self._bounds - self._bounds[0]).tolist()
            return (raw[start:end] for start, end in pairwise(bounds))
        width = self._width
        if not width:
            return repeat(b"", self._count)
        return (raw[at : at + width] for at in range(0, len(raw), width))

    def __contains__(self, string: object) -> bool:
        return isinstance(string, bytes) and len(self._where(string)) > 0

    def index(self, string: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the first place of a string; raises ``ValueError`` where it is not there."""
        end = self._count if stop is None else stop
        for at in self._where(string).tolist():
            if start <= at < end:
                return int(at)
        raise ValueError("no such string")

    def _where(self, string: bytes) -> Places:
        wanted = np.frombuffer(string, np.uint8)
        if self._bounds is None:
            if len(wanted) != self._width:
                return np.zeros(0, np.int64)
            rows = self._data.reshape(self._count, self._width)
            return np.flatnonzero((rows == wanted).all(axis=1))
        alike = np.flatnonzero(self.lengths == len(wanted))
        starts = self._bounds[alike].astype(np.int64)
        for i in range(len(wanted)):
            same = self._data[starts + i] == wanted[i]
            alike, starts = alike[same], starts[same]
        return alike

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed):
            same = len(other) == len(self) and np.array_equal(self.lengths, other.lengths)
            return same and np.array_equal(self._flat, other._flat)
        return isinstance(other, tuple) and tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        first = ", ".join(map(repr, self[:3]))
        return f"Packed({first}{', …' if self._count > 3 else ''}; {self._count})"  # noqa: PLR2004


def _words(keys: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint64]] | None:
    """Return the first eight bytes of each key as a number; ``None`` for shorter keys."""
    width = keys.dtype.itemsize
    if width < _WORD:
        return None
    first = keys.view(np.uint8).reshape(-1, width)[:, :_WORD]
    return np.ascontiguousarray(first).reshape(-1).view(">u8").astype(np.uint64)


def _order(keys: np.ndarray[Any, Any]) -> Places:
    """Return an order in which keys ascend, but for those whose first eight bytes are the same."""
    words = _words(keys)
    return np.argsort(keys if words is None else words)


def _ascending(keys: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Sort keys: by their first eight bytes, which is quick; wholly where these are the same."""
    words = _words(keys)
    if words is None:
        return np.sort(keys)
    order = np.argsort(words)
    keys, words = keys[order], words[order]
    del order
    same = words[1:] == words[:-1]
    if same.any():
        tied = np.zeros(len(keys), np.bool_)
        tied[1:] |= same
        tied[:-1] |= same
        keys[tied] = np.sort(keys[tied])
    return keys
