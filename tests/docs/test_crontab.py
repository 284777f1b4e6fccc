"""The example's cron line does what it says, as cron starts it: by ``sh -c``, with no environment.

The cron line's own words are run: only its paths are others.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
CRONTAB = ROOT / "examples/crontab"
STILL_AT_WORK = 75


def fields_and_command() -> tuple[str, str]:
    lines = CRONTAB.read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line and not line.startswith("#")]
    matched = re.match(r"((?:[\d*,/-]+ +){5})(.+)", line)
    assert matched, line
    return matched[1], matched[2]


def test_cron_reads_the_line() -> None:
    fields, command = fields_and_command()
    assert fields.split() == ["15", "2", "*", "*", "*"]
    assert "%" not in command, "cron reads % as a line feed"


@pytest.mark.skipif(shutil.which("crontab") is None, reason="no crontab; apt-get install cron")
def test_cron_itself_finds_the_syntax_right(tmp_path: Path) -> None:
    def checked(file: Path) -> int:
        return subprocess.run(["crontab", "-n", file], capture_output=True, check=False).returncode

    (tmp_path / "four-fields").write_text("15 2 * * cd /srv\n", encoding="utf-8")
    assert (checked(CRONTAB), checked(tmp_path / "four-fields")) == (0, 1)


class Night:
    """A machine on which the line is run: its directory, program and figures lie elsewhere."""

    def __init__(self, path: Path, program: str) -> None:
        self.path = path / "reserves"
        self.path.mkdir()
        self.figures = path / "reserves.prom"
        recount = path / "recount"
        recount.write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
        recount.chmod(0o755)
        _, command = fields_and_command()
        for old, new in (
            ("/srv/reserves", str(self.path)),
            ("/opt/recount/bin/recount", str(recount)),
            ("/var/lib/node_exporter/reserves.prom", str(self.figures)),
        ):
            assert old in command
            command = command.replace(old, new)
        self.command = command
        self.home = path

    def comes(self) -> subprocess.CompletedProcess[str]:
        """Run the line with the environment that cron gives."""
        environment = {
            "HOME": str(self.home), "LOGNAME": "recount", "SHELL": "/bin/sh",
            "PATH": "/usr/bin:/bin",
        }  # fmt: skip
        return subprocess.run(
            ["/bin/sh", "-c", self.command], env=environment, cwd=self.home,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
        )  # fmt: skip

    def codes(self) -> list[str]:
        log = (self.path / "exit-codes.log").read_text(encoding="utf-8")
        return [line.split()[0] for line in log.splitlines()]


THIS_RECOUNT = (
    f"PYTHONPATH={ROOT} exec {sys.executable} -c 'from crawler.cli import main; main()' \"$@\""
)


def test_a_night_without_its_list_is_told_by_mail_log_and_figures(tmp_path: Path) -> None:
    night = Night(tmp_path, THIS_RECOUNT)
    done = night.comes()
    assert (done.stdout, night.codes()) == ("", ["2"])
    assert "list.zip: cannot be read" in done.stderr
    assert 'recount_run_exit_code{target="reserves"} 2\n' in night.figures.read_text("utf-8")
    assert list(night.path.parent.glob("exit-codes.log")) == []


@pytest.mark.parametrize("code", [0, 1, 3, 4])
def test_the_exit_code_reaches_the_log_and_the_report_its_file(tmp_path: Path, code: int) -> None:
    night = Night(tmp_path, f'echo report; test -n "$HOSTED_KEY_FILE" || exit 99; exit {code}')
    for _ in range(2):
        done = night.comes()
        assert (done.stdout, done.stderr) == ("", "")
    assert night.codes() == [str(code)] * 2
    assert (night.path / "last.txt").read_text(encoding="utf-8") == "report\n"


def test_nothing_is_started_while_the_night_before_is_at_work(tmp_path: Path) -> None:
    night = Night(tmp_path, "echo started >&2; exit 0")
    with (night.path / "recount.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = night.comes()
    assert (done.stderr, night.codes()) == ("", [str(STILL_AT_WORK)])
    assert night.comes().stderr == "started\n"
    assert night.codes() == [str(STILL_AT_WORK), "0"]


def test_a_night_that_hangs_is_told_to_end_and_its_code_is_that_of_recount(tmp_path: Path) -> None:
    night = Night(tmp_path, "trap 'exit 130' TERM; while :; do sleep 0.1; done")
    night.command = night.command.replace(" 20h ", " 0.5 ")
    night.comes()
    assert night.codes() == ["130"]


def test_without_its_directory_nothing_is_started_or_written(tmp_path: Path) -> None:
    night = Night(tmp_path, "echo started >&2")
    night.path.rmdir()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        night.comes()
    assert "started" not in failed.value.stderr
    assert list(tmp_path.glob("*.log")) == []
