"""What a reader should know first, drawn from the records of a report.

Shared by the terminal and the page, so that both say the same. Everything is exact:
parts of an amount are fractions, and parts of one asset are never added to another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import msgspec

from crawler.counting.findings import EXCHANGE, NOTE, proven
from crawler.reports import display
from crawler.result import AssetLine, Discrepancy, Finding, RatioLine, Result, SnapshotLine

_ORDER = {verdict: place for place, verdict in enumerate(display.VERDICTS)}

_STANDING = ("stands", "surplus")

EXITS = {
    0: "everything the policy asks for holds",
    1: "a discrepancy is proven or a policy rule fails",
    2: "the command, the list or the configuration is wrong",
    3: "incomplete: more could not be looked at than the policy allows",
    4: "the surroundings failed: endpoints disagree, a reorganised block, the disk",
}
"""What each exit code means."""


class Segment(msgspec.Struct, frozen=True):
    """One part of a bar: ``key`` picks its colour and pattern, ``word`` names it."""

    key: str
    word: str
    value: Fraction


class Spread(msgspec.Struct, frozen=True):
    """How far the snapshots lie apart, in seconds; ``unknown`` of them tell no time."""

    seconds: int | None
    first: int
    last: int
    unknown: int


def worst_first(assets: Iterable[AssetLine]) -> tuple[AssetLine, ...]:
    """Order assets by verdict, what does not stand first; else as the report has them."""
    return tuple(sorted(assets, key=lambda line: _ORDER.get(line.verdict, -1)))


def by_verdict(assets: Iterable[AssetLine]) -> dict[str, tuple[AssetLine, ...]]:
    """Group assets by verdict, worst first; verdicts that no asset has are left out."""
    groups: dict[str, tuple[AssetLine, ...]] = {}
    for line in worst_first(assets):
        groups[line.verdict] = (*groups.get(line.verdict, ()), line)
    return groups


def missing(line: AssetLine) -> Fraction:
    """Return what the rows that fall short lack, together, in coin units, never negative."""
    group = line.reconciliation.get("shortfall")
    return abs(Fraction(group.difference)) if group and group.difference else Fraction(0)


def above(line: AssetLine) -> Fraction:
    """Return what the rows with a surplus hold beyond their claims, in coin units."""
    group = line.reconciliation.get("surplus")
    return abs(Fraction(group.difference)) if group and group.difference else Fraction(0)


def claim_segments(line: AssetLine) -> tuple[Segment, ...]:
    """Split the claimed amount: owned, observed but not owned, missing, not observed.

    The parts add up to the claimed amount plus what was found above it (surplus, and what
    the published rounding hides), so a bar of them may be longer than the claim.
    """
    if line.observed is None or line.owned is None:
        return (Segment("unseen", "not looked at", Fraction(line.unobserved)),)
    observed, owned = Fraction(line.observed), Fraction(line.owned)
    parts = (
        Segment("owned", "owned", owned),
        Segment("found", "found only", observed - owned),
        Segment("short", "missing", missing(line)),
        Segment("unseen", "not looked at", Fraction(line.unobserved)),
    )
    return tuple(part for part in parts if part.value > 0)


def unobserved_rows(line: AssetLine) -> int:
    """Return how many rows could not be looked at."""
    group = line.reconciliation.get("unobserved")
    return group.rows if group else 0


def seen(claimed: str, unobserved: str) -> str:
    """Say how much of a claimed amount was looked at: ``all``, ``part`` or ``none``.

    What was found of ``part`` is a lower bound; of ``none`` nothing was found out, which
    must not read as zero.
    """
    if not Fraction(unobserved):
        return "all"
    return "none" if Fraction(unobserved) >= Fraction(claimed) else "part"


def line_seen(line: AssetLine) -> str:
    """Say how much of an asset was looked at, as ``seen`` does, by rows."""
    if line.verdict == "not-looked-at":
        return "none"
    unseen = unobserved_rows(line)
    if not unseen:
        return "all"
    rows = sum(group.rows for group in line.reconciliation.values())
    return "none" if rows == unseen else "part"


def class_seen(line: AssetLine, name: str) -> str:
    """Say how much of one class of an asset was looked at, by its networks."""
    states = {seen(n.claimed, n.unobserved) for n in line.networks if n.asset_class == name}
    if states <= {"all"}:
        return "all"
    return "none" if states == {"none"} else "part"


def in_words(segments: Sequence[Segment], whole: Fraction) -> str:
    """Say a bar in words, with each part's share of ``whole``."""
    if not segments:
        return "nothing to show"
    return " · ".join(f"{s.word} {display.share(s.value, whole)}" for s in segments)


def first_ratios(result: Result) -> dict[str, RatioLine]:
    """Return the first ratio of each asset that has one."""
    ratios: dict[str, RatioLine] = {}
    for line in result.ratios:
        ratios.setdefault(line.asset, line)
    return ratios


