"""What crosses the wire between coordinator and workers: records as JSON, and who one is.

Endpoints travel as declared, with ``${NAME}`` in the place of secrets: each worker fills them in
from its own environment or files. Endpoints with a secret written out are refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from chains.endpoints import HIDDEN, EndpointSpec, redact_url
from chains.errors import ConfigError
from chains.model import ChainId, ChainSpec, Snapshot
from chains.transport import EndpointStatistics, RetryPolicy
from crawler import sources
from crawler.errors import UsageError
from crawler.inputs import versions
from crawler.keeping.runs import ShardEntry

T = TypeVar("T", bound=msgspec.Struct)
_TEMPLATE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to ask for a run. ``epoch`` is another one for each command."""

    epoch: str
    build: Mapping[str, str]
    place: str
    specs: Mapping[ChainId, ChainSpec]
    endpoints: tuple[EndpointSpec, ...]
    retry: RetryPolicy


class ShardTask(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of the frozen plan, at its pinned moment."""

    entry: ShardEntry
    at: Snapshot


class Share(msgspec.Struct, frozen=True):
    """What a worker may take of one endpoint: requests at once, and per second.

    ``rate`` is the text of a fraction, ``"0"`` is unlimited. Without slots nothing is allowed.
    """

    slots: int = 0
    rate: str = "0"

    @property
    def per_second(self) -> Fraction:
        """The rate, exactly."""
        return Fraction(self.rate)


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker may take, by endpoint, for ``lasting_s`` seconds from its arrival."""

    epoch: str
    shares: Mapping[str, Share]
    lasting_s: float


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of itself: which chains it has shards of, and what it does right now.

    ``under_way`` counts requests by endpoint; statistics are of the whole epoch.
    """

    wanted: Mapping[ChainId, int] = {}
    under_way: Mapping[str, int] = {}
    statistics: Mapping[str, EndpointStatistics] = {}


def read(packed: bytes, kind: type[T]) -> T | None:
    """Return a message of this kind, ``None`` for bytes that are none."""
    try:
        return msgspec.json.decode(packed, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


@cache
def build() -> Mapping[str, str]:
    """Say which recount this is: a digest of its own files, and the libraries' versions."""
    return {**versions(), "build": sources.digest()[:16]}


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Name what differs between two builds, ``""`` where nothing does."""
    names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    return ", ".join(f"{name} {there.get(name, '-')} instead of {here.get(name)}" for name in names)


def check_secrets(endpoints: Sequence[EndpointSpec]) -> None:
    """Raise ``ConfigError`` for an endpoint whose secret would travel."""
    for spec in endpoints:
        headers = any(not _TEMPLATE.search(value) for value in spec.headers.values())
        if headers or _shows_secret(_TEMPLATE.sub("", spec.url)):
            where = "a header" if headers else "the URL"
            raise ConfigError(
                f"endpoint {spec.name}: {where} seems to hold a secret, which would travel through "
                "the cluster; write it as ${NAME}, and set NAME or NAME_FILE on every worker"
            )


def _shows_secret(url: str) -> bool:
    """Tell whether a URL without its templates still holds what may be a secret."""
    parts = urlsplit(url)
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    asked = any(value or not equals for _, equals, value in pairs)
    path = redact_url(f"{parts.scheme}://host{parts.path}")
    return bool(parts.username or parts.password) or asked or HIDDEN in path


def check_address(address: str, *, plain: bool) -> None:
    """Raise ``UsageError`` unless a scheduler or worker is reached by TLS, or lies on this machine.

    ``plain`` says that the user accepts what anybody in between can do.
    """
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets with no address of IPv6 in them
        parts = urlsplit("")
    if parts.scheme not in ("tcp", "tls") or not parts.hostname:
        raise UsageError(f"--cluster {address}: tls://host:port or tcp://host:port was expected")
    if parts.scheme == "tls" or plain or _is_loopback(parts.hostname):
        return
    raise UsageError(
        f"{address} is another machine, over a connection without encryption: whoever sits between "
        "can read and change everything, and run code; use tls://, or accept that with "
        "--cluster-plain"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
