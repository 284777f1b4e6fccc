"""BIP-322: the official vectors, what the full form may carry, and the old form for taproot."""

from base64 import b64decode, b64encode

import bip322 as second_opinion
import msgspec
import pytest

from chains.addresses import AddressError, decode, encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, digests, judge
from chains.signatures.bip322 import message_hash, simple_transaction, to_spend
from chains.signatures.bitcoin_spending import taproot_output
from chains.signatures.bitcoin_transaction import (
    Output,
    read_transaction,
    serialise,
    tagged_hash,
    taproot_digest,
    txid,
    witness_digest,
)
from chains.signatures.secp256k1 import hash160, sha256d
from tests.bip322_signing import (
    BTC,
    KEYS,
    Proof,
    full,
    legacy_input,
    multisig,
    p2pkh,
    p2sh,
    p2tr,
    p2wpkh,
    p2wsh,
    row,
    sign_ecdsa,
    simple,
)

pytestmark = pytest.mark.unit

# bitcoin/bips bip-0322/basic-test-vectors.json at 7fe0b034 (CC0): message, message_hash,
# to_spend_tx_hash, to_sign_tx_hash for bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l
HASHES = [
    (
        "",
        "c90c269c4f8fcbe6880f72a721ddfbf1914268a794cbb21cfafee13770ae19f1",
        "c5680aa69bb8d860bf82d4e9cd3504b55dde018de765a91bb566283c545a99a7",
        "1e9654e951a5ba44c8604c4de6c67fd78a27e81dcadcfe1edf638ba3aaebaed6",
    ),
    (
        "Hello World",
        "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a",
        "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b",
        "88737ae86f2077145f93cc4b153ae9a1cb8d56afa511988c149c5c8c9d93bddf",
    ),
    (
        "UTF-8 support: öäüéàè 测试文本 😄",
        "43936b237ea38c7794eb5d755e0d220b6db92ebfc5c8f482759d22b1286376d7",
        "c8f4f525fe8afb1bc09b44175bd2096f079c98425e8a1be676b712add1fb62f0",
        "8f488e06b89eafd019ec528109eafaf7f1d1811fd617aa1eeb9658f1c1be6586",
    ),
]
ADDRESS = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l"
HELLO = (
    "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29z"
    "JLUx9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
)
"""The same file: simple, "Hello World", for ``ADDRESS``."""
HELLO_KEY = "02c7f12003196442943d8588e01aee840423cc54fc1521526a3b85c2b0cbd58872"


def judged(case):
    try:
        return judge(case)
    except (Refused, Unsupported) as error:
        return type(error).__name__, error.code


def published(address, message, signature):
    return SignedAddress(
        spec=BTC,
        address=address,
        account=decode(BTC, address),
        message=message,
        signatures=(signature,),
        schemes=("bip322",),
    )


@pytest.mark.parametrize(("message", "hashed", "spent", "signed"), HASHES)
def test_transactions_have_the_published_ids(message, hashed, spent, signed):
    account = decode(BTC, ADDRESS)
    assert message_hash(message).hex() == hashed
    assert sha256d(to_spend(message, account))[::-1].hex() == spent
    assert txid(simple_transaction(message, account, ()))[::-1].hex() == signed


def test_the_published_signature_binds_with_its_prefix_and_without():
    for prefix in ("", "smp"):
        outcome = judge(published(ADDRESS, "Hello World", prefix + HELLO))
        assert outcome.status is Ownership.BOUND
        assert outcome.detail == "simple p2wpkh"
        assert [key.hex() for key in outcome.keys] == [HELLO_KEY]
    assert judged(published(ADDRESS, "Hello World", "ful" + HELLO)) == ("Refused", "bad-signature")
    assert judged(published(ADDRESS, "Hello World", "pof" + HELLO)) == (
        "Unsupported",
        "unsupported-scheme",
    )
    assert judged(published(ADDRESS, "Hello World ", HELLO)) == ("Refused", "wrong-signature")


