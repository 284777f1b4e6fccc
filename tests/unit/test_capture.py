"""Whose answer stands where a run and captures have one, and how a height is waited for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chains.model import (
    Answers,
    AssetId,
    ChainId,
    Gap,
    Method,
    QueryKind,
    Questions,
    Snapshot,
    Source,
)
from crawler.counting.ledger import Shards
from crawler.crawling.answers import AnswerColumns, MergedShard
from crawler.crawling.capture import LONGEST_PAUSE_S, SHORTEST_PAUSE_S, pause, read_height
from crawler.crawling.captured import DISAGREES, Taken, joined, moments
from crawler.crawling.pins import Pinned
from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.runs import ShardEntry

pytestmark = pytest.mark.unit

CHAIN = ChainId("antelope:sim")
ASSET = AssetId(f"{CHAIN}/slip44:194")
ACCOUNTS = (b"a", b"b", b"c")
KEY = f"{CHAIN}@7"

Said = Mapping[bytes, int | Gap]


def shard(said: Said, kind: QueryKind = QueryKind.BALANCE, height: int = 7) -> Shards:
    accounts = tuple(sorted(said))
    questions = Questions(kind=kind, chain=CHAIN, height=height, asset=ASSET, accounts=accounts)
    columns = AnswerColumns(range(len(accounts)))
    values = [said[account] for account in accounts]
    columns.add(
        Answers(
            positions=range(len(accounts)),
            units=[None if isinstance(one, Gap) else one for one in values],
            gaps={i: one for i, one in enumerate(values) if isinstance(one, Gap)},
            source=Source.OWN_NODE,
            method=Method.STATE,
            endpoint="n0",
        ),
        0,
    )
    entry = ShardEntry(
        digest=f"digest-{height}", kind=kind, chain=CHAIN, height=height, asset=ASSET, questions=3
    )
    return [(entry, questions, MergedShard(columns.table(questions), [1] * len(accounts)))]


def pin(block: str, reason: str = "") -> Mapping[str, Pinned]:
    at = Snapshot(chain=CHAIN, height=7, block_hash=block, time=1, endpoints=("n0",))
    return {KEY: Pinned(snapshot=at if block else None, reason=reason)}


def taken(said: Said, name: str = "captured/one", block: str = "aa") -> Taken:
    return Taken(name, pin(block), shard(said))


def stands(own: Shards, *captures: Taken) -> Mapping[bytes, tuple[str | None, str, str, str]]:
    """Return what stands for each account: units, gap, method, shard; each exactly once."""
    found: dict[bytes, tuple[str | None, str, str, str]] = {}
    for entry, questions, merged in joined(own, pin("aa"), captures):
        if merged is None:
            found |= dict.fromkeys(questions.accounts, (None, "nobody", "", ""))
            continue
        assert tuple(merged.table["account"].to_pylist()) == questions.accounts
        assert len(merged.attempts) == len(questions.accounts)
        for row in merged.table.to_pylist():
            assert row["account"] not in found
            found[row["account"]] = (row["units"], row["gap"], row["method"], entry.digest)
    return found


def test_a_captured_answer_stands_where_nothing_was_seen():
    own = shard({b"a": 5, b"b": Gap("no-history"), b"c": Gap("no-history")})
    assert stands(own, taken({b"a": 5, b"b": 0, b"c": Gap("timeout")})) == {
        b"a": ("5", "", "state", "digest-7"),
        b"b": ("0", "", "captured", "captured/one/digest-7"),
        b"c": (None, "no-history", "state", "digest-7"),
    }


def test_what_differs_from_an_observation_is_a_gap():
    own = shard({b"a": 5, b"b": 6})
    found = stands(own, taken({b"a": 6, b"b": 6}))
    assert found[b"a"] == (None, DISAGREES, "state", "digest-7")
    assert found[b"b"] == ("6", "", "state", "digest-7")


def test_captures_that_differ_answer_nothing():
    own = shard({b"a": Gap("no-history"), b"b": 1})
    two = taken({b"a": 1, b"b": 1}), taken({b"a": 2, b"b": 2}, "captured/two")
    found = stands(own, *two)
    assert [one[:2] for one in found.values()] == [(None, DISAGREES)] * 2


def test_contradictions_between_endpoints_are_not_filled():
    own = shard({b"a": Gap("witness-disagrees")})
    assert stands(own, taken({b"a": 5}))[b"a"][:2] == (None, "witness-disagrees")


def test_a_moment_that_was_not_pinned_is_answered_by_the_capture():
    ((entry, questions, _),) = shard({b"a": 1, b"b": 2})
    found = joined([(entry, questions, None)], pin("", "no-endpoint"), [taken({b"a": 5})])
    assert [(one[1].accounts, one[2] is None) for one in found] == [
        ((b"b",), True),
        ((b"a",), False),
    ]
    again = moments(pin("", "no-endpoint"), [taken({b"a": 5})])[KEY]
    assert again.snapshot is not None
    assert (again.snapshot.block_hash, again.reason) == ("aa", "no-endpoint")


@pytest.mark.parametrize(
    "other", [shard({b"a": 5}, kind=QueryKind.CONTROL), shard({b"a": 5}, height=8)]
)
def test_other_questions_are_not_answered(other: Shards):
    own = shard({b"a": Gap("no-history")})
    assert list(joined(own, pin("aa"), [Taken("captured/one", pin("aa"), other)])) == own


def test_another_block_stops_the_run():
    with pytest.raises(EnvironmentFault, match="not of this chain any more"):
        stands(shard({b"a": 5}), taken({b"a": 5}, block="bb"))
    two = [taken({b"a": 5}), taken({b"a": 5}, "captured/two", block="bb")]
    with pytest.raises(EnvironmentFault):
        moments(pin("", "no-endpoint"), two)


@pytest.mark.parametrize(("text", "height"), [("now", None), ("0", 0), ("123", 123)])
def test_heights(text: str, height: int | None):
    assert read_height(text) == height


@pytest.mark.parametrize("text", ["", "-1", "1e3", "later", "NOW", "٣", str(2**63)])
def test_what_is_no_height(text: str):
    with pytest.raises(UsageError):
        read_height(text)


def test_a_head_is_looked_at_more_often_the_nearer_it_comes():
    first = (100, 0.0)
    assert pause(None, None, 0, 200) == pause(first, 100, 5, 200) == 1.0
    assert pause(first, 110, 10.0, 130) == pytest.approx(10.0)  # one a second, half of 20 s
    assert pause(first, 110, 10.0, 111) == pytest.approx(0.5)
    assert pause(first, 200, 1.0, 201) == SHORTEST_PAUSE_S
    assert pause(first, 101, 1000.0, 10**9) == LONGEST_PAUSE_S
