"""``recount doctor``: which endpoints will do for a list, and what will be a gap all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from chains import reasons
from chains.endpoints import EndpointSpec
from chains.model import ChainId, Method
from crawler import jobs
from crawler.asking.plan import questions, unread_heights, why_not
from crawler.doctor.probing import CONTRADICTING, Probe, Trial, common_head, probe, trial_of
from crawler.errors import UsageError
from crawler.inputs import Options, open_inputs
from crawler.keeping.storage import put_in_place
from crawler.model import RowKind
from crawler.reports.display import visible
from crawler.settings import World, load_world
from crawler.tables.columns import distinct
from crawler.watching.progress import Progress

FINE, PROBLEMS, ENVIRONMENT = 0, 1, 4
PAST = (
    "its head is past {height}, and it knows the state of its head only; hold a node at the height "
    "(docs/nodes.md)"
)


class Unasked(msgspec.Struct, frozen=True, kw_only=True):
    """An asset of the list whose rows will be gaps whatever the endpoints show."""

    chain: str
    asset: str
    reason: str


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoints showed.

    ``unasked``: assets of the list that no endpoint can be asked about. ``disagreements`` are
    sentences: two endpoints name different blocks at one height.
    """

    endpoints: tuple[Probe, ...]
    unasked: tuple[Unasked, ...]
    disagreements: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """4 for another chain or another block, 1 for anything else that is wrong, else 0."""
        seen = {reason for one in self.endpoints for reason in one.failed.values()}
        if self.disagreements or seen & CONTRADICTING:
            return ENVIRONMENT
        fine = not self.unasked and all(one.fine for one in self.endpoints)
        return FINE if fine else PROBLEMS


def diagnose(options: Options, height: int | None, progress: Progress) -> Diagnosis:
    """Probe every endpoint; with ``height`` at that one, else at the list's or at its own head.

    Raises ``UsageError``.
    """
    world, trials, unasked = _wanted(options, height, progress)
    specs = [one for one in jobs.endpoint_specs(options, world) if _is_asked(options, one, trials)]
    chains = {spec.chain for spec in specs}
    if not specs:
        raise UsageError("no endpoint is declared for the chains of this list")
    if height is not None and len(chains) > 1:
        raise UsageError(
            f"the endpoints are of {len(chains)} chains, and --at gives one height; leave it "
            "out, or use an endpoints file of one chain"
        )
    named = [spec for spec in specs if world.chains[spec.chain].adapter != "none"]
    if height is not None:
        trials = {chain: _at(trials.get(chain), height) for chain in chains}
    found = asyncio.run(_probe_all(world, named, trials, progress))
    missing = {one.chain for one in named}
    unasked += [
        Unasked(chain=chain, asset="", reason="no-endpoint")
        for chain in sorted(trials)
        if chain not in missing
    ]
    return Diagnosis(
        endpoints=found, unasked=tuple(unasked), disagreements=tuple(_disagreements(found))
    )


def _is_asked(options: Options, spec: EndpointSpec, trials: Mapping[ChainId, Trial]) -> bool:
    return not options.list_path or spec.chain in trials


def _at(trial: Trial | None, height: int) -> Trial:
    asked = [] if trial is None or trial.questions is None else [trial.questions]
    return trial_of(asked, [height])


def _wanted(
    options: Options, height: int | None, progress: Progress
) -> tuple[World, dict[ChainId, Trial], list[Unasked]]:
    """Return what to try on each chain of the list, and which assets cannot be asked about."""
    if not options.list_path:
        return load_world([Path(path) for path in options.config]), {}, []
    opened = open_inputs(options)
    world = opened.inputs.world
    parts = list(jobs.examined(options, opened, progress))
    blocked = {one for claims, _ in parts for one in _blocked(world, claims, height)}
    unasked = [Unasked(chain=c, asset=a, reason=r) for c, a, r in sorted(blocked)]
    asked = questions(world, [(_filled(claims, height), signed) for claims, signed in parts])
    grouped = groupby(asked, key=lambda one: one.chain)
    return world, {chain: trial_of(list(found), ()) for chain, found in grouped}, unasked


def _filled(claims: pa.Table, height: int | None) -> pa.Table:
    """Give rows without a height this one."""
    if height is None:
        return claims
    at = claims.schema.get_field_index("at_height")
    filled = pc.fill_null(claims["at_height"], pa.scalar(height, pa.int64()))
    return claims.set_column(at, claims.schema.field(at), filled)


def _blocked(world: World, claims: pa.Table, height: int | None) -> list[tuple[str, str, str]]:
    """Return (chain, asset, reason) of the claims that cannot be asked about."""
    chosen = claims.filter(pc.equal(claims["kind"], RowKind.CLAIM.value))
    names = ("chain", "asset_id", "network", "asset", "at_height")
    unread = unread_heights(chosen)
    _, firsts = distinct([*(chosen[name] for name in names), unread])
    columns = [chosen[name].take(firsts).to_pylist() for name in names]
    found = []
    for chain, asset, network, label, own, no_number in zip(
        *columns, unread[firsts].tolist(), strict=True
    ):
        at = height if own is None else own
        reason = why_not(world, chain, asset, at, unread=no_number)
        if reason:
            found.append((chain or network, asset or label, reason))
    return found


