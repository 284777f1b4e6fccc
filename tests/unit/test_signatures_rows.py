"""Rows with one key or named owners: EVM and TRON, and how candidates are chosen."""

import re
from pathlib import Path

import coincurve
import msgspec
import pytest

from chains import reasons, signatures
from chains.addresses import decode, encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import ALIASES, SCHEMES, Refused, SignedAddress, Unsupported, digests, judge
from chains.signatures.secp256k1 import keccak_account

pytestmark = pytest.mark.unit

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TEXT = "I am an OKX address"


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


EVM, TRON, BEACON = chain("evm"), chain("tron"), chain("bls")

# okx/proof-of-reserves example/okx_por_example.csv at 2962a89: a contract and its two owners.
CONTRACT = "0x57e2dcd253527a0f70c6a3de3556f6e6e163f19c"
OWNER_1 = "0x0cdcdb19a857c2ac24818ca4fdfe38cce071483e"
OWNER_2 = "0x16f01cfc16b0b8c3400fb8e5099b0974fcc9fc12"
SIGNED_1 = (
    "0x07f19879aa28d51c97cddfdfecffe7ed96525545d041aee4f4386b0bf4c1a269"
    "24b637fb02ccbb97305c13daa51a0f50b8896fb25ecbaf60020cde920d227a221b"
)
SIGNED_2 = (
    "0xf6e60fd5d2692eaf813cbb38369c160781a063e39dbadde9a88998a4c8019e08"
    "488f83a6e7ee5e5b3fbdd50f25db631150070e8bb470d1474eb0e6d9a1fd0c561c"
)
# okx/proof-of-reserves common/crypto_test.go at 2962a89
TRON_ADDRESS = "TEjxQjU3CxkFrSDcPfHwZXSuPpCpdQ27NJ"
TRON_SIGNED = (
    "0xcd1e3903dc047ea881f7da1647fa3372f37ee6a1cf0726477a20e267408af43f"
    "3f9c3a43f7f15e6bf674c9f0776866b6d6a770ce998b29cc03f11f2cb98df5821c"
)


def row(spec, address, *given, scheme="okx-evm", message=TEXT, **other):
    return SignedAddress(
        spec=spec,
        address=address,
        account=decode(spec, address),
        message=message,
        signatures=given,
        schemes=(scheme,) if isinstance(scheme, str) else scheme,
        **other,
    )


