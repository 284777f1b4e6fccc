"""The run directory: whole files or none, one process at a time, one sentence for damage."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.runs import (
    FORMAT,
    Manifest,
    RunDirectory,
    ShardEntry,
    canonical_digest,
    sha256_file,
    shard_name,
)

pytestmark = pytest.mark.unit

TABLE = pa.table({"a": [1, 2]})


def manifest(**more: Any) -> Manifest:
    fields: dict[str, Any] = {
        "format": FORMAT,
        "run": "r",
        "started": "now",
        "versions": {},
        "inputs": {},
        "options": {},
        "config_sha256": "c",
        **more,
    }
    return Manifest(**fields)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    made = RunDirectory.create(tmp_path / "run", manifest())
    yield made
    made.close()


def parts(path: Path) -> list[str]:
    return [file.name for file in path.rglob(".*.part")]


def test_a_new_run_can_be_opened_again_with_all_it_knows(tmp_path: Path) -> None:
    made = RunDirectory.create(tmp_path / "run", manifest())
    entry = ShardEntry(digest="d", kind="k", chain="c", height=1, asset="a", questions=2)
    made.manifest.plan = (entry,)
    made.manifest.examined = {"rows": 2**60}
    made.save()
    made.close()
    again = RunDirectory.open(tmp_path / "run")
    assert again.manifest == made.manifest
    again.close()


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, manifest()).close()


def test_a_directory_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=f"{tmp_path} is not empty.*resume"):
        RunDirectory.create(tmp_path, manifest())
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_is_no_run_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(UsageError, match=f"{file} is no directory"):
        RunDirectory.create(file, manifest())
    with pytest.raises(UsageError, match="is no run directory"):
        RunDirectory.open(file)


def test_no_run_is_a_usage_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path} is no run directory: manifest.json"):
        RunDirectory.open(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"format": 1}', b'{"run":"\xff"}', b'{"x":' + b"[" * 3000],
    ids=lambda content: repr(content[:12]),
)
def test_a_damaged_manifest_is_a_fault_that_names_it(run: RunDirectory, content: bytes) -> None:
    run.close()
    (run.path / "manifest.json").write_bytes(content)
    with pytest.raises(EnvironmentFault, match=r"manifest\.json is damaged"):
        RunDirectory.open(run.path)


def test_a_manifest_of_another_format_is_refused(run: RunDirectory) -> None:
    run.close()
    text = (run.path / "manifest.json").read_text()
    (run.path / "manifest.json").write_text(text.replace(FORMAT, "recount/run/99"))
    with pytest.raises(UsageError, match=r"recount/run/99.*this version reads"):
        RunDirectory.open(run.path)


def test_a_failed_write_leaves_the_old_file(run: RunDirectory) -> None:
    run.write("report.json", b"old")

    def write_half() -> None:
        with run.replacing("report.json") as beside:
            beside.write_bytes(b"half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert (run.path / "report.json").read_bytes() == b"old"
    assert parts(run.path) == []


def test_a_file_is_not_there_before_it_is_whole(run: RunDirectory) -> None:
    with run.replacing("report.json") as beside:
        beside.write_bytes(b"new")
        assert not (run.path / "report.json").exists()
    assert (run.path / "report.json").read_bytes() == b"new"
    assert parts(run.path) == []


def test_a_file_is_synced_before_it_gets_its_name(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_sync(handle: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        fsync(handle)

    def noted_rename(self: Path, target: Path) -> Path:
        events.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    run.write("report.json", b"new")
    beside = re.fullmatch(rf"sync \.report\.json\.{os.getpid()}-[0-9a-f]{{8}}\.part", events[0])
    assert beside is not None
    assert events[1:] == ["rename", f"sync {run.path.name}"]


def test_a_disk_error_is_one_sentence_that_names_the_file(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write("report.json", b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match=r"cannot write .*report\.json: No space left"):
        run.write("report.json", b"new")
    assert (run.path / "report.json").read_bytes() == b"old"
    assert parts(run.path) == []


def test_a_second_process_is_kept_out_until_the_first_ends(run: RunDirectory) -> None:
    with pytest.raises(EnvironmentFault, match=f"another process works on {run.path}"):
        RunDirectory.open(run.path)
    RunDirectory.open(run.path, lock=False)
    run.close()
    RunDirectory.open(run.path).close()


def test_closing_twice_is_harmless(run: RunDirectory) -> None:
    run.close()
    run.close()


def test_what_a_killed_process_left_is_removed_on_opening(run: RunDirectory) -> None:
    run.write("shards/kept.parquet", b"kept")
    run.close()
    stale = [run.path / name for name in (".manifest.json.1.part", "shards/.d.1.parquet.7.part")]
    for file in stale:
        file.write_bytes(b"half")
    RunDirectory.open(run.path).close()
    assert [file.exists() for file in stale] == [False, False]
    assert (run.path / "shards/kept.parquet").exists()


def test_a_run_that_is_locked_keeps_its_unfinished_files(run: RunDirectory) -> None:
    with run.replacing("report.json") as beside:
        beside.write_bytes(b"half")
        with pytest.raises(EnvironmentFault):
            RunDirectory.open(run.path)
        assert beside.exists()


def test_tables_come_back_whole_or_by_column(run: RunDirectory) -> None:
    run.write_table("plan/x.parquet", pa.table({"a": [1], "b": ["x"]}))
    assert run.read_table("plan/x.parquet").to_pylist() == [{"a": 1, "b": "x"}]
    assert run.read_table("plan/x.parquet", ["b"]).to_pylist() == [{"b": "x"}]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_damaged_table_is_a_fault_that_names_it(run: RunDirectory, damage: str) -> None:
    run.write_table("shards/x.parquet", TABLE)
    file = run.path / "shards/x.parquet"
    raw = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes(b"" if damage == "empty" else raw[: len(raw) // 2])
    with pytest.raises(EnvironmentFault, match=r"x\.parquet is missing or damaged.*resume"):
        run.read_table("shards/x.parquet")


@pytest.mark.parametrize("bit", [0, 5])
def test_no_flipped_bit_of_a_table_reads_as_another_table(run: RunDirectory, bit: int) -> None:
    table = pa.table({"units": [str(7**n) for n in range(40)], "position": range(40)})
    run.write_table("shards/x.parquet", table)
    file = run.path / "shards/x.parquet"
    raw = file.read_bytes()
    damaged = 0
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1 << bit
        file.write_bytes(changed)
        try:
            assert run.read_table("shards/x.parquet", schema=table.schema) == table, position
        except EnvironmentFault:
            damaged += 1
    assert damaged > len(raw) // 2


def test_a_table_without_a_column_or_of_another_schema_is_damaged(run: RunDirectory) -> None:
    run.write_table("shards/x.parquet", TABLE)
    for expected in ({"columns": ["a", "b"]}, {"schema": pa.schema([pa.field("b", pa.int64())])}):
        with pytest.raises(EnvironmentFault, match=r"x\.parquet is missing or damaged"):
            run.read_table("shards/x.parquet", **expected)


def test_a_table_under_another_name_is_refused(run: RunDirectory) -> None:
    """The same accounts are asked about several assets: their answers must not change places."""
    run.write_table("shards/x.parquet", TABLE)
    run.write_table("shards/y.parquet", TABLE)
    run.read_table("shards/y.parquet")
    (run.path / "shards/x.parquet").rename(run.path / "shards/y.parquet")
    with pytest.raises(EnvironmentFault, match=r"y\.parquet is missing or damaged.*x\.parquet"):
        run.read_table("shards/y.parquet")


def test_what_was_examined_is_held_against_its_digest(run: RunDirectory) -> None:
    name = "claims/part-000000.parquet"
    run.write_table(name, TABLE)
    run.manifest.examined = {"files": {name: run.digest(name)}}
    assert run.read_table(name) == TABLE
    run.write_table(name, pa.table({"a": [1, 3]}))  # well formed, of the right name, and another
    with pytest.raises(EnvironmentFault, match=r"digest in the manifest says.*start a new run"):
        run.read_table(name)
    assert run.read("manifest.json")  # what was not examined has no digest there


def test_a_manifest_whose_numbers_were_changed_is_damaged(tmp_path: Path) -> None:
    made = RunDirectory.create(tmp_path / "run", manifest(options={"exchange": "x"}))
    made.manifest.snapshots = {"c@1": {"time": 17, "deep": 10**30}}
    made.save()
    made.close()
    file = tmp_path / "run/manifest.json"
    good = file.read_text()
    RunDirectory.open(tmp_path / "run").close()
    for old, new in ((": 17", ": 18"), ('"c"', '"d"'), (made.manifest.sha256, "")):
        assert good.count(old) == 1
        file.write_text(good.replace(old, new))
        with pytest.raises(EnvironmentFault, match=r"manifest\.json is damaged"):
            RunDirectory.open(tmp_path / "run")
    file.write_text(good.replace('"exchange": "x"', ""))  # paths may go before it is published
    RunDirectory.open(tmp_path / "run").close()


@pytest.mark.parametrize("stage", ["claims", "signatures"])
def test_nobody_is_told_to_delete_what_a_resume_cannot_make_again(
    run: RunDirectory, stage: str
) -> None:
    with pytest.raises(EnvironmentFault, match="start a new run") as error:
        run.read_table(f"{stage}/part-000000.parquet")
    assert "delete it" not in str(error.value)


def test_attempts_are_counted_from_the_first_without_holes(run: RunDirectory) -> None:
    assert run.attempts("d") == []
    for number in (1, 2, 4):
        run.write_table(shard_name("d", number), TABLE)
    assert run.attempts("d") == [1, 2]
    assert run.attempts("e") == []


def test_parts_are_in_the_order_of_the_list(run: RunDirectory) -> None:
    for number in (10, 2, 0):
        run.write_table(f"claims/part-{number:06d}.parquet", TABLE)
    assert run.parts("claims") == [f"claims/part-{n:06d}.parquet" for n in (0, 2, 10)]


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_file(tmp_path / "f").startswith("ba7816bf8f01cfea")
    assert canonical_digest({"a": 1, "b": [2]}) == canonical_digest({"b": [2], "a": 1})
    assert canonical_digest({"a": 1}) != canonical_digest({"a": "1"})


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "evidence/../../x", "evidence/link"])
def test_no_file_outside_of_the_directory_is_read(run: RunDirectory, name: str) -> None:
    (run.path / "evidence" / "link").symlink_to("/etc/hostname")
    with run.inside("evidence/a.zst") as inside:
        assert inside == run.path / "evidence" / "a.zst"
    with pytest.raises(EnvironmentFault, match="outside of itself"):
        run.inside(name)


def test_a_lock_that_is_a_link_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "run", manifest()).close()
    (tmp_path / "run" / "lock").unlink()
    (tmp_path / "run" / "lock").symlink_to(tmp_path / "made")
    with pytest.raises(EnvironmentFault):
        RunDirectory.open(tmp_path / "run")
    assert not (tmp_path / "made").exists()
