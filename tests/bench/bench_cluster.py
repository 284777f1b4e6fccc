"""A cluster of one and of two workers on this machine, and what an estimate for more needs.

``python -m tests.bench.bench_cluster`` prints one JSON line. The signatures of made-up EVM rows,
every one distinct, are checked by one Dask worker and by two, each a process with one thread.
``speed_up`` is of the whole stage: on two cores the command, which numbers the rows and puts the
verdicts beside them, shares these with two workers. ``speed_up_of_checks`` is of the signatures
alone, in as many parts for each worker. Processor seconds are given for each; docs/cluster.md says
how to use them.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pyarrow as pa

from crawler.cluster.coordinator import Cluster
from crawler.examining.judging import TASKS, Reading
from crawler.examining.ownership import TASKS_A_PART, examine
from crawler.keeping.runs import FORMAT, Manifest, RunDirectory
from crawler.settings import load_world
from tests.bench.bench_ownership import BATCH, batches, make_rows
from tests.integration.dask_cluster import DaskCluster, dask_cluster

ROWS = int(os.environ.get("RECOUNT_BENCH_ROWS", "262144"))
ROUNDS = 4
WARM = 4
"""Batches that are judged before anything is measured."""


def own_cpu() -> float:
    """Processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def cpu_of(pid: int) -> float:
    """Processor seconds of another process."""
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


class Contender(NamedTuple):
    """A cluster, and the numbers of its workers' processes."""

    cluster: DaskCluster
    workers: list[int]

    def tell(self, what: signal.Signals) -> None:
        """Send all its processes a signal."""
        for pid in (self.cluster.scheduler.pid, *self.workers):
            os.kill(pid, what)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let its processes run; they halt afterwards, so that the other has the machine."""
        self.tell(signal.SIGCONT)
        try:
            yield
        finally:
            self.tell(signal.SIGSTOP)

    def cpu(self) -> tuple[float, float, float]:
        """Processor seconds of the command, its scheduler, and its workers."""
        return own_cpu(), cpu_of(self.cluster.scheduler.pid), sum(map(cpu_of, self.workers))


@contextmanager
def cluster_of(workers: int) -> Iterator[Contender]:
    """Start workers of one thread each, wait until they are known, and halt them."""
    with (
        tempfile.TemporaryDirectory(prefix="recount-bench-") as folder,
        dask_cluster(Path(folder)) as cluster,
    ):
        pids = [cluster.worker("--nthreads", "1").pid for _ in range(workers)]
        with Cluster(cluster.address).client(asynchronous=False) as client:
            client.wait_for_workers(workers, timeout=60)
        contender = Contender(cluster, pids)
        contender.tell(signal.SIGSTOP)
        yield contender


def judge(claims: list, reading: Reading, contender: Contender) -> dict[str, float]:
    """Judge the rows once by a cluster."""
    cluster = Cluster(contender.cluster.address)
    with contender.at_work():
        before = contender.cpu()
        started = time.perf_counter()
        found = examine(claims, reading, judges=cluster.judges(reading))
        rows = sum(one.num_rows for one, _ in found)
        seconds = time.perf_counter() - started
        after = contender.cpu()
        assert rows == sum(one.num_rows for one in claims)
        names = ("coordinator_cpu_s", "scheduler_cpu_s", "workers_cpu_s")
        spent = {n: b - a for n, a, b in zip(names, before, after, strict=True)}
        return {"s": seconds, "checks_s": checked(claims, reading, cluster), **spent}


def checked(claims: list, reading: Reading, cluster: Cluster) -> float:
    """Return the seconds of the checks alone: the tasks were told apart before."""
    tasks = [one.select(TASKS.names) for one in claims]
    sent = [
        one.slice(start, TASKS_A_PART)
        for one in tasks
        for start in range(0, one.num_rows, TASKS_A_PART)
    ]
    with cluster.judges(reading) as judging:
        judging(tasks[0].slice(0, 1)).verdicts()
        started = time.perf_counter()
        for pending in [judging(one) for one in sent]:
            pending.verdicts()
        return time.perf_counter() - started


def written(claims: list, reading: Reading) -> float:
    """Return the command's processor seconds for writing claims and verdicts as a run does."""
    judged = list(examine(claims, reading, processes=1))
    manifest = Manifest(
        format=FORMAT, run="bench", started="", versions={}, inputs={}, options={},
        config_sha256="",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="recount-bench-") as folder:
        run = RunDirectory.create(Path(folder) / "run", manifest)
        before = own_cpu()
        for number, pair in enumerate(judged):
            for stage, batch in zip(("claims", "signatures"), pair, strict=True):
                name = f"{stage}/part-{number:06d}.parquet"
                run.write_table(name, pa.Table.from_batches([batch]))
                run.digest(name)
        spent = own_cpu() - before
        run.close()
    return spent


Round = tuple[dict[str, float], dict[str, float]]
"""What one worker took, and then two."""


def middle(rounds: list[Round], workers: int, name: str) -> float:
    """Return the median of one figure."""
    return statistics.median(one[workers - 1][name] for one in rounds)


def speed_up(rounds: list[Round], name: str) -> float:
    """Return the median of the rounds' ratios: what the host does meanwhile hits both alike."""
    return round(statistics.median(one[name] / two[name] for one, two in rounds), 2)


def measure() -> dict[str, object]:
    """Judge with one worker and with two in turn; return figures and their ratio."""
    made = make_rows(0, ROWS)
    claims = batches(made)
    reading = Reading(world=load_world(), exchange="okx")
    with cluster_of(1) as one, cluster_of(2) as two:
        for contender in (one, two):
            judge(claims[:WARM], reading, contender)
        rounds = [(judge(claims, reading, one), judge(claims, reading, two)) for _ in range(ROUNDS)]
    per_row = 1e6 / ROWS
    figures: dict[str, object] = {
        "bench": "cluster",
        "rows": ROWS,
        "batch": BATCH,
        "cores": os.cpu_count(),
        "one_worker_s": round(middle(rounds, 1, "s"), 2),
        "two_workers_s": round(middle(rounds, 2, "s"), 2),
        "speed_up": speed_up(rounds, "s"),
        "speed_up_of_checks": speed_up(rounds, "checks_s"),
    }
    for name in ("workers", "coordinator", "scheduler"):
        figures[f"{name}_us_per_row"] = round(middle(rounds, 2, f"{name}_cpu_s") * per_row, 2)
    figures["writing_us_per_row"] = round(written(claims, reading) * per_row, 2)
    work = middle(rounds, 2, "workers_cpu_s")
    rest = middle(rounds, 2, "coordinator_cpu_s") + middle(rounds, 2, "scheduler_cpu_s")
    figures["speed_up_by_cpu_on_two_cores"] = round(2 * work / (work + rest), 2)
    return figures


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
