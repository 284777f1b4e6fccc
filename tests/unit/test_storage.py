"""Storage of a run: files are whole or absent, and of several who create one, one wins."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from chains.model import AssetId, ChainId, Gap, QueryKind, Questions
from crawler.crawling.answers import AnswerColumns, keep_answers, read_shard
from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.objects import LOCK, Holder, ObjectStore
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import AlreadyThere, Directory, Url, links, place_of, storage_at
from tests.unit.test_runs import TABLE, manifest

pytestmark = pytest.mark.unit


@pytest.fixture(params=["directory", "memory"])
def place(request, tmp_path):
    if request.param == "directory":
        return tmp_path / "run"
    return place_of(f"memory://{uuid.uuid4().hex}/run")


@pytest.fixture
def run(place):
    made = RunDirectory.create(place, manifest())
    yield made
    made.close()


def test_a_run_can_be_opened_again(place):
    made = RunDirectory.create(place, manifest(run="again"))
    made.write("inputs/a.json", b"{}")
    made.write_table("claims/part-000001.parquet", TABLE)
    made.write_table("claims/part-000000.parquet", TABLE)
    made.close()
    opened = RunDirectory.open(place)
    assert opened.manifest == made.manifest
    assert opened.read("inputs/a.json") == b"{}"
    assert opened.parts("claims") == [f"claims/part-00000{n}.parquet" for n in (0, 1)]
    assert opened.parts("signatures") == []
    assert opened.read_table("claims/part-000000.parquet") == TABLE
    opened.close()


def test_a_place_that_holds_something_is_refused(place):
    made = RunDirectory.create(place, manifest())
    made.close()
    with pytest.raises(UsageError, match=r"is not empty.*resume"):
        RunDirectory.create(place, manifest())


def test_a_missing_run_is_named(place):
    with pytest.raises(UsageError, match=r"is no run directory: manifest\.json cannot be read"):
        RunDirectory.open(place)


def test_a_file_is_created_once_and_replaced_as_often_as_one_likes(run):
    with run.creating("shards/a") as path:
        path.write_bytes(b"first")
    with pytest.raises(AlreadyThere), run.creating("shards/a") as path:
        path.write_bytes(b"second")
    assert run.read("shards/a") == b"first"
    with run.replacing("shards/a") as path:
        path.write_bytes(b"third")
    assert run.read("shards/a") == b"third"
    assert run.storage.names("shards") == ["a"]


@pytest.mark.parametrize("way", ["creating", "replacing"])
def test_what_was_broken_off_leaves_nothing(run, way):
    def break_off() -> None:
        with getattr(run, way)("shards/a") as path:
            path.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert run.storage.names("shards") == []
    assert not run.holds("shards/a")


def test_whoever_is_second_may_begin_before_the_first_has_ended(run):
    def write(content: bytes, meanwhile=lambda: None) -> None:
        with run.creating("shards/a") as path:
            path.write_bytes(content)
            meanwhile()

    with pytest.raises(AlreadyThere):
        write(b"slow", lambda: write(b"fast"))
    assert run.read("shards/a") == b"fast"


def test_a_damaged_table_is_named(run):
    run.write("shards/a.parquet", b"PAR1 no")
    with pytest.raises(EnvironmentFault, match=r"shards/a\.parquet is missing or damaged"):
        run.read_table("shards/a.parquet")
    with pytest.raises(EnvironmentFault, match=r"shards/b\.parquet is missing or damaged"):
        run.read_table("shards/b.parquet")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "evidence/../../x", ""])
def test_no_file_outside_of_the_run_is_read(run, name):
    with pytest.raises(EnvironmentFault, match="outside of itself"):
        run.inside(name)


def test_a_second_coordinator_is_kept_out(place):
    first = RunDirectory.create(place, manifest())
    with pytest.raises(EnvironmentFault, match=r"works on .*; wait for it or stop it"):
        RunDirectory.open(place)
    first.close()
    RunDirectory.open(place).close()


def of(units: str) -> pa.Table:
    """Answers to one question: an amount, or a gap."""
    columns = AnswerColumns([0])
    columns.fill(Gap("timeout", retryable=True))
    questions = Questions(
        kind=QueryKind.BALANCE,
        chain=ChainId("eip155:1"),
        height=1,
        asset=AssetId("eip155:1/slip44:60"),
        accounts=(b"a",),
    )
    table = columns.table(questions)
    if not units:
        return table
    at = table.schema.get_field_index
    table = table.set_column(at("units"), table.schema.field("units"), [[units]])
    table = table.set_column(at("gap"), table.schema.field("gap"), [[""]])
    return table.set_column(at("retryable"), table.schema.field("retryable"), [[False]])


@pytest.mark.parametrize(("first", "second"), [("5", "5"), ("5", ""), ("", "5"), ("", "")])
def test_of_two_that_finish_an_attempt_the_first_stands(run, first, second):
    assert keep_answers(run, "d", 1, of(first))
    assert not keep_answers(run, "d", 1, of(second))
    merged = read_shard(run, "d")
    assert merged is not None
    assert (merged.table["units"].to_pylist(), merged.attempts) == ([first or None], [1])


def test_two_that_observed_different_things_stop_the_run(run):
    keep_answers(run, "d", 1, of("5"))
    with pytest.raises(EnvironmentFault, match=r"observed 5 and attempt 1 observed 6"):
        keep_answers(run, "d", 1, of("6"))


def test_the_file_system_of_this_machine_links(tmp_path):
    assert links(tmp_path) is True
    assert list(tmp_path.iterdir()) == []


def test_without_links_a_file_is_not_replaced_either(tmp_path, monkeypatch):
    def unable(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unable)
    assert links(tmp_path) is False
    storage = Directory(tmp_path)
    with storage.creating("a") as path:
        path.write_bytes(b"first")
    with pytest.raises(AlreadyThere), storage.creating("a") as path:
        path.write_bytes(b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert storage.names("") == ["a"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("runs/june", Path("runs/june")),
        ("file:///mnt/a%20b", Path("/mnt/a b")),
        ("s3://bucket/june/", Url("s3://bucket/june")),
    ],
)
def test_places(text, place):
    assert place_of(text) == place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://host/june", r"a run cannot lie at ftp://"),
        ("gs://bucket/june", r"creates a file only where none is"),
        ("file://host/june", r"must name a directory of this machine"),
        ("s3://key:secret@bucket/june", r"^s3://bucket/…: .*credentials come from the environment"),
        ("s3://bucket/june?secret=1", r"credentials come from the environment"),
        ("s3://", r"must be s3://bucket/name"),
    ],
)
def test_places_that_are_refused(text, message):
    with pytest.raises(UsageError, match=message) as refused:
        place_of(text)
    assert "secret@" not in str(refused.value)
    assert "secret=" not in str(refused.value)


def test_a_store_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"pip install 'reserve-recount\[cluster\]' s3fs"):
        storage_at(Url("s3://bucket/run"))
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match=r"pip install 'reserve-recount\[cluster\]' s3fs"):
        storage_at(Url("s3://bucket/run"))


def store() -> ObjectStore:
    return ObjectStore(Url(f"memory://{uuid.uuid4().hex}/run"))


def held_by(storage: ObjectStore, **changed: object) -> None:
    release = storage.lock()
    with storage.reading(LOCK) as path:
        mine = msgspec.json.decode(path.read_bytes(), type=Holder)
    release()
    with storage.creating(LOCK) as path:
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(mine, **changed)))


def test_the_lock_of_a_process_of_this_machine_that_has_ended_is_taken_over():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    storage = store()
    held_by(storage, process=ended.pid)
    storage.lock()()
    assert storage.names("") == []


@pytest.mark.parametrize("changed", [{"host": "elsewhere"}, {"boot": "another"}])
def test_the_lock_of_another_machine_must_be_deleted_by_hand(changed):
    storage = store()
    held_by(storage, process=2**22 + 1, **changed)
    with pytest.raises(EnvironmentFault, match=r"If it has ended .*, delete memory://.*/lock"):
        storage.lock()
    assert storage.names("") == [LOCK]


def test_a_store_that_writes_over_what_was_to_be_created_is_refused(monkeypatch):
    storage = store()
    upload = storage._upload
    monkeypatch.setattr(storage, "_upload", lambda path, at, _: upload(path, at, "overwrite"))
    with pytest.raises(EnvironmentFault, match="If-None-Match is not honoured"):
        storage.lock()


def test_a_store_that_cannot_be_reached_is_one_sentence(monkeypatch):
    class Unreachable(Exception):
        """What a library of a store may raise."""

    def fail(*_: object, **__: object) -> None:
        raise Unreachable("no route")

    storage = store()
    monkeypatch.setattr(storage._files, "exists", fail)
    with pytest.raises(EnvironmentFault, match=r"cannot reach memory://.*: Unreachable: no route"):
        storage.holds("manifest.json")


@pytest.mark.parametrize(
    "process", [0, -1, 1 << 31, 1 << 70], ids=["none", "negative", "too large", "endless"]
)
def test_a_lock_of_a_process_that_cannot_be_is_no_lock(process):
    place = place_of(f"memory://{uuid.uuid4().hex}/run")
    boot = Path("/proc/sys/kernel/random/boot_id")
    here = boot.read_text().strip() if boot.exists() else ""
    refuse_lock(place, msgspec.json.encode(Holder(socket.gethostname(), here, process, "then")))


@pytest.mark.parametrize("content", [b"{", b"\xff", b'"\xff"', b'{"x":' + b"[" * 3000])
def test_a_lock_that_cannot_be_read_is_no_lock(content):
    refuse_lock(place_of(f"memory://{uuid.uuid4().hex}/run"), content)


def refuse_lock(place, content):
    store = ObjectStore(place)
    with store.replacing(LOCK) as path:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match="is no lock of recount"):
        store.lock()
