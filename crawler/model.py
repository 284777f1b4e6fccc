"""The words of the list side: claims, totals of the list, assets, policy.

Claims travel as Arrow record batches (``CLAIMS``), because lists have up to ten
million rows. ``Claim`` is the row view, for people and for tests. Text columns hold
exactly what was published; nothing is trimmed or folded.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
import pyarrow as pa

from chains.model import AssetId, ChainId


class RowKind(StrEnum):
    """What a physical row of the detail section is.

    ``signer``: carries only another row's signature (no amount and no height).
    ``malformed``: could not be split or lacks what the dialect requires; ``problem`` says why.
    """

    CLAIM = "claim"
    SIGNER = "signer"
    MALFORMED = "malformed"


CLAIMS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # physical line, 1-based
        pa.field("kind", pa.string(), nullable=False),  # RowKind
        pa.field("exchange", pa.string(), nullable=False),  # "" unless the row names one
        pa.field("network", pa.string(), nullable=False),  # label as published, "" where none
        pa.field("asset", pa.string(), nullable=False),  # label as published
        pa.field("type", pa.string(), nullable=False),  # OKX "Type", Binance's custodian, or ""
        pa.field("address", pa.string(), nullable=False),
        pa.field("amount", pa.string(), nullable=False),  # as published; "" where none
        pa.field("height", pa.string(), nullable=False),  # as published; "" where none
        pa.field("message", pa.string(), nullable=False),
        pa.field("signatures", pa.list_(pa.string()), nullable=False),  # null tokens removed
        pa.field("script", pa.string(), nullable=False),  # hex script, "" where none
        pa.field("public_key", pa.string(), nullable=False),
        pa.field("owners", pa.list_(pa.string()), nullable=False),
        pa.field("scheme", pa.string(), nullable=False),  # generic table only, else ""
        pa.field("problem", pa.string(), nullable=False),  # "" or why the row is malformed
    ]
)
"""One record per physical row of the detail section. No column is ever null."""

NO_HEIGHT = ("", "-")
"""Texts of ``height`` that give none; any other is a plain whole number or cannot be read."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``CLAIMS`` as a record."""

    row: int
    kind: RowKind
    exchange: str
    network: str
    asset: str
    type: str
    address: str
    amount: str
    height: str
    message: str
    signatures: tuple[str, ...]
    script: str
    public_key: str
    owners: tuple[str, ...]
    scheme: str
    problem: str


class ListedTotal(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list's totals section, as published. ``aggregate``: sums over networks."""

    row: int
    label: str
    height: str
    amount: str
    aggregate: bool


class LineAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Where every physical line of the file went. The counts add up to ``lines``.

    ``continuation`` counts lines swallowed by a quoted field that spans lines.
    ``sections`` counts what a merged archive member contributes, by member name.
    """

    lines: int
    header: int
    total: int
    blank: int
    claim: int
    signer: int
    malformed: int
    continuation: int = 0


class Rounding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a dialect rounds the amounts it publishes.

    ``places``: ``exact`` (as many digits as the asset has), ``as-written`` (the digits after
    the point that stand in the text) or a number of places; ``significant`` digits instead,
    where not 0. ``direction``: ``exact``, ``nearest``, ``down``, or ``unknown`` (either way,
    less than one unit of the last place).
    """

    places: str = "exact"
    significant: int = 0
    direction: str = "exact"


class AssetClass(StrEnum):
    """What kind of thing counts as the published coin."""

    NATIVE = "native"
    BRIDGED = "bridged"
    WRAPPED = "wrapped"
    RECEIPT = "receipt"
    SELF_ISSUED = "self-issued"


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the contract of a share token states what one share is worth.

    ``shares * rate // 10**scale`` are base units of the asset ``of``, where ``rate`` is what the
    function ``call`` answers: without arguments, or with ``10**scale`` shares as its only one.
    """

    of: AssetId
    call: str
    scale: int


class Asset(msgspec.Struct, frozen=True, kw_only=True, rename={"asset_class": "class"}):
    """A reviewed asset of ``config/assets.toml``.

    The class ``native`` also covers what its issuer issues there.
    ``symbol`` is what the contract itself answers, ``""`` where that is not confirmed (then only
    the decimals are compared on chain). ``counts_as`` is the published coin. ``max_supply`` is how
    many whole coins the protocol ever allows, 0 where it sets no bound that is sure: no account
    can hold more, at any height. ``share``: the token is a share in another asset, whose rate its
    contract states.
    """

    id: AssetId
    chain: ChainId
    symbol: str
    decimals: int
    counts_as: str
    asset_class: AssetClass
    source: str
    max_supply: int = 0
    share: Share | None = None


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a published asset label means on one chain.

    ``network`` is ``""`` where the label alone says it, as in ``USDT-TRC20``. Otherwise the
    rule holds only for rows whose network column names the chain of ``id``.
    """

    asset: str
    network: str = ""
    id: AssetId


def plain(text: str) -> str:
    """Return the form in which labels are compared when the exact text is not known."""
    return "_".join(text.replace("-", " ").replace("_", " ").upper().split())


class NetworkRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a published network label means: the chain, and the signing schemes in use there.

    ``network`` is ``""`` in lists without a network column: then the rule gives the schemes of
    every asset of ``chain``. ``type`` is the text of OKX's ``Type`` column where a row of that
    type stands on another chain than its network says (validators), ``""`` for plain rows.
    ``asset`` is an asset label whose rows do so, whatever the others of the network mean.
    """

    network: str = ""
    type: str = ""
    asset: str = ""
    chain: ChainId
    schemes: tuple[str, ...] = ()


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exchange of ``config/exchanges/``: texts it signs, labels it uses.

    ``messages_of`` names list dialects whose texts are others than ``messages``.
    ``plain_types`` are texts of the ``Type`` column that change nothing; ``*`` stands for all.
    """

    name: str
    title: str
    messages: tuple[str, ...]
    messages_of: Mapping[str, tuple[str, ...]] = {}
    networks: tuple[NetworkRule, ...]
    labels: tuple[Label, ...]
    plain_types: tuple[str, ...] = ("",)
    source: str = ""


class Validity(StrEnum):
    """Whether a row may count at all, apart from its ownership.

    Stored as text: ``repeat-of:N`` and ``conflict:N`` carry the other row's line.
    """

    VALID = "valid"
    REPEAT_OF = "repeat-of"
    CONFLICT = "conflict"
    BAD_AMOUNT = "bad-amount"
    SIGNER_ROW = "signer-row"


class Reconciliation(StrEnum):
    """Claimed against observed."""

    MATCH = "match"
    SURPLUS = "surplus"
    SHORTFALL = "shortfall"
    UNOBSERVED = "unobserved"
