"""What is wrong is one error on stderr: it names the file or option and what was expected."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from typing import Any

import pytest
from command_line import Files, assert_one_error, call, files

from crawler.errors import EnvironmentFault
from crawler.keeping.runs import FORMAT, Manifest, RunDirectory

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures

BAD_TOML = b"[policy\n"
ENDPOINT = b'[[endpoints]]\nname = "a"\nchain = "eip155:1"\nurl = '
TWO_CREDENTIALS = ENDPOINT + b'"https://u:s3cr3t@h"\nheaders = { authorization = "s3cr3t" }\n'
Wrong = tuple[str, str, bytes | None, Sequence[str]]


@pytest.mark.parametrize(
    "wrong",
    [
        ("", "list.csv", None, ("cannot be read", "No such file")),
        ("", "list.csv", b"", ()),
        ("", "list.csv", b"\x89PNG\r\n\x1a\n\x00\x00", ()),
        ("", "list.csv", b"a,b,c\n1,2,3\n", ("no detail section", "Looked for", "a,b,c")),
        ("", "list.csv", b"network,address,colour\nx,y,z\n", ("'colour'", "may have")),
        ("", "list.csv", b"network,address\nETH,\xff\xfe\n", ()),
        ("", "list.csv", b"PK\x03\x04broken", ("damaged archive",)),
        ("", "list.csv", b'{"network": "ETH"\n', ("line 1", "not JSON", "expected")),
        ("", "list.csv", b"PAR1broken", ("damaged Parquet",)),
        ("--config", "w.toml", None, ("cannot be read",)),
        ("--config", "w.toml", BAD_TOML, ("not valid TOML", "line 1")),
        ("--config", "w.toml", b"[colours]\na = 1\n", ("colours",)),
        ("--config", "w.toml", b"\xff", ("line 1", "not UTF-8")),
        ("--config", "w.toml", b'[assets."nonsense"]\ndecimals = 1\n', ("nonsense",)),
        ("--policy", "p.toml", None, ("cannot be read",)),
        ("--policy", "p.toml", BAD_TOML, ("not valid TOML",)),
        ("--policy", "p.toml", b"min_observed_share = 0.95\n", ("min_observed_share", "text")),
        ("--policy", "p.toml", b'min_observed_share = "1.5"\n', ("between 0 and 1",)),
        ("--policy", "p.toml", b"refuted_alowed = 1\n", ("refuted_alowed",)),
        ("--policy", "p.toml", b'conflict = "larger"\n', ("conflict",)),
        ("--heights", "h.toml", None, ("cannot be read",)),
        ("--heights", "h.toml", b"[heights]\nETH = -1\n", ("ETH", "negative")),
        ("--messages", "m.txt", None, ("cannot be read",)),
        ("--messages", "m.txt", b"\n\n", ("holds no text",)),
        ("--messages", "m.txt", b"\xff", ("UTF-8",)),
        ("--companion", "c.csv", None, ("cannot be read",)),
    ],
)
def test_a_wrong_file_is_one_error_that_names_it_and_what_was_expected(
    call: Any, files: Files, wrong: Wrong
) -> None:
    option, name, content, expected = wrong
    path = files.path / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    more = (option, str(path)) if option else ()
    code, out, err = call("verify", str(files.path / "list.csv"), *more, "--quiet")
    assert (code, out) == (2, "")
    assert_one_error(err, name, *expected)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--endpoints", "e.toml", None, ("cannot be read",)),
        ("--endpoints", "e.toml", BAD_TOML, ("not valid TOML",)),
        ("--endpoints", "e.toml", ENDPOINT + b'"https://${NOT_SET_HERE}"', ("NOT_SET_HERE",)),
        ("--endpoints", "e.toml", TWO_CREDENTIALS, ("headers", "Authorization", "keep one")),
        ("--endpoints", "e.toml", ENDPOINT + b'"https://s3cr3t..h"', ("is not a URL",)),
        ("--liabilities", "l.toml", None, ("cannot be read",)),
        ("--liabilities", "l.toml", BAD_TOML, ("not valid TOML",)),
        ("--liabilities", "l.csv", b"coin;amount\n", ("line 1",)),
        ("--statement", "s.toml", None, ("cannot be read",)),
        ("--statement", "s.toml", b'exchange = "x"\n', ("title",)),
    ],
)
def test_a_wrong_input_of_a_run_is_one_error_and_leaves_no_run(
    call: Any, files: Files, wrong: Wrong
) -> None:
    option, name, content, expected = wrong
    path = files.path / name
    if content is not None:
        path.write_bytes(content)
    run = files.path / "run"
    code, out, err = call(
        *("run", str(files.path / "list.csv"), "--run", str(run), option, str(path), "--quiet"),
        *("--config", str(files.path / "world.toml")),
    )
    assert (code, out) == (2, "")
    assert_one_error(err, name, *expected)
    assert "s3cr3t" not in err
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("verify", "LIST", "--exchange", "nobody"), ("'nobody'", "known: ", "okx")),
        (("verify", "LIST", "--verdicts", "DIR/v.xlsx"), ("v.xlsx", ".csv, .jsonl, .parquet")),
        (("verify", "LIST", "--verdicts", "DIR/verdicts"), ("verdicts", ".csv, .jsonl, .parquet")),
        (("verify", "DIR"), ("DIR", "cannot be read")),
        (("verify",), ("LISTS",)),
        (("verify", "LIST", "--colour", "red"), ("--colour",)),
        (("verify", "LIST", "--processes", "-1"), ("processes",)),
        (("frobnicate",), ("frobnicate",)),
        (("run", "LIST", "--run", "DIR"), ("DIR is not empty", "recount resume DIR")),
        (("run", "LIST", "--run", "LIST"), ("list.csv is no directory",)),
        (("resume", "DIR/none"), ("DIR/none is no run directory", "manifest.json")),
        (("resume", "DIR"), ("DIR is no run directory", "manifest.json")),
        (("replay", "DIR/none"), ("DIR/none",)),
        (("report", "DIR/none"), ("DIR/none is no run directory", "manifest.json")),
    ],
)
def test_wrong_usage_is_one_error_that_says_what_was_expected(
    call: Any, files: Files, arguments: Sequence[str], expected: Sequence[str]
) -> None:
    def filled(text: str) -> str:
        return text.replace("LISTS", "lists").replace("DIR", str(files.path))

    places = {"LIST": str(files.path / "list.csv")}
    code, out, err = call(*(places.get(text, filled(text)) for text in arguments))
    assert (code, out) == (2, "")
    shown = err.lower() if arguments == ("verify",) else err
    assert_one_error(shown, *(filled(text) for text in expected))


@pytest.mark.parametrize("damage", ["manifest.json", "inputs/inputs.json", "report.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b'{"a": "\xff"}'])
def test_a_damaged_run_directory_is_one_error_that_names_the_file(
    call: Any, files: Files, damage: str, content: bytes
) -> None:
    run = files.path / "run"
    call(
        *("run", str(files.path / "list.csv"), "--run", str(run), "--quiet"),
        *("--config", str(files.path / "world.toml")),
    )
    (run / damage).write_bytes(content)
    again = {"report.json": f"'recount resume {run}'"}.get(damage, "start a new run")
    command = "report" if damage == "report.json" else "resume"
    code, out, err = call(command, str(run))
    assert (code, out) == (4, "")
    assert_one_error(err, str(run / damage), "damaged", *[again] * (damage != "manifest.json"))
    assert err.count("recount resume") == (damage == "report.json")


def test_a_damaged_report_is_made_again_as_the_sentence_says(call: Any, files: Files) -> None:
    run, world = str(files.path / "run"), ("--config", str(files.path / "world.toml"), "--quiet")
    given = ("run", str(files.path / "list.csv"), "--run", run, *world)
    call(*given)
    report = files.path / "run/report.json"
    whole = report.read_bytes()
    report.write_bytes(whole[:500])
    for command in (given, ("report", run), ("report", run, "--row", "2"), ("replay", run)):
        code, out, err = call(*command)
        assert (code, out) == (4, "")
        assert_one_error(err, f"{report} is damaged", f"'recount resume {run}' to make it again")
    assert call("resume", run, "--quiet")[0] == 3
    assert json.loads(report.read_bytes())["result"] == json.loads(whole)["result"]


def test_a_capture_is_no_unfinished_run(call: Any, files: Files) -> None:
    kept = str(files.path / "kept")
    RunDirectory.create(
        files.path / "kept",
        Manifest(
            format=FORMAT,
            run="kept",
            started="",
            versions={},
            inputs={},
            options={},
            config_sha256="",
            kind="capture",
        ),
    ).close()
    code, out, err = call("report", kept)
    assert (code, out) == (2, "")
    assert_one_error(err, f"{kept} is a capture", f"'recount replay {kept}'", "--captured")
    assert "resume" not in err


def test_a_directory_that_is_missing_is_named(call: Any, files: Files) -> None:
    run = files.path / "run"
    call(
        *("run", str(files.path / "list.csv"), "--run", str(run), "--quiet"),
        *("--config", str(files.path / "world.toml")),
    )
    shutil.rmtree(run / "shards")
    with pytest.raises(EnvironmentFault, match=f"make the directory {run}/shards, then resume"):
        RunDirectory.open(run, lock=False).write("shards/one", b"")


def test_a_place_that_cannot_be_written_ends_with_4(call: Any, files: Files) -> None:
    place = str(files.path / "no" / "such" / "v.csv")
    code, _, err = call(
        "verify", str(files.path / "list.csv"), "--verdicts", place, "--quiet", "--json"
    )
    assert code == 4
    assert_one_error(err, "cannot write", "v.csv", "then verify again")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("verify", "DIR/liste_\udce9.csv"), ("UTF-8", "rename it")),
        (("run", "DIR/liste_\udce9.csv", "--run", "DIR/run"), ("UTF-8", "rename it")),
        (("run", "LIST", "--run", "DIR/r\udce9"), ("UTF-8", "rename it")),
        (("run", "LIST", "--run", "file:rel"), ("file:rel", "file:///path", "./file:rel")),
        (("run", "LIST", "--run", "s3:rel"), ("s3:rel", "s3://bucket/name")),
        (("run", "LIST", "--run", "d/" * 1500 + "run"), ("too many directories",)),
        (("plan", "LIST", "--heights", "DIR/h.toml"), ("h.toml", "heights.ETH", "higher")),
        (("verify", "LIST", "--heights", "DIR/h.toml"), ("h.toml", "heights.ETH", "higher")),
        (("report", "DIR", "--row", "9" * 23), ("--row",)),
        (("doctor", "--endpoints", "DIR/e.toml", "--at", str(2**63)), ("--at",)),
        (("capture", "LIST", "--run", "c", "--endpoints", "e", "--at", "9" * 5000), ("--at",)),
    ],
)
def test_what_no_table_or_report_can_hold_is_refused_before_anything_is_made(
    call: Any,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Sequence[str],
    expected: Sequence[str],
) -> None:
    monkeypatch.chdir(files.path)
    files.write("h.toml", f"[heights]\nETH = {2**63}\n")
    files.write("liste_\udce9.csv", (files.path / "list.csv").read_bytes())
    before = sorted(files.path.iterdir())
    places = {"LIST": str(files.path / "list.csv")}
    given = (places.get(one, one.replace("DIR", str(files.path))) for one in arguments)
    code, out, err = call(*given)
    assert (code, out) == (2, "")
    assert_one_error(err, *expected)
    assert len(err) < 600
    assert sorted(one for one in files.path.iterdir() if one.name != "d") == before


def test_a_run_may_lie_in_a_directory_with_a_colon(
    call: Any, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files.path)
    for place in ("a:b", "./file:rel"):
        given = ("run", "list.csv", "--run", place, "--config", "world.toml", "--quiet")
        assert call(*given)[0] == 3
        assert call("replay", place)[0] == 3
    call("verify", "list.csv", "--verdicts", "v:1.parquet", "--quiet")
    assert (files.path / "v:1.parquet").exists()


def test_an_endless_value_is_not_repeated_in_full(call: Any, files: Files) -> None:
    endless = "x" * 100_000
    policy = files.write("p.toml", f'min_observed_share = "{endless}"\n')
    heights = files.write("h.toml", f'[heights]\n"{endless}" = -1\n')
    for option, path in (("--policy", policy), ("--heights", heights)):
        code, _, err = call("verify", str(files.path / "list.csv"), option, path, "--quiet")
        assert code == 2
        assert_one_error(err, "xxx … ", "expected" if option == "--policy" else "negative")
        assert len(err) < 700


def test_a_list_is_a_regular_file(call: Any, files: Files) -> None:
    pipe = files.path / "pipe.csv"
    os.mkfifo(pipe)
    world = ("--config", str(files.path / "world.toml"))
    for place in (str(pipe), "/dev/null"):
        for command in ("verify", "run", "plan"):
            code, out, err = call(command, place, *world, "--quiet")
            assert (code, out) == (2, "")
            assert_one_error(err, place, "must be a regular file")
    listed = str(files.path / "list.csv")
    code, _, err = call("verify", listed, "--companion", str(pipe), *world, "--quiet")
    assert code == 2
    assert_one_error(err, "pipe.csv", "must be a regular file")
