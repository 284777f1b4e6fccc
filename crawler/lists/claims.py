"""Put columns of text into the shape of ``CLAIMS``, whole columns at a time.

Texts stay as published, save that a dialect's word for "nothing" becomes the empty text. A
malformed row keeps only its line, its problem, and its raw text (the first 4096 characters)
in ``message``.

The key column of OKX holds scripts and keys. What it holds is decided by content:

- hex of even length that begins with OP_1…OP_16 (51…60) and ends with OP_CHECKMULTISIG
  (ae), and is not as long as a key (32, 33, 48, 64 or 65 bytes): a script;
- a bracketed list: scripts;
- anything else (hex and EOS keys, JSON objects of keys): a public key.

Without the lengths, one Ed25519 key in 4096 would pass for a script.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.lists.layout import NO_TOKENS, Layout
from crawler.lists.parse import Mask, Rows, none_mask, text_lengths
from crawler.lists.split import split_signatures
from crawler.model import CLAIMS, RowKind
from crawler.tables.columns import empty_texts

_TEXT_FIELDS = {
    "exchange": "exchange_name",
    "network": "network",
    "asset": "asset",
    "type": "type",
    "address": "address",
    "amount": "amount",
    "height": "height",
    "message": "message",
    "script": "script",
    "public_key": "public_key",
    "scheme": "scheme",
}
"""Text columns of ``CLAIMS`` and the field of ``Layout`` that says where each one comes from."""
RAW_LIMIT = 4096
"""Characters of a malformed line that are kept in ``message``."""

_EMPTY = pa.scalar("", pa.string())
_CLAIM = pa.scalar(RowKind.CLAIM.value, pa.string())
_SCRIPT = r"^(0[xX])?(5[1-9a-fA-F]|60)([0-9a-fA-F]{2})*[aA][eE]$"
_KEY_LENGTHS = (64, 66, 96, 128, 130)
"""Hex digits of plain keys: Ed25519, compressed, BLS, uncompressed without and with prefix."""


def to_claims(rows: Rows, layout: Layout, first_row: int) -> pa.RecordBatch:
    """Make ``CLAIMS`` of one block whose first line has the row number ``first_row``."""
    count = len(rows.lines)
    texts = {
        field: _text(rows, layout, layout.at(source)) for field, source in _TEXT_FIELDS.items()
    }
    if layout.key is not None:
        texts["script"], texts["public_key"] = key_columns(_text(rows, layout, layout.key))
    kind = pa.repeat(_CLAIM, count)
    if layout.signer_rows:
        signers = (text_lengths(texts["height"]) + text_lengths(texts["amount"])) == 0
        kind = _replaced(kind, dict.fromkeys(np.flatnonzero(signers).tolist(), RowKind.SIGNER))
    problems = {row: problem for row, (problem, _) in rows.malformed.items()}
    raw = {row: text[:RAW_LIMIT] for row, (_, text) in rows.malformed.items()}
    signatures = [rows.columns[place] for place in layout.signatures]
    columns = texts | {
        "row": pa.array(rows.lines + first_row, pa.int64()),
        "kind": _replaced(kind, dict.fromkeys(problems, RowKind.MALFORMED)),
        "message": _replaced(texts["message"], raw),
        "signatures": list_column(signatures + _more_signatures(rows, layout), layout.none, count),
        "owners": list_column([rows.columns[at] for at in layout.owners], layout.none, count),
        "problem": _replaced(empty_texts(count), problems),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in CLAIMS.names], schema=CLAIMS)


def malformed_claims(lines: Sequence[tuple[int, str, str]]) -> pa.RecordBatch:
    """Make ``CLAIMS`` of lines outside the detail section: (row, problem, raw text)."""
    count = len(lines)
    nothing = {name: empty_texts(count) for name in CLAIMS.names}
    columns = nothing | {
        "row": pa.array([row for row, _, _ in lines], pa.int64()),
        "kind": pa.repeat(RowKind.MALFORMED.value, count),
        "message": pa.array([text[:RAW_LIMIT] for _, _, text in lines], pa.string()),
        "signatures": list_column([], NO_TOKENS, count),
        "owners": list_column([], NO_TOKENS, count),
        "problem": pa.array([problem for _, problem, _ in lines], pa.string()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in CLAIMS.names], schema=CLAIMS)


def key_columns(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Part a key column into (scripts, public keys), by the rule in the module's docstring."""
    nothing = empty_texts(len(column))
    lengths = text_lengths(column)
    given = np.flatnonzero(lengths)
    if not given.size:
        return nothing, nothing
    texts = column if given.size == len(column) else column.take(pa.array(given))
    bracketed = pc.starts_with(pc.utf8_ltrim_whitespace(texts), "[")
    found = pc.or_(bracketed, pc.match_substring_regex(texts, _SCRIPT))
    of_key_length = pc.is_in(_hex_lengths(texts), pa.array(_KEY_LENGTHS, pa.int64()))
    found = pc.or_(bracketed, pc.and_not(found, of_key_length))
    scripts = np.zeros(len(column), dtype=np.bool_)
    scripts[given] = found.to_numpy(zero_copy_only=False)
    if not scripts.any():
        return nothing, column
    mask = pa.array(scripts)
    return pc.if_else(mask, column, _EMPTY), pc.if_else(mask, _EMPTY, column)


