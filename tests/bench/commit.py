"""Which commit figures are of."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """Return its short name, empty where there is no repository."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()
