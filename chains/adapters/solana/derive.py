"""Addresses that programs derive: an owner's associated token account.

A derived address is a SHA-256 that is no point of edwards25519, so that no key can sign for it;
the bump is the highest byte, appended to the seeds, for which that is so. What counts as a point
is what decompresses: the sign bit is ignored and y is taken modulo the field's prime. libsodium's
check is another one (canonical encodings of the prime-order subgroup) and must not be used.

Spec: https://solana.com/docs/core/pda
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from chains.addresses.base58 import base58_to_bytes

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 - a program
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105 - a program
TOKEN_PROGRAMS = (TOKEN, TOKEN_2022)
ASSOCIATED = base58_to_bytes("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
"""Source: https://solana.com/docs/tokens"""

_FIELD = 2**255 - 19
_D = -121665 * pow(121666, -1, _FIELD) % _FIELD
"""Spec: https://www.rfc-editor.org/rfc/rfc8032#section-5.1"""
_MARKER = b"ProgramDerivedAddress"
_HIGHEST_BUMP = 255
_REMEMBERED = 1 << 16


def is_on_curve(point: bytes) -> bool:
    """Tell whether 32 bytes decompress to a point of edwards25519."""
    y = int.from_bytes(point, "little") % 2**255 % _FIELD
    square = y * y % _FIELD
    ratio = (square - 1) * (_D * square + 1) % _FIELD
    return pow(ratio, (_FIELD - 1) // 2, _FIELD) != _FIELD - 1


def program_address(seeds: tuple[bytes, ...], program: bytes) -> bytes:
    """Return the address that a program derives from seeds."""
    for bump in range(_HIGHEST_BUMP, -1, -1):
        parts = (*seeds, bytes((bump,)), program, _MARKER)
        address = sha256(b"".join(parts)).digest()
        if not is_on_curve(address):
            return address
    raise ValueError("no bump leads off the curve")  # probability 2^-256


@lru_cache(_REMEMBERED)
def associated(owner: bytes, mint: bytes, program: str) -> bytes:
    """Return the associated token account of an owner; ``program`` is the mint's.

    Source: https://github.com/solana-program/associated-token-account
    """
    return program_address((owner, base58_to_bytes(program), mint), ASSOCIATED)
