"""Pinned moments: what a run knows of each block at which it asks, and the evidence of that."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chains.model import Exchange, Extract, Snapshot
from crawler.asking.plan import Moment
from crawler.crawling.evidence import FORMAT, Header, PackWriter
from crawler.keeping.runs import RunDirectory

SNAPSHOT_DECODER = "snapshot"
UNREAD = frozenset({"malformed-answer", "truncated-answer"})
"""Why an answer said nothing that came whole: the next one may, and nobody has tried again yet."""


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """A moment in the manifest: its snapshot, or why there is none.

    ``pack`` is the evidence pack, inside the run directory, from which it was resolved first.
    """

    snapshot: Snapshot | None
    reason: str = ""
    detail: str = ""
    retryable: bool = False
    pack: str = ""


def stored_pins(run: RunDirectory) -> dict[str, Pinned]:
    """Return the moments that a run has pinned, by ``<chain>@<height>``."""
    stored = run.manifest.snapshots or {}
    return {key: msgspec.convert(entry, Pinned) for key, entry in stored.items()}


def snapshot_pack(moment: Moment, attempt: int) -> str:
    """Name of the evidence pack of one pin of a moment, inside the run directory."""
    chain = moment.chain.replace(":", ".")
    return f"evidence/snapshot.{chain}.{moment.height}.{attempt}.jsonl.zst"


def keep_evidence(run: RunDirectory, moment: Moment, exchanges: Sequence[Exchange]) -> str:
    """Store the exchanges of one pin in a pack of their own; return its name."""
    attempt = 1
    while run.holds(snapshot_pack(moment, attempt)):
        attempt += 1
    name = snapshot_pack(moment, attempt)
    with run.replacing(name) as path:
        pack = PackWriter(path, Header(format=FORMAT, subject=moment.key, attempt=attempt))
        pack.add(Extract(positions=[], decoder=SNAPSHOT_DECODER, exchanges=tuple(exchanges)))
        pack.close()
    return name


def unpinned(known: Pinned | None, reason: str, detail: str, *, retryable: bool) -> Pinned:
    """Say that a moment cannot be pinned now; a known snapshot stays, with nobody to ask."""
    if known is not None and known.snapshot is not None:
        nobody = msgspec.structs.replace(known.snapshot, endpoints=())
        return msgspec.structs.replace(known, snapshot=nobody)
    return Pinned(snapshot=None, reason=reason, detail=detail, retryable=retryable)


def unusable(snapshot: Snapshot) -> Pinned:
    """Leave open a moment whose block is known but about which nobody may be asked.

    Such a snapshot has neither canaries nor what endpoints show of the block, and what is pinned
    first stays: it would void the answers of those who may be asked when the run is resumed.
    """
    said = ", ".join(f"{name}: {reason}" for name, reason in sorted(snapshot.rejected.items()))
    return unpinned(None, "no-usable-endpoint", said, retryable=True)


def lost(snapshot: Snapshot, exchanges: Sequence[Exchange]) -> tuple[str, str] | None:
    """Return an endpoint that may be asked and did not come through with an answer, and why.

    The snapshot may then know less than the endpoints could show, its canaries for one, without
    which no zero is believed.
    """
    for one in exchanges:
        reason = one.failure if one.retryable else "" if _is_whole(one) else "malformed-answer"
        if reason and one.endpoint in snapshot.endpoints:
            return one.endpoint, reason
    return None


def _is_whole(exchange: Exchange) -> bool:
    """Tell whether a node's answer is JSON, as those of all protocols are; files are not."""
    if exchange.failure or exchange.request.method == "FILE":
        return True
    try:
        msgspec.json.decode(exchange.body)
    except (ValueError, RecursionError):
        return False
    return True


def is_unread(shown: Pinned) -> bool:
    """Tell whether nobody can be asked about a moment, for an answer that could not be read."""
    if shown.snapshot is None:
        return shown.reason in UNREAD
    return not shown.snapshot.endpoints and not UNREAD.isdisjoint(shown.snapshot.rejected.values())
