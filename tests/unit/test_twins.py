"""Two chains that are one ledger: an account listed on both counts once."""

from __future__ import annotations

import pytest

from crawler.ledger import build
from crawler.settings import load_world
from tests.unit.ledger_rows import claim, examined

pytestmark = pytest.mark.unit

WORLD = load_world()
FIL, FEVM = "fil:f/slip44:461", "eip155:314/slip44:461"
HEX = "0x07e47ed3c5a8ff59fb5d1df4051c34da67fc5547"
DELEGATED = "f410fa7sh5u6fvd7vt625dx2akhbu3jt7yvkhgdp55ki"
"""The same account. Source: okx/proof-of-reserves common/crypto_test.go"""
MASKED, NUMBERED = "0xff00000000000000000000000000000000000400", "f01024"


def row(number: int, asset: str, address: str, amount: str = "5") -> dict[str, object]:
    return claim(number, address, amount, network=asset.partition("/")[0], asset=asset)


def validity(*rows: dict[str, object]) -> list[str]:
    table, _ = build(WORLD, *examined(rows, exchange="", world=WORLD), (), {})
    return table["validity"].to_pylist()


@pytest.mark.parametrize("pair", [(HEX, DELEGATED), (MASKED, NUMBERED)])
def test_an_account_of_filecoin_listed_on_both_its_networks_counts_once(
    pair: tuple[str, str],
) -> None:
    on_evm, native = pair
    assert validity(row(1, FEVM, on_evm), row(2, FIL, native)) == ["valid", "repeat-of:1"]
    found = validity(row(1, FIL, native), row(2, FEVM, on_evm, "6"))
    assert found == ["conflict:2", "conflict:1"]


def test_other_accounts_and_other_assets_stay_apart() -> None:
    other = HEX[:-1] + "8"
    assert validity(row(1, FEVM, other), row(2, FIL, DELEGATED)) == ["valid", "valid"]
    ether = "eip155:1/slip44:60"
    assert validity(row(1, ether, HEX), row(2, FIL, DELEGATED)) == ["valid", "valid"]
