"""The report as one self-contained page: no scripts, no requests, nothing to install.

Everything that a template prints passes ``_finalize`` and then autoescaping, so no text of
the list can hide, reorder or become markup; the templates put such texts only between
tags, never into an attribute, an address or a class. Charts come from ``charts``, which
takes classes from fixed sets. A strict content security policy in the page forbids what
is not there anyway.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from crawler.counting.findings import proven
from crawler.reports import charts, display, summary
from crawler.result import AssetLine, EvidencePointer, RatioLine, Report

SHOWN_DISCREPANCIES = 200
SHOWN_ROWS = 12
SHOWN_POINTERS = 2
SHOWN_DIGITS = 16
_LINES = ("lines", "header", "total", "claim", "signer", "malformed", "blank", "continuation")
_RECONCILIATION = ("shortfall", "unobserved", "surplus", "match")


class AssetView(msgspec.Struct, frozen=True):
    """One asset: its line, its bar, the bar in words, its ratio, what of it was left out."""

    line: AssetLine
    bar: Markup
    words: str
    ratio: RatioLine | None
    left_out: str


def render(report: Report) -> str:
    """Return the page. The same report gives the same bytes."""
    result = report.result
    first = summary.first_ratios(result)
    views = [
        _asset_view(line, first.get(line.asset), summary.left_out(result, line.asset))
        for line in summary.worst_first(result.assets)
    ]
    ratios = [Fraction(v) for line in result.ratios for _, v in _ratio_values(line)]
    shown = result.discrepancies[:SHOWN_DISCREPANCIES]
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        result=result,
        circumstances=report.circumstances,
        headline=summary.headline(result),
        tally=summary.tally(result),
        exit_words=summary.EXITS.get(result.outcome.exit_code, ""),
        tone=_tone(report),
        assets=views,
        findings=summary.grouped_findings(result.findings),
        kinds=summary.kinds(result.discrepancies),
        discrepancies=shown,
        discrepancies_more=len(result.discrepancies) - len(shown),
        evidence=_evidence(report.circumstances.evidence),
        spread=summary.spread(result.snapshots),
        scale=charts.ratio_scale(ratios),
        denominators=_denominators(result.ratios),
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crawler.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        num=number,
        percent=display.percent,
        explain=display.explain,
        moment=display.moment,
        places=places,
        ordered=ordered,
        digest=_digest,
        short=display.short,
    )
    environment.globals.update(
        CLAIM_KEYS=charts.CLAIM_KEYS,
        STATUS_KEYS=charts.STATUS_KEYS,
        CLASS_KEYS=charts.CLASS_KEYS,
        ABOUT=display.ABOUT,
        LINES=_LINES,
        RECONCILIATION=_RECONCILIATION,
        SHOWN_POINTERS=SHOWN_POINTERS,
        SHOWN_ROWS=SHOWN_ROWS,
        count=display.count,
        class_bar=_class_bar,
        class_share=_class_share,
        dot_swatch=charts.dot_swatch,
        gap_rows=summary.unobserved_rows,
        above=lambda line: summary.decimal(summary.above(line)),
        mark=charts.mark,
        ownership_bar=_ownership_bar,
        patterns=charts.patterns,
        class_seen=summary.class_seen,
        found=found,
        line_seen=summary.line_seen,
        seen=summary.seen,
        ratio_axis=charts.ratio_axis,
        ratio_dots=_ratio_dots,
        swatch=charts.swatch,
        verdict_word=lambda verdict: display.VERDICTS.get(verdict, verdict),
    )
    return environment


def _finalize(value: Any) -> Any:
    """Make every printed text inert; refuse to print ``None``, which must be put in words."""
    if value is None:
        message = "the template prints a value that cannot be said; it must say so in words"
        raise TypeError(message)
    return value if isinstance(value, Markup) else display.visible(str(value))


def number(value: str | None, width: int = 0, cut: int | None = None) -> Markup:
    """Show an amount so that points align in a column of ``width`` decimals."""
    if value is None:
        return Markup('<span class="unsaid">{}</span>').format(display.UNSAID)
    sign, whole, fraction = display.split_amount(value, cut)
    tail = Markup('<span class="f"{}>{}</span>').format(
        Markup(' style="width:calc({}ch + .4em)"').format(width) if width else "",
        f".{fraction}" if fraction else "",
    )
    minus = "\N{MINUS SIGN}" if sign else ""
    return Markup('<span class="n">{}{}{}</span>').format(minus, whole, tail)


def found(value: str | None, width: int, seen: str) -> Markup:
    """Show an observed amount; ``seen`` tells whether all, part or none was looked at."""
    if seen == "none" or value is None:
        return Markup('<span class="unsaid">not known</span>')
    shown = number(value, width)
    return Markup("≥ {}").format(shown) if seen == "part" else shown


def places(values: Iterable[Any], attribute: str, cut: int | None = None) -> int:
    """Return the most decimals that a column shows, to align its points."""
    shown = [
        len(display.split_amount(text, cut)[2])
        for text in (getattr(value, attribute) for value in values)
        if text is not None
    ]
    return min(max(shown, default=0), 40)


def ordered(mapping: Mapping[str, Any], first: Iterable[str] = ()) -> list[tuple[str, Any]]:
    """Return the items of a mapping: the names of ``first`` in that order, then by name.

    A report read from disk has its names sorted; the page must not tell the difference.
    """
    known = [name for name in first if name in mapping]
    return [(name, mapping[name]) for name in (*known, *sorted(mapping.keys() - set(known)))]


def _digest(value: str) -> str:
    return value if len(value) <= SHOWN_DIGITS else value[:SHOWN_DIGITS] + display.CUT


def _tone(report: Report) -> str:
    """Return which of four page colours the verdict has: bad, gaps, good or none."""
    verdicts = {line.verdict for line in report.result.assets}
    if "shortfall" in verdicts or proven(report.result.findings):
        return "bad"
    if not verdicts or verdicts - {"stands", "surplus"}:
        return "gaps"
    return "good"


def _asset_view(line: AssetLine, ratio: RatioLine | None, left_out: str) -> AssetView:
    segments = summary.claim_segments(line)
    claim = Fraction(line.claimed)
    words = summary.in_words(segments, claim)
    return AssetView(
        line=line,
        bar=charts.stacked_bar(segments, f"Of the claimed amount: {words}", claim=claim),
        words=words,
        ratio=ratio,
        left_out=left_out,
    )


def _ratio_values(line: RatioLine) -> list[tuple[str, str]]:
    values = (
        ("stated", line.stated),
        ("owned", line.owned),
        ("claimed", line.claimed),
        ("recounted", line.recounted),
    )
    return [(kind, value) for kind, value in values if value is not None and _is_decimal(value)]


def _denominators(lines: Iterable[RatioLine]) -> dict[tuple[str, str, str], list[str]]:
    """Group assets by where their liabilities come from: (trust, source, date)."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for line in lines:
        groups.setdefault((line.trust, line.source, line.as_of), []).append(line.asset)
    return groups


