"""The ``recount`` command: one thin function per command.

stdout carries the result, stderr the progress. Exit codes: 0, 1 a proven discrepancy or policy
failed, 2 usage, 3 incomplete, 4 environment; the first that applies of 4, 2, 1, 3.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from chains.errors import ConfigError, Fatal
from crawler import explain, inputs, jobs, support, verify_summary
from crawler.errors import EnvironmentFault, RecountError
from crawler.hygiene import Seen
from crawler.inputs import Options
from crawler.live import Live, err
from crawler.reports import document, terminal
from crawler.result import Report
from crawler.settings import load_world
from crawler.verdict_files import check_suffix, verdict_file

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Recount the reserves that an exchange publishes.",
)

ListPath = Annotated[Path, typer.Argument(help="the published wallet list: .csv, .zip, .jsonl, …")]
RunPath = Annotated[Path, typer.Argument(help="a run directory")]
Companion = Annotated[list[Path] | None, typer.Option(help="a further file of the same list")]
Config = Annotated[list[Path] | None, typer.Option(help="TOML that adds chains, assets, exchanges")]
Policy = Annotated[Path | None, typer.Option(help="policy TOML; the shipped one otherwise")]
Endpoints = Annotated[Path | None, typer.Option(help="whom to ask: endpoints.toml")]
Liabilities = Annotated[Path | None, typer.Option(help="TOML or CSV: asset, amount, as-of, source")]
StatementFile = Annotated[Path | None, typer.Option(help="what the exchange stated")]
Heights = Annotated[Path | None, typer.Option(help="heights for lists that carry none")]
Messages = Annotated[Path | None, typer.Option(help="expected texts, one a line")]
Exchange = Annotated[str, typer.Option(help="whose list it is, where the list does not say")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
Quiet = Annotated[bool, typer.Option("--quiet", help="no progress")]
Processes = Annotated[int, typer.Option(min=0, help="worker processes; 0 takes every core")]


def main() -> None:
    """Run the command line; the one place where errors become exit codes."""
    try:
        code = app(standalone_mode=False)
    except RecountError as error:
        err(f"recount: {error}")
        sys.exit(error.exit_code)
    except ConfigError as error:
        err(f"recount: {error}")
        sys.exit(2)
    except Fatal as error:
        err(f"recount: {error}")
        sys.exit(4)
    except (typer.Abort, KeyboardInterrupt):
        err("recount: interrupted; nothing that was finished is lost")
        sys.exit(130)
    except OSError as error:
        err(f"recount: {error.strerror or error}: {error.filename or ''}".rstrip(": "))
        sys.exit(4)
    except Exception as error:  # the last resort: a usage error of the parser, or a defect
        show = getattr(error, "format_message", None)
        if show is None:
            if os.environ.get("RECOUNT_DEBUG"):
                raise
            err(
                f"recount: a defect of recount: {type(error).__name__}: {error}; nothing that was "
                "finished is lost. Set RECOUNT_DEBUG=1 to see where, and please report it"
            )
            sys.exit(4)
        text = show()
        err(f"recount: {text}" if text else "recount: name a command, see above")
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


@app.command()
def run(
    list_path: ListPath,
    run_path: Annotated[
        Path | None, typer.Option("--run", help="run directory; named by the inputs otherwise")
    ] = None,
    endpoints: Endpoints = None,
    companion: Companion = None,
    config: Config = None,
    policy: Policy = None,
    liabilities: Liabilities = None,
    statement: StatementFile = None,
    heights: Heights = None,
    messages: Messages = None,
    exchange: Exchange = "",
    processes: Processes = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify, crawl, total, report."""
    options = _options(
        list_path,
        companion=companion,
        config=config,
        policy=policy,
        endpoints=endpoints,
        liabilities=liabilities,
        statement=statement,
        heights=heights,
        messages=messages,
        exchange=exchange,
        processes=processes,
    )
    path = run_path or inputs.default_run_path(options, Path("runs"))
    with Live(quiet=quiet) as progress:
        if (path / "manifest.json").exists() and run_path is None:
            report = jobs.resume(path, progress, endpoints=options.endpoints)
        else:
            report = jobs.start(options, path, progress)
    _show(report, path, as_json=as_json)


