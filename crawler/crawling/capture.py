"""Taking answers when the height comes: for chains that show their present state only.

A capture asks the questions of a list (last month's, or a plain table of addresses) at a height
that is chosen when it begins, not at the list's. It is a run directory without a report: pins,
plan, answers and evidence are those of a run, and ``crawler.crawling.captured`` brings them into a
later run of the same height. A chain's height is frozen before anything is pinned, so that the same
command continues what was interrupted.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from chains.endpoints import EndpointSpec
from chains.heads import UNTOLD
from chains.model import ChainId, Gap
from crawler import jobs
from crawler.asking.plan import why_not
from crawler.asking.rounds import crawl
from crawler.counting.ledger import Shards
from crawler.counting.recount import stored_shards
from crawler.crawling import captured
from crawler.crawling.circumstances import keep_circumstances
from crawler.crawling.engine import Engine
from crawler.crawling.pins import Pinned
from crawler.errors import EnvironmentFault, UsageError
from crawler.inputs import Options, input_digests, open_inputs, versions
from crawler.keeping.runs import FORMAT, Manifest, RunDirectory
from crawler.keeping.storage import RunPlace
from crawler.model import RowKind
from crawler.settings import HIGHEST, World
from crawler.tables.columns import distinct
from crawler.watching.progress import Progress

NOW = "now"
FIRST_PAUSE_S, SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 0.2, 30.0
"""Between two looks at a head, in seconds."""
INCOMPLETE = 3

Parts = Iterable[tuple[pa.Table, pa.Table]]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """At which height to ask, ``None``: at each chain's newest final block; and which chains.

    ``chains`` are CAIP-2 ids, all of the list's if empty. ``timeout_s`` is how long a height is
    waited for.
    """

    height: int | None
    chains: tuple[str, ...] = ()
    timeout_s: int = 3600


class MomentTaken(msgspec.Struct, frozen=True, kw_only=True):
    """One chain of a capture. ``reason`` says why nothing was asked, ``""`` where it was.

    ``gaps`` counts the questions without an answer by reason.
    """

    chain: str
    name: str
    height: int | None
    block_hash: str = ""
    time: int = 0
    reason: str = ""
    questions: int = 0
    answered: int = 0
    gaps: Mapping[str, int] = {}


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """What a capture holds."""

    run: str
    chains: tuple[MomentTaken, ...]

    @property
    def exit_code(self) -> int:
        """0 where every question was answered, else 3."""
        whole = self.chains and all(not one.reason and not one.gaps for one in self.chains)
        return 0 if whole else INCOMPLETE


def read_height(text: str) -> int | None:
    """Read ``--at``: ``now`` or a height; raises ``UsageError``."""
    if text == NOW:
        return None
    if (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(HIGHEST))
        and int(text) <= HIGHEST
    ):
        return int(text)
    raise UsageError(f"--at {text[:40]!r}: give a height up to {HIGHEST}, or 'now'")


def is_capture(path: RunPlace) -> bool:
    """Tell whether a directory is a capture; raises ``UsageError`` where it is no run at all."""
    return RunDirectory.open(path, lock=False).manifest.kind == captured.CAPTURE


def take(options: Options, path: Path, wanted: Wanted, progress: Progress) -> Capture:
    """Make a capture, or continue the one in ``path``.

    Raises ``UsageError``; ``EnvironmentFault`` where the height is not reached in time or
    endpoints contradict each other.
    """
    opened = open_inputs(options)
    world = opened.inputs.world
    specs = jobs.endpoint_specs(options, world)
    run = _begun(options, path, world)
    try:
        if run.manifest.examined is None:
            jobs.examine_list(run, options, opened, progress)
        run.manifest.endpoints = tuple(spec.redacted() for spec in specs)
        parts = jobs.examined_parts(run)
        chains = _chains(world, parts, wanted)
        heights: dict[str, int] = dict(run.manifest.heights or {})
        new = [chain for chain in chains if chain not in heights]
        if wanted.height is not None and heights.get(chains[0], wanted.height) != wanted.height:
            raise UsageError(
                f"{path} is at {heights[chains[0]]}; give another --at another --run directory"
            )

        async def choose() -> tuple[Mapping[str, int], Mapping[ChainId, str]]:
            async with Engine(run, world.chains, specs, progress, options.retry) as engine:
                return await _Choice(engine, specs, wanted, progress).heights(new)

        chosen, left_out = asyncio.run(choose()) if new else ({}, {})
        heights |= chosen
        run.manifest.heights = heights
        run.save()
        engine = Engine(run, world.chains, specs, progress, options.retry)
        at_heights = AtHeights(parts, heights)
        crawling = crawl(run, world, at_heights, engine, proofs=options.proofs)
        pinned, statistics, rejected = asyncio.run(crawling)
        keep_circumstances(run, specs, statistics, rejected)
        return _summary(path, world, pinned, list(stored_shards(run, pinned)), left_out)
    finally:
        run.close()


def replay(path: RunPlace) -> Capture:
    """Decode a capture's evidence again, offline; raises ``EnvironmentFault``."""
    run = RunDirectory.open(path)
    try:
        world = jobs.stored_inputs(run).world
        pinned, shards = captured.replay(run, world)
        return _summary(path, world, pinned, shards, {})
    finally:
        run.close()


