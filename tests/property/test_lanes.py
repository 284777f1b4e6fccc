"""The quick lane says what the judge says, or nothing: of genuine rows and of changed ones."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from chains.addresses.evm import encode as checksummed
from chains.signatures import digests
from crawler.examining import quick
from tests.fuzzing import inputs
from tests.lane_rows import (
    changed,
    evm,
    genuine,
    judged_both_ways,
    multisig,
    reading,
    solana,
    tron,
)

pytestmark = pytest.mark.property


def inexact(text):
    """Change bits of a base64 text that stand for no byte."""
    return text[:-2] + chr(ord(text[-2]) ^ 1) + text[-1:]


@pytest.fixture(autouse=True)
def _every_group(monkeypatch):
    """Open the lane for rows that are alone of their kind."""
    monkeypatch.setattr(quick, "FEWEST", 1)


def test_every_genuine_row_of_a_plain_form_is_settled():
    rows = [genuine(number) for number in range(120)]
    verdicts, places = judged_both_ways(rows, reading())
    assert len(places) == len(rows)
    assert Counter((one["status"], one["reason"]) for one in verdicts) == {
        ("bound", "key-derives-address"): 100,
        ("bound", "script-keys-signed"): 20,
    }


def test_texts_that_nobody_expects_are_settled_as_such():
    rows = [
        dict(genuine(number), scheme=scheme) for number, scheme in ((0, "okx-evm"), (1, "okx-tron"))
    ]
    verdicts, places = judged_both_ways(rows, reading(exchange=""))
    assert len(places) == len(rows)
    assert {one["reason"] for one in verdicts} == {"message-not-pinned"}


def test_a_right_checksum_of_mixed_case_is_settled_and_a_wrong_one_is_not():
    rows = []
    for number in range(40):
        row = evm(number)
        right = checksummed(bytes.fromhex(row["address"][2:]), {})
        letters = [place for place, letter in enumerate(right) if letter.isalpha() and place > 1]
        place = letters[number % len(letters)]
        wrong = right[:place] + right[place].swapcase() + right[place + 1 :]
        rows += [dict(row, address=right), dict(row, address=wrong)]
    _, places = judged_both_ways(rows, reading())
    assert sorted(places.tolist()) == list(range(0, len(rows), 2))


@pytest.mark.parametrize(
    "row",
    [
        evm(1, "Nobody expects this"),
        evm(1, kind="malformed"),
        evm(1, signatures=[]),
        tron(1, signatures=[]),
        solana(1, signatures=[]),
        multisig(1, signatures=[]),
        multisig(1, script=""),
        multisig(1, signatures=["", ""]),
        evm(1, address=evm(1)["address"] + "0"),
        evm(1, signatures=[evm(1)["signatures"][0] + "0"]),
        evm(1, owners=[evm(1)["address"]]),
        evm(1, signatures=evm(1)["signatures"] * 2),
        evm(1, signatures=evm(2)["signatures"]),
        tron(1, digests.tron_legacy),
        multisig(1, signatures=multisig(1)["signatures"][:1] * 2),
        multisig(1, script=multisig(1)["script"].replace("52", "51", 1)),
        multisig(1, network="LTC"),
        multisig(1, signatures=[inexact(text) for text in multisig(1)["signatures"]]),
        multisig(1, signatures=[*multisig(1)["signatures"], ""]),
        solana(1, public_key=solana(2)["public_key"]),
        solana(1, signatures=solana(2)["signatures"]),
    ],
)
def test_what_is_not_plain_is_left(row):
    _, places = judged_both_ways([row], reading())
    assert not len(places)


@pytest.mark.parametrize("seed", range(4))
def test_changed_rows_are_settled_as_the_judge_judges_them_or_not_at_all(seed):
    dice = random.Random(f"lanes {seed}")
    rows = []
    for _ in range(inputs(1500)):
        row = changed(genuine(dice.randrange(60)), dice)
        rows.append(changed(row, dice) if dice.random() < 0.2 else row)
    verdicts, places = judged_both_ways(rows, reading())
    settled = [verdicts[place]["status"] for place in places]
    refused = sum(one["status"] == "refuted" for one in verdicts)
    assert set(settled) == {"bound"}
    assert len(settled) > len(rows) // 20
    assert refused > len(rows) // 2
