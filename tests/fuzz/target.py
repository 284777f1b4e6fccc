"""What a target is: bytes in, nothing out, an exception where a property does not hold."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LONGEST_S = 5.0
"""Processor time of one input, at most."""


class Target(NamedTuple):
    """One parser: its seeds, and what is done with bytes that were made of them.

    ``check`` raises where a property does not hold; what the parser is meant to raise it catches.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes], None]

    def timed(self, data: bytes) -> None:
        """Check one input; raises ``AssertionError`` where that takes too long."""
        began = time.process_time()
        self.check(data)
        took = time.process_time() - began
        assert took < LONGEST_S, f"{self.name}: {took:.1f} s for {len(data)} bytes"


_place: list[Path] = []


def place() -> Path:
    """Return a directory in memory for files that a parser wants to open, one per process."""
    if not _place:
        memory = "/dev/shm"
        parent = memory if Path(memory).is_dir() else None
        _place.append(Path(tempfile.mkdtemp(prefix="recount-fuzz-", dir=parent)))
    return _place[0]


def leave_place() -> None:
    """Remove that directory."""
    while _place:
        shutil.rmtree(_place.pop(), ignore_errors=True)


def file_with(data: bytes, name: str = "input") -> Path:
    """Write bytes to a file there."""
    path = place() / name
    path.write_bytes(data)
    return path


def split(data: bytes, count: int) -> tuple[int, bytes]:
    """Take the first byte as a choice among ``count``; the rest is the input."""
    return (data[0] % count if data else 0), data[1:]
