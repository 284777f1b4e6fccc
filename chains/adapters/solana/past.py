"""What a node shows of past transactions: lists of signatures, and balances around them.

Spec: https://solana.com/docs/rpc/http/getsignaturesforaddress
Spec: https://solana.com/docs/rpc/http/gettransaction
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chains import jsonrpc
from chains.adapters.solana import wire
from chains.model import Exchange, Gap, Request

PAGE = 1000
"""Spec: https://solana.com/docs/rpc/http/getsignaturesforaddress (most per page)"""
_LONGEST_SIGNATURE = 88


class Entry(msgspec.Struct, frozen=True):
    """A transaction in a list of signatures."""

    slot: int
    signature: str


class TokenBalance(msgspec.Struct, frozen=True):
    """Base units of one token account beside a transaction; old records name no owner."""

    mint: str
    owner: str | None
    amount: int


class Transaction(msgspec.Struct, frozen=True):
    """A transaction's accounts with their lamports before and after it, in one order.

    ``tokens`` are balances by position before and after, ``None`` where none were recorded.
    """

    slot: int
    signature: str
    keys: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    tokens: tuple[Mapping[int, TokenBalance], Mapping[int, TokenBalance]] | None


def page_request(name: str, at_least: int, before: str = "") -> Request:
    """Ask for the transactions that name an account, newest first, older than ``before``."""
    wanted: dict[str, Any] = {"limit": PAGE, "minContextSlot": at_least, **wire.FINALIZED}
    if before:
        wanted["before"] = before
    return jsonrpc.call("getSignaturesForAddress", [name, wanted])


def read_page(exchange: Exchange) -> tuple[Entry, ...] | Gap:
    """Read one page, newest first."""
    result = wire.read_result(exchange)
    if isinstance(result, Gap):
        return result
    entries = [_entry(one) for one in result] if isinstance(result, list) else [None]
    good = tuple(one for one in entries if one is not None)
    slots = [one.slot for one in good]
    if len(good) != len(entries) or slots != sorted(slots, reverse=True):
        return Gap("malformed-answer", detail="a list of signatures that cannot be read")
    return good


def _entry(one: Any) -> Entry | None:
    if not isinstance(one, dict):
        return None
    slot, signature = wire.integer(one.get("slot")), one.get("signature")
    if slot is None or not isinstance(signature, str) or not signature.isalnum():
        return None
    return Entry(slot, signature) if len(signature) <= _LONGEST_SIGNATURE else None


def transaction_request(signature: str) -> Request:
    """Ask for one transaction with the balances around it."""
    wanted = {"encoding": "json", "maxSupportedTransactionVersion": 0, **wire.FINALIZED}
    return jsonrpc.call("getTransaction", [signature, wanted])


def read_transaction(exchange: Exchange) -> Transaction | Gap:
    """Read a transaction, failed ones too: they pay their fee.

    Accounts are those of the message, then those loaded from lookup tables, writable ones first.
    """
    result = wire.read_result(exchange)
    if result is None:
        return Gap("state-pruned", detail="the node lists a transaction that it does not hold")
    if isinstance(result, Gap):
        return result
    bad = Gap("malformed-answer", detail="a transaction that cannot be read")
    try:
        meta, sent = result["meta"], result["transaction"]
        loaded = meta.get("loadedAddresses") or {"writable": [], "readonly": []}
        listed = (sent["message"]["accountKeys"], loaded["writable"], loaded["readonly"])
        keys = tuple(name for part in listed for name in wire.listed(part))
        before, after = _lamports(meta["preBalances"]), _lamports(meta["postBalances"])
        tokens = (_tokens(meta.get("preTokenBalances")), _tokens(meta.get("postTokenBalances")))
        slot, signature = wire.integer(result["slot"]), sent["signatures"][0]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError):
        return bad
    whole = all(isinstance(name, str) for name in keys) and len(set(keys)) == len(keys)
    if not whole or not len(keys) == len(before) == len(after) or slot is None:
        return bad
    if not isinstance(signature, str):
        return bad
    pair = None if tokens[0] is None or tokens[1] is None else (tokens[0], tokens[1])
    return Transaction(slot, signature, keys, before, after, pair)


def _lamports(shown: Any) -> tuple[int, ...]:
    """Read balances; raises ``ValueError`` or ``TypeError``."""
    found = [wire.integer(one) for one in wire.listed(shown)]
    good = tuple(one for one in found if one is not None)
    if len(good) != len(found):
        raise ValueError("a balance that is no integer of 64 bits")
    return good


def _tokens(shown: Any) -> dict[int, TokenBalance] | None:
    """Read token balances by position; raises ``ValueError``, ``KeyError`` or ``TypeError``."""
    if shown is None:
        return None
    found: dict[int, TokenBalance] = {}
    for one in wire.listed(shown):
        at, text, owner = one["accountIndex"], one["uiTokenAmount"]["amount"], one.get("owner")
        if wire.integer(at) is None or at in found or not isinstance(one["mint"], str):
            raise ValueError("a token balance without place or mint, or two of one account")
        if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 20:  # noqa: PLR2004
            raise ValueError("a token balance that is no integer")
        if wire.integer(int(text)) is None or not isinstance(owner, str | None):
            raise ValueError("a token balance that is no integer of 64 bits, or without owner")
        found[at] = TokenBalance(one["mint"], owner, int(text))
    return found
