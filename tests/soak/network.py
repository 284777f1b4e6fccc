"""What the network does to a run: faults, refusals, lost names, lies, other blocks."""

from __future__ import annotations

import json

import msgspec

from chains.simulated.eip155 import SimulatedEvm
from crawler.demo.nodes import nodes
from tests.integration.made_up_run import recount, result_bytes
from tests.soak.driver import ENVIRONMENT, PROVEN, Soak, entry, is_pinned, other_numbers, port_of
from tests.soak.fault_proxy import FAULTS, FaultProxy

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


def one_wei_more(state):
    native = {account: units + 1 for account, units in state.native.items()}
    tokens = {
        address: msgspec.structs.replace(
            token, balances={account: units + 1 for account, units in token.balances.items()}
        )
        for address, token in state.tokens.items()
    }
    return msgspec.structs.replace(state, native=native, tokens=tokens)
