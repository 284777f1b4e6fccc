"""Claims to questions: canonical, distinct, sorted, cut into shards and frozen.

A question is asked once however many rows rest on it. Balances are asked for every row whose
account and asset are known, owned or not; proofs of them for as many of the largest as the user
wants, where the network's blocks commit to balances; control for accounts with named owners that
signed, and for accounts that obey keys which only the chain knows; facts (decimals, symbol) for
every token. What cannot be asked at all is not in the plan: the join gives such rows their ``Gap``
from ``why_not``. What only the answers can tell, who controls those in control, is planned by
``crawler.asking.rounds``.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains import adapters, addresses
from chains.adapter import Capabilities
from chains.model import AssetId, ChainId, ChainSpec, QueryKind, Questions
from chains.packed import Packed
from crawler.asking.control import AWAITING
from crawler.counting.shares import rate_call
from crawler.model import NO_HEIGHT, RowKind
from crawler.settings import World
from crawler.tables.columns import Flags, distinct, flags, members

DECODER_VERSION = "4"
"""Raise it when a decoder changes its reading, so that old answers are not mixed with new ones."""

ALL = 1 << 62
"""More proofs than there are questions."""

TOGETHER = 1 << 20
"""Accounts, at least, among which the same ones are looked for at a time."""

PLAN = pa.schema([pa.field("account", pa.binary(), nullable=False)])


class Moment(msgspec.Struct, frozen=True, order=True):
    """A chain at a height."""

    chain: ChainId
    height: int

    @property
    def key(self) -> str:
        """The form used in the manifest."""
        return f"{self.chain}@{self.height}"


def asset_namespace(asset: AssetId) -> str:
    """Return the CAIP-19 asset namespace (``slip44``, ``erc20``, …)."""
    return asset.partition("/")[2].partition(":")[0]


def asset_reference(asset: AssetId) -> str:
    """Return the CAIP-19 asset reference (a coin type, a contract address, …)."""
    return asset.partition("/")[2].partition(":")[2]


def is_token(asset: AssetId) -> bool:
    """Tell whether an asset has decimals and a symbol of its own that a contract states."""
    return asset_namespace(asset) not in ("slip44", "native")


def unread_heights(claims: pa.Table) -> Flags:
    """Tell of each row whether the list gives it a height that cannot be read."""
    if not claims["at_height"].null_count:
        return np.zeros(claims.num_rows, np.bool_)
    texts = pc.utf8_trim_whitespace(claims["height"])
    given = pc.invert(pc.is_in(texts, value_set=pa.array(NO_HEIGHT)))
    return flags(pc.and_(pc.is_null(claims["at_height"]), given))


def why_not(
    world: World, chain: str, asset: str, height: int | None, *, unread: bool = False
) -> str:
    """Return why a row's balance cannot be asked, as a reason code, or ``""`` when it can.

    ``unread``: the list does give a height, see ``unread_heights``.
    """
    spec = world.chains.get(ChainId(chain))
    if spec is None:
        return "unknown-network"
    if not asset:
        return "unknown-label"
    if spec.adapter == "none":
        return "no-adapter"
    if asset_namespace(AssetId(asset)) not in capabilities(spec).assets:
        return "asset-unsupported"
    if height is None:
        return "bad-height" if unread else "no-height"
    return ""


def capabilities(spec: ChainSpec) -> Capabilities:
    """Return what the adapter can do on this chain; raises ``ConfigError``."""
    return adapters.capabilities(spec)


class _Accounts:
    """The different accounts of parts of a list; holds little more than their bytes."""

    def __init__(self) -> None:
        self._parts: list[Packed] = []
        self._apart = 0
        """Accounts of the parts behind the first one, in which each account is there once."""

    def add(self, accounts: Packed) -> None:
        """Take in more; what comes again and again is put together from time to time."""
        self._parts.append(accounts)
        self._apart += len(accounts)
        if self._apart > max(TOGETHER, len(self._parts[0])):
            self._parts = [self.distinct()]
            self._apart = 0

    def distinct(self) -> Packed:
        """Return each account once, in ascending order, and forget them."""
        parts, self._parts = self._parts, []
        return Packed.distinct(parts)


def questions(
    world: World, parts: Iterable[tuple[pa.Table, pa.Table]], proofs: int = 0
) -> list[Questions]:
    """Return every question of the run, one ``Questions`` per kind, moment and asset, sorted.

    ``proofs``: how many of an asset's accounts at a moment are to be proven, the largest claims
    first.
    """
    balances: dict[tuple[Moment, AssetId], _Accounts] = defaultdict(_Accounts)
    largest: dict[tuple[Moment, AssetId], dict[bytes, int]] = defaultdict(dict)
    control: dict[tuple[QueryKind, Moment], set[bytes]] = defaultdict(set)

    for claims, signatures in parts:
        for moment, asset, rows in _balances_asked(world, claims):
            balances[moment, asset].add(Packed.from_arrow(rows["account"].unique()))
            if proofs and capabilities(world.chains[moment.chain]).proof_questions:
                _keep_largest(largest[moment, asset], rows, proofs)
        for row in awaiting(world, claims, signatures):
            height = claims["at_height"][row].as_py()
            for asked in control_questions(world, claims, signatures, row):
                control[asked.kind, Moment(asked.chain, height)].add(asked.account)
    found = [
        _questions(QueryKind.BALANCE, moment, asset, accounts.distinct())
        for (moment, asset), accounts in balances.items()
    ]
    found += [
        _questions(QueryKind.PROOF, moment, asset, accounts)
        for (moment, asset), accounts in largest.items()
    ]
    found += questions_about(world, control)
    found += [
        _questions(QueryKind.ASSET_FACT, moment, asset, {_facts_asked(world, asset)})
        for moment, asset in balances
        if is_token(asset)
    ]
    return sorted(found, key=lambda q: (q.chain, q.height, q.kind, q.asset))


def questions_about(
    world: World, control: Mapping[tuple[QueryKind, Moment], set[bytes]]
) -> list[Questions]:
    """Return questions about control, one ``Questions`` per kind and moment, sorted."""
    found = [
        _questions(kind, moment, world.chains[moment.chain].native, accounts)
        for (kind, moment), accounts in control.items()
    ]
    return sorted(found, key=lambda q: (q.chain, q.height, q.kind))


def _balances_asked(world: World, claims: pa.Table) -> Iterator[tuple[Moment, AssetId, pa.Table]]:
    """Yield the claims of a part about which balances are asked, by moment and asset."""
    claims = claims.filter(_askable(claims))
    names = ("chain", "asset_id", "at_height")
    codes, firsts = distinct([claims[name] for name in names])
    keys = zip(*(claims[name].take(firsts).to_pylist() for name in names), strict=True)
    for (chain, asset, height), rows in zip(keys, members(codes), strict=True):
        if not why_not(world, chain, asset, height):
            asked = claims.select(["account", "units"]).take(pa.array(rows))
            yield Moment(ChainId(chain), height), AssetId(asset), asked


def _keep_largest(kept: dict[bytes, int], rows: pa.Table, most: int) -> None:
    """Put the accounts of ``rows`` into ``kept``, and drop all but those of the largest claims."""
    for account, units in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True):
        kept[account] = max(kept.get(account, 0), int(units or 0))
    if len(kept) > most:
        best = sorted(kept, key=lambda account: (-kept[account], account))[:most]
        for account in kept.keys() - set(best):
            del kept[account]


def _askable(claims: pa.Table) -> pa.Array:
    has_account = pc.greater(pc.binary_length(claims["account"]), 0)
    return pc.and_(pc.equal(claims["kind"], RowKind.CLAIM.value), has_account)


def awaiting(world: World, claims: pa.Table, signatures: pa.Table) -> Iterator[int]:
    """Yield the places of rows whose accounts' control is to be asked."""

    @cache
    def blocked(chain: str, asset: str, height: int | None) -> str:
        return why_not(world, chain, asset, height)

    waiting = pc.is_in(signatures["reason"], value_set=pa.array(sorted(AWAITING)))
    for row in np.flatnonzero(flags(pc.and_(waiting, _askable(claims)))).tolist():
        names = ("chain", "asset_id", "at_height")
        if not blocked(*(claims[name][row].as_py() for name in names)):
            yield row


