"""Ed25519 and sr25519 schemes against vectors that others published, and what they refuse.

The vectors stand in ``ed25519_vectors``; forms that have none are neither bound nor refuted.
"""

import json
from hashlib import blake2b

import msgspec
import pytest

from chains.addresses import decode, encode
from chains.addresses.base58 import bytes_to_base58
from chains.model import ChainId, Ownership
from chains.signatures import (
    Refused,
    SignedAddress,
    Unsupported,
    cardano_message,
    ed25519,
    judge,
    stellar_message,
)
from chains.signatures.ton_wallets import accounts as ton_accounts
from tests.unit.ed25519_vectors import SPECS, VECTORS

pytestmark = pytest.mark.unit

NAMES = [f"{scheme}-{name}-{i}" for i, (scheme, name, *_) in enumerate(VECTORS)]


def row_of(*vector):
    scheme, name, address, message, signature, key, members = vector
    if members:
        signature = json.dumps({"signature": signature, **members})
    return SignedAddress(
        spec=SPECS[name],
        address=address,
        account=decode(SPECS[name], address),
        message=message,
        signatures=(signature,),
        schemes=(scheme,),
        public_key=key,
    )


def code_of(row, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(row)
    return caught.value.code


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_published_vector_is_bound_and_its_text_is_what_was_signed(vector):
    row = row_of(*vector)
    outcome = judge(row)
    assert (outcome.status, outcome.scheme) == (Ownership.BOUND, vector[0])
    assert outcome.keys
    other = msgspec.structs.replace(row, message=row.message + "!")
    assert code_of(other) == "wrong-signature"


def test_details_name_the_variant():
    details = {judge(row_of(*vector)).detail for vector in VECTORS}
    assert "wallet-v3r2; domain ton.org.com, time 1719309177" in details
    assert "wallet-v4r2; domain ton-connect.github.io, time 1747760435" in details
    assert {"<Bytes>", "implicit; recipient intents.near", "application dapp"} <= details


def test_texts_that_are_bytes_and_payloads_that_are_hashes():
    # stellar/stellar-protocol:ecosystem/sep-0053.md, the third example
    key = decode(SPECS["stellar"], "GBXFXNDLV4LSWA4VB7YIL5GBD7BVNR22SGBTDKMO2SBZZHDXSKZYCP7L")
    body = bytes.fromhex("db36433f5b1ad415417cb3fb4de78c937b146dac4091484184388d76b92c685a")
    raw = ed25519.parse_signature(
        "VA1+7hefNwv2NKScH6n+Sljj15kLAge+M2wE7fzFOf+L0MMbssA1mwfJZRyyrhBORQRle10X1Dxpx+UOI4EbDQ=="
    )
    assert ed25519.verify(key, raw, stellar_message.digest(body)) == key
    # cardano-foundation/cardano-verify-datasignature:index.test.ts (hashed payload)
    signed = cardano_message.parse(
        "84582aa201276761646472657373581de0c13582aec9a44fcc6d984be003c5058c660e1d2ff1370fd8b49ba73f"
        "a166686173686564f5581c40843181253eb1ff2258ab39c3463ec0edf5e713b73c5482c0ca798f5840a4cdec07"
        "ba8c1184aa74d1c3516fc6602a35d2db847510cf98c102653c15c7664f136314f920150a081870aef77ed49780"
        "ca58873bd5d62e744b968a89435906"
    )
    cose_key = (
        "a40101032720062158209be513df12b3fabe7c1b8c3f9fab0968eb2168d5689bf981c2f7c35b11718b27"
    )
    assert signed.is_hashed
    cardano_message.verify_structure(signed, cardano_message.parse_cose_key(cose_key))


def test_wallet_v5_of_a_published_key():
    # trustwallet/wallet-core: tests of the TON V5R1 address (key of private key 3570e35f…)
    key = bytes.fromhex("55b837ceefc94d1865b763149c4751b43e297cea65dabfe20febed13d56072e4")
    account = decode(SPECS["ton"], "UQAU3o5-Sp1MYRpw3U7b_wmARxqI49LxiFhEoVCxpUKjTYXk")
    assert ton_accounts(key)[account] == "wallet-v5r1"


def aptos_row(message, **changes):
    vector = next(vector for vector in VECTORS if vector[0] == "aptos-full-message")
    return msgspec.structs.replace(row_of(*vector), message=message, **changes)


def test_aptos_answers_carry_the_block_and_must_agree_with_it():
    block = next(vector[3] for vector in VECTORS if vector[0] == "aptos-full-message")
    raw = aptos_row(block).signatures[0]
    answer = {"fullMessage": block, "signature": raw, "nonce": "9999"}
    whole = (json.dumps(answer),)
    assert judge(aptos_row("Welcome to dApp!", signatures=whole)).status is Ownership.BOUND
    assert code_of(aptos_row("Welcome", signatures=whole)) == "wrong-signature"
    other = (json.dumps(answer | {"nonce": "1"}),)
    assert code_of(aptos_row("Welcome to dApp!", signatures=other)) == "bad-signature"
    for member in ({"address": "0x1"}, {"address": "x"}, {"chainId": 2}):
        other = (json.dumps(answer | member),)
        assert code_of(aptos_row("Welcome to dApp!", signatures=other)) == "wrong-signature"


@pytest.mark.parametrize(
    "change",
    [
        ("address: 0xcb", "address: 0xcc"),
        ("chainId: 1", "chainId: 2"),
        ("APTOS", "aptos"),
        ("\nnonce: 9999", ""),
        ("address: 0x", "address: x"),
    ],
)
def test_aptos_blocks_that_contradict_the_row_are_refused_before_the_signature(change):
    block = next(vector[3] for vector in VECTORS if vector[0] == "aptos-full-message")
    assert change[0] in block
    row = aptos_row(block.replace(*change))
    with pytest.raises(Refused, match="block"):
        judge(row)


def test_an_aptos_block_of_another_key_shows_no_link():
    # okx/go-wallet-sdk:coins/aptos/aptos_test.go: the address is not that of the key
    block = (
        "APTOS\naddress: 0x34c1e7efa0808b7b0113d71b722f483585e4c4b47ba2b0e703b090937f0c63a1\n"
        "application: main.d3c4qcdwu8dzdc.amplifyapp.com\nchainId: 25\n"
        "message: This is a sample message\nnonce: 12345"
    )
    raw = (
        "0xd743662ad3648113fd0738e4bc120d8fd206e3c52b5a5268a53fd35f887564e0"
        "5ba2ef74515738610ef070acc4f4889b7c1b0ba496dffe4630b9faf4685b8905"
    )
    spec = msgspec.structs.replace(SPECS["aptos"], id=ChainId("aptos:25"))
    address = "0x34c1e7efa0808b7b0113d71b722f483585e4c4b47ba2b0e703b090937f0c63a1"
    row = aptos_row(
        block,
        spec=spec,
        address=address,
        account=decode(spec, address),
        signatures=(raw,),
    )
    outcome = judge(row)
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert code_of(msgspec.structs.replace(row, spec=SPECS["aptos"])) == "wrong-signature"


def test_near_names_show_no_link():
    vector = next(vector for vector in VECTORS if vector[0] == "nep413")
    row = row_of(*vector)
    named = msgspec.structs.replace(row, address="a.near", account=b"a.near")
    outcome = judge(named)
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert code_of(msgspec.structs.replace(named, public_key="")) == "missing-key"
    members = json.loads(row.signatures[0])
    wrong = {"publicKey": "11" * 32}, "wrong-key"
    for member, code in (wrong, ({"accountId": "a.near"}, "wrong-signature")):
        answer = (json.dumps(members | member),)
        assert code_of(msgspec.structs.replace(row, signatures=answer)) == code
    same = {"publicKey": "ed25519:" + bytes_to_base58(bytes.fromhex(row.public_key))}
    answer = (json.dumps(members | same),)
    assert judge(msgspec.structs.replace(row, signatures=answer)) == judge(row)


def cip8_rows():
    return [row_of(*vector) for vector in VECTORS if vector[0] == "cip8"]


def test_cip8_answers_and_bare_keys_are_read_too():
    for row in cip8_rows():
        key = cardano_message.parse_cose_key(row.public_key)
        bare = msgspec.structs.replace(row, public_key=key.hex())
        assert judge(bare) == judge(row)
        answer = json.dumps({"signature": row.signatures[0], "key": row.public_key})
        whole = msgspec.structs.replace(row, signatures=(answer,), public_key="")
        assert judge(whole) == judge(row)
        both = msgspec.structs.replace(whole, public_key="11" * 32)
        assert code_of(both) == "wrong-key"
        assert code_of(msgspec.structs.replace(row, public_key="")) == "missing-key"


def test_cip8_structures_name_the_address_of_the_row():
    stake, base = cip8_rows()[:2]
    moved = msgspec.structs.replace(stake, account=base.account)
    with pytest.raises(Refused, match="another address"):
        judge(moved)


def test_cip8_payloads_may_be_the_hash_of_the_text():
    from cbor2 import dumps  # noqa: PLC0415
    from nacl.bindings import crypto_sign, crypto_sign_seed_keypair  # noqa: PLC0415

    key, private = crypto_sign_seed_keypair(b"\x09" * 32)
    account = b"\xe1" + blake2b(key, digest_size=28).digest()
    payload = blake2b(b"text", digest_size=28).digest()
    protected = dumps({1: -8, "address": account})
    raw = crypto_sign(dumps(["Signature1", protected, b"", payload]), private)[:64]
    row = msgspec.structs.replace(
        cip8_rows()[0],
        account=account,
        message="text",
        public_key=key.hex(),
        signatures=(dumps([protected, {"hashed": True}, payload, raw]).hex(),),
    )
    outcome = judge(row)
    assert (outcome.status, outcome.detail) == (Ownership.BOUND, "hashed")
    assert code_of(msgspec.structs.replace(row, message="texts")) == "wrong-signature"
    for header in ({"hashed": False}, {}):
        bare = dumps([protected, header, payload, raw]).hex()
        assert code_of(msgspec.structs.replace(row, signatures=(bare,))) == "wrong-signature"


def test_ton_domains_may_carry_their_length():
    row = next(row_of(*vector) for vector in VECTORS if vector[0] == "ton-proof-v2")
    members = json.loads(row.signatures[0])
    for length, is_good in ((11, True), (12, False), ("11", False)):
        nested = members | {"domain": {"lengthBytes": length, "value": "ton.org.com"}}
        changed = msgspec.structs.replace(row, signatures=(json.dumps(nested),))
        if is_good:
            assert judge(changed) == judge(row)
        else:
            assert code_of(changed) == "bad-signature"
    for member in ({"domain": 5}, {"timestamp": True}, {"signature": 5}, {"payload": None}):
        changed = msgspec.structs.replace(row, signatures=(json.dumps(members | member),))
        assert code_of(changed) == "bad-signature"
    for member, is_good in (
        ({"payload": "123"}, True),
        ({"payload": "124"}, False),
        ({"address": row.address}, True),
        ({"address": "0:" + "00" * 32}, False),
    ):
        changed = msgspec.structs.replace(row, signatures=(json.dumps(members | member),))
        if is_good:
            assert judge(changed) == judge(row)
        else:
            assert code_of(changed) == "wrong-signature"


CBOR = {
    "trailing byte": lambda raw: raw + "00",
    "tagged": lambda raw: "d2" + raw,
    "longer length": lambda raw: "9804" + raw[2:],
    "indefinite": lambda raw: "9f" + raw[2:] + "ff",
    "five parts": lambda raw: "85" + raw[2:] + "00",
    "not hex": lambda raw: raw[:-1] + "g",
    "odd": lambda raw: raw[:-1],
    "hashed twice": lambda raw: raw.replace(
        "a166686173686564f4", "a266686173686564f466686173686564f4"
    ),
    "hashed is a number": lambda raw: raw.replace("686564f4", "68656401"),
    "another algorithm": lambda raw: raw.replace("a20127", "a20126"),
    "no algorithm": lambda raw: raw.replace("a20127", "a20427"),
    "algorithm outside": lambda raw: raw.replace("a166686173686564f4", "a2012766686173686564f4"),
    "address outside": lambda raw: raw.replace(
        "a166686173686564f4", "a266686173686564f467616464726573734100"
    ),
    "deep": lambda raw: "81" * 4000 + raw,
}


@pytest.mark.parametrize("name", CBOR)
def test_cip8_structures_are_read_strictly(name):
    for row in cip8_rows():
        spoiled = CBOR[name](row.signatures[0])
        assert spoiled != row.signatures[0]
        changed = msgspec.structs.replace(row, signatures=(spoiled,))
        assert code_of(changed) == "bad-signature"


@pytest.mark.parametrize(
    "change", [("a401", "a402"), ("0327", "0326"), ("2006", "2007"), ("a4", "a5")]
)
def test_cose_keys_are_read_strictly(change):
    for row in cip8_rows():
        assert change[0] in row.public_key[:14]
        key = row.public_key.replace(*change, 1)
        assert code_of(msgspec.structs.replace(row, public_key=key)) == "bad-key"


def test_sui_flags_that_are_not_read_are_our_gap():
    import base64  # noqa: PLC0415

    row = next(row_of(*vector) for vector in VECTORS if vector[0] == "sui-personal-message")
    for flag in (3, 5, 6):
        text = base64.b64encode(bytes((flag,)) + b"\xff" * 97).decode()
        changed = msgspec.structs.replace(row, signatures=(text,))
        assert code_of(changed, Unsupported) == "unsupported-scheme"
    for raw in (b"\x04" + bytes(96), b"\x00" + bytes(97), b"\x01" + bytes(96), b""):
        changed = msgspec.structs.replace(row, signatures=(base64.b64encode(raw).decode() or "=",))
        assert code_of(changed) == "bad-signature"
    other = msgspec.structs.replace(row, public_key="11" * 32)
    assert code_of(other) == "wrong-key"


def test_unconfirmed_forms_are_neither_bound_nor_refuted():
    from nacl.bindings import crypto_sign, crypto_sign_seed_keypair  # noqa: PLC0415

    key, private = crypto_sign_seed_keypair(b"\x09" * 32)
    long = b"\xffsolana offchain\0" + bytes(32) + b"\0\1" + key + b"\4\0text"
    solana = SignedAddress(
        spec=SPECS["solana"],
        address=encode(SPECS["solana"], key),
        account=key,
        message="text",
        signatures=(crypto_sign(long, private)[:64].hex(),),
        schemes=("sol-offchain-v0",),
    )
    assert code_of(solana, Unsupported) == "unconfirmed-scheme"
    typed = msgspec.structs.replace(solana, schemes=("eip712",))
    assert code_of(typed, Unsupported) == "unsupported-scheme"


def test_an_algorand_wallet_signs_behind_two_letters():
    # algorand/java-algorand-sdk src/test/java/com/algorand/algosdk/account/TestAccount.java
    # at 69d92ca7: the bytes are no text, so that the row below is one of ours.
    from nacl.bindings import crypto_sign, crypto_sign_seed_keypair  # noqa: PLC0415

    from chains.signatures.algorand_message import envelope  # noqa: PLC0415
    from chains.signatures.ed25519 import parse_signature, verify  # noqa: PLC0415

    account = decode(
        SPECS["algorand"], "DPLD3RTSWC5STVBPZL5DIIVE2OC4BSAWTOYBLFN2X6EFLT2ZNF4SMX64UA"
    )
    signature = parse_signature(
        "COEBmoD+ysVECoyVOAsvMAjFxvKeQVkYld+RSHMnEiHsypqrfj2EdYqhrm4t7dK3ZOeSQh3aXiZK/zqQDTPBBw=="
    )
    assert verify(account, signature, envelope(bytes.fromhex("ad3b3bf9d523"))) == account
    with pytest.raises(Refused):
        verify(account, signature, bytes.fromhex("ad3b3bf9d523"))

    key, private = crypto_sign_seed_keypair(b"\x09" * 32)
    row = SignedAddress(
        spec=SPECS["algorand"],
        address=encode(SPECS["algorand"], key),
        account=key,
        message="text",
        signatures=(crypto_sign(b"MXtext", private)[:64].hex(),),
        schemes=("algorand-mx",),
    )
    assert judge(row).status is Ownership.BOUND
    bare = msgspec.structs.replace(row, signatures=(crypto_sign(b"text", private)[:64].hex(),))
    assert code_of(bare) == "wrong-signature"


def test_solana_formats_follow_the_text():
    from chains.signatures.solana_offchain import envelope  # noqa: PLC0415

    magic = b"\xffsolana offchain\0"
    assert envelope("a" * 1212) == magic + b"\0" + (1212).to_bytes(2, "little") + b"a" * 1212
    assert envelope("a\n")[17:18] == envelope("é")[17:18] == b"\1"
    assert envelope("a" * 1213)[17:18] == envelope("a" * 65_515)[17:18] == b"\2"
    for text in ("", "a" * 65_516):
        with pytest.raises(Refused):
            envelope(text)
