"""Leases under any sequence of workers that come, go, fall silent or hear nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.cluster.leases import Leases
from tests.unit.test_cluster_leases import CHAIN, OTHER, Clock, endpoint

pytestmark = pytest.mark.property

WORKERS = ("w1", "w2", "w3", "w4")
STEPS = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from(WORKERS),
            st.dictionaries(st.sampled_from((CHAIN, OTHER)), st.integers(0, 3)),
        ),
        st.sets(st.sampled_from(WORKERS)),
        st.sets(st.sampled_from(WORKERS)),
        st.sampled_from((0.0, 0.1, 2.0, 7.0, 12.0)),
    ),
    max_size=12,
)


@given(steps=STEPS, slots=st.integers(1, 9), rate=st.sampled_from(("0.3", "1", "7", "20")))
def test_all_together_never_hold_more_than_is_declared(steps, slots: int, rate: str) -> None:
    endpoints = [
        endpoint("a", concurrency=slots, rate=rate),
        endpoint("b", concurrency=3, rate="5"),
        endpoint("c", OTHER, concurrency=2, rate="2"),
    ]
    clock = Clock(Leases(endpoints))
    for wanted, silent, deaf, passing in steps:
        clock.round(wanted, silent=silent, deaf=deaf)
        clock.now += passing
        clock.check()


@given(count=st.integers(1, 4), slots=st.integers(1, 9), rate=st.sampled_from(("1", "7")))
def test_when_all_answer_everything_is_given_out(count: int, slots: int, rate: str) -> None:
    clock = Clock(Leases([endpoint("a", concurrency=slots, rate=rate)]))
    wanted = {worker: {CHAIN: 1} for worker in WORKERS[:count]}
    for _ in range(3):
        clock.round(wanted)
    shares = [one["a"] for one, _ in clock.using.values() if "a" in one]
    assert sum(share.slots for share in shares) == slots
    assert sum(share.per_second for share in shares) == int(rate)
