"""What goes into a quick lane and what comes out of it, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.bulk import Bytes, Flags, Places, Texts, texts
from chains.model import ChainSpec

OF_KEY, OF_SCRIPT = "key-derives-address", "script-keys-signed"


class SignedAddresses(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one chain and one text, column by column; ``places`` are their numbers elsewhere."""

    spec: ChainSpec
    message: str
    places: Places
    addresses: pa.StringArray
    signatures: pa.ListArray
    scripts: pa.StringArray
    public_keys: pa.StringArray

    def chosen(self, mask: Flags) -> SignedAddresses:
        """Return some of the rows."""
        if mask.all():
            return self
        where = pa.array(np.flatnonzero(mask))
        return msgspec.structs.replace(
            self,
            places=self.places[mask],
            addresses=self.addresses.take(where),
            signatures=self.signatures.take(where),
            scripts=self.scripts.take(where),
            public_keys=self.public_keys.take(where),
        )

    def signed_once(self) -> SignedAddresses:
        """Return the rows with exactly one signature."""
        return self.chosen(self.signature_counts() == 1)

    def signature_counts(self) -> Places:
        """Return how many signatures each row carries."""
        return np.asarray(pc.list_value_length(self.signatures).to_numpy(), np.int64)

    def signature_texts(self) -> Texts:
        """Return all signatures, those of one row after those of the row before it."""
        return texts(self.signatures.flatten())


class Settled(msgspec.Struct, frozen=True):
    """Rows that are bound alike: by ``places``, with ``accounts`` and ``keys`` one a line.

    ``key_counts`` says how many lines of ``keys`` belong to each row.
    """

    places: Places
    accounts: Bytes
    keys: Bytes
    key_counts: Places
    reason: str
    detail: str


def bound_by_key(
    rows: SignedAddresses, accounts: Bytes, keys: Bytes, good: Flags, detail: str
) -> Settled:
    """Return the good rows, each bound by one key."""
    places = rows.places[good]
    ones = np.ones(len(places), np.int64)
    return Settled(places, accounts[good], keys[good], ones, OF_KEY, detail)


def as_binary(rows: Bytes) -> pa.Array:
    """Return rows of bytes as an Arrow column."""
    count, width = rows.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(rows)
    return pa.BinaryArray.from_buffers(
        pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def as_lists(keys: Bytes, counts: Sequence[int] | Places) -> pa.Array:
    """Return rows of bytes as an Arrow column of lists of ``counts`` of them each."""
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), as_binary(keys))
