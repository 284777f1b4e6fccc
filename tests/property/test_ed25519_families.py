"""Generated keys and texts for every Ed25519 and sr25519 scheme: no mutant is ever bound.

Each row is made with a known key, binds, and is then spoiled: a bit of signature, key,
account or text, another field of a wallet's answer, another chain's address of the same key,
columns that changed places. Points of small order are tried on every chain.
"""

import json
from base64 import b64encode

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chains.addresses import AddressError, decode, encode
from chains.model import Ownership
from chains.signatures import Refused, Unsupported, ed25519, judge
from tests.property.ed25519_rows import (
    KINDS,
    SPECS,
    TIME,
    accounts_of,
    as_hex,
    make,
    make_sr25519,
    payload_of,
)

pytestmark = pytest.mark.property

seeds = st.binary(min_size=32, max_size=32)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
MADE = st.builds(make, seeds, texts, st.sampled_from(KINDS)) | st.builds(
    make_sr25519, seeds, texts, is_wrapped=st.booleans()
)


def is_bound(row):
    try:
        return judge(row).status is Ownership.BOUND
    except (Refused, Unsupported):
        return False


def flipped(raw, bit):
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_binds(kind):
    assert is_bound(make(b"\7" * 32, "I am an OKX address", kind).row)


@settings(max_examples=60, deadline=None)
@given(MADE)
def test_what_is_signed_binds(made):
    assert is_bound(made.row)


@settings(max_examples=300, deadline=None)
@given(MADE, st.integers(0, 511))
def test_no_changed_bit_of_a_signature_binds(made, bit):
    assert not is_bound(made.with_raw(flipped(made.raw, bit)))


@settings(max_examples=200, deadline=None)
@given(MADE, st.data())
def test_no_changed_bit_of_account_or_key_binds(made, data):
    # Cardano's header has a test of its own below: it says where the key stands.
    first = 8 if made.row.spec.address == "cardano" else 0
    bit = data.draw(st.integers(first, len(made.row.account) * 8 - 1))
    changed = flipped(made.row.account, bit)
    assert not is_bound(msgspec.structs.replace(made.row, account=changed))
    assume(made.row.public_key)
    bit = data.draw(st.integers(0, 255))
    key = flipped(bytes.fromhex(made.row.public_key), bit).hex()
    assert not is_bound(msgspec.structs.replace(made.row, public_key=key))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_account_of_another_key_does_not_bind(kind):
    made = make(b"\7" * 32, "text", kind)
    other = make(b"\x08" * 32, "text", kind)
    foreign = msgspec.structs.replace(made.row, account=other.row.account)
    assert not is_bound(foreign)
    assert not is_bound(msgspec.structs.replace(foreign, public_key=""))
    assert not is_bound(msgspec.structs.replace(foreign, public_key=other.row.public_key))


@settings(max_examples=200, deadline=None)
@given(MADE, st.data())
def test_no_other_text_binds(made, data):
    place = data.draw(st.integers(0, len(made.row.message)))
    other = made.row.message[:place] + data.draw(texts) + made.row.message[place:]
    assert not is_bound(msgspec.structs.replace(made.row, message=other))
    cut = made.row.message[:place]
    assume(cut != made.row.message)
    assert not is_bound(msgspec.structs.replace(made.row, message=cut))


@settings(max_examples=100, deadline=None)
@given(MADE, st.binary(min_size=1, max_size=4), st.integers(0, 63))
def test_no_other_length_binds(made, extra, cut):
    assert not is_bound(made.with_raw(made.raw + extra))
    assert not is_bound(made.with_raw(extra + made.raw))
    assert not is_bound(made.with_raw(made.raw[:cut]))


@settings(max_examples=100, deadline=None)
@given(MADE, st.text(max_size=200))
def test_any_text_as_signature_key_or_both_ends_in_a_verdict(made, text):
    row = msgspec.structs.replace(made.row, signatures=(text or "x",))
    assert text == made.row.signatures[0] or not is_bound(row)
    if made.row.public_key:
        row = msgspec.structs.replace(made.row, public_key=text or "x")
        assert text == made.row.public_key or not is_bound(row)


