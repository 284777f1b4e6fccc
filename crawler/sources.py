"""Which recount a process runs: its own source files, as one digest.

Workers of another version are refused, and signature results of an earlier run are used again only
where the program was the same: all of it, as a list of the parts that matter could miss one.
Simulated nodes understand the questions that the adapters of the same version send: nodes of
another one answer beside the point, and what is read from that blames them or the list.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import chains
import crawler


def files() -> dict[str, Path]:
    """Return every source file by its name, in the order in which they are digested."""
    roots = [Path(package.__file__ or "").parent for package in (chains, crawler)]
    return {
        f"{root.name}/{file.relative_to(root).as_posix()}": file
        for root in roots
        for file in sorted(root.rglob("*.py"))
    }


def digest() -> str:
    """Digest the source files of recount as they lie there now; hex SHA-256."""
    found = hashlib.sha256()
    for name, file in files().items():
        found.update(f"{name}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
