"""Bitcoin transactions as bytes: read one strictly, and work out what its signatures cover.

Only what a signed message needs: one input is signed, every signature covers all inputs
and all outputs (SIGHASH_ALL, or taproot's default). There are three ways of hashing: the
old one, that of witness version 0 (BIP-143) and that of taproot (BIP-341).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from chains.signatures.digests import compact_size
from chains.signatures.model import Refused
from chains.signatures.secp256k1 import sha256d

SIGHASH_DEFAULT, SIGHASH_ALL = 0x00, 0x01
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0341.mediawiki"""
LARGEST = 100_000
"""In bytes; what nodes relay at most.

Spec: https://github.com/bitcoin/bitcoin/blob/master/src/policy/policy.h (MAX_STANDARD_TX_WEIGHT)
"""
_KEY_VERSION, _NO_CODESEPARATOR = b"\x00", b"\xff\xff\xff\xff"
_SEGWIT_MARKER = b"\x00\x01"


class Input(msgspec.Struct, frozen=True):
    """``txid`` is in the order of the wire; ``witness`` is empty where there is none."""

    txid: bytes
    index: int
    script: bytes
    sequence: int
    witness: tuple[bytes, ...] = ()


class Output(msgspec.Struct, frozen=True):
    """``units`` in satoshi."""

    units: int
    script: bytes


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction. ``version`` is signed, as consensus reads it."""

    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    lock_time: int


class Reader:
    """Takes fields off a byte string; every one of them must be there in full."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._position = 0

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes; raises ``Refused``."""
        end = self._position + count
        if end > len(self._raw):
            raise Refused("bad-signature", "the signature ends before it is complete")
        piece = self._raw[self._position : end]
        self._position = end
        return piece

    def number(self, size: int) -> int:
        """Return an unsigned little-endian number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "little")

    def length(self) -> int:
        """Return a CompactSize number, which must be in its shortest form.

        Spec: https://github.com/bitcoin/bitcoin/blob/master/src/serialize.h (ReadCompactSize)
        """
        first = self.take(1)[0]
        if first < 0xFD:  # noqa: PLR2004 - the boundaries are the format
            return first
        value = self.number(1 << (first - 0xFC))
        if value > LARGEST or compact_size(value)[0] != first:
            raise Refused("bad-signature", "a length in the signature is not canonical or too long")
        return value

    def text(self) -> bytes:
        """Return a byte string behind its length."""
        return self.take(self.length())

    def stack(self) -> tuple[bytes, ...]:
        """Return the witness of one input."""
        return tuple(self.text() for _ in range(self.length()))

    def end(self) -> None:
        """Raise ``Refused`` if anything is left over."""
        if self._position != len(self._raw):
            raise Refused("bad-signature", "there are bytes behind the end of the signature")

    def skip(self, piece: bytes) -> bool:
        """Tell whether ``piece`` comes next, and pass it if so."""
        is_next = self._raw.startswith(piece, self._position)
        self._position += len(piece) * is_next
        return is_next


def read_witness(raw: bytes) -> tuple[bytes, ...]:
    """Return the elements of one serialised witness; raises ``Refused``."""
    reader = Reader(raw)
    stack = reader.stack()
    reader.end()
    return stack


def read_transaction(raw: bytes) -> Transaction:
    """Read a transaction in network form, with or without witnesses; raises ``Refused``.

    Spec: https://github.com/bitcoin/bips/blob/master/bip-0144.mediawiki
    """
    reader = Reader(raw)
    version = int.from_bytes(reader.take(4), "little", signed=True)
    has_witness = reader.skip(_SEGWIT_MARKER)
    bare = [
        Input(reader.take(32), reader.number(4), reader.text(), reader.number(4))
        for _ in range(reader.length())
    ]
    outputs = tuple(Output(reader.number(8), reader.text()) for _ in range(reader.length()))
    inputs = tuple(bare)
    if has_witness:
        inputs = tuple(
            Input(one.txid, one.index, one.script, one.sequence, reader.stack()) for one in bare
        )
        if not any(one.witness for one in inputs):
            raise Refused("bad-signature", "the transaction has a witness part without witnesses")
    lock_time = reader.number(4)
    reader.end()
    return Transaction(version=version, inputs=inputs, outputs=outputs, lock_time=lock_time)


def serialise(transaction: Transaction) -> bytes:
    """Return the network form without witnesses: what the transaction's id is the hash of."""
    return _wire(transaction, [one.script for one in transaction.inputs])


