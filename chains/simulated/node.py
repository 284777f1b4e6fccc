"""What all simulated nodes share: a real HTTP server on loopback, with fault knobs.

A subclass answers the documented methods of one node protocol from a small ledger.
``faults`` can be changed while the server runs; every fault that is caused is counted in
``caused``, so that a test can show that it really happened.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from typing import Self

import msgspec
from aiohttp import web

_Rpc = dict[str, msgspec.Raw]
"""An answer of JSON-RPC whose values keep their bytes."""


class Faults(msgspec.Struct, kw_only=True):
    """Fault knobs. ``*_every=n`` strikes each n-th request (0: never).

    ``wrong_id_every`` strikes answers of JSON-RPC alone: they carry the ids of other calls.
    """

    rate_limit_every: int = 0
    retry_after: str | None = None
    error_every: int = 0
    status: int = 500
    hang_every: int = 0
    truncate_every: int = 0
    cut_every: int = 0
    html_every: int = 0
    bad_json_every: int = 0
    wrong_id_every: int = 0
    oversize_every: int = 0
    oversize_bytes: int = 1 << 20
    redirect_every: int = 0
    delay_s: float = 0.0


class SimulatedNode:
    """Base of the simulated nodes. Use as an async context manager; ``url`` is then set.

    ``tls``: the certificate with which it serves, if set before it starts. ``counted``: calls so
    far, as servers count them for their limits, each of an array.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.caused: Counter[str] = Counter()
        self.requests = 0
        self.counted = 0
        self.url = ""
        self.tls: ssl.SSLContext | None = None
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
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self.tls)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"{'https' if self.tls else 'http'}://{host}:{bound}"
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
        self.counted += counted(body)
        if self.faults.delay_s:
            await asyncio.sleep(self.faults.delay_s)
        fault = await self._fault(request)
        if fault is not None:
            return fault
        return self._damaged(await self.answer(request, body))

    async def _fault(self, request: web.Request) -> web.Response | None:
        """Return what a struck request gets instead of an answer."""
        faults = self.faults
        fault: web.Response | None = None
        if self._strikes("rate-limit", faults.rate_limit_every):
            headers = {} if faults.retry_after is None else {"Retry-After": faults.retry_after}
            fault = web.Response(status=429, headers=headers, text="slow down")
        elif self._strikes("hang", faults.hang_every):
            await self._hanging.wait()
        elif self._strikes("error", faults.error_every):
            fault = web.Response(status=faults.status, text="fault")
        elif self._strikes("html", faults.html_every):
            fault = web.Response(text="<html><body>busy</body></html>", content_type="text/html")
        elif self._strikes("redirect", faults.redirect_every):
            fault = web.Response(status=302, headers={"Location": "http://127.0.0.2:9/elsewhere"})
        elif self._strikes("oversize", faults.oversize_every):
            fault = web.Response(body=b" " * faults.oversize_bytes)
        elif self._strikes("cut", faults.cut_every):
            if request.transport is not None:
                request.transport.abort()
            fault = web.Response(status=500)
        return fault

    def _damaged(self, answer: web.StreamResponse) -> web.StreamResponse:
        """Damage the body of a struck answer."""
        if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
            return answer
        body = answer.body
        if self._strikes("truncate", self.faults.truncate_every):
            body = body[: len(body) // 2]
        elif self._strikes("bad-json", self.faults.bad_json_every):
            body += b"}"
        elif b'"jsonrpc"' in body and self._strikes("wrong-id", self.faults.wrong_id_every):
            body = _with_other_ids(body)
        else:
            return answer
        return web.Response(body=body, content_type="application/json")

    def _strikes(self, fault: str, every: int) -> bool:
        if every <= 0 or self.requests % every:
            return False
        self.caused[fault] += 1
        return True


def counted(body: bytes) -> int:
    """Return the calls of one request."""
    return len(msgspec.json.decode(body)) if body.lstrip()[:1] == b"[" else 1


def _with_other_ids(body: bytes) -> bytes:
    """Give every answer of a JSON-RPC body an id that no call had."""
    answers = msgspec.json.decode(body, type=list[_Rpc] | _Rpc)
    several = answers if isinstance(answers, list) else [answers]
    changed = [{**one, "id": msgspec.Raw(b"987654321")} for one in several]
    return msgspec.json.encode(changed if isinstance(answers, list) else changed[0])


def json_response(value: object, status: int = 200) -> web.Response:
    """Answer with JSON, integers of any size exact."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )
