"""Tables that are read several times in order, whatever their number: few stay in memory.

Beyond ``IN_MEMORY`` rows they go to a temporary file, compressed, and come back piece by piece.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

from crawler.runs import environment_faults

IN_MEMORY = 1 << 20
"""Rows kept in memory, some hundred bytes each."""
PIECE = 1 << 18
"""Rows that come back at a time, at least, but for the last."""


class Spool:
    """Append tables of one schema, then iterate as often as needed."""

    def __init__(self, in_memory: int = IN_MEMORY, piece: int = PIECE) -> None:
        self._in_memory, self._piece = in_memory, piece
        self._pending: list[pa.Table] = []
        self._pieces: list[pa.Table] = []
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._closed = False
        self.rows = 0

    def append(self, table: pa.Table) -> None:
        """Put a table behind the others; raises ``EnvironmentFault`` where the disk is full."""
        self._pending.append(table)
        self.rows += table.num_rows
        if sum(one.num_rows for one in self._pending) >= self._piece:
            self._settle()

    def __iter__(self) -> Iterator[pa.Table]:
        """Yield the tables in order, in pieces of their own size."""
        self._settle()
        if self._file is None:
            yield from self._pieces
            return
        if not self._closed and self._writer is not None:
            self._writer.close()
            self._closed = True
        self._file.seek(0)
        for batch in pa.ipc.open_stream(self._file):
            yield pa.Table.from_batches([batch])

    def _settle(self) -> None:
        if not self._pending:
            return
        piece = pa.concat_tables(self._pending).combine_chunks()
        self._pending = []
        if self._closed:
            raise RuntimeError("a spool that was read from its file takes no more tables")
        self._pieces.append(piece)
        if self._file is None and sum(one.num_rows for one in self._pieces) <= self._in_memory:
            return
        with environment_faults(Path(tempfile.gettempdir())):
            if self._file is None or self._writer is None:
                self._file = tempfile.TemporaryFile(prefix="recount-")  # noqa: SIM115 - as long as this
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                self._writer = pa.ipc.new_stream(self._file, piece.schema, options=options)
            for one in self._pieces:
                self._writer.write_table(one, max_chunksize=one.num_rows or None)
            self._pieces = []
