"""Bitcoin and its relatives (CAIP-2 ``bip122``): balances of scripts at one block.

An account is a scriptPubKey, so every text form of one script is one account, and the
P2PKH, P2WPKH, P2PK… outputs of one key are different ones. Three kinds of endpoints:

``dump``: a ``file:`` URL of a UTXO set dump (``dumptxoutset``; Core 28 or newer with
``rollback=HEIGHT``). One pass answers all accounts. A dump names its block by hash, not by
height. The tie comes from an RPC endpoint, or from ``params.checkpoints``; where there is
neither, the dump's block is taken as the snapshot's, ``detail["height_unverified"]`` is
``"true"``, and answers are given only if the dump's newest coin is of exactly that height: the
newest block's own reward cannot be spent for 100 blocks, so it is in every honest dump. A dump
in the older format names no network, and is used only where something ties its block. Where
``params.txoutset_hashes`` gives the hash of the whole set at the height, as somebody else found it
(Bitcoin Core has some compiled in), the dump's own must be that one, and its balances are proven
(``proof``) instead of ``bulk``: see ``set_hash``.

``rpc``: a node. It pins the block, and answers with ``scantxoutset`` while its tip is that
very block (it cannot scan the past). A full scan takes minutes on a large chain and one node
makes one at a time: give such an endpoint a long ``timeout_s``.

Where the chain's nodes keep an address index (``address_index``: Dash, Zcash) they are asked for
every change up to the height instead, and answer at any height: see ``deltas``.

``electrum``: a server of the Electrum protocol (ElectrumX, Fulcrum, electrs) at a ``tcp:`` or
``ssl:`` URL. It knows the history of every script, and answers at any height: see ``rolling``.
Where there is no dump and no node whose tip is the block, such servers are asked.

Zero rule: an account that is absent from the whole set of coins at the pinned block has zero,
by definition of the set. The set is whole when every coin that the dump announces was read and
nothing followed; or when the node says that its scan came to the end and the scan lists the
canary: an output of the pinned block's own reward, asked for in the same call.
``rolling`` says what makes an Electrum server's zero believable.

``spec.params``: ``genesis`` (hash of block 0), ``magic`` (network magic, hex, as in the dump),
``checkpoints`` ({height: hash}, optional; the last one at or below the height is asked of every
node, as block 0 is), ``txoutset_hashes`` ({height: hash of the whole set}), ``dumps`` and
``scans`` (false where the network's nodes have no ``dumptxoutset``, no ``scantxoutset``),
``fork_height`` and ``fork_hash`` (a checkpoint that tells a fork from its parent), ``max_money``
(satoshi, Bitcoin's if absent), ``header`` (``unchecked`` where a block's hash is not Bitcoin's
double SHA-256 of 80 bytes: then no Electrum server is believed), ``scan_names_block`` (false where
``scantxoutset`` does not say at which block it was made), ``cash_tokens`` (true where outputs can
carry tokens), ``address_index`` (true where nodes keep every change of an address).
Coins inside Litecoin's extension block (MWEB) belong to no script and are not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from chains import flow
from chains.adapter import Capabilities, Transport
from chains.adapters.bip122 import deltas, dump_files, rolling, rpc
from chains.adapters.bip122.answers import (
    decode_deltas,
    decode_dump,
    decode_lines,
    decode_scan,
)
from chains.adapters.bip122.dump_files import read_dump_header, scanned
from chains.adapters.bip122.moment import AT_TIP, canary_of, resolve
from chains.adapters.bip122.offers import offered
from chains.adapters.bip122.params import Params
from chains.endpoints import EndpointSpec
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

__all__ = ["Adapter"]

DUMP, SCAN, NONE = "bip122-dump/1", "bip122-scan/1", "bip122-none/1"
DELTAS = "bip122-deltas/1"
"""Names of the rules by which ``decode`` reads an extract."""
WINDOW = 8
"""Groups of scripts under way at servers that know the history of each script."""


@runtime_checkable
class LocalFiles(Protocol):
    """A transport that also knows files on this machine and the endpoints' declarations."""

    def local_path(self, endpoint: str) -> Path | None:
        """Return the file behind an endpoint, ``None`` where it is a node."""
        ...

    def spec(self, endpoint: str) -> EndpointSpec:
        """Return the endpoint's declaration."""
        ...


