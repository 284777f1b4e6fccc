"""The made-up report in other shapes: empty, flawless, hostile, long, with 22 coins."""

# ruff: noqa: E501 - records of one line each
from __future__ import annotations

import msgspec
from report_samples import assets, circumstances, discrepancies, group, ratios, result

from crawler.result import Outcome, Report

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(document.domain)",
    "safe\u202egnp.exe",
    "nul\x00byte\x1b[31mred\x1b[0m",
    '=HYPERLINK("http://evil.example/","x")',
    "{{ 7*7 }}{% raw %}",
    "[bold red]markup[/bold red]",
    "</style><style>*{background:url(http://evil.example/)}",
    "\u2028line\u200bzero\u0301",
)


def with_result(**changes: object) -> Report:
    return Report(
        result=msgspec.structs.replace(result(), **changes), circumstances=circumstances()
    )


def empty() -> Report:
    """Return a report of a list without a single countable row, liability or statement."""
    return Report(
        result=msgspec.structs.replace(
            result(), assets=(), ratios=(), shares=(), statement=(), totals=(), findings=(), discrepancies=(),
            snapshots=(), does_not_prove=(), outcome=Outcome(exit_code=3, sentences=()),
        ),
        circumstances=msgspec.structs.replace(circumstances(), endpoints=(), evidence=()),
    )  # fmt: skip


def all_good() -> Report:
    return with_result(
        assets=tuple(line for line in assets() if line.asset == "DOGE"),
        ratios=(), shares=(), statement=(), totals=(), findings=(), discrepancies=(),
        outcome=Outcome(exit_code=0, sentences=("Policy: nothing refuted. Found: none. Holds.",)),
    )  # fmt: skip


def hostile() -> Report:
    """Return the sample with hostile text in every place that the list, or a file, can reach."""
    bad = " ".join(HOSTILE)
    base = result()
    replace = msgspec.structs.replace
    return Report(
        result=replace(
            base,
            list=replace(base.list, name=bad, exchange=bad, dialect=bad, validity={bad: 1}),
            assets=tuple(
                replace(
                    line, asset=line.asset + bad, verdict=line.verdict if i else bad,
                    networks=tuple(replace(n, network=bad, asset_class=bad, asset_id=bad, chain=bad)
                                   for n in line.networks),
                    ownership=tuple(replace(o, status=bad, reason=bad) for o in line.ownership),
                    classes={bad: group(1, "1", "1")},
                    sources={bad: "1"},
                )
                for i, line in enumerate(base.assets)
            ),
            totals=tuple(replace(t, label=bad, verdict=bad, stated=bad) for t in base.totals),
            ratios=tuple(replace(r, asset=r.asset + bad, source=bad, trust=bad, as_of=bad)
                         for r in base.ratios),
            statement=tuple(replace(s, what=bad, stated=bad, found=bad, verdict=bad, note=bad)
                            for s in base.statement),
            shares=tuple(replace(s, asset=bad, network=bad, call=bad, of_asset=bad, gap=bad)
                         for s in base.shares),
            messages=tuple(replace(m, text=bad, dated=bad, schemes={bad: 1}, claimed={bad: "1"})
                           for m in base.messages),
            findings=tuple(replace(f, sentence=bad, code=bad, amounts={bad: "1"}, about=bad)
                           for f in base.findings),
            discrepancies=tuple(replace(d, address=bad, label=bad, network=bad, asset=bad, kind=bad,
                                        reason=bad) for d in base.discrepancies),
            snapshots=tuple(replace(s, name=bad, chain=bad, block_hash=bad) for s in base.snapshots),
            does_not_prove=(bad,),
            outcome=Outcome(exit_code=1, sentences=(bad,)),
            policy={bad: bad},
        ),
        circumstances=replace(
            circumstances(), run=bad, versions={bad: bad},
            endpoints=tuple(replace(e, url=bad, name=bad, role=bad, chain=bad, troubles={bad: 1})
                            for e in circumstances().endpoints),
            evidence=tuple(replace(e, pack=bad, sha256=bad) for e in circumstances().evidence),
        ),
    )  # fmt: skip


def many(number: int) -> Report:
    """Return the sample with ``number`` discrepancies."""
    line = discrepancies()[0]
    return with_result(
        discrepancies=tuple(msgspec.structs.replace(line, row=10 + i) for i in range(number)),
        discrepancies_left_out=123,
    )


def twenty_two() -> Report:
    """Return the sample with the 22 coins of OKX's 20th report."""
    coins = "BTC ETH USDT USDC XRP DOGE SOL OKB APT DOT ELF EOS ETC FIL LINK LTC OKT PEOPLE TON TRX"
    coins += " UNI BCH"
    models = assets()
    lines = tuple(
        msgspec.structs.replace(models[i % len(models)], asset=coin)
        for i, coin in enumerate(sorted(coins.split()))
    )
    rates = {line.asset: line for line in ratios()}
    return with_result(
        assets=lines,
        ratios=tuple(
            msgspec.structs.replace(rates[models[i % len(models)].asset], asset=line.asset)
            for i, line in enumerate(lines)
        ),
    )