class ControlQuestion(msgspec.Struct, frozen=True):
    """What one row asks about one account, at the row's own height."""

    kind: QueryKind
    chain: ChainId
    account: bytes


def control_questions(
    world: World, claims: pa.Table, signatures: pa.Table, row: int
) -> list[ControlQuestion]:
    """Return what the chain must be asked about an awaiting row, its own account first.

    Besides the account these are the owners named in the row that did not sign (an EigenPod),
    on the chain where they live. Chains whose adapter answers no such question are not asked.
    """
    spec = world.chains[ChainId(claims["chain"][row].as_py())]
    account = claims["account"][row].as_py()
    asked = signatures["asked"][row].as_py()
    if asked:
        found = [ControlQuestion(QueryKind.SIGNATURE, spec.id, asked)]
    elif not signatures["signers"][row].as_py():
        return []
    else:
        found = [ControlQuestion(QueryKind.CONTROL, spec.id, account)]
    if spec.controllers:
        owners = world.chains[ChainId(spec.controllers)]
        found += [
            ControlQuestion(QueryKind.CONTROL, owners.id, addresses.decode(owners, text))
            for text in signatures["silent"][row].as_py()
        ]
    return [one for one in found if answers_control(world, one.chain)]


def answers_control(world: World, chain: ChainId) -> bool:
    """Tell whether a chain's adapter answers questions about control."""
    spec = world.chains[chain]
    return spec.adapter != "none" and bool(capabilities(spec).control)


