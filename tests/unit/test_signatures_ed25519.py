"""Ed25519 signatures: keys, encodings, weak points, and the addresses derived from keys."""

from base64 import b64encode
from hashlib import sha3_256

import pytest
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from chains.addresses import decode, encode
from chains.addresses.base58 import bytes_to_base58
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import (
    Refused,
    SignedAddress,
    Unsupported,
    digests,
    ed25519,
    judge,
    stellar_message,
)
from chains.signatures.ton_wallets import accounts as ton_accounts

pytestmark = pytest.mark.unit

TEXT = "I am an OKX address"
ORDER = 2**252 + 27742317777372353535851937790883648493
PUBLIC, SECRET = crypto_sign_seed_keypair(b"\x05" * 32)


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


SOL, APTOS, SUI, TON = chain("solana"), chain("aptos"), chain("sui"), chain("ton")
DOT, STELLAR = chain("ss58", prefix=0), chain("stellar")


def raw_signature(text=TEXT):
    return crypto_sign(digests.frame(digests.OKX_HEADER, text), SECRET)[:64]


def row(spec, account, given, *, key="", scheme="okx-ed25519", message=TEXT, **other):
    return SignedAddress(
        spec=spec,
        address=encode(spec, account),
        account=account,
        message=message,
        signatures=(given,) if isinstance(given, str) else given,
        schemes=(scheme,),
        public_key=key,
        **other,
    )


