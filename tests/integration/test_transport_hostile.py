"""Peers that mean harm: bombs, drips, answers without end, redirects, cookies."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from aiohttp import web
from transport_peers import ASK, CHAIN, ONCE, SECRET, Echo, raw, serving, spec, told

from chains.model import Request
from chains.transport import HttpTransport

pytestmark = pytest.mark.integration


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


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_compression_bomb_is_stopped_at_the_limit(
    encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    bomb = compress(b"\0" * (64 << 20))
    async with serving(max_answer_bytes=1 << 20) as (node, transport):
        node.then = lambda _request, _body: web.Response(
            body=bomb, headers={"Content-Encoding": encoding}
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


async def test_headers_that_drip_are_a_time_out() -> None:
    head = [b"HTTP/1.1 200 OK\r\n", *[b"X-A: b\r\n"] * 100]
    async with raw(*head, pause_s=0.1, timeout_s=1) as transport:
        found = await transport.exchange(ASK, "one")
    assert told(found) == (0, b"", "timeout", True)


async def test_a_line_that_drips_is_a_time_out() -> None:
    async with raw(*[b"x"] * 100, pause_s=0.1, timeout_s=1, scheme="tcp") as transport:
        found = await transport.exchange(Request(method="LINE", body=b"question"), "one")
    assert told(found) == (0, b"", "timeout", True)


async def test_a_line_without_end_is_refused_at_the_limit() -> None:
    piece = b"x" * (1 << 16)
    async with raw(*[piece] * 64, scheme="tcp", max_answer_bytes=1 << 17) as transport:
        found = await transport.exchange(Request(method="LINE", body=b"question"), "one")
    assert told(found) == (200, b"", "answer-too-large", False)


@pytest.mark.parametrize("line", [b"X-A: " + b"b" * (1 << 20), b"X-A: b\r\n" * (1 << 16)])
async def test_headers_without_end_are_no_answer(line: bytes) -> None:
    async with raw(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n{}") as transport:
        found = await transport.exchange(ASK, "one")
    assert (found.body, bool(found.failure), found.retryable) == (b"", True, True)


async def test_a_chunk_without_end_is_refused_at_the_limit() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffff\r\n"
    piece = b"x" * (1 << 16)
    async with raw(head, *[piece] * 64, max_answer_bytes=1 << 17) as transport:
        found = await transport.exchange(ASK, "one")
    assert told(found) == (200, b"", "answer-too-large", False)


async def test_more_than_the_length_that_was_told_is_not_read() -> None:
    async with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{more}") as transport:
        found = await transport.exchange(ASK, "one")
    assert found.body in {b"{}", b""}
    assert bool(found.failure) == (found.body == b"")


async def test_what_a_node_sets_as_a_cookie_is_not_sent_back() -> None:
    async with Echo() as node:
        url = node.url.replace("127.0.0.1", "localhost")  # cookies are not for bare addresses
        node.then = lambda _request, _body: web.Response(headers={"Set-Cookie": "who=you"})
        async with HttpTransport(CHAIN, [spec(url)], ONCE) as transport:
            found = [await transport.exchange(ASK, "one") for _ in range(2)]
    assert [one.failure for one in found] == ["", ""]
    assert ["Cookie" in request.headers for request in node.seen] == [False, False]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_credentials_do_not_follow_a_redirect(status: int) -> None:
    async with Echo() as elsewhere, Echo() as node:
        node.then = lambda _request, _body: web.Response(
            status=status, headers={"Location": f"{elsewhere.url}/take"}
        )
        guarded = spec(node, headers={"Authorization": f"Bearer {SECRET}"})
        async with HttpTransport(CHAIN, [guarded], ONCE) as transport:
            for request in (ASK, Request(method="GET", path="/x")):
                found = await transport.exchange(request, "one")
                assert (found.status, found.failure, found.retryable) == (status, "refused", False)
        assert (node.requests, elsewhere.requests) == (2, 0)
