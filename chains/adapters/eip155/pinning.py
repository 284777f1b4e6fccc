"""Which block is meant, who agrees on it, and who can show that it holds its state.

Every configured endpoint is asked for its chain id, its head, the block at the height and the
balance of a *canary*: an account known not to be empty at that block, from ``params.canaries``
or, where none is configured, found in the block itself (its fee recipient, its senders and
receivers), never from a published list. An endpoint that answers zero for the canary does not
hold the state and is not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chains import jsonrpc
from chains.adapter import Transport
from chains.adapters.eip155.programs import block_object
from chains.adapters.eip155.refusals import refine
from chains.adapters.eip155.ways import Quirks, account_bytes, quantity
from chains.errors import (
    ChainError,
    ConfigError,
    Disagreement,
    Malformed,
    NodeBehind,
    Transient,
    Unanswerable,
    WrongChain,
)
from chains.model import ChainSpec, Exchange, Gap, Request, Snapshot
from chains.pinning import NAMED_BY

CANDIDATES = 12
"""Accounts of the pinned block that are tried as canary."""

FINAL = jsonrpc.call("eth_getBlockByNumber", ["finalized", False])
"""Spec: https://ethereum.github.io/execution-apis/ (block tags)"""
CHAIN_ID = jsonrpc.call("eth_chainId", [])
HEAD = jsonrpc.call("eth_blockNumber", [])


class Header(msgspec.Struct, frozen=True):
    """What is kept of a block: its name, its time (Unix seconds) and its neighbours."""

    height: int
    block_hash: str
    parent_hash: str
    state_root: str
    time: int


def block_request(height: int, *, full: bool) -> Request:
    """Ask for a block by number; ``full`` brings its transactions as objects.

    Spec: https://ethereum.github.io/execution-apis/
    """
    return jsonrpc.call("eth_getBlockByNumber", [hex(height), full])


def balance_request(account: bytes, block_hash: str) -> Request:
    """Ask for one native balance at a block hash.

    Spec: https://ethereum.github.io/execution-apis/
    """
    return Request(
        body=b"".join(
            (
                b'{"jsonrpc":"2.0","id":0,"method":"eth_getBalance","params":["0x',
                account.hex().encode(),
                b'",',
                block_object(block_hash),
                b"]}",
            )
        )
    )


async def pin(spec: ChainSpec, transport: Transport, height: int) -> tuple[Exchange, ...]:
    """Ask every endpoint; never raises for what they answer."""
    configured = configured_canaries(spec)
    block = block_request(height, full=not configured)
    names = transport.endpoints
    firsts = await asyncio.gather(
        *(
            transport.exchange(request, name)
            for name in names
            for request in (CHAIN_ID, HEAD, block)
        )
    )
    exchanges = list(firsts)
    headers = {name: header_of(exchanges, name, block, height) for name in names}
    hashes = {n: h.block_hash for n, h in headers.items() if isinstance(h, Header)}
    for candidate in candidates(configured, exchanges, block):
        answers = await asyncio.gather(
            *(
                transport.exchange(balance_request(candidate, block_hash), name)
                for name, block_hash in hashes.items()
            )
        )
        exchanges.extend(answers)
        if any(isinstance(units := balance_of(answer), int) and units for answer in answers):
            break
    return tuple(exchanges)


def resolve(
    spec: ChainSpec, quirks: Quirks, height: int, exchanges: Sequence[Exchange]
) -> Snapshot:
    """Agree on the block. Pure.

    Raises ``WrongChain`` when an endpoint serves another chain, ``Disagreement`` when two name
    different blocks or different canary balances, ``NodeBehind`` when none has reached the
    height, another ``Transient`` or ``Unanswerable`` when none could name the block.
    """
    names = list(dict.fromkeys(exchange.endpoint for exchange in exchanges))
    rejected: dict[str, str] = {}
    headers: dict[str, Header] = {}
    gaps: list[Gap] = []
    configured = configured_canaries(spec)
    block = block_request(height, full=not configured)
    for name in names:
        wrong = _check_chain(quirks.chain_id, exchanges, name)
        header = wrong or header_of(exchanges, name, block, height)
        if isinstance(header, Gap):
            rejected[name] = header.reason
            gaps.append(header)
        else:
            headers[name] = header
    if not headers:
        raise _nobody(spec, height, gaps)
    header = _agreed(height, headers)
    tried = candidates(configured, exchanges, block)
    canary, units = _canary(tried, exchanges, header, headers, rejected)
    detail = {
        "parent_hash": header.parent_hash,
        "state_root": header.state_root,
        "chain_id": str(quirks.chain_id),
        NAMED_BY: msgspec.json.encode(sorted(headers)).decode(),
    }
    if canary is not None:
        detail["canary_units"] = str(units)
    return Snapshot(
        chain=spec.id,
        height=height,
        block_hash=header.block_hash,
        time=header.time,
        endpoints=tuple(name for name in headers if name not in rejected),
        rejected=rejected,
        canaries=() if canary is None else (canary.hex(),),
        detail=detail,
    )