@settings(max_examples=60, deadline=None)
@given(MADE)
def test_columns_that_changed_places_do_not_bind(made):
    row = msgspec.structs.replace(
        made.row,
        signatures=(made.row.public_key or made.row.message,),
        public_key=made.row.signatures[0],
    )
    assert not is_bound(row)
    assert not is_bound(msgspec.structs.replace(made.row, message=made.row.signatures[0]))
    longer = made.row.signatures[0] + made.row.signatures[0]
    assert not is_bound(msgspec.structs.replace(made.row, signatures=(longer,)))


@settings(max_examples=60, deadline=None)
@given(MADE, texts)
def test_a_second_signature_that_is_bad_spoils_the_row(made, text):
    row = msgspec.structs.replace(made.row, signatures=(*made.row.signatures, text))
    assert not is_bound(row)


@settings(max_examples=100, deadline=None)
@given(st.builds(make, seeds, texts, st.sampled_from(KINDS)), st.sampled_from(sorted(SPECS)))
def test_the_address_of_the_key_on_another_chain_does_not_bind(made, name):
    assume(SPECS[name] != made.row.spec)
    account = accounts_of(bytes.fromhex(made.row.public_key))[name]
    text = encode(SPECS[name], account)
    try:
        account = decode(made.row.spec, text)
    except AddressError:
        return
    assert not is_bound(msgspec.structs.replace(made.row, account=account, address=text))


SAME_BYTES = [{"ed25519-raw", "substrate-any"}, {"aptos-raw", "aptos-full-message"}]
"""Schemes that sign the same bytes where the row's text is the same."""

PAIRS = [
    (one, other)
    for one in KINDS
    for other in KINDS
    if one != other and one[1] == other[1] and {one[0], other[0]} not in SAME_BYTES
]


@settings(max_examples=100, deadline=None)
@given(seeds, texts, st.sampled_from(PAIRS))
def test_no_scheme_binds_what_another_signed(seed, text, pair):
    one, other = pair
    made = make(seed, text, one)
    row = msgspec.structs.replace(made.row, schemes=(other[0],))
    if other[0] == "aptos-full-message":
        _, _, message = payload_of(other[0], b"", b"", text)
        row = msgspec.structs.replace(row, message=message)
    assert not is_bound(row)


MEMBERS = {
    "ton-proof-v2": {"domain": "example.com", "timestamp": TIME + 1},
    "ton-connect-sign-data-text": {"domain": "xample.org", "timestamp": TIME - 1},
    "ton-connect-sign-data-binary": {"domain": "example.orgg", "timestamp": 0},
    "nep413": {
        "nonce": b64encode(bytes(32)).decode(),
        "recipient": "y.near",
        "callbackUrl": "https://x.near",
        "publicKey": "00" * 32,
        "accountId": "x.near",
    },
}


@pytest.mark.parametrize(
    ("scheme", "member"), [(s, m) for s, members in MEMBERS.items() for m in members]
)
def test_no_other_member_of_an_answer_binds(scheme, member):
    kind = next(kind for kind in KINDS if kind[0] == scheme)
    made = make(b"\5" * 32, "text", kind)
    members = json.loads(made.row.signatures[0]) | {member: MEMBERS[scheme][member]}
    assert not is_bound(msgspec.structs.replace(made.row, signatures=(json.dumps(members),)))


@pytest.mark.parametrize("scheme", MEMBERS)
def test_answers_are_read_strictly(scheme):
    kind = next(kind for kind in KINDS if kind[0] == scheme)
    made = make(b"\5" * 32, "text", kind)
    column = made.row.signatures[0]
    spoiled = [
        column[:-1] + ', "other": "x"}',
        column[:-1] + ', "signature": "x"}',
        column[:-1] + "," + column[1:],
        column.replace('"signature"', '"Signature"'),
        column + "}",
        column + " " * 20_000,
        " " + column,
        "{" * 9000,
        "[" + column + "]",
        column.replace("1719309177", "1719309177.0"),
        column.replace("1719309177", "true"),
        column.replace("1719309177", "-1719309177"),
        column.replace("1719309177", str(2**64 + 1719309177)),
    ]
    for text in spoiled:
        if text != column:
            assert not is_bound(msgspec.structs.replace(made.row, signatures=(text,))), text[:90]


