"""Agreeing on the one pinned block: what every adapter's ``snapshot`` comes down to.

An adapter reads, per endpoint, what that endpoint showed of the moment: a ``View``. Here the
views become a ``Snapshot``: endpoints that showed a usable block must name the same one, and
must not contradict each other on anything else they showed of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chains.errors import ChainError, Disagreement, NodeBehind, Transient, Unanswerable
from chains.model import ChainSpec, Exchange, Request, Snapshot

PASSING = frozenset(
    {"rate-limited", "unreachable", "timeout", "server-error", "truncated-answer", "reorganised"}
)
"""Reasons for which asking later may help, besides ``node-behind``."""


NAMED_BY = "named_by"
"""Detail with the names of the endpoints that named the block, as a JSON list."""
STOOD = "stood"
"""Detail of endpoints whose head was the block at the pin, where nodes know no other state."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint showed of the moment.

    ``block_hash`` is empty where it could not name the block. ``reason`` is empty if it may be
    asked, else why not (a code of ``chains.reasons``). ``shown`` are further facts of the block
    (state root, parent, canary balances) in which no endpoint may contradict another.
    ``canaries`` are canonical accounts, hex, that it showed not to be empty. ``detail`` is of this
    endpoint alone; it is kept under ``<key>@<endpoint>``.
    """

    block_hash: str = ""
    time: int = 0
    reason: str = ""
    shown: Mapping[str, str] = {}
    canaries: tuple[str, ...] = ()
    detail: Mapping[str, str] = {}


def anchored(at: Snapshot, views: Mapping[str, View]) -> Snapshot:
    """Keep in the snapshot which endpoints named its block, for ``is_anchored``."""
    named = sorted(name for name, view in views.items() if view.block_hash)
    detail = {**at.detail, NAMED_BY: msgspec.json.encode(named).decode()}
    return msgspec.structs.replace(at, detail=detail)


def is_anchored(at: Snapshot, endpoint: str) -> bool:
    """Tell whether the pinned hash was named by another endpoint than this one.

    One endpoint alone could make up a block with its header and state: a proof from the hash down
    shows something only if the hash is not its own.
    """
    named = msgspec.json.decode(at.detail.get(NAMED_BY, "[]"), type=list[str])
    return any(name != endpoint for name in named)


def stood(at: Snapshot) -> tuple[str, ...]:
    """Return the endpoints whose head was the block at the pin."""
    return tuple(name for name in at.endpoints if f"{STOOD}@{name}" in at.detail)


def by_endpoint(exchanges: Sequence[Exchange]) -> dict[str, dict[Request, Exchange]]:
    """Group exchanges by endpoint, then by request, in the order in which they were made."""
    grouped: dict[str, dict[Request, Exchange]] = {}
    for exchange in exchanges:
        grouped.setdefault(exchange.endpoint, {})[exchange.request] = exchange
    return grouped


def agree(spec: ChainSpec, height: int, views: Mapping[str, View]) -> Snapshot:
    """Make the snapshot from the endpoints' views.

    Raises ``Disagreement``; where nobody could name the block ``NodeBehind``, another
    ``Transient`` or ``Unanswerable``. Where the block is known and no endpoint may be asked, the
    snapshot names none and ``rejected`` says why.
    """
    named = {name: view for name, view in views.items() if view.block_hash}
    if not named:
        raise _nobody(spec, height, {name: view.reason for name, view in views.items()})
    hashes = {view.block_hash: name for name, view in named.items()}
    if len(hashes) > 1:
        said = ", ".join(f"{name}: {block_hash}" for block_hash, name in sorted(hashes.items()))
        raise Disagreement(f"{spec.id} at {height} differs between endpoints ({said})")
    usable = {name: view for name, view in named.items() if not view.reason}
    detail: dict[str, str] = {}
    for name, view in usable.items():
        for key, text in view.shown.items():
            if detail.setdefault(key, text) != text:
                raise Disagreement(
                    f"{spec.id} at {height}: {name} shows {key} {text}, another {detail[key]}"
                )
    for name, view in usable.items():
        detail |= {f"{key}@{name}": text for key, text in view.detail.items()}
    common = [set(view.canaries) for view in usable.values()]
    first = next(iter(usable.values()), next(iter(named.values())))
    return Snapshot(
        chain=spec.id,
        height=height,
        block_hash=first.block_hash,
        time=first.time,
        endpoints=tuple(usable),
        rejected={name: view.reason for name, view in views.items() if view.reason},
        canaries=tuple(one for one in first.canaries if all(one in shown for shown in common)),
        detail=detail,
    )


def _nobody(spec: ChainSpec, height: int, reasons: Mapping[str, str]) -> ChainError:
    """Build the error for a block that no endpoint could name."""
    if not reasons:
        return Unanswerable(f"no endpoint is configured for {spec.id}", code="no-endpoint")
    said = ", ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
    message = f"no endpoint could name block {height} of {spec.id} ({said})"
    if "node-behind" in reasons.values():
        return NodeBehind(message)
    passing = next((one for one in reasons.values() if one in PASSING), None)
    if passing is not None:
        return Transient(message, code=passing)
    return Unanswerable(message, code=next(iter(reasons.values())))
