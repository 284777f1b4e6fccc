"""The answers that stand for one asset at one height, held close together, looked up by account.

Millions of them stay in memory until every row of a list was joined with its own; so what many have
in common (who answered, in which shard, why not) is kept once and named by a number, and accounts
lie packed. Answers come shard by shard; a table of them is made only of those that rows ask for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.packed import Packed, Places
from crawler.counting.proven import confirm
from crawler.crawling.answers import ANSWERS
from crawler.tables.columns import Numbers, distinct, numbers, whole

STORED = ("account", "subject", "units", "facts", "gap", "source", "method", "extract")
"""Columns of an answer that the ledger needs."""

STANDING = pa.schema(
    [
        *(ANSWERS.field(name) for name in STORED),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("attempt", pa.int32(), nullable=False),
    ]
)
"""The merged answers to all questions about one asset at one height."""

ANSWERED = pa.schema(
    [STANDING.field(name) for name in STANDING.names if name not in ("account", "facts")]
)
"""What the ledger takes from an answer."""

SHARED = ("gap", "source", "method", "shard", "attempt")
"""What many answers have in common."""
BLOCK = 1 << 18
"""Answers, at least, that are put together."""

_Small = np.ndarray[tuple[int], np.dtype[np.int32]]


class _Block(msgspec.Struct, frozen=True):
    """Answers about accounts of one length, ascending; ``shared`` are numbers of what is common.

    ``subjects`` has the other accounts that the chain resolved, ``None`` where there are none.
    """

    accounts: Packed
    units: pa.Array
    shared: _Small
    extracts: _Small
    subjects: pa.Array | None

    def part(self, places: Places) -> _Block:
        """Return the answers at some places."""
        rows = pa.array(places)
        return _Block(
            self.accounts.take(places),
            self.units.take(rows),
            self.shared[places],
            self.extracts[places],
            None if self.subjects is None else self.subjects.take(rows),
        )


def _together(blocks: Sequence[_Block]) -> _Block:
    if len(blocks) == 1:
        return blocks[0]
    subjects: pa.Array | None = None
    if any(one.subjects is not None for one in blocks):
        subjects = pa.concat_arrays(
            [
                pa.nulls(len(one.accounts), pa.binary()) if one.subjects is None else one.subjects
                for one in blocks
            ]
        )
    return _Block(
        Packed.concatenated([one.accounts for one in blocks]),
        pa.concat_arrays([one.units for one in blocks]),
        np.concatenate([one.shared for one in blocks]),
        np.concatenate([one.extracts for one in blocks]),
        subjects,
    )


class _SameLength:
    """The answers about accounts of one length, in blocks that ascend one behind the other."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._pending: list[_Block] = []
        self._firsts: Packed | None = None

    def add(self, block: _Block) -> None:
        """Put answers behind the others."""
        self._firsts = None
        self._pending.append(block)
        if sum(len(one.accounts) for one in self._pending) >= BLOCK:
            self._settle()

    def find(self, accounts: Packed) -> tuple[Places, _Block | None]:
        """Return which of ``accounts`` have an answer, and these answers in the same order."""
        firsts = self._ordered() if self._firsts is None else self._firsts
        number = firsts.floors_of(accounts)
        rows: list[Places] = []
        found: list[_Block] = []
        for i in np.unique(number[number >= 0]).tolist():
            here = np.flatnonzero(number == i)
            places = self._blocks[i].accounts.places_of(accounts.take(here))
            rows.append(here[places >= 0])
            found.append(self._blocks[i].part(places[places >= 0]))
        if not found:
            return np.zeros(0, np.int64), None
        return np.concatenate(rows), _together(found)

    def remove(self, accounts: Packed) -> None:
        """Take out the answers about these accounts."""
        gone = Packed.distinct([accounts])
        self._ordered()
        kept = []
        for block in self._blocks:
            places = np.flatnonzero(gone.places_of(block.accounts) < 0)
            if len(places):
                kept.append(block.part(places))
        self._blocks, self._firsts = kept, None

    def _settle(self) -> None:
        if self._pending:
            self._blocks.append(_together(self._pending))
            self._pending = []

    def _ordered(self) -> Packed:
        """Make sure that blocks ascend, and return the first account of each.

        Shards are cut from ascending accounts; where captured answers were mixed in they are not.
        """
        self._settle()
        ends = Packed.of([one.accounts[i] for one in self._blocks for i in (0, -1)])
        if not (ends.is_ascending and all(one.accounts.is_ascending for one in self._blocks)):
            mixed = _together(self._blocks)
            order = pc.array_sort_indices(mixed.accounts.to_arrow())
            self._blocks = [mixed.part(np.asarray(order, np.int64))]
        self._firsts = Packed.of([one.accounts[0] for one in self._blocks])
        return self._firsts


