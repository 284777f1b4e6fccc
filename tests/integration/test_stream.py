"""Lines over TCP and TLS against a real server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chains.endpoints import EndpointSpec
from chains.model import ChainId, Exchange, Request
from chains.simulated.electrum import ElectrumFaults, SimulatedElectrum
from chains.simulated.node import Faults, SimulatedNode
from chains.transport import HttpTransport, RetryPolicy
from tests.certificates import make_certificate, serving_with

pytestmark = pytest.mark.integration

CHAIN = ChainId("bip122:simulated")
QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02, total_s=5)
ASK = Request(
    method="LINE",
    body=b'[{"id":0,"method":"blockchain.transaction.id_from_pos","params":[7,0,false]}]',
)


@contextlib.asynccontextmanager
async def serving(
    server: SimulatedNode | str, *, policy: RetryPolicy = QUICK, **more: Any
) -> AsyncIterator[HttpTransport]:
    async with contextlib.AsyncExitStack() as stack:
        url = server if isinstance(server, str) else ""
        if not isinstance(server, str):
            url = (await stack.enter_async_context(server)).url
        fields = {"own_node": True, "rate": "0", "timeout_s": 5, "protocol": "electrum", **more}
        endpoint = EndpointSpec(name="one", chain=CHAIN, url=url, **fields)
        yield await stack.enter_async_context(HttpTransport(CHAIN, [endpoint], policy))


def told(found: Exchange) -> tuple[int, str, bool]:
    return found.status, found.failure, found.retryable


async def test_a_line_is_answered_by_a_line_and_the_connection_is_kept() -> None:
    server = SimulatedElectrum()
    async with serving(server) as transport:
        for _ in range(3):
            found = await transport.exchange(ASK, "one")
            assert told(found) == (200, "", False)
            assert server.reward_id(7).encode() in found.body
            assert (found.request, found.endpoint, found.own_node) == (ASK, "one", True)
        assert server.connections == 1
        counted = transport.statistics["one"]
        assert (counted.requests, counted.bytes_out) == (3, 3 * len(ASK.body))
        assert counted.bytes_in == 3 * len(found.body)


async def test_there_are_no_more_connections_than_the_slot_lets_through() -> None:
    server = SimulatedElectrum()
    async with serving(server, concurrency=3) as transport:
        found = await asyncio.gather(*(transport.exchange(ASK, "one") for _ in range(20)))
        assert {told(one) for one in found} == {(200, "", False)}
        assert 1 <= server.connections <= 3


async def test_notifications_are_not_answers() -> None:
    server = SimulatedElectrum(faults=ElectrumFaults(notify=True))
    async with serving(server) as transport:
        for _ in range(2):
            assert server.reward_id(7).encode() in (await transport.exchange(ASK, "one")).body


@pytest.mark.parametrize(
    ("knob", "failure", "retryable"),
    [
        ("cut_every", "unreachable", True),
        ("truncate_every", "truncated-answer", True),
        ("hang_every", "timeout", True),
        ("oversize_every", "answer-too-large", False),
    ],
)
async def test_a_fault_is_a_failure_and_its_connection_is_not_used_again(
    knob: str,
    failure: str,
    retryable: bool,  # noqa: FBT001
) -> None:
    server = SimulatedElectrum()
    attempts = 1 if knob == "hang_every" else 2
    policy = RetryPolicy(attempts=attempts, first_wait_s=0.01, longest_wait_s=0.02)
    async with serving(server, policy=policy, timeout_s=1, max_answer_bytes=4096) as transport:
        assert told(await transport.exchange(ASK, "one")) == (200, "", False)
        setattr(server.faults, knob, 1)
        server.faults.oversize_bytes = 1 << 20
        found = await transport.exchange(ASK, "one")
        assert (found.failure, found.retryable, found.body) == (failure, retryable, b"")
        assert server.caused.total() == (1 if not retryable else attempts)
        setattr(server.faults, knob, 0)
        before = server.connections
        assert told(await transport.exchange(ASK, "one")) == (200, "", False)
        assert server.connections == before + 1


@pytest.mark.parametrize("knob", ["cut_every", "truncate_every"])
async def test_a_passing_fault_is_got_over(knob: str) -> None:
    server = SimulatedElectrum()
    async with serving(server) as transport:
        await transport.exchange(ASK, "one")
        setattr(server.faults, knob, 2)
        assert told(await transport.exchange(ASK, "one")) == (200, "", False)
        assert (server.caused.total(), transport.statistics["one"].retries) == (1, 1)


async def test_a_connection_that_the_server_ended_while_idle_is_replaced() -> None:
    server = SimulatedElectrum()
    async with serving(server) as transport:
        await transport.exchange(ASK, "one")
        server.drop()
        assert told(await transport.exchange(ASK, "one")) == (200, "", False)
        assert server.connections == 2


async def test_a_question_that_was_given_up_leaves_no_answer_behind() -> None:
    server = SimulatedElectrum()
    async with serving(server) as transport:
        await transport.exchange(ASK, "one")
        server.faults.hang_every = 1
        asking = asyncio.create_task(transport.exchange(ASK, "one"))
        while not server.caused["hang"]:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        server.faults.hang_every = 0
        other = Request(method="LINE", body=ASK.body.replace(b"[7,", b"[8,"))
        assert server.reward_id(8).encode() in (await transport.exchange(other, "one")).body
        assert server.connections == 2


async def test_nobody_there_is_unreachable() -> None:
    async with SimulatedElectrum() as server:
        url = server.url
    async with serving(url) as transport:
        assert told(await transport.exchange(ASK, "one")) == (0, "unreachable", True)


async def test_without_a_greeting_the_server_ends_the_connection() -> None:
    server = SimulatedElectrum()
    async with serving(server, protocol="") as transport:
        assert told(await transport.exchange(ASK, "one")) == (0, "unreachable", True)
        assert server.requests == 0


async def test_a_line_goes_to_lines_only_and_http_to_http_only() -> None:
    server = SimulatedElectrum()
    async with serving(server) as transport:
        assert told(await transport.exchange(Request(body=ASK.body), "one")) == (
            0,
            "refused",
            False,
        )
        assert (server.requests, server.connections) == (0, 0)
    node = SimulatedNode(Faults())
    async with serving(node) as transport:
        assert told(await transport.exchange(ASK, "one")) == (0, "refused", False)
        assert node.requests == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@contextlib.asynccontextmanager
async def over_tls(certificate: Path) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(b"[]\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving_with(certificate))
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    async with over_tls(certificate) as port, serving(f"ssl://localhost:{port}") as transport:
        assert told(await transport.exchange(ASK, "one")) == (0, "unreachable", True)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", (200, "", False)), ("127.0.0.1", (0, "unreachable", True))],
    ids=["its-name", "another-name"],
)
async def test_a_trusted_certificate_holds_for_its_own_name(
    certificate: Path,
    host: str,
    expected: tuple[int, str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
    async with over_tls(certificate) as port, serving(f"ssl://{host}:{port}") as transport:
        assert told(await transport.exchange(ASK, "one")) == expected
