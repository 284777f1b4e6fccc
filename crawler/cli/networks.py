"""The command ``chains``: what this build supports."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from crawler.cli.options import Config, Json, print_json
from crawler.errors import UsageError
from crawler.settings import load_world
from crawler.support import networks, tables


def chains(
    network: Annotated[
        str, typer.Argument(metavar="[NETWORK]", help="everything about one: its name or CAIP-2 id")
    ] = "",
    schemes: Annotated[bool, typer.Option("--schemes", help="signing schemes instead")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what is supported, from the code's own declarations."""
    if schemes and network:
        raise UsageError("--schemes lists the schemes of all networks; leave NETWORK out")
    if schemes:
        known = networks.scheme_support()
        print_json(known) if as_json else tables.render_schemes(known, Console())
        return
    world = load_world(config or ())
    found = networks.chain_support(world)
    if network:
        wanted = networks.network_named(world, network)
        found = tuple(chain for chain in found if chain.chain == wanted)
    if as_json:
        print_json(found)
    elif network:
        tables.render_chain(found[0], Console())
    else:
        tables.render_chains(found, Console())
