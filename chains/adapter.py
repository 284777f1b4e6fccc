"""What an adapter is: how it is asked, what it says that it can do, what it costs to ask.

One adapter speaks to one family of chains (``chains.adapters``). Everything it sends goes out by a
``Transport``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from chains.model import (
    Answers,
    ChainSpec,
    Exchange,
    Extract,
    Method,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests some questions about balances take, where it is not the usual number.

    A question takes ``each`` (a number or a fraction, as text) and a batch of at most ``batch`` (0:
    the usual number) ``a_batch`` more. ``calls_each`` and ``calls_a_batch`` are the same in calls,
    where a request is an array of several (``""``: each is one call). Of assets of a namespace,
    ``""`` of all. ``over_lines``: where all endpoints speak in lines (``chains.stream``) and are
    asked in another way than others. ``late``: after the fact, an estimate, as if the endpoints no
    longer knew the height and every account had moved a little since; what moved much takes more
    still.
    """

    each: str
    a_batch: int
    calls_each: str = ""
    calls_a_batch: int = 0
    batch: int = 0
    asset: str = ""
    over_lines: bool = False
    late: bool = False


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter can do, in words that ``recount chains`` prints.

    Where the chains of a family differ, the adapter has a class method ``capable`` that says it of
    one chain's declaration (``chains.adapters.capabilities``).

    ``history``: ``exact`` (any height), ``flagged`` (only nodes that recorded it), ``held`` (of the
    node's head: exact while it is held at the height), ``tip`` (now only), ``bulk`` (from a dump at
    the height). ``assets`` are CAIP-19 asset namespaces. ``control`` are the checks answered for
    ``control`` questions. ``zero_rule`` is the sentence that says what makes a zero believable.
    ``nested_control``: who controls an account may be an account (of the chain's ``controllers``)
    that others control, which the adapter does not follow.

    ``calls`` are how many calls one question of a kind takes where the following do not say it,
    without those that only an answer asks for. Otherwise a question takes ``requests_each`` (a
    number or a fraction, as text) and a batch ``requests_a_batch`` more, canaries counted.
    ``efforts`` are of balances that take other numbers than these, or arrays. A moment's pin takes
    ``pinning`` calls of each endpoint.

    ``answering`` are HTTP statuses by which the protocol itself answers (nodeos says 500 for an
    unknown account): they are handed over like a 404, as ``refused`` with status and body, and not
    retried. ``proof_questions``: it answers ``proof`` questions, on the chains whose
    ``params.proofs`` say that their blocks are known to commit to the state. ``how`` says of
    methods what they take here. ``whole``: its sources are files and scans of everything, which a
    cluster's command reads itself. ``subject_holds``: the subject of an answer is not another name
    of the account but who owns it, and the balance of that owner contains it.
    """

    history: str
    assets: tuple[str, ...]
    methods: tuple[Method, ...]
    zero_rule: str
    batch: int
    shard: int
    proofs: bool = False
    control: tuple[str, ...] = ()
    nested_control: bool = False
    calls: Mapping[QueryKind, int] = {}
    requests_each: str = "0"
    requests_a_batch: int = 1
    pinning: int = 6
    efforts: tuple[Effort, ...] = ()
    answering: tuple[int, ...] = ()
    proof_questions: bool = False
    how: Mapping[Method, str] = {}
    whole: bool = False
    subject_holds: bool = False

    def only(self, *methods: Method, **changes: Any) -> Capabilities:
        """Return these capabilities with ``methods`` alone, and with other changes."""
        proven = Method.PROOF in methods
        kept = {
            "methods": tuple(method for method in self.methods if method in methods),
            "proofs": self.proofs and proven,
            "proof_questions": self.proof_questions and proven,
            "how": {method: text for method, text in self.how.items() if method in methods},
        }
        return msgspec.structs.replace(self, **{**kept, **changes})


class Transport(Protocol):
    """The one way out. It never raises for a failing endpoint: the failure is in the Exchange."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Names of the endpoints of this chain, primaries first."""
        ...

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        """Send to this endpoint, retrying transient errors within the policy."""
        ...

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        """Send to whichever of ``among`` has a free slot and is healthy."""
        ...


class ChainAdapter(Protocol):
    """Balances of one chain at a moment. One instance per chain and run.

    ``pin``/``extract`` go to the network and return raw exchanges; ``snapshot``/``decode``
    are pure and can be repeated offline from the recorded exchanges, byte for byte.
    """

    capabilities: ClassVar[Capabilities]

    def __init__(self, spec: ChainSpec, transport: Transport) -> None: ...

    async def pin(self, height: int) -> tuple[Exchange, ...]:
        """Ask every configured endpoint for the block at ``height`` and for its canaries."""
        ...

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the moment; raises ``Fatal`` where chain identity or agreement fails."""
        ...

    def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Yield extracts that together cover every position exactly once, in any order."""
        ...

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure: no network, no clock, no state."""
        ...


@runtime_checkable
class ReadsBulk(Protocol):
    """An adapter that answers from files too large to be kept as evidence."""

    def bulk_source(self, exchange: Exchange) -> tuple[str, int] | None:
        """Return SHA-256 (hex) and size in bytes of the file behind an exchange, if one is."""
        ...

    def reread(
        self, exchange: Exchange, accounts: Sequence[bytes], height: int, path: Path
    ) -> bytes:
        """Read the file again for the same accounts; returns what the exchange's body must be."""
        ...
