"""Who controls an account: its permissions, and those of the accounts that they name.

A transfer needs the permission ``active`` or its parent ``owner``, or a permission that the
account has linked to the core token's ``transfer`` (``linked_actions``). What ``waits`` add comes
with time alone and counts for nobody. A named account counts if that very permission of it is
reached (its ``owner`` does not stand in for its ``active`` there), at most six levels deep, and
never through itself. ``eosio.code`` is a contract's own right: no key stands behind it. Links to
``eosio.any``, which ask for no particular permission, are not looked at.
Source: AntelopeIO/spring libraries/chain authority_checker.hpp, config.hpp (max_authority_depth).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import msgspec

from chains.adapters.antelope import wire
from chains.adapters.antelope.params import Token
from chains.addresses.antelope import encode
from chains.control import Authority, ControlFacts
from chains.model import Gap
from chains.signatures.antelope import key_text, parse_key
from chains.signatures.model import Refused

WAYS = ("permission-active", "permission-owner", "permission-linked")
DEPTH = 6
MOST_ACCOUNTS = 32
"""Accounts asked for one question."""
MOST_AUTHORITIES = 200
"""Authorities in one answer; beyond that it is the gap answer-too-large."""
CODE = "eosio.code"
_OTHER_CURVES = ("PUB_R1_", "PUB_WA_")
_MOST_WEIGHT = 2**16
_MOST_THRESHOLD = 2**32

Look = Callable[[bytes], wire.Account | wire.Absent | Gap | None]
"""Returns what is known of an account, ``None`` where it was not asked yet."""


class Needed(msgspec.Struct, frozen=True):
    """Accounts that have to be asked before the answer is whole."""

    accounts: tuple[bytes, ...]


class _Stop(Exception):
    def __init__(self, gap: Gap) -> None:
        self.gap = gap


class _Tree:
    """Builds authorities from accounts seen so far and notes those still missing."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._authorities = 0
        self.named: set[bytes] = set()
        self.missing: set[bytes] = set()

    def authority(self, kind: str, required: object, path: tuple[str, ...]) -> Authority:
        """Read ``required_auth``; ``path`` are the permissions that lead here."""
        self._authorities += 1
        if self._authorities > MOST_AUTHORITIES:
            raise _Stop(Gap("answer-too-large", detail=f"over {MOST_AUTHORITIES} authorities"))
        shape = required if isinstance(required, dict) else {}
        threshold = shape.get("threshold")
        keys, accounts = _objects(shape.get("keys")), _objects(shape.get("accounts"))
        if not _is_within(threshold, _MOST_THRESHOLD):
            raise _Stop(wire.wrong("get_account (threshold)"))
        weights: dict[str, int] = {}
        nested: dict[str, tuple[Authority, ...]] = {}
        for entry in keys:
            _add(weights, _key(entry.get("key")), entry)
        for entry in accounts:
            level, actor, permission = _level(entry.get("permission"))
            _add(weights, level, entry)
            ways = self._nested(level, actor, permission, path)
            if ways:
                nested[level] = ways
        return Authority(kind=kind, threshold=threshold, weights=weights, nested=nested)

    def _nested(
        self, level: str, actor: bytes, permission: str, path: tuple[str, ...]
    ) -> tuple[Authority, ...]:
        if level in path or permission == CODE or len(path) > DEPTH:
            return ()
        self.named.add(actor)
        if len(self.named) > MOST_ACCOUNTS:
            detail = f"its permissions name more than {MOST_ACCOUNTS} accounts"
            raise _Stop(Gap("answer-too-large", detail=detail))
        shown = self._look(actor)
        if shown is None:
            self.missing.add(actor)
            return ()
        if isinstance(shown, wire.Absent):
            raise _Stop(wire.wrong("get_account (an account that a permission names exists)"))
        if isinstance(shown, Gap):
            raise _Stop(shown)
        kind = f"permission-{permission}"
        required = [one.get("required_auth") for one in _permissions(shown, permission)]
        return tuple(self.authority(kind, one, (*path, level)) for one in required)


def read(
    account: bytes, shown: wire.Account, look: Look, core: Token
) -> ControlFacts | Needed | Gap:
    """Say who controls an account, or which accounts have to be asked first."""
    tree = _Tree(look)
    name = encode(account, {})
    ways: list[Authority] = []
    try:
        for one in _permissions(shown):
            kind = _way(one, core)
            if kind:
                level = f"{name}@{one['perm_name']}"
                ways.append(tree.authority(kind, one.get("required_auth"), (level,)))
    except _Stop as stop:
        return stop.gap
    kinds = {way.kind for way in ways}
    if not kinds >= set(WAYS[:2]):
        return wire.wrong("get_account (an account has the permissions active and owner)")
    if tree.missing:
        return Needed(tuple(sorted(tree.missing)))
    return ControlFacts(exists=True, ways=tuple(ways))


def _way(permission: Mapping[str, Any], core: Token) -> str:
    """Return the kind of way that a permission is, empty where it moves no core token."""
    name = permission["perm_name"]
    if name in ("active", "owner"):
        return f"permission-{name}"
    links = permission.get("linked_actions")
    for link in links if isinstance(links, list) else ():
        if not isinstance(link, dict) or link.get("account") != core.contract:
            continue
        if link.get("action") in (None, "", "transfer"):
            return WAYS[2]
    return ""


def _permissions(shown: wire.Account, name: str = "") -> list[dict[str, Any]]:
    """Return the permissions of an account, or the one of this name."""
    found = shown.fields.get("permissions")
    if not isinstance(found, list):
        raise _Stop(wire.wrong("get_account (permissions)"))
    names = [one.get("perm_name") if isinstance(one, dict) else None for one in found]
    if not all(isinstance(one, str) for one in names) or len(set(names)) != len(names):
        raise _Stop(wire.wrong("get_account (permissions)"))
    return [one for one in found if not name or one["perm_name"] == name]


def _add(weights: dict[str, int], signer: str, entry: Mapping[str, Any]) -> None:
    weight = entry.get("weight")
    if signer in weights or not _is_within(weight, _MOST_WEIGHT, least=0):
        raise _Stop(wire.wrong("get_account (weight)"))
    weights[signer] = weight


def _key(text: object) -> str:
    """Return a key as ``EOS…``; keys of other curves stay as they are and match nobody."""
    if isinstance(text, str) and text.startswith(_OTHER_CURVES):
        return text
    try:
        return key_text(parse_key(text if isinstance(text, str) else ""))
    except Refused:
        raise _Stop(wire.wrong("get_account (key)")) from None


def _level(value: object) -> tuple[str, bytes, str]:
    """Read ``actor@permission``."""
    shape = value if isinstance(value, dict) else {}
    actor, permission = wire.read_name(shape.get("actor")), shape.get("permission")
    if actor is None or wire.read_name(permission) is None:
        raise _Stop(wire.wrong("get_account (permission level)"))
    return f"{shape['actor']}@{permission}", actor, str(permission)


def _objects(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _Stop(wire.wrong("get_account (required_auth)"))
    return value


def _is_within(value: object, limit: int, *, least: int = 1) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < limit
