"""The textfile for monitoring: its format, what it says, and what it must never say."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.errors import EnvironmentFault, UsageError
from crawler.result import EndpointLine, Report
from crawler.watching.metrics import HELP, MOST_ASSETS, Ending, check, label, render, write
from tests.unit.report_samples import assets, sample

pytestmark = pytest.mark.unit

ENDPOINT = EndpointLine(
    name="hosted",
    chain="eip155:1",
    role="primary",
    url="https://node.example/[hidden]?token=s3cr3t",
    used=False,
    rejected="wrong-chain",
    troubles={"rate-limited": 7, "timeout": 2},
    requests=41,
)
SERIES = re.compile(r'^([a-z_]+)\{((?:[a-z0-9_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (\S+)$')


def ending(report: Report | None = None, code: int = 1) -> Ending:
    return Ending(exit_code=code, at=1718000000.7, seconds=2.5, stages={"s": 1.25}, report=report)


def told(text: str) -> dict[tuple[str, str], str]:
    """Values by name and labels; fails where a line is not of the format."""
    found: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SERIES.match(line)
        assert match, line
        key = (match[1], match[2])
        assert key not in found, f"one series twice: {line}"
        found[key] = match[3]
    return found


def with_endpoint() -> Report:
    report = sample()
    around = replace(report.circumstances, endpoints=(ENDPOINT,))
    return replace(report, circumstances=around)


def test_a_run_without_a_report_says_how_and_when_it_ended_and_nothing_else() -> None:
    assert told(render(ending(code=4), target="okx")) == {
        ("recount_run_exit_code", 'target="okx"'): "4",
        ("recount_run_end_timestamp_seconds", 'target="okx"'): "1718000001",
        ("recount_run_duration_seconds", 'target="okx"'): "2.500",
        ("recount_stage_seconds", 'target="okx",stage="s"'): "1.250",
    }


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("recount_findings", 'code="shortfall"', "4"),
        ("recount_findings", 'code="refuted:wrong-signature"', "2"),
        ("recount_gaps", 'code="gap:state-pruned"', "15000"),
        ("recount_asset_verdict", 'asset="USDT",verdict="shortfall"', "1"),
        ("recount_rows", 'asset="LTC",reconciliation="surplus"', "2"),
        ("recount_rows_by_ownership", 'asset="ETH",ownership="controlled"', "14"),
        ("recount_asset_reserve_ratio", 'asset="BTC",basis="claimed"', "1.040000"),
        ("recount_asset_reserve_ratio", 'asset="USDT",basis="recounted"', "1.069999"),
        ("recount_asset_reserve_ratio_lower_bound", 'asset="BTC"', "1"),
        ("recount_asset_reserve_ratio_lower_bound", 'asset="LTC"', "0"),
        ("recount_asset_observed_ratio", 'asset="DOGE"', "1.000000"),
        (
            "recount_endpoint_requests",
            'endpoint="hosted",chain="eip155:1",role="primary"',
            "41",
        ),
        (
            "recount_endpoint_troubles",
            'endpoint="hosted",chain="eip155:1",role="primary",reason="rate-limited"',
            "7",
        ),
        ("recount_endpoint_rejected", 'endpoint="hosted",chain="eip155:1",role="primary"', "1"),
        ("recount_assets_left_out", "", "0"),
    ],
)
def test_figures_of_a_report(name: str, labels: str, value: str) -> None:
    found = told(render(ending(with_endpoint()), target="okx"))
    assert found[name, ",".join(filter(None, ('target="okx"', labels)))] == value


def test_ours_and_theirs_are_different_metrics() -> None:
    found = told(render(ending(sample()), target="okx"))
    codes = {
        name: {re.sub(r'.*code="(.*)"', r"\1", labels) for n, labels in found if n == name}
        for name in ("recount_findings", "recount_gaps")
    }
    assert codes == {
        "recount_findings": {"refuted:wrong-signature", "shortfall", "conflict", "message-reused"},
        "recount_gaps": {"gap:no-adapter", "gap:state-pruned"},
    }


def test_what_cannot_be_said_has_no_sample() -> None:
    found = told(render(ending(sample()), target="okx"))
    apt = {name: labels for name, labels in found if 'asset="APT"' in labels}
    assert ("recount_asset_reserve_ratio", 'target="okx",asset="APT",basis="claimed"') in found
    assert 'basis="recounted"' not in apt["recount_asset_reserve_ratio"]
    (first, *rest) = assets()
    unseen = replace(sample().result, assets=(replace(first, coverage=None), *rest))
    again = told(render(ending(replace(sample(), result=unseen)), target="okx"))
    name = ("recount_asset_observed_ratio", f'target="okx",asset="{first.asset}"')
    assert name not in again


def test_every_metric_has_its_help_and_type_once_and_before_its_samples() -> None:
    lines = render(ending(with_endpoint()), target="okx").splitlines()
    for name in HELP:
        mine = [i for i, line in enumerate(lines) if line.split("{")[0].split(" ")[0] == name]
        heads = [i for i, line in enumerate(lines) if line.startswith(f"# HELP {name} ")]
        types = [i for i, line in enumerate(lines) if line == f"# TYPE {name} gauge"]
        assert (len(heads), types) == (1, [heads[0] + 1]), name
        assert mine == list(range(heads[0] + 2, heads[0] + 2 + len(mine))), name
        assert mine, name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("BTC", "BTC"),
        ("", ""),
        ('a"b', 'a\\"b'),
        ("a\\b", "a\\\\b"),
        ("a\\nb", "a\\\\nb"),
        ("é 币", "é 币"),
        ('"} 1', '\\"} 1'),
    ],
)
def test_label_values_are_escaped(text: str, shown: str) -> None:
    assert label(text) == shown


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\u202eb", "a\rb", "x" * 5000, "\ud800"])
def test_what_cannot_stand_in_a_label_is_replaced_and_told_apart(text: str) -> None:
    shown = label(text)
    assert len(shown) <= 80
    assert shown.isprintable()
    assert re.search(r"~[0-9a-f]{8}$", shown)
    assert shown != label(text + "y")


def hostile(*names: str) -> Report:
    (first, *_) = assets()
    made = tuple(replace(first, asset=name) for name in names)
    return replace(sample(), result=replace(sample().result, assets=made))


def test_coins_with_hostile_names_stay_one_line_each() -> None:
    names = ('x"} 1\nrecount_run_exit_code 0', "x" * 81, "x" * 82, "\ud800", "\\", 'q"')
    found = told(render(ending(hostile(*names)), target="okx"))
    assert sum(name == "recount_asset_verdict" for name, _ in found) == len(names)
    assert [value for (name, _), value in found.items() if name == "recount_run_exit_code"] == ["1"]


def test_a_flood_of_coins_is_cut_and_counted() -> None:
    report = hostile(*(f"C{i}" for i in range(MOST_ASSETS + 9)))
    found = told(render(ending(report), target="okx"))
    assert found["recount_assets_left_out", 'target="okx"'] == "9"
    assert sum(name == "recount_asset_verdict" for name, _ in found) == MOST_ASSETS


def test_no_url_and_only_the_head_of_the_digest() -> None:
    text = render(ending(with_endpoint()), target="okx")
    assert "s3cr3t" not in text
    assert "node.example" not in text
    digest = sample().result.list.sha256
    assert f'list_sha256="{digest[:12]}"' in text
    assert digest[:13] not in text


def test_the_file_is_replaced_whole_and_others_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "okx.prom"
    file.write_text("old")
    before = os.umask(0o022)
    try:
        write(file, ending())
    finally:
        os.umask(before)
    assert file.read_text() == render(ending(), target="okx")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["okx.prom"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "okx.prom"
    file.write_text("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match=r"cannot write .*okx\.prom: No space left"):
        write(file, ending())
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("okx.prom", "old")]


def test_a_place_where_it_would_not_be_found_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"end in \.prom"):
        check(tmp_path / "okx.txt")
    with pytest.raises(UsageError, match="is no directory"):
        check(tmp_path / "none" / "okx.prom")
    check(tmp_path / "okx.prom")
