"""Pruning deletes old finished runs, and nothing that might be something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.cli.pruning import prune
from crawler.errors import UsageError
from crawler.keeping.runs import FORMAT, PARTS, Manifest, RunDirectory
from crawler.reports import document
from tests.unit.report_samples import sample

pytestmark = pytest.mark.unit


def finished(root: Path, name: str, at: str, *, kind: str = "run") -> Path:
    """Make what a finished run looks like from outside."""
    manifest = Manifest(
        format=FORMAT, run=name, started="", versions={}, inputs={}, options={},
        config_sha256="", kind=kind,
    )  # fmt: skip
    path = root / name
    RunDirectory.create(path, manifest).close()
    around = replace(sample().circumstances, finished=at)
    (path / "report.json").write_bytes(document.encode(replace(sample(), circumstances=around)))
    (path / "report.html").write_text("report")
    (path / "rows.parquet").write_text("rows")
    (path / "evidence/pack").write_text("evidence")
    (path / "captured/c/shards").mkdir(parents=True)
    (path / "captured/c/shards/one").write_text("one")
    return path


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_the_newest_stay_whatever_they_are_called(tmp_path: Path) -> None:
    finished(tmp_path, "z", "2024-01-01T00:00:00+00:00")
    finished(tmp_path, "a", "2024-03-01T00:00:00+00:00")
    finished(tmp_path, "m", "2024-03-01T00:30:00+01:00")
    pruned = prune(tmp_path, 1, dry_run=False)
    assert names(tmp_path) == ["a"]
    assert pruned.kept == (str(tmp_path / "a"),)
    assert pruned.deleted == (str(tmp_path / "m"), str(tmp_path / "z"))
    assert prune(tmp_path, 1, dry_run=False).deleted == ()


def test_a_dry_run_says_the_same_and_deletes_nothing(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        finished(tmp_path, f"r{day}", f"2024-01-0{day}T00:00:00+00:00")
    before = sorted(tmp_path.rglob("*"))
    told = prune(tmp_path, 2, dry_run=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert told == prune(tmp_path, 2, dry_run=False)
    assert names(tmp_path) == ["r2", "r3"]


def unfinished(path: Path) -> None:
    (path / "report.json").unlink()


def damaged_report(path: Path) -> None:
    (path / "report.json").write_text("{}")


def damaged_manifest(path: Path) -> None:
    (path / "manifest.json").write_text("{}")


def other_format(path: Path) -> None:
    file = path / "manifest.json"
    file.write_text(file.read_text().replace(FORMAT, "recount/run/99"))


def capture(path: Path) -> None:
    run = RunDirectory.open(path)
    run.manifest.kind = "capture"
    run.save()
    run.close()


def with_notes(path: Path) -> None:
    (path / "my-notes.txt").write_text("mine")


def with_a_directory(path: Path) -> None:
    (path / "more").mkdir()


def with_a_link(path: Path) -> None:
    (path / "plan").rmdir()
    (path / "plan").symlink_to(path.parent)


def undated(path: Path) -> None:
    around = replace(sample().circumstances, finished="yesterday")
    (path / "report.json").write_bytes(document.encode(replace(sample(), circumstances=around)))


@pytest.mark.parametrize(
    "spoil",
    [
        unfinished,
        damaged_report,
        damaged_manifest,
        other_format,
        capture,
        with_notes,
        with_a_directory,
        with_a_link,
        undated,
    ],
)
def test_what_is_not_surely_a_finished_run_is_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    old = finished(tmp_path, "old", "2020-01-01T00:00:00+00:00")
    spoil(old)
    finished(tmp_path, "new", "2024-01-01T00:00:00+00:00")
    before = sorted(old.rglob("*"))
    pruned = prune(tmp_path, 1, dry_run=False)
    assert sorted(old.rglob("*")) == before
    assert (pruned.deleted, pruned.left_alone) == ((), (str(old),))


def test_files_and_links_are_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    elsewhere = finished(tmp_path, "elsewhere", "2020-01-01T00:00:00+00:00")
    finished(root, "new", "2024-01-01T00:00:00+00:00")
    (root / "link").symlink_to(elsewhere)
    (root / "file").write_text("mine")
    assert prune(root, 1, dry_run=False).deleted == ()
    assert names(root) == ["file", "link", "new"]
    assert (elsewhere / "report.json").exists()


def test_a_run_that_a_process_works_on_is_kept(tmp_path: Path) -> None:
    old = finished(tmp_path, "old", "2020-01-01T00:00:00+00:00")
    finished(tmp_path, "new", "2024-01-01T00:00:00+00:00")
    busy = RunDirectory.open(old)
    assert prune(tmp_path, 1, dry_run=False).deleted == ()
    assert sorted(entry.name for entry in old.iterdir() if entry.is_dir()) == sorted(
        [*PARTS, "captured"]
    )
    busy.close()
    assert prune(tmp_path, 1, dry_run=False).deleted == (str(old),)


def test_a_deletion_that_was_broken_off_is_finished_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(tmp_path, "old", "2020-01-01T00:00:00+00:00")
    finished(tmp_path, "new", "2024-01-01T00:00:00+00:00")

    def killed(_path: object, **_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(tmp_path, 1, dry_run=False)
    assert names(tmp_path) == ["new", "old"]
    assert prune(tmp_path, 1, dry_run=False).deleted == (str(tmp_path / "old"),)
    assert names(tmp_path) == ["new"]


def test_no_directory_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no directory"):
        prune(tmp_path / "none", 1, dry_run=True)
