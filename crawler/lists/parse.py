"""Turn a block of lines into columns of text, one row per record, none lost.

Most blocks hold nothing but commas and line ends, and go to ``pyarrow.csv`` as they are.
The others are repaired first: short rows are filled up with commas, and lines that need
care (quotes, braces, brackets, too many or too few fields) are cut by ``split_line`` and
put back quoted. Either way the rows keep their order and every physical line is accounted
for: a row, a blank line, a repeated header, or a malformed row with its problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from crawler.errors import ListError
from crawler.lists.blocks import count_lines
from crawler.lists.layout import Layout, normalise
from crawler.lists.split import SplitError, UnclosedQuoteError, split_line, split_signatures

MAX_CONTINUATION = 100
"""Lines that one quoted field may span."""
_MAX_RECORD = 1 << 20
_COMMA, _LINE_END, _RETURN = 44, 10, 13
_CAREFUL_BYTES = (b'"', b"{", b"[")
_RARE = 2000
"""Lines of a block up to which a mark is searched for one line after the other."""

_ADDRESS = pa.scalar("address", pa.string())

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int64]]


class Rows(msgspec.Struct, frozen=True):
    """Columns of one block. ``lines`` gives each row's line, 0 for the block's first.

    ``malformed`` maps a row (its columns are empty) to its problem and its raw text.
    ``consumed`` is how many bytes were read: a record that is still open at the end of a
    block is left for the next. ``line_count`` is how many physical lines that were.
    """

    columns: list[pa.Array]
    lines: Places
    malformed: dict[int, tuple[str, str]]
    blank: int
    header: int
    continuation: int
    consumed: int
    line_count: int


def none_mask(column: pa.Array, none: frozenset[str]) -> Mask:
    """Tell which texts of a column mean "nothing published"."""
    if not len(column):
        return np.zeros(0, dtype=np.bool_)
    lengths = text_lengths(column)
    mask: Mask = lengths == 0
    for token in none - {""}:
        places = np.flatnonzero(lengths == len(token))
        if places.size:
            same = pc.equal(column.take(pa.array(places)), pa.scalar(token, pa.string()))
            mask[places[same.to_numpy(zero_copy_only=False)]] = True
    return mask


def text_lengths(column: pa.Array) -> Places:
    """Count the length in bytes of every text of a column without nulls."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return np.diff(offsets[column.offset : column.offset + len(column) + 1]).astype(np.int64)


