"""All workers together never hold more than is declared, whoever comes, goes or is silent."""

from __future__ import annotations

from fractions import Fraction

import pytest

from chains.endpoints import EndpointSpec
from chains.model import ChainId
from crawler.cluster.leases import Leases
from crawler.cluster.wire import Share

pytestmark = pytest.mark.unit

CHAIN = ChainId("eip155:1")
OTHER = ChainId("eip155:10")


def endpoint(name: str, chain: ChainId = CHAIN, concurrency: int = 4, rate: str = "8"):
    url = f"https://{name}.example"
    return EndpointSpec(name=name, chain=chain, url=url, concurrency=concurrency, rate=rate)


class Clock:
    """Workers that answer, on a clock that the test moves; knows what each may use by its own."""

    def __init__(self, leases: Leases, lasting: float = 6.0) -> None:
        self.leases = leases
        self.lasting = lasting
        self.now = 0.0
        self.using: dict[str, tuple[dict[str, Share], float]] = {}
        self.busy: dict[str, dict[str, int]] = {}

    def round(self, wanted, silent=(), deaf=()):
        """Lease once. The answers of ``silent`` workers are lost; ``deaf`` ones get no lease."""
        targets = self.leases.targets(wanted)
        giving = [one for one in wanted if self.leases.gives_up(one, targets[one])]
        for one in [*giving, *(one for one in wanted if one not in giving)]:
            until = self.now + self.lasting
            shares = dict(self.leases.grant(one, targets[one], self.now, until + 3))
            if one in deaf:
                continue
            self.using[one] = (shares, until)
            if one not in silent:
                self.leases.heard(one, shares, self.busy.get(one, {}), until)
            self.check()

    def check(self):
        """Nobody exceeds what is declared, by the workers' own view of their leases."""
        slots: dict[str, int] = {}
        rates: dict[str, Fraction] = {}
        for shares, until in self.using.values():
            for name, share in shares.items() if until > self.now else ():
                slots[name] = slots.get(name, 0) + share.slots
                rates[name] = rates.get(name, Fraction(0)) + share.per_second
        for name, spec in self.leases._endpoints.items():
            assert slots.get(name, 0) <= spec.concurrency
            assert not spec.per_second or rates.get(name, 0) <= spec.per_second

    def slots(self, worker, name):
        return self.using[worker][0].get(name, Share()).slots


def wanting(*workers, chain=CHAIN):
    return {worker: {chain: 1} for worker in workers}


def test_one_worker_gets_all_and_several_get_equal_parts():
    clock = Clock(Leases([endpoint("a", concurrency=5)]))
    clock.round(wanting("w1"))
    assert clock.using["w1"][0] == {"a": Share(5, "8")}
    clock.round(wanting("w1", "w2"))
    assert clock.using["w1"][0] == {"a": Share(3, "4")}
    assert clock.using["w2"][0] == {"a": Share(2, "4")}
    clock.round(wanting("w1", "w2", "w3"))
    assert [clock.using[one][0]["a"] for one in ("w1", "w2", "w3")] == [
        Share(2, "8/3"),
        Share(2, "8/3"),
        Share(1, "8/3"),
    ]


def test_who_has_no_shards_of_a_chain_gets_nothing_of_it():
    clock = Clock(Leases([endpoint("a"), endpoint("b", OTHER)]))
    clock.round({"w1": {CHAIN: 2}, "w2": {OTHER: 1}, "w3": {}})
    assert clock.using["w1"][0] == {"a": Share(4, "8")}
    assert clock.using["w2"][0] == {"b": Share(4, "8")}
    assert clock.using["w3"][0] == {}


def test_no_more_workers_than_the_narrowest_endpoint_can_bear():
    clock = Clock(Leases([endpoint("a", concurrency=64, rate="100"), endpoint("b", concurrency=2)]))
    assert clock.leases.width(CHAIN) == 2
    clock.round(wanting("w1", "w2", "w3"))
    assert [clock.slots(one, "b") for one in ("w1", "w2", "w3")] == [1, 1, 0]
    assert [clock.slots(one, "a") for one in ("w1", "w2", "w3")] == [32, 32, 0]
    clock.round({"w1": {}, **wanting("w2", "w3")})
    assert [clock.slots(one, "b") for one in ("w1", "w2", "w3")] == [0, 1, 1]


@pytest.mark.parametrize(("rate", "width"), [("1", 1), ("0.5", 1), ("3", 3), ("0", 4), ("100", 4)])
def test_no_more_workers_than_whole_requests_per_second(rate: str, width: int):
    own = endpoint("a", rate=rate)
    assert Leases([own]).width(CHAIN) == width


def test_whoever_holds_a_share_keeps_it_before_a_newcomer():
    clock = Clock(Leases([endpoint("a", concurrency=1, rate="1")]))
    clock.round(wanting("w2"))
    for _ in range(3):
        clock.round(wanting("w1", "w2"))
        assert (clock.slots("w1", "a"), clock.slots("w2", "a")) == (0, 1)


def test_the_share_of_a_lost_worker_is_given_on_only_after_its_lease():
    clock = Clock(Leases([endpoint("a")]))
    clock.round(wanting("w1", "w2"))
    clock.now = 1.0
    clock.round(wanting("w1"))
    assert clock.using["w1"][0] == {"a": Share(2, "4")}
    clock.now = 5.9
    clock.round(wanting("w1"))
    assert clock.using["w1"][0] == {"a": Share(2, "4")}
    clock.now = 6.1
    clock.round(wanting("w1"))
    assert clock.using["w1"][0] == {"a": Share(4, "8")}


def test_whose_answer_is_lost_may_have_the_lease_all_the_same():
    clock = Clock(Leases([endpoint("a")]))
    clock.round(wanting("w1"), silent=("w1",))
    clock.round(wanting("w1", "w2"), silent=("w1",))
    assert clock.slots("w2", "a") == 0
    clock.now = 3.0
    clock.round(wanting("w1", "w2"))
    assert clock.slots("w2", "a") == 2


def test_a_worker_that_does_not_hear_that_it_must_give_up_blocks_its_share():
    clock = Clock(Leases([endpoint("a")]))
    clock.round(wanting("w1"))
    for now in (1.0, 3.0, 5.0):
        clock.now = now
        clock.round(wanting("w1", "w2"), deaf=("w1",))
        assert clock.slots("w2", "a") == 0


def test_a_request_that_is_under_way_still_holds_its_slot():
    clock = Clock(Leases([endpoint("a")]))
    clock.busy = {"w1": {"a": 4}}
    clock.round(wanting("w1"))
    clock.round(wanting("w1", "w2"))
    assert clock.slots("w1", "a") == 2
    assert clock.slots("w2", "a") == 0
    clock.busy = {"w1": {"a": 2}}
    clock.round(wanting("w1", "w2"))
    clock.round(wanting("w1", "w2"))
    assert clock.slots("w2", "a") == 2


def test_an_unlimited_rate_stays_unlimited_and_slots_are_shared():
    clock = Clock(Leases([endpoint("a", rate="0")]))
    clock.round(wanting("w1", "w2"))
    assert clock.using["w1"][0] == {"a": Share(2, "0")}
