"""Who controls those in control: followed as far as answers go, and no further than is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest

from chains.control import Authority, ControlFacts
from chains.model import AssetId, ChainId, ChainSpec, QueryKind, Questions
from crawler.asking.control import judge_signers
from crawler.asking.controllers import (
    LEVELS,
    MOST_FOLLOWED,
    Answered,
    Known,
    controllers_asked,
    follow,
    further,
)
from crawler.asking.plan import ControlQuestion
from crawler.crawling.answers import Place
from tests.unit.ledger_rows import (
    ACCOUNT_A,
    ACCOUNT_B,
    EVM,
    HEIGHT,
    WORLD,
    A,
    B,
    claim,
    examined,
    with_signatures,
)

pytestmark = pytest.mark.unit

BEACON = ChainId("beacon:1")
VALIDATORS = ChainSpec(
    id=BEACON,
    name="Validators",
    adapter="beacon",
    address="bls",
    native=AssetId(f"{BEACON}/slip44:60"),
    controllers=EVM,
)
WITH_VALIDATORS = msgspec.structs.replace(WORLD, chains={**WORLD.chains, BEACON: VALIDATORS})
VALIDATOR = ControlQuestion(QueryKind.CONTROL, BEACON, b"\x01" * 48)
ME, OTHER, THIRD = ("0x" + digit * 40 for digit in "123")
ONE, TWO, THREE, FOUR, FIVE = ("0x" + digit * 40 for digit in "abcde")
NOBODY = "0x" + "0" * 40
PLAIN = ControlFacts(exists=False, plain=True)
CONTROLLED, DENIED = ("controlled", "owner-in-control"), ("refuted", "owner-not-in-control")
BELOW = ("signer-only", "owners-below-threshold")
UNKNOWN = ("signer-only", "controller-unknown")
UNASKED = ("signer-only", "controller-unasked")
UNOBSERVED = ("signer-only", "controller-unobserved")
TOO_DEEP = ("signer-only", "controllers-too-deep")
TOO_MANY = ("signer-only", "controllers-too-many")


def way(*signers: str, threshold: int = 1) -> Authority:
    return Authority(kind="test", threshold=threshold, weights=dict.fromkeys(signers, 1))


def owned(*owners: str, threshold: int = 1) -> ControlFacts:
    return ControlFacts(exists=True, ways=(way(*owners, threshold=threshold),))


def question(text: str) -> ControlQuestion:
    return ControlQuestion(QueryKind.CONTROL, EVM, bytes.fromhex(text[2:]))


def known(said: Mapping[str, ControlFacts | None]) -> Known:
    return {question(text): Answered(facts, Place("", 0, 0)) for text, facts in said.items()}


def judged(
    facts: ControlFacts,
    said: Mapping[str, ControlFacts | None],
    signers: Iterable[str] = (ME,),
    silent: Iterable[str] = (),
) -> tuple[str, str]:
    """Judge a validator by its own facts and what is known about accounts."""
    reached = follow(WITH_VALIDATORS, VALIDATOR, facts, signers, known(said))
    return judge_signers(list(signers), list(silent), reached.facts, reached.closed)


STRANGERS = {OTHER: PLAIN, THIRD: PLAIN}


@pytest.mark.parametrize(
    ("facts", "said", "verdict"),
    [
        pytest.param(owned(ME), {}, CONTROLLED, id="the signer itself"),
        pytest.param(owned(OTHER), STRANGERS, DENIED, id="a stranger's account"),
        pytest.param(owned(ONE), {ONE: owned(ME)}, CONTROLLED, id="a contract of the signer"),
        pytest.param(
            owned(ONE), {ONE: owned(OTHER), **STRANGERS}, DENIED, id="a contract of a stranger"
        ),
        pytest.param(owned(ONE), {ONE: ControlFacts(exists=True)}, UNKNOWN, id="unknown kind"),
        pytest.param(owned(ONE), {ONE: owned(NOBODY)}, UNKNOWN, id="given up"),
        pytest.param(owned(ONE), {ONE: None}, UNOBSERVED, id="not answered"),
        pytest.param(
            owned(ONE), {ONE: ControlFacts(exists=False)}, UNOBSERVED, id="nothing seen, no canary"
        ),
        pytest.param(owned(ONE), {}, UNASKED, id="never asked"),
        pytest.param(
            owned(ONE),
            {ONE: owned(ME, OTHER, threshold=2), **STRANGERS},
            BELOW,
            id="one of two due",
        ),
        pytest.param(
            owned(ONE),
            {ONE: owned(ME, TWO, threshold=2), TWO: owned(ME)},
            CONTROLLED,
            id="twice, once through a contract",
        ),
        pytest.param(
            owned(ONE),
            {ONE: owned(ME, TWO, threshold=2), TWO: None},
            UNOBSERVED,
            id="one of two, and the other may be a contract of the signer",
        ),
        pytest.param(
            owned(ONE),
            {ONE: owned(ME, TWO, OTHER, threshold=3), TWO: None, **STRANGERS},
            BELOW,
            id="never enough, whoever the unseen one is",
        ),
        pytest.param(
            owned(ONE),
            {ONE: owned(OTHER, TWO), TWO: ControlFacts(exists=True), **STRANGERS},
            UNKNOWN,
            id="the signer may stand behind the unknown one of two",
        ),
        pytest.param(owned(ONE), {ONE: owned(TWO), TWO: owned(ONE)}, UNKNOWN, id="in a circle"),
        pytest.param(owned(ONE), {ONE: owned(ONE)}, UNKNOWN, id="obeys itself"),
        pytest.param(
            owned(ONE),
            {ONE: owned(TWO), TWO: owned(THREE), THREE: owned(ME)},
            CONTROLLED,
            id="three accounts in between",
        ),
        pytest.param(
            owned(ONE),
            {ONE: owned(TWO), TWO: owned(THREE), THREE: owned(FOUR), FOUR: owned(ME)},
            TOO_DEEP,
            id="four accounts in between",
        ),
        pytest.param(
            owned(ONE),
            {ONE: owned(*(f"0x{n:040x}" for n in range(1, 2 * MOST_FOLLOWED)))}
            | {f"0x{n:040x}": PLAIN for n in range(1, 2 * MOST_FOLLOWED)},
            TOO_MANY,
            id="more than are followed",
        ),
        pytest.param(
            owned(ONE), {ONE: owned(TWO, THREE), TWO: None}, UNOBSERVED, id="the first reason"
        ),
    ],
)
def test_the_way_to_whoever_signed(
    facts: ControlFacts, said: Mapping[str, ControlFacts | None], verdict: tuple[str, str]
) -> None:
    assert judged(facts, said) == verdict


def test_a_silent_owner_must_be_an_account_in_between_that_is_seen() -> None:
    assert judged(owned(ONE), {ONE: owned(ME)}, silent=[ONE]) == CONTROLLED
    assert judged(owned(ONE), {ONE: owned(ME)}, silent=[TWO]) == DENIED
    assert judged(owned(ME, TWO), {TWO: None}, silent=[ONE]) == UNOBSERVED


def test_a_level_is_an_account_in_between() -> None:
    chain = [f"0x{n:040x}" for n in range(16, 16 + LEVELS + 1)]
    said = {text: owned(after) for text, after in zip(chain, [*chain[1:], ME], strict=True)}
    assert judged(owned(chain[0]), said) == TOO_DEEP
    assert judged(owned(chain[1]), said) == CONTROLLED


def asks(facts: Mapping[bytes, ControlFacts | None], *claims: dict[str, Any]) -> list[str]:
    """Return whom rows signed by ``ME`` ask about next, by what is known of the accounts."""
    found, signatures = examined(claims)
    waiting = dict.fromkeys(range(len(claims)), ("signer-only", "control-unobserved"))
    signatures = with_signatures(signatures, waiting, ME)
    answers = {
        ControlQuestion(QueryKind.CONTROL, EVM, account): Answered(said, Place("", 0, 0))
        for account, said in facts.items()
    }
    asked = list(further(WORLD, found, signatures, {HEIGHT: answers}))
    assert {height for height, _ in asked} <= {HEIGHT}
    return ["0x" + one.account.hex() for _, one in asked]


def test_who_is_known_or_has_signed_is_not_asked_about() -> None:
    assert asks({A: owned(ONE, TWO, ME, threshold=2)}, claim(1)) == [ONE, TWO]
    one = bytes.fromhex(ONE[2:])
    assert asks({A: owned(ONE, TWO, threshold=2), one: PLAIN}, claim(1)) == [TWO]
    assert asks({A: owned(ONE), one: None}, claim(1)) == []
    assert asks({A: owned(ONE), one: owned(THREE, FOUR)}, claim(1)) == [THREE, FOUR]


def test_a_row_that_is_settled_asks_nothing() -> None:
    assert asks({A: owned(ME, ONE)}, claim(1)) == []
    assert asks({A: ControlFacts(exists=True)}, claim(1)) == []
    assert asks({A: PLAIN}, claim(1)) == []
    assert asks({A: None}, claim(1)) == []
    assert asks({}, claim(1)) == []


def test_every_row_asks_for_itself() -> None:
    rows = (claim(1, ACCOUNT_A), claim(2, ACCOUNT_B), claim(3, ACCOUNT_A, amount="2"))
    assert asks({A: owned(ONE), B: owned(TWO)}, *rows) == [ONE, TWO, ONE]


def test_rows_that_cannot_be_asked_ask_nothing() -> None:
    assert asks({A: owned(ONE)}, claim(1, asset="CAT"), claim(2, height="")) == []


def test_a_chain_whose_accounts_obey_keys_only_is_not_followed() -> None:
    world = msgspec.structs.replace(
        WORLD,
        chains={
            **WORLD.chains,
            EVM: msgspec.structs.replace(WORLD.chains[EVM], adapter="near", address="near"),
        },
    )
    own = ControlQuestion(QueryKind.CONTROL, EVM, A)
    reached = follow(world, own, owned("ed25519:abc"), [ME], {})
    assert (reached.closed, reached.asks) == ({}, ())
    assert judge_signers([ME], [], reached.facts, reached.closed) == DENIED


def test_what_may_be_asked_next_is_counted_on_the_chain_of_the_controllers() -> None:
    def asked(kind: QueryKind, chain: ChainId, *accounts: bytes) -> Questions:
        native = WITH_VALIDATORS.chains[chain].native
        return Questions(kind=kind, chain=chain, height=HEIGHT, asset=native, accounts=accounts)

    found = controllers_asked(
        WITH_VALIDATORS,
        [
            asked(QueryKind.CONTROL, BEACON, b"\1" * 48, b"\2" * 48),
            asked(QueryKind.CONTROL, EVM, A),
            asked(QueryKind.BALANCE, EVM, A, B),
            asked(QueryKind.SIGNATURE, EVM, A),
        ],
    )
    assert list(found) == [(asked(QueryKind.CONTROL, EVM), 3)]
