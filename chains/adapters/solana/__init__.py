"""Solana: SOL and SPL tokens at a slot, as far as they can be known without history.

Nodes answer for the newest finalized slot only. Asked at the slot itself the answer is the
balance; asked later it still is, for every account that no transaction has touched since:
most published addresses. Accounts that were touched are rolled back to what the transactions on
both sides of the slot state. ``rules`` and ``tokens`` say what is concluded from what; the rest is
the gap ``no-history``, which a capture at the slot would answer.

Accounts of the stake program are split into delegated stake, reserve and the rest; all of it is
their withdrawer's. Stake accounts of a listed wallet are not looked for: a list names them.
Nothing is said about who controls an account.

``spec.params``: ``genesis_hash`` (base58, required), ``canaries`` (base58 keys that hold
lamports for ever; the system program and the clock sysvar unless given), ``busy`` (an account
that transactions name in every block; the compute budget program unless given), ``calls`` (the
most calls in one array, 10 unless given: some providers take no more for historical methods),
``epoch_slots`` (slots of an epoch, if all since slot 0 have the same), ``pages`` (the most pages
of 1000 signatures per account that was touched, 5 unless given), ``transactions`` (the most
transactions since the slot that are read of a tokens' owner, 25 unless given), ``token_canaries``
(table of mint and owner: a holder that is never empty; the owner of the node's largest account
of the mint unless given).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

import msgspec

from chains import flow
from chains.accounts import UNASKED, AccountAdapter, Held, Read
from chains.adapter import Capabilities, Effort, Transport
from chains.adapters.solana import layouts, pinning, rules, tokens, wire
from chains.adapters.solana.history import Book, Limits, Need
from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes
from chains.errors import ConfigError, Unanswerable
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
from chains.pinning import View

CANARIES = ("1" * 32, "SysvarC1ock11111111111111111111111111111111")
"""The system program and the clock sysvar: part of the runtime, never without lamports.
Source: https://solana.com/docs/core/programs, https://docs.anza.xyz/runtime/sysvars"""
BUSY = "ComputeBudget111111111111111111111111111111"
"""Named by nearly every transaction that sets its fee. Source: solana-sdk-ids"""
CALLS = 10
"""Source: https://www.helius.dev/docs/rpc/guides/getblock (ten archival calls per array)"""
ACCOUNT_BYTES = 32
ROUNDS = 64
"""More than any question needs: an end, whatever an endpoint answers."""
BACK = "balance-back/1"
"""Decoder of extracts whose accounts are rolled back."""

_ACCOUNTS = Effort(each="1/10", a_batch=2, calls_each="10/9", calls_a_batch=2)
"""The accounts in one call, then the newest signature of each, nine and the clock's to an array."""
_TOKENS = Effort(
    asset=tokens.NAMESPACE,
    batch=tokens.GROUP,
    each="2/5",
    a_batch=2,
    calls_each="10/3",
    calls_a_batch=2,
)
"""And the list of each owner's accounts."""
_EFFORTS = (
    _ACCOUNTS,
    _TOKENS,
    msgspec.structs.replace(_ACCOUNTS, late=True, each="31/10", calls_each="37/9"),
    msgspec.structs.replace(_TOKENS, late=True, each="22/5", calls_each="22/3"),
)
"""Late: of each account, or token account, a page of signatures and a transaction on each side."""

Plan = Callable[[Book, Exchange, Sequence[bytes], bool], list[Held | Gap]]
"""Answers accounts from a book, rolling back or not; raises ``Need``."""


