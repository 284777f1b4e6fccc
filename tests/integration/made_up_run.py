"""Runs the made-up exchange of the demo against nodes that the test holds in its hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from chains.simulated.bip122 import SimulatedCore
from chains.simulated.node import SimulatedNode
from crawler.demo import exchange, inputs, making
from crawler.demo.nodes import Listening, nodes
from crawler.inputs import Options

ROWS = 60
LONGEST_S = 900
"""No run of a test takes longer, unless it hangs."""


class MadeUpRun(msgspec.Struct):
    nodes: dict[str, SimulatedNode]
    options: Options
    world: exchange.MadeUp

    def arguments(self, run: Path) -> list[str]:
        """The command line of the whole job."""
        o = self.options
        return [
            "run", o.list_path, "--run", str(run), "--config", o.config[0], "--endpoints",
            o.endpoints, "--liabilities", o.liabilities, "--exchange", "demo", "--quiet",
        ]  # fmt: skip

    @property
    def requests(self) -> int:
        return sum(node.requests for node in self.nodes.values())


@contextlib.asynccontextmanager
async def serving(directory: Path, rows: int = ROWS) -> AsyncIterator[MadeUpRun]:
    """Serve healthy nodes and write the inputs; faulty endpoints of the demo are left out."""
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a test may block
    world = making.made_up(rows)
    running = {
        name: node
        for name, node in nodes(world).items()
        if name not in ("ethereum-busy", "tron-empty", "solana-silent")
    }
    core = running["bitcoin-core"]
    assert isinstance(core, SimulatedCore)
    core.dump(directory / "utxo.dat", height=exchange.BITCOIN_HEIGHT)
    async with contextlib.AsyncExitStack() as stack:
        for node in running.values():
            await stack.enter_async_context(node)
        listening = Listening(
            urls={name: node.url for name, node in running.items()}
            | {"bitcoin-dump": (directory / "utxo.dat").as_uri()},
            genesis={
                "bitcoin": core.genesis,
                "tron": running["tron-one"].genesis,
                "solana": running["solana-one"].genesis,
            },
        )
        inputs.write(world, listening, directory)
        yield MadeUpRun(running, inputs.options(directory), world)


async def start(
    *arguments: str, prelude: str = "", **options: object
) -> asyncio.subprocess.Process:
    """Start the command line; ``prelude`` is what that process executes before it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"{prelude}\nfrom crawler.cli import main; main()",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        **options,
    )


async def recount(*arguments: str, **options: object) -> tuple[int, str, str]:
    """Run the command line to its end: exit code, stdout, stderr. ``options`` as for ``start``."""
    process = await start(*arguments, **options)
    try:
        async with asyncio.timeout(LONGEST_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        _, err = await process.communicate()
        raise AssertionError(f"no end after {LONGEST_S} s: {err.decode()}") from None
    return process.returncode, out.decode(), err.decode()


async def until(condition: Callable[[], bool], process: asyncio.subprocess.Process) -> bool:
    """Wait for what a process brings about; False when it ended before."""
    while not condition():
        if process.returncode is not None:
            return False
        await asyncio.sleep(0.002)
    return True


async def kill_when(process: asyncio.subprocess.Process, condition: Callable[[], bool]) -> bool:
    """Kill -9 as soon as ``condition`` holds; False when the process ended before."""
    if not await until(condition, process):
        return False
    process.kill()
    await process.communicate()
    return True


def result_bytes(run: Path) -> bytes:
    """The ``result`` of a run's report, canonically encoded."""
    report = json.loads((run / "report.json").read_bytes())
    return json.dumps(report["result"], sort_keys=True).encode()
