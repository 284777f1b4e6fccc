"""Solana: SOL at a slot, as far as it can be known without history.

Nodes answer for the newest finalized slot only. Asked at the slot itself the answer is the
balance; asked later it still is, for every account that no transaction has touched since:
most published addresses. ``rules`` says what is concluded from what. The others are gaps;
a capture at the slot or a roll-back over their transactions would answer them.

``spec.params``: ``genesis_hash`` (base58, required), ``canaries`` (base58 keys that hold
lamports for ever; the system program and the clock sysvar unless given), ``busy`` (an account
that transactions name in every block; the compute budget program unless given), ``calls`` (the
most calls in one array, 10 unless given: some providers take no more for historical methods).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from chains.accounts import AccountAdapter, Read
from chains.adapters.solana import pinning, rules, wire
from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes
from chains.errors import ConfigError, Unanswerable
from chains.model import (
    Answers,
    Capabilities,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    Questions,
    Request,
    Snapshot,
    Transport,
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


class Adapter(AccountAdapter):
    """Reads lamports (10^-9 SOL) at a slot."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="tip",
        assets=("slip44",),
        methods=(Method.STATE, Method.UNTOUCHED),
        zero_rule=(
            "A zero counts if a standing account (canary) of the same answer is there and the "
            "account is absent either at the slot itself, or later with no transaction since "
            "the slot in a ledger that reaches back to it and is shown to be up to date. "
            "Accounts touched since, and stake and vote accounts, are the gap no-history."
        ),
        batch=wire.MOST_ACCOUNTS - 1,
        shard=4950,
    )
    group = wire.MOST_ACCOUNTS - 1
    window = 4

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self._canaries = tuple(_account(spec, text) for text in _canaries(spec))
        self._busy = wire.key(_account(spec, str(spec.params.get("busy", BUSY))))
        self._calls = max(2, int(spec.params.get("calls", CALLS)))

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for the cluster, its newest slot, the block, the ledger's reach and the canaries."""
        return pinning.pin_requests(height, [wire.key(account) for account in self._canaries])

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        return pinning.view(self.spec, height, endpoint, own, self._canaries)

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

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for accounts, a canary among them, then for their newest transactions."""
        del questions
        keys = [wire.key(account) for account in accounts]
        canaries = [wire.key(bytes.fromhex(text)) for text in at.canaries[:1]]
        asked = wire.accounts_request(canaries + keys, at.height)
        first = await self.transport.exchange_any(asked, at.endpoints)
        found = wire.read_accounts(first, at.height)
        if isinstance(found, Gap) or found.slot == at.height:
            return [first]
        size = self._calls - 1
        requests = [
            wire.signatures_request([self._busy, *keys[start : start + size]], found.slot)
            for start in range(0, len(keys), size)
        ]
        return [first, *await self.together(requests, first.endpoint)]

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group by the rules of ``rules``. Pure."""
        del questions
        return rules.read(accounts, exchanges, at, self._busy)

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure."""
        answers = super().decode(questions, extract, at)
        if not extract.exchanges:
            return answers
        return msgspec.structs.replace(answers, method=rules.method(extract.exchanges[0], at))


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
