"""The generic table as JSON lines and as Parquet.

Both become the same columns of text as the CSV form and take the same way into ``CLAIMS``.
Numbers keep the digits they are written with: JSON numbers are never turned into floats,
and a Parquet column of floats is refused, because what it lost cannot be found again.

A row's number is its line (JSON lines) or its place in the file, from 1 (Parquet).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crawler.errors import ListError
from crawler.lists import bitmex
from crawler.lists.archives import MAX_RATIO, MAX_UNPACKED, RATIO_FREE, ZIP_MAGIC, Source, magic
from crawler.lists.blocks import Block, Size, blocks, measure
from crawler.lists.claims import to_claims
from crawler.lists.generic import COLUMNS, recognise, refuse_unknown
from crawler.lists.layout import Layout, refuse_repeats
from crawler.lists.parse import Rows
from crawler.lists.split import SplitError, split_signatures
from crawler.lists.table import Tally, count_kinds, refuse_change
from crawler.model import ListedTotal, Rounding

_BATCH = 65536
_PARQUET_MAGIC = b"PAR1"
_SIGNATURES = COLUMNS.index("signatures")
_PARQUET_FAULTS = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError)


def sniff(source: Source) -> str:
    """Say ``parquet``, ``workbook``, ``yaml``, ``jsonl`` or ``csv``, by the first bytes."""
    first = magic(source.path)
    if first.startswith(_PARQUET_MAGIC):
        return "parquet"
    if first.startswith(ZIP_MAGIC):
        return "workbook"
    if bitmex.is_proof(source):
        return "yaml"
    return "jsonl" if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "csv"


class _GenericTable:
    """What JSON lines and Parquet have in common."""

    dialect = "generic"
    exchange: str | None = None
    rounding = Rounding()
    totals: tuple[ListedTotal, ...] = ()

    def __init__(self, source: Source, size: Size, names: Sequence[str]) -> None:
        self.source, self.size = source, size
        self.unread = tuple(name for name in names if name.startswith("x_"))
        layout = recognise(COLUMNS)
        if layout is None:
            raise ListError("the generic table's own columns are not recognised")
        self._layout: Layout = layout

    def _claims(
        self, records: Sequence[tuple[int, Sequence[str], str, str]], first_row: int
    ) -> pa.RecordBatch:
        """Make ``CLAIMS`` of records (line from 0, texts by ``COLUMNS``, problem, raw text)."""
        columns = zip(*(texts for _, texts, _, _ in records), strict=True)
        rows = Rows(
            columns=[pa.array(column, pa.string()) for column in columns],
            lines=np.array([line for line, _, _, _ in records], dtype=np.int64),
            malformed={at: (why, raw) for at, (_, _, why, raw) in enumerate(records) if why},
            blank=0,
            header=0,
            continuation=0,
            consumed=0,
            line_count=0,
        )
        return to_claims(rows, self._layout, first_row)


_NOTHING = ("",) * len(COLUMNS)


def _texts(record: Mapping[str, Any]) -> tuple[Sequence[str], str]:
    """Give a record's texts in the order of ``COLUMNS``, and why it is malformed, if it is."""
    try:
        refuse_unknown([*record])
        texts = [_text(name, record.get(name)) for name in COLUMNS]
        split_signatures(texts[_SIGNATURES])
        "".join(texts).encode()
    except UnicodeEncodeError:
        return _NOTHING, "a text holds half a surrogate pair"
    except (ListError, SplitError) as error:
        return _NOTHING, str(error)
    for name in ("network", "address"):
        if not texts[COLUMNS.index(name)]:
            return _NOTHING, f"no {name}"
    return texts, ""


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if name == "signatures" and isinstance(value, list):
        return json.dumps(value)
    raise SplitError(f"{name} is neither a text nor a number")


class JsonLinesTable(_GenericTable):
    """One JSON object per line."""

    def batches(self, first_row: int, tally: Tally) -> Iterator[pa.RecordBatch]:
        """Yield the rows; the table's first line has the row number ``first_row``."""
        digest = hashlib.sha256()
        with self.source.open() as stream:
            for block in blocks(stream, self.source.name, digest=digest):
                records = []
                for line, raw in enumerate(_lines(block)):
                    if raw.strip():
                        records.append((line, *_texts_of_line(raw), raw))
                    else:
                        tally["blank"] += 1
                if records:
                    batch = self._claims(records, first_row + block.line - 1)
                    count_kinds(batch, tally)
                    yield batch
        refuse_change(self.source, self.size, digest.hexdigest())


def _lines(block: Block) -> list[str]:
    lines = block.data.decode().removeprefix("\ufeff").split("\n")
    return lines[:-1] if block.data.endswith(b"\n") else lines


def _texts_of_line(raw: str) -> tuple[Sequence[str], str]:
    try:
        record = _decoded(raw)
    except (ValueError, RecursionError):
        return _NOTHING, "is not JSON"
    if not isinstance(record, dict):
        return _NOTHING, "is not a JSON object"
    return _texts(record)


