"""Long lists: tasks told apart by columns, settled in threads, and the rest judged one by one."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import Future
from contextlib import nullcontext

import numpy as np
import pyarrow as pa
import pytest

from chains.bulk import Unavailable, tasks
from chains.signatures import lanes
from crawler.examining import judges, known, quick
from crawler.examining.judging import TASKS, Judge, Meanings, message, read_message
from crawler.examining.ownership import examine
from crawler.model import CLAIMS
from tests.lane_rows import evm, genuine, multisig, reading, unsettled

pytestmark = pytest.mark.unit

REST = {"amount": "1", "height": "1"}


def claims(rows):
    numbered = [row | REST | {"row": number} for number, row in enumerate(rows, start=2)]
    return pa.RecordBatch.from_pylist(numbered, CLAIMS)


def examined(batches, **more):
    return [
        {**claim, **found}
        for one, other in examine(batches, reading(), **more)
        for claim, found in zip(one.to_pylist(), other.to_pylist(), strict=True)
    ]


@pytest.fixture
def judged(monkeypatch):
    """Count the tasks that are left for the judge."""
    found: list[str] = []
    take = judges.Judges.take

    def counted(self, left):
        found.extend(left.column("address").to_pylist())
        return take(self, left)

    monkeypatch.setattr(judges.Judges, "take", counted)
    return found


@pytest.fixture
def one_batch_at_a_time():
    """Return the verdicts of each batch by itself: those of the judge alone."""

    def alone(batches):
        return [row for batch in batches for row in examined([batch])]

    return alone


def test_only_what_is_not_plain_is_left_for_the_judge(judged, one_batch_at_a_time):
    rows = [genuine(number) for number in range(240)]
    rows[7::40] = [evm(number, signatures=["0x00"]) for number in range(6)]
    rows.append(evm(9, "Nobody expects this"))
    batches = [claims(rows[:130]), claims(rows[130:] + rows[:20])]
    assert examined(batches, processes=2) == one_batch_at_a_time(batches)
    assert judged == [row["address"] for row in [*rows[7:130:40], *rows[167::40], rows[-1]]]


def test_where_there_is_no_machine_code_everything_is_judged(
    judged, one_batch_at_a_time, monkeypatch
):
    def absent(_schemes):
        raise Unavailable("no room to keep it")

    def cannot():
        raise Unavailable("no room to keep it")

    monkeypatch.setattr(lanes, "lane", absent)
    monkeypatch.setattr(known, "ByColumns", cannot)
    said: list[str] = []
    rows = [genuine(number) for number in range(48)]
    batches = [claims(rows[:24]), claims(rows[24:]), claims(rows)]
    assert examined(batches, processes=1, note=said.append) == one_batch_at_a_time(batches)
    assert sorted(judged) == sorted(row["address"] for row in rows)
    assert said == ["signatures are checked one by one, which takes longer: no room to keep it"]


def test_a_list_of_many_schemes_is_settled_in_the_order_of_its_rows(one_batch_at_a_time):
    rows = [genuine(number % 90) for number in range(400)]
    random.Random(1).shuffle(rows)
    batches = [claims(rows[:150]), claims(rows[150:150]), claims(rows[150:])]
    assert examined(batches, processes=2) == one_batch_at_a_time(batches)


def test_others_who_settle_and_judge_say_the_same_in_the_order_of_the_rows(
    judged, one_batch_at_a_time, monkeypatch
):
    left: list[str] = []
    judge = Judge.judge

    def counted(self, tasks):
        left.extend(tasks.column("address").to_pylist())
        return judge(self, tasks)

    rows = [genuine(number) for number in range(240)]
    rows[7::40] = [evm(number, signatures=["0x00"]) for number in range(6)]
    batches = [claims(rows[:130]), claims(rows[130:] + rows[:20])]
    expected = one_batch_at_a_time(batches)
    monkeypatch.setattr(Judge, "judge", counted)
    worker = judges.LaneThenJudge(reading(), unsettled)

    def elsewhere(tasks):
        future: Future[bytes] = Future()
        future.set_result(message(worker.judge(read_message(message(tasks), TASKS))))
        return judges.Elsewhere(future, nullcontext)

    assert examined(batches, judges=nullcontext(elsewhere)) == expected
    assert left == [row["address"] for row in rows[7::40]]
    assert not judged


@pytest.mark.parametrize("count", [0, 1, 40])
def test_others_judge_a_list_of_one_batch_too(count, one_batch_at_a_time):
    asked: list[int] = []
    worker = judges.LaneThenJudge(reading(), unsettled)

    def elsewhere(tasks):
        asked.append(tasks.num_rows)
        future: Future[bytes] = Future()
        future.set_result(message(worker.judge(tasks)))
        return judges.Elsewhere(future, nullcontext)

    batches = [claims([genuine(number) for number in range(count)])]
    assert examined(batches, judges=nullcontext(elsewhere)) == one_batch_at_a_time(batches)
    assert asked == [count] * (count > 0)


def test_few_rows_alike_are_left():
    meanings = Meanings(reading())
    few = [evm(number) for number in range(quick.FEWEST - 1)]
    many = [multisig(number) for number in range(quick.FEWEST)]
    batch = pa.RecordBatch.from_pylist(few + many, TASKS)
    _, places = quick.QuickLane(meanings, unsettled).settle(batch)
    assert sorted(places.tolist()) == list(range(len(few), len(few) + len(many)))


def test_tasks_are_told_apart_alike_by_columns_and_one_by_one():
    dice = random.Random("tasks")
    words = ["", "a", "b", "ab", "\0", "a\0b", "\u00e9", "x" * 300]

    def row():
        texts = {name: dice.choice(words[:4]) for name in ("scheme", "address", "script")}
        lists = {
            name: [dice.choice(words) for _ in range(dice.randrange(3))]
            for name in ("signatures", "owners")
        }
        kind = dice.choice(["claim", "claim", "malformed"])
        return evm(1, kind=kind, public_key=dice.choice(words), **texts, **lists)

    plain, quickly = known.OneByOne(), known.ByColumns()
    start, old = 0, 0
    for count in (0, 1, 700, 3000, 3000):
        batch = claims([row() for _ in range(count)])
        groups = np.array([dice.randrange(2) for _ in range(count)], np.int64)
        batch, groups = batch.slice(count // 10), groups[count // 10 :]
        one, other = (way.number(batch, groups, start) for way in (plain, quickly))
        assert one[0].tolist() == other[0].tolist()
        assert one[1].tolist() == other[1].tolist()
        assert len(plain) == len(quickly)
        start += int(one[1].sum())
        old += int((~one[1]).sum())
    assert len(quickly) > tasks._FIRST_SLOTS // 2
    assert old > 100


@pytest.mark.parametrize("way", [known.OneByOne, known.ByColumns])
def test_texts_of_a_task_do_not_run_together(way):
    lists = [["a", "b"], ["ab", ""], ["", "ab"], ["ab"], ["a", "b", ""], []]
    lists += [["a", "\0\0\0\0b"], ["a\0\0\0\0", "b"]]
    texts = [("a", "b"), ("ab", ""), ("", "ab")]
    rows = [evm(1, signatures=one) for one in lists]
    rows += [evm(1, script=one, public_key=other) for one, other in texts]
    found, fresh = way().number(claims(rows), np.zeros(len(rows), np.int64), 0)
    assert fresh.all()
    assert len(set(found.tolist())) == len(rows)


def test_a_task_is_settled_once_however_often_it_stands(judged, monkeypatch):
    sizes: list[int] = []
    settle = quick.QuickLane.settle

    def counted(self, given):
        sizes.append(given.num_rows)
        return settle(self, given)

    monkeypatch.setattr(quick.QuickLane, "settle", counted)
    rows = [genuine(number) for number in range(96)]
    found = examined([claims(rows), claims(rows), claims(rows[::-1])], processes=1)
    assert sizes == [96]
    assert Counter(row["status"] for row in found) == {"bound": 288}
    assert not judged
