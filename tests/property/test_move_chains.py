"""Generated keys of Sui and Aptos, alone and several together: no mutant is ever bound.

Every row is made with known keys and binds; then a bit of its signature, keys, account or text
changes, signatures are left out, repeated or swapped, or the threshold is lowered.
"""

from base64 import b64encode
from hashlib import sha3_256, sha256

import coincurve
import msgspec
import pytest
from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from chains.addresses import encode
from chains.model import Ownership
from chains.signatures import (
    Refused,
    SignedAddress,
    Unsupported,
    aptos_keys,
    eip1271,
    judge,
    sui_keys,
    sui_message,
)
from tests.property.ed25519_rows import SPECS, chain

pytestmark = pytest.mark.property

R1_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
seeds = st.integers(256, 2**200).map(lambda number: number.to_bytes(32, "big"))
"""Not so small that a flipped bit could make them zero, which is no key."""
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def is_bound(row):
    try:
        return judge(row).status is Ownership.BOUND
    except (Refused, Unsupported):
        return False


def flipped(raw, bit):
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def ed25519(seed, payload):
    key, private = crypto_sign_seed_keypair(seed)
    return key, crypto_sign(payload, private)[:64]


def secp256k1(seed, digest, *, compressed):
    private = coincurve.PrivateKey(seed)
    key = private.public_key.format(compressed=compressed)
    return key, private.sign_recoverable(digest, hasher=None)[:64]


def secp256r1(seed, payload):
    private = ECC.construct(curve="P-256", d=int.from_bytes(seed, "big"))
    raw = DSS.new(private, "deterministic-rfc6979").sign(SHA256.new(payload))
    s = int.from_bytes(raw[32:], "big")
    s = min(s, R1_ORDER - s)
    return private.public_key().export_key(format="SEC1", compress=True), raw[:32] + s.to_bytes(
        32, "big"
    )


def sui_one(seed, flag, text):
    digest = sui_message.digest(text)
    if flag == sui_keys.ED25519:
        return ed25519(seed, digest)
    if flag == sui_keys.SECP256K1:
        return secp256k1(seed, sha256(digest).digest(), compressed=True)
    return secp256r1(seed, digest)


class Made(msgspec.Struct, frozen=True):
    """A row that binds, and its signature as bytes."""

    row: SignedAddress
    raw: bytes

    def with_raw(self, raw):
        text = b64encode(raw).decode() if self.row.spec.address == "sui" else raw.hex()
        return msgspec.structs.replace(self.row, signatures=(text,))


def made(name, account, text, raw, scheme, **other):
    row = SignedAddress(
        spec=SPECS[name],
        address=encode(SPECS[name], account),
        account=account,
        message=text,
        signatures=("",),
        schemes=(scheme,),
        **other,
    )
    bare = Made(row, raw)
    return Made(bare.with_raw(raw), raw)


def make_sui(seed, text, flag):
    key, signature = sui_one(seed, flag, text)
    raw = bytes((flag,)) + signature + key
    return made("sui", sui_keys.address(flag, key), text, raw, "sui-personal-message")


def multisig_raw(signatures, places, keys, threshold):
    raw = b"\3" + bytes((len(signatures),))
    raw += b"".join(bytes((flag,)) + one for flag, one in signatures)
    raw += sum(1 << place for place in places).to_bytes(2, "little") + bytes((len(keys),))
    raw += b"".join(bytes((flag,)) + key + bytes((weight,)) for flag, key, weight in keys)
    return raw + threshold.to_bytes(2, "little")


def make_multisig(seed, text, flags, absent):
    """Make a multisig of keys of these kinds; the one at ``absent`` has not signed."""
    each = [sui_one(flipped(seed, 255 - i), flag, text) for i, flag in enumerate(flags)]
    keys = tuple(
        (flag, key, 1 + i) for i, (flag, (key, _)) in enumerate(zip(flags, each, strict=True))
    )
    places = [i for i in range(len(flags)) if i != absent % len(flags)]
    threshold = sum(1 + i for i in places)
    signatures = [(flags[i], each[i][1]) for i in places]
    raw = multisig_raw(signatures, places, keys, threshold)
    account = sui_keys.multisig_address(sui_keys.parse_multisig(raw[1:]))
    return made("sui", account, text, raw, "sui-personal-message")


def aptos_one(seed, kind, payload):
    if kind == aptos_keys.ED25519:
        return ed25519(seed, payload)
    return secp256k1(seed, sha3_256(payload).digest(), compressed=False)


def make_single_key(seed, text, kind):
    key, raw = aptos_one(seed, kind, text.encode())
    column = (bytes((kind, len(key))) + key).hex()
    account = aptos_keys.parse(column).authentication_key
    return made("aptos", account, text, raw, "aptos-raw", public_key=column)


def make_multi_key(seed, text, kinds, absent):
    each = [aptos_one(flipped(seed, 255 - i), kind, text.encode()) for i, kind in enumerate(kinds)]
    places = [i for i in range(len(kinds)) if i != absent % len(kinds)]
    column = bytes((len(kinds),))
    column += b"".join(bytes((k, len(key))) + key for k, (key, _) in zip(kinds, each, strict=True))
    column += bytes((len(places),))
    raw = bytes((len(places),)) + b"".join(bytes((kinds[i], 64)) + each[i][1] for i in places)
    raw += b"\4" + bytes((sum(0x80 >> i for i in places),)) + bytes(3)
    account = aptos_keys.parse(column.hex()).authentication_key
    return made("aptos", account, text, raw, "aptos-raw", public_key=column.hex())


