"""What the chain shows about control, and what it makes of those who signed."""

from __future__ import annotations

import pytest

from chains.control import Authority, ControlFacts, decode, encode
from crawler.asking.control import judge_contract, judge_signers

pytestmark = pytest.mark.unit

ONE, TWO, THREE, POD = ("0x" + digit * 40 for digit in "1aB7")
NOBODY = "0x" + "0" * 40
CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")
NOTHING = ("signer-only", "nothing-at-address")
NO_RULE = ("signer-only", "no-control-rule")
BELOW = ("signer-only", "owners-below-threshold")


def way(threshold: int, *signers: str, pod: Authority | None = None) -> Authority:
    """An authority whose signers weigh one each; ``pod`` is what the pod obeys."""
    weights = dict.fromkeys(signers, 1)
    nested = {POD: (pod,)} if pod else {}
    return Authority(kind="test", threshold=threshold, weights=weights, nested=nested)


def shown(*ways: Authority, exists: bool = True) -> ControlFacts:
    return ControlFacts(exists=exists, ways=ways)


WEIGHED = Authority(kind="test", threshold=3, weights={ONE: 2, TWO: 1, THREE: 1})
THROUGH_POD = way(1, POD, pod=way(1, ONE))


@pytest.mark.parametrize(
    ("signers", "facts", "verdict"),
    [
        pytest.param([ONE], shown(way(1, ONE)), CONTROLLED, id="the owner signed"),
        pytest.param([TWO.upper()], shown(way(1, TWO)), CONTROLLED, id="in another spelling"),
        pytest.param([ONE], shown(way(1, TWO)), DENIED, id="a stranger signed"),
        pytest.param([ONE, TWO], shown(way(1, ONE)), DENIED, id="the owner and a stranger"),
        pytest.param([ONE], shown(exists=False), NOTHING, id="nothing there"),
        pytest.param([ONE], shown(way(1, ONE), exists=False), NOTHING, id="an owner of nothing"),
        pytest.param([ONE], shown(), NO_RULE, id="the chain shows nobody"),
        pytest.param([ONE, TWO], shown(way(2, ONE, TWO, THREE)), CONTROLLED, id="two of three"),
        pytest.param([ONE, TWO, THREE], shown(way(2, ONE, TWO, THREE)), CONTROLLED, id="all"),
        pytest.param([ONE], shown(way(2, ONE, TWO)), BELOW, id="one of two due"),
        pytest.param([ONE, ONE], shown(way(2, ONE, TWO)), BELOW, id="one owner twice"),
        pytest.param([ONE], shown(way(0, ONE)), BELOW, id="a threshold of nothing"),
        pytest.param([ONE, THREE], shown(way(1, ONE, TWO)), DENIED, id="a stranger among them"),
        pytest.param([ONE], shown(way(1)), NO_RULE, id="an authority without members"),
        pytest.param([ONE], shown(way(1, NOBODY)), NO_RULE, id="given up"),
        pytest.param([NOBODY], shown(way(1, NOBODY)), NO_RULE, id="nobody signed for nobody"),
        pytest.param([NOBODY], shown(way(1, NOBODY, ONE)), DENIED, id="nobody is no owner"),
        pytest.param([TWO, THREE], shown(WEIGHED), BELOW, id="weights below"),
        pytest.param([ONE, THREE], shown(WEIGHED), CONTROLLED, id="weights reach"),
        pytest.param([TWO], shown(way(1, ONE), way(1, TWO)), CONTROLLED, id="another way"),
        pytest.param(
            [ONE, TWO], shown(way(2, ONE, THREE), way(2, TWO, THREE)), BELOW, id="half of two ways"
        ),
        pytest.param([ONE], shown(THROUGH_POD), CONTROLLED, id="through an account"),
        pytest.param([TWO], shown(THROUGH_POD), DENIED, id="stranger to the account between"),
        pytest.param([ONE], shown(way(1, POD)), DENIED, id="nothing known of the one between"),
        pytest.param(
            ["EOSkey"], shown(way(1, "EOSKEY")), DENIED, id="case matters where it is no hex"
        ),
    ],
)
def test_the_join_table(signers: list[str], facts: ControlFacts, verdict: tuple[str, str]) -> None:
    assert judge_signers(signers, [], facts) == verdict
    assert judge_signers(signers, [], decode(encode(facts))) == verdict


def test_a_weight_below_one_and_a_member_named_twice_add_nothing() -> None:
    negative = Authority(kind="test", threshold=1, weights={ONE: 2, TWO: -1, THREE: 0})
    assert judge_signers([TWO], [], shown(negative)) == BELOW
    assert judge_signers([THREE], [], shown(negative)) == BELOW
    twice = Authority(kind="test", threshold=2, weights={TWO: 1, TWO.upper().replace("X", "x"): 1})
    assert judge_signers([TWO], [], shown(twice)) == BELOW


def test_a_named_owner_that_did_not_sign_must_be_the_one_between() -> None:
    assert judge_signers([ONE], [POD.upper()], shown(THROUGH_POD)) == CONTROLLED
    assert judge_signers([ONE], [POD], shown(way(1, ONE))) == DENIED
    assert judge_signers([ONE], [TWO], shown(THROUGH_POD)) == DENIED


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        (ControlFacts(exists=True, accepts=True), ("controlled", "contract-accepts")),
        (ControlFacts(exists=True, accepts=False), ("refuted", "contract-rejects")),
        (ControlFacts(exists=True), NO_RULE),
        (ControlFacts(exists=False, accepts=True), NOTHING),
    ],
)
def test_what_a_contract_says(facts: ControlFacts, verdict: tuple[str, str]) -> None:
    assert judge_contract(decode(encode(facts))) == verdict


def test_equal_facts_are_equal_texts() -> None:
    there = Authority(kind="test", threshold=1, weights={ONE: 1, TWO: 1})
    back = Authority(kind="test", threshold=1, weights={TWO: 1, ONE: 1})
    assert encode(shown(there)) == encode(shown(back))
