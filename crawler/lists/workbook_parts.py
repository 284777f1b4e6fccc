"""Look through a workbook's members before a spreadsheet library may.

Every member is unpacked once, under limits on bytes, elements and depth, because an archive's
own statement of sizes may be a lie. XML with a document type is refused (entities expand). Rows
and cells must stand in their order, each once and where its reference says: the library drops
or overwrites the others without a word, and nothing of a list may be lost.

Spec: ECMA-376 part 1, 18.3.1.73 (row) and 18.3.1.4 (c).
"""

from __future__ import annotations

import re
import zipfile
from xml.parsers import expat

from crawler.errors import ListError
from crawler.lists.archives import Source, reading

MAX_MEMBERS = 256
MAX_UNPACKED = 64 << 20
"""Bytes that all members of one workbook may unpack to; HTX's lists reach 80 KiB."""
MAX_ELEMENTS = 2_000_000
MAX_DEPTH = 64
MAX_ROWS = 100_000

_PIECE = 1 << 16
_ENCRYPTED = 0x1
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main "
_SHEET_DATA = [f"{_MAIN}worksheet", f"{_MAIN}sheetData"]
_ROW, _CELL = f"{_MAIN}row", f"{_MAIN}c"
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_NUMBER = re.compile(r"[1-9][0-9]{0,6}")


def check_parts(source: Source) -> None:
    """Raise ``ListError`` for a workbook that is too large, ambiguous, or not plain XML."""
    with reading(source.path), zipfile.ZipFile(source.path) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise ListError(
                f"{source.name}: {len(members)} members in the workbook; at most {MAX_MEMBERS}"
            )
        names = [info.filename for info in members]
        if len(set(names)) < len(names):
            raise ListError(f"{source.name}: the workbook holds two members of one name")
        if any(info.flag_bits & _ENCRYPTED for info in members):
            raise ListError(f"{source.name}: the workbook is encrypted; save it without")
        budget = _Budget(source)
        for info in members:
            _check_part(budget, archive, info)


class _Budget:
    """What is left of a workbook's limits."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._bytes, self._elements = MAX_UNPACKED, MAX_ELEMENTS

    def unpacked(self, size: int) -> None:
        self._bytes -= size
        if self._bytes < 0:
            raise ListError(f"{self.name}: the workbook unpacks to more than {MAX_UNPACKED} bytes")

    def element(self) -> None:
        self._elements -= 1
        if self._elements < 0:
            raise ListError(f"{self.name}: more than {MAX_ELEMENTS} elements in the workbook")


def _check_part(budget: _Budget, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    check = _Part(budget, info.filename) if info.filename.endswith((".xml", ".rels")) else None
    with archive.open(info) as stream:
        while piece := stream.read(_PIECE):
            budget.unpacked(len(piece))
            if check is not None:
                check.feed(piece)
    if check is not None:
        check.feed(b"", last=True)


class _Part:
    """Watches the elements of one XML member go by."""

    def __init__(self, budget: _Budget, name: str) -> None:
        self._budget = budget
        self._where = f"{budget.name}: member {name[:80]!r}"
        self._path: list[str] = []
        self._row = self._column = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        try:
            self._parser.Parse(piece, last)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise ListError(f"{self._where} is no XML: {str(error)[:100]}") from error

    def _document_type(self, *_: object) -> None:
        raise ListError(f"{self._where} declares a document type; no workbook needs one")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._budget.element()
        if name == _ROW:
            self._start_row(attributes.get("r"))
        elif name == _CELL and self._path[:1] == _SHEET_DATA[:1]:
            self._start_cell(attributes.get("r"))
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise ListError(f"{self._where} nests elements deeper than {MAX_DEPTH}")

    def _end(self, _: str) -> None:
        self._path.pop()

    def _start_row(self, number: str | None) -> None:
        if number is None:
            number = str(self._row + 1)
        valid = _NUMBER.fullmatch(number) is not None and int(number) > self._row
        if self._path != _SHEET_DATA or not valid:
            raise ListError(
                f"{self._where}: row {number[:20]!r} after row {self._row}; expected rows in "
                "their order, each once"
            )
        self._row, self._column = int(number), 0
        if self._row > MAX_ROWS:
            raise ListError(f"{self._where}: row {self._row}; at most {MAX_ROWS} rows are read")

    def _start_cell(self, reference: str | None) -> None:
        column, row = self._column + 1, self._row
        if reference is not None:
            match = _REFERENCE.fullmatch(reference)
            column, row = (0, 0) if match is None else (_column(match[1]), int(match[2]))
        if self._path != [*_SHEET_DATA, _ROW] or row != self._row or column <= self._column:
            raise ListError(
                f"{self._where}: cell {(reference or '')[:20]!r} in row {self._row}; expected "
                "the cells of a row in their order, each once"
            )
        self._column = column


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
