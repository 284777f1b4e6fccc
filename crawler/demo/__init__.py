"""``recount demo``: the whole job on a small made-up exchange with planted faults.

Everything is real but the exchange: a list in OKX's format with real signatures, simulated nodes
on loopback sockets in a process of their own, the same run that a user would make. At the end the
planted faults are compared with what the report names: each must be there, and nothing else.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from chains.simulated.anvil import INSTALL, find_anvil
from crawler import jobs, sources
from crawler.demo import inputs
from crawler.demo.exchange import Planted
from crawler.demo.making import WIDE_FROM
from crawler.demo.serving import Serving
from crawler.errors import EnvironmentFault, UsageError
from crawler.result import Report
from crawler.watching.progress import Progress

CHANGED = "recount's own files changed while the demo ran; nodes and findings may not fit together"
_SAME = (
    "import runpy, sys; sys.path[:] = {path!r}; "
    "runpy.run_module('crawler.demo', run_name='__main__')"
)
"""What the nodes' process executes: ``python -m`` would look into the working directory first."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's end: the report, and each planted fault with whether it was named."""

    report: Report
    path: Path
    named: tuple[tuple[str, str, bool], ...]
    unexpected: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every planted fault was named, and nothing else."""
        return all(found for _, _, found in self.named) and not self.unexpected

    def text(self) -> str:
        """Say it."""
        lines = ["", "Planted faults, and how the report names them:"]
        lines += [
            f"  {'named  ' if found else 'MISSING'}  {what} → {code}"
            for what, code, found in self.named
        ]
        lines += [f"  UNEXPECTED  {code}" for code in self.unexpected]
        count = sum(found for _, _, found in self.named)
        lines.append(
            f"{count} of {len(self.named)} planted faults named, "
            f"{len(self.unexpected)} others. Report: {self.path / 'report.html'}"
        )
        return "\n".join(lines) + "\n"


def run(
    *, rows: int, path: Path | None, keep: bool, progress: Progress, anvil: bool | None = None
) -> Shown:
    """Make the exchange, start its nodes, recount it, compare.

    ``anvil``: Ethereum is served by anvil; ``None``: in a large demo where it is installed.
    """
    if anvil is None:
        anvil = rows >= WIDE_FROM and find_anvil() is not None
    elif anvil and find_anvil() is None:
        raise UsageError(f"anvil is not installed: {INSTALL}")
    target = path or _free_path(Path("runs"))
    with contextlib.ExitStack() as stack:
        directory = target.with_name(f"{target.name}-inputs")
        if keep:
            if directory.is_dir() and any(directory.iterdir()):
                raise UsageError(f"{directory} is not empty; choose another --run directory")
            directory.mkdir(parents=True, exist_ok=True)
        else:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recount-")))
        progress.begin("made-up list", rows)
        made = stack.enter_context(serving(rows, directory, anvil=anvil))
        progress.advance("made-up list", rows)
        report = jobs.start(inputs.options(directory), target, progress)
    named, unexpected = compare(made, report)
    if sources.digest() != made.code:  # parts of it are loaded when they are first needed
        unexpected += (CHANGED,)
    return Shown(report=report, path=target, named=named, unexpected=unexpected)


def compare(
    made: Serving, report: Report
) -> tuple[tuple[tuple[str, str, bool], ...], tuple[str, ...]]:
    """Compare what was planted with what the report names, rows included."""
    named: dict[str, set[int]] = {
        finding.code: set(finding.rows)
        for finding in report.result.findings
        if finding.about != "note"
    }
    troubles = {
        (line.name, code)
        for line in report.circumstances.endpoints
        for code in (*line.troubles, *([line.rejected] if line.rejected else []))
    }
    found = tuple(
        (planted.what, planted.code, _is_named(planted, made.first_row, named, troubles))
        for planted in made.planted
    )
    codes = {planted.code for planted in made.planted}
    expected_troubles = {(p.endpoint, p.code) for p in made.planted if p.endpoint}
    unexpected = sorted(set(named) - codes)
    unexpected += sorted(f"{name}: {code}" for name, code in troubles - expected_troubles)
    return found, tuple(unexpected)


def _is_named(
    planted: Planted, first_row: int, named: dict[str, set[int]], troubles: set[tuple[str, str]]
) -> bool:
    if planted.endpoint:
        return (planted.endpoint, planted.code) in troubles
    return named.get(planted.code) == {first_row + row for row in planted.rows}


@contextlib.contextmanager
def serving(
    rows: int, directory: Path, *, delay_s: float = 0.0, anvil: bool = False
) -> Iterator[Serving]:
    """Make the exchange and run its nodes in processes of their own while the block lasts.

    The nodes are of the recount that this process runs, wherever it was started: what another
    version of them answers would be read as faults of the nodes, or of the list.
    """
    options = [str(rows), str(directory), str(delay_s), "anvil" if anvil else "simulated"]
    command = [sys.executable, "-c", _SAME.format(path=sys.path), *options]
    with subprocess.Popen(  # noqa: S603 - our own module, no shell
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise EnvironmentFault("the demo's nodes did not start; see the message above")
            made = msgspec.json.decode(line, type=Serving)
            if made.code != sources.digest():
                raise EnvironmentFault(f"{CHANGED}; start it again")
            yield made
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(timeout=30)


def _free_path(root: Path) -> Path:
    number = 1
    while any((root / f"demo-{number}{more}").exists() for more in ("", "-inputs")):
        number += 1
    return root / f"demo-{number}"
