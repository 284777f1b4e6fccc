"""The commands, one thin function each, and how errors become exit codes.

stdout carries the result, stderr the progress. Exit codes: 0, 1 a proven discrepancy or policy
failed, 2 usage, 3 incomplete, 4 environment; the first that applies of 4, 2, 1, 3. 130 where
interrupted, 141 where nobody reads stdout.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crawler import inputs, jobs
from crawler.cli import networks, nodes, plan_summary, pruning, repeat, rereading
from crawler.cli.faults import heed_signals, told
from crawler.cli.libraries import heard
from crawler.cli.options import (
    Captured,
    ClusterAddress,
    ClusterPlain,
    Companion,
    Config,
    Earlier,
    Endpoints,
    Exchange,
    Heights,
    Json,
    Liabilities,
    ListPath,
    Log,
    Messages,
    Metrics,
    NewRun,
    Policy,
    Processes,
    Proofs,
    Public,
    Quiet,
    Row,
    RunPath,
    StatementFile,
    cluster_of,
    options_of,
    print_json,
    text_of,
)
from crawler.cli.outputs import given_before, keep_apart
from crawler.cli.public import chosen_before, say_if_public, whom
from crawler.cli.streams import guarded
from crawler.crawling import capture
from crawler.errors import INTERRUPTED, EnvironmentFault, NobodyReads, came_of_interrupt
from crawler.examining.hygiene import Seen
from crawler.keeping.storage import RunPlace, storage_at
from crawler.reports import document, terminal, verify_summary
from crawler.reports.verdict_files import check_suffix, verdict_file
from crawler.result import Report
from crawler.rowview import explain, rendering
from crawler.rowview.making import row_view
from crawler.tables.memory import collect_rarely
from crawler.watching.attended import attended
from crawler.watching.live import Live, err
from crawler.watching.logs import STDERR, LogFormat

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Recount the reserves that an exchange publishes.",
)


def main() -> None:
    """Run the command line; the one place where errors become exit codes."""
    STDERR.reset()
    heed_signals()
    collect_rarely()
    with guarded(), heard():
        code = _ended()
    sys.exit(code)


def _ended() -> int:
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt, CancelledError):
        code = INTERRUPTED
    except NobodyReads as error:
        code = error.exit_code
    except SystemExit as error:  # so the parser ends where a pipe breaks; which is not stdout's
        broken = error.__context__
        code = told(broken) if isinstance(broken, OSError) else error.code
    except Exception as error:  # noqa: BLE001 - the last resort
        code = INTERRUPTED if came_of_interrupt(error) else told(error)
    if code == INTERRUPTED:  # the parser, too, makes this of an interrupt
        err("recount: interrupted; nothing that was finished is lost", "error")
    if code is None:  # so a command ends that has nothing to say against its result
        return 0
    return code if isinstance(code, int) else EnvironmentFault.exit_code


@app.command()
def run(
    list_path: ListPath,
    run_path: NewRun = None,
    endpoints: Endpoints = None,
    public_endpoints: Public = False,
    companion: Companion = None,
    config: Config = None,
    policy: Policy = None,
    liabilities: Liabilities = None,
    statement: StatementFile = None,
    heights: Heights = None,
    messages: Messages = None,
    exchange: Exchange = "",
    captured: Captured = None,
    earlier: Earlier = None,
    proofs: Proofs = "0",
    processes: Processes = 0,
    go_on: Annotated[
        bool, typer.Option("--resume", help="continue what --run holds of the same inputs")
    ] = False,
    cluster: ClusterAddress = "",
    cluster_plain: ClusterPlain = False,
    metrics: Metrics = None,
    log: Log = LogFormat.TEXT,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify, crawl, total, report."""
    workers = cluster_of(cluster, plain=cluster_plain)
    options = options_of(
        list_path,
        companion=companion,
        config=config,
        policy=policy,
        endpoints=endpoints,
        public=public_endpoints,
        liabilities=liabilities,
        statement=statement,
        heights=heights,
        messages=messages,
        exchange=exchange,
        captured=captured,
        earlier=earlier,
        proofs=proofs,
        processes=processes,
    )
    keep_apart("--metrics", [metrics] if metrics else [], [options])
    with attended(log, metrics) as watched:
        path: RunPlace = run_path or inputs.default_run_path(options, Path("runs"))
        again = storage_at(path).holds("manifest.json")
        if again and run_path is not None:
            repeat.check(options, path)
        finished = None if go_on or run_path is None or not again else repeat.finished(path)
        if finished is None:
            say_if_public(options.endpoints or (chosen_before(path) if again else ""))
        with watched.progress(path, quiet=quiet) as progress:
            if finished is not None:
                watched.report = finished
            elif again:
                watched.report = jobs.resume(
                    path, progress, endpoints=options.endpoints, cluster=workers
                )
            else:
                watched.report = jobs.start(options, path, progress, workers)
        _print(watched.report, path, as_json=as_json)
    raise typer.Exit(watched.report.result.outcome.exit_code)


