"""Claims to canonical rows and signature results, in bulk.

Whole columns are dealt with here: labels are resolved, amounts turned into base units and heights
read once for each distinct text. Rows that must be judged alike (same chain, address, text,
signatures, keys) become one task; tasks go in small parts to worker processes, which decode
addresses and check signatures (``judging``). The same task is not done again within the list,
however far apart its rows lie. Two batches come back for each batch of claims: the claims with what
they mean (``EXAMINED``) and the signature results (``SIGNATURES``). The work is offline and
deterministic; results keep the order of the list.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from hashlib import blake2b

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.judging import (
    LONGEST_DETAIL,
    TASKS,
    UNKNOWN_DECIMALS,
    VERDICTS,
    Judge,
    Meaning,
    Meanings,
    Reading,
    start_worker,
    work,
)
from crawler.lists.amounts import amounts_to_units
from crawler.model import CLAIMS, RowKind

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
    ]
)
"""What the signatures of each row show; final but for control on chain."""

TASKS_A_PART = 1024
"""Tasks that a worker gets at a time: some tens of milliseconds."""
AHEAD = 3
"""Batches of the list under work at a time, besides one for each process."""
REMEMBERED = 1 << 20
"""Distinct tasks whose verdicts are kept at a time, about 300 bytes each."""
_TEXT, _ELEMENT = "\x1f", "\x1e"
"""They part texts, and elements of lists, in the keys of tasks."""
_KEY = ("scheme", "address", "message", "signatures", "script", "public_key", "owners")

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


def examine(
    batches: Iterable[pa.RecordBatch], reading: Reading, *, processes: int | None = None
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield (``EXAMINED``, ``SIGNATURES``) for each batch of claims, in order."""
    processes = processes or os.cpu_count() or 1
    examiner = Examiner(reading)
    source = iter(batches)
    first = next(source, None)
    if first is None:
        return
    second = next(source, None)
    if second is None or processes == 1:
        yield examiner.examine(first)
        if second is not None:
            yield examiner.examine(second)
        yield from map(examiner.examine, source)
        return
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=start_worker,
        initargs=(msgspec.json.encode(reading),),
    ) as pool:
        for _ in range(processes):
            pool.submit(work, pa.RecordBatch.from_pylist([], TASKS))  # they start meanwhile
        waiting: deque[tuple[_Part, list[Future[pa.RecordBatch]]]] = deque()

        def send(batch: pa.RecordBatch) -> None:
            part = examiner.begin(batch)
            slices = [
                part.tasks.slice(at, TASKS_A_PART)
                for at in range(0, part.tasks.num_rows, TASKS_A_PART)
            ]
            waiting.append((part, [pool.submit(work, tasks) for tasks in slices]))

        send(first)
        send(second)
        for batch in source:
            send(batch)
            if len(waiting) > processes + AHEAD:
                yield _collect(examiner, *waiting.popleft())
        while waiting:
            yield _collect(examiner, *waiting.popleft())


