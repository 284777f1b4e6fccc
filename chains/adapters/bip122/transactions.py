"""Raw transactions, held against their ids: which outputs they make and which they spend.

A transaction whose bytes hash to the id that was asked for is what it claims to be, whoever sent
it. Two chains write more than Bitcoin does: Litecoin marks the transactions of its extension block
(MWEB) by a flag and a byte, Bitcoin Cash puts tokens in front of an output's script.
"""

from __future__ import annotations

import msgspec

from chains.errors import Malformed
from chains.signatures.bitcoin_transaction import Reader, Transaction, read_transaction, txid
from chains.signatures.model import Refused

_MWEB = 0x08
"""src/primitives/transaction.h of Litecoin, UnserializeTransaction."""
_WITNESS = 0x01
_TOKEN = 0xEF
"""Spec: https://github.com/bitjson/cashtokens/blob/master/readme.md (PREFIX_TOKEN)"""
_HAS_COMMITMENT, _HAS_NFT, _HAS_AMOUNT = 0x40, 0x20, 0x10
_CATEGORY_BYTES = 32


class Moves(msgspec.Struct, frozen=True):
    """What a transaction spends, as (txid, vout), and pays, as (script, satoshi)."""

    spends: tuple[tuple[str, int], ...]
    pays: tuple[tuple[bytes, int], ...]


def read_moves(raw: bytes, wanted: str, *, cash_tokens: bool) -> Moves:
    """Take a transaction apart; raises ``Malformed`` unless its id is ``wanted``."""
    try:
        found = read_transaction(_plain(raw))
        scripts = [_script(one.script) if cash_tokens else one.script for one in found.outputs]
    except Refused as error:
        raise Malformed(f"a transaction cannot be read: {error}") from error
    if txid(found)[::-1].hex() != wanted:
        raise Malformed("a transaction does not hash to the id that was asked for")
    return Moves(_spends(found), tuple(zip(scripts, (o.units for o in found.outputs), strict=True)))


def _spends(found: Transaction) -> tuple[tuple[str, int], ...]:
    return tuple((one.txid[::-1].hex(), one.index) for one in found.inputs)


def _plain(raw: bytes) -> bytes:
    """Leave out the mark of an extension block, where its part is empty as in every block."""
    if len(raw) < 12 or raw[4] or raw[5] not in (_MWEB, _MWEB | _WITNESS) or raw[-5]:  # noqa: PLR2004
        return raw
    flags = b"\x00\x01" if raw[5] & _WITNESS else b""
    return raw[:4] + flags + raw[6:-5] + raw[-4:]


def _script(stored: bytes) -> bytes:
    """Return an output's script without the token in front; raises ``Refused``.

    A prefix that is no valid token belongs to the script.
    """
    if len(stored) <= _CATEGORY_BYTES + 1 or stored[0] != _TOKEN:
        return stored
    reader = Reader(stored[1 + _CATEGORY_BYTES :])
    holds = reader.number(1)
    read = 1 + _CATEGORY_BYTES + 1
    if holds & 0x80 or not holds & (_HAS_NFT | _HAS_AMOUNT):
        return stored
    if holds & _HAS_COMMITMENT:
        size = reader.length()
        reader.take(size)
        read += 1 + size
    if holds & _HAS_AMOUNT:
        first = reader.number(1)
        read += 1 if first < 0xFD else 1 + (2 << (first - 0xFD))  # noqa: PLR2004
    return stored[read:]
