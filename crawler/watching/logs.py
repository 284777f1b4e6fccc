"""What stderr says: text for people, or one JSON object a line for whoever collects logs.

The texts are those that people see: endpoints appear by name, never by URL or header.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

EVERY_S = 5.0
"""Progress of a stage is told at most this often."""


class LogFormat(StrEnum):
    """How stderr is written."""

    TEXT = "text"
    JSON = "json"


class Stderr:
    """One process' stderr. Text until told otherwise."""

    def __init__(self) -> None:
        self.form = LogFormat.TEXT
        self.run = ""

    def reset(self) -> None:
        """Go back to text."""
        self.form, self.run = LogFormat.TEXT, ""

    def say(self, text: str, event: str = "note") -> None:
        """Write one line for a person, or the same as an event."""
        if self.form is LogFormat.JSON:
            self.event(event, text=text)
        else:
            sys.stderr.write(text + "\n")

    def event(self, event: str, **fields: object) -> None:
        """Write one JSON line; in text nothing is written."""
        if self.form is LogFormat.JSON:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"time": at, "run": self.run, "event": event, **fields}
            sys.stderr.write(_encoded(line) + "\n")
            sys.stderr.flush()


STDERR = Stderr()


class JsonLines:
    """Implements ``watching.progress.Progress`` as events ``begin``, ``progress`` and ``note``."""

    def __init__(self) -> None:
        self._stages: dict[str, tuple[int, int | None, float]] = {}

    def begin(self, stage: str, total: int | None) -> None:
        """Tell of a new stage, or of one that starts again."""
        self._stages[stage] = (0, total, time.monotonic())
        STDERR.event("begin", stage=stage, total=total)

    def advance(self, stage: str, count: int) -> None:
        """Tell how far a stage is: when it is complete, and now and then before."""
        done, total, told = self._stages[stage]
        done += count
        now = time.monotonic()
        if done == total or now - told >= EVERY_S:
            STDERR.event("progress", stage=stage, done=done, total=total)
            told = now
        self._stages[stage] = (done, total, told)

    def note(self, text: str) -> None:
        """Tell one line."""
        STDERR.event("note", text=text)


def _encoded(line: dict[str, object]) -> str:
    try:
        return msgspec.json.encode(line).decode()
    except UnicodeEncodeError:
        safe = {
            key: value.encode("utf-8", "backslashreplace").decode()
            if isinstance(value, str)
            else value
            for key, value in line.items()
        }
        return msgspec.json.encode(safe).decode()
