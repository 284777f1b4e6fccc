"""TRC-20 balances at a height: what the contract says now, less what was moved since.

No node keeps past contract state. What an endpoint with TronGrid's event API can show:

1. the solidified head, then ``balanceOf`` in solidified state, then the head again: the balance
   is of a block between the two, give or take nodes behind one address (``SETTLED_MS``);
2. the newest event of a contract that is called in every block (``busy_token``), at or after the
   second head: the list of events reaches that far;
3. the account's transfers of this token since the pinned block, page after page to the end.

The balance at the height is the one now, less what came in, plus what went out (``rolled-back``;
``untouched`` where there was nothing). A transfer between the heads is the gap ``no-history``: it
may or may not be in the balance. A full page without the mark of the next one is no end
(TRON-US/trongrid issue 23). A row that is missing in the middle of a list cannot be seen on one
endpoint; a sum that goes below zero is.

Only for tokens whose balances move by Transfer events and by those that are declared beside them
(``transfer_tokens``, and ``supply``): not for those that rebase.

Spec: https://tronprotocol.github.io/documentation-en/api/http/smart-contract/triggerconstantcontract/
Spec: https://developers.tron.network/docs/get-trc20-transaction-history
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from chains import rest
from chains.accounts import Held, liquid
from chains.adapters.tron import wire
from chains.model import Exchange, Gap, Request, Snapshot

EVENTS = "events"
"""Name in ``View.detail`` of an endpoint that serves the event API."""
TRIGGER = "/walletsolidity/triggerconstantcontract"
CALLER = "41" + 20 * "00"
BALANCE_OF = "70a08231"
TOTAL_SUPPLY = "18160ddd"
DECIMALS = "313ce567"
SYMBOL = "95d89b41"
"""Selectors. Spec: https://eips.ethereum.org/EIPS/eip-20"""
WORD = 32
PAGE = 200
"""Spec: https://developers.tron.network/docs/get-trc20-transaction-history (most per page)"""
MOST_PAGES = 50
SETTLED_MS = 30_000
"""Ten blocks: how far apart the nodes behind one address may be. A choice, not a specification."""
NO_EVENTS = (
    "nodes keep no past state of contracts, and no endpoint shows what was transferred since; "
    "an endpoint with the event API, or a capture at the height, would answer it"
)
NO_RULE = (
    "this token is not configured as one whose events tell all its movements (transfer_tokens); "
    "a capture at the height would answer it"
)

_FINGERPRINT = re.compile(r"[A-Za-z0-9_-]{1,512}\Z")
_DIGITS = re.compile(r"[0-9]{1,78}\Z")

Ask = Callable[[Request, str], Awaitable[Exchange]]
Found = Mapping[Request, Exchange]


class Transfers(msgspec.Struct, frozen=True):
    """(block time in milliseconds, what it added) of each transfer; ``mark`` of the next page."""

    rows: tuple[tuple[int, int], ...]
    mark: str = ""


class List(msgspec.Struct, frozen=True):
    """Whose transfers of which token since when, in the endpoint's texts."""

    account: str
    token: str
    since_ms: int

    def page(self, mark: str = "") -> Request:
        """Ask for one page; the first where ``mark`` is empty."""
        query = (
            f"only_confirmed=false&limit={PAGE}&contract_address={self.token}"
            f"&min_timestamp={self.since_ms}"
        )
        more = f"&fingerprint={mark}" if mark else ""
        return rest.get(f"/v1/accounts/{self.account}/transactions/trc20?{query}{more}")


def call_request(token: bytes, data: str) -> Request:
    """Ask a contract in solidified state; ``data`` is hex."""
    body = {
        "owner_address": CALLER,
        "contract_address": wire.hex_address(token),
        "data": data,
        "visible": False,
    }
    return rest.post(TRIGGER, body)


def balance_request(token: bytes, account: bytes) -> Request:
    """Ask for a balance of a token."""
    return call_request(token, BALANCE_OF + account.rjust(WORD, b"\0").hex())


def newest_request(token: str) -> Request:
    """Ask for the newest event of a contract (``T…``), confirmed or not."""
    query = "only_confirmed=false&limit=1&order_by=block_timestamp,desc"
    return rest.get(f"/v1/contracts/{token}/events?{query}")


def asks_for_newest(request: Request) -> bool:
    """Tell a request for the newest event from others."""
    return request.method == "GET" and request.path.startswith("/v1/contracts/")


