"""The options that several commands share, and what they become."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from crawler.cli.public import whom
from crawler.cluster.coordinator import Cluster
from crawler.inputs import Options, read_proofs
from crawler.keeping.storage import check_text, place_of
from crawler.settings import HIGHEST
from crawler.watching.logs import LogFormat

ListPath = Annotated[Path, typer.Argument(help="the published wallet list: .csv, .zip, .jsonl, …")]
RunPath = Annotated[Any, typer.Argument(help="a run directory", parser=place_of, metavar="RUN")]
NewRun = Annotated[
    Any,
    typer.Option(
        "--run",
        help="run directory, or s3://bucket/name; named by the inputs otherwise",
        parser=place_of,
        metavar="RUN",
    ),
]
ClusterAddress = Annotated[
    str, typer.Option("--cluster", help="Dask scheduler: tls://host:port or tcp://host:port")
]
ClusterPlain = Annotated[
    bool, typer.Option("--cluster-plain", help="accept tcp:// to other machines: no encryption")
]
Companion = Annotated[list[Path] | None, typer.Option(help="a further file of the same list")]
Config = Annotated[list[Path] | None, typer.Option(help="TOML that adds chains, assets, exchanges")]
Policy = Annotated[Path | None, typer.Option(help="policy TOML; the shipped one otherwise")]
Endpoints = Annotated[Path | None, typer.Option(help="whom to ask: endpoints.toml")]
Public = Annotated[
    bool, typer.Option("--public-endpoints", help="ask the shipped, unverified public examples")
]
Liabilities = Annotated[Path | None, typer.Option(help="TOML or CSV: asset, amount, as-of, source")]
StatementFile = Annotated[Path | None, typer.Option(help="what the exchange stated")]
Heights = Annotated[Path | None, typer.Option(help="heights for lists that carry none")]
Messages = Annotated[Path | None, typer.Option(help="expected texts, one a line")]
Exchange = Annotated[str, typer.Option(help="whose list it is, where the list does not say")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
Row = Annotated[
    int | None,
    typer.Option(
        "--row", min=1, max=HIGHEST, help="the row at this line instead, with all that it rests on"
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="no progress")]
Metrics = Annotated[
    Path | None, typer.Option(help="leave figures for node_exporter in this .prom file")
]
Log = Annotated[LogFormat, typer.Option(help="how stderr is written: text or json")]
Captured = Annotated[
    list[Path] | None, typer.Option(help="a capture at this list's heights; may be repeated")
]
Proofs = Annotated[
    str, typer.Option(help="'all', or how many of each asset's largest balances, to prove as well")
]
Earlier = Annotated[
    Path | None,
    typer.Option(help="a run whose signature results are used again where nothing differs"),
]
Processes = Annotated[int, typer.Option(min=0, help="worker processes; 0 takes every core")]


def cluster_of(address: str, *, plain: bool) -> Cluster | None:
    """Return the cluster that the user names, if any; raises ``UsageError``."""
    return Cluster(address, plain=plain) if address else None


def print_json(value: object) -> None:
    """Write a value to stdout as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def options_of(
    list_path: Path | None,
    *,
    companion: list[Path] | None = None,
    config: list[Path] | None = None,
    policy: Path | None = None,
    endpoints: Path | None = None,
    public: bool = False,
    liabilities: Path | None = None,
    statement: Path | None = None,
    heights: Path | None = None,
    messages: Path | None = None,
    exchange: str = "",
    captured: list[Path] | None = None,
    earlier: Path | None = None,
    proofs: str = "0",
    processes: int = 0,
) -> Options:
    """Gather what the user asked for."""
    return Options(
        list_path=text_of(list_path),
        companions=tuple(text_of(path) for path in companion or ()),
        config=tuple(text_of(path) for path in config or ()),
        policy=text_of(policy),
        endpoints=whom(text_of(endpoints), public=public),
        liabilities=text_of(liabilities),
        statement=text_of(statement),
        heights=text_of(heights),
        messages=text_of(messages),
        exchange=exchange,
        captured=tuple(text_of(path) for path in captured or ()),
        earlier=text_of(earlier),
        proofs=read_proofs(proofs),
        processes=processes,
    )


def text_of(path: Path | None) -> str:
    """Return a path as absolute text, ``""`` where there is none.

    Raises ``UsageError`` for one that is no text: neither a run nor a report can hold it.
    """
    return "" if path is None else check_text(path.absolute())
