"""Raw transactions of Bitcoin, of Litecoin's extension block and with Bitcoin Cash's tokens."""

from __future__ import annotations

import hashlib

import pytest

from chains.adapters.bip122.transactions import read_moves
from chains.errors import Malformed

pytestmark = pytest.mark.unit

SCRIPT = b"\x76\xa9\x14" + bytes(20) + b"\x88\xac"
CATEGORY = b"\xef" + bytes(range(32))
# The reward of Bitcoin's block 0, as every node has it compiled in (src/kernel/chainparams.cpp).
GENESIS_REWARD = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d"
    "0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66"
    "207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe55"
    "48271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba"
    "0b8d578a4c702b6bf11d5fac00000000"
)
GENESIS_ID = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"


def plain(script: bytes = SCRIPT, units: int = 7) -> bytes:
    spent = b"\xaa" * 32 + (3).to_bytes(4, "little") + b"\x00" + b"\xff" * 4
    paid = units.to_bytes(8, "little") + bytes([len(script)]) + script
    return b"\x02\0\0\0\x01" + spent + b"\x01" + paid + b"\x11\0\0\0"


def id_of(raw: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()[::-1].hex()


def test_the_first_reward_is_what_everybody_knows() -> None:
    moves = read_moves(GENESIS_REWARD, GENESIS_ID, cash_tokens=False)
    ((script, units),) = moves.pays
    assert (units, script[:2].hex(), len(script)) == (50 * 10**8, "4104", 67)
    assert moves.spends == (("00" * 32, 0xFFFFFFFF),)


def flagged(flag: int, extra: bytes) -> bytes:
    raw = plain()
    return raw[:4] + bytes([0, flag]) + raw[4:-4] + extra + raw[-4:]


@pytest.mark.parametrize(
    "raw",
    [
        plain(),
        flagged(1, b"\x01\x02hi"),
        flagged(8, b"\x00"),
        flagged(9, b"\x01\x02hi" + b"\x00"),
    ],
    ids=["plain", "witness", "extension", "extension-and-witness"],
)
def test_the_id_is_that_of_the_plain_form(raw: bytes) -> None:
    moves = read_moves(raw, id_of(plain()), cash_tokens=False)
    assert moves.spends == (("aa" * 32, 3),)
    assert moves.pays == ((SCRIPT, 7),)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        plain()[:-1],
        plain() + b"\0",
        plain(units=8),
        flagged(8, b"\x01"),
        flagged(2, b""),
        plain()[:41] + b"\xff" * 9,
    ],
    ids=["empty", "cut", "longer", "other-amount", "extension-part", "other-flag", "huge-length"],
)
def test_what_does_not_hash_to_the_id_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_moves(raw, id_of(plain()), cash_tokens=False)


@pytest.mark.parametrize(
    "prefix",
    [
        CATEGORY + b"\x10\x05",
        CATEGORY + b"\x10\xfd\x00\x01",
        CATEGORY + b"\x20",
        CATEGORY + b"\x62\x03abc",
        CATEGORY + b"\x72\x03abc\xff" + b"\x01" * 8,
    ],
    ids=["amount", "longer-amount", "nft", "commitment", "all"],
)
def test_a_token_in_front_of_a_script_is_left_out(prefix: bytes) -> None:
    raw = plain(prefix + SCRIPT)
    assert read_moves(raw, id_of(raw), cash_tokens=True).pays == ((SCRIPT, 7),)
    assert read_moves(raw, id_of(raw), cash_tokens=False).pays == ((prefix + SCRIPT, 7),)


@pytest.mark.parametrize(
    "script",
    [SCRIPT, b"", b"\xef", CATEGORY, CATEGORY + b"\x80" + SCRIPT, CATEGORY + b"\x00" + SCRIPT],
)
def test_what_is_no_token_belongs_to_the_script(script: bytes) -> None:
    raw = plain(script)
    assert read_moves(raw, id_of(raw), cash_tokens=True).pays == ((script, 7),)


def test_a_token_that_is_cut_off_is_refused() -> None:
    raw = plain(CATEGORY + b"\x60\x09abc")
    with pytest.raises(Malformed):
        read_moves(raw, id_of(raw), cash_tokens=True)
