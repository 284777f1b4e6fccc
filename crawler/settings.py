"""Finds and loads what is configured: chains, assets, exchanges, policy, statements, heights.

In a checkout the directory ``config`` beside the ``crawler`` package is read; an installed wheel
carries the same files as ``crawler/_config``. ``World`` holds them all, checked against each
other: every asset stands on a declared chain, every label means a declared asset. Files given as
``extra`` add chains, assets and exchanges (regtest chains, the demo) and may replace one only if
they say so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import msgspec

from chains import signatures
from chains.errors import ConfigError
from chains.model import AssetId, ChainId, ChainSpec
from crawler import declarations
from crawler.declarations import fault, quoted
from crawler.model import Asset, AssetClass, Exchange, Share, plain


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is declared about chains, assets and exchanges.

    ``aliases`` maps other names of chains (in the form of ``model.plain``) to their ids,
    ``schemes`` a CAIP-2 namespace to the signing schemes of generic tables. ``digest`` is the
    SHA-256, in hex, over the files it was made from.
    """

    chains: Mapping[ChainId, ChainSpec]
    assets: Mapping[AssetId, Asset]
    exchanges: Mapping[str, Exchange]
    aliases: Mapping[str, ChainId]
    schemes: Mapping[str, tuple[str, ...]]
    digest: str


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run must reach. Shares are decimal texts between 0 and 1.

    ``owned_counts``: which of the proven statuses count as owned; no policy may count others.
    ``conflict``: which of two rows of one account and asset with different amounts counts. A
    difference between claimed and observed is put down to rounding only within both caps:
    ``max_rounding_last_places`` units of the last published place and ``max_rounding_share`` of
    the claimed amount.
    """

    refuted_allowed: int = 0
    min_observed_share: str = "0.95"
    owned_counts: tuple[Literal["bound", "controlled"], ...] = ("bound", "controlled")
    count_unpinned_messages: bool = False
    conflict: Literal["neither", "smaller"] = "neither"
    max_rounding_last_places: int = 1
    max_rounding_share: str = "0.01"

    @property
    def min_observed(self) -> Fraction:
        """``min_observed_share`` as an exact number."""
        return Fraction(self.min_observed_share)

    @property
    def max_rounding(self) -> Fraction:
        """``max_rounding_share`` as an exact number."""
        return Fraction(self.max_rounding_share)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the rules in force; the same however the file is written."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an exchange stated about one of its lists.

    ``rows`` 0 and empty texts mean not stated. ``ratios``: published coin → percent as text.
    ``minimum_ratio``: what was stated of every one of ``coins``, percent as text.
    """

    exchange: str
    title: str
    as_of: str
    source: str
    rows: int = 0
    coins: tuple[str, ...] = ()
    ratios: Mapping[str, str] = {}
    minimum_ratio: str = ""
    total_usd: str = ""


class Heights(msgspec.Struct, frozen=True, kw_only=True):
    """At which height to look, by CAIP-2 id, network label or asset label.

    They fill in what a list does not say. With ``replaces`` they also stand instead of what it
    says: for test chains that carry a real list's balances at heights of their own.
    """

    at: Mapping[str, int] = {}
    replaces: bool = False


