"""TRON: TRX at a height, tokens and permissions as far as nothing changed since.

**TRX.** A node started with ``--history-balance-lookup`` keeps, per account, the balance after
every block that changed it, and ``/wallet/getaccountbalance`` returns the last such record at or
below the asked block. Without the flag, before it was switched on, and for accounts without
a record the same call answers **balance 0 and the asked block**, with no error. That echo is
never read as zero by itself; ``rules`` says what is. A node whose flag was off for some blocks
between a record and the height answers with an outdated record: only a second endpoint can show
that. Staked, delegated and unbonding TRX and rewards are added where the account did nothing
since (``account``), else they are not seen.

**Control.** The owner permission, and each active permission that lets its keys transfer TRX or
call contracts, as ``/wallet/getaccount`` shows them now, for accounts that did nothing since. A
permission that allows only one of the two counts, since who holds it can move something: whoever
signed with it is not refuted. A signature by the key from which the address derives is ``bound``
whatever the permissions say: that they were moved to other keys is not looked up.

**TRC-20.** See ``tokens``: endpoints with the event API only.

An extract carries one method: the weakest of its accounts. Token facts are those of now.

``spec.params``: ``genesis_hash`` (id of block 0, required), ``canaries`` (``T…`` addresses
that hold TRX at every height of interest, optional), ``transfer_tokens`` (``T…`` contracts whose
balances move by Transfer events and by no others than ``supply_events`` gives for them; none unless
given), ``token_canaries`` (a token's holder
that is never empty; its total supply unless given), ``busy_token`` (a contract with events in
every block; USDT unless given).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar

import msgspec

from chains import addresses, workings
from chains.accounts import UNASKED, AccountAdapter, Held, Read
from chains.adapter import Capabilities, Transport
from chains.adapters.tron import account, facts, pinning, rules, supply, tokens, wire, working
from chains.addresses import AddressError
from chains.addresses import tron as address
from chains.errors import ConfigError
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
    all_gaps,
)
from chains.pinning import View

BATCH = 50
"""Accounts per extract: a request or more each, with a canary before them."""
BUSY = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
"""USDT. Source: https://developers.tron.network/docs/get-trc20-transaction-history"""
TRC20 = "/trc20:"


