"""BIP-322 rows that bind, changed in every way that changes them: none binds any more.

Every bit of such a signature is covered: by the signature inside, by a hash, or by the
rule that there is one way to write it. So no flip is left out.
"""

from base64 import b64decode, b64encode

import coincurve
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chains.addresses import AddressError, encode
from chains.model import Ownership
from chains.signatures import Refused, Unsupported, judge
from chains.signatures.bitcoin_transaction import read_witness
from tests.bip322_signing import (
    BTC,
    KEYS,
    ORDER,
    Proof,
    full,
    leaf_row,
    multisig,
    p2pkh,
    p2wpkh,
    public,
    push,
    script_row,
    simple,
    stack_bytes,
    x_only,
)

pytestmark = pytest.mark.property

TEXT = "I am an OKX address"
KEY_0, KEY_1 = push(public(KEYS[0])), push(public(KEYS[1]))
LOCK = b"\x63" + KEY_0 + b"\xad\x67\x52\xb2\x75" + KEY_1 + b"\x68\xac"
"""IF key 0 CHECKSIGVERIFY ELSE 2 CSV DROP key 1 ENDIF CHECKSIG, as in the BIP's vectors."""
LEAF = push(x_only(KEYS[0])) + b"\xac" + push(x_only(KEYS[1])) + b"\xba\x52\x9c"
"""Key 0 CHECKSIG, key 1 CHECKSIGADD, 2 NUMEQUAL: two of two in tapscript."""

MADE = {
    **{
        f"simple {kind}": simple(kind, TEXT, [KEYS[0], KEYS[2]])
        for kind in ("p2wpkh", "p2sh-p2wpkh", "p2tr", "p2wsh", "p2sh-p2wsh")
    },
    **{
        f"full {kind}": full(kind, TEXT, [KEYS[0], KEYS[2]], version=2, lock_time=9, sequence=9)
        for kind in ("p2wpkh", "p2sh-p2wpkh", "p2tr", "p2wsh", "p2sh-p2wsh", "p2sh", "p2pkh")
    },
    "full lock": script_row(LOCK, [1, b""], TEXT, version=2, sequence=2),
    "full leaf": leaf_row(LEAF, [1, 0], TEXT),
}
names = st.sampled_from(sorted(MADE))


def raw_of(made):
    return b64decode(made.signatures[0][3:])


def with_raw(made, raw):
    text = made.signatures[0][:3] + b64encode(raw).decode()
    return msgspec.structs.replace(made, signatures=(text,))


def is_bound(case):
    try:
        return judge(case).status is Ownership.BOUND
    except (Refused, Unsupported):
        return False


@pytest.mark.parametrize("name", MADE)
def test_what_was_made_binds(name):
    assert judge(MADE[name]).status is Ownership.BOUND


@pytest.mark.parametrize("name", MADE)
def test_no_bit_of_a_signature_can_be_flipped(name):
    made = MADE[name]
    raw = raw_of(made)
    for place in range(len(raw)):
        for bit in range(8):
            spoiled = bytearray(raw)
            spoiled[place] ^= 1 << bit
            assert not is_bound(with_raw(made, bytes(spoiled))), (place, bit)


@settings(max_examples=200, deadline=None)
@given(names, st.data())
def test_no_character_of_the_text_can_be_changed(name, data):
    made = MADE[name]
    text = made.signatures[0]
    place = data.draw(st.integers(3, len(text) - 1))
    letter = data.draw(st.characters(codec="utf-8"))
    assume(letter != text[place])
    spoiled = text[:place] + letter + text[place + 1 :]
    assert not is_bound(msgspec.structs.replace(made, signatures=(spoiled,)))


