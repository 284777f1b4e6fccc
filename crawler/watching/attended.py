"""Runs that nobody watches: their log, their stopwatch and what is left for monitoring."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from crawler.errors import EnvironmentFault, exit_code_of
from crawler.keeping.storage import RunPlace
from crawler.result import Report
from crawler.watching import metrics
from crawler.watching.live import Live, err
from crawler.watching.logs import STDERR, JsonLines, LogFormat
from crawler.watching.progress import Progress


class Stopwatch:
    """Passes progress on, and notes how long each stage took."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._began: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    def begin(self, stage: str, total: int | None) -> None:
        """Start the watch of a stage; one that begins again goes on."""
        self._began.setdefault(stage, time.monotonic())
        self.seconds.setdefault(stage, 0.0)
        self._progress.begin(stage, total)

    def advance(self, stage: str, count: int) -> None:
        """Take the time."""
        self.seconds[stage] = time.monotonic() - self._began[stage]
        self._progress.advance(stage, count)

    def note(self, text: str) -> None:
        """Pass one line on."""
        self._progress.note(text)


class Watched:
    """One run on its way to its report."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self._stages: dict[str, float] = {}
        self._began = time.monotonic()

    @contextlib.contextmanager
    def progress(self, run: RunPlace, *, quiet: bool) -> Iterator[Progress]:
        """Give where the work tells how far it is."""
        STDERR.run = run.name
        if STDERR.form is LogFormat.JSON and not quiet:
            watch = Stopwatch(JsonLines())
            self._stages = watch.seconds
            yield watch
            return
        with Live(quiet=quiet or STDERR.form is LogFormat.JSON) as live:
            watch = Stopwatch(live)
            self._stages = watch.seconds
            yield watch

    def tell(self, exit_code: int) -> None:
        """Tell, where stderr is JSON, that there is a report."""
        if self.report is not None:
            sentences = self.report.result.outcome.sentences
            STDERR.event("finished", exit_code=exit_code, sentences=sentences)

    def ending(self, exit_code: int) -> metrics.Ending:
        """Return how it ended, now."""
        return metrics.Ending(
            exit_code=exit_code,
            at=time.time(),
            seconds=time.monotonic() - self._began,
            stages=self._stages,
            report=self.report,
        )


@contextlib.contextmanager
def attended(log: LogFormat, file: Path | None) -> Iterator[Watched]:
    """Watch over a run: whatever happens, ``file`` says how it ended.

    Raises what the run raised, and ``EnvironmentFault`` where ``file`` cannot be written.
    """
    STDERR.form = log
    if file is not None:
        metrics.check(file)
    watched = Watched()
    try:
        yield watched
    except BaseException as error:
        code = exit_code_of(error)
        watched.tell(code)
        try:
            _leave(file, watched.ending(code))
        except EnvironmentFault as second:
            err(f"recount: {second}")
        raise
    if watched.report is not None:
        code = watched.report.result.outcome.exit_code
        watched.tell(code)
        _leave(file, watched.ending(code))


def _leave(file: Path | None, ending: metrics.Ending) -> None:
    if file is not None:
        metrics.write(file, ending)
