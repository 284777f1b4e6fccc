"""Loads the user's ``endpoints.toml``: an array ``[[endpoints]]`` of ``EndpointSpec`` tables.

The public endpoints of the shipped example file stand there as comments, so that a copy of the file
asks nobody. ``load_public`` reads them, for ``--public-endpoints`` alone.

Every mistake is found here, before anything is asked: unknown keys and protocols, placeholders that
are none, secrets that are unset or empty, a URL of an unknown kind, one URL declared twice (it
cannot be its own witness), a third party without a rate, plain HTTP to a third party.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from chains.endpoints import DEFAULT_RATE, EndpointSpec
from chains.errors import ConfigError
from chains.model import ChainId
from chains.stream import STREAM_SCHEMES
from crawler import declarations
from crawler.declarations import fault, quoted
from crawler.settings import config_root

SCHEMES = ("http", "https", "file", *STREAM_SCHEMES)
PLAIN = {"http": "https", "tcp": "ssl"}
"""Schemes without encryption, each with the one to use instead."""
PROTOCOLS = {
    "": SCHEMES,
    "rpc": ("http", "https"),
    "dump": ("file",),
    "electrum": STREAM_SCHEMES,
}
"""Node protocols, each with the schemes over which it is spoken; "" is what the scheme says."""
PUBLIC = "public"
"""Stands for a path: the public endpoints of the shipped example file."""
PUBLIC_RATE = "1"
PUBLIC_CONCURRENCY = 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PUBLIC_LINE = re.compile(r"# ([-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}) (https://[^\s]+)(?: \((.+)\))?")
_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa1-\xff]*")
"""Spec: https://www.rfc-editor.org/rfc/rfc9110#section-5.5"""
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
    declarations.only(table, ("endpoints", "found"), file)
    found = _found(table, path, file)
    names: set[str] = set()
    addresses: dict[tuple[str, str, str], str] = {}
    specs = []
    for i, entry in enumerate(declarations.array_of(table, "endpoints", file)):
        name = entry.get("name") if isinstance(entry, dict) else None
        known = found.get(name, {}) if isinstance(name, str) else {}
        spec = _endpoint({**entry, **known} if known else entry, file, f"endpoints[{i}]")
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


