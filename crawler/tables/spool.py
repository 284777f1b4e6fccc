"""Tables that are read several times in order, whatever their number: few stay in memory.

Columns that hold few different texts are kept as numbers of these. Beyond ``IN_MEMORY`` rows all
goes to a temporary file, compressed, and comes back piece by piece.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa

from crawler.keeping.storage import environment_faults

IN_MEMORY = 1 << 20
"""Rows kept in memory, one or two hundred bytes each."""
PIECE = 1 << 16
"""Rows that come back at a time, at least, but for the last."""


class Spool:
    """Append tables of one schema, then iterate as often as needed; a context manager."""

    def __init__(
        self, in_memory: int = IN_MEMORY, piece: int = PIECE, alike: Sequence[str] = ()
    ) -> None:
        """``alike`` are columns that hold few different texts."""
        self._in_memory, self._piece, self._alike = in_memory, piece, frozenset(alike)
        self._schema: pa.Schema | None = None
        self._pending: list[pa.Table] = []
        self._pieces: list[pa.Table] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_writer()
        if self._folder is not None:
            self._folder.cleanup()
        self._pending, self._pieces = [], []

    def append(self, table: pa.Table) -> None:
        """Put a table behind the others; raises ``EnvironmentFault`` where the disk is full."""
        if self._folder is not None and self._writer is None:
            raise RuntimeError("a spool that was read from its file takes no more tables")
        self._schema = self._schema or table.schema
        self._pending.append(self._numbered(table))
        self.rows += table.num_rows
        if sum(one.num_rows for one in self._pending) >= self._piece:
            self._settle()

    def __iter__(self) -> Iterator[pa.Table]:
        """Yield the tables in order, in pieces of their own size."""
        self._settle()
        if self._folder is None:
            yield from (one.cast(self._schema) for one in self._pieces)
            return
        self._close_writer()
        with pa.OSFile(self._file) as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch]).cast(self._schema)

    def _numbered(self, table: pa.Table) -> pa.Table:
        """Return the table with its alike columns as numbers of their texts."""
        columns = {
            name: table[name].dictionary_encode() if name in self._alike else table[name]
            for name in table.column_names
        }
        return pa.table(columns)

    @property
    def _file(self) -> str:
        assert self._folder is not None
        return f"{self._folder.name}/pieces.arrows"

    def _settle(self) -> None:
        """Make one piece of what is pending; move to the file what is too much for memory."""
        if sum(one.num_rows for one in self._pending):
            self._pieces.append(pa.concat_tables(self._pending).combine_chunks())
        self._pending = []
        held = sum(one.num_rows for one in self._pieces)
        if not held or (self._folder is None and held <= self._in_memory):
            return
        with environment_faults(Path(tempfile.gettempdir())):
            if self._writer is None:
                self._folder = tempfile.TemporaryDirectory(prefix="recount-")
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                schema = self._pieces[0].schema
                self._writer = pa.ipc.new_stream(self._file, schema, options=options)
            for one in self._pieces:
                self._writer.write_table(one, max_chunksize=one.num_rows)
            self._pieces = []

    def _close_writer(self) -> None:
        if self._writer is not None:
            with environment_faults(Path(tempfile.gettempdir())):
                self._writer.close()
            self._writer = None
