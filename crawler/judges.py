"""Who judges what the quick lane leaves: this process while that is quick, else processes."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Self

import msgspec
import numpy as np
import pyarrow as pa

from crawler.judging import VERDICTS, Reading, compressed, message, start_worker, work
from crawler.quick import Settled, one_batch

JUDGED_A_PART = 1024
"""Tasks that a worker process judges at a time."""
JUDGED_HERE = 64
"""Tasks judged at a time while no process is started."""
PATIENCE_S = 1.0
"""Processor time of judging here before processes are started: each of them takes a second."""

_Judge = Callable[[pa.RecordBatch], pa.RecordBatch]
"""``TASKS`` to ``VERDICTS``."""


class Left(msgspec.Struct, frozen=True):
    """Tasks that were left for the judge: verdicts that are there, and then those to come."""

    here: Sequence[pa.RecordBatch] = ()
    futures: Sequence[Future[bytes]] = ()

    def is_done(self) -> bool:
        """Tell whether all its verdicts are there."""
        return all(future.done() for future in self.futures)

    def verdicts(self) -> list[pa.RecordBatch]:
        """Return the verdicts, in order; waits for them."""
        answers = (pa.py_buffer(future.result()) for future in self.futures)
        return [*self.here, *(pa.ipc.read_record_batch(one, VERDICTS) for one in answers)]


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
            self._pool = workers(self._reading, self._processes)
        return self._pool


class Slice:
    """Some tasks of a batch: in a thread first, what it leaves then with the judges."""

    def __init__(self, tasks: pa.RecordBatch, settled: Future[Settled]) -> None:
        self._tasks = tasks
        self._settled = settled
        self._left: Left | None = None

    def is_settled(self) -> bool:
        """Tell whether the thread is through with it."""
        return self._settled.done()

    def is_done(self) -> bool:
        """Tell whether all its verdicts are there."""
        return self._left is not None and self._left.is_done()

    def hand_on(self, judges: Judges) -> Left:
        """Give the judges what the thread leaves; waits for the thread."""
        if self._left is None:
            _, places = self._settled.result()
            is_left = np.ones(self._tasks.num_rows, np.bool_)
            is_left[places] = False
            left = self._tasks.filter(pa.array(is_left)) if is_left.any() else None
            self._left = Left() if left is None else judges.take(left)
        return self._left

    def verdicts(self, judges: Judges) -> pa.RecordBatch:
        """Return the verdicts of all its tasks, in order; waits for them."""
        judged = self.hand_on(judges).verdicts()
        quick, places = self._settled.result()
        if not judged and (np.diff(places) > 0).all():
            return quick
        left = np.setdiff1d(np.arange(self._tasks.num_rows), places, assume_unique=True)
        order = pa.array(np.argsort(np.concatenate([places, left])))
        return one_batch(pa.Table.from_batches([quick, *judged], VERDICTS)).take(order)


def workers(reading: Reading, processes: int) -> ProcessPoolExecutor:
    """Return processes that judge tasks (``judging.work``); none of them outlives this one."""
    return ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start_worker,
        initargs=(compressed(reading),),
    )
