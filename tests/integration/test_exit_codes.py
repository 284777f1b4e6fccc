"""Runs that nobody watches: each exit code with its log and figures, the same run once more."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Ended, Files, assert_one_error, call, files, row, serving

from crawler import jobs
from crawler.keeping.runs import RunDirectory

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures
KEY = "s3cr3t-of-the-endpoint"


def figures(files: Files) -> dict[str, str]:
    """What the textfile says, by name and labels but ``target``."""
    found = {}
    for line in (files.path / "acme.prom").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'([a-z_]+)\{target="acme",?(.*)\} (\S+)', line)
            assert match, line
            found[match[1] + (f"{{{match[2]}}}" if match[2] else "")] = match[3]
    return found


def arguments(files: Files, listed: str, *more: str) -> list[str]:
    return [
        *("run", listed, "--run", str(files.path / "run")),
        *("--config", str(files.path / "world.toml")),
        *("--log", "json", "--metrics", str(files.path / "acme.prom"), "--processes", "1"),
        *more,
    ]


def events(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


async def crawl(call: Any, files: Files, *rows: str, chain: int | None = None) -> Ended:
    """Run the whole job against a simulated node whose endpoint carries a secret."""
    async with serving() as node:
        node.wrong_chain_id = chain
        endpoints = with_secret(files.endpoints(node.url))
        given = arguments(files, files.listed(*rows), "--endpoints", endpoints)
        return await asyncio.to_thread(call, *given)


def with_secret(endpoints: str) -> str:
    with Path(endpoints).open("a", encoding="utf-8") as file:
        file.write(f'headers = {{ x-key = "{KEY}" }}\n')
    return endpoints


def assert_ended(files: Files, ended: Ended, expected: int) -> list[dict[str, Any]]:
    """Exit code, log and figures agree; nothing secret is in them."""
    code, out, err = ended
    told = events(err)
    assert code == expected
    assert figures(files)["recount_run_exit_code"] == str(expected)
    assert KEY not in out + err + (files.path / "acme.prom").read_text(encoding="utf-8")
    assert all({"time", "run", "event"} <= set(line) for line in told)
    return told


async def test_exit_code_0(call: Any, files: Files) -> None:
    told = assert_ended(files, await crawl(call, files, row()), 0)
    assert [line["event"] for line in told][-2:] == ["note", "finished"]
    assert told[-1]["exit_code"] == 0
    assert {line["run"] for line in told} == {"run"}
    stages = {line["stage"]: line for line in told if line["event"] == "progress"}
    assert (stages["Ethereum (test)"]["done"], stages["Ethereum (test)"]["total"]) == (1, 1)
    found = figures(files)
    assert found['recount_asset_observed_ratio{asset="ETH"}'] == "1.00"
    assert found['recount_rows{asset="ETH",reconciliation="match"}'] == "1"
    assert found['recount_rows_by_ownership{asset="ETH",ownership="bound"}'] == "1"
    requests = [value for name, value in found.items() if "endpoint_requests" in name]
    assert int(requests[0]) > 0
    assert float(found['recount_stage_seconds{stage="signatures"}']) > 0


async def test_exit_code_1(call: Any, files: Files) -> None:
    assert_ended(files, await crawl(call, files, row(amount="6")), 1)
    found = figures(files)
    assert found['recount_findings{code="shortfall"}'] == "1"
    assert not [name for name in found if name.startswith("recount_gaps")]


def test_exit_code_2(call: Any, files: Files) -> None:
    told = assert_ended(files, call(*arguments(files, str(files.path / "none.csv"))), 2)
    (line,) = told
    assert line["event"] == "error"
    assert "none.csv" in line["text"]
    assert set(figures(files)) == {
        "recount_run_exit_code",
        "recount_run_end_timestamp_seconds",
        "recount_run_duration_seconds",
    }


def test_exit_code_3(call: Any, files: Files) -> None:
    assert_ended(files, call(*arguments(files, str(files.path / "list.csv"))), 3)
    found = figures(files)
    assert found['recount_gaps{code="gap:no-endpoint"}'] == "1"
    assert not [name for name in found if name.startswith("recount_findings")]
    assert found['recount_asset_observed_ratio{asset="ETH"}'] == "0.00"


async def test_exit_code_4(call: Any, files: Files) -> None:
    told = assert_ended(files, await crawl(call, files, row(), chain=1), 4)
    assert told[-1]["event"] == "error"
    assert "chain" in told[-1]["text"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (OSError(28, "No space left"), 4), (ValueError("defect"), 4)],
    ids=["interrupted", "disk", "defect"],
)
def test_whatever_stops_a_run_is_left_for_monitoring(
    call: Any,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(jobs, "start", stopped)
    told = assert_ended(files, call(*arguments(files, str(files.path / "list.csv"))), code)
    assert told[-1]["event"] == "error"


async def test_a_failed_night_replaces_the_figures_of_the_last(call: Any, files: Files) -> None:
    await crawl(call, files, row())
    assert "recount_run_info" in (files.path / "acme.prom").read_text(encoding="utf-8")
    (files.path / "run/manifest.json").write_text("{}")
    given = arguments(files, str(files.path / "list.csv"), "--resume")
    assert_ended(files, await asyncio.to_thread(call, *given), 4)
    assert len(figures(files)) == 3


def test_a_file_that_node_exporter_would_not_read_is_refused_first(call: Any, files: Files) -> None:
    given = arguments(files, str(files.path / "list.csv"))
    given[given.index(str(files.path / "acme.prom"))] = str(files.path / "acme.txt")
    code, _, err = call(*given)
    assert code == 2
    assert ".prom" in events(err)[0]["text"]
    assert not (files.path / "run").exists()


def test_quiet_logs_leave_only_what_matters(call: Any, files: Files) -> None:
    _, _, err = call(*arguments(files, str(files.path / "list.csv"), "--quiet", "--json"))
    assert [line["event"] for line in events(err)] == ["finished"]


def test_the_log_is_text_again_in_the_next_command(call: Any, files: Files) -> None:
    call(*arguments(files, str(files.path / "none.csv")))
    _, _, err = call("report", str(files.path / "none"))
    assert_one_error(err, "none")


async def test_the_same_run_once_more_shows_the_stored_report_and_asks_nobody(
    call: Any, files: Files
) -> None:
    code, _, _ = await crawl(call, files, row(amount="6"))
    report = (files.path / "run/report.json").read_bytes()
    given = arguments(
        files,
        *(str(files.path / "list.csv"), "--endpoints", str(files.path / "endpoints.toml")),
        *("--json", "--quiet"),
    )
    again, out, err = await asyncio.to_thread(call, *given)
    assert (code, again, out.encode()) == (1, 1, report)
    assert "nothing was asked" in events(err)[0]["text"]
    assert figures(files)['recount_findings{code="shortfall"}'] == "1"
    assert (files.path / "run/report.json").read_bytes() == report


async def test_with_resume_it_goes_on_and_asks_what_is_open(call: Any, files: Files) -> None:
    listed = str(files.path / "list.csv")
    assert (await asyncio.to_thread(call, *arguments(files, listed)))[0] == 3
    async with serving() as node:
        more = ("--resume", "--endpoints", files.endpoints(node.url))
        ended = await asyncio.to_thread(call, *arguments(files, listed, *more))
    assert_ended(files, ended, 0)


async def test_an_unfinished_run_says_how_to_go_on(call: Any, files: Files) -> None:
    await crawl(call, files, row(), chain=1)
    listed = str(files.path / "list.csv")
    run = str(files.path / "run")
    told = assert_ended(files, await asyncio.to_thread(call, *arguments(files, listed)), 2)
    assert "--resume" in told[-1]["text"]
    assert f"recount resume {run}" in told[-1]["text"]
    async with serving() as node:
        more = ("--resume", "--endpoints", files.endpoints(node.url))
        assert (await asyncio.to_thread(call, *arguments(files, listed, *more)))[0] == 0


@pytest.mark.parametrize("resume", [(), ("--resume",)])
@pytest.mark.parametrize("changed", ["list", "policy", "config", "exchange", "configuration"])
def test_other_inputs_are_refused_and_named(
    call: Any, files: Files, changed: str, resume: tuple[str, ...]
) -> None:
    listed = str(files.path / "list.csv")
    call(*arguments(files, listed))
    before = (files.path / "run/report.json").read_bytes()
    more: tuple[str, ...] = resume
    if changed == "list":
        files.listed(row(), row(amount="6"))
    elif changed == "policy":
        more += ("--policy", files.write("policy.toml", "refuted_allowed = 1\n"))
    elif changed == "exchange":
        more += ("--exchange", "acme")
    elif changed == "config":
        more += ("--config", files.write("more.toml", ""))
    else:
        run = RunDirectory.open(files.path / "run")
        run.manifest.config_sha256 = "of another version"
        run.save()
        run.close()
    code, out, err = call(*arguments(files, listed, *more))
    assert (code, out) == (2, "")
    assert "is not empty" in events(err)[-1]["text"]
    assert changed in events(err)[-1]["text"]
    assert (files.path / "run/report.json").read_bytes() == before


def test_resume_leaves_figures_and_logs_too(call: Any, files: Files) -> None:
    call(*arguments(files, str(files.path / "list.csv")))
    (files.path / "acme.prom").unlink()
    more = ("--log", "json", "--metrics", str(files.path / "acme.prom"))
    assert_ended(files, call("resume", str(files.path / "run"), *more), 3)
    told = assert_ended(files, call("resume", str(files.path / "none"), *more), 2)
    assert told[-1]["event"] == "error"


def test_prune_is_a_command(call: Any, files: Files) -> None:
    root = files.path / "runs"
    for name in ("one", "two"):
        given = arguments(files, str(files.path / "list.csv"), "--quiet")
        given[given.index(str(files.path / "run"))] = str(root / name)
        assert call(*given)[0] == 3
    code, out, _ = call("prune", str(root), "--keep", "1", "--dry-run")
    assert (code, out) == (0, f"kept: {root}/two\nwould be deleted: {root}/one\n")
    code, out, _ = call("prune", str(root), "--keep", "1", "--json")
    assert (code, json.loads(out)["deleted"]) == (0, [str(root / "one")])
    assert [path.name for path in root.iterdir()] == ["two"]
    for keep in ("0", "-1"):
        assert call("prune", str(root), "--keep", keep)[0] == 2
