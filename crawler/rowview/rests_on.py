"""The answers on which rows rest, decoded anew from their evidence: the few shards they are in.

A run's own shards and those of the captures that it was given. What comes out must be what was
stored, else ``EnvironmentFault``, as in ``recount replay``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chains.model import AssetId, QueryKind, Questions
from crawler.asking.control import AWAITING
from crawler.asking.controllers import Known, judge_row
from crawler.asking.plan import ControlQuestion, Moment, is_token
from crawler.counting.ledger import Shards, control_answers
from crawler.counting.recount import planned_shard
from crawler.crawling import captured, replaying
from crawler.crawling.answers import MergedShard, read_shard
from crawler.crawling.pins import Pinned, stored_pins
from crawler.crawling.replaying import ShardReplay
from crawler.keeping.runs import RunDirectory, ShardEntry
from crawler.rowview.kept import Kept
from crawler.settings import World

Key = tuple[str, str, int, str]
"""Kind, chain, height and asset of questions."""
Wanted = Mapping[Key, set[bytes]]
CONTROL = (QueryKind.CONTROL, QueryKind.SIGNATURE)


class Decoded(msgspec.Struct, frozen=True):
    """One shard, decoded anew; ``place`` is ``captured/<digest>/`` where it is another run's.

    ``merged`` and ``replay`` are ``None`` where nobody was asked; ``unpinned`` says why, where it
    is that the moment could not be pinned.
    """

    run: RunDirectory
    place: str
    entry: ShardEntry
    questions: Questions
    merged: MergedShard | None
    replay: ShardReplay | None
    unpinned: str = ""

    @property
    def name(self) -> str:
        """The shard as the ledger names it."""
        return f"{self.place}{self.entry.digest}"


class Source(msgspec.Struct, frozen=True):
    """A run, or a capture inside of it: its moments, resolved again where they are needed."""

    run: RunDirectory
    place: str
    pinned: Mapping[str, Pinned]


class RestsOn(msgspec.Struct, frozen=True):
    """What rows rest on: shards, the moments of the run, and each row's control questions."""

    decoded: Sequence[Decoded]
    shards: Shards
    moments: Mapping[str, Pinned]
    control: Mapping[int, tuple[ControlQuestion, ...]]


def rests_on(run: RunDirectory, world: World, kept: Kept) -> RestsOn:
    """Decode anew everything on which these rows rest; raises ``EnvironmentFault``."""
    sources = [Source(run, "", stored_pins(run))]
    for place, inside in captured.captures(run):
        sources.append(Source(inside, f"{place}/", stored_pins(inside)))
    wanted = _asked(kept)
    control = _control(sources, world, kept)
    for key, accounts in _control_wanted(world, kept, control).items():
        wanted[key] |= accounts
    decoded = [one for source in sources for one in _decoded(source, world, wanted)]
    taken = _taken(sources[1:], decoded)
    own = [_shard(one) for one in decoded if not one.place]
    pinned = sources[0].pinned
    return RestsOn(
        decoded=decoded,
        shards=list(captured.joined(own, pinned, taken)),
        moments=captured.moments(pinned, taken),
        control=control,
    )


def _asked(kept: Kept) -> dict[Key, set[bytes]]:
    """Return the questions about balances, proofs and assets that concern these rows."""
    wanted: dict[Key, set[bytes]] = defaultdict(set)
    for row in kept.claims.to_pylist():
        chain, height, asset = row["chain"], row["at_height"], row["asset_id"]
        if not asset or height is None or not row["account"]:
            continue
        for kind in (QueryKind.BALANCE, QueryKind.PROOF):
            wanted[kind, chain, height, asset].add(row["account"])
        if is_token(AssetId(asset)):
            wanted[QueryKind.ASSET_FACT, chain, height, asset] = set()  # about the asset: all
    return wanted


