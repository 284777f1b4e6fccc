"""The JSON-RPC of a Solana node: requests as bytes, answers as typed records or Gaps.

Accounts travel as base58, amounts as integers of lamports (10^-9 SOL). Everything is asked
at the commitment ``finalized``.

Spec: https://solana.com/docs/rpc/http
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BinasciiError
from collections.abc import Sequence
from typing import Any

import msgspec

from chains import jsonrpc
from chains.addresses.base58 import bytes_to_base58
from chains.model import Exchange, Gap, Request

FINALIZED = {"commitment": "finalized"}
MOST_ACCOUNTS = 100
"""Spec: https://solana.com/docs/rpc/http/getmultipleaccounts"""
STAKE_BYTES = 200
"""What is asked of the data of accounts: all of a stake account, nothing of a wallet."""
U64 = 2**64

# Source: anza-xyz/agave rpc-client-api/src/custom_error.rs; JSON-RPC 2.0 for -32601
_BY_CODE = {
    "-32001": Gap("state-pruned"),
    "-32004": Gap("node-behind", retryable=True),
    "-32005": Gap("node-behind", retryable=True),
    "-32007": Gap("slot-skipped"),
    "-32009": Gap("slot-skipped"),
    "-32010": Gap("method-missing"),
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
    """An account at the context slot: lamports, owning program, length of its data in bytes.

    ``data`` is the beginning that was asked for, ``None`` where the answer does not show it.
    """

    lamports: int
    owner: str
    space: int
    data: bytes | None = None


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


def accounts_request(keys: Sequence[str], at_least: int, length: int = STAKE_BYTES) -> Request:
    """Ask for up to 100 accounts as they are now, at a slot of at least ``at_least``.

    Spec: https://solana.com/docs/rpc/http/getmultipleaccounts
    """
    return jsonrpc.call("getMultipleAccounts", [list(keys), sliced(at_least, length)])


def sliced(at_least: int, length: int) -> dict[str, Any]:
    """Return the options of a question about accounts: the first ``length`` bytes of their data."""
    return {
        "encoding": "base64",
        "dataSlice": {"offset": 0, "length": length},
        "minContextSlot": at_least,
        **FINALIZED,
    }


def signatures_request(keys: Sequence[str], at_least: int) -> Request:
    """Ask for the newest transaction of each account, as an array of calls.

    Spec: https://solana.com/docs/rpc/http/getsignaturesforaddress
    """
    wanted = {"limit": 1, "minContextSlot": at_least, **FINALIZED}
    return jsonrpc.batch([("getSignaturesForAddress", [key, wanted]) for key in keys])


def batches(items: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut a sequence into pieces of at most ``size``."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def key(account: bytes) -> str:
    """Return the base58 key of an account."""
    return bytes_to_base58(account)


def asked_keys(request: Request) -> list[str]:
    """Return the keys that a request is about, in its order."""
    body = msgspec.json.decode(request.body)
    if isinstance(body, list):
        return [call["params"][0] for call in body]
    return list(body["params"][0])


def is_newest(request: Request) -> bool:
    """Tell a question for newest transactions, the only array of its kind, from others."""
    return request.body.startswith(b"[") and b'"getSignaturesForAddress"' in request.body


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
        account = None if value is None else read_held(value)
        if isinstance(account, Gap):
            return account
        held[name] = account
    return Accounts(slot=slot, held=held)


def read_held(value: Any) -> Held | Gap:
    """Read one account."""
    bad = Gap("malformed-answer", detail="an account that cannot be read")
    if not isinstance(value, dict) or not isinstance(value.get("owner"), str):
        return bad
    lamports, space = integer(value.get("lamports")), integer(value.get("space"))
    if lamports is None or space is None:
        return bad
    return Held(lamports=lamports, owner=value["owner"], space=space, data=_data(value.get("data")))


def listed(value: Any) -> list[Any]:
    """Return what must be a list; raises ``TypeError``."""
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return value


def integer(value: Any) -> int | None:
    """Return an integer of 64 bits without sign, ``None`` for anything else."""
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < U64
    return value if is_one else None


def _data(shown: Any) -> bytes | None:
    if not isinstance(shown, list) or len(shown) != 2 or shown[1] != "base64":  # noqa: PLR2004
        return None
    try:
        return b64decode(shown[0], validate=True)
    except (BinasciiError, TypeError, ValueError):
        return None


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
