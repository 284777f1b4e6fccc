"""What a run would ask, of whom, and how long that takes at least: before anything is asked.

Counts follow what each adapter says of itself (``Capabilities``): requests for one group of
questions and for pinning a moment, and the calls in them, which endpoints limit. Retries and
answers that are too large for one request add to them; the dump of a UTXO set is read, not asked.
An endpoint needs at least its calls over its rate and, of its requests, as many at once as its
``concurrency``, one ``ANSWER_MS`` each. Networks are asked beside each other, so that a run takes
as long as its slowest endpoint, signatures and sums apart.

Lists are published after their height. Where endpoints then have to show what has happened since,
the usual count is not the whole of it: ``late`` counts are an estimate of that case, as if every
account had moved a little since and the endpoints no longer knew the height (``Effort``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import NamedTuple

import msgspec

from chains.adapter import Capabilities, Effort
from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainId, QueryKind, Questions
from crawler.asking.plan import Moment, asset_namespace, capabilities
from crawler.settings import World

ANSWER_MS = 100
"""Milliseconds that an answer is assumed to take."""


Counted = tuple[Questions, int]
"""What is asked, and about how many accounts."""


class Load(NamedTuple):
    """Requests, and the calls in them: a request is one call, or an array of several."""

    requests: int
    calls: int

    def plus(self, other: Load) -> Load:
        """Return both together."""
        return Load(self.requests + other.requests, self.calls + other.calls)

    def share(self, of: Fraction) -> Load:
        """Return a part, rounded up."""
        return Load(ceil(self.requests * of), ceil(self.calls * of))


class AskedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The questions of one kind about one asset at one height. ``calls`` are of all endpoints.

    ``late_calls`` are ``calls`` where asking late takes no more.
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
    late_calls: int
    endpoints: tuple[str, ...]
    history: str


class EndpointLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint would get. ``rate``: calls a second, ``"0"``: unlimited.

    ``seconds`` is the least that it needs for them, rounded up; ``late_calls`` and
    ``late_seconds`` are the same of what is asked late.
    """

    name: str
    chain: str
    network: str
    role: str
    calls: int
    rate: str
    concurrency: int
    seconds: int
    late_calls: int
    late_seconds: int


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run. ``seconds`` is the time of the slowest endpoint, ``late_seconds`` if late.

    ``unasked``: chains of which something would be asked and that have no endpoint.
    ``unread_heights``: rows that are not asked about because the list's height cannot be read.
    """

    questions: tuple[AskedGroup, ...]
    endpoints: tuple[EndpointLoad, ...]
    seconds: int
    late_seconds: int
    answer_ms: int = ANSWER_MS
    unasked: tuple[str, ...] = ()
    unread_heights: int = 0


def forecast(
    world: World,
    certain: Sequence[Counted],
    later: Sequence[Counted],
    specs: Sequence[EndpointSpec],
) -> Forecast:
    """Count calls and time, of what is asked in any case and of what may follow. Pure."""
    by_chain: dict[ChainId, list[EndpointSpec]] = defaultdict(list)
    for spec in specs:
        by_chain[spec.chain].append(spec)
    moments = {Moment(q.chain, q.height) for q, _ in (*certain, *later)}
    none = Load(0, 0)
    sums: dict[ChainId, tuple[Load, Load]] = defaultdict(lambda: (none, none))
    groups = []
    for i, (q, number) in enumerate((*certain, *later)):
        own = by_chain[q.chain]
        count, late = (load_of(world, q, number, own, late=late) for late in (False, True))
        sums[q.chain] = sums[q.chain][0].plus(count), sums[q.chain][1].plus(late)
        groups.append(
            AskedGroup(
                chain=q.chain,
                network=world.chains[q.chain].name,
                height=q.height,
                kind=q.kind.value,
                asset=q.asset,
                questions=number,
                certain=i < len(certain),
                calls=count.calls,
                late_calls=late.calls,
                endpoints=tuple(spec.name for spec in own if spec.role == "primary"),
                history=capabilities(world.chains[q.chain]).history,
            )
        )
    loads = [
        one
        for chain in sorted(sums)
        for one in _loads(
            world, by_chain[chain], sums[chain], sum(moment.chain == chain for moment in moments)
        )
    ]
    return Forecast(
        questions=tuple(groups),
        endpoints=tuple(loads),
        seconds=max((one.seconds for one in loads), default=0),
        late_seconds=max((one.late_seconds for one in loads), default=0),
        unasked=tuple(chain for chain in sorted(sums) if not by_chain[chain]),
    )


def load_of(
    world: World,
    asked: Questions,
    count: int,
    specs: Sequence[EndpointSpec],
    *,
    late: bool = False,
) -> Load:
    """Return what ``count`` such questions take, pinning apart; or take ``late``."""
    can = capabilities(world.chains[asked.chain])
    if asked.kind in can.calls or asked.kind is QueryKind.PROOF:
        single = can.calls.get(asked.kind, 1) * count
        return Load(single, single)
    efforts = [_usual(can)]
    if asked.kind is QueryKind.BALANCE:
        efforts = [_effort(can, asked.asset, specs, late=one) for one in {False, late}]
    declared = [spec.batch for spec in specs if spec.batch and can.batch > 1]
    return max(_counted(one, count, [one.batch or can.batch, *declared]) for one in efforts)


def _usual(can: Capabilities) -> Effort:
    return Effort(each=can.requests_each, a_batch=can.requests_a_batch)


def _effort(
    can: Capabilities, asset: AssetId, specs: Sequence[EndpointSpec], *, late: bool
) -> Effort:
    """Return what balances of an asset take of these endpoints."""
    asked = [spec for spec in specs if not spec.is_file]
    lines = bool(asked) and all(spec.speaks_lines for spec in asked)
    fitting = [
        one
        for one in can.efforts
        if one.late <= late
        and one.over_lines == lines
        and one.asset in ("", asset_namespace(asset))
    ]
    return max(fitting, key=lambda one: (one.late, one.asset), default=_usual(can))


def _counted(effort: Effort, count: int, batches: Sequence[int]) -> Load:
    batches_asked = -(-count // min(batches))
    requests = ceil(count * Fraction(effort.each)) + batches_asked * effort.a_batch
    if not effort.calls_each:
        return Load(requests, requests)
    calls = ceil(count * Fraction(effort.calls_each)) + batches_asked * effort.calls_a_batch
    return Load(requests, calls)


def _loads(
    world: World, specs: Sequence[EndpointSpec], sums: tuple[Load, Load], moments: int
) -> list[EndpointLoad]:
    """Share what is asked of one chain, in time and late."""
    in_time, late = (_shared(specs, one) for one in sums)
    found = []
    for spec in (spec for spec in specs if not spec.is_file):
        chain = world.chains[spec.chain]
        pins = moments * capabilities(chain).pinning
        calls, late_calls = (pins + one[spec.name].calls for one in (in_time, late))
        found.append(
            EndpointLoad(
                name=spec.name,
                chain=spec.chain,
                network=chain.name,
                role=spec.role,
                calls=calls,
                rate=spec.rate,
                concurrency=spec.concurrency,
                seconds=_seconds(spec, in_time[spec.name], pins),
                late_calls=late_calls,
                late_seconds=_seconds(spec, late[spec.name], pins),
            )
        )
    return found


def _shared(specs: Sequence[EndpointSpec], asked: Load) -> dict[str, Load]:
    """Share the requests of one chain; primaries by their speed, witnesses are asked all again."""
    if any(spec.is_file for spec in specs):
        return {spec.name: Load(0, 0) for spec in specs}
    speeds = {spec.name: _speed(spec, asked) for spec in specs if spec.role == "primary"}
    together = sum(speeds.values())
    whole = Fraction(1)
    return {
        spec.name: asked.share(speeds[spec.name] / together if spec.name in speeds else whole)
        for spec in specs
    }


def _seconds(spec: EndpointSpec, asked: Load, pins: int) -> int:
    """Return the least time for requests and calls, and as many calls to pin."""
    together = asked.plus(Load(pins, pins))
    return ceil(together.calls / _speed(spec, together))


def _speed(spec: EndpointSpec, asked: Load) -> Fraction:
    """Return the calls a second that an endpoint gets at most of such requests."""
    answered = Fraction(spec.concurrency * 1000, ANSWER_MS)
    if asked.requests:
        answered *= Fraction(asked.calls, asked.requests)
    return min(answered, spec.per_second) if spec.per_second else answered
