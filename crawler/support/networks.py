"""What recount supports, from the code's own declarations: ``recount chains``.

Nothing here has been run against a live public network; that stands in every output.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chains import signatures
from chains.model import ChainId, Method
from crawler.asking.plan import asset_namespace, capabilities
from crawler.counting.provenance import NEVER, load_provenance
from crawler.errors import UsageError
from crawler.examining.labels import chain_named
from crawler.settings import World

NEVER_LIVE = "No adapter of this build has been run against a live public network."
HISTORY = {
    "exact": "at any height, of servers that keep it",
    "flagged": "at a height, of nodes that recorded it",
    "held": "at the node's head; exact when the node is held at the height",
    "tip": "of now only; capture them when the height comes",
    "bulk": "from a dump of the height; at any height from an Electrum server",
}
"""What the words of ``Capabilities.history`` mean."""
METHODS = {
    Method.PROOF: "hashes to a block, or a set, that somebody else named",
    Method.STATE: "the node answered for the block itself",
    Method.BULK: "read from a dump of the whole set of coins",
    Method.UNTOUCHED: "read later, of accounts that are shown unchanged since",
    Method.ROLLED_BACK: "read at another moment, what happened in between taken back",
}
"""What a method means, where the adapter does not say more of it."""


class ChainSupport(msgspec.Struct, frozen=True, kw_only=True):
    """One configured chain. ``adapter`` is ``none`` where the chain is only named.

    ``history``, ``methods``, ``how`` (what each method takes), ``control`` and ``proofs`` are what
    this chain's own declaration makes of its adapter; ``history_means`` is the word's meaning.
    ``schemes`` are those that its exchanges' rows or generic tables may use. ``assets`` are CAIP-19
    namespaces that the adapter reads, ``readable`` the configured assets of these (CAIP-19).
    ``tested`` is the weakest kind of node answers that its reading was tried with:
    ``constructed``, ``documented`` or ``recorded``, ``never`` where there are none; ``tested_own``
    says whether those are of this very network and not of another one of its family. ``software``
    is the real node software that tests run its adapter against.
    ``run_live``: whether it was ever run against the live network.
    """

    chain: str
    name: str
    address: str
    adapter: str
    history: str
    history_means: str
    assets: tuple[str, ...]
    methods: tuple[str, ...]
    how: Mapping[str, str]
    control: tuple[str, ...]
    proofs: bool
    zero_rule: str
    schemes: tuple[str, ...]
    readable: tuple[str, ...]
    tested: str
    tested_own: bool
    software: tuple[str, ...] = ()
    run_live: bool = False


class SchemeSupport(msgspec.Struct, frozen=True, kw_only=True):
    """One signing scheme. ``status``: ``supported``, ``unconfirmed`` or ``unsupported``."""

    name: str
    family: str
    status: str
    origin: str
    description: str
    aliases: tuple[str, ...]


def chain_support(world: World) -> tuple[ChainSupport, ...]:
    """Return every configured chain, sorted by name."""
    provenance = load_provenance(world)
    found = []
    for spec in sorted(world.chains.values(), key=lambda spec: spec.name.lower()):
        can = None if spec.adapter == "none" else capabilities(spec)
        named = [
            scheme
            for exchange in world.exchanges.values()
            for rule in exchange.networks
            if rule.chain == spec.id
            for scheme in rule.schemes
        ]
        assets = can.assets if can else ()
        tried = provenance.get(spec.id)
        generic = world.schemes.get(spec.id) or world.schemes.get(spec.namespace, ())
        found.append(
            ChainSupport(
                chain=spec.id,
                name=spec.name,
                address=spec.address,
                adapter=spec.adapter,
                history=can.history if can else "",
                history_means=f"balances {HISTORY[can.history]}" if can else "",
                assets=assets,
                readable=tuple(
                    sorted(
                        asset.id
                        for asset in world.assets.values()
                        if asset.chain == spec.id and asset_namespace(asset.id) in assets
                    )
                ),
                tested=tried.weakest if tried else "",
                tested_own=bool(tried and tried.own),
                software=tried.software if tried else (),
                methods=tuple(method.value for method in can.methods) if can else (),
                how={one.value: can.how.get(one) or METHODS[one] for one in can.methods}
                if can
                else {},
                control=can.control if can else (),
                proofs=can.proofs if can else False,
                zero_rule=can.zero_rule if can else "",
                schemes=tuple(dict.fromkeys([*named, *generic])),
            )
        )
    return tuple(found)


def scheme_support() -> tuple[SchemeSupport, ...]:
    """Return every scheme that has a module, and the known ones that have none, by name."""
    found = [
        SchemeSupport(
            name=scheme.name,
            family=scheme.family,
            status="supported" if scheme.origin else "unconfirmed",
            origin=scheme.origin,
            description=scheme.description,
            aliases=tuple(sorted(a for a, n in signatures.ALIASES.items() if n == scheme.name)),
        )
        for scheme in signatures.SCHEMES.values()
    ]
    found += [
        SchemeSupport(
            name=name, family="", status="unsupported", origin="", description="", aliases=()
        )
        for name in signatures.KNOWN_UNSUPPORTED
    ]
    return tuple(sorted(found, key=lambda scheme: scheme.name))


def control_of(chain: ChainSupport) -> str:
    """Say in a cell what is checked about control."""
    return ", ".join(chain.control) or "none"


def tested(chain: ChainSupport) -> str:
    """Say in a cell what the reading was tried with."""
    whose = "" if chain.tested_own or chain.tested == NEVER else ", of its family"
    return chain.tested + whose


def network_named(world: World, text: str) -> ChainId:
    """Return the network that a name, an alias, a CAIP-2 id or a part of a name means.

    Raises ``UsageError`` where none or several are meant.
    """
    exact = chain_named(world, text)
    if exact is not None:
        return exact
    part = text.strip().lower()
    found = {one.id: one.name for one in world.chains.values() if part in one.name.lower()}
    if len(found) == 1:
        return next(iter(found))
    if found:
        names = ", ".join(sorted(found.values(), key=str.lower))
        raise UsageError(f"{text!r} is in the names of several networks: {names}")
    raise UsageError(f"no network is called {text!r}; 'recount chains' lists them")
