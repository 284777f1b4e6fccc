"""The wanted scripts, laid out for the loops of ``kernel``: a filter, a table, and their bytes.

Nearly every coin is turned away by the filter, which knows the last eight bytes of what is wanted
and fits a processor's cache. The rest is looked up by a hash of the whole script, and only equal
bytes count. Both hashes are keyed at random, so nobody can make up scripts, in a list or in a dump,
that fall on each other. Import only when a large dump is to be read: see ``kernel_coins``.
"""

# Loops without calls into Python: branches, returns and byte values are what they are made of.
# ruff: noqa: PLR0917, PLR2004

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import int64, uint8, uint64

from chains.adapters.bip122.dump import SPECIAL_SCRIPTS, compress_script
from chains.adapters.bip122.kernel_coins import (
    SLACK,
    compiled,
    multiplied_high,
    read_byte,
    read_eight,
    stored_form,
)

FULL_KEY_SCRIPT = 67
"""Bytes of a script that pays to a full public key; whether it is a point takes Python to say."""
PREFIX_BYTES = 4
HIT_VOUT, HIT_CODE, HIT_UNITS, HIT_WANTED, HIT_PLACE, HIT_STORED = range(6)
"""Columns of a match, int64. The code is height * 2 + coinbase, as the file has it.

Before ``settle`` it may yet be none: the last two say where in the piece its script is, and of
what size and form (see ``Index``).
"""
HIT_COLUMNS = 6
_FILTER_BITS_EACH = 12
_SMALLEST_FILTER_BITS = 12
_LARGEST_FILTER_BITS = 30
_PRIME = (1 << 61) - 1
_SEVEN_BYTES = (1 << 56) - 1
_LOWER = (1 << 32) - 1


class Index(NamedTuple):
    """The wanted scripts as arrays.

    ``scripts`` are the scripts in their order, each behind its length as u32: what
    ``scan.wanted_digest`` hashes. A row of ``entries`` says where in them is what a dump stores of
    a script, and size * 8 + form. A slot of ``table`` holds half a hash above the script's number
    plus one; ``filter`` has two bits of one word for each. ``secret`` keys the hashes, of which
    the shifts make places.
    """

    scripts: np.ndarray[Any, Any]
    entries: np.ndarray[Any, Any]
    table: np.ndarray[Any, Any]
    filter: np.ndarray[Any, Any]
    secret: np.ndarray[Any, Any]
    table_shift: int
    filter_shift: int


@compiled
def _filter_place(last_bytes: Any, secret: Any, shift: int) -> tuple[Any, Any]:
    """Return the filter's word for a script with this ``tail``, and its two bits there."""
    mixed = (last_bytes ^ secret[0]) * secret[1]
    first, second = mixed >> uint64(20) & uint64(63), mixed >> uint64(26) & uint64(63)
    return mixed >> uint64(shift), uint64(1) << first | uint64(1) << second


@compiled
def tail(buffer: Any, at: int, size: int) -> Any:
    """Return the last eight bytes of a stored script as a number, or all of a shorter one."""
    if size >= 8:
        return read_eight(buffer, at + size - 8)
    value = uint64(size)
    for i in range(size):
        value = value << uint64(8) | uint64(read_byte(buffer, at + i))
    return value


@compiled
def may_be_wanted(last_bytes: Any, index: Any) -> Any:
    """Tell by the filter whether a script with this ``tail`` can be wanted."""
    word, bits = _filter_place(last_bytes, index.secret, index.filter_shift)
    return index.filter[word] & bits == bits


@compiled
def _whole_hash(buffer: Any, at: int, stored: int, key: Any) -> Any:
    """Hash form, size and all bytes: a polynomial at the secret place ``key``, modulo 2**61 - 1."""
    value, size = uint64(stored), stored >> 3
    for k in range(0, size, 7):
        word = read_eight(buffer, at + k) & uint64(_SEVEN_BYTES)
        if size - k < 7:
            word &= (uint64(1) << uint64(8 * (size - k))) - uint64(1)
        low, high = value * key, multiplied_high(value, key)
        value = (low & uint64(_PRIME)) + (low >> uint64(61) | high << uint64(3)) + word
        value = (value & uint64(_PRIME)) + (value >> uint64(61))
    return value


@compiled
def _equal(one: Any, at: int, other: Any, there: int, size: int) -> Any:
    """Tell whether two runs of bytes are the same; both may be read a little too far."""
    for k in range(0, size - 7, 8):
        if read_eight(one, at + k) != read_eight(other, there + k):
            return False
    rest = uint64(8 * (size & 7))
    differing = read_eight(one, at + size - (size & 7)) ^ read_eight(
        other, there + size - (size & 7)
    )
    return differing & ((uint64(1) << rest) - uint64(1)) == uint64(0)


