"""The words of the chain side: chains, accounts, questions, answers.

A *question* asks one thing (a balance, who controls an account, a fact about an
asset) about one account at one pinned moment. Questions of one kind, asset and
moment travel together as columns (``Questions``) and come back as columns
(``Answers``), because half a million Python objects would cost more than the
network does. ``Answers.each`` gives the row view: exactly one ``Observation`` or
``Gap`` per question.

Amounts are Python integers of base units (wei, satoshi, lamports). Accounts are
canonical bytes, as defined by the chain's address format in ``chains.addresses``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Literal, NewType, Protocol, runtime_checkable

import msgspec

from chains.packed import Packed

ChainId = NewType("ChainId", str)
"""CAIP-2, for example ``eip155:1``. Local namespaces: docs/identifiers.md."""
AssetId = NewType("AssetId", str)
"""CAIP-19, for example ``eip155:1/erc20:0xdAC1…``."""


class ChainSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One chain as declared in ``config/chains.toml``: facts only, no code.

    ``adapter`` is the module in ``chains.adapters`` that speaks to it, ``none`` when
    the chain is only named. ``address`` is the module in ``chains.addresses`` and
    ``address_params`` what that format needs (version bytes, human-readable parts).
    ``params`` belongs to the adapter (genesis hash, canaries, quirks). ``controllers`` is the
    chain on which the accounts live that control accounts of this one, ``""`` for this one
    itself; where that is another (validators), both count heights alike. ``unified_with`` is the
    chain whose coin and accounts this one's are, under other names (FEVM and Filecoin): its
    address format reads the texts of this one's.
    """

    id: ChainId
    name: str
    adapter: str
    address: str
    native: AssetId
    address_params: Mapping[str, Any] = {}
    params: Mapping[str, Any] = {}
    controllers: str = ""
    unified_with: str = ""
    source: str = ""

    @property
    def namespace(self) -> str:
        """The CAIP-2 namespace."""
        return self.id.partition(":")[0]

    @property
    def reference(self) -> str:
        """The CAIP-2 reference: what identifies the chain inside its namespace."""
        return self.id.partition(":")[2]


class QueryKind(StrEnum):
    """What can be asked."""

    BALANCE = "balance"
    PROOF = "proof"
    CONTROL = "control"
    SIGNATURE = "signature"
    ASSET_FACT = "asset-fact"


class Source(StrEnum):
    """Who answered: our own node, several that agree, or one third party."""

    OWN_NODE = "own-node"
    QUORUM = "quorum"
    SINGLE = "single"


class Method(StrEnum):
    """How the answer is tied to the height."""

    PROOF = "proof"
    STATE = "state"
    BULK = "bulk"
    UNTOUCHED = "untouched"
    ROLLED_BACK = "rolled-back"
    CAPTURED = "captured"


class PartKind(StrEnum):
    """What a part of a balance is."""

    LIQUID = "liquid"
    STAKED = "staked"
    FROZEN = "frozen"
    UNBONDING = "unbonding"
    DELEGATED = "delegated"
    RESERVED = "reserved"
    ESCROWED = "escrowed"
    REWARD = "reward"


class Part(msgspec.Struct, frozen=True):
    """One component of a balance, in base units; ``counted`` says whether it adds to the total."""

    kind: PartKind
    units: int
    counted: bool = True


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to one endpoint. ``path`` is relative to the endpoint's URL.

    ``LINE``: ``body`` goes as one line to an endpoint of ``chains.stream``, and only to one.
    """

    method: Literal["POST", "GET", "FILE", "LINE"] = "POST"
    path: str = ""
    body: bytes = b""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request with its raw answer, kept before anything is interpreted.

    ``failure`` is empty when the endpoint gave a complete answer with a status that
    carries one; otherwise it is a reason of ``chains.reasons`` and ``body`` may be
    empty or partial. ``retryable`` tells whether asking later may help.
    """

    request: Request
    endpoint: str
    own_node: bool = False
    status: int = 0
    body: bytes = b""
    failure: str = ""
    retryable: bool = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The one pinned moment of one chain.

    ``time`` is Unix seconds as the block states them, 0 where the protocol gives none.
    ``endpoints`` are those that agreed on the block and showed, with a canary, that they
    hold its state: the only ones that may be asked. ``rejected`` maps every other
    endpoint to its reason. ``canaries`` are accounts (canonical bytes, hex) known not to
    be empty at this moment, taken from the block itself or from config, never from a list.
    ``detail`` belongs to the adapter (parent hash, state root, tip).
    """

    chain: ChainId
    height: int
    block_hash: str
    time: int
    endpoints: tuple[str, ...]
    rejected: Mapping[str, str] = {}
    canaries: tuple[str, ...] = ()
    detail: Mapping[str, str] = {}


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """Questions of one kind about one asset at one height, one per account.

    ``accounts`` are distinct canonical bytes in ascending order; they are packed, whatever they are
    given as (``chains.packed``). ``proof`` asks for a balance once
    more, with what proves it. For ``control`` and
    ``signature`` the asset is the chain's native one; for ``signature`` an account is account ‖
    digest ‖ signature (``chains.signatures.eip1271``); for ``asset-fact`` there is exactly
    one account, the asset's own reference as bytes, followed by calldata where the answer of a
    function of the contract, one word, is wanted as ``rate``.
    """

    kind: QueryKind
    chain: ChainId
    height: int
    asset: AssetId
    accounts: Sequence[bytes]

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "accounts", Packed.of(self.accounts))


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was answered.

    ``subject`` is the account as the chain resolved it. ``units`` is the sum of the
    counted parts. ``facts`` is a JSON object: ``chains.control`` for
    ``control`` and ``signature``, decimals and symbol for ``asset-fact``.
    """

    subject: bytes
    units: int
    parts: tuple[Part, ...]
    facts: str
    source: Source
    method: Method
    endpoint: str


