"""Claims to canonical rows and signature results, in bulk.

Each batch of claims goes to a worker process, which resolves its labels, decodes its addresses,
turns its amounts into base units and judges its signatures, and comes back as two batches:
the claims with what they mean (``EXAMINED``) and the signature results (``SIGNATURES``). The work
is offline and deterministic; results keep the order of the list.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa

from chains import addresses, signatures
from chains.model import ChainSpec, Ownership
from crawler.labels import Resolved, chain_named, resolve, resolve_generic
from crawler.lists.amounts import AmountError, parse_amount
from crawler.model import CLAIMS, Exchange, RowKind
from crawler.settings import Heights, World

EXAMINED = pa.schema(
    [
        *CLAIMS,
        pa.field("chain", pa.string(), nullable=False),  # CAIP-2, "" where unknown
        pa.field("asset_id", pa.string(), nullable=False),  # CAIP-19, "" where unknown
        pa.field("counts_as", pa.string(), nullable=False),  # coin; the label where unknown
        pa.field("asset_class", pa.string(), nullable=False),  # "unknown" where unknown
        pa.field("decimals", pa.int16(), nullable=False),
        pa.field(
            "account", pa.binary(), nullable=False
        ),  # canonical bytes, empty where undecodable
        pa.field("units", pa.string(), nullable=True),  # claimed base units; null: no usable amount
        pa.field("at_height", pa.int64(), nullable=True),
    ]
)
"""``CLAIMS`` and what each row means."""

SIGNATURES = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("scheme", pa.string(), nullable=False),
        pa.field("keys", pa.list_(pa.binary()), nullable=False),
        pa.field("signers", pa.list_(pa.string()), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("pinned", pa.bool_(), nullable=False),  # the text is one that was expected
    ]
)
"""What the signatures of each row show; final but for control on chain."""

UNKNOWN_DECIMALS = 18
"""Amounts of unknown assets are added up at this scale; it is never compared with a chain."""
LONGEST_DETAIL = 200


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a worker needs besides the claims.

    ``exchange`` is whose list it is, ``""`` for a generic table. ``messages`` replace the
    exchange's expected texts where given. ``heights`` fill in what the list does not say, or
    replace what it says where they declare so.
    """

    world: World
    exchange: str
    messages: tuple[str, ...] | None = None
    heights: Heights = Heights()