def configured_canaries(spec: ChainSpec) -> tuple[bytes, ...]:
    """Return ``params.canaries`` as bytes; raises ``ConfigError``."""
    try:
        return tuple(account_bytes(text) for text in spec.params.get("canaries", ()))
    except ValueError as error:
        raise ConfigError(f"chain {spec.id}: params.canaries: {error}") from error


def candidates(
    configured: Sequence[bytes], exchanges: Sequence[Exchange], block: Request
) -> tuple[bytes, ...]:
    """Return the accounts that may serve as canary: config's, else those of the block."""
    if configured:
        return tuple(configured)
    for exchange in exchanges:
        if exchange.request == block:
            body = jsonrpc.result(exchange)
            if isinstance(body, dict):
                return tuple(dict.fromkeys(_accounts_of(body)))[:CANDIDATES]
    return ()


def _accounts_of(block: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield fee recipient, senders and receivers of a full block, those with value first."""
    listed = block.get("transactions")
    transactions = [tx for tx in listed if isinstance(tx, dict)] if isinstance(listed, list) else []
    texts = [tx.get("from") for tx in transactions[:CANDIDATES]]
    texts += [block.get("miner")]
    texts += [tx.get("to") for tx in transactions[:CANDIDATES]]
    for text in texts:
        if isinstance(text, str):
            try:
                yield account_bytes(text)
            except ValueError:
                continue


def header_of(  # noqa: PLR0911 - one early return per way to go wrong
    exchanges: Sequence[Exchange], endpoint: str, block: Request, height: int
) -> Header | Gap:
    """Read the block that an endpoint named, or say why it did not."""
    body = _answer(exchanges, endpoint, block)
    if isinstance(body, Gap):
        return body
    if body is None:
        head = _answer(exchanges, endpoint, HEAD)
        number = head if isinstance(head, Gap) else quantity(head)
        if isinstance(number, int) and number >= height:
            return Gap("state-pruned", detail="the node is past the height but has no such block")
        return Gap("node-behind", retryable=True, detail=f"head {number}")
    if not isinstance(body, dict):
        return Gap("malformed-answer", detail="the block is no object")
    number, time = quantity(body.get("number")), quantity(body.get("timestamp"))
    hashes = [_hash(body.get(key)) for key in ("hash", "parentHash", "stateRoot")]
    if isinstance(time, Gap) or isinstance(number, Gap) or None in hashes:
        return Gap("malformed-answer", detail="the block lacks number, time or hashes")
    if number != height:
        return Gap("wrong-block", detail=f"block {number} instead of {height}")
    return Header(number, str(hashes[0]), str(hashes[1]), str(hashes[2]), time)


def read_final(exchange: Exchange) -> int | Gap:
    """Read the number of the newest final block; networks without the tag answer an error."""
    body = jsonrpc.result(exchange)
    if isinstance(body, Gap):
        return refine(body)
    if body is None:
        return Gap("node-behind", retryable=True, detail="no block is final yet")
    return quantity(body.get("number")) if isinstance(body, dict) else Gap("malformed-answer")


def balance_of(exchange: Exchange) -> int | Gap:
    """Read an ``eth_getBalance`` answer."""
    body = jsonrpc.result(exchange)
    return refine(body) if isinstance(body, Gap) else quantity(body)


def _hash(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) != 66 or value[:2] != "0x":  # noqa: PLR2004
        return None
    try:
        return "0x" + bytes.fromhex(value[2:]).hex()
    except ValueError:
        return None


def _answer(exchanges: Sequence[Exchange], endpoint: str, request: Request) -> Any:
    for exchange in exchanges:
        if exchange.endpoint == endpoint and exchange.request == request:
            body = jsonrpc.result(exchange)
            return refine(body) if isinstance(body, Gap) else body
    return Gap("not-answered", detail="this was not asked")


def _check_chain(chain_id: int, exchanges: Sequence[Exchange], endpoint: str) -> Gap | None:
    """Raise ``WrongChain`` on another chain; return the ``Gap`` where the endpoint did not say."""
    body = _answer(exchanges, endpoint, CHAIN_ID)
    seen = body if isinstance(body, Gap) else quantity(body)
    if isinstance(seen, Gap):
        return seen
    if seen != chain_id:
        raise WrongChain(
            f"endpoint {endpoint} serves chain id {seen}, declared is {chain_id}:"
            " correct its entry in the endpoints file"
        )
    return None


def _agreed(height: int, headers: Mapping[str, Header]) -> Header:
    """Return the header that all endpoints name; raises ``Disagreement``."""
    first_name, first = next(iter(headers.items()))
    for name, header in headers.items():
        if header != first:
            raise Disagreement(
                f"at height {height} endpoint {first_name} names block {first.block_hash}"
                f" and endpoint {name} names {header.block_hash}"
            )
    return first


def _canary(
    tried: Sequence[bytes],
    exchanges: Sequence[Exchange],
    header: Header,
    headers: Mapping[str, Header],
    rejected: dict[str, str],
) -> tuple[bytes | None, int | None]:
    """Choose the first canary that somebody sees; reject the endpoints that do not see it."""
    for candidate in tried:
        request = balance_request(candidate, header.block_hash)
        seen = {name: _seen(exchanges, name, request) for name in headers}
        amounts = {name: units for name, units in seen.items() if isinstance(units, int) and units}
        if not amounts:
            continue
        if len(set(amounts.values())) > 1:
            shown = ", ".join(f"{name}: {units}" for name, units in amounts.items())
            raise Disagreement(f"the canary 0x{candidate.hex()} is reported differently: {shown}")
        for name, units in seen.items():
            if isinstance(units, Gap):
                rejected[name] = units.reason
            elif units == 0:
                rejected[name] = "canary-failed"
        return candidate, next(iter(amounts.values()))
    _fail_where_asking_again_may_help(tried, exchanges, header, headers)
    _reject_the_silent(exchanges, header, headers, rejected)
    return None, None


def _fail_where_asking_again_may_help(
    tried: Sequence[bytes],
    exchanges: Sequence[Exchange],
    header: Header,
    headers: Mapping[str, Header],
) -> None:
    """Raise ``Transient`` where no canary was seen because an answer failed to come.

    What is pinned stays for the whole run: without a canary no zero and no plain account would
    ever be believed, although the next command could have seen one.
    """
    for candidate in tried:
        request = balance_request(candidate, header.block_hash)
        for name in headers:
            found = _seen(exchanges, name, request)
            if isinstance(found, Gap) and found.retryable:
                raise Transient(
                    f"endpoint {name} did not show the balance of 0x{candidate.hex()}",
                    code=found.reason,
                )


def _reject_the_silent(
    exchanges: Sequence[Exchange],
    header: Header,
    headers: Mapping[str, Header],
    rejected: dict[str, str],
) -> None:
    """Reject endpoints whose every balance answer at the pinned block was an error."""
    mark = header.block_hash.encode()
    for name in headers:
        answers = [
            balance_of(exchange)
            for exchange in exchanges
            if exchange.endpoint == name and mark in exchange.request.body
        ]
        first = next((answer for answer in answers if isinstance(answer, Gap)), None)
        if first is not None and all(isinstance(answer, Gap) for answer in answers):
            rejected[name] = first.reason


def _seen(exchanges: Sequence[Exchange], endpoint: str, request: Request) -> int | Gap:
    body = _answer(exchanges, endpoint, request)
    return body if isinstance(body, Gap) else quantity(body)


def _nobody(spec: ChainSpec, height: int, gaps: Sequence[Gap]) -> ChainError:
    """Build the error for a block that no endpoint could name."""
    if not gaps:
        return Unanswerable(f"no endpoint is configured for {spec.id}", code="no-endpoint")
    reasons = ", ".join(dict.fromkeys(gap.reason for gap in gaps))
    message = f"no endpoint could name block {height} of {spec.id}: {reasons}"
    retryable = next((gap for gap in gaps if gap.retryable), None)
    if retryable is None:
        kind = Malformed if gaps[0].reason == "malformed-answer" else Unanswerable
        return kind(message, code=gaps[0].reason)
    if retryable.reason == "node-behind":
        return NodeBehind(message)
    return Transient(message, code=retryable.reason)
