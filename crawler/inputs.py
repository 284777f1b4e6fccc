"""What a command was given: options, the opened list, and every input file by digest."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from chains.transport import RetryPolicy
from crawler import declarations, sources
from crawler.asking.plan import ALL
from crawler.counting.recount import Inputs
from crawler.errors import UsageError
from crawler.examining.earlier import PROGRAM
from crawler.examining.ownership import Reading
from crawler.examining.quick import make_ready
from crawler.keeping.runs import canonical_digest, sha256_file
from crawler.keeping.storage import is_stream
from crawler.liabilities.table import load_liabilities
from crawler.lists import open_list
from crawler.settings import Heights, World, load_heights, load_policy, load_statement, load_world

LONG = 8 << 20
"""Bytes of a list from which its signatures are worth machine code."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for; paths are absolute texts, ``""`` where absent.

    ``proofs``: balances to be proven, of each asset at each height; see ``plan.questions``.
    """

    list_path: str
    companions: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    policy: str = ""
    endpoints: str = ""
    liabilities: str = ""
    statement: str = ""
    heights: str = ""
    messages: str = ""
    exchange: str = ""
    processes: int = 0
    proofs: int = 0
    captured: tuple[str, ...] = ()
    earlier: str = ""
    retry: RetryPolicy = RetryPolicy()


class Opened(msgspec.Struct, frozen=True):
    """A list with everything that is needed to read it."""

    published: Any
    reading: Reading
    inputs: Inputs


def open_inputs(options: Options) -> Opened:
    """Open the list and load every input file; raises ``UsageError``/``ConfigError``."""
    if _size(options.list_path) > LONG:
        make_ready()
    world = load_world([Path(path) for path in options.config])
    published = open_list(
        Path(options.list_path), companions=[Path(path) for path in options.companions]
    )
    exchange = options.exchange or published.exchange or ""
    if exchange and exchange not in world.exchanges:
        known = ", ".join(sorted(world.exchanges))
        raise UsageError(f"exchange {exchange!r} is not configured; known: {known}")
    heights = load_heights(Path(options.heights)) if options.heights else Heights()
    reading = Reading(
        world=world,
        exchange=exchange,
        messages=_messages_for(options, world, exchange, published.dialect),
        heights=heights,
    )
    inputs = Inputs(
        world=world,
        policy=load_policy(Path(options.policy) if options.policy else None),
        list_name=published.path.name,
        list_sha256=published.sha256,
        dialect=published.dialect,
        exchange=exchange,
        expected=_expected(reading),
        rounding=published.rounding,
        totals=published.totals,
        unread_columns=published.unread,
        lines={},
        liabilities=load_liabilities(Path(options.liabilities)) if options.liabilities else {},
        statement=load_statement(Path(options.statement)) if options.statement else None,
        heights_replaced=tuple(sorted(set(heights.at.values()))) if heights.replaces else (),
    )
    return Opened(published, reading, inputs)


def _size(path: str) -> int:
    """Return the bytes of a file; nought where there is none, which opening it will tell."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


def read_proofs(text: str) -> int:
    """Return how many balances are to be proven, of each asset; raises ``UsageError``."""
    if text == "all":
        return ALL
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise UsageError(f"--proofs {text!r}: 'all' was expected, or how many of each asset")
    return int(text)


def _expected(reading: Reading) -> tuple[str, ...] | None:
    """Return the texts that this list may sign, ``None`` where none is pinned for all of it."""
    if reading.messages is not None:
        return reading.messages
    whose = reading.world.exchanges.get(reading.exchange)
    return whose.messages if whose else None


def _messages_for(
    options: Options, world: World, exchange: str, dialect: str
) -> tuple[str, ...] | None:
    """Return the texts that replace the exchange's own: the user's, or those of the dialect."""
    if options.messages:
        return _messages(options.messages)
    whose = world.exchanges.get(exchange)
    return whose.messages_of.get(dialect) if whose else None


def _messages(path: str) -> tuple[str, ...]:
    """Read expected texts, one a line, exactly as they stand; a byte order mark is none of them."""
    try:
        text = declarations.read_bytes(Path(path), path).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    lines = tuple(line for line in text.split("\n") if line)
    if not lines:
        raise UsageError(f"{path}: holds no text; one expected message a line was looked for")
    return lines


def input_digests(options: Options) -> Mapping[str, Mapping[str, str]]:
    """Name and digest of every input file; endpoints are left out, they may change."""
    singles = {
        "list": options.list_path,
        "policy": options.policy,
        "liabilities": options.liabilities,
        "statement": options.statement,
        "heights": options.heights,
        "messages": options.messages,
    }
    captured = tuple(str(Path(path) / "manifest.json") for path in options.captured)
    roles = (
        ("companion", options.companions),
        ("config", options.config),
        ("captured", captured),
    )
    several = {f"{role}-{i}": path for role, paths in roles for i, path in enumerate(paths)}
    return {
        role: {"name": Path(path).name, "sha256": _digest(Path(path))}
        for role, path in {**singles, **several}.items()
        if path
    }


def _digest(path: Path) -> str:
    if is_stream(path):
        raise UsageError(f"{path}: must be a regular file, since it is read more than once")
    try:
        return sha256_file(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error


def versions() -> Mapping[str, str]:
    """Return what the result may depend on besides its inputs: our version and the libraries'."""
    names = ("reserve-recount", "coincurve", "pynacl", "pyarrow", "aiohttp")
    libraries = {name: version(name) for name in names}
    return {"python": platform.python_version(), PROGRAM: sources.digest()[:16], **libraries}


def default_run_path(options: Options, root: Path) -> Path:
    """Name a run by what goes into it: the same inputs always give the same directory."""
    config = load_world([Path(path) for path in options.config]).digest
    given: list[object] = [input_digests(options), options.exchange, config]
    digest = canonical_digest(given + [options.proofs] * bool(options.proofs))
    return root / f"{Path(options.list_path).stem}-{digest[:12]}"
