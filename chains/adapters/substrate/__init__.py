"""Substrate chains with SS58 accounts (Polkadot, Asset Hub, Kusama, …): balances at a block.

Asked over JSON-RPC (HTTP): the hashes of block 0, of the final head and of the height, headers,
the first keys of the account map, and ``state_queryStorageAt`` with up to 1000 keys of
``System.Account`` or ``Assets.Account`` (where a gateway does not offer it, an array of
``state_getStorage``). Units are the coin's smallest; states older than 256 blocks need an archive
node.

A header counts only if its blake2b-256 is the block's hash, which binds number, parent and state
root to it. Each batch also asks for ``Timestamp.Now``, which every block changes, and for a canary;
both must be as at the pin. A node that is asked by a hash that it does not know may answer with
nulls: those are no zeros.

Parts: ``free`` (liquid) and ``reserved`` (deposits, holds) add up to what the account has. What is
frozen (locks) lies within both and is shown without being counted. Stake, also while it unbonds,
was a lock on ``free`` and became a hold in ``reserved``: counted once either way, and not told
apart from the rest. Stake in nomination pools lies in the member's own ``reserved`` since pools
delegate; until then, and for members that were not migrated, it is the pool's and not seen. Nor
are contributions to crowdloans, tokens on hold (``AssetsHolder``), foreign assets and the tokens
of ORML pallets.

Proofs: with ``state_getReadProof``, see ``proofs``; chopsticks does not offer the call.

Trap: balances moved from relay chains to their Asset Hubs (Polkadot: 4 November 2025), and the
relay shows an empty account without an error ever since. What is left there counts as it is.
Heights of the two chains differ.

``spec.params``: ``genesis_hash`` (the id's reference, its first 32 digits, unless given);
``canaries`` (addresses with balances at every height of interest; else the first accounts of the
state at the block are looked through); ``batch`` (accounts per request, 1000); ``header``
(``extended`` where headers have more fields and their hash is not computed); ``proofs`` (true
where the state is known to be a trie of Blake2b-256); ``moved_to`` or
``moved_from`` (a chain's id) with ``moved_during`` (first and last block of the move, here): from
the first one on (``moved_to``), or between them (``moved_from``), an empty account is a gap.

Spec: https://docs.polkadot.com/reference/ and, for the move, paritytech/substrate-api-sidecar
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from chains.accounts import AccountAdapter, Fact, Held, Read
from chains.adapter import Capabilities, Transport
from chains.adapters.substrate import asked as asked_keys
from chains.adapters.substrate import proofs, storage, wire
from chains.adapters.substrate.params import offered, read_params
from chains.adapters.substrate.wire import Header
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
from chains.pinning import View, agree, anchored, is_anchored

_OF_BALANCES = (QueryKind.BALANCE, QueryKind.PROOF)
_CANARY = "canary"
_CLOCK = "clock"


class Adapter(AccountAdapter):
    """Reads the native coin and the assets of pallet-assets at a block's hash."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="exact",
        assets=("slip44", "native", asked_keys.ASSET),
        methods=(Method.STATE, Method.PROOF),
        zero_rule=(
            "A zero counts if the node names the account's key as without a value at the pinned "
            "block, and in the same batch the block's own time and an account with a balance are "
            "as at the pin; for an asset an account that has some must be there as well. It never "
            "counts where the chain's balances have moved to another chain. By the same exception "
            "a proof of absence under the pinned block's state root is a zero, too."
        ),
        batch=wire.MOST_KEYS,
        shard=8000,
        proofs=True,
        proof_questions=True,
        pinning=7,
    )
    group = wire.MOST_KEYS
    window = 4

    @classmethod
    def capable(cls, spec: ChainSpec) -> Capabilities:
        """Say what the chain's declaration allows."""
        return offered(cls.capabilities, spec)

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self.params = read_params(spec)

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for the genesis, the newest final block and the block at the height."""
        return (wire.block_hash(0), wire.finalized(), wire.block_hash(height))

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the headers of both blocks, then for time and canary in the state."""
        del height
        final, block = wire.read_hash(shown[1]), wire.read_hash(shown[2])
        named = [one for one in (final, block) if isinstance(one, str)]
        requests = [wire.header(one) for one in dict.fromkeys(named)]
        if not isinstance(block, str):
            return await self.together(requests, endpoint)
        if not self.params.canaries:
            requests.append(wire.keys(storage.ACCOUNTS, block))
        found = await self.together(requests, endpoint)
        asked = self._pinned_keys(_by_request(found), block)
        if isinstance(asked, Gap):
            return found
        return found + await self._values(asked, block, endpoint)

    def _pinned_keys(self, own: Mapping[Request, Exchange], block: str) -> list[bytes] | Gap:
        """Return the keys of the time and of the accounts that may serve as canary."""
        accounts: Sequence[bytes] | Gap = self.params.canaries
        if not accounts:
            accounts = wire.read_accounts(
                own.get(wire.keys(storage.ACCOUNTS, block)), storage.ACCOUNTS
            )
        if isinstance(accounts, Gap):
            return accounts
        return list(dict.fromkeys([storage.NOW, *map(storage.account_key, accounts)]))

    async def _values(self, asked: Sequence[bytes], block: str, endpoint: str) -> list[Exchange]:
        """Ask for values, with one call per key where the first way is not offered."""
        first = await self.transport.exchange(wire.query(asked, block), endpoint)
        if not wire.lacks_query(first):
            return [first]
        return [first, await self.transport.exchange(wire.singles(asked, block), endpoint)]

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        genesis, final, at_height = (own.get(one) for one in self.pin_requests(height))
        unproven = self._identity(endpoint, genesis)
        header = unproven or self._block(height, own, final, at_height)
        if isinstance(header, Gap):
            return View(reason=header.reason)
        block = wire.read_hash(at_height)
        name = block if isinstance(block, str) else ""
        asked = self._pinned_keys(own, name)
        if isinstance(asked, Gap):
            return View(block_hash=name, reason=asked.reason)
        values = wire.read_values(own, asked, name)
        if isinstance(values, Gap):
            return View(block_hash=name, reason=values.reason)
        clock = values[storage.NOW]
        time = storage.read_time(clock)
        if isinstance(time, Gap) or clock is None:
            return View(block_hash=name, reason="canary-failed")
        shown = {"parent-hash": header.parent, "state-root": header.state_root, _CLOCK: clock.hex()}
        canary = _canary(asked, values)
        if canary is None:
            return View(block_hash=name, time=time, reason="canary-failed", shown=shown)
        account, value = canary
        shown[_CANARY] = value.hex()
        return View(block_hash=name, time=time, shown=shown, canaries=(account.hex(),))

    def head_requests(self) -> Sequence[Request]:
        """Ask for the height of the final head."""
        return (wire.finalized_height(),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the height of the final head. Pure."""
        return wire.read_height(exchanges[0])

    def _identity(self, endpoint: str, genesis: Exchange | None) -> Gap | None:
        """Return why the chain is not known; raises ``WrongChain`` where it is another."""
        said = wire.read_hash(genesis)
        if isinstance(said, Gap):
            unproven = said.reason in ("rpc-error", "method-missing")
            return Gap("identity-unproven") if unproven else said
        if said is None:
            return Gap("identity-unproven")
        if not said[2:].startswith(self.params.genesis):
            raise WrongChain(
                f"{endpoint} serves the chain with genesis {said}; "
                f"{self.spec.id} declares {self.params.genesis}"
            )
        return None

    def _block(
        self,
        height: int,
        own: Mapping[Request, Exchange],
        final: Exchange | None,
        at_height: Exchange | None,
    ) -> Header | Gap:
        """Return the header at the height, which must be final, or why it is not there."""
        unfinished = self._unfinished(height, own, wire.read_hash(final))
        if unfinished is not None:
            return unfinished
        block = wire.read_hash(at_height)
        if not isinstance(block, str):
            return block or Gap("state-pruned", detail="no block at the height")
        header = self._header(own, block)
        if isinstance(header, Header) and header.number != height:
            return Gap("wrong-block")
        return header

    def _unfinished(
        self, height: int, own: Mapping[Request, Exchange], final: str | Gap | None
    ) -> Gap | None:
        """Return why the height is not known to be final, if it is not."""
        if not isinstance(final, str):
            return final or Gap("malformed-answer", detail="no final block")
        head = self._header(own, final)
        if isinstance(head, Gap):
            return head
        return Gap("node-behind") if head.number < height else None

    def _header(self, own: Mapping[Request, Exchange], block: str) -> Header | Gap:
        """Return the header that was shown for a hash, if it has that hash."""
        extended = self.params.extended
        header = wire.read_header(own.get(wire.header(block)), extended=extended)
        if isinstance(header, Header) and not extended and header.hash != block:
            return Gap("wrong-block", detail="the header does not have the block's hash")
        return header

    def refusal(self, questions: Questions) -> Gap | None:
        """Refuse what is neither the native coin nor an asset with a number."""
        if questions.kind not in (QueryKind.ASSET_FACT, *_OF_BALANCES):
            return super().refusal(questions)
        if questions.kind in _OF_BALANCES and questions.asset == self.spec.native:
            return None
        if asked_keys.asset_of(questions) is None:
            return Gap("asset-unsupported", detail=f"{questions.asset} is not read")
        return None

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for values in batches, for an asset first for accounts that have some."""
        if questions.kind is QueryKind.PROOF:
            keys = [asked_keys.key_of(questions, account) for account in accounts]
            return await proofs.ask(self.transport, keys, at)
        found: list[Exchange] = []
        among: Sequence[str] = at.endpoints
        prefix = asked_keys.holders_prefix(questions)
        if prefix:
            found.append(await self.transport.exchange_any(wire.keys(prefix, at.block_hash), among))
            among = [found[0].endpoint]
            if found[0].failure:
                return found
        for asked in self._batches(questions, at, accounts, _by_request(found)):
            request = wire.query(asked, at.block_hash)
            first = await self.transport.exchange_any(request, among)
            found.append(first)
            among = [first.endpoint]
            if wire.lacks_query(first):
                second = wire.singles(asked, at.block_hash)
                found.append(await self.transport.exchange(second, first.endpoint))
        return found

    def _batches(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        own: Mapping[Request, Exchange],
    ) -> list[list[bytes]]:
        """Return the keys of each request: what shows the state first, then the accounts'."""
        canaries = [storage.account_key(bytes.fromhex(one)) for one in at.canaries]
        evidence = [storage.NOW, *canaries, *asked_keys.holders(questions, at, own)]
        size = self.params.batch
        chunks = [accounts[start : start + size] for start in range(0, len(accounts), size)]
        return [
            list(dict.fromkeys([*evidence, *(asked_keys.key_of(questions, one) for one in chunk)]))
            for chunk in chunks
        ]

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read one balance per account, or the facts of the asset. Pure."""
        own = _by_request(exchanges)
        if questions.kind is QueryKind.PROOF:
            return self._read_proofs(questions, at, accounts, own)
        prefix = asked_keys.holders_prefix(questions)
        if prefix:
            holders = wire.read_accounts(own.get(wire.keys(prefix, at.block_hash)), prefix)
            if isinstance(holders, Gap):
                return [holders] * len(accounts)
        found: list[Read] = []
        size = self.params.batch
        for i, asked in enumerate(self._batches(questions, at, accounts, own)):
            values = wire.read_values(own, asked, at.block_hash)
            chunk = accounts[i * size : (i + 1) * size]
            found += self._read_batch(questions, at, chunk, values, own)
        return found

    def _read_proofs(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        own: Mapping[Request, Exchange],
    ) -> Sequence[Read]:
        """Read what is proven; an empty account counts by the same rule as a read one."""
        keys = [asked_keys.key_of(questions, account) for account in accounts]
        values = proofs.read(own, keys, at, extended=self.params.extended)
        native = asked_keys.asset_of(questions) is None
        reader = storage.read_account if native else storage.read_asset_account
        moved = self.params.move.hides(at.height) if native and self.params.move else None
        read = [one if isinstance(one, Gap) else reader(one) for one in values]
        return [moved if moved and isinstance(one, Held) and not one.units else one for one in read]

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the moment, and keep who named its block: that is what a proof hangs on."""
        views = self.views(height, exchanges)
        return anchored(agree(self.spec, height, views), views)

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract; a proof is one where another endpoint named the block. Pure."""
        answers = super().decode(questions, extract, at)
        if questions.kind is not QueryKind.PROOF or not is_anchored(at, answers.endpoint):
            return answers
        return msgspec.structs.replace(answers, method=Method.PROOF)

    def _read_batch(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        values: wire.Values | Gap,
        own: Mapping[Request, Exchange],
    ) -> list[Read]:
        """Read the accounts of one request; without its evidence nothing of it counts."""
        doubt = values if isinstance(values, Gap) else _doubt(at, values)
        if doubt is not None or isinstance(values, Gap):
            return [doubt] * len(accounts) if doubt is not None else []
        if questions.kind is QueryKind.ASSET_FACT:
            fact = _fact(storage.read_metadata(values[asked_keys.key_of(questions, b"")]))
            return [fact] * len(accounts)
        asset = asked_keys.asset_of(questions)
        reader = storage.read_account if asset is None else storage.read_asset_account
        empty = self._empty(questions, at, values, own)
        read = (reader(values[asked_keys.key_of(questions, account)]) for account in accounts)
        return [empty if empty and isinstance(one, Held) and not one.units else one for one in read]

    def _empty(
        self,
        questions: Questions,
        at: Snapshot,
        values: wire.Values,
        own: Mapping[Request, Exchange],
    ) -> Gap | None:
        """Return why an account without anything is no zero, if it is none."""
        if asked_keys.asset_of(questions) is None:
            return self.params.move.hides(at.height) if self.params.move else None
        holders = [values[key] for key in asked_keys.holders(questions, at, own)]
        held = [storage.read_asset_account(value) for value in holders]
        if any(isinstance(one, Held) and one.units for one in held):
            return None
        return Gap("zero-without-canary", detail="nobody was seen to have any of the asset")


def _by_request(exchanges: Sequence[Exchange]) -> dict[Request, Exchange]:
    return {exchange.request: exchange for exchange in exchanges}


def _canary(asked: Sequence[bytes], values: wire.Values) -> tuple[bytes, bytes] | None:
    """Return the first account that has something, and the value under its key."""
    for key in asked:
        account, value = storage.account_of(key, storage.ACCOUNTS), values[key]
        held = storage.read_account(value)
        if account is not None and value is not None and isinstance(held, Held) and held.units:
            return account, value
    return None


def _doubt(at: Snapshot, values: wire.Values) -> Gap | None:
    """Return why the answer is not of the pinned state, if it is not."""
    clock = values[storage.NOW]
    if clock is None or not at.canaries:
        return Gap("zero-without-canary", detail="the state shows no time or no canary")
    if clock.hex() != at.detail.get(_CLOCK):
        return Gap("wrong-block", detail="the state's time is not that of the block")
    value = values[storage.account_key(bytes.fromhex(at.canaries[0]))]
    if value is None or value.hex() != at.detail.get(_CANARY):
        return Gap("canary-wrong", detail="the canary is not as at the pin")
    return None


def _fact(found: storage.Metadata | Gap) -> Read:
    if isinstance(found, Gap):
        return found
    facts = {"decimals": found.decimals, "symbol": found.symbol}
    return Fact(msgspec.json.encode(facts).decode())
