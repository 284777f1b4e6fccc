"""Which blocks the shipped configuration asks for, so that no branch passes for another."""

from __future__ import annotations

import msgspec
import pytest

from chains.adapters.bip122.params import Params
from chains.errors import ConfigError
from chains.model import ChainSpec
from crawler.settings import load_world

pytestmark = pytest.mark.unit

BITCOIN = "bip122:000000000019d6689c085ae165831e93"
CASH = "bip122:000000000000000000651ef99cb9fcbe"
SV = "bip122:000000000000000001d956714215d96f"
ECASH = "bip122:000000000000000004284c9d8b2c8ff7"


def spec(chain: str) -> ChainSpec:
    return next(one for one in load_world().chains.values() if one.id == chain)


@pytest.mark.parametrize(
    ("one", "other", "forked"),
    [(BITCOIN, CASH, 478_559), (CASH, SV, 556_767), (CASH, ECASH, 661_648)],
    ids=["bitcoin-cash", "bitcoin-sv", "ecash"],
)
def test_branches_differ_in_the_block_of_their_fork(one: str, other: str, forked: int) -> None:
    shown, expected = (Params.of(spec(chain)).anchors(forked) for chain in (one, other))
    assert shown[0] == expected[0]
    assert set(shown) == set(expected) == {0, forked}
    assert shown[forked] != expected[forked]
    assert set(Params.of(spec(one)).anchors(478_558)) == {0}


def test_every_height_after_a_fork_asks_for_a_block_after_it() -> None:
    for chain, forks in ((BITCOIN, [478_559]), (CASH, [478_559, 556_767, 661_648])):
        for fork in forks:
            for height in (fork, fork + 1, 1_000_000):
                assert max(Params.of(spec(chain)).anchors(height)) >= fork


@pytest.mark.parametrize("flag", ["scan_names_block", "cash_tokens"])
def test_a_flag_is_true_or_false(flag: str) -> None:
    cash = spec(CASH)
    wrong = msgspec.structs.replace(cash, params={**cash.params, flag: "yes"})
    with pytest.raises(ConfigError):
        Params.of(wrong)
