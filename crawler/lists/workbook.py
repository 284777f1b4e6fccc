"""HTX's list as a workbook (``.xlsx``): the same columns and sections as its CSV.

Only the one sheet that holds something is read, and a row's number is that of the sheet. What
stands in a cell is what was typed into it:

- a text is taken as it is, a number with the digits that Excel keeps. A workbook stores numbers
  as binary fractions (9185.95 as 9185.9500000000007); the shortest text that reads back as
  the same number is the one typed, as long as it has at most 15 digits. A number that needs
  more is a malformed row, because nobody can say what was published;
- a formula is never evaluated and its stored result not believed: the row is malformed. So are
  rows with dates, truth values and error values.

What the archive itself may be: ``workbook_parts``. Source: ECMA-376 part 1, 18.3.1 (cells)
and Excel's published limits (32,767 characters in a cell, 15 digits in a number).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from crawler.errors import ListError
from crawler.lists.archives import Source
from crawler.lists.blocks import Size, measure
from crawler.lists.claims import malformed_claims, to_claims
from crawler.lists.head import Head, HeadLine, find_head, no_detail_section
from crawler.lists.layout import Layout
from crawler.lists.parse import Rows, repeats_header, row_problem
from crawler.lists.table import Tally, count_kinds, refuse_change
from crawler.lists.workbook_parts import MAX_ROWS, check_parts
from crawler.model import ListedTotal, Rounding

MAX_COLUMNS = 256
MAX_CELL = 32_767
"""Characters, as in Excel."""
MAX_DIGITS = 15
"""Significant digits that Excel keeps of a number."""

_BATCH = 4096
_UNBELIEVED = {
    "f": "a formula stands in {}; its result is not believed; expected the value",
    "d": "a date stands in {}; expected a text or a number",
    "b": "a truth value stands in {}; expected a text or a number",
    "e": "an error value stands in {}; expected a text or a number",
}


class SheetTable:
    """The rows of a workbook's sheet; as a workbook is small, they are kept."""

    def __init__(
        self, source: Source, size: Size, head: Head, layout: Layout, rows: Sequence[HeadLine]
    ) -> None:
        self.source, self.size = source, size
        self._head, self._layout, self._rows = head, layout, rows
        self.dialect = layout.dialect
        self.exchange = layout.exchange
        self.rounding: Rounding = layout.rounding
        self.totals: tuple[ListedTotal, ...] = tuple(head.totals)
        self.unread = layout.unread

    def batches(self, first_row: int, tally: Tally) -> Iterator[pa.RecordBatch]:
        """Yield the rows; the sheet's first row has the row number ``first_row``."""
        head = self._head
        tally.update(header=head.header, blank=head.blank, total=len(head.totals))
        tally.update(malformed=len(head.malformed))
        if head.malformed:
            before = [(first_row + line - 1, why, text) for line, why, text in head.malformed]
            yield malformed_claims(before)
        found: list[tuple[int, HeadLine]] = []
        for line, row in enumerate(self._rows[head.lines :], start=head.lines):
            if not row.problem and not any(field.strip() for field in row.fields):
                tally["blank"] += 1
            elif not row.problem and repeats_header(row.fields, self._layout):
                tally["header"] += 1
            else:
                found.append((line, row))
            if len(found) == _BATCH:
                yield self._claims(found, first_row, tally)
                found = []
        if found:
            yield self._claims(found, first_row, tally)
        with self.source.open() as stream:
            refuse_change(self.source, self.size, measure(stream).sha256)

    def _claims(
        self, found: list[tuple[int, HeadLine]], first_row: int, tally: Tally
    ) -> pa.RecordBatch:
        width = self._layout.width
        malformed, texts = {}, []
        for place, (_, row) in enumerate(found):
            fields = list(row.fields)
            problem = row.problem or row_problem(fields, self._layout)
            if problem:
                malformed[place], fields = (problem, row.text), []
            texts.append([*fields[:width], *[""] * (width - len(fields))])
        columns = [pa.array(column, pa.string()) for column in zip(*texts, strict=True)]
        rows = Rows(
            columns=columns,
            lines=np.array([line for line, _ in found], dtype=np.int64),
            malformed=malformed,
            blank=0,
            header=0,
            continuation=0,
            consumed=0,
            line_count=0,
        )
        batch = to_claims(rows, self._layout, first_row)
        count_kinds(batch, tally)
        return batch