def txid(transaction: Transaction) -> bytes:
    """Return the id in the order of the wire."""
    return sha256d(serialise(transaction))


def legacy_digest(transaction: Transaction, script: bytes) -> bytes:
    """Return what a signature outside witnesses covers, for the first input and SIGHASH_ALL.

    ``script`` is the one being run. Spec: https://en.bitcoin.it/wiki/OP_CHECKSIG
    """
    scripts = [script, *(b"" for _ in transaction.inputs[1:])]
    return sha256d(_wire(transaction, scripts) + _number(SIGHASH_ALL))


def witness_digest(transaction: Transaction, script: bytes, units: int) -> bytes:
    """Return what a signature in a version 0 witness covers, for the first input.

    ``script`` is the one being run, ``units`` what the spent output holds, in satoshi.
    Spec: https://github.com/bitcoin/bips/blob/master/bip-0143.mediawiki
    """
    signed = transaction.inputs[0]
    return sha256d(
        b"".join(
            (
                _number(transaction.version),
                sha256d(_outpoints(transaction)),
                sha256d(_sequences(transaction)),
                signed.txid + _number(signed.index),
                compact_size(len(script)) + script,
                _number(units, 8),
                _number(signed.sequence),
                sha256d(_outputs(transaction.outputs)),
                _number(transaction.lock_time),
                _number(SIGHASH_ALL),
            )
        )
    )


def taproot_digest(
    transaction: Transaction, spent: tuple[Output, ...], hash_type: int, leaf: bytes = b""
) -> bytes:
    """Return what a taproot signature covers, for the first input, without an annex.

    ``spent`` are the outputs that the inputs spend. ``leaf`` is the hash of the script
    being run, or empty for the key path. ``hash_type`` covers everything either way.
    Spec: https://github.com/bitcoin/bips/blob/master/bip-0341.mediawiki
    """
    parts = [
        b"\x00",  # the epoch
        bytes((hash_type,)),
        _number(transaction.version),
        _number(transaction.lock_time),
        sha256(_outpoints(transaction)).digest(),
        sha256(b"".join(_number(one.units, 8) for one in spent)).digest(),
        sha256(b"".join(_text(one.script) for one in spent)).digest(),
        sha256(_sequences(transaction)).digest(),
        sha256(_outputs(transaction.outputs)).digest(),
        b"\x02" if leaf else b"\x00",  # the spend type: script or key path
        _number(0),
    ]
    if leaf:
        parts += (leaf, _KEY_VERSION, _NO_CODESEPARATOR)
    return tagged_hash("TapSighash", b"".join(parts))


def tagged_hash(tag: str, payload: bytes) -> bytes:
    """Return SHA-256 with a tag in front.

    Spec: https://github.com/bitcoin/bips/blob/master/bip-0340.mediawiki
    """
    hasher = _TAGS.get(tag) or _tagged(tag)
    hasher = hasher.copy()
    hasher.update(payload)
    digest: bytes = hasher.digest()
    return digest


def _tagged(tag: str) -> Any:
    digest = sha256(tag.encode()).digest()
    return sha256(digest + digest)


_TAGS = {
    tag: _tagged(tag)
    for tag in ("BIP0322-signed-message", "TapSighash", "TapLeaf", "TapBranch", "TapTweak")
}
"""The state after the tag, which is the same for every message."""


def _wire(transaction: Transaction, scripts: list[bytes]) -> bytes:
    inputs = zip(transaction.inputs, scripts, strict=True)
    return b"".join(
        (
            _number(transaction.version),
            compact_size(len(transaction.inputs)),
            *(
                one.txid + _number(one.index) + _text(script) + _number(one.sequence)
                for one, script in inputs
            ),
            compact_size(len(transaction.outputs)),
            _outputs(transaction.outputs),
            _number(transaction.lock_time),
        )
    )


def _outpoints(transaction: Transaction) -> bytes:
    return b"".join(one.txid + _number(one.index) for one in transaction.inputs)


def _sequences(transaction: Transaction) -> bytes:
    return b"".join(_number(one.sequence) for one in transaction.inputs)


def _outputs(outputs: tuple[Output, ...]) -> bytes:
    return b"".join(_number(one.units, 8) + _text(one.script) for one in outputs)


def _text(payload: bytes) -> bytes:
    return compact_size(len(payload)) + payload


def _number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little", signed=value < 0)
