"""Streams that are closed, full or of a small alphabet: no exit code becomes another by them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Files, call, files, row

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures

MAIN = "import sys; sys.argv[0] = 'recount'; from crawler.cli import main; main()"
ROOT = Path(__file__).resolve().parents[2]
FULL = Path("/dev/full")


def started(*arguments: str, **streams: Any) -> subprocess.CompletedProcess[bytes]:
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-c", MAIN, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **given.pop("env", {})}
    return subprocess.run(command, check=False, env=env, timeout=60, **given)


def without_reader(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return started(*arguments, stdout=writing)
    finally:
        os.close(writing)


@pytest.fixture
def world(files: Files) -> tuple[str, ...]:
    return ("--config", str(files.path / "world.toml"))


@pytest.fixture
def finished(call: Any, files: Files, world: tuple[str, ...]) -> str:
    run = str(files.path / "run")
    call("run", files.listed(row()), "--run", run, *world, "--quiet")
    return run


def test_a_closed_stdout_ends_every_command_quietly_with_141(
    files: Files, finished: str, world: tuple[str, ...]
) -> None:
    listed = str(files.path / "list.csv")
    for command in (
        ("report", finished, "--json"),
        ("report", finished, "--row", "2"),
        ("replay", finished, "--json"),
        ("verify", listed, *world, "--quiet"),
        ("plan", listed, *world, "--quiet", "--json"),
        ("chains",),
        ("run", "--help"),
    ):
        ended = without_reader(*command)
        assert (command, ended.returncode, ended.stderr) == (command, 141, b"")


@pytest.mark.parametrize("command", ["run", "resume"])
def test_the_figures_of_a_run_whose_stdout_is_closed_say_141(
    files: Files, finished: str, world: tuple[str, ...], command: str
) -> None:
    figures = files.path / "acme.prom"
    given = ("run", str(files.path / "list.csv"), "--run", finished, *world)
    arguments = given if command == "run" else ("resume", finished)
    ended = without_reader(*arguments, "--metrics", str(figures), "--quiet", "--log", "json")
    assert ended.returncode == 141
    told = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [one["exit_code"] for one in told if one["event"] == "finished"] == [141]
    text = figures.read_text()
    assert 'recount_run_exit_code{target="acme"} 141\n' in text
    assert "recount_run_info" in text


@pytest.mark.skipif(not FULL.exists(), reason="a system without /dev/full")
def test_a_full_stderr_leaves_every_exit_code_as_it_is(
    files: Files, finished: str, world: tuple[str, ...]
) -> None:
    figures = files.path / "acme.prom"
    given = ("run", str(files.path / "list.csv"), "--run", str(files.path / "other"), *world)
    with FULL.open("wb") as full:
        for code, arguments in (
            (3, ("report", finished)),
            (2, ("report", str(files.path / "nowhere"))),
            (2, ("report", "--colour")),
            (3, (*given, "--log", "json", "--metrics", str(figures))),
        ):
            assert (arguments, code) == (arguments, started(*arguments, stderr=full).returncode)
    assert 'recount_run_exit_code{target="acme"} 3\n' in figures.read_text()


@pytest.mark.skipif(not FULL.exists(), reason="a system without /dev/full")
def test_a_full_stdout_ends_with_4_and_one_sentence(finished: str) -> None:
    with FULL.open("wb") as full:
        for more in ((), ("--json",), ("--row", "2")):
            ended = started("report", finished, *more, stdout=full)
            assert ended.returncode == 4
            assert ended.stderr == b"recount: cannot write to stdout: No space left on device\n"


def test_what_an_encoding_lacks_is_written_as_escapes(files: Files, world: tuple[str, ...]) -> None:
    given = ("plan", str(files.path / "list.csv"), *world)
    for encoding in ("latin-1", "ascii"):
        assert started(*given, env={"PYTHONIOENCODING": encoding}).returncode == 0
    text = (files.path / "world.toml").read_text().replace('"Ethereum (test)"', '"Ξ \U0001f600"')
    files.write("world.toml", text)
    named = ("chains", "--json", *world)
    usual, ascii_only = (
        started(*named, env={"PYTHONIOENCODING": one}) for one in ("utf-8", "ascii")
    )
    assert json.loads(usual.stdout) == json.loads(ascii_only.stdout.decode("ascii"))