def shards(all_questions: Iterable[Questions], size: Mapping[ChainId, int]) -> Iterator[Questions]:
    """Cut questions into shards of at most ``size[chain]`` accounts."""
    for q in all_questions:
        step = size[q.chain]
        for start in range(0, len(q.accounts), step):
            yield msgspec.structs.replace(q, accounts=q.accounts[start : start + step])


def shard_digest(questions: Questions, block_hash: str) -> str:
    """Name a shard by its questions, the pinned block and the decoders' version; hex SHA-256."""
    digest = hashlib.sha256()
    for piece in (
        DECODER_VERSION,
        questions.kind,
        questions.chain,
        str(questions.height),
        questions.asset,
        block_hash,
    ):
        digest.update(len(piece).to_bytes(8, "big") + piece.encode())
    digest.update(Packed.of(questions.accounts).framed().data)
    return digest.hexdigest()


def _questions(
    kind: QueryKind, moment: Moment, asset: AssetId, accounts: Packed | Iterable[bytes]
) -> Questions:
    """Ask about these accounts; what is packed is distinct and ascending."""
    return Questions(
        kind=kind,
        chain=moment.chain,
        height=moment.height,
        asset=asset,
        accounts=accounts if isinstance(accounts, Packed) else sorted(accounts),
    )


def _facts_asked(world: World, asset: AssetId) -> bytes:
    """Return the contract and, behind it, the call that states what a share is worth."""
    share = world.assets[asset].share
    return _asset_account(world, asset) + (rate_call(share) if share else b"")


def _asset_account(world: World, asset: AssetId) -> bytes:
    chain = world.assets[asset].chain
    try:
        return addresses.decode(world.chains[chain], asset_reference(asset))
    except addresses.AddressError:
        return asset_reference(asset).encode()
