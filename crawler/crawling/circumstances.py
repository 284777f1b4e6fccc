"""What happened on the way: requests, troubles and rejections per endpoint, over all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chains.endpoints import EndpointSpec
from chains.transport import EndpointStatistics
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import RunDirectory
from crawler.result import EndpointLine

CIRCUMSTANCES = "inputs/circumstances.json"


def keep_circumstances(
    run: RunDirectory,
    specs: Sequence[EndpointSpec],
    statistics: Mapping[str, EndpointStatistics],
    rejected: Mapping[str, str],
) -> None:
    """Add what happened in this process to what earlier ones kept."""
    before = {line.name: line for line in stored_circumstances(run)}
    lines = [
        _endpoint_line(spec, statistics.get(spec.name), rejected, before.get(spec.name))
        for spec in specs
    ]
    run.write(CIRCUMSTANCES, msgspec.json.encode(lines))


def stored_circumstances(run: RunDirectory) -> tuple[EndpointLine, ...]:
    """Return what earlier processes and this one kept; raises ``EnvironmentFault`` if damaged."""
    file = run.path / CIRCUMSTANCES
    if not run.holds(CIRCUMSTANCES):
        return ()
    try:
        return msgspec.json.decode(run.read(CIRCUMSTANCES), type=tuple[EndpointLine, ...])
    except (OSError, ValueError, RecursionError) as error:
        raise EnvironmentFault(
            f"{file} is damaged ({error}); delete it: it holds only counts of requests"
        ) from error


def _endpoint_line(
    spec: EndpointSpec,
    now: EndpointStatistics | None,
    rejected: Mapping[str, str],
    before: EndpointLine | None,
) -> EndpointLine:
    troubles = dict(before.troubles) if before else {}
    if now is not None:
        for reason, count in (
            ("rate-limited", now.rate_limited),
            ("timeout", now.timeouts),
            ("unreachable", now.unreachable),
            ("server-error", now.server_errors),
        ):
            if count:
                troubles[reason] = troubles.get(reason, 0) + count
    requests = (before.requests if before else 0) + (now.requests if now else 0)
    asked_now = now is not None and now.requests > 0
    earlier = before.rejected if before and not asked_now else ""
    reason = rejected.get(spec.name, earlier)
    shown = spec.redacted()
    return EndpointLine(
        name=spec.name,
        chain=spec.chain,
        role=spec.role,
        url=str(shown["url"]),
        used=requests > 0 and not reason,
        rejected=reason,
        troubles=troubles,
        requests=requests,
    )
