"""Ctrl-C and SIGTERM, by which supervisors end a process, end a command with 130."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import HEADER, WORLD, row
from made_up_run import recount, result_bytes, serving, start, until

from crawler.errors import INTERRUPTED, UsageError, exit_code_of

pytestmark = pytest.mark.integration

INTERRUPTED_TEXT = "recount: interrupted; nothing that was finished is lost"
MOMENTS: dict[str, Callable[[Path], bool]] = {
    "examining": lambda run: (run / "manifest.json").exists(),
    "asking": lambda run: any(run.glob("shards/*.parquet")),
}


AT_A_TERMINAL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
IN_THE_BACKGROUND = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
"""Whatever the tests themselves were started in, whose children inherit what is ignored."""


@pytest.mark.parametrize(
    ("number", "prelude"),
    [
        (signal.SIGINT, AT_A_TERMINAL),
        (signal.SIGTERM, AT_A_TERMINAL),
        (signal.SIGTERM, IN_THE_BACKGROUND),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM in the background"],
)
async def test_a_run_that_is_told_to_end_says_so_and_goes_on_the_next_night(
    tmp_path: Path, number: signal.Signals, prelude: str
) -> None:
    figures = tmp_path / "acme.prom"
    async with serving(tmp_path / "in") as made:
        await recount(*made.arguments(tmp_path / "whole"))
        for moment, condition in MOMENTS.items():
            run = tmp_path / moment
            for node in made.nodes.values():
                node.faults.delay_s = 0.1
            given = (*made.arguments(run), "--log", "json", "--metrics", str(figures))
            process = await start(*given, prelude=prelude)
            assert await until(lambda reached=condition, at=run: reached(at), process)
            process.send_signal(number)
            out, err = await process.communicate()
            assert (process.returncode, out) == (INTERRUPTED, b""), err
            told = [json.loads(line) for line in err.decode().splitlines()][-1]
            assert (told["event"], told["run"]) == ("error", moment)
            assert told["text"] == INTERRUPTED_TEXT
            assert b"Traceback" not in err
            assert 'recount_run_exit_code{target="acme"} 130\n' in figures.read_text()
            for node in made.nodes.values():
                node.faults.delay_s = 0.0
            code, _, again = await recount(*given, "--resume")
            assert code == 1, again
            assert result_bytes(run) == result_bytes(tmp_path / "whole")
            assert 'recount_run_exit_code{target="acme"} 1\n' in figures.read_text()


IN_A_CALLBACK = f"""
{IN_THE_BACKGROUND}
import asyncio
from crawler.cli.faults import heed_signals

def ends(waited_for):
    signal.raise_signal(signal.SIGTERM)
    assert not waited_for.cancelled(), "in the middle of a callback"

async def main():
    waited_for = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(ends, waited_for)
    await waited_for

heed_signals()
try:
    asyncio.run(main())
except asyncio.CancelledError:
    print("cancelled")
"""


def test_tasks_are_told_by_their_loop_not_where_the_signal_comes() -> None:
    """Seen: a future that was cancelled while its result was being set, and asyncio's complaint."""
    script = [sys.executable, "-c", IN_A_CALLBACK]
    ended = subprocess.run(script, check=False, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("cancelled\n", "")


async def test_ctrl_c_is_not_for_a_job_in_the_background(tmp_path: Path) -> None:
    async with serving(tmp_path / "in") as made:
        run = tmp_path / "run"
        for node in made.nodes.values():
            node.faults.delay_s = 0.1
        process = await start(*made.arguments(run), prelude=IN_THE_BACKGROUND)
        assert await until(lambda: MOMENTS["asking"](run), process)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert process.returncode == 1, err


WHILE_READING = """
import signal, threading, time
import pyarrow, pyarrow.csv
from crawler.cli.faults import heed_signals

heed_signals()
heard = lost = 0
done = False

def hear(*_):
    global heard
    heard += 1

def tell():
    global lost, done
    for number in (signal.SIGINT, signal.SIGTERM) * 500:
        before, patience = heard, time.monotonic() + 5
        signal.pthread_kill(threading.main_thread().ident, number)
        while heard == before and time.monotonic() < patience:
            time.sleep(0)
        lost += heard == before
    done = True

signal.signal(signal.SIGINT, hear)
signal.signal(signal.SIGTERM, hear)
threading.Thread(target=tell, daemon=True).start()
while not done:
    pyarrow.csv.read_csv(pyarrow.BufferReader(b"a,b,c\\n" * 1000))
print(lost)
"""


def test_no_signal_is_lost_while_a_list_is_read() -> None:
    """Seen: a Ctrl-C between two blocks of a list, after which the run went on to its end."""
    script = [sys.executable, "-c", WHILE_READING]
    ended = subprocess.run(script, check=False, capture_output=True, text=True, timeout=120)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


PROCESSES_AT_ONCE = """
import numpy, pyarrow
from crawler.examining import judges
judges.PATIENCE_S = 0.0
nothing = pyarrow.RecordBatch.from_pylist([], judges.VERDICTS), numpy.zeros(0, numpy.int64)
judges.QuickLane.settle = lambda *_: nothing
"""
"""Nothing is settled in threads, so that worker processes are started."""


async def test_all_processes_of_a_command_are_told_at_once(tmp_path: Path) -> None:
    """What systemd does with a unit's processes, and Airflow with those of a task."""
    rows = [row("0x" + number.to_bytes(20).hex()) for number in range(1, 40_000)]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join([HEADER, *rows]) + "\n")
    (tmp_path / "world.toml").write_text(WORLD)
    given = ("verify", str(listed), "--config", str(tmp_path / "world.toml"), "--processes", "2")
    process = await start(*given, "--quiet", prelude=PROCESSES_AT_ONCE, start_new_session=True)
    assert await until(lambda: children(process.pid) >= 2, process)
    os.killpg(process.pid, signal.SIGTERM)
    out, err = await process.communicate()
    assert (process.returncode, out) == (INTERRUPTED, b""), err.decode()
    assert err.decode() == INTERRUPTED_TEXT + "\n"


def children(pid: int) -> int:
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_what_tidying_up_after_an_interrupt_runs_into_is_an_interrupt() -> None:
    """Seen: a pool of processes that was interrupted while it started its own thread."""
    error = RuntimeError("cannot join thread before it is started")
    assert exit_code_of(error) == 4

    def tidied_up() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise error

    with pytest.raises(RuntimeError) as found:
        tidied_up()
    assert exit_code_of(found.value) == INTERRUPTED
    assert exit_code_of(UsageError("a wrong option")) == 2
