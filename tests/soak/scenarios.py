"""What a soak does to runs. Each scenario ends in the undisturbed result or in a clear stop."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import shutil
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from chains.simulated.eip155 import SimulatedEvm
from crawler import jobs
from crawler.demo.nodes import nodes
from crawler.errors import EnvironmentFault, UsageError
from crawler.progress import Silent
from crawler.reports import document
from tests.integration.made_up_run import recount, result_bytes, start
from tests.soak.driver import (
    PROVEN,
    Soak,
    entry,
    finished_shards,
    is_pinned,
    other_numbers,
    port_of,
)
from tests.soak.fault_proxy import FAULTS, FaultProxy

ENVIRONMENT = 4
ETHEREUM = "eip155:31337"
FEW = "batch = 8\nconcurrency = 1\n"
"""So few questions in a request that a run has several of them, one after another."""
SHORT_STORM, LONG_STORM = 3, 60
"""Refusals one after another: fewer than one exchange is tried, and more than all attempts."""
FEW_FAILURES = 4
RESOLVER = """
import socket
log, failing, resolve = {0!r}, {1}, socket.getaddrinfo
def getaddrinfo(host, *rest, **named):
    global failing
    if str(host).endswith(".test"):
        if failing:
            failing -= 1
            with open(log, "a") as file:
                file.write(host + chr(10))
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        host = "127.0.0.1"
    return resolve(host, *rest, **named)
