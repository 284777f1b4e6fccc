"""Filecoin: FIL of any actor after an epoch, from Lotus or Forest.

"After epoch H" is the state when all messages of epoch H have run, as ``eth_getBalance`` at H
means it. ``StateGetActor`` answers the state *before* the messages of the tipset that it is given,
so the tipset is the first one above H, whose parent must be the last one at or below H: between
the two nothing happened. Where H itself is a null round, the earlier tipset's epoch stands in
``detail`` as ``epoch``. The moment is named by the tipset at or below H, with the hash that FEVM
gives it (``wire.Tipset.hash``), so that it can be compared with ``eip155:314``.

A balance is the actor's, plus what the address has in the storage market: that money is in f05.
Parts: of a multisig what still vests is frozen; of a miner the initial pledge is staked, deposits
for sectors to come are reserved, and what vests is frozen, with what it owes in fees; where it
holds less than it has pledged, all is staked. In the market escrow is reserved (locked for deals)
or escrowed (free). All count, and belong to whoever owns the actor (of a miner: the owner, not the
worker). DataCap is no FIL. What a payment channel owes to its other side is not told apart.

One actor has several addresses (f0, f1 to f4, the masked ``0xff…``). ``subject`` is its number
(f0), or its f410 address where it has one: ``0x…`` and f410 are the same bytes, and ``0xff…`` of
``eip155:314`` is a number, so that rows of both networks for one account are recognised. Who
controls an actor: ``control``.

Finality is the node's own (``ChainGetFinalizedTipSet``: F3, else 900 epochs); where it does not
offer that, 900 epochs. Answers name no block. The canary is f02, which pays the block rewards: its
balance is another one in every tipset, so it also shows that the state is the pinned one. An actor
that is not there is an error of a certain text (Lotus) or null (Forest).

Gateways look back 24 hours. The endpoint's URL ends in ``/rpc/v1``.

``spec.params``: ``genesis`` (CID of the genesis block, required); ``canaries`` (addresses that are
never empty, first is f02); ``plain_codes`` (codes of actors that are neither miner nor multisig and
need no question more).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chains.accounts import AccountAdapter, Held, Read
from chains.adapter import Capabilities, Transport
from chains.adapters.filecoin import control, wire
from chains.adapters.filecoin.wire import ABSENT, Actor, Tipset
from chains.addresses import AddressError, filecoin
from chains.control import ControlFacts
from chains.errors import ConfigError, WrongChain
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

FINALITY = 900
"""Epochs after which a tipset is final without F3.
Source: filecoin-project/lotus chain/actors/policy (ChainFinality)"""
_GENESIS = wire.call("ChainGetGenesis")
_HEAD = wire.call("ChainHead")
_FINAL = wire.call("ChainGetFinalizedTipSet")
_ACTOR, _LOOKUP, _MARKET = "StateGetActor", "StateLookupID", "StateMarketBalance"
_OF_MINER, _OF_MULTISIG = "StateMinerAvailableBalance", "MsigGetAvailableBalance"
"""What tells the available part of a balance."""
_STATE = "StateReadState"
_REWARDS = "02"
_TIPSET = "state-tipset"

Own = Mapping[Request, Exchange]


class Adapter(AccountAdapter):
    """Reads attoFIL in the parent state of the tipset above the pinned one."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="exact",
        assets=("slip44",),
        methods=(Method.STATE,),
        zero_rule=(
            "A zero counts if the node says that the state has no such actor, or shows it with "
            "nothing, and shows an actor that is never empty (f02 pays all block rewards) with "
            "the balance that it had at the pin."
        ),
        batch=1,
        shard=2000,
        control=control.KINDS,
        requests_each="61/20",
        requests_a_batch=0,
    )
    group = 20

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        if not isinstance(spec.params.get("genesis"), str):
            raise ConfigError(f"chain {spec.id}: params.genesis is missing")
        self._network = str(spec.address_params.get("network", "f"))
        canaries = spec.params.get("canaries", [self._network + _REWARDS])
        self._canaries = tuple(self._canary(one) for one in canaries)
        self._plain = frozenset(spec.params.get("plain_codes", ()))
        if not self._canaries:
            raise ConfigError(f"chain {spec.id}: params.canaries is empty")

    def _canary(self, text: str) -> bytes:
        try:
            return filecoin.decode(text, self.spec.address_params)
        except AddressError as error:
            message = f"chain {self.spec.id}: params.canaries: {text!r}: {error}"
            raise ConfigError(message) from None

    def _text(self, account: bytes) -> str:
        return filecoin.encode(account, self.spec.address_params)

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for genesis, head, the final tipset, and those around the end of the epoch."""
        before = wire.call("ChainGetTipSetByHeight", height, None)
        return _GENESIS, _HEAD, _FINAL, before, _after(height)

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the canaries in the state after the epoch."""
        del height
        after = wire.read_tipset(shown[4])
        if isinstance(after, Gap):
            return []
        return await self.together(self._canary_requests(after.cids), endpoint)

    def _canary_requests(self, tipset: Sequence[str]) -> list[Request]:
        texts = [self._text(one) for one in self._canaries]
        return [wire.by_address(_ACTOR, text, tipset) for text in texts]

    def view(self, height: int, endpoint: str, own: Own) -> View:
        """Read what one endpoint showed; raises ``WrongChain``."""
        unproven = self._identity(endpoint, own[_GENESIS])
        if unproven is not None:
            return View(reason=unproven.reason)
        around = _around(height, *(own[one] for one in self.pin_requests(height)[1:]))
        if isinstance(around, Gap):
            return View(reason=around.reason)
        before, after = around
        shown = {
            "epoch": str(before.height),
            "tipset": ",".join(before.cids),
            _TIPSET: ",".join(after.cids),
            "state-root": after.state,
        }
        reason = ""
        for account, request in zip(self._canaries, self._canary_requests(after.cids), strict=True):
            actor = self._actor(own.get(request), account)
            if isinstance(actor, Gap):
                reason = actor.reason
                break
            shown[_key(account)] = str(actor.units)
            reason = "" if actor.units else "canary-failed"
            if reason:
                break
        return View(
            block_hash=before.hash,
            time=before.time,
            reason=reason,
            shown=shown,
            canaries=tuple(one.hex() for one in self._canaries),
        )

    def _identity(self, endpoint: str, genesis: Exchange) -> Gap | None:
        """Say why it is not shown which chain this is; raises ``WrongChain``."""
        said = wire.answer(genesis)
        if isinstance(said, Gap):
            refused = said.reason in ("rpc-error", "method-missing")
            return Gap("identity-unproven") if refused else said
        cids = wire.read_cids(said.get("Cids")) if isinstance(said, dict) else None
        if cids is None:
            return Gap("identity-unproven")
        if cids != (self.spec.params["genesis"],):
            raise WrongChain(
                f"{endpoint} has the genesis {', '.join(cids)}; "
                f"{self.spec.id} declares {self.spec.params['genesis']}"
            )
        return None

    def head_requests(self) -> Sequence[Request]:
        """Ask for the head and the final tipset."""
        return _HEAD, _FINAL

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Return the epoch before the final tipset's: the last whose state is final. Pure."""
        final = _final(*exchanges)
        return final if isinstance(final, Gap) else max(0, final - 1)

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for the canary, then for each actor, then for what the actors make necessary."""
        tipset = at.detail.get(_TIPSET, "").split(",")
        first = await self.transport.exchange_any(self._canary_requests(tipset)[0], at.endpoints)
        if first.failure:
            return [first]
        actors = [wire.by_address(_ACTOR, self._text(one), tipset) for one in accounts]
        found = [first, *await self.together(actors, first.endpoint)]
        there: list[tuple[bytes, Actor]] = []
        for account, exchange in zip(accounts, found[1:], strict=True):
            actor = self._actor(exchange, account)
            if isinstance(actor, Actor) and actor != ABSENT:
                there.append((account, actor))
        if questions.kind is QueryKind.CONTROL:
            texts = [self._text(account) for account, _ in there]
            return found + await self._ask_control(texts, tipset, first.endpoint)
        more = [one for account, actor in there for one in self._more(account, actor, tipset)]
        shown = await self.together(list(dict.fromkeys(more)), first.endpoint)
        own = {exchange.request: exchange for exchange in shown}
        states = [
            wire.by_address(_STATE, text, tipset)
            for text in map(self._text, accounts)
            if isinstance(self._amount(own, _OF_MINER, text, tipset), int)
        ]
        return found + shown + await self.together(states, first.endpoint)

    async def _ask_control(
        self, texts: Sequence[str], tipset: Sequence[str], endpoint: str
    ) -> list[Exchange]:
        """Ask who controls actors, then the same of those who do, a few levels deep."""
        own: dict[Request, Exchange] = {}
        asked = control.Asked(own, tipset, self._network)
        for _ in range(control.DEPTH):
            requests = [one for text in texts for one in asked.requests(text)]
            wanted = [one for one in dict.fromkeys(requests) if one not in own]
            own |= dict(zip(wanted, await self.together(wanted, endpoint), strict=True))
            found = dict.fromkeys(one for text in texts for one in asked.members(text))
            texts = list(found)[: control.MOST_ASKED]
        return list(own.values())

    def _amount(self, own: Own, method: str, text: str, tipset: Sequence[str]) -> int | Gap | None:
        """Read an available balance; ``None`` where the actor is of another kind."""
        shown = wire.present(own.get(wire.by_address(method, text, tipset)))
        return shown if isinstance(shown, Gap) else wire.read_amount(shown)

    def _more(self, account: bytes, actor: Actor, tipset: Sequence[str]) -> list[Request]:
        """Return what is asked about an actor that exists: number, market, available balance."""
        methods = [_MARKET] if account[0] == filecoin.ID else [_MARKET, _LOOKUP]
        if actor.code not in self._plain:
            methods += [_OF_MINER, _OF_MULTISIG]
        return [wire.by_address(method, self._text(account), tipset) for method in methods]

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read one balance per account; nothing counts without the canary. Pure."""
        tipset = at.detail.get(_TIPSET, "").split(",")
        own = {exchange.request: exchange for exchange in exchanges}
        canary = self._actor(own.get(self._canary_requests(tipset)[0]), self._canaries[0])
        if isinstance(canary, Actor) and str(canary.units) != at.detail.get(
            _key(self._canaries[0])
        ):
            canary = Gap("canary-wrong", retryable=True, detail=f"{canary.units} of the canary")
        if isinstance(canary, Gap):
            return [canary] * len(accounts)
        if questions.kind is QueryKind.CONTROL:
            return [self._control(own, account, tipset) for account in accounts]
        return [self._held(own, account, tipset) for account in accounts]

    def _control(self, own: Own, account: bytes, tipset: Sequence[str]) -> ControlFacts | Gap:
        """Read who controls an actor; one that is not there shows nobody."""
        text = self._text(account)
        actor = self._actor(own.get(wire.by_address(_ACTOR, text, tipset)), account)
        if isinstance(actor, Gap):
            return actor
        if actor == ABSENT:
            return ControlFacts(exists=False)
        return control.Asked(own, tipset, self._network).facts(text)

    def _held(self, own: Own, account: bytes, tipset: Sequence[str]) -> Held | Gap:
        """Return the parts of what an account has, and which actor it is."""
        text = self._text(account)
        actor = self._actor(own.get(wire.by_address(_ACTOR, text, tipset)), account)
        if isinstance(actor, Gap) or actor == ABSENT:
            return actor if isinstance(actor, Gap) else Held(())
        subject = self._subject(own.get(wire.by_address(_LOOKUP, text, tipset)), account, actor)
        market = wire.present(own.get(wire.by_address(_MARKET, text, tipset)))
        parts = self._parts(own, text, actor, tipset)
        escrow = market if isinstance(market, Gap) else wire.read_market(market)
        for one in (subject, parts, escrow):
            if isinstance(one, Gap):
                return one
        locked, free = escrow  # type: ignore[misc]
        more = (Part(PartKind.RESERVED, locked), Part(PartKind.ESCROWED, free))
        return Held((*parts, *(one for one in more if one.units)), subject)  # type: ignore[misc,arg-type]

    def _parts(
        self, own: Own, text: str, actor: Actor, tipset: Sequence[str]
    ) -> tuple[Part, ...] | Gap:
        """Divide the balance of a miner or multisig into what is available and the rest."""
        whole = (Part(PartKind.LIQUID, actor.units),)
        if actor.code in self._plain:
            return whole
        for method in (_OF_MINER, _OF_MULTISIG):
            units = self._amount(own, method, text, tipset)
            if isinstance(units, Gap):
                return units
            if units is None:
                continue
            if units > actor.units:
                return wire.malformed("more is available than there is")
            units = max(0, units)  # more may be locked than there is
            rest = actor.units - units
            held: tuple[Part, ...] | Gap = (Part(PartKind.FROZEN, rest),)
            if method == _OF_MINER:
                state = own.get(wire.by_address(_STATE, text, tipset))
                held = _pledged(wire.present(state), actor, rest)
            if isinstance(held, Gap):
                return held
            parts = (Part(PartKind.LIQUID, units), *held)
            return tuple(one for one in parts if one.units) or whole
        return whole

    def _subject(self, looked_up: Exchange | None, account: bytes, actor: Actor) -> bytes | Gap:
        """Return the account by which all addresses of one actor are the same."""
        number = account
        if account[0] != filecoin.ID:
            shown = wire.present(looked_up)
            said = shown if isinstance(shown, Gap) else wire.answer(shown)
            if isinstance(said, Gap):
                return said
            found = wire.account_of(said, self._network)
            if found is None or found[0] != filecoin.ID:
                return wire.malformed("the number of an actor")
            number = found
        if account[0] == filecoin.DELEGATED and actor.delegated not in (account, b""):
            return wire.malformed("an actor with another delegated address than was asked for")
        return actor.delegated if actor.delegated.startswith(filecoin.ETHEREUM) else number

    def _actor(self, exchange: Exchange | None, account: bytes) -> Actor | Gap:
        shown = wire.present(exchange)
        if isinstance(shown, Gap):
            return shown
        return wire.read_actor(shown, self._text(account), self._network)


