"""Hedera: HBAR, and the key of an account, at a block, from a mirror node's REST API.

A block is a record file; its last transaction's time T stands for it. Asked are ``/api/v1/blocks``,
``/accounts/{id}`` at T and ``/transactions``. The mirror node keeps the key of every account at
every time, but balances only as a snapshot every 15 minutes: its time S is in the answer. The
balance at T is the one at S and what the transactions in (S, T] moved (``rolled-back``, forward in
time); where one page does not hold them the answer is the gap ``no-history``. Each mirror node
takes its snapshots in its own time: S is kept per endpoint. Units are tinybars (10^-8 HBAR).
Tokens and rewards that are not paid yet are not read.

Traps: without a snapshot for an account the API says 0 (it was created after S: then transactions
follow), without any snapshot it gives a balance of another time; mirror nodes may begin with a
later block and then do not know older accounts, so block 0 is asked for.

Canaries, in every batch: the treasury account ``0.0.2`` at S as at the pin, and a transaction of
the pinned block.

``spec.params``: ``genesis_hash`` (of block 0, required), ``canary`` (an account that holds HBAR).

Spec: https://github.com/hiero-ledger/hiero-mirror-node (rest/api/v1/openapi.yml, rest/accounts.js)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import ClassVar

from chains import workings
from chains.accounts import AccountAdapter, Held, Read, liquid
from chains.adapter import Capabilities, Transport
from chains.adapters.hedera import keys, wire
from chains.adapters.hedera.wire import Account
from chains.addresses import AddressError, hedera
from chains.errors import ConfigError, WrongChain
from chains.model import ChainSpec, Exchange, Gap, Method, QueryKind, Questions, Request, Snapshot
from chains.pinning import View
from chains.workings import Clock, Rule, Working

TREASURY = "0.0.2"
"""In every balance snapshot. Source: hiero-mirror-node rest/balances.js"""
_SNAPSHOT, _HELD = "snapshot", "canary"
"""Details of one endpoint: S, and what the canary account held then."""


class Adapter(AccountAdapter):
    """Reads tinybars and account keys at the end of a block."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="exact",
        assets=("slip44",),
        methods=(Method.ROLLED_BACK,),
        zero_rule=(
            "A zero counts if the mirror node says that there was no account, or shows one with "
            "nothing, lists no other transactions of it since the snapshot, and shows the treasury "
            "and a transaction of the block as at the pin."
        ),
        batch=1,
        shard=2000,
        requests_each="11/5",
        requests_a_batch=0,
        pinning=5,
        control=(keys.WAY,),
    )
    group = 10
    method = Method.ROLLED_BACK

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self._genesis = spec.params.get("genesis_hash")
        self._canary = str(spec.params.get("canary", TREASURY))
        if not isinstance(self._genesis, str):
            raise ConfigError(f"chain {spec.id}: params.genesis_hash is missing")
        try:
            hedera.decode(self._canary, {})
        except AddressError as error:
            raise ConfigError(f"chain {spec.id}: canary {self._canary!r}: {error}") from error

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Return block 0, the newest block, and the block at the height."""
        return wire.block_request(0), wire.newest_request(), wire.block_request(height)

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the canary account and a transaction of the block."""
        block = wire.read_block(shown[2])
        if isinstance(block, Gap) or block.number != height:
            return []
        return await self.together(self._canary_requests(block.first, block.last), endpoint)

    def _canary_requests(self, first: int, last: int) -> list[Request]:
        return [wire.account_request(self._canary, last), wire.any_request(first, last)]

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``."""
        genesis, newest, at_height = (own[one] for one in self.pin_requests(height))
        reason = self._identity(endpoint, genesis)
        head, block = wire.read_newest(newest), wire.read_block(at_height)
        if not reason and isinstance(head, Gap):
            reason = head.reason
        elif not reason and not isinstance(head, Gap) and head.number < height:
            reason = "node-behind"
        if reason:
            return View(reason=reason)
        if isinstance(block, Gap):
            return View(reason=block.reason)
        if block.number != height:
            return View(reason="wrong-block")
        asked = [own.get(one) for one in self._canary_requests(block.first, block.last)]
        held = self._alive([one for one in asked if one is not None], block.first, block.last)
        canaries: tuple[str, ...] = ()
        detail: dict[str, str] = {}
        if isinstance(held, Account):
            canaries = (hedera.decode(self._canary, {}).hex(),)
            detail = {_SNAPSHOT: str(held.snapshot), _HELD: str(held.units)}
        return View(
            block_hash=block.hash,
            time=block.last // wire.NANOSECONDS,
            reason="" if isinstance(held, Account) else held.reason,
            shown={
                "parent-hash": block.previous,
                "first": str(block.first),
                "last": str(block.last),
            },
            canaries=canaries,
            detail=detail,
        )

    def head_requests(self) -> Sequence[Request]:
        """Ask for the newest block."""
        return (wire.newest_request(),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest block. Pure."""
        newest = wire.read_newest(exchanges[0])
        return newest if isinstance(newest, Gap) else newest.number

    def _identity(self, endpoint: str, genesis: Exchange) -> str:
        """Return why the endpoint did not show its network, if so; raises ``WrongChain``."""
        block = wire.read_block(genesis)
        if isinstance(block, Gap):
            return "identity-unproven" if block.reason == "state-pruned" else block.reason
        if block.number != 0:
            return "identity-unproven"
        if block.hash != self._genesis:
            raise WrongChain(f"{endpoint} has block 0 {block.hash}; declared is {self._genesis}")
        return ""

    def _alive(self, shown: Sequence[Exchange], first: int, last: int) -> Account | Gap:
        """Read the canaries: the account with a balance, and that the block has transactions."""
        if len(shown) < len(self._canary_requests(first, last)):
            return next((_failure(one) for one in shown if one.failure), Gap("not-answered"))
        held = wire.read_account(shown[0], self._canary)
        listed = wire.has_transaction(shown[1], first, last)
        if isinstance(listed, Gap):
            return listed
        if isinstance(held, Gap):
            return held
        if not held.units or not listed:
            return Gap("canary-failed")
        return held if held.snapshot <= last else Gap("no-history", detail="no snapshot before")

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for the canaries, then for each account and its transactions, at one endpoint."""
        first, last = _block(at)
        canary, transaction = self._canary_requests(first, last)
        shown = [await self.transport.exchange_any(canary, at.endpoints)]
        if shown[0].failure:
            return shown
        snapshot, _ = _at_pin(at, shown[0].endpoint)
        names = [hedera.encode(one, {}) for one in accounts]
        asked = [[wire.account_request(one, last)] for one in names]
        if _width(questions, snapshot, last) > 1:
            for one, requests in zip(names, asked, strict=True):
                requests.append(wire.moves_request(one, snapshot, last))
        requests = [transaction, *chain.from_iterable(asked)]
        return shown + await self.together(requests, shown[0].endpoint)

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read one balance, or the key, per account."""
        first, last = _block(at)
        snapshot, held_then = _at_pin(at, exchanges[0].endpoint)
        canary = self._alive(exchanges[:2], first, last)
        if isinstance(canary, Account) and (canary.snapshot, canary.units) != (snapshot, held_then):
            canary = Gap("canary-wrong", retryable=True, detail="the canary differs from the pin")
        if isinstance(canary, Gap):
            wrong = canary.reason == "canary-failed"
            gap = Gap("canary-wrong", retryable=True) if wrong else canary
            return [gap] * len(accounts)
        names = [hedera.encode(one, {}) for one in accounts]
        if questions.kind is QueryKind.CONTROL:
            pairs = zip(exchanges[2:], names, strict=True)
            held = [wire.read_account(*pair) for pair in pairs]
            return [one if isinstance(one, Gap) else wire.read_control(one) for one in held]
        width = _width(questions, snapshot, last)
        shown = [exchanges[i : i + width] for i in range(2, len(exchanges), width)]
        each = zip(names, shown, strict=True)
        found = [_balance(name, own, snapshot, last) for name, own in each]
        for account, name, own, one in zip(accounts, names, shown, found, strict=True):
            if isinstance(one, Held):
                workings.tell(account, _working, name, own, (snapshot, last), one.units)
        return found


