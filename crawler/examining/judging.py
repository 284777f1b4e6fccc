"""What the labels of a row mean, and what its signatures show: one distinct row at a time.

``Meanings`` resolves labels; ``Judge`` decodes addresses and checks signatures. Whoever calls them
passes distinct work only; how rows become work and verdicts become columns again is for
``ownership``.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from chains import addresses, signatures
from chains.model import ChainSpec, Ownership
from crawler.examining.labels import (
    Resolved,
    chain_named,
    resolve,
    resolve_generic,
    resolve_generic_of,
)
from crawler.model import CLAIMS, NO_HEIGHT, Asset, Exchange, RowKind
from crawler.settings import Heights, World
from crawler.tables.memory import collect_rarely

UNKNOWN_DECIMALS = 36
"""Amounts of unknown assets are added up at this scale; it is never compared with a chain."""
UNRESOLVED = " (unresolved)"
"""Marks the coin of a label that is not known: it must not fall in with a coin of that name."""
LONGEST_DETAIL = 200

VERDICTS = pa.schema(
    [
        pa.field("account", pa.binary(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("scheme", pa.string(), nullable=False),
        pa.field("keys", pa.list_(pa.binary()), nullable=False),
        pa.field("signers", pa.list_(pa.string()), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("pinned", pa.bool_(), nullable=False),
        pa.field("silent", pa.list_(pa.string()), nullable=False),
        pa.field("asked", pa.binary(), nullable=False),
        pa.field("carried", pa.bool_(), nullable=False),
    ]
)
"""What a task ends in: ``Verdict``, with the account in front."""


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


class Verdict(msgspec.Struct, frozen=True):
    """What the signatures of one row show."""

    status: str
    reason: str
    scheme: str = ""
    keys: tuple[bytes, ...] = ()
    signers: tuple[str, ...] = ()
    detail: str = ""
    pinned: bool = True
    silent: tuple[str, ...] = ()
    asked: bytes = b""
    carried: bool = False


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of a row mean; shared by all rows with the same labels.

    ``most`` is how many base units one account can hold at all; a claim beyond it is no amount.
    ``expected`` are the texts that may be signed, ``None`` where none is pinned. Rows of one
    ``group`` are judged alike: what their labels say beyond it does not bear on signatures.
    """

    resolved: Resolved
    spec: ChainSpec | None
    counts_as: str
    asset_class: str
    decimals: int
    most: int
    expected: tuple[str, ...] | None
    group: str


MOST_UNITS = 2**256 - 1
"""No account of any chain holds more base units of anything."""


def _most(asset: Asset | None) -> int:
    """Return the most base units of an asset that can exist, by its protocol's own bound."""
    if asset is None or not asset.max_supply:
        return MOST_UNITS
    units: int = asset.max_supply * 10**asset.decimals
    return min(MOST_UNITS, units)


class Meanings:
    """Resolves labels for one list."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._world = reading.world
        self.of = lru_cache(maxsize=65536)(self._find)

    def _find(self, exchange: str, network: str, asset: str, row_type: str) -> Meaning:
        whose = self._exchange(exchange)
        is_generic = not self._reading.exchange
        if whose is not None:
            resolve_row = resolve_generic_of if is_generic else resolve
            resolved = resolve_row(self._world, whose, asset, network, row_type)
        elif is_generic:
            resolved = resolve_generic(self._world, asset, network)
        else:
            resolved = Resolved(reason="unknown-network")
        known = self._world.assets.get(resolved.asset) if resolved.asset else None
        spec = self._world.chains.get(resolved.chain) if resolved.chain else None
        expected = self._reading.messages
        if expected is None and whose is not None:
            expected = whose.messages
        reason = "" if spec is not None else resolved.reason
        return Meaning(
            resolved=resolved,
            spec=spec,
            counts_as=known.counts_as if known else (asset or network or "no label") + UNRESOLVED,
            asset_class=known.asset_class.value if known else "unknown",
            decimals=known.decimals if known else UNKNOWN_DECIMALS,
            most=_most(known),
            expected=expected,
            group=repr((_kind_of_chain(spec), resolved.schemes, reason, expected)),
        )

    def _exchange(self, named: str) -> Exchange | None:
        return self._world.exchanges.get((self._reading.exchange or named).lower())

    def height(self, text: str, network: str, asset: str, meaning: Meaning) -> int | None:
        """Return the height at which a row holds: the list's own, or one that was given."""
        text = text.strip()
        usable = text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004 - int64
        published = int(text) if usable else None
        if published is not None and not self._reading.heights.replaces:
            return published
        if text not in NO_HEIGHT and not usable and not self._reading.heights.replaces:
            return None  # the list does say a height, in a form that we cannot read
        given = self._given_height(network, asset, meaning)
        return published if given is None else given

    def _given_height(self, network: str, asset: str, meaning: Meaning) -> int | None:
        given = self._reading.heights.at
        for key in (network, meaning.resolved.chain or "", asset):
            if key in given:
                return given[key]
        for label, height in given.items():
            if meaning.resolved.chain and chain_named(self._world, label) == meaning.resolved.chain:
                return height
        return None


def _kind_of_chain(spec: ChainSpec | None) -> object:
    """Return what a signature check may take from the chain.

    An account of an EVM chain is the same key on all of them: a signature that stands beside
    one address on several chains is checked once. Elsewhere the chain itself may matter.
    """
    if spec is None:
        return None
    if spec.address == "evm" and spec.namespace == "eip155":
        return "evm", sorted(spec.address_params.items())
    return spec.id


