"""One record per row, for people and machines: ``recount verify LIST --verdicts FILE``.

The suffix chooses the format: ``.jsonl``, ``.csv`` or ``.parquet``. Fields: ``row`` (physical line
number, 1-based), ``network``, ``asset``, ``address``, ``status``, ``reason``, ``validity``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from crawler.columns import records
from crawler.errors import UsageError
from crawler.runs import environment_faults

COLUMNS = ["row", "network", "asset", "address", "status", "reason", "validity"]
FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""Spec: https://owasp.org/www-community/attacks/CSV_Injection"""


def check_suffix(path: Path) -> None:
    """Raise ``UsageError`` for a suffix that names no format."""
    if path.suffix.lower() not in WRITERS:
        raise UsageError(f"{path}: the suffix must be one of {', '.join(sorted(WRITERS))}")


def write_verdicts(ledger: pa.Table, path: Path) -> None:
    """Write the verdicts; raises ``UsageError`` for another suffix."""
    check_suffix(path)
    with environment_faults(path):
        WRITERS[path.suffix.lower()](ledger.select(COLUMNS), path)


def _jsonl(table: pa.Table, path: Path) -> None:
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for row in records(table):
            file.write(encode(row) + b"\n")


def _csv(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in records(table):
            writer.writerow([inert(value) for value in row.values()])


def inert(value: object) -> object:
    """Keep a spreadsheet from running a text of the list as a formula."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


WRITERS: Mapping[str, Callable[[pa.Table, Path], None]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
