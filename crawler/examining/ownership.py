"""Claims to canonical rows and signature results, in bulk.

Whole columns are dealt with here: labels are resolved, amounts turned into base units and heights
read once for each distinct text. Rows that must be judged alike (same chain, address, text,
signatures, keys) become one task (``known``); the same task is not done again within the list,
however far apart its rows lie. Tasks of long lists are settled in threads where they are plain
(``quick``); the others are judged one by one (``judging``), in processes where they are many. Two
batches come back for each batch of claims: the claims with what they mean (``EXAMINED``) and the
signature results (``SIGNATURES``). The work is offline and deterministic; results keep the order
of the list.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.examining.earlier import Earlier
from crawler.examining.judges import Judging, Pending, on_this_machine
from crawler.examining.judging import (
    LONGEST_DETAIL,
    TASKS,
    UNKNOWN_DECIMALS,
    VERDICTS,
    Judge,
    Meaning,
    Meanings,
    Reading,
)
from crawler.examining.known import KnownTasks, OneByOne, for_long_list
from crawler.examining.quick import one_batch
from crawler.lists.amounts import amounts_to_units
from crawler.model import CLAIMS
from crawler.tables.columns import Numbers, distinct

__all__ = [
    "EXAMINED",
    "LONGEST_DETAIL",
    "SIGNATURES",
    "UNKNOWN_DECIMALS",
    "Examiner",
    "Reading",
    "examine",
]

EXAMINED = pa.schema(
    [
        *CLAIMS,
        pa.field("chain", pa.string(), nullable=False),  # CAIP-2, "" where unknown
        pa.field("asset_id", pa.string(), nullable=False),  # CAIP-19, "" where unknown
        pa.field("counts_as", pa.string(), nullable=False),  # coin; the label where unknown
        pa.field("asset_class", pa.string(), nullable=False),  # "unknown" where unknown
        pa.field("decimals", pa.int16(), nullable=False),
        pa.field(
            "account", pa.binary(), nullable=False
        ),  # canonical bytes, empty where undecodable
        pa.field("units", pa.string(), nullable=True),  # claimed base units; null: no usable amount
        pa.field("at_height", pa.int64(), nullable=True),
    ]
)
"""``CLAIMS`` and what each row means."""

SIGNATURES = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("scheme", pa.string(), nullable=False),
        pa.field("keys", pa.list_(pa.binary()), nullable=False),
        pa.field("signers", pa.list_(pa.string()), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("pinned", pa.bool_(), nullable=False),  # the text is one that was expected
        pa.field("silent", pa.list_(pa.string()), nullable=False),  # named, cannot sign
        pa.field("asked", pa.binary(), nullable=False),  # a question to a contract, or empty
        pa.field("carried", pa.bool_(), nullable=False),  # found out by an earlier run
    ]
)
"""What the signatures of each row show; final but for control on chain."""

TASKS_A_PART = 4096
"""Tasks that a thread, or a worker of a cluster, settles at a time: some tenths of a second."""
TASKS_AHEAD, BATCHES_AHEAD = 1 << 16, 16
"""What is begun at most before the first of it is finished: some seconds of work."""
REMEMBERED = 1 << 20
"""Distinct tasks whose verdicts are kept at a time, about 300 bytes each."""
_POSITION_BITS = 24
_POSITION = (1 << _POSITION_BITS) - 1
"""A verdict is named by one number: that of its batch, and in these bits its position there."""


def examine(
    batches: Iterable[pa.RecordBatch],
    reading: Reading,
    *,
    processes: int | None = None,
    note: Callable[[str], None] = lambda _: None,
    earlier: Earlier | None = None,
    judges: AbstractContextManager[Judging] | None = None,
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield (``EXAMINED``, ``SIGNATURES``) for each batch of claims, in order.

    ``processes`` is how many cores to use. ``note`` is told what a person should know. What
    ``earlier`` knows is not judged again. ``judges`` work instead of this machine.
    """
    processes = processes or os.cpu_count() or 1
    source = iter(batches)
    first = next(source, None)
    if first is None:
        return
    second = next(source, None)
    if second is None and earlier is None and judges is None:
        yield Examiner(reading).examine(first)
        return
    begun = (first,) if second is None else (first, second)
    examiner = Examiner(reading, for_long_list)
    with judges or on_this_machine(reading, processes, note) as at_work:
        judging = at_work if earlier is None else earlier.before(at_work)
        waiting: deque[_Sent] = deque()
        for batch in chain(begun, source):
            waiting.append(_send(judging, examiner.begin(batch)))
            for sent in waiting:
                sent.hand_on(wait=False)
            while waiting[0].is_done() or _is_much(waiting):
                yield _collect(examiner, waiting.popleft())
                if not waiting:
                    break
        while waiting:
            for sent in waiting:
                sent.hand_on(wait=False)
            yield _collect(examiner, waiting.popleft())


class _Sent(msgspec.Struct, frozen=True):
    """A batch whose tasks are being settled and judged."""

    part: _Part
    slices: Sequence[Pending]

    def is_done(self) -> bool:
        """Tell whether all its verdicts are there."""
        return all(one.is_done() for one in self.slices)

    def hand_on(self, *, wait: bool) -> None:
        """Let its slices take their next step (``Pending``)."""
        for one in self.slices:
            one.hand_on(wait=wait)


def _send(judging: Judging, part: _Part) -> _Sent:
    starts = range(0, part.tasks.num_rows, TASKS_A_PART)
    return _Sent(part, [judging(part.tasks.slice(at, TASKS_A_PART)) for at in starts])


def _is_much(waiting: Sequence[_Sent]) -> bool:
    """Tell whether enough is under way to keep the threads busy."""
    tasks = sum(sent.part.tasks.num_rows for sent in waiting)
    return tasks > TASKS_AHEAD or len(waiting) > BATCHES_AHEAD


def _collect(examiner: Examiner, sent: _Sent) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    sent.hand_on(wait=True)
    found = [one.verdicts() for one in sent.slices]
    return examiner.finish(sent.part, one_batch(pa.Table.from_batches(found, VERDICTS)))


class _Results:
    """The verdicts of one batch's tasks, once they are known."""

    def __init__(self) -> None:
        self.verdicts: pa.RecordBatch | None = None


class _Part(msgspec.Struct, frozen=True):
    """A batch of claims on its way: its meaning, its tasks, and where its verdicts will be.

    ``results`` are its own; ``sources`` those on which its rows rest, by number; ``verdicts``
    names each row's verdict: the number of its source, then its position there.
    """

    batch: pa.RecordBatch
    meant: list[pa.Array]
    tasks: pa.RecordBatch
    results: _Results
    sources: Mapping[int, _Results]
    verdicts: Numbers


class Examiner:
    """Examines the batches of one list, in their order."""

    def __init__(self, reading: Reading, known: Callable[[], KnownTasks] = OneByOne) -> None:
        """``known`` makes what tells new tasks from those that were there before."""
        self.meanings = Meanings(reading)
        self.judge = Judge(self.meanings).judge
        self._new_known, self._known = known, known()
        self._groups: dict[str, int] = {}
        self._results: list[_Results] = []

    def examine(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Examine one batch of ``CLAIMS`` in this process."""
        part = self.begin(batch)
        return self.finish(part, self.judge(part.tasks))

    def begin(self, batch: pa.RecordBatch) -> _Part:
        """Find out what the rows mean and which tasks they bring that are new."""
        codes, meanings = self._meant(batch)
        own = len(self._results) << _POSITION_BITS
        self._results.append(_Results())
        if len(self._known) > REMEMBERED:
            self._known = self._new_known()
            self._results = [*[_Results()] * (len(self._results) - 1), self._results[-1]]
        groups = [self._groups.setdefault(one.group, len(self._groups)) for one in meanings]
        resting, is_new = self._known.number(batch, np.array(groups)[codes], own)
        tasks = batch.select(TASKS.names)
        if not is_new.all():
            tasks = tasks.take(pa.array(np.flatnonzero(is_new)))
        numbers = np.unique(resting >> _POSITION_BITS).tolist()
        return _Part(
            batch=batch,
            meant=self._columns(batch, pa.array(codes), meanings),
            tasks=tasks,
            results=self._results[-1],
            sources={number: self._results[number] for number in numbers},
            verdicts=resting,
        )

    def finish(
        self, part: _Part, verdicts: pa.RecordBatch
    ) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Put the verdicts of the part's tasks beside its rows; parts finish in their order."""
        part.results.verdicts = verdicts
        of_rows = _gathered(part)
        account, *judged = of_rows.columns
        *meant, units, heights = part.meant
        examined = pa.RecordBatch.from_arrays(
            [*part.batch.columns, *meant, account, units, heights], schema=EXAMINED
        )
        signed = pa.RecordBatch.from_arrays([part.batch.column("row"), *judged], schema=SIGNATURES)
        return examined, signed

    def _meant(self, batch: pa.RecordBatch) -> tuple[Numbers, list[Meaning]]:
        """Return the distinct meanings, and each row's number among them."""
        names = ("exchange", "network", "asset", "type")
        codes, firsts = distinct([batch.column(name) for name in names])
        labels = batch.select(names).take(pa.array(firsts))
        texts = zip(*(column.to_pylist() for column in labels.columns), strict=True)
        return codes, [self.meanings.of(*text) for text in texts]

    def _columns(
        self, batch: pa.RecordBatch, codes: pa.Array, meanings: list[Meaning]
    ) -> list[pa.Array]:
        """Return the columns of ``EXAMINED`` behind ``CLAIMS``, save the account."""

        def spread(values: Sequence[object], kind: pa.DataType) -> pa.Array:
            return pa.array(values, kind).take(codes)

        return [
            spread([meaning.resolved.chain or "" for meaning in meanings], pa.string()),
            spread([meaning.resolved.asset or "" for meaning in meanings], pa.string()),
            spread([meaning.counts_as for meaning in meanings], pa.string()),
            spread([meaning.asset_class for meaning in meanings], pa.string()),
            spread([meaning.decimals for meaning in meanings], pa.int16()),
            _units(batch.column("amount"), codes, meanings),
            self._heights(batch, codes, meanings),
        ]

    def _heights(self, batch: pa.RecordBatch, codes: pa.Array, meanings: list[Meaning]) -> pa.Array:
        numbers, firsts = distinct([batch.column("height"), codes])
        names = ("height", "network", "asset")
        texts = batch.select(names).take(pa.array(firsts)).to_pydict()
        of_firsts = [meanings[code] for code in codes.take(pa.array(firsts)).to_pylist()]
        columns = (texts[name] for name in names)
        found = [self.meanings.height(*row) for row in zip(*columns, of_firsts, strict=True)]
        return pa.array(found, pa.int64()).take(pa.array(numbers))


def _units(amounts: pa.Array, codes: pa.Array, meanings: Sequence[Meaning]) -> pa.Array:
    """Turn each amount into base units at the decimals of its row's meaning.

    Null stands for a text that is no amount, and for more than can exist.
    """
    found = [(meaning.decimals, meaning.most) for meaning in meanings]
    present = sorted(set(found))
    if len(present) <= 1:
        return _possible(amounts, *(present or [(0, 0)])[0])
    place = {scale: at for at, scale in enumerate(present)}
    scales = np.array([place[scale] for scale in found], np.int64)
    scales = scales[codes.to_numpy(zero_copy_only=False)]
    rows = [np.flatnonzero(scales == at) for at in range(len(present))]
    parts = [
        _possible(amounts.take(pa.array(chosen)), *scale)
        for chosen, scale in zip(rows, present, strict=True)
    ]
    order = pa.array(np.argsort(np.concatenate(rows)))
    return pa.concat_arrays(parts).take(order)


def _possible(amounts: pa.Array, decimals: int, most: int) -> pa.Array:
    """Turn amounts into units up to ``most``; texts of one length compare as numbers do."""
    units = amounts_to_units(amounts, decimals)
    length, longest = pc.binary_length(units), len(str(most))
    short = pc.less(length, longest)
    if pc.all(short).as_py():
        return units
    fits = pc.or_(short, pc.and_(pc.equal(length, longest), pc.less_equal(units, str(most))))
    return pc.if_else(fits, units, pa.scalar(None, pa.string()))


def _gathered(part: _Part) -> pa.RecordBatch:
    """Return the verdict of each row."""
    numbers, positions = part.verdicts >> _POSITION_BITS, part.verdicts & _POSITION
    own = part.results.verdicts
    if own is not None and part.tasks.num_rows == part.batch.num_rows:
        return own
    offsets: dict[int, int] = {}
    pieces: list[pa.RecordBatch] = []
    for number, results in part.sources.items():
        if results.verdicts is None:
            raise RuntimeError("a part was finished before one that it rests on")
        chosen = np.unique(positions[numbers == number])
        offsets[number] = sum(piece.num_rows for piece in pieces)
        positions[numbers == number] = np.searchsorted(chosen, positions[numbers == number])
        pieces.append(results.verdicts.take(pa.array(chosen)))
    starts = np.array([offsets[number] for number in part.sources], np.int64)
    order = np.searchsorted(np.array(list(part.sources), np.int64), numbers)
    return one_batch(pa.Table.from_batches(pieces, VERDICTS)).take(
        pa.array(starts[order] + positions)
    )