socket.getaddrinfo = getaddrinfo
"""
"""A resolver that fails so often, and notes each time."""
PAGE = 4096
FARTHEST_OFF_S = 20 * 365 * 86_400
"""A long run has steps enough to leave the years that a computer can count in nanoseconds."""
NO_CLOCK = "clock steps (.ci/install-faketime)"
NO_MOUNT = "a full file system (needs the right to mount)"
KINDS = (
    "claims/*.parquet",
    "signatures/*.parquet",
    "inputs/inputs.json",
    "manifest.json",
    "plan/*.parquet",
    "shards/*.parquet",
    "evidence/[0-9a-f]*.zst",
    "evidence/snapshot.*.zst",
)
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
"""Source: linux/prctl.h, linux/capability.h."""


async def bad_weather(soak: Soak) -> None:
    """Every fault at every endpoint, then fair weather: the same result, by replay as well."""
    run = soak.directory / "weather"
    soak.bad_weather()
    await soak.finish(run, soak.hasty, PROVEN)
    missing = set(FAULTS) - set(soak.caused)
    assert not missing, f"never caused: {missing}"
    assert other_numbers(run, soak.whole) == []
    soak.fair_weather()
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    code, out, err = await recount("replay", str(run), "--json")
    assert code == PROVEN, err
    assert json.dumps(json.loads(out)["result"], sort_keys=True).encode() == soak.expected
    soak.done["run through bad weather"] += 1


async def kills(soak: Soak, times: int) -> None:
    """Kill the process again and again in bad weather, then let it finish."""
    run = soak.directory / "killed"
    await soak.killed_when(run, lambda: any(run.glob("claims/*.parquet")))
    most = max(2, soak.exchanges // 2)
    for number in range(times):
        before = finished_shards(run)
        soak.bad_weather()
        dead = soak.rng.choice(["ethereum-one", "ethereum-two", "tron-one", "bitcoin-core"])
        if number % 2:
            await soak.proxies[dead].die()
        await soak.killed(run, soak.rng.randint(1, most))
        if number % 2:
            await soak.proxies[dead].revive()
            soak.done["dead endpoint that came back"] += 1
        after = finished_shards(run)
        assert {name: after[name] for name in before} == before
    soak.fair_weather()
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    assert not list(run.rglob(".*.part"))


async def liar(soak: Soak) -> None:
    """Let an endpoint lie from the middle of its answers on: a witness turns that into gaps."""
    run = soak.directory / "liar"
    lying = nodes(soak.made_up.world)["ethereum-one"]
    assert isinstance(lying, SimulatedEvm)
    honest = soak.proxies["ethereum-one"]
    truthful = soak.rng.randint(1, 2)
    async with lying, FaultProxy(port_of(lying)) as proxy:
        asked = 0

        def begin_to_lie() -> None:
            nonlocal asked
            asked += is_pinned(run)
            if asked == truthful + 1:
                lying.history = {h: one_wei_more(state) for h, state in lying.history.items()}

        proxy.watch = begin_to_lie
        more = entry("liar", ETHEREUM, proxy.url, more=FEW)
        more += entry("witness", ETHEREUM, honest.url, more='role = "witness"\n' + FEW)
        file = soak.endpoints_file("liar.toml", timeout_s=120, more=more, but=ETHEREUM)
        await soak.finish(run, file, PROVEN)
        assert asked > truthful
    assert other_numbers(run, soak.whole) == []
    result = json.loads(result_bytes(run))
    (found,) = [f for f in result["findings"] if f["code"] == "gap:witness-disagrees"]
    assert found["about"] == "recount"
    assert found["count"] >= 1
    await soak.finish(run, file, PROVEN)  # the liar is dead: its gaps stay, nothing is counted
    assert other_numbers(run, soak.whole) == []
    soak.done["endpoint that began to lie"] += 1


def one_wei_more(state):
    native = {account: units + 1 for account, units in state.native.items()}
    tokens = {
        address: msgspec.structs.replace(
            token, balances={account: units + 1 for account, units in token.balances.items()}
        )
        for address, token in state.tokens.items()
    }
    return msgspec.structs.replace(state, native=native, tokens=tokens)


async def reorganised(soak: Soak) -> None:
    """Replace the pinned block between pin and read, with another state in it."""
    run = soak.directory / "reorganised"
    node = soak.made_up.nodes["ethereum-one"]
    assert isinstance(node, SimulatedEvm)
    history = node.history

    def replace_blocks() -> None:
        if not node.fork and is_pinned(run):
            node.reorganise(1)
            node.history = {height: one_wei_more(state) for height, state in history.items()}

    soak.on_exchange = replace_blocks
    code, _, err = await recount(*soak.command(run, soak.calm))
    assert code in (PROVEN, ENVIRONMENT), err
    assert node.fork == 1
    if code == PROVEN:
        assert other_numbers(run, soak.whole) == []
        assert b'"gap:' in result_bytes(run)
    soak.fair_weather()
    err = await soak.finish(run, soak.calm, ENVIRONMENT)
    assert "start a new run" in err
    node.fork, node.history = 0, history
    soak.done["reorganisation"] += 1


async def disk_full(soak: Soak) -> None:
    """Let no file grow beyond a limit: one sentence, nothing lost."""
    run = soak.directory / "full"
    sizes = [file.stat().st_size for file in soak.whole.glob("*/*.parquet")]
    limit = soak.rng.randint(256, max(sizes) // 2)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    err = await soak.finish(run, soak.calm, ENVIRONMENT, preexec_fn=small_files)
    assert "cannot write" in err
    assert "resume" in err
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    soak.done["full disk"] += 1


async def read_only(soak: Soak) -> None:
    """Take away the right to write: one sentence, and with the right back all is well."""
    run = copied(soak, "read-only")
    places = [run, *run.rglob("*")]
    rights = {place: stat.S_IMODE(place.stat().st_mode) for place in places}
    for place in places:
        place.chmod(rights[place] & 0o555)
    err = await soak.finish(run, soak.calm, ENVIRONMENT, preexec_fn=ordinary_rights)
    assert "cannot write" in err
    assert "permission" in err.lower()
    for place in places:
        place.chmod(rights[place])
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    soak.done["read-only directory"] += 1


def ordinary_rights() -> None:
    """Make a superuser obey permission bits, as everybody else does."""
    if os.getuid() == 0:
        for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, right, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


async def storm(soak: Soak) -> None:
    """Let every endpoint refuse everything for a while: a short storm is sat out at once."""
    run = soak.directory / "storm"
    soak.storm(("429", "429-later", "429-now"), SHORT_STORM)
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    longer = soak.directory / "long-storm"
    soak.storm(("429", "429-now"), LONG_STORM)
    await soak.finish(longer, soak.calm, PROVEN)
    assert other_numbers(longer, soak.whole) == []
    assert b'"gap:' in result_bytes(longer)
    soak.fair_weather()
    await soak.finish(longer, soak.calm, PROVEN)
    soak.same_as_undisturbed(longer)
    soak.done["storm of 429"] += 2


async def no_names(soak: Soak) -> None:
    """Let names not resolve, first a few times, then at all."""
    log = soak.directory / "resolver"
    by_name = soak.endpoints_file("names.toml", host="{}.test")
    run = soak.directory / "names"
    await soak.finish(run, by_name, PROVEN, prelude=RESOLVER.format(str(log), FEW_FAILURES))
    soak.same_as_undisturbed(run)
    few = len(log.read_text().split())
    assert few >= FEW_FAILURES
    dark = soak.directory / "dark"
    await soak.finish(dark, by_name, PROVEN, prelude=RESOLVER.format(str(log), 1 << 30))
    assert other_numbers(dark, soak.whole) == []
    assert b'"gap:unreachable"' in result_bytes(dark)
    await soak.finish(dark, soak.calm, PROVEN)
    soak.same_as_undisturbed(dark)
    soak.done["name that did not resolve"] += len(log.read_text().split())


async def clock_steps(soak: Soak) -> None:
    """Step the clock now and then: the time of day both ways, then all clocks forward."""
    library = faketime()
    if library is None:
        soak.left_out.append(NO_CLOCK)
        return
    for only_wall, steps in (("1", (-86_400, -3600, 3600, 400 * 86_400)), ("0", (1, 60, 3600))):
        offset = soak.directory / f"clock-{only_wall}.txt"
        clock = Clock(soak, offset, steps)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": only_wall,
        }
        run = soak.directory / f"clock-{only_wall}"
        soak.on_exchange = clock.step
        await soak.finish(run, soak.calm, PROVEN, env=environment)
        assert other_numbers(run, soak.whole) == []
        soak.fair_weather()
        await soak.finish(run, soak.calm, PROVEN)
        soak.same_as_undisturbed(run)
        assert clock.stepped
        soak.done["clock step"] += clock.stepped


class Clock:
    """How far a process' clock is off, in a file that libfaketime reads at every look."""

    def __init__(self, soak: Soak, file: Path, steps: Sequence[int]) -> None:
        self._rng, self._file, self._steps = soak.rng, file, steps
        self._seconds = self.stepped = 0
        self._write()

    def step(self) -> None:
        """Step at one of three exchanges."""
        if self.stepped and self._rng.randrange(3):
            return
        self.stepped += 1
        seconds = self._seconds + self._rng.choice(self._steps)
        self._seconds = seconds if abs(seconds) <= FARTHEST_OFF_S else 0
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._seconds:+d}")
        new.rename(self._file)


