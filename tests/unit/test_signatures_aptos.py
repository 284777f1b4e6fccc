"""Aptos: keys of every kind, several keys, and what their forms refuse."""

from hashlib import sha3_256

import msgspec
import pytest
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from chains.addresses import decode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import (
    Refused,
    SignedAddress,
    Unsupported,
    aptos_keys,
    judge,
)

pytestmark = pytest.mark.unit

K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def chain(address):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
    )


APTOS = chain("aptos")


def code_of(case, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(case)
    return caught.value.code


# aptos-labs/aptos-ts-sdk tests/unit/helper.ts at 82b31044 (text "hello world"), and
# mrtnetwork/On_chain test/aptos/{signing,account_public_key}_test.dart at f56635dd (text U+0000).
ED25519 = (
    "0x978c213990c4833df71548df7ce49d54c759d6b6d932de22b24d56060b7af2aa",
    "0xde19e5d1880cac87d57484ce9ed2e84cf0f9599f12e7cc3a52e4e7657a763f2c",
    (
        "0x9e653d56a09247570bb174a389e85b9226abd5c403ea6c504b386626a145158c"
        "d4efd66fc5e071c0e19538a96a05ddbda24d3c51e1e6a9dacc6bb1ce775cce07"
    ),
    "hello world",
    "",
)
SINGLE_ED25519 = (
    "0x5bdf77d5bf826c8c04273d4e7323f7bc4a85ee7ee34b37bd7458b7aed3639dd3",
    "0xe425451a5dc888ac871976c3c724dec6118910e7d11d344b4b07a22cd94e8c2e",
    (
        "0xc6f50f4e0cb1961f6f7b28be1a1d80e3ece240dfbb7bd8a8b03cc26bfd144fc1"
        "76295d7c322c5bf3d9669d2ad49d8bdbfe77254b4a6393d8c49da04b40cee600"
    ),
    "hello world",
    "single-key",
)
SINGLE_SECP256K1 = (
    "0x5792c985bc96f436270bd2a3c692210b09c7febb8889345ceefdbae4bacfe498",
    (
        "0x04acdd16651b839c24665b7e2033b55225f384554949fef46c397b5275f37f6e"
        "e95554d70fb5d9f93c5831ebf695c7206e7477ce708f03ae9bb2862dc6c9e033ea"
    ),
    (
        "0xd0d634e843b61339473b028105930ace022980708b2855954b977da09df84a77"
        "0c0b68c29c8ca1b5409a5085b0ec263be80e433c83fcf6debb82f3447e71edca"
    ),
    "hello world",
    "single-key",
)
MULTI_KEY = (
    "0x4b7c50ba0047625f75407f5dc73a0d00524c50016ea483d44439d5ee72369d05",
    (
        "0300200b513ad9b4924015ca0902ed079044d3ac5dbec2306f06948c10da8eb6e39f2d"
        "002091a28a0b74381593a4d9469579208926afc8ad82c8839b7644359b9eba9a4b3a"
        "01410499c2aa85d2b21a62f396907a802a58e521dafd5bddaccbd72786eea189bc4dc9"
        "c40c3728b587c47395ce41a2afe84ee70016fafa39d3b54e66fc1f11aefda70403"
    ),
    (
        "0300400d6753413e37013b8a2d557d260f1462a36fce97d41b416af76d851f45ed15aa"
        "83d921b6def066c1856e7ac0a1156bbb583ca12bbbcf98ca97790dab7cd2f309"
        "0040554b30c696ed67d637ccc1e15a4fd855c55b9b9e41ba5fd1ef612ced4f4fa1f3"
        "780da9f96d6297a70dbfadaa6b980c2081c4b4f482afd7e34986a010e00e4707"
        "0140cd254c437133edcbf428ba29f544f5b62b5aa07cba2a11b49b2262092ae87b78"
        "1ce75eaf14a0a7368e1d2c45965bbf9e71c7f44c21c540044d96cfa13e74e83b"
        "04e0000000"
    ),
    "\0",
    "multi-key, 3 of 3 keys",
)
ROWS = [ED25519, SINGLE_ED25519, SINGLE_SECP256K1, MULTI_KEY]


def aptos_row(address, key, signature, text, **other):
    return SignedAddress(
        spec=APTOS,
        address=address,
        account=decode(APTOS, address),
        message=text,
        signatures=(signature,),
        schemes=("aptos-raw",),
        public_key=key,
        **other,
    )


@pytest.mark.parametrize(("address", "key", "signature", "text", "detail"), ROWS)
def test_published_aptos_rows_are_bound(address, key, signature, text, detail):
    row = aptos_row(address, key, signature, text)
    outcome = judge(row)
    assert (outcome.status, outcome.detail) == (Ownership.BOUND, detail)
    assert code_of(msgspec.structs.replace(row, message=text + " ")) == "wrong-signature"
    rotated = judge(aptos_row("0x" + "5d" * 32, key, signature, text))
    assert (rotated.status, rotated.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    if detail.startswith("multi") or len(key) > 66:
        assert rotated.signers == (address,)
    assert code_of(msgspec.structs.replace(row, public_key="")) == "missing-key"


@pytest.mark.parametrize("published", [SINGLE_ED25519, SINGLE_SECP256K1])
def test_aptos_keys_and_signatures_behind_variant_and_length(published):
    address, key, signature, text, _ = published
    digits = key[2:]
    head = "0020" if len(digits) == 64 else "0141"
    for one in (head + digits, "0x" + head + digits):
        for two in (signature, "0x" + head[:2] + "40" + signature[2:]):
            assert judge(aptos_row(address, one, two, text)).status is Ownership.BOUND
    foreign = "01" if head == "0020" else "00"
    row = aptos_row(address, head + digits, foreign + "40" + signature[2:], text)
    assert code_of(row) == "bad-signature"


def test_a_high_s_is_refused_on_aptos():
    address, key, signature, text, _ = SINGLE_SECP256K1
    s = K1_ORDER - int(signature[66:], 16)
    assert code_of(aptos_row(address, key, signature[:66] + f"{s:064x}", text)) == "high-s"


def multi_key_signature(*places, bitmap=None):
    """Return the published signatures of some places, in any order, and a bitmap."""
    raw = MULTI_KEY[2]
    each = [raw[2 + 132 * place : 2 + 132 * (place + 1)] for place in range(3)]
    bits = sum(0x80 >> place for place in set(places)) if bitmap is None else bitmap
    return f"{len(places):02x}" + "".join(each[place] for place in places) + f"04{bits:02x}000000"


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (multi_key_signature(0, 1), "below-threshold"),
        (multi_key_signature(0, 1, 1), "bad-signature"),
        (multi_key_signature(0, 1, 1, bitmap=0xE0), "wrong-key"),
        (multi_key_signature(1, 0, 2), "wrong-signature"),
        (multi_key_signature(0, 1, 2, bitmap=0xF0), "bad-signature"),
        (multi_key_signature(0, 1, 2, bitmap=0xD0), "bad-signature"),
        (multi_key_signature(0, 1, 2, bitmap=0), "bad-signature"),
        (multi_key_signature(0, 1, 2) + "00", "bad-signature"),
        (multi_key_signature(0, 1, 2)[:-2], "bad-signature"),
        ("0" + multi_key_signature(0, 1, 2), "bad-signature"),
        (" " + multi_key_signature(0, 1, 2), "bad-signature"),
        ("", "no-signature"),
    ],
)
def test_a_multi_key_that_does_not_hold_is_refused(signature, code):
    assert multi_key_signature(0, 1, 2) == MULTI_KEY[2]
    assert code_of(aptos_row(MULTI_KEY[0], MULTI_KEY[1], signature, "\0")) == code