def read_return(exchange: Exchange) -> bytes | Gap:
    """Read what a contract returned; a call that failed is a ``Gap``."""
    answer = wire.read_object(exchange)
    if isinstance(answer, Gap):
        return answer
    result = answer.get("result")
    if not isinstance(result, dict) or result.get("result") is not True:
        return _refused(result)
    try:
        (text,) = answer["constant_result"]
        failed = any(one.get("ret") == "FAILED" for one in answer["transaction"]["ret"])
        raw = bytes.fromhex(text)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Gap("malformed-answer", detail="an answer without result of the contract")
    return Gap("call-failed") if failed else raw


def _refused(result: Any) -> Gap:
    """Classify an answer that no contract gave; its message is hex, or text on some nodes."""
    if not isinstance(result, dict) or "code" not in result:
        return Gap("malformed-answer", detail="an answer without result")
    message = str(result.get("message", ""))
    with suppress(ValueError):
        message = bytes.fromhex(message).decode()
    if "contract is not exist" in message:
        return Gap("no-contract", detail=message[:300])
    if "not support constant" in message:
        return Gap("method-missing", detail=message[:300])
    return Gap("call-failed", detail=message[:300])


def read_number(exchange: Exchange) -> int | Gap:
    """Read one ``uint256``."""
    raw = read_return(exchange)
    if isinstance(raw, Gap):
        return raw
    if len(raw) != WORD:
        return Gap("call-failed", detail=f"{len(raw)} bytes instead of one word")
    return int.from_bytes(raw, "big")


def _listed(exchange: Exchange) -> tuple[list[Any], Mapping[str, Any]] | Gap:
    """Return the data and the meta of an answer of the event API."""
    answer = wire.read_object(exchange)
    if isinstance(answer, Gap):
        return answer
    data, meta = answer.get("data"), answer.get("meta")
    if (
        answer.get("success") is not True
        or not isinstance(data, list)
        or not isinstance(meta, dict)
    ):
        return Gap("malformed-answer", detail="an answer without data or meta")
    size = wire.integer(meta, "page_size")
    if size != len(data):
        return Gap("truncated-answer", retryable=True, detail=f"{len(data)} of {size} rows")
    return data, meta


def read_listed(exchange: Exchange) -> tuple[list[Any], str] | Gap:
    """Return the rows of a page and the mark of the next one, ``""`` where it is the last."""
    listed = _listed(exchange)
    if isinstance(listed, Gap):
        return listed
    data, meta = listed
    mark = meta.get("fingerprint", "")
    if not isinstance(mark, str) or (mark and not _FINGERPRINT.match(mark)):
        return Gap("malformed-answer", detail="the mark of the next page cannot be read")
    if not mark and len(data) >= PAGE:
        return Gap("truncated-answer", retryable=True, detail="a full page, and no next one")
    return data, mark


def read_newest(exchange: Exchange) -> int | Gap:
    """Read the block time in milliseconds of the newest event."""
    listed = _listed(exchange)
    if isinstance(listed, Gap):
        return listed
    data, _ = listed
    if len(data) != 1 or not isinstance(data[0], dict):
        return Gap("malformed-answer", detail="no newest event")
    time = wire.integer(data[0], "block_timestamp")
    return time or Gap("malformed-answer", detail="an event without time")


def read_page(exchange: Exchange, of: List) -> Transfers | Gap:
    """Read one page of an account's transfers."""
    listed = read_listed(exchange)
    if isinstance(listed, Gap):
        return listed
    data, mark = listed
    rows = [read_row(one, of) for one in data]
    good = tuple(one for one in rows if one is not None)
    if len(good) != len(rows):
        return Gap("malformed-answer", detail="a transfer that cannot be read")
    return Transfers(good, mark)


def read_row(one: Any, of: List) -> tuple[int, int] | None:
    """Return (time, what it added) of one row; an approval adds nothing."""
    if not isinstance(one, dict) or not isinstance(one.get("token_info"), dict):
        return None
    time = wire.integer(one, "block_timestamp")
    if not time or one["token_info"].get("address") != of.token:
        return None
    if one.get("type") == "Approval":
        return time, 0
    value, ends = one.get("value"), (one.get("from"), one.get("to"))
    if one.get("type") != "Transfer" or of.account not in ends:
        return None
    if not isinstance(value, str) or not _DIGITS.match(value):
        return None
    came, went = ends[1] == of.account, ends[0] == of.account
    return time, int(value) * (came - went)


