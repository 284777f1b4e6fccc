"""Which real nodes this test session has started, over all worker processes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

LOG = "RECOUNT_NODES_LOG"


def note(name: str) -> None:
    """Note that a real node was started."""
    if LOG in os.environ:
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as file:
            file.write(name + "\n")


def exercised() -> Counter[str]:
    """Count the starts by name."""
    path = Path(os.environ.get(LOG, os.devnull))
    return Counter(path.read_text(encoding="utf-8").split()) if path.exists() else Counter()