def _collect(
    examiner: Examiner, part: _Part, futures: Sequence[Future[pa.RecordBatch]]
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    return examiner.finish(part, _one_batch([future.result() for future in futures]))


class _Results:
    """The verdicts of one batch's tasks, once they are known."""

    def __init__(self) -> None:
        self.verdicts: pa.RecordBatch | None = None


class _Part(msgspec.Struct, frozen=True):
    """A batch of claims on its way: its meaning, its tasks, and where its verdicts will be.

    ``sources`` are the results that its rows rest on, the last being its own. Row i rests on
    verdict ``position[distinct[i]]`` of source ``source[distinct[i]]``.
    """

    batch: pa.RecordBatch
    meant: list[pa.Array]
    tasks: pa.RecordBatch
    sources: list[_Results]
    source: Numbers
    position: Numbers
    distinct: Numbers


class Examiner:
    """Examines the batches of one list, in their order."""

    def __init__(self, reading: Reading) -> None:
        self._meanings = Meanings(reading)
        self._judge = Judge(self._meanings)
        self._known: dict[bytes, tuple[_Results, int]] = {}

    def examine(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Examine one batch of ``CLAIMS`` in this process."""
        part = self.begin(batch)
        return self.finish(part, self._judge.judge(part.tasks))

    def begin(self, batch: pa.RecordBatch) -> _Part:
        """Find out what the rows mean and which tasks they bring that are new."""
        codes, meanings = self._meant(batch)
        groups = pa.array([meaning.group for meaning in meanings], pa.string()).take(codes)
        keys, distinct, firsts = _tasks(batch, groups)
        own = _Results()
        sources: dict[int, tuple[int, _Results]] = {}
        found: list[tuple[_Results, int]] = []
        rows: list[int] = []
        if len(self._known) > REMEMBERED:
            self._known.clear()
        for key, row in zip(keys, firsts.tolist(), strict=True):
            known = self._known.get(key) if key is not None else None
            if known is None:
                known = (own, len(rows))
                rows.append(row)
                if key is not None:
                    self._known[key] = known
            found.append(known)
        for results, _ in found:
            if results is not own and id(results) not in sources:
                sources[id(results)] = (len(sources), results)
        sources[id(own)] = (len(sources), own)
        return _Part(
            batch=batch,
            meant=self._columns(batch, codes, meanings),
            tasks=batch.select(TASKS.names).take(pa.array(rows, pa.int64())),
            sources=[results for _, results in sources.values()],
            source=np.array([sources[id(results)][0] for results, _ in found], np.int64),
            position=np.array([position for _, position in found], np.int64),
            distinct=distinct,
        )

    def finish(
        self, part: _Part, verdicts: pa.RecordBatch
    ) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Put the verdicts of the part's tasks beside its rows; parts finish in their order."""
        part.sources[-1].verdicts = verdicts
        of_rows = _gathered(part)
        account, *judged = of_rows.columns
        *meant, units, heights = part.meant
        examined = pa.RecordBatch.from_arrays(
            [*part.batch.columns, *meant, account, units, heights], schema=EXAMINED
        )
        signed = pa.RecordBatch.from_arrays([part.batch.column("row"), *judged], schema=SIGNATURES)
        return examined, signed

    def _meant(self, batch: pa.RecordBatch) -> tuple[pa.Array, list[Meaning]]:
        """Return the distinct meanings, and each row's number among them."""
        names = ("exchange", "network", "asset", "type")
        codes, firsts = _distinct([batch.column(name) for name in names])
        labels = batch.select(names).take(pa.array(firsts))
        texts = zip(*(column.to_pylist() for column in labels.columns), strict=True)
        return pa.array(codes), [self._meanings.of(*text) for text in texts]

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
            _units(batch.column("amount"), codes, [meaning.decimals for meaning in meanings]),
            self._heights(batch, codes, meanings),
        ]

    def _heights(self, batch: pa.RecordBatch, codes: pa.Array, meanings: list[Meaning]) -> pa.Array:
        numbers, firsts = _distinct([batch.column("height"), codes])
        names = ("height", "network", "asset")
        texts = batch.select(names).take(pa.array(firsts)).to_pydict()
        of_firsts = [meanings[code] for code in codes.take(pa.array(firsts)).to_pylist()]
        columns = (texts[name] for name in names)
        found = [self._meanings.height(*row) for row in zip(*columns, of_firsts, strict=True)]
        return pa.array(found, pa.int64()).take(pa.array(numbers))


MOST_UNITS = str(2**256 - 1)
"""No account of any chain holds more base units of anything; a claim beyond is no amount."""


def _units(amounts: pa.Array, codes: pa.Array, decimals: Sequence[int]) -> pa.Array:
    """Turn each amount into base units at the decimals of its row's meaning."""
    scales = np.array(decimals, np.int64)[codes.to_numpy(zero_copy_only=False)]
    present = np.unique(scales).tolist()
    if len(present) == 1:
        return _possible(amounts_to_units(amounts, present[0]))
    rows = [np.flatnonzero(scales == scale) for scale in present]
    parts = [
        amounts_to_units(amounts.take(pa.array(chosen)), scale)
        for chosen, scale in zip(rows, present, strict=True)
    ]
    order = pa.array(np.argsort(np.concatenate(rows)))
    return _possible(pa.concat_arrays(parts).take(order))


def _possible(units: pa.Array) -> pa.Array:
    """Leave out amounts beyond ``MOST_UNITS``; texts of one length compare as numbers do."""
    length, longest = pc.binary_length(units), len(MOST_UNITS)
    short = pc.less(length, longest)
    if pc.all(short).as_py():
        return units
    fits = pc.or_(short, pc.and_(pc.equal(length, longest), pc.less_equal(units, MOST_UNITS)))
    return pc.if_else(fits, units, pa.scalar(None, pa.string()))


def _tasks(batch: pa.RecordBatch, groups: pa.Array) -> tuple[list[bytes | None], Numbers, Numbers]:
    """Return the distinct tasks' keys, each row's number among them, and their first rows.

    A key is a digest of all texts on which the verdict rests. Malformed rows, and rows whose
    texts hold the characters that part texts in keys, are tasks of their own without a key.
    """
    columns = [batch.column(name) for name in _KEY]
    texts = [
        pc.binary_join(column, _ELEMENT) if pa.types.is_list(column.type) else column
        for column in columns
    ]
    joined = pc.binary_join_element_wise(groups, *texts, _TEXT)
    elements = sum(
        pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).clip(1) - 1
        for column in columns
        if pa.types.is_list(column.type)
    )
    regular = _count(joined, _TEXT) == len(_KEY)
    regular &= _count(joined, _ELEMENT) == elements
    regular &= pc.not_equal(batch.column("kind"), RowKind.MALFORMED.value).to_numpy(
        zero_copy_only=False
    )
    encoded = joined.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    alone = np.flatnonzero(~regular)
    codes[alone] = len(encoded.dictionary) + np.arange(len(alone))
    present, firsts, distinct = np.unique(codes, return_index=True, return_inverse=True)
    digest = partial(blake2b, digest_size=16)
    shared = present[present < len(encoded.dictionary)]
    used = encoded.dictionary.take(pa.array(shared)).cast(pa.binary())
    keys: list[bytes | None] = [digest(text).digest() for text in used.to_pylist()]
    keys += [None] * len(alone)
    return keys, distinct, firsts


