"""What a soak does to runs. Each scenario ends in the undisturbed result or in a clear stop."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import stat
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from chains.simulated.eip155 import SimulatedEvm
from crawler.demo.nodes import nodes
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
    return column.data_page_offset + column.total_compressed_size // 2


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


STOPS = (liar, reorganised, disk_full, read_only, damaged_shard, lost_part, two_processes)