@app.command()
def resume(
    run_path: RunPath,
    endpoints: Endpoints = None,
    public_endpoints: Public = False,
    cluster: ClusterAddress = "",
    cluster_plain: ClusterPlain = False,
    metrics: Metrics = None,
    log: Log = LogFormat.TEXT,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Continue a run: finished work stays, retryable gaps are asked again."""
    workers = cluster_of(cluster, plain=cluster_plain)
    if metrics is not None:
        keep_apart(
            "--metrics", [metrics], [*given_before(run_path), options_of(None, endpoints=endpoints)]
        )
    with attended(log, metrics) as watched:
        asked = whom(text_of(endpoints), public=public_endpoints)
        say_if_public(asked or chosen_before(run_path))
        with watched.progress(run_path, quiet=quiet) as progress:
            watched.report = jobs.resume(run_path, progress, endpoints=asked, cluster=workers)
        _print(watched.report, run_path, as_json=as_json)
    raise typer.Exit(watched.report.result.outcome.exit_code)


@app.command()
def replay(
    run_path: RunPath,
    bulk_files: Annotated[
        list[Path] | None, typer.Option("--bulk", help="a dump that the run read; read it again")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give the same result from the stored evidence, without a network."""
    if bulk_files:
        again = rereading.reread(run_path, bulk_files)
        err(f"recount: {again} reading(s) of bulk files gave the same bytes again")
    if capture.is_capture(run_path):
        nodes.show_capture(capture.replay(run_path), as_json=as_json)
    stored = jobs.stored_report(run_path)
    result = jobs.replay(run_path)
    if document.encode_result(result) != document.encode_result(stored.result):
        raise EnvironmentFault(
            f"{run_path}: the evidence gives another result than report.json holds; "
            "the directory was changed, or made by another version of recount"
        )
    report = Report(result=result, circumstances=stored.circumstances)
    _show(report, run_path, as_json=as_json)


@app.command("report")
def show_report(run_path: RunPath, number: Row = None, as_json: Json = False) -> None:
    """Show the report of a finished run again, or one row with all that it rests on."""
    if number is not None:
        view = row_view(run_path, number)
        shown = document.canonical(view).decode() if as_json else rendering.render(view)
        sys.stdout.write(shown)
        return
    _show(jobs.stored_report(run_path), run_path, as_json=as_json)


@app.command()
def verify(
    lists: Annotated[list[Path], typer.Argument(help="published wallet lists")],
    verdicts: Annotated[
        Path | None, typer.Option(help="one record per row: .jsonl, .csv or .parquet")
    ] = None,
    explain_row: Annotated[
        int | None, typer.Option("--explain", min=1, help="explain the row at this line, in steps")
    ] = None,
    companion: Companion = None,
    config: Config = None,
    policy: Policy = None,
    heights: Heights = None,
    messages: Messages = None,
    exchange: Exchange = "",
    processes: Processes = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Judge signatures only, offline: opens no socket."""
    given = [
        options_of(
            list_path,
            companion=companion,
            config=config,
            policy=policy,
            heights=heights,
            messages=messages,
            exchange=exchange,
            processes=processes,
        )
        for list_path in lists
    ]
    paths: list[Path] = []
    if verdicts is not None:
        check_suffix(verdicts)
        paths = [verdict_path(verdicts, path, i, len(lists)) for i, path in enumerate(lists)]
        keep_apart("--verdicts", paths, given)
    worst = 0
    summaries = []
    seen = Seen() if len(lists) > 1 else None
    for number, options in enumerate(given):
        if explain_row is not None:
            steps = explain.explain(options, explain_row)
            print_json(steps) if as_json else sys.stdout.write(explain.render(steps))
            continue
        with Live(quiet=quiet) as progress, ExitStack() as stack:
            keep = None
            if paths:
                keep = stack.enter_context(verdict_file(paths[number]))
            result = jobs.verify(options, progress, seen, keep)
        reuse = seen.end() if seen is not None and number else None
        summary = verify_summary.summarise(result, reuse)
        summaries.append(summary)
        worst = verify_summary.worse(worst, summary.exit_code)
        if not as_json:
            verify_summary.render(summary, result, Console())
    if as_json and summaries:
        print_json(summaries[0] if len(summaries) == 1 else summaries)
    raise typer.Exit(worst)


@app.command()
def plan(
    list_path: ListPath,
    endpoints: Endpoints = None,
    public_endpoints: Public = False,
    companion: Companion = None,
    config: Config = None,
    heights: Heights = None,
    exchange: Exchange = "",
    proofs: Proofs = "0",
    processes: Processes = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what would be asked, of whom, and how long it would take; asks nobody."""
    options = options_of(
        list_path,
        companion=companion,
        config=config,
        endpoints=endpoints,
        public=public_endpoints,
        heights=heights,
        exchange=exchange,
        proofs=proofs,
        processes=processes,
    )
    with Live(quiet=quiet) as progress:
        found = jobs.planned(options, progress)
    if as_json:
        print_json(found)
    else:
        plan_summary.render(found, Console())


app.command("capture")(nodes.take)
app.command()(nodes.doctor)
app.command()(networks.chains)


@app.command()
def prune(
    directory: Annotated[Path, typer.Argument(help="where run directories lie, such as runs")],
    keep: Annotated[int, typer.Option(min=1, help="how many finished runs stay")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would go")] = False,
    as_json: Json = False,
) -> None:
    """Delete old finished runs: never the newest, nor anything else."""
    pruned = pruning.prune(directory, keep, dry_run=dry_run)
    if as_json:
        print_json(pruned)
    else:
        sys.stdout.write(pruning.text(pruned, dry_run=dry_run))


@app.command()
def demo(
    rows: Annotated[int, typer.Option(min=60, help="rows of the made-up list")] = 60,
    run_path: Annotated[Path | None, typer.Option("--run", help="run directory")] = None,
    keep: Annotated[bool, typer.Option(help="keep the made-up list and nodes' data")] = False,
    anvil: Annotated[
        bool | None,
        typer.Option(help="serve Ethereum by anvil; of itself from 1,000 rows on if installed"),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Recount a small made-up exchange against simulated nodes on loopback."""
    from crawler import demo as demonstration  # noqa: PLC0415 - heavy, and only for this command

    with Live(quiet=quiet) as progress:
        shown = demonstration.run(
            rows=rows, path=run_path, keep=keep, anvil=anvil, progress=progress
        )
    terminal.render(shown.report, Console())
    sys.stdout.write(shown.text())
    raise typer.Exit(0 if shown.complete else 4)


def verdict_path(verdicts: Path, list_path: Path, number: int, count: int) -> Path:
    """Name the verdict file of one list: several lists get one file each."""
    if count == 1:
        return verdicts
    return verdicts.with_name(f"{verdicts.stem}.{number + 1}.{list_path.stem}{verdicts.suffix}")


def _show(report: Report, path: RunPlace, *, as_json: bool) -> None:
    _print(report, path, as_json=as_json)
    raise typer.Exit(report.result.outcome.exit_code)


def _print(report: Report, path: RunPlace, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(document.encode(report).decode())
    else:
        terminal.render(report, Console())
    sys.stdout.flush()  # whatever the figures say of how it ended, it must have been written
    if not as_json:
        err(f"report: {path / 'report.html'}")
