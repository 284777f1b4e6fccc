"""What one service showed of the checkpoint that is meant, and why it cannot be asked.

Spec: https://docs.sui.io/references/sui-api/sui-graphql (``Checkpoint``, ``ServiceConfig``)
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chains.adapters.sui import wire
from chains.model import Exchange, Gap, Request
from chains.pinning import View

Own = Mapping[Request, Exchange]


def named(height: int, said: object) -> View:
    """Read the checkpoint that was asked for."""
    found = said if isinstance(said, dict) else {}
    digest, time = found.get("digest"), wire.seconds(found.get("timestamp"))
    if wire.digest(digest) is None or time is None:
        return View(reason="malformed-answer")
    if wire.sequence(found) != height:
        return View(reason="wrong-block")
    previous = wire.digest(found.get("previousCheckpointDigest"))
    shown = {"previous": previous.hex() if previous else ""}
    return View(block_hash=str(digest), time=time, shown=shown)


def because(named: View, gap: Gap, own: Own, height: int) -> View:
    """Return a view of an endpoint that cannot be asked; it may only be late with its balances."""
    reason = gap.reason
    if reason == wire.NO_HISTORY.reason:
        answer = wire.read(own.get(wire.kept()))
        config = answer.data.get("serviceConfig") if isinstance(answer, wire.Answer) else None
        kept = config.get("availableRange") if isinstance(config, dict) else None
        last = wire.sequence(kept.get("last")) if isinstance(kept, dict) else None
        reason = "node-behind" if last is not None and last < height else reason
    return View(block_hash=named.block_hash, time=named.time, reason=reason)


def without_history(view: View) -> View:
    """Let an endpoint be asked that names the checkpoint and has dropped its balances."""
    is_old = bool(view.block_hash) and view.reason == wire.NO_HISTORY.reason
    return msgspec.structs.replace(view, reason="") if is_old else view


def dropped(answer: wire.Answer) -> Gap:
    """Say why a checkpoint at or below the newest is ``null``: by its error, or it was dropped."""
    return answer.missing("checkpoint") if answer.errors else wire.NO_HISTORY