def sheet_table(source: Source) -> SheetTable:
    """Open a workbook; ``ListError`` unless one sheet of it is a list of HTX."""
    with source.open() as stream:
        size = measure(stream)
    rows = _rows(source)
    head = find_head(iter(rows), source.name)
    if head.layout is None:
        raise no_detail_section(head, source.name)
    if head.layout.dialect != "htx":
        raise ListError(
            f"{source.name}, line {head.lines}: a workbook of dialect {head.layout.dialect!r}; "
            "only HTX publishes its list as one; save the sheet as CSV"
        )
    size = msgspec.structs.replace(size, lines=len(rows))
    return SheetTable(source, size, head, head.layout, rows)


def _rows(source: Source) -> list[HeadLine]:
    """Read the rows of the one sheet that holds something, gaps as blank rows."""
    check_parts(source)
    with _workbook(source) as book:
        filled = [sheet for sheet in book.worksheets if _holds_something(source, sheet)]
        if len(filled) != 1:
            names = ", ".join(repr(sheet.title[:80]) for sheet in filled) or "none"
            raise ListError(
                f"{source.name}: expected one sheet with content, found {len(filled)} ({names}); "
                "save the sheet with the list as a file of its own"
            )
        cells = _cells(source, filled[0])
        return [_line(line, row) for line, row in enumerate(cells, start=1)]


def _holds_something(source: Source, sheet: Any) -> bool:
    return any(cell.value is not None for cells in _cells(source, sheet) for cell in cells)


def _cells(source: Source, sheet: Any) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # the stated size is only a claim
    for line, cells in enumerate(sheet.iter_rows(), start=1):
        if line > MAX_ROWS:
            raise ListError(f"{source.name}: more than {MAX_ROWS} rows in sheet {sheet.title!r}")
        if len(cells) > MAX_COLUMNS:
            raise ListError(
                f"{source.name}, line {line}: {len(cells)} columns; at most {MAX_COLUMNS} are read"
            )
        yield cells


def _line(line: int, cells: tuple[Any, ...]) -> HeadLine:
    """Give a row's texts, and why it is malformed, if it is."""
    from openpyxl.utils import get_column_letter  # noqa: PLC0415 - as below

    fields, problem = [], ""
    for cell in cells:
        text, why = _text(cell)
        fields.append(text)
        place = f"{get_column_letter(len(fields))}{line}"
        problem = problem or why.format(place)
    while fields and not fields[-1]:
        fields.pop()
    return HeadLine(b"", ",".join(fields), fields, problem)


def _text(cell: Any) -> tuple[str, str]:
    """Give a cell's text and, with a place to be filled in, what is wrong with it."""
    value, kind = cell.value, cell.data_type
    if value is None:
        return "", ""
    if kind in _UNBELIEVED:
        return str(value)[:MAX_CELL], _UNBELIEVED[kind]
    if isinstance(value, str):
        return (value[:MAX_CELL], "" if len(value) <= MAX_CELL else "too long a text in {}")
    if isinstance(value, (int, float)):
        return _number(value)
    return str(value)[:MAX_CELL], "neither a text nor a number stands in {}"


def _number(value: float) -> tuple[str, str]:
    text = repr(value)
    if isinstance(value, float):
        if text in {"inf", "-inf", "nan"}:
            return text, "no finite number stands in {}"
        # Decimal digits of the shortest text, moved where the exponent says.
        text = np.format_float_positional(value, trim="-")
    digits = text.lstrip("-").replace(".", "").strip("0")
    if len(digits) > MAX_DIGITS:
        return text, f"a number of more than {MAX_DIGITS} digits stands in {{}}; expected a text"
    return text, ""


@contextlib.contextmanager
def _workbook(source: Source) -> Iterator[Any]:
    """Open a workbook without formulas' results, links or macros."""
    import openpyxl  # noqa: PLC0415 - a quarter of a second, for one kind of list

    with _damage(source), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions that do not concern us
        book = openpyxl.load_workbook(
            source.path, read_only=True, data_only=False, keep_links=False, keep_vba=False
        )
        try:
            yield book
        finally:
            book.close()


@contextlib.contextmanager
def _damage(source: Source) -> Iterator[None]:
    """Turn whatever a damaged workbook provokes in the parser into ``ListError``."""
    try:
        yield
    except ListError:
        raise
    except Exception as error:  # the parser's faults are of no one family
        raise ListError(
            f"{source.name}: damaged workbook: {type(error).__name__}: {str(error)[:200]!r}; "
            "expected .xlsx; save it anew or as CSV"
        ) from error
