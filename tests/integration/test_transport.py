"""The transport against a real HTTP server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from chains.endpoints import EndpointSpec
from chains.model import ChainId, Exchange, Request
from chains.simulated.node import Faults, SimulatedNode
from chains.transport import HttpTransport, RetryPolicy

pytestmark = pytest.mark.integration

CHAIN = ChainId("eip155:1")
FAST = RetryPolicy(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, total_s=10)
ONCE = RetryPolicy(attempts=1)
ASK = Request(path="/rpc", body=b"question")
SECRET = "s3cr3t-k3y-0123456789"


class Echo(SimulatedNode):
    """Answers each request with its own body; ``then`` replaces that."""

    def __init__(self, **faults: Any) -> None:
        super().__init__(Faults(**faults))
        self.then: Callable[[web.Request, bytes], web.StreamResponse] | None = None
        self.seen: list[web.Request] = []
        self.active = self.peak = 0
        self.busy_s = 0.0

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        self.seen.append(request)
        self.active += 1
        self.peak = max(self.peak, self.active)
        await asyncio.sleep(self.busy_s)
        self.active -= 1
        if self.then is not None:
            return self.then(request, body)
        return web.Response(body=b"<" + body + b">")


def spec(node: Echo | str, name: str = "one", **more: Any) -> EndpointSpec:
    url = node if isinstance(node, str) else node.url
    fields = {"own_node": True, "rate": "0", "timeout_s": 5, **more}
    return EndpointSpec(name=name, chain=CHAIN, url=url, **fields)


@contextlib.asynccontextmanager
async def serving(
    policy: RetryPolicy = FAST, **more: Any
) -> AsyncIterator[tuple[Echo, HttpTransport]]:
    """One node and a transport to it; ``more`` are fields of the endpoint or fault knobs."""
    faults = {key: more.pop(key) for key in list(more) if key in Faults.__struct_fields__}
    async with contextlib.AsyncExitStack() as stack:
        node = await stack.enter_async_context(Echo(**faults))
        endpoints = [spec(node, **more)]
        yield node, await stack.enter_async_context(HttpTransport(CHAIN, endpoints, policy))


def told(found: Exchange) -> tuple[int, bytes, str, bool]:
    return found.status, found.body, found.failure, found.retryable


async def test_an_answer_comes_back_as_the_bytes_it_was() -> None:
    async with serving() as (node, transport):
        found = await transport.exchange(ASK, "one")
        assert told(found) == (200, b"<question>", "", False)
        assert (found.request, found.endpoint, found.own_node) == (ASK, "one", True)
        assert node.seen[0].path == "/rpc"
        assert node.seen[0].content_type == "application/json"
        counted = transport.statistics["one"]
        assert (counted.requests, counted.bytes_out, counted.bytes_in) == (1, 8, 10)


async def test_a_get_request_carries_no_body() -> None:
    async with serving() as (node, transport):
        found = await transport.exchange(Request(method="GET", path="/x?y=1"), "one")
        assert found.body == b"<>"
        assert (node.seen[0].method, node.seen[0].path_qs) == ("GET", "/x?y=1")


async def test_retry_after_is_honoured_before_the_next_try() -> None:
    async with serving(rate_limit_every=1, retry_after="1") as (node, transport):
        node.faults.rate_limit_every = 1
        task = asyncio.create_task(transport.exchange(ASK, "one"))
        await asyncio.sleep(0.3)
        assert node.requests == 1
        node.faults.rate_limit_every = 0
        started = time.monotonic()
        found = await task
        assert told(found) == (200, b"<question>", "", False)
        assert time.monotonic() - started >= 0.5
        assert transport.statistics["one"].rate_limited == node.caused["rate-limit"] == 1


async def test_while_one_waits_for_retry_after_nobody_else_asks() -> None:
    async with serving(rate_limit_every=1, retry_after="1") as (node, transport):
        first = asyncio.create_task(transport.exchange(ASK, "one"))
        await asyncio.sleep(0.2)
        node.faults.rate_limit_every = 0
        second = asyncio.create_task(transport.exchange(ASK, "one"))
        await asyncio.sleep(0.3)
        assert node.requests == 1
        assert [found.failure for found in await asyncio.gather(first, second)] == ["", ""]


async def test_an_endpoint_that_keeps_pushing_back_becomes_a_retryable_failure() -> None:
    async with serving(rate_limit_every=1, retry_after="0") as (node, transport):
        found = await transport.exchange(ASK, "one")
        assert told(found) == (0, b"", "rate-limited", True)
        assert (node.requests, transport.statistics["one"].failed) == (FAST.attempts, 1)


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 520, 524])
async def test_errors_that_may_pass_are_tried_again(status: int) -> None:
    async with serving(error_every=1, status=status) as (node, transport):
        found = await transport.exchange(ASK, "one")
        assert told(found) == (0, b"", "server-error", True)
        assert node.requests == FAST.attempts


async def test_a_transient_error_is_got_over() -> None:
    async with serving(error_every=2) as (node, transport):
        node.requests = 1
        found = await transport.exchange(ASK, "one")
        assert told(found) == (200, b"<question>", "", False)
        counted = transport.statistics["one"]
        assert (counted.requests, counted.retries, counted.server_errors) == (2, 1, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 451, 501])
async def test_a_refusal_is_not_tried_again_and_keeps_its_words(status: int) -> None:
    async with serving(error_every=1, status=status) as (node, transport):
        found = await transport.exchange(ASK, "one")
        assert told(found) == (status, b"fault", "refused", False)
        assert node.requests == 1


async def test_a_redirect_is_never_followed() -> None:
    async with Echo() as elsewhere, serving() as (node, transport):
        node.then = lambda _request, _body: web.Response(
            status=307, headers={"Location": elsewhere.url}
        )
        found = await transport.exchange(ASK, "one")
        assert (found.status, found.failure) == (307, "refused")
        assert (node.requests, elsewhere.requests) == (1, 0)


@pytest.mark.parametrize(("size", "failure"), [(4096, ""), (4097, "answer-too-large")])
async def test_an_answer_beyond_the_limit_is_refused_whole(size: int, failure: str) -> None:
    async with serving(max_answer_bytes=4096, oversize_every=1, oversize_bytes=size) as (
        node,
        transport,
    ):
        found = await transport.exchange(ASK, "one")
        assert (found.failure, len(found.body)) == (failure, 0 if failure else size)
        assert (found.retryable, node.requests) == (False, 1)


async def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    async with serving(max_answer_bytes=1 << 20) as (node, transport):
        node.then = lambda _request, _body: web.Response(
            body=bomb, headers={"Content-Encoding": "gzip"}
        )
        tracemalloc.start()
        try:
            found = await transport.exchange(ASK, "one")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert told(found) == (200, b"", "answer-too-large", False)
        assert peak < 16 << 20


async def test_a_compressed_answer_within_the_limit_is_read() -> None:
    async with serving(max_answer_bytes=4096) as (node, transport):
        node.then = lambda _request, body: web.Response(
            body=gzip.compress(body * 100), headers={"Content-Encoding": "gzip"}
        )
        assert (await transport.exchange(ASK, "one")).body == b"question" * 100


async def test_a_damaged_compressed_answer_is_no_answer() -> None:
    async with serving() as (node, transport):
        node.then = lambda _request, _body: web.Response(
            body=b"no gzip at all", headers={"Content-Encoding": "gzip"}
        )
        found = await transport.exchange(ASK, "one")
        assert told(found) == (0, b"", "truncated-answer", True)


async def test_a_cut_connection_is_tried_again_and_then_a_failure() -> None:
    async with serving(cut_every=1) as (node, transport):
        found = await transport.exchange(ASK, "one")
        assert told(found) == (0, b"", "unreachable", True)
        assert node.caused["cut"] >= FAST.attempts


@contextlib.asynccontextmanager
async def raw(*pieces: bytes, pause_s: float = 0.0, **more: Any) -> AsyncIterator[HttpTransport]:
    """A transport to a bare socket that says ``pieces``, whatever is asked, and closes."""
    ended = asyncio.Event()

    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
        except OSError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            ended.set()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    endpoint = spec(f"http://127.0.0.1:{port}", **more)
    async with server:
        async with HttpTransport(CHAIN, [endpoint], ONCE) as transport:
            yield transport
        await ended.wait()


async def test_an_answer_that_breaks_off_is_not_half_an_answer() -> None:
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40) as transport:
        found = await transport.exchange(ASK, "one")
    assert told(found) == (0, b"", "truncated-answer", True)


async def test_what_is_no_http_is_no_answer() -> None:
    async with raw(b"\x00\x01\x02 hello\r\n\r\n") as transport:
        found = await transport.exchange(ASK, "one")
    assert (found.body, bool(found.failure), found.retryable) == (b"", True, True)


async def test_an_endpoint_that_hangs_is_a_time_out() -> None:
    async with serving(ONCE, hang_every=1, timeout_s=1) as (_, transport):
        started = time.monotonic()
        found = await transport.exchange(ASK, "one")
        assert told(found) == (0, b"", "timeout", True)
        assert 0.9 < time.monotonic() - started < 3
        assert transport.statistics["one"].timeouts == 1


async def test_an_endpoint_that_drips_is_a_time_out() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    async with raw(head, *[b"x"] * 100, pause_s=0.1, timeout_s=1) as transport:
        found = await transport.exchange(ASK, "one")
    assert told(found) == (0, b"", "timeout", True)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "a" * 70 + ".invalid", "a..b.invalid"])
async def test_a_peer_that_cannot_be_reached_never_raises(host: str) -> None:
    async with HttpTransport(CHAIN, [spec(f"http://{host}")], ONCE) as transport:
        found = await transport.exchange(ASK, "one")
    assert told(found) == (0, b"", "unreachable", True)


async def test_credentials_are_sent_and_appear_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NODE_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    async with Echo() as node:
        guarded = spec(
            node.url + "/v2/${NODE_KEY}", headers={"Authorization": "Bearer ${NODE_KEY}"}
        )
        url = f"http://user:{SECRET}@127.0.0.1:9/{SECRET}?key={SECRET}"
        async with HttpTransport(CHAIN, [guarded, spec(url, "dead")], ONCE) as transport:
            found = [await transport.exchange(ASK, "one")]
            assert node.seen[0].path == f"/v2/{SECRET}/rpc"
            assert node.seen[0].headers["Authorization"] == f"Bearer {SECRET}"
            for knob in ("error_every", "redirect_every", "cut_every"):
                setattr(node.faults, knob, 1)
                found.append(await transport.exchange(ASK, "one"))
                setattr(node.faults, knob, 0)
            found.append(await transport.exchange(ASK, "dead"))
            assert [bool(entry.failure) for entry in found] == [False, True, True, True, True]
            shown = [repr(found), repr(transport), repr(guarded), repr(transport.statistics)]
    for text in (*shown, caplog.text):
        assert SECRET not in text


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Echo() as proxy, serving() as (node, transport):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        await transport.exchange(ASK, "one")
        assert (node.requests, proxy.requests) == (1, 0)


async def peak_of(node: Echo, transport: HttpTransport, count: int) -> int:
    node.peak = 0
    await asyncio.gather(*(transport.exchange(ASK, "one") for _ in range(count)))
    return node.peak


async def test_concurrency_is_limited_shrinks_on_push_back_and_recovers() -> None:
    async with serving(concurrency=4) as (node, transport):
        node.busy_s = 0.02
        assert await peak_of(node, transport, 12) == 4
        node.faults.rate_limit_every = 1
        node.faults.retry_after = "0"
        await transport.exchange(ASK, "one")
        node.faults.rate_limit_every = 0
        assert node.caused["rate-limit"] == FAST.attempts
        shrunk = await peak_of(node, transport, 2)
        assert shrunk == 1
        await peak_of(node, transport, 40)
        assert await peak_of(node, transport, 12) == 4


async def test_the_declared_rate_is_kept() -> None:
    async with serving(rate="10", concurrency=50) as (node, transport):
        started = time.monotonic()
        await asyncio.gather(*(transport.exchange(ASK, "one") for _ in range(15)))
        assert time.monotonic() - started >= 0.4
        assert node.requests == 15


@contextlib.asynccontextmanager
async def two(policy: RetryPolicy = ONCE) -> AsyncIterator[tuple[Echo, Echo, HttpTransport]]:
    async with Echo() as one, Echo() as other:
        specs = [spec(one, "one"), spec(other, "two")]
        async with HttpTransport(CHAIN, specs, policy) as transport:
            yield one, other, transport


async def test_an_endpoint_that_failed_twice_rests_and_another_is_asked() -> None:
    async with two() as (one, other, transport):
        one.faults.error_every = 1
        names = []
        for _ in range(6):
            found = await transport.exchange_any(ASK, ("one", "two"))
            names.append((found.endpoint, found.failure))
        assert names == [("one", "server-error")] * 2 + [("two", "")] * 4
        assert (one.requests, other.requests) == (2, 4)


async def test_when_all_rest_the_one_that_may_soonest_be_asked_is_asked() -> None:
    async with two() as (one, other, transport):
        one.faults.error_every = other.faults.error_every = 1
        for name in ("two", "two", "one", "one"):
            await transport.exchange(ASK, name)
        one.faults.error_every = other.faults.error_every = 0
        assert (await transport.exchange_any(ASK, ("one", "two"))).endpoint == "two"


async def test_a_good_answer_ends_the_rest() -> None:
    async with two() as (one, _, transport):
        one.faults.error_every = 1
        for _ in range(2):
            await transport.exchange(ASK, "one")
        one.faults.error_every = 0
        await transport.exchange(ASK, "one")
        assert (await transport.exchange_any(ASK, ("one", "two"))).endpoint == "one"


async def test_a_refusal_is_an_answer_and_no_reason_to_rest() -> None:
    async with two() as (one, _, transport):
        one.faults.error_every, one.faults.status = 1, 403
        names = [(await transport.exchange_any(ASK, ("one", "two"))).endpoint for _ in range(4)]
        assert names == ["one"] * 4


async def test_the_least_loaded_endpoint_is_asked() -> None:
    async with two() as (one, other, transport):
        one.busy_s = other.busy_s = 0.3
        first = asyncio.create_task(transport.exchange_any(ASK, ("one", "two")))
        await asyncio.sleep(0.1)
        second = await transport.exchange_any(ASK, ("one", "two"))
        assert ((await first).endpoint, second.endpoint) == ("one", "two")


async def test_only_those_named_are_asked() -> None:
    async with two() as (one, other, transport):
        for _ in range(3):
            await transport.exchange_any(ASK, ("two",))
        assert (one.requests, other.requests) == (0, 3)
