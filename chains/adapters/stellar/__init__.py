"""Stellar, and ledgers of its software: balances that did not change since a ledger, by Horizon.

Horizon keeps past ledgers and transactions but the present state only. An account's entry holds
its native balance, signers and thresholds, and names the ledger that changed it last: where that
is not after the height, the entry is that of the height (``untouched``). Else the gap is
``no-history``: one would have to roll back over the account's effects, or capture at the height.

Every endpoint is asked for its root (network, ledgers at hand), the ledger (whose header must hash
to its name) and the ledger's first transactions. Their accounts changed at the height, so that
they are the canaries: a server that shows one changed at or after the height has at least its
state. The header ``Latest-Ledger``, which says the same, is not recorded by our transport.

Traps. 404 is what an account that is gone since, one that never was, and a wrong path look like:
it is zero only if Horizon's own error says so and the account has no transaction after the height,
in a history that goes back to it, shows the canary's transactions and is no older than the state.
Servers keep history in part (410).

Parts. The minimum balance (two base reserves, one for each subentry and each sponsored entry, less
those that others pay for) and what offers to sell have promised are inside the balance, and
counted. Claimable balances and shares of pools are not the account's XLM.

Control. One way, ``signers``, at the medium threshold, which payments need. Keys only: hashes,
transactions signed in advance and signed payloads are no signers of a text.

``spec.params``: ``network_passphrase``; ``canaries`` (accounts that change in nearly every ledger,
for heights without transactions; optional).

Spec: https://developers.stellar.org/docs/data/apis/horizon/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chains import rest, workings
from chains.accounts import AccountAdapter, Held, Read, liquid
from chains.adapter import Capabilities, Transport
from chains.adapters.stellar import horizon
from chains.addresses import stellar
from chains.control import Authority, ControlFacts
from chains.errors import ConfigError, WrongChain
from chains.jsonrpc import malformed
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
from chains.workings import Clock, Movement, Rule, Working

MOST_CANARIES = 3
TOUCHED = "the account changed after the height; Horizon keeps no past balances"


class Adapter(AccountAdapter):
    """Reads the native coin in stroops (10^-7)."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="tip",
        assets=("slip44",),
        methods=(Method.UNTOUCHED,),
        zero_rule=(
            "No account now is zero if its last transaction is not after the height, in a history "
            "that reaches back to the height and shows the canary's last change."
        ),
        batch=1,
        shard=1000,
        requests_each="9/8",
        requests_a_batch=0,
        pinning=5,
        control=("signers",),
    )
    group: ClassVar[int] = 16
    window: ClassVar[int] = 4
    method: ClassVar[Method] = Method.UNTOUCHED

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self._network = spec.params.get("network_passphrase")
        if not isinstance(self._network, str):
            raise ConfigError(f"chain {spec.id}: params.network_passphrase is missing")

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for the network, the ledger and who changed in it."""
        return [horizon.ROOT, horizon.ledger_request(height), horizon.touching_request(height)]

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for accounts that changed in the ledger."""
        del height
        names = self._candidates(shown[2])
        return await self.together([horizon.account_request(name) for name in names], endpoint)

    def _candidates(self, exchange: Exchange) -> list[str]:
        records = horizon.read_records(exchange)
        found = [] if isinstance(records, Gap) else [one.get("source_account") for one in records]
        names = [*self.spec.params.get("canaries", ()), *filter(horizon.is_account, found)]
        return list(dict.fromkeys(names))[:MOST_CANARIES]

    def _root(self, endpoint: str, exchange: Exchange) -> tuple[int, int] | Gap:
        """Read the first and last ledger at hand; raises ``WrongChain``."""
        answer = rest.answer(exchange)
        if isinstance(answer, Gap):
            return answer
        network = answer.get("network_passphrase") if isinstance(answer, dict) else None
        if not isinstance(network, str):
            return malformed(exchange)
        if network != self._network:
            raise WrongChain(f"{endpoint} serves {network[:100]!r}")
        keys = ("history_elder_ledger", "history_latest_ledger", "ingest_latest_ledger")
        elder, *latest = (answer.get(key, answer.get("history_latest_ledger")) for key in keys)
        if not all(horizon.is_whole(one) for one in (elder, *latest)):
            return malformed(exchange)
        return elder, min(latest)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the ledgers at hand."""
        return (horizon.ROOT,)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest ledger; raises ``WrongChain``. Pure."""
        root = self._root(exchanges[0].endpoint, exchanges[0])
        return root if isinstance(root, Gap) else root[1]

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read one endpoint; raises ``WrongChain``."""
        root = self._root(endpoint, own[horizon.ROOT])
        ledger = horizon.read_ledger(own[horizon.ledger_request(height)], height)
        if isinstance(root, Gap):
            return View(reason=root.reason)
        reason = _why_not(height, root)
        if isinstance(ledger, Gap):
            return View(reason=reason or ledger.reason)
        names = self._candidates(own[horizon.touching_request(height)])
        entries = {
            name: horizon.read_entry(own[horizon.account_request(name)], name) for name in names
        }
        canaries = [
            stellar.decode(name, {}).hex()
            for name, one in entries.items()
            if isinstance(one, horizon.Entry) and one.changed >= height
        ]
        failed = [one.reason for one in entries.values() if isinstance(one, Gap)]
        silent = "" if canaries else (*failed, "canary-failed")[0]
        return View(reason=reason or silent, canaries=tuple(canaries), **ledger)

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for root and canary, then the accounts, then who touched those that are missing."""
        del questions
        first = await self.transport.exchange_any(horizon.ROOT, at.endpoints)
        if first.failure or not at.canaries:
            return [first]
        canary = stellar.encode(bytes.fromhex(at.canaries[0]), {})
        exchanges = [first, *await self.together([horizon.account_request(canary)], first.endpoint)]
        names = [stellar.encode(account, {}) for account in accounts]
        shown = await self.together(
            [horizon.account_request(name) for name in names], first.endpoint
        )
        pairs = zip(names, shown, strict=True)
        missing = [name for name, one in pairs if horizon.read_entry(one, name) is None]
        asked = [horizon.last_request(name) for name in dict.fromkeys([canary, *missing])]
        return exchanges + shown + (await self.together(asked, first.endpoint) if missing else [])

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read balances or control of a group."""
        own = {exchange.request: exchange for exchange in exchanges}
        try:
            root = self._root(exchanges[0].endpoint, exchanges[0])
        except WrongChain as error:
            root = Gap("canary-wrong", detail=str(error))
        gap = root if isinstance(root, Gap) else _why_no_state(at, root, own)
        if gap is not None:
            return [gap] * len(accounts)
        is_control = questions.kind is QueryKind.CONTROL
        found: list[Read] = []
        for account, name in ((one, stellar.encode(one, {})) for one in accounts):
            entry = horizon.read_entry(own[horizon.account_request(name)], name)
            if isinstance(entry, horizon.Entry) and entry.changed > at.height:
                entry = Gap("no-history", detail=TOUCHED)
            if entry is None:
                entry = _why_not_zero(at, name, own)
            if isinstance(entry, Gap):
                found.append(entry)
            elif entry is None:
                found.append(ControlFacts(exists=False) if is_control else liquid(0))
            else:
                found.append(_control(name, entry) if is_control else _balance(at, entry))
            if isinstance(found[-1], Held) and not isinstance(root, Gap):
                workings.tell(account, _working, at, root[1], entry)
        return found


def _why_not(height: int, root: tuple[int, int]) -> str:
    if height > root[1]:
        return "node-behind"
    return "state-pruned" if height < root[0] else ""


def _why_no_state(
    at: Snapshot, root: tuple[int, int], own: Mapping[Request, Exchange]
) -> Gap | None:
    """Say why the endpoint does not show at least the state of the height, if it does not."""
    reason = _why_not(at.height, root)
    if reason or not at.canaries:
        return Gap(reason or "zero-without-canary", retryable=reason == "node-behind")
    canary = stellar.encode(bytes.fromhex(at.canaries[0]), {})
    entry = horizon.read_entry(own[horizon.account_request(canary)], canary)
    if isinstance(entry, Gap):
        return entry
    if entry is None or entry.changed < at.height:
        return Gap("canary-wrong", detail=f"{canary} is not shown as changed at the height")
    return None


def _why_not_zero(at: Snapshot, name: str, own: Mapping[Request, Exchange]) -> Gap | None:
    """Say why an account that is missing now may not have been missing at the height."""
    witness = stellar.encode(bytes.fromhex(at.canaries[0]), {})
    entry = horizon.read_entry(own[horizon.account_request(witness)], witness)
    canary = horizon.read_last(own[horizon.last_request(witness)])
    last = horizon.read_last(own[horizon.last_request(name)])
    if isinstance(canary, Gap):
        return canary
    if isinstance(last, Gap):
        return last
    if canary is None or canary < at.height:
        return Gap("no-record", detail="the history does not show the canary's transaction")
    if not isinstance(entry, horizon.Entry) or canary < entry.changed:
        detail = "the history does not go as far as the state"
        return Gap("node-behind", retryable=True, detail=detail)
    if last is not None and last > at.height:
        return Gap("no-history", detail="the account is gone; it was used after the height")
    return None


def _balance(at: Snapshot, entry: horizon.Entry) -> Held:
    reserved = min(entry.units, entry.fixed * int(at.detail["base-reserve"]))
    selling = min(entry.units - reserved, entry.selling)
    inside = [Part(PartKind.RESERVED, units) for units in (reserved, selling) if units]
    return Held((Part(PartKind.LIQUID, entry.units - reserved - selling), *inside))


def _working(at: Snapshot, newest: int, entry: horizon.Entry | Gap | None) -> Working:
    """Tell why what Horizon shows now is what there was at the ledger."""
    shown = entry if isinstance(entry, horizon.Entry) else None
    return Working(
        rule=Rule.UNTOUCHED,
        clock=Clock.HEIGHT,
        height=at.height,
        start=shown.units if shown else 0,
        start_at=newest,
        last=Movement(units=None, at=shown.changed) if shown else None,
        result=shown.units if shown else 0,
        shown="the account's entry names the ledger that changed it last"
        if shown
        else "there is no account now, and its newest transaction is not after the ledger",
    )


def _control(name: str, entry: horizon.Entry) -> ControlFacts:
    weights = {key: weight for key, weight in entry.signers.items() if weight}
    way = Authority(kind="signers", threshold=max(1, entry.threshold), weights=weights)
    notes = {} if name in weights else {"master-key": "weight 0"}
    return ControlFacts(exists=True, ways=(way,) if weights else (), notes=notes)