class Standing:
    """All answers about one asset at one height."""

    def __init__(self) -> None:
        self._by_length: dict[int, _SameLength] = defaultdict(_SameLength)
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._columns: list[pa.Array] | None = None

    def add(self, table: pa.Table) -> None:
        """Take in answers (``STANDING``) about accounts that no other answer is about."""
        if not table.num_rows:
            return
        self._columns = None
        codes, firsts = distinct([table[name] for name in SHARED])
        rows = zip(*(table[name].take(firsts).to_pylist() for name in SHARED), strict=True)
        known = [self._numbers.setdefault(row, len(self._numbers)) for row in rows]
        accounts = Packed.from_arrow(table["account"])
        subjects: pa.Array | None = None
        if not whole(table["subject"]).equals(whole(table["account"])):
            other = pc.not_equal(table["subject"], table["account"])
            subjects = whole(pc.if_else(other, table["subject"], None))
        block = _Block(
            accounts,
            whole(table["units"]),
            np.asarray(known, np.int32)[codes],
            numbers(table["extract"]).astype(np.int32),
            subjects,
        )
        for length, places in _lengths(accounts):
            self._by_length[length].add(block if places is None else block.part(places))

    def confirm(self, proofs: pa.Table, *, coin: bool) -> None:
        """Let proofs (``STANDING``) decide about the balances that were read, see ``confirm``."""
        accounts = whole(proofs["account"])
        places, answers = self.answers(accounts)
        told = {name: answers[name] for name in ANSWERED.names}
        told["account"] = accounts.take(pa.array(places))
        told["facts"] = pa.array([""] * len(places), pa.string())
        read = pa.table({name: told[name] for name in STANDING.names}, schema=STANDING)
        self._remove(Packed.from_arrow(read["account"]))
        self.add(confirm(read, proofs, coin=coin))

    def _remove(self, accounts: Packed) -> None:
        for length, own in _lengths(accounts):
            self._by_length[length].remove(accounts if own is None else accounts.take(own))

    def answers(self, accounts: pa.Array) -> tuple[Numbers, pa.Table]:
        """Return the places of the accounts that have an answer, and the answers (``ANSWERED``)."""
        wanted = Packed.from_arrow(accounts)
        places: list[Numbers] = []
        tables = [ANSWERED.empty_table()]
        for length, own in _lengths(wanted):
            if length not in self._by_length:
                continue
            asked = wanted if own is None else wanted.take(own)
            rows, block = self._by_length[length].find(asked)
            if block is not None:
                places.append(rows if own is None else own[rows])
                tables.append(self._table(block))
        return np.concatenate([np.zeros(0, np.int64), *places]), pa.concat_tables(tables)

    def _table(self, block: _Block) -> pa.Table:
        if self._columns is None:
            columns = zip(*self._numbers, strict=True)
            self._columns = [
                pa.array(list(column), STANDING.field(name).type)
                for name, column in zip(SHARED, columns, strict=True)
            ]
        subject = block.accounts.to_arrow()
        if block.subjects is not None:
            subject = pc.coalesce(block.subjects, subject)
        shared = pa.array(block.shared)
        found = dict(zip(SHARED, (one.take(shared) for one in self._columns), strict=True))
        found |= {"subject": subject, "units": block.units, "extract": pa.array(block.extracts)}
        return pa.table({name: found[name] for name in ANSWERED.names}, schema=ANSWERED)


def _lengths(accounts: Packed) -> list[tuple[int, Places | None]]:
    """Return the lengths of accounts with the places of each, ``None``: all."""
    if accounts.width is not None:
        return [(accounts.width, None)] if len(accounts) else []
    lengths = accounts.lengths
    return [(one, np.flatnonzero(lengths == one)) for one in np.unique(lengths).tolist()]
