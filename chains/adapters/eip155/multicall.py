"""Multicall3, for nodes that refuse both code overrides and calls without ``to``.

The first three calls of every batch ask the contract for chain id, block number and parent
hash, so that these answers name their block like those of our own programs.

Spec: https://github.com/mds1/multicall3
"""

from __future__ import annotations

from collections.abc import Sequence

from chains.adapters.eip155.programs import block_object
from chains.model import Request
from chains.words import WORD

AGGREGATE3 = bytes.fromhex("82ad56cb")
"""``aggregate3((address target, bool allowFailure, bytes callData)[])``."""
HEADER_CALLS = tuple(bytes.fromhex(text) for text in ("3408e470", "42cbb15c", "27e86d6e"))
"""``getChainId()``, ``getBlockNumber()``, ``getLastBlockHash()``."""
GET_ETH_BALANCE = bytes.fromhex("4d2301cc")
BALANCE_OF = bytes.fromhex("70a08231")

_TRUE = (1).to_bytes(WORD, "big")


def multicall_call(
    contract: str, token: bytes | None, accounts: Sequence[bytes], block_hash: str, gas: int
) -> Request:
    """Build one ``aggregate3`` call: three header calls, then one balance per account."""
    own = bytes.fromhex(contract[2:])
    target, selector = (own, GET_ETH_BALANCE) if token is None else (token, BALANCE_OF)
    calls = [(target, selector + bytes(12) + account) for account in accounts]
    return aggregate(contract, calls, block_hash, gas)


def aggregate(
    contract: str, calls: Sequence[tuple[bytes, bytes]], block_hash: str, gas: int
) -> Request:
    """Build one ``aggregate3`` call: three header calls, then these (address, data)."""
    own = bytes.fromhex(contract[2:])
    made = [_call(own, data) for data in HEADER_CALLS]
    made += [_call(target, data) for target, data in calls]
    return Request(
        body=b"".join(
            (
                b'{"jsonrpc":"2.0","id":0,"method":"eth_call","params":[{"to":"',
                contract.encode(),
                b'","gas":"0x%x","data":"0x' % gas,
                (AGGREGATE3 + _array(made)).hex().encode(),
                b'"},',
                block_object(block_hash),
                b"]}",
            )
        )
    )


def multicall_words(raw: bytes, count: int) -> list[int | None]:
    """Read one word of each result; ``None`` where a call failed or said too little.

    Raises ``ValueError`` as ``results`` does.
    """
    return [word(one) for one in results(raw, count)]


def results(raw: bytes, count: int) -> list[bytes | None]:
    """Read ``(bool success, bytes returnData)[]``; ``None`` where a call failed.

    Raises ``ValueError`` when the answer is not an array of ``count`` such pairs.
    """
    start = _number(raw, 0)
    if _number(raw, start) != count:
        message = f"{_number(raw, start)} results instead of {count}"
        raise ValueError(message)
    base = start + WORD
    return [_result(raw, base + _number(raw, base + i * WORD)) for i in range(count)]


def word(result: bytes | None) -> int | None:
    """Read the first word of a result; ``None`` where there is no whole one."""
    if result is None or len(result) < WORD:
        return None
    return int.from_bytes(result[:WORD], "big")


def _result(raw: bytes, at: int) -> bytes | None:
    succeeded = _number(raw, at) == 1
    data = at + _number(raw, at + WORD)
    length = _number(raw, data)
    if not succeeded:
        return None
    start = data + WORD
    if -(-length // WORD) * WORD > len(raw) - start:
        raise ValueError("a result ends outside the answer")
    return raw[start : start + length]


def _number(raw: bytes, at: int) -> int:
    if not 0 <= at <= len(raw) - WORD:
        raise ValueError("an offset points outside the answer")
    return int.from_bytes(raw[at : at + WORD], "big")


def _call(target: bytes, data: bytes) -> bytes:
    return b"".join(
        (
            bytes(12) + target,
            _TRUE,
            _size(3 * WORD),
            _size(len(data)),
            data.ljust(-(-len(data) // WORD) * WORD, b"\0"),
        )
    )


def _array(items: Sequence[bytes]) -> bytes:
    offset = len(items) * WORD
    offsets: list[bytes] = []
    for item in items:
        offsets.append(_size(offset))
        offset += len(item)
    return b"".join((_size(WORD), _size(len(items)), *offsets, *items))


def _size(value: int) -> bytes:
    return value.to_bytes(WORD, "big")
