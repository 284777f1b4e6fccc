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

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NewType

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


class Ownership(StrEnum):
    """What a row's signatures show. See docs/architecture.md for the whole table."""

    BOUND = "bound"
    CONTROLLED = "controlled"
    SIGNER_ONLY = "signer-only"
    UNSIGNED = "unsigned"
    UNSUPPORTED = "unsupported"
    REFUTED = "refuted"
