"""The soak in small: every scenario of ``make soak`` once, with fixed seeds."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from chains.simulated.node import SimulatedNode
from tests.soak.driver import port_of, soaking
from tests.soak.fault_proxy import CLEAN, REFUSED_CONNECTIONS, FaultProxy
from tests.soak.machine import NO_CLOCK, NO_MOUNT, kills
from tests.soak.network import bad_weather
from tests.soak.scenarios import STOPS

pytestmark = pytest.mark.integration

ROWS, FEW_ROWS = 2_000, 60
BODY = b'{"answer": "' + b"0" * 4096 + b'"}'


class Plain(SimulatedNode):
    async def answer(self, request, body):
        del request, body
        return web.Response(body=BODY)


async def outcome(session: aiohttp.ClientSession, url: str) -> str:
    """Ask once: ``same``, ``damaged``, ``broken``, ``unreachable``, ``silent`` or the status."""
    try:
        async with session.post(url, data=b"question") as response:
            body = await response.read()
    except TimeoutError:
        return "silent"
    except aiohttp.ClientPayloadError:
        return "broken"
    except (aiohttp.ClientError, OSError):
        return "unreachable"
    if response.status != 200:
        return str(response.status)
    return "same" if body == BODY else "damaged" if b"\xff" in body else "other"


SHOWN = {
    CLEAN: "same",
    "cut": "broken",
    "truncate": "broken",
    "corrupt": "damaged",
    "drip": "same",
    "hang": "silent",
    "reset": "unreachable",
    "429": "429",
    "429-now": "429",
    "429-later": "429",
    "503": "503",
}


@pytest.mark.parametrize("fault", SHOWN)
async def test_the_proxy_causes_what_it_counts(fault):
    async with Plain() as node, FaultProxy(port_of(node)) as proxy:
        proxy.foretell([fault])
        limit = aiohttp.ClientTimeout(total=0.3 if fault == "hang" else 60)
        async with aiohttp.ClientSession(timeout=limit) as session:
            assert await outcome(session, proxy.url) == SHOWN[fault]
        assert proxy.caused == ({} if fault == CLEAN else {fault: 1})
        async with aiohttp.ClientSession() as session:
            assert [await outcome(session, proxy.url) for _ in range(2)] == ["same"] * 2
        assert proxy.exchanges == 3


async def test_a_proxy_refuses_for_a_while_dies_and_comes_back():
    async with Plain() as node, FaultProxy(port_of(node)) as proxy:
        proxy.foretell(["refuse"])
        async with aiohttp.ClientSession() as session:
            refused = 0
            while await outcome(session, proxy.url) != "same":
                refused += 1
            assert 1 <= refused <= 1 + REFUSED_CONNECTIONS  # the client may try twice by itself
            assert proxy.caused["refuse"] == 1 + REFUSED_CONNECTIONS
            await proxy.die()
            assert await outcome(session, proxy.url) == "unreachable"
            await proxy.revive()
            assert await outcome(session, proxy.url) == "same"
            proxy.gate.clear()
            waiting = asyncio.create_task(outcome(session, proxy.url))
            proxy.gate.set()
            assert await waiting == "same"


@pytest.mark.timeout(600)
async def test_faults_and_kills_end_in_the_undisturbed_result(tmp_path):
    async with soaking(tmp_path, rows=ROWS, seed=20_240_610) as soak:
        await soak.undisturbed()
        await bad_weather(soak)
        await kills(soak, 4)
        assert soak.done["kill -9"] >= 2


@pytest.mark.timeout(600)
async def test_what_cannot_go_on_stops_with_what_to_do(tmp_path):
    async with soaking(tmp_path, rows=FEW_ROWS, seed=20_240_610) as soak:
        await soak.undisturbed()
        for stop in STOPS:
            await soak.through(stop)
        assert len(soak.timings) == len(STOPS)
        assert set(soak.left_out) <= {NO_CLOCK, NO_MOUNT}
