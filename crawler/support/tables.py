"""``recount chains`` on the terminal: a table that fits it, or everything about one network.

A terminal gets the fullest of some layouts that fits its width; below the narrowest each network
is a short paragraph. What goes into a pipe or a file has one line per network with all columns,
however wide, unless COLUMNS gives a width. Nothing is cut, and only ids longer than a line are
broken.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crawler.reports.display import visible
from crawler.support.networks import (
    HISTORY,
    NEVER_LIVE,
    ChainSupport,
    SchemeSupport,
    control_of,
    tested,
)

Cell = Callable[[ChainSupport], str]
CELLS: Mapping[str, Cell] = {
    "network": lambda chain: visible(chain.name),
    "CAIP-2": lambda chain: chain.chain,
    "balances": lambda chain: chain.adapter,
    "history": lambda chain: chain.history,
    "methods": lambda chain: " ".join(chain.methods),
    "assets": lambda chain: " ".join(chain.assets),
    "control on chain": lambda chain: " ".join(chain.control) or "none",
    "tested": lambda chain: chain.tested + ("" if chain.tested_own else "*"),
    "real software": lambda chain: ", ".join(chain.software) or "none",
    "live": lambda chain: "yes" if chain.run_live else "never",
}
NARROW = ("network", "history", "methods", "tested", "live")
LAYOUTS = (
    tuple(CELLS),
    ("network", "CAIP-2", "history", "methods", "assets", "tested", "live"),
    ("network", "CAIP-2", "history", "methods", "tested", "live"),
    NARROW,
)
"""Fullest first."""
FAMILY = "* with answers of other networks of its family, none of its own"
MORE = "recount chains NETWORK tells everything about one; --json has all of it."
WIDEST = 100_000
READABLE = 100
"""A line of sentences is not longer than this on a terminal."""
GAP = "  "
LABEL = 11
"""Columns of the names beside the story of a network."""


def render_chains(chains: Sequence[ChainSupport], console: Console) -> None:
    """Print all networks: those that can be asked as a table, the others by name."""
    able = [chain for chain in chains if chain.adapter != "none"]
    width = _width(console)
    fitting = (_columns(able, layout) for layout in LAYOUTS)
    table = next((one for one in fitting if _span(one) <= width), _columns(able, NARROW))
    lines = _rows(table, width) or _paragraphs(able, width)
    words = dict.fromkeys(chain.history for chain in able)
    notes = [f"history: {word} = balances {HISTORY[word]}" for word in words]
    notes += [FAMILY, NEVER_LIVE, MORE]
    named = ", ".join(chain.name for chain in chains if chain.adapter == "none")
    notes += [f"Only named, their rows are gaps (no-adapter): {named}."] if named else []
    lines.append("")
    for note in notes:
        lines += _wrapped(note, min(width, READABLE) if width < WIDEST else width)
    _print(lines, console)


def render_chain(chain: ChainSupport, console: Console) -> None:
    """Print everything about one network."""
    width = _width(console)
    if width < WIDEST:
        width = min(width, READABLE)
    room = max(width - LABEL, LABEL)
    lines = [f"{chain.name}{GAP}{chain.chain}", ""]
    for name, said in _story(chain):
        wrapped = [line for text in said for line in _wrapped(text, room)]
        lines += [f"{name if not i else '':{LABEL}}{line}" for i, line in enumerate(wrapped)]
    _print(lines, console)


def _story(chain: ChainSupport) -> list[tuple[str, Sequence[str]]]:
    schemes = ("schemes", [", ".join(chain.schemes) or "none"])
    addresses = ("addresses", [chain.address])
    if chain.adapter == "none":
        return [("balances", ["only named: its rows are gaps (no-adapter)"]), addresses, schemes]
    return [
        ("balances", [chain.adapter]),
        ("history", [f"{chain.history}: {chain.history_means}"]),
        ("methods", [f"{method}: {text}" for method, text in chain.how.items()]),
        ("proofs", ["yes" if chain.proofs else "no"]),
        ("control", [control_of(chain)]),
        ("zero", [chain.zero_rule]),
        ("assets", chain.readable or ["none is configured"]),
        addresses,
        schemes,
        ("tested", [f"against answers that were {tested(chain)}"]),
        ("software", [", ".join(chain.software) or "no real node software"]),
        ("live", ["run against the live network" if chain.run_live else "never"]),
    ]


def render_schemes(schemes: Sequence[SchemeSupport], console: Console) -> None:
    """Print the signing schemes as a table."""
    table = Table(title="Signing schemes")
    for name in ("scheme", "family", "status", "vectors not made by us"):
        table.add_column(name, overflow="fold")
    for scheme in schemes:
        table.add_row(scheme.name, scheme.family, scheme.status, scheme.origin or "none")
    console.print(table)


def _width(console: Console) -> int:
    """Return how wide a line may be; no limit in a pipe or a file, unless COLUMNS gives one."""
    return console.width if console.is_terminal or os.environ.get("COLUMNS") else WIDEST


def _columns(chains: Sequence[ChainSupport], layout: Sequence[str]) -> list[list[str]]:
    """Return the cells, column by column, each under its heading."""
    return [[name, *(CELLS[name](chain) for chain in chains)] for name in layout]


def _span(table: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) for column in table) + len(GAP) * (len(table) - 1)


def _rows(table: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lay a table out; where it is too wide its methods are wrapped. Empty: they do not fit."""
    widths = [max(map(len, column)) for column in table]
    methods = next(i for i, column in enumerate(table) if column[0] == "methods")
    widths[methods] -= max(0, _span(table) - width)
    if widths[methods] < max(len(word) for cell in table[methods] for word in cell.split()):
        return []
    lines = []
    for cells in zip(*table, strict=True):
        first, *more = _wrapped(cells[methods], widths[methods])
        shown = [*cells[:methods], first, *cells[methods + 1 :]]
        padded = (f"{cell:{size}}" for cell, size in zip(shown, widths, strict=True))
        lines.append(GAP.join(padded).rstrip())
        before = sum(widths[:methods]) + len(GAP) * methods
        lines += [" " * before + line for line in more]
    return lines


def _paragraphs(chains: Sequence[ChainSupport], width: int) -> list[str]:
    """Return a few lines for each network, on terminals that are too narrow for a table."""
    lines = []
    for chain in chains:
        cells = ", ".join(CELLS[name](chain) for name in NARROW[1:])
        lines += _wrapped(f"{chain.name}: {cells}", width)
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(visible(text), max(width, 1), break_on_hyphens=False) or [""]


def _print(lines: Sequence[str], console: Console) -> None:
    heading, *others = lines
    console.print(Text(heading, style="bold"), soft_wrap=True)
    for line in others:
        console.print(Text(line), soft_wrap=True)
