"""XRP Ledger: XRP at any ledger of a server with history, and who may sign for an account.

Every endpoint is asked for its network and ledgers, for an old known ledger, for the header of the
height (whose fields must hash to the hash it is given under), and at that hash for a canary and
the reserves. Accounts are then asked at the hash, one request each, a canary before them; accounts
that own objects are also asked for escrows and payment channels, page by page. rippled and Clio
offer many questions at once on a WebSocket only, which our transport does not speak yet.

Identity. The known ledger (32570 is Mainnet's first) decides wherever a server has it: another
hash is another chain, and so is another ``network_id``. A server without that ledger must name
the network id, or show the same ledger at the height as one that proved itself: rippled names
its network only if its configuration does.

Parts. The balance is liquid and reserved (base reserve, and one increment for each object owned;
both are owned, and counted). XRP in escrow and in payment channels has left the balance of the
sender, to whom it goes back if nobody takes it: it is shown with the sender, and counted only
where the sender is also the destination, because anything else is promised to somebody. Tokens,
AMM shares, offers and checks hold no XRP besides the balance.

Traps. ``actNotFound`` is what an account that never was or was deleted looks like, and an account
asked of a server that resolves another ledger: it is zero only for a named ledger, beside a right
canary. A page of objects may be empty and not the last. Errors come with HTTP 200 (rippled) or
400 (Clio). A ``warning`` of load, and answers that Clio has ``forwarded``, are read like others:
what they say of the ledger decides. A list of signers stands inside ``account_data`` or beside it.

Control. The master key is a way unless disabled; the regular key another; the list of signers a
third, whose members may sign with their own regular keys: these are asked too.

``spec.params``: ``network_id``; ``known_ledger`` (``index`` and ``hash``); ``canaries``
(addresses that hold XRP at every height of interest; else the genesis account).

Spec: https://xrpl.org/docs/references/http-websocket-apis
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec

from chains.accounts import AccountAdapter, Held, Read
from chains.adapter import Capabilities, Transport
from chains.adapters.xrpl import entries, wire
from chains.addresses import xrpl
from chains.control import Authority, ControlFacts
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
from chains.pinning import View, agree, by_endpoint

GENESIS = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
"""Held all XRP in the first ledger. Source: https://xrpl.org/docs/concepts/accounts/addresses"""
MOST_PAGES = 50
"""Pages of objects that are read of one account: 20,000 objects of its directory."""
UNPROVEN = "identity-unproven"

_Found = Mapping[Request, Exchange]


