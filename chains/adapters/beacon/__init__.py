"""Balances and withdrawal credentials of Ethereum's validators, from a beacon node.

Accounts are 48-byte public keys, units gwei. Heights are *execution* block numbers: the slot whose
block carries that execution block is searched (``pinning``), and what is asked is the state after
that block, by its root wherever the node finds states by root, else by slot together with the
root. A block counts once it is finalized and its payload verified.

Traps: unknown keys are silently dropped from a list, its order is free, and an empty list of keys
means all validators. The canary is the proposer of the pinned block, in every list. Queued deposits
are in no balance (from Electra on): a node that does not show the queues answers no balance.
Before the merge, and in blocks whose payload travels apart (Gloas), no slot is found.

Withdrawn ether lands at the execution address, and restaked ether may lie in an EigenPod: both are
that chain's balances, not these.

``params``: ``genesis_time``, ``genesis_validators_root``, ``anchors`` (pairs of execution block and
slot), ``electra_slot``, ``seconds_per_slot`` (12).
Spec: https://ethereum.github.io/beacon-APIs/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chains.accounts import AccountAdapter, Read
from chains.adapter import Capabilities, Transport
from chains.adapters.beacon import rules, wire
from chains.adapters.beacon.pinning import params_of, steps, unsound_header
from chains.errors import WrongChain
from chains.model import ChainSpec, Exchange, Gap, Method, QueryKind, Questions, Request, Snapshot
from chains.pinning import View

GROUP = 2000


class Adapter(AccountAdapter):
    """One beacon chain. ``pin`` finds the slot first; each group is then one list."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="flagged",
        assets=("slip44",),
        methods=(Method.STATE,),
        zero_rule="A zero needs the validator's own record, or the node's 404 for that key alone; "
        "the proposer of the pinned block must be shown in the same list and alone.",
        batch=GROUP,
        shard=5 * GROUP,
        requests_a_batch=5,
        pinning=5,
        control=(rules.WITHDRAWAL,),
        nested_control=True,
    )
    group: ClassVar[int] = GROUP
    window: ClassVar[int] = 2

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self.params = params_of(spec)

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask which chain it is; everything else follows from what is shown."""
        del height
        return (wire.genesis(),)

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Take the steps of the search."""
        known = {exchange.request: exchange for exchange in shown}
        asked: list[Exchange] = []
        search = steps(self.spec, height)
        try:
            request = next(search)
            while True:
                if request not in known:
                    known[request] = await self.transport.exchange(request, endpoint)
                    asked.append(known[request])
                request = search.send(known[request])
        except (StopIteration, WrongChain):
            return asked

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Take the same steps through the recorded answers."""
        del endpoint
        search = steps(self.spec, height)
        try:
            request = next(search)
            while request in own:
                request = search.send(own[request])
        except StopIteration as end:
            view: View = end.value
            return view
        return View(reason="not-answered")

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for the pinned block, the list, the queues; then alone for what the list left out."""
        first = await self.transport.exchange_any(wire.header(at.block_hash), at.endpoints)
        if first.failure:
            return [first]
        endpoint = first.endpoint
        state = rules.state_of(at, endpoint)
        requests = [wire.validators(state, rules.ids(accounts, at))]
        if state != at.detail["state_root"]:
            requests.append(wire.state_root(int(state)))
        if self._has_queues(questions, at):
            requests += rules.queue_requests(state)
        exchanges = [first, *await self.together(requests, endpoint)]
        found = rules.registry(accounts, at, endpoint, _by_request(exchanges))
        if not isinstance(found, Gap):
            missing = rules.left_out(accounts, found)
            keys = [*missing, found.canary] if missing else []
            alone = [wire.validator(state, key) for key in keys]
            exchanges += await self.together(alone, endpoint)
        return exchanges

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read the group's list, and the queues where balances are asked."""
        own, endpoint = _by_request(exchanges), exchanges[0].endpoint
        if exchanges[0].failure:
            gap = unsound_header(exchanges[0], at.block_hash) or Gap("not-answered")
            return [gap] * len(accounts)
        found = rules.registry(accounts, at, endpoint, own)
        if isinstance(found, Gap):
            return [found] * len(accounts)
        waiting: rules.Queues | Gap = rules.NO_QUEUES
        if self._has_queues(questions, at):
            waiting = rules.queues(found.state, own)
        if isinstance(waiting, Gap):
            return [waiting] * len(accounts)
        return [self._one(questions, key, found.find(key, own), waiting) for key in accounts]

    def _one(
        self,
        questions: Questions,
        key: bytes,
        record: wire.Record | Gap | None,
        waiting: rules.Queues,
    ) -> Read:
        if isinstance(record, Gap):
            return record
        if questions.kind is QueryKind.CONTROL:
            return rules.control(record)
        return rules.balance(key, record, waiting)

    def _has_queues(self, questions: Questions, at: Snapshot) -> bool:
        slot = int(at.detail["slot"])
        return questions.kind is QueryKind.BALANCE and slot >= self.params.electra_slot


def _by_request(exchanges: Sequence[Exchange]) -> dict[Request, Exchange]:
    return {exchange.request: exchange for exchange in exchanges}
