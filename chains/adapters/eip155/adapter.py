"""The adapter of all Ethereum-like chains: what it can do, and which part does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from chains.adapter import Capabilities, Transport
from chains.adapters.eip155 import facts, pinning, proofs
from chains.adapters.eip155.balances import BalanceReader
from chains.adapters.eip155.offers import offered
from chains.adapters.eip155.reading import decode_balances
from chains.adapters.eip155.ways import DEFAULT_BATCH, Way, account_bytes, quirks_of
from chains.model import (
    Answers,
    AssetId,
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

UNREADABLE = "unsupported"
"""Decoder of questions about assets that this adapter cannot read."""

OF_CONTRACTS = frozenset({QueryKind.CONTROL, QueryKind.SIGNATURE})

UNSAFE = Gap("kind-unsupported", detail="calls of this chain's nodes do not name their block")

ZERO_RULE = (
    "A native zero counts when an account known not to be empty at this block (from config or"
    " from the block itself) came back with its pinned balance in the same answer; a token's"
    " zero when the contract itself answered a whole word and, in the same answer, a configured"
    " holder or any other holder was not empty, or totalSupply() at the same block on the same"
    " endpoint was not zero. Every batch names chain id, block number and parent hash itself."
    " A proof of absence under the pinned block's state root is a zero, too."
)


class Adapter:
    """Balances, token facts, control of contracts and their word on signatures, on one EVM chain.

    ``spec.params``: ``chain_id`` (required), ``canaries``, ``token_canaries``, ``multicall3``
    (``address``, ``from_block``), ``header_words``, ``batch``, ``call_gas``, ``ways`` (without
    ``rpc`` neither control nor signatures are asked: see ``_is_unsafe``), ``proofs`` (true where
    the block's hash is that of the header's fields and its state a Merkle-Patricia trie),
    ``balance_slots``, ``masked_actors`` (of FEVM: ``masked``), and
    ``eigen_pod_manager``: the contract whose ``ownerToPod(address)`` must confirm what an
    EigenPod says of its owner; without it nobody is shown as ``pod-owner``.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="exact",
        assets=("slip44", "native", "erc20"),
        methods=(Method.STATE, Method.PROOF),
        zero_rule=ZERO_RULE,
        batch=DEFAULT_BATCH,
        shard=4 * DEFAULT_BATCH,
        proofs=True,
        proof_questions=True,
        pinning=5,
        control=("contract-owner", "safe-owners", "pod-owner", "contract-signature"),
        nested_control=True,
        calls={QueryKind.CONTROL: 7, QueryKind.SIGNATURE: 3},
    )

    @classmethod
    def capable(cls, spec: ChainSpec) -> Capabilities:
        """Say what the chain's declaration allows."""
        return offered(cls.capabilities, spec)

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        self._spec = spec
        self._transport = transport
        self._quirks = quirks_of(spec)
        self._balances = BalanceReader(self._quirks, transport)

    async def pin(self, height: int) -> tuple[Exchange, ...]:
        """Ask every endpoint for chain id, head, the block and a canary."""
        return await pinning.pin(self._spec, self._transport, height)

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Agree on the block; raises ``WrongChain``, ``Disagreement`` or why nobody knew it."""
        return pinning.resolve(self._spec, self._quirks, height, exchanges)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the newest final block."""
        return (pinning.FINAL,)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest final block. Pure."""
        return pinning.read_final(exchanges[0])

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Yield extracts that together cover every position exactly once, in any order."""
        parts = None if self._is_unsafe(questions.kind) else self._parts(questions, at)
        if parts is None:
            every = list(range(len(questions.accounts)))
            yield Extract(positions=every, decoder=UNREADABLE, exchanges=())
            return
        async for extract in parts:
            yield extract

    def _parts(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract] | None:
        """Choose the part that asks; ``None`` for an asset that this adapter cannot read."""
        if questions.kind in OF_CONTRACTS:
            return self._contract_parts(questions, at)
        token = self._token(questions.asset)
        if isinstance(token, Gap):
            return None
        if questions.kind == QueryKind.BALANCE:
            return self._balances.extract(questions, at, token)
        if questions.kind == QueryKind.PROOF:
            return proofs.extract(self._transport, self._quirks, questions, at, token)
        if token is None:
            return None
        return facts.extract(self._transport, token, questions, at)

    def _contract_parts(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        if questions.kind == QueryKind.CONTROL:
            from chains.adapters.eip155 import control  # noqa: PLC0415 - web3 is heavy

            return control.extract(self._transport, questions, at, self._quirks.eigen_pod_manager)
        from chains.adapters.eip155 import validity  # noqa: PLC0415 - only where it is asked

        return validity.extract(self._transport, questions, at)

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure: no network, no clock, no state."""
        if self._is_unsafe(questions.kind):
            return all_gaps(extract, UNSAFE)
        return self._read(questions, extract, at)

    def _read(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Choose the part that reads."""
        if questions.kind in OF_CONTRACTS:
            return self._read_contract(questions, extract, at)
        token = self._token(questions.asset)
        if isinstance(token, Gap):
            return all_gaps(extract, token)
        if questions.kind == QueryKind.BALANCE:
            return decode_balances(self._quirks, questions, extract, at, token)
        if questions.kind == QueryKind.PROOF:
            return proofs.decode(self._quirks, questions, extract, at, token)
        if token is None:
            return all_gaps(extract, Gap("asset-unsupported", detail="a coin has no contract"))
        return facts.decode(token, questions, extract, at)

    def _read_contract(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        if questions.kind == QueryKind.CONTROL:
            from chains.adapters.eip155 import control  # noqa: PLC0415 - web3 is heavy

            return control.decode(questions, extract, at, self._quirks.eigen_pod_manager)
        from chains.adapters.eip155 import validity  # noqa: PLC0415 - only where it is asked

        return validity.decode(questions, extract, at)

    def _is_unsafe(self, kind: QueryKind) -> bool:
        """Tell whether the answer would hang on calls that may come from another block.

        Control and signatures are asked with calls that do not name their block: where ``ways``
        leaves out ``rpc`` for that reason, nothing may be said about them.
        """
        return kind in OF_CONTRACTS and Way.RPC not in self._quirks.ways

    def _token(self, asset: AssetId) -> bytes | Gap | None:
        """Return the token's 20 bytes, ``None`` for the native coin, or why neither."""
        chain, _, name = asset.partition("/")
        namespace, _, reference = name.partition(":")
        if chain != self._spec.id:
            return Gap("asset-unsupported", detail=f"{asset} is not of {self._spec.id}")
        if namespace in {"slip44", "native"}:
            return None
        if namespace != "erc20":
            return Gap("asset-unsupported", detail=f"{namespace} assets are not read")
        try:
            return account_bytes(reference)
        except ValueError:
            return Gap("asset-unsupported", detail=f"{reference} is no token address")