class Parser:
    """Parses the blocks of one table. Remembers whether its rows are of even length."""

    def __init__(self, layout: Layout, header_line: bytes, name: str) -> None:
        self._layout = layout
        self._header = header_line
        self._name = name
        self._uneven = False

    def rows(self, data: bytes, *, last: bool) -> Rows:
        """Parse a block of whole lines. Raises ``ListError`` only for our own faults."""
        simple = not any(mark in data for mark in _CAREFUL_BYTES) and self._header not in data
        simple = simple and (b"\r" not in data or data.count(b"\r") == data.count(b"\r\n"))
        if simple and not self._uneven:
            columns = self._read(data, quoted=False)
            count = count_lines(data) + (not data.endswith(b"\n"))
            if columns is None or len(columns[0]) != count:
                self._uneven = True
            elif not self._suspects(columns).any():
                return Rows(columns, np.arange(count), {}, 0, 0, 0, len(data), count)
        first = _Repair(data, self._layout, self._header, last=last)
        return self._repaired(first, data, last=last)

    def _repaired(self, repair: _Repair, data: bytes, *, last: bool) -> Rows:
        columns = self._read(repair.text, quoted=True, spanning=repair.continuation > 0)
        if columns is None or len(columns[0]) != len(repair.lines):
            raise ListError(f"{self._name}: rows could not be told apart; please report this file")
        keep = np.ones(len(repair.lines), dtype=np.bool_)
        keep[repair.dropped] = False
        suspects = self._suspects(columns) & keep
        suspects[list(repair.malformed)] = False
        if suspects.any():
            forced = repair.lines[suspects]
            again = _Repair(data, self._layout, self._header, last=last, forced=forced)
            if not set(forced.tolist()) <= set(repair.careful.tolist()):
                return self._repaired(again, data, last=last)
        if not keep.all():
            columns = [column.filter(pa.array(keep)) for column in columns]
        place = np.cumsum(keep) - 1
        return Rows(
            columns,
            repair.lines[keep],
            {int(place[row]): what for row, what in repair.malformed.items()},
            repair.blank,
            repair.header,
            repair.continuation,
            repair.consumed,
            len(repair.lines) + repair.continuation,
        )

    def _suspects(self, columns: Sequence[pa.Array]) -> Mask:
        """Find rows that lack a required field, or repeat the header's word for the address."""
        layout = self._layout
        mask = np.zeros(len(columns[0]), dtype=np.bool_)
        for field in layout.required:
            place = layout.at(field)
            if place is not None:
                mask |= none_mask(columns[place], layout.none)
        if layout.address is not None:
            same = pc.equal(columns[layout.address], _ADDRESS)
            mask |= same.to_numpy(zero_copy_only=False)
        return mask

    def _read(self, data: bytes, *, quoted: bool, spanning: bool = False) -> list[pa.Array] | None:
        """Read columns by pyarrow, or nothing when the rows are not all of one length."""
        names = [str(place) for place in range(self._layout.width)]
        if not data:
            return [pa.array([], pa.string()) for _ in names]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(data),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=len(data) + 1, column_names=names
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    quote_char='"' if quoted else False,
                    newlines_in_values=spanning,
                    ignore_empty_lines=False,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    check_utf8=False, column_types=dict.fromkeys(names, pa.string())
                ),
            )
        except pa.ArrowInvalid:
            return None
        return [_one_chunk(column) for column in table.columns]


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class _Repair:
    """A block rewritten so that every record has all its fields, with what became of each."""

    def __init__(
        self,
        data: bytes,
        layout: Layout,
        header_line: bytes,
        *,
        last: bool,
        forced: Places | None = None,
    ) -> None:
        self._data, self._layout, self._header = data, layout, header_line
        self._last = last
        self.malformed: dict[int, tuple[str, str]] = {}
        self.dropped: list[int] = []
        self.blank = self.header = self.continuation = 0
        self.consumed = len(data)
        self._find_lines(forced)
        self.text, self.lines = self._rewrite()

    def _find_lines(self, forced: Places | None) -> None:
        """Find where lines start and end, how many commas they have, which ones need care."""
        octets = np.frombuffer(self._data, dtype=np.uint8)
        ends = np.flatnonzero(octets == _LINE_END)
        if not self._data.endswith(b"\n"):
            ends = np.append(ends, len(self._data))
        self._starts, self._ends = np.concatenate(([0], ends[:-1] + 1)), ends
        edges = np.searchsorted(np.flatnonzero(octets == _COMMA), ends)
        counts = np.diff(edges, prepend=0)
        careful = (counts >= self._layout.width) | (counts < self._layout.minimum - 1)
        for places in (self._marks(octets), forced):
            if places is not None and places.size:
                careful[places] = True
        self.careful = np.flatnonzero(careful)
        missing = np.where(careful, 0, self._layout.width - 1 - counts)
        at = ends - ((ends > 0) & (octets[ends - 1] == _RETURN))
        self._padded = memoryview(self._data)
        if missing.any():
            self._padded = np.insert(octets, np.repeat(at, missing), _COMMA).data
        shift = np.cumsum(missing)
        self._new_ends = ends + shift
        self._new_starts = self._starts + shift - missing

    def _marks(self, octets: np.ndarray[Any, np.dtype[np.uint8]]) -> Places:
        """Find lines that hold a quote, brace, bracket, stray carriage return or the header."""
        found = [self._holding(mark, octets) for mark in _CAREFUL_BYTES]
        found.append(self._holding(self._header, None))
        if b"\r" in self._data:
            returns = np.flatnonzero(octets == _RETURN)
            following = np.append(octets, 0)[returns + 1]
            found.append(returns[following != _LINE_END])
        lines: Places = np.unique(np.searchsorted(self._ends, np.concatenate(found)))
        return lines

    def _holding(self, mark: bytes, octets: np.ndarray[Any, np.dtype[np.uint8]] | None) -> Places:
        """Find a place of the mark in every line that has it: rare ones by search, else by mask."""
        places: list[int] = []
        at = self._data.find(mark)
        while at >= 0:
            places.append(at)
            if octets is not None and len(places) > _RARE:
                return np.flatnonzero(octets == mark[0])
            end = self._data.find(b"\n", at)
            at = self._data.find(mark, end) if end >= 0 else -1
        return np.array(places, dtype=np.int64)

    def _rewrite(self) -> tuple[bytes, Places]:
        pieces: list[bytes | memoryview] = []
        padded = self._padded
        count = len(self._ends)
        swallowed = np.zeros(count, dtype=np.bool_)
        done = free = 0
        for line in self.careful.tolist():
            if line < free:
                continue
            final, fields = self._record(line, row=line - self.continuation)
            if final is None:
                count = line
                self.consumed = int(self._starts[line])
                break
            pieces.append(padded[done : int(self._new_starts[line])])
            pieces.append(_encoded(fields, self._layout.width))
            done, free = int(self._new_ends[final]) + 1, final + 1
            swallowed[line + 1 : free] = True
            self.continuation += final - line
        stop = int(self._new_starts[count]) if count < len(self._ends) else len(padded)
        pieces.append(padded[done:stop])
        return b"".join(pieces), np.flatnonzero(~swallowed[:count])

    def _record(self, line: int, row: int) -> tuple[int | None, list[str]]:
        """Read the record that starts here: its last line (none: not in this block), fields."""
        text = self._line(line)
        try:
            return line, self._judged(text, split_line(text), row)
        except UnclosedQuoteError:
            final, fields = self._spanning(line, row)
        except SplitError as error:
            return line, self._refused(row, str(error), text)
        if final is not None or fields is None:
            return final, fields or []
        return line, self._refused(row, "a quoted field is never closed", text)

    def _spanning(self, line: int, row: int) -> tuple[int | None, list[str] | None]:
        """Join following lines until the quoted field closes.

        Answers (last line, fields); (nothing, nothing) when the block ends first and more
        is to come; (nothing, an empty list) when the field does not close.
        """
        start = int(self._starts[line])
        final = line + 1
        while final < len(self._ends) and final - line <= MAX_CONTINUATION:
            end = int(self._ends[final])
            if end - start > _MAX_RECORD:
                return None, []
            if self._data.find(b'"', int(self._starts[final]), end) >= 0:
                text = self._data[start:end].decode().removesuffix("\r")
                try:
                    return final, self._judged(text, split_line(text), row)
                except UnclosedQuoteError:
                    pass
                except SplitError:
                    return None, []
            final += 1
        more = not self._last and final == len(self._ends) and final - line <= MAX_CONTINUATION
        return None, None if more else []

    def _line(self, line: int) -> str:
        return self._data[self._starts[line] : self._ends[line]].decode().removesuffix("\r")

    def _judged(self, text: str, fields: list[str], row: int) -> list[str]:
        """Give a row's fields, or nothing for a line that is no row (and is noted as such)."""
        layout = self._layout
        if not any(field.strip() for field in fields):
            self.blank += 1
            self.dropped.append(row)
            return []
        if repeats_header(fields, layout):
            self.header += 1
            self.dropped.append(row)
            return []
        problem = row_problem(fields, layout)
        return self._refused(row, problem, text) if problem else fields[: layout.width]

    def _refused(self, row: int, problem: str, text: str) -> list[str]:
        self.malformed[row] = (problem, text)
        return []


