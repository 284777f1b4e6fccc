"""Small files of a run that somebody changed: each is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.crawling.circumstances import CIRCUMSTANCES, stored_circumstances
from crawler.errors import EnvironmentFault
from crawler.examining import earlier
from crawler.jobs import stored_inputs
from crawler.keeping.runs import FORMAT, INPUTS, Manifest, RunDirectory

pytestmark = pytest.mark.unit

NONSENSE = (b"", b"{", b"\xff", b'{"x":' + b"[" * 3000, b'[{"x":' + b"[" * 3000)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    empty = Manifest(
        format=FORMAT, run="r", started="", versions={}, inputs={}, options={}, config_sha256=""
    )
    (tmp_path / "inputs").mkdir()
    return RunDirectory(tmp_path, empty)


@pytest.mark.parametrize(
    ("file", "read"),
    [
        (INPUTS, stored_inputs),
        (INPUTS, earlier._exchange),
        (CIRCUMSTANCES, stored_circumstances),
    ],
    ids=["inputs", "inputs of an earlier run", "circumstances"],
)
@pytest.mark.parametrize("content", NONSENSE, ids=lambda content: repr(content[:12]))
def test_nonsense_is_a_fault_that_names_the_file(
    run: RunDirectory, file: str, read: Callable[[RunDirectory], object], content: bytes
) -> None:
    (run.path / file).write_bytes(content)
    with pytest.raises(EnvironmentFault, match=file):
        read(run)