class Adapter(AccountAdapter):
    """Reads lamports (10^-9 SOL) and base units of SPL tokens at a slot."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="tip",
        assets=("slip44", tokens.NAMESPACE),
        methods=(Method.STATE, Method.UNTOUCHED, Method.ROLLED_BACK),
        zero_rule=(
            "A zero counts if a standing account (canary) of the same answer is there and the "
            "account is absent either at the slot itself, or later with no transaction since "
            "the slot in a ledger that reaches back to it and is shown to be up to date, or if "
            "the transactions on both sides of the slot state it. A token's zero also needs a "
            "holder of the token, not from the list, whose own list of accounts shows it."
        ),
        batch=wire.MOST_ACCOUNTS - 1,
        shard=4950,
        requests_each="1/10",
        requests_a_batch=2,
        pinning=5,
        efforts=_EFFORTS,
        subject_holds=True,
        how={
            Method.STATE: "while the node's newest final slot is the slot itself",
            Method.UNTOUCHED: "read later, of accounts without a transaction since the slot",
            Method.ROLLED_BACK: "what the transactions on both sides of the slot left behind",
        },
    )
    group = wire.MOST_ACCOUNTS - 1
    window = 4

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self._canaries = tuple(_account(spec, text) for text in _canaries(spec))
        self._busy = wire.key(_account(spec, str(spec.params.get("busy", BUSY))))
        self._calls = max(2, int(spec.params.get("calls", CALLS)))
        self._epoch_slots = int(spec.params.get("epoch_slots", 0))
        limits = {
            name: spec.params[name] for name in ("pages", "transactions") if name in spec.params
        }
        self._limits = Limits(**limits)
        holders = dict(spec.params.get("token_canaries", {}))
        self._holders = {mint: wire.key(_account(spec, text)) for mint, text in holders.items()}

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for the cluster, its newest slot, the block, the ledger's reach and the canaries."""
        return pinning.pin_requests(height, [wire.key(account) for account in self._canaries])

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        return pinning.view(self.spec, height, endpoint, own, self._canaries)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the newest finalized slot."""
        return (wire.slot_request(),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest finalized slot. Pure."""
        return pinning.read_slot(exchanges[0])

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the slot; raises ``WrongChain``, ``Disagreement``, ``Unanswerable``."""
        try:
            return super().snapshot(height, exchanges)
        except Unanswerable as error:
            if error.code != "slot-skipped":
                raise
            raise Unanswerable(
                f"{self.spec.id} has no block at slot {height}: it was skipped, or the number is "
                "a block height; name the slot of a block",
                code="slot-skipped",
            ) from error

    def refusal(self, questions: Questions) -> Gap | None:
        """Refuse assets that are neither SOL nor a mint."""
        if questions.kind in (QueryKind.BALANCE, QueryKind.ASSET_FACT) and _mint(questions):
            return None
        return super().refusal(questions)

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Yield an extract per group, and one more for its accounts that were rolled back."""
        positions = range(len(questions.accounts))
        if self.refusal(questions) is not None:
            yield Extract(positions=positions, decoder=UNASKED, exchanges=())
            return
        size = min(tokens.GROUP if _mint(questions) else self.group, self.group_size(at))
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
        accounts = [questions.accounts[position] for position in positions]
        request = self._first_request(questions, at, accounts)
        first = await self.transport.exchange_any(request, at.endpoints)
        plain = f"{questions.kind}/1"
        if questions.kind is QueryKind.ASSET_FACT:
            return [Extract(positions=positions, decoder=plain, exchanges=(first,))]
        plan, book = self._plan(questions, at), Book([first])
        if not _mint(questions):
            book.add(await self._newest(first, at, accounts))
        found = await self._ask(plan, book, first, accounts, roll=False)
        settled = tuple(book.exchanges.values())
        open_ = [i for i, one in enumerate(found) if one == rules.TOUCHED]
        rest = [position for i, position in enumerate(positions) if i not in set(open_)]
        extracts = [Extract(positions=rest, decoder=plain, exchanges=settled)] if rest else []
        if open_:
            await self._ask(plan, book, first, [accounts[i] for i in open_], roll=True)
            back, shown = [positions[i] for i in open_], tuple(book.exchanges.values())
            extracts.append(Extract(positions=back, decoder=BACK, exchanges=shown))
        return extracts

    def _first_request(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> Request:
        """Ask for a group's accounts, a canary among them."""
        mint = _mint(questions)
        if mint and questions.kind is QueryKind.BALANCE:
            return tokens.first_request(self._tokens(mint, at), accounts)
        keys = [wire.key(bytes.fromhex(text)) for text in at.canaries[:1]]
        keys += [wire.key(account) for account in accounts]
        length = layouts.TOKEN_BYTES if mint else wire.STAKE_BYTES
        return wire.accounts_request(keys, at.height, length)

    async def _newest(
        self, first: Exchange, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for the newest transaction of each account, unless the answer is for the slot."""
        found = wire.read_accounts(first, at.height)
        if isinstance(found, Gap) or found.slot == at.height:
            return []
        keys = [wire.key(account) for account in accounts]
        requests = [
            wire.signatures_request([self._busy, *some], found.slot)
            for some in wire.batches(keys, self._calls - 1)
        ]
        return await self.together(requests, first.endpoint)

    async def _ask(
        self, plan: Plan, book: Book, first: Exchange, accounts: Sequence[bytes], *, roll: bool
    ) -> list[Held | Gap]:
        """Ask what is missing, at the endpoint that answered first, until nothing is."""
        for _ in range(ROUNDS):
            try:
                return plan(book, first, accounts, roll)
            except Need as need:
                book.add(await self.together(need.requests, first.endpoint))
        return []

    def _plan(self, questions: Questions, at: Snapshot) -> Plan:
        mint = _mint(questions)
        if mint:
            asked = self._tokens(mint, at)
            return lambda book, first, accounts, roll: tokens.Group(asked, book, first).answers(
                accounts, roll=roll
            )
        natives = rules.Natives(
            at=at, busy=self._busy, limits=self._limits, epoch_slots=self._epoch_slots
        )
        return lambda book, first, accounts, roll: rules.Wallets(natives, book, first).answers(
            accounts, roll=roll
        )

    def _tokens(self, mint: str, at: Snapshot) -> tokens.Asked:
        return tokens.Asked(
            mint=mint,
            at=at,
            busy=self._busy,
            calls=self._calls,
            limits=self._limits,
            holder=self._holders.get(mint, ""),
        )

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group by ``rules`` and ``tokens``. Pure."""
        first = exchanges[0]
        if questions.kind is QueryKind.ASSET_FACT:
            return [tokens.facts(self._tokens(_mint(questions), at), first)] * len(accounts)
        plan, book = self._plan(questions, at), Book(exchanges)
        try:
            return plan(book, first, accounts, True)
        except Need:
            return [self._read_one(plan, book, first, account) for account in accounts]

    def _read_one(self, plan: Plan, book: Book, first: Exchange, account: bytes) -> Held | Gap:
        """Read one account of a group in which something was not asked to the end."""
        for roll in (True, False):
            try:
                return plan(book, first, [account], roll)[0]
            except Need:
                continue
        return rules.NOT_ANSWERED

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure."""
        answers = super().decode(questions, extract, at)
        if not extract.exchanges:
            return answers
        if extract.decoder == BACK:
            return msgspec.structs.replace(answers, method=Method.ROLLED_BACK)
        late = any(wire.is_newest(exchange.request) for exchange in extract.exchanges)
        return msgspec.structs.replace(answers, method=Method.UNTOUCHED if late else Method.STATE)


def _mint(questions: Questions) -> str:
    """Return the mint of a token in base58, empty for SOL and for what is no mint."""
    kind, _, reference = questions.asset.partition("/")[2].partition(":")
    try:
        is_mint = kind == tokens.NAMESPACE and len(base58_to_bytes(reference)) == ACCOUNT_BYTES
    except AddressError:
        return ""
    return reference if is_mint else ""


def _canaries(spec: ChainSpec) -> Sequence[str]:
    declared = spec.params.get("canaries")
    return CANARIES if declared is None else [str(text) for text in declared]


def _account(spec: ChainSpec, text: str) -> bytes:
    try:
        account = base58_to_bytes(text)
    except AddressError as error:
        raise ConfigError(f"chain {spec.id}: canary {text!r} is not base58") from error
    if len(account) != ACCOUNT_BYTES:
        raise ConfigError(f"chain {spec.id}: canary {text!r} has {len(account)} bytes, not 32")
    return account
