"""One table of a list: its size, its totals, and its rows as ``CLAIMS``.

``Table`` is what every kind of table offers; ``CsvTable`` is the kind that all published
lists have. The file is read twice, once to know it (digest, lines) and once for its rows;
if the bytes differ between the two, the list is refused.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from crawler.errors import ListError
from crawler.lists.archives import Source
from crawler.lists.blocks import Block, Size, blocks
from crawler.lists.claims import malformed_claims, to_claims
from crawler.lists.head import Head
from crawler.lists.layout import Layout
from crawler.lists.parse import Parser
from crawler.model import ListedTotal, Rounding

Tally = Counter[str]
"""Lines by kind, with the field names of ``LineAccount``."""


class Table(Protocol):
    """One table of a list."""

    source: Source
    size: Size

    @property
    def dialect(self) -> str:
        """The dialect's name."""

    @property
    def exchange(self) -> str | None:
        """The exchange whose dialect this is."""

    @property
    def rounding(self) -> Rounding:
        """How amounts are rounded."""

    @property
    def totals(self) -> tuple[ListedTotal, ...]:
        """The totals section, with the table's own line numbers."""

    @property
    def unread(self) -> tuple[str, ...]:
        """Columns whose content is not read."""

    def batches(self, first_row: int, tally: Tally) -> Iterator[pa.RecordBatch]:
        """Yield the rows; the table's first line has the row number ``first_row``."""


class CsvTable:
    """A table of comma-separated text whose detail header is known."""

    def __init__(self, source: Source, size: Size, head: Head, layout: Layout | None) -> None:
        self.source, self.size = source, size
        self._head, self._layout = head, layout

    @property
    def dialect(self) -> str:
        """The dialect's name; ``totals`` for a table that has no rows."""
        return "totals" if self._layout is None else self._layout.dialect

    @property
    def exchange(self) -> str | None:
        """The exchange whose dialect this is."""
        return None if self._layout is None else self._layout.exchange

    @property
    def rounding(self) -> Rounding:
        """How amounts are rounded."""
        return Rounding() if self._layout is None else self._layout.rounding

    @property
    def totals(self) -> tuple[ListedTotal, ...]:
        """The totals section, with the table's own line numbers."""
        return tuple(self._head.totals)

    @property
    def unread(self) -> tuple[str, ...]:
        """Columns whose content is not read."""
        return () if self._layout is None else self._layout.unread

    def batches(self, first_row: int, tally: Tally) -> Iterator[pa.RecordBatch]:
        """Yield the rows; the table's first line has the row number ``first_row``.

        Raises ``ListError`` for text that is not UTF-8, for overlong lines, and when the
        file is no longer the one that was opened.
        """
        head = self._head
        tally.update(header=head.header, blank=head.blank, total=len(head.totals))
        tally.update(malformed=len(head.malformed))
        if head.malformed:
            before = [(first_row + line - 1, why, text) for line, why, text in head.malformed]
            yield malformed_claims(before)
        digest = hashlib.sha256()
        with self.source.open() as stream:
            read = blocks(stream, self.source.name, digest=digest)
            if self._layout is None:
                for _ in read:
                    pass
            else:
                yield from self._rows(self._layout, read, first_row, tally)
        refuse_change(self.source, self.size, digest.hexdigest())

    def _rows(
        self, layout: Layout, read: Iterator[Block], first_row: int, tally: Tally
    ) -> Iterator[pa.RecordBatch]:
        parser = Parser(layout, self._head.header_line, self.source.name)
        row = first_row + self._head.lines
        skip, open_record = self._head.offset, b""
        for block in itertools.chain(read, (None,)):
            data = open_record
            if block is not None:
                data += block.data[max(0, skip - block.offset) :]
            if not data:
                continue
            rows = parser.rows(data, last=block is None)
            open_record = data[rows.consumed :]
            tally.update(header=rows.header, blank=rows.blank, continuation=rows.continuation)
            if len(rows.lines):
                batch = to_claims(rows, layout, row)
                count_kinds(batch, tally)
                yield batch
            row += rows.line_count


def count_kinds(batch: pa.RecordBatch, tally: Tally) -> None:
    """Add a batch's rows to the tally."""
    for found in pc.value_counts(batch.column("kind")).to_pylist():
        tally[found["values"]] += found["counts"]


def refuse_change(source: Source, size: Size, sha256: str) -> None:
    """Raise ``ListError`` when the bytes read are not those that were digested at first."""
    if sha256 != size.sha256:
        raise ListError(
            f"{source.name}: changed while it was being read; expected the file to stay as it "
            "was when opened; copy it and start again"
        )
