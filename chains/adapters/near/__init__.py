"""NEAR: liquid and staked balances, and the full-access keys of accounts, at a block.

Asked over JSON-RPC, one call per request: ``status`` (chain id, genesis hash, the first block that
the node holds), ``block`` (final, and at the height), ``query`` with ``view_account`` and
``view_access_key_list`` at the block's hash. Units are yoctoNEAR (10^-24).

Traps: a height may have no block (its producer was absent), and the node then says
``UNKNOWN_BLOCK``, as it does for blocks that it has deleted (all but archival nodes keep five
epochs) and for those to come. A deleted or never created account is the error ``UNKNOWN_ACCOUNT``,
whose ``info`` names account and block; without that it is no zero. ``amount`` does not include
``locked`` (the stake of a validator). What is deposited in staking pools belongs to the pool's
account and is not read; tokens neither. ``view_access_key_list`` answers an empty list for an
account that does not exist, so existence is asked apart.

The canary is the producer of the pinned block: it has a stake, and every later answer about
it must be the one of the pin.

``spec.params``: ``chain_id`` (the reference of the chain's id unless given), ``genesis_hash``
(base58; compared where a node names one).

Spec: https://docs.near.org/api/rpc/introduction
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chains import jsonrpc
from chains.accounts import AccountAdapter, Held, Read
from chains.adapter import Capabilities
from chains.adapters.near import wire
from chains.adapters.near.wire import Block, Refusal
from chains.errors import WrongChain
from chains.model import Exchange, Gap, Method, QueryKind, Questions, Request, Snapshot
from chains.pinning import View

_CANARY = "canary"


class Adapter(AccountAdapter):
    """Reads yoctoNEAR and access keys at a block hash."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="exact",
        assets=("slip44",),
        methods=(Method.STATE,),
        zero_rule=(
            "A zero counts if the node names the account as unknown at the pinned block, or shows "
            "it with nothing, and shows the balance of the block's producer as at the pin."
        ),
        batch=1,
        shard=2000,
        requests_each="21/20",
        requests_a_batch=0,
        pinning=5,
        control=(wire.WAY,),
        calls={QueryKind.CONTROL: 2},
    )
    group = 20

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Return status, the final block, and the block at the height."""
        return (
            jsonrpc.call("status", []),
            jsonrpc.call("block", {"finality": "final"}),
            jsonrpc.call("block", {"block_id": height}),
        )

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the account that produced the block."""
        block = wire.read_block(shown[2])
        if not isinstance(block, Block) or block.height != height:
            return []
        return await self.together([wire.view(wire.ACCOUNT, block.author, block.hash)], endpoint)

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``."""
        status, final, at_height = (own[request] for request in self.pin_requests(height))
        first = self._first_block(endpoint, status)
        if isinstance(first, Gap):
            return View(reason=first.reason)
        block = _block(height, first, wire.read_block(final), wire.read_block(at_height))
        if isinstance(block, Gap):
            return View(reason=block.reason)
        asked = own.get(wire.view(wire.ACCOUNT, block.author, block.hash))
        held: Held | Gap = Gap("not-answered")
        if asked is not None:
            held = wire.read_account(asked, block.author, block)
        if isinstance(held, Gap):
            return View(block_hash=block.hash, time=block.time, reason=held.reason)
        return View(
            block_hash=block.hash,
            time=block.time,
            reason="" if held.units else "canary-failed",
            shown={
                "parent-hash": block.previous,
                "author": block.author,
                _CANARY: str(held.units),
            },
            canaries=(block.author.encode().hex(),),
        )

    def head_requests(self) -> Sequence[Request]:
        """Ask for the final block."""
        return (jsonrpc.call("block", {"finality": "final"}),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the final block. Pure."""
        block = wire.read_block(exchanges[0])
        if isinstance(block, Block):
            return block.height
        return block.gap if isinstance(block, Refusal) else block

    def _first_block(self, endpoint: str, status: Exchange) -> int | Gap:
        """Return the first block that the node holds, -1 if untold; raises ``WrongChain``."""
        said = wire.answer(status)
        if isinstance(said, Refusal) or (isinstance(said, Gap) and said.reason == "rpc-error"):
            return Gap("identity-unproven")
        if isinstance(said, Gap):
            return said
        chain, genesis = said.get("chain_id"), said.get("genesis_hash")
        if not isinstance(chain, str):
            return Gap("identity-unproven")
        declared = self.spec.params.get("genesis_hash")
        expected = self.spec.params.get("chain_id", self.spec.reference)
        if chain != expected or (genesis and declared and genesis != declared):
            raise WrongChain(
                f"{endpoint} serves {chain!r} with genesis {genesis!r}; "
                f"{self.spec.id} declares {expected!r} with {declared!r}"
            )
        sync = said.get("sync_info")
        first = sync.get("earliest_block_height") if isinstance(sync, dict) else None
        return first if wire.is_height(first) else -1

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for the canary, then for each account (and its keys) at the same endpoint."""
        canary = wire.view(wire.ACCOUNT, at.detail.get("author", ""), at.block_hash)
        first = await self.transport.exchange_any(canary, at.endpoints)
        if first.failure:
            return [first]
        names = [one.decode() for one in accounts for _ in _types(questions)]
        types = _types(questions) * len(accounts)
        requests = [wire.view(*asked, at.block_hash) for asked in zip(types, names, strict=True)]
        return [first, *await self.together(requests, first.endpoint)]

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read one balance, or the keys, per account."""
        block = Block(at.height, at.block_hash)
        canary = wire.read_account(exchanges[0], at.detail.get("author", ""), block)
        if isinstance(canary, Held) and str(canary.units) != at.detail.get(_CANARY):
            canary = Gap("canary-wrong", retryable=True, detail=f"{canary.units} of the producer")
        if isinstance(canary, Gap):
            return [canary] * len(accounts)
        names = [one.decode() for one in accounts]
        if questions.kind is QueryKind.CONTROL:
            pairs = zip(exchanges[1::2], exchanges[2::2], strict=True)
            both = zip(names, pairs, strict=True)
            return [wire.read_control(*pair, name, block) for name, pair in both]
        each = zip(names, exchanges[1:], strict=True)
        return [wire.read_account(one, name, block) for name, one in each]


def _types(questions: Questions) -> tuple[str, ...]:
    return (wire.ACCOUNT, wire.KEYS) if questions.kind is QueryKind.CONTROL else (wire.ACCOUNT,)


def _block(
    height: int, first: int, head: Block | Refusal | Gap, block: Block | Refusal | Gap
) -> Block | Gap:
    """Return the block at the height, or why it is not there; ``first`` as in ``_first_block``."""
    if isinstance(head, Block) and head.height < height:
        return Gap("node-behind")
    if isinstance(head, Block) and isinstance(block, Block):
        return block if block.height == height else Gap("wrong-block")
    if isinstance(head, Block) and isinstance(block, Refusal) and block.cause in wire.GONE:
        return Gap("slot-skipped" if 0 <= first <= height else "state-pruned")
    failed = head if not isinstance(head, Block) else block
    return failed.gap if isinstance(failed, Refusal) else failed
