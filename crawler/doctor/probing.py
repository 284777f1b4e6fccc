"""Probing the endpoints before a run: each with the real calls, at the real heights.

Everything goes through the adapters, one endpoint at a time, so that what is found is what a run
will meet: which chain it serves, whether it can name the block and holds its state, how far back,
how many questions it takes in one request, how many calls a second. Nothing is asked faster
than the endpoint's declared rate; a host that is not this machine and declares none is asked at
most five times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from itertools import cycle
from math import ceil
from typing import Any
from urllib.parse import urlsplit

import msgspec

from chains import adapters, heads
from chains.adapter import ChainAdapter
from chains.endpoints import DEFAULT_RATE, EndpointSpec
from chains.errors import ChainError
from chains.jsonrpc import calls_in
from chains.model import ChainSpec, Exchange, Gap, QueryKind, Questions, Request, Snapshot
from chains.pinning import stood
from chains.transport import HttpTransport, RetryPolicy
from crawler.asking.plan import capabilities
from crawler.crawling.decoding import DEFECTS, decode
from crawler.endpoints import is_loopback

ONCE = RetryPolicy(attempts=1, total_s=30.0)
MOST_LOOKS = 10
"""Older heights that are tried: the answer is as exact as a thousandth of the height."""
NEIGHBOURS = 3
"""Slots in a row that may be without a block."""
SAMPLE = 10
"""Accounts of the list that are asked about at least, where there are as many."""
RATE_S = 3
MOST_CALLS = 60
MOST_HALVINGS = 4
REFUSING = frozenset(
    {
        "answer-too-large",
        "call-failed",
        "malformed-answer",
        "refused",
        "rpc-error",
        "server-error",
        "timeout",
        "truncated-answer",
        "unreachable",
    }
)
"""How endpoints say that a request asks too much at once."""
CONTRADICTING = frozenset({"wrong-chain", "endpoints-disagree"})


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint showed.

    ``blocks`` maps each height that was asked to the block's hash or, in ``failed``, to the
    reason. ``oldest`` is the lowest height at which it named the block and its canary, of those
    that were tried; ``older`` is why the next lower one failed. ``batch``: questions that one
    request took, of ``tried`` at most; 0: not tried. ``rate``: calls a second, ``"0"``:
    unlimited; ``limited``: it asked to slow down at a higher one. ``gaps`` counts the questions
    of the trial that had no answer. ``proofs``: it proved a balance of the trial; ``unproven`` is
    why it did not, where its adapter can ask for proofs. ``stands``: by height, whether its
    head was that block, on networks whose nodes know no other state (``history`` is ``held``).
    ``wanted``: somebody asked for these heights; they are not just where the endpoint was.
    """

    name: str
    chain: str
    network: str
    url: str
    role: str
    head: int | None
    head_reason: str = ""
    blocks: Mapping[str, str] = {}
    failed: Mapping[str, str] = {}
    detail: str = ""
    oldest: int | None = None
    older: str = ""
    batch: int = 0
    tried: int = 0
    rate: str
    limited: bool = False
    answered: int = 0
    gaps: Mapping[str, int] = {}
    history: str
    methods: tuple[str, ...]
    proofs: bool
    unproven: str = ""
    stands: Mapping[str, bool] = {}
    wanted: bool = True

    @property
    def past(self) -> tuple[str, ...]:
        """The heights that its head has left behind."""
        return tuple(height for height, there in self.stands.items() if not there)

    @property
    def fine(self) -> bool:
        """Whether a run can use it for what was asked."""
        told = self.answered or not self.wanted or not self.past
        return bool(self.blocks) and not self.failed and not self.gaps and bool(told)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint's chain is tried with: heights, and questions of the list at the first.

    ``wanted``: the heights are those of a list or were given, and not the endpoints' own head.
    """

    heights: tuple[int, ...] = ()
    questions: Questions | None = None
    wanted: bool = True


async def common_head(chain: ChainSpec, specs: Sequence[EndpointSpec]) -> tuple[int, ...]:
    """Return the newest final block that all of these endpoints have that tell one, if any does."""
    found: list[int] = []
    for spec in map(_polite, specs):
        async with _connected(chain, spec) as (adapter, transport):
            told = (await heads.heads(adapter, transport))[spec.name]
            found += [told] if isinstance(told, int) else []
    return (min(found),) if found else ()


async def probe(chain: ChainSpec, spec: EndpointSpec, trial: Trial) -> Probe:
    """Ask one endpoint; never raises for what it answers."""
    can = capabilities(chain)
    spec = _polite(spec)
    async with _connected(chain, spec) as (adapter, transport):
        told = (await heads.heads(adapter, transport))[spec.name]
        pins = {height: await _pin(adapter, transport, height) for height in trial.heights}
        good = {height: one for height, one in pins.items() if isinstance(one, Snapshot)}
        failed = {height: one for height, one in pins.items() if isinstance(one, Gap)}
        oldest, older = await _oldest(adapter, transport, min(good)) if good else (None, "")
        shown = await _requests(adapter, min(good)) if good else ()
    found = Probe(
        name=spec.name,
        chain=chain.id,
        network=chain.name,
        url=str(spec.redacted()["url"]),
        role=spec.role,
        head=told if isinstance(told, int) else None,
        head_reason=told.reason if isinstance(told, Gap) else "",
        blocks={str(height): one.block_hash for height, one in good.items()},
        failed={str(height): one.reason for height, one in failed.items()},
        detail=next((one.detail for one in failed.values() if one.detail), ""),
        oldest=oldest,
        older=older,
        rate=spec.rate,
        history=can.history,
        methods=tuple(method.value for method in can.methods),
        proofs=can.proofs and not can.proof_questions,
        unproven="not-answered" if can.proof_questions else "",
        stands={str(height): bool(stood(one)) for height, one in good.items()}
        if can.history == "held"
        else {},
        wanted=trial.wanted,
    )
    if not good or spec.is_file:
        return found
    if trial.questions is not None and trial.questions.height in good:
        at = good[trial.questions.height]
        found = msgspec.structs.replace(found, **await _batch(chain, spec, trial.questions, at))
        if can.proof_questions:
            unproven = await _unproven(chain, spec, trial.questions, at)
            found = msgspec.structs.replace(found, proofs=not unproven, unproven=unproven)
    rate, limited = await _rate(chain, spec, shown)
    return msgspec.structs.replace(found, rate=rate, limited=limited)


def _polite(spec: EndpointSpec) -> EndpointSpec:
    """Limit the rate of what is not this machine."""
    host = urlsplit(spec.resolved_url()).hostname or ""
    if spec.per_second or spec.is_file or is_loopback(host):
        return spec
    return msgspec.structs.replace(spec, rate=DEFAULT_RATE)


@contextlib.asynccontextmanager
async def _connected(
    chain: ChainSpec, spec: EndpointSpec
) -> AsyncIterator[tuple[ChainAdapter, HttpTransport]]:
    """Give an adapter that knows this endpoint alone."""
    answering = capabilities(chain).answering
    async with HttpTransport(chain.id, [spec], ONCE, answering) as transport:
        yield adapters.load(chain.adapter)(chain, transport), transport


async def _pin(adapter: ChainAdapter, transport: HttpTransport, height: int) -> Snapshot | Gap:
    """Pin a height; why that failed is a ``Gap``, never an exception."""
    try:
        at = adapter.snapshot(height, await adapter.pin(height))
    except ChainError as error:
        return Gap(error.code, detail=transport.redact(str(error)))
    except DEFECTS as error:
        return Gap("adapter-error", detail=transport.redact(f"{type(error).__name__}: {error}"))
    if not at.endpoints:
        return Gap(next(iter(at.rejected.values()), "no-usable-endpoint"))
    return at


async def _oldest(adapter: ChainAdapter, transport: HttpTransport, known: int) -> tuple[int, str]:
    """Look for the lowest height that can be pinned; returns it and why a lower one cannot be."""
    low, high, reason = -1, known, ""
    for _ in range(MOST_LOOKS):
        middle = (low + high) // 2
        if middle <= low or middle >= high:
            break
        shown: Snapshot | Gap = Gap("slot-skipped")
        for height in range(middle, min(middle + NEIGHBOURS, high)):
            shown = await _pin(adapter, transport, height)
            if isinstance(shown, Snapshot) or shown.reason != "slot-skipped":
                break
        if isinstance(shown, Gap):
            low, reason = middle, shown.reason
        else:
            high = shown.height
    return high, reason


async def _requests(adapter: ChainAdapter, height: int) -> tuple[Request, ...]:
    """Return the requests of a pin: what the rate is tried with."""
    exchanges: Sequence[Exchange] = await adapter.pin(height)
    return tuple(dict.fromkeys(exchange.request for exchange in exchanges))


async def _batch(
    chain: ChainSpec, spec: EndpointSpec, questions: Questions, at: Snapshot
) -> dict[str, Any]:
    """Ask a full request of the list's own questions, and half of it while that is refused."""
    size = min(spec.batch or capabilities(chain).batch, len(questions.accounts))
    tried = size
    while True:
        accounts = questions.accounts[: max(size, SAMPLE)]
        asked = msgspec.structs.replace(questions, accounts=accounts)
        own = msgspec.structs.replace(spec, batch=size)
        async with _connected(chain, own) as (adapter, _):
            gaps = await _ask(adapter, asked, at)
        refused = gaps.total() == len(accounts) and REFUSING.issuperset(gaps)
        if not refused or size == 1:
            break
        size //= 2
    return {
        "batch": 0 if refused else size,
        "tried": tried,
        "answered": len(accounts) - gaps.total(),
        "gaps": dict(sorted(gaps.items())),
    }


