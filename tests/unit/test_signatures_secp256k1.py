"""Schemes of secp256k1 chains outside Bitcoin, Ethereum and TRON, on vectors of others."""

from base64 import b64encode
from hashlib import blake2b, sha256, sha512

import coincurve
import msgspec
import pytest
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from chains import reasons
from chains.addresses import decode, encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import SCHEMES, Refused, SignedAddress, Unsupported, antelope, digests, judge
from chains.signatures import secp_wallets as wallets
from chains.signatures.ed25519 import SMALL_ORDER
from chains.signatures.secp256k1 import hash160
from chains.signatures.secp_accounts import RULES
from chains.signatures.xrpl import half_sha512, parse_der

pytestmark = pytest.mark.unit

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TEXT = "OKC_DTT_AUP2025"


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


FIL, FIL_T = chain("filecoin", evm=True), chain("filecoin", network="t")
ATOM, BOSTROM = chain("cosmos", hrp="cosmos", lengths=[20, 32]), chain("cosmos", hrp="bostrom")
INJ = chain("cosmos", hrp="inj", key="keccak")
STX, EOS, XRP, NULS = chain("stacks"), chain("antelope"), chain("xrpl"), chain("nuls")

# okx/proof-of-reserves example/test.csv at 2962a89
EOS_ACCOUNT = "okbwallet1tr"
EOS_KEY = "EOS7nGMZSQxyvJkH5WDnuGsSQMp7yCRYA5AX4GMAXh6WtmqnMT79X"
EOS_SIGNED = (
    "SIG_K1_K1fyBKSBw62ioqwFAFUhuFeCF5SbjbDv387RMAoQVy2VqmM1MhEXZSQ4A38PX7g128NBAanXMkwqYErAD1"
    "LNZR2ZWQigJz"
)
# okx/proof-of-reserves common/crypto_test.go at 2962a89: a key without an address
OKX_KEY = "0243eb3f77eac97882ca3a6c038830e199f1b02cbab4f8664fd08c54911b0a05e6"
OKX_SIGNED = (
    "0x3a7c6d3f6e6885c07d21bb9eeb266cdf1400ab5c1379664ca9c74c6eaf4dcbdd"
    "03895a64253f7c5da9da504548dc87bc634e571042bc74bcfb18a005d3c592531b"
)


def row(spec, address, *given, scheme="okx-ecdsa", message=TEXT, **other):
    return SignedAddress(
        spec=spec,
        address=address,
        account=decode(spec, address),
        message=message,
        signatures=given,
        schemes=(scheme,),
        **other,
    )


