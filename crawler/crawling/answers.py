"""Answers on disk: one Parquet row per question and attempt, and how attempts merge.

An Observation supersedes a Gap; of two Gaps the later stands; two unequal Observations of one
question stop the run, because one of them is wrong and nothing tells which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from chains.model import Answers, Gap, Part, PartKind, Questions, Source
from chains.packed import Packed
from chains.words import Words
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import RunDirectory, shard_name
from crawler.keeping.storage import AlreadyThere
from crawler.tables.columns import empty_texts

ANSWERS = pa.schema(
    [
        pa.field("position", pa.int32(), nullable=False),  # within the shard
        pa.field("account", pa.binary(), nullable=False),
        pa.field("subject", pa.binary(), nullable=False),  # as the chain resolved it
        pa.field("units", pa.string(), nullable=True),  # base units; null exactly with a gap
        pa.field("parts", pa.string(), nullable=False),  # JSON, "" = one liquid part
        pa.field("facts", pa.string(), nullable=False),  # JSON, "" = none
        pa.field("source", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("gap", pa.string(), nullable=False),  # reason, "" = Observation
        pa.field("retryable", pa.bool_(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("extract", pa.int32(), nullable=False),  # line in the evidence pack, -1 = none
    ]
)

ALIKE = ("parts", "facts", "source", "method", "endpoint", "gap", "detail", "extract")
"""Columns that hold few different values."""

T = TypeVar("T")


class Place(msgspec.Struct, frozen=True):
    """Where an answer lies: shard, attempt, and line of the attempt's evidence pack."""

    shard: str
    attempt: int
    extract: int


_parts = msgspec.json.Encoder()


class _Units:
    """The units of one attempt by position: decimal texts, null where there are none.

    Words that are put one behind the other are written out in one step, by whoever takes the
    column: that is the thread that stores it, while the next answers arrive.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._runs: dict[int, Words] = {}
        self._texts: list[str | None] = []

    def put(self, start: int, texts: Sequence[str | None] | Words) -> None:
        """Put texts at the places from ``start``."""
        if isinstance(texts, Words) and not self._texts:
            self._runs[start] = texts
        else:
            self._written_out()[start : start + len(texts)] = _as_list(texts)

    def text(self, position: int) -> str | None:
        """Return what stands at one place."""
        return self._written_out()[position]

    def column(self) -> pa.Array:
        """Return all of it as one column."""
        runs = [self._runs[start] for start in sorted(self._runs)]
        if not self._texts and runs and sum(map(len, runs)) == self._count:
            return pa.concat_arrays([run.texts() for run in runs])
        return pa.array(self._written_out(), pa.string())

    def _written_out(self) -> list[str | None]:
        if not self._texts:
            self._texts = [None] * self._count
            for start, words in self._runs.items():
                self._texts[start : start + len(words)] = _as_list(words)
            self._runs = {}
        return self._texts


def _texts_of(units: Sequence[int | None], gaps: dict[int, Gap]) -> Sequence[str | None] | Words:
    """Write units in decimal, nothing where there is a gap; what has neither gets a gap."""
    if isinstance(units, Words) and not gaps:
        return units
    texts = [None if one is None else str(one) for one in units]
    for i, text in enumerate(texts):
        if text is None:
            gaps.setdefault(i, Gap("adapter-error", detail="neither units nor a gap"))
    for i in gaps:
        texts[i] = None
    return texts


def _as_list(texts: Sequence[str | None] | Words) -> Sequence[str | None]:
    return texts.texts().to_pylist() if isinstance(texts, Words) else texts


def _counted(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts of which a balance is made; none where it is all liquid."""
    if not parts:
        return ()
    found = tuple(part for part in parts if part.counted)
    return () if [part.kind for part in found] == [PartKind.LIQUID] else found