def _found(table: Mapping[str, Any], path: Path, file: str) -> Mapping[Any, Mapping[str, Any]]:
    """Read what ``recount doctor`` found, by endpoint: ``rate`` and ``batch`` and nothing else."""
    name = table.get("found", "")
    if not isinstance(name, str):
        raise fault(file, "found", "must be the name of a file beside this one")
    if not name:
        return {}
    beside = path.parent / name
    found = declarations.parse(declarations.read_bytes(beside, beside.name), beside.name)
    declarations.only(found, ("found",), beside.name)
    tables = found.get("found", {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise fault(beside.name, "found", "must be tables, one for each endpoint")
    for endpoint, one in tables.items():
        declarations.only(one, ("rate", "batch"), f"{beside.name}: found.{endpoint}")
    return tables


def public_file() -> Path:
    """Return the shipped file that names public endpoints."""
    return config_root() / "endpoints.example.toml"


def load_public(chains: Collection[ChainId]) -> tuple[EndpointSpec, ...]:
    """Load the public endpoints of ``chains``: unverified examples, asked one at a time, slowly.

    Raises ``ConfigError`` where the shipped file is damaged.
    """
    file = public_file().name
    text = declarations.read_bytes(public_file(), file).decode()
    _, _, listed = text.partition("# Public endpoints")
    specs: list[EndpointSpec] = []
    for found in _PUBLIC_LINE.finditer(listed):
        entry = {
            "name": f"public-{len(specs) + 1}-{(urlsplit(found[2]).hostname or '')[:48]}",
            "chain": found[1],
            "url": found[2],
            "rate": PUBLIC_RATE,
            "concurrency": PUBLIC_CONCURRENCY,
        }
        specs.append(_endpoint(entry, file, f"public endpoint {len(specs) + 1}"))
    if not specs:
        raise fault(file, "Public endpoints", "names none")
    return tuple(spec for spec in specs if spec.chain in chains)


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
    if spec.protocol not in PROTOCOLS:
        known = ", ".join(name for name in PROTOCOLS if name)
        raise fault(file, f"{key}.protocol", f"is {spec.protocol!r}; known protocols: {known}")
    if spec.per_second == 0 and not spec.own_node:
        raise fault(file, f"{key}.rate", "is 0 (unlimited), which only an own node may have")
    return spec


def _check_stream(url: str, parts: SplitResult, has_headers: bool, file: str, key: str) -> None:  # noqa: FBT001 - one caller
    """Refuse what a line protocol over a socket has no place for."""
    if not parts.port or url != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        raise fault(file, f"{key}.url", f"must be {parts.scheme}://host:port and nothing more")
    if has_headers:
        raise fault(file, f"{key}.headers", f"cannot be sent to {parts.scheme} endpoints")


def _resolved_url(spec: EndpointSpec, env: Mapping[str, str], file: str, key: str) -> str:
    """Check the URL with its secrets filled in and return it; no message shows it."""
    url, headers = _filled(spec, env, file, key)
    if any(c.isspace() or not c.isprintable() for c in url):
        raise fault(file, f"{key}.url", "contains white space or a control character")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port, host.encode("idna")
    except ValueError as error:
        raise fault(file, f"{key}.url", "is not a URL") from error
    if parts.scheme not in SCHEMES:  # which may be the beginning of a secret
        raise fault(file, f"{key}.url", f"has none of the schemes {', '.join(SCHEMES)}")
    if parts.scheme not in PROTOCOLS[spec.protocol]:
        spoken = " or ".join(PROTOCOLS[spec.protocol])
        raise fault(
            file, f"{key}.protocol", f"is {spec.protocol!r}, but the URL's scheme is not {spoken}"
        )
    if parts.scheme == "file":
        if host not in ("", "localhost") or not parts.path:
            raise fault(file, f"{key}.url", "must name a file of this machine: file:///path")
    elif not host:
        raise fault(file, f"{key}.url", "names no host")
    elif parts.scheme in PLAIN and not (spec.own_node or is_loopback(host)):
        better = PLAIN[parts.scheme]
        raise fault(
            file,
            f"{key}.url",
            f"is plain {parts.scheme} to a third party; use {better}, or own_node = true",
        )
    elif parts.scheme in STREAM_SCHEMES:
        _check_stream(url, parts, bool(headers), file, key)
    if "@" in parts.netloc and any(name.lower() == "authorization" for name in headers):
        raise fault(
            file, f"{key}.headers", "has Authorization, and the URL has credentials too; keep one"
        )
    for name, text in headers.items():
        _check_header(name, text, file, f"{key}.headers.{quoted(name)}")
    return url


def _filled(
    spec: EndpointSpec, env: Mapping[str, str], file: str, key: str
) -> tuple[str, dict[str, str]]:
    """Return URL and headers with their secrets filled in."""
    place = f"{key}.url"
    try:
        url, headers = spec.resolved_url(env), dict[str, str]()
        for name, text in spec.headers.items():
            place = f"{key}.headers.{quoted(name)}"
            one = msgspec.structs.replace(spec, headers={name: text})
            headers |= one.resolved_headers(env)
    except ConfigError as error:
        raise fault(file, place, str(error)) from error
    return url, headers


def _check_header(name: str, text: str, file: str, key: str) -> None:
    """Refuse what HTTP cannot carry; the value may be a secret and is not shown."""
    if any(c in "\r\n\0" for c in name + text):
        raise fault(file, key, "contains a line break")
    if _HEADER_NAME.fullmatch(name) is None:
        raise fault(file, key, "is not the name of a header")
    if _HEADER_VALUE.fullmatch(text) is None:
        raise fault(file, key, "has characters that are neither printable ASCII nor Latin-1")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
