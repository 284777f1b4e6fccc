"""Answers that were captured at the height, used by a later run of the same height.

A run copies the captures it is given into itself, ``RUN/captured/<digest>/``, and decodes their
evidence again before it uses them, so that it replays without the originals. Its own questions
are asked all the same. A captured answer fills a gap of the same question (kind, chain, height,
asset, account); where something was observed as well, the two must be equal, else the question
is the gap ``capture-disagrees``. What endpoints contradicted each other about stays a gap.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from chains.model import Method, QueryKind
from chains.packed import Packed
from crawler.counting import recount as pure
from crawler.counting.ledger import Shards
from crawler.crawling import replaying
from crawler.crawling.answers import MergedShard
from crawler.crawling.pins import Pinned, stored_pins
from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.runs import RunDirectory, sha256_file
from crawler.settings import World

CAPTURE = "capture"
"""``Manifest.kind`` of a capture."""
PLACE = "captured"
DISAGREES = "capture-disagrees"
CONTRADICTED = frozenset({"witness-disagrees", DISAGREES})
"""Gaps behind which observations stand that contradict each other."""
MANIFEST = "manifest.json"
_NEEDED = ("plan", "shards", "evidence")

Key = tuple[QueryKind, str, int, str]


class Taken(msgspec.Struct, frozen=True):
    """One capture inside a run: its name, its moments and its answers."""

    name: str
    pinned: Mapping[str, Pinned]
    shards: Any  # Shards


class _Found(msgspec.Struct, frozen=True):
    """One captured answer: shard ``shard`` of all captured ones, row ``row`` of its table."""

    shard: int
    row: int
    said: tuple[str | None, str]
    """Base units and facts: what must be equal."""


class _Source(msgspec.Struct, frozen=True):
    """One captured shard: the name under which its evidence lies, and its answers."""

    digest: str
    merged: MergedShard


def check(paths: Sequence[str]) -> None:
    """Raise ``UsageError`` for a directory that is no finished capture."""
    for text in paths:
        manifest = RunDirectory.open(Path(text), lock=False).manifest
        if manifest.kind != CAPTURE:
            raise UsageError(f"{text} is no capture; 'recount capture' makes one")
        if manifest.plan is None:
            raise UsageError(f"{text} is not finished; give the same 'recount capture' once more")


def take_in(run: RunDirectory, paths: Sequence[str], world: World) -> None:
    """Copy captures into a run and decode their evidence again.

    Raises ``UsageError`` for what is no finished capture, ``EnvironmentFault`` where its evidence
    is damaged or gives other answers than it holds.
    """
    check(paths)
    for text in paths:
        source = RunDirectory.open(Path(text))
        try:
            _copy(Path(text), run)
        finally:
            source.close()
    replayed(run, world)


def _copy(source: Path, run: RunDirectory) -> None:
    """Copy what a replay needs, the manifest last: it says that the copy is whole."""
    name = f"{PLACE}/{sha256_file(source / MANIFEST)[:12]}"
    if run.holds(f"{name}/{MANIFEST}"):
        return
    files = [file for part in _NEEDED for file in sorted((source / part).iterdir())]
    run.storage.prepare([f"{name}/{part}" for part in _NEEDED])
    for file in (*files, source / MANIFEST):
        if file.is_symlink():
            raise EnvironmentFault(f"{file} is a link, which no capture of recount holds")
    for file in (*files, source / MANIFEST):
        with run.replacing(f"{name}/{file.relative_to(source)}") as beside:
            shutil.copyfile(file, beside)


def stored(run: RunDirectory) -> list[Taken]:
    """Return the captures of a run with their answers as stored."""
    found = []
    for name, inside in captures(run):
        pinned = stored_pins(inside)
        found.append(Taken(name, pinned, list(pure.stored_shards(inside, pinned))))
    return found


def replayed(run: RunDirectory, world: World) -> list[Taken]:
    """Return the captures of a run, decoded anew; raises ``EnvironmentFault``. No network."""
    return [Taken(name, *replay(inside, world)) for name, inside in captures(run)]


def replay(capture: RunDirectory, world: World) -> tuple[Mapping[str, Pinned], Shards]:
    """Resolve a capture's moments and decode its answers anew; raises ``EnvironmentFault``."""
    pinned = stored_pins(capture)
    replaying.replay_pins(capture, world, pinned)
    return pinned, list(replaying.replayed_shards(capture, world, pinned))


def captures(run: RunDirectory) -> Iterator[tuple[str, RunDirectory]]:
    """Yield each capture inside a run, with its place there."""
    for taken in run.storage.names(PLACE):
        name = f"{PLACE}/{taken}"
        if run.holds(f"{name}/{MANIFEST}"):
            yield name, RunDirectory.open(run.path / name, lock=False)


def moments(own: Mapping[str, Pinned], taken: Sequence[Taken]) -> Mapping[str, Pinned]:
    """Return the moments of a run; one that nobody could name now is the captured one.

    Raises ``EnvironmentFault`` where two name different blocks.
    """
    found = dict(own)
    for capture in taken:
        for key, entry in capture.pinned.items():
            if key not in found or entry.snapshot is None:
                continue
            known = found[key].snapshot
            if known is None:
                found[key] = msgspec.structs.replace(found[key], snapshot=entry.snapshot)
            elif known.block_hash != entry.snapshot.block_hash:
                raise EnvironmentFault(
                    f"{key} is block {known.block_hash} and was {entry.snapshot.block_hash} when "
                    f"{capture.name} was taken; one of them is not of this chain any more. Start "
                    "a new run without that capture, or find out which endpoint is wrong"
                )
    return found


