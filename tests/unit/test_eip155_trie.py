"""RLP, tries and headers by their own rules and against real software's answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rlp as other

from chains.adapters.eip155 import headers, rlp, trie
from chains.adapters.eip155.proofs import slot_of
from chains.adapters.eip155.trie import Unproven, keccak
from chains.adapters.eip155.ways import BalanceSlot

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "fixtures" / "eip155"
RECORDED = json.loads((FOLDER / "execution-apis.json").read_text(encoding="utf-8"))
LATEST = RECORDED["blocks"]["latest"]


@pytest.mark.parametrize("fork", sorted(RECORDED["blocks"]))
def test_the_header_of_every_fork_hashes_to_its_name(fork: str) -> None:
    block = RECORDED["blocks"][fork]
    assert headers.state_root(block, block["hash"]) == bytes.fromhex(block["stateRoot"][2:])


@pytest.mark.parametrize(
    "name",
    [*headers.TEXTS, *headers.NUMBERS, "extraData", "mixHash", "nonce", *dict(headers.LATER)],
)
def test_no_field_of_a_header_can_be_changed_or_left_out(name: str) -> None:
    digits = LATEST[name][2:] or "01"
    other_digits = f"{int(digits, 16) ^ 1:0{len(digits)}x}"
    assert headers.state_root({**LATEST, name: "0x" + other_digits}, LATEST["hash"]) is None
    assert (
        headers.state_root({k: v for k, v in LATEST.items() if k != name}, LATEST["hash"]) is None
    )


@pytest.mark.parametrize(
    "block", [None, [], {}, {**LATEST, "number": 54}, {**LATEST, "miner": "0x"}]
)
def test_what_is_no_header_has_no_state_root(block: Any) -> None:
    assert headers.state_root(block, LATEST["hash"]) is None


def test_a_recorded_proof_leads_from_the_header_to_account_and_storage() -> None:
    root = headers.state_root(LATEST, LATEST["hash"])
    assert root is not None
    for proof in RECORDED["proofs"]:
        key = keccak(bytes.fromhex(proof["address"][2:]))
        value = trie.look_up(root, key, nodes(proof["accountProof"]))
        assert value is not None
        nonce, balance, storage, code = rlp.decode(value)
        assert isinstance(storage, bytes)
        assert rlp.quantity(nonce) == int(proof["nonce"], 16)
        assert rlp.quantity(balance) == int(proof["balance"], 16)
        assert (storage.hex(), code.hex()) == (proof["storageHash"][2:], proof["codeHash"][2:])
        for word in proof["storageProof"]:
            slot = int(word["key"], 16).to_bytes(32, "big")
            held = trie.look_up(storage, keccak(slot), nodes(word["proof"]))
            assert held is not None
            assert rlp.quantity(rlp.decode(held)) == int(word["value"], 16)


def test_a_path_that_ends_elsewhere_proves_absence_and_a_missing_node_proves_nothing() -> None:
    root = bytes.fromhex(LATEST["stateRoot"][2:])
    proof = RECORDED["proofs"][0]
    known = nodes(proof["accountProof"])
    key = keccak(bytes.fromhex(proof["address"][2:]))
    beside = key[:-1] + bytes((key[-1] ^ 1,))
    assert trie.look_up(root, beside, known) is None
    for left_out in range(len(proof["accountProof"])):
        kept = [one for i, one in enumerate(proof["accountProof"]) if i != left_out]
        with pytest.raises(Unproven, match="missing"):
            trie.look_up(root, key, nodes(kept))
    with pytest.raises(Unproven, match="missing"):
        trie.look_up(keccak(b"another root"), key, known)
    assert trie.look_up(trie.EMPTY_ROOT, key, {}) is None


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (b"\x01", "no list"),
        (b"\xc0", "0 items"),
        (b"\xb8\x01\x01", "no RLP"),
        (other.encode([b"\x40", b"value"]), "hex-prefix"),
        (other.encode([b"\x01", b"value"]), "hex-prefix"),
        (other.encode([b"\x00", b"\x11" * 32]), "nowhere"),
        (other.encode([[b"\x20"], b"value"]), "a text belongs"),
    ],
)
def test_a_node_that_breaks_the_form_proves_nothing(node: bytes, said: str) -> None:
    with pytest.raises(Unproven, match=said):
        trie.look_up(keccak(node), bytes(32), {keccak(node): node})


def test_a_small_leaf_within_its_branch_is_read() -> None:
    key = bytes.fromhex("0a" + "00" * 31)
    leaf = [bytes.fromhex("20" + "00" * 1), b"v"]
    short = other.encode([b"" if i != 10 else leaf for i in range(17)])
    outer = other.encode([keccak(short) if i == 0 else b"" for i in range(17)])
    known = {keccak(one): one for one in (short, outer)}
    assert trie.look_up(keccak(outer), key[:2], known) == b"v"
    assert trie.look_up(keccak(outer), b"\x0a\x01", known) is None
    assert trie.look_up(keccak(outer), b"\x0b\x00", known) is None


def test_more_nodes_than_a_path_has_are_refused() -> None:
    with pytest.raises(Unproven, match="more nodes"):
        trie.by_hash(bytes((i,)) for i in range(trie.MOST_NODES + 1))


@pytest.mark.parametrize(
    "text", ["", "81", "8100", "817f", "b800", "b83700", "b90001", "c180c1", "c28080aa", "f800"]
)
def test_rlp_refuses_other_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"cut off|canonical|form|after the end"):
        rlp.decode(bytes.fromhex(text))


def test_numbers_have_no_leading_zeros() -> None:
    assert [rlp.number(value) for value in (0, 1, 256)] == [b"", b"\x01", b"\x01\x00"]
    with pytest.raises(ValueError, match="canonical"):
        rlp.quantity(b"\x00\x01")
    with pytest.raises(ValueError, match="canonical"):
        rlp.quantity([])


def test_the_place_of_a_balance_follows_the_compilers_order() -> None:
    """Solidity hashes key then slot, Vyper slot then key.

    Source: https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html
    """
    account = bytes.fromhex("0b" * 20)
    key, base = bytes(12) + account, (2).to_bytes(32, "big")
    assert slot_of(account, BalanceSlot(slot=2)) == keccak(key + base)
    assert slot_of(account, BalanceSlot(slot=2, vyper=True)) == keccak(base + key)


def nodes(texts: list[str]) -> Any:
    return trie.by_hash(bytes.fromhex(text[2:]) for text in texts)
