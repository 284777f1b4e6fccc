"""What an endpoint is, as the user declares it, and how it is shown without its secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import msgspec

from chains.errors import ConfigError
from chains.model import ChainId

REFERENCE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
"""A secret in a header or URL: ``${NAME}``; ``NAME_FILE`` may name a file that holds it."""


class EndpointSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place to ask about one chain.

    ``role``: ``primary`` endpoints share the questions, a ``witness`` is asked the same again
    and must agree. ``protocol`` tells node protocols of one chain apart (``rpc``, ``dump``).
    ``rate`` is requests per second as a decimal string, ``"0"`` for no limit (own nodes).
    ``batch`` overrides the adapter's questions per request; 0 keeps it.
    """

    name: str
    chain: ChainId
    url: str
    role: str = "primary"
    own_node: bool = False
    protocol: str = ""
    concurrency: int = 4
    rate: str = "5"
    timeout_s: int = 30
    max_answer_bytes: int = 64 << 20
    batch: int = 0
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"EndpointSpec({self.redacted()})"

    def redacted(self) -> dict[str, str]:
        """Describe the endpoint with everything that could be a secret hidden."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        path = "/".join("…" if len(p) >= 16 else p for p in parts.path.split("/"))  # noqa: PLR2004
        if parts.scheme == "file":
            path = Path(parts.path).name
        query = "&".join(f"{key}=…" for key, _ in parse_qsl(parts.query, keep_blank_values=True))
        return {
            "name": self.name,
            "chain": self.chain,
            "role": self.role,
            "url": urlunsplit((parts.scheme, host + port, path, query, "")),
        }

    def resolved_headers(self) -> Mapping[str, str]:
        """Return the headers with secrets filled in from the environment; call as late as possible."""
        return {key: fill_secrets(value, self.name) for key, value in self.headers.items()}


def fill_secrets(text: str, name: str) -> str:
    """Replace ``${NAME}`` by the environment's value, or by what ``NAME_FILE`` holds."""

    def value(match: re.Match[str]) -> str:
        key = match.group(1)
        if key in os.environ:
            return os.environ[key]
        path = os.environ.get(f"{key}_FILE")
        if path is not None:
            return Path(path).read_text(encoding="utf-8").strip()
        raise ConfigError(f"endpoint {name}: neither {key} nor {key}_FILE is set")

    return REFERENCE.sub(value, text)
