"""What a command writes: never over what it reads, and only when it is complete."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import ADDRESS, Files, assert_one_error, call, files, row

from crawler import demo
from crawler.errors import UsageError
from crawler.watching.progress import Silent

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures

COMMANDS = [
    ("verify", "LIST", "--verdicts", "list.csv"),
    ("verify", "LIST", "--verdicts", "link.csv"),
    ("verify", "LIST", "--verdicts", "twin.csv"),
    ("verify", "LIST", "--companion", "more.csv", "--verdicts", "more.csv"),
    ("verify", "v.2.list.csv", "LIST", "--verdicts", "v.csv"),
    ("run", "list.prom", "--metrics", "list.prom"),
    ("run", "LIST", "--config", "w.prom", "--metrics", "w.prom"),
    ("run", "LIST", "--policy", "p.prom", "--metrics", "p.prom"),
    ("run", "LIST", "--endpoints", "e.prom", "--metrics", "e.prom"),
    ("run", "LIST", "--liabilities", "l.prom", "--metrics", "l.prom"),
    ("run", "LIST", "--statement", "s.prom", "--metrics", "s.prom"),
    ("run", "LIST", "--heights", "h.prom", "--metrics", "h.prom"),
    ("run", "LIST", "--messages", "m.prom", "--metrics", "m.prom"),
    ("run", "LIST", "--captured", "kept", "--metrics", "kept/manifest.prom"),
    ("run", "LIST", "--earlier", "kept", "--metrics", "kept/manifest.prom"),
    ("resume", "none", "--endpoints", "e.prom", "--metrics", "e.prom"),
    ("doctor", "--endpoints", "e.toml", "--write", "e.toml"),
    ("doctor", "--endpoints", "e.toml", "--write", "utxo.dat"),
    ("doctor", "LIST", "--endpoints", "e.toml", "--write", "list.csv"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_an_output_that_names_an_input_ends_with_2_and_leaves_it_as_it_was(
    call: Any, files: Files, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    monkeypatch.chdir(files.path)
    files.endpoints(f"file://{files.path}/utxo.dat")
    (files.path / "endpoints.toml").rename("e.toml")
    (files.path / "link.csv").symlink_to("list.csv")
    os.link("list.csv", "twin.csv")
    Path("kept").mkdir()
    before = {one: one.read_bytes() for one in files.path.iterdir() if one.is_file()}
    code, out, err = call(*("list.csv" if one == "LIST" else one for one in arguments))
    assert (code, out) == (2, "")
    assert_one_error(err, "would overwrite")
    assert before == {one: one.read_bytes() for one in files.path.iterdir() if one.is_file()}


def test_a_resumed_run_does_not_overwrite_what_it_was_given(call: Any, files: Files) -> None:
    given = files.listed(row(), name="list.prom")
    run = str(files.path / "run")
    call("run", given, "--run", run, "--config", str(files.path / "world.toml"), "--quiet")
    code, out, err = call("resume", run, "--metrics", given, "--quiet")
    assert (code, out) == (2, "")
    assert_one_error(err, "would overwrite")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_verdicts_of_before_stay_until_the_new_ones_are_complete(
    call: Any, files: Files, suffix: str
) -> None:
    kept = Path(files.write(f"may{suffix}", "kept"))
    missing = str(files.path / "TYPO.csv")
    code, _, err = call("verify", missing, "--verdicts", str(kept), "--quiet")
    assert code == 2
    assert_one_error(err, "TYPO.csv")
    torn = files.write("torn.csv", b"network,address\n" + b"ETH,x\n" * 300_000 + b"\xff\xfe\n")
    call("verify", torn, "--verdicts", str(kept), "--quiet", "--processes", "1")
    assert kept.read_text() == "kept"
    assert sorted(file.name for file in files.path.glob(".*")) == []


def test_verdicts_go_where_a_link_leads_and_into_a_pipe_as_it_is(call: Any, files: Files) -> None:
    (files.path / "link.csv").symlink_to("target.csv")
    listed = str(files.path / "list.csv")
    call("verify", listed, "--verdicts", str(files.path / "link.csv"), "--quiet")
    assert (files.path / "link.csv").is_symlink()
    assert ADDRESS in (files.path / "target.csv").read_text()
    pipe = files.path / "pipe.csv"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        call("verify", listed, "--verdicts", str(pipe), "--quiet")
        assert ADDRESS.encode() in os.read(reader, 1 << 16)
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_demo_keeps_nothing_where_something_lies(tmp_path: Path) -> None:
    (tmp_path / "d-inputs").mkdir()
    (tmp_path / "d-inputs" / "list.csv").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        demo.run(rows=60, path=tmp_path / "d", keep=True, progress=Silent())
    assert (tmp_path / "d-inputs" / "list.csv").read_text() == "mine"
