"""Answers on disk: one Parquet row per question and attempt, and how attempts merge.

An Observation supersedes a Gap; of two Gaps the later stands; two unequal Observations of one
question stop the run, because one of them is wrong and nothing tells which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pyarrow as pa

from chains.model import Answers, Gap, Part, Questions, Source
from crawler.errors import EnvironmentFault
from crawler.runs import RunDirectory, shard_name
from crawler.storage import AlreadyThere

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


class Place(msgspec.Struct, frozen=True):
    """Where an answer lies: shard, attempt, and line of the attempt's evidence pack."""

    shard: str
    attempt: int
    extract: int


_parts = msgspec.json.Encoder()


class AnswerColumns:
    """Collects the answers of one attempt, in any order, each position once."""

    def __init__(
        self, positions: Sequence[int], redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._redact = redact
        count = len(positions)
        self._positions = list(positions)
        self._units: list[str | None] = [None] * count
        self._gaps: list[Gap | None] = [None] * count
        self._extract = [-1] * count
        self._done = bytearray(count)
        self._subjects: dict[int, bytes] = {}
        self._parts: dict[int, tuple[Part, ...]] = {}
        self._facts: dict[int, str] = {}
        self._origin: list[tuple[str, str, str]] = [("", "", "")] * count

    def add(self, answers: Answers, extract: int) -> None:
        """Take in the answers of one extract; raises ``EnvironmentFault`` for a second answer."""
        origin = (answers.source.value, answers.method.value, answers.endpoint)
        for i, position in enumerate(answers.positions):
            if self._done[position]:
                raise EnvironmentFault(f"the adapter answered position {position} twice")
            self._done[position] = 1
            self._extract[position] = extract
            self._origin[position] = origin
            units = answers.units[i]
            gap = answers.gaps.get(i)
            if gap is None and units is None:
                gap = Gap("adapter-error", detail="neither units nor a gap")
            self._gaps[position] = gap
            self._units[position] = None if gap is not None else str(units)
        for i, subject in answers.subjects.items():
            self._subjects[answers.positions[i]] = subject
        for i, parts in answers.parts.items():
            self._parts[answers.positions[i]] = parts
        for i, facts in answers.facts.items():
            self._facts[answers.positions[i]] = facts

    def fill(self, gap: Gap) -> None:
        """Give every position that has no answer yet this Gap."""
        for position, done in enumerate(self._done):
            if not done:
                self._done[position] = 1
                self._gaps[position] = gap

    def restore(self, stored: pa.Table) -> None:
        """Take over the stored Gaps that rest on no exchange (nobody could be asked)."""
        columns = ("extract", "gap", "retryable", "detail")
        values = zip(*(stored[name].to_pylist() for name in columns), strict=True)
        for position, (extract, reason, retryable, detail) in enumerate(values):
            if extract < 0 and self._extract[position] < 0 and reason:
                self._gaps[position] = Gap(reason, retryable, detail)

    def confirm(self, witness: AnswerColumns) -> None:
        """Compare with a witness: equal answers become ``quorum``, unequal ones a Gap."""
        for position, gap in enumerate(self._gaps):
            if gap is not None or witness._gaps[position] is not None:
                continue
            same = self._said(position) == witness._said(position)
            _, method, endpoint = self._origin[position]
            other = witness._origin[position][2]
            if same:
                self._origin[position] = (Source.QUORUM.value, method, f"{endpoint}+{other}")
            else:
                self._gaps[position] = Gap(
                    "witness-disagrees",
                    detail=f"{endpoint}: {self._units[position]}, "
                    f"{other}: {witness._units[position]}",
                )
                self._units[position] = None

    def _said(self, position: int) -> tuple[object, ...]:
        """Everything that two endpoints must agree on."""
        return (
            self._units[position],
            self._facts.get(position),
            self._subjects.get(position),
            self._parts.get(position),
        )

    def table(self, asked: Questions) -> pa.Table:
        """Return the attempt as a table in position order."""
        accounts = asked.accounts
        gaps = self._gaps
        subjects = list(accounts)
        for position, subject in self._subjects.items():
            subjects[position] = subject
        parts = [""] * len(accounts)
        for position, found in self._parts.items():
            parts[position] = _parts.encode(found).decode()
        facts = [""] * len(accounts)
        for position, text in self._facts.items():
            facts[position] = text
        return pa.Table.from_arrays(
            [
                pa.array(self._positions, pa.int32()),
                pa.array(accounts, pa.binary()),
                pa.array(subjects, pa.binary()),
                pa.array(self._units, pa.string()),
                pa.array(parts, pa.string()),
                pa.array(facts, pa.string()),
                pa.array([origin[0] for origin in self._origin], pa.string()),
                pa.array([origin[1] for origin in self._origin], pa.string()),
                pa.array([origin[2] for origin in self._origin], pa.string()),
                pa.array(["" if gap is None else gap.reason for gap in gaps], pa.string()),
                pa.array([gap is not None and gap.retryable for gap in gaps], pa.bool_()),
                pa.array(["" if g is None else self._redact(g.detail) for g in gaps], pa.string()),
                pa.array(self._extract, pa.int32()),
            ],
            schema=ANSWERS,
        )


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


def keep_answers(run: RunDirectory, digest: str, attempt: int, table: pa.Table) -> None:
    """Store the answers of an attempt, unless another machine has stored its own before.

    Raises ``EnvironmentFault`` where the two observed different things.
    """
    name = shard_name(digest, attempt)
    try:
        run.create_table(name, table)
    except AlreadyThere:
        agree(run.read_table(name, schema=ANSWERS), table, attempt, digest)


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
