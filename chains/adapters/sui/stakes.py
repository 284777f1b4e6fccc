"""Stakes of a group of accounts: ``StakedSui`` objects as of the checkpoint, page by page.

Pool tokens (``FungibleStakedSui``), into which stake can be turned, are not the SUI that was put
in but a share of their pool. What they would be paid depends on balances inside the pool, which
are not read: an account that owns any is a gap, not its liquid part.

Spec: https://github.com/MystenLabs/sui/blob/main/crates/sui-framework/packages/sui-system/sources/staking_pool.move
(``convert_to_fungible_staked_sui``, ``calculate_fungible_staked_sui_withdraw_amount``)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chains.adapter import Transport
from chains.adapters.sui import rates, wire
from chains.model import Exchange, Gap, Request, Snapshot

PAGES = 20
"""The most pages that are asked for: 1,000 stakes of one account."""
TOO_MANY = Gap("too-much-history", detail="the account owns more stakes than can be listed")
UNASKED = Gap("not-answered", retryable=True, detail="the pages of stakes broke off")

TOKENS = Gap(
    "rate-unread",
    detail="the account owns pool tokens (FungibleStakedSui); what they are worth was not read",
)

Own = Mapping[Request, Exchange]


class Staked(msgspec.Struct, frozen=True):
    """MIST at stake, and what it has earned, ``None`` where that was not read."""

    units: int
    earned: int | None = None


async def ask(
    transport: Transport,
    at: Snapshot,
    accounts: Sequence[bytes],
    exchanges: list[Exchange],
    *,
    earned: bool = True,
) -> None:
    """Ask the endpoint that gave the balances for all pages, then for what stake has ``earned``."""
    if exchanges[0].failure:
        return
    reading = _Reading(at, accounts)
    for _ in range(PAGES):
        request = reading.request
        if request is None:
            break
        exchanges.append(await transport.exchange(request, exchanges[0].endpoint))
        reading.take(exchanges[-1])
    for _ in range(2 if earned else 0):
        own = {exchange.request: exchange for exchange in exchanges}
        for missing in rates.next_requests(at, reading.every, own):
            exchanges.append(await transport.exchange(missing, exchanges[0].endpoint))


def read(
    at: Snapshot, accounts: Sequence[bytes], exchanges: Sequence[Exchange]
) -> list[Staked | Gap]:
    """Return the MIST at stake of each account. Pure: the pages say what was asked next."""
    own = {exchange.request: exchange for exchange in exchanges}
    reading = _Reading(at, accounts)
    for _ in range(PAGES):
        if reading.request is None:
            break
        exchange = own.get(reading.request)
        if exchange is None:
            reading.stop(UNASKED)
            break
        reading.take(exchange)
    if reading.request is not None:
        reading.stop(TOO_MANY)
    return [
        one
        if isinstance(one, Gap)
        else Staked(one, rates.rewards(at, reading.stakes[i], reading.every, own))
        for i, one in enumerate(reading.found)
    ]


class _Reading:
    """Where the reading of a group stands; ``request`` is the next page, ``None`` at the end."""

    def __init__(self, at: Snapshot, accounts: Sequence[bytes]) -> None:
        self._at = at
        self._seen: list[set[str]] = [set() for _ in accounts]
        self.found: list[int | Gap] = [0] * len(accounts)
        self.stakes: list[list[rates.Stake]] = [[] for _ in accounts]
        self._accounts = accounts
        self._pending: list[tuple[int, str]] = [(i, "") for i in range(len(accounts))]

    @property
    def request(self) -> Request | None:
        """Return the question for the pages that are still to be read."""
        if not self._pending:
            return None
        pages = [(self._accounts[i], cursor) for i, cursor in self._pending]
        return wire.stakes(self._at.height, pages, self._canary)

    @property
    def every(self) -> list[rates.Stake]:
        """Return the stakes of all accounts whose pool and epoch are told."""
        return [stake for own in self.stakes for stake in own]

    @property
    def _canary(self) -> bytes | None:
        return bytes.fromhex(self._at.canaries[0]) if self._at.canaries else None

    def stop(self, gap: Gap) -> None:
        """Give up on what is pending."""
        for i, _ in self._pending:
            self.found[i] = gap
        self._pending = []

    def take(self, exchange: Exchange) -> None:
        """Read one answer, and what goes on after it."""
        answer = wire.read(exchange)
        fields = (
            answer
            if isinstance(answer, Gap)
            else wire.within(answer, self._at.height, self._at.block_hash)
        )
        if isinstance(answer, Gap) or isinstance(fields, Gap):
            self.stop(fields if isinstance(fields, Gap) else UNASKED)
            return
        doubt = self._doubt(answer, fields)
        if doubt is not None:
            self.stop(doubt)
            return
        pending, self._pending = self._pending, []
        for alias, (i, _) in enumerate(pending):
            self._add(i, wire.owned(answer, fields, f"a{alias}"))

    def _doubt(self, answer: wire.Answer, fields: Mapping[str, object]) -> Gap | None:
        """Return why the service does not show that it lists objects as of the checkpoint."""
        if self._canary is None:
            return None  # then no zero is believed, whatever is staked
        shown = wire.owned(answer, fields, wire.CANARY)
        if isinstance(shown, Gap):
            return shown
        return None if shown.objects else Gap("zero-without-canary", detail="no coin object shown")

    def _add(self, i: int, page: wire.Owned | Gap) -> None:
        """Add a page's principals; one object on two pages counts once."""
        so_far = self.found[i]
        if isinstance(page, Gap) or isinstance(so_far, Gap):
            self.found[i] = page if isinstance(page, Gap) else so_far
            return
        kinds = {kind.rpartition("::")[2] for kind in page.kinds.values()}
        if wire.POOL_TOKENS in kinds:
            self.found[i] = TOKENS
            return
        if kinds - {wire.STAKE}:
            self.found[i] = Gap("malformed-answer", detail=f"no stake: {sorted(kinds)}")
            return
        principals = {name: wire.principal(one) for name, one in page.objects.items()}
        fresh = {name: one for name, one in principals.items() if name not in self._seen[i]}
        whole = [one for one in fresh.values() if one is not None]
        if len(whole) != len(fresh):
            self.found[i] = Gap("malformed-answer", detail="a stake without its principal")
            return
        self._seen[i] |= fresh.keys()
        self.found[i] = so_far + sum(whole)
        stakes = [
            rates.stake(page.objects[name], one) for name, one in zip(fresh, whole, strict=True)
        ]
        self.stakes[i] += [
            stake or rates.Stake(b"", 0, 0) for stake in stakes
        ]  # of no pool: then nothing is told of what was earned
        if page.cursor:
            self._pending.append((i, page.cursor))