def code_of(case, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(case)
    assert caught.value.code in reasons.OWNERSHIP
    assert caught.value.message
    return caught.value.code


def sign(digest, secret=b"\x07" * 32, plus=27):
    key = coincurve.PrivateKey(secret)
    raw = key.sign_recoverable(digest, hasher=None)
    account = keccak_account(key.public_key.format(compressed=False))
    return account, "0x" + raw[:64].hex() + bytes((raw[64] + plus,)).hex()


def high_s(signature):
    raw = bytes.fromhex(signature[2:])
    s = ORDER - int.from_bytes(raw[32:64], "big")
    v = {27: 28, 28: 27, 0: 1, 1: 0}[raw[64]]
    return "0x" + raw[:32].hex() + s.to_bytes(32, "big").hex() + bytes((v,)).hex()


def test_the_key_of_the_address_binds():
    outcome = judge(row(EVM, OWNER_1, SIGNED_1))
    assert outcome.status is Ownership.BOUND
    assert outcome.reason == "key-derives-address"
    assert outcome.scheme == "okx-evm"
    assert [len(key) for key in outcome.keys] == [65]
    assert outcome.signers == ()


WALLETS = [
    # trezor/trezor-firmware common/tests/fixtures/ethereum/signmessage.json at dd7afbc3df
    (
        EVM,
        "eip191",
        "0x73d0385F4d8E00C5e6504C6030F47BF6212736A8",
        "MsgLenIs11!",
        (
            "0x5f1ab8940c2137baf69a2b94f55f0f7e53a022b9e363b564744616271eb89b66"
            "145055fc9923c6ead63dd784854c742f4f5651c8257d70cbce5a96ce2986dd311c"
        ),
    ),
    # near/intents crates/signatures/tip191/src/lib.rs
    (
        TRON,
        "tip191",
        "TATLaFQM6PniXxK85r5BQNYTfKwnRzsgM5",
        "Hello, TRON!",
        (
            "0xeea1651a60600ec4d9c45e8ae81da1a78377f789f0ac2019de66ad9434599130"
            "15ef9256809ee0e6bb76e303a0b4802e475c1d26ade5d585292b80c9fe9cb10c01"
        ),
    ),
]


@pytest.mark.parametrize(("spec", "scheme", "address", "text", "signature"), WALLETS)
def test_messages_signed_by_wallets(spec, scheme, address, text, signature):
    case = row(spec, address, signature, scheme=scheme, message=text)
    assert judge(case).status is Ownership.BOUND


def test_another_address_or_text_is_refused():
    assert code_of(row(EVM, OWNER_2, SIGNED_1)) == "wrong-key"
    assert code_of(row(EVM, OWNER_1, SIGNED_1, message="I am a OKX address")) == "wrong-key"


def test_high_s_is_refused_on_evm_chains():
    assert code_of(row(EVM, OWNER_1, high_s(SIGNED_1))) == "high-s"


@pytest.mark.parametrize("v", ["00", "01", "1a", "1d", "1f", "20", "25", "ff"])
def test_other_values_of_v_are_refused(v):
    assert code_of(row(EVM, OWNER_1, SIGNED_1[:-2] + v)) == "bad-recovery-id"


def test_v_from_zero_only_where_the_list_is_known_to_write_it():
    account, signature = sign(digests.personal_sign(TEXT), plus=0)
    address = encode(EVM, account)
    assert judge(row(EVM, address, signature, scheme="htx-evm")).status is Ownership.BOUND
    assert code_of(row(EVM, address, signature, scheme="eip191")) == "bad-recovery-id"


@pytest.mark.parametrize(
    "broken",
    [
        SIGNED_1[:-2],
        SIGNED_1 + "00",
        SIGNED_1 + " ",
        " " + SIGNED_1,
        SIGNED_1[:-4] + " 1b",
        SIGNED_1[2:-2],
        "0X" + SIGNED_1[2:],
        "null",
        "\\N",
        "-",
        "0x" + "zz" * 65,
        "0x" + "é" * 130,
    ],
)
def test_malformed_signatures_are_refused(broken):
    assert code_of(row(EVM, OWNER_1, broken)) == "bad-signature"


@pytest.mark.parametrize("r_and_s", ["00" * 64, "ff" * 32 + "01" * 32, "00" * 32 + "01" * 32])
def test_impossible_signatures_are_refused(r_and_s):
    assert code_of(row(EVM, OWNER_1, "0x" + r_and_s + "1b")) == "wrong-signature"


def test_every_signature_given_must_be_by_the_key():
    assert judge(row(EVM, OWNER_1, SIGNED_1, SIGNED_1)).status is Ownership.BOUND
    assert code_of(row(EVM, OWNER_1, SIGNED_1, SIGNED_2)) == "wrong-key"
    assert code_of(row(EVM, OWNER_1, SIGNED_1, "null")) == "bad-signature"


def test_a_row_without_signature_is_told_apart():
    assert code_of(row(EVM, OWNER_1)) == "no-signature"
    assert code_of(row(EVM, OWNER_1, "", "")) == "no-signature"
    assert code_of(row(EVM, OWNER_1, "", scheme="okx-bls")) == "no-signature"


def test_owners_show_only_their_own_keys():
    outcome = judge(row(EVM, CONTRACT, SIGNED_1, SIGNED_2, owners=(OWNER_1, OWNER_2)))
    assert outcome.status is Ownership.SIGNER_ONLY
    assert outcome.reason == "control-unobserved"
    assert [signer.lower() for signer in outcome.signers] == [OWNER_1, OWNER_2]
    assert len(outcome.keys) == 2
    single = judge(row(EVM, CONTRACT, SIGNED_1, owners=(OWNER_1, "")))
    assert single.status is Ownership.SIGNER_ONLY
    assert len(single.signers) == 1


@pytest.mark.parametrize(
    ("given", "owners", "code"),
    [
        ((SIGNED_1,), (OWNER_1, OWNER_2), "owner-signature-missing"),
        ((SIGNED_1, ""), (OWNER_1, OWNER_2), "owner-signature-missing"),
        (("", SIGNED_2), (OWNER_1, OWNER_2), "owner-signature-missing"),
        ((SIGNED_1, "null"), (OWNER_1, OWNER_2), "bad-signature"),
        ((SIGNED_2, SIGNED_1), (OWNER_1, OWNER_2), "wrong-key"),
        ((SIGNED_1, SIGNED_1), (OWNER_1, OWNER_2), "wrong-key"),
        ((SIGNED_1, SIGNED_1), (OWNER_1, OWNER_1), "bad-owner"),
        ((SIGNED_1, SIGNED_1), (OWNER_1, OWNER_1.upper().replace("X", "x")), "bad-owner"),
        ((SIGNED_1, SIGNED_2), (OWNER_1, "0x00"), "bad-owner"),
        ((SIGNED_1, SIGNED_2), ("", OWNER_2), "bad-owner"),
        ((SIGNED_1, SIGNED_2), (OWNER_1,), "extra-signature"),
        ((), (OWNER_1,), "no-signature"),
    ],
)
def test_owners_who_do_not_all_sign_refute_the_row(given, owners, code):
    assert code_of(row(EVM, CONTRACT, *given, owners=owners)) == code


def test_an_owner_that_is_the_address_itself():
    assert judge(row(EVM, OWNER_1, SIGNED_1, owners=(OWNER_1,))).status is Ownership.BOUND
    both = row(EVM, OWNER_1, SIGNED_1, SIGNED_2, owners=(OWNER_1, OWNER_2))
    assert judge(both).status is Ownership.SIGNER_ONLY
    assert code_of(row(EVM, OWNER_1, SIGNED_2, owners=(OWNER_1,))) == "wrong-key"


def test_owners_of_a_validator_are_accounts_of_the_chain_beside_it():
    outcome = judge(row(BEACON, "0x" + "ab" * 48, SIGNED_1, owners=(OWNER_1,)))
    assert outcome.status is Ownership.SIGNER_ONLY
    assert outcome.signers[0].lower() == OWNER_1
    assert code_of(row(BEACON, "0x" + "ab" * 48, SIGNED_1), Unsupported) == "unsupported-scheme"


def test_tron_headers_and_values_of_v():
    given = {"scheme": "okx-tron", "message": "hello world"}
    assert judge(row(TRON, TRON_ADDRESS, TRON_SIGNED, **given)).status is Ownership.BOUND
    shifted = TRON_SIGNED[:-2] + "01"
    assert code_of(row(TRON, TRON_ADDRESS, shifted, **given)) == "bad-recovery-id"
    given["scheme"] = "htx-tron"
    assert judge(row(TRON, TRON_ADDRESS, shifted, **given)).status is Ownership.BOUND
    assert judge(row(TRON, TRON_ADDRESS, shifted[2:], **given)).status is Ownership.BOUND
    given["scheme"] = "tip191"
    assert code_of(row(TRON, TRON_ADDRESS, TRON_SIGNED, **given)) == "wrong-key"


@pytest.mark.parametrize(
    ("scheme", "digest", "detail"),
    [
        ("okx-tron", digests.tron_hashed, "keccak"),
        ("okx-tron", digests.tip191, "tip191"),
        ("htx-tron", digests.tron_legacy, "legacy"),
        ("htx-tron", digests.tron_hashed, "keccak"),
        ("tip191", digests.tip191, ""),
    ],
)
def test_each_tron_variant_is_named(scheme, digest, detail):
    account, signature = sign(digest(TEXT))
    outcome = judge(row(TRON, encode(TRON, account), signature, scheme=scheme))
    assert (outcome.status, outcome.scheme, outcome.detail) == (Ownership.BOUND, scheme, detail)


def test_a_scheme_of_another_family_is_our_gap_not_a_verdict():
    assert code_of(row(TRON, TRON_ADDRESS, TRON_SIGNED), Unsupported) == "unsupported-scheme"
    for scheme in ("okx-utxo", "okx-ed25519", "okx-tron"):
        case = row(EVM, OWNER_1, SIGNED_1, scheme=scheme)
        assert code_of(case, Unsupported) == "unsupported-scheme"


def test_unknown_and_unsupported_schemes():
    for name in ("", "okx", "OKX-EVM", "okx-evm "):
        case = row(EVM, OWNER_1, SIGNED_1, scheme=name)
        assert code_of(case, Unsupported) == "unknown-scheme"
    assert code_of(row(EVM, OWNER_1, SIGNED_1, scheme=()), Unsupported) == "unknown-scheme"
    case = row(EVM, OWNER_1, SIGNED_1, scheme="okx-starknet")
    assert code_of(case, Unsupported) == "unsupported-scheme"
    mixed = row(EVM, OWNER_1, SIGNED_1, scheme=("okx-evm", "no-such-scheme"))
    assert code_of(mixed, Unsupported) == "unknown-scheme"


def test_the_first_candidate_that_verifies_wins():
    outcome = judge(row(EVM, OWNER_1, SIGNED_1, scheme=("okx-bls", "eip191", "okx-evm")))
    assert (outcome.status, outcome.scheme) == (Ownership.BOUND, "okx-evm")


def test_without_a_match_a_gap_of_ours_outweighs_a_refusal():
    case = row(EVM, OWNER_2, SIGNED_1, scheme=("okx-evm", "eip712"))
    assert code_of(case, Unsupported) == "unsupported-scheme"


def test_a_candidate_of_another_kind_of_address_hides_no_refusal():
    for order in (("okx-evm", "okx-bls"), ("okx-bls", "cip8", "okx-evm")):
        assert code_of(row(EVM, OWNER_2, SIGNED_1, scheme=order)) == "wrong-key"
    case = row(EVM, OWNER_2, SIGNED_1, scheme=("okx-bls", "cip8"))
    assert code_of(case, Unsupported) == "unsupported-scheme"


def test_the_most_telling_refusal_is_raised():
    shifted = SIGNED_1[:-2] + "00"
    for order in (("eip191", "htx-evm"), ("htx-evm", "eip191")):
        assert code_of(row(EVM, OWNER_1, shifted, scheme=order)) == "wrong-key"


def test_a_message_that_is_no_text_is_refused():
    assert code_of(row(EVM, OWNER_1, SIGNED_1, message="\ud800")) == "malformed-row"


def test_a_filled_key_column_never_helps():
    # A valid signature with the matching key beside it, claimed for somebody else's address.
    account, signature = sign(digests.okx_ecdsa(TEXT))
    key = coincurve.PrivateKey(b"\x07" * 32).public_key.format().hex()
    own = row(EVM, encode(EVM, account), signature, scheme="okx-ecdsa", public_key=key)
    assert judge(own).status is Ownership.BOUND
    foreign = row(EVM, OWNER_1, signature, scheme="okx-ecdsa", public_key=key)
    assert code_of(foreign) == "wrong-key"


def test_aliases_name_schemes_and_every_scheme_says_where_its_vectors_come_from():
    known = set(SCHEMES) | signatures.KNOWN_UNSUPPORTED
    assert set(ALIASES.values()) <= known
    assert not set(ALIASES) & set(SCHEMES)
    assert not set(SCHEMES) & signatures.KNOWN_UNSUPPORTED
    for name, scheme in SCHEMES.items():
        assert scheme.name == name
        assert scheme.origin
        assert scheme.description.endswith(".")
    aliased = msgspec.structs.replace(row(EVM, OWNER_1, SIGNED_1), schemes=("okx-evm-owner",))
    assert judge(aliased).scheme == "okx-evm"


def test_every_code_is_listed_with_a_sentence_and_a_rank():
    folder = Path(signatures.__file__).parent
    found = set()
    for source in folder.glob("*.py"):
        text = source.read_text(encoding="utf-8")
        refused = re.findall(r'Refused\(\s*"([a-z-]+)"', text)
        found.update(refused)
        assert set(refused) <= {*signatures._TELLING, "malformed-row"}
        found.update(re.findall(r'(?:Unsupported\(\s*|reason=)"([a-z-]+)"', text))
    assert len(found) > 20
    assert found <= set(reasons.OWNERSHIP)
