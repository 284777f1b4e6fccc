"""What one batch's answers say of each account, given where the node's head stood. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chains import workings
from chains.accounts import Fact, Held, Read, liquid
from chains.adapters.antelope import holdings, permissions, wire
from chains.adapters.antelope.params import Params, Token
from chains.control import ControlFacts
from chains.model import Exchange, Gap, Request, Snapshot
from chains.workings import Clock, Rule, Working

TIME_MS = "time-ms"
UNASKED = Gap("not-answered", retryable=True, detail="the batch broke off before this question")


def past(height: int) -> Gap:
    """Say that the node's head is past the block, and what would answer."""
    return Gap(
        "no-history",
        detail=f"the node's head is past block {height}, and nodeos keeps no past state; one that "
        f"is held at it would answer: run from a snapshot below with --read-mode irreversible "
        f"--terminate-at-block {height}, then served without peers (docs/nodes.md)",
    )


class Reader:
    """Reads the answers ``own`` of one endpoint.

    ``stands`` tells whether its head was the pinned block all the time, else it was past it.
    """

    def __init__(
        self, params: Params, own: Mapping[Request, Exchange], at: Snapshot, *, stands: bool
    ) -> None:
        self._params = params
        self._own = own
        self._at = at
        self._stands = stands

    def account(self, account: bytes) -> wire.Account | wire.Absent | Gap:
        """Return the account as it was at the block, as far as the node can show it."""
        exchange = self._own.get(wire.account_request(account))
        found = UNASKED if exchange is None else wire.read_account(exchange, account)
        if isinstance(found, wire.Absent | Gap):
            return found
        if found.head < self._at.height or (self._stands and found.head != self._at.height):
            return Gap("wrong-block", retryable=True, detail=f"the answer is of block {found.head}")
        return wire.Absent() if found.created_ms > int(self._at.detail[TIME_MS]) else found

    def canary(self, account: bytes) -> Gap | None:
        """Say what is wrong with a canary's answers; ``None`` if it is there and holds tokens."""
        shown = self.account(account)
        units = self._units(self._params.core, self._params.symbol, account)
        for one in (shown, units):
            if isinstance(one, Gap):
                return one
        return Gap("canary-wrong") if isinstance(shown, wire.Absent) or not units else None

    def natives(self, accounts: Sequence[bytes]) -> list[Read]:
        """Read balances of the core token."""
        rate: holdings.Rate | Gap = holdings.Rate(0, 0)
        if self._stands:
            rate = holdings.standing(self._params, self._own)
        return [self._owned(account, self._native(account, rate)) for account in accounts]

    def _owned(self, account: bytes, found: Read) -> Read:
        """Show what a swap pool holds without counting it: it belongs to all who may swap."""
        if account not in self._params.pools or not isinstance(found, Held):
            return found
        parts = (msgspec.structs.replace(part, counted=False) for part in found.parts)
        return msgspec.structs.replace(found, parts=tuple(parts))

    def _native(self, account: bytes, rate: holdings.Rate | Gap) -> Read:
        shown = self.account(account)
        if isinstance(rate, Gap):
            return rate
        if isinstance(shown, Gap):
            return shown
        if isinstance(shown, wire.Absent):
            if not self._stands:
                workings.tell(account, self._working)
            return liquid(0)
        if not self._stands:
            return past(self._at.height)
        return holdings.read(self._params, self._own, account, shown, rate)

    def _working(self) -> Working:
        """Tell why an account held nothing at the block, wherever the node's head stood."""
        return Working(
            rule=Rule.UNTOUCHED,
            clock=Clock.HEIGHT,
            height=self._at.height,
            start=0,
            result=0,
            shown="the node knows no such account, or says that it was created after the block",
        )

    def tokens(self, token: Token, accounts: Sequence[bytes]) -> list[Read]:
        """Read balances of another token."""
        symbol = self.symbol(token) if self._stands else past(self._at.height)
        if isinstance(symbol, Gap):
            return [symbol] * len(accounts)
        canary = self._params.canary_of(token)
        held = None if canary is None else self._units(token, symbol, canary)
        found = [self._token(token, symbol, account, held) for account in accounts]
        return [self._owned(*pair) for pair in zip(accounts, found, strict=True)]

    def _token(
        self, token: Token, symbol: wire.Symbol, account: bytes, held: int | Gap | None
    ) -> Read:
        shown, units = self.account(account), self._units(token, symbol, account)
        if isinstance(shown, Gap):
            return shown
        if isinstance(units, Gap) or units:
            return units if isinstance(units, Gap) else liquid(units)
        if isinstance(held, Gap):
            return held
        return liquid(0) if held else Gap("zero-without-canary")

    def controls(self, accounts: Sequence[bytes]) -> list[Read]:
        """Read who controls the accounts."""
        found = [self.control(account) for account in accounts]
        return [UNASKED if isinstance(one, permissions.Needed) else one for one in found]

    def control(self, account: bytes) -> ControlFacts | permissions.Needed | Gap:
        """Read who controls an account, or which accounts have to be asked first."""
        shown = self.account(account)
        if isinstance(shown, Gap):
            return shown
        if isinstance(shown, wire.Absent):
            return ControlFacts(exists=False)
        if not self._stands:
            return past(self._at.height)
        return permissions.read(account, shown, self._look, self._params.core)

    def _look(self, actor: bytes) -> wire.Account | wire.Absent | Gap | None:
        return self.account(actor) if wire.account_request(actor) in self._own else None

    def fact(self, token: Token) -> Read:
        """Read decimals and symbol of a token."""
        symbol = self.symbol(token) if self._stands else past(self._at.height)
        if isinstance(symbol, Gap):
            return symbol
        facts = {"decimals": symbol.decimals, "symbol": symbol.code}
        return Fact(msgspec.json.encode(facts).decode())

    def symbol(self, token: Token) -> wire.Symbol | Gap:
        """Return the token's symbol as its contract's supply row gives it."""
        exchange = self._own.get(wire.stats_request(token.contract, token.code))
        found = UNASKED if exchange is None else wire.read_object(exchange)
        if isinstance(found, Gap | wire.Fault):
            return found if isinstance(found, Gap) else found.gap
        row = found.get(token.code)
        if row is None:
            return Gap("no-contract", detail=f"{token.contract} has no token {token.code}")
        symbol = wire.read_symbol(row.get("supply")) if isinstance(row, dict) else None
        if symbol is None or symbol.code != token.code:
            return wire.wrong("get_currency_stats")
        return symbol

    def _units(self, token: Token, symbol: wire.Symbol, account: bytes) -> int | Gap | None:
        exchange = self._own.get(wire.balance_request(token.contract, account, token.code))
        return UNASKED if exchange is None else wire.read_balance(exchange, symbol)
