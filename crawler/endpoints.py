"""Loads the user's ``endpoints.toml``: an array ``[[endpoints]]`` of ``EndpointSpec`` tables.

Every mistake is found here, before anything is asked: unknown keys, unset secrets, a URL of an
unknown kind, one URL declared twice (it cannot be its own witness), a third party without a
rate, plain HTTP to a third party.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chains.endpoints import DEFAULT_RATE, EndpointSpec
from chains.errors import ConfigError
from chains.model import ChainId
from crawler import declarations
from crawler.declarations import fault

SCHEMES = ("http", "https", "file")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RANGES = {
    "concurrency": (1, 1024),
    "timeout_s": (1, 3600),
    "max_answer_bytes": (1024, 1 << 40),
    "batch": (0, 1_000_000),
}


def load_endpoints(
    path: Path, env: Mapping[str, str], chains: Collection[ChainId] | None = None
) -> tuple[EndpointSpec, ...]:
    """Load endpoints in file order.

    ``env`` must hold the variables that URLs and headers name (they are checked, not kept).
    With ``chains``, an endpoint of an undeclared chain is an error. Raises ``ConfigError``.
    """
    file = path.name
    table = declarations.parse(declarations.read_bytes(path, file), file)
    declarations.only(table, ("endpoints",), file)
    names: set[str] = set()
    addresses: dict[tuple[str, str, str], str] = {}
    specs = []
    for i, entry in enumerate(declarations.array_of(table, "endpoints", file)):
        spec = _endpoint(entry, file, f"endpoints[{i}]")
        key = f"endpoints[{i}] ({spec.name})"
        if spec.name in names:
            raise fault(file, f"{key}.name", "is the name of an earlier endpoint as well")
        names.add(spec.name)
        if chains is not None and spec.chain not in chains:
            raise fault(file, f"{key}.chain", f"{spec.chain} is not a declared chain")
        url = _resolved_url(spec, env, file, key)
        other = addresses.setdefault((spec.chain, spec.protocol, url), spec.name)
        if other != spec.name:
            raise fault(file, f"{key}.url", f"is also the URL of {other}, which confirms nothing")
        specs.append(spec)
    return tuple(specs)


def _endpoint(entry: Any, file: str, key: str) -> EndpointSpec:
    if isinstance(entry, dict):
        entry = dict(entry)
        own = entry.get("own_node") is True
        rate = entry.get("rate", "0" if own else DEFAULT_RATE)
        if isinstance(rate, int) and not isinstance(rate, bool):
            rate = str(rate)
        entry["rate"] = rate
    spec = declarations.convert(entry, EndpointSpec, file, key)
    if _NAME.fullmatch(spec.name) is None:
        raise fault(file, f"{key}.name", "must be letters, digits, dot, dash or underscore")
    key = f"{key} ({spec.name})"
    declarations.check_chain(spec.chain, file, f"{key}.chain")
    declarations.check_decimal(spec.rate, file, f"{key}.rate")
    for field, (low, high) in _RANGES.items():
        value = getattr(spec, field)
        if not low <= value <= high:
            raise fault(file, f"{key}.{field}", f"is {value}; allowed: {low} to {high}")
    if spec.per_second == 0 and not spec.own_node:
        raise fault(file, f"{key}.rate", "is 0 (unlimited), which only an own node may have")
    return spec


def _resolved_url(spec: EndpointSpec, env: Mapping[str, str], file: str, key: str) -> str:
    """Check the URL with its secrets filled in and return it; no message shows it."""
    try:
        url, headers = spec.resolved_url(env), spec.resolved_headers(env)
    except ConfigError as error:
        raise fault(file, f"{key}.url or .headers", str(error)) from error
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port, host.encode("idna")
    except ValueError as error:
        raise fault(file, f"{key}.url", "is not a URL") from error
    if parts.scheme not in SCHEMES:
        raise fault(
            file,
            f"{key}.url",
            f"has the scheme {parts.scheme!r}; allowed: {', '.join(SCHEMES)}",
        )
    if parts.scheme == "file":
        if host not in ("", "localhost") or not parts.path:
            raise fault(file, f"{key}.url", "must name a file of this machine: file:///path")
    elif not host:
        raise fault(file, f"{key}.url", "names no host")
    elif parts.scheme == "http" and not (spec.own_node or _is_loopback(host)):
        raise fault(
            file, f"{key}.url", "is plain http to a third party; use https, or own_node = true"
        )
    if "@" in parts.netloc and any(name.lower() == "authorization" for name in headers):
        raise fault(
            file, f"{key}.headers", "has Authorization, and the URL has credentials too; keep one"
        )
    for name, text in headers.items():
        if any(c in "\r\n\0" for c in name + text):
            raise fault(file, f"{key}.headers.{name}", "contains a line break")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
