"""What was signed: which texts, how many rows rest on each, and whether a text says when.

An undated text can be replayed for ever: it shows that somebody once held the key. And what was
seen before, in an earlier month or in another exchange's list, is no fresh proof at all:
``Seen`` remembers signatures, keys and addresses of the lists that were read before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.counting.reconciled import Scales
from crawler.counting.units import fraction_text
from crawler.model import RowKind
from crawler.result import MessageLine
from crawler.tables.columns import Column, distinct, sums, whole

MOST_TEXTS = 50
_DATES = (
    ("time", re.compile(r"(?<!\d)1[0-9]{9}([0-9]{3})?(?!\d)|\b\d{1,2}:\d{2}(:\d{2})?\b")),
    ("date", re.compile(r"\b20\d{2}([-/.]?)(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])\b")),
    ("date", re.compile(r"\b(\d{1,2} )?[A-Z][a-z]{2,8},? (\d{1,2},? )?20\d{2}\b")),
    ("block", re.compile(r"\b(block|height)\D{0,10}\d{3,}|\b0{8,}[0-9a-f]{20,}\b", re.IGNORECASE)),
    ("year", re.compile(r"(?<!\d)20[12]\d(?!\d)")),
)
"""What in a text says when it was signed, the most exact first."""


def dated(text: str) -> str:
    """Say how a text is dated: ``time``, ``date``, ``block``, ``year`` or ``undated``."""
    return next((kind for kind, pattern in _DATES if pattern.search(text)), "undated")


class SignedTexts:
    """Counts the signed texts of a list, part by part, with what rests on them."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, str, int], tuple[int, int]]] = {}

    def add(self, messages: Column, schemes: Column, ledger: pa.Table) -> None:
        """Take in a part; the columns are in the order of ``ledger``.

        Rows without a signature that was checked (no scheme verified) count under ``""``;
        malformed rows have no text that anybody signed.
        """
        unread = pc.equal(whole(ledger["kind"]), RowKind.MALFORMED.value)
        messages = pc.if_else(unread, "", whole(messages))  # the raw text of the line stands there
        columns = [messages, schemes, ledger["counts_as"], ledger["decimals"]]
        codes, firsts = distinct(columns)
        claimed = sums(codes, len(firsts), ledger["claimed"])
        counts = np.bincount(codes, minlength=len(firsts)).tolist()
        names = zip(*(column.take(firsts).to_pylist() for column in columns), strict=True)
        for (text, *form), rows, units in zip(names, counts, claimed, strict=True):
            if text:
                forms = self._found.setdefault(text, {})
                before = forms.get(tuple(form), (0, 0))
                forms[tuple(form)] = (before[0] + rows, before[1] + units)

    def lines(
        self, scale: Scales, expected: Sequence[str] | None
    ) -> tuple[tuple[MessageLine, ...], int]:
        """Return the texts, most rows first, and how many texts are left out."""
        found = self._found
        ordered = sorted(
            found, key=lambda text: (-sum(rows for rows, _ in found[text].values()), text)
        )
        lines = (_line(text, found[text], scale, expected) for text in ordered[:MOST_TEXTS])
        return tuple(lines), max(0, len(ordered) - MOST_TEXTS)


def _line(
    text: str,
    found: Mapping[tuple[str, str, int], tuple[int, int]],
    scale: Scales,
    expected: Sequence[str] | None,
) -> MessageLine:
    forms: dict[str, int] = {}
    amounts: dict[str, int] = {}
    for (scheme, coin, decimals), (rows, claimed) in found.items():
        forms[scheme or "not verified"] = forms.get(scheme or "not verified", 0) + rows
        units = claimed * 10 ** (scale.decimals[coin] - decimals)
        amounts[coin] = amounts.get(coin, 0) + units
    return MessageLine(
        text=text[:200],
        dated=dated(text),
        expected=None if expected is None else text in expected,
        rows=sum(forms.values()),
        schemes=dict(sorted(forms.items())),
        claimed={coin: scale.text(coin, units) for coin, units in sorted(amounts.items())},
    )


class Reuse(msgspec.Struct, frozen=True, kw_only=True):
    """What one list shares with the lists that were read before it.

    ``signatures``, ``keys`` and ``addresses`` count rows; ``claimed`` maps coin to the amount of
    the rows whose signature was seen before; ``oldest`` is the first list, in the order given, in
    which any of these signatures stood, ``""`` where there is none.
    """

    signatures: int
    keys: int
    addresses: int
    claimed: Mapping[str, str]
    oldest: str


class Seen:
    """Signatures, keys and addresses of the lists read so far, as 16-byte digests."""

    KINDS = ("signatures", "keys", "addresses")

    def __init__(self) -> None:
        self._first: dict[str, dict[bytes, int]] = {kind: {} for kind in self.KINDS}
        self._lists: list[str] = []
        self._counts = dict.fromkeys(self.KINDS, 0)
        self._claimed: dict[str, Fraction] = {}
        self._oldest = 0

    def begin(self, name: str) -> None:
        """Begin a list."""
        self._lists.append(name)
        self._counts = dict.fromkeys(self.KINDS, 0)
        self._claimed = {}
        self._oldest = len(self._lists) - 1

    def take(self, claims: pa.RecordBatch, signatures: pa.RecordBatch) -> None:
        """Take in a batch of ``ownership.EXAMINED`` and ``ownership.SIGNATURES``."""
        columns = [
            claims.column(name).to_pylist()
            for name in ("signatures", "chain", "account", "counts_as", "units", "decimals")
        ]
        keys = signatures.column("keys").to_pylist()
        for texts, chain, account, coin, units, decimals, row_keys in zip(
            *columns, keys, strict=True
        ):
            where = self._seen_in("signatures", [text.encode() for text in texts])
            if where is not None:
                self._oldest = min(self._oldest, where)
                if units is not None:
                    amount = Fraction(int(units), 10**decimals)
                    self._claimed[coin] = self._claimed.get(coin, Fraction(0)) + amount
            self._seen_in("keys", row_keys)
            if account:
                self._seen_in("addresses", [chain.encode() + b" " + account])

    def end(self) -> Reuse:
        """Say what the list shares with earlier ones."""
        number = len(self._lists) - 1
        return Reuse(
            claimed={coin: fraction_text(sum_) for coin, sum_ in sorted(self._claimed.items())},
            oldest=self._lists[self._oldest] if self._oldest < number else "",
            **self._counts,
        )

    def _seen_in(self, kind: str, values: Sequence[bytes]) -> int | None:
        """Note what a row carries; return the earliest other list that carried any of it."""
        number = len(self._lists) - 1
        first = self._first[kind]
        digests = [hashlib.blake2b(value, digest_size=16).digest() for value in values]
        earlier = [where for d in digests if (where := first.setdefault(d, number)) < number]
        self._counts[kind] += bool(earlier)
        return min(earlier, default=None)
