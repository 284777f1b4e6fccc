"""Sui: SUI and other coins at a checkpoint, over GraphQL.

JSON-RPC is gone (Sui 1.82); full nodes offer gRPC, indexers GraphQL. A service evaluates a query as
of a checkpoint, but keeps balances for minutes to hours only: at the height, or shortly after it,
the answer is exact; later it is the gap ``no-history``. A capture at the checkpoint, a replay of
balance changes since, or a service restored from a snapshot would answer it.

A balance has two halves, coin objects and the address balance (SIP-58); both are parts, and they
must make the total. Each request asks for the checkpoint's digest, for the SUI of a sender of the
checkpoint, and for up to ``group`` accounts. Stake lies in objects of its own (``StakedSui``) and
is asked for besides, page by page; it counts with what was staked, and the service has to show, as
of the same checkpoint, that the canary owns a coin object.

Not seen: rewards of stake, which only its pool's rates tell; pool tokens (``FungibleStakedSui``);
coins and stake inside other objects (kiosks, escrows, multisig vaults). Coins of a regulated
currency's deny list count.

``spec.params``: ``genesis_digest`` (base58, required; its first four bytes are the short chain
identifier), ``canaries`` (addresses that hold SUI at every checkpoint of interest; else senders of
the checkpoint's transactions are taken). The endpoint's URL ends in ``/graphql``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import unquote

import msgspec

from chains.accounts import AccountAdapter, Fact, Held, Read
from chains.adapters.sui import stakes, wire
from chains.errors import ConfigError, WrongChain
from chains.model import (
    Capabilities,
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
    Transport,
)
from chains.pinning import View, agree, by_endpoint

NAMESPACE = "coin"
MOST_CANARIES = 4
NOBODY = bytes(32)
"""Asked at the pin where nobody sent anything: it shows that balances are kept, or why not."""
_TYPE = re.compile(
    r"0x[0-9a-fA-F]{1,64}::[A-Za-z_]\w*::[A-Za-z_]\w*(?:<[\w:<>, ]{1,400}>)?", re.ASCII
)
_DECIMALS = 255

Own = Mapping[Request, Exchange]


class Adapter(AccountAdapter):
    """Reads MIST (10^-9 SUI) and base units of coins at a checkpoint."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="tip",
        assets=("slip44", NAMESPACE),
        methods=(Method.STATE,),
        zero_rule=(
            "A zero counts if the same answer carries the digest of the pinned checkpoint and the "
            "SUI that a sender of that checkpoint (or a configured account) had at the pin; for "
            "other coins also the coin's metadata. A null is a gap."
        ),
        batch=18,
        shard=4500,
        pinning=4,
    )
    group: ClassVar[int] = 18
    window: ClassVar[int] = 16

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        genesis = wire.digest(spec.params.get("genesis_digest"))
        if genesis is None:
            raise ConfigError(f"chain {spec.id}: params.genesis_digest is missing or no digest")
        self._genesis = genesis
        found = [wire.address(text) for text in spec.params.get("canaries", ())]
        self._canaries = [account for account in found if account is not None]
        if len(self._canaries) != len(found):
            raise ConfigError(f"chain {spec.id}: a canary is no address")

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for the network, the checkpoint, the range of balances and the senders."""
        return [wire.moment(height), wire.kept(), wire.senders(height)]

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the SUI of senders, as of the checkpoint."""
        return await self.together([self._probe(height, shown[2])], endpoint)

    def _probe(self, height: int, senders: Exchange | None) -> Request:
        """Return the question for the balances of whoever may be a canary."""
        return wire.balances(height, wire.SUI, self._candidates(senders) or [NOBODY])

    def _candidates(self, senders: Exchange | None) -> list[bytes]:
        every = [*self._canaries, *wire.who_sent(wire.read(senders))]
        return list(dict.fromkeys(every))[:MOST_CANARIES]

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the checkpoint; raises ``WrongChain``, ``Disagreement`` or why nobody knew it.

        Where every service that names the checkpoint has dropped its balances, these are asked
        all the same: each question then ends as ``no-history``, with what would answer it.
        """
        shown = by_endpoint(exchanges)
        views = {name: self.view(height, name, own) for name, own in shown.items()}
        if all(view.reason for view in views.values()):
            views = {name: _without_history(view) for name, view in views.items()}
        return agree(self.spec, height, views)

    def view(self, height: int, endpoint: str, own: Own) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        answer = wire.read(own.get(wire.moment(height)))
        if isinstance(answer, Gap):
            return View(
                reason="identity-unproven" if answer.reason == "rpc-error" else answer.reason
            )
        reason = self._identity(endpoint, answer.data.get("chainIdentifier"))
        if reason:
            return View(reason=reason)
        tip, said = wire.sequence(answer.data.get("tip")), answer.data.get("checkpoint")
        if tip is None:
            return View(reason=answer.missing("tip").reason)
        if said is None:
            return View(reason="node-behind" if tip < height else _dropped(answer).reason)
        named = _named(height, said)
        if named.reason:
            return named
        return self._state(height, named, own)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the newest checkpoint, beside the first one."""
        return (wire.moment(0),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest checkpoint. Pure."""
        answer = wire.read(exchanges[0])
        if isinstance(answer, Gap):
            return answer
        tip = wire.sequence(answer.data.get("tip"))
        return answer.missing("tip") if tip is None else tip

    def _identity(self, endpoint: str, said: object) -> str:
        """Return why the network is not shown; raises ``WrongChain`` where it is another."""
        short = self._genesis[:4].hex()
        if said == short or (isinstance(said, str) and wire.digest(said) == self._genesis):
            return ""
        if isinstance(said, str) and said:
            raise WrongChain(f"{endpoint} serves {said[:60]}; {self.spec.id} declares {short}")
        return "identity-unproven"

    def _state(self, height: int, named: View, own: Own) -> View:
        """Add whether the endpoint holds balances as of the checkpoint, and who is not empty."""
        senders = own.get(wire.senders(height))
        accounts = self._candidates(senders)
        answer = wire.read(own.get(self._probe(height, senders)))
        if isinstance(answer, Gap):
            return _because(named, answer, own, height)
        fields = wire.within(answer, height, named.block_hash)
        if isinstance(fields, Gap):
            return _because(named, fields, own, height)
        rich: dict[str, str] = {}
        listed: list[str] = []
        for i, account in enumerate(accounts or [NOBODY]):
            held = wire.balance(answer, fields, f"a{i}")
            if isinstance(held, Gap):
                return _because(named, held, own, height)
            if held.units:
                rich[account.hex()] = str(held.units)
                listed.insert(0 if held.coins else len(listed), account.hex())
        if accounts and not rich:
            return _because(named, Gap("canary-failed"), own, height)
        shown = {f"canary-{account}": units for account, units in rich.items()}
        return msgspec.structs.replace(
            named, shown={**named.shown, **shown}, canaries=tuple(listed)
        )

    def refusal(self, questions: Questions) -> Gap | None:
        """Refuse control, and assets that are no coin type."""
        if questions.kind is QueryKind.BALANCE and questions.asset == self.spec.native:
            return None
        if questions.kind not in (QueryKind.BALANCE, QueryKind.ASSET_FACT):
            return super().refusal(questions)
        if not self._coin(questions):
            return Gap("asset-unsupported", detail=f"{questions.asset} is not read")
        return None

    def _coin(self, questions: Questions) -> str:
        """Return the coin type of an asset, empty where it is none."""
        if questions.asset == self.spec.native:
            return wire.SUI
        kind, _, reference = questions.asset.partition("/")[2].partition(":")
        coin = unquote(reference)
        return coin if kind == NAMESPACE and _TYPE.fullmatch(coin) else ""

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for a group in one request, for SUI also for stakes, page by page."""
        request = self._request(questions, at, accounts)
        exchanges = [await self.transport.exchange_any(request, at.endpoints)]
        if questions.kind is QueryKind.BALANCE and questions.asset == self.spec.native:
            await stakes.ask(self.transport, at, accounts, exchanges)
        return exchanges

    def _request(self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]) -> Request:
        coin = self._coin(questions)
        if questions.kind is QueryKind.ASSET_FACT:
            return wire.metadata(at.height, coin)
        canary = bytes.fromhex(at.canaries[0]) if at.canaries else None
        return wire.balances(at.height, coin, accounts, canary)

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group: nothing counts that is not as of the pinned checkpoint. Pure."""
        answer = wire.read(exchanges[0])
        if isinstance(answer, Gap):
            return [answer] * len(accounts)
        fields = wire.within(answer, at.height, at.block_hash)
        if isinstance(fields, Gap):
            return [fields] * len(accounts)
        if questions.kind is QueryKind.ASSET_FACT:
            return [_fact(answer, fields)] * len(accounts)
        doubt = self._doubt(questions, at, answer, fields)
        if doubt is not None and doubt.reason == "canary-wrong":
            return [doubt] * len(accounts)
        found = [wire.balance(answer, fields, f"a{i}") for i in range(len(accounts))]
        if questions.asset != self.spec.native:
            return [_held(one, 0, doubt) for one in found]
        staked = stakes.read(at, accounts, exchanges)
        return [_held(*pair, doubt) for pair in zip(found, staked, strict=True)]

    def _doubt(
        self,
        questions: Questions,
        at: Snapshot,
        answer: wire.Answer,
        fields: Mapping[str, object],
    ) -> Gap | None:
        """Return why zeros of this group are not believed, if they are not."""
        if not at.canaries:
            return Gap("zero-without-canary")
        held = wire.balance(answer, fields, wire.CANARY)
        if isinstance(held, Gap):
            return held
        if str(held.units) != at.detail[f"canary-{at.canaries[0]}"]:
            return Gap("canary-wrong", detail=f"0x{at.canaries[0]}")
        if questions.asset != self.spec.native and not isinstance(fields.get(wire.COIN), dict):
            return Gap("zero-without-canary", detail="the coin shows no metadata")
        return None


def _named(height: int, said: object) -> View:
    """Read the checkpoint that was asked for."""
    found = said if isinstance(said, dict) else {}
    digest, time = found.get("digest"), wire.seconds(found.get("timestamp"))
    if wire.digest(digest) is None or time is None:
        return View(reason="malformed-answer")
    if wire.sequence(found) != height:
        return View(reason="wrong-block")
    previous = wire.digest(found.get("previousCheckpointDigest"))
    shown = {"previous": previous.hex() if previous else ""}
    return View(block_hash=str(digest), time=time, shown=shown)


def _because(named: View, gap: Gap, own: Own, height: int) -> View:
    """Return a view of an endpoint that cannot be asked; it may only be late with its balances."""
    reason = gap.reason
    if reason == wire.NO_HISTORY.reason:
        answer = wire.read(own.get(wire.kept()))
        config = answer.data.get("serviceConfig") if isinstance(answer, wire.Answer) else None
        kept = config.get("availableRange") if isinstance(config, dict) else None
        last = wire.sequence(kept.get("last")) if isinstance(kept, dict) else None
        reason = "node-behind" if last is not None and last < height else reason
    return View(block_hash=named.block_hash, time=named.time, reason=reason)


def _without_history(view: View) -> View:
    """Let an endpoint be asked that names the checkpoint and has dropped its balances."""
    is_old = bool(view.block_hash) and view.reason == wire.NO_HISTORY.reason
    return msgspec.structs.replace(view, reason="") if is_old else view


def _dropped(answer: wire.Answer) -> Gap:
    """Say why a checkpoint at or below the newest is ``null``: by its error, or it was dropped."""
    return answer.missing("checkpoint") if answer.errors else wire.NO_HISTORY


def _held(found: wire.Balance | Gap, staked: int | Gap, doubt: Gap | None) -> Held | Gap:
    if isinstance(found, Gap):
        return found
    if isinstance(staked, Gap):
        return staked
    if not found.units + staked and doubt is not None:
        return doubt
    parts = [Part(PartKind.LIQUID, found.coins)]
    if found.address:
        parts.append(Part(PartKind.LIQUID, found.address))
    if staked:
        parts.append(Part(PartKind.STAKED, staked))
    return Held(tuple(parts))


def _fact(answer: wire.Answer, fields: Mapping[str, object]) -> Fact | Gap:
    """Return decimals and symbol of a coin."""
    said = fields.get(wire.COIN)
    if said is None:
        return answer.missing(wire.COIN) if answer.errors else Gap("no-contract")
    bad = Gap("malformed-answer", detail="decimals and symbol were expected")
    places = said.get("decimals") if isinstance(said, dict) else None
    symbol = said.get("symbol") if isinstance(said, dict) else None
    if not isinstance(places, int) or isinstance(places, bool) or not isinstance(symbol, str):
        return bad
    if not 0 <= places <= _DECIMALS:
        return bad
    return Fact(msgspec.json.encode({"decimals": places, "symbol": symbol}).decode())
