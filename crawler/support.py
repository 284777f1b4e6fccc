"""What recount supports, from the code's own declarations: ``recount chains``.

Nothing here has been run against a live public network; that stands in every output.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from chains import signatures
from crawler.plan import asset_namespace, capabilities
from crawler.provenance import NEVER, load_provenance
from crawler.settings import World

GENERATED = "<!-- Generated from the code; do not edit. `make tables` writes it. -->"
NEVER_LIVE = "No adapter of this build has been run against a live public network."
HISTORY = {
    "exact": "at any height, of servers that keep it",
    "flagged": "at a height, of nodes that recorded it",
    "held": "at the node's head; exact when the node is held at the height",
    "tip": "of now only; capture them when the height comes",
    "bulk": "from a dump of the height",
}
"""What the words of ``Capabilities.history`` mean."""


class ChainSupport(msgspec.Struct, frozen=True, kw_only=True):
    """One configured chain. ``adapter`` is ``none`` where the chain is only named.

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
    assets: tuple[str, ...]
    methods: tuple[str, ...]
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


COLUMNS = (
    "network", "balances", "history", "assets", "methods", "proofs", "control on chain",
    "tested against", "real software", "live",
)  # fmt: skip


def chain_row(chain: ChainSupport) -> tuple[str, ...]:
    """Return what ``COLUMNS`` name of one chain, as texts."""
    if chain.adapter == "none":
        return (chain.name, "not yet", *[""] * (len(COLUMNS) - 2))
    whose = "" if chain.tested_own or chain.tested == NEVER else ", of its family"
    return (
        chain.name,
        chain.adapter,
        chain.history,
        ", ".join(chain.assets),
        ", ".join(chain.methods),
        "yes" if chain.proofs else "no",
        ", ".join(chain.control) or "none",
        chain.tested + whose,
        ", ".join(chain.software) or "none",
        "yes" if chain.run_live else "never",
    )


def render_chains(chains: Sequence[ChainSupport], console: Console) -> None:
    """Print the chains as a table."""
    table = Table(title="Networks", caption=NEVER_LIVE)
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for chain in chains:
        name, *cells = chain_row(chain)
        table.add_row(f"{name}\n{chain.chain}", *cells)
    console.print(table)


def chains_markdown(chains: Sequence[ChainSupport]) -> str:
    """Return ``docs/chains.md``: every chain that has an adapter, then the names of the others."""
    able = [chain for chain in chains if chain.adapter != "none"]
    head = ("network", "CAIP-2", *COLUMNS[1:])
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for chain in able:
        name, *cells = chain_row(chain)
        lines.append(f"| {' | '.join((name, f'`{chain.chain}`', *cells))} |")
    assets = ["| asset (CAIP-19) | network |", "|---|---|"]
    assets += [f"| `{asset}` | {chain.name} |" for chain in able for asset in chain.readable]
    named = [f"{one.name} (`{one.chain}`)" for one in chains if one.adapter == "none"]
    rules = [
        f"- `{name}`: {rule}"
        for name, rule in sorted({c.adapter: c.zero_rule for c in able}.items())
    ]
    introduction = (
        f"{len(able)} of {len(chains)} configured networks can be asked. {NEVER_LIVE} *Tested "
        "against* is the weakest kind of node answers in the tests: `recorded` from real node "
        "software, `documented` in public, `constructed` by us; *of its family* where none is of "
        "the network itself. *Real software*: what tests run the adapter against, as far as it "
        "goes. *History*: balances "
        + "; ".join(f"`{word}` {meaning}" for word, meaning in HISTORY.items())
        + " (see [recount capture](cli.md#recount-capture))."
    )
    parts = [
        "# Networks",
        GENERATED,
        introduction,
        "\n".join(lines),
        "## What makes a zero believable\n\n" + "\n".join(rules),
        "## Assets that can be read\n\n" + "\n".join(assets),
        "## Only named\n\nTheir rows are gaps, `no-adapter`: " + ", ".join(named) + ".",
    ]
    return "\n\n".join(parts) + "\n"


MOST_NAMES = 4
"""Networks that the README names per adapter."""


def readme_markdown(chains: Sequence[ChainSupport]) -> str:
    """Return the README's table: one line for each adapter, with the networks that it reads."""
    lines = ["| networks | history | assets | control on chain |", "|---|---|---|---|"]
    families: dict[str, list[ChainSupport]] = {}
    for chain in chains:
        if chain.adapter != "none":
            families.setdefault(chain.adapter, []).append(chain)
    for members in families.values():
        names = ", ".join(chain.name for chain in members[:MOST_NAMES])
        more = f" and {len(members) - MOST_NAMES} more" if len(members) > MOST_NAMES else ""
        one = members[0]
        cells = (names + more, one.history, ", ".join(one.assets), ", ".join(one.control) or "none")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def render_schemes(schemes: Sequence[SchemeSupport], console: Console) -> None:
    """Print the signing schemes as a table."""
    table = Table(title="Signing schemes")
    for name in ("scheme", "family", "status", "vectors not made by us"):
        table.add_column(name, overflow="fold")
    for scheme in schemes:
        table.add_row(scheme.name, scheme.family, scheme.status, scheme.origin or "none")
    console.print(table)
