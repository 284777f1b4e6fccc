"""The wallet HTTP API of java-tron: requests as bytes, answers as typed records or Gaps.

Addresses travel as 42 hex digits (``41`` and the 20 bytes), amounts as integers of sun
(10^-6 TRX), times as milliseconds. Fields that hold their default value (0, false) may be
missing, since the API prints protocol buffers. The first eight bytes of a block id are its
number, so an answer that names a block can be checked against itself.

Spec: https://tronprotocol.github.io/documentation-en/api/http/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from chains import jsonrpc, rest
from chains.model import Exchange, Gap, Request
from chains.rest import post

BLOCK_BY_NUMBER = "/wallet/getblockbynum"
HEAD = "/wallet/getnowblock"
SOLID_HEAD = "/walletsolidity/getnowblock"
BALANCE = "/wallet/getaccountbalance"
ACCOUNT = "/wallet/getaccount"

_ADDRESS = re.compile(r"41[0-9a-f]{40}\Z")
_BLOCK_ID = re.compile(r"[0-9a-f]{64}\Z")


class Block(msgspec.Struct, frozen=True):
    """A block as a node names it. ``time`` is in milliseconds."""

    number: int
    id: str
    time: int


class Record(msgspec.Struct, frozen=True):
    """The balance in sun after block ``number``, the last one up to the asked block."""

    balance: int
    number: int


class Account(msgspec.Struct, frozen=True):
    """What the head state says of an account. ``created`` is in milliseconds, 0 if untold."""

    exists: bool
    created: int = 0
    contract: bool = False


def hex_address(account: bytes) -> str:
    """Return the 42 hex digits of an account."""
    return "41" + account.hex()


def block_request(number: int) -> Request:
    """Ask for a block by number.

    Spec: https://tronprotocol.github.io/documentation-en/api/http/block-and-tx-query/getblockbynum/
    """
    return post(BLOCK_BY_NUMBER, {"num": number})


def head_request(path: str) -> Request:
    """Ask for the newest block (``HEAD``) or the newest solidified one (``SOLID_HEAD``).

    Spec: https://tronprotocol.github.io/documentation-en/api/http/block-and-tx-query/getnowblock/
    """
    return post(path, {})


def balance_request(account: bytes, number: int, block_id: str) -> Request:
    """Ask for the balance of one account at one block.

    Spec: https://tronprotocol.github.io/documentation-en/api/http/account/getaccountbalance/
    """
    return post(
        BALANCE,
        {
            "account_identifier": {"address": hex_address(account)},
            "block_identifier": {"hash": block_id, "number": number},
            "visible": False,
        },
    )


def account_request(account: bytes) -> Request:
    """Ask for one account in the head state.

    Spec: https://tronprotocol.github.io/documentation-en/api/http/account/getaccount/
    """
    return post(ACCOUNT, {"address": hex_address(account), "visible": False})


def asked_account(request: Request) -> bytes | None:
    """Return the account that a balance or account request is about, else ``None``."""
    body = msgspec.json.decode(request.body)
    text = body["account_identifier"]["address"] if request.path == BALANCE else body.get("address")
    return bytes.fromhex(text)[1:] if text else None


def read_object(exchange: Exchange) -> dict[str, Any] | Gap:
    """Return the JSON object of an answer, or the ``Gap`` of what went wrong."""
    answer = rest.answer(exchange)
    if isinstance(answer, Gap):
        return answer
    if not isinstance(answer, dict):
        return jsonrpc.malformed(exchange)
    error = answer.get("Error")
    return answer if error is None else _error_gap(str(error))


def _error_gap(text: str) -> Gap:
    """Classify ``class <java class> : <message>``, the API's own form of an error.

    The rate limiter's text: tronprotocol/java-tron, framework RateLimiterServlet.java.
    """
    detail = text[:300]
    if "lack of computing resources" in text:
        return Gap("rate-limited", retryable=True, detail=detail)
    if "number and hash do not match" in text:
        return Gap("wrong-block", detail=detail)
    if "ItemNotFoundException" in text:
        return Gap("node-behind", retryable=True, detail=detail)
    return Gap("rpc-error", detail=detail)


def read_block(answer: Mapping[str, Any]) -> Block | Gap:
    """Read a block; the empty object means that the node has no such block."""
    if not answer:
        return Gap("node-behind", retryable=True, detail="the node has no such block")
    header = answer.get("block_header")
    raw = header.get("raw_data") if isinstance(header, dict) else None
    if not isinstance(raw, dict):
        return Gap("malformed-answer", detail="a block without header")
    number, time = integer(raw, "number"), integer(raw, "timestamp")
    block_id = answer.get("blockID")
    if number is None or time is None or not _names(block_id, number):
        return Gap("malformed-answer", detail="a block whose id, number or time is not readable")
    return Block(number=number, id=str(block_id), time=time)


def read_record(answer: Mapping[str, Any], number: int, block_id: str) -> Record | Gap:
    """Read the balance record for the block asked for; the echo of that block stays visible."""
    named = answer.get("block_identifier")
    if not isinstance(named, dict):
        return Gap("malformed-answer", detail="the answer does not name its block")
    balance, at = integer(answer, "balance"), integer(named, "number")
    if balance is None or at is None or not _names(named.get("hash"), at):
        return Gap("malformed-answer", detail="balance or block of the answer is not readable")
    if at > number or (at == number and named.get("hash") != block_id):
        return Gap("wrong-block", detail=f"the answer is for block {at}")
    return Record(balance=balance, number=at)


def read_account(answer: Mapping[str, Any], account: bytes) -> Account | Gap:
    """Read the head state of an account; the empty object means that it does not exist."""
    if not answer:
        return Account(exists=False)
    created = integer(answer, "create_time")
    if answer.get("address") != hex_address(account) or created is None:
        return Gap("malformed-answer", detail="the answer is about another account")
    return Account(exists=True, created=created, contract=answer.get("type") == "Contract")


def receivers(answer: Mapping[str, Any], most: int) -> tuple[bytes, ...]:
    """Return accounts that received TRX in this block, largest transfer first, at most ``most``.

    Only successful plain transfers count: their receiver's balance changed in this block.
    """
    found: dict[bytes, int] = {}
    transactions = answer.get("transactions")
    for transaction in transactions if isinstance(transactions, list) else []:
        transfer = _transfer(transaction)
        if transfer is not None:
            to, amount = transfer
            found[to] = max(amount, found.get(to, 0))
    return tuple(sorted(found, key=lambda to: (-found[to], to))[:most])


def _transfer(transaction: Any) -> tuple[bytes, int] | None:
    try:
        contract = transaction["raw_data"]["contract"][0]
        if (
            contract["type"] != "TransferContract"
            or transaction["ret"][0]["contractRet"] != "SUCCESS"
        ):
            return None
        value = contract["parameter"]["value"]
        to, amount = hex_to_account(value["to_address"]), value["amount"]
    except (KeyError, IndexError, TypeError):
        return None
    return (to, amount) if to is not None and isinstance(amount, int) else None


def integer(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a non-negative ``int64``; a missing field is the default value 0."""
    value = fields.get(name, 0)
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
    return value if good else None


def hex_to_account(text: Any) -> bytes | None:
    """Return the 20 bytes behind 42 hex digits, ``None`` for anything else."""
    good = isinstance(text, str) and _ADDRESS.match(text) is not None
    return bytes.fromhex(text)[1:] if good else None


def _names(block_id: Any, number: int) -> bool:
    """Tell whether this is a block id, and one of that number."""
    return (
        isinstance(block_id, str)
        and _BLOCK_ID.match(block_id) is not None
        and int(block_id[:16], 16) == number
    )
