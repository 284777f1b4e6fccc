"""Freed memory goes back to the system where that is asked for."""

import platform
import subprocess
import sys

import pytest

from crawler.tables import memory

pytestmark = pytest.mark.unit

FREED = """
import os
import numpy as np
from crawler.tables.memory import keep_no_large_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

learnt = np.ones(30 << 20, "u1")
del learnt
{choice}
blocks, between = [], []
for _ in range(16):
    blocks.append(np.ones(4 << 20, "u1"))
    between.append(np.ones(300_000, "u1"))
before = resident()
blocks.clear()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc learns to keep blocks")
def test_large_blocks_between_smaller_ones_go_back_at_once():
    def freed_mb(choice):
        command = [sys.executable, "-c", FREED.format(choice=choice)]
        return int(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)

    assert freed_mb("keep_no_large_blocks()") >= 60
    assert freed_mb("pass") < 30  # else there is nothing to choose


def test_another_c_library_is_left_alone(monkeypatch):
    def without(_name):
        raise OSError("no such library")

    monkeypatch.setattr(memory.ctypes, "CDLL", without)
    memory._trim.cache_clear()
    try:
        memory.give_back()
        memory.keep_no_large_blocks()
    finally:
        memory._trim.cache_clear()
