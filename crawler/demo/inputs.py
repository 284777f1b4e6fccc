"""Writes what a run of the made-up exchange is given: list, declarations, endpoints, the rest."""

from __future__ import annotations

from pathlib import Path

from chains.transport import RetryPolicy
from crawler.demo.declarations import endpoints_toml, world_toml
from crawler.demo.exchange import MadeUp
from crawler.demo.nodes import Listening
from crawler.inputs import Options

RETRY = RetryPolicy(attempts=4, first_wait_s=0.02, longest_wait_s=0.2, total_s=3)


def write(world: MadeUp, listening: Listening, directory: Path) -> None:
    """Write the files that ``options`` names."""
    files = {
        "world.toml": world_toml(listening),
        "endpoints.toml": endpoints_toml(listening),
        "liabilities.toml": world.liabilities_text(),
    }
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    with (directory / "list.csv").open("w", encoding="utf-8") as file:
        file.writelines(world.list_lines())


def options(directory: Path) -> Options:
    """Return the options of a run on these files."""
    return Options(
        list_path=str(directory / "list.csv"),
        config=(str(directory / "world.toml"),),
        endpoints=str(directory / "endpoints.toml"),
        liabilities=str(directory / "liabilities.toml"),
        exchange="demo",
        retry=RETRY,
    )
