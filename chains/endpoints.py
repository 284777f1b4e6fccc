"""One endpoint as its user declares it: where, how hard it may be asked, what must stay secret.

An endpoint's URL and headers are templates: ``${NAME}`` stands for the environment variable
``NAME`` or, where only ``NAME_FILE`` is set, for the contents of the file it names. The record
keeps the templates; ``resolved_url`` and ``resolved_headers`` fill them in when a connection is
made, and nothing stores the result. What is printed, logged
or written to a manifest comes from ``redacted``, which also hides keys that were typed into the
URL itself.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from chains.errors import ConfigError
from chains.model import ChainId
from chains.stream import STREAM_SCHEMES

Role = Literal["primary", "witness"]

DEFAULT_RATE = "5"
"""Calls per second to an endpoint that is not our own node, where none is declared."""
HIDDEN = "***"

_TEMPLATE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_BEGINS_TEMPLATE = "${"
_SHORTEST_KEY = 12
_SHORTEST_SECRET = 6
"""Shorter texts are words; hiding each of them would hide the message."""
_SHORTEST_BEGINNING = 8
"""Of a longer secret so many characters give it away."""
_LONGEST_WORD = 20


class EndpointSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One endpoint of one chain.

    ``role``: ``primary`` endpoints are asked, ``witness`` ones confirm. ``own_node`` says that the
    user runs it. ``protocol`` is the adapter's node protocol where it has several (``rpc``,
    ``dump``, ``electrum``), ``""`` for its first one. ``rate``: calls per second as a decimal text,
    ``"0"`` is unlimited; of an array each member is a call, as servers count. ``timeout_s``:
    seconds for one answer. ``max_answer_bytes``: a longer answer is refused. ``batch``: questions
    per request, 0 leaves it to the adapter.
    """

    name: str
    chain: ChainId
    url: str
    role: Role = "primary"
    own_node: bool = False
    protocol: str = ""
    concurrency: int = 4
    rate: str = DEFAULT_RATE
    timeout_s: int = 30
    max_answer_bytes: int = 64 * 1024 * 1024
    batch: int = 0
    headers: Mapping[str, str] = {}

    @property
    def per_second(self) -> Fraction:
        """The rate as an exact number of calls per second; 0 is unlimited."""
        return Fraction(self.rate)

    @property
    def is_file(self) -> bool:
        """Whether the endpoint is a file on this machine."""
        return self.url.startswith("file:")

    @property
    def speaks_lines(self) -> bool:
        """Whether questions go to the endpoint line by line over a stream (``chains.stream``)."""
        return urlsplit(self.url).scheme in STREAM_SCHEMES

    def resolved_url(self, env: Mapping[str, str] | None = None) -> str:
        """Return the URL with its secrets; raises ``ConfigError`` for one that is not there.

        Also for a placeholder that is none. ``env`` is the process environment where absent. The
        result must not be logged.
        """
        return self._fill(self.url, env)

    def resolved_headers(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the headers with their secrets; otherwise as ``resolved_url``."""
        return {name: self._fill(text, env) for name, text in self.headers.items()}

    def secrets(self, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Return what an echoing node must not get into our files: keys, passwords, headers.

        As they were written and as they were meant, and user and password as the header that
        they become. Longest first, so that no part of one is left behind.
        """
        parts = urlsplit(self.resolved_url(env))
        found = {parts.username or "", parts.password or "", parts.query}
        found.update(pair.partition("=")[2] for pair in parts.query.split("&"))
        found.update(value for _, value in parse_qsl(parts.query))
        found.update(piece for piece in parts.path.split("/") if len(piece) >= _SHORTEST_KEY)
        found.update([unquote(one) for one in found])
        if "@" in parts.netloc:
            both = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            found.add(base64.b64encode(both.encode()).decode())
        for value in self.resolved_headers(env).values():
            found.update((value, *value.split()))
        return tuple(
            sorted((s for s in found if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)
        )

    def _fill(self, text: str, env: Mapping[str, str] | None) -> str:
        known = os.environ if env is None else env
        if _BEGINS_TEMPLATE in _TEMPLATE.sub("", text):
            raise ConfigError(
                f"endpoint {self.name}: a '${{' without a name and '}}' behind it; a name is of "
                "letters, digits and underscores"
            )
        return _TEMPLATE.sub(lambda match: _secret(match[1], known, self.name), text)

    def redacted(self) -> dict[str, object]:
        """Return what may be printed and stored: no user info, keys, query or header values."""
        return {
            "name": self.name,
            "chain": self.chain,
            "url": redact_url(self.url),
            "role": self.role,
            "own_node": self.own_node,
            "protocol": self.protocol,
            "concurrency": self.concurrency,
            "rate": self.rate,
            "timeout_s": self.timeout_s,
            "max_answer_bytes": self.max_answer_bytes,
            "batch": self.batch,
            "headers": dict.fromkeys(self.headers, HIDDEN),
        }

    def __repr__(self) -> str:
        """Show the redacted form."""
        fields = ", ".join(f"{key}={value!r}" for key, value in self.redacted().items())
        return f"EndpointSpec({fields})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Show the redacted form in rich as well."""
        return list(self.redacted().items())


def hide(text: str, secrets: Iterable[str]) -> str:
    """Hide secrets in a text, and the beginning of one that was cut off."""
    for secret in secrets:
        begins = secret[:_SHORTEST_BEGINNING]
        at = text.find(begins)
        while at >= 0:
            end = at + len(begins)
            while end < len(text) and text[at : end + 1] == secret[: end + 1 - at]:
                end += 1
            text = text[:at] + HIDDEN + text[end:]
            at = text.find(begins, at + len(HIDDEN))
    return text


def redact_url(url: str) -> str:
    """Return ``url`` without user info, query values, fragments and path parts that may be keys.

    Host names and short plain words of the path stay, since they tell endpoints apart. Of a
    file only its name stays.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    if parts.scheme == "file":
        name = parts.path.rpartition("/")[2]
        return f"file:{HIDDEN}/{name}"
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{HIDDEN}@{host}" if "@" in parts.netloc else host
    path = "/".join(_hide_key(segment) for segment in parts.path.split("/"))
    query = "&".join(_hide_value(pair) for pair in parts.query.split("&")) if parts.query else ""
    return SplitResult(parts.scheme, netloc, path, query, "").geturl()


def _hide_value(pair: str) -> str:
    """Hide a query value; a pair without ``=`` may be a key itself and is hidden whole."""
    name, equals, _ = pair.partition("=")
    return f"{name}={HIDDEN}" if equals else HIDDEN


def _hide_key(segment: str) -> str:
    if _TEMPLATE.search(segment):
        return HIDDEN
    mixed = any(c.isdigit() for c in segment) and any(c.isalpha() for c in segment)
    if len(segment) > _LONGEST_WORD or (mixed and len(segment) >= _SHORTEST_KEY):
        return HIDDEN
    return segment


def _secret(name: str, env: Mapping[str, str], endpoint: str) -> str:
    """Return the value of ``name``, or the contents of the file that ``name_FILE`` names."""
    pointer = f"{name}_FILE"
    value = env[name] if name in env else _in_file(pointer, name, env, endpoint)
    if not value.strip():
        where = f"{name} is set in the environment, but" if name in env else f"what {pointer} names"
        raise ConfigError(f"endpoint {endpoint}: {where} is empty")
    return value


def _in_file(pointer: str, name: str, env: Mapping[str, str], endpoint: str) -> str:
    if pointer not in env:
        raise ConfigError(
            f"endpoint {endpoint}: neither {name} nor {pointer} is set in the environment"
        )
    try:
        return Path(env[pointer]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"endpoint {endpoint}: the file that {pointer} names cannot be read as text"
        ) from error