class AnswerColumns:
    """Collects the answers of one attempt, in any order, each position once."""

    def __init__(
        self, positions: Sequence[int], redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._redact = redact
        count = len(positions)
        self._positions = positions
        self._units = _Units(count)
        self._gaps: dict[int, Gap] = {}
        self._extract = np.full(count, -1, np.int32)
        self._done = bytearray(count)
        self._subjects: dict[int, bytes] = {}
        self._parts: dict[int, tuple[Part, ...]] = {}
        self._facts: dict[int, str] = {}
        self._origins: dict[tuple[str, str, str], int] = {("", "", ""): 0}
        self._origin = np.zeros(count, np.int32)  # by its number in ``_origins``

    @property
    def may_be_asked_again(self) -> bool:
        """Whether a position has a Gap that may pass."""
        return any(gap.retryable for gap in self._gaps.values())

    def add(self, answers: Answers, extract: int) -> None:
        """Take in the answers of one extract; raises ``EnvironmentFault`` for a second answer."""
        positions = answers.positions
        gaps = {i: gap for i, gap in answers.gaps.items() if 0 <= i < len(positions)}
        self._place(positions, _texts_of(answers.units, gaps))
        where = _places(positions)
        self._extract[where] = extract
        origin = (answers.source.value, answers.method.value, answers.endpoint)
        self._origin[where] = self._origin_number(origin)
        self._gaps.update(_placed(gaps, positions))
        self._subjects.update(_placed(answers.subjects, positions))
        self._parts.update(_placed(answers.parts, positions))
        self._facts.update(_placed(answers.facts, positions))

    def _place(self, positions: Sequence[int], texts: Sequence[str | None] | Words) -> None:
        """Put the units into their places, a run of positions at once."""
        count = len(positions)
        if count and positions[-1] - positions[0] == count - 1 and _are_in_turn(positions):
            places = slice(positions[0], positions[0] + count)
            if self._done.find(1, places.start, places.stop) < 0:
                self._done[places] = b"\1" * count
                self._units.put(places.start, texts)
                return
        for position, text in zip(positions, _as_list(texts), strict=True):
            if self._done[position]:
                raise EnvironmentFault(f"the adapter answered position {position} twice")
            self._done[position] = 1
            self._units.put(position, [text])

    def _origin_number(self, origin: tuple[str, str, str]) -> int:
        return self._origins.setdefault(origin, len(self._origins))

    def fill(self, gap: Gap) -> None:
        """Give every position that has no answer yet this Gap."""
        position = self._done.find(0)
        while position >= 0:
            self._done[position] = 1
            self._gaps[position] = gap
            position = self._done.find(0, position + 1)

    def restore(self, stored: pa.Table) -> None:
        """Take over the stored Gaps that rest on no exchange (nobody could be asked)."""
        columns = ("extract", "gap", "retryable", "detail")
        values = zip(*(stored[name].to_pylist() for name in columns), strict=True)
        for position, (extract, reason, retryable, detail) in enumerate(values):
            if extract < 0 and self._extract[position] < 0 and reason:
                self._gaps[position] = Gap(reason, retryable, detail)

    def confirm(self, witness: AnswerColumns) -> None:
        """Compare with a witness: equal answers become ``quorum``, unequal ones a Gap."""
        own, others = list(self._origins), list(witness._origins)
        for position in range(len(self._positions)):
            if position in self._gaps or position in witness._gaps:
                continue
            _, method, endpoint = own[self._origin[position]]
            other = others[witness._origin[position]][2]
            if self._said(position) == witness._said(position):
                both = (Source.QUORUM.value, method, f"{endpoint}+{other}")
                self._origin[position] = self._origin_number(both)
            else:
                self._gaps[position] = Gap(
                    "witness-disagrees",
                    detail=f"{endpoint}: {self._units.text(position)}, "
                    f"{other}: {witness._units.text(position)}",
                )
                self._units.put(position, [None])

    def _said(self, position: int) -> tuple[object, ...]:
        """Everything that two endpoints must agree on: all that counts."""
        return (
            self._units.text(position),
            self._facts.get(position),
            self._subjects.get(position),
            _counted(self._parts.get(position, ())),
        )

    def table(self, asked: Questions) -> pa.Table:
        """Return the attempt as a table in position order."""
        accounts = Packed.of(asked.accounts).to_arrow()
        origins = [pa.array(column, pa.string()) for column in zip(*self._origins, strict=True)]
        source, method, endpoint = (column.take(pa.array(self._origin)) for column in origins)
        parts = {i: _parts.encode(found).decode() for i, found in self._parts.items()}
        gaps = self._gaps
        columns = {
            "position": pa.array(_numbers(self._positions)),
            "account": accounts,
            "subject": self._subject_column(asked.accounts) if self._subjects else accounts,
            "units": self._units.column(),
            "parts": self._texts(parts),
            "facts": self._texts(self._facts),
            "source": source,
            "method": method,
            "endpoint": endpoint,
            "gap": self._texts({i: gap.reason for i, gap in gaps.items()}),
            "retryable": self._retryable(),
            "detail": self._texts({i: self._redact(gap.detail) for i, gap in gaps.items()}),
            "extract": pa.array(self._extract),
        }
        return pa.table(columns, schema=ANSWERS)

    def _subject_column(self, accounts: Sequence[bytes]) -> pa.Array:
        subjects = list(accounts)
        for position, subject in self._subjects.items():
            subjects[position] = subject
        return pa.array(subjects, pa.binary())

    def _texts(self, sparse: Mapping[int, str]) -> pa.Array:
        """Make a column of few texts, empty where there is none."""
        count = len(self._positions)
        if not sparse:
            return empty_texts(count)
        texts = [""] * count
        for position, text in sparse.items():
            texts[position] = text
        return pa.array(texts, pa.string())

    def _retryable(self) -> pa.Array:
        flags = np.zeros(len(self._positions), np.bool_)
        flags[[position for position, gap in self._gaps.items() if gap.retryable]] = True
        return pa.array(flags)


def _places(positions: Sequence[int]) -> slice | np.ndarray[Any, np.dtype[np.int32]]:
    """Return what names these places of a column, a run of them in one step."""
    if isinstance(positions, range) and positions.step == 1:
        return slice(positions.start, positions.stop)
    return _numbers(positions)


def _numbers(positions: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int32]]:
    if isinstance(positions, range):  # not number by number
        return np.arange(positions.start, positions.stop, positions.step, dtype=np.int32)
    return np.asarray(positions, np.int32)