# bitcoin/bips bip-0322/generated-test-vectors.json at 7fe0b034, "full": p2tr-time-lock
LOCKED = (
    "bc1p6vffkx7vcyezrjq7pg9qqdjv7vmtanfhk8ukwsn4syejwmarmhxqp0rw5x",
    "AY2VOQOXYI5CN2EHZKLOX7ZI37",
    (
        "fulAgAAAAABAaza7/ukfX9ZdxCUvK7CPJgADDdPdF7ikXVKWctd5EHrAAAAAADgBwAAAQAAAAAAAAAAAWoEQPvuT0en"
        "YGwsab2lsPZU0U3OcRkGng+o/PAt4QU2lc8hG7lTUmflkt0To+eoipv2vptf0TlGOBCsKU5xE3kXKcMAS2MgrYfXhOkh"
        "0CvwuJpB+O3tal2ECfO0v7k1/A4PTlGcQiBnAuAHsnUgJjLn4tl5ytgC8CNTyITXmg4rx9ctxPedwRMPEBvfoUBorCHB"
        "JjLn4tl5ytgC8CNTyITXmg4rx9ctxPedwRMPEBvfoUDgBwAA"
    ),
)


def test_time_and_age_are_told():
    outcome = judge(published(*LOCKED))
    assert outcome.status is Ownership.BOUND
    assert outcome.reason == "script-keys-signed"
    assert outcome.detail == (
        "full p2tr-script, valid at time 2016 and age 2016, script demands an age of 2016 blocks"
    )
    raw = b64decode(LOCKED[2][3:])
    assert read_transaction(raw).lock_time == 2016
    assert judged(published(*LOCKED[:2], LOCKED[2][3:])) == outcome


# bitcoin/bips bip-0143.mediawiki, "Native P2WPKH" unsigned transaction and P2SH-P2WPKH
BIP143_NESTED = (
    "0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff"
    "02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f00000000"
    "1976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92040000"
)


def test_witness_digest_is_that_of_bip143():
    transaction = read_transaction(bytes.fromhex(BIP143_NESTED))
    assert serialise(transaction).hex() == BIP143_NESTED
    code = bytes.fromhex("76a91479091972186c449eb1ded22b78e40d009bdf008988ac")
    digest = witness_digest(transaction, code, 1_000_000_000)
    assert digest.hex() == "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6"


def test_taproot_output_is_that_of_bip86():
    # bitcoin/bips bip-0086.mediawiki: first receiving address, internal_key and output key
    internal = "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115"
    output = "a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c"
    assert taproot_output(bytes.fromhex(internal))[0].hex() == output
    account = b"\x51\x20" + bytes.fromhex(output)
    expected = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
    assert encode(BTC, account) == expected


@pytest.mark.parametrize("kind", ["p2wpkh", "p2tr"])
@pytest.mark.parametrize("text", ["I am an OKX address", "", "öä 测试"])
def test_our_signatures_and_theirs_agree(kind, text):
    made = simple(kind, text, [KEYS[0]])
    assert judge(made).status is Ownership.BOUND
    signature = made.signatures[0].removeprefix("smp")
    assert second_opinion.verify_simple_encoded(made.address, text, signature) is None
    other = msgspec.structs.replace(made, message=text + "x")
    assert judged(other) == ("Refused", "wrong-signature")
    with pytest.raises(second_opinion.VerificationError):
        second_opinion.verify_simple_encoded(made.address, text + "x", signature)


SIMPLE = {
    "p2wpkh": ([0], "key-derives-address"),
    "p2sh-p2wpkh": ([0], "key-derives-address"),
    "p2tr": ([0], "key-derives-address"),
    "p2wsh": ([0, 2], "script-keys-signed"),
    "p2sh-p2wsh": ([0, 2], "script-keys-signed"),
}


@pytest.mark.parametrize("kind", SIMPLE)
def test_simple_form_by_address_type(kind):
    signers, reason = SIMPLE[kind]
    outcome = judge(simple(kind, "text", [KEYS[i] for i in signers]))
    assert (outcome.status, outcome.reason) == (Ownership.BOUND, reason)
    assert outcome.detail == f"simple {kind}"
    assert len(outcome.keys) == len(signers)


@pytest.mark.parametrize("kind", [*SIMPLE, "p2pkh", "p2sh"])
def test_full_form_by_address_type(kind):
    outcome = judge(full(kind, "text", [KEYS[0], KEYS[2]]))
    assert outcome.status is Ownership.BOUND
    assert outcome.detail == f"full {kind}"


def test_p2pkh_has_no_simple_form():
    made = simple("p2wpkh", "text", [KEYS[0]])
    case = row(p2pkh(KEYS[0].public_key.format()), "text", made.signatures[0])
    assert judged(case) == ("Refused", "bad-signature")


def test_other_chains_are_not_confirmed():
    made = simple("p2wpkh", "text", [KEYS[0]])
    spec = msgspec.structs.replace(
        BTC, address_params={**BTC.address_params, "message_header": "Litecoin"}
    )
    case = msgspec.structs.replace(made, spec=spec)
    assert judged(case) == ("Unsupported", "unconfirmed-scheme")
    bare = {"p2pkh": [0], "p2sh": [5], "message_header": "Bitcoin"}
    case = msgspec.structs.replace(made, spec=msgspec.structs.replace(BTC, address_params=bare))
    assert judged(case) == ("Unsupported", "unconfirmed-scheme")


