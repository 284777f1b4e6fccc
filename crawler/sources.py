"""Which recount a process runs: its own source files, as one digest.

Workers of another version are refused. Simulated nodes understand the questions that the adapters
of the same version send: nodes of another one answer beside the point, and what is read from that
blames them or the list.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import chains
import crawler


def digest() -> str:
    """Digest the source files of recount as they lie there now; hex SHA-256."""
    found = hashlib.sha256()
    for package in (chains, crawler):
        root = Path(package.__file__ or "").parent
        for file in sorted(root.rglob("*.py")):
            found.update(f"{root.name}/{file.relative_to(root)}\0".encode())
            found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
