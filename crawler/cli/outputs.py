"""What a command writes where the user says never replaces what the same command reads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from chains.errors import ConfigError
from crawler.endpoints import PUBLIC, load_endpoints
from crawler.errors import RecountError, UsageError
from crawler.inputs import Options
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import RunPlace


def keep_apart(option: str, outputs: Sequence[Path], given: Sequence[Options]) -> None:
    """Raise ``UsageError`` where an output is an input, or lies in a directory that is one.

    A link to an input is the input. What ``recount doctor`` found before is not among the inputs:
    it is there to be found anew.
    """
    inputs = dict.fromkeys(path for options in given for path in _inputs(options))
    for output in outputs:
        for path in inputs:
            if _is_or_lies_in(output, path):
                raise UsageError(
                    f"{option} {output} would overwrite {path}, which this command reads; "
                    "name another file"
                )


def given_before(run: RunPlace) -> list[Options]:
    """Return what a run was given when it began; nothing where that cannot be read."""
    try:
        options = RunDirectory.open(run, lock=False).manifest.options
        return [msgspec.convert(options, Options)]
    except (RecountError, ValueError):
        return []


def _inputs(options: Options) -> Iterator[str]:
    endpoints = "" if options.endpoints == PUBLIC else options.endpoints
    yield from filter(
        None,
        (
            *(options.list_path, *options.companions, *options.config, options.policy, endpoints),
            *(options.liabilities, options.statement, options.heights, options.messages),
            *(*options.captured, options.earlier),
        ),
    )
    if endpoints:
        yield from _dumps(Path(endpoints))


def _dumps(endpoints: Path) -> Iterator[str]:
    """Yield the files that an endpoints file names; what is wrong with it is told elsewhere."""
    with contextlib.suppress(ConfigError):
        for spec in load_endpoints(endpoints, os.environ):
            parts = urlsplit(spec.resolved_url())
            if parts.scheme == "file":
                yield unquote(parts.path)


def _is_or_lies_in(output: Path, given: str) -> bool:
    try:
        if Path(os.path.realpath(output)).is_relative_to(os.path.realpath(given)):
            return True
        return output.samefile(given)
    except (OSError, ValueError):  # one of them is not there
        return False
