"""What recount supports, as documents: ``docs/chains.md`` and the README's table."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.support.networks import HISTORY, NEVER_LIVE, ChainSupport, control_of, tested

GENERATED = "<!-- Generated from the code; do not edit. `make tables` writes it. -->"
COLUMNS = (
    "network", "CAIP-2", "balances", "history", "assets", "methods", "proofs", "control on chain",
    "tested against", "real software", "live",
)  # fmt: skip


def _cells(chain: ChainSupport) -> tuple[str, ...]:
    return (
        chain.name,
        f"`{chain.chain}`",
        chain.adapter,
        chain.history,
        ", ".join(chain.assets),
        ", ".join(chain.methods),
        "yes" if chain.proofs else "no",
        control_of(chain),
        tested(chain),
        ", ".join(chain.software) or "none",
        "yes" if chain.run_live else "never",
    )


def chains_markdown(chains: Sequence[ChainSupport]) -> str:
    """Return ``docs/chains.md``: every chain that has an adapter, then the names of the others."""
    able = [chain for chain in chains if chain.adapter != "none"]
    lines = [_line(COLUMNS), "|" + "---|" * len(COLUMNS)]
    lines += [_line(_cells(chain)) for chain in able]
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
        "goes. History, methods, proofs and control are those of the network as it is configured. "
        "*History*: balances "
        + "; ".join(f"`{word}` {meaning}" for word, meaning in HISTORY.items())
        + " (see [recount capture](cli.md#recount-capture))."
    )
    parts = [
        "# Networks",
        GENERATED,
        introduction,
        "\n".join(lines),
        "## What each method takes\n\n" + "\n".join(_methods(able)),
        "## What makes a zero believable\n\n" + "\n".join(rules),
        "## Assets that can be read\n\n" + "\n".join(assets),
        "## Only named\n\nTheir rows are gaps, `no-adapter`: " + ", ".join(named) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _methods(able: Sequence[ChainSupport]) -> list[str]:
    """Name what the methods of networks are, those with the same ones together."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for chain in able:
        alike.setdefault(tuple(chain.how.items()), []).append(chain.name)
    lines = []
    for how, names in alike.items():
        lines.append(f"- {', '.join(names)}")
        lines += [f"    - `{method}`: {text}" for method, text in how]
    return lines


def readme_markdown(chains: Sequence[ChainSupport]) -> str:
    """Return the README's table: one line for networks that are read in the same way."""
    lines = [
        "| networks | history | methods | assets | control on chain |",
        "|---|---|---|---|---|",
    ]
    alike: dict[tuple[str, ...], list[str]] = {}
    for chain in chains:
        if chain.adapter != "none":
            same = (
                chain.history,
                ", ".join(chain.methods),
                ", ".join(chain.assets),
                control_of(chain),
            )
            alike.setdefault((chain.adapter, *same), []).append(chain.name)
    lines += [_line((", ".join(names), *same)) for (_, *same), names in alike.items()]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