def _decoded(raw: str) -> object:
    """JSON with numbers as the text they are written with, and no key given twice."""
    return json.loads(
        raw, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_unique
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key is given twice")
    return record


def jsonl_table(source: Source) -> JsonLinesTable:
    """Open a table of JSON lines; the keys of the first object must be known columns."""
    with source.open() as stream:
        size = measure(stream)
    with source.open() as stream:
        for block in blocks(stream, source.name):
            for at, raw in enumerate(_lines(block)):
                if raw.strip():
                    return JsonLinesTable(source, size, _first_keys(source, block.line + at, raw))
    raise ListError(f"{source.name}: holds no JSON object; expected one per line")


def _first_keys(source: Source, line: int, raw: str) -> list[str]:
    where = f"{source.name}, line {line}"
    try:
        record = _decoded(raw)
    except (ValueError, RecursionError) as error:
        raise ListError(
            f"{where}: starts like JSON lines, but is not JSON ({error}); expected one object "
            "per line"
        ) from error
    names = list(record) if isinstance(record, dict) else []
    try:
        refuse_unknown(names)
    except ListError as error:
        raise ListError(f"{where}: {error}") from error
    if not {"network", "address"} <= set(names):
        raise ListError(f"{where}: expected the keys 'network' and 'address', found {names[:20]}")
    return names


class ParquetTable(_GenericTable):
    """A Parquet file."""

    def batches(self, first_row: int, tally: Tally) -> Iterator[pa.RecordBatch]:
        """Yield the rows; the file's first row has the row number ``first_row``."""
        last = first_row + self.size.lines
        with _parquet(self.source):
            file = pq.ParquetFile(self.source.path)
            found = iter(file.iter_batches(batch_size=_BATCH, use_threads=False))
        while True:
            with _parquet(self.source):
                columns = next(found, None)
                if columns is None:
                    break
                columns.validate(full=True)
                records = list(_records(columns))
            if not records:
                continue
            batch = self._claims(records, first_row)
            first_row += batch.num_rows
            count_kinds(batch, tally)
            yield batch
        with self.source.open() as stream:
            refuse_change(self.source, self.size, measure(stream).sha256)
        if first_row != last:
            raise ListError(
                f"{self.source.name}: damaged Parquet file: its footer tells of another number of "
                "rows than it holds"
            )


def _records(columns: pa.RecordBatch) -> Iterator[tuple[int, Sequence[str], str, str]]:
    names = [name for name in columns.schema.names if name in COLUMNS]
    values = [columns.column(name).to_pylist() for name in names]
    for at, row in enumerate(zip(*values, strict=True)):
        record = {
            name: format(value, "f") if hasattr(value, "as_tuple") else _number(value)
            for name, value in zip(names, row, strict=True)
        }
        texts, problem = _texts(record)
        yield at, texts, problem, json.dumps(record) if problem else ""


def _number(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@contextlib.contextmanager
def _parquet(source: Source) -> Iterator[None]:
    """Turn whatever a damaged Parquet file provokes into ``ListError``."""
    try:
        yield
    except _PARQUET_FAULTS as error:
        said = " ".join(str(error).split())[:300]
        raise ListError(f"{source.name}: damaged Parquet file: {said}") from error


ROWS_FREE = 100_000
"""Below so many rows it does not matter that each takes less than a byte of the file."""


def parquet_table(source: Source) -> ParquetTable:
    """Open a Parquet table; its columns must be known and of types that lose nothing."""
    with source.open() as stream:
        size = measure(stream)
    with _parquet(source):
        file = pq.ParquetFile(source.path)
        schema, metadata = file.schema_arrow, file.metadata
        unpacked = sum(
            metadata.row_group(at).total_byte_size for at in range(metadata.num_row_groups)
        )
    if unpacked > MAX_UNPACKED or unpacked > max(RATIO_FREE, MAX_RATIO * size.bytes):
        raise ListError(
            f"{source.name}: {size.bytes} bytes unpack to {unpacked}; at most {MAX_UNPACKED} are "
            f"read, and a ratio above {MAX_RATIO} is no wallet list"
        )
    if metadata.num_rows > max(ROWS_FREE, size.bytes):
        raise ListError(f"{source.name}: {metadata.num_rows} rows in {size.bytes} bytes")
    names = list(schema.names)
    try:
        refuse_repeats(names)
        refuse_unknown(names)
    except ListError as error:
        raise ListError(f"{source.name}: {error}") from error
    if not {"network", "address"} <= set(names):
        raise ListError(
            f"{source.name}: expected the columns 'network' and 'address', found {names[:20]}"
        )
    for field in schema:
        if field.name in COLUMNS and not _fits(field):
            raise ListError(
                f"{source.name}: column {field.name!r} is of type {field.type}; expected text"
                + (", or a list of texts" if field.name == "signatures" else ", whole or decimal")
            )
    lines = metadata.num_rows
    return ParquetTable(source, msgspec.structs.replace(size, lines=lines), names)


def _fits(field: pa.Field) -> bool:
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    if field.name == "signatures":
        return bool(text) or (
            (pa.types.is_list(kind) or pa.types.is_large_list(kind))
            and (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))
        )
    return bool(text or pa.types.is_integer(kind) or pa.types.is_decimal(kind))
