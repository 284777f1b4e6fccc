"""The examples for unattended runs are what they say: parsed, verified, tried where possible."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_docs import check_command

from crawler.watching.metrics import HELP, Ending, render
from tests.unit.report_samples import sample

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
RULES = EXAMPLES / "prometheus/recount-alerts.yml"
RULES_TEST = EXAMPLES / "prometheus/recount-alerts.test.yml"


def promtool(*arguments: str, data: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool, or skip the test and say how to install it."""
    unpacked = ROOT / ".nodes/promtool/promtool"
    found = (
        os.environ.get("RECOUNT_PROMTOOL")
        or shutil.which("promtool")
        or (str(unpacked) if unpacked.exists() else None)
    )
    if found is None:
        pytest.skip("promtool is not installed; run .ci/install-promtool")
    return subprocess.run(
        [found, *arguments], input=data, capture_output=True, text=True, check=False
    )


def test_the_alerts_pass_their_own_tests() -> None:
    checked = promtool("check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stderr
    tried = promtool("test", "rules", str(RULES_TEST))
    assert tried.returncode == 0, tried.stdout + tried.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("recount_run_exit_code == 1\n", "recount_run_exit_code == 3\n"),
        ("recount_run_exit_code == 130", "recount_run_exit_code == 1"),
        ("36 * 3600", "48 * 3600"),
        ("recount_asset_reserve_ratio_lower_bound == 0", "recount_run_exit_code >= 0"),
        ("> 0.2", "> 0.5"),
        ("for: 1h", "for: 2h"),
    ],
)
def test_a_broken_alert_fails_its_test(tmp_path: Path, old: str, new: str) -> None:
    text = RULES.read_text(encoding="utf-8")
    assert text.count(old) == 1
    (tmp_path / RULES.name).write_text(text.replace(old, new), encoding="utf-8")
    copied = shutil.copy(RULES_TEST, tmp_path)
    tried = promtool("test", "rules", str(copied))
    assert tried.returncode == 1, tried.stdout


def test_promtool_reads_what_a_run_leaves() -> None:
    ending = Ending(exit_code=1, at=0.0, seconds=1.0, stages={'a"\\\n': 1.0}, report=sample())
    checked = promtool("check", "metrics", data=render(ending, target="okx"))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_metric_of_the_alerts_exists_and_every_metric_is_documented() -> None:
    for path in (RULES, RULES_TEST):
        named = set(re.findall(r"\brecount_[a-z_]+", path.read_text(encoding="utf-8")))
        assert named <= set(HELP), path.name
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert [name for name in HELP if f"`{name}`" not in text] == []


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    cases = yaml.safe_load(RULES_TEST.read_text(encoding="utf-8"))["tests"]
    fires = {
        case["alertname"]
        for test in cases
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert {rule["alert"] for rule in group["rules"]} == fires


def test_the_cron_job_of_kubernetes_runs_one_at_a_time_and_its_command_parses() -> None:
    job = yaml.safe_load((EXAMPLES / "kubernetes/cronjob.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert len(job["spec"]["schedule"].split()) == 5
    template = job["spec"]["jobTemplate"]["spec"]
    assert template["backoffLimit"] == 0
    (evicted,) = template["podFailurePolicy"]["rules"]
    assert evicted == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    assert 0 < template["activeDeadlineSeconds"] < 24 * 3600, "or it would keep the next night out"
    pod = template["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "a podFailurePolicy allows no other"
    (container,) = pod["containers"]
    check_command(container["args"])
    assert container["securityContext"]["readOnlyRootFilesystem"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    image = (EXAMPLES / "Containerfile").read_text(encoding="utf-8")
    assert f"--uid {pod['securityContext']['runAsUser']} " in image
    assert f"WORKDIR {container['workingDir']}\n" in image
    assert f"--owner 10001 --group 10001 {container['workingDir']}\n" in image


def test_the_dag_is_valid_python() -> None:
    path = EXAMPLES / "airflow/recount_dag.py"
    compile(path.read_text(encoding="utf-8"), path.name, "exec")


NO_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze; install systemd"
)


@NO_SYSTEMD
def test_the_units_pass_systemd_analyze(tmp_path: Path) -> None:
    program = tmp_path / "recount"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ("recount.service", "recount.timer"):
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/recount/bin/recount", str(program)))
    units = [str(tmp_path / name) for name in ("recount.service", "recount.timer")]
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    mine = [line for line in checked.stderr.splitlines() if str(tmp_path) in line]
    assert (checked.returncode, mine) == (0, []), checked.stderr


@NO_SYSTEMD
def test_the_timer_means_every_night_and_the_service_is_shut_in() -> None:
    (when,) = re.findall(r"OnCalendar=(.*)", (EXAMPLES / "recount.timer").read_text("utf-8"))
    told = analyze("calendar", "--iterations=2", "--base-time=2026-01-01 12:00:00 UTC", when)
    nights = re.findall(r"(\d{4}-\d\d-\d\d) 02:15:00", told)
    assert nights == ["2026-01-02", "2026-01-03"], told
    told = analyze("security", "--offline=true", str(EXAMPLES / "recount.service"))
    (exposure,) = re.findall(r"Overall exposure level for recount.service: ([\d.]+)", told)
    assert float(exposure) < 2.5, told


def analyze(*arguments: str) -> str:
    told = subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "UTC"},
    )
    return told.stdout


def test_the_walkthroughs_script_starts() -> None:
    """What it does needs the published lists; that its imports are right does not."""
    script = EXAMPLES / "walkthrough" / "load.py"
    ended = subprocess.run(
        [sys.executable, script, "--help"], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, "--short" in ended.stdout) == (0, True), ended.stderr


def test_every_example_is_listed() -> None:
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.rglob("*"):
        name = path.relative_to(EXAMPLES).as_posix()
        if path.is_file() and "__pycache__" not in name and name != "README.md":
            assert f"({name})" in told, name
