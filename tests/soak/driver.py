"""Drives ``recount run`` and ``resume`` over a made-up exchange with proxies before its nodes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.compute as pc
import pyarrow.parquet as pq

from chains.simulated.node import SimulatedNode
from tests.integration.made_up_run import MadeUpRun, recount, result_bytes, serving, start
from tests.soak.fault_proxy import CLEAN, FAULTS, FaultProxy

BEHIND = {
    "bitcoin-core": ("bip122:demo", "bitcoin-core"),
    "ethereum-one": ("eip155:31337", "ethereum-one"),
    "ethereum-two": ("eip155:31337", "ethereum-one"),
    "tron-one": ("tron:demo", "tron-one"),
    "solana-one": ("solana:demo", "solana-one"),
}
"""Endpoint → chain and the node that stands behind its proxy."""
PATIENT_S = 120
"""Time limit of endpoints in fair weather: a busy machine is no fault."""
ROWS_A_SECOND = 10_000
"""In bad weather an endpoint is given up after 1 s and 1 s more for so many rows."""
PROVEN = 1
"""Exit code of a finished run: faults are planted in the made-up list."""
ENVIRONMENT = 4
"""Exit code of a run that cannot go on."""
LONGEST_CALM = 3
"""At most so many undisturbed exchanges between two faults."""


class Soak:
    """One made-up exchange, its proxies, and what has been done to them."""

    def __init__(self, made_up: MadeUpRun, directory: Path, seed: int) -> None:
        self.made_up = made_up
        self.directory = directory
        self.rng = random.Random(seed)
        self.proxies: dict[str, FaultProxy] = {}
        self.done: Counter[str] = Counter()
        self.left_out: list[str] = []
        self.timings: dict[str, float] = {}
        self.whole = directory / "whole"
        self.expected = b""
        self.exchanges = 0
        self.on_exchange: Callable[[], None] = lambda: None

    def watch(self) -> None:
        self.exchanges += 1
        self.on_exchange()

    def endpoints_file(
        self,
        name: str,
        *,
        timeout_s: int = PATIENT_S,
        more: str = "",
        but: str = "",
        host: str = "127.0.0.1",
    ) -> str:
        """Write an endpoints file.

        ``more`` is further text, ``but`` a chain to leave out; ``{}`` in ``host`` stands for the
        endpoint's name.
        """
        text = "".join(
            entry(
                endpoint,
                chain,
                f"http://{host.format(endpoint)}:{self.proxies[endpoint].port}",
                timeout_s=timeout_s,
            )
            for endpoint, (chain, _) in BEHIND.items()
            if chain != but
        )
        path = self.directory / name
        path.write_text(text + more)
        return str(path)

    @property
    def calm(self) -> str:
        return self.endpoints_file("calm.toml")

    @property
    def hasty(self) -> str:
        return self.endpoints_file(
            "hasty.toml", timeout_s=1 + len(self.made_up.world.rows) // ROWS_A_SECOND
        )

    def command(self, run: Path, endpoints: str) -> list[str]:
        """Begin the run, or continue it where it has begun."""
        if (run / "manifest.json").exists():
            return ["resume", str(run), "--endpoints", endpoints, "--quiet"]
        arguments = self.made_up.arguments(run)
        arguments[arguments.index("--endpoints") + 1] = endpoints
        return arguments

    async def finish(self, run: Path, endpoints: str, code: int, **options: object) -> str:
        """Bring a run to an end that has this exit code; return what it said."""
        found, _, err = await recount(*self.command(run, endpoints), **options)
        assert (found, "Traceback" in err, "defect" in err) == (code, False, False), err
        return err

    async def undisturbed(self) -> bytes:
        """Make the run that all others are compared with."""
        await self.finish(self.whole, self.calm, PROVEN)
        self.expected = result_bytes(self.whole)
        check_counted_once(self.whole)
        assert b'"gap:' not in self.expected
        return self.expected

    async def through(self, scenario: Callable[[Soak], Awaitable[None]]) -> None:
        """Play one scenario, in fair weather where it does not say otherwise."""
        self.fair_weather()
        began = time.monotonic()
        await scenario(self)
        self.timings[scenario.__name__] = time.monotonic() - began

    def bad_weather(self, names: Iterable[str] = BEHIND) -> None:
        """Give each proxy every fault once, in random order, with fair moments between."""
        for name in names:
            forecast: list[str] = []
            for fault in self.rng.sample(FAULTS, len(FAULTS)):
                forecast += [*[CLEAN] * self.rng.randint(0, LONGEST_CALM), fault]
            self.proxies[name].foretell(forecast)

    def fair_weather(self) -> None:
        for proxy in self.proxies.values():
            proxy.foretell(())
        self.on_exchange = lambda: None

    def storm(self, kinds: Sequence[str], times: int) -> None:
        """Let every endpoint answer so often with these faults and nothing else."""
        for proxy in self.proxies.values():
            proxy.foretell(kinds[number % len(kinds)] for number in range(times))

    async def killed(self, run: Path, exchange: int) -> bool:
        """Continue a run, kill it at exchange number ``exchange``; False where it ended before."""
        begun = self.exchanges
        process = await start(*self.command(run, self.hasty))

        def strike() -> None:
            if self.exchanges - begun >= exchange and process.returncode is None:
                process.kill()

        self.on_exchange = strike
        return await self._ended(process)

    async def killed_when(self, run: Path, condition: Callable[[], bool]) -> bool:
        """Continue a run and kill it when the condition holds; False where it ended before."""
        process = await start(*self.command(run, self.hasty))
        ending = asyncio.create_task(self._ended(process))
        while not condition() and not ending.done():
            await self.turn()
        if not ending.done():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return await ending

    async def turn(self) -> None:
        """Serve others for a moment between two looks at what another process does."""
        await asyncio.sleep(0.002)

    async def _ended(self, process: asyncio.subprocess.Process) -> bool:
        _, err = await process.communicate()
        self.on_exchange = lambda: None
        text = err.decode()
        assert process.returncode in (-9, PROVEN), f"{process.returncode}: {text}"
        assert "Traceback" not in text, text
        self.done["kill -9"] += process.returncode == -9
        return process.returncode == -9

    def same_as_undisturbed(self, run: Path) -> None:
        assert result_bytes(run) == self.expected
        check_counted_once(run)

    @property
    def caused(self) -> Counter[str]:
        return sum((proxy.caused for proxy in self.proxies.values()), Counter())

    def summary(self) -> str:
        """Say what was caused at the endpoints, and what was done to processes and files."""
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.caused.items()))
        deeds = ", ".join(f"{count} {name}" for name, count in sorted(self.done.items()))
        left_out = f"; NOT TRIED: {', '.join(self.left_out)}" if self.left_out else ""
        took = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.timings.items())
        return (
            f"soak: caused {faults or 'nothing'}\nsoak: survived {deeds or 'nothing'}{left_out}\n"
            f"soak: seconds {took}"
        )


@contextlib.asynccontextmanager
async def soaking(directory: Path, *, rows: int, seed: int) -> AsyncIterator[Soak]:
    """Serve the nodes behind proxies; print the seed first and the counts last."""
    say(f"\nsoak: RECOUNT_SOAK_SEED={seed}, {rows} rows")
    async with serving(directory / "inputs", rows) as made_up, contextlib.AsyncExitStack() as stack:
        soak = Soak(made_up, directory, seed)
        for name, (_, node) in BEHIND.items():
            soak.proxies[name] = await stack.enter_async_context(
                FaultProxy(port_of(made_up.nodes[node]), soak.watch)
            )
        try:
            yield soak
        finally:
            say(soak.summary())


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def port_of(node: SimulatedNode) -> int:
    port = urlsplit(node.url).port
    assert port is not None
    return port


def entry(name: str, chain: str, url: str, *, timeout_s: int = PATIENT_S, more: str = "") -> str:
    """Write one table of an endpoints file."""
    return (
        f'[[endpoints]]\nname = "{name}"\nchain = "{chain}"\nurl = "{url}"\nown_node = true\n'
        f'rate = "0"\ntimeout_s = {timeout_s}\n{more}\n'
    )


def is_pinned(run: Path) -> bool:
    """Whether a run has frozen its plan: what is asked from now on are the questions."""
    file = run / "manifest.json"
    return file.exists() and json.loads(file.read_bytes())["plan"] is not None


def finished_shards(run: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in run.glob("shards/*.parquet")}


def check_counted_once(run: Path) -> None:
    """Check that each question was observed at most once, and each row stands there once."""
    plan = json.loads((run / "manifest.json").read_bytes())["plan"]
    known: set[str] = set()
    for shard in plan:
        files = sorted(run.glob(f"shards/{shard['digest']}.*.parquet"))
        known.update(file.name for file in files)
        tables = [pq.read_table(file) for file in files]
        observed = Counter(
            position
            for table in tables
            for position in table.filter(pc.equal(table["gap"], ""))["position"].to_pylist()
        )
        assert set(observed.values()) <= {1}, shard
        assert set(observed) <= set(range(shard["questions"])), shard
    rows = pq.read_table(run / "rows.parquet")["row"].to_pylist()
    assert len(rows) == len(set(rows))
    assert len({shard["digest"] for shard in plan}) == len(plan)


def other_numbers(run: Path, whole: Path) -> list[tuple[int, str, str]]:
    """Rows whose observed amount is neither absent nor that of the undisturbed run."""
    truth, found = (
        pq.read_table(path / "rows.parquet", columns=["row", "observed"]).to_pydict()
        for path in (whole, run)
    )
    true = dict(zip(truth["row"], truth["observed"], strict=True))
    assert set(found["row"]) == set(true)
    return [
        (row, units, true[row])
        for row, units in zip(found["row"], found["observed"], strict=True)
        if units is not None and units != true[row]
    ]


def copied(soak: Soak, name: str) -> Path:
    """Copy the undisturbed run."""
    return shutil.copytree(soak.whole, soak.directory / name)
