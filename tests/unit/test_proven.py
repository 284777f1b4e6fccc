"""What proofs make of the balances that were read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from crawler.counting.ledger import STANDING
from crawler.counting.proven import confirm

pytestmark = pytest.mark.unit

READ = {
    "account": b"a", "subject": b"a", "units": "5", "facts": "", "gap": "", "source": "single",
    "method": "state", "extract": 0, "shard": "balances", "attempt": 1,
}  # fmt: skip
PROOF = READ | {"method": "proof", "shard": "proofs"}
UNREAD = READ | {"units": None, "gap": "zero-without-canary", "source": "", "method": ""}


def failed(reason: str) -> dict[str, Any]:
    return PROOF | {"units": None, "gap": reason, "method": "state"}


def void(reason: str) -> dict[str, Any]:
    return READ | {"units": None, "gap": reason, "shard": "proofs"}


@pytest.mark.parametrize(
    ("read", "proof", "coin", "expected"),
    [
        (READ, PROOF, True, PROOF),
        (READ, PROOF, False, PROOF),
        (READ, PROOF | {"method": "state"}, True, READ),
        (READ, PROOF | {"units": "6"}, True, void("proof-contradicts")),
        (READ, PROOF | {"units": "6", "method": "state"}, False, void("proof-contradicts")),
        (READ, failed("proof-wrong"), True, void("proof-wrong")),
        (READ, failed("proof-contradicts"), False, void("proof-contradicts")),
        (READ, failed("proof-no-anchor"), True, READ),
        (READ, failed("method-missing"), True, READ),
        (READ, PROOF | {"account": b"b", "units": "6"}, True, READ),
        (UNREAD, PROOF, True, PROOF),
        (UNREAD, PROOF, False, UNREAD),
        (UNREAD, PROOF | {"method": "state"}, True, UNREAD),
        (UNREAD, failed("method-missing"), True, UNREAD),
    ],
)
def test_a_proof_confirms_a_balance_voids_it_or_changes_nothing(
    read: dict[str, Any], proof: dict[str, Any], *, coin: bool, expected: dict[str, Any]
) -> None:
    tables = (pa.Table.from_pylist([one], schema=STANDING) for one in (read, proof))
    assert confirm(*tables, coin=coin).to_pylist() == [expected]