def code_of(case, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(case)
    assert caught.value.code in reasons.OWNERSHIP
    return caught.value.code


def stacks_address(key):
    return encode(STX, b"\x16" + hash160(bytes.fromhex(key)))


HIRO = "035b08fd4d14786187f51a3360864665fa437a9ad22bbdf7ae716d4599f26943a7"
BOB = (
    '{"nickname":"bob-cosmos","avatar_cid":"QmU1Nf2opJGZGNWmqxAa9bb8X6wVSHRBDCY6nbm3RmVXGb",'
    '"gift_claiming_address_type":"cosmos",'
    '"gift_claiming_address":"cosmos1qjjjur5et06eszh82pfv7kvdnu3sur23x00t3g",'
    '"target_address":"bostrom1qjjjur5et06eszh82pfv7kvdnu3sur239umc00","relay_reward":"0.01"}'
)
BOB_SIGNED = (
    "CvMkqkQHVPV3DTyVErth16OdTjAwqQD6t+r9ImSpdwUZFin+UPeGSfH9hhuAmqYAp4CffhNNSEisdfzwwvlN/w=="
)

VECTORS = [
    # Consensys/web3signer signing/src/test/java/…/FcSecpArtifactSignerTest.java at 2fc711ac
    (
        "fil-f1",
        FIL_T,
        "t1656rklyebnscuzs5dee3zwh2xknlqsy7r2ypxei",
        "42",
        "4ZDlbvzXtjFnGAnkmnAXImN7KmE+OdW3KbCn+UIHJwY3hEbodjS0VIVBiPUxRWbhJOMao3Sx7GWb4myEsYouJgA=",
        "",
    ),
    # hugomrdias/filecoin packages/iso-filecoin/test/wallet.test.js at 3508d54c ("hello"; the
    # address is that of the test's published key)
    (
        "fil-f1",
        FIL,
        "f1drv36h2ldc4xzhjfiwicxsq6rgkl6z5vhit2roq",
        "hello",
        (
            "015322ea74a2985bb1a91be635bad133b4505b566b7aed97276ece9a26bab34434"
            "0e0b602cf68ca9259766d81ad9d4bfe15a0d5efa2398cab1c18b1f160dd8682600"
        ),
        "",
    ),
    # near/intents, ADR-36 payload tests, made with cosmos-sdk
    (
        "adr36",
        ATOM,
        "cosmos1mnyn7x24xj6vraxeeq56dfkxa009tvhgknhm04",
        "Hello, ADR-036!",
        (
            "043485aac9cd7de64da9548b72635c061e07b20063488c0d3affc3c843b33c04"
            "58f799ac6592b6260c5ce326be4996d95ee8cfbea4ae76b820f2a7a01ad3a5cc1b"
        ),
        "",
    ),
    # cybercongress/cw-cybergift contracts/cw-cyber-airdrop/testdata/cw-cybergift-data.md
    *(
        ("adr36", BOSTROM, "bostrom1qjjjur5et06eszh82pfv7kvdnu3sur239umc00", BOB, BOB_SIGNED, key)
        for key in ("", "Aoz4+N8ckpDiz4oOKKKVERJGeS49nOgGrXw0s0dkymDr")
    ),
    # fungible-systems/micro-stacks, message-signing/verify.test.ts: r, s, v and v, r, s
    (
        "stacks-message",
        STX,
        stacks_address(HIRO),
        "hi there how are you",
        (
            "0c956388e3bf84a2873b2fdd9c6845cceb14cea0e342bdc233dbc25e32e84aa7"
            "7d483f80160541c92bf3d48beed82dcbea58c3d3f93d7cbc3fbefdbd48cecf2e01"
        ),
        HIRO,
    ),
    (
        "stacks-message",
        STX,
        stacks_address(HIRO),
        "0c000000010568656c6c6f01" + (100).to_bytes(16, "big").hex(),
        (
            "007db2f251643ff11493ae377db2581a55b5dcce11a9b79becc177dc97a2fb6932"
            "076bd197a8e3772eab317d95a1c78f60adfcbf8e1512357c3f95d6606ad7dd29"
        ),
        "",
    ),
]


@pytest.mark.parametrize("vector", VECTORS)
def test_vectors_of_others_bind(vector):
    scheme, spec, address, text, signature, key = vector
    genuine = row(spec, address, signature, scheme=scheme, message=text, public_key=key)
    outcome = judge(genuine)
    assert (outcome.status, outcome.reason) == (Ownership.BOUND, "key-derives-address")
    assert outcome.scheme == scheme
    other = msgspec.structs.replace(genuine, message=text + " ")
    assert code_of(other) in ("wrong-key", "wrong-signature", "bad-recovery-id")


def test_digests_that_others_publish():
    # hirosystems/stacks.js packages/encryption/tests/messageSignature.test.ts
    expected = "619997693db23de4b92ed152444a578a134143d9ad2c0f4dff2615de9d42ad96"
    assert wallets.stacks_message("hello world").hex() == expected
    # near/intents, ADR-36 payload tests
    document = wallets.adr36_document(
        "Hello, ADR-036!", "cosmos1mnyn7x24xj6vraxeeq56dfkxa009tvhgknhm04"
    )
    expected = "5ac8daed449a016684fd64bade7510b75ccd7c6eefa31b60a10eb577b37575e3"
    assert sha256(document).hexdigest() == expected


def test_the_second_vector_of_near_intents_is_refused():
    wrong = (
        "c6ada709bab5a03bdbeb7e53e54ff77afbfec9e4f7b3d1b588e24f09d6f5dc30"
        "5fa7cdb36c78d9f0c31859879eb930d28c890bcf9e27944e7e8808b1a53c09661c"
    )
    address = "cosmos1mnyn7x24xj6vraxeeq56dfkxa009tvhgknhm04"
    assert code_of(row(ATOM, address, wrong, scheme="adr36", message="Hello, ADR-036!"))


def test_chains_that_hash_keys_otherwise_have_no_confirmed_adr36():
    case = row(
        INJ, "inj14py36sx57ud82t9yrks9z6hdsrpn5x6k8tf7m3", BOB_SIGNED, scheme="adr36", message=BOB
    )
    assert code_of(case, Unsupported) == "unconfirmed-scheme"


# ------------------------------------------------------------------------ keys of the row


def test_a_good_key_for_another_account_shows_the_key_alone():
    # The row of the XRP Ledger in must_refuse.jsonl: the key may be a regular key, or not.
    address = "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"
    outcome = judge(row(XRP, address, OKX_SIGNED, public_key=OKX_KEY))
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert code_of(row(XRP, address, OKX_SIGNED)) == "missing-key"
    other = coincurve.PrivateKey(b"\x05" * 32).public_key.format().hex()
    assert code_of(row(XRP, address, OKX_SIGNED, public_key=other)) == "wrong-key"
    for text in ("00" + OKX_KEY[2:], OKX_KEY + "00", OKX_KEY[:-2], "EOS", OKX_KEY + " "):
        assert code_of(row(XRP, address, OKX_SIGNED, public_key=text)) == "bad-key", text


def test_the_master_key_of_a_ledger_account_binds_in_each_form_of_the_key():
    key = coincurve.PublicKey(bytes.fromhex(OKX_KEY))
    address = encode(XRP, hash160(bytes.fromhex(OKX_KEY)))
    long = key.format(compressed=False)
    for text in ("", OKX_KEY, "0x" + OKX_KEY, long.hex(), long[1:].hex(), OKX_KEY.upper()):
        outcome = judge(row(XRP, address, OKX_SIGNED, public_key=text))
        assert (outcome.status, outcome.detail) == (Ownership.BOUND, "master-key")
    nuls = encode(NULS, b"\x01\0\x01" + hash160(bytes.fromhex(OKX_KEY)))
    assert judge(row(NULS, nuls, OKX_SIGNED, public_key=OKX_KEY)).status is Ownership.BOUND
    hybrid = bytes((6 + (long[64] & 1),)) + long[1:]
    assert code_of(row(XRP, address, OKX_SIGNED, public_key=hybrid.hex())) == "bad-key"


@pytest.mark.parametrize(
    ("spec", "address", "reason"),
    [
        (FIL, "f01729", "missing-key"),
        (FIL, "f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as6i", "missing-key"),
        (FIL, "f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq", "wrong-key"),
        (FIL, "f410frw6wy7w6sbsguyn3yzeygg34fgf72n5ao5sxyky", "wrong-key"),
        (ATOM, encode(ATOM, bytes(32)), "missing-key"),
        (STX, encode(STX, b"\x14" + bytes(20)), "missing-key"),
        (NULS, encode(NULS, b"\x01\0\x03" + bytes(20)), "missing-key"),
    ],
)
def test_accounts_that_obey_unseen_keys_are_never_bound(spec, address, reason):
    assert code_of(row(spec, address, OKX_SIGNED)) == reason
    named = row(spec, address, OKX_SIGNED, public_key=OKX_KEY)
    if reason == "missing-key":
        assert judge(named).reason == "link-unobserved"
    else:
        assert code_of(named) == "wrong-key"


@pytest.mark.parametrize(
    ("spec", "address", "scheme"),
    [
        (chain("ss58", prefix=0), "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5", "okx-ecdsa"),
        (EOS, EOS_ACCOUNT, "okx-ecdsa"),
        (ATOM, "cosmos1mnyn7x24xj6vraxeeq56dfkxa009tvhgknhm04", "eip191"),
        (ATOM, "cosmos1mnyn7x24xj6vraxeeq56dfkxa009tvhgknhm04", "stacks-message"),
        (FIL, "f01729", "adr36"),
        (FIL, "f01729", "xrpl-secp256k1"),
        (XRP, "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh", "okx-eos"),
    ],
)
def test_a_scheme_is_not_tried_on_another_family(spec, address, scheme):
    case = row(spec, address, OKX_SIGNED, scheme=scheme, public_key=OKX_KEY)
    assert code_of(case, Unsupported) == "unsupported-scheme"


def test_a_scheme_that_only_we_confirm_binds_nothing(monkeypatch):
    address = encode(XRP, hash160(bytes.fromhex(OKX_KEY)))
    ours = msgspec.structs.replace(SCHEMES["okx-ecdsa"], origin="")
    monkeypatch.setitem(SCHEMES, "okx-ecdsa", ours)
    assert code_of(row(XRP, address, OKX_SIGNED), Unsupported) == "unconfirmed-scheme"


def test_an_ethereum_account_of_filecoin_binds_by_either_scheme():
    key = coincurve.PrivateKey(b"\x09" * 32)
    accounts = RULES["filecoin"].derive(key.public_key.format(compressed=False), {})
    address = next(encode(FIL, one) for one, name in accounts.items() if name == "f410")
    for scheme, digest in (("okx-ecdsa", digests.okx_ecdsa), ("okx-evm", digests.okx_evm)):
        raw = key.sign_recoverable(digest(TEXT), hasher=None)
        signature = (raw[:64] + bytes((raw[64] + 27,))).hex()
        assert judge(row(FIL, address, signature, scheme=scheme)).status is Ownership.BOUND
        f1 = next(encode(FIL, one) for one, name in accounts.items() if not name)
        if scheme == "okx-evm":
            assert code_of(row(FIL, f1, signature, scheme=scheme)) == "wrong-key"


# -------------------------------------------------------------------------------- Antelope


def k1(digest, secret, header=31):
    raw = coincurve.PrivateKey(secret).sign_recoverable(digest, hasher=None)
    return k1_text(bytes((header + raw[64],)) + raw[:64])


def k1_text(body):
    return "SIG_K1_" + antelope.bytes_to_base58(body + antelope._checksum(body, b"K1"))


def eos_key(secret):
    return antelope.key_text(coincurve.PrivateKey(secret).public_key.format())


FIRST, SECOND = b"\x11" * 32, b"\x12" * 32
DIGEST = sha256(digests.frame(digests.OKX_HEADER, TEXT)).digest()
TWO = '{"publicKey1":"%s","publicKey2":"%s"}'


def eos(*given, key=EOS_KEY, **other):
    return row(EOS, EOS_ACCOUNT, *given, scheme="okx-eos", public_key=key, **other)


def test_an_account_name_is_never_bound_by_a_key():
    outcome = judge(eos(EOS_SIGNED))
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert outcome.signers == (EOS_KEY,)
    assert antelope.key_text(outcome.keys[0]) == EOS_KEY


def test_two_keys_must_differ_and_both_must_have_signed():
    two = TWO % (eos_key(FIRST), eos_key(SECOND))
    one, other = k1(DIGEST, FIRST), k1(DIGEST, SECOND)
    outcome = judge(eos(one, other, key=two))
    assert outcome.signers == (eos_key(FIRST), eos_key(SECOND))
    assert outcome.status is Ownership.SIGNER_ONLY
    assert code_of(eos(one, key=two)) == "owner-signature-missing"
    assert code_of(eos(one, "", key=two)) == "owner-signature-missing"
    assert code_of(eos("", other, key=two)) == "owner-signature-missing"
    assert code_of(eos(other, one, key=two)) == "wrong-signature"
    assert code_of(eos(one, one, key=two)) == "wrong-signature"
    assert code_of(eos(one, one, key=TWO % (eos_key(FIRST), eos_key(FIRST)))) == "bad-key"
    assert code_of(eos(one, other, key=eos_key(FIRST))) == "extra-signature"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "missing-key"),
        ("EOS", "bad-key"),
        ("{}", "bad-key"),
        ('{"publicKey1":"a"}', "bad-key"),
        ('{"publicKey1":"a","publicKey2":"b","x":"c"}', "bad-key"),
        ("{", "bad-key"),
        (EOS_KEY[:-1] + "Y", "bad-key"),
        (EOS_KEY + " ", "bad-key"),
        (EOS_KEY.lower(), "bad-key"),
        ("PUB_R1_5hieQEFWh68h6bjaYAY25Ptd2bmqLCaFsunaneh9gZsmSgUBUe", "bad-key"),
        # trustwallet/wallet-core tests/chains/EOS/AddressTests.cpp
        ("EOS65QzSGJ579GPNKtZoZkChTzsxR4B48RCfiS82m2ymJR6VZCjT", "bad-key"),
        ("EOS65QzSGJ579GPNKtZoZkChTzsxR4B48RCfiS82m2ymJR6VZCjTF", "wrong-signature"),
        ("PUB_K1_6enPVMggisfqVVRZ1tj47d9UeHK46CBssoCmAz6sLDMBdtZk78", "wrong-signature"),
    ],
)
def test_keys_of_antelope_are_read_exactly(key, code):
    assert code_of(eos(EOS_SIGNED, key=key)) == code