class Gap(msgspec.Struct, frozen=True):
    """A question that was not answered. ``reason`` is a code of ``chains.reasons``."""

    reason: str
    retryable: bool = False
    detail: str = ""


class Extract(msgspec.Struct, frozen=True, kw_only=True):
    """Raw exchanges that together answer ``positions`` of a ``Questions``.

    ``decoder`` names the rule by which the adapter's ``decode`` reads them, so that the
    same bytes can be decoded again, offline, to the same answers.
    """

    positions: Sequence[int]
    decoder: str
    exchanges: tuple[Exchange, ...]


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Answers to ``positions`` of a ``Questions``, as columns.

    ``units[i]`` answers ``positions[i]``: base units, or ``None`` where ``gaps`` has an
    entry for ``i``. The other maps are sparse and also keyed by ``i``: ``subjects`` where
    the chain resolved another account, ``parts`` where the balance is more than one
    liquid part, ``facts`` for control and asset facts.
    """

    positions: Sequence[int]
    units: Sequence[int | None]
    source: Source
    method: Method
    endpoint: str
    gaps: Mapping[int, Gap] = {}
    subjects: Mapping[int, bytes] = {}
    parts: Mapping[int, tuple[Part, ...]] = {}
    facts: Mapping[int, str] = {}

    def each(self, questions: Questions) -> Iterator[tuple[int, Observation | Gap]]:
        """Yield (position, answer) in the order of ``positions``."""
        for i, position in enumerate(self.positions):
            gap = self.gaps.get(i)
            if gap is not None:
                yield position, gap
                continue
            units = self.units[i]
            if units is None:
                message = f"position {position} has neither units nor a gap"
                raise ValueError(message)
            yield (
                position,
                Observation(
                    subject=self.subjects.get(i, questions.accounts[position]),
                    units=units,
                    parts=self.parts.get(i, (Part(PartKind.LIQUID, units),)),
                    facts=self.facts.get(i, ""),
                    source=self.source,
                    method=self.method,
                    endpoint=self.endpoint,
                ),
            )


def all_gaps(extract: Extract, gap: Gap, endpoint: str = "") -> Answers:
    """Answer every position of ``extract`` with the same ``Gap``."""
    count = len(extract.positions)
    return Answers(
        positions=extract.positions,
        units=[None] * count,
        source=Source.SINGLE,
        method=Method.STATE,
        endpoint=endpoint,
        gaps=dict.fromkeys(range(count), gap),
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
    that others control, which the adapter does not follow. ``requests`` are how many calls one
    question of a kind takes where the following do not say it, without those that only an answer
    asks for. Otherwise a question takes ``requests_each`` (a number or a fraction, as
    text), a batch ``requests_a_batch`` more, canaries counted, and a moment's pin ``pinning`` calls
    of each endpoint. ``efforts`` are of balances that take other numbers than these, or arrays.
    ``answering`` are HTTP statuses by
    which the protocol itself answers (nodeos says 500 for an unknown account): they are handed
    over like a 404, as ``refused`` with status and body, and not retried. ``proof_questions``: it
    answers ``proof`` questions, on the chains whose ``params.proofs`` say that their blocks are
    known to commit to the state. ``how`` says of methods what they take here. ``whole``: its
    sources are files and scans of everything, which a cluster's command reads itself.
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
    requests: Mapping[QueryKind, int] = {}
    requests_each: str = "0"
    requests_a_batch: int = 1
    pinning: int = 6
    efforts: tuple[Effort, ...] = ()
    answering: tuple[int, ...] = ()
    proof_questions: bool = False
    how: Mapping[Method, str] = {}
    whole: bool = False

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


class Ownership(StrEnum):
    """What a row's signatures show. See docs/architecture.md for the whole table."""

    BOUND = "bound"
    CONTROLLED = "controlled"
    SIGNER_ONLY = "signer-only"
    UNSIGNED = "unsigned"
    UNSUPPORTED = "unsupported"
    REFUTED = "refuted"
