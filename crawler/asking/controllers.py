"""Who controls those in control: accounts that the chain names, followed until keys are reached.

A Safe may belong to a Safe, a validator may pay to a contract. What an adapter does not follow
itself is asked in rounds: a round asks about every account that the answers so far put in control
and that nobody has asked about. ``follow`` walks from one row's account through what is known; what
it cannot pass it names with a reason, and what may be asked next with its question. Pure: the
same answers give the same walk, whoever asks.

Who signed is not followed: a signature is the end of the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec
import pyarrow as pa

from chains import addresses
from chains.control import Authority, ControlFacts, members, spelling
from chains.model import ChainId, ChainSpec, QueryKind, Questions
from crawler.asking.control import (
    CONTROLLED,
    NOBODY,
    TOO_DEEP,
    TOO_MANY,
    UNASKED,
    UNKNOWN,
    UNOBSERVED,
    judge_contract,
    judge_signers,
)
from crawler.asking.plan import (
    ControlQuestion,
    answers_control,
    awaiting,
    capabilities,
    control_questions,
)
from crawler.crawling.answers import Place
from crawler.settings import World

LEVELS = 3
"""How many accounts may stand, one behind the other, between a row's account and who signed."""
MOST_FOLLOWED = 200
"""Members that are looked at for one row."""


class Answered(msgspec.Struct, frozen=True):
    """One control question that was asked: what the chain showed, ``None`` where it is a gap."""

    facts: ControlFacts | None
    place: Place


Known = Mapping[ControlQuestion, Answered]
"""Everything that was asked about control at one height."""


class Reached(msgspec.Struct, frozen=True):
    """What a walk found.

    ``facts`` are those of the row's account with all that is known nested in them. ``closed`` maps
    members that could not be passed to the reason why. ``asks`` are the questions that may open
    them, ``passed`` those whose answers were used.
    """

    facts: ControlFacts
    closed: Mapping[str, str]
    asks: tuple[ControlQuestion, ...]
    passed: tuple[ControlQuestion, ...]


def controllers(world: World, chain: ChainId) -> ChainSpec | None:
    """Return the chain of the accounts that control accounts of ``chain``, ``None``: only keys."""
    spec = world.chains[chain]
    if spec.adapter == "none" or not capabilities(spec).nested_control:
        return None
    return world.chains[ChainId(spec.controllers or spec.id)]


def controllers_asked(world: World, asked: Iterable[Questions]) -> Iterator[tuple[Questions, int]]:
    """Yield what the answers to these questions may ask first, and about how many accounts.

    The accounts are not known yet; as many are counted as are asked about now.
    """
    found: Counter[Questions] = Counter()
    for one in asked:
        spec = controllers(world, one.chain) if one.kind is QueryKind.CONTROL else None
        if spec is not None and answers_control(world, spec.id):
            changed = {"chain": spec.id, "asset": spec.native, "accounts": ()}
            found[msgspec.structs.replace(one, **changed)] += len(one.accounts)
    yield from sorted(found.items(), key=lambda each: (each[0].chain, each[0].height))


def follow(
    world: World,
    own: ControlQuestion,
    facts: ControlFacts,
    signers: Iterable[str],
    known: Known,
) -> Reached:
    """Walk from a row's account, whose facts are given, to whoever controls it."""
    walk = _Walk(world, frozenset(map(spelling, signers)), known)
    ways = walk.ways(own.chain, facts.ways, (own,))
    return Reached(
        facts=msgspec.structs.replace(facts, ways=ways),
        closed=walk.closed,
        asks=tuple(walk.asks),
        passed=tuple(walk.passed),
    )


class _Walk:
    def __init__(self, world: World, signed: frozenset[str], known: Known) -> None:
        self._world = world
        self._signed = signed
        self._known = known
        self._followed = 0
        self.closed: dict[str, str] = {}
        self.asks: dict[ControlQuestion, None] = {}
        self.passed: dict[ControlQuestion, None] = {}

    def ways(
        self, chain: ChainId, ways: tuple[Authority, ...], path: tuple[ControlQuestion, ...]
    ) -> tuple[Authority, ...]:
        """Return ways with what is known of their members; ``path`` are the accounts in between."""
        spec = controllers(self._world, chain)
        if spec is None:
            return ways
        return tuple(self._way(spec, way, path) for way in ways)

    def _way(self, spec: ChainSpec, way: Authority, path: tuple[ControlQuestion, ...]) -> Authority:
        nested = dict(way.nested)
        for name in way.weights:
            if name in nested or spelling(name) in self._signed or spelling(name) == NOBODY:
                continue
            behind = self._behind(spec, name, path)
            if isinstance(behind, str):
                self.closed[spelling(name)] = behind
            elif behind:
                nested[name] = behind
        return msgspec.structs.replace(way, nested=nested)

    def _behind(
        self, spec: ChainSpec, name: str, path: tuple[ControlQuestion, ...]
    ) -> tuple[Authority, ...] | str:
        """Return the ways of a member, none where nobody stands behind it, or why it is closed."""
        question = ControlQuestion(QueryKind.CONTROL, spec.id, addresses.decode(spec, name))
        if question in path:
            return UNKNOWN  # an account that obeys itself shows nobody
        self._followed += 1
        if len(path) > LEVELS:
            return TOO_DEEP
        if self._followed > MOST_FOLLOWED:
            return TOO_MANY
        answered = self._known.get(question)
        if answered is not None:
            self.passed[question] = None
            return self._shown(question, answered.facts, path)
        if answers_control(self._world, spec.id):
            self.asks[question] = None
        return UNASKED

    def _shown(
        self,
        question: ControlQuestion,
        facts: ControlFacts | None,
        path: tuple[ControlQuestion, ...],
    ) -> tuple[Authority, ...] | str:
        """Read what the chain shows about a member."""
        if facts is None:
            return UNOBSERVED
        if facts.plain:
            return ()
        if set(members(facts.ways)) - {NOBODY}:
            return self.ways(question.chain, facts.ways, (*path, question))
        return UNKNOWN if facts.exists else UNOBSERVED


class Judged(msgspec.Struct, frozen=True):
    """One row's verdict, the questions whose answers it rests on, and what may be asked next."""

    status: str
    reason: str
    rests_on: tuple[ControlQuestion, ...]
    asks: tuple[ControlQuestion, ...] = ()


def judge_row(
    world: World, claims: pa.Table, signatures: pa.Table, row: int, known: Known
) -> Judged | None:
    """Judge an awaiting row by what is known at its height; ``None`` while that is not enough."""
    asked = control_questions(world, claims, signatures, row)
    answered = known.get(asked[0]) if asked else None
    if answered is None or answered.facts is None:
        return None
    own = asked[0]
    if own.kind is QueryKind.SIGNATURE:
        return Judged(*judge_contract(answered.facts), (own,))
    signed, silent = (signatures[name][row].as_py() for name in ("signers", "silent"))
    reached = follow(world, own, answered.facts, signed, known)
    status, reason = judge_signers(signed, silent, reached.facts, reached.closed)
    asks = () if (status, reason) == CONTROLLED else reached.asks
    return Judged(status, reason, (own, *reached.passed), asks)


def further(
    world: World, claims: pa.Table, signatures: pa.Table, known: Mapping[int, Known]
) -> Iterator[tuple[int, ControlQuestion]]:
    """Yield what the rows of a part ask next, with the height; the same question may come twice."""
    for row in awaiting(world, claims, signatures):
        height = claims["at_height"][row].as_py()
        judged = judge_row(world, claims, signatures, row, known.get(height, {}))
        for question in judged.asks if judged else ():
            yield height, question
