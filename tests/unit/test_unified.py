"""Rows of two chains that are two views of one: compared by one account and one coin."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa
import pytest

from chains import addresses
from chains.addresses import filecoin
from chains.errors import ConfigError
from chains.model import ChainId
from crawler.counting.unified import unified
from crawler.settings import load_world

pytestmark = pytest.mark.unit

WORLD = load_world()
FIL, FEVM = "fil:f/slip44:461", "eip155:314/slip44:461"
WFIL = "eip155:314/erc20:0x60E1773636CF5E4A227d9AC24F20fEca034ee25A"
ACCOUNT = bytes(range(20))
NUMBERED = bytes.fromhex("ff" + "00" * 18 + "64")


def moved(*rows: tuple[str, bytes], world=WORLD) -> Sequence[tuple[str, bytes]]:
    table = pa.table(
        {
            "account": pa.array([account for _, account in rows], pa.binary()),
            "asset_id": pa.array([asset for asset, _ in rows], pa.string()),
        }
    )
    found = unified(world, table)
    assert found.schema == table.schema
    return list(zip(found["asset_id"].to_pylist(), found["account"].to_pylist(), strict=True))


def test_coins_of_both_views_are_those_of_one_account() -> None:
    delegated = filecoin.ETHEREUM + ACCOUNT
    found = moved((FEVM, ACCOUNT), (FIL, delegated), (FEVM, NUMBERED), (FIL, b"\x00\x64"))
    assert found == [(FIL, delegated)] * 2 + [(FIL, b"\x00\x64")] * 2


def test_tokens_other_chains_and_accounts_that_do_not_decode_stay() -> None:
    rows = [(WFIL, ACCOUNT), ("eip155:1/slip44:60", ACCOUNT), (FEVM, b""), ("", ACCOUNT)]
    assert moved(*rows) == rows


def test_a_format_that_does_not_read_the_other_views_addresses_is_an_error() -> None:
    chain = ChainId("fil:f")
    blind = msgspec.structs.replace(WORLD.chains[chain], address_params={})
    world = msgspec.structs.replace(WORLD, chains={**WORLD.chains, chain: blind})
    with pytest.raises(ConfigError, match="unified_with: fil:f does not read 0x"):
        moved((FEVM, ACCOUNT), world=world)


def test_every_view_reads_the_accounts_of_its_chain() -> None:
    views = [spec for spec in WORLD.chains.values() if spec.unified_with]
    assert [spec.id for spec in views] == ["eip155:314"]
    for spec in views:
        other = WORLD.chains[ChainId(spec.unified_with)]
        assert addresses.decode(other, addresses.encode(spec, ACCOUNT))