def test_signatures_of_antelope_are_read_exactly():
    raw = antelope.base58_to_bytes(EOS_SIGNED.removeprefix("SIG_K1_"))[:65]
    assert k1_text(raw) == EOS_SIGNED
    s = (ORDER - int.from_bytes(raw[33:], "big")).to_bytes(32, "big")
    high = k1_text(bytes((31 + (raw[0] - 31 ^ 1),)) + raw[1:33] + s)
    cases = [
        (high, "high-s"),
        (k1_text(b"\x1b" + raw[1:]), "bad-recovery-id"),
        (k1_text(b"\x23" + raw[1:]), "bad-recovery-id"),
        (k1_text(raw + b"\0"), "bad-signature"),
        (k1_text(raw[:-1]), "bad-signature"),
        (EOS_SIGNED[:-1], "bad-signature"),
        (EOS_SIGNED.replace("K1", "R1", 1), "bad-signature"),
        # trustwallet/wallet-core tests/chains/EOS/SignatureTests.cpp: well formed, of another text
        (
            (
                "SIG_K1_JwtfgsdSx5RuF5aejedQ7FJTexaKMrQyYosPUWUrU1mzdLx6JUgLTZJd7zWA8q8VdnXht3YmVt7j"
                "afmD2eEK7hTRpT9rY5"
            ),
            "wrong-signature",
        ),
    ]
    for text, code in cases:
        assert code_of(eos(text)) == code
    assert code_of(eos(EOS_SIGNED, owners=(EOS_ACCOUNT,)), Unsupported) == "unsupported-scheme"


