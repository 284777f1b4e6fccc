"""Making a made-up world: a large one with all cores, a small one in a moment here.

It is always the same world for the same number of rows.
"""

from __future__ import annotations

import os
from functools import partial

from crawler.demo.exchange import MadeUp
from crawler.demo.planting import PLANTED_ROWS, plant
from crawler.demo.wallet_rows import join, part
from crawler.processes import workers

ALONE = 5_000
"""Rows that are made here; for more, workers are started."""
WIDE_FROM = 1_000
"""Lists of so many rows reach the further networks."""
PART = 5_000


def made(rows: int) -> MadeUp:
    """Make the world of ``rows`` rows, signed; wide from ``WIDE_FROM`` rows on."""
    wide = rows >= WIDE_FROM
    if rows <= ALONE:
        return made_up(rows, wide=wide)
    count = unplanted(rows)
    pieces = [range(start, min(start + PART, count)) for start in range(0, count, PART)]
    world = MadeUp()
    with workers(os.cpu_count() or 1) as pool:
        for more in pool.map(partial(part, sign=True, wide=wide), pieces):
            join(world, more)
    return completed(world, sign=True, wide=wide)


def made_up(rows: int, *, sign: bool = True, wide: bool = False) -> MadeUp:
    """Make the world with ``rows`` rows; without ``sign`` only what the nodes need.

    A ``wide`` one has rows on the further networks too (``crawler.demo.networks``), in the shares
    of published lists, and is sorted by label as those are.
    """
    return completed(part(range(unplanted(rows)), sign=sign, wide=wide), sign=sign, wide=wide)


def unplanted(rows: int) -> int:
    """Return how many of the rows are in order."""
    return rows - PLANTED_ROWS


def completed(world: MadeUp, *, sign: bool, wide: bool) -> MadeUp:
    """Sort the rows of a wide world and plant the faults."""
    if wide:
        world.rows.sort(key=lambda row: row.coin)
    plant(world, sign=sign)
    return world
