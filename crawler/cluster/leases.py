"""Which worker may ask an endpoint how hard, and until when.

All workers together never ask harder than is declared. Each endpoint has so many slots and a rate;
the workers that have shards of its chain share them equally. What one is to get more, another must
have given up before, or its lease must have run out: a worker that is lost, or cannot be reached,
stops by itself at that time. Nothing here talks to anybody or reads a clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec

from chains.endpoints import EndpointSpec
from chains.model import ChainId
from crawler.cluster.wire import Share

Shares = Mapping[str, Share]
"""By endpoint."""


class _Held(msgspec.Struct):
    """What a worker may be using of an endpoint, at most, and until when."""

    slots: int
    rate: Fraction
    until: float


class Leases:
    """The shares of all workers. Times are seconds of one monotonic clock."""

    def __init__(self, endpoints: Sequence[EndpointSpec]) -> None:
        self._endpoints = {spec.name: spec for spec in endpoints}
        self._of_chain: dict[ChainId, list[EndpointSpec]] = defaultdict(list)
        for spec in endpoints:
            self._of_chain[spec.chain].append(spec)
        self._held: dict[str, dict[str, _Held]] = defaultdict(dict)

    def width(self, chain: ChainId) -> int:
        """Return how many workers may ask a chain at once: each needs a slot of every endpoint.

        Nor more than there are whole calls per second, since each worker may begin with one.
        """
        found = self._of_chain[chain]
        rates = [int(spec.per_second) for spec in found if spec.per_second]
        return max(1, min([*(spec.concurrency for spec in found), *rates], default=1))

    def targets(self, wanted: Mapping[str, Mapping[ChainId, int]]) -> dict[str, Shares]:
        """Return what each worker should have, where ``wanted`` counts its shards by chain."""
        found: dict[str, dict[str, Share]] = {worker: {} for worker in wanted}
        for chain, endpoints in self._of_chain.items():
            asking = [worker for worker in sorted(wanted) if wanted[worker].get(chain)]
            asking.sort(key=lambda worker: not self._has_any(worker, endpoints))
            chosen = asking[: self.width(chain)]
            for place, worker in enumerate(chosen):
                for spec in endpoints:
                    slots, left = divmod(spec.concurrency, len(chosen))
                    rate = str(spec.per_second / len(chosen))
                    found[worker][spec.name] = Share(slots + (place < left), rate)
        return dict(found)

    def gives_up(self, worker: str, target: Shares) -> bool:
        """Tell whether a worker has more of something than it should have."""
        return any(
            held.slots > target.get(name, Share()).slots
            or (held.slots > 0 and held.rate > target.get(name, Share()).per_second)
            for name, held in self._held[worker].items()
        )

    def grant(self, worker: str, target: Shares, now: float, until: float) -> Shares:
        """Return as much of ``target`` as nobody else may be using.

        From now on it counts as used, until ``until`` if nothing is heard from the worker.
        """
        found: dict[str, Share] = {}
        for name, wish in target.items():
            spec = self._endpoints[name]
            others = [
                held[name]
                for other, held in self._held.items()
                if other != worker and name in held and held[name].until > now
            ]
            slots = min(wish.slots, spec.concurrency - sum(one.slots for one in others))
            rate = wish.per_second
            if spec.per_second:
                rate = min(rate, spec.per_second - sum(one.rate for one in others))
            if slots > 0 and (rate > 0 or not spec.per_second):
                found[name] = Share(slots, str(rate))
        mine = self._held[worker]
        for name in {*mine, *found}:
            share = found.get(name, Share())
            before = mine.get(name)
            if before is None or before.until <= now:
                before = _Held(0, Fraction(0), until)
            mine[name] = _Held(
                max(before.slots, share.slots), max(before.rate, share.per_second), until
            )
        return found

    def heard(
        self, worker: str, shares: Shares, under_way: Mapping[str, int], until: float
    ) -> None:
        """Take in that a worker has these shares now and no others.

        A request that is under way still holds its slot.
        """
        self._held[worker] = {
            name: _Held(max(share.slots, under_way.get(name, 0)), share.per_second, until)
            for name in {*shares, *under_way}
            for share in [shares.get(name, Share())]
            if share.slots or under_way.get(name, 0)
        }

    def _has_any(self, worker: str, endpoints: Sequence[EndpointSpec]) -> bool:
        return any(spec.name in self._held[worker] for spec in endpoints)
