"""All targets by name."""

from __future__ import annotations

from tests.fuzz import answers, asking, chains, electrum, files, further, kept, raw, tokens
from tests.fuzz.target import Target

MODULES = (files, kept, chains, raw, electrum, answers, tokens, further, asking)
TARGETS: dict[str, Target] = {one.name: one for module in MODULES for one in module.TARGETS}
