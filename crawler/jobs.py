"""The commands' work, step by step: start, resume, replay, verify, plan.

A run goes through the same stages whether it is fresh or resumed; a stage that has finished is
not done again: examine the list, plan the questions, pin the moments, crawl, recount, report.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec.structs import replace

from chains.endpoints import EndpointSpec
from crawler.asking.controllers import controllers_asked
from crawler.asking.forecast import Forecast, forecast
from crawler.asking.plan import questions, unread_heights
from crawler.asking.rounds import crawl
from crawler.cluster.coordinator import Cluster
from crawler.counting import recount as pure
from crawler.counting.ledger import LEDGER
from crawler.counting.recount import Inputs
from crawler.crawling import captured, replaying
from crawler.crawling.answers import Place
from crawler.crawling.circumstances import keep_circumstances, stored_circumstances
from crawler.crawling.engine import Engine
from crawler.crawling.pins import stored_pins
from crawler.endpoints import PUBLIC, load_endpoints, load_public
from crawler.errors import EnvironmentFault, UsageError
from crawler.examining import earlier
from crawler.examining.hygiene import Seen
from crawler.examining.judges import Judging
from crawler.examining.ownership import examine
from crawler.inputs import Opened, Options, input_digests, open_inputs, versions
from crawler.keeping.runs import FORMAT, INPUTS, Manifest, RunDirectory
from crawler.keeping.storage import RunPlace, storage_at
from crawler.lists import PublishedList
from crawler.reports import document, html
from crawler.result import Circumstances, Report, Result
from crawler.settings import World
from crawler.tables.digests import MANY
from crawler.tables.memory import give_back, keep_no_large_blocks
from crawler.tables.spool import PIECE
from crawler.watching.progress import Progress

CLAIM_COLUMNS = [
    "row", "kind", "network", "asset", "address", "amount", "chain", "asset_id", "counts_as",
    "asset_class", "decimals", "account", "units", "height", "at_height", "message",
]  # fmt: skip
"""What the recount needs of a claim; signatures and keys stay on disk."""
SIGNATURE_COLUMNS = ["status", "reason", "scheme", "signers", "pinned", "silent", "asked"]
EXAMINED_PIECE = MANY
"""Rows, at least, that are joined at a time while others are still being judged."""

Parts = Iterable[tuple[pa.Table, pa.Table]]
"""Claims and signature results of a list, part by part; may be read several times."""


def start(
    options: Options, path: RunPlace, progress: Progress, cluster: Cluster | None = None
) -> Report:
    """Make a new run and bring it to its report, with the help of a cluster if there is one."""
    opened = open_inputs(options)
    world = opened.inputs.world
    specs = endpoint_specs(options, world)  # mistakes show before there is a directory
    if cluster is not None:
        cluster.shared(world.chains, specs)
    captured.check(options.captured)
    earlier.check(options.earlier)
    manifest = Manifest(
        format=FORMAT,
        run=path.name,
        started=now(),
        versions=versions(),
        inputs=input_digests(options),
        options=msgspec.to_builtins(options),
        config_sha256=opened.inputs.world.digest,
    )
    run = RunDirectory.create(path, manifest)
    try:
        return _finish(run, options, opened, progress, cluster)
    finally:
        run.close()


def resume(
    path: RunPlace, progress: Progress, *, endpoints: str = "", cluster: Cluster | None = None
) -> Report:
    """Continue a run: what is finished stays, the rest and retryable Gaps are asked again."""
    run = RunDirectory.open(path)
    try:
        if run.manifest.kind != "run":
            raise UsageError(f"{path} is a {run.manifest.kind}; give its own command once more")
        options = msgspec.convert(run.manifest.options, Options)
        if endpoints:
            options = msgspec.structs.replace(options, endpoints=endpoints)
        opened = None
        if run.manifest.examined is None:
            opened = open_inputs(options)
            stored = run.manifest.inputs
            if input_digests(options) != stored:
                raise UsageError(f"an input of {path} has changed since it began; start a new run")
            if opened.inputs.world.digest != run.manifest.config_sha256:
                raise UsageError(f"the configuration has changed since {path} began; start anew")
        return _finish(run, options, opened, progress, cluster)
    finally:
        run.close()


def replay(path: RunPlace) -> Result:
    """Decode the stored evidence again, offline, and return the result it gives.

    Raises ``EnvironmentFault`` where evidence is missing, damaged or gives another answer.
    """
    run = RunDirectory.open(path)
    try:
        inputs = stored_inputs(run)
        pinned = stored_pins(run)
        replaying.replay_pins(run, inputs.world, pinned)
        taken = captured.replayed(run, inputs.world)
        again = captured.joined(replaying.replayed_shards(run, inputs.world, pinned), pinned, taken)
        moments = captured.moments(pinned, taken)
        result, _ = pure.recount(inputs, examined_parts(run), again, moments)
        return result
    finally:
        run.close()


def stored_report(path: RunPlace) -> Report:
    """Read a finished run's report.

    Raises ``UsageError`` where there is none, ``EnvironmentFault`` where it is damaged.
    """
    file = path / "report.json"
    try:
        with storage_at(path).reading(file.name) as found:
            return document.decode(found.read_bytes())
    except document.NoReport as error:
        raise EnvironmentFault(
            f"{file} is damaged ({error}); run 'recount resume {path}' to make it again"
        ) from error
    except OSError as error:
        kind = RunDirectory.open(path, lock=False).manifest.kind
        if kind != "run":
            raise UsageError(
                f"{path} is a {kind}, which has no report; show it with 'recount replay {path}', "
                f"use it with 'recount run LIST --captured {path}'"
            ) from error
        raise UsageError(
            f"{file} cannot be read ({error.strerror}); finish the run with 'recount resume {path}'"
        ) from error


def verify(
    options: Options,
    progress: Progress,
    seen: Seen | None = None,
    keep: Callable[[pa.Table], None] | None = None,
) -> Result:
    """Judge signatures only, offline. ``keep`` gets the ledger part by part, a record per row.

    ``seen`` remembers what earlier lists carried and takes in this one.
    """
    opened = open_inputs(options)
    parts = examined(options, opened, progress, seen)
    inputs = msgspec.structs.replace(opened.inputs, asked=False)
    result, _ = pure.recount(inputs, parts, [], {}, keep or _nowhere)
    lines = _with_lines(inputs, opened.published).lines  # known once all parts were read
    return replace(result, list=replace(result.list, lines=lines))


def _nowhere(_: pa.Table) -> None:
    """Keep nothing."""


def planned(options: Options, progress: Progress) -> Forecast:
    """Say what would be asked, of whom, and how long that takes; asks nobody.

    What only the answers will ask, about those in control, stands at the end: not ``certain``, and
    as if every account in question had one controller who did not sign.
    """
    opened = open_inputs(options)
    world = opened.inputs.world
    specs = endpoint_specs(options, world)
    unread = []

    def parts() -> Parts:
        for claims, signatures in examined(options, opened, progress):
            unread.append(int(unread_heights(claims).sum()))
            yield claims, signatures

    asked = questions(world, parts(), options.proofs)
    certain = [(q, len(q.accounts)) for q in asked]
    found = forecast(world, certain, list(controllers_asked(world, asked)), specs)
    return msgspec.structs.replace(found, unread_heights=sum(unread))


def examined(
    options: Options, opened: Opened, progress: Progress, seen: Seen | None = None
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Examine a list, part by part, without a run directory; to be read once.

    Whoever reads works on one part while the next ones are being judged.
    """
    progress.begin("signatures", None)
    pending: list[tuple[pa.Table, pa.Table]] = []
    if seen is not None:
        seen.begin(opened.published.path.name)
    for claims, signatures in examine(
        opened.published.batches(),
        opened.reading,
        processes=options.processes or None,
        note=progress.note,
    ):
        progress.advance("signatures", claims.num_rows)
        if seen is not None:
            seen.take(claims, signatures)
        kept = pa.Table.from_batches([claims]).select(CLAIM_COLUMNS)
        pending.append((kept, pa.Table.from_batches([signatures]).select(SIGNATURE_COLUMNS)))
        if sum(one.num_rows for one, _ in pending) >= EXAMINED_PIECE:
            yield _joined(pending)
            pending = []
    if pending:
        yield _joined(pending)


