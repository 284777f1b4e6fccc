"""The trie of a Substrate state, built from its keys and values, and the nodes that prove a key.

Made for simulated nodes: it encodes nodes and never decodes one.
Spec: https://spec.polkadot.network/chap-state
Source: paritytech/polkadot-sdk substrate/primitives/trie/src/{node_header,node_codec}.rs
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from chains.adapters.substrate.storage import compact

HASH = 32
_NIBBLES = 16


@dataclass
class _Node:
    path: str
    raw: bytes
    value: bytes | None = None
    children: dict[str, _Node] = field(default_factory=dict)


def named(raw: bytes) -> bytes:
    """Return Blake2b-256."""
    return blake2b(raw, digest_size=HASH).digest()


class Trie:
    """A trie in memory; ``version`` 1 lets values of more than 32 bytes stand by themselves."""

    def __init__(self, state: Mapping[bytes, bytes], version: int = 1) -> None:
        self._version = version
        items = [(key.hex(), value) for key, value in sorted(state.items())]
        self._root = self._build(items) if items else _Node("", b"\0")

    @property
    def root(self) -> bytes:
        """The name of the root node."""
        return named(self._root.raw)

    def prove(self, keys: Iterable[bytes]) -> list[bytes]:
        """Return the nodes on the paths of all keys, and the values that stand by themselves."""
        found = {self._root.raw: None}
        for key in keys:
            node, path = self._root, key.hex()
            while path.startswith(node.path):
                path = path[len(node.path) :]
                if not path:
                    if node.value is not None and self._stands(node.value):
                        found[node.value] = None
                    break
                child = node.children.get(path[0])
                if child is None:
                    break
                node, path = child, path[1:]
                if len(node.raw) >= HASH:
                    found[node.raw] = None
        return list(found)

    def _stands(self, value: bytes) -> bool:
        return self._version > 0 and len(value) > HASH

    def _build(self, items: Sequence[tuple[str, bytes]]) -> _Node:
        """Build the node of sorted keys; what they share is the node's part of the path."""
        first, last = items[0][0], items[-1][0]
        count = next(
            (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
            min(len(first), len(last)),
        )
        path, own = first[:count], next((value for key, value in items if len(key) == count), None)
        children: dict[str, _Node] = {}
        for nibble in sorted({key[count] for key, _ in items if len(key) > count}):
            below = [
                (key[count + 1 :], value)
                for key, value in items
                if len(key) > count and key[count] == nibble
            ]
            children[nibble] = self._build(below)
        return _Node(path, self._encode(path, own, children), own, children)

    def _encode(self, path: str, value: bytes | None, children: Mapping[str, _Node]) -> bytes:
        stands = value is not None and self._stands(value)
        if stands:
            prefix, width = (0b0001, 4) if children else (0b001, 5)
        else:
            prefix, width = (0b01 if not children else 0b10 + (value is not None)), 6
        digits = path if len(path) % 2 == 0 else "0" + path
        raw = _header(prefix, width, len(path)) + bytes.fromhex(digits)
        if children:
            bits = sum(1 << int(nibble, _NIBBLES) for nibble in children)
            raw += bits.to_bytes(2, "little")
        if value is not None:
            raw += named(value) if stands else _text(value)
        for nibble in sorted(children):
            below = children[nibble].raw
            raw += _text(below if len(below) < HASH else named(below))
        return raw


def _header(prefix: int, width: int, count: int) -> bytes:
    most = (1 << width) - 1
    if count < most:
        return bytes((prefix << width | count,))
    rest = count - most
    return bytes((prefix << width | most,)) + b"\xff" * (rest // 255) + bytes((rest % 255,))


def _text(raw: bytes) -> bytes:
    return compact(len(raw)) + raw
