"""One published list, whatever its dialect and however many files it came in.

``open_list`` looks at the bytes, decides what they are, and reads the totals; the rows come
afterwards, in batches of ``CLAIMS``. A list may consist of several tables: the main one,
the staking table beside it in the archive, companions named by the user. Row numbers run
through all of them: a table's rows start where the physical lines of those before it end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from crawler.errors import ListError
from crawler.keeping.storage import is_stream
from crawler.lists import okx
from crawler.lists.archives import Source, reading, sources
from crawler.lists.bitmex import proof_table
from crawler.lists.blocks import measure
from crawler.lists.generic_rows import jsonl_table, parquet_table, sniff
from crawler.lists.head import Head, no_detail_section, read_head
from crawler.lists.table import CsvTable, Table, Tally
from crawler.lists.workbook import sheet_table
from crawler.model import LineAccount, ListedTotal, Rounding

BATCH_ROWS = 65536


class Member(msgspec.Struct, frozen=True):
    """One table of a list. ``first_row_offset`` is added to its line numbers to make rows."""

    name: str
    sha256: str
    first_row_offset: int
    lines: int


class PublishedList:
    """A list that has been opened: what it is, its totals, and its rows in batches.

    ``sha256`` and ``size`` (bytes) are those of the file at ``path`` as it is; ``members``
    gives each table's own digest. ``exchange`` is ``None`` for a generic table. ``unread``
    names columns that the dialect does not know, ``passed_over`` what file managers left in
    the archive.
    """

    def __init__(self, path: Path, tables: Sequence[Table], passed_over: tuple[str, ...]) -> None:
        self._tables = tuple(tables)
        self._account: LineAccount | None = None
        self.path = path
        self.passed_over = passed_over
        with reading(path), path.open("rb") as stream:
            whole = self._tables[0].size if path == tables[0].source.path else None
            if whole is None or tables[0].source.member is not None:
                whole = measure(stream)
        self.sha256, self.size = whole.sha256, whole.bytes
        offsets = [sum(table.size.lines for table in tables[:at]) for at in range(len(tables))]
        self.members = tuple(
            Member(table.source.short, table.size.sha256, offset, table.size.lines)
            for table, offset in zip(tables, offsets, strict=True)
        )
        self.totals: tuple[ListedTotal, ...] = tuple(
            msgspec.structs.replace(total, row=total.row + offset)
            for table, offset in zip(tables, offsets, strict=True)
            for total in table.totals
        )
        self.unread = tuple(dict.fromkeys(name for table in tables for name in table.unread))

    @property
    def dialect(self) -> str:
        """The main table's dialect, for example ``okx-monthly-12``, ``htx``, ``generic``."""
        return self._tables[0].dialect

    @property
    def exchange(self) -> str | None:
        """The exchange whose dialect this is, ``None`` for a generic table."""
        return self._tables[0].exchange

    @property
    def rounding(self) -> Rounding:
        """How the dialect rounds amounts."""
        return self._tables[0].rounding

    @property
    def account(self) -> LineAccount:
        """Where every physical line went; known once ``batches`` is exhausted."""
        if self._account is None:
            raise RuntimeError("the account is complete only when batches() is exhausted")
        return self._account

    def batches(self, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows in file order as ``CLAIMS``, at most ``size`` a batch.

        Memory does not grow with the file. Can be called again, from the start. Raises
        ``ListError`` naming file and line when the file cannot be read to its end.
        """
        self._account = None
        tally = Tally()
        for table, member in zip(self._tables, self.members, strict=True):
            for batch in table.batches(member.first_row_offset + 1, tally):
                for start in range(0, batch.num_rows, size):
                    yield batch.slice(start, size)
        lines = sum(member.lines for member in self.members)
        account = LineAccount(lines=lines, **{kind: tally[kind] for kind in _KINDS})
        if sum(tally.values()) != lines:
            raise ListError(
                f"{self.path}: {lines} lines, but {sum(tally.values())} are accounted for "
                f"({account}); please report this file"
            )
        self._account = account


_KINDS = ("header", "total", "blank", "claim", "signer", "malformed", "continuation")


def open_list(path: Path, *, companions: Sequence[Path] = ()) -> PublishedList:
    """Open a published list and say what it is, by its content and never by its name.

    ``companions`` are further files of the same list (OKX's staking table). Raises
    ``ListError`` when a file cannot be read, holds no detail section, or does not belong.
    """
    tables, passed_over = _tables_of(path)
    for companion in companions:
        more, left = _tables_of(companion)
        tables += more
        passed_over += left
    main = tables[0]
    for table in tables[1:]:
        if table.dialect != "totals" and table.exchange != main.exchange:
            raise ListError(
                f"{table.source.name}: is of dialect {table.dialect!r}, which cannot accompany "
                f"{main.source.name} of dialect {main.dialect!r}"
            )
    digests = [table.size.sha256 for table in tables]
    for at, table in enumerate(tables):
        if table.size.sha256 in digests[:at]:
            raise ListError(f"{table.source.name}: the same table is in the list twice")
    return PublishedList(path, tables, passed_over)


def _tables_of(path: Path) -> tuple[list[Table], tuple[str, ...]]:
    """Open the tables of one file, the main one first."""
    if is_stream(path):
        raise ListError(f"{path}: a list must be a regular file, since it is read more than once")
    found, passed_over = sources(path)
    if found[0].member is None:
        return [_table(found[0])], passed_over
    tables, heads = [], []
    for source in found:
        table, head = _csv_table(source)
        tables.append(table)
        heads.append(head)
    with_rows = [at for at, head in enumerate(heads) if head.layout is not None]
    if not with_rows:
        raise no_detail_section(heads[0], found[0].name)
    main = with_rows
    if _halves([heads[at] for at in with_rows]):
        main = with_rows[:1]
    elif len(with_rows) > 1:
        main = [at for at in with_rows if not _is_staking(heads[at], all)]
        plain = [at for at in main if not _is_staking(heads[at], any)]
        main = plain if len(main) > 1 and len(plain) == 1 else main
    if len(main) != 1:
        names = ", ".join(found[at].short for at in (main or with_rows))
        raise ListError(
            f"{path}: expected one main list in the archive, found {len(main)}: {names}; "
            "unpack it, pass one list and name the others as companions"
        )
    order = [main[0], *(at for at in range(len(tables)) if at != main[0])]
    return [tables[at] for at in order], passed_over


def _table(source: Source) -> Table:
    kind = sniff(source)
    if kind == "parquet":
        return parquet_table(source)
    if kind == "jsonl":
        return jsonl_table(source)
    if kind == "workbook":
        return sheet_table(source)
    if kind == "yaml":
        return proof_table(source)
    table, head = _csv_table(source)
    if head.layout is None:
        raise no_detail_section(head, source.name)
    return table


def _csv_table(source: Source) -> tuple[Table, Head]:
    """Open a CSV table; one without rows may hold totals only, and nothing else."""
    with source.open() as stream:
        head = read_head(stream, source.name)
    if head.layout is None and (head.malformed or not head.totals):
        raise no_detail_section(head, source.name)
    with source.open() as stream:
        size = measure(stream)
    return CsvTable(source, size, head, head.layout), head


def _halves(heads: Sequence[Head]) -> bool:
    """Tell whether tables of one dialect make up one list, as its layout allows."""
    layouts = [head.layout for head in heads if head.layout is not None]
    return len({layout.dialect for layout in layouts}) == 1 and layouts[0].several


def _is_staking(head: Head, how_many: Callable[[Iterable[bool]], bool]) -> bool:
    """Tell whether a table's first rows, ``all`` or ``any`` of them, are about validators."""
    layout = head.layout
    rows = [fields for fields in head.sample if any(field.strip() for field in fields)]
    return (
        layout is not None
        and layout.exchange == "okx"
        and bool(rows)
        and how_many(okx.is_staking_row(layout, fields) for fields in rows)
    )
