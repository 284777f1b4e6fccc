"""Answers that stand are found by account, whatever the order and the lengths they come in."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from crawler.counting import standing
from crawler.counting.standing import ANSWERED, STANDING, Standing

pytestmark = pytest.mark.unit

BASE = {
    "units": "5", "facts": "", "gap": "", "source": "single", "method": "state", "extract": 0,
    "shard": "balances", "attempt": 1,
}  # fmt: skip


def answer(account: bytes, **more: Any) -> dict[str, Any]:
    return {"account": account, "subject": account, **BASE, **more}


def table(*answers: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(answers), schema=STANDING)


def found(held: Standing, accounts: list[bytes]) -> dict[bytes, dict[str, Any]]:
    places, answers = held.answers(pa.array(accounts, pa.binary()))
    assert answers.schema == ANSWERED
    wanted = [accounts[i] for i in places.tolist()]
    assert len(set(places.tolist())) == len(wanted)
    return dict(zip(wanted, answers.to_pylist(), strict=True))


def shown(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ANSWERED.names}


@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("lengths", [(4,), (1, 3, 4), (2, 200)])
def test_every_answer_is_found_by_its_account_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, block: int, *, ordered: bool, lengths: tuple[int, ...]
) -> None:
    monkeypatch.setattr(standing, "BLOCK", block)
    chosen = random.Random(block)
    letters = (b"\x00", b"\x01", b"\xff")
    accounts = {b"".join(chosen.choices(letters, k=chosen.choice(lengths))) for _ in range(60)} | {
        bytes(lengths[0])
    }
    known = {
        one: answer(
            one,
            subject=chosen.choice([one, one, b"\x04other"]),
            units=chosen.choice([None, "7", str(10**30)]),
            gap=chosen.choice(["", "", "no-history"]),
            shard=chosen.choice(["a", "b"]),
            attempt=chosen.randrange(1, 4),
            extract=chosen.randrange(-1, 9),
        )
        for one in accounts
    }
    order = sorted(accounts)
    if not ordered:
        chosen.shuffle(order)
    held = Standing()
    for start in range(0, len(order), 5):
        held.add(table(*(known[one] for one in order[start : start + 5])))
    strange = [b"", b"\x02" * lengths[0], b"\x00" * 5, *(one + b"\x00" for one in accounts)]
    asked = [*accounts, *(one for one in strange if one not in accounts)]
    chosen.shuffle(asked)
    assert found(held, asked) == {one: shown(known[one]) for one in accounts}
    assert found(held, asked) == found(held, asked)


def test_the_same_account_may_be_asked_for_several_times_and_more_be_added_later() -> None:
    held = Standing()
    held.add(table(answer(b"a")))
    places, _ = held.answers(pa.array([b"a", b"b", b"a"], pa.binary()))
    assert sorted(places.tolist()) == [0, 2]
    held.add(table())
    held.add(table(answer(b"b", units="6")))
    assert found(held, [b"b", b"a"]) == {
        b"a": shown(answer(b"a")),
        b"b": shown(answer(b"b", units="6")),
    }


def test_nothing_is_found_where_nothing_is_known() -> None:
    held = Standing()
    assert found(held, [b"a"]) == {}
    held.add(table(answer(b"b")))
    assert found(held, []) == {}
    assert found(held, [b"\xff", b"\x00"]) == {}


def test_proofs_decide_about_the_balances_beside_them_and_leave_the_others() -> None:
    held = Standing()
    read = {one: answer(one, shard=str(one)) for one in (b"a", b"b", b"c", b"dd", b"e")}
    held.add(table(*list(read.values())[:2]))
    held.add(table(*list(read.values())[2:]))
    proof = {"method": "proof", "shard": "proofs", "extract": 3}
    held.confirm(
        table(
            answer(b"b", **proof),
            answer(b"dd", **proof | {"units": "9"}),
            answer(b"unread", **proof),
        ),
        coin=True,
    )
    void = {"units": None, "gap": "proof-contradicts", "shard": "proofs", "extract": 3}
    expected = read | {
        b"b": read[b"b"] | proof,
        b"dd": read[b"dd"] | void,
    }
    assert found(held, [*expected, b"unread"]) == {
        one: shown(told) for one, told in expected.items()
    }


def test_all_balances_may_be_proven() -> None:
    held = Standing()
    held.add(table(answer(b"a"), answer(b"b")))
    held.confirm(table(answer(b"a", method="proof"), answer(b"b", method="proof")), coin=True)
    assert {one["method"] for one in found(held, [b"a", b"b"]).values()} == {"proof"}
