"""Making a large made-up world with all cores; a small one is made in a moment here."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from crawler.demo import exchange
from crawler.demo.exchange import MadeUp

ALONE = 5_000
"""Rows that are made here; for more, workers are started."""
WIDE_FROM = 1_000
"""Lists of so many rows reach the further networks."""
PART = 5_000


def made(rows: int) -> MadeUp:
    """Make the world of ``rows`` rows, signed; wide from ``WIDE_FROM`` rows on."""
    wide = rows >= WIDE_FROM
    if rows <= ALONE:
        return exchange.made_up(rows, wide=wide)
    count = exchange.unplanted(rows)
    parts = [range(start, min(start + PART, count)) for start in range(0, count, PART)]
    world = MadeUp()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=context) as pool:
        for more in pool.map(partial(exchange.part, sign=True, wide=wide), parts):
            exchange.join(world, more)
    return exchange.completed(world, sign=True, wide=wide)
