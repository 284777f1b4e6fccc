"""What a run would ask, of whom, and how long that takes at least: before anything is asked.

Counts follow what each adapter says of itself (``Capabilities``): requests for one group of
questions and for pinning a moment. Retries and answers that are too large for one request add to
them; the dump of a UTXO set is read, not asked. An endpoint needs at least its requests over its
rate, and, as many at once as its ``concurrency``, one ``ANSWER_MS`` each. Networks are asked beside
each other, so that a run takes as long as its slowest endpoint, signatures and sums apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import msgspec

from chains.endpoints import EndpointSpec
from chains.model import ChainId, QueryKind, Questions
from crawler.asking.plan import Moment, capabilities
from crawler.settings import World

ANSWER_MS = 100
"""Milliseconds that an answer is assumed to take."""


Counted = tuple[Questions, int]
"""What is asked, and about how many accounts."""


class AskedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The questions of one kind about one asset at one height. ``calls`` are of all endpoints.

    Not ``certain`` are those that only answers will ask. ``history`` is the network's word
    (``crawler.support.networks.HISTORY``).
    """

    chain: str
    network: str
    height: int
    kind: str
    asset: str
    questions: int
    certain: bool
    calls: int
    endpoints: tuple[str, ...]
    history: str


class EndpointLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint would get. ``rate``: requests a second, ``"0"``: unlimited.

    ``seconds`` is the least that it needs for them, rounded up.
    """

    name: str
    chain: str
    network: str
    role: str
    calls: int
    rate: str
    concurrency: int
    seconds: int


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run. ``seconds`` is the time of the slowest endpoint.

    ``unasked``: chains of which something would be asked and that have no endpoint.
    """

    questions: tuple[AskedGroup, ...]
    endpoints: tuple[EndpointLoad, ...]
    seconds: int
    answer_ms: int = ANSWER_MS
    unasked: tuple[str, ...] = ()


def forecast(
    world: World,
    certain: Sequence[Counted],
    later: Sequence[Counted],
    specs: Sequence[EndpointSpec],
) -> Forecast:
    """Count requests and time, of what is asked in any case and of what may follow. Pure."""
    by_chain: dict[ChainId, list[EndpointSpec]] = defaultdict(list)
    for spec in specs:
        by_chain[spec.chain].append(spec)
    moments = {Moment(q.chain, q.height) for q, _ in (*certain, *later)}
    calls: dict[ChainId, int] = defaultdict(int)
    groups = []
    for i, (q, number) in enumerate((*certain, *later)):
        own = by_chain[q.chain]
        count = requests(world, q, number, own)
        calls[q.chain] += count
        groups.append(
            AskedGroup(
                chain=q.chain,
                network=world.chains[q.chain].name,
                height=q.height,
                kind=q.kind.value,
                asset=q.asset,
                questions=number,
                certain=i < len(certain),
                calls=count,
                endpoints=tuple(spec.name for spec in own if spec.role == "primary"),
                history=capabilities(world.chains[q.chain]).history,
            )
        )
    loads = [
        one
        for chain in sorted(calls)
        for one in _loads(
            world, by_chain[chain], calls[chain], sum(moment.chain == chain for moment in moments)
        )
    ]
    return Forecast(
        questions=tuple(groups),
        endpoints=tuple(loads),
        seconds=max((one.seconds for one in loads), default=0),
        unasked=tuple(chain for chain in sorted(calls) if not by_chain[chain]),
    )


def requests(world: World, asked: Questions, count: int, specs: Sequence[EndpointSpec]) -> int:
    """Return how many requests ``count`` such questions take, pinning apart."""
    can = capabilities(world.chains[asked.chain])
    if asked.kind in can.requests:
        return can.requests[asked.kind] * count
    if asked.kind is QueryKind.PROOF:
        return count
    batch = can.batch
    if can.batch > 1:
        batch = min([batch, *(spec.batch for spec in specs if spec.batch)])
    return ceil(count * Fraction(can.requests_each)) - (-count // batch) * can.requests_a_batch


def _loads(
    world: World, specs: Sequence[EndpointSpec], calls: int, moments: int
) -> list[EndpointLoad]:
    """Share the requests of one chain; primaries by their speed, witnesses are asked all again."""
    asked = [spec for spec in specs if not spec.is_file]
    speed = {spec.name: _speed(spec) for spec in asked}
    together = sum(speed[spec.name] for spec in asked if spec.role == "primary")
    by_file = any(spec.is_file for spec in specs)
    found = []
    for spec in asked:
        own = 0 if by_file else calls
        if spec.role == "primary":
            own = ceil(own * speed[spec.name] / together)
        chain = world.chains[spec.chain]
        own += moments * capabilities(chain).pinning
        found.append(
            EndpointLoad(
                name=spec.name,
                chain=spec.chain,
                network=chain.name,
                role=spec.role,
                calls=own,
                rate=spec.rate,
                concurrency=spec.concurrency,
                seconds=ceil(own / speed[spec.name]),
            )
        )
    return found


def _speed(spec: EndpointSpec) -> Fraction:
    """Return the requests a second that an endpoint gets at most."""
    answered = Fraction(spec.concurrency * 1000, ANSWER_MS)
    return min(answered, spec.per_second) if spec.per_second else answered
