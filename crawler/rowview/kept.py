"""What a run directory keeps of one row, and of the other rows about the same account and asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crawler.counting.ledger import LEDGER
from crawler.errors import EnvironmentFault, UsageError
from crawler.examining.ownership import EXAMINED, SIGNATURES
from crawler.keeping.runs import RunDirectory
from crawler.tables.columns import flags, whole

ROWS = "rows.parquet"
_SUBJECT = ("row", "kind", "network", "address", "chain", "asset_id", "counts_as", "account")


class Kept(msgspec.Struct, frozen=True):
    """The row and those it is compared with, in list order.

    ``claims`` (``EXAMINED``) and ``signatures`` have the same rows; ``ledger`` holds the rows of
    ``rows.parquet`` as they were stored.
    """

    number: int
    claims: pa.Table
    signatures: pa.Table
    ledger: pa.Table

    @property
    def place(self) -> int:
        """The row's place in ``claims`` and ``signatures``."""
        return int(self.claims["row"].to_pylist().index(self.number))

    def claim(self) -> Mapping[str, Any]:
        """Return the row as it was examined."""
        return _record(self.claims, self.place)

    def signature(self) -> Mapping[str, Any]:
        """Return what the row's signatures showed."""
        return _record(self.signatures, self.place)

    def stored(self) -> Mapping[str, Any]:
        """Return the row's record in ``rows.parquet``."""
        return _record(self.ledger, self.ledger["row"].to_pylist().index(self.number))


def _record(table: pa.Table, place: int) -> Mapping[str, Any]:
    record: Mapping[str, Any] = table.slice(place, 1).to_pylist()[0]
    return record


def kept(run: RunDirectory, number: int) -> Kept:
    """Read the row at physical line ``number``; raises ``UsageError`` if it is no row.

    The list is gone through part by part: it may be longer than memory.
    """
    names = run.examined()
    subject = _subject(run, names, number)
    ledger = _ledger(run, number)
    rows = pa.array(ledger["row"].to_pylist(), pa.int64())
    tables = []
    for claims, signatures in names:
        one = run.read_table(claims, list(_SUBJECT))
        chosen = flags(pc.is_in(whole(one["row"]), value_set=rows)) | _same(one, subject)
        if chosen.any():
            mask = pa.array(chosen)
            found = run.read_table(claims, schema=EXAMINED).filter(mask)
            tables.append((found, run.read_table(signatures, schema=SIGNATURES).filter(mask)))
    joined = [pa.concat_tables(column) for column in zip(*tables, strict=True)]
    return Kept(number, joined[0], joined[1], ledger)


def _subject(run: RunDirectory, names: Sequence[tuple[str, str]], number: int) -> Mapping[str, Any]:
    """Return what a row is about; raises ``UsageError`` where there is none."""
    for claims, _ in names:
        found = run.read_table(claims, list(_SUBJECT))
        found = found.filter(pc.equal(found["row"], number))
        if found.num_rows:
            return _record(found, 0)
    raise UsageError(
        f"{run.path}: line {number} is no row of the list (it may be a header, a total or "
        "blank; rows of further files of a list count on from the end of the one before)"
    )


def _same(subjects: pa.Table, row: Mapping[str, Any]) -> Any:
    """Tell which rows are about the same account and asset, as the list alone shows it."""
    names: Sequence[str] = ("chain", "asset_id", "account")
    if not row["account"] or not row["asset_id"]:
        names = ("network", "chain", "asset_id", "counts_as", "account", "address")
    mask = flags(pc.equal(whole(subjects["row"]), row["row"]))
    same = flags(pc.equal(whole(subjects["kind"]), row["kind"]))
    for name in names:
        same &= flags(pc.equal(whole(subjects[name]), row[name]))
    return mask | same


def _ledger(run: RunDirectory, number: int) -> pa.Table:
    """Return the row of ``rows.parquet`` and all of its group."""
    try:
        with run.reading(ROWS) as path, pq.ParquetFile(path) as file:
            if file.schema_arrow.remove_metadata() != LEDGER:
                raise pa.ArrowInvalid("it has other columns")
            own = _filtered(file, "row", [number])
            group = _filtered(file, "group", own["group"].to_pylist())
    except (OSError, ValueError, pa.ArrowException) as error:
        raise EnvironmentFault(
            f"{run.path / ROWS} is missing or damaged ({str(error).partition(chr(10))[0]}); "
            f"run 'recount resume {run.path}' to make it again"
        ) from error
    if own.num_rows != 1:
        raise EnvironmentFault(
            f"{run.path / ROWS} has {own.num_rows} records of line {number}, expected one; run "
            f"'recount resume {run.path}' to make it again"
        )
    return group


def _filtered(file: pq.ParquetFile, column: str, values: Sequence[int]) -> pa.Table:
    """Return the rows in whose column one of the values is, a row group at a time."""
    wanted = pa.array(values, pa.int64())
    found = [LEDGER.empty_table()]
    for number in range(file.num_row_groups):
        narrow = file.read_row_group(number, [column], use_threads=False)
        mask = pc.is_in(narrow[column], value_set=wanted)
        if pc.any(mask).as_py():
            whole_group = file.read_row_group(number, use_threads=False)
            found.append(whole_group.replace_schema_metadata(None).filter(mask))
    return pa.concat_tables(found)
