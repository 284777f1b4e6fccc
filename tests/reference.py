"""Where the publishers' real lists and vectors lie: outside the repository.

``RECOUNT_REFERENCE_DATA`` names the directory; ``../shared/data`` beside the checkout otherwise.
Tests that need it skip, visibly, when it is absent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT / os.environ.get("RECOUNT_REFERENCE_DATA", "../shared/data")


def reference(name: str) -> Path:
    """Return a file or folder of the reference data, or skip the test."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no reference data at {path}; set RECOUNT_REFERENCE_DATA")
    return path