def _begun(options: Options, path: Path, world: World) -> RunDirectory:
    """Return the capture's directory, new or as an earlier command left it."""
    inputs = input_digests(options)
    if not (path / captured.MANIFEST).exists():
        manifest = Manifest(
            format=FORMAT,
            run=path.name,
            started=jobs.now(),
            versions=versions(),
            inputs=inputs,
            options=msgspec.to_builtins(options),
            config_sha256=world.digest,
            kind=captured.CAPTURE,
        )
        return RunDirectory.create(path, manifest)
    run = RunDirectory.open(path)
    known = run.manifest
    same = (known.kind, known.inputs, known.config_sha256)
    if same != (captured.CAPTURE, inputs, world.digest):
        run.close()
        raise UsageError(f"{path} is not a capture of this list; choose another --run directory")
    return run


class AtHeights:
    """Claims and signature results with these heights instead of the list's own."""

    def __init__(self, parts: Parts, heights: Mapping[str, int]) -> None:
        self._parts = parts
        self._heights = heights

    def __iter__(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        chains = pa.array(list(self._heights), pa.string())
        heights = pa.array(list(self._heights.values()), pa.int64())
        for claims, signatures in self._parts:
            where = pc.index_in(claims["chain"], value_set=chains)
            at = claims.schema.get_field_index("at_height")
            column = heights.take(where.combine_chunks())
            yield claims.set_column(at, claims.schema.field(at), column), signatures


def _chains(world: World, parts: Parts, wanted: Wanted) -> tuple[ChainId, ...]:
    """Return the chains of the list that can be asked at all; raises ``UsageError``."""
    found: set[str] = set()
    for claims, _ in parts:
        chosen = claims.filter(pc.equal(claims["kind"], RowKind.CLAIM.value))
        names = ("chain", "asset_id")
        _, firsts = distinct([chosen[name] for name in names])
        pairs = zip(*(chosen[name].take(firsts).to_pylist() for name in names), strict=True)
        found |= {chain for chain, asset in pairs if not why_not(world, chain, asset, 0)}
    strange = [chain for chain in wanted.chains if chain not in found]
    if strange:
        raise UsageError(f"--chain {strange[0]}: the list has no row of it that can be asked")
    chosen_chains = sorted(ChainId(one) for one in (wanted.chains or found))
    if not chosen_chains:
        raise UsageError("the list has no row that can be asked")
    if wanted.height is not None and len(chosen_chains) > 1:
        raise UsageError(
            f"the list has {len(chosen_chains)} chains ({', '.join(chosen_chains)}), and --at "
            "gives one height: name one of them with --chain"
        )
    return tuple(chosen_chains)


class _Choice(msgspec.Struct, frozen=True):
    """Chooses the heights, before anything is pinned."""

    engine: Any  # Engine
    specs: Sequence[EndpointSpec]
    wanted: Wanted
    progress: Progress

    async def heights(
        self, asked: Sequence[ChainId]
    ) -> tuple[Mapping[str, int], Mapping[ChainId, str]]:
        """Return the height of each chain, and why a chain has none."""
        if self.wanted.height is not None:
            (chain,) = asked
            await self._wait(chain, self.wanted.height)
            return {chain: self.wanted.height}, {}
        heights: dict[str, int] = {}
        left_out: dict[ChainId, str] = {}
        for chain in asked:
            found: Mapping[str, int | Gap] = await self.engine.heads(chain)
            told = [one for one in found.values() if isinstance(one, int)]
            self.progress.note(f"{chain}: {_shown(found)}")
            if told:
                heights[chain] = min(told)  # every endpoint that answered can show this block
            else:
                gaps = [one.reason for one in found.values() if isinstance(one, Gap)]
                left_out[chain] = gaps[0] if gaps else "no-endpoint"
        return heights, left_out

    async def _wait(self, chain: ChainId, height: int) -> None:
        """Return once a primary endpoint has reached the height; raises ``EnvironmentFault``.

        A chain whose head cannot be told is asked at once: its pin says whether the block is there.
        """
        mine = {one.name for one in self.specs if one.chain == chain and one.role == "primary"}
        started, first = time.monotonic(), None
        while True:
            found: Mapping[str, int | Gap] = await self.engine.heads(chain)
            found = {name: one for name, one in found.items() if name in mine}
            if all(one == UNTOLD for one in found.values()):
                self.progress.note(f"{chain}: its head cannot be told, it is asked at once")
                return
            head = max((one for one in found.values() if isinstance(one, int)), default=None)
            if head is not None and head >= height:
                return
            waited = time.monotonic() - started
            if waited >= self.wanted.timeout_s:
                raise EnvironmentFault(
                    f"{chain} has not reached {height} after {self.wanted.timeout_s} s "
                    f"({_shown(found)}); give the same command once more, with a longer --timeout"
                )
            first = (head, waited) if first is None and head is not None else first
            self.progress.note(f"{chain}: {_shown(found)}; waiting for {height}")
            left = self.wanted.timeout_s - waited
            await asyncio.sleep(min(pause(first, head, waited, height), left))


def pause(first: tuple[int, float] | None, head: int | None, waited: float, height: int) -> float:
    """Return how long to wait until the next look, in seconds: half of what is likely left.

    ``first`` is the head that was seen first and when; ``head`` the present one, after ``waited``.
    """
    if first is None or head is None or head <= first[0]:
        return FIRST_PAUSE_S
    left = (height - head) * (waited - first[1]) / (head - first[0])
    return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, left / 2))


