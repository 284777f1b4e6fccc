"""Public addresses of every format: decoded, and written back in their canonical text."""

from base64 import urlsafe_b64encode
from binascii import crc_hqx

import pytest

from chains.addresses import AddressError, decode, encode, xrpl
from chains.addresses.base58 import base58check_to_bytes, bytes_to_base58check
from chains.addresses.bech32 import (
    BECH32,
    BECH32M,
    bech32_to_digits,
    bytes_to_digits,
    digits_to_bech32,
    payload_to_cashaddr,
)
from chains.model import AssetId, ChainId, ChainSpec

pytestmark = pytest.mark.unit


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


BTC = chain("bitcoin", p2pkh=[0], p2sh=[5], hrp="bc")
LTC = chain("bitcoin", p2pkh=[0x30], p2sh=[0x32, 5], hrp="ltc", unsupported_prefixes=["ltcmweb1"])
DOGE = chain("bitcoin", p2pkh=[0x1E], p2sh=[0x16])
ZEC = chain("bitcoin", p2pkh=[0x1CB8], p2sh=["1cbd"], unsupported_prefixes=["zs1", "u1"])
BCH = chain("bitcoin", p2pkh=0, p2sh="0x05", cashaddr="bitcoincash")
XEC = chain("bitcoin", p2pkh=0, p2sh=5, cashaddr="ecash:")
EVM = chain("evm")
OKTC = chain("evm", hrp="ex")
FEVM = chain("evm", f410="f")
TRON = chain("tron")
SOL = chain("solana")
APTOS = chain("aptos")
SUI = chain("sui")
TON = chain("ton")
DOT = chain("ss58", prefix=0)
BEACON = chain("bls")
XRP = chain("xrpl")

H = "0014751e76e8199196d454941c45d1b3a323f1433bd6"