@settings(max_examples=200, deadline=None)
@given(names, st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_other_message_binds(name, text):
    assume(text != TEXT)
    assert not is_bound(msgspec.structs.replace(MADE[name], message=text))
    for near in (TEXT + " ", TEXT.upper(), TEXT[:-1], TEXT + "\0"):
        assert not is_bound(msgspec.structs.replace(MADE[name], message=near))


@settings(max_examples=300, deadline=None)
@given(names, st.data())
def test_no_other_address_binds(name, data):
    made = MADE[name]
    account = bytearray(made.account)
    account[data.draw(st.integers(0, len(account) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    other = bytes(account)
    try:
        address = encode(BTC, other)
    except AddressError:
        address = ""
    assert not is_bound(msgspec.structs.replace(made, account=other, address=address))


def test_signatures_do_not_pass_between_addresses():
    for name, made in MADE.items():
        for other in MADE.values():
            if other.account != made.account:
                case = msgspec.structs.replace(made, account=other.account, address=other.address)
                assert not is_bound(case), name


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([name for name in sorted(MADE) if name.startswith("simple")]),
    st.binary(max_size=80),
    st.data(),
)
def test_no_witness_element_can_be_added_removed_or_repeated(name, element, data):
    made = MADE[name]
    stack = list(read_witness(raw_of(made)))
    place = data.draw(st.integers(0, len(stack)))
    for spoiled in (
        [*stack[:place], element, *stack[place:]],
        [*stack[:place], *stack[place + 1 :]] if place < len(stack) else [],
        [*stack[:place], *stack[place - 1 : place], *stack[place:]] if place else [],
        stack[::-1] if len(stack) > 1 else [],
        [*stack, b"\x50" + element],
    ):
        assert not is_bound(with_raw(made, stack_bytes(spoiled)))


def high(signature):
    """The same signature with n - s in place of s."""
    r_length = signature[3]
    r, s = signature[4 : 4 + r_length], signature[6 + r_length : -1]
    other = ORDER - int.from_bytes(s, "big")
    body = other.to_bytes(other.bit_length() // 8 + 1, "big")
    inner = b"\x02" + bytes((r_length,)) + r + b"\x02" + bytes((len(body),)) + body
    return b"\x30" + bytes((len(inner),)) + inner + signature[-1:]


def code_of(case):
    with pytest.raises((Refused, Unsupported)) as caught:
        judge(case)
    return caught.value.code


@settings(max_examples=30, deadline=None)
@given(st.integers(1, ORDER - 1), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_key_and_text(number, text):
    key = coincurve.PrivateKey(number.to_bytes(32, "big"))
    proof = Proof(p2wpkh(public(key)), text)
    code = p2pkh(public(key))
    assert is_bound(proof.sealed_p2wpkh(key))
    good = proof.ecdsa(key, code)
    assert is_bound(proof.simple([good, public(key)]))
    assert code_of(proof.simple([high(good), public(key)])) == "high-s"
    assert code_of(proof.simple([b"", public(key)])) == "wrong-signature"
    assert not is_bound(proof.simple([good, public(KEYS[0])]))


@pytest.mark.parametrize("hash_type", [0, 2, 3, 0x81, 0x82, 0x83, 0x41, 0xFF])
def test_only_the_whole_transaction_may_be_signed(hash_type):
    account = p2wpkh(public(KEYS[0]))
    proof = Proof(account, TEXT)
    signature = proof.ecdsa(KEYS[0], p2pkh(public(KEYS[0])), hash_type)
    assert code_of(proof.simple([signature, public(KEYS[0])])) == "bad-signature"
    signature = proof.legacy(KEYS[0], p2pkh(public(KEYS[0])), hash_type)
    proof.account = p2pkh(public(KEYS[0]))
    proof.script = push(signature) + push(public(KEYS[0]))
    assert code_of(proof.sealed()) in ("bad-signature", "wrong-signature")
    if hash_type:
        tap = simple("p2tr", TEXT, [KEYS[0]])
        spoiled = read_witness(raw_of(tap))[0] + bytes((hash_type,))
        assert code_of(with_raw(tap, stack_bytes([spoiled]))) == "bad-signature"


def test_one_key_cannot_sign_for_two():
    script = multisig(2, [KEYS[0], KEYS[0], KEYS[1]])
    assert is_bound(script_row(script, [b"", 0, 1]))
    assert code_of(script_row(script, [b"", 0, 0])) == "below-threshold"
    plain = multisig(2, KEYS[:3])
    assert code_of(script_row(plain, [b"", 0, 0])) == "wrong-signature"
    assert code_of(script_row(plain, [b"", 2, 0])) == "wrong-signature"
    assert code_of(script_row(plain, [b"", 0, b""])) == "below-threshold"
    assert code_of(script_row(plain, [b"", b"", b""])) == "wrong-signature"
    assert code_of(script_row(plain, [b"", 0, 3])) == "wrong-signature"


def test_a_key_and_its_negative_are_one_signer():
    negative = coincurve.PrivateKey(
        (ORDER - int.from_bytes(KEYS[0].secret, "big")).to_bytes(32, "big")
    )
    assert public(negative)[1:] == public(KEYS[0])[1:]
    script = multisig(2, [KEYS[0], negative])
    proof = Proof(script_row(script, []).account, "text")
    witness = [b"", proof.ecdsa(KEYS[0], script), proof.ecdsa(negative, script), script]
    assert code_of(proof.sealed(witness)) == "below-threshold"
