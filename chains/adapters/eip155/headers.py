"""A block header, put together again from its JSON, and whether it hashes to the block's name.

The fields after the nonce came one fork after another, each optional at the end, so that those
that the answer has, in this order, are the header's. Chains whose headers have other fields never
hash to their names here, and nothing is proven about them.

Spec: https://eips.ethereum.org/EIPS/eip-4895 (and 1559, 4844, 4788, 7685)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.adapters.eip155 import rlp
from chains.adapters.eip155.trie import keccak

TEXTS = {
    "parentHash": 32, "sha3Uncles": 32, "miner": 20, "stateRoot": 32, "transactionsRoot": 32,
    "receiptsRoot": 32, "logsBloom": 256,
}  # fmt: skip
"""The first fields, each with its length in bytes."""
NUMBERS = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
LATER: tuple[tuple[str, int], ...] = (
    ("baseFeePerGas", 0),
    ("withdrawalsRoot", 32),
    ("blobGasUsed", 0),
    ("excessBlobGas", 0),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),
)
"""In the order in which they came: London, Shanghai, Cancun (three), Prague. 0: a number."""
MOST_EXTRA = 4096
"""Bytes of ``extraData``: 32 on Ethereum, several hundred where validators sign in it."""


def state_root(block: Any, block_hash: str) -> bytes | None:
    """Return the state root of the block of this name, ``None`` where the fields do not hash to it.

    ``block`` is the result of ``eth_getBlockByHash``; nothing in it is believed otherwise.
    """
    if not isinstance(block, dict):
        return None
    try:
        raw = rlp.encode(_fields(block))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return _bytes(block["stateRoot"], 32) if "0x" + keccak(raw).hex() == block_hash else None


def _fields(block: Mapping[str, Any]) -> list[rlp.Item]:
    fields: list[rlp.Item] = [_bytes(block[name], size) for name, size in TEXTS.items()]
    fields += [_number(block[name]) for name in NUMBERS]
    extra = bytes.fromhex(block["extraData"][2:])
    if len(extra) > MOST_EXTRA:
        raise ValueError("extra data too long")
    fields += [extra, _bytes(block["mixHash"], 32), _bytes(block["nonce"], 8)]
    for name, size in LATER:
        if block.get(name) is None:
            break
        fields.append(_bytes(block[name], size) if size else _number(block[name]))
    return fields


def _bytes(text: str, size: int) -> bytes:
    raw = bytes.fromhex(text[2:])
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes instead of {size}")
    return raw


def _number(text: str) -> bytes:
    return rlp.number(int(text, 16))