def _shown(heads: Mapping[str, int | Gap]) -> str:
    said = {name: one.reason if isinstance(one, Gap) else one for name, one in heads.items()}
    return ", ".join(f"{name} at {head}" for name, head in said.items()) or "no endpoint"


def _summary(
    path: RunPlace,
    world: World,
    pinned: Mapping[str, Pinned],
    shards: Shards,
    left_out: Mapping[ChainId, str],
) -> Capture:
    found = []
    for key, entry in pinned.items():
        chain, _, height = key.rpartition("@")
        gaps: Counter[str] = Counter()
        asked = 0
        for _, question, merged in shards:
            if question.chain != chain or question.height != int(height):
                continue
            asked += len(question.accounts)
            if merged is None:
                gaps[entry.reason or "not-answered"] += len(question.accounts)
            else:
                gaps.update(reason for reason in merged.table["gap"].to_pylist() if reason)
        at = entry.snapshot
        found.append(
            MomentTaken(
                chain=chain,
                name=world.chains[ChainId(chain)].name,
                height=int(height),
                block_hash=at.block_hash if at else "",
                time=at.time if at else 0,
                reason=entry.reason,
                questions=asked,
                answered=asked - gaps.total(),
                gaps=dict(sorted(gaps.items())),
            )
        )
    found += [
        MomentTaken(chain=one, name=world.chains[one].name, height=None, reason=reason)
        for one, reason in left_out.items()
    ]
    return Capture(run=str(path), chains=tuple(found))


def render(capture: Capture, console: Console) -> None:
    """Print what a capture holds."""
    table = Table(title="Captured")
    for name in ("network", "height", "block", "questions", "answered", "gaps"):
        table.add_column(name, overflow="fold")
    for one in capture.chains:
        gaps = ", ".join(f"{reason}: {count}" for reason, count in one.gaps.items())
        table.add_row(
            one.name,
            "" if one.height is None else str(one.height),
            one.block_hash,
            str(one.questions),
            str(one.answered),
            gaps or one.reason,
        )
    console.print(table)
    console.print(
        "Use it with the list of these heights: recount run LIST --captured DIRECTORY", markup=False
    )
