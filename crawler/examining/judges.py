"""Who settles and judges the distinct tasks of a list, a slice at a time.

On this machine threads take the quick lane, and what that leaves is judged by this process while
it is quick, else by processes. Elsewhere (``Elsewhere``) others do both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, Self

import msgspec
import numpy as np
import pyarrow as pa

from crawler.examining.judging import (
    VERDICTS,
    Judge,
    Meanings,
    Reading,
    compressed,
    message,
    read_message,
    start_worker,
    work,
)
from crawler.examining.quick import QuickLane, Settled, one_batch
from crawler.processes import workers

JUDGED_A_PART = 1024
"""Tasks that a worker process judges at a time."""
JUDGED_HERE = 64
"""Tasks judged at a time while no process is started."""
PATIENCE_S = 1.0
"""Processor time of judging here before processes are started: each of them takes a second."""

_Judge = Callable[[pa.RecordBatch], pa.RecordBatch]
"""``TASKS`` to ``VERDICTS``."""


class Pending(Protocol):
    """A slice of tasks whose verdicts are on their way."""

    def hand_on(self, *, wait: bool) -> None:
        """Let it take its next step as far as that needs the caller, who may ``wait`` for it."""
        ...

    def is_done(self) -> bool:
        """Tell whether all its verdicts are there."""
        ...

    def verdicts(self) -> pa.RecordBatch:
        """Return the verdicts (``VERDICTS``) of all its tasks, in order; waits for them."""
        ...


Judging = Callable[[pa.RecordBatch], Pending]
"""Begins to judge a slice of ``TASKS``."""


@contextmanager
def on_this_machine(
    reading: Reading, processes: int, note: Callable[[str], None]
) -> Iterator[Judging]:
    """Judge in threads, this process and others of this machine, as ``examine`` says."""
    meanings = Meanings(reading)
    lane = QuickLane(meanings, note)
    with (
        ThreadPoolExecutor(processes) as threads,
        Judges(Judge(meanings).judge, reading, processes) as judges,
    ):
        yield lambda tasks: Slice(tasks, threads.submit(lane.settle, tasks), judges)


class LaneThenJudge:
    """Settles and judges tasks where it is called; several threads may do so at once."""

    def __init__(self, reading: Reading, note: Callable[[str], None]) -> None:
        meanings = Meanings(reading)
        self._lane = QuickLane(meanings, note)
        self._judge = Judge(meanings)

    def judge(self, tasks: pa.RecordBatch) -> pa.RecordBatch:
        """Return one row of ``VERDICTS`` for each of ``TASKS``, in order."""
        settled = self._lane.settle(tasks)
        left = _left(tasks, settled)
        return in_order(settled, [self._judge.judge(left)] if left.num_rows else [])


class Elsewhere:
    """A slice that somebody else judges, who sends the verdicts as ``judging.message``.

    ``losing`` says what went wrong where none come.
    """

    def __init__(
        self, future: Future[pa.Buffer], losing: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._future, self._losing = future, losing

    def hand_on(self, *, wait: bool) -> None:
        """Do nothing: it goes on by itself."""

    def is_done(self) -> bool:
        """Tell whether its verdicts are there."""
        return self._future.done()

    def verdicts(self) -> pa.RecordBatch:
        """Return the verdicts; waits for them."""
        with self._losing():
            sent = self._future.result()
        return read_message(sent, VERDICTS)


class Left(msgspec.Struct, frozen=True):
    """Tasks that were left for the judge: verdicts that are there, and then those to come."""

    here: Sequence[pa.RecordBatch] = ()
    futures: Sequence[Future[pa.Buffer]] = ()

    def is_done(self) -> bool:
        """Tell whether all its verdicts are there."""
        return all(future.done() for future in self.futures)

    def verdicts(self) -> list[pa.RecordBatch]:
        """Return the verdicts, in order; waits for them."""
        return [*self.here, *(read_message(one.result(), VERDICTS) for one in self.futures)]


class Judges:
    """Judges tasks one by one: here while that is quickly done, else in processes.

    A context manager.
    """

    def __init__(self, judge: _Judge, reading: Reading, processes: int) -> None:
        self._judge, self._reading, self._processes = judge, reading, processes
        self._pool: ProcessPoolExecutor | None = None
        self._spent = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def take(self, tasks: pa.RecordBatch) -> Left:
        """Judge tasks, or have them judged."""
        here: list[pa.RecordBatch] = []
        at = 0
        while at < tasks.num_rows and (self._processes == 1 or self._spent < PATIENCE_S):
            began = time.thread_time()
            here.append(self._judge(tasks.slice(at, JUDGED_HERE)))
            self._spent += time.thread_time() - began
            at += JUDGED_HERE
        starts = range(at, tasks.num_rows, JUDGED_A_PART)
        parts = (message(tasks.slice(start, JUDGED_A_PART)) for start in starts)
        return Left(here, [self._started().submit(work, part) for part in parts])

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = workers(self._processes, start_worker, compressed(self._reading))
        return self._pool


class Slice:
    """Some tasks of a batch: in a thread first, what it leaves then with the judges."""

    def __init__(self, tasks: pa.RecordBatch, settled: Future[Settled], judges: Judges) -> None:
        self._tasks = tasks
        self._settled = settled
        self._judges = judges
        self._left: Left | None = None

    def hand_on(self, *, wait: bool) -> None:
        """Give the judges what the thread has left."""
        if self._left is None and (wait or self._settled.done()):
            left = _left(self._tasks, self._settled.result())
            self._left = self._judges.take(left) if left.num_rows else Left()

    def is_done(self) -> bool:
        """Tell whether all its verdicts are there."""
        return self._left is not None and self._left.is_done()

    def verdicts(self) -> pa.RecordBatch:
        """Return the verdicts of all its tasks, in order; waits for them."""
        self.hand_on(wait=True)
        if self._left is None:
            raise RuntimeError("a slice was not handed on")
        return in_order(self._settled.result(), self._left.verdicts())


def _left(tasks: pa.RecordBatch, settled: Settled) -> pa.RecordBatch:
    """Return the tasks that the quick lane leaves for the judge."""
    _, places = settled
    if len(places) == tasks.num_rows:
        return tasks.slice(0, 0)
    is_left = np.ones(tasks.num_rows, np.bool_)
    is_left[places] = False
    return tasks.filter(pa.array(is_left))


def in_order(settled: Settled, judged: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Put what was settled and what was judged, which is all the rest, in the tasks' order."""
    quick, places = settled
    if not judged and (np.diff(places) > 0).all():
        return quick
    count = len(places) + sum(one.num_rows for one in judged)
    left = np.setdiff1d(np.arange(count), places, assume_unique=True)
    order = pa.array(np.argsort(np.concatenate([places, left])))
    return one_batch(pa.Table.from_batches([quick, *judged], VERDICTS)).take(order)
