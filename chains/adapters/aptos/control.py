"""Who controls an account: its authentication key, and the owners of a multisig account.

An authentication key is a digest: of one key, of a list of keys with a threshold, or of a login.
Which of these it is the chain does not show, so a key whose digest differs is not denied by it
(``Authority.digest``). An account that was never created obeys the key from which it derives.

Owners of a multisig account are accounts that may have rotated their keys: each is resolved to
its own authentication key, down to ``DEEPEST`` levels. A member is named ``account 0x…``, so that
no key's name can stand in for it.

Not seen: an authentication function that replaces the key (account abstraction), capabilities
that the account has offered to others, and what a resource account's module allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chains.adapters.aptos import wire
from chains.control import Authority, ControlFacts
from chains.model import Exchange, Gap, Request

KEY, OWNERS = "authentication-key", "multisig-owners"
DEEPEST = 3
MOST_MEMBERS = 64
"""Accounts that are resolved for one group besides those asked about."""
NOBODY = "0x" + 64 * "0"
"""What a resource account has for a key. Spec: https://aptos.dev/move-reference/mainnet/aptos-framework/account"""
TOO_DEEP = Gap("kind-unsupported", detail="multisig accounts own each other too deeply")


class _Owners(msgspec.Struct, frozen=True):
    accounts: tuple[bytes, ...]
    threshold: int


class _Shown(msgspec.Struct, frozen=True):
    """What stands at one address; ``key`` is empty where there is no account."""

    key: str
    sequence: int
    owners: _Owners | None


def requests(address: bytes, version: int) -> list[Request]:
    """Return what is asked about one account."""
    return [wire.account(address, version), wire.multisig(address, version)]


def owners(own: Mapping[Request, Exchange], address: bytes, version: int) -> Sequence[bytes]:
    """Return the accounts that own a multisig account, as far as the answers show it."""
    shown = _shown(own, address, version)
    return () if isinstance(shown, Gap) or shown.owners is None else shown.owners.accounts


def read(own: Mapping[Request, Exchange], address: bytes, version: int) -> ControlFacts | Gap:
    """Return who controls an account."""
    shown = _shown(own, address, version)
    if isinstance(shown, Gap):
        return shown
    if not shown.key and shown.owners is None:
        return ControlFacts(exists=False)
    ways = _ways(own, shown, version, DEEPEST)
    if isinstance(ways, Gap):
        return ways
    notes = {"sequence_number": str(shown.sequence)} if shown.key else {}
    return ControlFacts(exists=True, ways=ways, notes=notes)


def _ways(
    own: Mapping[Request, Exchange], shown: _Shown, version: int, deeper: int
) -> tuple[Authority, ...] | Gap:
    ways = []
    if shown.key and shown.key != NOBODY:
        ways.append(Authority(kind=KEY, threshold=1, weights={shown.key: 1}, digest=True))
    if shown.owners is None:
        return tuple(ways)
    nested: dict[str, tuple[Authority, ...]] = {}
    for account in shown.owners.accounts:
        if not deeper:
            return TOO_DEEP
        behind = _shown(own, account, version)
        if isinstance(behind, Gap):
            return TOO_DEEP if behind.reason == "not-answered" else behind
        if not behind.key:
            behind = _Shown(wire.text(account), 0, behind.owners)
        found = _ways(own, behind, version, deeper - 1)
        if isinstance(found, Gap):
            return found
        nested[f"account {wire.text(account)}"] = found
    threshold, weights = shown.owners.threshold, dict.fromkeys(nested, 1)
    ways.append(Authority(kind=OWNERS, threshold=threshold, weights=weights, nested=nested))
    return tuple(ways)


def _shown(own: Mapping[Request, Exchange], address: bytes, version: int) -> _Shown | Gap:
    """Read the account and the multisig resource at one address."""
    account, resource = (own.get(request) for request in requests(address, version))
    key, sequence = "", 0
    if account is None or not wire.is_absent(account):
        said = wire.read(account)
        if isinstance(said, Gap):
            return said
        key, number = wire.digest(said, "authentication_key"), wire.member(said, "sequence_number")
        if not key or isinstance(number, Gap):
            return Gap("malformed-answer", detail="an account was expected")
        sequence = number
    if resource is not None and wire.is_absent(resource):
        return _Shown(key, sequence, None)
    found = _owners(wire.read(resource))
    return found if isinstance(found, Gap) else _Shown(key, sequence, found)


def _owners(said: object) -> _Owners | Gap:
    if isinstance(said, Gap):
        return said
    bad = Gap("malformed-answer", detail="a multisig account was expected")
    data = said.get("data") if isinstance(said, dict) else None
    threshold = wire.member(data, "num_signatures_required")
    listed = data.get("owners") if isinstance(data, dict) else None
    if isinstance(threshold, Gap) or not isinstance(listed, list):
        return bad
    accounts = [wire.address(one) for one in listed]
    known = tuple(one for one in accounts if one is not None)
    if len(known) != len(listed) or len(set(known)) != len(known) or threshold < 1:
        return bad
    return _Owners(known, threshold)