def _placed(sparse: Mapping[int, T], positions: Sequence[int]) -> Mapping[int, T]:
    """Key what is said of the i-th answer by its position."""
    return {positions[i]: value for i, value in sparse.items()}


def _are_in_turn(positions: Sequence[int]) -> bool:
    """Tell whether positions, whose ends fit, follow each other."""
    if isinstance(positions, range):
        return positions.step == 1
    return list(positions) == list(range(positions[0], positions[0] + len(positions)))


class MergedShard(msgspec.Struct, frozen=True):
    """The standing answer of each position of a shard, and which attempt gave it."""

    table: pa.Table
    attempts: Sequence[int]

    def open_positions(self, count: int) -> list[int]:
        """Positions without an answer, or with a Gap that may be asked again."""
        retryable = self.table["retryable"].to_pylist()
        known = set(self.table["position"].to_pylist())
        again = [
            position
            for position, retry in zip(self.table["position"].to_pylist(), retryable, strict=True)
            if retry
        ]
        return sorted([*again, *(p for p in range(count) if p not in known)])


def read_shard(run: RunDirectory, digest: str) -> MergedShard | None:
    """Merge the attempts of a shard; ``None`` when there is none yet."""
    attempts = run.attempts(digest)
    if not attempts:
        return None
    names = [shard_name(digest, attempt) for attempt in attempts]
    tables = [run.read_table(name, schema=ANSWERS) for name in names]
    return merge(tables, attempts, digest)


def keep_answers(run: RunDirectory, digest: str, attempt: int, table: pa.Table) -> bool:
    """Store the answers of an attempt, unless another machine has stored its own before.

    Tells whether these were stored. Raises ``EnvironmentFault`` where the two observed different
    things.
    """
    name = shard_name(digest, attempt)
    try:
        run.create_table(name, table, alike=ALIKE)
    except AlreadyThere:
        agree(run.read_table(name, schema=ANSWERS), table, attempt, digest)
        return False
    return True


def agree(first: pa.Table, second: pa.Table, attempt: int, digest: str) -> None:
    """Raise ``EnvironmentFault`` where two that made the same attempt observed different things."""
    merge([first, second], [attempt, attempt], digest)


def merge(tables: Sequence[pa.Table], attempts: Sequence[int], digest: str) -> MergedShard:
    """Merge attempts, oldest first; raises ``EnvironmentFault`` for unequal Observations."""
    if len(tables) == 1:
        return MergedShard(tables[0], [attempts[0]] * tables[0].num_rows)
    standing: dict[int, tuple[int, int]] = {}
    columns = [
        (
            table["position"].to_pylist(),
            table["gap"].to_pylist(),
            list(zip(table["units"].to_pylist(), table["facts"].to_pylist(), strict=True)),
        )
        for table in tables
    ]
    for number, (positions, gaps, observed) in enumerate(columns):
        for i, position in enumerate(positions):
            before = standing.get(position)
            if before is not None and not columns[before[0]][1][before[1]]:
                earlier = columns[before[0]][2][before[1]]
                if not gaps[i] and observed[i] != earlier:
                    raise EnvironmentFault(
                        f"shard {digest[:12]}, question {position}: attempt "
                        f"{attempts[before[0]]} observed {_shown(earlier)} and attempt "
                        f"{attempts[number]} observed {_shown(observed[i])}; one of them is wrong. "
                        "Find out which endpoint is, remove it, and start a new run"
                    )
                continue
            standing[position] = (number, i)
    offsets = [0]
    for table in tables:
        offsets.append(offsets[-1] + table.num_rows)
    order = [standing[position] for position in sorted(standing)]
    whole = pa.concat_tables(tables)
    taken = whole.take(pa.array([offsets[number] + i for number, i in order], pa.int64()))
    return MergedShard(taken, [attempts[number] for number, _ in order])


def _shown(observed: tuple[str | None, str]) -> str:
    units, facts = observed
    return f"{units} {facts}".rstrip()
