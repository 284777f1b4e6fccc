"""Sui: keys of every kind, several keys, and what their forms refuse."""

from base64 import b64decode, b64encode

import msgspec
import pytest

from chains.addresses import encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import (
    Refused,
    SignedAddress,
    Unsupported,
    ecdsa,
    judge,
    sui_keys,
)
from chains.signatures.bcs import Reader, uleb128

pytestmark = pytest.mark.unit

R1_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def chain(address):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
    )


SUI = chain("sui")


def code_of(case, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(case)
    return caught.value.code


def sui_row(signature, account, text="MRTNETWORK", **other):
    return SignedAddress(
        spec=SUI,
        address=encode(SUI, account),
        account=account,
        message=text,
        signatures=(signature,),
        schemes=("sui-personal-message",),
        **other,
    )


# mrtnetwork/On_chain test/sui/personal_sign_test.dart at f56635dd; the text is "MRTNETWORK".
R1 = (
    "Asgo4GQZbeujT5cjS7WxHxMRLkL7BoRFe3MlNZC7+5CjIyB6jJYBuK5GMPGHJtBi5j/WiV9d8NoR8KHoAP0PScYC"
    "bROF/6zJvUhQt1DaF8BjQyvNtSPZDsnPklC6WhvTBmM="
)
K1 = (
    "AXNOgHuyealnt/zs5bYX7bdPzTucz1BCR7MN8dM08A7eWkOPCCBX45QHRy+EZqXfcg6lDunlUY/Rmr+6draBUr4C"
    "mcKqhdKyGmLzlpB6gCpY5SHa/VvdrMvXJ4buoYm8Tck="
)
MULTISIG = (
    "AwMAXZyIHxZqBdZqdpzbvVEWCERa/nr8R9awd3k+zU4UlToes4demDDqVngAyEk2USRPkAON1aJlVbFFPR3wMNEF"
    "DAArZ7HPNicir0urruTieFYrY3ryvmg8M5KY6+61uk+Os8ARibPKBMaKfhijTDRlgSkCtRzxRCXeP41cJrjNjFgO"
    "AA2c0k/ZSNrXfNgRABa88gU/7h9p9SM+nO5dIJdJuRAV0hOyKllbBUkHdQM247df2rAiKJ6/6bPyvlhM6wucsgAH"
    "AAMAC+71qeZ55qPhNP4ng3v/MsfLX11E6gm8sOVCutakwMwBAG56HN0psLeP0Tr0xVmP7/TvKpcWbjym8uT7/M2A"
    "UFvxAQDqSmxj4pxSCr71UHsTLsX5lUd2rr6+e5JCHuppFEbSLAEDAA=="
)
# The same file: three signatures in another order than their places, which Sui does not accept.
MISPLACED = (
    "AwMAAUYT5VgXwx2uChQ7o8DMdWtOFsB3guDHn9Yci3gxd1ycXnOKyiRAkYzZGzPTeXXLBtxdMvQ7IF7OVIcyLSLI"
    "BwFcUbpu0qrAmBEoSQtrB+a6SUYL7B08RNETAtBGI2puyldp4Vc/fW2ojbK0bcRJd0g3cMrAqQ81jbJj3QSh75Q/"
    "Aras0QgfuX3cTGvde2SPQquf4uet6MQ/DyckOuqaUPx8cVW5MsBNlrs2Gw07iqDngSlRWxIaliVs3sMKtyUNM5MW"
    "AAUAC+71qeZ55qPhNP4ng3v/MsfLX11E6gm8sOVCutakwMwBAQNiwKBG2szobd0DQ8bTx8ecIgi6DZyc8kptBG0h"
    "0h+Q9wECAx4YUy/UdUwC8wQdnHXOszuD/9gax85P6ILMscmLxYluAQATmPYsbRpFfFG6aktfPb0vafypMhYhjciZ"
    "fkFr0X2TygEA/RckOFqgx1tk+3jNYC+h2ZH96/drE8WO1wLqyDXp9hgCBAA="
)


def multisig_row(text, **other):
    multisig = sui_keys.parse_multisig(b64decode(text)[1:])
    return sui_row(text, sui_keys.multisig_address(multisig), **other)


@pytest.mark.parametrize(
    ("signature", "flag", "name"), [(K1, 1, "secp256k1"), (R1, 2, "secp256r1")]
)
def test_sui_keys_of_both_other_curves(signature, flag, name):
    raw = b64decode(signature)
    account = sui_keys.address(flag, raw[65:])
    outcome = judge(sui_row(signature, account))
    assert (outcome.status, outcome.detail, outcome.keys) == (Ownership.BOUND, name, (raw[65:],))
    assert code_of(sui_row(signature, account, text="MRTNETWORK ")) == "wrong-signature"
    assert code_of(sui_row(signature, bytes(31) + b"\1")) == "wrong-key"
    for column in (raw[65:].hex(), bytes((flag,)).hex() + raw[65:].hex()):
        assert judge(sui_row(signature, account, public_key=column)).status is Ownership.BOUND
    flagged = b64encode(bytes((flag,)) + raw[65:]).decode()
    assert judge(sui_row(signature, account, public_key=flagged)).status is Ownership.BOUND
    assert code_of(sui_row(signature, account, public_key="02" * 33)) == "wrong-key"
    order = (K1_ORDER, R1_ORDER)[flag - 1]
    high = (order - int.from_bytes(raw[33:65], "big")).to_bytes(32, "big")
    changed = b64encode(raw[:33] + high + raw[65:]).decode()
    assert code_of(sui_row(changed, account)) == "high-s"


def test_sui_addresses_of_every_kind_of_key():
    # mrtnetwork/On_chain test/sui/address/{address,multisig}_test.dart at f56635dd. The keys are
    # those of the private keys 0c…0c; in the multisig also of 0d…0d to 0f…0f.
    k1 = bytes.fromhex("030f0fb9a244ad31a369ee02b7abfbbb0bfa3812b9a39ed93346d03d67d412d177")
    r1 = bytes.fromhex("0342ad971d037d1ab2bedfce3f17f97dbad1205ea7cc75a04ff582ddca56a0bf38")
    assert encode(SUI, sui_keys.address(1, k1)) == (
        "0x6257756b91e31542c2b868ad325c883a7369891eed31183a8936af54ef5c9529"
    )
    assert encode(SUI, sui_keys.address(2, r1)) == (
        "0x9bc93515356b1f763a04359c54b9dea70fbbe5e1fd3a39051da5dd8d7beffe8f"
    )
    keys = b64decode(
        "BAIDQq2XHQN9GrK+384/F/l9utEgXqfMdaBP9YLdylagvzgCAJGiigt0OBWTpNlGlXkgiSavyK2CyIObdkQ1m566"
        "mks6AwECmcKqhdKyGmLzlpB6gCpY5SHa/VvdrMvXJ4buoYm8TckCANm/IUh0ioXInaWq2O4LD8LRBf051BpMeWU2"
        "NU8K4pAMAQcA"
    )
    multisig = sui_keys.parse_multisig(b"\1\0" + bytes(64) + b"\1\0" + keys)
    assert [weight for _, _, weight in multisig.keys] == [2, 3, 2, 1]
    assert encode(SUI, sui_keys.multisig_address(multisig)) == (
        "0xcb214af0483b39c446690f19ae2da8ce703f52239ff94fd42553ceb48c4dda3d"
    )


def test_a_sui_multisig_is_bound_by_the_keys_in_it():
    row = multisig_row(MULTISIG)
    outcome = judge(row)
    assert (outcome.status, outcome.detail) == (Ownership.BOUND, "multisig, weight 3 of 3")
    assert code_of(msgspec.structs.replace(row, message="MRTNETWORL")) == "wrong-signature"
    assert code_of(sui_row(MULTISIG, bytes(32))) == "wrong-key"
    assert code_of(multisig_row(MULTISIG, public_key="11" * 32)) == "bad-key"
    assert code_of(multisig_row(MISPLACED)) == "wrong-key"


def rewritten(*, signatures=None, bitmap=None, keys=None, threshold=None, tail=b""):
    """Return the published multisig with some of its parts changed."""
    raw = b64decode(MULTISIG)[1:]
    own = sui_keys.parse_multisig(raw)
    signatures = own.signatures if signatures is None else signatures
    keys = own.keys if keys is None else keys
    body = bytes((len(signatures),)) + b"".join(bytes((k,)) + s for k, s in signatures)
    body += (7 if bitmap is None else bitmap).to_bytes(2, "little") + bytes((len(keys),))
    body += b"".join(bytes((k,)) + key + bytes((weight,)) for k, key, weight in keys)
    body += (own.threshold if threshold is None else threshold).to_bytes(2, "little") + tail
    return b64encode(b"\3" + body).decode()


OWN = sui_keys.parse_multisig(b64decode(MULTISIG)[1:])


def test_the_parts_of_a_multisig_are_rewritten_exactly():
    assert rewritten() == MULTISIG


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"signatures": OWN.signatures[:2], "bitmap": 3}, "below-threshold"),
        ({"signatures": (OWN.signatures[0],) * 3}, "wrong-signature"),
        ({"signatures": OWN.signatures[:2]}, "bad-signature"),
        ({"bitmap": 3}, "bad-signature"),
        ({"bitmap": 0}, "bad-signature"),
        ({"bitmap": 11}, "bad-signature"),
        ({"bitmap": 0x8003}, "bad-signature"),
        ({"keys": (OWN.keys[0],) * 3}, "bad-key"),
        ({"keys": tuple((k, key, 0) for k, key, _ in OWN.keys)}, "bad-key"),
        ({"keys": (*OWN.keys[:2], (*OWN.keys[2][:2], 0)), "threshold": 2}, "bad-key"),
        ({"threshold": 0}, "bad-key"),
        ({"threshold": 4}, "bad-key"),
    ],
)
def test_a_multisig_that_does_not_hold_is_refused(parts, code):
    text = rewritten(**parts)
    try:
        row = multisig_row(text)
    except Refused:
        row = multisig_row(MULTISIG)
        row = msgspec.structs.replace(row, signatures=(text,))
    assert code_of(row) == code