def headline(result: Result) -> str:
    """Return the one sentence that a reader should take away.

    Says first what contradicts the list, then what we could not look at: never the one in
    the words of the other.
    """
    if not result.assets:
        return "Nothing was recounted: the list holds no row that counts for an asset."
    groups = {v: [a.asset for a in lines] for v, lines in by_verdict(result.assets).items()}
    short = groups.get("shortfall", [])
    if short:
        return f"{display.names(short)} {_verb('shortfall', len(short))} of what the list claims."
    contradictions = proven(result.findings)
    if contradictions:
        return (
            "No asset falls short where we could look, but the list does not stand as "
            f"published: {display.count(len(contradictions), 'kind')} of contradiction."
        )
    return _without_contradiction(groups, [line.asset for line in result.assets])


def _without_contradiction(groups: Mapping[str, Sequence[str]], assets: Sequence[str]) -> str:
    """Return the sentence for a list that nothing contradicts."""
    if set(groups) == {"not-looked-at"}:
        return "Nothing was recounted: no asset could be looked at."
    unseen = [name for verdict in groups if verdict not in _STANDING for name in groups[verdict]]
    if unseen:
        return (
            "Nothing contradicts the list so far, but "
            f"{display.names(unseen)} could not be looked at in full."
        )
    if len(assets) == 1:
        return f"{display.names(assets)} stands: the chains hold the claim."
    return f"All {len(assets)} assets stand: the chains hold at least what the list claims."


def tally(result: Result) -> str:
    """Count the assets by verdict, and name the one we saw least of."""
    total = len(result.assets)
    if not total:
        return "0 assets."
    words = ", ".join(
        f"{len(lines)} {_verb(verdict, len(lines))}"
        for verdict, lines in reversed(by_verdict(result.assets).items())
    )
    sentence = f"Of {display.count(total, 'asset')}: {words}."
    lacking = [line for line in worst_first(result.assets) if missing(line)]
    if lacking:
        amounts = [
            f"{display.amount(decimal(missing(line)), 2)} {display.short(line.asset, 20)}"
            for line in lacking
        ]
        sentence += f" Missing: {display.names(amounts)}."
    unowned = [line.asset for line in worst_first(result.assets) if _found_only(line)]
    if unowned:
        sentence += f" Found, but not all shown to be owned: {display.names(unowned)}."
    seen = [line for line in result.assets if line.coverage is not None]
    if not seen:
        return sentence
    least = min(seen, key=lambda line: Fraction(line.coverage or "0"))
    if Fraction(least.coverage or "0") >= 100:  # noqa: PLR2004
        return f"{sentence} Every claimed amount was looked at in full."
    return (
        f"{sentence} Least looked at: {display.short(least.asset)}, "
        f"{display.percent(least.coverage)} of its claimed amount."
    )


def _found_only(line: AssetLine) -> bool:
    if line.observed is None or line.owned is None:
        return False
    return Fraction(line.observed) > Fraction(line.owned)


def _verb(verdict: str, number: int) -> str:
    one, many = {
        "shortfall": ("falls short", "fall short"),
        "not-looked-at": ("was not looked at", "were not looked at"),
        "incomplete": ("could be looked at only in part",) * 2,
        "surplus": ("holds more than claimed", "hold more than claimed"),
        "stands": ("stands", "stand"),
    }.get(verdict, (display.short(verdict),) * 2)
    return one if number == 1 else many


def grouped_findings(findings: Iterable[Finding]) -> dict[str, tuple[Finding, ...]]:
    """Group findings by whose matter they are, in the order of ``display.ABOUT``.

    What contradicts nothing, an equal repeat, stands with the notes.
    """
    groups: dict[str, tuple[Finding, ...]] = dict.fromkeys(display.ABOUT, ())
    for finding in findings:
        about = NOTE if finding.about == EXCHANGE and not proven([finding]) else finding.about
        groups[about] = (*groups.get(about, ()), finding)
    return {about: items for about, items in groups.items() if items}


def left_out(result: Result, asset: str) -> str:
    """Name the kinds of rows behind what does not count of an asset, "" where none is known."""
    codes = {f.code for f in result.findings if f.amounts.get(asset, "0").strip("0.")}
    words = {"repeat-of": "repeats", "conflict": "conflicts"}
    return " and ".join(word for code, word in words.items() if code in codes)


def spread(snapshots: Sequence[SnapshotLine]) -> Spread:
    """Return how far apart in time the snapshots lie, of those that tell a time."""
    times = [line.time for line in snapshots if line.time]
    unknown = len(snapshots) - len(times)
    if not times:
        return Spread(None, 0, 0, unknown)
    return Spread(max(times) - min(times), min(times), max(times), unknown)


def decimal(value: Fraction) -> str:
    """Write a fraction that is a sum of decimals as a decimal again, exactly."""
    sign = "-" if value < 0 else ""
    scale = 0
    while (value * 10**scale).denominator != 1:
        scale += 1
    digits = str(abs(int(value * 10**scale))).rjust(scale + 1, "0")
    return sign + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def kinds(discrepancies: Iterable[Discrepancy]) -> Mapping[str, int]:
    """Count the listed discrepancies by kind, most first."""
    counts: dict[str, int] = {}
    for line in discrepancies:
        counts[line.kind] = counts.get(line.kind, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
