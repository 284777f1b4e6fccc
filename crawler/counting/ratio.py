"""Reserve ratios, three ways side by side, and what the exchange stated about them.

As claimed: the list's own amounts over the liabilities. As recounted: what the chains hold.
As owned: the same, counting only rows whose ownership was shown. The trust of the denominator
stands beside every ratio. A stated percentage holds when the recounted ratio, rounded to the
stated places, reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from crawler.counting.reconciled import Scales
from crawler.counting.totals import CoinTotals
from crawler.counting.units import percent
from crawler.liabilities import Liability
from crawler.result import RatioLine, StatementCheck
from crawler.settings import Statement


def ratio_lines(
    totals: Mapping[str, CoinTotals],
    scale: Scales,
    liabilities: Mapping[str, Liability],
    statement: Statement | None,
) -> tuple[RatioLine, ...]:
    """Return one line per coin that has liabilities or a stated ratio, sorted by coin."""
    stated = statement.ratios if statement else {}
    coins = sorted(set(liabilities) | set(stated))
    return tuple(
        _line(coin, totals.get(coin), scale, liabilities.get(coin), stated.get(coin))
        for coin in coins
    )


def _line(
    coin: str,
    totals: CoinTotals | None,
    scale: Scales,
    liability: Liability | None,
    stated: str | None,
) -> RatioLine:
    owed = Fraction(liability.amount) if liability else None
    unit = 10 ** scale.decimals[coin] if totals else 1
    assets = (
        {
            name: Fraction(value, unit)
            for name, value in (
                ("claimed", totals.all.claimed),
                ("recounted", totals.all.observed),
                ("owned", totals.all.owned),
            )
        }
        if totals
        else {}
    )
    ways = {
        name: percent(value, owed) if owed is not None else None for name, value in assets.items()
    }
    implied = None
    if totals and stated and Fraction(stated) > 0:
        implied = _cut(assets["claimed"] / (Fraction(stated) / 100))
    return RatioLine(
        asset=coin,
        liabilities=liability.amount if liability else None,
        trust=liability.trust.value if liability else "",
        source=liability.source if liability else "",
        as_of=liability.as_of if liability else "",
        claimed=ways.get("claimed"),
        recounted=ways.get("recounted"),
        owned=ways.get("owned"),
        stated=stated,
        implied_liabilities=implied,
        lower_bound=totals is None or totals.observed_rows < totals.all.rows,
    )


def check_statement(
    statement: Statement,
    *,
    rows: int,
    accounts: int,
    unknown_labels: bool = False,
    totals: Mapping[str, CoinTotals],
    scale: Scales,
    ratios: Sequence[RatioLine],
) -> tuple[StatementCheck, ...]:
    """Check row count, coins and ratios that the exchange stated."""
    checks: list[StatementCheck] = []
    if statement.rows:
        holds = statement.rows in (rows, accounts)
        checks.append(
            StatementCheck(
                what="published addresses",
                stated=str(statement.rows),
                found=str(rows),
                verdict="holds" if holds else "fails",
                note=f"{rows} rows, {accounts} different accounts",
            )
        )
    listed = {coin for coin, total in totals.items() if total.rows}
    for coin in statement.coins:
        there = coin in listed
        unsure = not there and unknown_labels
        checks.append(
            StatementCheck(
                what=f"{coin} is in the list",
                stated="yes",
                found="yes" if there else "no",
                verdict="holds" if there else "cannot-tell" if unsure else "fails",
                note="the list has labels that recount does not know" if unsure else "",
            )
        )
    by_coin = {line.asset: line for line in ratios}
    exact = {coin: _recounted(totals.get(coin), scale, line) for coin, line in by_coin.items()}
    for coin, text in sorted(statement.ratios.items()):
        what = f"{coin} reserve ratio"
        checks.append(_check_ratio(what, text, by_coin.get(coin), exact.get(coin)))
    if statement.minimum_ratio:
        for coin in sorted(set(statement.coins) - set(statement.ratios)):
            what = f"{coin} reserve ratio at least"
            checks.append(
                _check_ratio(what, statement.minimum_ratio, by_coin.get(coin), exact.get(coin))
            )
    return tuple(checks)


def _recounted(totals: CoinTotals | None, scale: Scales, line: RatioLine) -> Fraction | None:
    """Return the recounted ratio in percent, uncut: a stated one may have any places."""
    if totals is None or line.recounted is None or line.liabilities is None:
        return None
    coins = Fraction(totals.all.observed, 10 ** scale.decimals[line.asset])
    return coins / Fraction(line.liabilities) * 100


def _check_ratio(
    what: str, stated: str, line: RatioLine | None, exact: Fraction | None
) -> StatementCheck:
    if line is None or exact is None:
        return StatementCheck(
            what=what,
            stated=f"{stated}%",
            found=None,
            verdict="cannot-tell",
            note="no liabilities were given for this coin",
        )
    reached = rounds_to_at_least(exact, stated)
    note = f"as claimed {line.claimed}%, owned rows only {line.owned}%"
    if not reached and line.lower_bound:
        return StatementCheck(
            what=what,
            stated=f"{stated}%",
            found=f"{line.recounted}%",
            verdict="cannot-tell",
            note=f"{note}; a lower bound, some rows could not be observed",
        )
    return StatementCheck(
        what=what,
        stated=f"{stated}%",
        found=f"{line.recounted}%",
        verdict="holds" if reached else "fails",
        note=note,
    )


def rounds_to_at_least(found: Fraction, stated: str) -> bool:
    """Tell whether ``found``, rounded half up to the places of ``stated``, reaches it."""
    places = len(stated.partition(".")[2])
    scaled = found * 10**places
    rounded = (scaled + Fraction(1, 2)).__floor__()
    return Fraction(rounded, 10**places) >= Fraction(stated)


def _cut(value: Fraction, places: int = 8) -> str:
    """Write a fraction cut at ``places``, for reading."""
    scaled = value.numerator * 10**places // value.denominator
    whole, rest = divmod(scaled, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".")