def _after(height: int) -> Request:
    return wire.call("ChainGetTipSetAfterHeight", height + 1, None)


def _key(account: bytes) -> str:
    return f"canary-{account.hex()}"


def _pledged(shown: Exchange | Gap, actor: Actor, rest: int) -> tuple[Part, ...] | Gap:
    """Divide what of a miner's balance is not available."""
    state = shown if isinstance(shown, Gap) else wire.read_miner(shown)
    if isinstance(state, Gap):
        return state
    if state.balance != actor.units:
        return wire.malformed("a miner's state with another balance than the actor's")
    vesting = rest - state.pledge - state.deposits
    if vesting < 0:
        return (Part(PartKind.STAKED, rest),)
    if vesting > state.locked + state.debt:
        return wire.malformed("less of a miner's balance is available than its state explains")
    return (
        Part(PartKind.STAKED, state.pledge),
        Part(PartKind.RESERVED, state.deposits),
        Part(PartKind.FROZEN, vesting),
    )


def _final(head: Exchange, final: Exchange) -> int | Gap:
    """Return the epoch up to which tipsets are final, or why that is not known."""
    newest = wire.read_tipset(head)
    if isinstance(newest, Gap):
        return newest
    settled = wire.read_tipset(final)
    if isinstance(settled, Gap):
        return newest.height - FINALITY
    return min(newest.height, settled.height)


def _around(
    height: int, head: Exchange, final: Exchange, at_height: Exchange, above: Exchange
) -> tuple[Tipset, Tipset] | Gap:
    """Return the last tipset at or below the epoch and the first above it, both final."""
    last = _final(head, final)
    if isinstance(last, Gap):
        return last
    if last <= height:
        return Gap("node-behind")
    before, after = wire.read_tipset(at_height), wire.read_tipset(above)
    for one in (before, after):
        if isinstance(one, Gap):
            return one
    if not isinstance(before, Tipset) or not isinstance(after, Tipset):
        return Gap("wrong-block")
    if not before.height <= height < after.height or after.parents != before.cids:
        return Gap("wrong-block")
    return (before, after) if after.height <= last else Gap("node-behind")
