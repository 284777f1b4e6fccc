"""Every target of ``tests/fuzz`` for a moment: its seeds, what broke once, and some mutations.

Campaigns that are guided by coverage are run by ``make fuzz-guided``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target, leave_place
from tests.fuzz.targets import TARGETS
from tests.fuzzing import inputs

pytestmark = pytest.mark.property

TRIED = inputs(40)


@pytest.fixture(autouse=True)
def own_place() -> Iterator[None]:
    yield
    leave_place()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds_and_some_mutations_hold_what_the_target_promises(target: Target) -> None:
    seeds = target.seeds()
    assert seeds
    for seed in seeds:
        target.timed(seed)
    rng = random.Random(target.name)
    for _ in range(TRIED):
        data = mutated(seeds, rng)
        try:
            target.timed(data)
        except Exception as error:
            raise AssertionError(f"{target.name}: {data[:2000]!r}") from error


def test_a_target_that_breaks_is_told() -> None:
    def check(data: bytes) -> None:
        assert b"\xff" not in data

    broken = Target("broken", lambda: [b"seed"], check)
    with pytest.raises(AssertionError):
        test_seeds_and_some_mutations_hold_what_the_target_promises(broken)