class Adapter(AccountAdapter):
    """Reads TRX in sun (10^-6 TRX), TRC-20 tokens in base units, and permissions."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="flagged",
        assets=("slip44", "trc20"),
        methods=(Method.STATE, Method.UNTOUCHED, Method.ROLLED_BACK),
        zero_rule=(
            "A zero counts if the canary of the same batch is right and either a record below "
            "the height shows the block that emptied the account, or the head state shows that "
            "no account existed at the height. An echoed zero alone is the gap no-record. "
            "Staked TRX is seen only of accounts that did nothing since the height. A token's "
            "zero counts if a known holder or the total supply reads above zero in the same batch."
        ),
        batch=1,
        shard=2000,
        requests_each="51/25",
        requests_a_batch=0,
        pinning=5,
        control=(account.OWNER, account.ACTIVE),
        how={
            Method.STATE: "liquid TRX, of nodes that record balance history",
            Method.UNTOUCHED: "stakes and permissions of accounts that did nothing since the block",
            Method.ROLLED_BACK: "TRC-20: read now, the transfers since taken back (TronGrid's API)",
        },
    )
    group = BATCH
    window = 4

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        params = spec.params
        self._declared = tuple(
            addresses.decode(spec, str(text)) for text in params.get("canaries", ())
        )
        self._transfer_tokens = frozenset(map(str, params.get("transfer_tokens", ())))
        self._token_canaries = {
            str(token): addresses.decode(spec, str(holder))
            for token, holder in params.get("token_canaries", {}).items()
        }
        self._supply_events = _supply_events(spec)
        self._newest = tokens.newest_request(str(params.get("busy_token", BUSY)))

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for block 0, the solidified head, the block and, for tokens, the event API."""
        requests = [wire.block_request(0), wire.head_request(wire.SOLID_HEAD)]
        if height:
            requests.append(wire.block_request(height))
        return [*requests, self._newest] if self._transfer_tokens else requests

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the head where no solidified one is served, and for the canaries."""
        more = []
        if pinning.serves_no_solid_head(shown[1]):
            more = [await self.transport.exchange(wire.head_request(wire.HEAD), endpoint)]
        answer = wire.read_object(shown[2 if height else 0])
        block = answer if isinstance(answer, Gap) else wire.read_block(answer)
        if isinstance(block, Gap):
            return more
        canaries = pinning.canary_accounts(answer, self._declared)
        asked = [wire.balance_request(who, height, block.id) for who in canaries]
        return more + await self.together(asked, endpoint)

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        return pinning.view(self.spec, height, endpoint, own, self._declared)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the solidified head and, for endpoints that serve none, the newest block."""
        return wire.head_request(wire.SOLID_HEAD), wire.head_request(wire.HEAD)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest final block. Pure."""
        return pinning.final_head({one.request: one for one in exchanges})

    def refusal(self, questions: Questions) -> Gap | None:
        """Say why these questions are not sent at all, if they are not."""
        if questions.kind is QueryKind.CONTROL or TRC20 not in questions.asset:
            return super().refusal(questions)
        if self._token(questions) is None:
            return Gap("asset-unsupported", detail="the token's contract is no TRON address")
        if questions.kind is QueryKind.ASSET_FACT:
            return None
        if questions.kind is not QueryKind.BALANCE:
            return Gap("kind-unsupported", detail=f"{questions.kind} questions are not asked here")
        known = self._reference(questions) in self._transfer_tokens
        return None if known else Gap("no-history", detail=tokens.NO_RULE)

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Yield one extract per group; none is sent where no endpoint can answer."""
        if self._without_events(questions, at):
            positions = range(len(questions.accounts))
            yield Extract(positions=positions, decoder=UNASKED, exchanges=())
            return
        async for extract in super().extract(questions, at):
            yield extract

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask one endpoint about a group of accounts, a canary among them."""
        if questions.kind is QueryKind.CONTROL:
            return await self._ask_control(at, accounts)
        token = self._token(questions)
        if token is None:
            return await self._ask_native(at, accounts)
        if questions.kind is QueryKind.ASSET_FACT:
            return await facts.ask(self.transport, at, token)
        return await self._ask_token(questions, token, at, accounts)

    async def _ask_native(self, at: Snapshot, accounts: Sequence[bytes]) -> list[Exchange]:
        everyone = [*(bytes.fromhex(text) for text in at.canaries[:1]), *accounts]
        asked = [wire.balance_request(who, at.height, at.block_hash) for who in everyone]
        first = await self.transport.exchange_any(asked[0], at.endpoints)
        if first.failure:
            return [first]
        states = [wire.account_request(who) for who in dict.fromkeys(everyone)]
        return [first, *await self.together([*asked[1:], *states], first.endpoint)]

    async def _ask_control(self, at: Snapshot, accounts: Sequence[bytes]) -> list[Exchange]:
        first = await self.transport.exchange_any(wire.head_request(wire.HEAD), at.endpoints)
        if first.failure:
            return [first]
        everyone = dict.fromkeys([*(bytes.fromhex(text) for text in at.canaries[:1]), *accounts])
        states = [wire.account_request(who) for who in everyone]
        return [first, *await self.together(states, first.endpoint)]

    async def _ask_token(
        self, questions: Questions, token: bytes, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        head = wire.head_request(wire.SOLID_HEAD)
        first = await self.transport.exchange_any(head, _with_events(at))
        if first.failure:
            return [first]
        ask, endpoint = self.transport.exchange, first.endpoint
        asked = dict.fromkeys(tokens.balance_request(token, who) for who in accounts)
        balances = await self.together([self._canary(questions, token), *asked], endpoint)
        last = await ask(head, endpoint)
        newest = await ask(self._newest, endpoint)
        events = await supply.ask(ask, endpoint, self._supply(questions, token, at))
        lists = await asyncio.gather(
            *(tokens.ask_list(ask, endpoint, self._list(questions, at, who)) for who in accounts)
        )
        return [first, *balances, last, newest, *events, *(one for own in lists for one in own)]

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group by the rules of ``rules``, ``tokens`` or ``facts``. Pure."""
        if questions.kind is QueryKind.CONTROL:
            return rules.control(accounts, exchanges, at, self.spec.address_params)
        token = self._token(questions)
        if token is None:
            return rules.read(accounts, exchanges, at)
        if questions.kind is QueryKind.ASSET_FACT:
            return [facts.read(exchanges, token)] * len(accounts)
        canary = self._canary(questions, token)
        reading = tokens.read_batch(exchanges, canary, self._newest, at)
        if isinstance(reading, Gap):
            return [reading] * len(accounts)
        found = {one.request: one for one in exchanges}
        events = supply.read(found, self._supply(questions, token, at))
        if isinstance(events, Gap):
            return [events] * len(accounts)
        held: list[Read] = []
        for who in accounts:
            asked, of = tokens.balance_request(token, who), self._list(questions, at, who)
            held.append(tokens.balance(found, asked, of, reading, events.get(who, ())))
            if isinstance(held[-1], Held) and workings.is_wanted(who):
                workings.tell(
                    who,
                    working.of_token,
                    found,
                    who,
                    asked=asked,
                    of=of,
                    events=self._supply(questions, token, at),
                    reading=reading,
                    units=held[-1].units,
                )
        return held

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure."""
        if self._without_events(questions, at):
            return all_gaps(extract, Gap("no-history", detail=tokens.NO_EVENTS))
        answers = super().decode(questions, extract, at)
        method = self._method(questions, answers, extract, at)
        return msgspec.structs.replace(answers, method=method)

    def _method(
        self, questions: Questions, answers: Answers, extract: Extract, at: Snapshot
    ) -> Method:
        """Name the weakest way in which an account of the extract is tied to the height."""
        if questions.kind is QueryKind.ASSET_FACT or not extract.exchanges:
            return Method.STATE
        if questions.kind is QueryKind.CONTROL:
            return Method.UNTOUCHED
        token = self._token(questions)
        if token is None:
            return Method.UNTOUCHED if answers.parts else Method.STATE
        accounts = [questions.accounts[position] for position in extract.positions]
        lists = [self._list(questions, at, who) for who in accounts]
        found = {one.request: one for one in extract.exchanges}
        events = supply.read(found, self._supply(questions, token, at))
        touched = not isinstance(events, Gap) and not events.keys().isdisjoint(accounts)
        back = touched or tokens.moved(found, lists)
        return Method.ROLLED_BACK if back else Method.UNTOUCHED

    def _without_events(self, questions: Questions, at: Snapshot) -> bool:
        """Tell whether this is about a token's balances, and no endpoint shows transfers."""
        return (
            questions.kind is QueryKind.BALANCE
            and self._token(questions) is not None
            and self.refusal(questions) is None
            and bool(at.endpoints)
            and not _with_events(at)
        )

    def _reference(self, questions: Questions) -> str:
        return questions.asset.partition(TRC20)[2]

    def _token(self, questions: Questions) -> bytes | None:
        """Return the contract of a TRC-20 asset, ``None`` for any other asset."""
        try:
            return address.decode(self._reference(questions), self.spec.address_params)
        except AddressError:
            return None

    def _canary(self, questions: Questions, token: bytes) -> Request:
        holder = self._token_canaries.get(self._reference(questions))
        if holder is None:
            return tokens.call_request(token, tokens.TOTAL_SUPPLY)
        return tokens.balance_request(token, holder)

    def _supply(self, questions: Questions, token: bytes, at: Snapshot) -> supply.Supply:
        reference = self._reference(questions)
        return supply.Supply(
            contract=token,
            token=reference,
            since_ms=int(at.detail["time-ms"]),
            events=self._supply_events.get(reference, ()),
        )

    def _list(self, questions: Questions, at: Snapshot, who: bytes) -> tokens.List:
        return tokens.List(
            account=address.encode(who, self.spec.address_params),
            token=self._reference(questions),
            since_ms=int(at.detail["time-ms"]),
        )


def _supply_events(spec: ChainSpec) -> Mapping[str, tuple[supply.Event, ...]]:
    """Read ``params.supply_events``; raises ``ConfigError``."""
    try:
        return msgspec.convert(
            spec.params.get("supply_events", {}), dict[str, tuple[supply.Event, ...]]
        )
    except msgspec.ValidationError as error:
        raise ConfigError(f"chain {spec.id}: params.supply_events: {error}") from error


def _with_events(at: Snapshot) -> tuple[str, ...]:
    return tuple(name for name in at.endpoints if f"{tokens.EVENTS}@{name}" in at.detail)
