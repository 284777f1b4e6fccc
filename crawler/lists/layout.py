"""What a table's header says: which published column feeds which field of a claim.

Columns are found by name, never by position, because order and count change from month
to month. A dialect is a function that looks at one normalised header and answers with a
``Layout`` or with nothing. Header names that a dialect does not know are kept in
``unread``, so that a new column is seen by people instead of being dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

import msgspec

from crawler.errors import ListError
from crawler.model import Rounding

NO_TOKENS = frozenset({""})
"""The text that means "nothing published" in every dialect."""

_SLASH = re.compile(r" *\/ *")


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """One table's columns, by index into a row; ``None`` where the table has no such column.

    ``minimum`` is the least number of fields a row needs (later ones may be left out when
    empty), ``none`` the texts that mean "nothing", ``required`` the fields without which a
    row is malformed. ``key`` is a column whose content decides between script and public
    key. ``more_signatures`` is one column that holds any number of signatures. With
    ``signer_rows``, a row that has neither amount nor height only carries a signature.
    ``several`` main tables of the layout may make up one list.
    """

    dialect: str
    exchange: str | None
    header: tuple[str, ...]
    minimum: int
    none: frozenset[str]
    required: tuple[str, ...]
    rounding: Rounding = Rounding()
    exchange_name: int | None = None
    network: int | None = None
    asset: int | None = None
    type: int | None = None
    address: int | None = None
    amount: int | None = None
    height: int | None = None
    message: int | None = None
    signatures: tuple[int, ...] = ()
    more_signatures: int | None = None
    key: int | None = None
    script: int | None = None
    public_key: int | None = None
    owners: tuple[int, ...] = ()
    scheme: int | None = None
    signer_rows: bool = False
    several: bool = False
    unread: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many columns the header names."""
        return len(self.header)

    def at(self, field: str) -> int | None:
        """Give the index of a single-column field."""
        found: int | None = getattr(self, field)
        return found


class TotalsLayout(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a totals section."""

    width: int
    label: int
    amount: int
    height: int | None


Recogniser = Callable[[Sequence[str]], Layout | None]


def normalise(fields: Sequence[str]) -> tuple[str, ...]:
    """Strip header texts of byte-order mark, outer spaces, case, and spaces around ``/``."""
    return tuple(_SLASH.sub("/", field.replace("\ufeff", "").strip().lower()) for field in fields)


def index(header: Sequence[str], *names: str) -> int | None:
    """Find where the first of the names stands in a normalised header."""
    return next((header.index(name) for name in names if name in header), None)


def numbered(header: Sequence[str], stem: str) -> tuple[int, ...]:
    """Find where ``stem1``, ``stem2``, … stand, in the order of their numbers."""
    found = [
        (int(match[1]), place)
        for place, name in enumerate(header)
        if (match := re.fullmatch(re.escape(stem) + r"([0-9]{1,3})", name))
    ]
    return tuple(place for _, place in sorted(found))


def unread(header: Sequence[str], read: Collection[int | None]) -> tuple[str, ...]:
    """Name the columns whose content is not read, by name or, where nameless, by position."""
    return tuple(
        name or f"column {place + 1}" for place, name in enumerate(header) if place not in read
    )


def refuse_repeats(header: Sequence[str]) -> None:
    """Raise ``ListError`` when a header names one column twice: either could be meant."""
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ListError(f"the header names {', '.join(map(repr, twice))} more than once")


def totals_layout(header: Sequence[str]) -> TotalsLayout | None:
    """Recognise the totals header of OKX and HTX: coin, perhaps a height, an amount."""
    if not set(header) <= {"coin", "snapshot height", "amount", "balance", ""}:
        return None
    label, amount = index(header, "coin"), index(header, "amount", "balance")
    if label is None or amount is None:
        return None
    return TotalsLayout(
        width=len(header), label=label, amount=amount, height=index(header, "snapshot height")
    )
