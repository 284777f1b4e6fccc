"""Liabilities from a table that a person wrote or copied: TOML or CSV, always ``asserted``.

CSV: a header with ``asset``, ``amount``, ``as-of``, ``source`` in any order, one coin per line.
TOML: either ``[liabilities]`` with ``COIN = "amount"``, or an array ``[[liabilities]]`` of tables
with the four keys. ``as_of`` and ``source`` at the top of a TOML file hold for every entry that
has none. Every amount needs both, since a number without its date and origin proves nothing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from crawler import declarations
from crawler.declarations import fault, quoted
from crawler.liabilities import Liability, Trust

COLUMNS = ("asset", "amount", "as-of", "source")

_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})(?:-([0-9]{1,2}))?(?![0-9])")
_ENTRY = re.compile(r"^[ \t]*\[\[[ \t]*liabilities[ \t]*\]\]", re.MULTILINE)


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One coin as it stands in a file; CSV names ``as_of`` with a dash."""

    asset: str
    amount: str
    as_of: str = ""
    source: str = ""


def load_liabilities(path: Path) -> Mapping[str, Liability]:
    """Load a table, keyed by coin, in file order.

    The ending ``.csv`` means CSV, everything else TOML. Raises ``ConfigError`` naming the file
    and the line for bad syntax, unknown columns, amounts that are not plain decimals, missing
    dates or sources, and a coin named twice.
    """
    file = path.name
    raw = declarations.read_bytes(path, file)
    entries = _csv_entries(raw, file) if path.suffix.lower() == ".csv" else _toml_entries(raw, file)
    found: dict[str, Liability] = {}
    for place, entry in entries:
        liability = _liability(entry, file, place)
        if liability.asset in found:
            raise fault(
                file, place, f"{liability.asset} stands already at {found[liability.asset].place}"
            )
        found[liability.asset] = liability
    if not found:
        raise fault(file, "", "holds no liabilities")
    return found


def _liability(entry: _Entry, file: str, place: str) -> Liability:
    if not entry.asset:
        raise fault(file, place, "asset is empty")
    declarations.check_decimal(entry.amount, file, f"{place}, amount of {entry.asset}")
    for name, text in (("as-of", entry.as_of), ("source", entry.source)):
        if not text:
            raise fault(file, place, f"{entry.asset} has no {name}")
    _check_date(entry.as_of, file, f"{place}, as-of of {entry.asset}")
    return Liability(
        asset=entry.asset,
        amount=entry.amount,
        as_of=entry.as_of,
        source=entry.source,
        trust=Trust.ASSERTED,
        place=place,
    )


def _check_date(text: str, file: str, place: str) -> None:
    """Raise ``ConfigError`` for what is written as a date, or a month, that no calendar has."""
    found = _DATE.match(text)
    if found is not None:
        year, month, day = (int(part or 1) for part in found.groups())
        try:
            date(year, month, day)
        except ValueError as error:
            raise fault(file, place, f"is {text!r}, which is no date ({error})") from error


def _csv_entries(raw: bytes, file: str) -> Iterator[tuple[str, _Entry]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise fault(file, f"line {line}", "is not UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [_column(name) for name in next(reader, [])]
        _check_header(header, file)
        for cells in reader:
            place = f"line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise fault(file, place, f"has {len(cells)} columns; expected {len(header)}")
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            row["as_of"] = row.pop("as-of", "")
            yield place, declarations.convert(row, _Entry, file, place)
    except csv.Error as error:
        raise fault(file, f"line {reader.line_num}", f"is not CSV: {error}") from error


def _column(name: str) -> str:
    return "-".join(name.strip().lower().replace("_", " ").replace("-", " ").split())


def _check_header(header: list[str], file: str) -> None:
    for name in COLUMNS:
        if header.count(name) != 1:
            raise fault(file, "line 1", f"needs the columns {', '.join(COLUMNS)}, each once")
    for name in header:
        if name not in COLUMNS:
            raise fault(file, "line 1", f"the column {name!r} is not one of {', '.join(COLUMNS)}")


def _toml_entries(raw: bytes, file: str) -> Iterator[tuple[str, _Entry]]:
    table = declarations.parse(raw, file)
    declarations.only(table, ("as_of", "source", "liabilities"), file)
    shared: dict[str, Any] = {
        key: declarations.convert(table[key], str, file, key)
        for key in ("as_of", "source")
        if key in table
    }
    given = table.get("liabilities")
    if isinstance(given, dict):
        for coin, amount in given.items():
            place = f"liabilities.{quoted(coin)}"
            fields = {**shared, "asset": coin, "amount": amount}
            yield place, declarations.convert(fields, _Entry, file, place)
        return
    lines = _entry_lines(raw)
    for i, fields in enumerate(declarations.array_of(table, "liabilities", file)):
        line = f"line {lines[i]}" if i < len(lines) else f"liabilities[{i}]"
        merged = shared | fields if isinstance(fields, dict) else fields
        yield line, declarations.convert(merged, _Entry, file, line)


def _entry_lines(raw: bytes) -> list[int]:
    """Return the lines of the ``[[liabilities]]`` headers; TOML itself forgets them."""
    text = raw.decode("utf-8-sig")
    return [text[: match.start()].count("\n") + 1 for match in _ENTRY.finditer(text)]