def test_only_the_key_that_disposes_of_a_cardano_address_binds():
    made = make(b"\5" * 32, "text", ("okx-ed25519", "cardano"))
    own, other = made.row.account[1:], bytes(28)
    expected = {
        0x01: (Ownership.BOUND, Ownership.SIGNER_ONLY),
        0x11: (Ownership.SIGNER_ONLY, Ownership.SIGNER_ONLY),
        0x21: (Ownership.BOUND, None),
        0x31: (Ownership.SIGNER_ONLY, Ownership.SIGNER_ONLY),
        0x61: (Ownership.BOUND, None),
        0x71: (Ownership.SIGNER_ONLY, Ownership.SIGNER_ONLY),
        0xE1: (Ownership.BOUND, None),
        0xF1: (Ownership.SIGNER_ONLY, Ownership.SIGNER_ONLY),
    }
    for header, statuses in expected.items():
        is_base = header < 0x40
        for hashes, status in zip((own + other, other + own), statuses, strict=True):
            account = bytes((header,)) + (hashes if is_base else hashes[:28])
            assert decode(SPECS["cardano"], encode(SPECS["cardano"], account)) == account
            row = msgspec.structs.replace(made.row, account=account)
            if status is None:
                with pytest.raises(Refused):
                    judge(row)
            else:
                assert judge(row).status is status, (header, status)


def weak_points():
    for point in ed25519.SMALL_ORDER:
        yield point
        yield point[:31] + bytes((point[31] | 0x80,))
    for offset in range(19):
        yield (ed25519.FIELD + offset).to_bytes(32, "little")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_weak_keys_and_nonces_prove_nothing_on_any_chain(kind):
    made = make(b"\5" * 32, "text", kind)
    own = bytes.fromhex(made.row.public_key)
    for point in weak_points():
        for raw in (point + bytes(32), bytes(32) + bytes(32), b"\1" + bytes(31) + bytes(32)):
            row = msgspec.structs.replace(
                made.with_raw(raw), account=accounts_of(point)[kind[1]], public_key=point.hex()
            )
            if kind[0] == "sui-personal-message":
                column = b64encode(b"\0" + raw + point).decode()
                row = msgspec.structs.replace(row, signatures=(column,))
            assert not is_bound(row), point.hex()
        assert not is_bound(made.with_raw(point + made.raw[32:])), point.hex()
    assert own not in list(weak_points())


def test_no_scalar_beyond_the_order_is_taken():
    order = 2**252 + 27742317777372353535851937790883648493
    for kind in KINDS:
        made = make(b"\6" * 32, "text", kind)
        s = int.from_bytes(made.raw[32:], "little") + order
        assert not is_bound(made.with_raw(made.raw[:32] + s.to_bytes(32, "little"))), kind


def test_sr25519_refuses_the_neutral_element_and_unmarked_signatures():
    made = make_sr25519(b"\6" * 32, "text", is_wrapped=False)
    identity = msgspec.structs.replace(made.row, account=bytes(32))
    for raw in (bytes(63) + b"\x80", made.raw, bytes(64)):
        row = msgspec.structs.replace(identity, signatures=(as_hex(raw),))
        with pytest.raises(Refused) as caught:
            judge(row)
        assert caught.value.code == "weak-key"
    assert not is_bound(made.with_raw(made.raw[:63] + bytes((made.raw[63] & 0x7F,))))
    for point in (*weak_points(), b"\xff" * 32, b"\1" + bytes(31)):
        row = msgspec.structs.replace(made.row, account=point)
        assert not is_bound(row), point.hex()
        raw = bytes(32) + bytes(31) + b"\x80"
        assert not is_bound(msgspec.structs.replace(row, signatures=(as_hex(raw),)))


ALPHABETS = {
    "stellar": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "algorand": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "cardano": "qpzry9x8gf2tvdw0s3jn54khce6mua7l",
}


@settings(max_examples=150, deadline=None)
@given(seeds, st.sampled_from(sorted(ALPHABETS)), st.data())
def test_one_other_character_is_no_address(raw, name, data):
    account = b"\x01" + raw[:28] + raw[4:] if name == "cardano" else raw
    text = encode(SPECS[name], account)
    assert decode(SPECS[name], text) == account
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(ALPHABETS[name]))
    assume(letter != text[place])
    with pytest.raises(AddressError):
        decode(SPECS[name], text[:place] + letter + text[place + 1 :])
