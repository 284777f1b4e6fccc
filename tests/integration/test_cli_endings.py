"""How each way of ending shows: the exit code, and what stdout and stderr carry."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from command_line import OTHER, Files, assert_one_error, call, crawl, files, row

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures


async def test_a_list_that_stands_ends_with_0(call: Any, files: Files) -> None:
    code, out, err = await crawl(call, files, row())
    assert (code, err) == (0, "")
    result = json.loads(out)["result"]
    assert result["outcome"]["exit_code"] == 0
    (ether,) = result["assets"]
    assert (ether["verdict"], ether["observed"], ether["owned"]) == ("stands", "5", "5")


async def test_a_proven_discrepancy_ends_with_1(call: Any, files: Files) -> None:
    code, out, _ = await crawl(call, files, row(amount="5.000000000000000001"))
    assert code == 1
    (found,) = json.loads(out)["result"]["discrepancies"]
    assert (found["kind"], found["difference"]) == ("shortfall", "-0.000000000000000001")


async def test_a_discrepancy_in_an_incomplete_run_ends_with_1(call: Any, files: Files) -> None:
    unknown = row(OTHER, "100", network="eip155:999999")
    code, out, _ = await crawl(call, files, row(amount="6"), unknown)
    assert code == 1
    assert len(json.loads(out)["result"]["outcome"]["sentences"]) == 2


def test_nobody_to_ask_ends_with_3(call: Any, files: Files) -> None:
    code, out, _ = call(
        *("run", str(files.path / "list.csv"), "--run", str(files.path / "run"), "--json"),
        *("--config", str(files.path / "world.toml"), "--quiet"),
    )
    assert code == 3
    (ether,) = json.loads(out)["result"]["assets"]
    assert (ether["verdict"], ether["observed"], ether["unobserved"]) == (
        "not-looked-at",
        None,
        "5",
    )


async def test_an_endpoint_of_another_chain_ends_with_4(call: Any, files: Files) -> None:
    code, out, err = await crawl(call, files, row(), wrong_chain=True)
    assert (code, out) == (4, "")
    assert_one_error(err, "chain")


async def test_a_finished_run_is_shown_replayed_and_resumed_with_the_same_code(
    call: Any, files: Files
) -> None:
    _, first, _ = await crawl(call, files, row(amount="6"))
    run = str(files.path / "run")
    for command in (("report", run), ("replay", run), ("resume", run, "--quiet")):
        code, out, _ = await asyncio.to_thread(call, *command, "--json")
        assert (command[0], code) == (command[0], 1)
        assert json.loads(out)["result"] == json.loads(first)["result"]
    code, out, err = call("report", run)
    assert (code, err) == (1, f"report: {run}/report.html\n")
    assert "ETH" in out


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row()], 0),
        ([row(sign=False)], 0),
        ([row(network="eip155:999999")], 0),
        ([row(OTHER)], 1),
        ([row(message="something else")], 1),
        ([row("0xNO")], 1),
        ([row(), "torn"], 1),
    ],
    ids=["bound", "unsigned", "unknown", "wrong key", "wrong text", "bad address", "torn row"],
)
def test_verify_fails_only_for_what_is_refuted(
    call: Any, files: Files, rows: list[str], code: int
) -> None:
    config = str(files.path / "world.toml")
    found, out, err = call("verify", files.listed(*rows), "--config", config, "--json", "--quiet")
    assert (found, err) == (code, "")
    summary = json.loads(out)
    assert (summary["rows"], summary["exit_code"]) == (len(rows), code)


def test_several_lists_give_one_json_document_and_the_worst_code(call: Any, files: Files) -> None:
    good, bad = files.listed(row(), name="a.csv"), files.listed(row(OTHER), name="b.csv")
    config = str(files.path / "world.toml")
    verdicts = str(files.path / "v.jsonl")
    code, out, _ = call(
        "verify", bad, good, "--config", config, "--json", "--quiet", "--verdicts", verdicts
    )
    assert code == 1
    assert [(one["list"], one["exit_code"]) for one in json.loads(out)] == [
        ("b.csv", 1),
        ("a.csv", 0),
    ]
    assert sorted(file.name for file in files.path.glob("v.*")) == ["v.1.b.jsonl", "v.2.a.jsonl"]


def test_help_ends_with_0(call: Any) -> None:
    for arguments in (("--help",), ("run", "--help")):
        code, out, _ = call(*arguments)
        assert code == 0
        assert "Usage" in out