class Adapter(AccountAdapter):
    """Reads XRP in drops at a ledger."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="exact",
        assets=("slip44",),
        methods=(Method.STATE,),
        zero_rule=(
            "No account at the ledger is zero if the answer is of the pinned ledger and a canary, "
            "asked of the same endpoint at the same ledger, came back with its balance."
        ),
        batch=1,
        shard=2000,
        requests_each="17/16",
        requests_a_batch=0,
        pinning=5,
        control=("master-key", "regular-key", "signer-list"),
    )
    group: ClassVar[int] = 16
    window: ClassVar[int] = 8

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        params = spec.params
        known = params.get("known_ledger", {})
        self._network = params.get("network_id")
        self._known = (known.get("index"), str(known.get("hash", "")).upper())
        if not wire.is_whole(self._known[0], 2**32) or not wire.is_hash(self._known[1]):
            raise ConfigError(f"chain {spec.id}: params.known_ledger needs an index and a hash")
        self._canaries = tuple(params.get("canaries", (GENESIS,)))

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for identity, the ledgers at hand and the header."""
        headers = dict.fromkeys((int(self._known[0]), height))
        return [wire.info_request(), *(wire.ledger_request(index) for index in headers)]

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for canaries and reserves at the hash of the ledger."""
        ledger = wire.read_ledger(shown[-1], height)
        if isinstance(ledger, Gap):
            return []
        asked = [wire.account_request(who, ledger.hash) for who in self._canaries]
        return await self.together([*asked, wire.fees_request(ledger.hash)], endpoint)

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read one endpoint; raises ``WrongChain``."""
        info = wire.read_info(own[wire.info_request()])
        is_proven = self._is_proven(endpoint, info, own)
        ledger = wire.read_ledger(own[wire.ledger_request(height)], height)
        if isinstance(ledger, Gap):
            return View(reason=_why_no_ledger(ledger, info, height))
        reason = info.reason if isinstance(info, Gap) else info.why_not(height)
        drops: dict[str, str] = {}
        for who in self._canaries:
            read = entries.read_account(
                own[wire.account_request(who, ledger.hash)], who, ledger.hash
            )
            if isinstance(read, Gap):
                reason = reason or read.reason
            elif read is None or not read.drops:
                reason = reason or "canary-failed"
            else:
                drops[who] = str(read.drops)
        shown = {"parent-hash": ledger.parent, "account-hash": ledger.state}
        shown |= {f"canary:{who}": units for who, units in drops.items()}
        fees = entries.read_fees(own[wire.fees_request(ledger.hash)], ledger.hash)
        if fees is not None:
            shown |= {"reserve-base": str(fees[0]), "reserve-increment": str(fees[1])}
        return View(
            block_hash=ledger.hash,
            time=ledger.time,
            reason=reason or ("" if is_proven else UNPROVEN),
            shown=shown,
            canaries=tuple(xrpl.decode(who, {}).hex() for who in drops),
        )

    def head_requests(self) -> Sequence[Request]:
        """Ask for the ledgers at hand."""
        return (wire.info_request(),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest complete ledger. Pure."""
        info = wire.read_info(exchanges[0])
        if isinstance(info, Gap):
            return info
        newest = max((last for _, last in info.complete), default=None)
        return Gap("node-behind", retryable=True) if newest is None else newest

    def _is_proven(self, endpoint: str, info: wire.Info | Gap, own: _Found) -> bool:
        """Tell whether the endpoint showed which chain it serves; raises ``WrongChain``."""
        named = None if isinstance(info, Gap) else info.network
        if named is not None and named != self._network:
            raise WrongChain(f"{endpoint} serves network {named}, not {self._network}")
        index, expected = self._known
        known = wire.read_ledger(own[wire.ledger_request(int(index))], int(index))
        if isinstance(known, Gap):
            return named is not None
        if known.hash != expected:
            raise WrongChain(f"{endpoint} has {known.hash} as ledger {index}, not {expected}")
        return True

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the ledger; one that proved its chain vouches for those that show its hash."""
        shown = by_endpoint(exchanges)
        views = {name: self.view(height, name, own) for name, own in shown.items()}
        proven = {one.block_hash for one in views.values() if one.block_hash and not one.reason}
        for name, one in views.items():
            if one.reason == UNPROVEN and one.block_hash in proven:
                views[name] = msgspec.structs.replace(one, reason="")
        return agree(self.spec, height, views)

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for a canary, the accounts, and what their entries point to."""
        canary = wire.account_request(self._canaries[0], at.block_hash)
        first = await self.transport.exchange_any(canary, at.endpoints)
        if first.failure:
            return [first]
        entry = _entry_request(questions.kind)
        names = [xrpl.encode(account, {}) for account in accounts]
        answers = await self.together(
            [entry(name, at.block_hash) for name in names], first.endpoint
        )
        exchanges = [first, *answers]
        for name, exchange in zip(names, answers, strict=True):
            read = entries.read_account(exchange, name, at.block_hash)
            if not isinstance(read, entries.Account):
                continue
            if questions.kind is QueryKind.CONTROL:
                members = [wire.account_request(who, at.block_hash) for who in read.signers]
                exchanges += await self.together(members, first.endpoint)
            elif read.owned:
                for kind in (wire.ESCROW, wire.CHANNEL):
                    exchanges += await self._pages(name, at.block_hash, kind, first.endpoint)
        return exchanges

    async def _pages(self, name: str, ledger_hash: str, kind: str, endpoint: str) -> list[Exchange]:
        exchanges: list[Exchange] = []
        marker = ""
        while len(exchanges) < MOST_PAGES:
            request = wire.objects_request(name, ledger_hash, kind, marker)
            exchanges.append(await self.transport.exchange(request, endpoint))
            page = entries.read_objects(exchanges[-1], ledger_hash)
            if isinstance(page, Gap) or not page[1]:
                break
            marker = page[1]
        return exchanges

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read balances or control of a group."""
        canary = self._canary_gap(at, exchanges[0])
        if canary is not None:
            return [canary] * len(accounts)
        own = {exchange.request: exchange for exchange in exchanges}
        read = _control if questions.kind is QueryKind.CONTROL else _balance
        entry = _entry_request(questions.kind)
        found: list[Read] = []
        for account in accounts:
            name = xrpl.encode(account, {})
            held = entries.read_account(
                own[entry(name, at.block_hash)],
                name,
                at.block_hash,
                with_signers=questions.kind is QueryKind.CONTROL,
            )
            found.append(held if isinstance(held, Gap) else read(name, at, held, own))
        return found

    def _canary_gap(self, at: Snapshot, exchange: Exchange) -> Gap | None:
        """Say what is wrong with the canary of a group, if anything is."""
        who = self._canaries[0]
        read = entries.read_account(exchange, who, at.block_hash)
        if isinstance(read, Gap):
            return read
        drops = "0" if read is None else str(read.drops)
        if drops != at.detail.get(f"canary:{who}"):
            return Gap("canary-wrong", detail=f"{who} has {drops} drops")
        return None


def _entry_request(kind: QueryKind) -> Callable[[str, str], Request]:
    return wire.signers_request if kind is QueryKind.CONTROL else wire.account_request


def _why_no_ledger(gap: Gap, info: wire.Info | Gap, height: int) -> str:
    """Say why the header was not shown; what the server says of its ledgers goes before."""
    if isinstance(info, Gap) or gap.reason not in ("state-pruned", "rpc-error"):
        return gap.reason
    return info.why_not(height) or gap.reason


def _balance(name: str, at: Snapshot, entry: entries.Account | None, own: _Found) -> Read:
    """Put the parts of an account together."""
    if entry is None:
        return Held((Part(PartKind.LIQUID, 0),))
    base, step = (at.detail.get(f"reserve-{key}", "0") for key in ("base", "increment"))
    reserve = 0 if entry.is_amm else int(base) + entry.owned * int(step)
    reserved = min(entry.drops, reserve)
    parts = [Part(PartKind.LIQUID, entry.drops - reserved)]
    if reserved:
        parts.append(Part(PartKind.RESERVED, reserved))
    if entry.owned:
        for kind in (wire.ESCROW, wire.CHANNEL):
            locked = _locked(name, at.block_hash, kind, own)
            if isinstance(locked, Gap):
                return locked
            returning = sum(one.drops for one in locked if one.destination == name)
            promised = sum(one.drops for one in locked) - returning
            parts += [Part(PartKind.ESCROWED, returning)] * bool(returning)
            parts += [Part(PartKind.ESCROWED, promised, counted=False)] * bool(promised)
    return Held(tuple(parts))


def _locked(name: str, ledger_hash: str, kind: str, own: _Found) -> list[entries.Locked] | Gap:
    """Follow the pages of an account's objects and return those that it funded."""
    found: dict[str, entries.Locked] = {}
    marker = ""
    for _ in range(MOST_PAGES):
        exchange = own.get(wire.objects_request(name, ledger_hash, kind, marker))
        if exchange is None:
            return Gap("malformed-answer", retryable=True, detail="the pages do not follow on")
        page = entries.read_objects(exchange, ledger_hash)
        if isinstance(page, Gap):
            return page
        objects, marker = page
        for one in objects:
            if one.owner == name and found.setdefault(one.index, one) is not one:
                return Gap("malformed-answer", retryable=True, detail="an object came twice")
        if not marker:
            return list(found.values())
    return Gap("answer-too-large", detail=f"more than {MOST_PAGES} pages of {kind} objects")


def _control(name: str, at: Snapshot, entry: entries.Account | None, own: _Found) -> Read:
    """Return the ways to sign for an account."""
    if entry is None:
        return ControlFacts(exists=False)
    ways = _key_ways(name, entry)
    if entry.quorum:
        members = _members(at, entry, own)
        if isinstance(members, Gap):
            return members
        ways.append(members)
    notes = {"master-key": "disabled"} if entry.is_master_disabled else {}
    if entry.is_amm:
        notes["amm"] = "the account of an automated market maker"
    return ControlFacts(exists=True, ways=tuple(ways), notes=notes)


def _key_ways(name: str, entry: entries.Account) -> list[Authority]:
    """Return the ways by a single key."""
    ways: list[Authority] = []
    if not entry.is_master_disabled:
        ways.append(Authority(kind="master-key", threshold=1, weights={name: 1}))
    if entry.regular_key:
        ways.append(Authority(kind="regular-key", threshold=1, weights={entry.regular_key: 1}))
    return ways


def _members(at: Snapshot, entry: entries.Account, own: _Found) -> Authority | Gap:
    """Return the list of signers, each by the keys that the ledger takes for it.

    A member without an account signs with its master key; one with an account with its regular
    key, and with its master key unless disabled. Lists of lists do not count.
    Spec: https://xrpl.org/docs/references/protocol/ledger-data/ledger-entry-types/signerlist
    """
    weights: dict[str, int] = {}
    nested: dict[str, tuple[Authority, ...]] = {}
    for who, weight in entry.signers.items():
        exchange = own.get(wire.account_request(who, at.block_hash))
        if exchange is None:
            return Gap("malformed-answer", retryable=True, detail="a signer was not asked")
        member = entries.read_account(exchange, who, at.block_hash)
        if isinstance(member, Gap):
            return member
        if member is None or not member.is_master_disabled:
            weights[who] = weights.get(who, 0) + weight
            if member is not None and member.regular_key:
                nested[who] = tuple(_key_ways(who, member)[1:])
        elif member.regular_key:
            weights[member.regular_key] = weights.get(member.regular_key, 0) + weight
    return Authority(kind="signer-list", threshold=entry.quorum, weights=weights, nested=nested)
