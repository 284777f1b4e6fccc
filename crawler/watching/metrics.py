"""A run's figures as a textfile for Prometheus' node_exporter, to alert on.

Every sample carries ``target``, the file's own name: it tells several files apart and is known
even when nothing else is. A figure that cannot be said has no sample; it is never zero. Texts
of the list are escaped and cut; no URL, header or error text is written.
Spec: https://prometheus.io/docs/instrumenting/exposition_formats/
Spec: https://github.com/prometheus/node_exporter#textfile-collector
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.storage import replacing
from crawler.result import AssetLine, Report

SUFFIX = ".prom"
"""node_exporter reads no other files."""
LONGEST_LABEL = 80
"""Characters of one label value."""
DIGEST_DIGITS = 12
MOST_ASSETS = 300
"""Coins with figures of their own: a list that invents coins must not flood the database."""

HELP: Mapping[str, str] = {
    "recount_run_exit_code": "How the last run ended: 0 to 4, 130 interrupted, 141 unread.",
    "recount_run_end_timestamp_seconds": "When the last run ended, Unix time.",
    "recount_run_duration_seconds": "How long the last process took.",
    "recount_stage_seconds": "From the beginning of a stage to its last progress.",
    "recount_run_info": "Which list was recounted; the digest is cut.",
    "recount_report_timestamp_seconds": "When the report was made, Unix time.",
    "recount_findings": "Rows that contradict the exchange, by code.",
    "recount_gaps": "Rows that recount could not look at, by code.",
    "recount_rows": "Rows of a coin by what the chain showed.",
    "recount_rows_by_ownership": "Rows of a coin by ownership status.",
    "recount_asset_verdict": "1 for the verdict on a coin.",
    "recount_asset_observed_ratio": "Share of the claimed amount that was observed, 0 to 1.",
    "recount_asset_reserve_ratio": "Reserves over the liabilities given, 1 is 100%.",
    "recount_asset_reserve_ratio_lower_bound": "1 while part of the reserves is not observed.",
    "recount_assets_left_out": "Coins without figures here; report.json has them.",
    "recount_endpoint_requests": "Requests to an endpoint since the run directory was begun.",
    "recount_endpoint_troubles": "Answers that had to be asked again, by reason.",
    "recount_endpoint_rejected": "1 for an endpoint that was not used.",
}

Labels = tuple[tuple[str, str], ...]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How one process ended. Times in seconds; ``report`` is ``None`` where there is none."""

    exit_code: int
    at: float
    seconds: float
    stages: Mapping[str, float]
    report: Report | None = None


def check(path: Path) -> None:
    """Raise ``UsageError`` where node_exporter would not find the file."""
    if path.suffix != SUFFIX:
        raise UsageError(f"{path}: node_exporter reads only files that end in {SUFFIX}")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no directory; --metrics writes into one that exists")


def write(path: Path, ending: Ending) -> None:
    """Replace the file in one step; raises ``EnvironmentFault``."""
    content = render(ending, target=path.stem).encode("utf-8", "replace")
    with replacing(path) as beside:
        try:
            beside.write_bytes(content)
        except OSError as error:
            raise EnvironmentFault(f"cannot write {path}: {error.strerror}") from error


def render(ending: Ending, *, target: str) -> str:
    """Return the text of the file."""
    families: dict[str, dict[Labels, str]] = {}
    for name, labels, value in _samples(ending):
        shown = tuple((key, label(text)) for key, text in {"target": target, **labels}.items())
        families.setdefault(name, {})[shown] = value
    return "".join(_family(name, samples) for name, samples in families.items())


def label(text: str) -> str:
    """Return a label value within the quotes: cut, without control characters, escaped.

    A text that had to be changed ends in a digest, so that two of them stay two series.
    """
    kept = "".join(c if c.isprintable() else "\ufffd" for c in text[:LONGEST_LABEL])
    if kept != text:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        kept = f"{kept[: LONGEST_LABEL - 9]}~{digest[:8]}"
    return kept.replace("\\", "\\\\").replace('"', '\\"')


def _family(name: str, samples: Mapping[Labels, str]) -> str:
    lines = [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge"]
    for labels, value in samples.items():
        inside = ",".join(f'{key}="{text}"' for key, text in labels)
        lines.append(f"{name}{{{inside}}} {value}")
    return "\n".join(lines) + "\n"


Sample = tuple[str, Mapping[str, str], str]


def _samples(ending: Ending) -> Iterator[Sample]:
    yield "recount_run_exit_code", {}, str(ending.exit_code)
    yield "recount_run_end_timestamp_seconds", {}, f"{ending.at:.0f}"
    yield "recount_run_duration_seconds", {}, f"{ending.seconds:.3f}"
    for stage, seconds in ending.stages.items():
        yield "recount_stage_seconds", {"stage": stage}, f"{seconds:.3f}"
    if ending.report is not None:
        yield from _of_the_report(ending.report)


def _of_the_report(report: Report) -> Iterator[Sample]:
    result, around = report.result, report.circumstances
    info = {
        "list": result.list.name,
        "list_sha256": result.list.sha256[:DIGEST_DIGITS],
        "exchange": result.list.exchange,
        "run": around.run,
        "version": around.versions.get("reserve-recount", ""),
    }
    yield "recount_run_info", info, "1"
    made = datetime.fromisoformat(around.finished).timestamp()
    yield "recount_report_timestamp_seconds", {}, f"{made:.0f}"
    for finding in result.findings:
        name = {"exchange": "recount_findings", "recount": "recount_gaps"}.get(finding.about)
        if name is not None:
            yield name, {"code": finding.code}, str(finding.count)
    named = result.assets[:MOST_ASSETS]
    for asset in named:
        yield from _of_an_asset(asset)
    kept = {asset.asset for asset in named}
    for line in result.ratios:
        if line.liabilities is not None and line.asset in kept:
            of = {"asset": line.asset}
            for basis in ("claimed", "recounted", "owned"):
                percent = getattr(line, basis)
                if percent is not None:
                    yield "recount_asset_reserve_ratio", {**of, "basis": basis}, _ratio(percent)
            bound = str(int(line.lower_bound))
            yield "recount_asset_reserve_ratio_lower_bound", of, bound
    yield "recount_assets_left_out", {}, str(len(result.assets) - len(named))
    for endpoint in around.endpoints:
        whose = {"endpoint": endpoint.name, "chain": endpoint.chain, "role": endpoint.role}
        yield "recount_endpoint_requests", whose, str(endpoint.requests)
        for reason, count in endpoint.troubles.items():
            yield "recount_endpoint_troubles", {**whose, "reason": reason}, str(count)
        if endpoint.rejected:
            yield "recount_endpoint_rejected", whose, "1"


def _of_an_asset(asset: AssetLine) -> Iterator[Sample]:
    of = {"asset": asset.asset}
    yield "recount_asset_verdict", {**of, "verdict": asset.verdict}, "1"
    if asset.coverage is not None:
        yield "recount_asset_observed_ratio", of, _ratio(asset.coverage)
    for status, group in asset.reconciliation.items():
        yield "recount_rows", {**of, "reconciliation": status}, str(group.rows)
    owned: dict[str, int] = {}
    for part in asset.ownership:
        owned[part.status] = owned.get(part.status, 0) + part.rows
    for status, rows in owned.items():
        yield "recount_rows_by_ownership", {**of, "ownership": status}, str(rows)


def _ratio(percent: str) -> str:
    """Turn the report's percent text into a plain ratio, exactly."""
    return format(Decimal(percent).scaleb(-2), "f")
