"""The commands that look at nodes outside of a run: ``capture`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from crawler.cli.options import (
    Companion,
    Config,
    Exchange,
    Heights,
    Json,
    ListPath,
    Processes,
    Proofs,
    Quiet,
    options_of,
    print_json,
)
from crawler.cli.outputs import keep_apart
from crawler.crawling import capture
from crawler.doctor import diagnosis
from crawler.settings import HIGHEST
from crawler.watching.live import Live


def take(
    list_path: ListPath,
    run_path: Annotated[Path, typer.Option("--run", help="where the answers are kept")],
    endpoints: Annotated[Path, typer.Option(help="whom to ask: endpoints.toml")],
    at: Annotated[str, typer.Option("--at", help="a height to wait for, or 'now'")] = "now",
    chain: Annotated[
        list[str] | None, typer.Option(help="only this chain (CAIP-2); may be repeated")
    ] = None,
    timeout: Annotated[int, typer.Option(min=0, help="seconds to wait for the height")] = 3600,
    companion: Companion = None,
    config: Config = None,
    exchange: Exchange = "",
    proofs: Proofs = "0",
    processes: Processes = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take balances when the height comes, for chains that keep no history."""
    options = options_of(
        list_path,
        companion=companion,
        config=config,
        endpoints=endpoints,
        exchange=exchange,
        proofs=proofs,
        processes=processes,
    )
    wanted = capture.Wanted(
        height=capture.read_height(at), chains=tuple(chain or ()), timeout_s=timeout
    )
    with Live(quiet=quiet) as progress:
        taken = capture.take(options, run_path, wanted, progress)
    show_capture(taken, as_json=as_json)


def doctor(
    endpoints: Annotated[Path, typer.Option(help="whom to probe: endpoints.toml")],
    list_path: Annotated[
        Path | None, typer.Argument(metavar="[LIST]", help="the list that is to be recounted")
    ] = None,
    at: Annotated[
        int | None, typer.Option("--at", min=0, max=HIGHEST, help="height to ask at")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="write found rates and batches as TOML")
    ] = None,
    companion: Companion = None,
    config: Config = None,
    heights: Heights = None,
    exchange: Exchange = "",
    processes: Processes = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Probe every endpoint with the real calls at the real height."""
    options = options_of(
        list_path,
        companion=companion,
        config=config,
        endpoints=endpoints,
        heights=heights,
        exchange=exchange,
        processes=processes,
    )
    keep_apart("--write", [write] if write else [], [options])
    with Live(quiet=quiet) as progress:
        found = diagnosis.diagnose(options, at, progress)
    if write is not None:
        diagnosis.write_found(found, write)
    print_json(found) if as_json else diagnosis.render(found, Console())
    raise typer.Exit(found.exit_code)


def show_capture(taken: capture.Capture, *, as_json: bool) -> None:
    """Print what a capture holds, and end with its exit code."""
    print_json(taken) if as_json else capture.render(taken, Console())
    raise typer.Exit(taken.exit_code)
