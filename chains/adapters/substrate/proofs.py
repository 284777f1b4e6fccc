"""Balances once more, each with the nodes that lead from the pinned block's own name down to it.

Every link is recomputed here, offline: the pinned hash is the Blake2b-256 of the header, the header
holds the state root, and the nodes lead from there to the value under the account's key. A proof of
absence is an account that is not there. Whether it counts as zero is said by the same rule as for a
value that was merely read: empty accounts of a chain whose balances moved elsewhere do not.

Spec: paritytech/polkadot-sdk substrate/client/rpc-api/src/state (``state_getReadProof``)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from chains import jsonrpc
from chains.adapter import Transport
from chains.adapters.substrate import trie, wire
from chains.adapters.substrate.trie import Unproven
from chains.model import Exchange, Gap, Request, Snapshot

BATCH = 50
"""Accounts per request: up to 6 kB each, less where paths share their upper nodes."""
MOST_NODES = 100_000
NO_ANCHOR = Gap("proof-no-anchor", detail="the header's fields do not hash to the pinned block")

Own = Mapping[Request, Exchange]


def request(asked: Sequence[bytes], block: str) -> Request:
    """Ask for the nodes that prove the values under several keys.

    Spec: paritytech/polkadot-sdk substrate/client/rpc-api/src/state (``state_getReadProof``)
    """
    return jsonrpc.call("state_getReadProof", [[wire.hexed(key) for key in asked], block])


def batches(keys: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the keys of each request."""
    return [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]


async def ask(transport: Transport, keys: Sequence[bytes], at: Snapshot) -> list[Exchange]:
    """Ask one endpoint for the header and the proofs of all keys."""
    header = await transport.exchange_any(wire.header(at.block_hash), at.endpoints)
    if header.failure:
        return [header]
    requests = [request(asked, at.block_hash) for asked in batches(keys)]
    proofs = (transport.exchange(one, header.endpoint) for one in requests)
    return [header, *await asyncio.gather(*proofs)]


def read(
    own: Own, keys: Sequence[bytes], at: Snapshot, *, extended: bool
) -> list[bytes | Gap | None]:
    """Return what stands under each key, ``None`` where nothing does. Pure."""
    header = wire.read_header(own.get(wire.header(at.block_hash)), extended=extended)
    if isinstance(header, Gap):
        return [header] * len(keys)
    if header.hash != at.block_hash:
        return [NO_ANCHOR] * len(keys)
    root = bytes.fromhex(header.state_root[2:])
    found: list[bytes | Gap | None] = []
    for asked in batches(keys):
        nodes = read_nodes(own.get(request(asked, at.block_hash)), at.block_hash)
        found += [_value(root, key, nodes) for key in asked]
    return found


def read_nodes(exchange: Exchange | None, block: str) -> Mapping[bytes, bytes] | Gap:
    """Read the nodes of a proof, by their names."""
    said = wire.result(exchange)
    if isinstance(said, Gap):
        return said
    listed = said.get("proof") if isinstance(said, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_NODES:
        return Gap("malformed-answer", detail="no list of nodes")
    if said.get("at") != block:
        return Gap("wrong-block", detail="the proof is of another block")
    nodes = [wire.unhexed(text) for text in listed]
    known = [node for node in nodes if node is not None]
    if len(known) != len(nodes):
        return Gap("malformed-answer", detail="a node that is no hex text")
    return trie.by_name(known)


def _value(root: bytes, key: bytes, nodes: Mapping[bytes, bytes] | Gap) -> bytes | Gap | None:
    if isinstance(nodes, Gap):
        return nodes
    try:
        return trie.look_up(root, key, nodes)
    except Unproven as error:
        return Gap(error.code, retryable=True, detail=str(error)[:200])
