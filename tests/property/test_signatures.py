"""Generated keys and texts: what is signed binds, and no changed bit still binds.

A header byte or v is not covered by an ECDSA signature. Schemes in which another value of
it names the same key (BIP-137 headers for segwit, v + 4 of MPC wallets) are left out of
the bit flips of that one byte, and only of that.
"""

from base64 import b64encode
from hashlib import blake2b, sha3_256

import coincurve
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from chains.addresses import encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, digests, judge
from chains.signatures.ed25519 import _aptos, _sui
from chains.signatures.secp256k1 import hash160, keccak_account
from chains.signatures.ton_wallets import accounts as ton_accounts

pytestmark = pytest.mark.property

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
secrets = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


BTC = chain("bitcoin", p2pkh=[0], p2sh=[5], hrp="bc", message_header="Bitcoin")
SOL, APTOS, SUI, TON = chain("solana"), chain("aptos"), chain("sui"), chain("ton")
DOT = chain("ss58", prefix=0)


class Made(msgspec.Struct, frozen=True):
    """A row that binds, its signature as bytes, and how such bytes are written."""

    row: SignedAddress
    raw: bytes
    write: str

    def with_raw(self, raw):
        text = b64encode(raw).decode() if self.write == "base64" else "0x" + raw.hex()
        rest = self.row.signatures[1:]
        return msgspec.structs.replace(self.row, signatures=(text, *rest))


def make(spec, account, text, raw, scheme, *, write="hex", rest=(), **other):
    row = SignedAddress(
        spec=spec,
        address=encode(spec, account),
        account=account,
        message=text,
        signatures=("", *rest),
        schemes=(scheme,),
        **other,
    )
    made = Made(row, raw, write)
    return Made(made.with_raw(raw), raw, write)


def recoverable(secret, digest, plus, *, header_first=False):
    raw = coincurve.PrivateKey(secret).sign_recoverable(digest, hasher=None)
    last = bytes((raw[64] + plus,))
    return last + raw[:64] if header_first else raw[:64] + last


EVM_SCHEMES = {
    ("evm", "okx-evm"): digests.okx_evm,
    ("evm", "eip191"): digests.personal_sign,
    ("evm", "htx-evm"): digests.bare_keccak,
    ("evm", "okx-ecdsa"): digests.okx_ecdsa,
    ("tron", "okx-tron"): digests.tron_hashed,
    ("tron", "htx-tron"): digests.tron_legacy,
    ("tron", "tip191"): digests.tip191,
}


def make_keccak(secret, text, kind):
    account = keccak_account(coincurve.PrivateKey(secret).public_key.format(compressed=False))
    raw = recoverable(secret, EVM_SCHEMES[kind](text), 27)
    return make(chain(kind[0]), account, text, raw, kind[1])


def make_p2pkh(secret, text, scheme, *, is_long):
    key = coincurve.PrivateKey(secret).public_key.format(compressed=not is_long)
    digest = digests.bitcoin_message("Bitcoin", text)
    raw = recoverable(secret, digest, 27 if is_long else 31, header_first=True)
    account = b"\x76\xa9\x14" + hash160(key) + b"\x88\xac"
    return make(BTC, account, text, raw, scheme, write="base64")


def make_multisig(secret, text, other):
    assume(secret != other)
    keys = [coincurve.PrivateKey(one).public_key.format() for one in (secret, other)]
    script = b"\x52" + b"".join(b"\x21" + key for key in keys) + b"\x52\xae"
    digest = digests.bitcoin_message("Bitcoin", text)
    first, second = (recoverable(one, digest, 31, header_first=True) for one in (secret, other))
    account = b"\xa9\x14" + hash160(script) + b"\x87"
    rest = (b64encode(second).decode(),)
    return make(
        BTC, account, text, first, "okx-utxo", write="base64", rest=rest, script=script.hex()
    )


def make_ed25519(secret, text, spec):
    key, private = crypto_sign_seed_keypair(secret)
    raw = crypto_sign(digests.frame(digests.OKX_HEADER, text), private)[:64]
    account = {
        "aptos": sha3_256(key + b"\0").digest(),
        "sui": blake2b(b"\0" + key, digest_size=32).digest(),
        "ton": next(iter(ton_accounts(key))),
    }.get(spec.address, key)
    assert spec.address != "aptos" or _aptos(key, account) == ""
    assert spec.address != "sui" or _sui(key, account) == ""
    return make(spec, account, text, raw, "okx-ed25519", public_key=key.hex())