def test_the_address_of_another_network_does_not_decode():
    testnet = ChainSpec(
        id=ChainId("bip122:test"),
        name="Test",
        adapter="none",
        address="bitcoin",
        native=AssetId("bip122:test/slip44:1"),
        address_params={"p2pkh": [0x6F], "p2sh": [0xC4], "hrp": "tb", "message_header": "Bitcoin"},
    )
    account = p2wpkh(KEYS[0].public_key.format())
    with pytest.raises(AddressError):
        decode(BTC, encode(testnet, account))


def test_a_second_signature_is_refused_and_owners_are_only_signers():
    made = simple("p2wpkh", "text", [KEYS[0]])
    twice = msgspec.structs.replace(made, signatures=made.signatures * 2)
    assert judged(twice) == ("Refused", "extra-signature")
    listed = row(p2wsh(multisig(1, KEYS[:2])), "text", made.signatures[0])
    owned = msgspec.structs.replace(listed, owners=(made.address,))
    outcome = judge(owned)
    assert outcome.status is Ownership.SIGNER_ONLY
    assert outcome.signers == (made.address,)


def field(**changes):
    """A full P2WPKH signature with these fields, signed as such."""
    return Proof(p2wpkh(KEYS[0].public_key.format()), "text", **changes).sealed_p2wpkh(KEYS[0])


