"""A dump as an endpoint: what of a file on this machine is recorded as its answer.

A dump of ten gigabytes is no raw answer to keep. Kept is its header, byte for byte, and of one
pass over it what was found, with the digest of the file; decoding needs nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from chains.adapters.bip122 import dump
from chains.adapters.bip122.scan import DumpScan, scan_dump, wanted_digest
from chains.adapters.bip122.set_hash import set_hash
from chains.errors import Malformed
from chains.model import Exchange, Request

_READ = 200
"""Status of a file that was read."""


def read_dump_header(endpoint: str, path: Path, *, own_node: bool) -> Exchange:
    """Record the first bytes of a dump, as they are."""
    request = Request(method="FILE", path=path.name)
    try:
        with path.open("rb") as file:
            raw = file.read(dump.HEADER_BYTES)
    except OSError as error:
        return _unreadable(request, endpoint, error, own_node=own_node)
    return Exchange(request=request, endpoint=endpoint, own_node=own_node, status=_READ, body=raw)


def scanned(
    endpoint: str,
    path: Path,
    scripts: Sequence[bytes],
    *,
    own_node: bool,
    max_money: int,
    hashed: bool = False,
) -> Exchange:
    """Record one pass over a dump: the request says what was looked for, the body what was found.

    ``hashed``: the whole set is hashed as well (``set_hash``), in a pass of its own. Never raises
    for a bad file: the failure is in the exchange, with a sentence as its body.
    """
    asked = {"wanted": len(scripts), "wanted_sha256": wanted_digest(scripts)}
    request = Request(method="FILE", path=path.name, body=msgspec.json.encode(asked))
    try:
        found = _passes(path, scripts, max_money=max_money, hashed=hashed)
    except OSError as error:
        return _unreadable(request, endpoint, error, own_node=own_node)
    except Malformed as error:
        return Exchange(
            request=request,
            endpoint=endpoint,
            own_node=own_node,
            body=str(error).encode(),
            failure=error.code,
        )
    return Exchange(
        request=request,
        endpoint=endpoint,
        own_node=own_node,
        status=_READ,
        body=msgspec.json.encode(found),
    )


def source(exchange: Exchange) -> tuple[str, int] | None:
    """Return SHA-256 (hex) and size of the file that was scanned; ``None`` for other exchanges."""
    if exchange.request.method != "FILE" or not exchange.request.body or exchange.failure:
        return None
    try:
        found = msgspec.json.decode(exchange.body, type=DumpScan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found.sha256, found.size


def _passes(path: Path, scripts: Sequence[bytes], *, max_money: int, hashed: bool) -> DumpScan:
    before = _identity(path)
    whole = set_hash(path, max_money=max_money) if hashed else ""
    found = scan_dump(path, scripts, max_money=max_money)
    if _identity(path) != before:
        raise Malformed("the file changed while it was read", code="truncated-answer")
    return msgspec.structs.replace(found, set_hash=whole)


def _identity(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _unreadable(request: Request, endpoint: str, error: OSError, *, own_node: bool) -> Exchange:
    return Exchange(
        request=request,
        endpoint=endpoint,
        own_node=own_node,
        body=f"the file cannot be read: {error.strerror}".encode(),
        failure="unreachable",
        retryable=True,
    )
