"""Hedera's keys: a single key, or lists and thresholds of keys in protocol buffers, nested.

A list needs all its keys, a threshold key some of them; a key that stands there twice counts
twice and signs once. Contracts and keys of curves that the network does not use take part in a
threshold and never sign here. What cannot be read shows nobody.

Source: hashgraph/hedera-protobufs services/basic_types.proto (Key, ThresholdKey, KeyList)
"""

from __future__ import annotations

from chains.control import Authority
from chains.protobuf import BadMessage, fields

WAY = "account-key"
CONTRACT, ED25519, THRESHOLD, LIST, SECP256K1 = 1, 2, 5, 6, 7
LENGTHS = {ED25519: 32, SECP256K1: 33}
LIST_IN_THRESHOLD = 2
UNSIGNING = frozenset({CONTRACT, 3, 4, 8})
"""Contracts, RSA, P-384, delegatable contracts."""
DEEPEST = 15
"""Nested thresholds. Source: basic_types.proto, Key"""
MOST = 2000
"""Members of all lists of one key; more are not read."""


class BadKey(ValueError):
    """The bytes are no key that is understood."""


def single(kind: int, key: bytes) -> Authority:
    """Return the way of an account with one key; raises ``BadKey``."""
    return Authority(kind=WAY, threshold=1, weights={_name(kind, key): 1})


def nested(encoded: bytes) -> Authority:
    """Return the way of an account whose key is an encoded ``Key``; raises ``BadKey``."""
    try:
        return _Reader().way(encoded, "", 0)
    except BadMessage as error:
        raise BadKey(str(error)) from error


def _name(kind: int, key: bytes) -> str:
    if len(key) != LENGTHS[kind]:
        raise BadKey("the length of a key")
    return f"0x{key.hex()}"


class _Reader:
    """Reads one key; counts members, so that no answer keeps it busy."""

    def __init__(self) -> None:
        self.members = 0

    def way(self, encoded: bytes, path: str, depth: int) -> Authority:
        """Return the way that a ``Key`` stands for."""
        kind, body = _only(encoded)
        if kind in LENGTHS:
            return single(kind, body)
        if kind == LIST:
            return self._list(body, None, path, depth)
        if kind == THRESHOLD:
            found = list(fields(body))
            counts = [one for number, one in found if number == 1 and isinstance(one, int)]
            lists = [one for number, one in found if number == LIST_IN_THRESHOLD]
            if len(found) != len(counts) + len(lists) or len(lists) != 1 or len(counts) > 1:
                raise BadKey("a threshold key")
            (only,) = lists
            if not isinstance(only, bytes):
                raise BadKey("the list of a threshold key")
            return self._list(only, counts[0] if counts else 0, path, depth)
        if kind in UNSIGNING:
            return Authority(kind=WAY, threshold=1, weights={})
        raise BadKey("an unknown kind of key")

    def _list(self, body: bytes, threshold: int | None, path: str, depth: int) -> Authority:
        """Return the way of a list; all its members are needed without a threshold."""
        if depth > DEEPEST:
            raise BadKey("keys are nested too deeply")
        weights: dict[str, int] = {}
        inner: dict[str, tuple[Authority, ...]] = {}
        count = 0
        for number, member in fields(body):
            count += 1
            self.members += 1
            if number != 1 or not isinstance(member, bytes) or self.members > MOST:
                raise BadKey("a list of keys")
            kind, own = _only(member)
            name = _name(kind, own) if kind in LENGTHS else f"key {path}{count}"
            weights[name] = weights.get(name, 0) + 1
            if kind not in LENGTHS:
                inner[name] = (self.way(member, f"{path}{count}.", depth + 1),)
        needed = count if threshold is None else threshold
        return Authority(kind=WAY, threshold=needed, weights=weights, nested=inner)


def _only(encoded: bytes) -> tuple[int, bytes]:
    """Return the one field of a ``Key``."""
    found = list(fields(encoded))
    if len(found) != 1 or not isinstance(found[0][1], bytes):
        raise BadKey("a key has exactly one field")
    number, body = found[0]
    return number, body if isinstance(body, bytes) else b""
