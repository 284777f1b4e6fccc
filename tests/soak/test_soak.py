"""The long soak: ``make soak``, or RECOUNT_SOAK_ROWS=50000 with this file.

``RECOUNT_SOAK_SEED`` repeats an earlier one: the same faults, kills and damage, though not the same
interleaving of several connections.
"""

from __future__ import annotations

import os
import secrets

import pytest

from tests.soak.driver import soaking
from tests.soak.machine import kills
from tests.soak.network import bad_weather
from tests.soak.scenarios import STOPS

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

KILLS = 6
STOP_ROUNDS, STOP_ROWS = 3, 2_000
"""The first round of stops has all rows, the others so many, with other places and moments."""


async def test_long_soak(tmp_path):
    rows = int(os.environ.get("RECOUNT_SOAK_ROWS", "0"))
    if not rows:
        pytest.skip("RECOUNT_SOAK_ROWS is not set; 'make soak' sets it")
    seed = int(os.environ.get("RECOUNT_SOAK_SEED", "") or secrets.randbits(32))
    async with soaking(tmp_path / "kills", rows=rows, seed=seed) as soak:
        await soak.undisturbed()
        await bad_weather(soak)
        await kills(soak, KILLS)
    for number in range(STOP_ROUNDS):
        place = tmp_path / f"stops-{number}"
        some = rows if not number else min(rows, STOP_ROWS)
        async with soaking(place, rows=some, seed=seed + number) as soak:
            await soak.undisturbed()
            for stop in STOPS:
                await soak.through(stop)