class _Task(NamedTuple):
    """A row of ``TASKS``."""

    kind: str
    problem: str
    exchange: str
    network: str
    asset: str
    type: str
    address: str
    message: str
    signatures: list[str]
    script: str
    public_key: str
    owners: list[str]
    scheme: str


TASKS = pa.schema([CLAIMS.field(name) for name in _Task._fields])
"""The columns of ``CLAIMS`` on which a verdict rests."""


class Judge:
    """Checks the signatures of distinct rows."""

    def __init__(self, meanings: Meanings) -> None:
        self._meanings = meanings

    def judge(self, tasks: pa.RecordBatch) -> pa.RecordBatch:
        """Return one row of ``VERDICTS`` for each of ``TASKS``, in order."""
        columns = [tasks.column(name).to_pylist() for name in TASKS.names]
        accounts: list[bytes] = []
        verdicts: list[Verdict] = []
        for task in map(_Task, *columns):
            account, found, pinned = self._before_signatures(task)
            accounts.append(account)
            if not isinstance(found, Verdict):
                found = _judge_signed(found, pinned=pinned)
            verdicts.append(found)
        return _columns(accounts, verdicts)

    def _before_signatures(
        self, task: _Task
    ) -> tuple[bytes, Verdict | signatures.SignedAddress, bool]:
        """Return the account, then the verdict or what is left to check, then if pinned."""
        if task.kind == RowKind.MALFORMED:
            cut = task.problem[:LONGEST_DETAIL]
            return b"", Verdict("refuted", "malformed-row", detail=cut), True
        meaning = self._meanings.of(task.exchange, task.network, task.asset, task.type)
        spec = meaning.spec
        if spec is None:
            reason = meaning.resolved.reason or "unknown-network"
            return b"", Verdict("unsupported", reason), True
        try:
            account = addresses.decode(spec, task.address)
        except addresses.AddressError as error:
            status = "unsupported" if error.code == "unsupported-address-type" else "refuted"
            return b"", Verdict(status, error.code, detail=str(error)[:LONGEST_DETAIL]), True
        if not task.signatures or not any(task.signatures):
            return account, Verdict("unsigned", "no-signature"), True
        return account, _to_check(task, meaning, spec, account), meaning.expected is not None


def _to_check(
    task: _Task, meaning: Meaning, spec: ChainSpec, account: bytes
) -> Verdict | signatures.SignedAddress:
    """Return what is left to check of a signed row, or the verdict where its text forbids it."""
    if not task.message:
        return Verdict("refuted", "missing-message")
    if meaning.expected is not None and task.message not in meaning.expected:
        return Verdict("refuted", "unexpected-message", detail=task.message[:LONGEST_DETAIL])
    schemes = (task.scheme,) if task.scheme else meaning.resolved.schemes
    if not schemes:
        return Verdict("unsupported", "unsupported-scheme")
    return signatures.SignedAddress(
        spec=spec,
        address=task.address,
        account=account,
        message=task.message,
        signatures=tuple(task.signatures),
        schemes=schemes,
        script=task.script,
        public_key=task.public_key,
        owners=tuple(task.owners),
    )


def _judge_signed(row: signatures.SignedAddress, *, pinned: bool) -> Verdict:
    try:
        outcome = signatures.judge(row)
    except signatures.Refused as refused:
        return Verdict("refuted", refused.code, detail=refused.message[:LONGEST_DETAIL])
    except signatures.Unsupported as unsupported:
        return Verdict("unsupported", unsupported.code, detail=unsupported.message[:LONGEST_DETAIL])
    return Verdict(
        outcome.status.value,
        reason_of(outcome.status, outcome.reason, is_pinned=pinned),
        outcome.scheme,
        outcome.keys,
        outcome.signers,
        outcome.detail[:LONGEST_DETAIL],
        pinned,
        outcome.silent,
        outcome.asked,
    )


def reason_of(status: Ownership, reason: str, *, is_pinned: bool) -> str:
    """Return the reason to give: a binding signature of a text that nobody expects says so."""
    return reason if is_pinned or status is not Ownership.BOUND else "message-not-pinned"


def _columns(accounts: list[bytes], verdicts: list[Verdict]) -> pa.RecordBatch:
    columns: list[list[Any]] = [
        accounts,
        *([getattr(verdict, name) for verdict in verdicts] for name in VERDICTS.names[1:]),
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, VERDICTS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=VERDICTS)


_judge: Judge | None = None


def compressed(reading: Reading) -> bytes:
    """Return a ``Reading`` for ``start_worker``, small enough to wait in a pipe."""
    return zlib.compress(msgspec.json.encode(reading))


def start_worker(packed: bytes) -> None:
    """Make this process ready for ``work``; ``packed`` is what ``compressed`` returned."""
    global _judge  # noqa: PLW0603 - one per worker process, set once by the pool
    collect_rarely()
    _judge = Judge(Meanings(unpacked(packed)))


def unpacked(packed: bytes) -> Reading:
    """Return the ``Reading`` that ``compressed`` packed."""
    return msgspec.json.decode(zlib.decompress(packed), type=Reading)


def work(tasks: pa.Buffer) -> pa.Buffer:
    """Judge tasks in a worker process; both sides travel as one Arrow message of their rows."""
    if _judge is None:
        raise RuntimeError("the worker was not initialised")
    return message(_judge.judge(read_message(tasks, TASKS)))


def message(batch: pa.RecordBatch) -> pa.Buffer:
    """Return the rows of a batch as bytes, without those that a slice leaves out.

    As a buffer they can be pickled without being copied.
    """
    return batch.serialize()


def read_message(sent: pa.Buffer, schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows that ``message`` made to bytes."""
    return pa.ipc.read_record_batch(sent, schema)