def _finish(
    run: RunDirectory,
    options: Options,
    opened: Opened | None,
    progress: Progress,
    cluster: Cluster | None,
) -> Report:
    if run.manifest.examined is None:
        if opened is None:
            raise EnvironmentFault(f"{run.path}: the list was not opened")
        captured.take_in(run, options.captured, opened.inputs.world)
        judges = cluster.judges(opened.reading) if cluster else None
        examine_list(run, options, opened, progress, judges)
        give_back()
    keep_no_large_blocks()
    inputs = stored_inputs(run)
    specs = endpoint_specs(options, inputs.world)
    run.manifest.endpoints = tuple(spec.redacted() for spec in specs)
    run.save()
    parts = examined_parts(run)
    engine = (cluster.engine if cluster else Engine)(
        run, inputs.world.chains, specs, progress, options.retry
    )
    crawling = crawl(run, inputs.world, parts, engine, proofs=options.proofs)
    pinned, statistics, rejected = asyncio.run(crawling)
    del engine, crawling
    give_back()
    keep_circumstances(run, specs, statistics, rejected)
    taken = captured.stored(run)
    stored = captured.joined(pure.stored_shards(run, pinned), pinned, taken)
    moments = captured.moments(pinned, taken)
    with (
        run.replacing("rows.parquet") as file,
        pq.ParquetWriter(file.absolute(), LEDGER, compression="zstd") as writer,
    ):
        result, places = pure.recount(inputs, parts, stored, moments, writer.write_table)
    return _report(run, result, places)


