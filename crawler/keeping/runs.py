"""The run directory: everything a run knows, written so that a kill at any moment loses nothing.

    RUN/manifest.json            inputs and config by digest, snapshots, the frozen plan
    RUN/inputs/inputs.json       declarations, policy, liabilities, statement, list totals
    RUN/claims/  RUN/signatures/ Parquet, one file per batch of the list
    RUN/plan/<digest>.parquet    the questions of one shard
    RUN/shards/<digest>.<attempt>.parquet        answers
    RUN/evidence/<digest>.<attempt>.jsonl.zst    raw exchanges, one extract a line
    RUN/report.json  RUN/report.html

Every file is there whole or not at all (``keeping.storage``). Evidence and answers of an attempt
are created, never replaced: the evidence first, the answers that rest on it after it. There is no
other state, on one machine or many.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.storage import RunPlace, check_text, safe_name, storage_at

FORMAT = "recount/run/1"


INPUTS = "inputs/inputs.json"
"""What a run was given besides the list: ``recount.Inputs``."""
PARTS = ("inputs", "claims", "signatures", "plan", "shards", "evidence")
EXAMINED = ("claims/", "signatures/")
"""Where the examined list lies; a resumed run cannot make it again."""
NAME = b"recount.name"
"""Key of a table's own name in its metadata: the same questions are asked about several assets."""


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of the frozen plan. ``digest`` names its files.

    ``round`` is 0 for what the list asks, and counts on for what the answers ask
    (``crawler.asking.rounds``).
    """

    digest: str
    kind: str
    chain: str
    height: int
    asset: str
    questions: int
    round: int = 0


class Manifest(msgspec.Struct, kw_only=True):
    """``manifest.json``. ``plan`` and ``snapshots`` are ``None`` until that stage has finished.

    ``kind`` is ``run`` or ``capture``; ``heights`` are those at which a capture takes each chain.
    ``options`` are the run's own settings; ``inputs`` maps a role (list, policy, …) to file name
    and digest. ``examined`` counts rows and parts; ``files`` in it maps the files that hold them,
    and the inputs, to their digests. ``snapshots`` maps ``<chain>@<height>`` to the pinned moment
    or to the reason why there is none. ``sha256`` is ``digest`` of all this, as it was saved.
    """

    format: str
    run: str
    started: str
    versions: Mapping[str, str]
    inputs: Mapping[str, Mapping[str, str]]
    options: Mapping[str, Any]
    config_sha256: str
    endpoints: tuple[Mapping[str, Any], ...] = ()
    examined: Mapping[str, Any] | None = None
    snapshots: Mapping[str, Any] | None = None
    plan: tuple[ShardEntry, ...] | None = None
    kind: str = "run"
    heights: Mapping[str, int] | None = None
    sha256: str = ""

    def digest(self) -> str:
        """Digest all but ``options``, whose paths may be removed before a run is published."""
        covered = msgspec.structs.replace(self, options={}, sha256="")
        return hashlib.sha256(msgspec.json.encode(covered, order="sorted")).hexdigest()


class RunDirectory:
    """One run in its storage. Opening it takes a lock that lasts as long as the object."""

    def __init__(self, path: RunPlace, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self.storage = storage_at(path)
        self._unlock: Callable[[], None] | None = None

    @classmethod
    def create(cls, path: RunPlace, manifest: Manifest) -> RunDirectory:
        """Make the directory; raises ``UsageError`` when it already holds something."""
        if isinstance(path, Path) and path.exists() and not path.is_dir():
            raise UsageError(f"{path} is no directory; choose another --run directory")
        if isinstance(path, Path):
            check_text(path)
        run = cls(path, manifest)
        if not run._never_begun():
            raise UsageError(
                f"{path} is not empty; choose another --run directory, or continue it with "
                f"'recount resume {path}'"
            )
        run.storage.prepare(PARTS)
        run.lock()
        run.save()
        return run

    @classmethod
    def open(cls, path: RunPlace, *, lock: bool = True) -> RunDirectory:
        """Open an existing run; raises ``UsageError`` where there is none."""
        file = path / "manifest.json"
        try:
            with storage_at(path).reading(file.name) as found:
                raw = found.read_bytes()
        except OSError as error:
            raise UsageError(
                f"{path} is no run directory: {file.name} cannot be read ({error.strerror})"
            ) from error
        try:
            manifest = msgspec.json.decode(raw, type=Manifest)
        except (ValueError, RecursionError) as error:
            raise EnvironmentFault(f"{file} is damaged: {error}") from error
        if manifest.format != FORMAT:
            raise UsageError(f"{file}: format {manifest.format!r}; this version reads {FORMAT!r}")
        if manifest.sha256 != manifest.digest():
            raise EnvironmentFault(
                f"{file} is damaged: it is not what its own digest says; start a new run"
            )
        run = cls(path, manifest)
        if lock:
            run.lock()
        return run

    def lock(self) -> None:
        """Keep a second coordinator out; raises ``EnvironmentFault`` when one is already in."""
        self._unlock = self.storage.lock()

    def close(self) -> None:
        """Release the lock."""
        if self._unlock is not None:
            self._unlock()
            self._unlock = None

    def save(self) -> None:
        """Write the manifest, with its digest."""
        self.manifest.sha256 = self.manifest.digest()
        encoded = msgspec.json.format(msgspec.json.encode(self.manifest, order="sorted"), indent=2)
        self.write("manifest.json", encoded + b"\n")

    def write(self, name: str, content: bytes) -> None:
        """Write one small file atomically."""
        with self.replacing(name) as beside:
            beside.write_bytes(content)

    def write_table(
        self, name: str, table: pa.Table, *, alike: Sequence[str] | Literal[True] = True
    ) -> None:
        """Write one Parquet file atomically; it carries the name under which it is to be read.

        ``alike`` are the columns that hold few different values: only to those a dictionary is
        worth its work. Of the others, bytes are taken to be accounts, which nothing shortens.
        """
        with self.replacing(name) as beside:
            _to_parquet(table, beside, name, alike=alike)

    def create_table(
        self, name: str, table: pa.Table, *, alike: Sequence[str] | Literal[True] = True
    ) -> None:
        """Do as ``write_table``; raises ``AlreadyThere`` where there is such a file."""
        with self.creating(name) as beside:
            _to_parquet(table, beside, name, alike=alike)

    def digest(self, name: str) -> str:
        """Digest a file of this run, hex."""
        with self.reading(name) as found:
            return sha256_file(found)

    def read(self, name: str) -> bytes:
        """Read one file; raises ``OSError``.

        Raises ``ValueError`` where it is not the one that was examined.
        """
        with self.reading(name) as found:
            content = found.read_bytes()
        expected = ((self.manifest.examined or {}).get("files") or {}).get(name)
        if expected is not None and hashlib.sha256(content).hexdigest() != expected:
            raise ValueError("it is not what its digest in the manifest says")
        return content

    def read_table(
        self, name: str, columns: list[str] | None = None, schema: pa.Schema | None = None
    ) -> pa.Table:
        """Read one Parquet file; raises ``EnvironmentFault`` naming a damaged or exchanged one.

        Checksums cover the pages; a damaged footer shows in other columns than ``columns`` or
        another schema than ``schema``. What was examined is held against its digest as well.
        """
        file = self.path / name
        try:
            content = pa.BufferReader(self.read(name))
            with pq.ParquetFile(content, page_checksum_verification=True) as parquet:
                table = parquet.read(columns, use_threads=False)  # Arrow's may abort the exit
            return _as_written(table, name, columns, schema)
        except (OSError, ValueError, pa.ArrowException) as error:
            again = f"delete it and run 'recount resume {self.path}' to make it again"
            if name.startswith(EXAMINED):
                again = "the list is not read twice: start a new run"
            raise EnvironmentFault(
                f"{file} is missing or damaged ({str(error).partition(chr(10))[0]}); {again}"
            ) from error

    def holds(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return self.storage.holds(name)

    def reading(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give a path of this machine to read a file from; ``OSError`` where there is none."""
        return self.storage.reading(name)

    def replacing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give a temporary path; what is written there is ``name`` when the block succeeds."""
        return self.storage.replacing(name)

    def creating(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Do as ``replacing``; raises ``AlreadyThere`` at the end where there is such a file."""
        return self.storage.creating(name)

    def inside(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Do as ``reading`` for a file that the manifest names.

        Raises ``EnvironmentFault`` for a name that leads out of the run.
        """
        out = not safe_name(name)
        if isinstance(self.path, Path) and not out:
            out = not (self.path / name).resolve().is_relative_to(self.path.resolve())
        if out:
            raise EnvironmentFault(f"{self.path} names a file outside of itself: {name!r}")
        return self.reading(name)

    def attempts(self, digest: str) -> list[int]:
        """Return the finished attempts of a shard, ascending."""
        found: list[int] = []
        while self.holds(shard_name(digest, len(found) + 1)):
            found.append(len(found) + 1)
        return found

    def parts(self, stage: str) -> list[str]:
        """Names of the finished part files of ``claims`` or ``signatures``, in list order."""
        found = (name for name in self.storage.names(stage) if name.startswith("part-"))
        return sorted(f"{stage}/{name}" for name in found if name.endswith(".parquet"))

    def examined(self) -> list[tuple[str, str]]:
        """Names of the files of claims and of signature results, in list order.

        Raises ``EnvironmentFault`` where one is missing or too many.
        """
        claimed, signed = self.parts("claims"), self.parts("signatures")
        examined = self.manifest.examined or {}
        if {*claimed, *signed} != {*examined.get("files", ())} - {INPUTS}:
            raise EnvironmentFault(
                f"{self.path} holds {len(claimed)} files of claims and {len(signed)} of "
                f"signatures, expected {examined.get('parts')} of each; start a new run"
            )
        return list(zip(claimed, signed, strict=True))

    def _never_begun(self) -> bool:
        """Tell whether there is nothing but what ``create`` makes before its manifest."""
        entries = [name for name in self.storage.names("") if not name.endswith(".part")]
        known = all(name in ("lock", *PARTS) for name in entries)
        return known and not any(self.storage.names(name) for name in entries if name in PARTS)


def _to_parquet(
    table: pa.Table, path: Path, name: str, *, alike: Sequence[str] | Literal[True]
) -> None:
    dense = [] if alike is True else [one.name for one in table.schema if one.type == pa.binary()]
    squeezed = dict.fromkeys(table.column_names, "zstd") | dict.fromkeys(dense, "none")
    with pa.OSFile(str(path), "wb") as file:
        pq.write_table(
            table.replace_schema_metadata({NAME: name}),
            file,
            compression=squeezed if dense else "zstd",
            column_encoding=dict.fromkeys(dense, "DELTA_LENGTH_BYTE_ARRAY") or None,
            use_dictionary=alike if alike is True else list(alike),
            write_statistics=False,  # nothing looks for rows by their values
            write_page_checksum=True,
        )


def _as_written(
    table: pa.Table, name: str, columns: list[str] | None, schema: pa.Schema | None
) -> pa.Table:
    """Return the table; raises ``ArrowInvalid`` where it has another name or other columns."""
    written = (table.schema.metadata or {}).get(NAME, b"")
    if written != name.encode():
        raise pa.ArrowInvalid(f"it was written as {written.decode(errors='replace')!r}")
    if schema is not None and table.schema != schema:
        raise pa.ArrowInvalid("other columns than were written")
    if columns is not None and table.column_names != columns:
        raise pa.ArrowInvalid("a column is missing")
    return table.replace_schema_metadata(None)


def shard_name(digest: str, attempt: int) -> str:
    """Name of the answers of one attempt, inside the run directory."""
    return f"shards/{digest}.{attempt}.parquet"


def sha256_file(path: Path) -> str:
    """Digest a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_digest(value: object) -> str:
    """Digest a JSON-like value by its sorted compact encoding, hex."""
    encoded = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(encoded.encode()).hexdigest()
