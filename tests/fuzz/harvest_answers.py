"""Writes ``fixtures/answers``: what the tests of the adapters decode, as fuzzing seeds.

A plugin of pytest, for whoever adds a decoder with its tests:
``python -m pytest -p tests.fuzz.harvest_answers tests/integration tests/unit``. Of each adapter it
keeps the shortest extracts, those of before among them, that between them enter every function and
give every kind of answer that any of them did.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import iter_modules
from types import FrameType
from typing import Any, NamedTuple

import msgspec
import pytest

from chains import adapters
from chains.accounts import AccountAdapter
from chains.model import Answers, ChainSpec, Extract, Gap, Questions, Snapshot
from tests.fuzz.further import FOLDER, Told

LONGEST = 60_000
ADAPTERS = str(Path(adapters.__file__).parent)


class Found(NamedTuple):
    """An extract as it is written down, and what decoding it came through."""

    line: bytes
    through: frozenset[Any]


_found: dict[str, dict[bytes, Found]] = {}
_within: list[None] = []


@contextmanager
def _watched(entered: set[Any]) -> Iterator[None]:
    def look(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(ADAPTERS):
            entered.add((code.co_filename, code.co_firstlineno))

    before = sys.getprofile()
    sys.setprofile(look)
    _within.append(None)
    try:
        yield
    finally:
        _within.pop()
        sys.setprofile(before)


def _outcomes(questions: Questions, answers: Answers) -> Iterator[Any]:
    """Yield what an extract came to, in kinds."""
    namespace = questions.asset.partition("/")[2].partition(":")[0]
    for _, one in answers.each(questions):
        if isinstance(one, Gap):
            yield questions.kind, namespace, "gap", one.reason
            continue
        yield questions.kind, namespace, answers.method
        yield from ((questions.kind, namespace, part.kind, part.counted) for part in one.parts)
        facts = msgspec.json.decode(one.facts or "{}")
        for way in facts.get("ways", ()) if isinstance(facts, dict) else ():
            yield questions.kind, way.get("kind"), bool(way.get("nested"))


def _spec(adapter: Any) -> ChainSpec:
    found: ChainSpec = adapter.spec if hasattr(adapter, "spec") else adapter._spec
    return found


def _keep(
    spec: ChainSpec, asked: Questions, extract: Extract, at: Snapshot, answers: Answers
) -> None:
    told = Told(
        spec=spec,
        at=at,
        kind=asked.kind,
        asset=asked.asset,
        accounts=tuple(asked.accounts[position] for position in extract.positions),
        decoder=extract.decoder,
        exchanges=extract.exchanges,
    )
    line = msgspec.json.encode(told)
    if len(line) <= LONGEST:
        _look_at(spec.adapter, line, answers)


def _look_at(adapter: str, line: bytes, answers: Answers | None = None) -> None:
    """Decode what is to be written down once more; keep it where that gives the same."""
    kept = _found.setdefault(adapter, {})
    if line in kept:
        return
    told = msgspec.json.decode(line, type=Told)
    entered: set[Any] = set()
    try:
        with _watched(entered):
            found = told.answers(told.exchanges)
    except Exception:  # noqa: BLE001 - a test may have changed the adapter
        return
    if answers is None or list(found.units) == list(answers.units):
        kept[line] = Found(line, frozenset((*entered, *_outcomes(told.questions, found))))


def _watch(cls: type) -> None:
    decode = cls.decode  # type: ignore[attr-defined]

    def watched(self: Any, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        answers: Answers = decode(self, questions, extract, at)
        spec = _spec(self)
        if not _within and extract.exchanges and type(self) is adapters.load(spec.adapter):
            _keep(spec, questions, extract, at, answers)
        return answers

    cls.decode = watched  # type: ignore[attr-defined]


for _module in iter_modules(adapters.__path__):
    _class = adapters.load(_module.name)
    if "decode" in vars(_class):
        _watch(_class)
_watch(AccountAdapter)


def pytest_sessionfinish(session: pytest.Session) -> None:
    del session
    FOLDER.mkdir(exist_ok=True)
    for name, found in _found.items():
        file = FOLDER / f"{name}.jsonl"
        for line in file.read_bytes().splitlines() if file.exists() else ():
            _look_at(name, line)
        known: set[Any] = set()
        lines = []
        for one in sorted(found.values(), key=lambda one: (len(one.line), one.line)):
            if not one.through <= known:
                known |= one.through
                lines.append(one.line + b"\n")
        file.write_bytes(b"".join(lines))
