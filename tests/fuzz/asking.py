"""Targets that ask: a whole conversation with a node that says something else from some answer on.

What a node says also decides what it is asked next: pages to follow, smaller batches, accounts
behind accounts. Each input is one body and the place from which it is told, once or ever after. The
conversation must come to its end within bounded requests, with an answer for each question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from chains.adapters import load
from chains.errors import ChainError
from chains.model import (
    AssetId,
    Exchange,
    Extract,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.reasons import GAPS, SNAPSHOT
from tests.fuzz import electrum
from tests.fuzz.answers import few, tree
from tests.fuzz.contract import Case, Direct, cases, is_observed, with_body
from tests.fuzz.target import Target, split
from tests.fuzz.tokens import TOKENS, with_token

MOST_TIMES = 50
"""A lying node may have us ask so many times as often as an honest one, and not more."""
LOOP = asyncio.new_event_loop()
ONCE, EVER = range(2)


class TooMuch(AssertionError):
    """More was asked than any answer may lead to."""


class Lying:
    """A transport that tells ``body`` in the place of one answer, or of it and all later ones.

    Without a body everything is passed on as it was said.
    """

    def __init__(self, honest: Any, most: int = 1 << 30) -> None:
        self._honest = honest
        self._most = most
        self.said: list[bytes] = []
        self.body: bytes | None = None
        self.place = 0
        self.how = ONCE

    def __getattr__(self, name: str) -> Any:
        return getattr(self._honest, name)

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        number = len(self.said)
        if number >= self._most:
            raise TooMuch(f"asked {number} times")
        said: Exchange = await self._honest.exchange(request, endpoint)
        self.said.append(said.body)
        is_told = number == self.place or (number > self.place and self.how == EVER)
        return with_body(said, self.body) if is_told and self.body is not None else said

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        return await self.exchange(request, among[0])


class Talk:
    """A conversation with the node of one case, about few accounts."""

    def __init__(self, case: Case, honest: Any, asset: AssetId | None = None) -> None:
        self.case = case
        self.adapter = load(case.spec.adapter)
        self.asset = asset or case.spec.native
        self.accounts = tuple(few(case))
        can = self.adapter.capabilities
        self.kinds = [QueryKind.BALANCE]
        if asset is None:
            self.kinds += [QueryKind.CONTROL] * bool(can.control)
            self.kinds += [QueryKind.PROOF] * bool(can.proof_questions)
        self.honest = honest
        undisturbed = Lying(honest)
        self.through(undisturbed)
        self.said = undisturbed.said

    def seeds(self) -> list[bytes]:
        return [
            bytes((how, place % 256)) + body
            for place, body in enumerate(self.said[:256])
            for how in (ONCE, EVER)
        ]

    def check(self, data: bytes) -> None:
        """Hold the conversation with one body told from some place on."""
        how, rest = split(data, 2)
        place, body = split(rest, min(256, len(self.said)))
        node = Lying(self.honest, MOST_TIMES * len(self.said))
        node.body, node.place, node.how = body, place, how
        self.through(node, says_something=tree(body) is not None)

    def through(self, node: Lying, *, says_something: bool = False) -> None:
        LOOP.run_until_complete(self._through(node, says_something=says_something))

    async def _through(self, node: Lying, *, says_something: bool) -> None:
        adapter = self.adapter(self.case.spec, node)  # type: ignore[arg-type]
        try:
            at = adapter.snapshot(self.case.height, await adapter.pin(self.case.height))
        except ChainError as error:
            assert error.code in {*GAPS, *SNAPSHOT}  # noqa: PT017 - which it is
            return
        if not at.endpoints:
            return  # nobody may be asked
        for kind in self.kinds:
            questions = Questions(
                kind=kind,
                chain=self.case.spec.id,
                height=self.case.height,
                asset=self.asset,
                accounts=self.accounts,
            )
            extracts = [one async for one in adapter.extract(questions, at)]
            self._look_at(adapter, questions, extracts, at, says_something=says_something)

    def _look_at(
        self,
        adapter: Any,
        questions: Questions,
        extracts: Sequence[Extract],
        at: Snapshot,
        *,
        says_something: bool,
    ) -> None:
        answers = [adapter.decode(questions, one, at) for one in extracts]
        found = [each for one in answers for each in one.each(questions)]
        assert sorted(i for i, _ in found) == list(range(len(self.accounts)))
        for i, answer in found:
            if is_observed(answer, questions.kind) and questions.kind is not QueryKind.CONTROL:
                truth = self.case.ledger[questions.accounts[i]]
                assert says_something or answer.units == truth, (truth, answer)


def _target(name: str, made: Callable[[], Talk]) -> Target:
    talk = cache(made)
    return Target(f"ask {name}", lambda: talk().seeds(), lambda data: talk().check(data))


def _plain(case: Case) -> Target:
    answering = load(case.spec.adapter).capabilities.answering
    return _target(case.name, lambda: Talk(case, Direct(case.node(), answering)))


def _token(case: Case) -> Target:
    def made() -> Talk:
        ours, asset = with_token(case, TOKENS[case.name])
        answering = load(case.spec.adapter).capabilities.answering
        return Talk(ours, Direct(ours.node(), answering), asset)

    return _target(f"{case.name} token", made)


TARGETS = (
    *map(_plain, cases()),
    _target("electrum", lambda: Talk(electrum.CASE, electrum.Direct(electrum.server()))),
    *(_token(case) for case in cases() if case.name in TOKENS),
)
