"""The JSON-RPC of a Solana node: requests as bytes, answers as typed records or Gaps.

Accounts travel as base58, amounts as integers of lamports (10^-9 SOL). Everything is asked
at the commitment ``finalized``.

Spec: https://solana.com/docs/rpc/http
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chains import jsonrpc
from chains.addresses.base58 import bytes_to_base58
from chains.model import Exchange, Gap, Request

FINALIZED = {"commitment": "finalized"}
MOST_ACCOUNTS = 100
"""Spec: https://solana.com/docs/rpc/http/getmultipleaccounts"""

# Source: anza-xyz/agave rpc-client-api/src/custom_error.rs; JSON-RPC 2.0 for -32601
_BY_CODE = {
    "-32001": Gap("state-pruned"),
    "-32004": Gap("node-behind", retryable=True),
    "-32005": Gap("node-behind", retryable=True),
    "-32007": Gap("slot-skipped"),
    "-32009": Gap("slot-skipped"),
    "-32011": Gap("method-missing"),
    "-32014": Gap("node-behind", retryable=True),
    "-32016": Gap("node-behind", retryable=True),
    "-32601": Gap("method-missing"),
    "429": Gap("rate-limited", retryable=True),
    "-32429": Gap("rate-limited", retryable=True),
}


class Block(msgspec.Struct, frozen=True):
    """The block of a slot. ``time`` is Unix seconds, 0 where the node gives none."""

    hash: str
    parent: str
    time: int


class Held(msgspec.Struct, frozen=True):
    """An account at the context slot: lamports, owning program, bytes of data."""

    lamports: int
    owner: str
    space: int


class Accounts(msgspec.Struct, frozen=True):
    """Accounts by base58 key at one finalized slot; ``None`` is an account that is not there."""

    slot: int
    held: dict[str, Held | None]


def genesis_request() -> Request:
    """Ask which cluster this is.

    Spec: https://solana.com/docs/rpc/http/getgenesishash
    """
    return jsonrpc.call("getGenesisHash", [])


def slot_request() -> Request:
    """Ask for the newest finalized slot.

    Spec: https://solana.com/docs/rpc/http/getslot
    """
    return jsonrpc.call("getSlot", [FINALIZED])


def first_block_request() -> Request:
    """Ask how far back the node's ledger goes.

    Spec: https://solana.com/docs/rpc/http/getfirstavailableblock
    """
    return jsonrpc.call("getFirstAvailableBlock", [])


def block_request(slot: int) -> Request:
    """Ask for the block of a slot, without its transactions.

    Spec: https://solana.com/docs/rpc/http/getblock
    """
    wanted = {
        "transactionDetails": "none",
        "rewards": False,
        "maxSupportedTransactionVersion": 0,
        **FINALIZED,
    }
    return jsonrpc.call("getBlock", [slot, wanted])


def accounts_request(keys: Sequence[str], at_least: int) -> Request:
    """Ask for up to 100 accounts as they are now, at a slot of at least ``at_least``.

    Spec: https://solana.com/docs/rpc/http/getmultipleaccounts
    """
    wanted = {
        "encoding": "base64",
        "dataSlice": {"offset": 0, "length": 0},
        "minContextSlot": at_least,
        **FINALIZED,
    }
    return jsonrpc.call("getMultipleAccounts", [list(keys), wanted])


def signatures_request(keys: Sequence[str], at_least: int) -> Request:
    """Ask for the newest transaction of each account, as an array of calls.

    Spec: https://solana.com/docs/rpc/http/getsignaturesforaddress
    """
    wanted = {"limit": 1, "minContextSlot": at_least, **FINALIZED}
    return jsonrpc.batch([("getSignaturesForAddress", [key, wanted]) for key in keys])


def key(account: bytes) -> str:
    """Return the base58 key of an account."""
    return bytes_to_base58(account)


def asked_keys(request: Request) -> list[str]:
    """Return the keys that a request is about, in its order."""
    body = msgspec.json.decode(request.body)
    if isinstance(body, list):
        return [call["params"][0] for call in body]
    return list(body["params"][0])