def examine(
    batches: Iterable[pa.RecordBatch], reading: Reading, *, processes: int | None = None
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield (``EXAMINED``, ``SIGNATURES``) for each batch of claims, in order."""
    processes = processes or os.cpu_count() or 1
    waiting: deque[Future[tuple[pa.RecordBatch, pa.RecordBatch]]] = deque()
    source = iter(batches)
    first = next(source, None)
    if first is None:
        return
    second = next(source, None)
    if second is None or processes == 1:
        examiner = Examiner(reading)
        yield examiner.examine(first)
        if second is not None:
            yield examiner.examine(second)
        yield from (examiner.examine(batch) for batch in source)
        return
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(msgspec.json.encode(reading),),
    ) as pool:
        for batch in (first, second):
            waiting.append(pool.submit(_work, batch))
        for batch in source:
            waiting.append(pool.submit(_work, batch))
            if len(waiting) > processes + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_examiner: Examiner | None = None


def _start_worker(encoded: bytes) -> None:
    global _examiner  # noqa: PLW0603 - one per worker process, set once by the pool
    _examiner = Examiner(msgspec.json.decode(encoded, type=Reading))


def _work(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    if _examiner is None:
        raise RuntimeError("the worker was not initialised")
    return _examiner.examine(batch)


class Verdict(msgspec.Struct, frozen=True):
    """What the signatures of one row show."""

    status: str
    reason: str
    scheme: str = ""
    keys: tuple[bytes, ...] = ()
    signers: tuple[str, ...] = ()
    detail: str = ""
    pinned: bool = True


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of a row mean; shared by all rows with the same labels."""

    resolved: Resolved
    spec: ChainSpec | None
    counts_as: str
    asset_class: str
    decimals: int


class Examiner:
    """Examines batches for one list."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._world = reading.world
        self._meaning = lru_cache(maxsize=65536)(self._find_meaning)

    def examine(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Examine one batch of ``CLAIMS``."""
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        names = list(columns)
        meanings: list[Meaning] = []
        accounts: list[bytes] = []
        units: list[str | None] = []
        heights: list[int | None] = []
        verdicts: list[Verdict] = []
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(names, values, strict=True))
            meaning = self._meaning(row["exchange"], row["network"], row["asset"], row["type"])
            account, verdict = self._judge(row, meaning)
            meanings.append(meaning)
            accounts.append(account)
            verdicts.append(verdict)
            units.append(_units(row["amount"], meaning.decimals))
            heights.append(self._height(row, meaning))
        examined = pa.RecordBatch.from_arrays(
            [
                *batch.columns,
                pa.array([m.resolved.chain or "" for m in meanings], pa.string()),
                pa.array([m.resolved.asset or "" for m in meanings], pa.string()),
                pa.array([m.counts_as for m in meanings], pa.string()),
                pa.array([m.asset_class for m in meanings], pa.string()),
                pa.array([m.decimals for m in meanings], pa.int16()),
                pa.array(accounts, pa.binary()),
                pa.array(units, pa.string()),
                pa.array(heights, pa.int64()),
            ],
            schema=EXAMINED,
        )
        return examined, _signature_batch(columns["row"], verdicts)

    def _find_meaning(self, exchange: str, network: str, asset: str, row_type: str) -> Meaning:
        whose = self._exchange(exchange)
        generic = not self._reading.exchange
        if generic:
            resolved = resolve_generic(self._world, asset, network)
            if whose is not None:
                named = resolve(self._world, whose, asset, network, row_type)
                resolved = resolved if named.chain is None else named
        elif whose is None:
            resolved = Resolved(reason="unknown-network")
        else:
            resolved = resolve(self._world, whose, asset, network, row_type)
        known = self._world.assets.get(resolved.asset) if resolved.asset else None
        return Meaning(
            resolved=resolved,
            spec=self._world.chains.get(resolved.chain) if resolved.chain else None,
            counts_as=known.counts_as if known else asset or network,
            asset_class=known.asset_class.value if known else "unknown",
            decimals=known.decimals if known else UNKNOWN_DECIMALS,
        )

    def _exchange(self, named: str) -> Exchange | None:
        return self._world.exchanges.get((self._reading.exchange or named).lower())

    def _expected(self, row: Mapping[str, Any]) -> tuple[str, ...] | None:
        if self._reading.messages is not None:
            return self._reading.messages
        whose = self._exchange(row["exchange"])
        return whose.messages if whose is not None else None

    def _height(self, row: Mapping[str, Any], meaning: Meaning) -> int | None:
        text = row["height"].strip()
        usable = text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004 - int64
        published = int(text) if usable else None
        if published is not None and not self._reading.heights.replaces:
            return published
        given = self._given_height(row, meaning)
        return published if given is None else given

    def _given_height(self, row: Mapping[str, Any], meaning: Meaning) -> int | None:
        given = self._reading.heights.at
        for key in (row["network"], meaning.resolved.chain or "", row["asset"]):
            if key in given:
                return given[key]
        for label, height in given.items():
            if meaning.resolved.chain and chain_named(self._world, label) == meaning.resolved.chain:
                return height
        return None

    def _judge(self, row: Mapping[str, Any], meaning: Meaning) -> tuple[bytes, Verdict]:
        if row["kind"] == RowKind.MALFORMED:
            return b"", Verdict("refuted", "malformed-row", detail=row["problem"][:LONGEST_DETAIL])
        spec = meaning.spec
        if spec is None:
            return b"", Verdict("unsupported", meaning.resolved.reason or "unknown-network")
        try:
            account = addresses.decode(spec, row["address"])
        except addresses.AddressError as error:
            status = "unsupported" if error.code == "unsupported-address-type" else "refuted"
            return b"", Verdict(status, error.code, detail=str(error)[:LONGEST_DETAIL])
        if not row["signatures"] or not any(row["signatures"]):
            return account, Verdict("unsigned", "no-signature")
        return account, self._judge_signed(row, meaning, spec, account)

    def _judge_signed(
        self, row: Mapping[str, Any], meaning: Meaning, spec: ChainSpec, account: bytes
    ) -> Verdict:
        expected = self._expected(row)
        message = row["message"]
        if not message:
            return Verdict("refuted", "missing-message")
        if expected is not None and message not in expected:
            return Verdict("refuted", "unexpected-message", detail=message[:LONGEST_DETAIL])
        schemes = (row["scheme"],) if row["scheme"] else meaning.resolved.schemes
        if not schemes:
            return Verdict("unsupported", "unsupported-scheme")
        try:
            outcome = signatures.judge(
                signatures.SignedAddress(
                    spec=spec,
                    address=row["address"],
                    account=account,
                    message=message,
                    signatures=tuple(row["signatures"]),
                    schemes=schemes,
                    script=row["script"],
                    public_key=row["public_key"],
                    owners=tuple(row["owners"]),
                )
            )
        except signatures.Refused as refused:
            return Verdict("refuted", refused.code, detail=refused.message[:LONGEST_DETAIL])
        except signatures.Unsupported as unsupported:
            return Verdict(
                "unsupported", unsupported.code, detail=unsupported.message[:LONGEST_DETAIL]
            )
        pinned = expected is not None
        unpinned_bound = not pinned and outcome.status is Ownership.BOUND
        return Verdict(
            outcome.status.value,
            "message-not-pinned" if unpinned_bound else outcome.reason,
            outcome.scheme,
            outcome.keys,
            outcome.signers,
            outcome.detail[:LONGEST_DETAIL],
            pinned,
        )


def _units(text: str, decimals: int) -> str | None:
    try:
        return str(parse_amount(text, decimals))
    except AmountError:
        return None


def _signature_batch(rows: list[int], verdicts: list[Verdict]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [
            pa.array(rows, pa.int64()),
            pa.array([v.status for v in verdicts], pa.string()),
            pa.array([v.reason for v in verdicts], pa.string()),
            pa.array([v.scheme for v in verdicts], pa.string()),
            pa.array([v.keys for v in verdicts], pa.list_(pa.binary())),
            pa.array([v.signers for v in verdicts], pa.list_(pa.string())),
            pa.array([v.detail for v in verdicts], pa.string()),
            pa.array([v.pinned for v in verdicts], pa.bool_()),
        ],
        schema=SIGNATURES,
    )
