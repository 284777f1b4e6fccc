"""HTTP servers and bare sockets that misbehave on purpose, and a transport to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from chains.endpoints import EndpointSpec
from chains.model import ChainId, Exchange, Request
from chains.simulated.node import Faults, SimulatedNode
from chains.transport import HttpTransport, RetryPolicy

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


@contextlib.asynccontextmanager
async def raw(
    *pieces: bytes, pause_s: float = 0.0, scheme: str = "http", **more: Any
) -> AsyncIterator[HttpTransport]:
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
    endpoint = spec(f"{scheme}://127.0.0.1:{port}", **more)
    async with server:
        async with HttpTransport(CHAIN, [endpoint], ONCE) as transport:
            yield transport
        await ended.wait()
