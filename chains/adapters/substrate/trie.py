"""Read proofs: what a state with a known root holds under a key, if anything. Pure and offline.

The state is a radix-16 trie whose nodes are named by their Blake2b-256. Every node is looked up by
its name, beginning with the root, so that a node that was left out, changed or taken from another
trie cannot be reached: then there is no answer, not another one. Nodes that nobody refers to prove
nothing and are passed over. Both layouts are read: since state version 1 a value of more than 32
bytes stands by itself and the node carries its hash.

Spec: https://spec.polkadot.network/chap-state (sections 2.4.3 and 2.4.4)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from chains.errors import Terminal

HASH = 32
_CHILDREN = 16
_EMPTY = b"\0"
_LEAF, _BRANCH, _BRANCH_WITH_VALUE, _HASHED = 0b01, 0b10, 0b11, 0b00
_LEAF_BIT, _BRANCH_BIT = 0b0010_0000, 0b0001_0000
_FULL = 255
"""A length that goes on in the next byte."""
_MOST_NIBBLES = 4096


class Unproven(Terminal):
    """The nodes do not lead from the root to an end of the key's path."""

    code = "proof-wrong"


class _Node(msgspec.Struct, frozen=True):
    """A decoded node: ``value`` is ``None`` where it has none, or its hash if ``hashed``."""

    path: str
    value: bytes | None
    hashed: bool
    children: Mapping[str, bytes]


def named(node: bytes) -> bytes:
    """Return the name of a node or a value: Blake2b-256."""
    return blake2b(node, digest_size=HASH).digest()


def by_name(nodes: Iterable[bytes]) -> Mapping[bytes, bytes]:
    """Index nodes by their names."""
    return {named(node): node for node in nodes}


def look_up(root: bytes, key: bytes, nodes: Mapping[bytes, bytes]) -> bytes | None:
    """Return the value under ``key`` in the trie of ``root``; ``None``: proven to be absent.

    Raises ``Unproven``.
    """
    path, raw = key.hex(), _fetch(root, nodes)
    while raw != _EMPTY:
        node = _decode(raw)
        if not path.startswith(node.path):
            return None
        path = path[len(node.path) :]
        if not path:
            return _value(node, nodes)
        child = node.children.get(path[0])
        if child is None:
            return None
        path, raw = path[1:], child if len(child) < HASH else _fetch(child, nodes)
    return None


def _value(node: _Node, nodes: Mapping[bytes, bytes]) -> bytes | None:
    if node.value is None or not node.hashed:
        return node.value
    return _fetch(node.value, nodes)


def _fetch(name: bytes, nodes: Mapping[bytes, bytes]) -> bytes:
    found = nodes.get(name)
    if found is None:
        raise Unproven(f"the node 0x{name.hex()} of the path is missing")
    return found


class _Reader:
    """Takes bytes from the front of a node; raises ``Unproven`` where there are too few."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, count: int) -> bytes:
        """Take so many bytes."""
        end = self._at + count
        if end > len(self._raw):
            raise Unproven("a node that ends too early")
        taken, self._at = self._raw[self._at : end], end
        return taken

    def text(self) -> bytes:
        """Take bytes behind their compact length."""
        first = self.take(1)
        mode = first[0] & 3
        if mode == 3:  # noqa: PLR2004 - a length of 2^30 bytes or more
            raise Unproven("a node with a text of more than 2^30 bytes")
        whole = first + self.take((1, 2, 4)[mode] - 1)
        return self.take(int.from_bytes(whole, "little") >> 2)

    def end(self) -> None:
        """Raise ``Unproven`` if there is more."""
        if self._at != len(self._raw):
            raise Unproven("a node with bytes after its end")


def _decode(raw: bytes) -> _Node:
    """Read a node; raises ``Unproven``.

    Source: paritytech/polkadot-sdk substrate/primitives/trie/src/{node_header,node_codec}.rs
    """
    reader = _Reader(raw)
    first = reader.take(1)[0]
    kind = first >> 6
    leaf, hashed, width = kind == _LEAF, kind == _HASHED, 6
    if hashed:
        leaf = bool(first & _LEAF_BIT)
        width = 5 if leaf else 4
        if not leaf and not first & _BRANCH_BIT:
            raise Unproven(f"a node that begins with 0x{first:02x}")
    path = _path(reader, first & ((1 << width) - 1), (1 << width) - 1)
    bits = 0 if leaf else int.from_bytes(reader.take(2), "little")
    if not leaf and not bits:
        raise Unproven("a branch without children")
    value = None
    if hashed:
        value = reader.take(HASH)
    elif leaf or kind == _BRANCH_WITH_VALUE:
        value = reader.text()
    children = {f"{i:x}": reader.text() for i in range(_CHILDREN) if bits >> i & 1}
    if any(not 0 < len(child) <= HASH for child in children.values()):
        raise Unproven("a child that is neither a node nor its name")
    reader.end()
    return _Node(path, value, hashed, children)


def _path(reader: _Reader, count: int, most: int) -> str:
    """Read the part of the key that a node adds: its length in nibbles, then the nibbles."""
    full = count == most
    while full:
        more = reader.take(1)[0]
        full, count = more == _FULL, count + more
        if count > _MOST_NIBBLES:
            raise Unproven("a path that no key has")
    digits = reader.take((count + 1) // 2).hex()
    if count % 2 and digits[0] != "0":
        raise Unproven("a path with something in its padding")
    return digits[count % 2 :]