def _hex_lengths(texts: pa.Array) -> pa.Array:
    """Count the characters of each text, without a leading ``0x``."""
    prefixed = pc.starts_with(texts, "0x", ignore_case=True).to_numpy(zero_copy_only=False)
    return pa.array(text_lengths(texts) - 2 * prefixed)


def list_column(columns: Sequence[pa.Array], none: frozenset[str], count: int) -> pa.Array:
    """Make one list per row of what the columns hold, in their order, without the null tokens."""
    masks = [~none_mask(column, none) for column in columns]
    present = [(column, mask) for column, mask in zip(columns, masks, strict=True) if mask.any()]
    offsets = np.zeros(count + 1, dtype=np.int32)
    for _, mask in present:
        offsets[1:] += mask
    np.cumsum(offsets, out=offsets)
    return pa.ListArray.from_arrays(pa.array(offsets), _interleaved(present, count))


def _interleaved(present: Sequence[tuple[pa.Array, Mask]], count: int) -> pa.Array:
    """Pick the chosen texts of several columns, row by row."""
    if not present:
        return pa.array([], pa.string())
    if len(present) == 1:
        column, mask = present[0]
        return column if mask.all() else column.filter(pa.array(mask))
    places = np.arange(count)[:, None] + count * np.arange(len(present))[None, :]
    chosen = places[np.stack([mask for _, mask in present], axis=1)]
    return pa.concat_arrays([column for column, _ in present]).take(pa.array(chosen))


def _text(rows: Rows, layout: Layout, place: int | None) -> pa.Array:
    """Take a column's texts, with the dialect's words for "nothing" emptied."""
    if place is None:
        return empty_texts(len(rows.lines))
    column = rows.columns[place]
    if layout.none == NO_TOKENS:
        return column
    mask = none_mask(column, layout.none)
    if int(mask.sum()) == int((text_lengths(column) == 0).sum()):
        return column
    return pc.if_else(pa.array(mask), _EMPTY, column)


def _more_signatures(rows: Rows, layout: Layout) -> list[pa.Array]:
    """Spread the column that holds any number of signatures over as many as needed."""
    if layout.more_signatures is None:
        return []
    lists = [split_signatures(text) for text in rows.columns[layout.more_signatures].to_pylist()]
    return [
        pa.array([texts[place] if place < len(texts) else "" for texts in lists], pa.string())
        for place in range(max(map(len, lists), default=0))
    ]


def _replaced(column: pa.Array, texts: dict[int, str]) -> pa.Array:
    """Exchange some rows' texts."""
    if not texts:
        return column
    mask = np.zeros(len(column), dtype=np.bool_)
    mask[list(texts)] = True
    ordered = [str(texts[row]) for row in sorted(texts)]
    return pc.replace_with_mask(column, pa.array(mask), pa.array(ordered, pa.string()))
