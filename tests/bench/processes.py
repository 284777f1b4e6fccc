"""Runs a command and watches it and all its descendants: seconds, processor time, memory.

Processes whose command line holds one of ``APART`` (simulated nodes, anvil, bitcoind) and their
children are counted apart: they stand for other people's machines.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

APART = ("crawler.demo", "anvil", "bitcoind")
EVERY_S = 0.1
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a command took. Memory is the highest sum of resident sets seen, in bytes."""

    code: int
    seconds: float
    cpu_s: float
    nodes_cpu_s: float
    peak_rss: int
    out: str
    err: str


class _Seen(msgspec.Struct):
    parent: int
    started: int
    command: str
    cpu: int
    rss: int


def measured(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 3600,
    watch: Callable[[float, int], None] | None = None,
) -> Measured:
    """Run a command to its end, or kill it after ``timeout_s``.

    ``watch`` gets seconds and resident bytes at every look.
    """
    total: dict[tuple[int, int], tuple[bool, int]] = {}
    peak = 0
    started = time.perf_counter()
    with (
        (cwd / "stdout.txt").open("w+") as out,
        (cwd / "stderr.txt").open("w+") as err,
        subprocess.Popen(command, cwd=cwd, stdout=out, stderr=err, env=environment) as process,
    ):
        while True:
            own = _family(process.pid)
            resident = 0
            for pid, (one, apart) in own.items():
                total[pid, one.started] = apart, one.cpu
                resident += 0 if apart else one.rss
            peak = max(peak, resident)
            if watch is not None:
                watch(time.perf_counter() - started, resident)
            try:
                code = process.wait(EVERY_S)
                break
            except subprocess.TimeoutExpired:
                if time.perf_counter() - started > timeout_s:
                    process.kill()
                    raise
        seconds = time.perf_counter() - started
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    cpu = {
        apart: sum(c for a, c in total.values() if a is apart) / TICKS for apart in (True, False)
    }
    return Measured(
        code=code,
        seconds=seconds,
        cpu_s=cpu[False],
        nodes_cpu_s=cpu[True],
        peak_rss=peak,
        out=texts[0],
        err=texts[1],
    )


def _family(root: int) -> dict[int, tuple[_Seen, bool]]:
    """Return the process and its descendants, each with whether it is counted apart."""
    running = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    seen = {int(pid): _look(pid) for pid in running}
    found: dict[int, tuple[_Seen, bool]] = {}
    waiting = [(root, False)]
    while waiting:
        pid, apart = waiting.pop()
        one = seen.get(pid)
        if one is None:
            continue
        apart = apart or any(word in one.command for word in APART)
        found[pid] = one, apart
        waiting += [(child, apart) for child, it in seen.items() if it and it.parent == pid]
    return found


def _look(pid: str) -> _Seen | None:
    try:
        fields = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        command = Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return None
    # Fields 4, 14, 15, 22 and 24 of proc(5), counted from behind the command's name.
    return _Seen(
        parent=int(fields[1]),
        started=int(fields[19]),
        command=command,
        cpu=int(fields[11]) + int(fields[12]),
        rss=int(fields[21]) * PAGE,
    )


def apart_cpu(root: int) -> float:
    """Return the processor seconds so far of those descendants that are counted apart."""
    return sum(one.cpu for one, apart in _family(root).values() if apart) / TICKS
