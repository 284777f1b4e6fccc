"""Sui: SUI and other coins at a checkpoint, over GraphQL.

JSON-RPC is gone (Sui 1.82); full nodes offer gRPC, indexers GraphQL. A service evaluates a query as
of a checkpoint, but keeps balances for minutes to hours only: at the height, or shortly after it,
the answer is exact. Later a balance is that of a checkpoint which the service still keeps, if no
transaction since affected the address, or it is taken back by their balance changes (``since``);
else the gap is ``no-history``. A capture, or a service restored from a snapshot, would answer it.

A balance has two halves, coin objects and the address balance (SIP-58); both are parts, and they
must make the total. Each request asks for the checkpoint's digest, for the SUI of a sender of the
checkpoint, and for up to ``group`` accounts. Stake lies in objects of its own (``StakedSui``) and
is asked for besides, page by page; it counts with what was staked, and the service has to show, as
of the same checkpoint, that the canary owns a coin object.

What stake has earned is a part that does not count (``rates``), while the service keeps the
checkpoint. An account with pool tokens (``FungibleStakedSui``) is the gap ``rate-unread``. Not
seen: coins and stake inside other objects (kiosks, escrows, multisig vaults). Coins of a regulated
currency's deny list count.

``spec.params``: ``genesis_digest`` (base58, required; its first four bytes are the short chain
identifier), ``canaries`` (addresses that hold SUI at every checkpoint of interest; else senders of
the checkpoint's transactions are taken). The endpoint's URL ends in ``/graphql``.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import ClassVar
from urllib.parse import unquote

import msgspec

from chains import flow, workings
from chains.accounts import UNASKED, AccountAdapter, Fact, Held, Read
from chains.adapter import Capabilities, Effort, Transport
from chains.adapters.sui import moment, since, stakes, wire
from chains.errors import ConfigError, WrongChain
from chains.model import (
    Answers,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.pinning import View, agree, by_endpoint
from chains.workings import Working

NAMESPACE = "coin"
MOST_CANARIES = 4
NOBODY = bytes(32)
"""Asked at the pin where nobody sent anything: it shows that balances are kept, or why not."""
_TYPE = re.compile(
    r"0x[0-9a-fA-F]{1,64}::[A-Za-z_]\w*::[A-Za-z_]\w*(?:<[\w:<>, ]{1,400}>)?", re.ASCII
)
_DECIMALS = 255
_LATER = {Method.UNTOUCHED: "balance-untouched/1", Method.ROLLED_BACK: "balance-back/1"}
"""Decoders of balances that were read as of a later checkpoint."""

_LATE = Effort(late=True, each="2", a_batch=1 + since.PINNING)
_EFFORTS = (
    Effort(asset=NAMESPACE, each="0", a_batch=1),
    _LATE,
    msgspec.structs.replace(_LATE, asset=NAMESPACE, each="1"),
)
"""Late: of each account its transactions since, ten or fifty of them, and of SUI its stakes."""

Own = Mapping[Request, Exchange]


class Adapter(AccountAdapter):
    """Reads MIST (10^-9 SUI) and base units of coins at a checkpoint."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="tip",
        assets=("slip44", NAMESPACE),
        methods=(Method.STATE, Method.UNTOUCHED, Method.ROLLED_BACK),
        zero_rule=(
            "A zero counts if the same answer carries the digest of the pinned checkpoint and the "
            "SUI that a sender of that checkpoint (or a configured account) had at the pin; for "
            "other coins also the coin's metadata. A null is a gap. Where the balance is one of "
            "another checkpoint, a sender of that one must have SUI there, and be listed."
        ),
        batch=18,
        shard=4500,
        requests_a_batch=2,
        pinning=4,
        efforts=_EFFORTS,
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
            views = {name: moment.without_history(view) for name, view in views.items()}
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
            return View(reason="node-behind" if tip < height else moment.dropped(answer).reason)
        found = moment.named(height, said)
        return found if found.reason else self._state(height, found, own)

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
            return moment.because(named, answer, own, height)
        fields = wire.within(answer, height, named.block_hash)
        if isinstance(fields, Gap):
            return moment.because(named, fields, own, height)
        rich: dict[str, str] = {}
        listed: list[str] = []
        for i, account in enumerate(accounts or [NOBODY]):
            held = wire.balance(answer, fields, f"a{i}")
            if isinstance(held, Gap):
                return moment.because(named, held, own, height)
            if held.units:
                rich[account.hex()] = str(held.units)
                listed.insert(0 if held.coins else len(listed), account.hex())
        if accounts and not rich:
            return moment.because(named, Gap("canary-failed"), own, height)
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
        if questions.kind is not QueryKind.BALANCE:
            return exchanges
        if since.is_dropped(at, exchanges[0]):
            coin = self._coin(questions)
            later = await since.ask(self.transport, at, coin, accounts, exchanges[0])
            return exchanges + later
        if questions.asset == self.spec.native:
            await stakes.ask(self.transport, at, accounts, exchanges)
        return exchanges

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Yield extracts per group: one, or one for each way in which its balances came about."""
        positions = range(len(questions.accounts))
        if self.refusal(questions) is not None:
            yield Extract(positions=positions, decoder=UNASKED, exchanges=())
            return
        size = self.group_size(at)
        jobs = (
            partial(self._extracts, questions, at, positions[start : start + size])
            for start in positions[::size]
        )
        async for extracts in flow.in_window(jobs, self.window):
            for extract in extracts:
                yield extract

    async def _extracts(
        self, questions: Questions, at: Snapshot, positions: range
    ) -> list[Extract]:
        extract = await self._extract(questions, at, positions)
        if not self._is_later(questions, at, extract.exchanges):
            return [extract]
        accounts = [questions.accounts[position] for position in positions]
        found = since.read(at, self._coin(questions), accounts, extract.exchanges)
        parts = []
        for method, decoder in _LATER.items():
            is_back = method is Method.ROLLED_BACK
            own = [positions[i] for i, one in enumerate(found) if one.moved is is_back]
            parts += [msgspec.structs.replace(extract, positions=own, decoder=decoder)]
        return [part for part in parts if part.positions]

    def _is_later(self, questions: Questions, at: Snapshot, exchanges: Sequence[Exchange]) -> bool:
        """Tell whether a later checkpoint was asked about, as this one is no longer kept."""
        asked = wire.moment(at.height) in (exchange.request for exchange in exchanges[1:])
        is_balance = questions.kind is QueryKind.BALANCE
        return is_balance and asked and since.is_dropped(at, exchanges[0])

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure."""
        answers = super().decode(questions, extract, at)
        ways = {decoder: method for method, decoder in _LATER.items()}
        return msgspec.structs.replace(answers, method=ways.get(extract.decoder, answers.method))

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
        if self._is_later(questions, at, exchanges):
            return self._read_later(questions, at, accounts, exchanges)
        answer = wire.read(exchanges[0])
        if isinstance(answer, Gap):
            return [answer] * len(accounts)
        fields = wire.within(answer, at.height, at.block_hash)
        if isinstance(fields, Gap):
            return [fields] * len(accounts)
        return self._read_kept(questions, at, accounts, exchanges, (answer, fields))

    def _read_kept(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
        shown: tuple[wire.Answer, Mapping[str, object]],
    ) -> Sequence[Read]:
        """Read what the service still has of the checkpoint."""
        answer, fields = shown
        if questions.kind is QueryKind.ASSET_FACT:
            return [_fact(answer, fields)] * len(accounts)
        doubt = self._doubt(questions, at, answer, fields)
        if doubt is not None and doubt.reason == "canary-wrong":
            return [doubt] * len(accounts)
        found = [wire.balance(answer, fields, f"a{i}") for i in range(len(accounts))]
        if questions.asset != self.spec.native:
            return [_held(one, stakes.Staked(0), doubt) for one in found]
        staked = stakes.read(at, accounts, exchanges)
        return [_held(*pair, doubt) for pair in zip(found, staked, strict=True)]

    def _read_later(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> list[Read]:
        """Read balances of a later checkpoint, taken back; tells how."""
        found = since.read(at, self._coin(questions), accounts, exchanges)
        for account, one in zip(accounts, found, strict=True):
            if one.working is not None:
                workings.tell(account, _as_told, one.working)
        return [one.held for one in found]

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


def _as_told(working: Working) -> Working:
    return working


def _held(found: wire.Balance | Gap, staked: stakes.Staked | Gap, doubt: Gap | None) -> Held | Gap:
    if isinstance(found, Gap):
        return found
    if isinstance(staked, Gap):
        return staked
    if not found.units + staked.units and doubt is not None:
        return doubt
    parts = [Part(PartKind.LIQUID, found.coins)]
    if found.address:
        parts.append(Part(PartKind.LIQUID, found.address))
    if staked.units:
        parts.append(Part(PartKind.STAKED, staked.units))
    if staked.earned:
        parts.append(Part(PartKind.REWARD, staked.earned, counted=False))
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
