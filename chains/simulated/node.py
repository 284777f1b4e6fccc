"""What all simulated nodes share: a real HTTP server on loopback, with fault knobs.

A subclass answers the documented methods of one node protocol from a small ledger.
``faults`` can be changed while the server runs; every fault that is caused is counted in
``caused``, so that a test can show that it really happened.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Self

import msgspec
from aiohttp import web


class Faults(msgspec.Struct, kw_only=True):
    """Fault knobs. ``*_every=n`` strikes each n-th request (0: never)."""

    rate_limit_every: int = 0
    retry_after: str | None = None
    error_every: int = 0
    status: int = 500
    hang_every: int = 0
    truncate_every: int = 0
    cut_every: int = 0
    html_every: int = 0
    bad_json_every: int = 0
    oversize_every: int = 0
    oversize_bytes: int = 1 << 20
    redirect_every: int = 0
    delay_s: float = 0.0


class SimulatedNode:
    """Base of the simulated nodes. Use as an async context manager; ``url`` is then set."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.caused: Counter[str] = Counter()
        self.requests = 0
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._hanging = asyncio.Event()

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one request; subclasses implement the protocol here."""
        raise NotImplementedError

    async def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        app = web.Application(client_max_size=256 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"
        return self

    async def stop(self) -> None:
        """Stop listening and let go of hanging clients."""
        self._hanging.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests += 1
        faults = self.faults
        if faults.delay_s:
            await asyncio.sleep(faults.delay_s)
        if self._strikes("rate-limit", faults.rate_limit_every):
            headers = {} if faults.retry_after is None else {"Retry-After": faults.retry_after}
            return web.Response(status=429, headers=headers, text="slow down")
        if self._strikes("hang", faults.hang_every):
            await self._hanging.wait()
        if self._strikes("error", faults.error_every):
            return web.Response(status=faults.status, text="fault")
        if self._strikes("html", faults.html_every):
            return web.Response(text="<html><body>busy</body></html>", content_type="text/html")
        if self._strikes("redirect", faults.redirect_every):
            return web.Response(status=302, headers={"Location": "http://127.0.0.2:9/elsewhere"})
        if self._strikes("oversize", faults.oversize_every):
            return web.Response(body=b" " * faults.oversize_bytes)
        if self._strikes("cut", faults.cut_every):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        answer = await self.answer(request, body)
        if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
            if self._strikes("truncate", faults.truncate_every):
                return web.Response(
                    body=answer.body[: len(answer.body) // 2], content_type="application/json"
                )
            if self._strikes("bad-json", faults.bad_json_every):
                return web.Response(body=answer.body + b"}", content_type="application/json")
        return answer

    def _strikes(self, fault: str, every: int) -> bool:
        if every <= 0 or self.requests % every:
            return False
        self.caused[fault] += 1
        return True


def json_response(value: object, status: int = 200) -> web.Response:
    """Answer with JSON, integers of any size exact."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )
