"""Deletes old finished runs. Anything that might be something else stays.

Deleted is only a directory that holds nothing but what recount puts there, whose manifest says
that it is a run, that has a report, and that no process works on. The manifest and the report
go last, so that a deletion that was broken off is finished by the next one.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from crawler.errors import RecountError, UsageError
from crawler.keeping.runs import PARTS, RunDirectory
from crawler.keeping.storage import environment_faults
from crawler.reports import document
from crawler.reports.display import visible

FILES = ("rows.parquet", "report.html", "report.json", "manifest.json", "lock")
"""What stands at the top of a run directory, in the order in which it is deleted."""
DIRECTORIES = (*PARTS, "captured")


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to the entries of a directory; paths, newest first."""

    kept: tuple[str, ...]
    deleted: tuple[str, ...]
    left_alone: tuple[str, ...]


def prune(directory: Path, keep: int, *, dry_run: bool) -> Pruned:
    """Delete all finished runs directly below ``directory`` but the newest ``keep``.

    Raises ``UsageError`` where there is no directory and ``EnvironmentFault`` where a deletion
    fails. Runs that another process works on count as kept.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is no directory")
    ages = {path: _finished(path) for path in sorted(directory.iterdir())}
    runs = [(at, path) for path, at in ages.items() if at is not None]
    newest_first = [path for _, path in sorted(runs, reverse=True)]
    kept, deleted = newest_first[:keep], list[Path]()
    for path in newest_first[keep:]:
        (deleted if _delete(path, dry_run=dry_run) else kept).append(path)
    return Pruned(
        kept=_texts(kept),
        deleted=_texts(deleted),
        left_alone=_texts([path for path, at in ages.items() if at is None]),
    )


def text(pruned: Pruned, *, dry_run: bool) -> str:
    """Return one line for each entry."""
    gone = "would be deleted" if dry_run else "deleted"
    told = (("kept", pruned.kept), (gone, pruned.deleted), ("left alone", pruned.left_alone))
    return "".join(f"{what}: {visible(path)}\n" for what, paths in told for path in paths)


def _finished(path: Path) -> datetime | None:
    """Return when a run was finished, ``None`` for anything that is not surely a finished run."""
    if path.is_symlink() or not path.is_dir():
        return None
    try:
        if RunDirectory.open(path, lock=False).manifest.kind != "run":
            return None
        made = document.decode((path / "report.json").read_bytes()).circumstances.finished
        at = datetime.fromisoformat(made)
    except (RecountError, OSError, ValueError, msgspec.MsgspecError):
        return None
    return at if at.tzinfo is not None and all(_ours(entry) for entry in path.iterdir()) else None


def _ours(entry: Path) -> bool:
    if entry.is_symlink():
        return False
    if entry.is_dir():
        return entry.name in DIRECTORIES
    return entry.name in FILES or (entry.name.startswith(".") and entry.suffix == ".part")


def _delete(path: Path, *, dry_run: bool) -> bool:
    """Delete one run; ``False`` where another process works on it."""
    if dry_run:
        return True
    try:
        run = RunDirectory.open(path)
    except RecountError:
        return False
    with contextlib.closing(run), environment_faults(path):
        for name in DIRECTORIES:
            if (path / name).exists():
                shutil.rmtree(path / name)
        for name in FILES:
            (path / name).unlink(missing_ok=True)
        path.rmdir()
    return True


def _texts(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(str(path) for path in paths)
