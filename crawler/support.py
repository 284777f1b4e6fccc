"""What recount supports, from the code's own declarations: ``recount chains``.

Nothing here has been run against a live public network; that stands in every output.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from chains import adapters, signatures
from crawler.settings import World

NEVER_LIVE = "No adapter of this build has been run against a live public network."


class ChainSupport(msgspec.Struct, frozen=True, kw_only=True):
    """One configured chain. ``adapter`` is ``none`` where the chain is only named.

    ``schemes`` are those that its exchanges' rows or generic tables may use.
    """

    chain: str
    name: str
    address: str
    adapter: str
    history: str
    assets: tuple[str, ...]
    methods: tuple[str, ...]
    control: tuple[str, ...]
    proofs: bool
    zero_rule: str
    schemes: tuple[str, ...]


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
    found = []
    for spec in sorted(world.chains.values(), key=lambda spec: spec.name.lower()):
        can = None if spec.adapter == "none" else adapters.load(spec.adapter).capabilities
        named = [
            scheme
            for exchange in world.exchanges.values()
            for rule in exchange.networks
            if rule.chain == spec.id
            for scheme in rule.schemes
        ]
        generic = world.schemes.get(spec.id) or world.schemes.get(spec.namespace, ())
        found.append(
            ChainSupport(
                chain=spec.id,
                name=spec.name,
                address=spec.address,
                adapter=spec.adapter,
                history=can.history if can else "",
                assets=can.assets if can else (),
                methods=tuple(method.value for method in can.methods) if can else (),
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


def render_chains(chains: Sequence[ChainSupport], console: Console) -> None:
    """Print the chains as a table."""
    table = Table(title="Networks", caption=NEVER_LIVE)
    for name in ("network", "balances", "history", "assets", "control on chain", "addresses"):
        table.add_column(name, overflow="fold")
    for chain in chains:
        table.add_row(
            f"{chain.name}\n{chain.chain}",
            "not yet" if chain.adapter == "none" else chain.adapter,
            chain.history,
            ", ".join(chain.assets),
            ", ".join(chain.control),
            "not yet" if chain.address == "none" else chain.address,
        )
    console.print(table)


def render_schemes(schemes: Sequence[SchemeSupport], console: Console) -> None:
    """Print the signing schemes as a table."""
    table = Table(title="Signing schemes")
    for name in ("scheme", "family", "status", "vectors not made by us"):
        table.add_column(name, overflow="fold")
    for scheme in schemes:
        table.add_row(scheme.name, scheme.family, scheme.status, scheme.origin or "none")
    console.print(table)
