"""Whole columns of distinct tasks settled in threads; what is left is for the judge.

Tasks of one chain, text and scheme go together to the lane of the scheme's family
(``chains.signatures.lanes``), which binds what is beyond doubt and says nothing of the rest. A
verdict that comes from here is the one that ``judging`` would give.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib import import_module
from threading import Lock, Thread

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.bulk import Unavailable
from chains.model import Ownership
from chains.signatures import lanes
from chains.signatures.lanes import as_binary, as_lists
from crawler.examining.judging import LONGEST_DETAIL, VERDICTS, Meaning, Meanings, reason_of
from crawler.model import RowKind
from crawler.tables.columns import Numbers, distinct, members, numbers

FEWEST = 16
"""Tasks alike for which a lane is worth its start."""
_LABELS = ("kind", "exchange", "network", "asset", "type", "message", "scheme")

Settled = tuple[pa.RecordBatch, Numbers]
"""Verdicts (``VERDICTS``) and the places, among the tasks, of those that they are about."""


def make_ready() -> None:
    """Bring in the machine code while others read the list."""
    Thread(target=_bring_in).start()


def _bring_in() -> None:
    with contextlib.suppress(ImportError, Unavailable):  # said by whoever needs it
        lanes.bring_in()
        import_module("chains.bulk.tasks")


class QuickLane:
    """Settles tasks of one list; several threads may use it at once. ``note`` tells a person."""

    def __init__(self, meanings: Meanings, note: Callable[[str], None]) -> None:
        self._meanings = meanings
        self._note = note
        self._is_open = True
        self._closing = Lock()

    def settle(self, tasks: pa.RecordBatch) -> Settled:
        """Settle what is beyond doubt."""
        found: list[Settled] = []
        if self._is_open and tasks.num_rows >= FEWEST:
            try:
                found.extend(self._settled(tasks))
            except (ImportError, Unavailable) as error:
                self._close(error)
        verdicts = pa.Table.from_batches([batch for batch, _ in found], VERDICTS)
        places = [np.zeros(0, np.int64), *(places for _, places in found)]
        return one_batch(verdicts), np.concatenate(places)

    def _close(self, error: Exception) -> None:
        """Leave all tasks to the judge from now on, and say so once."""
        with self._closing:
            was_open, self._is_open = self._is_open, False
        if was_open:
            self._note(f"signatures are checked one by one, which takes longer: {error}")

    def _settled(self, tasks: pa.RecordBatch) -> Iterator[Settled]:
        for meaning, message, scheme, rows in self._alike(tasks):
            lane = lanes.lane((scheme,) if scheme else meaning.resolved.schemes)
            if lane is None or len(rows) < FEWEST:
                continue
            name, settle = lane
            for settled in settle(_signed(tasks, rows, meaning, message)):
                if len(settled.places):
                    yield _verdicts(settled, name, is_pinned=meaning.expected is not None)

    def _alike(self, tasks: pa.RecordBatch) -> Iterator[tuple[Meaning, str, str, Numbers]]:
        """Yield meaning, text and named scheme of tasks that share them, and where these are.

        Left out are tasks that the judge ends before it looks at a signature.
        """
        codes, firsts = distinct([tasks.column(name) for name in _LABELS])
        labels = tasks.select(_LABELS).take(pa.array(firsts)).to_pydict()
        number: dict[tuple[str, str, str], int] = {}
        meanings: list[Meaning] = []
        groups = np.full(len(firsts), -1, np.int64)
        for code, (kind, *names, message, scheme) in enumerate(zip(*labels.values(), strict=True)):
            meaning = self._meanings.of(*names)
            is_expected = meaning.expected is None or message in meaning.expected
            if kind != RowKind.MALFORMED and meaning.spec is not None and message and is_expected:
                key = (meaning.group, message, scheme)
                groups[code] = number.setdefault(key, len(number))
                meanings += [meaning] * (len(number) - len(meanings))
        places = members(groups[codes] + 1)[1:]
        for meaning, (_, message, scheme), rows in zip(meanings, number, places, strict=True):
            yield meaning, message, scheme, rows


def _signed(
    tasks: pa.RecordBatch, rows: Numbers, meaning: Meaning, message: str
) -> lanes.SignedAddresses:
    """Return the tasks at ``rows`` that carry signatures and name no owners."""
    if meaning.spec is None:
        raise ValueError("rows of a chain that is not known")
    if len(rows) < tasks.num_rows:
        tasks = tasks.take(pa.array(rows))
    signed = lanes.SignedAddresses(
        spec=meaning.spec,
        message=message,
        places=rows,
        addresses=tasks.column("address"),
        signatures=tasks.column("signatures"),
        scripts=tasks.column("script"),
        public_keys=tasks.column("public_key"),
    )
    unowned = numbers(pc.list_value_length(tasks.column("owners"))) == 0
    return signed.chosen(unowned & (signed.signature_counts() > 0))


def _verdicts(settled: lanes.Settled, scheme: str, *, is_pinned: bool) -> Settled:
    """Write out what ``judging`` would say of rows that are bound."""
    count = len(settled.places)
    nothing = as_lists(np.zeros((0, 0), np.uint8), np.zeros(count, np.int64))
    same = {
        "status": Ownership.BOUND.value,
        "reason": reason_of(Ownership.BOUND, settled.reason, is_pinned=is_pinned),
        "scheme": scheme,
        "detail": settled.detail[:LONGEST_DETAIL],
        "pinned": is_pinned,
        "asked": b"",
        "carried": False,
    }
    columns = {name: pa.repeat(pa.scalar(value), count) for name, value in same.items()}
    columns |= {
        "account": as_binary(settled.accounts),
        "keys": as_lists(settled.keys, settled.key_counts),
    }
    columns |= dict.fromkeys(("signers", "silent"), nothing.cast(pa.list_(pa.string())))
    arrays = [columns[name] for name in VERDICTS.names]
    return pa.RecordBatch.from_arrays(arrays, schema=VERDICTS), settled.places


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """Return a table in one piece."""
    whole = table.combine_chunks()
    return next(iter(whole.to_batches()), pa.RecordBatch.from_pylist([], table.schema))
