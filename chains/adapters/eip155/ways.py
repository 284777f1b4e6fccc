"""The four ways to read many balances in one request, best first, and how to read each back.

``override`` places our program with a state override; ``deployless`` sends it as initcode;
``multicall3`` uses the deployed contract; ``rpc`` is a JSON-RPC array of single questions.
All four ask at the pinned block hash. Building and reading are pure and know nothing of each
other's state: the same accounts always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from chains import jsonrpc
from chains.adapters.eip155 import multicall, programs
from chains.adapters.eip155.refusals import refine, too_large
from chains.errors import ConfigError
from chains.model import ChainSpec, Exchange, Gap, Request, Snapshot
from chains.words import WORD, Words

DEFAULT_BATCH = 3000
DEFAULT_GAS = 50_000_000
"""geth's default ``--rpc.gascap``."""
ACCOUNT = 20
"""Bytes of an account."""
COMPARED = {"full": 3, "number": 2, "chain-id": 1}
"""``params.header_words``: how many header words of an answer are compared with the block."""


class Way(StrEnum):
    """How a batch of balances is read."""

    OVERRIDE = "override"
    DEPLOYLESS = "deployless"
    MULTICALL3 = "multicall3"
    RPC = "rpc"


class Multicall(msgspec.Struct, frozen=True):
    """Where Multicall3 is deployed and from which block on."""

    address: str
    from_block: int


class BalanceSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a token keeps its balances: a mapping at ``slot``, in Solidity's order or Vyper's.

    ``bits``: how many of the word's low bits are the balance (USDC keeps a flag above them).
    """

    slot: int
    vyper: bool = False
    bits: int = 256


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """What ``params`` of the chain says about reading it.

    ``header_words``: how many of the words chain id, block number and parent hash can be compared.
    ``full`` is all, ``number`` leaves out the hash (``BLOCKHASH`` is something else on some
    roll-ups), ``chain-id`` the number too (Arbitrum, where ``NUMBER`` is that of another chain):
    then the answer is tied to its block by the hash in the request alone. ``ways`` are tried in
    this order. ``token_canaries`` maps a token (20 bytes, hex) to a holder known not to be empty.
    ``eigen_pod_manager`` confirms who owns an EigenPod, where the chain has any. ``balance_slots``
    maps a token to the place of its balances in its storage, for proofs.
    With ``masked_actors`` an actor's number is written as an address (``masked``).
    """

    chain_id: int
    header_words: str
    call_gas: int
    batch: int
    multicall_batch: int
    rpc_batch: int
    ways: tuple[Way, ...]
    multicall: Multicall | None
    token_canaries: Mapping[bytes, bytes]
    eigen_pod_manager: bytes | None
    balance_slots: Mapping[bytes, BalanceSlot]
    masked_actors: bool


def quirks_of(spec: ChainSpec) -> Quirks:
    """Read ``spec.params``; raises ``ConfigError`` naming what is wrong."""
    params = spec.params
    try:
        deployed = params.get("multicall3")
        pod_manager = params.get("eigen_pod_manager")
        quirks = Quirks(
            chain_id=int(params["chain_id"]),
            header_words=str(params.get("header_words", "full")),
            call_gas=int(params.get("call_gas", DEFAULT_GAS)),
            batch=int(params.get("batch", DEFAULT_BATCH)),
            multicall_batch=int(params.get("multicall_batch", 500)),
            rpc_batch=int(params.get("rpc_batch", 100)),
            ways=tuple(Way(way) for way in params.get("ways", list(Way))),
            multicall=None
            if deployed is None
            else Multicall(str(deployed["address"]).lower(), int(deployed["from_block"])),
            token_canaries={
                account_bytes(token): account_bytes(holder)
                for token, holder in params.get("token_canaries", {}).items()
            },
            eigen_pod_manager=None if pod_manager is None else account_bytes(str(pod_manager)),
            balance_slots={
                account_bytes(token): msgspec.convert(where, BalanceSlot)
                for token, where in params.get("balance_slots", {}).items()
            },
            masked_actors=params.get("masked_actors", False) is True,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"chain {spec.id}: params: {error!r}") from error
    if quirks.header_words not in COMPARED:
        raise ConfigError(f"chain {spec.id}: params.header_words must be one of {[*COMPARED]}")
    return quirks


def account_bytes(text: str) -> bytes:
    """Return the 20 bytes of an address in hex; raises ``ValueError``. Case is not checked."""
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != ACCOUNT:
        message = f"{text!r} is not an address of 20 bytes"
        raise ValueError(message)
    return raw


def most(way: Way, quirks: Quirks) -> int:
    """Return how many accounts one request of this way may carry by default."""
    match way:
        case Way.OVERRIDE:
            return quirks.batch
        case Way.DEPLOYLESS:
            return min(quirks.batch, programs.DEPLOYLESS_MOST - 1)  # one place for the canary
        case Way.MULTICALL3:
            return quirks.multicall_batch
        case Way.RPC:
            return quirks.rpc_batch


def build(
    way: Way, quirks: Quirks, at: Snapshot, token: bytes | None, accounts: Sequence[bytes]
) -> Request:
    """Build the request that asks the balances of ``accounts`` at the pinned block."""
    match way:
        case Way.OVERRIDE:
            return programs.override_call(token, accounts, at.block_hash, quirks.call_gas)
        case Way.DEPLOYLESS:
            return programs.deployless_call(token, accounts, at.block_hash, quirks.call_gas)
        case Way.MULTICALL3:
            if quirks.multicall is None:
                raise ConfigError("params.multicall3 is not declared for this chain")
            return multicall.multicall_call(
                quirks.multicall.address, token, accounts, at.block_hash, quirks.call_gas
            )
        case Way.RPC:
            return _rpc_array(token, accounts, at.block_hash)


def _rpc_array(token: bytes | None, accounts: Sequence[bytes], block_hash: str) -> Request:
    """Build an array of ``eth_getBalance`` or ``eth_call``; ids are positions.

    Spec: https://ethereum.github.io/execution-apis/
    """
    block = programs.block_object(block_hash)
    if token is None:
        head, tail = b'"method":"eth_getBalance","params":["0x', b'",' + block + b"]}"
    else:
        head = b"".join(
            (
                b'"method":"eth_call","params":[{"to":"0x',
                token.hex().encode(),
                b'","data":"0x70a08231',
                b"0" * 24,
            )
        )
        tail = b'"},' + block + b"]}"
    members = [
        b"".join((b'{"jsonrpc":"2.0","id":%d,' % i, head, account.hex().encode(), tail))
        for i, account in enumerate(accounts)
    ]
    return Request(body=b"[" + b",".join(members) + b"]")


class _Call(msgspec.Struct):
    """The fields of a single answer that are read on the fast path."""

    result: str
    id: int


_read_call = msgspec.json.Decoder(_Call).decode

Reading = Sequence[int | Gap | None]
"""Per account: base units, the reason why not, or ``None`` where the contract did not answer."""


def read(  # noqa: PLR0911 - one early return per way to go wrong
    way: Way,
    quirks: Quirks,
    at: Snapshot,
    exchange: Exchange,
    *,
    token: bytes | None,
    count: int,
) -> Reading | Gap:
    """Read the balances of ``count`` accounts back, or say why the whole answer is none."""
    if way is Way.RPC:
        return _read_array(token, exchange, count)
    raw = answer_bytes(exchange)
    if isinstance(raw, Gap):
        return refine(raw)
    if way is Way.MULTICALL3:
        return _read_multicall(quirks, at, raw, count)
    wanted = (count + programs.HEADER_WORDS) * WORD
    if len(raw) != wanted:
        code = "truncated-answer" if len(raw) < wanted else "malformed-answer"
        return Gap(code, retryable=True, detail=f"{len(raw)} bytes instead of {wanted}")
    words = Words(raw)
    gap = wrong_header(quirks, at, words[: programs.HEADER_WORDS])
    if gap is not None:
        return gap
    words = words[programs.HEADER_WORDS :]
    if token is None or programs.MARK not in words:
        return words
    return [None if word == programs.MARK else word for word in words]


def wrong_header(quirks: Quirks, at: Snapshot, header: Sequence[int | None]) -> Gap | None:
    """Compare chain id, block number and parent hash with the pinned block."""
    pinned = [quirks.chain_id, at.height, int(at.detail["parent_hash"], 16)]
    compared = COMPARED[quirks.header_words]
    for name, seen, expected in zip(
        ("chain id", "block number", "parent hash"), header[:compared], pinned, strict=False
    ):
        if seen != expected:
            shown = "nothing" if seen is None else f"{seen:#x}"
            return Gap(
                "wrong-block", retryable=True, detail=f"{name} {shown} instead of {expected:#x}"
            )
    return None


def answer_bytes(exchange: Exchange) -> bytes | Gap:
    """Return the bytes of a single call's hex result, or the ``Gap``."""
    text: Any = None
    if not exchange.failure:
        try:
            call = _read_call(exchange.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            text = call.result if call.id == 0 else None
    if text is None:
        text = jsonrpc.result(exchange)
    return text if isinstance(text, Gap) else _hex_bytes(text)


def _hex_bytes(text: Any) -> bytes | Gap:
    if not isinstance(text, str) or text[:2] != "0x" or not text.isascii():
        return Gap("malformed-answer", retryable=True, detail="the result is no hex text")
    if len(text) % 2:
        return Gap("truncated-answer", retryable=True, detail="half a byte of hex")
    try:
        raw = bytes.fromhex(text[2:])
    except ValueError:
        return Gap("malformed-answer", retryable=True, detail="the result is no hex text")
    if len(raw) * 2 != len(text) - 2:  # fromhex skips spaces
        return Gap("malformed-answer", retryable=True, detail="the result is no hex text")
    return raw


def _read_multicall(quirks: Quirks, at: Snapshot, raw: bytes, count: int) -> Reading | Gap:
    if not raw:
        return Gap("method-missing", detail="no Multicall3 at this address and block")
    try:
        words = multicall.multicall_words(raw, count + programs.HEADER_WORDS)
    except ValueError as error:
        return Gap("malformed-answer", retryable=True, detail=str(error))
    gap = wrong_header(quirks, at, words[: programs.HEADER_WORDS])
    return gap if gap is not None else list(words[programs.HEADER_WORDS :])


def _read_array(token: bytes | None, exchange: Exchange, count: int) -> Reading | Gap:
    members = jsonrpc.results(exchange, count)
    if count and all(isinstance(member, Gap) for member in members):
        first = refine(members[0])
        largest = next((gap for gap in members if too_large(gap)), None)
        if largest is not None:
            return largest
        if all(refine(member) == first for member in members):
            return first if token is None or first.reason != "call-failed" else [None] * count
    return [_member(token, member) for member in members]


def _member(token: bytes | None, member: Any) -> int | Gap | None:
    """Read one member of an array: a quantity for a coin, a word of 32 bytes for a token."""
    if isinstance(member, Gap):
        gap = refine(member)
        return None if token is not None and gap.reason == "call-failed" else gap
    if token is None:
        return quantity(member)
    raw = _hex_bytes(member)
    if isinstance(raw, Gap):
        return raw
    if len(raw) < WORD:
        return None
    return int.from_bytes(raw[:WORD], "big")


def quantity(value: Any) -> int | Gap:
    """Read a hex quantity strictly: ``0x`` and at least one digit.

    Spec: https://ethereum.org/developers/docs/apis/json-rpc/#hex-encoding
    """
    text = value if isinstance(value, str) else ""
    digits = text[2:]
    if text[:2] != "0x" or not digits or len(digits) > 64 or not _is_hex(digits):  # noqa: PLR2004
        return Gap("malformed-answer", retryable=True, detail="the result is no quantity")
    return int(digits, 16)


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)
