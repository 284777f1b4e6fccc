"""What was signed: which texts, how many rows rest on each, and whether a text says when.

An undated text can be replayed for ever: it shows that somebody once held the key. And what was
seen before, in an earlier month or in another exchange's list, is no fresh proof at all:
``Seen`` remembers signatures, keys and addresses of the lists that were read before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from crawler.result import MessageLine
from crawler.totals import Scales

MOST_TEXTS = 50
_DATES = (
    ("time", re.compile(r"\b1[0-9]{9}([0-9]{3})?\b|\b\d{1,2}:\d{2}(:\d{2})?\b")),
    ("date", re.compile(r"\b20\d{2}([-/.]?)(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])\b")),
    ("date", re.compile(r"\b(\d{1,2} )?[A-Z][a-z]{2,8},? (\d{1,2},? )?20\d{2}\b")),
    ("block", re.compile(r"\b(block|height)\D{0,10}\d{3,}|\b0{8,}[0-9a-f]{20,}\b", re.IGNORECASE)),
    ("year", re.compile(r"(?<!\d)20[12]\d(?!\d)")),
)
"""What in a text says when it was signed, the most exact first."""


def dated(text: str) -> str:
    """Say how a text is dated: ``time``, ``date``, ``block``, ``year`` or ``undated``."""
    return next((kind for kind, pattern in _DATES if pattern.search(text)), "undated")


def message_lines(
    messages: pa.ChunkedArray,
    schemes: pa.ChunkedArray,
    ledger: pa.Table,
    scale: Scales,
    expected: Sequence[str] | None,
) -> tuple[tuple[MessageLine, ...], int]:
    """Return the signed texts, most rows first, and how many texts are left out.

    The columns are in the order of ``ledger``. Rows without a signature that was checked
    (no scheme verified) are counted with the scheme ``""``.
    """
    signed = pa.table({"message": messages, "scheme": schemes, "coin": ledger["counts_as"]})
    groups: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
    for (text, scheme, coin), rows, claimed in _grouped(signed, ledger, scale):
        if text:
            groups.setdefault(text, {})[scheme, coin] = (rows, claimed)
    ordered = sorted(
        groups, key=lambda text: (-sum(rows for rows, _ in groups[text].values()), text)
    )
    lines = tuple(_line(text, groups[text], scale, expected) for text in ordered[:MOST_TEXTS])
    return lines, max(0, len(ordered) - MOST_TEXTS)


def _line(
    text: str,
    groups: Mapping[tuple[str, str], tuple[int, int]],
    scale: Scales,
    expected: Sequence[str] | None,
) -> MessageLine:
    forms: dict[str, int] = {}
    amounts: dict[str, int] = {}
    for (scheme, coin), (rows, claimed) in groups.items():
        forms[scheme or "not verified"] = forms.get(scheme or "not verified", 0) + rows
        amounts[coin] = amounts.get(coin, 0) + claimed
    return MessageLine(
        text=text[:200],
        dated=dated(text),
        expected=None if expected is None else text in expected,
        rows=sum(forms.values()),
        schemes=dict(sorted(forms.items())),
        claimed={coin: scale.text(coin, units) for coin, units in sorted(amounts.items())},
    )


def _grouped(
    signed: pa.Table, ledger: pa.Table, scale: Scales
) -> Iterator[tuple[tuple[str, str, str], int, int]]:
    """Yield ((text, scheme, coin), rows, claimed units at the coin's scale)."""
    codes = np.zeros(signed.num_rows, dtype=np.int64)
    names: list[list[str]] = []
    for column in signed.itercolumns():
        encoded = column.combine_chunks().dictionary_encode()
        names.append(encoded.dictionary.to_pylist())
        codes = codes * len(names[-1]) + encoded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    changes = np.diff(codes[order]) != 0
    starts = np.flatnonzero(np.r_[True, changes]).tolist() if len(order) else []
    claimed = ledger["claimed"].to_pylist()
    decimals = ledger["decimals"].to_pylist()
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        members = order[start:end].tolist()
        code = int(codes[members[0]])
        key: list[str] = []
        for values in reversed(names):
            code, position = divmod(code, len(values))
            key.append(values[position])
        coin = key[0]
        units = sum(
            int(claimed[i]) * 10 ** (scale.decimals[coin] - decimals[i])
            for i in members
            if claimed[i] is not None
        )
        yield (key[2], key[1], coin), len(members), units


class Reuse(msgspec.Struct, frozen=True, kw_only=True):
    """What one list shares with lists that were read before it.

    Counts are rows; ``oldest`` is the first list, in the order given, in which any of them stood.
    """

    list: str
    signatures: int
    keys: int
    addresses: int
    oldest: str


class Seen:
    """Signatures, keys and addresses of the lists read so far, as 16-byte digests."""

    KINDS = ("signatures", "keys", "addresses")

    def __init__(self) -> None:
        self._first: dict[str, dict[bytes, int]] = {kind: {} for kind in self.KINDS}
        self._lists: list[str] = []

    def add(self, name: str, rows: Iterable[Mapping[str, Sequence[bytes]]]) -> Reuse:
        """Take in a list; ``rows`` map each kind to what the row carries of it."""
        number = len(self._lists)
        self._lists.append(name)
        counts = dict.fromkeys(self.KINDS, 0)
        oldest = number
        for row in rows:
            for kind in self.KINDS:
                first = self._first[kind]
                again = False
                for value in row[kind]:
                    digest = hashlib.blake2b(value, digest_size=16).digest()
                    where = first.setdefault(digest, number)
                    if where < number:
                        again = True
                        oldest = min(oldest, where)
                counts[kind] += again
        return Reuse(list=name, oldest=self._lists[oldest] if oldest < number else "", **counts)
