"""Which rows may count: repeats, conflicts, unusable amounts, signer rows.

Two rows are about the same thing when asset and account are the same *bytes*, in whatever
spelling; an address that does not decode is compared by its text. Equal amounts: the row with the
best proof of ownership counts, of several the first; every other one is ``repeat-of:N``. Unequal
amounts: every row of that account and asset is ``conflict:N``, N being another of them, whatever
their order. A row about an account that belongs to the account of row N, whose balance contains it,
is ``repeat-of:N`` whatever the amounts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.bulk import Halves
from crawler.model import RowKind, Validity
from crawler.tables.columns import (
    Column,
    Flags,
    Numbers,
    empty_texts,
    flags,
    members,
    numbers,
    whole,
)
from crawler.tables.digests import RowDigests, for_rows

_VALID, _SIGNER, _BAD, _REPEAT, _CONFLICT = range(5)
_TEXTS = pa.array(
    [
        Validity.VALID.value,
        Validity.SIGNER_ROW.value,
        Validity.BAD_AMOUNT.value,
        f"{Validity.REPEAT_OF.value}:",
        f"{Validity.CONFLICT.value}:",
    ]
)
_COMPARED = 1 << 20
"""Rows compared at a time, at least: whole groups."""


class Judged(msgspec.Struct, frozen=True):
    """The validity of every row of a list, in its order; rows of one group have one subject."""

    kinds: Numbers
    others: Numbers
    groups: Numbers

    def texts(self, start: int, count: int) -> pa.Array:
        """Return validity texts of ``count`` rows from ``start``."""
        kinds, others = (column[start : start + count] for column in (self.kinds, self.others))
        texts = _TEXTS.take(pa.array(kinds))
        named = kinds >= _REPEAT
        if not named.any():
            return texts
        row = pc.if_else(pa.array(named), pa.array(others).cast(pa.string()), "")
        return pc.binary_join_element_wise(texts, row, "")


class Subjects:
    """What each row is about, and what it claims: 33 bytes a row, however long the list."""

    def __init__(self) -> None:
        self._digest: RowDigests | None = None
        self._digests: list[Halves] = []
        self._rows: list[Numbers] = []
        self._claims: list[Numbers] = []
        self._kinds: list[Numbers] = []
        self._proofs: list[Numbers] = []
        self._contained: list[tuple[Numbers, Halves]] = []
        """Places of rows whose account belongs to another, and the subject of rows about that."""

    def add(
        self,
        claims: pa.Table,
        proofs: Sequence[int] | Numbers | None = None,
        holders: pa.Array | None = None,
    ) -> None:
        """Take in rows of ``ownership.EXAMINED``, accounts as the chain resolved them.

        Of equal rows the first with the best of ``proofs`` (small numbers, 0 for none) counts, so
        that neither a bare repeat nor one over a text that nobody expects hides a proof.
        ``holders`` are the accounts to whose balances the rows' own belong, null where that is
        nobody.
        """
        count = claims.num_rows
        kinds, units = whole(claims["kind"]), whole(claims["units"])
        is_signer = flags(pc.equal(kinds, RowKind.SIGNER.value))
        written = pc.not_equal(pc.utf8_trim_whitespace(whole(claims["amount"])), "")
        is_bad = flags(pc.equal(kinds, RowKind.MALFORMED.value))
        is_bad |= flags(pc.and_(pc.is_null(units), written))
        found = np.full(count, _VALID, np.int8)
        found[is_bad], found[is_signer] = _BAD, _SIGNER
        before = sum(map(len, self._kinds))
        self._kinds.append(found)
        self._rows.append(numbers(claims["row"]))
        if self._digest is None:
            self._digest = for_rows(count)
        if holders is not None:
            places = np.flatnonzero((found == _VALID) & flags(pc.is_valid(holders)))
            at = claims.schema.get_field_index("account")
            about = claims.set_column(at, "account", holders).take(pa.array(places))
            self._contained.append((places + before, self._digest(_subjects(about))))
        self._claims.append(_marks(units, self._digest))
        self._proofs.append(np.zeros(count, np.int8) if proofs is None else np.array(proofs, "i1"))
        self._digests.append(self._digest(_subjects(claims)))

    def judge(self) -> Judged:
        """Compare all rows; a row that claims no amount at all repeats one that does.

        What was taken in is given up: nothing can be added behind it.
        """
        kinds = np.concatenate([np.zeros(0, np.int8), *self._kinds])
        places, holding = zip(*self._contained, strict=True) if self._contained else ((), ())
        halves = np.concatenate([np.zeros((0, 2), np.int64), *self._digests, *holding])
        self._digests, self._kinds, self._contained = [], [], []
        numbered = groups(halves)
        del halves
        numbered, holders = numbered[: len(kinds)], numbered[len(kinds) :]
        judged = Judged(kinds, np.zeros(len(kinds), np.int64), numbered)
        normal = kinds == _VALID
        several = np.bincount(numbered[normal], minlength=numbered.max(initial=0) + 1) > 1
        self._compare(judged, np.flatnonzero(several[numbered] & normal))
        if places:
            self._contain(judged, np.concatenate(places), holders, normal)
        self._rows, self._claims, self._proofs = [], [], []
        return judged

    def _contain(self, judged: Judged, places: Numbers, holders: Numbers, normal: Flags) -> None:
        """Let rows repeat the row of their holder, if there is one; ``holders`` are its groups."""
        others = normal.copy()
        others[places] = False
        rows = np.flatnonzero(others)
        rows = rows[np.argsort(judged.kinds[rows] != _VALID, kind="stable")]  # what counts first
        known, firsts = np.unique(judged.groups[rows], return_index=True)
        at = np.minimum(np.searchsorted(known, holders), max(0, len(known) - 1))
        found = known[at] == holders if len(known) else np.zeros(len(holders), np.bool_)
        own, at = places[found], at[found]
        judged.kinds[own] = _REPEAT
        judged.groups[own] = known[at]
        lines = np.concatenate(self._rows)
        judged.others[own] = lines[rows[firsts[at]]]

    def _compare(self, judged: Judged, together: Numbers) -> None:
        """Judge the rows that are not alone in their group, some groups at a time."""
        together = together[np.argsort(judged.groups[together], kind="stable")]
        own = judged.groups[together]
        columns = [
            np.concatenate([np.zeros(0, np.int64), *column])
            for column in (self._rows, self._claims, self._proofs)
        ]
        start = 0
        while start < len(together):
            end = min(start + _COMPARED, len(together))
            end = int(np.searchsorted(own, own[end - 1], side="right"))
            self._compare_some(judged, together[start:end], columns)
            start = end

    def _compare_some(self, judged: Judged, together: Numbers, columns: list[Numbers]) -> None:
        rows, claims, proofs = (column[together].tolist() for column in columns)
        units = [claim or None for claim in claims]
        codes = np.unique(judged.groups[together], return_inverse=True)[1]
        for places in members(codes):
            own = places.tolist()
            ordered = sorted(own, key=lambda i: -proofs[i])
            first = next((i for i in ordered if units[i] is not None), ordered[0])
            for i, (kind, other) in _judge_group(own, first, units).items():
                judged.kinds[together[i]] = kind
                judged.others[together[i]] = rows[other]


def _marks(units: pa.Array, digests: RowDigests) -> Numbers:
    """Return numbers that are equal exactly for equal amounts, 0 for none."""
    marks = digests([pc.fill_null(units, "")])[:, 0].copy()
    marks[marks == 0] = 1
    marks[~flags(pc.is_valid(units))] = 0
    return marks


def groups(halves: Halves) -> Numbers:
    """Give equal digests, two halves each, the same number."""
    firsts, seconds = halves[:, 0], halves[:, 1]
    order = np.argsort(firsts)
    if (_steps(firsts, order) != _steps(firsts, order) | _steps(seconds, order)).any():
        order = np.lexsort((firsts, seconds))  # two digests that begin alike
    numbered = np.zeros(len(halves), np.int64)
    numbered[order] = np.cumsum(_steps(firsts, order) | _steps(seconds, order))
    return numbered


def _steps(column: Numbers, order: Numbers) -> Flags:
    """Tell where a number is another than the one before it."""
    ordered = column[order]
    changed = np.zeros(len(column), np.bool_)
    changed[1:] = ordered[1:] != ordered[:-1]
    return changed


def row_validity(
    claims: pa.Table, proofs: Sequence[int] | Numbers | None = None
) -> tuple[pa.Array, pa.Array]:
    """Return, per row of one table, its validity text and its group."""
    subjects = Subjects()
    subjects.add(claims, proofs)
    judged = subjects.judge()
    return judged.texts(0, claims.num_rows), pa.array(judged.groups)


def _judge_group(
    members: list[int], first: int, units: list[int | None]
) -> dict[int, tuple[int, int]]:
    """Return kind and other row of each member that is not simply valid.

    ``members`` are places in list order, ``first`` is the one that counts.
    """
    claiming = [i for i in members if units[i] is not None]
    if len({units[i] for i in claiming}) <= 1:
        return {i: (_REPEAT, first) for i in members if i != first}
    first = claiming[0]
    second = next(i for i in claiming if units[i] != units[first])
    found: dict[int, tuple[int, int]] = {}
    for i in members:
        if units[i] is None:
            found[i] = (_REPEAT, first)
        else:
            found[i] = (_CONFLICT, second if units[i] == units[first] else first)
    return found


def _subjects(claims: pa.Table) -> list[pa.Array]:
    """Return columns that are equal, together, exactly for rows about one asset and account.

    An asset that is not known is told by network and coin, an address that does not decode by its
    text; what is told otherwise is empty there.
    """
    unknown = pc.equal(claims["asset_id"], "")
    network = pc.if_else(pc.not_equal(claims["chain"], ""), claims["chain"], claims["network"])
    undecoded = pc.equal(pc.binary_length(claims["account"]), 0)
    return [
        whole(claims["asset_id"]),
        _only_where(unknown, network),
        _only_where(unknown, claims["counts_as"]),
        whole(claims["account"]),
        _only_where(undecoded, claims["address"]),
    ]


def _only_where(flag: Column, texts: Column) -> pa.Array:
    if not pc.any(flag).as_py():
        return empty_texts(len(texts))
    return whole(pc.if_else(flag, texts, ""))