def joined(own: Shards, pinned: Mapping[str, Pinned], taken: Sequence[Taken]) -> Shards:
    """Yield the run's own answers with the captured ones where they are needed.

    Raises ``EnvironmentFault`` where a captured moment is another block.
    """
    moments(pinned, taken)
    sources, known = _known(taken)
    return _joined(own, sources, known) if known else own


def _joined(own: Shards, sources: Sequence[_Source], known: Mapping[Key, Any]) -> Shards:
    for entry, questions, merged in own:
        key = (questions.kind, questions.chain, questions.height, questions.asset)
        captured = known.get(key)
        if captured is None:
            yield entry, questions, merged
            continue
        kept, used = _divided(questions.accounts, merged, captured)
        if kept:
            yield entry, _only(questions, list(kept)), _own(merged, kept)
        for shard, rows in used.items():
            digest = sources[shard].digest
            named = msgspec.structs.replace(entry, digest=digest)
            yield named, _only(questions, list(rows)), _captured(sources[shard], rows)


def _known(taken: Sequence[Taken]) -> tuple[list[_Source], Mapping[Key, Any]]:
    """Return all captured shards, and their answers by question and account."""
    sources: list[_Source] = []
    known: dict[Key, dict[bytes, list[_Found]]] = defaultdict(lambda: defaultdict(list))
    for capture in taken:
        for entry, questions, merged in capture.shards:
            if merged is None:
                continue
            key = (questions.kind, questions.chain, questions.height, questions.asset)
            columns = (merged.table[name].to_pylist() for name in ("account", "gap", *_SAID))
            for row, (account, gap, *said) in enumerate(zip(*columns, strict=True)):
                if not gap:
                    known[key][account].append(_Found(len(sources), row, (said[0], said[1])))
            sources.append(_Source(f"{capture.name}/{entry.digest}", merged))
    return sources, known


_SAID = ("units", "facts")


def _divided(
    accounts: Sequence[bytes], merged: MergedShard | None, captured: Mapping[bytes, list[_Found]]
) -> tuple[dict[int, str], dict[int, dict[int, tuple[int, str]]]]:
    """Say whose answer stands for each position of a shard.

    Returns the positions that keep their own answer, with the gap that takes its place (``""``:
    none); and, by captured shard, the other positions with their row there and the same.
    """
    kept: dict[int, str] = {}
    used: dict[int, dict[int, tuple[int, str]]] = defaultdict(dict)
    nothing: Sequence[Any] = [None] * len(accounts)
    gaps, *values = (
        [merged.table[name].to_pylist() for name in ("gap", *_SAID)]
        if merged is not None
        else [["not-answered"] * len(accounts), nothing, nothing]
    )
    for position, account in enumerate(accounts):
        found = captured.get(account, [])
        observed = {one.said for one in found}
        if not gaps[position]:
            observed.add((values[0][position], values[1][position]))
        gap = DISAGREES if len(observed) > 1 else ""
        if not found or not gaps[position] or gaps[position] in CONTRADICTED:
            kept[position] = gap
        else:
            used[found[0].shard][position] = (found[0].row, gap)
    return kept, used


def _only(questions: Any, positions: Sequence[int]) -> Any:
    accounts = Packed.of(questions.accounts).take(positions)
    return msgspec.structs.replace(questions, accounts=accounts)


def _own(merged: MergedShard | None, kept: Mapping[int, str]) -> MergedShard | None:
    if merged is None:
        return None
    table = _with_gaps(merged.table.take(pa.array(list(kept))), list(kept.values()))
    return MergedShard(table, [merged.attempts[position] for position in kept])


def _captured(source: _Source, rows: Mapping[int, tuple[int, str]]) -> MergedShard:
    chosen = [row for row, _ in rows.values()]
    table = source.merged.table.take(pa.array(chosen))
    at = table.schema.get_field_index("method")
    proven = pc.equal(table["method"], Method.PROOF.value)  # a proof needs no word for its time
    method = pc.if_else(proven, Method.PROOF.value, Method.CAPTURED.value)
    table = table.set_column(at, table.schema.field(at), method)
    gaps = [gap for _, gap in rows.values()]
    return MergedShard(_with_gaps(table, gaps), [source.merged.attempts[row] for row in chosen])


def _with_gaps(table: pa.Table, gaps: Sequence[str]) -> pa.Table:
    """Put these gaps on the rows where there is one; a gap has no amount and no facts."""
    if not any(gaps):
        return table
    changed = {
        "gap": [new or old for new, old in zip(gaps, table["gap"].to_pylist(), strict=True)],
        "units": _without(table, "units", gaps, None),
        "facts": _without(table, "facts", gaps, ""),
    }
    for name, values in changed.items():
        at = table.schema.get_field_index(name)
        field = table.schema.field(at)
        table = table.set_column(at, field, pa.array(values, field.type))
    return table


def _without(table: pa.Table, name: str, gaps: Sequence[str], empty: str | None) -> list[Any]:
    pairs = zip(gaps, table[name].to_pylist(), strict=True)
    return [empty if gap else value for gap, value in pairs]
