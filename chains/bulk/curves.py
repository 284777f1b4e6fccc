"""Signatures of whole columns, by the libraries that also check single ones.

libsecp256k1 (as coincurve builds it) and libsodium (as PyNaCl does) are called from compiled code,
so that threads check signatures side by side. No arithmetic of a curve is done here.
"""

# ruff: noqa: PLR2004

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nacl._sodium as sodium
import numpy as np
from coincurve import _libsecp256k1 as secp256k1
from coincurve.context import GLOBAL_CONTEXT
from numba import types

from chains.bulk import Bytes, Flags
from chains.bulk.machine import (
    BYTES,
    NUMBER,
    OUT_BYTES,
    OUT_FLAGS,
    OUT_ROWS,
    ROWS,
    c_function,
    kernel,
)

_POINTER = types.uintp
_parse = c_function(
    secp256k1,
    "secp256k1_ecdsa_recoverable_signature_parse_compact",
    types.int32(_POINTER, _POINTER, _POINTER, types.int32),
)
_recover = c_function(
    secp256k1,
    "secp256k1_ecdsa_recover",
    types.int32(_POINTER, _POINTER, _POINTER, _POINTER),
)
_serialize = c_function(
    secp256k1,
    "secp256k1_ec_pubkey_serialize",
    types.int32(_POINTER, _POINTER, _POINTER, _POINTER, types.uint32),
)
_open = c_function(
    sodium,
    "crypto_sign_open",
    types.int32(_POINTER, _POINTER, _POINTER, types.uint64, _POINTER),
)


@kernel(NUMBER, NUMBER, NUMBER, NUMBER, BYTES, ROWS, OUT_ROWS, OUT_FLAGS)
def _recovered(
    context: int, signature_size: int, key_size: int, form: int, digest: Any, signatures: Any,
    keys: Any, good: Any,
) -> None:  # fmt: skip
    parsed, point = np.empty(signature_size, np.uint8), np.empty(key_size, np.uint8)
    text, length = np.empty(65, np.uint8), np.empty(1, np.uint64)
    for row in range(signatures.shape[0]):
        if not good[row]:
            continue
        raw = signatures[row]
        if raw[64] > 3:  # the library would end the process
            good[row] = False
            continue
        found = _parse(context, parsed.ctypes.data, raw.ctypes.data, raw[64])
        if found == 1:
            found = _recover(context, point.ctypes.data, parsed.ctypes.data, digest.ctypes.data)
        good[row] = found == 1
        if good[row]:
            length[0] = 65
            _serialize(context, text.ctypes.data, length.ctypes.data, point.ctypes.data, form)
            for place in range(65):
                keys[row, place] = text[place]


def recover(digest: bytes, signatures: Bytes, wanted: Flags) -> tuple[Bytes, Flags]:
    """Return the uncompressed keys that made the wanted signatures of one digest, and which exist.

    Signatures are r ‖ s ‖ recovery id, 65 bytes a row.
    """
    ffi, lib = secp256k1.ffi, secp256k1.lib
    keys = np.zeros((len(signatures), 65), np.uint8)
    good = wanted.copy()
    _recovered(
        int(ffi.cast("uintptr_t", GLOBAL_CONTEXT.ctx)),
        ffi.sizeof("secp256k1_ecdsa_recoverable_signature"),
        ffi.sizeof("secp256k1_pubkey"),
        lib.SECP256K1_EC_UNCOMPRESSED,
        np.frombuffer(digest, np.uint8), signatures, keys, good,
    )  # fmt: skip
    return keys, good


@kernel(BYTES, BYTES, OUT_ROWS, OUT_FLAGS)
def _with_recovery_id(ids: Any, highest: Any, signatures: Any, good: Any) -> None:
    for row in range(signatures.shape[0]):
        found = ids[signatures[row, 64]]
        is_low = True
        for place in range(highest.size):
            if signatures[row, 32 + place] != highest[place]:
                is_low = signatures[row, 32 + place] < highest[place]
                break
        good[row] = good[row] and found < 4 and is_low
        signatures[row, 64] = found


def with_recovery_id(
    signatures: Bytes, wanted: Flags, ids: Mapping[int, int], highest_s: bytes = b""
) -> tuple[Bytes, Flags]:
    """Return r ‖ s ‖ recovery id of the wanted r ‖ s ‖ v whose v is known and whose s is in bounds.

    ``highest_s`` is the largest s that is allowed, empty where every s is.
    """
    table = np.full(256, 0xFF, np.uint8)
    for value, recovery_id in ids.items():
        table[value] = recovery_id
    found, good = signatures.copy(), wanted.copy()
    _with_recovery_id(table, np.frombuffer(highest_s, np.uint8), found, good)
    return found, good


@kernel(BYTES, ROWS, ROWS, OUT_BYTES, OUT_BYTES, OUT_FLAGS)
def _verified(
    payload: Any, keys: Any, signatures: Any, signed: Any, opened: Any, good: Any
) -> None:
    length = np.empty(1, np.uint64)
    for place in range(payload.size):
        signed[64 + place] = payload[place]
    for row in range(keys.shape[0]):
        if good[row]:
            for place in range(64):
                signed[place] = signatures[row, place]
            found = _open(
                opened.ctypes.data, length.ctypes.data, signed.ctypes.data, signed.size,
                keys[row].ctypes.data,
            )  # fmt: skip
            good[row] = found == 0


def verify_ed25519(payload: bytes, keys: Bytes, signatures: Bytes, wanted: Flags) -> Flags:
    """Return which of the wanted rows' keys signed the payload, by libsodium's rules alone."""
    good = wanted.copy()
    size = 64 + len(payload)
    _verified(
        np.frombuffer(payload, np.uint8), keys, signatures,
        np.empty(size, np.uint8), np.empty(size, np.uint8), good,
    )  # fmt: skip
    return good