def faketime() -> Path | None:
    """Find libfaketime; ``.ci/install-faketime`` unpacks it."""
    given = os.environ.get("RECOUNT_FAKETIME")
    unpacked = Path(__file__).parents[2] / ".nodes/faketime/libfaketime.so.1"
    found = Path(given) if given else unpacked
    return found if found.exists() else None


async def no_space(soak: Soak) -> None:
    """Fill a small file system: one sentence; with more space the run goes on."""
    place = soak.directory / "small"
    place.mkdir()
    whole = sum(-(-f.stat().st_size // PAGE) * PAGE for f in soak.whole.rglob("*") if f.is_file())
    size = soak.rng.randint(whole // 8, whole // 2)
    if not mounted(place, "-t", "tmpfs", "-o", f"size={size}", "none"):
        soak.left_out.append(NO_MOUNT)
        return
    try:
        run = place / "run"
        err = await soak.finish(run, soak.calm, ENVIRONMENT)
        assert "No space left" in err
        assert mounted(place, "-o", f"remount,size={16 * whole}")
        await soak.finish(run, soak.calm, PROVEN)
        soak.same_as_undisturbed(run)
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: ASYNC221 - a test may block
    soak.done["full file system"] += 1


def mounted(place: Path, *arguments: str) -> bool:
    """Mount something; False where that is not permitted."""
    try:
        done = subprocess.run(["mount", *arguments, str(place)], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


async def damaged_files(soak: Soak, rounds: int = 1) -> None:
    """Damage one file of a finished run: what goes on or replays is the same, or stops clearly."""
    run = copied(soak, "files")
    calm = soak.calm

    def resume(run: Path) -> object:
        return jobs.resume(run, Silent(), endpoints=calm).result

    for pattern in KINDS * rounds:
        for damage in (flipped, cut, exchanged):
            file = soak.rng.choice(sorted(run.glob(pattern)))
            good = file.read_bytes()
            bad = damage(soak, run, file, good)
            if bad == good:
                continue
            for what in (jobs.replay, resume):
                file.write_bytes(bad)
                said = await ending(soak, what, run)
                assert not said or file.name[:12] in said or str(run) in said, said
                restored(soak, run)
                soak.done["stop because of damage"] += bool(said)
            soak.done[f"{damage.__name__} {pattern.partition('/')[0]}"] += 1


async def ending(soak: Soak, what: Callable[[Path], object], run: Path) -> str:
    """Do it in this process: return why it stopped, nothing where all is as undisturbed."""
    try:
        result = await asyncio.to_thread(what, run)
    except (EnvironmentFault, UsageError) as error:
        said = str(error)
        assert len(said.splitlines()) == 1, said
        return said
    found = json.loads(document.encode_result(result))
    assert json.dumps(found, sort_keys=True).encode() == soak.expected
    return ""


def restored(soak: Soak, run: Path) -> None:
    """Bring back every file of the undisturbed run."""
    shutil.copytree(soak.whole, run, dirs_exist_ok=True)


def flipped(soak: Soak, run: Path, file: Path, good: bytes) -> bytes:
    del run, file
    bad = bytearray(good)
    bad[soak.rng.randrange(len(bad))] ^= 1 << soak.rng.randrange(8)
    return bytes(bad)


def cut(soak: Soak, run: Path, file: Path, good: bytes) -> bytes:
    del run, file
    return good[: soak.rng.randrange(len(good))]


def exchanged(soak: Soak, run: Path, file: Path, good: bytes) -> bytes:
    """Return another file of the same kind; of what there is only one, another digit in it."""
    others = sorted(other for other in run.glob(f"{file.parent.name}/*") if other != file)
    if others and file.parent != run:
        return soak.rng.choice(others).read_bytes()
    return good.replace(b"1", b"2", 1)


async def damaged_shard(soak: Soak) -> None:
    """Flip a bit of the answers: a stop that names the file; deleting it heals the run."""
    run = copied(soak, "damaged")
    file = soak.rng.choice(sorted(run.glob("shards/*.parquet")))
    position = data_byte(file, soak.rng.randrange(1 << 30))
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << soak.rng.randrange(8)
    file.write_bytes(content)
    err = await soak.finish(run, soak.calm, ENVIRONMENT)
    words = err.split()
    assert str(file) in words, err
    assert {"damaged", "delete", "resume"} <= {word.strip("'();") for word in words}, err
    file.unlink()
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    soak.done["flipped bit"] += 1


async def lost_part(soak: Soak) -> None:
    """Lose a part of the examined list: its rows must not be missing in silence."""
    run = copied(soak, "lost")
    for stage in ("claims", "signatures"):
        (run / stage / "part-000000.parquet").unlink()
    err = await soak.finish(run, soak.calm, ENVIRONMENT)
    assert "start a new run" in err
    soak.done["lost part"] += 1


def data_byte(file: Path, number: int) -> int:
    """Choose a position within a Parquet file whose change matters: the data of a column."""
    group = pq.ParquetFile(file).metadata.row_group(0)
    column = group.column(number % group.num_columns)
    first = column.dictionary_page_offset or column.data_page_offset
    return first + column.total_compressed_size - 1


async def two_processes(soak: Soak) -> None:
    """Hold a process at its first exchange: a second one ends while the first still works."""
    run = soak.directory / "twice"
    for proxy in soak.proxies.values():
        proxy.gate.clear()
    first = await start(*soak.command(run, soak.calm))
    while not run.joinpath("manifest.json").exists():
        assert first.returncode is None
        await soak.turn()
    err = await soak.finish(run, soak.calm, ENVIRONMENT)
    assert "another process works on" in err
    assert first.returncode is None
    for proxy in soak.proxies.values():
        proxy.gate.set()
    _, said = await first.communicate()
    assert first.returncode == PROVEN, said
    soak.same_as_undisturbed(run)
    soak.done["second process"] += 1


def copied(soak: Soak, name: str) -> Path:
    """Copy the undisturbed run."""
    return shutil.copytree(soak.whole, soak.directory / name)


STOPS = (
    storm,
    no_names,
    clock_steps,
    liar,
    reorganised,
    disk_full,
    no_space,
    read_only,
    damaged_shard,
    damaged_files,
    lost_part,
    two_processes,
)
