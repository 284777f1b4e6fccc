"""``recount plan`` on the terminal: what would be asked, and what each endpoint would get."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from crawler.asking.forecast import EndpointLoad, Forecast
from crawler.reasons import sentence
from crawler.reports import display
from crawler.support.networks import HISTORY

MINUTE, HOUR = 60, 3600
LATE = "if late"
"""Heading of calls that are made after the fact."""
NOTHING = (
    "Nothing would be asked: no row of the list can be asked about. 'recount verify' says of each "
    "what is wrong with it, 'recount chains' which networks can be asked."
)


def render(found: Forecast, console: Console) -> None:
    """Print the forecast."""
    if found.unread_heights:
        console.print(
            f"{display.count(found.unread_heights, 'row')} would not be asked about: "
            f"{sentence('bad-height')} (bad-height)",
            highlight=False,
            soft_wrap=True,
        )
    if not found.questions:
        console.print(NOTHING, highlight=False, soft_wrap=True)
        return
    asked = Table(title="What would be asked")
    late = any(group.late_calls > group.calls for group in found.questions)
    for name in ("network", "height", "kind", "asset", "questions", "calls", LATE):
        if late or name != LATE:
            right = name in ("questions", "calls", LATE)
            asked.add_column(name, justify="right" if right else "left")
    for group in found.questions:
        asked.add_row(
            group.network,
            str(group.height),
            group.kind if group.certain else f"{group.kind} (may follow)",
            group.asset.partition("/")[2],
            f"{group.questions:,}",
            f"{group.calls:,}",
            *([f"{group.late_calls:,}"] if late else []),
        )
    console.print(asked)
    if found.endpoints:
        console.print(_endpoints(found.endpoints, late=late))
        console.print(
            f"About {span(found.seconds)}, checking signatures apart: the slowest endpoint at its "
            f"rate, or at {found.answer_ms} ms an answer. Retries come on top.",
            highlight=False,
        )
    if late:
        console.print(
            f"Asked late, about {span(found.late_seconds)}: an estimate, where endpoints no longer "
            "know the height and every account has moved a little since. Longer histories take "
            "more.",
            highlight=False,
        )
    for network, word in dict.fromkeys((one.network, one.history) for one in found.questions):
        if word != "exact":
            console.print(f"{network}: balances {HISTORY[word]}.", highlight=False, soft_wrap=True)
    names = {group.chain: group.network for group in found.questions}
    for chain in found.unasked:
        console.print(f"{names[chain]}: no endpoint is configured, nobody to ask.", highlight=False)


def _endpoints(loads: tuple[EndpointLoad, ...], *, late: bool) -> Table:
    table = Table(title="What each endpoint would get")
    names = ("endpoint", "network", "role", "calls", "a second", "at once", "time")
    for name in (*names, *((LATE, "time, late") if late else ())):
        right = name in ("calls", "a second", "at once", LATE)
        table.add_column(name, justify="right" if right else "left")
    for one in loads:
        table.add_row(
            one.name,
            one.network,
            one.role,
            f"{one.calls:,}",
            "no limit" if one.rate == "0" else f"≤ {one.rate}",
            f"≤ {one.concurrency}",
            span(one.seconds),
            *([f"{one.late_calls:,}", span(one.late_seconds)] if late else []),
        )
    return table


def span(seconds: int) -> str:
    """Write a time in the unit that a person would use, rounded up."""
    if seconds < 2 * MINUTE:
        return f"{seconds} s"
    if seconds < 2 * HOUR:
        return f"{-(-seconds // MINUTE)} min"
    return f"{-(-seconds // HOUR)} h"