async def ask_list(ask: Ask, endpoint: str, of: List) -> list[Exchange]:
    """Ask for an account's transfers, page after page, as far as they can be read."""
    exchanges: list[Exchange] = []
    mark = ""
    for _ in range(MOST_PAGES):
        exchanges.append(await ask(of.page(mark), endpoint))
        page = read_page(exchanges[-1], of)
        if isinstance(page, Gap) or not page.mark or page.mark == mark:
            break
        mark = page.mark
    return exchanges


def read_list(found: Found, of: List) -> list[tuple[int, int]] | Gap:
    """Read an account's transfers; a ``Gap`` unless the list is shown to its end."""
    rows: list[tuple[int, int]] = []
    mark = ""
    for _ in range(MOST_PAGES):
        exchange = found.get(of.page(mark))
        if exchange is None:
            return Gap("not-answered")
        page = read_page(exchange, of)
        if isinstance(page, Gap):
            return page
        rows += page.rows
        if not page.mark:
            return rows
        if page.mark == mark:
            return Gap("malformed-answer", detail="a page that names itself as the next one")
        mark = page.mark
    return Gap("no-history", detail=f"more than {MOST_PAGES} pages of transfers since the height")


class Reading(msgspec.Struct, frozen=True):
    """What a batch showed besides balances: the two heads' times and what voids zeros."""

    first_ms: int
    last_ms: int
    doubt: Gap | None


def read_batch(
    exchanges: Sequence[Exchange], canary: Request, newest: Request, at: Snapshot
) -> Reading | Gap:
    """Judge a batch by its heads, its canary and the reach of its list of events."""
    found = {one.request: one for one in exchanges}
    times = _heads(exchanges, at)
    if isinstance(times, Gap):
        return times
    first, last = times
    reach = read_newest(found[newest]) if newest in found else Gap("not-answered")
    if isinstance(reach, Gap):
        return reach
    if reach < last:
        return Gap("node-behind", retryable=True, detail=f"the list of events ends at {reach}")
    shown = read_number(found[canary]) if canary in found else Gap("not-answered")
    if isinstance(shown, Gap):
        doubt = Gap("zero-without-canary", retryable=True, detail=f"canary: {shown.reason}")
        return Reading(first, last, doubt)
    if not shown:
        return Gap("canary-wrong", retryable=True, detail="the canary of the token reads 0")
    return Reading(first, last, None)


def _heads(exchanges: Sequence[Exchange], at: Snapshot) -> tuple[int, int] | Gap:
    """Return the times of the heads before and after the balances."""
    answers = [wire.read_object(one) for one in exchanges if one.request.path == wire.SOLID_HEAD]
    heads = [one if isinstance(one, Gap) else wire.read_block(one) for one in answers]
    blocks = [one for one in heads if isinstance(one, wire.Block)]
    if len(blocks) != 2:  # noqa: PLR2004 - before and after
        return next((one for one in heads if isinstance(one, Gap)), Gap("not-answered"))
    first, last = blocks
    if not at.height <= first.number <= last.number or first.time > last.time:
        return Gap("node-behind", retryable=True, detail="the head went back, or behind the height")
    return first.time, last.time


def balance(
    found: Found, asked: Request, of: List, reading: Reading, others: Sequence[tuple[int, int]]
) -> Held | Gap:
    """Answer one account in base units of the token; ``others``: what other events added."""
    exchange = found.get(asked)
    now = Gap("not-answered") if exchange is None else read_number(exchange)
    if isinstance(now, Gap):
        return now
    rows = read_list(found, of)
    if isinstance(rows, Gap):
        return rows
    since = [(time, added) for time, added in (*rows, *others) if time > of.since_ms and added]
    earliest, latest = reading.first_ms - SETTLED_MS, reading.last_ms + SETTLED_MS
    if any(earliest < time <= latest for time, _ in since):
        return Gap("no-history", retryable=True, detail="transferred while it was being read")
    units = now - sum(added for time, added in since if time <= earliest)
    if units < 0:
        return Gap("malformed-answer", detail="more came in since the height than is there")
    return reading.doubt if reading.doubt is not None and not units else liquid(units)


def moved(found: Found, lists: Sequence[List]) -> bool:
    """Tell whether any account of a batch was rolled back over transfers."""
    read = ((read_list(found, of), of.since_ms) for of in lists)
    return any(
        not isinstance(rows, Gap) and any(time > since and added for time, added in rows)
        for rows, since in read
    )
