"""Processes that work for this one, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor


def workers(
    processes: int, begin: Callable[..., None] | None = None, *given: object
) -> ProcessPoolExecutor:
    """Return processes started anew, none of which outlives this one, even where it is killed.

    Each calls ``begin(*given)`` first. What is given is best small: a process that starts holds up
    this one until it has read it all from a pipe.
    """
    return ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(begin, given),
    )


def _begin(begin: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if begin is not None:
        begin(*given)


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone: nothing else tells it so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