# ------------------------------------------------------------------------------------ XRPL


def der(raw):
    def integer(digits):
        body = digits.lstrip(b"\0") or b"\0"
        body = b"\0" + body if body[0] & 0x80 else body
        return b"\x02" + bytes((len(body),)) + body

    body = integer(raw[:32]) + integer(raw[32:64])
    return (b"\x30" + bytes((len(body),)) + body).hex().upper()


def test_der_is_strict_and_s_is_low():
    secret = coincurve.PrivateKey(b"\x21" * 32)
    raw = secret.sign_recoverable(half_sha512(TEXT), hasher=None)
    address = encode(XRP, hash160(secret.public_key.format()))
    good = der(raw)
    assert judge(row(XRP, address, good, scheme="xrpl-secp256k1")).status is Ownership.BOUND
    assert sha512(TEXT.encode()).digest()[:32] == half_sha512(TEXT)
    high = raw[:32] + (ORDER - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    padded = bytes.fromhex(good)
    padded = b"\x30" + bytes((padded[1] + 1, 2, padded[3] + 1, 0)) + padded[4:]
    cases = [(der(high), "high-s"), (padded.hex(), "bad-signature")]
    cases += [(text, "bad-signature") for text in (good + "00", good[:-2], good + " ", "30", "xx")]
    cases += [("31" + good[2:], "bad-signature"), ("3006020101020180", "bad-signature")]
    for text, code in cases:
        assert code_of(row(XRP, address, text, scheme="xrpl-secp256k1")) == code, text
    with pytest.raises(Refused):
        parse_der("3006020101020100" + "00")


def test_ed25519_keys_of_the_ledger():
    public, private = crypto_sign_seed_keypair(b"\x22" * 32)
    key = (b"\xed" + public).hex().upper()
    signature = crypto_sign(TEXT.encode(), private)[:64].hex().upper()
    address = encode(XRP, hash160(b"\xed" + public))

    def case(*given, key=key, address=address):
        return row(XRP, address, *given, scheme="xrpl-ed25519", public_key=key)

    assert judge(case(signature)).status is Ownership.BOUND
    foreign = judge(case(signature, address="rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"))
    assert (foreign.status, foreign.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert code_of(case(signature, key="")) == "missing-key"
    for bad in (public.hex(), "02" + key[2:], key + "00", key[:-2], key + " ", "zz"):
        assert code_of(case(signature, key=bad)) == "bad-key"
    for bad in (signature + "00", signature[:-2], signature + " ", b64encode(b"x" * 64).decode()):
        assert code_of(case(bad)) == "bad-signature"
    assert code_of(case(signature[:-2] + "00")) == "wrong-signature"
    for point in SMALL_ORDER:
        weak = (b"\xed" + point).hex()
        forged = (b"\x01" + bytes(63)).hex()
        assert code_of(case(forged, key=weak)) == "weak-key"


def test_the_envelope_of_a_filecoin_wallets_message():
    # filecoin-project/lotus cli/wallet_test.go (TestWrapMessageFRC0102): the envelope.
    envelope = wallets.filecoin_envelope
    assert envelope("hello") == b"\x19Filecoin Signed Message:\n5hello"
    assert envelope("") == b"\x19Filecoin Signed Message:\n0"
    long = "this is a longer test message"
    assert envelope(long) == b"\x19Filecoin Signed Message:\n29" + long.encode()
    assert envelope("é").endswith(b"\n2\xc3\xa9")


def test_a_filecoin_wallets_message_is_another_than_lotuss():
    secret = coincurve.PrivateKey(b"\x07" * 32)
    digest = wallets.filecoin_personal_message("hello")
    given = secret.sign_recoverable(digest, hasher=None).hex()
    key = secret.public_key.format(compressed=False)
    account = b"\x01" + blake2b(key, digest_size=20).digest()
    case = row(FIL, encode(FIL, account), given, scheme="fil-frc102", message="hello")
    assert judge(case).status is Ownership.BOUND
    for scheme in ("fil-f1", "okx-ecdsa"):
        assert code_of(msgspec.structs.replace(case, schemes=(scheme,))) in (
            "wrong-key",
            "bad-recovery-id",
        )
