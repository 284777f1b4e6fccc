"""Merkle-Patricia proofs: what a trie with a known root holds under a key, if anything.

Pure and offline. Every node is looked up by its hash, beginning with the root, so that a node that
was left out, changed or taken from another trie cannot be reached: then there is no answer, not
another one. Nodes that nobody refers to prove nothing and are passed over.

Spec: https://ethereum.org/developers/docs/data-structures-and-encoding/patricia-merkle-trie/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sha3 import keccak_256

from chains.adapters.eip155 import rlp
from chains.errors import Terminal

EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
"""Root of a trie without any key: Keccak-256 of the RLP of an empty text."""
BRANCH = 17
PAIR = 2
KEY = 32
MOST_NODES = 80
"""A path has 64 steps at most; more nodes are no proof."""
MOST_NODE = 1024
"""A branch of hashes has 532 bytes, and a leaf holds an account or a word."""


class Unproven(Terminal):
    """The nodes do not lead from the root to an end of the key's path."""

    code = "proof-wrong"


def keccak(raw: bytes) -> bytes:
    """Return Keccak-256."""
    return bytes(keccak_256(raw).digest())


def by_hash(nodes: Iterable[bytes]) -> Mapping[bytes, bytes]:
    """Index nodes by their hash, without too large ones; raises ``Unproven`` for too many."""
    known = {keccak(node): node for node in nodes if len(node) <= MOST_NODE}
    if len(known) > MOST_NODES:
        raise Unproven("more nodes than a path can have")
    return known


def look_up(root: bytes, key: bytes, nodes: Mapping[bytes, bytes]) -> bytes | None:
    """Return the value under ``key`` in the trie of ``root``; ``None``: proven to be absent.

    Raises ``Unproven``.
    """
    path = key.hex()
    if root == EMPTY_ROOT:
        return None
    node = _fetch(root, nodes)
    while True:
        if len(node) == BRANCH:
            if not path:
                return _text(node[BRANCH - 1]) or None
            child, path = node[int(path[0], 16)], path[1:]
        elif len(node) == PAIR:
            leaf, part = _compact(_text(node[0]))
            if leaf:
                return _text(node[1]) if part == path else None
            if not path.startswith(part):
                return None
            child, path = node[1], path[len(part) :]
        else:
            raise Unproven(f"a node of {len(node)} items")
        if child == b"":
            return None
        node = child if isinstance(child, list) else _fetch(child, nodes)


def _fetch(reference: bytes, nodes: Mapping[bytes, bytes]) -> list[rlp.Item]:
    raw = nodes.get(reference)
    if raw is None:
        raise Unproven(f"the node 0x{reference.hex()} of the path is missing")
    try:
        node = rlp.decode(raw)
    except ValueError as error:
        raise Unproven(f"a node that is no RLP: {error}") from error
    if not isinstance(node, list):
        raise Unproven("a node that is no list")
    return node


def _compact(raw: bytes) -> tuple[bool, str]:
    """Read hex-prefix form: (whether it is a leaf's, its nibbles as hex digits)."""
    digits = raw.hex()
    flag = digits[:1]
    if flag not in ("0", "1", "2", "3") or (flag in ("0", "2") and digits[1] != "0"):
        raise Unproven("a path that is not in hex-prefix form")
    part = digits[1:] if flag in ("1", "3") else digits[2:]
    leaf = flag in ("2", "3")
    if not leaf and not part:
        raise Unproven("an extension that leads nowhere")
    return leaf, part


def _text(item: rlp.Item) -> bytes:
    if isinstance(item, list):
        raise Unproven("a list where a text belongs")
    return item
