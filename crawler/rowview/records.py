"""One row of a run as data: what ``recount report RUN --row N --json`` prints.

Amounts are decimal texts, exact, in base units and in coin units; ``null`` means "not known", never
zero. Bytes are hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chains.workings import Clock, Rule

FORMAT = "recount/row/1"


class Amount(msgspec.Struct, frozen=True):
    """One amount, in base units and in coin units."""

    base: str
    coin: str


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What the list says. ``signatures`` counts them; ``problem``: why the row is malformed."""

    row: int
    kind: str
    exchange: str
    network: str
    asset: str
    type: str
    address: str
    amount: str
    height: str
    message: str
    signatures: int
    owners: tuple[str, ...]
    scheme: str
    problem: str


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What recount took the row for. ``address`` is the account in its chain's canonical text."""

    chain: str
    chain_name: str
    asset_id: str
    asset_class: str
    counts_as: str
    decimals: int
    account: str
    address: str
    height: int | None
    claimed: Amount | None


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange in a pack: ``pack`` and ``sha256`` are those of ``circumstances.evidence``.

    ``line`` of the unpacked file, from 1; ``place`` in that line's ``exchanges``, from 0.
    ``names_account``: request or answer contains the address, the account's bytes as hex, or the
    hash by which an Electrum server knows a script.
    """

    pack: str
    line: int
    place: int
    sha256: str
    endpoint: str
    method: str
    path: str
    status: int
    failure: str
    names_account: bool


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The extract that answers: its line in the pack, the rule that reads it, its exchanges."""

    pack: str
    line: int
    decoder: str
    answers: int
    exchanges: tuple[Pointer, ...]


class MovementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that changed a balance; ``at`` as ``WorkingLines.clock`` counts."""

    units: Amount | None
    at: int
    id: str
    what: str
    found: Amount | None
    left: Amount | None


class WorkingLines(msgspec.Struct, frozen=True, kw_only=True):
    """How the balance of another moment became that of the height (``chains.workings``).

    ``came`` and ``went`` are the sums of ``movements``, both without sign.
    """

    rule: Rule
    of: str
    clock: Clock
    at: int
    start: Amount | None
    start_at: int | None
    movements: tuple[MovementLine, ...]
    came: Amount
    went: Amount
    last: MovementLine | None
    result: Amount
    shown: str
    whole: bool


class PartLine(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a balance, and whether it belongs to the total."""

    kind: str
    units: Amount
    counted: bool


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The pinned block; ``reason`` where there is none. ``evidence`` is the pack of its pin."""

    chain: str
    height: int
    block_hash: str
    time: int
    reason: str
    endpoints: tuple[str, ...]
    rejected: Mapping[str, str]
    evidence: str


class AnswerLines(msgspec.Struct, frozen=True, kw_only=True):
    """One question that was asked about the row, and its answer as the evidence gives it.

    ``stands``: this answer gave the row its balance, or its gap. ``shard`` begins with
    ``captured/`` where the answer is another run's. ``attempt`` of ``attempts``; 0 where nobody
    was asked. ``facts`` is what was shown about control or the asset.
    """

    kind: str
    asset: str
    height: int
    account: str
    subject: str
    shard: str
    round: int
    position: int
    attempt: int
    attempts: int
    stands: bool
    units: str | None
    facts: Any
    source: str
    method: str
    endpoint: str
    gap: str
    detail: str
    evidence: Evidence | None
    witness: Evidence | None


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict. ``before`` is status and reason before the chain was asked about control.

    ``rests_on`` are the answers about control on which it rests.
    """

    status: str
    reason: str
    sentence: str
    before: tuple[str, str]
    scheme: str
    variant: str
    keys: tuple[str, ...]
    signers: tuple[str, ...]
    silent: tuple[str, ...]
    expected_text: bool
    carried: bool
    rests_on: tuple[AnswerLines, ...]


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain holds for the account. ``sum`` is that of the counted parts."""

    parts: tuple[PartLine, ...]
    sum: Amount
    workings: tuple[WorkingLines, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the row.

    ``same_account`` are the other rows about this account and asset. ``tolerance``: the largest
    difference that the list's rounding may explain. ``added`` maps what the row adds (``claimed``,
    ``recounted``, ``owned``, ``unobserved``, ``excluded``) to amounts, ``coin_totals`` the same
    words to the coin's totals in ``report.json``, in coin units.
    """

    observed: Amount | None
    source: str
    method: str
    gap: str
    gap_sentence: str
    reconciliation: str
    difference: Amount | None
    tolerance: Amount
    validity: str
    same_account: tuple[int, ...]
    counts: bool
    owned: bool
    added: Mapping[str, Amount]
    coin_totals: Mapping[str, str | None]


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one row of a finished run."""

    format: str
    run: str
    list_name: str
    list_sha256: str
    published: Published
    meaning: Meaning
    ownership: Ownership
    moment: Moment | None
    answers: tuple[AnswerLines, ...]
    balance: Balance | None
    outcome: Outcome