def make_multi_ed25519(seed, text, count, absent):
    each = [ed25519(flipped(seed, 255 - i), text.encode()) for i in range(count)]
    places = [i for i in range(count) if i != absent % count]
    column = b"".join(key for key, _ in each) + bytes((len(places),))
    raw = b"".join(each[i][1] for i in places)
    raw += bytes((sum(0x80 >> i for i in places),)) + bytes(3)
    account = aptos_keys.parse(column.hex()).authentication_key
    return made("aptos", account, text, raw, "aptos-raw", public_key=column.hex())


SUI = st.builds(make_sui, seeds, texts, st.sampled_from([1, 2])) | st.builds(
    make_multisig, seeds, texts, st.lists(st.integers(0, 2), min_size=2, max_size=4), st.integers()
)
APTOS = (
    st.builds(make_single_key, seeds, texts, st.integers(0, 1))
    | st.builds(
        make_multi_key,
        seeds,
        texts,
        st.lists(st.integers(0, 1), min_size=2, max_size=4),
        st.integers(),
    )
    | st.builds(make_multi_ed25519, seeds, texts, st.integers(3, 5), st.integers())
)
MADE = SUI | APTOS


@settings(max_examples=80, deadline=None)
@given(MADE)
def test_what_is_signed_binds(one):
    assert is_bound(one.row)


@settings(max_examples=300, deadline=None)
@given(MADE, st.data())
def test_no_changed_bit_of_a_signature_binds(one, data):
    bit = data.draw(st.integers(0, len(one.raw) * 8 - 1))
    assert not is_bound(one.with_raw(flipped(one.raw, bit)))


@settings(max_examples=200, deadline=None)
@given(MADE, st.data())
def test_no_changed_bit_of_account_or_key_binds(one, data):
    bit = data.draw(st.integers(0, 255))
    changed = flipped(one.row.account, bit)
    assert not is_bound(msgspec.structs.replace(one.row, account=changed))
    assume(one.row.public_key)
    key = bytes.fromhex(one.row.public_key)
    key = flipped(key, data.draw(st.integers(0, len(key) * 8 - 1))).hex()
    assert not is_bound(msgspec.structs.replace(one.row, public_key=key))


@settings(max_examples=150, deadline=None)
@given(MADE, texts)
def test_no_other_text_binds(one, text):
    assume(text != one.row.message)
    assert not is_bound(msgspec.structs.replace(one.row, message=text))


@settings(max_examples=150, deadline=None)
@given(MADE, st.binary(min_size=1, max_size=4), st.data())
def test_no_other_length_binds(one, extra, data):
    assert not is_bound(one.with_raw(one.raw + extra))
    assert not is_bound(one.with_raw(extra + one.raw))
    assert not is_bound(one.with_raw(one.raw[: data.draw(st.integers(0, len(one.raw) - 1))]))


@settings(max_examples=150, deadline=None)
@given(MADE, st.text(max_size=120))
def test_any_text_as_signature_or_key_ends_in_a_verdict(one, text):
    row = msgspec.structs.replace(one.row, signatures=(text or "x",))
    assert not is_bound(row)
    row = msgspec.structs.replace(one.row, public_key=text or "x")
    assert text == one.row.public_key or not is_bound(row)


@settings(max_examples=150, deadline=None)
@given(MADE, st.binary(min_size=1, max_size=300))
def test_any_bytes_as_signature_or_key_end_in_a_verdict(one, raw):
    assert raw == one.raw or not is_bound(one.with_raw(raw))
    for head in (b"\3", one.raw[:2], one.raw[:70]):
        assert head + raw == one.raw or not is_bound(one.with_raw(head + raw))
    assert not is_bound(msgspec.structs.replace(one.row, public_key=raw.hex()))


@settings(max_examples=150, deadline=None)
@given(
    seeds,
    texts,
    st.lists(st.integers(0, 2), min_size=2, max_size=4),
    st.integers(),
    st.data(),
)
def test_no_lesser_part_of_a_multisig_binds(seed, text, flags, absent, data):
    one = make_multisig(seed, text, flags, absent)
    whole = sui_keys.parse_multisig(one.raw[1:])
    chosen = data.draw(st.lists(st.sampled_from(range(len(whole.places))), max_size=4))
    places = data.draw(st.lists(st.integers(0, 15), min_size=0, max_size=4, unique=True))
    for where in (places, [whole.places[i] for i in dict.fromkeys(chosen)]):
        raw = multisig_raw(
            [whole.signatures[i] for i in chosen], where, whole.keys, whole.threshold
        )
        assert raw == one.raw or not is_bound(one.with_raw(raw))
    for threshold in range(whole.threshold):
        raw = multisig_raw(whole.signatures, whole.places, whole.keys, threshold)
        assert not is_bound(one.with_raw(raw))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), texts, st.binary(min_size=20, max_size=20))
def test_a_contract_never_owns_anything_offline(raw, text, account):
    spec = msgspec.structs.replace(chain("evm"), id="eip155:1")
    row = SignedAddress(
        spec=spec,
        address=encode(spec, account),
        account=account,
        message=text,
        signatures=("0x" + raw.hex(),),
        schemes=("eip1271",),
    )
    try:
        outcome = judge(row)
    except Refused:
        assert not raw
        return
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "contract-unasked")
    assert (outcome.signers, outcome.keys) == ((), ())
    assert eip1271.parts(outcome.asked)[::2] == (account, raw)