def _is_decimal(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").replace(".", "", 1).isdigit()


def _ratio_dots(line: RatioLine, scale: charts.Scale) -> Markup:
    values = _ratio_values(line)
    words = " · ".join(f"{kind} {display.percent(value)}" for kind, value in values)
    return charts.ratio_dots(
        [(kind, Fraction(v)) for kind, v in values], scale, words or "no ratio"
    )


def _ownership_bar(line: AssetLine) -> Markup:
    """Draw the claimed amount of an asset by ownership status."""
    sums: dict[str, Fraction] = {}
    for group in line.ownership:
        key = charts.key_class(group.status)
        sums[key] = sums.get(key, Fraction(0)) + Fraction(group.claimed)
    return _bar(sums, charts.STATUS_KEYS)


def _class_bar(line: AssetLine) -> Markup:
    """Draw the claimed amount of an asset by class."""
    sums: dict[str, Fraction] = {}
    for name, group in line.classes.items():
        key = charts.key_class(name)
        sums[key] = sums.get(key, Fraction(0)) + Fraction(group.claimed)
    return _bar(sums, charts.CLASS_KEYS)


def _bar(sums: Mapping[str, Fraction], known: Mapping[str, str]) -> Markup:
    order = [*known, *(key for key in sums if key not in known)]
    segments = [
        summary.Segment(key, known.get(key, key), sums[key])
        for key in order
        if sums.get(key, 0) > 0
    ]
    whole = sum((segment.value for segment in segments), Fraction(0))
    return charts.stacked_bar(segments, summary.in_words(segments, whole))


def _class_share(line: AssetLine, claimed: str) -> str:
    whole = sum((Fraction(group.claimed) for group in line.classes.values()), Fraction(0))
    return display.share(Fraction(claimed), whole)


def _evidence(pointers: Sequence[EvidencePointer]) -> dict[int, tuple[EvidencePointer, ...]]:
    joined: dict[int, tuple[EvidencePointer, ...]] = {}
    for pointer in pointers:
        joined[pointer.row] = (*joined.get(pointer.row, ()), pointer)
    return joined
