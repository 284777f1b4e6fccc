"""Targets that take a node's answers of every form, as the tests of the adapters have them.

The targets of ``answers`` and ``tokens`` ask plain nodes about plain accounts. What takes more to
come about (escrows, lists of signers, shares of pools, transactions taken back, facts about tokens)
is in ``fixtures/answers``, which ``harvest_answers`` wrote down: one extract with what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from chains.adapter import ChainAdapter
from chains.adapters import load
from chains.model import (
    Answers,
    AssetId,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Snapshot,
)
from tests.fuzz.answers import PLACES, tree
from tests.fuzz.contract import is_observed, with_body
from tests.fuzz.target import Target, split

FOLDER = Path(__file__).parents[2] / "fixtures/answers"


class Told(msgspec.Struct, frozen=True):
    """One extract that a test had, with all that is needed to decode it again."""

    spec: ChainSpec
    at: Snapshot
    kind: QueryKind
    asset: AssetId
    accounts: tuple[bytes, ...]
    decoder: str
    exchanges: tuple[Exchange, ...]

    @property
    def questions(self) -> Questions:
        return Questions(
            kind=self.kind,
            chain=self.spec.id,
            height=self.at.height,
            asset=self.asset,
            accounts=self.accounts,
        )

    def adapter(self) -> ChainAdapter:
        return load(self.spec.adapter)(self.spec, Unreachable())  # type: ignore[arg-type]

    def answers(self, exchanges: Sequence[Exchange]) -> Answers:
        """Decode as replay does."""
        extract = Extract(
            positions=range(len(self.accounts)), decoder=self.decoder, exchanges=tuple(exchanges)
        )
        return self.adapter().decode(self.questions, extract, self.at)


class Unreachable:
    """Stands where the network was; a decoder that touches it is not pure."""

    endpoints: tuple[str, ...] = ()


def told_of(adapter: str) -> Sequence[Told]:
    """Return what was written down for one adapter."""
    lines = (FOLDER / f"{adapter}.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Told) for line in lines]


Honest = Mapping[bytes, Observation | Gap]


def by_account(told: Told, answers: Answers) -> Honest:
    """Return one answer for each account; raises ``AssertionError`` where they are not so many."""
    questions = told.questions
    found = {questions.accounts[i]: answer for i, answer in answers.each(questions)}
    assert list(found) == list(questions.accounts)
    return found


class Further:
    """All that was written down for one adapter, body by body."""

    def __init__(self, adapter: str) -> None:
        self.told = told_of(adapter)
        self.honest = [by_account(one, one.answers(one.exchanges)) for one in self.told]
        self.places = [(i, n) for i, one in enumerate(self.told) for n in range(len(one.exchanges))]

    def seeds(self) -> list[bytes]:
        return [
            at.to_bytes(2, "big") + self.told[i].exchanges[n].body
            for at, (i, n) in enumerate(self.places)
        ]

    def check(self, data: bytes) -> None:
        """Decode with one body replaced: an answer for each question, and no invented number."""
        high, rest = split(data, PLACES)
        low, body = split(rest, PLACES)
        i, n = self.places[(high << 8 | low) % len(self.places)]
        told = self.told[i]
        exchanges = list(told.exchanges)
        original = exchanges[n].body
        exchanges[n] = with_body(exchanges[n], body)
        says_something = tree(body) not in (None, tree(original))
        for account, answer in by_account(told, told.answers(exchanges)).items():
            if is_observed(answer, told.kind) and not says_something:
                before = self.honest[i][account]
                if isinstance(before, Observation):
                    assert answer.units == before.units, (before, answer)
                else:  # a canary that says nothing voids zeros, one that lies voids everything
                    assert told.kind is QueryKind.BALANCE, (before, answer)
                    assert answer.units, (before, answer)


def _target(adapter: str) -> Target:
    load(adapter)  # now, while what is imported may be watched

    @cache
    def further() -> Further:
        return Further(adapter)

    return Target(
        f"decode {adapter} further",
        lambda: further().seeds(),
        lambda data: further().check(data),
    )


TARGETS = tuple(_target(file.stem) for file in sorted(FOLDER.glob("*.jsonl")))