@pytest.mark.parametrize(
    "text",
    [
        rewritten(tail=b"\0"),
        b64encode(b64decode(MULTISIG)[:-1]).decode(),
        b64encode(b"\3" + b"\x83\0" + b64decode(MULTISIG)[2:]).decode(),
        rewritten(signatures=((3, bytes(64)),)),
        rewritten(keys=((3, bytes(32), 1), *OWN.keys[1:])),
        rewritten(keys=OWN.keys * 4),
    ],
)
def test_a_multisig_of_another_form_is_our_gap(text):
    row = msgspec.structs.replace(multisig_row(MULTISIG), signatures=(text,))
    assert code_of(row, Unsupported) == "unsupported-scheme"


def test_lengths_of_bcs_have_one_writing():
    for number in (0, 1, 127, 128, 300, 16_383, 16_384, 2**21):
        reader = Reader(uleb128(number))
        assert reader.uleb() == number
        reader.end()
    for raw in (b"\x80\0", b"\xff\xff\xff\xff\xff\1", b"\x80", b""):
        with pytest.raises(ValueError, match=r"."):
            Reader(raw).uleb()


def test_ecdsa_keys_that_are_none():
    good = b64decode(R1)[1:65]
    for key in (b"\4" + bytes(32), b"\2" + b"\xff" * 32, bytes(33), b"\2" + bytes(31), b""):
        with pytest.raises(Refused) as caught:
            ecdsa.verify_secp256r1(key, good, b"")
        assert caught.value.code == "bad-key"
    for key in (b"\2" + b"\xff" * 32, bytes(33), b""):
        with pytest.raises(Refused) as caught:
            ecdsa.verify_secp256k1(key, b64decode(K1)[1:65], bytes(32))
        assert caught.value.code == "bad-key"
    for r_and_s in (bytes(64), b"\xff" * 32 + bytes(31) + b"\1"):
        with pytest.raises(Refused) as caught:
            ecdsa.verify_secp256r1(b64decode(R1)[65:], r_and_s, b"")
        assert caught.value.code == "wrong-signature"