def _control(
    sources: Sequence[Source], world: World, kept: Kept
) -> dict[int, tuple[ControlQuestion, ...]]:
    """Return, per row that waits for it, the questions about control on which its verdict rests."""
    reasons = kept.signatures["reason"].to_pylist()
    waiting = [i for i, reason in enumerate(reasons) if reason in AWAITING]
    if not waiting:
        return {}
    heights = {kept.claims["at_height"][i].as_py() for i in waiting}
    known = _known(sources, heights)
    found: dict[int, tuple[ControlQuestion, ...]] = {}
    for i in waiting:
        row, height = (kept.claims[name][i].as_py() for name in ("row", "at_height"))
        judged = judge_row(world, kept.claims, kept.signatures, i, known.get(height, {}))
        if judged is not None:
            found[row] = judged.rests_on
    return found


def _known(sources: Sequence[Source], heights: set[int]) -> Mapping[int, Known]:
    """Read what was asked about control at these heights, as stored."""
    found: list[list[tuple[ShardEntry, Questions, MergedShard | None]]] = []
    for source in sources:
        entries = [one for one in source.run.manifest.plan or () if _is_control(one, heights)]
        found.append(
            [
                (one, planned_shard(source.run, one, source.pinned), _stored(source, one))
                for one in entries
            ]
        )
    taken = [
        captured.Taken(source.place.rstrip("/"), source.pinned, shards)
        for source, shards in zip(sources[1:], found[1:], strict=True)
    ]
    return control_answers(captured.joined(found[0], sources[0].pinned, taken))


def _is_control(entry: ShardEntry, heights: set[int]) -> bool:
    return entry.kind in CONTROL and entry.height in heights


def _stored(source: Source, entry: ShardEntry) -> MergedShard | None:
    return read_shard(source.run, entry.digest)


def _control_wanted(
    world: World, kept: Kept, control: Mapping[int, tuple[ControlQuestion, ...]]
) -> Mapping[Key, set[bytes]]:
    wanted: dict[Key, set[bytes]] = defaultdict(set)
    heights = dict(
        zip(*(kept.claims[name].to_pylist() for name in ("row", "at_height")), strict=True)
    )
    for row, questions in control.items():
        for one in questions:
            native = world.chains[one.chain].native
            wanted[one.kind, one.chain, heights[row], native].add(one.account)
    return wanted


def _decoded(source: Source, world: World, wanted: Wanted) -> Iterator[Decoded]:
    """Decode the shards of a run in which a wanted account is; pins are resolved again first."""
    resolved: set[str] = set()
    for entry in source.run.manifest.plan or ():
        accounts = wanted.get((entry.kind, entry.chain, entry.height, entry.asset))
        if accounts is None:
            continue
        questions = planned_shard(source.run, entry, source.pinned)
        if accounts and accounts.isdisjoint(questions.accounts):
            continue
        key = Moment(questions.chain, questions.height).key
        if key not in resolved:
            replaying.replay_pins(source.run, world, {key: source.pinned[key]})
            resolved.add(key)
        yield _one(source, world, entry, questions, source.pinned[key])


def _one(
    source: Source, world: World, entry: ShardEntry, questions: Questions, pinned: Pinned
) -> Decoded:
    stored, at = _stored(source, entry), pinned.snapshot
    if stored is None or at is None:
        unasked = (source.run, source.place, entry, questions, None, None)
        return Decoded(*unasked, unpinned=pinned.reason)
    replay = ShardReplay(source.run, world, entry, questions, at)
    merged = replay.merged(stored)
    return Decoded(source.run, source.place, entry, questions, merged, replay)


def _shard(one: Decoded) -> tuple[ShardEntry, Questions, MergedShard | None]:
    return one.entry, one.questions, one.merged


def _taken(sources: Sequence[Source], decoded: Iterable[Decoded]) -> list[captured.Taken]:
    """Return the captures with the shards that were decoded."""
    by_place: dict[str, list[Any]] = defaultdict(list)
    for one in decoded:
        by_place[one.place].append(_shard(one))
    return [
        captured.Taken(source.place.rstrip("/"), source.pinned, by_place[source.place])
        for source in sources
    ]
