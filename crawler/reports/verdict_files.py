"""One record per row, for people and machines: ``recount verify LIST --verdicts FILE``.

The suffix chooses the format: ``.jsonl``, ``.csv`` or ``.parquet``. Fields: ``row`` (physical line
number, 1-based), ``network``, ``asset``, ``address``, ``status``, ``reason``, ``validity``.

JSON lines and Parquet keep texts of the list as they are. CSV is for people: see ``inert``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from crawler.counting.ledger import LEDGER
from crawler.errors import UsageError
from crawler.keeping.storage import put_in_place
from crawler.reports.display import visible
from crawler.tables.columns import records

COLUMNS = ["row", "network", "asset", "address", "status", "reason", "validity"]
_FORMULA = re.compile("(^|[;|])(?=[=+@\uff1d\uff0b\uff0d\uff20-])")
"""What a spreadsheet may take for the start of a formula, also where it separates cells otherwise.

Spec: https://owasp.org/www-community/attacks/CSV_Injection
"""


def check_suffix(path: Path) -> None:
    """Raise ``UsageError`` for a suffix that names no format."""
    if path.suffix.lower() not in WRITERS:
        raise UsageError(f"{path}: the suffix must be one of {', '.join(sorted(WRITERS))}")


@contextmanager
def verdict_file(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Give what takes a ledger part by part and writes its verdicts.

    The file is there when the block succeeds; until then what was there before stays.
    Raises ``UsageError`` for another suffix, ``EnvironmentFault`` where the disk is full.
    """
    check_suffix(path)
    with (
        put_in_place(path, "then verify again") as beside,
        WRITERS[path.suffix.lower()](beside) as take,
    ):
        yield lambda ledger: take(ledger.select(COLUMNS))


@contextmanager
def _jsonl(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    encode = msgspec.json.Encoder().encode

    def take(table: pa.Table) -> None:
        for row in records(table):
            file.write(encode(row) + b"\n")

    with path.open("wb") as file:
        yield take


@contextmanager
def _csv(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    def take(table: pa.Table) -> None:
        for row in records(table):
            writer.writerow([inert(value) for value in row.values()])

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        yield take


def inert(value: object) -> object:
    """Keep a text of the list from being a formula, or from hiding what stands beside it."""
    return _FORMULA.sub(r"\1'", visible(value)) if isinstance(value, str) else value


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    schema = pa.schema([LEDGER.field(name) for name in COLUMNS])
    with pq.ParquetWriter(path.absolute(), schema, compression="zstd") as writer:
        yield writer.write_table


WRITERS: Mapping[str, Callable[[Path], AbstractContextManager[Callable[[pa.Table], None]]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
