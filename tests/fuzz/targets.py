"""All targets by name."""

from __future__ import annotations

from tests.fuzz import chains, files
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (*files.TARGETS, *chains.TARGETS)}
