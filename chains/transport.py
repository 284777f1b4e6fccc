"""The one way out to the chains: slots, rates, retries, limits, redaction.

Every adapter sends through a ``HttpTransport`` of its chain. Each endpoint has its own
slot (concurrency that shrinks when the endpoint pushes back and grows again while it
answers), its own rate (leaky bucket of calls) and its own health. A failing endpoint never raises
out of here: the ``Exchange`` says what happened, and the question becomes a ``Gap``.

Only transient errors are retried: no connection, time-outs, 429, 408 and 5xx. TLS
verification is always on, redirects are never followed, proxies from the environment are
ignored, cookies are not kept, and answers are cut off at the endpoint's size limit. URLs and
headers appear in no log, no record and no error text: an endpoint is known by its name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from chains import jsonrpc
from chains.endpoints import EndpointSpec, hide
from chains.errors import ConfigError, RateLimited, Transient, Unreachable
from chains.model import ChainId, Exchange, Request
from chains.pacing import Pace, Pause, Slot
from chains.stream import BrokenOff, Lines

RETRIED_STATUS = frozenset({408, 425, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524})
"""HTTP statuses that may pass by themselves, apart from 429."""
LONGEST_PAUSE_S = 60.0
"""An endpoint may ask us to wait; longer than this we treat it as not answering."""
UNHEALTHY_AFTER = 2
"""Consecutive failed exchanges (each already retried) after which an endpoint rests."""
REST_S = 15.0


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often one exchange is tried, and for how many seconds after its first failure."""

    attempts: int = 4
    first_wait_s: float = 0.25
    longest_wait_s: float = 10.0
    total_s: float = 120.0


class EndpointStatistics(msgspec.Struct, kw_only=True):
    """What happened at one endpoint during this process; part of ``circumstances``."""

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    timeouts: int = 0
    unreachable: int = 0
    server_errors: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    busy_s: float = 0.0


class _Endpoint:
    """One configured endpoint with its slot, rate and health."""

    def __init__(self, spec: EndpointSpec) -> None:
        self.spec = spec
        self.url = spec.resolved_url().rstrip("/")
        self.secrets = () if spec.is_file else spec.secrets()
        self.headers = {} if spec.is_file else dict(spec.resolved_headers())
        self.lines = Lines.of(self.url, spec.protocol)
        self.slot = Slot(spec.concurrency)
        self.pace = Pace(spec.per_second)
        self.statistics = EndpointStatistics()
        self._failures = 0
        self._rest = Pause()

    def resting(self) -> float:
        """Seconds until this endpoint should be asked again; 0 when healthy."""
        return self._rest.left

    def succeeded(self) -> None:
        self._failures = 0
        self._rest.end()
        self.slot.widen()

    def failed(self) -> None:
        self.statistics.failed += 1
        self._failures += 1
        if self._failures >= UNHEALTHY_AFTER:
            self._rest.begin(REST_S)


