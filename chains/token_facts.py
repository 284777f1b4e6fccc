"""What a token's contract says of itself, on every chain whose contracts speak Ethereum's ABI."""

from __future__ import annotations

import msgspec

from chains.words import WORD


class TokenFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says of itself. ``None`` where it has no such function or it reverts.

    ``total_supply`` is the decimal text of base units, ``rate`` that of the one word that a share
    token answers to the call asked of it.
    """

    decimals: int | None
    symbol: str | None
    total_supply: str | None
    code: bool
    rate: str | None = None


def read_text(raw: bytes) -> str | None:
    """Read an ABI ``string``, or the ``bytes32`` of old tokens; ``None`` when it is neither.

    Spec: https://docs.soliditylang.org/en/latest/abi-spec.html
    """
    if len(raw) == WORD:
        text = raw.rstrip(b"\0")
    elif len(raw) >= 2 * WORD and int.from_bytes(raw[:WORD], "big") == WORD:
        size = int.from_bytes(raw[WORD : 2 * WORD], "big")
        if size > len(raw) - 2 * WORD:
            return None
        text = raw[2 * WORD : 2 * WORD + size]
    else:
        return None
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return None
