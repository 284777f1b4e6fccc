"""Writes ``fixtures/signatures/rows.jsonl``: rows that the tests show to verify, as fuzzing seeds.

A plugin of pytest, for whoever adds a signing scheme with its tests:
``python -m pytest -p tests.fuzz.harvest tests/unit/test_signatures*.py tests/property``. Of every
scheme, status and address format it keeps the shortest rows and the longest.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from chains import addresses, signatures

ROWS = Path(__file__).parents[2] / "fixtures/signatures/rows.jsonl"
LONGEST = 8000
_judge = signatures.judge
_found: dict[tuple[str, str, str], set[bytes]] = {}


def judge(row: signatures.SignedAddress) -> signatures.Outcome:
    """Judge as ever, and remember what verified."""
    outcome = _judge(row)
    encoded = msgspec.json.encode(row)
    if len(encoded) < LONGEST and _is_its_own(row):
        key = (outcome.scheme, outcome.status.value, row.spec.address)
        _found.setdefault(key, set()).add(encoded)
    return outcome


def _is_its_own(row: signatures.SignedAddress) -> bool:
    """Tell whether the account is that of the address: some tests put another one there."""
    try:
        return addresses.decode(row.spec, row.address) == row.account
    except addresses.AddressError:
        return False


signatures.judge = judge  # before any test module imports it


def pytest_sessionfinish(session: pytest.Session) -> None:
    del session
    kept: set[bytes] = set()
    for found in _found.values():
        ordered = sorted(found, key=lambda row: (len(row), row))
        kept.update((*ordered[:2], ordered[-1]))
    ROWS.write_bytes(b"".join(row + b"\n" for row in sorted(kept)))