class HttpTransport:
    """HTTP, lines and local files for all endpoints of one chain. An async context manager."""

    def __init__(
        self,
        chain: ChainId,
        specs: Sequence[EndpointSpec],
        policy: RetryPolicy | None = None,
        answering: Collection[int] = (),
    ) -> None:
        ordered = sorted(specs, key=lambda spec: spec.role != "primary")
        self._endpoints = {spec.name: _Endpoint(spec) for spec in ordered if spec.chain == chain}
        self._policy = policy or RetryPolicy()
        self._retried = RETRIED_STATUS.difference(answering)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=True,
            headers={"User-Agent": "recount"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        for endpoint in self._endpoints.values():
            if endpoint.lines is not None:
                await endpoint.lines.close()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Names, primaries first."""
        return tuple(self._endpoints)

    def spec(self, endpoint: str) -> EndpointSpec:
        """Return the declaration of an endpoint."""
        return self._endpoints[endpoint].spec

    def is_witness(self, endpoint: str) -> bool:
        """Tell whether the endpoint only confirms what others said."""
        return self.spec(endpoint).role == "witness"

    def local_path(self, endpoint: str) -> Path | None:
        """Return the file behind a ``file:`` endpoint, else ``None``; counts as one request."""
        parts = urlsplit(self._endpoints[endpoint].url)
        if parts.scheme != "file":
            return None
        self._endpoints[endpoint].statistics.requests += 1
        return Path(unquote(parts.path))

    def redact(self, text: str) -> str:
        """Hide this chain's secrets in a text that an endpoint may have echoed them into."""
        for endpoint in self._endpoints.values():
            text = hide(text, endpoint.secrets)
        return text

    async def allow(self, endpoint: str, *, slots: int, rate: Fraction) -> None:
        """Use only so much of an endpoint from now on: a share where several processes ask it.

        ``slots`` requests at once, 0: none until more is allowed; ``rate`` as in its declaration.
        """
        state = self._endpoints[endpoint]
        await state.pace.allow(rate if slots else None)
        state.slot.allow(slots)

    def under_way(self, endpoint: str) -> int:
        """Count the requests that hold a slot of an endpoint."""
        return self._endpoints[endpoint].slot.active

    @property
    def statistics(self) -> Mapping[str, EndpointStatistics]:
        """What happened so far, per endpoint."""
        return {name: endpoint.statistics for name, endpoint in self._endpoints.items()}

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        """Send to the healthiest, least loaded of ``among``; the answer names which it was."""
        if not among:
            return Exchange(request=request, endpoint="", failure="no-usable-endpoint")
        name = min(
            among,
            key=lambda name: (self._endpoints[name].resting(), self._endpoints[name].slot.load),
        )
        return await self.exchange(request, name)

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        """Send to this endpoint, retrying transient errors; never raises for a failing peer."""
        state = self._endpoints.get(endpoint)
        if state is None:
            return Exchange(request=request, endpoint=endpoint, failure="no-usable-endpoint")
        own = state.spec.own_node
        if (request.method == "LINE") != (state.lines is not None):
            return Exchange(request=request, endpoint=endpoint, own_node=own, failure="refused")
        try:
            status, body, failure = await self._send(state, request)
        except Transient as first:
            try:
                status, body, failure = await self._again(state, request, first)
            except Transient as error:
                state.failed()
                return Exchange(
                    request=request,
                    endpoint=endpoint,
                    own_node=own,
                    failure=error.code,
                    retryable=True,
                )
        state.succeeded()
        return Exchange(
            request=request,
            endpoint=endpoint,
            own_node=own,
            status=status,
            body=body,
            failure=failure,
        )

    async def _again(
        self, state: _Endpoint, request: Request, first: Transient
    ) -> tuple[int, bytes, str]:
        """Send once more where the policy says so; raises ``Transient`` where it gives up.

        Most requests need no second attempt, so that only then the machinery is set up.
        """
        async for attempt in self._retrying():
            with attempt:
                if attempt.retry_state.attempt_number == 1:
                    raise first
                state.statistics.retries += 1
                return await self._send(state, request)
        raise AssertionError("tenacity ended without a result")  # pragma: no cover

    def _retrying(self) -> AsyncRetrying:
        """Return the policy after a first attempt."""
        policy = self._policy
        backoff = wait_random_exponential(multiplier=policy.first_wait_s, max=policy.longest_wait_s)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, Transient) else None
            own = backoff(state)
            return own if asked is None else max(own, asked)

        return AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=stop_after_attempt(policy.attempts) | stop_after_delay(policy.total_s),
            wait=wait,
            reraise=True,
        )

    async def _send(self, state: _Endpoint, request: Request) -> tuple[int, bytes, str]:
        """Send once. Returns (status, body, failure); raises ``Transient``."""
        if self._session is None:
            raise ConfigError("the transport is used outside its context")
        spec, statistics, session = state.spec, state.statistics, self._session
        async with state.slot.take():
            await state.pace.wait(jsonrpc.calls_in(request.body))
            statistics.requests += 1
            statistics.bytes_out += len(request.body)
            started = time.monotonic()
            try:
                if state.lines is None:
                    status, body, complete, asked = await _over_http(session, state, request)
                else:
                    async with asyncio.timeout(spec.timeout_s):
                        body, complete = await state.lines.ask(request.body, spec.max_answer_bytes)
                    status, asked = 200, None
            except TimeoutError as error:
                statistics.timeouts += 1
                state.slot.narrow(0.0)
                raise Unreachable(f"{spec.name} did not answer in time", code="timeout") from error
            except (
                aiohttp.ClientPayloadError,
                aiohttp.http.HttpProcessingError,
                BrokenOff,
            ) as error:
                statistics.unreachable += 1
                raise Unreachable(
                    f"{spec.name} broke off its answer", code="truncated-answer"
                ) from error
            except (aiohttp.ClientError, OSError, UnicodeError) as error:  # IDNA of the host name
                statistics.unreachable += 1
                raise Unreachable(f"{spec.name}: {type(error).__name__}") from error
            finally:
                statistics.busy_s += time.monotonic() - started
            statistics.bytes_in += len(body)
            self._raise_for_transient(state, status, asked)
            self._slow_down_for(state, body)
        if not complete:
            return status, b"", "answer-too-large"
        return status, body, "" if 200 <= status < 300 else "refused"  # noqa: PLR2004

    def _raise_for_transient(self, state: _Endpoint, status: int, asked: str | None) -> None:
        if status == 429 or (status == 503 and asked is not None):  # noqa: PLR2004
            state.statistics.rate_limited += 1
            pause = retry_after_seconds(asked)
            state.slot.narrow(pause or 0.0)
            raise RateLimited(f"{state.spec.name} asks us to slow down", retry_after=pause)
        if status in self._retried:
            state.statistics.server_errors += 1
            raise Unreachable(f"{state.spec.name} answered {status}", code="server-error")

    def _slow_down_for(self, state: _Endpoint, body: bytes) -> None:
        """Slow down where an answer says so; where all of it does, it is asked for again."""
        asked, of = jsonrpc.throttled(body)
        if not asked:
            return
        state.statistics.rate_limited += 1
        state.slot.narrow(0.0)
        if asked == of:
            raise RateLimited(f"{state.spec.name} asks us to slow down")


