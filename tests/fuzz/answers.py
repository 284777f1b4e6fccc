"""Targets that take a node's answers: what every adapter pins, decodes and tells of its head.

An honest simulated node is recorded once for each adapter, for a few accounts: one that holds
little, one that holds more than 2^53, one that holds nothing. Then one body is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import msgspec

from chains.adapters import load
from chains.errors import ChainError
from chains.heads import TellsHead
from chains.model import Exchange, Gap, QueryKind
from chains.reasons import GAPS, SNAPSHOT
from tests.fuzz import electrum
from tests.fuzz.contract import Case, Recorded, cases, is_observed, parse, record, with_body
from tests.fuzz.target import Target, split

PLACES = 256
"""So many bodies the first byte of an input can choose among."""


def few(case: Case) -> list[bytes]:
    """Choose accounts to ask about: every input is decoded whole, so that many take long."""
    by_units = sorted(case.ledger, key=lambda account: (case.ledger[account], account))
    held = [account for account in by_units if case.ledger[account]]
    return sorted({by_units[0], held[0], held[-1]})


class Answers:
    """The recorded answers of an honest node to one adapter, one by one."""

    def __init__(self, case: Case, one: Recorded) -> None:
        self.case = case
        self.one = one
        self.places = [
            (questions, extract, number)
            for questions, extracts in self.one.asked.values()
            for extract in extracts
            for number in range(len(extract.exchanges))
        ]

    def seeds(self) -> list[bytes]:
        return [
            bytes((at % PLACES,)) + extract.exchanges[number].body
            for at, (_, extract, number) in enumerate(self.places[:PLACES])
        ]

    def check(self, data: bytes) -> None:
        """Decode with one body replaced: one answer for each question, and no invented number."""
        at, body = split(data, min(PLACES, len(self.places)))
        questions, extract, number = self.places[at]
        exchanges = list(extract.exchanges)
        original = exchanges[number].body
        exchanges[number] = with_body(exchanges[number], body)
        changed = msgspec.structs.replace(extract, exchanges=tuple(exchanges))
        said = self.one.adapter.decode(questions, changed, self.one.at)
        found = {questions.accounts[i]: answer for i, answer in said.each(questions)}
        assert list(found) == [questions.accounts[i] for i in extract.positions]
        says_something = tree(body) not in (None, tree(original))
        for owner, answer in found.items():
            observed = is_observed(answer, questions.kind)
            if observed and questions.kind is not QueryKind.CONTROL and not says_something:
                assert answer.units == self.case.ledger[owner], (owner, answer)

    def pin_seeds(self) -> list[bytes]:
        return [bytes((at,)) + one.body for at, one in enumerate(self.one.pin)]

    def pin(self, data: bytes) -> None:
        """Pin with one body replaced: a snapshot, or an error that says why not."""
        at, body = split(data, len(self.one.pin))
        exchanges = list(self.one.pin)
        exchanges[at] = with_body(exchanges[at], body)
        code = ""
        try:
            found = self.one.adapter.snapshot(self.case.height, exchanges)
        except ChainError as error:
            code = error.code
        else:
            assert found.height == self.case.height
        assert code in {"", *GAPS, *SNAPSHOT}

    def head_seeds(self) -> list[bytes]:
        return [bytes((at,)) + one.body for at, one in enumerate(self.one.head)]

    def head(self, data: bytes) -> None:
        """Read the head with one body replaced: a number, or why there is none."""
        at, body = split(data, len(self.one.head))
        exchanges: list[Exchange] = list(self.one.head)
        exchanges[at] = with_body(exchanges[at], body)
        assert isinstance(self.one.adapter, TellsHead)
        code = ""
        try:
            found = self.one.adapter.read_head(exchanges)
        except ChainError as error:
            code = error.code
        else:
            assert type(found) is int or (isinstance(found, Gap) and found.reason in GAPS)
        assert code in {"", *GAPS, *SNAPSHOT}


def tree(body: bytes) -> Any:
    """Return what a body says as JSON, ``None`` where it is none.

    Bytes that are no UTF-8 count as text: in a member that nobody reads they are passed over.
    """
    try:
        return parse(body.decode("utf-8", "replace").encode())
    except (ValueError, RecursionError):
        return None


def targets_of(case: Case, made: Callable[[], Recorded], *, head: bool) -> list[Target]:
    """Return the targets of one adapter; nothing is recorded before it is used."""

    @cache
    def answers() -> Answers:
        return Answers(case, made())

    kinds = {
        "decode": (lambda: answers().seeds(), lambda data: answers().check(data)),
        "pin": (lambda: answers().pin_seeds(), lambda data: answers().pin(data)),
        "head": (lambda: answers().head_seeds(), lambda data: answers().head(data)),
    }
    return [
        Target(f"{kind} {case.name}", *functions)
        for kind, functions in kinds.items()
        if head or kind != "head"
    ]


NO_HEAD = frozenset({"beacon"})
"""Its heights are those of another chain."""


def _recording(case: Case, accounts: Sequence[bytes]) -> Recorded:
    return asyncio.run(record(case, accounts))


def adapter_targets() -> list[Target]:
    found = []
    for case in cases():
        load(case.spec.adapter)  # now, while what is imported may be watched
        made = partial(_recording, case, few(case))
        found += targets_of(case, made, head=case.name not in NO_HEAD)
    return found


TARGETS = (
    *adapter_targets(),
    *targets_of(electrum.CASE, electrum.recording, head=False),
)
