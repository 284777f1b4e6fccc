"""aelf: main chain and side chains, ELF and tokens by symbol, at the node's head.

The node has one way to read a balance: a signed transaction is executed on the best chain
(``calls``). No height is taken and the answer names no block. So every group of calls stands
between two ``chainStatus``, and counts as state of the pinned block if both name it as the head
(``state``): on a node that was stopped at the block. Past the block an account counts that no
block since has touched (``untouched``, see ``since``): that is how a node that keeps running is
asked, soon after the block became irreversible. Everything else is the gap ``no-history``. The
block's hash is not recomputed: the node shows its header in part.

The block has to be irreversible for at least one endpoint; a node that was stopped at it does not
know that, so a second endpoint has to say it.

Identity. ``ChainId`` and the genesis contract are the same on the test network, so that
``genesis_hash`` tells them apart where it is configured. The token contract's address is what the
genesis contract says at the pin; all endpoints have to say the same, and the configuration's if it
has one.

Traps. proto3 leaves a zero out: symbol and owner of the answer have to be those of the question,
and a token has to exist (a symbol that nobody created reads as zero; an alias reads as the other
token). A nonexistent account reads as zero, too: hence the canary. Node versions that execute some
read-only calls in a synthetic way may differ in what they show: the version of each endpoint is
kept in the snapshot (``version@…``), a witness of another version is the remedy.

Not seen: ELF that is locked for votes, in profit schemes, the token converter or vesting lies in
virtual addresses of contracts, not in the account's balance.

Canaries: accounts of ``canaries``, the producer of the pinned block and who sent its first
transactions, as far as they hold ELF. For a zero of another token, ``token_canaries``.

``spec.params``: ``genesis_contract`` (address, required), ``genesis_hash`` (64 hex digits),
``token_contract`` (address), ``chain`` (``ChainId``, else the reference), ``symbol`` (``ELF``),
``canaries``, ``token_canaries`` (symbol to an account that holds some at every height).
Spec: https://docs.aelf.com/ (Web API); AElfProject/AElf src/AElf.WebApp.Application.Chain
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from chains import workings
from chains.accounts import AccountAdapter, Fact, Read, liquid
from chains.adapter import Capabilities, Effort, Transport
from chains.adapters.aelf import calls, params, since, wire
from chains.adapters.aelf.since import UNASKED, Since
from chains.errors import WrongChain
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
from chains.pinning import STOOD, View, agree, by_endpoint, stood
from chains.workings import Clock, Rule, Working

Own = Mapping[Request, Exchange]
FINAL = "irreversible"
"""Detail of endpoints for which the block is irreversible."""
CONTRACT = "token-contract"
"""Detail that names the token contract."""
GROUP = 500
_LATE = 3 + 2 * since.MOST_BLOCKS
"""Requests of a group, accounts apart, at a head as far past the block as is read."""
MOST_CANARIES = 3
TOUCHED = "the account is named by a block after the height; the node keeps no past balances"


class Adapter(AccountAdapter):
    """Reads tokens of the MultiToken contract in their smallest unit."""

    group: ClassVar[int] = GROUP
    window: ClassVar[int] = 2
    capabilities: ClassVar[Capabilities] = Capabilities(
        history="held",
        assets=("slip44", "token"),
        methods=(Method.STATE, Method.UNTOUCHED),
        zero_rule=(
            "A zero counts if the answer names the asked symbol and owner, the node's head was the "
            "pinned block before and after the batch or no block since names the account, and a "
            "canary of the same batch holds some of the token."
        ),
        batch=1,
        shard=2000,
        efforts=(Effort(late=True, each="1", a_batch=_LATE, batch=GROUP),),
        how={
            Method.STATE: "the contract at the node's head, which has to be held at the block",
            Method.UNTOUCHED: "of a head minutes after it: accounts that no block named since",
        },
    )

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self.params = params.read(spec)

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for identity and head, the block, the token contract and the node's version."""
        where = calls.token_contract_request(self.params.genesis_contract)
        return [wire.STATUS, wire.block_request(height), where, wire.VERSION]

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask what accounts of the block hold."""
        block, contract = wire.read_block(shown[1], height), wire.read_contract(shown[2])
        if isinstance(block, Gap) or isinstance(contract, Gap):
            return []
        results = await self.together([wire.results_request(block.named)], endpoint)
        names = self._candidates(block, results[0])
        asked = [calls.balance_request(contract, self.params.symbol, who) for who in names]
        return results + await self.together(asked, endpoint)

    def _candidates(self, block: wire.Block, exchange: Exchange | None) -> list[bytes]:
        results = [] if exchange is None else wire.read_results(exchange, block)
        senders = [] if isinstance(results, Gap) else [one.sender for one in results]
        found = [*self.params.canaries, calls.address_of(block.signer), *senders]
        return list(dict.fromkeys(found))[:MOST_CANARIES]

    def view(self, height: int, endpoint: str, own: Own) -> View:
        """Read what one endpoint showed; raises ``WrongChain``."""
        status = self._status(endpoint, own[wire.STATUS])
        if isinstance(status, Gap):
            return View(reason=status.reason)
        if status.best < height:
            return View(reason="node-behind")
        block = wire.read_block(own[wire.block_request(height)], height)
        if isinstance(block, Gap):
            return View(reason=block.reason)
        if status.best == height and status.best_hash != block.named:
            return View(reason="wrong-block")
        contract = wire.read_contract(
            own[calls.token_contract_request(self.params.genesis_contract)]
        )
        if isinstance(contract, Gap):
            return View(reason=contract.reason)
        known = self.params.token_contract
        canaries, failed = self._canaries(own, block, contract)
        silent = "" if canaries else (*failed, "canary-failed")[0]
        detail = {"version": wire.read_version(own[wire.VERSION])}
        detail |= {STOOD: "yes"} if status.best == height else {}
        detail |= {FINAL: "yes"} if status.final >= height else {}
        return View(
            block_hash=block.named,
            time=block.time,
            reason="identity-unproven" if known not in (None, contract) else silent,
            shown={
                "genesis": status.genesis_hash,
                CONTRACT: contract.hex(),
                "parent": block.parent,
            },
            canaries=canaries,
            detail=detail,
        )

    def _canaries(
        self, own: Own, block: wire.Block, contract: bytes
    ) -> tuple[tuple[str, ...], list[str]]:
        """Return those accounts of the block that hold ELF, and why others could not be read."""
        candidates = self._candidates(block, own.get(wire.results_request(block.named)))
        symbol, read = self.params.symbol, {}
        for who in candidates:
            exchange = own.get(calls.balance_request(contract, symbol, who))
            read[who] = UNASKED if exchange is None else wire.read_balance(exchange, symbol, who)
        rich = tuple(who.hex() for who, one in read.items() if isinstance(one, int) and one)
        return rich, [one.reason for one in read.values() if isinstance(one, Gap)]

    def _status(self, endpoint: str, exchange: Exchange) -> wire.Status | Gap:
        """Read where a node stands; raises ``WrongChain``."""
        status = wire.read_status(exchange)
        if isinstance(status, Gap):
            return status
        expected = (self.params.chain, self.params.genesis_contract)
        if (status.chain, status.genesis_contract) != expected:
            raise WrongChain(f"{endpoint} serves {status.chain[:40]!r}, not {self.params.chain}")
        if self.params.genesis_hash not in ("", status.genesis_hash):
            raise WrongChain(f"{endpoint} serves a chain that began with {status.genesis_hash}")
        return status

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the moment; nobody is asked about a block that is irreversible for nobody."""
        views = self.views(height, exchanges)
        if not any(FINAL in view.detail for view in views.values()):
            views = {name: _not_final(view) for name, view in views.items()}
        return agree(self.spec, height, views)

    def head_requests(self) -> Sequence[Request]:
        """Ask where the node stands."""
        return (wire.STATUS,)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the last irreversible block; raises ``WrongChain``. Pure."""
        status = self._status(exchanges[0].endpoint, exchanges[0])
        return status if isinstance(status, Gap) else status.final

    def refusal(self, questions: Questions) -> Gap | None:
        """Say why these questions are not sent at all, if they are not."""
        if questions.kind not in (QueryKind.BALANCE, QueryKind.ASSET_FACT):
            return super().refusal(questions)
        if questions.asset == self.spec.native and questions.kind is QueryKind.BALANCE:
            return None
        symbol = params.symbol_of(self.spec, questions.asset)
        if symbol in (None, self.params.symbol):
            return Gap("asset-unsupported", detail=f"{questions.asset} is not read")
        return None

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask one endpoint where it stands, for balances, where it stands now, what was between."""
        first = await self.transport.exchange_any(wire.STATUS, stood(at) or at.endpoints)
        if isinstance(self._position(first, at), Gap):
            return [first]
        asked = self._requests(questions, at, accounts)
        exchanges = [first, *await self.together(asked, first.endpoint)]
        last = await self.transport.exchange(wire.STATUS, first.endpoint)
        exchanges.append(last)
        after = self._position(last, at)
        if questions.kind is QueryKind.ASSET_FACT or isinstance(after, Gap):
            return exchanges
        return exchanges + await self._ask_since(at, after.best, last.endpoint)

    async def _ask_since(self, at: Snapshot, best: int, endpoint: str) -> list[Exchange]:
        """Ask for the blocks after the pinned one and what they may hold of interest."""
        if since.too_far({}, at.height, best):
            return []
        blocks = await self.together(since.blocks_requests(at.height, best), endpoint)
        own = {exchange.request: exchange for exchange in blocks}
        asked = since.results_requests(own, at.height, best)
        return blocks + await self.together(asked, endpoint)

    def _requests(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Request]:
        contract = bytes.fromhex(at.detail[CONTRACT])
        symbol = params.symbol_of(self.spec, questions.asset)
        if questions.kind is QueryKind.ASSET_FACT:
            return [calls.token_request(contract, str(symbol))]
        name = symbol or self.params.symbol
        whose = [*self._known(symbol, at), *accounts]
        asked = [calls.balance_request(contract, name, who) for who in dict.fromkeys(whose)]
        return asked if symbol is None else [calls.token_request(contract, name), *asked]

    def _known(self, symbol: str | None, at: Snapshot) -> list[bytes]:
        """Return the canary of ELF or of a token, if there is one."""
        if symbol is None:
            return [bytes.fromhex(text) for text in at.canaries[:1]]
        return [who for name, who in self.params.token_canaries.items() if name == symbol]

    def _position(self, exchange: Exchange, at: Snapshot) -> wire.Status | Gap:
        """Read where the node stands in a batch: at the block or after it."""
        try:
            status = self._status(exchange.endpoint, exchange)
        except WrongChain as error:
            return Gap("wrong-block", detail=str(error))
        if isinstance(status, Gap):
            return status
        if status.best < at.height:
            return Gap("node-behind", retryable=True)
        if status.best == at.height and status.best_hash != at.block_hash:
            return Gap("wrong-block", detail=f"its head is {status.best_hash}")
        return status

    def _since(self, exchanges: Sequence[Exchange], at: Snapshot) -> Since | Gap:
        """Read how far past the block the node was, and what had happened until then."""
        around = [exchange for exchange in exchanges if exchange.request == wire.STATUS]
        positions = [self._position(exchange, at) for exchange in around]
        gaps = [one for one in positions if isinstance(one, Gap)]
        if gaps or len(positions) != 2:  # noqa: PLR2004 - before and after
            return gaps[0] if gaps else UNASKED
        before, after = (one for one in positions if isinstance(one, wire.Status))
        own, token = _answers(exchanges), bytes.fromhex(at.detail[CONTRACT])
        if since.too_far(own, at.height, after.best):
            return since.TOO_FAR
        if after.best < before.best:
            return Gap("wrong-block", retryable=True, detail="the node went back")
        return since.read(own, (at.height, at.block_hash), before, after, token)

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group's answers by where the node stood around them."""
        own = _answers(exchanges)
        symbol = params.symbol_of(self.spec, questions.asset)
        if questions.kind is QueryKind.ASSET_FACT:
            return [self._fact(exchanges, at, str(symbol))] * len(accounts)
        passed = self._since(exchanges, at)
        if isinstance(passed, Gap):
            return [passed] * len(accounts)
        contract = bytes.fromhex(at.detail[CONTRACT])
        reader = _Reader(own, contract, symbol or self.params.symbol, passed, at.height)
        wrong = reader.missing() if symbol is not None else None
        held = [reader.units(who) for who in self._known(symbol, at)]
        if symbol is None and not any(isinstance(one, int) and one for one in held):
            wrong = (*(one for one in held if isinstance(one, Gap)), _no_canary(held))[0]
        if wrong is not None:
            return [wrong] * len(accounts)
        known = bool(held) and isinstance(held[0], int) and held[0] > 0
        return [reader.balance(who, known=known) for who in accounts]

    def _fact(self, exchanges: Sequence[Exchange], at: Snapshot, symbol: str) -> Read:
        """Read what a token is; that never changes once it was created."""
        position = self._position(exchanges[0], at)
        if isinstance(position, Gap):
            return position
        request = calls.token_request(bytes.fromhex(at.detail[CONTRACT]), symbol)
        exchange = _answers(exchanges).get(request)
        token = UNASKED if exchange is None else wire.read_token(exchange, symbol)
        if isinstance(token, Gap):
            return token
        facts = {"decimals": token.decimals, "symbol": token.symbol}
        return Fact(msgspec.json.encode(facts).decode())

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract; the method says whether the node stood at the block. Pure."""
        answers = super().decode(questions, extract, at)
        if questions.kind is not QueryKind.BALANCE or not extract.exchanges:
            return answers
        passed = self._since(extract.exchanges, at)
        if isinstance(passed, Gap) or not passed.blocks:
            return answers
        return msgspec.structs.replace(answers, method=Method.UNTOUCHED)


class _Reader:
    """Reads balances of one token from a batch."""

    def __init__(self, own: Own, contract: bytes, symbol: str, passed: Since, height: int) -> None:
        self._height = height
        self._own = own
        self._contract = contract
        self._symbol = symbol
        self._passed = passed

    def missing(self) -> Gap | None:
        """Say that there is no such token, if there is none."""
        exchange = self._own.get(calls.token_request(self._contract, self._symbol))
        token = UNASKED if exchange is None else wire.read_token(exchange, self._symbol)
        return token if isinstance(token, Gap) else None

    def units(self, account: bytes) -> int | Gap:
        """Return what an account holds at the node's head."""
        exchange = self._own.get(calls.balance_request(self._contract, self._symbol, account))
        return UNASKED if exchange is None else wire.read_balance(exchange, self._symbol, account)

    def balance(self, account: bytes, *, known: bool) -> Read:
        """Return what an account held at the block; ``known``: a canary holds some."""
        units = self.units(account)
        if isinstance(units, Gap):
            return units
        if self._passed.touched(account):
            return Gap("no-history", detail=TOUCHED)
        if not units and not known:
            return Gap("zero-without-canary")
        if self._passed.blocks:
            workings.tell(account, self._working, units)
        return liquid(units)

    def _working(self, units: int) -> Working:
        """Tell why the balance of the node's head is that of the block."""
        blocks = self._passed.blocks
        return Working(
            rule=Rule.UNTOUCHED,
            clock=Clock.HEIGHT,
            height=self._height,
            start=units,
            start_at=self._height + blocks,
            result=units,
            shown=f"all transactions of the {blocks} blocks after it: the account sent none of "
            "them, and no event in them names it",
        )


def _answers(exchanges: Sequence[Exchange]) -> Own:
    """Return the answers by question; ``chainStatus`` stands twice and is not among them."""
    own = next(iter(by_endpoint(exchanges).values()), {})
    return {request: one for request, one in own.items() if request != wire.STATUS}


def _no_canary(held: Sequence[int | Gap]) -> Gap:
    return Gap("canary-wrong" if held else "zero-without-canary")


def _not_final(view: View) -> View:
    return msgspec.structs.replace(view, reason=view.reason or "node-behind")
