"""The made-up exchange as a process of its own: ``python -m crawler.demo ROWS DIRECTORY``.

Makes the world, starts its nodes, writes the inputs of a run into the directory, and prints one
line of JSON: what was planted. Serves until its standard input closes. For large lists the nodes
are spread over several processes, so that one busy node does not hold up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from chains.simulated.anvil import Anvil
from chains.simulated.bip122 import SimulatedCore
from chains.simulated.node import SimulatedNode
from chains.simulated.solana import SimulatedSolana
from chains.simulated.tron import SimulatedTron
from crawler import sources
from crawler.demo import evm, inputs, making, nodes
from crawler.demo.exchange import BITCOIN_HEIGHT, MadeUp, Planted
from crawler.demo.networks import by_label
from crawler.demo.nodes import Listening

APART_FROM = 20_000
"""Rows from which the nodes are spread over processes."""
GROUPS = (("ethereum-",), ("tron-",), ("",))
"""Beginnings of the names of those that share a process."""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What a parent needs to know to compare a report with what was planted.

    ``code``: which recount the nodes are of (``crawler.sources``).
    """

    planted: list[Planted]
    first_row: int
    code: str


def serve(rows: int, directory: Path, *, delay_s: float = 0.0, anvil: bool = False) -> None:
    """Make everything, say so, and serve until standard input closes.

    ``delay_s``: seconds that every simulated node waits before each answer. ``anvil``: Ethereum
    is served by anvil.
    """
    code = sources.digest()
    world = making.made(rows)
    with contextlib.ExitStack() as stack:
        real = stack.enter_context(evm.serving(world)) if anvil else None
        apart = rows >= APART_FROM
        _serve_all(world, directory, code, delay_s=delay_s, apart=apart, real=real)


def _serve_all(
    world: MadeUp, directory: Path, code: str, *, delay_s: float, apart: bool, real: Anvil | None
) -> None:
    running = nodes.nodes(world)
    if real is not None:
        del running["ethereum-one"]
        running["ethereum-busy"] = evm.SlowingDown(real.url)
    core, tron, solana = (running[name] for name in ("bitcoin-core", "tron-one", "solana-one"))
    if not isinstance(core, SimulatedCore) or not isinstance(tron, SimulatedTron):
        raise TypeError("bitcoin-core, tron-one")
    if not isinstance(solana, SimulatedSolana):
        raise TypeError("solana-one")
    dump = directory / "utxo.dat"
    core.dump(dump, height=BITCOIN_HEIGHT)
    further = nodes.further_nodes(world)
    params = {
        label: dict(by_label()[label].family.params(by_label()[label], node))
        for label, node in further.items()
    }
    running |= {by_label()[label].endpoint: node for label, node in further.items()}
    for node in running.values():
        node.faults.delay_s = delay_s
    with _Listening(running, apart=apart) as urls:
        if real is not None:
            urls["ethereum-one"] = real.url
        listening = Listening(
            urls=urls | {"bitcoin-dump": dump.absolute().as_uri()},
            genesis={"bitcoin": core.genesis, "tron": tron.genesis, "solana": solana.genesis},
            params=params,
        )
        _say(world, listening, directory, code)
        sys.stdin.buffer.read()


def _say(world: MadeUp, listening: Listening, directory: Path, code: str) -> None:
    inputs.write(world, listening, directory)
    said = Serving(planted=world.planted, first_row=world.first_row, code=code)
    world.rows.clear()
    sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
    sys.stdout.flush()


class _Listening(contextlib.ExitStack):
    """Runs the nodes in processes forked from this one; entering it gives their URLs."""

    def __init__(self, running: Mapping[str, SimulatedNode], *, apart: bool) -> None:
        super().__init__()
        self._running = running
        self._apart = apart

    def __enter__(self) -> dict[str, str]:  # type: ignore[override]  # the URLs, not itself
        groups: list[list[str]] = [[] for _ in GROUPS]
        for name in self._running:
            number = next(i for i, starts in enumerate(GROUPS) if name.startswith(starts))
            groups[number if self._apart else 0].append(name)
        context = multiprocessing.get_context("fork")
        stop, going = os.pipe()
        urls: dict[str, str] = {}
        for names in filter(None, groups):
            here, there = context.Pipe(duplex=False)
            process = context.Process(
                target=_group, args=(self._running, names, there, stop, going), daemon=True
            )
            process.start()
            self.callback(process.join, 10)
            there.close()
            urls |= here.recv()
        os.close(stop)
        self.callback(os.close, going)
        return urls


def _group(
    running: Mapping[str, SimulatedNode],
    names: Sequence[str],
    there: Connection,
    stop: int,
    going: int,
) -> None:
    os.close(going)  # or the pipe would stay open when the parent ends
    asyncio.run(_serve(running, names, there, stop))


async def _serve(
    running: Mapping[str, SimulatedNode], names: Sequence[str], there: Connection, stop: int
) -> None:
    """Serve these nodes until the other end of ``stop`` is closed, by whatever end of it."""
    async with contextlib.AsyncExitStack() as stack:
        for name in names:
            await stack.enter_async_context(running[name])
        there.send({name: running[name].url for name in names})
        there.close()
        await asyncio.to_thread(os.read, stop, 1)
