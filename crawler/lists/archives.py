"""Open published files: a plain table, or a zip of them.

Archives come from strangers. Every member is checked before a byte is unpacked: names
without path tricks, no links, no encryption, known compression, bounded size and ratio.
Nothing is ever written to disk. A member that is no ``.csv`` is an error and not skipped,
because it may hold rows; only what file managers leave behind is passed over, and named.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import cast

import msgspec

from crawler.errors import ListError

MAX_MEMBERS = 64
MAX_UNPACKED = 16 << 30
"""Bytes that all members of one archive may unpack to."""
MAX_RATIO = 200
"""Unpacked over packed size; published lists (hex text) reach about 10."""
RATIO_FREE = 16 << 20
"""Below this unpacked size the ratio does not matter."""

LONGEST_NAME = 255
"""Characters of a member's name; no file system takes more."""

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_WORKBOOK = {"[Content_Types].xml", "xl/workbook.xml"}
"""Members that make an archive a workbook. Spec: ECMA-376 part 2, 10.1.2 and part 1, 12.3.23."""
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Source(msgspec.Struct, frozen=True):
    """One table to read: a file, or the member of an archive."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """For errors: the path, with the member behind it."""
        return str(self.path) if self.member is None else f"{self.path} ({self.member})"

    @property
    def short(self) -> str:
        """The member's name, or the file's."""
        return self.path.name if self.member is None else self.member

    @contextlib.contextmanager
    def open(self) -> Iterator[BufferedIOBase]:
        """Yield the table's bytes; ``ListError`` for whatever is wrong with file or archive."""
        with reading(self.path):
            if self.member is None:
                with self.path.open("rb") as stream:
                    yield stream
                return
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                yield cast("BufferedIOBase", stream)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn faults of the file system and of the archive into ``ListError``."""
    try:
        yield
    except OSError as error:
        raise ListError(f"{path}: cannot be read: {error.strerror or error}") from error
    except _ZIP_FAULTS as error:
        said = " ".join(str(error).split())[:300]  # it may repeat a name of the archive
        raise ListError(f"{path}: damaged archive: {said}") from error


def magic(path: Path) -> bytes:
    """Read the first eight bytes of a file."""
    with reading(path), path.open("rb") as stream:
        return stream.read(8)


def sources(path: Path) -> tuple[list[Source], tuple[str, ...]]:
    """Find the tables in a file, in the order of their names, and the members passed over.

    Raises ``ListError`` when the archive is damaged, oversized, encrypted or holds anything
    but ``.csv`` files.
    """
    if not magic(path).startswith(ZIP_MAGIC):
        return [Source(path)], ()
    with reading(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if is_workbook(members):
        return [Source(path)], ()
    if len(members) > MAX_MEMBERS:
        raise ListError(f"{path}: {len(members)} members; at most {MAX_MEMBERS} are expected")
    passed_over = tuple(info.filename for info in members if _is_debris(info))
    tables = [info for info in members if info.filename not in passed_over]
    for info in tables:
        _check_member(path, info)
    names = [info.filename for info in tables]
    if not names:
        raise ListError(f"{path}: the archive holds no .csv file")
    if len(set(names)) < len(names):
        raise ListError(f"{path}: the archive holds two members of one name")
    unpacked = sum(info.file_size for info in tables)
    if unpacked > MAX_UNPACKED:
        raise ListError(f"{path}: unpacks to {unpacked} bytes; at most {MAX_UNPACKED} are read")
    return [Source(path, name) for name in sorted(names)], passed_over


def is_workbook(members: Iterable[zipfile.ZipInfo]) -> bool:
    """Tell by its members whether an archive is an Excel workbook."""
    return {info.filename for info in members} >= _WORKBOOK


def _is_debris(info: zipfile.ZipInfo) -> bool:
    """Directories, and what macOS leaves in archives."""
    name = info.filename  # perhaps empty, which is_dir() does not expect
    left = name.startswith("__MACOSX/") or name.rpartition("/")[2] == ".DS_Store"
    return left or name.endswith("/")


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.filename
    where = f"{path}: member {name[:120]!r}"
    parts = name.split("/")
    unsafe = "\\" in name or ":" in name or ".." in parts or "\0" in name
    if unsafe or name.startswith("/") or len(name) > LONGEST_NAME:
        raise ListError(f"{where} has an unsafe name; expected a plain file name")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise ListError(f"{where} is a link; expected a plain file")
    if not name.lower().endswith(".csv"):
        raise ListError(
            f"{where} is no .csv file and may hold rows that would be missed; "
            "unpack the archive and pass the tables one by one"
        )
    if info.flag_bits & _ENCRYPTED:
        raise ListError(f"{where} is encrypted; unpack it first")
    if info.compress_type not in _METHODS:
        raise ListError(f"{where} uses compression method {info.compress_type}; unpack it first")
    if info.file_size > RATIO_FREE and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise ListError(
            f"{where} unpacks {info.compress_size} bytes to {info.file_size}; "
            f"a ratio above {MAX_RATIO} is no wallet list"
        )