def _block(at: Snapshot) -> tuple[int, int]:
    """Return the times of the block's first and last transaction, in nanoseconds."""
    return int(at.detail.get("first", 0)), int(at.detail.get("last", 0))


def _at_pin(at: Snapshot, endpoint: str) -> tuple[int, int]:
    """Return S of an endpoint, in nanoseconds, and what the canary held then, in tinybars."""
    snapshot, held = (at.detail.get(f"{name}@{endpoint}", "0") for name in (_SNAPSHOT, _HELD))
    return int(snapshot), int(held)


def _width(questions: Questions, snapshot: int, last: int) -> int:
    """Return the requests per account: the second, for transactions, may have nothing to find."""
    return 2 if questions.kind is QueryKind.BALANCE and snapshot < last else 1


def _balance(name: str, shown: Sequence[Exchange], snapshot: int, last: int) -> Read:
    """Add what moved since the snapshot to what an account held then."""
    held = wire.read_account(shown[0], name)
    if isinstance(held, Gap):
        return held
    moved = wire.read_moves(shown[1], name, snapshot, last) if shown[1:] else None
    if isinstance(moved, Gap):
        return moved
    if held == wire.ABSENT:
        contradicted = Gap("no-record", detail="no account, but transactions name it")
        return liquid(0) if moved is None else contradicted
    if held.snapshot != snapshot:
        return Gap("wrong-block", retryable=True, detail="a balance of another snapshot")
    units = held.units + (moved or 0)
    return liquid(units) if units >= 0 else Gap("malformed-answer", detail="below zero")


def _working(name: str, shown: Sequence[Exchange], times: tuple[int, int], units: int) -> Working:
    """Tell how the balance of the snapshot became that of the block's last transaction."""
    held = wire.read_account(shown[0], name)
    moves = wire.movements(shown[1], name, *times) if shown[1:] else ()
    return Working(
        rule=Rule.FORWARD,
        clock=Clock.NANOSECONDS,
        height=times[1],
        start=held.units if isinstance(held, Account) else None,
        start_at=times[0],
        movements=() if isinstance(moves, Gap) else tuple(moves),
        result=units,
        shown="the mirror node's list of the account's transactions from its balance snapshot to "
        "the end of the block",
    )


def _failure(exchange: Exchange) -> Gap:
    return Gap(exchange.failure, retryable=exchange.retryable)
