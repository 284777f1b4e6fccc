"""The report as data: what ``report.json`` holds, field by field.

``Report`` = ``result`` + ``circumstances``. ``result`` is byte-identical over resume,
replay and cluster: it holds nothing that depends on when, how often or of whom we asked.
``circumstances`` holds exactly that. Amounts are decimal strings in coin units, exact,
without exponent; shares and ratios are percent strings cut (never rounded up) at four
places; ``null`` means "cannot be said", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

SCHEMA = "recount/report/1"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rows added up. ``observed`` and ``difference`` cover only the rows that were observed.

    They are null where no row was.
    """

    rows: int
    claimed: str
    observed: str | None
    difference: str | None


class OwnershipGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one ownership status and reason."""

    status: str
    reason: str
    rows: int
    claimed: str


class NetworkLine(msgspec.Struct, frozen=True, kw_only=True):
    """One asset on one network, by class (native, bridged, wrapped, receipt, self-issued)."""

    network: str
    chain: str
    asset_id: str
    asset_class: str
    rows: int
    claimed: str
    observed: str | None
    owned: str | None
    unobserved: str


class AssetLine(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one published coin.

    ``claimed``: valid rows, repeats once, conflicts and bad amounts left out.
    ``observed``: what the chains hold for those rows. ``owned``: the part of ``observed``
    whose rows are valid and bound or controlled; both are null where no row was observed.
    ``unobserved``: claimed amount of rows that could not be looked at. ``excluded``: that of rows
    that do not count, repeats or in conflict. ``coverage``: observed rows' share of the claimed
    amount.
    ``sources``: the observed amount by who answered and how (``quorum/state``, …).
    ``verdict``: ``stands``, ``shortfall``, ``surplus``, ``incomplete`` or ``not-looked-at``.
    """

    asset: str
    verdict: str
    rows: int
    claimed: str
    observed: str | None
    owned: str | None
    unobserved: str
    excluded: str
    coverage: str | None
    owned_share: str | None
    reconciliation: Mapping[str, Group]
    ownership: tuple[OwnershipGroup, ...]
    networks: tuple[NetworkLine, ...]
    classes: Mapping[str, Group]
    sources: Mapping[str, str]


class TotalCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list's own totals section against the rows and the recount.

    ``verdict``: ``equal``, ``rounding`` (equal within the published precision),
    ``differs``, ``no-rows``, or ``unclear`` where rows of unknown labels stand in the way.
    ``recounted`` is null while a row under the label was not observed or is in conflict.
    """

    row: int
    label: str
    stated: str
    rows_sum: str | None
    recounted: str | None
    difference: str | None
    verdict: str


class RatioLine(msgspec.Struct, frozen=True, kw_only=True):
    """Reserve ratio of one coin, three ways, in percent.

    ``claimed``: the exchange's claimed assets; ``recounted``: what the chains hold;
    ``owned``: the same, owned rows only. ``lower_bound`` is true while something could
    not be observed. ``stated`` is what the exchange published, where a statement was given.
    """

    asset: str
    liabilities: str | None
    trust: str
    source: str
    as_of: str
    claimed: str | None
    recounted: str | None
    owned: str | None
    stated: str | None
    implied_liabilities: str | None
    lower_bound: bool


class ShareLine(msgspec.Struct, frozen=True, kw_only=True):
    """What the shares observed of one token at one height are worth in another asset.

    A figure beside the totals: the shares count as ``asset`` and are converted nowhere.
    ``worth`` = ``observed`` times ``rate`` / 10^``scale`` in base units, rounded down, in coin
    units of ``of_asset``; ``rate`` is what ``call`` answered at the pinned block. Both are null,
    with the reason in ``gap``, where the rate could not be read.
    """

    asset_id: str
    network: str
    asset: str
    height: int
    rows: int
    observed: str
    call: str
    scale: int
    rate: str | None
    of_asset_id: str
    of_asset: str
    worth: str | None
    gap: str


class StatementCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the exchange stated. ``verdict``: ``holds``, ``fails`` or ``cannot-tell``."""

    what: str
    stated: str
    found: str | None
    verdict: str
    note: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of thing that a reader must know.

    ``about``: ``exchange`` (the list or the chains contradict it; an equal repeat, ``repeat-of``,
    as well, though it proves nothing), ``recount`` (we could not look) or ``note``. ``code`` is
    ``kind`` or ``kind:reason``. ``rows`` are physical lines, the first hundred; ``count`` is all of
    them. ``amounts`` maps coin to amount.
    """

    about: str
    code: str
    sentence: str
    count: int
    rows: tuple[int, ...]
    amounts: Mapping[str, str]


class MessageLine(msgspec.Struct, frozen=True, kw_only=True):
    """One signed text. ``text`` is cut at 200 characters.

    ``dated``: ``time``, ``date``, ``block``, ``year`` or ``undated``. ``expected``: whether the
    configuration expects it, null where it pins none. ``schemes`` counts rows by the scheme that
    verified (``not verified`` where none did); ``claimed`` maps coin to amount.
    """

    text: str
    dated: str
    expected: bool | None
    rows: int
    schemes: Mapping[str, int]
    claimed: Mapping[str, str]


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """One row that does not stand. ``claimed``/``observed``/``difference`` in coin units."""

    row: int
    kind: str
    reason: str
    asset: str
    label: str
    network: str
    address: str
    claimed: str
    observed: str | None
    difference: str | None


class SnapshotLine(msgspec.Struct, frozen=True, kw_only=True):
    """One pinned moment. ``time`` is Unix seconds as the block states, 0 where unknown."""

    chain: str
    name: str
    height: int
    block_hash: str
    time: int


class ListFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The published file and where each of its physical lines went."""

    name: str
    sha256: str
    dialect: str
    exchange: str
    lines: Mapping[str, int]
    validity: Mapping[str, int]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the run ends: exit code, and each policy rule with what was found."""

    exit_code: int
    sentences: tuple[str, ...]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. Sorted throughout; nothing in it depends on the way there."""

    schema: str
    list: ListFacts
    policy: Mapping[str, object]
    config_sha256: str
    snapshots: tuple[SnapshotLine, ...]
    assets: tuple[AssetLine, ...]
    totals: tuple[TotalCheck, ...]
    ratios: tuple[RatioLine, ...]
    statement: tuple[StatementCheck, ...]
    shares: tuple[ShareLine, ...]
    messages: tuple[MessageLine, ...]
    messages_left_out: int
    findings: tuple[Finding, ...]
    discrepancies: tuple[Discrepancy, ...]
    discrepancies_left_out: int
    does_not_prove: tuple[str, ...]
    outcome: Outcome


class EndpointLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint did in this run. ``troubles`` are reason codes with counts."""

    name: str
    chain: str
    role: str
    url: str
    used: bool
    rejected: str
    troubles: Mapping[str, int]
    requests: int


class EvidencePointer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the raw exchange behind a discrepancy lies: pack file and digest of the exchange."""

    row: int
    pack: str
    sha256: str


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """When, how and of whom it was asked.

    ``carried``: the earlier ``run`` whose signature results were used again, and for how many
    ``rows``; empty where none were.
    """

    run: str
    started: str
    finished: str
    versions: Mapping[str, str]
    attempts: int
    endpoints: tuple[EndpointLine, ...]
    evidence: tuple[EvidencePointer, ...]
    carried: Mapping[str, str | int] = {}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``report.json``."""

    result: Result
    circumstances: Circumstances