class _ChainTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chain as it stands in a file; ``ChainSpec`` plus its other names."""

    name: str
    adapter: str
    address: str
    native: AssetId
    source: str
    address_params: dict[str, Any] = {}
    params: dict[str, Any] = {}
    controllers: str = ""
    unified_with: str = ""
    aliases: tuple[str, ...] = ()


class _AssetTable(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"asset_class": "class"},
):
    """An asset as it stands in a file; its chain is part of its id."""

    symbol: str
    decimals: int
    counts_as: str
    asset_class: AssetClass
    source: str
    max_supply: int = 0
    share: Share | None = None


_CALL = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\((uint256)?\)")
HIGHEST = 2**63 - 1
"""The highest height, and the last row: what tables hold."""
MOST_DECIMALS = 77
"""10**77 is the largest power of ten below 2**256."""


def config_root() -> Path:
    """Return the directory of the configuration; raises ``ConfigError`` where there is none."""
    package = Path(__file__).resolve().parent
    for root in (package.parent / "config", package / "_config"):
        if (root / "chains.toml").is_file():
            return root
    raise ConfigError("config: chains.toml is neither in the checkout nor in the installed package")


def load_world(extra: Sequence[Path] = ()) -> World:
    """Load the shipped declarations and those of ``extra`` files, in the order given.

    An extra file may hold ``[chains]``, ``[assets]``, ``[schemes]``, ``[[exchanges]]`` and
    ``replaces = true``. Raises ``ConfigError``.
    """
    root = config_root()
    shipped = [root / "chains.toml", root / "assets.toml"]
    shipped += sorted((root / "exchanges").glob("*.toml"))
    builder = _Builder()
    for path in shipped:
        name = f"config/{path.relative_to(root).as_posix()}"
        builder.add(declarations.read_bytes(path, name), name, exchange=path.parent != root)
    for path in extra:
        builder.add(declarations.read_bytes(path, path.name), path.name, exchange=False)
    return builder.world()


def load_policy(path: Path | None = None) -> Policy:
    """Load a policy file, the shipped one where ``path`` is absent; raises ``ConfigError``.

    Rules that a file does not name keep their defaults.
    """
    path = path or config_root() / "policy.toml"
    file = path.name
    table = declarations.parse(declarations.read_bytes(path, file), file)
    policy = declarations.convert(table, Policy, file, "")
    for key in ("min_observed_share", "max_rounding_share"):
        text = declarations.check_decimal(getattr(policy, key), file, key)
        if Fraction(text) > 1:
            raise fault(file, key, f"is {text}; a share between 0 and 1 was expected")
    for key in ("refuted_allowed", "max_rounding_last_places"):
        if getattr(policy, key) < 0:
            raise fault(file, key, f"is {getattr(policy, key)}; it cannot be negative")
    return policy


def load_statement(path: Path) -> Statement:
    """Load what an exchange stated; raises ``ConfigError``."""
    file = path.name
    table = declarations.parse(declarations.read_bytes(path, file), file)
    statement = declarations.convert(table, Statement, file, "")
    if statement.rows < 0:
        raise fault(file, "rows", f"is {statement.rows}; it cannot be negative")
    for coin, percent in statement.ratios.items():
        declarations.check_decimal(percent, file, f"ratios.{quoted(coin)}")
    if statement.minimum_ratio:
        declarations.check_decimal(statement.minimum_ratio, file, "minimum_ratio")
    return statement


def load_heights(path: Path) -> Heights:
    """Load ``[heights]``: CAIP-2 id or published label → height; raises ``ConfigError``.

    The file may say ``replaces = true`` before the table.
    """
    file = path.name
    table = declarations.parse(declarations.read_bytes(path, file), file)
    declarations.only(table, ("replaces", "heights"), file)
    replaces = declarations.convert(table.get("replaces", False), bool, file, "replaces")
    heights: dict[str, int] = {}
    for label, height in declarations.table_of(table, "heights", file).items():
        key = f"heights.{quoted(label)}"
        heights[label] = declarations.convert(height, int, file, key)
        if heights[label] < 0:
            raise fault(file, key, f"is {height}; it cannot be negative")
        if heights[label] > HIGHEST:
            raise fault(file, key, f"is {height}; no chain is higher than {HIGHEST}")
    return Heights(at=heights, replaces=replaces)


class _Builder:
    """Collects the declarations of several files, then checks them against each other."""

    def __init__(self) -> None:
        self.chains: dict[ChainId, ChainSpec] = {}
        self.assets: dict[AssetId, Asset] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.aliases: dict[str, ChainId] = {}
        self.schemes: dict[str, tuple[str, ...]] = {}
        self.origin: dict[tuple[str, str], str] = {}
        self.files: list[tuple[str, bytes]] = []

    def add(self, raw: bytes, file: str, *, exchange: bool) -> None:
        """Read one file; ``exchange`` files hold one exchange at their top level."""
        self.files.append((file, raw))
        table = declarations.parse(raw, file)
        if exchange:
            self._exchange(table, file, "", replaces=False)
            return
        declarations.only(table, ("replaces", "chains", "assets", "schemes", "exchanges"), file)
        replaces = declarations.convert(table.get("replaces", False), bool, file, "replaces")
        for chain, entry in declarations.table_of(table, "chains", file).items():
            self._chain(chain, entry, file, replaces=replaces)
        for asset, entry in declarations.table_of(table, "assets", file).items():
            self._asset(asset, entry, file, replaces=replaces)
        for namespace, names in declarations.table_of(table, "schemes", file).items():
            key = f"schemes.{namespace}"
            self._claim("schemes", namespace, file, key, replaces=replaces)
            self.schemes[namespace] = declarations.convert(names, tuple[str, ...], file, key)
            _check_schemes(self.schemes[namespace], file, key)
        for i, entry in enumerate(declarations.array_of(table, "exchanges", file)):
            self._exchange(entry, file, f"exchanges[{i}]", replaces=replaces)

    def world(self) -> World:
        """Check what refers to what and return the whole."""
        for chain, spec in self.chains.items():
            file, key = self.origin["chains", chain], f'chains."{chain}".native'
            if spec.native not in self.assets:
                raise fault(file, key, f"{spec.native} is not a declared asset")
            if self.assets[spec.native].chain != chain:
                raise fault(file, key, f"{spec.native} is of another chain")
            if spec.unified_with:
                self._check_unified(spec, file)
        for id_, asset in self.assets.items():
            if asset.chain not in self.chains:
                file = self.origin["assets", id_]
                raise fault(file, f'assets."{id_}"', f"{asset.chain} is not a declared chain")
            if asset.share is not None:
                self._check_share(id_, asset.share)
        for exchange in self.exchanges.values():
            self._check_exchange(exchange, self.origin["exchanges", exchange.name])
        return World(
            chains=self.chains,
            assets=self.assets,
            exchanges=self.exchanges,
            aliases=self.aliases,
            schemes=self.schemes,
            digest=_digest(self.files),
        )

    def _check_share(self, id_: AssetId, share: Share) -> None:
        file, key = self.origin["assets", id_], f'assets."{id_}".share'
        if share.of not in self.assets or share.of == id_:
            raise fault(file, f"{key}.of", f"{share.of} is not another declared asset")
        if not _CALL.fullmatch(share.call):
            raise fault(file, f"{key}.call", f"{share.call!r} is not name() or name(uint256)")
        if not 0 <= share.scale <= MOST_DECIMALS:
            raise fault(file, f"{key}.scale", f"is {share.scale}; allowed: 0 to 77")

    def _check_unified(self, spec: ChainSpec, file: str) -> None:
        """Check that the chain which ``spec`` names is declared and has the same coin."""
        key = f'chains."{spec.id}".unified_with'
        other = self.chains.get(ChainId(spec.unified_with))
        if other is None or other.unified_with:
            wanted = "a declared chain that is not itself unified with another was expected"
            raise fault(file, key, f"is {spec.unified_with}; {wanted}")
        for coin in (spec.native, other.native):
            if coin not in self.assets:
                raise fault(file, key, f"{coin} is not a declared asset")
        own, its = (self.assets[coin] for coin in (spec.native, other.native))
        if (own.decimals, own.counts_as) != (its.decimals, its.counts_as):
            raise fault(file, key, f"{own.id} and {its.id} differ in decimals or counts_as")

    def _claim(self, table: str, id_: str, file: str, key: str, *, replaces: bool) -> None:
        """Note who declares ``id_``; raises ``ConfigError`` if it was declared before."""
        earlier = self.origin.get((table, id_))
        if earlier is not None and not (replaces and earlier != file):
            hint = "" if earlier == file else "; a file that means to must say replaces = true"
            raise fault(file, key, f"is already declared in {earlier}{hint}")
        self.origin[table, id_] = file

    def _chain(self, id_: str, entry: Any, file: str, *, replaces: bool) -> None:
        key = f'chains."{id_}"'
        declarations.check_chain(id_, file, key)
        table = declarations.convert(entry, _ChainTable, file, key)
        declarations.check_asset(table.native, file, f"{key}.native")
        self._claim("chains", id_, file, key, replaces=replaces)
        chain = ChainId(id_)
        fields = msgspec.structs.asdict(table)
        aliases = fields.pop("aliases")
        self.chains[chain] = ChainSpec(id=chain, **fields)
        for name in (table.name, *aliases):
            other = self.aliases.setdefault(plain(name), chain)
            if other != chain:
                raise fault(file, f"{key}.aliases", f"{name!r} already names {other}")

    def _asset(self, id_: str, entry: Any, file: str, *, replaces: bool) -> None:
        key = f'assets."{id_}"'
        declarations.check_asset(id_, file, key)
        table = declarations.convert(entry, _AssetTable, file, key)
        if not 0 <= table.decimals <= MOST_DECIMALS:
            raise fault(file, f"{key}.decimals", f"is {table.decimals}; allowed: 0 to 77")
        if table.max_supply < 0:
            raise fault(file, f"{key}.max_supply", f"is {table.max_supply}; it cannot be negative")
        self._claim("assets", id_, file, key, replaces=replaces)
        self.assets[AssetId(id_)] = Asset(
            id=AssetId(id_), chain=ChainId(id_.partition("/")[0]), **msgspec.structs.asdict(table)
        )

    def _exchange(self, entry: Any, file: str, key: str, *, replaces: bool) -> None:
        exchange = declarations.convert(entry, Exchange, file, key)
        self._claim("exchanges", exchange.name, file, key or "name", replaces=replaces)
        self.exchanges[exchange.name] = exchange

    def _check_exchange(self, exchange: Exchange, file: str) -> None:
        seen: dict[tuple[str, str, str], str] = {}
        for i, rule in enumerate(exchange.networks):
            key = f"networks[{i}] ({rule.network or rule.chain})"
            if rule.chain not in self.chains:
                raise fault(file, f"{key}.chain", f"{rule.chain} is not a declared chain")
            _check_schemes(rule.schemes, file, f"{key}.schemes")
            place = (plain(rule.network) or rule.chain, rule.type, plain(rule.asset))
            if place in seen:
                raise fault(file, key, f"repeats {seen[place]}")
            seen[place] = key
        asset_at: dict[tuple[str, str], AssetId] = {}
        for i, label in enumerate(exchange.labels):
            key = f"labels[{i}] ({label.asset})"
            if label.id not in self.assets:
                raise fault(file, f"{key}.id", f"{label.id} is not a declared asset")
            chain = self.assets[label.id].chain
            other = asset_at.setdefault((plain(label.asset), chain), label.id)
            if other != label.id:
                raise fault(file, f"{key}.id", f"the label already means {other} on {chain}")


def _check_schemes(names: Sequence[str], file: str, key: str) -> None:
    for name in names:
        if not signatures.is_known(name):
            raise fault(file, key, f"recount knows no scheme {name!r}")


def _digest(files: Sequence[tuple[str, bytes]]) -> str:
    """Digest names and contents, each with its length, in the order of the names."""
    total = hashlib.sha256()
    for name, raw in sorted(files):
        for part in (name.encode(), raw):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()
