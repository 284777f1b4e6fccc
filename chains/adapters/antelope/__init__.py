"""Antelope: EOS/Vaulta and WAX, from nodeos, at a block where the node's state stands still.

nodeos keeps no past state and takes no block parameter: balances and permissions are the head's.
So a batch asks ``get_info`` before and after everything else, and what lies between counts as
state of the pinned block only if both name that block as head by its id. That is the case on a
node in ``--read-mode irreversible`` (no pending transaction shows there) that is held at the block:
run up to it from a portable snapshot below it with ``--terminate-at-block`` and started again
without peers (docs/nodes.md; tried with nodeos 4.1 and a chain of our own, unconfirmed for a live
network). The block must be irreversible. ``get_currency_balance`` and ``get_table_rows`` do not say
of which block they are: the endpoint has to be one node, not several behind one address.

Past the block a node can still show one thing: an account that does not exist, or was created
later, held nothing and was controlled by nobody (accounts are never deleted, ``created`` never
changes, and ``eosio.token`` pays existing accounts only). Everything else is the gap
``no-history``: no call says when a balance or a permission last changed (``last_usage_update_time``
misses incoming transfers and those that another account is billed for).

Parts and values of the core token: ``holdings``. Not seen: balances of REX loans, bids for names,
RAM, unclaimed voting rewards and the genesis rewards of WAX. Other tokens, A of ``core.vaulta``
among them, have one liquid part: their row at their contract. A and EOS are two tokens here, too.
Control: ``permissions``.

``spec.params``: ``chain_id`` (64 hex digits, required), ``symbol`` (decimals and code of the core
token, ``4,EOS``), ``token`` (its contract, ``eosio.token``), ``system`` (``eosio``), ``rex``
(whether the system contract has the REX tables, true), ``canaries`` (accounts that hold core
tokens at every height of interest, ``["eosio.stake"]``), ``token_canaries`` (for each
``contract:CODE`` an account that holds some; without one a zero of that token is a gap), ``pools``
(accounts that hold tokens for all who may swap them: shown, and never counted as anybody's).
Spec: https://github.com/AntelopeIO/spring (plugins/chain_api_plugin/chain.swagger.yaml)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from chains.accounts import AccountAdapter, Read
from chains.adapter import Capabilities, Transport
from chains.adapters.antelope import holdings, params, permissions, wire
from chains.adapters.antelope.reading import TIME_MS, Reader
from chains.errors import WrongChain
from chains.jsonrpc import failure
from chains.model import (
    Answers,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.pinning import STOOD, View, by_endpoint, stood

Own = Mapping[Request, Exchange]
_SECOND = 1000


class Adapter(AccountAdapter):
    """Reads tokens in their smallest unit, and permissions."""

    group: ClassVar[int] = 16
    window: ClassVar[int] = 4
    capabilities: ClassVar[Capabilities] = Capabilities(
        history="held",
        assets=("slip44", "token"),
        methods=(Method.STATE, Method.UNTOUCHED),
        zero_rule=(
            "A zero counts if the node's head was the pinned block before and after the batch, the "
            "account was shown to exist or not to exist, and a canary of the same batch holds some "
            "of the token; for the core token also if the account was created after the block, or "
            "does not exist later."
        ),
        batch=1,
        shard=1600,
        requests_each="27/5",
        requests_a_batch=0,
        control=permissions.WAYS,
        answering=(500,),
        how={
            Method.STATE: "the tables of the node's head, which has to be held at the block",
            Method.UNTOUCHED: "of a head past the block: only that an account did not exist yet",
        },
    )

    @classmethod
    def capable(cls, spec: ChainSpec) -> Capabilities:
        """Say which parts of a balance the chain's system contract knows."""
        parts = "liquid, staked, delegated, refunds" + (", REX" if params.read(spec).rex else "")
        how = cls.capabilities.how
        state = f"{how[Method.STATE]}; the coin's parts: {parts}"
        return msgspec.structs.replace(cls.capabilities, how={**how, Method.STATE: state})

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self.params = params.read(spec)

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for identity, head, the block and the canaries."""
        return [wire.INFO, wire.block_request(height), *self._canary_requests(self.params.canaries)]

    def view(self, height: int, endpoint: str, own: Own) -> View:
        """Read what one endpoint showed; raises ``WrongChain``."""
        info = wire.read_info(own[wire.INFO])
        if isinstance(info, Gap):
            return View(reason=info.reason)
        if info.chain_id != self.params.chain_id:
            raise WrongChain(f"{endpoint} serves {info.chain_id}, not {self.params.chain_id}")
        if info.irreversible < height or info.head < height:
            return View(reason="node-behind")
        block = _read_block(own[wire.block_request(height)], height)
        if isinstance(block, Gap):
            return View(reason=block.reason)
        if info.head == height and info.head_id != block[0]:
            return View(reason="wrong-block")
        at = Snapshot(
            chain=self.spec.id,
            height=height,
            block_hash=block[0],
            time=block[1] // _SECOND,
            endpoints=(endpoint,),
            detail={TIME_MS: str(block[1])},
        )
        reader = Reader(self.params, own, at, stands=info.head == height)
        wrong = {who: reader.canary(who) for who in self.params.canaries}
        canaries = tuple(who.hex() for who, gap in wrong.items() if gap is None)
        reasons = [gap.reason for gap in wrong.values() if gap is not None]
        reason = "" if canaries else next(iter(reasons), "canary-failed")
        return View(
            block_hash=at.block_hash,
            time=at.time,
            reason="canary-failed" if reason == "canary-wrong" else reason,
            shown=at.detail,
            canaries=canaries,
            detail={STOOD: "yes"} if info.head == height else {},
        )

    def head_requests(self) -> Sequence[Request]:
        """Ask where the node stands."""
        return (wire.INFO,)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the last irreversible block. Pure."""
        info = wire.read_info(exchanges[0])
        return info if isinstance(info, Gap) else min(info.head, info.irreversible)

    def refusal(self, questions: Questions) -> Gap | None:
        """Say why these questions are not sent at all, if they are not."""
        if questions.kind not in (QueryKind.BALANCE, QueryKind.ASSET_FACT):
            return super().refusal(questions)
        if questions.asset == self.spec.native and questions.kind is QueryKind.BALANCE:
            return None
        token = params.token_of(self.spec, questions.asset)
        if token is None or token == self.params.core:
            return Gap("asset-unsupported", detail=f"{questions.asset} is not read")
        return None

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask one endpoint where it stands, what the questions need, and where it stands now."""
        first = await self.transport.exchange_any(wire.INFO, stood(at) or at.endpoints)
        stands = self._stands(first, at)
        if isinstance(stands, Gap):
            return [first]
        exchanges = [first]
        token = params.token_of(self.spec, questions.asset)
        if questions.kind is QueryKind.ASSET_FACT and token is not None:
            asked = [wire.stats_request(token.contract, token.code)]
            exchanges += await self.together(asked, first.endpoint)
        else:
            canaries = [bytes.fromhex(text) for text in at.canaries[:1]]
            asked = [wire.account_request(who) for who in accounts]
            asked += self._canary_requests(canaries)
            if token is not None:
                asked += self._token_requests(token, accounts)
            exchanges += await self.together(list(dict.fromkeys(asked)), first.endpoint)
        if stands and questions.kind is QueryKind.CONTROL:
            await self._ask_nested(accounts, at, exchanges)
        elif stands and questions.asset == self.spec.native:
            await self._ask_holdings(accounts, at, exchanges)
        return [*exchanges, await self.transport.exchange(wire.INFO, first.endpoint)]

    async def _ask_nested(
        self, accounts: Sequence[bytes], at: Snapshot, exchanges: list[Exchange]
    ) -> None:
        """Ask for the accounts that permissions name, level by level."""
        for _ in range(permissions.DEPTH):
            reader = Reader(self.params, _answers(exchanges), at, stands=True)
            missing: dict[bytes, None] = {}
            for account in accounts:
                found = reader.control(account)
                if isinstance(found, permissions.Needed):
                    missing |= dict.fromkeys(found.accounts)
            if not missing:
                return
            requests = [wire.account_request(who) for who in missing]
            exchanges += await self.together(requests, exchanges[0].endpoint)

    async def _ask_holdings(
        self, accounts: Sequence[bytes], at: Snapshot, exchanges: list[Exchange]
    ) -> None:
        """Ask for the tables of those accounts that exist, delegations page by page."""
        own, endpoint = _answers(exchanges), exchanges[0].endpoint
        reader = Reader(self.params, own, at, stands=True)
        there = [who for who in accounts if isinstance(reader.account(who), wire.Account)]
        asked = holdings.standing_requests(self.params)
        for account in there:
            asked += holdings.requests(self.params, account)
        known = [request for request in dict.fromkeys(asked) if request not in own]
        exchanges += await self.together(known, endpoint)
        for _ in range(1, holdings.PAGES):
            own = _answers(exchanges)
            pages = {who: holdings.delegations(self.params, own, who) for who in there}
            more = [
                holdings.delegations_request(self.params, who, found[1])
                for who, found in pages.items()
                if not isinstance(found, Gap) and found[1]
            ]
            if not more:
                return
            exchanges += await self.together(more, endpoint)

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group's answers by what the node showed of its head around them."""
        stands = self._stood(exchanges, at)
        if isinstance(stands, Gap):
            return [stands] * len(accounts)
        reader = Reader(self.params, _answers(exchanges), at, stands=stands)
        token = params.token_of(self.spec, questions.asset)
        if questions.kind is QueryKind.ASSET_FACT and token is not None:
            return [reader.fact(token)] * len(accounts)
        canary = next((bytes.fromhex(text) for text in at.canaries), None)
        wrong = Gap("zero-without-canary") if canary is None else reader.canary(canary)
        if wrong is not None:
            return [wrong] * len(accounts)
        if questions.kind is QueryKind.CONTROL:
            return reader.controls(accounts)
        return reader.natives(accounts) if token is None else reader.tokens(token, accounts)

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract; the method says whether the node stood at the block. Pure."""
        answers = super().decode(questions, extract, at)
        if not extract.exchanges or self._stood(extract.exchanges, at) is not False:
            return answers
        return msgspec.structs.replace(answers, method=Method.UNTOUCHED)

    def _stood(self, exchanges: Sequence[Exchange], at: Snapshot) -> bool | Gap:
        """Tell whether the node stood at the block before and after; ``False``: later."""
        before, after = self._stands(exchanges[0], at), self._stands(exchanges[-1], at)
        if isinstance(before, Gap) or isinstance(after, Gap):
            return before if isinstance(before, Gap) else after
        return before and after

    def _stands(self, exchange: Exchange, at: Snapshot) -> bool | Gap:
        """Tell whether the node's head is the pinned block; ``False`` if it is past it."""
        gap = failure(exchange)
        info = gap if gap is not None else wire.read_info(exchange)
        if isinstance(info, Gap):
            return info
        if info.chain_id != self.params.chain_id:
            return Gap("wrong-block", detail="the node serves another chain now")
        if info.head < at.height or info.irreversible < at.height:
            return Gap("node-behind", retryable=True)
        if info.head == at.height and info.head_id != at.block_hash:
            return Gap("wrong-block", detail=f"its head is {info.head_id}")
        return info.head == at.height

    def _canary_requests(self, canaries: Sequence[bytes]) -> list[Request]:
        contract, code = self.params.token, self.params.symbol.code
        return [
            request
            for who in canaries
            for request in (
                wire.account_request(who),
                wire.balance_request(contract, who, code),
            )
        ]

    def _token_requests(self, token: params.Token, accounts: Sequence[bytes]) -> list[Request]:
        canary = self.params.canary_of(token)
        whose = [*accounts, *(() if canary is None else (canary,))]
        asked = [wire.balance_request(token.contract, who, token.code) for who in whose]
        return [wire.stats_request(token.contract, token.code), *asked]


def _answers(exchanges: Sequence[Exchange]) -> Own:
    """Return the answers by question; ``get_info`` stands first and last and is not among them."""
    own = next(iter(by_endpoint(exchanges).values()), {})
    return {request: one for request, one in own.items() if request != wire.INFO}


def _read_block(exchange: Exchange, height: int) -> tuple[str, int] | Gap:
    """Return the id and time of the block in milliseconds; an id begins with its number."""
    found = wire.read_object(exchange)
    if isinstance(found, wire.Fault):
        return Gap("state-pruned") if found.code == wire.UNKNOWN_BLOCK else found.gap
    if isinstance(found, Gap):
        return found
    named, time = found.get("id"), wire.read_time(found.get("timestamp"))
    if not wire.is_hash(named) or time is None or found.get("block_num") != height:
        return wire.wrong("get_block_info")
    if int(str(named)[:8], 16) != height:
        return wire.wrong("get_block_info (id)")
    return str(named), time