async def _probe_all(
    world: World,
    specs: Sequence[EndpointSpec],
    trials: Mapping[ChainId, Trial],
    progress: Progress,
) -> tuple[Probe, ...]:
    """Probe the chains side by side, the endpoints of one chain after another."""
    progress.begin("endpoints", len(specs))

    async def one_chain(chain: ChainId) -> list[Probe]:
        found = []
        mine = [spec for spec in specs if spec.chain == chain]
        trial = trials.get(chain) or Trial(
            heights=await common_head(world.chains[chain], mine), wanted=False
        )
        for spec in mine:
            found.append(await probe(world.chains[chain], spec, trial))
            progress.advance("endpoints", 1)
        return found

    chains = dict.fromkeys(spec.chain for spec in specs)
    done = await asyncio.gather(*map(one_chain, chains))
    by_name = {one.name: one for found in done for one in found}
    return tuple(by_name[spec.name] for spec in specs)


def _disagreements(found: Sequence[Probe]) -> list[str]:
    blocks: dict[tuple[str, str], dict[str, str]] = {}
    for one in found:
        for height, block in one.blocks.items():
            blocks.setdefault((one.chain, height), {}).setdefault(block, one.name)
    return [
        f"{chain} at {height}: "
        + ", ".join(f"{name} names {block}" for block, name in said.items())
        for (chain, height), said in blocks.items()
        if len(said) > 1
    ]


def write_found(diagnosis: Diagnosis, path: Path) -> None:
    """Write what a run should use, as TOML that an endpoints file names with ``found``."""
    lines = ["# Found by 'recount doctor'; taken in by found = \"NAME\" in an endpoints file."]
    for one in diagnosis.endpoints:
        if not one.blocks:
            continue
        lines += ["", f'[found."{one.name}"]', f'rate = "{one.rate}"']
        if one.batch and one.batch < one.tried:
            lines.append(f"batch = {one.batch}")
    with put_in_place(path, "then probe again") as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def sentence(one: Probe) -> str:
    """Say in words what is wrong with an endpoint, ``""`` if nothing is."""
    if one.failed:
        height, reason = next(iter(one.failed.items()))
        return f"at {height}: {_explained(reason)}"
    if not one.blocks:
        return f"nothing was asked: {_explained(one.head_reason or 'no-height')}"
    said = ", ".join(f"{count} {reason}" for reason, count in one.gaps.items())
    told = [f"of {one.answered + sum(one.gaps.values())} questions: {said}"] if said else []
    if one.past and (said or not one.fine):
        told.append(PAST.format(height=one.past[0]))
    return "; ".join(told)


def standing(one: Probe) -> str:
    """Say where an endpoint's head stands that knows no other state, ``""`` if it does."""
    if not one.stands:
        return ""
    if one.past:
        return f"its head is past {one.past[0]}"
    return f"its head stands at the height, {next(iter(one.stands))}"


def _explained(reason: str) -> str:
    return f"{reason}: {({**reasons.GAPS, **reasons.SNAPSHOT}).get(reason, '')}".rstrip(": ")


def _rate(one: Probe) -> str:
    rate = "unlimited" if one.rate == "0" else f"{one.rate}/s"
    return f"{rate}, found" if one.limited else rate


def _methods(one: Probe) -> str:
    """Name the methods; ``proof`` only where the endpoint proved something, else why it did not."""
    names = [name for name in one.methods if name != Method.PROOF or not one.unproven]
    told = f"\nno proofs: {one.unproven}" if one.unproven else ""
    return ", ".join(names) + told


def render(diagnosis: Diagnosis, console: Console) -> None:
    """Print what was found."""
    table = Table(title="Endpoints")
    for name in ("endpoint", "head", "state back to", "batch", "rate", "methods", "verdict"):
        table.add_column(name, overflow="fold")
    for one in diagnosis.endpoints:
        more = "+" if one.batch and one.batch == one.tried else ""
        table.add_row(
            f"{one.name}\n{one.network}",
            str(one.head) if one.head is not None else one.head_reason,
            "" if one.oldest is None else str(one.oldest),
            f"{one.batch}{more}" if one.batch else "not tried",
            _rate(one),
            _methods(one),
            sentence(one) or ": ".join(filter(None, ("fine", standing(one)))),
        )
    console.print(table)
    for gap in diagnosis.unasked:
        console.print(
            f"gap  {gap.chain}  {gap.asset}  {_explained(gap.reason)}", markup=False, soft_wrap=True
        )
    for text in diagnosis.disagreements:
        console.print(f"disagreement  {visible(text)}", markup=False, soft_wrap=True)
