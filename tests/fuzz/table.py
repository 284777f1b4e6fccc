"""The table of a campaign in ``docs/hostile-input.md``, between its two marks."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[2] / "docs/hostile-input.md"
BEGIN, END = "<!-- campaign -->", "<!-- end of campaign -->"
COLUMNS = 5
"""Of numbers, behind the name."""
ROW = re.compile(r"^\| `(.+)`" + r" \| ([\d,-]+)" * COLUMNS + r" \|$", re.MULTILINE)
HEAD = "| target | seeds | corpus | inputs | s | peak MiB |\n|---|---|---|---|---|---|\n"


class Line(NamedTuple):
    """What one target came to; a corpus of 0: not guided. ``seconds`` of processor time."""

    name: str
    seeds: int
    corpus: int
    inputs: int
    seconds: int
    peak: int


def text(lines: Sequence[Line], *, guided: bool) -> str:
    """Return what stands between the marks."""
    how = f"guided by atheris {version('atheris')}" if guided else "plain mutations"
    total = sum(line.inputs for line in lines)
    said = (
        f"{datetime.now(UTC):%Y-%m-%d}, {how}, Python {platform.python_version()}, a machine of "
        f"{os.cpu_count()} processors: {len(lines)} targets,\n{total:,} inputs. *s* is processor "
        "time, *corpus* what was kept for taking new branches.\n\n"
    )
    rows = (
        f"| `{one.name}` | {one.seeds} | {one.corpus or '-'} | {one.inputs:,} | {one.seconds} "
        f"| {one.peak} |\n"
        for one in lines
    )
    return said + HEAD + "".join(rows)


def joined(old: str, lines: Sequence[Line], names: Collection[str]) -> list[Line]:
    """Return the lines of a document's table, new ones in place of theirs, by ``names``."""
    known = {
        name: Line(name, *(int(number.replace(",", "").replace("-", "0")) for number in numbers))
        for name, *numbers in ROW.findall(old)
    }
    known |= {line.name: line for line in lines}
    return [known[name] for name in names if name in known]


def write(lines: Sequence[Line], names: Collection[str], *, guided: bool) -> None:
    """Put what a campaign came to into the document; targets that were not run keep their lines."""
    old = FILE.read_text(encoding="utf-8")
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*(?={re.escape(END)})", re.DOTALL)
    made = text(joined(old, lines, names), guided=guided)
    FILE.write_text(between.sub(lambda _: made, old), encoding="utf-8")
