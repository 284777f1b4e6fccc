"""What the targets take from the contract suite, whose modules import each other by bare name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from adapter_cases import Case, cases
from hostile import (
    EMPTY,
    NONSENSE,
    NUMBERS,
    Direct,
    Members,
    Raw,
    Recorded,
    is_observed,
    parse,
    places,
    put,
    record,
    spell,
    value_at,
    with_body,
)

__all__ = [
    "EMPTY",
    "NONSENSE",
    "NUMBERS",
    "Case",
    "Direct",
    "Members",
    "Raw",
    "Recorded",
    "cases",
    "is_observed",
    "parse",
    "places",
    "put",
    "record",
    "spell",
    "value_at",
    "with_body",
]
