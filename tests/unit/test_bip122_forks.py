"""Which blocks the shipped configuration asks for, so that no branch passes for another."""

from __future__ import annotations

import msgspec
import pytest

from chains.adapters.bip122 import electrum
from chains.adapters.bip122.electrum import Said
from chains.adapters.bip122.params import Params
from chains.errors import ConfigError
from chains.model import ChainSpec, Exchange
from crawler.settings import load_world

pytestmark = pytest.mark.unit

BITCOIN = "bip122:000000000019d6689c085ae165831e93"
CASH = "bip122:000000000000000000651ef99cb9fcbe"
SV = "bip122:000000000000000001d956714215d96f"
ECASH = "bip122:000000000000000004284c9d8b2c8ff7"


def spec(chain: str) -> ChainSpec:
    return next(one for one in load_world().chains.values() if one.id == chain)


@pytest.mark.parametrize(
    ("one", "other", "forked"),
    [(BITCOIN, CASH, 478_559), (CASH, SV, 556_767), (CASH, ECASH, 661_648)],
    ids=["bitcoin-cash", "bitcoin-sv", "ecash"],
)
def test_branches_differ_in_the_block_of_their_fork(one: str, other: str, forked: int) -> None:
    shown, expected = (Params.of(spec(chain)).anchors(forked) for chain in (one, other))
    assert shown[0] == expected[0]
    assert set(shown) == set(expected) == {0, forked}
    assert shown[forked] != expected[forked]
    assert set(Params.of(spec(one)).anchors(478_558)) == {0}


def test_every_height_after_a_fork_asks_for_a_block_after_it() -> None:
    for chain, forks in ((BITCOIN, [478_559]), (CASH, [478_559, 556_767, 661_648])):
        for fork in forks:
            for height in (fork, fork + 1, 1_000_000):
                assert max(Params.of(spec(chain)).anchors(height)) >= fork


@pytest.mark.parametrize("flag", ["scan_names_block", "cash_tokens"])
def test_a_flag_is_true_or_false(flag: str) -> None:
    cash = spec(CASH)
    wrong = msgspec.structs.replace(cash, params={**cash.params, flag: "yes"})
    with pytest.raises(ConfigError):
        Params.of(wrong)


def test_a_merge_mined_block_of_dogecoin_is_named_by_its_first_eighty_bytes() -> None:
    # trezor/blockbook bchain/coins/dogecoin/testdata/block_dump.371337 at a83486e: the first block
    # of Dogecoin with another chain's proof of work behind its header
    header = bytes.fromhex(
        "020162000d6f03470d329026cd1fc720c0609cd378ca8691a117bd1aa46f01fb09b1a8468a15bf6f0b0e83f2"
        "e5036684169eafb9406468d4f075c999fb5b2a78fbb827ee41fb11548441361b00000000"
    )
    proof = "0100000001" + "00" * 32 + "ffffffff38"
    body = [{"jsonrpc": "2.0", "id": 0, "result": header.hex() + proof}]
    request = electrum.lines([(electrum.HEADER, (371_337,))])
    said = Said([Exchange(endpoint="server", request=request, body=msgspec.json.encode(body))])
    found = said.header(371_337)
    assert found == header
    known = "60323982f9c5ff1b5a954eac9dc1269352835f47c2c5222691d80f0d50dcf053"
    assert electrum.hash_of(header) == known