@compiled
def _find(buffer: Any, at: int, stored: int, index: Any) -> Any:
    """Return the number of the wanted script that equals this one, or -1."""
    table, entries = index.table, index.entries
    found = _whole_hash(buffer, at, stored, index.secret[2])
    mask = uint64(table.size - 1)
    slot = found * index.secret[3] >> uint64(index.table_shift)
    while table[slot] != uint64(0):
        if table[slot] >> uint64(32) == found & uint64(_LOWER):
            i = (table[slot] & uint64(_LOWER)) - uint64(1)
            if entries[i, 1] == stored and _equal(
                index.scripts, entries[i, 0], buffer, at, stored >> 3
            ):
                return int64(i)
        slot = (slot + uint64(1)) & mask
    return int64(-1)


@compiled
def settle(
    buffer: Any, index: Any, sums: Any, hits: Any, txids: Any, first: int, count: int
) -> Any:
    """Keep, from row ``first`` on, those of ``hits`` that are wanted; returns how many rows stay.

    Each is added to its script's row of ``sums``: units, coins. That the look-ups stand apart from
    the reading of coins lets the processor wait for the memory of several at once.
    """
    kept = first
    for row in range(first, count):
        wanted = _find(buffer, hits[row, HIT_PLACE], hits[row, HIT_STORED], index)
        if wanted < 0:
            continue
        sums[wanted, 0] += hits[row, HIT_UNITS]
        sums[wanted, 1] += 1
        for column in range(HIT_WANTED):
            hits[kept, column] = hits[row, column]
        hits[kept, HIT_WANTED] = wanted
        for k in range(32):
            txids[kept, k] = txids[row, k]
        kept += 1
    return kept


@compiled
def _lay_out(blob: Any, lengths: Any, parities: Any, index: Any) -> None:
    """Copy every script behind its length, note what is stored of it, and enter it.

    Scripts are distinct. ``parities`` has, for those of ``FULL_KEY_SCRIPT`` bytes in turn, the form
    under which the key is stored, or that of a raw script.
    """
    scripts, entries, table = index.scripts, index.entries, index.table
    mask = uint64(table.size - 1)
    at, taken, full_keys = int64(0), int64(0), int64(0)
    for i in range(lengths.size):
        length = int64(lengths[i])
        for k in range(4):
            scripts[uint64(at + k)] = uint8(length >> (8 * k) & 0xFF)
        at += PREFIX_BYTES
        for k in range(length):
            scripts[uint64(at + k)] = blob[uint64(taken + k)]
        taken += length
        form, start, size = stored_form(scripts, at, length)
        if length == FULL_KEY_SCRIPT:
            form = int64(parities[full_keys])
            full_keys += 1
            if form != SPECIAL_SCRIPTS:
                start, size = at + 2, int64(32)
        stored = size << 3 | form
        entries[i, 0], entries[i, 1] = start, stored
        at += length
        word, bits = _filter_place(tail(scripts, start, size), index.secret, index.filter_shift)
        index.filter[word] |= bits
        found = _whole_hash(scripts, start, stored, index.secret[2])
        slot = found * index.secret[3] >> uint64(index.table_shift)
        while table[slot] != uint64(0):
            slot = (slot + uint64(1)) & mask
        table[slot] = (found & uint64(_LOWER)) << uint64(32) | uint64(i + 1)


def build_index(wanted: Sequence[bytes]) -> Index:
    """Lay out distinct scripts for the kernel, without a step of Python for each."""
    count = len(wanted)
    lengths = np.fromiter(map(len, wanted), dtype=np.uint32, count=count)
    blob = np.frombuffer(b"".join(wanted) or b"\0", dtype=np.uint8)
    full_keys = np.flatnonzero(lengths == FULL_KEY_SCRIPT).tolist()
    forms = [compress_script(wanted[i])[0] for i in full_keys]
    table_bits = max(4, (2 * count).bit_length())
    wished = (_FILTER_BITS_EACH * count).bit_length()
    filter_bits = min(_LARGEST_FILTER_BITS, max(_SMALLEST_FILTER_BITS, wished))
    odd, any_ = secrets.randbits(64) | 1, secrets.randbits(64)
    index = Index(
        scripts=np.empty(int(lengths.sum()) + PREFIX_BYTES * count + SLACK, dtype=np.uint8),
        entries=np.empty((count, 2), dtype=np.int64),
        table=np.zeros(1 << table_bits, dtype=np.uint64),
        filter=np.zeros(1 << (filter_bits - 6), dtype=np.uint64),
        secret=np.array(
            [any_, odd, secrets.randbelow(_PRIME), secrets.randbits(64) | 1], dtype=np.uint64
        ),
        table_shift=64 - table_bits,
        filter_shift=70 - filter_bits,
    )
    index.scripts[-SLACK:] = 0
    _lay_out(blob, lengths, np.array(forms, dtype=np.uint8), index)
    return index