def test_a_key_that_stands_twice_counts_once():
    one = ED25519[1][2:]
    keys = "02" + ("0020" + one) * 2 + "02"
    signature = "02" + ("0040" + ED25519[2][2:]) * 2 + "04c0000000"
    address = "0x" + aptos_keys.parse(keys).authentication_key.hex()
    assert code_of(aptos_row(address, keys, signature, "hello world")) == "below-threshold"


def test_multi_ed25519():
    # aptos-labs/aptos-ts-sdk tests/unit/{authenticationKey,multiEd25519}.test.ts at 82b31044
    published = aptos_keys.parse(
        "b9c6ee1630ef3e711144a648db06bbb2284f7274cfbee53ffcee503cc1a49200"
        "aef3f4a4b8eca1dfc343361bf8e436bd42de9259c04b8314eb8e2054dd6e82ab"
        "8a5762e21ac1cdb3870442c77b4c3af58c7cedb8779d0270e6d4f1e2f7367d7402"
    )
    assert published.authentication_key.hex() == (
        "a81cfac3df59920593ff417b45fc347ead3d88f8e25112c0488d34d7c9eb20af"
    )
    keys = aptos_keys.parse(
        "98e12a20fc5f4de3c9b075399dc5cba113307a1b3a913847932b2374c5fbc2f9"
        "ab2ef6bdaf26dbb9df86640ebe6ca197529e2a53495d6daca8ec6c14eefb3f5d"
        "5224654234c2de966f6c190670cde06ba68f3ce27598a5c9c00d92070934d0ec02"
    )
    first = (
        "10f88e602b0b6b248ad25b64b8071db3c8cfea55f0bad95b1c7815f885358f0f"
        "a0d765213c378079dbd5befdf5a1efabc5b48a54c59b90f55dd0e3bc3975eb09"
    )
    second = (
        "ee818fda2af9528386b08f8489094634ff5e9f61ca5a87702d8d545df0892867"
        "e17ec43b06eede4b6bf7039d97165cc1fed147bb4ca8412fe6003279831b9c0a"
    )
    third = (
        "d94428f514ce5b60ed7849041a485b9fecd8d4d639bfba59364e231a71352122"
        "568b3a5d0b701750eb7362f1ef94fb7ce60b0ce4977575f8f6f6927311cc160d"
    )
    body, account = bytes.fromhex("deadbeef"), keys.authentication_key
    for two, bitmap in ((first + second, "c0"), (second + third, "60"), (first + third, "a0")):
        signer = aptos_keys.signer(keys, two + bitmap + "000000", body, account)
        assert (signer.is_account, signer.detail) == (True, "multi-ed25519, 2 of 3 keys")
    for text, code in (
        (first + second + "a0000000", "wrong-signature"),
        (first + "80000000", "below-threshold"),
        (first + first + "c0000000", "wrong-signature"),
        (first + second + "c0000001", "bad-signature"),
        (first + second + "c00000", "bad-signature"),
    ):
        with pytest.raises(Refused) as caught:
            aptos_keys.signer(keys, text, body, account)
        assert caught.value.code == code