def row_problem(fields: list[str], layout: Layout) -> str:
    """Say why a row of these fields is malformed, or nothing."""
    if any("\r" in field.replace("\r\n", "") for field in fields):
        return "a carriage return stands inside the line"
    while len(fields) > layout.width and not fields[-1].strip():
        fields.pop()
    if len(fields) > layout.width:
        return f"{len(fields)} fields, but the header names {layout.width}"
    if len(fields) < layout.minimum:
        last = layout.header[layout.minimum - 1]
        return f"{len(fields)} fields; at least {layout.minimum}, up to {last!r}, are needed"
    for field in layout.required:
        place = layout.at(field)
        if place is not None and fields[place] in layout.none:
            return f"no {layout.header[place]}"
    if _is_address_header(fields, layout):
        return "a header of another kind stands among the rows"
    return _signatures_problem(fields, layout)


def repeats_header(fields: list[str], layout: Layout) -> bool:
    """Tell whether a row is the table's header again."""
    return _is_address_header(fields, layout) and normalise(fields) == layout.header


def _is_address_header(fields: list[str], layout: Layout) -> bool:
    """Tell whether the header's word stands where an address should."""
    place = layout.address
    return place is not None and place < len(fields) and fields[place].strip().lower() == "address"


def _signatures_problem(fields: list[str], layout: Layout) -> str:
    """Say why a column of any number of signatures cannot be read, or nothing."""
    place = layout.more_signatures
    if place is None or place >= len(fields):
        return ""
    try:
        split_signatures(fields[place])
    except SplitError as error:
        return str(error)
    return ""


def _encoded(fields: list[str], width: int) -> bytes:
    """Write one record as quoted CSV with exactly ``width`` fields."""
    filled = fields + [""] * (width - len(fields))
    return (
        ",".join('"' + field.replace('"', '""') + '"' if field else "" for field in filled) + "\n"
    ).encode()