KNOWN = [
    # Genesis coinbase; BIP-16 era address of BIP-173's key; BIP-173 and BIP-350 examples.
    (
        BTC,
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac",
    ),
    (BTC, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", H),
    (
        BTC,
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    # litecoin-project/litecoin src/test, okx/proof-of-reserves common/crypto_test.go
    (LTC, "MH7Qru4KFC6tLSiSq7bTWUDyiXERwzdqKp", None),
    (LTC, "ltc1qzvcgmntglcuv4smv3lzj6k8szcvsrmvk0phrr9wfq8w493r096ssm2fgsw", None),
    (DOGE, "9vbpNnyNRZpSWzptDwxGhw2Vny2yJ4W9V2", None),
    (ZEC, "t3Vz22vK5z2LcKEdg16Yv4FFneEL1zg9ojd", None),
    # CashAddr specification, test vectors
    (
        BCH,
        "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
        "76a91476a04053bda0a88bda5177b86a15c3b29f55987388ac",
    ),
    (XEC, "ecash:qq8d5lh8c78sraajk2ndeqvgqjhdu58zny7etakvlm", None),
    # EIP-55 test cases
    (EVM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"),
    (EVM, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "fb6916095ca1df60bb79ce92ce3ea74c37c5d359"),
    # Tether on TRON and on Solana (public contracts)
    (TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "a614f803b6fd780986a42c78ec9c7f77e6ded13c"),
    (SOL, "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", None),
    (SOL, "11111111111111111111111111111111", "00" * 32),
    (APTOS, "0x" + "0" * 63 + "1", "00" * 31 + "01"),
    (SUI, "0xebab9e10ff74ae4ccba30b0bd0bcf2e402e3c972016b05895f7f87b3e31b350f", None),
    # Tether's master contract on TON
    (
        TON,
        "EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs",
        "00b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe",
    ),
    # Alice of the Substrate documentation, under Polkadot's prefix
    (
        DOT,
        "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
        "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
    ),
    # XLS-5 and xrpl.org examples
    (XRP, "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY", None),
    (XRP, "rrrrrrrrrrrrrrrrrrrrrhoLvTp", "00" * 20),
]


@pytest.mark.parametrize(("spec", "text", "account"), KNOWN)
def test_known_addresses_round_trip(spec, text, account):
    decoded = decode(spec, text)
    assert account is None or decoded.hex() == account
    assert encode(spec, decoded) == text


SAME = [
    (
        BTC,
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    ),
    (
        BCH,
        "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
        "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu",
    ),
    (
        BCH,
        "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
        "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
    ),
    (
        EVM,
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED",
    ),
    (
        EVM,
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
    ),
    # okx/proof-of-reserves common/crypto_test.go
    (
        FEVM,
        "f410fa7sh5u6fvd7vt625dx2akhbu3jt7yvkhgdp55ki",
        "0x07e47ed3c5a8ff59fb5d1df4051c34da67fc5547",
    ),
    (APTOS, "0x1", "0x0000000000000000000000000000000000000000000000000000000000000001"),
    (APTOS, "0xAb", "0x00000000000000000000000000000000000000000000000000000000000000ab"),
    # okx/proof-of-reserves example/okx_por_example.csv, both bounce flags
    (
        TON,
        "UQB1CKrUWm7qf41Z1GeEE6AgVVj5cH6y6x1aRmWe6q4mj1fn",
        "EQB1CKrUWm7qf41Z1GeEE6AgVVj5cH6y6x1aRmWe6q4mjwoi",
    ),
    (
        TON,
        "EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs",
        "EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id/sDs",
    ),
    (
        TON,
        "EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs",
        "0:b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe",
    ),
    (
        XRP,
        "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY",
        "XV5sbjUmgPpvXv4ixFWZ5ptAYZ6PD2gYsjNFQLKYW33DzBm",
    ),
]


@pytest.mark.parametrize(("spec", "one", "other"), SAME)
def test_spellings_of_one_account_decode_to_the_same_bytes(spec, one, other):
    assert decode(spec, one) == decode(spec, other)


REFUSED = [
    (BTC, "", "bad-address"),
    (BTC, "not-an-address", "bad-address"),
    (BTC, " 34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo", "bad-address"),
    (BTC, "34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo ", "bad-address"),
    (BTC, "34xp4vRoCGJym3xR7yCVPFHoCNxv4TwseO", "bad-address"),
    (BTC, "Bc1qgdjqv0av3q56jvd82tkdjpy7gdp9ut8tlqmgrpmv24sq90ecnvqqjwvw97", "bad-address"),
    (BTC, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "bad-address"),
    # BIP-350: a version 0 program under bech32m, a version 1 program under bech32
    (BTC, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KEMEAWH", "bad-address"),
    (BTC, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "bad-address"),
    # BIP-350 valid programs of other versions and lengths
    (BTC, "BC1SW50QGDZ25J", "unsupported-address-type"),
    (BTC, "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "unsupported-address-type"),
    # Testnet on mainnet (BIP-173 example; well-known testnet faucet form)
    (BTC, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "bad-address"),
    (BTC, "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "bad-address"),
    # A raw public key (the generator point) and the Kelvin sign in place of K
    (BTC, "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "bad-address"),
    (BTC, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7\u212aV8F3T4", "bad-address"),
    (LTC, "ltcmweb1qq", "unsupported-address-type"),
    (
        ZEC,
        "zs1z7rejlpsa98s2rrrfkwmaxu53e4ue0ulcrw0h4x5g8jl04tak0d3mm47vdtahatqrlkngh9slya",
        "unsupported-address-type",
    ),
    (BCH, "BITCOINCASH:QPM2QSZNHKS23Z7629MMS6S4CWEF74VCWVY22GDX6A", "bad-address"),
    (BCH, "bitcoincash:Qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "bad-address"),
    (BCH, "ecash:qq8d5lh8c78sraajk2ndeqvgqjhdu58zny7etakvlm", "bad-address"),
    (EVM, "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "bad-address"),
    (EVM, "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "bad-address"),
    (EVM, "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "bad-address"),
    (EVM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "bad-address"),
    (EVM, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1bea  ", "bad-address"),
    (EVM, "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beag1", "bad-address"),
    (FEVM, "f410fa7sh5u6fvd7vt625dx2akhbu3jt7yvkhgdp55kj", "bad-address"),
    (FEVM, "f410fA7sh5u6fvd7vt625dx2akhbu3jt7yvkhgdp55ki", "bad-address"),
    (TRON, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", "bad-address"),
    (TRON, "41a614f803b6fd780986a42c78ec9c7f77e6ded13c", "bad-address"),
    (TRON, "0xa614f803b6fd780986a42c78ec9c7f77e6ded13c", "bad-address"),
    (SOL, "7bzotJhZmpU1vQVjN63fQ3iVYmWCVgQh1sYSqsju", "bad-address"),
    (SOL, "1111111111111111111111111111111", "bad-address"),
    (SOL, "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYBB", "bad-address"),
    (SOL, "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNY0", "bad-address"),
    (SOL, "0s9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", "bad-address"),
    (APTOS, "0x", "bad-address"),
    (APTOS, "1", "bad-address"),
    (APTOS, "0x" + "0" * 64 + "1", "bad-address"),
    (SUI, "0x+1", "bad-address"),
    (TON, "EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDt", "bad-address"),
    (TON, "eqCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs", "bad-address"),
    # Both base64 alphabets in one text (okx/proof-of-reserves address with signs of each kind)
    (TON, "EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCix+v7Nw2Id_sDs", "bad-address"),
    (TON, "00:b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe", "bad-address"),
    (
        TON,
        "7:b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe",
        "unsupported-address-type",
    ),
    # Kusama text on a Polkadot row; another letter case
    (DOT, "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F", "bad-address"),
    (DOT, "15of4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5", "bad-address"),
    (BEACON, "0x" + "ab" * 47, "bad-address"),
    (BEACON, "0x" + "ab" * 49, "bad-address"),
    (BEACON, "0xab" * 24, "bad-address"),
    (XRP, "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDy", "bad-address"),
    (XRP, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bad-address"),
    (chain("none"), "whatever", "unsupported-address-type"),
    (chain("base58"), "whatever", "unsupported-address-type"),
    (chain("../evm"), "whatever", "unsupported-address-type"),
]


@pytest.mark.parametrize(("spec", "text", "code"), REFUSED)
def test_other_texts_are_refused_with_their_reason(spec, text, code):
    with pytest.raises(AddressError) as caught:
        decode(spec, text)
    assert caught.value.code == code


def test_testnet_flag_of_ton_is_demanded_where_the_chain_says_so():
    testnet = chain("ton", testnet=True)
    account = decode(TON, "EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs")
    flagged = encode(testnet, account)
    assert flagged.startswith("kQ")
    assert decode(testnet, flagged) == account
    with pytest.raises(AddressError):
        decode(TON, flagged)


@pytest.mark.parametrize("spec", [EVM, TRON, SOL, APTOS, SUI, TON, DOT, BEACON, XRP, BTC])
@pytest.mark.parametrize("length", [0, 1, 19, 21, 31, 34])
def test_accounts_of_wrong_length_have_no_text(spec, length):
    with pytest.raises(AddressError):
        encode(spec, b"\x01" * length)


def test_litecoin_scripts_have_two_version_bytes():
    # okx/proof-of-reserves common/crypto_test.go
    modern = "MH7Qru4KFC6tLSiSq7bTWUDyiXERwzdqKp"
    old = bytes_to_base58check(b"\x05" + base58check_to_bytes(modern)[1:])
    assert old.startswith("3")
    assert decode(LTC, old) == decode(LTC, modern)
    assert encode(LTC, decode(LTC, old)) == modern


@pytest.mark.parametrize("text", ["bc1qqqqqqqq", "bc1", "bc1qqq", "qqqqqqqq"])
def test_bech32_itself_knows_its_checksum(text):
    with pytest.raises(AddressError):
        bech32_to_digits(text, "bc")


def test_well_formed_texts_that_break_a_rule_behind_the_checksum():
    digits = bytes_to_digits(bytes(31) + b"\x01")
    padded = digits[:-1] + bytes((digits[-1] | 1,))
    made = [
        (BTC, digits_to_bech32(b"\x00" + padded, "bc", BECH32), "bad-address"),
        (BTC, digits_to_bech32(b"\x00" + digits + b"\x00", "bc", BECH32), "bad-address"),
        (BTC, digits_to_bech32(b"\x11" + digits, "bc", BECH32M), "bad-address"),
        (BTC, digits_to_bech32(b"\x02" + digits, "bc", BECH32M), "unsupported-address-type"),
        (BTC, bytes_to_base58check(b"\x6f" + bytes(20)), "bad-address"),
        (BTC, bytes_to_base58check(b"\x00" + bytes(19)), "bad-address"),
        (BTC, bytes_to_base58check(b"\x00" + bytes(21)), "bad-address"),
        (TRON, bytes_to_base58check(b"\xa0" + bytes(20)), "bad-address"),
        (TRON, bytes_to_base58check(b"\x41" + bytes(19)), "bad-address"),
        (TON, friendly(b"\x12" + bytes(33)), "bad-address"),
        (TON, friendly(b"\x11\x05" + bytes(32)), "unsupported-address-type"),
        (XRP, ripple(b"\x05\x44" + bytes(20) + b"\x02" + bytes(8)), "bad-address"),
        (XRP, ripple(b"\x05\x44" + bytes(20) + b"\x00\x01" + bytes(7)), "bad-address"),
        (XRP, ripple(b"\x05\x44" + bytes(20) + b"\x01" + bytes(7) + b"\x01"), "bad-address"),
        (XRP, ripple(b"\x05\x93" + bytes(29)), "bad-address"),
        (BCH, "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6q", "bad-address"),
    ]
    for spec, text, code in made:
        with pytest.raises(AddressError) as caught:
            decode(spec, text)
        assert caught.value.code == code, text


def friendly(body):
    return urlsafe_b64encode(body + crc_hqx(body, 0).to_bytes(2, "big")).decode()


def ripple(payload):
    return bytes_to_base58check(payload).translate(xrpl._TO_RIPPLE)


def test_token_aware_and_long_script_cashaddr():
    # CashTokens and CashAddr specifications: type 2 is P2PKH, a 32-byte type 1 is P2SH32.
    account = decode(BCH, "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a")
    aware = payload_to_cashaddr(b"\x10" + account[3:-2], "bitcoincash")
    assert aware.split(":")[1][0] == "z"
    assert decode(BCH, aware) == account
    long = payload_to_cashaddr(b"\x0b" + bytes(32), "bitcoincash")
    assert decode(BCH, long) == b"\xaa\x20" + bytes(32) + b"\x87"
    assert encode(BCH, decode(BCH, long)) == long
    with pytest.raises(AddressError) as caught:
        decode(XEC, payload_to_cashaddr(b"\x10" + bytes(20), "ecash"))
    assert caught.value.code == "unsupported-address-type"