def retry_after_seconds(text: str | None) -> float | None:
    """Read ``Retry-After`` in its seconds form, capped; other forms give ``None``.

    Spec: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if text is None or not text.strip().isascii() or not text.strip().isdigit():
        return None
    return min(float(text.strip()[:9]), LONGEST_PAUSE_S)


def _headers(state: _Endpoint, request: Request) -> dict[str, str]:
    headers = dict(state.headers)
    if request.method == "POST":
        headers.setdefault("Content-Type", "application/json")
    return headers


async def _over_http(
    session: aiohttp.ClientSession, state: _Endpoint, request: Request
) -> tuple[int, bytes, bool, str | None]:
    """Return status, body, whether it was all, and ``Retry-After``."""
    async with session.request(
        request.method,
        state.url + request.path,
        data=request.body if request.method == "POST" else None,
        headers=_headers(state, request),
        timeout=aiohttp.ClientTimeout(total=state.spec.timeout_s),
        allow_redirects=False,
    ) as response:
        body, complete = await _read(response, state.spec.max_answer_bytes)
        return response.status, body, complete, response.headers.get("Retry-After")


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """Read the body up to ``limit`` decompressed bytes; the flag says whether that was all."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(1 << 18):
        size += len(piece)
        if size > limit:
            return b"", False
        pieces.append(piece)
    return b"".join(pieces), True