def _count(texts: pa.Array, character: str) -> Numbers:
    """Count a character in each text; -1 where there is no text."""
    found = pc.fill_null(pc.count_substring(texts, character), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _distinct(columns: Sequence[pa.Array]) -> tuple[Numbers, Numbers]:
    """Return each row's number among the distinct rows of several columns, and their firsts."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        encoded = column.dictionary_encode()
        own = encoded.indices.to_numpy(zero_copy_only=False)
        codes = codes * max(1, len(encoded.dictionary)) + own
        _, codes = np.unique(codes, return_inverse=True)
    _, firsts, codes = np.unique(codes, return_index=True, return_inverse=True)
    return codes, firsts


def _gathered(part: _Part) -> pa.RecordBatch:
    """Return the verdict of each row."""
    pieces, places = [], []
    for number, results in enumerate(part.sources):
        if results.verdicts is None:
            raise RuntimeError("a part was finished before one that it rests on")
        chosen = np.flatnonzero(part.source == number)
        pieces.append(results.verdicts.take(pa.array(part.position[chosen])))
        places.append(chosen)
    at = np.argsort(np.concatenate(places))
    return _one_batch(pieces).take(pa.array(at[part.distinct]))


def _one_batch(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Join batches of ``VERDICTS`` into one."""
    whole = pa.Table.from_batches(batches, VERDICTS).combine_chunks()
    return next(iter(whole.to_batches()), pa.RecordBatch.from_pylist([], VERDICTS))