KECCAK = st.builds(make_keccak, secrets, texts, st.sampled_from(sorted(EVM_SCHEMES)))
EVM_ONLY = st.builds(
    make_keccak, secrets, texts, st.sampled_from([k for k in sorted(EVM_SCHEMES) if k[0] == "evm"])
)
P2PKH = st.builds(
    make_p2pkh,
    secrets,
    texts,
    st.sampled_from(["okx-utxo", "bitcoin-signmessage", "bip137"]),
    is_long=st.booleans(),
)
MULTISIG = st.builds(make_multisig, secrets, texts, secrets)
ED25519 = st.builds(make_ed25519, secrets, texts, st.sampled_from([SOL, DOT, APTOS, SUI, TON]))
MADE = KECCAK | P2PKH | MULTISIG | ED25519


def is_bound(row):
    try:
        return judge(row).status is Ownership.BOUND
    except (Refused, Unsupported):
        return False


@settings(max_examples=60, deadline=None)
@given(MADE)
def test_what_is_signed_binds(made):
    assert is_bound(made.row)
    assert judge(made.row) == judge(made.row)


@settings(max_examples=150, deadline=None)
@given(MADE, st.data())
def test_no_changed_bit_of_a_signature_binds(made, data):
    bit = data.draw(st.integers(0, len(made.raw) * 8 - 1))
    changed = bytearray(made.raw)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_bound(made.with_raw(bytes(changed)))


@settings(max_examples=60, deadline=None)
@given(MADE, st.data())
def test_no_other_length_binds(made, data):
    cut = data.draw(st.integers(0, len(made.raw) - 1))
    assert not is_bound(made.with_raw(made.raw[:cut]))
    extra = data.draw(st.binary(min_size=1, max_size=4))
    assert not is_bound(made.with_raw(made.raw + extra))


@settings(max_examples=100, deadline=None)
@given(MADE, texts)
def test_no_other_text_binds(made, text):
    assume(text != made.row.message)
    assert not is_bound(msgspec.structs.replace(made.row, message=text))


@settings(max_examples=100, deadline=None)
@given(MADE, st.data())
def test_no_other_account_binds(made, data):
    bit = data.draw(st.integers(0, len(made.row.account) * 8 - 1))
    changed = bytearray(made.row.account)
    changed[bit // 8] ^= 1 << bit % 8
    row = msgspec.structs.replace(made.row, account=bytes(changed))
    assert not is_bound(row)
    if not row.public_key:
        assert not is_bound(msgspec.structs.replace(row, script=""))


@settings(max_examples=60, deadline=None)
@given(MULTISIG | ED25519, st.data())
def test_no_other_key_or_script_binds(made, data):
    column = "public_key" if made.row.public_key else "script"
    text = getattr(made.row, column)
    place = data.draw(st.integers(0, len(text) - 1))
    digit = data.draw(st.sampled_from("0123456789abcdef"))
    assume(digit != text[place])
    changed = text[:place] + digit + text[place + 1 :]
    assert not is_bound(msgspec.structs.replace(made.row, **{column: changed}))


@settings(max_examples=100, deadline=None)
@given(MADE, st.text(max_size=140))
def test_any_text_as_signature_ends_in_a_verdict(made, text):
    row = msgspec.structs.replace(made.row, signatures=(text, *made.row.signatures[1:]))
    assert text == made.row.signatures[0] or not is_bound(row)


@settings(max_examples=60, deadline=None)
@given(EVM_ONLY, secrets, texts)
def test_a_named_owner_never_binds_another_account(made, secret, text):
    key = coincurve.PrivateKey(secret).public_key.format(compressed=False)
    owner = encode(made.row.spec, keccak_account(key))
    own = msgspec.structs.replace(
        make_keccak(secret, text, ("evm", "okx-evm")).row,
        address=made.row.address,
        account=made.row.account,
        owners=(owner,),
    )
    assume(own.account != keccak_account(key))
    outcome = judge(own)
    assert outcome.status is Ownership.SIGNER_ONLY
    assert outcome.signers == (owner,)
