"""Which version is meant by a height, and whether an endpoint holds its state.

A version is one transaction; a block is a few to thousands of them. ``height_is`` says which of
the two a list publishes; a block stands for its last version. The version is named by the root
of the transaction accumulator after it, which commits to every transaction up to it and their
state. The state shows by its own clock and by accounts that paid gas shortly before that it is
really this version's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.adapters.aptos import wire
from chains.errors import ConfigError, WrongChain
from chains.model import ChainSpec, Exchange, Gap, Request, Snapshot
from chains.pinning import View

VERSION, CLOCK = "version", "clock"
"""Keys of ``Snapshot.detail``: the version asked for, and the time of its state in microseconds."""
MOST_CANARIES = 4


def canary_key(account: bytes) -> str:
    """Return the key of ``Snapshot.detail`` under which a canary's balance stands."""
    return f"canary-{account.hex()}"


def chain_id(spec: ChainSpec) -> int:
    """Return the number of the network; raises ``ConfigError`` where none is declared."""
    value = spec.params.get("chain_id")
    if not isinstance(value, int):
        raise ConfigError(f"chain {spec.id}: params.chain_id is missing")
    return value


def is_block(spec: ChainSpec) -> bool:
    """Tell whether heights are blocks; raises ``ConfigError`` for another word."""
    word = spec.params.get("height_is", "version")
    if word not in ("version", "block"):
        raise ConfigError(f'chain {spec.id}: params.height_is is "version" or "block"')
    return bool(word == "block")


def block_request(spec: ChainSpec, height: int) -> Request:
    """Ask for the block that a height names, or in which the version lies."""
    return wire.block(height, by="height" if is_block(spec) else "version")


def version_of(spec: ChainSpec, height: int, exchange: Exchange | None) -> int | Gap:
    """Return the version that a height means: itself, or the last one of the block."""
    said = wire.read(exchange)
    if isinstance(said, Gap):
        return said
    first, last, number = (
        wire.member(said, name) for name in ("first_version", "last_version", "block_height")
    )
    for one in (first, last, number):
        if isinstance(one, Gap):
            return one
    if is_block(spec):
        return last if number == height else Gap("wrong-block")
    inside = isinstance(first, int) and isinstance(last, int) and first <= height <= last
    return height if inside else Gap("wrong-block")


def version_requests(version: int) -> list[Request]:
    """Return what is asked once the version is known."""
    return [wire.transaction(version), wire.now(version), wire.recent(version)]


def candidates(configured: Sequence[bytes], version: int, exchange: Exchange | None) -> list[bytes]:
    """Return accounts that should not be empty: configured, and those that paid gas."""
    every = [*configured, *wire.payers(exchange, version)]
    return list(dict.fromkeys(every))[:MOST_CANARIES]


def view(
    spec: ChainSpec,
    height: int,
    name: str,
    own: Mapping[Request, Exchange],
    configured: Sequence[bytes],
) -> View:
    """Read what one endpoint showed; raises ``WrongChain``."""
    index = wire.read(own.get(wire.index()))
    if isinstance(index, Gap):
        return View(reason="identity-unproven" if index.reason == "rpc-error" else index.reason)
    reason = _range(spec, height, name, index)
    if reason:
        return View(reason=reason)
    named = _named(spec, height, own)
    if isinstance(named, Gap):
        return View(reason=named.reason)
    return _state(named, own, configured)


def _named(spec: ChainSpec, height: int, own: Mapping[Request, Exchange]) -> View | Gap:
    """Read the block, the version that is meant, and the transaction that made it."""
    block = own.get(block_request(spec, height))
    version = version_of(spec, height, block)
    if isinstance(version, Gap):
        return version
    said, made = wire.read(block), wire.read(own.get(wire.transaction(version)))
    if isinstance(made, Gap):
        return made
    time, number = wire.member(made, "timestamp"), wire.member(said, "block_height")
    root, transaction = (wire.digest(made, key) for key in ("accumulator_root_hash", "hash"))
    shown = {VERSION: str(version), CLOCK: str(time), "transaction": transaction}
    shown |= {"block": wire.digest(said, "block_hash"), "block-height": str(number)}
    if not root or not all(shown.values()) or isinstance(time, Gap):
        return Gap("malformed-answer")
    if wire.member(made, "version") != version:
        return Gap("wrong-block")
    return View(block_hash=root, time=time // wire.MICROSECONDS, shown=shown)


def read_head(spec: ChainSpec, exchange: Exchange) -> int | Gap:
    """Return the newest version, or block where heights are blocks."""
    index = wire.read(exchange)
    unit = "block_height" if is_block(spec) else "ledger_version"
    return index if isinstance(index, Gap) else wire.member(index, unit)


def _range(spec: ChainSpec, height: int, name: str, index: object) -> str:
    """Return why an endpoint cannot hold the height; raises ``WrongChain``."""
    declared = chain_id(spec)
    said = index.get("chain_id") if isinstance(index, dict) else None
    if not isinstance(said, int) or isinstance(said, bool):
        return "malformed-answer"
    if said != declared:
        raise WrongChain(f"{name} serves chain {said}; {spec.id} declares {declared}")
    unit = "block_height" if is_block(spec) else "ledger_version"
    newest, oldest = (wire.member(index, key) for key in (unit, f"oldest_{unit}"))
    if isinstance(newest, Gap) or isinstance(oldest, Gap):
        return "malformed-answer"
    if newest < height:
        return "node-behind"
    return "state-pruned" if oldest > height else ""


def _state(named: View, own: Mapping[Request, Exchange], configured: Sequence[bytes]) -> View:
    """Add to a view whether the endpoint holds the state: its clock, and who is not empty."""
    version = int(named.shown[VERSION])
    clock = wire.one_number(own.get(wire.now(version)))
    if isinstance(clock, Gap):
        return _without(named, clock.reason)
    if str(clock) != named.shown[CLOCK]:
        return _without(named, "wrong-block")
    asked = candidates(configured, version, own.get(wire.recent(version)))
    balances = {one: wire.one_number(own.get(wire.coin_balance(one, version))) for one in asked}
    failed = next((one for one in balances.values() if isinstance(one, Gap)), None)
    if failed is not None:
        return _without(named, failed.reason)
    rich = {one: str(units) for one, units in balances.items() if units}
    if asked and not rich:
        return _without(named, "canary-failed")
    return View(
        block_hash=named.block_hash,
        time=named.time,
        shown={**named.shown, **{canary_key(one): units for one, units in rich.items()}},
        canaries=tuple(one.hex() for one in rich),
    )


def _without(named: View, reason: str) -> View:
    return View(block_hash=named.block_hash, time=named.time, reason=reason)


def version_at(at: Snapshot) -> int | None:
    """Return the pinned version, ``None`` where no endpoint may be asked."""
    return int(at.detail[VERSION]) if VERSION in at.detail else None
