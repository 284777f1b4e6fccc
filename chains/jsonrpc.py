"""JSON-RPC 2.0 as the chains speak it: requests with fixed ids, answers matched by id.

Ids are positions inside the request, never counters, so that the same question is always
the same bytes. Integers of any size are exact. A member that is missing, repeated or
carries an error is a ``Gap``: never a zero, never a neighbour's answer.

Spec: https://www.jsonrpc.org/specification
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from chains.model import Exchange, Gap, Request


def exact(text: str) -> Decimal:
    """Return a number with a point or exponent; raises ``ValueError`` beyond what can be held."""
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise ValueError("a number with an exponent beyond all bounds") from error


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=exact).decode
_decode_many = msgspec.json.Decoder(list[dict[str, Any]], float_hook=exact).decode
_members = msgspec.json.Decoder(list[msgspec.Raw]).decode


def calls_in(body: bytes) -> int:
    """Count what a server counts of a request: the members of an array, 1 of anything else."""
    if not body.startswith(b"["):
        return 1
    try:
        return max(1, len(_members(body)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 1


class _Error(msgspec.Struct, gc=False):
    code: Any = None
    message: Any = None


class _Said(msgspec.Struct, gc=False):
    error: _Error | None = None


_errors = msgspec.json.Decoder(list[_Said] | _Said).decode
_TOO_MANY_REQUESTS = 429
_EXECUTION = 3
_HAS_ERROR = re.compile(rb'"error"\s*:\s*\{').search
_THROTTLED = (
    "rate limit",  # Base, MegaETH
    "rate-limit",
    "ratelimit",
    "request limit",  # QuickNode, -32007: "50/second request limit reached"
    "request rate",  # Infura, -32005: "request rate exceeded"
    "requests per second",
    "rps limit",  # Chainstack, -32005
    "compute units per second",  # Alchemy, 429
    "too many requests",
)


def throttled(body: bytes) -> tuple[int, int]:
    """Count the answers of a body that ask us to slow down, and all of them.

    Many servers say so with HTTP status 200, and of an array for some members only. Codes mean
    other things from server to server, so that but for 429 the words decide; what a contract says
    when it reverts is never meant.

    Spec: https://github.com/wevm/viem/pull/5083 (QuickNode), https://github.com/wevm/viem/pull/4453
    (arrays)
    """
    if b'"error"' not in body or not _HAS_ERROR(body):  # most answers end here, and large ones
        return 0, 1
    try:
        said = _errors(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0, 1
    members = said if isinstance(said, list) else [said]
    return sum(one.error is not None and _is_throttled(one.error) for one in members), len(members)


def _is_throttled(error: _Error) -> bool:
    if error.code == _TOO_MANY_REQUESTS:
        return True
    if error.code == _EXECUTION or not isinstance(error.message, str):
        return False
    return asks_to_slow_down(error.message.lower())


def asks_to_slow_down(text: str) -> bool:
    """Tell whether a server's words, in lower case, ask us to slow down."""
    return "revert" not in text and any(words in text for words in _THROTTLED)


def call(method: str, params: Sequence[Any] | dict[str, Any], *, path: str = "") -> Request:
    """Build a single call with id 0."""
    body = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
    return Request(path=path, body=msgspec.json.encode(body))


def batch(calls: Sequence[tuple[str, Sequence[Any]]], *, path: str = "") -> Request:
    """Build one array of calls whose ids are their positions."""
    body = [
        {"jsonrpc": "2.0", "id": i, "method": method, "params": params}
        for i, (method, params) in enumerate(calls)
    ]
    return Request(path=path, body=msgspec.json.encode(body))


def result(exchange: Exchange) -> Any | Gap:
    """Return the result of a single call, or a ``Gap``. Decimals come back as ``Decimal``."""
    gap = failure(exchange)
    if gap is not None and not (exchange.failure == "refused" and exchange.body):
        return gap
    try:
        answer = _decode(exchange.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return gap or malformed(exchange)
    return gap_or_result(answer, 0)


def results(exchange: Exchange, count: int) -> list[Any | Gap]:
    """Return ``count`` results of an array, by id; what cannot be matched is a ``Gap``."""
    gap = failure(exchange)
    if gap is not None and not (exchange.failure == "refused" and exchange.body):
        return [gap] * count
    try:
        answers = _decode_many(exchange.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        single = result(exchange)
        gap = single if isinstance(single, Gap) else malformed(exchange)
        return [gap] * count
    missing = Gap("malformed-answer", retryable=True, detail="no answer with this id")
    for answer in answers:
        if answer.get("id") is None and answer.get("error") is not None:
            missing = _error_gap(answer["error"])
    found: list[Any | Gap] = [missing] * count
    seen: set[int] = set()
    for answer in answers:
        i = answer.get("id")
        if not isinstance(i, int) or isinstance(i, bool) or not 0 <= i < count:
            continue
        found[i] = (
            Gap("malformed-answer", retryable=True, detail="two answers with one id")
            if i in seen
            else gap_or_result(answer, i)
        )
        seen.add(i)
    return found


def gap_or_result(answer: dict[str, Any], expected_id: int) -> Any | Gap:
    """Take one answer object apart."""
    error = answer.get("error")
    if error is not None and answer.get("id") in (expected_id, None):
        return _error_gap(error)  # a null id: the request was not read
    if answer.get("id") != expected_id:
        return Gap("malformed-answer", retryable=True, detail="the answer carries another id")
    if "result" not in answer:
        return Gap("malformed-answer", retryable=True, detail="neither result nor error")
    return answer["result"]


def _error_gap(error: object) -> Gap:
    said = _Error(error.get("code"), error.get("message")) if isinstance(error, dict) else _Error()
    if _is_throttled(said):
        return Gap("rate-limited", retryable=True, detail=error_text(error))
    return Gap("rpc-error", detail=error_text(error))


def error_text(error: object) -> str:
    """Describe an error object in at most 300 characters."""
    try:
        if isinstance(error, dict):
            return f"{error.get('code')}: {error.get('message')}"[:300]
        return str(error)[:300]
    except RecursionError:
        return "an error nested too deeply to be shown"


def failure(exchange: Exchange) -> Gap | None:
    """Return the ``Gap`` of an exchange that failed below the protocol, else ``None``."""
    if not exchange.failure:
        return None
    return Gap(exchange.failure, retryable=exchange.retryable, detail=str(exchange.status or ""))


def malformed(exchange: Exchange) -> Gap:
    """Say that the body is no JSON-RPC answer; asking again may help."""
    text = exchange.body[:1].decode("ascii", "replace")
    whole = exchange.body.rstrip()[-1:] in (b"}", b"]")
    code = "malformed-answer" if whole or text not in "{[" else "truncated-answer"
    return Gap(code, retryable=True, detail=f"{len(exchange.body)} bytes")