@app.command()
def resume(
    run_path: RunPath, endpoints: Endpoints = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Continue a run: finished work stays, retryable gaps are asked again."""
    with Live(quiet=quiet) as progress:
        report = jobs.resume(run_path, progress, endpoints=_text(endpoints))
    _show(report, run_path, as_json=as_json)


@app.command()
def replay(run_path: RunPath, as_json: Json = False) -> None:
    """Give the same result from the stored evidence, without a network."""
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
def show_report(run_path: RunPath, as_json: Json = False) -> None:
    """Show the report of a finished run again."""
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
    if verdicts is not None:
        check_suffix(verdicts)
    worst = 0
    summaries = []
    seen = Seen() if len(lists) > 1 else None
    for number, list_path in enumerate(lists):
        options = _options(
            list_path,
            companion=companion,
            config=config,
            policy=policy,
            heights=heights,
            messages=messages,
            exchange=exchange,
            processes=processes,
        )
        if explain_row is not None:
            steps = explain.explain(options, explain_row)
            _print_json(steps) if as_json else sys.stdout.write(explain.render(steps))
            continue
        with Live(quiet=quiet) as progress, ExitStack() as stack:
            keep = None
            if verdicts is not None:
                path = verdict_path(verdicts, list_path, number, len(lists))
                keep = stack.enter_context(verdict_file(path))
            result = jobs.verify(options, progress, seen, keep)
        reuse = seen.end() if seen is not None and number else None
        summary = verify_summary.summarise(result, reuse)
        summaries.append(summary)
        worst = max(worst, summary.exit_code)
        if not as_json:
            verify_summary.render(summary, result, Console())
    if as_json and summaries:
        _print_json(summaries[0] if len(summaries) == 1 else summaries)
    raise typer.Exit(worst)


@app.command()
def plan(
    list_path: ListPath,
    endpoints: Endpoints = None,
    companion: Companion = None,
    config: Config = None,
    heights: Heights = None,
    exchange: Exchange = "",
    processes: Processes = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what would be asked, of whom, and how long it would take; asks nobody."""
    options = _options(
        list_path,
        companion=companion,
        config=config,
        endpoints=endpoints,
        heights=heights,
        exchange=exchange,
        processes=processes,
    )
    with Live(quiet=quiet) as progress:
        entries = jobs.planned(options, progress)
    if as_json:
        _print_json(entries)
    else:
        verify_summary.render_plan(entries, Console())


@app.command()
def chains(
    schemes: Annotated[bool, typer.Option("--schemes", help="signing schemes instead")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what is supported, from the code's own declarations."""
    if schemes:
        known = support.scheme_support()
        _print_json(known) if as_json else support.render_schemes(known, Console())
    else:
        networks = support.chain_support(load_world(config or ()))
        _print_json(networks) if as_json else support.render_chains(networks, Console())


@app.command()
def demo(
    rows: Annotated[int, typer.Option(min=60, help="rows of the made-up list")] = 60,
    run_path: Annotated[Path | None, typer.Option("--run", help="run directory")] = None,
    keep: Annotated[bool, typer.Option(help="keep the made-up list and nodes' data")] = False,
    quiet: Quiet = False,
) -> None:
    """Recount a small made-up exchange against simulated nodes on loopback."""
    from crawler import demo as demonstration  # noqa: PLC0415 - heavy, and only for this command

    with Live(quiet=quiet) as progress:
        shown = demonstration.run(rows=rows, path=run_path, keep=keep, progress=progress)
    terminal.render(shown.report, Console())
    sys.stdout.write(shown.text())
    raise typer.Exit(0 if shown.complete else 4)


def _print_json(value: object) -> None:
    """Write a value to stdout as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def verdict_path(verdicts: Path, list_path: Path, number: int, count: int) -> Path:
    """Name the verdict file of one list: several lists get one file each."""
    if count == 1:
        return verdicts
    return verdicts.with_name(f"{verdicts.stem}.{number + 1}.{list_path.stem}{verdicts.suffix}")


def _options(
    list_path: Path,
    *,
    companion: list[Path] | None = None,
    config: list[Path] | None = None,
    policy: Path | None = None,
    endpoints: Path | None = None,
    liabilities: Path | None = None,
    statement: Path | None = None,
    heights: Path | None = None,
    messages: Path | None = None,
    exchange: str = "",
    processes: int = 0,
) -> Options:
    return Options(
        list_path=_text(list_path),
        companions=tuple(_text(path) for path in companion or ()),
        config=tuple(_text(path) for path in config or ()),
        policy=_text(policy),
        endpoints=_text(endpoints),
        liabilities=_text(liabilities),
        statement=_text(statement),
        heights=_text(heights),
        messages=_text(messages),
        exchange=exchange,
        processes=processes,
    )


def _text(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())


def _show(report: Report, path: Path, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(document.encode(report).decode())
    else:
        terminal.render(report, Console())
        err(f"report: {path / 'report.html'}")
    raise typer.Exit(report.result.outcome.exit_code)