class Adapter:
    """Balances of scripts on one chain of the Bitcoin family. See the module's text."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="bulk",
        assets=("slip44",),
        methods=(
            Method.PROOF,
            Method.BULK,
            Method.STATE,
            Method.UNTOUCHED,
            Method.ROLLED_BACK,
        ),
        proofs=True,
        zero_rule=(
            "A script that is absent from the whole set of unspent coins at the pinned block"
            " has zero by definition of the set; the set is whole when its announced number"
            " of coins was read and nothing followed, or the node says its scan is complete and"
            " lists the pinned block's own reward. What an Electrum server answers must hold the"
            " newest block's reward and a transaction of the pinned block."
        ),
        batch=rpc.DESCRIPTORS,
        shard=1_000_000,
        pinning=6,
        whole=True,
    )

    @classmethod
    def capable(cls, spec: ChainSpec) -> Capabilities:
        """Say what the servers of this chain offer."""
        return offered(cls.capabilities, Params.of(spec))

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        self._spec = spec
        self._params = Params.of(spec)
        self._transport = transport
        self._busy: dict[str, asyncio.Lock] = {}
        self._askers: dict[str, rolling.Asker] = {}

    async def pin(self, height: int) -> tuple[Exchange, ...]:
        """Ask every node for the block at ``height`` and every dump for its header."""
        asked = [self._pin_one(height, endpoint) for endpoint in self._transport.endpoints]
        return tuple(exchange for said in await asyncio.gather(*asked) for exchange in said)

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the moment; raises ``WrongChain`` or ``Disagreement``.

        Where no endpoint can serve it, raises ``Unreachable`` or ``NodeBehind`` when asking
        later may help, else ``Unanswerable``.
        """
        return resolve(self._spec.id, self._params, height, exchanges)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the tip: the only block whose coins a node can scan."""
        return (rpc.TIP,)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the tip. Pure."""
        return rpc.read_tip(exchanges[0])

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Yield one extract for a dump, or one per scan of a node, in any order.

        A dump goes before a node. Of several dumps the first is read.
        """
        if _unasked(self._spec, questions) is not None or not at.endpoints:
            yield Extract(positions=range(len(questions.accounts)), decoder=NONE, exchanges=())
            return
        for endpoint in at.endpoints:
            path = self._path(endpoint)
            if path is not None:
                yield await self._scan_dump(endpoint, path, questions)
                return
        servers = [name for name in at.endpoints if self._is_server(name)]
        nodes = [name for name in at.endpoints if name not in servers]
        jobs: Iterator[Callable[[], Awaitable[list[Extract]]]] | None = None
        if nodes and self._params.address_index:
            jobs = self._histories(nodes, questions, at)
        elif servers and not (self._params.scans and _at_tip(nodes, at)):
            jobs = self._lookups(servers, questions, at)
        if jobs is not None:
            async for extracts in flow.in_window(jobs, WINDOW):
                for extract in extracts:
                    yield extract
            return
        if not self._params.scans:
            yield Extract(positions=range(len(questions.accounts)), decoder=NONE, exchanges=())
            return
        scans = list(self._scans(nodes, questions, at))
        try:
            for future in asyncio.as_completed(scans):
                yield await future
        finally:
            for scan in scans:
                scan.cancel()

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure."""
        gap = _unasked(self._spec, questions)
        if gap is not None:
            return all_gaps(extract, gap)
        if extract.decoder == DUMP:
            return decode_dump(self._params, questions, extract, at)
        if extract.decoder == SCAN:
            return decode_scan(self._params, questions, extract, at)
        if extract.decoder == DELTAS:
            return decode_deltas(self._spec, self._params, questions, extract, at)
        if extract.decoder in (rolling.UNTOUCHED, rolling.ROLLED):
            return decode_lines(self._params, questions, extract, at)
        return all_gaps(extract, Gap("no-usable-endpoint", retryable=True))

    def bulk_source(self, exchange: Exchange) -> tuple[str, int] | None:
        """Return SHA-256 (hex) and size in bytes of the dump that an exchange records. Pure."""
        return dump_files.source(exchange)

    def reread(
        self, exchange: Exchange, accounts: Sequence[bytes], height: int, path: Path
    ) -> bytes:
        """Scan a dump again for the same scripts; returns what the exchange's body must be."""
        return dump_files.scanned(
            exchange.endpoint,
            path,
            accounts,
            own_node=exchange.own_node,
            max_money=self._params.max_money,
            hashed=height in self._params.set_hashes,
        ).body

    async def _pin_one(self, height: int, endpoint: str) -> tuple[Exchange, ...]:
        path = self._path(endpoint)
        if path is not None:
            own = self._own(endpoint)
            return (await asyncio.to_thread(read_dump_header, endpoint, path, own_node=own),)
        if self._is_server(endpoint):
            return await self._asker(endpoint).pin(height)
        heights = [*self._params.anchors(height), height]
        identity = await self._transport.exchange(rpc.identity_request(heights), endpoint)
        block_hash = rpc.read_identity(identity, len(heights))[-1]
        if isinstance(block_hash, Gap):
            return (identity,)
        block = await self._transport.exchange(rpc.block_request(block_hash), endpoint)
        txid = rpc.read_reward_id(block)
        if txid is None:
            return identity, block
        request = rpc.reward_request(txid, block_hash)
        return identity, block, await self._transport.exchange(request, endpoint)

    async def _scan_dump(self, endpoint: str, path: Path, questions: Questions) -> Extract:
        async with self._busy.setdefault(endpoint, asyncio.Lock()):
            exchange = await asyncio.to_thread(
                scanned,
                endpoint,
                path,
                questions.accounts,
                own_node=self._own(endpoint),
                max_money=self._params.max_money,
                hashed=questions.height in self._params.set_hashes,
            )
        return Extract(
            positions=range(len(questions.accounts)), decoder=DUMP, exchanges=(exchange,)
        )

    def _lookups(
        self, servers: Sequence[str], questions: Questions, at: Snapshot
    ) -> Iterator[Callable[[], Awaitable[list[Extract]]]]:
        """Deal groups of scripts out to Electrum servers."""
        for server, positions in self._dealt(servers, rolling.GROUP, questions):
            scripts = questions.accounts[positions.start : positions.stop]
            yield partial(self._asker(server).extract, positions, scripts, at)

    def _histories(
        self, nodes: Sequence[str], questions: Questions, at: Snapshot
    ) -> Iterator[Callable[[], Awaitable[list[Extract]]]]:
        """Deal groups of scripts out to nodes with an address index."""
        for node, positions in self._dealt(nodes, deltas.GROUP, questions):
            yield partial(self._deltas, node, positions, questions, at)

    def _scans(
        self, nodes: Sequence[str], questions: Questions, at: Snapshot
    ) -> Iterator[asyncio.Task[Extract]]:
        """Deal the scans out to the nodes; each node works on one at a time."""
        for node, positions in self._dealt(nodes, self.capabilities.batch, questions):
            yield asyncio.ensure_future(self._scan_node(node, positions, questions, at))

    def _dealt(
        self, endpoints: Sequence[str], usual: int, questions: Questions
    ) -> Iterator[tuple[str, range]]:
        """Deal positions out to the endpoints in turn, as many as each declares or is usual."""
        start = turn = 0
        while start < len(questions.accounts):
            endpoint = endpoints[turn % len(endpoints)]
            size = self._declared_batch(endpoint) or usual
            yield endpoint, range(start, min(start + size, len(questions.accounts)))
            start, turn = start + size, turn + 1

    async def _scan_node(
        self, node: str, positions: range, questions: Questions, at: Snapshot
    ) -> Extract:
        scripts = questions.accounts[positions.start : positions.stop]
        canaries = (bytes.fromhex(script) for script in at.canaries)
        watched = (script for script in canaries if script not in scripts)
        names_block = self._params.scan_names_block
        request = rpc.scan_request((*scripts, *watched), names_block=names_block)
        async with self._busy.setdefault(node, asyncio.Lock()):
            exchange = await self._transport.exchange(request, node)
        return Extract(positions=positions, decoder=SCAN, exchanges=(exchange,))

    async def _deltas(
        self, node: str, positions: range, questions: Questions, at: Snapshot
    ) -> list[Extract]:
        scripts = questions.accounts[positions.start : positions.stop]
        request = deltas.deltas_request(self._spec, scripts, at.height, canary_of(at))
        exchange = await self._transport.exchange(request, node)
        return [Extract(positions=positions, decoder=DELTAS, exchanges=(exchange,))]

    def _path(self, endpoint: str) -> Path | None:
        transport = self._transport
        return transport.local_path(endpoint) if isinstance(transport, LocalFiles) else None

    def _own(self, endpoint: str) -> bool:
        transport = self._transport
        return isinstance(transport, LocalFiles) and transport.spec(endpoint).own_node

    def _declared_batch(self, endpoint: str) -> int:
        transport = self._transport
        return transport.spec(endpoint).batch if isinstance(transport, LocalFiles) else 0

    def _asker(self, endpoint: str) -> rolling.Asker:
        asker = rolling.Asker(self._params, self._transport, endpoint)
        return self._askers.setdefault(endpoint, asker)

    def _is_server(self, endpoint: str) -> bool:
        transport = self._transport
        return isinstance(transport, LocalFiles) and transport.spec(endpoint).speaks_lines


def _unasked(spec: ChainSpec, questions: Questions) -> Gap | None:
    """Return why these questions have no answer on this kind of chain, if so."""
    if questions.kind is not QueryKind.BALANCE:
        return Gap("method-missing", detail=f"no {questions.kind} on this chain")
    if questions.asset != spec.native:
        return Gap("asset-unsupported", detail=questions.asset)
    return None


def _at_tip(nodes: Sequence[str], at: Snapshot) -> bool:
    return any(f"{AT_TIP}@{name}" in at.detail for name in nodes)