FIELDS = {
    "version 2": ({"version": 2}, Ownership.BOUND),
    "version 1": ({"version": 1}, ("Unsupported", "unsupported-scheme")),
    "version 3": ({"version": 3}, ("Unsupported", "unsupported-scheme")),
    "version -1": ({"version": -1}, ("Unsupported", "unsupported-scheme")),
    "lock time": ({"lock_time": 7}, Ownership.BOUND),
    "sequence": ({"sequence": 7}, Ownership.BOUND),
    "second output": ({"outputs": [(0, b"\x6a"), (0, b"\x6a")]}, ("Refused", "bad-signature")),
    "no output": ({"outputs": []}, ("Refused", "bad-signature")),
    "an amount": ({"outputs": [(1, b"\x6a")]}, ("Refused", "bad-signature")),
    "another output": ({"outputs": [(0, b"\x6a\x00")]}, ("Refused", "bad-signature")),
    "another index": ({"index": 1}, ("Refused", "wrong-signature")),
    "another id": ({"spent": bytes(32)}, ("Refused", "wrong-signature")),
    "another input": ({"more_inputs": 1}, ("Unsupported", "unsupported-scheme")),
    "input script": ({"script": b"\x00"}, ("Refused", "bad-signature")),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_the_full_form(name):
    changes, expected = FIELDS[name]
    result = judged(field(**changes))
    assert (result if isinstance(result, tuple) else result.status) == expected


def test_a_witness_part_without_witness_and_bytes_behind_the_end_are_refused():
    made = full("p2pkh", "text", [KEYS[0]])
    raw = b64decode(made.signatures[0][3:])
    bare = raw[:4] + b"\x00\x01" + raw[4:-4] + b"\x00" + raw[-4:]
    for spoiled in (bare, raw + b"\x00", raw[:-1], b""):
        text = "ful" + b64encode(spoiled).decode()
        case = msgspec.structs.replace(made, signatures=(text,))
        assert judged(case) == ("Refused", "bad-signature")


def test_over_long_and_odd_texts_are_refused():
    made = simple("p2wpkh", "text", [KEYS[0]])
    text = made.signatures[0]
    for spoiled in (text + "\n", " " + text, text + "=", "smp", "A" * 200_000, "0x00", text[:-4]):
        case = msgspec.structs.replace(made, signatures=(spoiled,))
        assert judged(case) == ("Refused", "bad-signature"), spoiled[:20]


def test_lengths_are_written_in_one_way_only():
    made = simple("p2wpkh", "text", [KEYS[0]])
    raw = b64decode(made.signatures[0][3:])
    text = "smp" + b64encode(b"\xfd\x02\x00" + raw[1:]).decode()
    case = msgspec.structs.replace(made, signatures=(text,))
    assert judged(case) == ("Refused", "bad-signature")


def test_nested_programs_of_later_versions_have_no_rule():
    # P2SH of a taproot program: by today's rules anyone can spend it.
    program = p2tr(KEYS[0])
    case = legacy_input(p2sh(program), "text", bytes((len(program),)) + program)
    assert judged(case) == ("Unsupported", "unsupported-scheme")


def test_annex_and_wrong_leaf_versions_have_no_rule():
    made = simple("p2tr", "text", [KEYS[0]])
    raw = b64decode(made.signatures[0][3:])
    text = "smp" + b64encode(b"\x02" + raw[1:] + b"\x02\x50\x00").decode()
    case = msgspec.structs.replace(made, signatures=(text,))
    assert judged(case) == ("Unsupported", "unsupported-scheme")


def test_hash_types():
    account = p2tr(KEYS[0])
    transaction = simple_transaction("text", account, ())
    for hash_type in (0, 1, 2, 3, 0x81):
        digest = taproot_digest(transaction, (Output(0, account),), hash_type)
        signature = KEYS[0].sign_schnorr(digest) + bytes((hash_type,))
        signature = signature[:64] if not hash_type else signature
        witness = b"\x01" + bytes((len(signature),)) + signature
        case = row(account, "text", b64encode(witness).decode())
        if hash_type in (0, 1):
            assert judge(case).status is Ownership.BOUND
        else:
            assert judged(case) == ("Refused", "bad-signature")


# bizjs/chainkit packages/bitcoin/tests/bitcoin-chaiin.test.ts
CHAINKIT = (
    "bc1p46edm45gtpnlazdqwqyfrjwfjqh44gxz7xqlffzxjkw5pq6jnckqh6u4mu",
    (
        '{\n  "statement": "Welcome to EthSign",\n  "chainId": 1,\n  "address": '
        '"bc1p46edm45gtpnlazdqwqyfrjwfjqh44gxz7xqlffzxjkw5pq6jnckqh6u4mu",\n  "issuedAt": '
        '"2023-12-20T08:00:22.127Z",\n  "domain": "localhost:3001",\n  "uri": '
        '"http://localhost:3001",\n  "version": "1",\n  "nonce": "xv4bq55iyg"\n}'
    ),
    "IJpn2IS8m7oefliAXAx+1p04xpH1ySvhrvR2q56m9lxeah4QIRI/bvxOkV2WiMR39kbR3yv+UBpoVRlUmMh/8R4=",
)


def old_form(address, message, signature):
    case = published(address, message, signature)
    return msgspec.structs.replace(case, schemes=("bip137-taproot",))


def test_old_form_by_the_key_of_bip86():
    outcome = judge(old_form(*CHAINKIT))
    assert outcome.status is Ownership.BOUND
    assert outcome.detail == "bip86"
    assert judged(old_form(CHAINKIT[0], CHAINKIT[1] + " ", CHAINKIT[2])) == ("Refused", "wrong-key")
    assert judged(old_form(ADDRESS, *CHAINKIT[1:])) == ("NotApplicable", "unsupported-address-type")


def test_old_form_needs_the_tweak_and_a_compressed_header():
    key = KEYS[1]
    raw = key.sign_recoverable(digests.bitcoin_message("Bitcoin", "text"), hasher=None)
    x = key.public_key.format()[1:]
    tweaked, untweaked = b"\x51\x20" + taproot_output(x)[0], b"\x51\x20" + x
    committed = b"\x51\x20" + taproot_output(x, tagged_hash("TapLeaf", b"\xc0\x01\x51"))[0]
    for header in (31, 39):
        text = b64encode(bytes((header + raw[64],)) + raw[:64]).decode()
        good = old_form(encode(BTC, tweaked), "text", text)
        assert judge(good).keys == (key.public_key.format(),)
        for account in (untweaked, committed):
            assert judged(old_form(encode(BTC, account), "text", text)) == ("Refused", "wrong-key")
    text = b64encode(bytes((27 + raw[64],)) + raw[:64]).decode()
    case = old_form(encode(BTC, tweaked), "text", text)
    assert judged(case) == ("Refused", "bad-recovery-id")


def test_uncompressed_keys_in_witnesses_have_no_rule():
    key = KEYS[0].public_key.format(compressed=False)
    account = b"\x00\x14" + hash160(key)
    transaction = simple_transaction("text", account, ())
    signature = sign_ecdsa(KEYS[0], witness_digest(transaction, p2pkh(key), 0))
    witness = b"\x02" + bytes((len(signature),)) + signature + b"\x41" + key
    case = row(account, "text", b64encode(witness).decode())
    assert judged(case) == ("Unsupported", "unsupported-scheme")
