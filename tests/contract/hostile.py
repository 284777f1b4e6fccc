"""Answers of an honest node, recorded without a socket, and ways to spoil them.

A body is taken apart into ``Members`` and lists (a member may stand twice, and a number keeps its
spelling), one place of it is changed, and it is put together again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeGuard

import msgspec
from adapter_cases import Case
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import assume
from hypothesis import strategies as st

from chains.adapter import ChainAdapter
from chains.adapters import load
from chains.control import decode as decode_control
from chains.heads import TellsHead
from chains.model import (
    AssetId,
    Exchange,
    Extract,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.reasons import GAPS
from chains.simulated.node import SimulatedNode
from chains.transport import RETRIED_STATUS

DEPTH = 2000
LONGEST_DETAIL = 2000


class Members(list[tuple[str, Any]]):
    """A JSON object as its members, in their order."""


class Raw(str):
    """A piece of JSON as it is spelled."""

    __slots__ = ()


def is_observed(answer: Observation | Gap, kind: QueryKind) -> TypeGuard[Observation]:
    """Hold an answer to what each must be, and tell whether it is no gap."""
    if isinstance(answer, Gap):
        assert answer.reason in GAPS, answer
        assert len(answer.detail) < LONGEST_DETAIL
        return False
    assert type(answer.units) is int
    assert answer.units >= 0
    assert answer.units == sum(part.units for part in answer.parts if part.counted)
    if kind is QueryKind.CONTROL:
        decode_control(answer.facts)
    return True


class Recorded(NamedTuple):
    """What an honest node said to one adapter."""

    adapter: ChainAdapter
    pin: tuple[Exchange, ...]
    at: Snapshot
    asked: dict[QueryKind, tuple[Questions, tuple[Extract, ...]]]
    head: tuple[Exchange, ...]


class Direct:
    """A transport that hands requests to a simulated node without a socket."""

    endpoints = ("n0",)

    def __init__(self, node: SimulatedNode, answering: Sequence[int]) -> None:
        self._node = node
        self._passing = RETRIED_STATUS.difference(answering) | {429}

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        path = "/" + request.path.removeprefix("/")
        asked = make_mocked_request(request.method, path)
        said = await self._node.answer(asked, request.body)
        assert isinstance(said, web.Response)
        body = said.body if isinstance(said.body, bytes) else b""
        assert said.status not in self._passing
        failure = "" if 200 <= said.status < 300 else "refused"
        return Exchange(
            request=request, endpoint=endpoint, status=said.status, body=body, failure=failure
        )

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        return await self.exchange(request, among[0])


_recorded: dict[str, Recorded] = {}


def recorded(case: Case) -> Recorded:
    """Pin and ask a simulated node, once: balances and, where there are any, control and proofs."""
    if case.name not in _recorded:
        _recorded[case.name] = asyncio.run(record(case, sorted(case.ledger)))
    return _recorded[case.name]


async def record(
    case: Case,
    accounts: Sequence[bytes],
    transport: Any = None,
    asset: AssetId | None = None,
) -> Recorded:
    """Pin a node of a case and ask it about accounts, by a transport without a socket."""
    adapter_class = load(case.spec.adapter)
    transport = transport or Direct(case.node(), adapter_class.capabilities.answering)
    adapter = adapter_class(case.spec, transport)
    pin = await adapter.pin(case.height)
    at = adapter.snapshot(case.height, pin)
    asked = {}
    kinds = [QueryKind.BALANCE]
    if adapter_class.capabilities.control and asset is None:
        kinds.append(QueryKind.CONTROL)
    if adapter_class.capabilities.proof_questions:
        kinds.append(QueryKind.PROOF)
    for kind in kinds:
        questions = Questions(
            kind=kind,
            chain=case.spec.id,
            height=case.height,
            asset=asset or case.spec.native,
            accounts=tuple(accounts),
        )
        asked[kind] = (questions, tuple([one async for one in adapter.extract(questions, at)]))
    tells = isinstance(adapter, TellsHead) and isinstance(transport, Direct)
    wanted = adapter.head_requests() if tells else ()
    head = [await transport.exchange(request, "n0") for request in wanted]
    return Recorded(adapter, pin, at, asked, tuple(head))


def parse(body: bytes) -> Any:
    """Take a body apart; raises ``ValueError`` where it is no JSON."""
    return json.loads(body, object_pairs_hook=Members, parse_float=Raw, parse_int=Raw)


def spell(tree: Any) -> str:
    """Put a body together again."""
    if isinstance(tree, Raw):
        return str(tree)
    if isinstance(tree, Members):
        return "{" + ",".join(f"{json.dumps(name)}:{spell(one)}" for name, one in tree) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(spell, tree)) + "]"
    return json.dumps(tree)


Place = tuple[int, ...]


def places(tree: Any, here: Place = ()) -> Iterator[Place]:
    """Yield where every value of a tree stands, as positions from the outside in."""
    yield here
    if isinstance(tree, list):
        for i, one in enumerate(tree):
            yield from places(one[1] if isinstance(tree, Members) else one, (*here, i))


def value_at(tree: Any, place: Place) -> Any:
    for i in place:
        tree = tree[i][1] if isinstance(tree, Members) else tree[i]
    return tree


def put(tree: Any, place: Place, *values: Any) -> Any:
    """Return a tree with these values in place of one: none drops it, two repeat its name."""
    if not place:
        return values[0] if values else Raw("")
    first, rest = place[0], place[1:]
    new = type(tree)(tree)
    if not rest:
        name = tree[first][0] if isinstance(tree, Members) else ""
        new[first : first + 1] = [
            (name, one) if isinstance(tree, Members) else one for one in values
        ]
    elif isinstance(tree, Members):
        new[first] = (tree[first][0], put(tree[first][1], rest, *values))
    else:
        new[first] = put(tree[first], rest, *values)
    return new


NONSENSE = (
    True,
    False,
    Raw("-1"),
    Raw("1.5"),
    Raw("1e999"),
    Raw("-1e999"),
    Raw("1e99999999999"),
    Raw("1e-99999999999"),
    "1e99999999999",
    Raw("NaN"),
    Raw("Infinity"),
    Raw("9" * 5000),
    Raw("1" + "0" * 400),
    "-1",
    "1.5e3x",
    "0xzz",
    "0x" + "f" * 5000,
    "9" * 5000,
    " 1",
    "1_000",
    "\u0661\u0662",
    "\uff11",
    "NaN",
    "\x00",
    "\u202e1",
    "x" * (1 << 16),
    Raw('"\\ud800"'),
    Raw("[" * DEPTH + "]" * DEPTH),
    Raw('{"a":' * DEPTH + "1" + "}" * DEPTH),
    Raw("[" * 100_000),
)
"""No chain's number, hash or name."""
EMPTY = (None, [], Members(), "", "0x")
"""What some protocols say where there is nothing."""
NUMBERS = (
    *map(Raw, ("0", "-0", "1", str(2**64), str(2**128), str(2**256))),
    "0",
    "1",
    "0x0",
    "0x1",
    "00",
    str(2**63),
    str(2**128),
    "0x" + "f" * 64,
    "0." + "0" * 40,
    "1.0",
)
"""Well formed, and a lie."""