def code_of(case, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(case)
    return caught.value.code


# okx/proof-of-reserves common/crypto_test.go and example/*.csv at 2962a89
VECTORS = [
    (
        DOT,
        "15WXogcgXnHsZ1FeuNc6cg34i8R6JCXgWrDLNLERLLesJ7bf",
        "hello world",
        (
            "0x996528cea9ae0ef66a0c1782cf281726f3e167906e9eb61161558c482f5b92b5"
            "439e0662b2b72906cd2a155903fed4b739652a4ddd97689618793e90d8f2d608"
        ),
        "0xc776bfbeeeb0b1ddd1ce6cccf55ce795f5306bf63de37d72e5af50b3be23ce49",
    ),
    (
        SUI,
        "0xdf7c04c9bebf4b35bd8c66a92469f0b66cf77ce8586b6262709a897659f4e772",
        TEXT,
        (
            "0xbbccff4544b0178700273db07846c25541123fbaa70e1e0102b66b0dcfb29f2f"
            "9aad23de02195128e0e634a4cab6890bf5db1063d454a69df811040ba298be0f"
        ),
        "4b4c3343b6c3efcd579cd6d6877d5a953166f19825d595296fec109d1f5e0950",
    ),
    (
        APTOS,
        "0x4062a7375a1ab2bb8bc33d2c1cb2f6b0afa1cef98ea7a5afec7afc96675fe1d",
        TEXT,
        (
            "0xc084c15b8fcfbbf7fcc6b3a8131c885e40eccebfd53472ade25c2ba3d57f2bc1"
            "f5089d5a29d68a812477013ea948d06ef77f5894040f7026f323ffd2cdc0640b"
        ),
        "0x04d1885cf7d4add68ebf2953c1e3406c5ee0e9b9d6c07782ec6bae9fa4bd9335",
    ),
    (
        TON,
        "UQB1CKrUWm7qf41Z1GeEE6AgVVj5cH6y6x1aRmWe6q4mj1fn",
        TEXT,
        (
            "0x6c5b3b11b8d4a7b356cb4e4e4a960e476d05b52824a62ef961054617b401f157"
            "ef6c01c537f3751c22ba018f97b067d508b455f6cbdf757a64ca2571e76dc004"
        ),
        "6711ba8eaa47855b01d73e3849cd93861b1c11d7a86ae5fb8f96bb63d9be5a6b",
    ),
]


@pytest.mark.parametrize(("spec", "address", "text", "given", "key"), VECTORS)
def test_published_rows_are_bound_by_the_derived_address(spec, address, text, given, key):
    account = decode(spec, address)
    outcome = judge(row(spec, account, given, key=key, message=text))
    assert outcome.status is Ownership.BOUND
    assert outcome.keys == (bytes.fromhex(key.removeprefix("0x")),)
    assert code_of(row(spec, account, given, key=key, message="huobi")) == "wrong-signature"


def test_the_address_must_derive_from_the_key_of_the_row():
    given, key = "0x" + raw_signature().hex(), PUBLIC.hex()
    foreign = bytes(31) + b"\x09"
    for spec in (SOL, DOT, SUI):
        assert code_of(row(spec, foreign, given, key=key)) == "wrong-key"
    name = "0x" + sha3_256(PUBLIC + b"\0").hexdigest()
    for spec, account, signer in ((APTOS, foreign, name), (TON, b"\0" + foreign, f"0x{key}")):
        outcome = judge(row(spec, account, given, key=key))
        assert outcome.status is Ownership.SIGNER_ONLY
        assert outcome.reason == "link-unobserved"
        assert outcome.signers == (signer,)


def test_addresses_that_are_keys_need_no_key_column_and_others_do():
    given = "0x" + raw_signature().hex()
    for spec in (SOL, DOT):
        assert judge(row(spec, PUBLIC, given)).status is Ownership.BOUND
    for spec, account in ((SUI, PUBLIC), (APTOS, PUBLIC), (TON, b"\0" + PUBLIC)):
        assert code_of(row(spec, account, given)) == "missing-key"


@pytest.mark.parametrize("scheme", ["okx-ed25519", "sep53"])
def test_another_signer_of_a_stellar_account_is_named_as_the_chain_names_it(scheme):
    framed = digests.frame(digests.OKX_HEADER, TEXT)
    payload = stellar_message.digest(TEXT.encode()) if scheme == "sep53" else framed
    account = crypto_sign_seed_keypair(b"\x06" * 32)[0]
    given = crypto_sign(payload, SECRET)[:64].hex()
    outcome = judge(row(STELLAR, account, given, key=PUBLIC.hex(), scheme=scheme))
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert outcome.signers == (encode(STELLAR, PUBLIC),)


def test_ton_wallets_of_a_key_and_their_names():
    given, key = "0x" + raw_signature().hex(), PUBLIC.hex()
    names = set()
    for account, name in ton_accounts(PUBLIC).items():
        outcome = judge(row(TON, account, given, key=key))
        assert (outcome.status, outcome.detail) == (Ownership.BOUND, name)
        names.add(name)
        masterchain = row(TON, b"\xff" + account[1:], given, key=key)
        assert judge(masterchain).status is Ownership.SIGNER_ONLY
    assert names == {"wallet-v3r2", "wallet-v4r2", "wallet-v5r1", "highload-v3"}


def test_signature_encodings():
    raw = raw_signature()
    for given in ("0x" + raw.hex(), raw.hex(), raw.hex().upper(), bytes_to_base58(raw)):
        assert judge(row(SOL, PUBLIC, given)).status is Ownership.BOUND
    assert judge(row(SOL, PUBLIC, b64encode(raw).decode())).status is Ownership.BOUND


def unused_bits_set(raw):
    """Return base64 whose last digit differs only in bits that no byte holds."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = b64encode(raw).decode()
    return text[:-3] + alphabet[alphabet.index(text[-3]) ^ 1] + "=="


SPOILED = {
    "63 bytes": lambda raw: raw.hex()[:-2],
    "65 bytes": lambda raw: raw.hex() + "00",
    "space at the end": lambda raw: raw.hex() + " ",
    "space in front": lambda raw: " " + raw.hex(),
    "spaces for digits": lambda raw: raw.hex()[:-2] + "  ",
    "0X": lambda raw: "0X" + raw.hex(),
    "unused bits set": unused_bits_set,
    "newline at the end": lambda raw: b64encode(raw).decode() + "\n",
    "base58 of 65 bytes": lambda raw: bytes_to_base58(raw) + "1",
    "base58 of 63 bytes": lambda raw: bytes_to_base58(raw[:-1]),
    "base58 with a zero": lambda raw: bytes_to_base58(b"\0" + raw),
    "null": lambda _: "null",
    "nothing": lambda _: "0x",
}


@pytest.mark.parametrize("name", SPOILED)
def test_other_lengths_and_spellings_are_refused(name):
    assert code_of(row(SOL, PUBLIC, SPOILED[name](raw_signature()))) == "bad-signature"


@pytest.mark.parametrize("key", ["0x", "00", PUBLIC.hex()[:-2], PUBLIC.hex() + "00", "zz" * 32])
def test_keys_of_wrong_length_are_refused(key):
    assert code_of(row(SOL, PUBLIC, "0x" + raw_signature().hex(), key=key)) == "bad-key"


def test_an_altered_s_that_is_not_below_the_order_is_refused():
    raw = raw_signature()
    s = int.from_bytes(raw[32:], "little") + ORDER
    given = "0x" + (raw[:32] + s.to_bytes(32, "little")).hex()
    assert code_of(row(SOL, PUBLIC, given)) == "wrong-signature"


def weak_points():
    """The fourteen encodings of small-order points, with both signs where they have one."""
    for point in ed25519.SMALL_ORDER:
        yield point
        yield point[:31] + bytes((point[31] | 0x80,))


def test_the_table_of_small_order_points_is_whole():
    eight = [int.from_bytes(p, "little") for p in ed25519.SMALL_ORDER]
    p = ed25519.FIELD
    assert len(eight) == 7
    assert {y % p for y in eight} == {0, 1, p - 1} | {y for y in eight if 1 < y < p - 1}
    # An order-8 point: x^2 = y^2 and -x^2 + y^2 = 1 + d x^2 y^2 fails unless 2y doubled is (±i, 0).
    d = -121665 * pow(121666, -1, p) % p
    for y in (y for y in eight if 1 < y < p - 1):
        x2 = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        # Doubling gives y' = (y^2 + x^2) / (2 + x^2 - y^2), which is 0 for order 8.
        assert (y * y + x2) % p == 0


@pytest.mark.parametrize("point", sorted(weak_points()), ids=bytes.hex)
def test_small_order_keys_prove_nothing_on_any_chain(point):
    # With R = A = a point of small order and s = 0 lenient verifiers accept some of these.
    given = "0x" + (point + bytes(32)).hex()
    for spec in (SOL, DOT, SUI, APTOS, TON):
        account = point if spec is not TON else b"\0" + point
        assert code_of(row(spec, account, given, key=point.hex())) == "weak-key"


def test_small_order_nonce_points_and_non_canonical_encodings_are_refused():
    identity = b"\x01" + bytes(31)
    assert code_of(row(SOL, PUBLIC, "0x" + (identity + bytes(32)).hex())) == "weak-key"
    for offset in (3, 18):
        big = (ed25519.FIELD + offset).to_bytes(32, "little")
        signed = "0x" + raw_signature().hex()
        assert code_of(row(SOL, big, signed)) == "weak-key"
        assert code_of(row(SOL, PUBLIC, "0x" + (big + bytes(32)).hex())) == "weak-key"


def test_libsodium_itself_refuses_small_order_keys():
    for point in weak_points():
        with pytest.raises(BadSignatureError):
            crypto_sign_open(point + bytes(32) + b"text", point)


def test_raw_texts_on_the_chains_that_have_vectors():
    # paulmillr/micro-sol-signer test/offchain.test.ts (Phantom signMessage)
    account = decode(SOL, "2q7pyhPwAwZ3QMfZrnAbDhnh9mDUqycszcpf86VgQxhF")
    given = (
        "2bwmfHxMhnEWiSPZX6Mx7oA67XpkqVXmzgSSxgUr7Q5ijLrNS9c9hBHDYueBfAkRr6T247wxENiLBy9hY9NMxPir"
    )
    case = row(SOL, account, given, scheme="ed25519-raw", message="Message to sign")
    assert judge(case).status is Ownership.BOUND
    framed = row(SOL, account, given, message="Message to sign")
    assert code_of(framed) == "wrong-signature"
    other = row(SUI, bytes(32), given, key=PUBLIC.hex(), scheme="ed25519-raw")
    assert code_of(other, Unsupported) == "unsupported-scheme"


def test_a_signature_must_not_run_over_into_the_text():
    # libsodium takes signature and text as one string, so a longer signature would shorten it.
    raw = crypto_sign(b"Xabc", SECRET)[:64]
    case = row(SOL, PUBLIC, bytes_to_base58(raw + b"X"), scheme="ed25519-raw", message="abc")
    assert code_of(case) == "bad-signature"


def test_long_texts_are_verified_without_being_remembered():
    before = ed25519._remembered.cache_info().currsize
    text = "x" * 1000
    given = "0x" + raw_signature(text).hex()
    assert judge(row(SOL, PUBLIC, given, message=text)).status is Ownership.BOUND
    assert ed25519._remembered.cache_info().currsize == before


def test_owners_of_rotated_accounts():
    # okx/proof-of-reserves example/okx_por_example.csv: only eoa1 is bound to the key.
    owner = "0x5bb5d85934c7587a22960ef72e9d8cd5313a60447e57a2183b1aae285d90352e"
    given, key = "0x" + raw_signature().hex(), PUBLIC.hex()
    account = bytes.fromhex("deadbeef" * 8)
    unknown = judge(row(APTOS, account, given, key=key, owners=(owner,)))
    assert (unknown.status, unknown.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert unknown.signers == ("0x" + sha3_256(PUBLIC + b"\0").hexdigest(),)
    two = row(SOL, account, (given, given), owners=(encode(SOL, PUBLIC), encode(SOL, account)))
    assert code_of(two) in ("wrong-signature", "weak-key")
    one = judge(row(SOL, account, given, owners=(encode(SOL, PUBLIC),)))
    assert (one.status, one.reason) == (Ownership.SIGNER_ONLY, "control-unobserved")
    assert one.signers == (encode(SOL, PUBLIC),)


@pytest.mark.parametrize("digits", [0, 2, 62, 63, 65, 66, 128])
def test_a_key_of_another_length_is_none(digits):
    for prefix in ("", "0x"):
        with pytest.raises(Refused) as caught:
            ed25519.parse_key(prefix + ("ab" * 64)[:digits])
        assert caught.value.code == "bad-key"
