"""A beacon node that answers anything anywhere: the truth or a Gap, never another number."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.adapters import beacon
from chains.errors import ChainError
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, QueryKind, Questions, Request
from chains.reasons import GAPS, SNAPSHOT
from chains.simulated.beacon import GWEI, SimulatedBeacon, SimulatedValidator

pytestmark = pytest.mark.property

CHAIN = ChainId("beacon:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:60")
HEIGHT = 23_000_000
TRUE = {b"\x01" * 48: 32 * GWEI + 1, b"\x02" * 48: 33 * GWEI, b"\x03" * 48: 0}
KNOWN = {
    b"\x01" * 48: SimulatedValidator(balance=32 * GWEI + 1, withdrawals=(5,), consolidates=True),
    b"\x02" * 48: SimulatedValidator(balance=32 * GWEI, deposits=(GWEI,)),
}
DEEP: Any = []
for _ in range(900):
    DEEP = [DEEP]
NUMBERS = [0, -1, 1.5, 10**400, "-1", "1e9", "٣", str(2**64)]
HOSTILE = st.sampled_from([None, True, False, "", "x", "0x", [], {}, DEEP, *NUMBERS])


class Tampered:
    """A transport without sockets: one node, one of whose answers is changed."""

    endpoints = ("a",)

    def __init__(self, node: SimulatedBeacon, which: int, where: float, value: object) -> None:
        self.node, self.which, self.where, self.value = node, which, where, value
        self.path = ""
        self.sent = 0

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        asked: Any = SimpleNamespace(method=request.method, path=request.path)
        answer = await self.node.answer(asked, request.body)
        assert isinstance(answer, web.Response)
        body = bytes(answer.body)  # type: ignore[arg-type]
        if self.sent == self.which:
            self.path = request.path
            body = self._changed(body)
        self.sent += 1
        ok = answer.status == 200
        return Exchange(
            request=request,
            endpoint=endpoint,
            status=answer.status,
            body=body,
            failure="" if ok else "refused",
        )

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        return await self.exchange(request, among[0])

    def _changed(self, body: bytes) -> bytes:
        answer = msgspec.json.decode(body)
        places = list(_places(answer))
        holder, key = places[int(self.where * len(places))]
        holder[key] = self.value
        return msgspec.json.encode(answer)


def _places(node: Any) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield node, key
        if isinstance(value, dict | list):
            yield from _places(value)


async def outcome(transport: Tampered) -> tuple[set[str], dict[bytes, int]]:
    """Pin and ask; returns the reasons of what is not known, and the units of what is."""
    spec = ChainSpec(
        id=CHAIN,
        name="beacon",
        adapter="beacon",
        address="bls",
        native=NATIVE,
        params=transport.node.params,
    )
    adapter = beacon.Adapter(spec, transport)
    try:
        at = adapter.snapshot(HEIGHT, await adapter.pin(HEIGHT))
    except ChainError as error:
        return {error.code}, {}
    if not at.endpoints:
        return set(at.rejected.values()), {}
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=HEIGHT, asset=NATIVE, accounts=tuple(TRUE)
    )
    found: dict[bytes, int] = {}
    reasons: set[str] = set()
    async for extract in adapter.extract(questions, at):
        for position, one in adapter.decode(questions, extract, at).each(questions):
            if isinstance(one, Gap):
                reasons.add(one.reason)
            else:
                found[questions.accounts[position]] = one.units
    return reasons, found


@settings(max_examples=600, deadline=None)
@given(which=st.integers(0, 11), where=st.floats(0, 1, exclude_max=True), value=HOSTILE)
def test_whatever_one_answer_says_no_number_is_wrong(which, where, value):
    transport = Tampered(SimulatedBeacon(HEIGHT, KNOWN), which, where, value)
    reasons, found = asyncio.run(outcome(transport))
    assert reasons <= GAPS.keys() | SNAPSHOT.keys()
    if "pending" not in transport.path:  # an empty queue cannot be told from an honest one
        assert found == {key: units for key, units in TRUE.items() if key in found}
    assert found or reasons


def test_untouched_answers_are_the_truth():
    transport = Tampered(SimulatedBeacon(HEIGHT, KNOWN), -1, 0.0, None)
    assert asyncio.run(outcome(transport)) == (set(), TRUE)
    assert transport.sent == 12
