"""Signature results and control answers become final verdicts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crawler.control import final_verdict, judge_owners

pytestmark = pytest.mark.unit

ONE, TWO, THREE = ("0x" + digit * 40 for digit in "1aB")
CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")
UNOBSERVED = ("signer-only", "control-unobserved")
NO_CONTRACT = ("signer-only", "not-a-contract")
NO_RULE = ("signer-only", "no-control-rule")


def contract(owner: str | None = None, safe: tuple[int, ...] | None = None, **more: Any) -> Any:
    found: dict[str, Any] = {"code": True, "owner": owner, "safe": None, **more}
    if safe is not None:
        threshold, *owners = safe
        found["safe"] = {"owners": owners, "threshold": threshold}
    return found


def safe(threshold: int, *owners: str) -> dict[str, Any]:
    return contract(safe=(threshold, *owners))


@pytest.mark.parametrize(
    ("signers", "facts", "verdict"),
    [
        pytest.param([ONE], contract(owner=ONE), CONTROLLED, id="the owner signed"),
        pytest.param([TWO], contract(owner=TWO.upper()), CONTROLLED, id="in another spelling"),
        pytest.param([ONE], contract(owner=TWO), DENIED, id="a stranger signed"),
        pytest.param([ONE, TWO], contract(owner=ONE), DENIED, id="the owner and a stranger"),
        pytest.param([ONE], contract(code=False), NO_CONTRACT, id="no contract there"),
        pytest.param(
            [ONE], contract(owner=ONE, code=False), NO_CONTRACT, id="an owner without code"
        ),
        pytest.param([ONE], contract(), ("signer-only", "no-control-rule"), id="exposes no owner"),
        pytest.param([], contract(owner=ONE), UNOBSERVED, id="nobody signed"),
        pytest.param([], safe(0, ONE), UNOBSERVED, id="nobody signed for a safe"),
        pytest.param([ONE, TWO], safe(2, ONE, TWO, THREE), CONTROLLED, id="two of three"),
        pytest.param([ONE], safe(1, ONE.upper()), CONTROLLED, id="safe in another spelling"),
        pytest.param([ONE, TWO, THREE], safe(2, ONE, TWO, THREE), CONTROLLED, id="more than due"),
        pytest.param(
            [ONE],
            safe(2, ONE, TWO),
            ("signer-only", "owners-below-threshold"),
            id="one of two due",
        ),
        pytest.param(
            [ONE, ONE.upper()],
            safe(2, ONE, TWO),
            ("signer-only", "owners-below-threshold"),
            id="one owner twice",
        ),
        pytest.param([ONE], safe(0, ONE), NO_RULE, id="a threshold of nothing"),
        pytest.param([ONE, THREE], safe(1, ONE, TWO), DENIED, id="a stranger among the owners"),
        pytest.param([ONE], safe(1), NO_RULE, id="a safe without owners"),
        pytest.param([ONE], contract(owner="0x" + "0" * 40), NO_RULE, id="owner given up"),
        pytest.param(["0x" + "0" * 40], contract(owner="0x" + "0" * 40), NO_RULE, id="nobody"),
        pytest.param([ONE], {**safe(1), "owner": ONE}, CONTROLLED, id="no safe but an owner"),
        pytest.param(
            [THREE], {**safe(1, ONE), "owner": THREE}, DENIED, id="safe owners outrank the owner"
        ),
    ],
)
def test_the_join_table(
    signers: list[str], facts: dict[str, Any], verdict: tuple[str, str]
) -> None:
    assert judge_owners(signers, facts) == verdict
    assert final_verdict(*UNOBSERVED, signers, json.dumps(facts)) == verdict


def test_without_an_answer_of_the_chain_nothing_changes() -> None:
    assert final_verdict(*UNOBSERVED, [ONE], None) == UNOBSERVED


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("refuted", "wrong-key"),
        ("unsigned", "no-signature"),
        ("unsupported", "unknown-network"),
        ("signer-only", "no-address-rule"),
        ("signer-only", "link-unobserved"),
        ("bound", "key-derives-address"),
    ],
)
def test_only_rows_that_wait_for_the_chain_are_changed_by_it(status: str, reason: str) -> None:
    facts = json.dumps(contract(owner=ONE))
    assert final_verdict(status, reason, [ONE], facts) == (status, reason)
