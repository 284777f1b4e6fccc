"""Rows of Bitcoin-like chains with plain m-of-n scripts of compressed keys."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chains.addresses.bitcoin import P2SH_HEAD, P2SH_TAIL, P2WSH_HEAD, script_hash_columns
from chains.bulk import Bytes, Flags, Texts, rows_as_texts, texts
from chains.bulk.curves import recover
from chains.bulk.encodings import HexBytes, base64
from chains.bulk.hashes import sha256
from chains.bulk.multisig import thresholds_met
from chains.signatures.bitcoin import (
    FIRST_HEADER,
    FIRST_NESTED,
    FIRST_SHORT,
    SIGNATURE_LENGTH,
    has_segwit,
    header_words,
)
from chains.signatures.digests import bitcoin_message
from chains.signatures.lanes.model import OF_SCRIPT, Settled, SignedAddresses
from chains.signatures.model import Unsupported
from chains.signatures.scripts import LARGEST_P2SH_SCRIPT, OP_1, OP_16, OP_CHECKMULTISIG
from chains.signatures.secp256k1 import ripemd160


def settle(rows: SignedAddresses, scheme: str) -> Iterator[Settled]:  # noqa: ARG001 - all alike
    """Settle rows in which each signature is by another key of the script, m of them or more.

    Only headers of compressed keys count: what every scheme here admits for them is the same.
    """
    if rows.spec.address != "bitcoin":
        return
    rows = rows.chosen(texts(rows.scripts).lengths > 0)
    if not len(rows.places):
        return
    try:
        words = header_words(rows.spec)
    except Unsupported:
        return
    if len(words) > 1:  # each is a detail of its own
        return
    signers, good = _signers(rows, bitcoin_message(words[0], rows.message))
    counts = rows.signature_counts()
    firsts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    scripts = HexBytes(texts(rows.scripts))
    all_recovered = np.add.reduceat(good, firsts[:-1], dtype=np.int64) == counts
    met = thresholds_met(
        scripts.strings, firsts, signers, (OP_1, OP_16, OP_CHECKMULTISIG),
        scripts.good & all_recovered,
    )  # fmt: skip
    for accounts, is_hash in _accounts(rows, scripts.strings):
        match = met & is_hash
        of_match = signers[np.repeat(match, counts)]
        places, number = rows.places[match], counts[match]
        yield Settled(places, accounts[match], of_match, number, OF_SCRIPT, "")


def _signers(rows: SignedAddresses, digest: bytes) -> tuple[Bytes, Flags]:
    """Return the compressed key behind each signature, and behind which there is one."""
    raw, good = base64(rows.signature_texts(), SIGNATURE_LENGTH)
    headers = raw[:, :1]
    good &= ((headers >= FIRST_SHORT) & (headers < FIRST_NESTED))[:, 0]
    recoverable = np.concatenate([raw[:, 1:], (headers - FIRST_HEADER) & 3], axis=1)
    keys, good = recover(digest, recoverable.astype(np.uint8), good)
    parity = (keys[:, 64:] & 1) + np.uint8(2)
    return np.concatenate([parity, keys[:, 1:33]], axis=1), good


def _accounts(rows: SignedAddresses, scripts: Texts) -> Iterator[tuple[Bytes, Flags]]:
    """Yield output scripts, and which of them hash a row's script: P2WSH, then P2SH."""
    of_witness, of_script = script_hash_columns(texts(rows.addresses), rows.spec.address_params)
    digests = sha256(scripts)
    programs, known = of_witness
    yield _enclosed(P2WSH_HEAD, programs, b""), known & (programs == digests).all(axis=1)
    hashes, known = of_script
    own = _hash160(digests, known)
    match = (own == hashes).all(axis=1) & (scripts.lengths <= LARGEST_P2SH_SCRIPT)
    if has_segwit(rows.spec):
        nested = sha256(rows_as_texts(_enclosed(P2WSH_HEAD, digests, b"")))
        match |= (_hash160(nested, known) == hashes).all(axis=1)
    yield _enclosed(P2SH_HEAD, hashes, P2SH_TAIL), known & match


def _hash160(digests: Bytes, wanted: Flags) -> Bytes:
    """Return RIPEMD-160 of the wanted digests: few rows, so there is no kernel for it."""
    out = np.zeros((len(digests), 20), np.uint8)
    for row in np.flatnonzero(wanted).tolist():
        out[row] = np.frombuffer(ripemd160(digests[row].tobytes()), np.uint8)
    return out


def _enclosed(head: bytes, body: Bytes, tail: bytes) -> Bytes:
    count = len(body)
    around = [np.tile(np.frombuffer(part, np.uint8), (count, 1)) for part in (head, tail)]
    return np.concatenate([around[0], body, around[1]], axis=1)