class Spoilt(NamedTuple):
    """A body that was changed: where and how, for whoever reads a failure."""

    body: bytes
    place: Place
    how: str


def _spoil_tree(tree: Any, draw: Any, values: Sequence[Any]) -> Spoilt:
    place = draw(st.sampled_from(list(places(tree))))
    value = draw(st.sampled_from(values))
    how = draw(st.sampled_from(("replaced", "replaced", "named twice", "wrapped")))
    if how == "replaced":
        new = put(tree, place, value)
    elif how == "named twice":
        new = put(tree, place, value_at(tree, place), value)
    else:
        new = put(tree, place, [value_at(tree, place)])
    return Spoilt(spell(new).encode(), place, f"{how}: {str(value)[:40]!r}")


def _cut(body: bytes, draw: Any) -> Spoilt:
    at = draw(st.integers(0, max(0, len(body) - 1)))
    return Spoilt(body[:at], (), f"cut at {at}")


def _torn(body: bytes, draw: Any) -> Spoilt:
    at = draw(st.integers(0, len(body)))
    piece = draw(st.sampled_from((b"\xff\xfe", b"\xc0\xaf", b"\x00", b"\x1b", b"}", b"]", b'"')))
    return Spoilt(body[:at] + piece + body[at:], (), f"{piece!r} at {at}")


def _is_json(body: bytes) -> bool:
    try:
        parse(body)
    except ValueError:
        return False
    return True


@st.composite
def nonsense(draw: st.DrawFn, body: bytes) -> Spoilt:
    """Spoil a body so that what was changed says nothing."""
    try:
        tree = parse(body)
    except ValueError:
        tree = None
    ways = ["cut", "torn"] + ["tree"] * 4 * (tree is not None)
    way = draw(st.sampled_from(ways))
    if way == "cut":
        return _cut(body, draw)
    if way == "torn":
        torn = _torn(body, draw)
        assume(not _is_json(torn.body))  # else a name or text was changed: that is a lie
        return torn
    return _spoil_tree(tree, draw, NONSENSE)


@st.composite
def lies(draw: st.DrawFn, body: bytes) -> Spoilt:
    """Change a body in one place to something that may be well formed; or drop what is there."""
    try:
        tree = parse(body)
    except ValueError:
        return draw(nonsense(body))
    if draw(st.booleans()):
        return _spoil_tree(tree, draw, NUMBERS + EMPTY)
    place = draw(st.sampled_from(list(places(tree))))
    other = draw(st.sampled_from(list(places(tree))))
    if draw(st.booleans()):
        return Spoilt(spell(put(tree, place)).encode(), place, "dropped")
    new = put(tree, place, value_at(tree, other))
    return Spoilt(spell(new).encode(), place, f"what stands at {other}")


def with_body(exchange: Exchange, body: bytes) -> Exchange:
    return msgspec.structs.replace(exchange, body=body)


def any_body() -> st.SearchStrategy[bytes]:
    """Bodies that say nothing about any account."""
    leaves = st.sampled_from((*NONSENSE, *EMPTY, *NUMBERS))
    names = st.sampled_from(
        ("jsonrpc", "id", "result", "data", "error", "code", "status", "balance", "value", "block")
    )
    trees = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.lists(st.tuples(names, inner), max_size=4).map(Members)
        ),
        max_leaves=8,
    )
    return st.one_of(
        st.binary(max_size=64),
        trees.map(lambda tree: spell(tree).encode()),
        trees.map(lambda tree: b'{"jsonrpc":"2.0","id":0,"result":%s}' % spell(tree).encode()),
        trees.map(lambda tree: b'[{"jsonrpc":"2.0","id":0,"result":%s}]' % spell(tree).encode()),
    )
