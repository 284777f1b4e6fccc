"""Plain multisig scripts: which keys may sign, and how many of them must.

Only one form is read: OP_m, n public keys, OP_n, OP_CHECKMULTISIG, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from coincurve import PublicKey

from chains.signatures.model import Refused

OP_1, OP_16, OP_CHECKMULTISIG = 0x51, 0x60, 0xAE
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0011.mediawiki"""
LARGEST_P2SH_SCRIPT = 520
"""In bytes. Spec: https://github.com/bitcoin/bips/blob/master/bip-0016.mediawiki"""
_SHORT, _LONG = 33, 65
_REMEMBERED = 1 << 12


class Multisig(msgspec.Struct, frozen=True):
    """m of n: ``keys`` maps each key as pushed to its compressed form, in script order."""

    threshold: int
    keys: Mapping[bytes, bytes]


def script_bytes(text: str) -> bytes:
    """Return the bytes of a script in hex, with or without ``0x``; raises ``Refused``."""
    digits = text.removeprefix("0x")
    try:
        script = bytes.fromhex(digits)
    except ValueError:
        raise Refused("bad-script", "the redeem script is not hex digits") from None
    if len(script) * 2 != len(digits) or not script:
        raise Refused("bad-script", "the redeem script is empty or holds white space")
    return script


@lru_cache(maxsize=_REMEMBERED)
def parse_multisig(script: bytes) -> Multisig:
    """Return threshold and keys of a plain multisig script.

    Raises ``Refused`` (``bad-script``) for any other script, and for one that repeats keys
    so that its threshold could be met by fewer of them.
    """
    if len(script) < 3 or script[-1] != OP_CHECKMULTISIG:  # noqa: PLR2004 - OP_m OP_n OP
        raise Refused("bad-script", "the script does not end in OP_CHECKMULTISIG")
    threshold, total = script[0] - OP_1 + 1, script[-2] - OP_1 + 1
    if not 1 <= threshold <= total <= OP_16 - OP_1 + 1:
        raise Refused("bad-script", "the script is not m of n with 1 <= m <= n <= 16")
    pushed: list[bytes] = []
    position, end = 1, len(script) - 2
    while position < end:
        length = script[position]
        pushed.append(script[position + 1 : position + 1 + length])
        position += 1 + length
        if len(pushed[-1]) != length or position > end:
            raise Refused("bad-script", "a push reaches beyond the keys of the script")
    if len(pushed) != total:
        raise Refused("bad-script", f"the script says {total} keys but holds {len(pushed)}")
    keys = {key: _normalised(key) for key in pushed}
    if len(set(keys.values())) < threshold:
        raise Refused("bad-script", "the script repeats keys: its threshold needs fewer signers")
    return Multisig(threshold, keys)


def _normalised(key: bytes) -> bytes:
    """Return a pushed key in its compressed form.

    Only the long form is checked to be a point: a short one that is none cannot sign,
    and a long one must not lend its x to a key with another y.
    """
    if len(key) == _SHORT and key[0] in (2, 3):
        return key
    if len(key) == _LONG and key[0] == 4:  # noqa: PLR2004 - the uncompressed form
        try:
            return PublicKey(key).format()
        except ValueError:
            raise Refused("bad-script", "a key of the script is not on the curve") from None
    raise Refused("bad-script", "the script pushes something that is no public key")
