"""The run directory: everything a run knows, written so that a kill at any moment loses nothing.

    RUN/manifest.json            inputs and config by digest, snapshots, the frozen plan
    RUN/inputs/inputs.json       declarations, policy, liabilities, statement, list totals
    RUN/claims/  RUN/signatures/ Parquet, one file per batch of the list
    RUN/plan/<digest>.parquet    the questions of one shard
    RUN/shards/<digest>.<attempt>.parquet        answers
    RUN/evidence/<digest>.<attempt>.jsonl.zst    raw exchanges, one extract a line
    RUN/report.json  RUN/report.html

Every file is written beside its place, synced, and renamed into it. Evidence is synced before
the answers that rest on it are renamed. There is no other state.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from crawler.errors import EnvironmentFault, UsageError

FORMAT = "recount/run/1"


PARTS = ("inputs", "claims", "signatures", "plan", "shards", "evidence")
EXAMINED = ("claims/", "signatures/")
"""Where the examined list lies; a resumed run cannot make it again."""
NAME = b"recount.name"
"""Key of a table's own name in its metadata: the same questions are asked about several assets."""


class ShardEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of the frozen plan. ``digest`` names its files.

    ``round`` is 0 for what the list asks, and counts on for what the answers ask
    (``crawler.rounds``).
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
    """One run on disk. Opening it takes a lock that lasts as long as the object."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._lock: int | None = None

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> RunDirectory:
        """Make the directory; raises ``UsageError`` when it already holds something."""
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is no directory; choose another --run directory")
        if path.exists() and not _never_begun(path):
            raise UsageError(
                f"{path} is not empty; choose another --run directory, or continue it with "
                f"'recount resume {path}'"
            )
        with environment_faults(path):
            for part in PARTS:
                (path / part).mkdir(parents=True, exist_ok=True)
        run = cls(path, manifest)
        run.lock()
        run.save()
        return run

    @classmethod
    def open(cls, path: Path, *, lock: bool = True) -> RunDirectory:
        """Open an existing run; raises ``UsageError`` where there is none."""
        file = path / "manifest.json"
        try:
            raw = file.read_bytes()
        except OSError as error:
            raise UsageError(
                f"{path} is no run directory: {file.name} cannot be read ({error.strerror})"
            ) from error
        try:
            manifest = msgspec.json.decode(raw, type=Manifest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
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
        """Keep a second process out; raises ``EnvironmentFault`` when one is already in."""
        with environment_faults(self.path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            self._lock = os.open(self.path / "lock", flags, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise EnvironmentFault(
                f"another process works on {self.path}; wait for it or stop it"
            ) from error
        for leftover in self.path.rglob(".*.part"):
            leftover.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

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
        self, name: str, table: pa.Table, *, alike: Sequence[str] | bool = True
    ) -> None:
        """Write one Parquet file atomically; it carries the name under which it is to be read.

        ``alike`` are the columns that hold few different values: only to those a dictionary is
        worth its work.
        """
        with self.replacing(name) as beside:
            pq.write_table(
                table.replace_schema_metadata({NAME: name}),
                beside,
                compression="zstd",
                use_dictionary=alike if isinstance(alike, bool) else list(alike),
                write_statistics=False,  # nothing looks for rows by their values
                write_page_checksum=True,
            )

    def digest(self, name: str) -> str:
        """Digest a file of this run, hex."""
        return sha256_file(self.path / name)

    def read(self, name: str) -> bytes:
        """Read one file; raises ``ValueError`` where it is not the one that was examined."""
        content = (self.path / name).read_bytes()
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

    def replacing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give a temporary path; sync it and rename it to ``name`` when the block succeeds."""
        return replacing(self.path / name)

    def inside(self, name: str) -> Path:
        """Return the path of a file of this run that the manifest names.

        Raises ``EnvironmentFault`` for a name that leads out of the directory.
        """
        file = self.path / name
        if not file.resolve().is_relative_to(self.path.resolve()):
            raise EnvironmentFault(f"{self.path} names a file outside of itself: {name!r}")
        return file

    def attempts(self, digest: str) -> list[int]:
        """Return the finished attempts of a shard, ascending."""
        found: list[int] = []
        while (self.path / shard_name(digest, len(found) + 1)).exists():
            found.append(len(found) + 1)
        return found

    def parts(self, stage: str) -> list[str]:
        """Names of the finished part files of ``claims`` or ``signatures``, in list order."""
        files = (self.path / stage).glob("part-*.parquet")
        return sorted(f"{stage}/{file.name}" for file in files)


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


def _never_begun(path: Path) -> bool:
    """Tell whether a directory is empty but for what ``create`` makes before its manifest."""
    return all(
        entry.name in ("lock", *PARTS) and (entry.is_file() or not any(entry.iterdir()))
        for entry in path.iterdir()
        if not entry.name.endswith(".part")
    )


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a path beside ``target``; sync it and rename it when the block succeeds."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with environment_faults(target):
            yield beside
            sync(beside)
            beside.rename(target)
            sync(target.parent)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def environment_faults(place: Path) -> Iterator[None]:
    """Turn file-system errors into one sentence for the user."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(
            f"cannot write {place}: {error.strerror or error}; free space or fix permissions, "
            "then resume: nothing that was finished is lost"
        ) from error


def shard_name(digest: str, attempt: int) -> str:
    """Name of the answers of one attempt, inside the run directory."""
    return f"shards/{digest}.{attempt}.parquet"


def sync(path: Path) -> None:
    """Flush a file or directory to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: Path) -> str:
    """Digest a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_digest(value: object) -> str:
    """Digest a JSON-like value by its sorted compact encoding, hex."""
    encoded = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(encoded.encode()).hexdigest()
