"""Shows progress on stderr: a live view on a terminal, plain lines otherwise."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from crawler.watching.logs import EVERY_S, STDERR


class Live:
    """Implements ``crawler.watching.progress.Progress``. Use as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._tasks: dict[str, TaskID] = {}
        self._stages: dict[str, _Stage] = {}
        self._bars: Progress | None = None
        if self._console.is_terminal and not quiet:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, stage: str, total: int | None) -> None:
        """Show a new stage, or restart one with another total."""
        self._stages[stage] = _Stage(total)
        if self._bars is not None:
            self._tasks[stage] = self._bars.add_task(stage, total=total, rate="")

    def advance(self, stage: str, count: int) -> None:
        """Show that ``count`` more are done."""
        state = self._stages[stage]
        state.done += count
        if self._bars is not None:
            self._bars.update(self._tasks[stage], advance=count, rate=state.rate_text())
        elif state.due():
            self._console.print(f"{stage}: {state.text()}", highlight=False, markup=False)

    def note(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, highlight=False, markup=False)


class _Stage:
    """Counts of one stage."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.done = 0
        self._started = self._shown = time.monotonic()

    def due(self) -> bool:
        now = time.monotonic()
        if now - self._shown < EVERY_S:
            return False
        self._shown = now
        return True

    def rate_text(self) -> str:
        return f"{self._rate():,.0f}/s"

    def text(self) -> str:
        if self.total is None:
            return f"{self.done:,} ({self.rate_text()})"
        left = (self.total - self.done) / max(self._rate(), 1e-9)
        return f"{self.done:,} of {self.total:,} ({self.rate_text()}, {left:,.0f} s left)"

    def _rate(self) -> float:
        return self.done / max(time.monotonic() - self._started, 1e-9)


def err(text: str, event: str = "note") -> None:
    """Print one line to stderr; ``event`` is what it is where lines are JSON."""
    STDERR.say(text, event)