def examine_list(
    run: RunDirectory,
    options: Options,
    opened: Opened,
    progress: Progress,
    judges: AbstractContextManager[Judging] | None = None,
) -> None:
    """Read the list and judge its signatures, part by part, into the run directory."""
    published: PublishedList = opened.published
    progress.begin("signatures", None)
    rows = part = carried = 0
    files: dict[str, str] = {}
    known = earlier.open_earlier(
        options.earlier, run.manifest, opened.inputs.exchange, progress.note
    )
    for claims, signatures in examine(
        published.batches(),
        opened.reading,
        processes=options.processes or None,
        note=progress.note,
        earlier=known,
        judges=judges,
    ):
        for stage, batch in (("claims", claims), ("signatures", signatures)):
            name = f"{stage}/part-{part:06d}.parquet"
            run.write_table(name, pa.Table.from_batches([batch]))
            files[name] = run.digest(name)
        rows += claims.num_rows
        carried += pc.sum(signatures["carried"]).as_py() or 0
        part += 1
        progress.advance("signatures", claims.num_rows)
    inputs = _with_lines(opened.inputs, published)
    run.write(INPUTS, msgspec.json.encode(inputs, order="sorted"))
    files[INPUTS] = run.digest(INPUTS)
    run.manifest.examined = {"rows": rows, "parts": part, "files": files}
    if known is not None:
        run.manifest.examined |= {"carried": {"run": known.run, "rows": carried}}
        progress.note(f"signature results of {carried} of {rows} rows are those of {known.run}")
    run.save()


def _report(run: RunDirectory, result: Result, places: Mapping[int, Sequence[Place]]) -> Report:
    kept = stored_circumstances(run)
    report = Report(
        result=result,
        circumstances=Circumstances(
            run=run.manifest.run,
            started=run.manifest.started,
            finished=now(),
            versions=run.manifest.versions,
            attempts=sum(len(run.attempts(entry.digest)) for entry in run.manifest.plan or ()),
            endpoints=kept,
            evidence=pure.evidence_pointers(run, places),
            carried=(run.manifest.examined or {}).get("carried") or {},
        ),
    )
    run.write("report.json", document.encode(report))
    run.write("report.html", html.render(report).encode())
    return report


class _Stored:
    """The examined parts of a run, read anew each time: never more than ``PIECE`` rows at once."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run

    def __iter__(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        pending: list[tuple[pa.Table, pa.Table]] = []
        for claims, signatures in self._run.examined():
            pending.append(
                (
                    self._run.read_table(claims, CLAIM_COLUMNS),
                    self._run.read_table(signatures, SIGNATURE_COLUMNS),
                )
            )
            if sum(one.num_rows for one, _ in pending) >= PIECE:
                yield _joined(pending)
                pending = []
        if pending:
            yield _joined(pending)


def examined_parts(run: RunDirectory) -> Parts:
    """Read the columns of claims and signature results that the recount needs, in pieces."""
    return _Stored(run)


def _joined(parts: Sequence[tuple[pa.Table, pa.Table]]) -> tuple[pa.Table, pa.Table]:
    claims, signatures = zip(*parts, strict=True)
    return pa.concat_tables(claims), pa.concat_tables(signatures)


def _with_lines(inputs: Inputs, published: PublishedList) -> Inputs:
    return msgspec.structs.replace(inputs, lines=msgspec.structs.asdict(published.account))


def endpoint_specs(options: Options, world: World) -> tuple[EndpointSpec, ...]:
    """Load whom the user names; raises ``ConfigError``."""
    if not options.endpoints:
        return ()
    if options.endpoints == PUBLIC:
        return load_public(world.chains.keys())
    return load_endpoints(Path(options.endpoints), os.environ, world.chains.keys())


def stored_inputs(run: RunDirectory) -> Inputs:
    """Read what a run was given, besides the list; raises ``EnvironmentFault``."""
    try:
        return msgspec.json.decode(run.read(INPUTS), type=Inputs)
    except (OSError, ValueError, RecursionError) as error:
        again = f"the list is not read twice: start a new {run.manifest.kind}"
        if run.manifest.examined is None and run.manifest.kind == "run":
            again = f"finish the run with 'recount resume {run.path}'"
        raise EnvironmentFault(
            f"{run.path / INPUTS} is missing or damaged ({error}); {again}"
        ) from error


def now() -> str:
    """Return the time of day, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
