"""The engine: what is pinned, asked again and confirmed, with adapters that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.endpoints import EndpointSpec
from chains.errors import Malformed, Unreachable
from chains.model import (
    Answers,
    Exchange,
    Extract,
    Snapshot,
)
from crawler.asking.plan import Moment
from crawler.crawling.answers import read_shard
from crawler.crawling.engine import Engine
from crawler.crawling.pins import Pinned
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import ShardEntry
from crawler.watching.progress import Silent
from tests.unit.attempt_answers import ASKED, AT, EXCHANGE, answers, extract, new_run
from tests.unit.ledger_rows import ETH, EVM, HEIGHT, WORLD, A, B, C

pytestmark = pytest.mark.unit


class Scripted:
    """An adapter that yields extracts (positions) by attempt, answers them all 7, or fails."""

    def __init__(self, *attempts: Sequence[Any]) -> None:
        self.attempts = list(attempts)
        self.asked: list[tuple[tuple[str, ...], tuple[bytes, ...]]] = []

    async def extract(self, asked: Any, at: Snapshot) -> AsyncIterator[Extract]:
        self.asked.append((at.endpoints, asked.accounts))
        for step in self.attempts.pop(0):
            if isinstance(step, Exception):
                raise step
            yield extract(*step)

    def decode(self, _asked: Any, found: Extract, at: Snapshot) -> Answers:
        units = 8 if at.endpoints == ("liar",) else 7
        return answers(found.positions, [units] * len(found.positions))


ENTRY = ShardEntry(digest="d", kind="balance", chain=EVM, height=HEIGHT, asset=ETH, questions=3)


def crawled(
    path: Path, adapter: Scripted, endpoints: tuple[str, ...] = ("one",)
) -> tuple[list[tuple[str | None, str]], list[int]]:
    """Crawl one shard of three questions; returns what stands, and which attempt gave it."""
    run = new_run(path)
    specs = [
        EndpointSpec(name=name, chain=EVM, url=f"http://{name}", role=role)
        for name, role in (("one", "primary"), ("two", "witness"), ("liar", "witness"))
    ]
    at = msgspec.structs.replace(AT, endpoints=endpoints)

    async def crawl() -> None:
        async with Engine(run, WORLD.chains, specs, Silent()) as engine:
            engine._adapters[EVM] = adapter
            moment = Moment(EVM, HEIGHT)
            await engine.crawl([(ENTRY, ASKED)], {moment.key: Pinned(snapshot=at)})

    try:
        asyncio.run(crawl())
        found = read_shard(run, "d")
    finally:
        run.close()
    assert found is not None
    pairs = zip(found.table["units"].to_pylist(), found.table["gap"].to_pylist(), strict=True)
    return list(pairs), list(found.attempts)


def test_what_the_adapter_never_answers_is_a_gap_that_is_asked_again(tmp_path: Path) -> None:
    adapter = Scripted([(0, 2)], [], [])
    standing, attempts = crawled(tmp_path / "run", adapter)
    assert standing == [("7", ""), (None, "not-answered"), ("7", "")]
    assert attempts == [1, 3, 1]
    assert [accounts for _, accounts in adapter.asked] == [(A, B, C), (B,), (B,)]


def test_only_what_is_open_is_asked_again_and_an_answer_supersedes_the_gap(tmp_path: Path) -> None:
    adapter = Scripted([(1,), Unreachable("x")], [(0,), (1,)])
    standing, attempts = crawled(tmp_path / "run", adapter)
    assert (standing, attempts) == ([("7", "")] * 3, [2, 1, 2])
    assert [accounts for _, accounts in adapter.asked] == [(A, B, C), (A, C)]


def test_a_final_gap_is_not_asked_again_and_earlier_answers_stay(tmp_path: Path) -> None:
    adapter = Scripted([(1,), Malformed("x")])
    standing, _ = crawled(tmp_path / "run", adapter)
    assert standing == [(None, "malformed-answer"), ("7", ""), (None, "malformed-answer")]


def test_a_position_that_the_adapter_answers_twice_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="answered position 1 twice"):
        crawled(tmp_path / "run", Scripted([(0, 1), (1, 2)]))
    for part in ("evidence", "shards"):
        assert not list((tmp_path / "run" / part).iterdir())


def test_witnesses_are_asked_apart_and_confirm_or_leave_a_gap(tmp_path: Path) -> None:
    agreeing = Scripted([(0, 1, 2)], [(0, 1, 2)])
    standing, _ = crawled(tmp_path / "a", agreeing, ("one", "two"))
    assert standing == [("7", "")] * 3
    assert [endpoints for endpoints, _ in agreeing.asked] == [("one",), ("two",)]
    lying = Scripted([(0, 1, 2)], [(0, 1, 2)])
    standing, _ = crawled(tmp_path / "b", lying, ("one", "liar"))
    assert standing == [(None, "witness-disagrees")] * 3


def test_a_witness_alone_answers_nothing(tmp_path: Path) -> None:
    standing, _ = crawled(tmp_path / "run", Scripted(*[[(0, 1, 2)]] * 3), ("two",))
    assert standing == [(None, "no-usable-endpoint")] * 3


class Pinning(Scripted):
    """An adapter that shows one snapshot after the other."""

    def __init__(self, *shown: Snapshot) -> None:
        super().__init__()
        self.shown = list(shown)

    async def pin(self, _: int) -> list[Exchange]:
        return [msgspec.structs.replace(EXCHANGE, body=b"{}")]

    def snapshot(self, _height: int, _exchanges: Sequence[Exchange]) -> Snapshot:
        return self.shown.pop(0)


def pinned(path: Path, *shown: Snapshot) -> tuple[list[Pinned], list[dict[str, str]]]:
    """Pin a moment once per command; returns what each froze, and who was rejected."""
    run = new_run(path)
    spec = EndpointSpec(name="one", chain=EVM, url="http://one")
    adapter, moment = Pinning(*shown), Moment(EVM, HEIGHT)
    frozen: list[Pinned] = []
    rejected: list[dict[str, str]] = []

    async def command() -> None:
        async with Engine(run, WORLD.chains, [spec], Silent()) as engine:
            engine._adapters[EVM] = adapter  # type: ignore[assignment]
            known = {moment.key: frozen[-1]} if frozen else {}
            frozen.append((await engine.pin([moment], known))[moment.key])
            rejected.append(engine.rejected)

    try:
        for _ in shown:
            asyncio.run(command())
    finally:
        run.close()
    return frozen, rejected


def test_what_nobody_may_be_asked_about_is_pinned_by_the_next_command(tmp_path: Path) -> None:
    busy = msgspec.structs.replace(AT, endpoints=(), rejected={"one": "server-error"})
    healthy = msgspec.structs.replace(AT, canaries=("ca",), detail={"root": "7"})
    (first, second), rejected = pinned(tmp_path / "run", busy, healthy)
    assert (first.snapshot, first.reason, first.detail, first.retryable) == (
        None,
        "no-usable-endpoint",
        "one: server-error",
        True,
    )
    assert rejected == [{"one": "server-error"}, {}]
    assert second.snapshot == healthy


def test_what_was_pinned_first_stays_with_its_canaries(tmp_path: Path) -> None:
    healthy = msgspec.structs.replace(AT, canaries=("ca",))
    busy = msgspec.structs.replace(AT, endpoints=(), rejected={"one": "server-error"})
    later = msgspec.structs.replace(AT, canaries=("fe",), endpoints=("two",))
    frozen, _ = pinned(tmp_path / "run", healthy, busy, later)
    found = [one.snapshot for one in frozen]
    assert [one and one.canaries for one in found] == [("ca",)] * 3
    assert [one and one.endpoints for one in found] == [("one",), (), ("two",)]