def is_accounts(request: Request) -> bool:
    """Tell an accounts request from a signatures request, which is an array."""
    return not request.body.startswith(b"[")


def read_result(exchange: Exchange) -> Any | Gap:
    """Return the result of a single call, or a ``Gap``."""
    return classified(jsonrpc.result(exchange))


def classified(result: Any | Gap) -> Any | Gap:
    """Give the node's own error codes their reasons."""
    if not isinstance(result, Gap) or result.reason != "rpc-error":
        return result
    known = _BY_CODE.get(result.detail.partition(":")[0])
    return result if known is None else Gap(known.reason, known.retryable, result.detail)


def read_integer(result: Any | Gap) -> int | Gap:
    """Read a slot."""
    if isinstance(result, Gap):
        return result
    if not isinstance(result, int) or isinstance(result, bool) or result < 0:
        return Gap("malformed-answer", detail="a slot was expected")
    return result


def read_block(result: Any | Gap) -> Block | Gap:
    """Read a block; ``null`` means that the node has not confirmed it yet."""
    if isinstance(result, Gap):
        return result
    if result is None:
        return Gap("node-behind", retryable=True, detail="the block is not confirmed")
    if not isinstance(result, dict):
        return Gap("malformed-answer", detail="a block was expected")
    block_hash, parent = result.get("blockhash"), result.get("previousBlockhash")
    time = result.get("blockTime")
    if not isinstance(block_hash, str) or not isinstance(parent, str) or not block_hash:
        return Gap("malformed-answer", detail="a block without hash")
    if time is not None and (not isinstance(time, int) or isinstance(time, bool)):
        return Gap("malformed-answer", detail="a block time that is no integer")
    return Block(hash=block_hash, parent=parent, time=0 if time is None else time)


def read_accounts(exchange: Exchange, at_least: int) -> Accounts | Gap:
    """Read accounts, each paired with the key asked for; an older slot is ``node-behind``."""
    result = read_result(exchange)
    if isinstance(result, Gap):
        return result
    asked = asked_keys(exchange.request)
    try:
        slot, values = read_integer(result["context"]["slot"]), result["value"]
    except (KeyError, TypeError):
        return Gap("malformed-answer", detail="an answer without context or value")
    if isinstance(slot, Gap) or not isinstance(values, list) or len(values) != len(asked):
        return Gap("malformed-answer", detail="an answer without slot, or of another length")
    if slot < at_least:
        return Gap("node-behind", retryable=True, detail=f"the answer is for slot {slot}")
    return _paired(slot, asked, values)


def _paired(slot: int, asked: Sequence[str], values: Sequence[Any]) -> Accounts | Gap:
    held: dict[str, Held | None] = {}
    for name, value in zip(asked, values, strict=True):
        account = None if value is None else _held(value)
        if isinstance(account, Gap):
            return account
        held[name] = account
    return Accounts(slot=slot, held=held)


def _held(value: Any) -> Held | Gap:
    bad = Gap("malformed-answer", detail="an account that cannot be read")
    if not isinstance(value, dict) or not isinstance(value.get("owner"), str):
        return bad
    lamports, space = value.get("lamports"), value.get("space")
    if isinstance(read_integer(lamports), Gap) or isinstance(read_integer(space), Gap):
        return bad
    return Held(lamports=int(str(lamports)), owner=value["owner"], space=int(str(space)))


def read_last_slots(exchange: Exchange) -> dict[str, int | Gap | None]:
    """Read, per key, the slot of its newest transaction; ``None`` where the list is empty."""
    asked = asked_keys(exchange.request)
    results = (classified(one) for one in jsonrpc.results(exchange, len(asked)))
    return dict(zip(asked, map(_last_slot, results), strict=True))


def _last_slot(result: Any | Gap) -> int | Gap | None:
    if isinstance(result, Gap):
        return result
    bad = Gap("malformed-answer", detail="a list of signatures was expected")
    if not isinstance(result, list) or not all(isinstance(one, dict) for one in result):
        return bad
    slots = [read_integer(one.get("slot")) for one in result]
    numbers = [slot for slot in slots if isinstance(slot, int)]
    if len(numbers) != len(slots):
        return bad
    return max(numbers, default=None)
