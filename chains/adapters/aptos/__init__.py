"""Aptos: APT and fungible assets at a ledger version, and who controls an account.

Heights are ledger versions, or blocks where ``spec.params`` says so (``pinning``). Every question
carries the version; what the answer is for stands in headers only, which do not reach us, so each
group of questions also asks the state for its own clock: it must be the pinned version's.

APT is read by ``0x1::coin::balance``, which runs the framework of that version and adds the coin
and the fungible asset that it migrates to. The resource ``CoinStore`` is never read: accounts
that were migrated, or created since, have none, and look empty. Other fungible assets are read
from the account's primary store; one that is paired with a coin is refused (``asset-fact``),
because half of it may be that coin. Nodes prune: 410 is the gap ``state-pruned``.

Not seen: secondary stores (objects that the account owns; only an indexer lists them), stake in
pools of the account's own (``0x1::stake``), vesting contracts, delegation pools that ``params``
does not name, and whether a store is frozen (a question more per account); frozen units count.

``spec.params``: ``chain_id`` (required); ``height_is`` (``version`` unless given, or ``block``:
which of the two a list publishes has to be probed, and a block's number read as a version is
a moment years earlier); ``canaries`` (addresses that hold APT at every height of interest; else
those who paid gas shortly before the version are taken); ``delegation_pools`` (addresses: what an
account has in them is added as staked and unbonding). The endpoint's URL ends in ``/v1``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from chains.accounts import AccountAdapter, Fact, Held, Read, liquid
from chains.adapter import Capabilities, Transport
from chains.adapters.aptos import control, pinning, wire
from chains.errors import ConfigError
from chains.model import (
    ChainSpec,
    Exchange,
    Gap,
    Method,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.pinning import View

NAMESPACE = "fungible"
APT_METADATA = bytes(31) + b"\x0a"
"""The fungible asset that is the other half of APT.
Source: https://github.com/aptos-foundation/AIPs/blob/main/aips/aip-63.md"""
HALF = Gap("asset-unsupported", detail="half of this asset may be the coin that it is paired with")
_FACTS = ("decimals", "symbol")
_DECIMALS = 255

Own = Mapping[Request, Exchange]


