"""What published labels mean: (asset label, network label) → chain, asset, signing schemes.

Resolving never guesses. A text that no rule names is ``unknown-network`` or ``unknown-label``,
and a network that is known while the asset is not still gives its chain and schemes, so that
the row's signature can be checked although its balance cannot be asked.

Texts are compared as they stand first, then in a plain form: ends trimmed, upper case, ``-`` and
blanks read as ``_`` (lists differ in these from month to month).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from chains.model import AssetId, ChainId
from crawler.model import Exchange, Label, NetworkRule, plain
from crawler.settings import World

UNKNOWN_NETWORK = "unknown-network"
UNKNOWN_LABEL = "unknown-label"
ANY_TYPE = "*"
"""Among an exchange's plain types: the type of a row changes nothing (it names a custodian)."""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What a pair of labels means. ``reason`` is ``""`` where nothing is missing.

    ``chain`` says how the address is read. ``schemes`` are tried in order; a signature counts
    if one of them accepts it.
    """

    chain: ChainId | None = None
    asset: AssetId | None = None
    schemes: tuple[str, ...] = ()
    reason: str = ""


def resolve(
    world: World, exchange: Exchange, asset_label: str, network_label: str, row_type: str = ""
) -> Resolved:
    """Resolve the labels of an exchange's own list. Pure; the same pair always means the same.

    ``network_label`` is ``""`` where the list has no network column: the asset label decides
    alone. An asset label that the rules place on another chain than the row's network is
    unknown, not moved. A row type without a rule makes the network unknown.
    """
    if not network_label.strip():
        return _by_label_alone(world, exchange, asset_label, row_type)
    rule = _network_rule(exchange, asset_label, network_label, row_type)
    if rule is None:
        return Resolved(reason=UNKNOWN_NETWORK)
    on_chain = [
        label.id
        for label in _named(exchange, asset_label)
        if world.assets[label.id].chain == rule.chain
    ]
    if not on_chain:
        return Resolved(chain=rule.chain, schemes=rule.schemes, reason=UNKNOWN_LABEL)
    return Resolved(chain=rule.chain, asset=on_chain[0], schemes=rule.schemes)


def resolve_generic(world: World, asset_text: str, network_text: str) -> Resolved:
    """Resolve a generic table: CAIP-2 or a chain's name, and CAIP-19 or a symbol unique there.

    An empty asset text means the chain's native asset. An empty network text needs a CAIP-19
    asset. A symbol that two assets of the chain share is unknown.
    """
    asset = _asset_id(world, asset_text.strip())
    if not network_text.strip():
        if asset is None:
            return Resolved(reason=UNKNOWN_NETWORK)
        chain = world.assets[asset].chain
        return Resolved(chain=chain, asset=asset, schemes=_default_schemes(world, chain))
    found = chain_named(world, network_text)
    if found is None:
        return Resolved(reason=UNKNOWN_NETWORK)
    schemes = _default_schemes(world, found)
    if not asset_text.strip():
        return Resolved(chain=found, asset=world.chains[found].native, schemes=schemes)
    if asset is None:
        asset = _asset_by_symbol(world, found, asset_text)
    if asset is None or world.assets[asset].chain != found:
        return Resolved(chain=found, schemes=schemes, reason=UNKNOWN_LABEL)
    return Resolved(chain=found, asset=asset, schemes=schemes)


def resolve_generic_of(
    world: World, exchange: Exchange, asset_text: str, network_text: str, row_type: str = ""
) -> Resolved:
    """Resolve a row of a generic table that names its exchange: its labels, or the generic texts.

    A network that is no label of the exchange is read as in any generic table, with the exchange's
    schemes for that chain, where it has any. So is an asset that none of its labels names.
    """
    own = resolve(world, exchange, asset_text, network_text, row_type)
    if own.chain is None:
        found = resolve_generic(world, asset_text, network_text)
        schemes = _plain_schemes(exchange, found.chain) or found.schemes
        return msgspec.structs.replace(found, schemes=schemes)
    if own.asset is None and not any(_named(exchange, asset_text)):
        found = resolve_generic(world, asset_text, own.chain)
        return msgspec.structs.replace(own, asset=found.asset, reason=found.reason)
    return own


def chain_named(world: World, text: str) -> ChainId | None:
    """Return the chain that a CAIP-2 id or one of the declared names means, else ``None``."""
    chain = ChainId(text.strip())
    return chain if chain in world.chains else world.aliases.get(plain(text))


def _by_label_alone(world: World, exchange: Exchange, asset_label: str, row_type: str) -> Resolved:
    ids = {label.id for label in _named(exchange, asset_label) if not label.network}
    if not _is_plain(exchange, row_type) or len(ids) != 1:
        return Resolved(reason=UNKNOWN_LABEL)
    asset = ids.pop()
    chain = world.assets[asset].chain
    return Resolved(chain=chain, asset=asset, schemes=_plain_schemes(exchange, chain))


def _plain_schemes(exchange: Exchange, chain: ChainId | None) -> tuple[str, ...]:
    """Return the schemes of an exchange on a chain, save those of one row type or asset."""
    schemes = [
        scheme
        for rule in exchange.networks
        if rule.chain == chain and not rule.type and not rule.asset
        for scheme in rule.schemes
    ]
    return tuple(dict.fromkeys(schemes))


def _network_rule(
    exchange: Exchange, asset_label: str, network_label: str, row_type: str
) -> NetworkRule | None:
    kind = "" if _is_plain(exchange, row_type) else row_type
    rules = [rule for rule in exchange.networks if rule.network and rule.type == kind]
    exact = [rule for rule in rules if rule.network == network_label]
    alike = [rule for rule in rules if plain(rule.network) == plain(network_label)]
    found = exact or alike
    for_all = [rule for rule in found if not rule.asset]
    own = [rule for rule in found if rule.asset and plain(rule.asset) == plain(asset_label)]
    return next(iter(own or for_all), None)


def _is_plain(exchange: Exchange, row_type: str) -> bool:
    return row_type in exchange.plain_types or ANY_TYPE in exchange.plain_types


def _named(exchange: Exchange, asset_label: str) -> Iterator[Label]:
    exact = [label for label in exchange.labels if label.asset == asset_label]
    wanted = plain(asset_label)
    yield from exact or [label for label in exchange.labels if plain(label.asset) == wanted]


def _default_schemes(world: World, chain: ChainId) -> tuple[str, ...]:
    return world.schemes.get(chain) or world.schemes.get(world.chains[chain].namespace, ())


def _asset_id(world: World, text: str) -> AssetId | None:
    """Return the declared asset of a CAIP-19 text; EVM contracts in any spelling."""
    if AssetId(text) in world.assets:
        return AssetId(text)
    if not text.startswith("eip155:"):
        return None
    wanted = text.lower()
    return next((asset for asset in world.assets if asset.lower() == wanted), None)


def _asset_by_symbol(world: World, chain: ChainId, text: str) -> AssetId | None:
    wanted = text.strip()
    on_chain = [asset for asset in world.assets.values() if asset.chain == chain]
    found = [asset.id for asset in on_chain if asset.symbol == wanted]
    return found[0] if len(found) == 1 else None
