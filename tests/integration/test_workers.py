"""Worker processes end with the process that started them, even where that was killed."""

from __future__ import annotations

import asyncio
import sys

import pytest

pytestmark = pytest.mark.integration

JUDGING = """
import time
from crawler.examining.judging import TASKS, Reading, compressed, message, start_worker, work
from crawler.processes import workers
from crawler.settings import load_world
import pyarrow as pa

reading = compressed(Reading(world=load_world(), exchange=""))
with workers(2, start_worker, reading) as pool:
    nothing = message(pa.RecordBatch.from_pylist([], TASKS))
    for one in [pool.submit(work, nothing) for _ in range(4)]:
        one.result()
    print("working", flush=True)
    time.sleep(60)
"""

MAKING = """
from crawler.demo import making

join = making.join
making.join = lambda *given: (print("working", flush=True), join(*given))
making.made(1_000_000)
"""


@pytest.mark.parametrize("at_work", [JUDGING, MAKING], ids=["judging", "making the demo's list"])
async def test_no_worker_outlives_a_killed_process(at_work: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", at_work),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert await process.stdout.readline() == b"working\n", await process.stderr.read()
    process.kill()
    # The workers have inherited both pipes: they end only when the last worker does.
    async with asyncio.timeout(30):
        await process.communicate()
    assert process.returncode == -9