async def _unproven(
    chain: ChainSpec, spec: EndpointSpec, questions: Questions, at: Snapshot
) -> str:
    """Ask for the proof of one coin balance; returns why there is none, ``""`` where it holds."""
    asked = msgspec.structs.replace(
        questions, kind=QueryKind.PROOF, asset=chain.native, accounts=questions.accounts[:1]
    )
    async with _connected(chain, spec) as (adapter, _):
        return next(iter(await _ask(adapter, asked, at)), "")


async def _ask(adapter: ChainAdapter, questions: Questions, at: Snapshot) -> Counter[str]:
    """Ask and decode; returns the reasons of the questions that had no answer."""
    gaps: Counter[str] = Counter()
    left = len(questions.accounts)
    try:
        async for extract in adapter.extract(questions, at):
            answers = decode(adapter, questions, extract, at)
            gaps.update(gap.reason for gap in answers.gaps.values())
            left -= len(answers.positions)
    except ChainError as error:
        gaps[error.code] += left
    except DEFECTS:
        gaps["adapter-error"] += left
    return gaps


async def _rate(
    chain: ChainSpec, spec: EndpointSpec, requests: Sequence[Request]
) -> tuple[str, bool]:
    """Send the requests of a pin for some seconds at the declared rate; halve it when told to.

    Returns the rate at which nothing was refused, and whether a higher one was.
    """
    rate = Decimal(spec.rate)
    for halved in range(MOST_HALVINGS):
        text = f"{rate.normalize():f}"
        own = msgspec.structs.replace(spec, rate=text)
        turns = _turns(requests, min(MOST_CALLS, ceil(rate * RATE_S)) if rate else MOST_CALLS)
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with _connected(chain, own) as (_, transport):
            await asyncio.gather(*(transport.exchange(one, spec.name) for one in turns))
            limited = transport.statistics[spec.name].rate_limited
        if not limited:
            return text, halved > 0
        if not rate:  # unlimited so far: begin with what it really took
            mean = sum(calls_in(one.body) for one in turns) / len(turns)
            passed = max(len(turns) - limited, 1) * mean / max(loop.time() - started, 1.0)
            rate = Decimal(max(int(passed), 1))
        else:
            rate /= 2
    return f"{rate.normalize():f}", True


def _turns(requests: Sequence[Request], calls: int) -> list[Request]:
    """Return requests in turn, as many as have ``calls`` in them, at least one."""
    turns: list[Request] = []
    for request in cycle(requests):
        calls -= calls_in(request.body)
        if calls < 0 and turns:
            break
        turns.append(request)
    return turns


def trial_of(asked: Sequence[Questions], heights: Sequence[int]) -> Trial:
    """Choose what a chain is tried with: all heights, and the largest group of balances."""
    balances = [one for one in asked if one.kind is QueryKind.BALANCE]
    largest = max(balances, key=lambda one: len(one.accounts), default=None)
    if largest is not None and heights:
        largest = msgspec.structs.replace(largest, height=heights[0])
    found = heights or sorted({one.height for one in balances})
    return Trial(heights=tuple(found), questions=largest)
