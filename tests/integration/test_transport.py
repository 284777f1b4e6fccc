"""The transport against a real HTTP server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from transport_peers import ASK, CHAIN, FAST, ONCE, SECRET, Echo, serving, spec, told

from chains import jsonrpc
from chains.model import Request
from chains.transport import HttpTransport, RetryPolicy

pytestmark = pytest.mark.integration


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


async def test_each_call_of_an_array_counts_against_the_rate() -> None:
    array = jsonrpc.batch([("m", [])] * 40)
    async with serving(rate="50", concurrency=4) as (node, transport):
        started = time.monotonic()
        await asyncio.gather(*(transport.exchange(array, "one") for _ in range(2)))
        assert time.monotonic() - started > 0.5  # fifty at once, thirty more at fifty a second
        assert (node.requests, node.counted) == (2, 80)


async def test_waiting_for_a_turn_does_not_use_up_the_time_for_another_attempt() -> None:
    array = jsonrpc.batch([("m", [])] * 90)
    policy = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02, total_s=0.5)
    async with serving(policy, rate="60") as (node, transport):
        node.then = lambda *_: web.Response(status=500 if node.requests == 1 else 200)
        assert (await transport.exchange(array, "one")).failure == ""
        assert node.requests == 2


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


THROTTLED = b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32007,"message":"5/second request limit"}}'
GOOD = b'{"jsonrpc":"2.0","id":%d,"result":"0x1"}'


@pytest.mark.parametrize("status", [200, 400])
async def test_an_answer_that_asks_to_slow_down_is_asked_for_again(status: int) -> None:
    async with serving() as (node, transport):
        node.then = lambda *_: (
            web.Response(status=status, body=THROTTLED % 0)
            if node.requests == 1
            else web.Response(body=GOOD % 0)
        )
        found = await transport.exchange(ASK, "one")
        assert told(found) == (200, GOOD % 0, "", False)
        assert (transport.statistics["one"].rate_limited, node.requests) == (1, 2)


async def test_an_endpoint_that_asks_to_slow_down_for_ever_gives_no_answer() -> None:
    async with serving() as (node, transport):
        node.then = lambda *_: web.Response(body=b"[" + THROTTLED % 0 + b"]")
        found = await transport.exchange(ASK, "one")
        assert told(found) == (0, b"", "rate-limited", True)
        assert node.requests == FAST.attempts


async def test_members_that_were_answered_are_kept_and_the_endpoint_is_asked_less() -> None:
    async with serving(concurrency=8) as (node, transport):
        body = b"[" + GOOD % 0 + b"," + THROTTLED % 1 + b"]"
        node.then = lambda *_: web.Response(body=body)
        before = transport._endpoints["one"].slot._limit
        found = await transport.exchange(ASK, "one")
        assert told(found) == (200, body, "", False)
        assert transport._endpoints["one"].slot._limit < before
        assert (transport.statistics["one"].rate_limited, node.requests) == (1, 1)


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


async def test_a_cut_connection_is_tried_again_and_then_a_failure() -> None:
    async with serving(cut_every=1) as (node, transport):
        found = await transport.exchange(ASK, "one")
        assert told(found) == (0, b"", "unreachable", True)
        assert node.caused["cut"] >= FAST.attempts


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
