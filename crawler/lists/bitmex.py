"""BitMEX's reserve file: one YAML document, Bitcoin only, amounts in satoshi.

    chain: main
    height: 762408
    claim: {m: 3, n: 4}
    keys: […]
    xpub: […]
    address:
    - {addr_type: sh, addr: 3…, script: 5321…54ae, balance: 1000}
    custodial:
    - {addr_type: deposit, addr: bc1…, balance: 5000}
    total: 6000

There are no signatures: scripts show which keys may spend, not that somebody still has them. An
entry under ``address`` or ``custodial`` is a row, its number the line where the entry begins.
``type`` stays empty save for entries that are not simply BitMEX's own: ``unspendable`` (in the
total, but nobody can move it) and ``custodial`` (a third party has the keys). A script in hex
goes to ``script``, an output descriptor to ``public_key``. ``total`` is the list's own total and
includes both of those.

The file is read as a stream of events by libyaml, twice: once for chain, height and total, which
may stand behind the entries, and once for the entries. Anchors, aliases, tags and merge keys are
refused, nesting and the space between two events are limited. YAML's spellings of whole numbers
(octal, ``1_000``, sexagesimal) are not taken; a balance is plain digits.

Source: BitMEX/proof-of-reserves-liabilities at c0c9c71: validate_reserves.py,
test/test_reserves.py. The file ``token_reserves`` that stands beside it is of another shape.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import yaml

from crawler.counting.units import to_text
from crawler.errors import ListError
from crawler.lists.archives import Source
from crawler.lists.blocks import blocks, measure
from crawler.lists.claims import to_claims
from crawler.lists.layout import NO_TOKENS, Layout
from crawler.lists.parse import Rows
from crawler.lists.table import Tally, count_kinds, refuse_change
from crawler.model import ListedTotal, Rounding

ENTRY_KEYS = ("addr", "addr_type", "script", "balance")
MAX_DEPTH = 8
MAX_KEYS = 64
"""Keys of the document, and of one entry."""
MAX_GAP = 4 << 20
"""Bytes that may pass between two events: one text, or comments."""
MAX_SCALAR = 1 << 16
"""Characters of one text of an entry."""
DECIMALS = 8

_COLUMNS = ("network", "asset", "type", "address", "amount", "height", "script", "public_key")
_HEADER = {"chain", "height", "total", "blockhash", "claim", "keys", "xpub"}
_ROWS = {"address": "", "custodial": "custodial"}
_FIRST_KEY = re.compile(r"[A-Za-z_]{1,40}:(?:[ \r]|$)")
_DIGITS = re.compile(r"(?:0|[1-9][0-9]{0,99})")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BREAKS = re.compile("\r(?!\n)|[\u0085\u2028\u2029]")
_BATCH = 4096


def is_proof(source: Source) -> bool:
    """Tell by the first line with content whether a file is a YAML mapping."""
    with source.open() as stream:
        text = stream.read(1 << 16).decode(errors="replace").removeprefix("\ufeff")
    lines = (line for line in text.split("\n") if line.strip() and line[0] not in "#%")
    first = next((line for line in lines if line.rstrip() != "---"), "")
    return _FIRST_KEY.match(first) is not None


class Entry(msgspec.Struct, frozen=True):
    """One entry as it stands: its first line (from 0), its section, its texts, its problem."""

    line: int
    section: str
    texts: Mapping[str, str]
    problem: str


class _Feed:
    """Gives a file to libyaml piece by piece; it reads no more than ``MAX_GAP`` for one event."""

    def __init__(self, source: Source, stream: Any) -> None:
        self.digest = hashlib.sha256()
        self._name = source.name
        self._blocks = blocks(stream, source.name, 1 << 16, self.digest)
        self._rest = b""
        self.room = MAX_GAP

    def read(self, size: int) -> bytes:
        """Give at most ``size`` bytes, nothing at the end."""
        if not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            odd = _BREAKS.search(block.data.decode())
            if odd is not None:
                line = block.line + block.data.decode().count("\n", 0, odd.start())
                raise ListError(
                    f"{self._name}, line {line}: a line ends with {odd[0]!r}; expected a line feed"
                )
            self._rest = block.data
        piece, self._rest = self._rest[:size], self._rest[size:]
        self.room -= len(piece)
        if self.room < 0:
            raise ListError(
                f"{self._name}: nothing but text for more than {MAX_GAP} bytes; expected entries"
            )
        return piece


class _Reader:
    """Walks over the events of one reserve file."""

    def __init__(self, source: Source, feed: _Feed) -> None:
        self._name, self._feed = source.name, feed
        self._events = self._checked()
        self.facts: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.unread: list[str] = []

    def entries(self) -> Iterator[Entry]:
        """Yield the entries; ``facts``, ``lines`` and ``unread`` fill up on the way."""
        self._expect(yaml.StreamStartEvent)
        self._expect(yaml.DocumentStartEvent)
        self._expect(yaml.MappingStartEvent)
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._scalar(event, "a key")
            if key in self.lines:
                raise self._fault(event, f"the key {key[:60]!r} stands twice")
            if event.start_mark.line <= max(self.lines.values(), default=-1):
                raise self._fault(event, "two keys on one line; expected one line or more each")
            if len(self.lines) == MAX_KEYS:
                raise self._fault(event, f"more than {MAX_KEYS} keys; expected a reserve file")
            self.lines[key] = event.start_mark.line
            if key in _ROWS:
                yield from self._section(key)
            elif key in {"chain", "height", "total"}:
                self.facts[key] = self._scalar(next(self._events), f"one value for {key!r}")
            elif key in _HEADER:
                self._skip(next(self._events))
            else:
                self.unread.append(key[:60])
                self._skip(next(self._events))
        self._expect(yaml.DocumentEndEvent)
        self._expect(yaml.StreamEndEvent)

    def _section(self, key: str) -> Iterator[Entry]:
        event = next(self._events)
        if isinstance(event, yaml.ScalarEvent) and not event.value:
            return
        if not isinstance(event, yaml.SequenceStartEvent):
            raise self._fault(event, f"expected a list of entries under {key!r}")
        last = -1
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            line = event.start_mark.line
            if line <= last or line == self.lines[key]:
                raise self._fault(event, "two entries on one line; expected one line or more each")
            last = line
            if isinstance(event, yaml.MappingStartEvent):
                yield self._entry(line, key)
            else:
                self._skip(event)
                yield Entry(line, key, {}, "an entry is no mapping")

    def _entry(self, line: int, section: str) -> Entry:
        texts: dict[str, str] = {}
        problem = ""
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = self._scalar(event, "a key")
            value = next(self._events)
            if len(texts) == MAX_KEYS:
                raise self._fault(event, f"more than {MAX_KEYS} keys in one entry")
            if not isinstance(value, yaml.ScalarEvent):
                self._skip(value)
                problem = problem or f"{name[:40]!r} is no text"
            elif name in texts:
                problem = problem or f"{name[:40]!r} stands twice"
            else:
                texts[name] = value.value
            self._note_unread(name[:60])
        return Entry(line, section, texts, problem or _problem(texts))

    def _note_unread(self, name: str) -> None:
        if name not in ENTRY_KEYS and name not in self.unread and len(self.unread) < MAX_KEYS:
            self.unread.append(name)

    def _skip(self, event: Any) -> None:
        """Pass over a value of any kind."""
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if not depth:
                return
            event = next(self._events)

    def _expect(self, kind: type[Any]) -> None:
        event = next(self._events)
        if not isinstance(event, kind):
            name = kind.__name__.removesuffix("Event")
            found = type(event).__name__.removesuffix("Event")
            raise self._fault(event, f"expected {name} in a BitMEX reserve file, found {found}")

    def _scalar(self, event: Any, what: str) -> str:
        if not isinstance(event, yaml.ScalarEvent) or len(event.value) > MAX_SCALAR:
            raise self._fault(event, f"expected {what}, a text of at most {MAX_SCALAR} characters")
        return str(event.value)

    def _fault(self, event: Any, what: str) -> ListError:
        return ListError(f"{self._name}, line {event.start_mark.line + 1}: {what}")

    def _checked(self) -> Iterator[Any]:
        """Yield events; ``ListError`` for damage and for all that YAML adds to plain data."""
        depth = 0
        try:
            for event in yaml.parse(self._feed, Loader=yaml.CSafeLoader):
                self._feed.room = MAX_GAP
                if isinstance(event, yaml.CollectionStartEvent):
                    depth += 1
                elif isinstance(event, yaml.CollectionEndEvent):
                    depth -= 1
                if depth > MAX_DEPTH:
                    raise self._fault(event, f"nested deeper than {MAX_DEPTH}")
                if getattr(event, "anchor", None) is not None:
                    raise self._fault(event, "an anchor or alias; expected every value in full")
                if getattr(event, "tag", None) is not None:
                    raise self._fault(event, "a tag; expected plain texts and numbers")
                yield event
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark is not None else ""
            what = getattr(error, "problem", None) or "control characters"
            raise ListError(
                f"{self._name}{line}: is not YAML: {what}; expected a BitMEX reserve file"
            ) from error


def _problem(texts: Mapping[str, str]) -> str:
    """Say why an entry is malformed, or nothing."""
    if not texts.get("addr", "").strip():
        return "no addr"
    if any(len(text) > MAX_SCALAR for text in texts.values()):
        return f"a text of more than {MAX_SCALAR} characters"
    if "balance" in texts and _DIGITS.fullmatch(texts["balance"]) is None:
        return "balance is no whole number of satoshi in plain digits"
    return ""


class ProofTable:
    """The entries of one reserve file."""

    dialect = "bitmex"
    exchange: str | None = "bitmex"
    rounding = Rounding()

    def __init__(self, source: Source) -> None:
        self.source = source
        with source.open() as stream:
            size = measure(stream)
        with source.open() as stream:
            reader = _Reader(source, _Feed(source, stream))
            entries = sum(1 for _ in reader.entries())
        missing = {"chain", "height", "address"} - {*reader.lines}
        if missing:
            raise ListError(
                f"{source.name}: no {', '.join(map(repr, sorted(missing)))}; expected a BitMEX "
                "reserve file with chain, height, claim, keys, address and total"
            )
        for name in ("height", "total"):
            if name in reader.facts and _DIGITS.fullmatch(reader.facts[name]) is None:
                raise ListError(
                    f"{source.name}, line {reader.lines[name] + 1}: {name} is "
                    f"{reader.facts[name][:60]!r}; expected plain digits"
                )
        self.size = size
        self.unread = tuple(reader.unread)
        self._facts = reader.facts
        self._others = _other_lines(reader.lines, size.lines, entries)
        self.totals = tuple(
            ListedTotal(
                row=reader.lines["total"] + 1,
                label="BTC",
                height=reader.facts["height"],
                amount=to_text(int(reader.facts["total"]), DECIMALS),
                aggregate=False,
            )
            for _ in range("total" in reader.facts)
        )

    def batches(self, first_row: int, tally: Tally) -> Iterator[pa.RecordBatch]:
        """Yield the rows; the file's first line has the row number ``first_row``."""
        with self.source.open() as stream:
            feed = _Feed(self.source, stream)
            found: list[Entry] = []
            for entry in _Reader(self.source, feed).entries():
                found.append(entry)
                if len(found) == _BATCH:
                    yield self._claims(found, first_row, tally)
                    found = []
            if found:
                yield self._claims(found, first_row, tally)
            refuse_change(self.source, self.size, feed.digest.hexdigest())
        tally.update(total=len(self.totals), **self._others)

    def _claims(self, found: list[Entry], first_row: int, tally: Tally) -> pa.RecordBatch:
        malformed = {
            place: (entry.problem, ", ".join(f"{key}: {text}" for key, text in entry.texts.items()))
            for place, entry in enumerate(found)
            if entry.problem
        }
        texts = [_NOTHING if entry.problem else self._texts(entry) for entry in found]
        rows = Rows(
            columns=[pa.array(column, pa.string()) for column in zip(*texts, strict=True)],
            lines=np.array([entry.line for entry in found], dtype=np.int64),
            malformed=malformed,
            blank=0,
            header=0,
            continuation=0,
            consumed=0,
            line_count=0,
        )
        batch = to_claims(rows, _LAYOUT, first_row)
        count_kinds(batch, tally)
        return batch

    def _texts(self, entry: Entry) -> tuple[str, ...]:
        """Give an entry's texts in the order of ``_COLUMNS``."""
        texts = entry.texts
        balance = texts.get("balance", "")
        script = texts.get("script", "")
        in_hex = _HEX.fullmatch(script) is not None
        unspendable = texts.get("addr_type") == "unspendable"
        return (
            self._facts["chain"],
            "BTC",
            "unspendable" if unspendable else _ROWS[entry.section],
            texts["addr"],
            to_text(int(balance), DECIMALS) if balance else "",
            self._facts["height"],
            script if in_hex else "",
            "" if in_hex else script,
        )


_NOTHING = ("",) * len(_COLUMNS)
_LAYOUT = Layout(
    dialect="bitmex",
    exchange="bitmex",
    header=_COLUMNS,
    minimum=len(_COLUMNS),
    none=NO_TOKENS,
    required=("address",),
    network=0,
    asset=1,
    type=2,
    address=3,
    amount=4,
    height=5,
    script=6,
    public_key=7,
)


def proof_table(source: Source) -> ProofTable:
    """Open a BitMEX reserve file."""
    return ProofTable(source)


def _other_lines(keys: Mapping[str, int], lines: int, entries: int) -> dict[str, int]:
    """Count the lines that begin no entry: those of a section are continuations, else header."""
    starts = sorted((line, key) for key, line in keys.items())
    ends = [line for line, _ in starts[1:]] + [lines]
    within = sum(
        end - line - 1 for (line, key), end in zip(starts, ends, strict=True) if key in _ROWS
    )
    totals = int("total" in keys)
    return {"continuation": within - entries, "header": lines - within - totals}