@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("threshold", [1, 2])
def test_two_ed25519_keys_are_no_secp256k1_key_whatever_they_begin_with(first, threshold):
    pairs = (crypto_sign_seed_keypair(sha3_256(b"%d" % at).digest()) for at in range(1 << 14))
    keys = [
        next(pair for pair in pairs if pair[0][0] == first),
        crypto_sign_seed_keypair(bytes(32)),
    ]
    raw = b"".join(public for public, _ in keys) + bytes((threshold,))
    text = "I am an OKX address"
    signed = b"".join(crypto_sign(text.encode(), secret)[:64] for _, secret in keys)
    account = "0x" + sha3_256(raw + b"\1").hexdigest()
    outcome = judge(aptos_row(account, raw.hex(), signed.hex() + "c0000000", text))
    assert (outcome.status, outcome.reason) == (Ownership.BOUND, "key-derives-address")
    assert outcome.detail == "multi-ed25519, 2 of 2 keys"


@pytest.mark.parametrize(
    ("key", "kind", "code"),
    [
        ("04" + "11" * 64, Refused, "bad-key"),
        ("00" * 31, Refused, "bad-key"),
        (ED25519[1] + "00", Refused, "bad-key"),
        ("zz" * 32, Refused, "bad-key"),
        ("0020" + ED25519[1][2:] + "00", Refused, "bad-key"),
        ("0021" + ED25519[1][2:] + "00", Refused, "bad-key"),
        (ED25519[1][2:] * 2 + "00", Refused, "bad-key"),
        (ED25519[1][2:] * 2 + "03", Refused, "bad-key"),
        ("0241" + SINGLE_SECP256K1[1][2:], Unsupported, "unsupported-scheme"),
        ("03" + "12746573742e6f6964632e70726f766964657220" + "bd" * 32, Unsupported, None),
        ("01" + "0400" + "01", Unsupported, "unsupported-scheme"),
    ],
)
def test_aptos_keys_of_another_kind_or_form(key, kind, code):
    case = aptos_row("0x" + "5d" * 32, key, ED25519[2], "hello world")
    assert code_of(case, kind) == (code or "unsupported-scheme")


def test_a_wallets_block_by_other_keys_than_one():
    """The block of lines goes through the same keys; that one is made here, with a known key."""
    import coincurve  # noqa: PLC0415
    from Crypto.Hash import SHA3_256  # noqa: PLC0415

    secret = coincurve.PrivateKey(b"\7" * 32)
    block = "APTOS\nmessage: text\nnonce: 7"
    digest = SHA3_256.new(block.encode()).digest()
    raw = secret.sign_recoverable(digest, hasher=None)[:64].hex()
    key = secret.public_key.format(compressed=False).hex()
    address = "0x" + aptos_keys.parse(key).authentication_key.hex()
    row = aptos_row(address, key, raw, block)
    row = msgspec.structs.replace(row, schemes=("aptos-full-message",))
    assert judge(row).detail == "single-key"
    assert code_of(msgspec.structs.replace(row, message=block + "8")) == "wrong-signature"