class Adapter(AccountAdapter):
    """Reads octas (10^-8 APT) and base units of fungible assets at a ledger version."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="flagged",
        assets=("slip44", NAMESPACE),
        methods=(Method.STATE,),
        zero_rule=(
            "A zero counts if, in the same group of questions, the state's clock is that of the "
            "pinned version and an account that holds APT (configured, or a payer of gas shortly "
            "before the version) has the balance that it had at the pin; for a fungible asset its "
            "supply must also be there. A missing resource is never a zero."
        ),
        batch=16,
        shard=4096,
        requests_each="1",
        requests_a_batch=2,
        control=(control.KEY, control.OWNERS),
        calls={QueryKind.CONTROL: 2},
    )
    group: ClassVar[int] = 16
    window: ClassVar[int] = 4

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        pinning.chain_id(spec)
        pinning.is_block(spec)
        self._canaries = _addresses(spec, "canaries")
        self._pools = _addresses(spec, "delegation_pools")

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for the chain, its range of versions, and the block."""
        return [wire.index(), pinning.block_request(self.spec, height)]

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the version's transaction and clock, then for accounts that paid gas."""
        version = pinning.version_of(self.spec, height, shown[1])
        if isinstance(version, Gap):
            return []
        found = await self.together(pinning.version_requests(version), endpoint)
        accounts = pinning.candidates(self._canaries, version, found[-1])
        requests = [wire.coin_balance(account, version) for account in accounts]
        return found + await self.together(requests, endpoint)

    def view(self, height: int, endpoint: str, own: Own) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        return pinning.view(self.spec, height, endpoint, own, self._canaries)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the chain and its newest version."""
        return (wire.index(),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest version, or block where heights are blocks. Pure."""
        return pinning.read_head(self.spec, exchanges[0])

    def refusal(self, questions: Questions) -> Gap | None:
        """Refuse assets that are neither APT nor an unpaired fungible asset."""
        kind, asset = questions.kind, questions.asset
        if kind is QueryKind.CONTROL or (kind is QueryKind.BALANCE and asset == self.spec.native):
            return None
        if kind not in (QueryKind.BALANCE, QueryKind.ASSET_FACT):
            return super().refusal(questions)
        metadata = self._metadata(questions)
        if metadata is None:
            return Gap("asset-unsupported", detail=f"{asset} is not read")
        return HALF if metadata == APT_METADATA else None

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask the clock, then the rest of the group at the endpoint that answered."""
        version = pinning.version_at(at)
        if version is None:
            return [await self.transport.exchange_any(wire.index(), at.endpoints)]
        first = await self.transport.exchange_any(wire.now(version), at.endpoints)
        if first.failure:
            return [first]
        if questions.kind is QueryKind.CONTROL:
            return [first, *await self._ask_control(accounts, version, first.endpoint)]
        requests = [*self._evidence(questions, at, version)]
        for account in accounts:
            requests += self._asked(questions, account, version)
        return [first, *await self.together(list(dict.fromkeys(requests)), first.endpoint)]

    async def _ask_control(
        self, accounts: Sequence[bytes], version: int, endpoint: str
    ) -> list[Exchange]:
        """Ask about accounts, then about the owners that they turn out to have."""
        found: list[Exchange] = []
        known: dict[bytes, None] = {}
        pending = list(accounts)
        for _ in range(control.DEEPEST + 1):
            known |= dict.fromkeys(pending)
            requests = [one for each in pending for one in control.requests(each, version)]
            found += await self.together(requests, endpoint)
            own = {exchange.request: exchange for exchange in found}
            owners = [one for each in pending for one in control.owners(own, each, version)]
            room = len(accounts) + control.MOST_MEMBERS - len(known)
            pending = [one for one in dict.fromkeys(owners) if one not in known][:room]
            if not pending:
                break
        return found

    def _evidence(self, questions: Questions, at: Snapshot, version: int) -> list[Request]:
        """Return what shows, beside the clock, that the group's zeros are zeros."""
        if questions.kind is QueryKind.ASSET_FACT:
            return []
        requests = [wire.coin_balance(_canary(at), version)] if at.canaries else []
        metadata = self._metadata(questions)
        if metadata is not None:
            requests.append(wire.token_view("supply", metadata, version))
        return requests

    def _asked(self, questions: Questions, account: bytes, version: int) -> list[Request]:
        """Return what is asked about one account, or about the asset."""
        if questions.kind is QueryKind.ASSET_FACT:
            facts = [wire.token_view(name, account, version) for name in _FACTS]
            return [*facts, wire.paired_coin(account, version)]
        metadata = self._metadata(questions)
        if metadata is not None:
            return [wire.token_balance(account, metadata, version)]
        pools = [wire.stake(pool, account, version) for pool in self._pools]
        return [wire.coin_balance(account, version), *pools]

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group; without the version's clock nothing of it counts. Pure."""
        own = {exchange.request: exchange for exchange in exchanges}
        version = pinning.version_at(at)
        first = wire.read(exchanges[0])
        if version is None:
            return [first if isinstance(first, Gap) else Gap("no-usable-endpoint")] * len(accounts)
        clock = wire.one_number(own.get(wire.now(version)))
        if not isinstance(clock, Gap) and str(clock) != at.detail[pinning.CLOCK]:
            clock = Gap("wrong-block", detail="the state's clock is not that of the version")
        if isinstance(clock, Gap):
            return [clock] * len(accounts)
        if questions.kind is QueryKind.CONTROL:
            return [control.read(own, account, version) for account in accounts]
        if questions.kind is QueryKind.ASSET_FACT:
            return [_facts(own, account, version) for account in accounts]
        doubt = self._doubt(questions, at, own, version)
        if doubt is not None and doubt.reason == "canary-wrong":
            return [doubt] * len(accounts)
        held = [self._held(questions, own, account, version) for account in accounts]
        return [
            doubt if doubt is not None and isinstance(one, Held) and not one.units else one
            for one in held
        ]

    def _doubt(self, questions: Questions, at: Snapshot, own: Own, version: int) -> Gap | None:
        """Return why zeros of this group are not believed, if they are not."""
        if not at.canaries:
            return Gap("zero-without-canary")
        account = _canary(at)
        units = wire.one_number(own.get(wire.coin_balance(account, version)))
        if isinstance(units, Gap):
            return units
        if str(units) != at.detail[pinning.canary_key(account)]:
            return Gap("canary-wrong", detail=wire.text(account))
        metadata = self._metadata(questions)
        if metadata is None:
            return None
        supply = wire.supply(own.get(wire.token_view("supply", metadata, version)))
        if isinstance(supply, Gap):
            return supply
        return None if supply else Gap("zero-without-canary", detail="the asset shows no supply")

    def _held(self, questions: Questions, own: Own, account: bytes, version: int) -> Held | Gap:
        asked = self._asked(questions, account, version)
        units = wire.one_number(own.get(asked[0]))
        if isinstance(units, Gap):
            return units
        staked = unbonding = 0
        for request in asked[1:]:
            stake = wire.numbers(own.get(request), 3)
            if isinstance(stake, Gap):
                return stake
            staked += stake[0]
            unbonding += stake[1] + stake[2]
        more = [Part(PartKind.STAKED, staked), Part(PartKind.UNBONDING, unbonding)]
        return Held((*liquid(units).parts, *(part for part in more if part.units)))

    def _metadata(self, questions: Questions) -> bytes | None:
        """Return the metadata object of a fungible asset, ``None`` for anything else."""
        kind, _, reference = questions.asset.partition("/")[2].partition(":")
        return wire.address(reference) if kind == NAMESPACE else None


def _facts(own: Own, metadata: bytes, version: int) -> Fact | Gap:
    """Return decimals and symbol of a fungible asset that no coin is paired with."""
    decimals, symbol = (
        wire.values(own.get(wire.token_view(name, metadata, version)), 1) for name in _FACTS
    )
    paired = wire.option(own.get(wire.paired_coin(metadata, version)))
    for one in (decimals, symbol, paired):
        if isinstance(one, Gap):
            return one
    if paired:
        return HALF
    places, text = decimals[0], symbol[0]  # type: ignore[index]
    if not isinstance(places, int) or isinstance(places, bool) or not 0 <= places <= _DECIMALS:
        return Gap("malformed-answer", detail="decimals")
    if not isinstance(text, str):
        return Gap("malformed-answer", detail="symbol")
    return Fact(msgspec.json.encode({"decimals": places, "symbol": text}).decode())


def _canary(at: Snapshot) -> bytes:
    return bytes.fromhex(at.canaries[0])


def _addresses(spec: ChainSpec, name: str) -> tuple[bytes, ...]:
    """Return the addresses of a parameter; raises ``ConfigError``."""
    found = []
    for text in spec.params.get(name, ()):
        account = wire.address(text)
        if account is None:
            raise ConfigError(f"chain {spec.id}: params.{name}: {text!r} is no address")
        found.append(account)
    return tuple(found)
