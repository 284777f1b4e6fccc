"""Find out what a table is: its first lines up to and including the detail header.

Sections are found by what they say. Lines are read until one is the detail header of a
known dialect; before it may stand a totals section, with or without a blank line behind
it. Every line on the way is accounted for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from crawler.errors import ListError
from crawler.lists import binance, generic, htx, okx, okx_auditor
from crawler.lists.blocks import Stream, blocks
from crawler.lists.layout import Layout, Recogniser, TotalsLayout, normalise, totals_layout
from crawler.lists.split import SplitError, split_line
from crawler.model import ListedTotal

HEAD_LINES = 20_000
"""Lines before which the detail header must come."""
BLOCK_SIZE = 1 << 20
"""Bytes read at a time: the header stands at the beginning."""
_SAMPLE = 1000
_SHOWN = 5
_TOTALS_HEADER = "coin[,snapshot height],amount|balance"
_DIALECTS: tuple[tuple[str, str, Recogniser], ...] = (
    ("OKX monthly", okx.HEADER, okx.recognise),
    ("OKX auditor", okx_auditor.HEADER, okx_auditor.recognise),
    ("HTX", htx.HEADER, htx.recognise),
    ("Binance", binance.HEADER, binance.recognise),
    ("generic", generic.HEADER, generic.recognise),
)


class Head(msgspec.Struct, kw_only=True):
    """What stands before the rows. ``lines`` counts up to and including the detail header.

    Without a detail section ``layout`` is ``None`` and everything has been read.
    ``malformed`` has (line, problem, raw text) of lines that are none of the known kinds.
    ``sample`` holds the first rows, cut into fields.
    """

    layout: Layout | None = None
    header_line: bytes = b""
    offset: int = 0
    lines: int = 0
    header: int = 0
    blank: int = 0
    totals: list[ListedTotal] = []
    malformed: list[tuple[int, str, str]] = []
    sample: list[list[str]] = []
    seen: list[tuple[int, str]] = []


class HeadLine(msgspec.Struct, frozen=True):
    """One line on the way to the detail header: its bytes, its text, and its fields.

    ``problem`` says why its fields cannot be trusted, ``""`` where they can.
    """

    raw: bytes
    text: str
    fields: list[str]
    problem: str = ""


def read_head(stream: Stream, name: str) -> Head:
    """Read up to the detail header. Raises ``ListError`` for unreadable text or columns."""
    texts = ((raw, raw.decode().rstrip("\r\n")) for raw in _lines(stream, name))
    return find_head((HeadLine(raw, text, _fields(text)) for raw, text in texts), name)


def find_head(lines: Iterator[HeadLine], name: str) -> Head:
    """Take lines up to the detail header, and some behind it as a sample; else all of them."""
    head = Head()
    totals: TotalsLayout | None = None
    for line in lines:
        head.lines += 1
        head.offset += len(line.raw)
        text, fields = line.text, line.fields
        if line.problem:
            head.malformed.append((head.lines, line.problem, text))
            continue
        if not any(field.strip("\ufeff \t") for field in fields):
            head.blank += 1
            continue
        header = normalise(fields)
        head.layout = _recognised(header, f"{name}, line {head.lines}")
        if head.layout is not None:
            head.header += 1
            head.header_line = line.raw.rstrip(b"\r\n")
            head.sample = [row.fields for row in itertools.islice(lines, _SAMPLE)]
            return head
        if head.lines > HEAD_LINES:
            break
        _note(head, text, header)
        section = totals_layout(header)
        if section is not None:
            totals = section
            head.header += 1
        else:
            _take(head, totals, fields, text)
    return head


def no_detail_section(head: Head, name: str) -> ListError:
    """Build the error for a table in whose beginning no detail header was found."""
    looked = "; ".join(f"{title}: {header}" for title, header, _ in _DIALECTS)
    found = "; ".join(f"line {line}: {text!r}" for line, text in head.seen) or "nothing"
    within = f" within {HEAD_LINES} lines" if head.lines > HEAD_LINES else ""
    return ListError(
        f"{name}: no detail section found{within}. Looked for these headers: {looked}. "
        f"Found: {found}"
    )


def _lines(stream: Stream, name: str) -> Iterator[bytes]:
    for block in blocks(stream, name, BLOCK_SIZE):
        start = 0
        while start < len(block.data):
            end = block.data.find(b"\n", start) + 1 or len(block.data)
            yield block.data[start:end]
            start = end


def _fields(text: str) -> list[str]:
    try:
        return split_line(text)
    except SplitError:
        return [text]


def _recognised(header: tuple[str, ...], where: str) -> Layout | None:
    try:
        return next((found for _, _, look in _DIALECTS if (found := look(header))), None)
    except ListError as error:
        raise ListError(f"{where}: {error}") from error


def _note(head: Head, text: str, header: tuple[str, ...]) -> None:
    """Keep the first line and whatever resembles a header, for the error message."""
    if len(head.seen) < _SHOWN and (not head.seen or {"coin", "address", "network"} & set(header)):
        head.seen.append((head.lines, text[:200]))


def _take(head: Head, totals: TotalsLayout | None, fields: list[str], text: str) -> None:
    """Note a line before the detail header: a total, or a line that is none of the known."""
    if totals is None:
        head.malformed.append((head.lines, "stands before any known header", text))
        return
    while len(fields) > totals.width and not fields[-1].strip():
        fields.pop()
    if len(fields) > totals.width or len(fields) <= max(totals.label, totals.amount):
        head.malformed.append((head.lines, f"no total: expected {_TOTALS_HEADER}", text))
        return
    label, amount = fields[totals.label], fields[totals.amount]
    if not label.strip() or not amount.strip():
        head.malformed.append((head.lines, "a total without a coin or without an amount", text))
        return
    height = "" if totals.height is None else fields[totals.height]
    aggregate = "(all)" in label.lower() and height.strip() in {"", "-", "null", "\\N"}
    head.totals.append(
        ListedTotal(row=head.lines, label=label, height=height, amount=amount, aggregate=aggregate)
    )
