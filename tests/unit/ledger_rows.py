"""Builders for the tests of the spine: a small world, rows, answers, ledgers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from chains.model import (
    Answers,
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Method,
    Part,
    QueryKind,
    Questions,
    Source,
)
from crawler.asking.plan import shard_digest
from crawler.counting.ledger import LEDGER
from crawler.counting.reconciled import Alike, Scales, chosen_in_conflict, judged_rows, scales
from crawler.counting.totals import CoinTotals, Totals
from crawler.crawling.answers import AnswerColumns, MergedShard, merge
from crawler.demo.keys import MESSAGE
from crawler.examining.ownership import Reading, examine
from crawler.jobs import CLAIM_COLUMNS, SIGNATURE_COLUMNS
from crawler.keeping.runs import ShardEntry
from crawler.model import (
    CLAIMS,
    Asset,
    AssetClass,
    Exchange,
    Label,
    NetworkRule,
    Rounding,
    RowKind,
)
from crawler.settings import Heights, Policy, World

EVM, BNB, BITCOIN, NAMED = (
    ChainId(text) for text in ("eip155:1", "eip155:56", "bip122:acme", "cosmos:acme")
)
ETH, BTC, ATOM = (
    AssetId(f"{chain}/slip44:{number}") for chain, number in ((EVM, 60), (BITCOIN, 0), (NAMED, 118))
)
BNB_COIN = AssetId(f"{BNB}/slip44:714")
USDT = AssetId(f"{EVM}/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7")
USDT_BNB = AssetId(f"{BNB}/erc20:0x55d398326f99059fF775485246999027B3197955")
STRANGE = AssetId(f"{EVM}/erc721:0x06012c8cf97BEaD5deAe237070F9587f8E7A266d")
HEIGHT = 100
A, B, C = (bytes([n]) * 20 for n in (0x0A, 0x0B, 0x0C))
ACCOUNT_A, ACCOUNT_B, ACCOUNT_C = ("0x" + account.hex() for account in (A, B, C))
EXACT = Rounding()


def _chain(id_: ChainId, name: str, native: AssetId, **more: Any) -> ChainSpec:
    fields = {"adapter": "eip155", "address": "evm", **more}
    return ChainSpec(id=id_, name=name, native=native, **fields)


def _asset(id_: AssetId, symbol: str, decimals: int, kind: AssetClass = AssetClass.NATIVE) -> Asset:
    return Asset(
        id=id_,
        chain=ChainId(id_.partition("/")[0]),
        symbol=symbol,
        decimals=decimals,
        counts_as=symbol,
        asset_class=kind,
        source="test",
    )


WORLD = World(
    chains={
        EVM: _chain(EVM, "Evm", ETH, params={"chain_id": 1}),
        BNB: _chain(BNB, "Bnb", BNB_COIN, params={"chain_id": 56}),
        BITCOIN: _chain(
            BITCOIN,
            "Bitcoin",
            BTC,
            adapter="bip122",
            address="bitcoin",
            address_params={"p2pkh": [0], "p2sh": [5], "hrp": "bc", "message_header": "Bitcoin"},
            params={"genesis": "00" * 32},
        ),
        NAMED: _chain(NAMED, "Named", ATOM, adapter="none", address="none"),
    },
    assets={
        asset.id: asset
        for asset in (
            _asset(ETH, "ETH", 18),
            _asset(BTC, "BTC", 8),
            _asset(ATOM, "ATOM", 6),
            _asset(BNB_COIN, "BNB", 18),
            _asset(USDT, "USDT", 6),
            _asset(USDT_BNB, "USDT", 18, AssetClass.BRIDGED),
            _asset(STRANGE, "CAT", 0),
        )
    },
    exchanges={
        "acme": Exchange(
            name="acme",
            title="Acme",
            messages=(MESSAGE,),
            networks=(
                NetworkRule(network="ETH", chain=EVM, schemes=("okx-evm",)),
                NetworkRule(network="BSC", chain=BNB, schemes=("okx-evm",)),
                NetworkRule(network="BTC", chain=BITCOIN, schemes=("okx-utxo",)),
                NetworkRule(network="COSMOS", chain=NAMED, schemes=("unheard-of",)),
            ),
            labels=(
                Label(asset="ETH", id=ETH),
                Label(asset="BTC", id=BTC),
                Label(asset="ATOM", id=ATOM),
                Label(asset="USDT", id=USDT),
                Label(asset="USDT", id=USDT_BNB),
                Label(asset="CAT", id=STRANGE),
                Label(asset="USDT-ERC20", id=USDT),
            ),
        )
    },
    aliases={},
    schemes={"eip155": ("eip191",)},
    digest="w",
)


def claim(row: int, address: str = ACCOUNT_A, amount: str = "1", **more: Any) -> dict[str, Any]:
    """One published row of ether on Ethereum, where ``more`` says nothing else."""
    return {
        "row": row,
        "kind": RowKind.CLAIM.value,
        "exchange": "",
        "network": "ETH",
        "asset": "ETH",
        "type": "",
        "address": address,
        "amount": amount,
        "height": str(HEIGHT),
        "message": "",
        "signatures": [],
        "script": "",
        "public_key": "",
        "owners": [],
        "scheme": "",
        "problem": "",
        **more,
    }


def examined(
    claims: Sequence[Mapping[str, Any]],
    *,
    exchange: str = "acme",
    messages: tuple[str, ...] | None = None,
    batch: int = 0,
    heights: Mapping[str, int] | None = None,
    replaces: bool = False,
) -> tuple[pa.Table, pa.Table]:
    """Examine rows as the workers do; returns what the recount reads of them."""
    reading = Reading(
        world=WORLD,
        exchange=exchange,
        messages=messages,
        heights=Heights(at=heights or {}, replaces=replaces),
    )
    step = batch or max(len(claims), 1)
    source = [
        pa.RecordBatch.from_pylist(list(claims[i : i + step]), schema=CLAIMS)
        for i in range(0, max(len(claims), 1), step)
    ]
    pairs = examine(source, reading, processes=1)
    found, signatures = zip(*pairs, strict=True)
    return (
        pa.Table.from_batches(found).select(CLAIM_COLUMNS),
        pa.Table.from_batches(signatures).select(SIGNATURE_COLUMNS),
    )


def with_signatures(
    table: pa.Table, verdicts: Mapping[int, tuple[str, str]], *signers: str, pinned: bool = True
) -> pa.Table:
    """Replace the signature results at some places by (status, reason) with these signers."""
    rows = table.to_pylist()
    for place, (status, reason) in verdicts.items():
        rows[place] = {
            "status": status,
            "reason": reason,
            "signers": list(signers),
            "pinned": pinned,
            "silent": [],
            "asked": b"",
        }
    return pa.Table.from_pylist(rows, schema=table.schema)


def questions(
    kind: QueryKind, asset: AssetId, accounts: Sequence[bytes], height: int = HEIGHT
) -> Questions:
    return Questions(
        kind=kind,
        chain=ChainId(asset.partition("/")[0]),
        height=height,
        asset=asset,
        accounts=tuple(accounts),
    )


def columns(
    said: Mapping[int, int | str | Gap],
    positions: Sequence[int] | None = None,
    *,
    endpoint: str = "one",
    subjects: Mapping[int, bytes] | None = None,
    parts: Mapping[int, tuple[Part, ...]] | None = None,
    extract: int = 0,
) -> AnswerColumns:
    """Collect answers by place: units, facts (a text) or a Gap; what is not said stays open."""
    found = AnswerColumns(positions if positions is not None else range(len(said)))
    places = list(said)
    found.add(
        Answers(
            positions=places,
            units=[
                None if isinstance(value, Gap) else 0 if isinstance(value, str) else value
                for value in said.values()
            ],
            source=Source.SINGLE,
            method=Method.STATE,
            endpoint=endpoint,
            gaps={i: value for i, value in enumerate(said.values()) if isinstance(value, Gap)},
            facts={i: value for i, value in enumerate(said.values()) if isinstance(value, str)},
            subjects={places.index(place): value for place, value in (subjects or {}).items()},
            parts={places.index(place): value for place, value in (parts or {}).items()},
        ),
        extract,
    )
    return found


def shard(
    kind: QueryKind,
    asset: AssetId,
    said: Mapping[bytes, int | str | Gap] | None,
    *,
    accounts: Sequence[bytes] = (),
    height: int = HEIGHT,
    subjects: Mapping[bytes, bytes] | None = None,
) -> tuple[ShardEntry, Questions, MergedShard | None]:
    """One shard with its answers by account; ``None`` leaves it unanswered."""
    order = sorted(said) if said is not None else sorted(accounts)
    asked = questions(kind, asset, order, height)
    entry = ShardEntry(
        digest=shard_digest(asked, "block"),
        kind=kind.value,
        chain=asked.chain,
        height=height,
        asset=asset,
        questions=len(order),
    )
    if said is None:
        return entry, asked, None
    table = columns(
        {i: said[account] for i, account in enumerate(order)},
        subjects={order.index(account): other for account, other in (subjects or {}).items()},
    ).table(asked)
    return entry, asked, merge([table], [1], entry.digest)


def balances(
    asset: AssetId, said: Mapping[bytes, int | str | Gap], **more: Any
) -> tuple[ShardEntry, Questions, MergedShard | None]:
    return shard(QueryKind.BALANCE, asset, said, **more)


def ledger_row(row: int, **more: Any) -> dict[str, Any]:
    """One ledger row: an owned ether row of 1, observed as claimed."""
    fields: dict[str, Any] = {
        "row": row,
        "kind": RowKind.CLAIM.value,
        "network": "ETH",
        "asset": "ETH",
        "address": ACCOUNT_A,
        "amount": "1",
        "chain": EVM,
        "asset_id": ETH,
        "counts_as": "ETH",
        "asset_class": "native",
        "decimals": 18,
        "height": HEIGHT,
        "claimed": str(10**18),
        "observed": str(10**18),
        "gap": "",
        "status": "bound",
        "reason": "key-derives-address",
        "validity": "valid",
        "group": row,
        "shard": "",
        "attempt": 0,
        "extract": -1,
        **more,
    }
    if "observed" not in more and "claimed" in more:
        fields["observed"] = fields["claimed"]
    if fields["observed"] is None and not fields["gap"]:
        fields["gap"] = "timeout"
    return fields


def ledger_of(*rows: Mapping[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=LEDGER)


def judged(
    ledger: pa.Table, policy: Policy | None = None, rounding: Rounding = EXACT
) -> tuple[Scales, list[Alike], dict[str, CoinTotals]]:
    """Judge a ledger's rows and add them up."""
    scale = scales([ledger])
    policy = policy or Policy()
    chosen = chosen_in_conflict([ledger]) if policy.conflict == "smaller" else frozenset()
    rows = list(judged_rows(ledger, policy, rounding, scale, chosen))
    return scale, rows, added(rows)


def added(rows: Iterable[Alike]) -> dict[str, CoinTotals]:
    """Add rows up as the recount does."""
    totals = Totals()
    for row in rows:
        totals.add(row)
    return totals.by_coin()
