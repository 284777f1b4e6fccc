"""Read proofs of a Substrate state: a recorded one, made ones of every shape, and spoilt ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.accounts import Held
from chains.adapters.substrate import proofs, storage, trie
from chains.adapters.substrate.trie import Unproven
from chains.addresses import ss58
from chains.model import Exchange, Gap, Part, PartKind, Request
from chains.simulated.substrate_trie import Trie

pytestmark = pytest.mark.unit

FIXTURE = Path(__file__).parents[2] / "fixtures" / "substrate" / "proofs" / "account.json"
RECORDED = msgspec.json.decode(FIXTURE.read_bytes())
BLOCK = RECORDED["answer"]["result"]["at"]


def unhexed(text: str) -> bytes:
    return bytes.fromhex(text[2:])


ROOT, KEY, VALUE = (unhexed(RECORDED[name]) for name in ("stateRoot", "key", "value"))
NODES = [unhexed(text) for text in RECORDED["answer"]["result"]["proof"]]


def exchange(body: object) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=Request(), endpoint="a", status=200, body=raw)


def test_a_proof_of_polkadot_leads_to_the_account_that_the_node_showed():
    assert (
        storage.account_key(
            ss58.decode("5DksjtJER6oLDWkWKCWcL3f1swPWeNNFsS9zHxa2rPa7LsH9", {"prefix": 42})
        )
        == KEY
    )
    nodes = proofs.read_nodes(exchange(RECORDED["answer"]), BLOCK)
    assert not isinstance(nodes, Gap)
    assert trie.look_up(ROOT, KEY, nodes) == VALUE
    assert storage.read_account(VALUE) == Held(
        (
            Part(PartKind.LIQUID, 124_649_218_584_571),
            Part(PartKind.RESERVED, 114_930_837_313_281),
            Part(PartKind.FROZEN, 68_716_999_295_906, counted=False),
        )
    )


@pytest.mark.parametrize("i", range(len(NODES)))
def test_without_any_of_its_nodes_the_recorded_proof_proves_nothing(i):
    with pytest.raises(Unproven, match="missing"):
        trie.look_up(ROOT, KEY, trie.by_name(NODES[:i] + NODES[i + 1 :]))


@pytest.mark.parametrize("i", range(len(NODES)))
def test_a_changed_node_is_another_node(i):
    changed = bytes((NODES[i][0] ^ 1,)) + NODES[i][1:]
    with pytest.raises(Unproven, match="missing"):
        trie.look_up(ROOT, KEY, trie.by_name([*NODES[:i], changed, *NODES[i + 1 :]]))


def test_under_another_root_the_recorded_proof_proves_nothing():
    with pytest.raises(Unproven, match="missing"):
        trie.look_up(bytes(32), KEY, trie.by_name(NODES))


def test_the_recorded_proof_shows_that_a_neighbour_is_not_there():
    nodes = trie.by_name(NODES)
    assert trie.look_up(ROOT, KEY[:-1] + bytes((KEY[-1] ^ 1,)), nodes) is None
    assert trie.look_up(ROOT, KEY[:-1], nodes) is None
    assert trie.look_up(ROOT, KEY + b"\0", nodes) is None


LONG = {b"\x11" * 200: b"far away", b"\x11" * 200 + b"\x01": b"v" * 40, b"\x12" * 150: b"x" * 33}
SHAPES = {
    "one": {b"a": b"1"},
    "a value on the way": {b"ab": b"1", b"abcd": b"2", b"abce": b"3", b"b": b"4"},
    "large values": {b"ab": b"1" * 32, b"abcd": b"2" * 33, b"abce": b"3" * 500, b"\xff": b""},
    "paths longer than a header's bits": LONG,
    "every nibble": {bytes((i,)): bytes((i,)) * (i % 40) for i in range(256)},
}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_key_of_a_made_trie_is_proven_and_every_other_is_proven_absent(shape, version):
    state = SHAPES[shape]
    made = Trie(state, version)
    for key, value in state.items():
        assert trie.look_up(made.root, key, trie.by_name(made.prove([key]))) == value
    for key in (b"", b"abc", b"abcf", b"zz", b"\x11" * 199, b"\x11" * 201, b"\x13"):
        if key not in state:
            assert trie.look_up(made.root, key, trie.by_name(made.prove([key]))) is None


def test_in_a_state_without_anything_nothing_stands_under_a_key():
    made = Trie({})
    # blake2b-256 of a zero byte; paritytech/polkadot-sdk substrate/primitives/trie (EMPTY)
    assert made.root.hex() == "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"
    assert trie.look_up(made.root, b"a", trie.by_name(made.prove([b"a"]))) is None
    with pytest.raises(Unproven):
        trie.look_up(made.root, b"a", {})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", "too early"),
        ("01", "begins with 0x01"),
        ("8000", "too early"),
        ("800000", "without children"),
        ("42a0", "too early"),
        ("41fa00", "padding"),
        ("4000ff", "after its end"),
        ("40fc", "too early"),
        ("4003", "2^30"),
        ("80010000", "neither a node"),
        ("800100" + "84" + "00" * 33, "neither a node"),
        ("7f" + "ff" * 20 + "00", "no key has"),
    ],
)
def test_a_node_of_another_form_proves_nothing(raw, said):
    node = bytes.fromhex(raw)
    with pytest.raises(Unproven, match=said.replace("^", r"\^")):
        trie.look_up(trie.named(node), b"a", trie.by_name([node]))


def test_a_node_within_itself_is_not_followed_for_ever():
    inner = bytes.fromhex("80010004") + b"\x00"
    assert trie.look_up(trie.named(inner), b"\x00", trie.by_name([inner])) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"at": "0x" + "00" * 32}, "wrong-block"),
        ({"at": None}, "wrong-block"),
        ({"proof": None}, "malformed-answer"),
        ({"proof": ["xx"]}, "malformed-answer"),
        ({"proof": ["0x1"]}, "malformed-answer"),
        ({"proof": [7]}, "malformed-answer"),
    ],
)
def test_a_proof_of_something_else_is_none(change: dict[str, Any], code: str):
    said = RECORDED["answer"] | {"result": RECORDED["answer"]["result"] | change}
    found = proofs.read_nodes(exchange(said), BLOCK)
    assert isinstance(found, Gap)
    assert found.reason == code
