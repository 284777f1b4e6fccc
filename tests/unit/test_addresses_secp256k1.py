"""Public addresses of the secp256k1 chains outside Bitcoin, Ethereum and TRON."""

from hashlib import sha256

import coincurve
import pytest

from chains.addresses import AddressError, decode, encode
from chains.addresses.base58 import bytes_to_base58
from chains.addresses.bech32 import (
    BECH32M,
    bytes_to_digits,
    digits_to_bech32,
    payload_to_cashaddr,
)
from chains.model import AssetId, ChainId, ChainSpec
from chains.signatures.secp_accounts import RULES

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


FIL, FIL_T, FIL_EVM = chain("filecoin"), chain("filecoin", network="t"), chain("filecoin", evm=True)
ATOM = chain("cosmos", hrp="cosmos", lengths=[20, 32])
ONE = chain("cosmos", hrp="one", key="keccak", hex=True)
AVAX = chain("cosmos", hrp="avax", prefix="X-")
CFX, CFX_T = chain("conflux"), chain("conflux", network=1)
ELF, ELF_SIDE = chain("aelf", chain="AELF"), chain("aelf", chain="tDVV")
ICX, STX, EOS, FLOW = chain("icon"), chain("stacks"), chain("antelope"), chain("flow")
NULS = chain("nuls")
LAT = chain("evm", hrp="lat")

KNOWN = [
    # trustwallet/wallet-core tests/chains/Filecoin/AddressTests.cpp
    (FIL, "f00", "0000"),
    (FIL, "f01729", "00c10d"),
    (FIL, "f018446744073709551615", "00ffffffffffffffffff01"),
    (
        FIL,
        "f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq",
        "01ea0f0ea039b291a0f08fd179e0556a8c3277c0d3",
    ),
    (
        FIL,
        "f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as6i",
        "02e54dea4f9bc5b47d261819826d5e1fbf8bc5503b",
    ),
    (
        FIL,
        "f3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss4a",
        (
            "03ad58df696e2d4e91ea86c881e938ba4ea81b395e12797b84b9cf314b9546705e"
            "839c7a99d606b247ddb4f9ac7a3414dd"
        ),
    ),
    (FIL, "f432f77777777x32lpna", "0420ffffffffff"),
    (FIL, "f418446744073709551615ftnkyfaq", "04ffffffffffffffffff01"),
    (
        FIL,
        "f410frw6wy7w6sbsguyn3yzeygg34fgf72n5ao5sxyky",
        "040a8dbd6c7ede90646a61bbc649831b7c298bfd37a0",
    ),
    # Consensys/web3signer FcSecpArtifactSignerTest.java
    (FIL_T, "t1656rklyebnscuzs5dee3zwh2xknlqsy7r2ypxei", None),
    (
        ATOM,
        "cosmos1hsk6jryyqjfhp5dhc55tc9jtckygx0eph6dd02",
        "bc2da90c84049370d1b7c528bc164bc588833f21",
    ),
    # trustwallet/wallet-core tests/chains/Harmony/AddressTests.cpp
    (ONE, "one1a50tun737ulcvwy0yvve0pvu5skq0kjargvhwe", "ed1ebe4fd1f73f86388f231997859ca42c07da5d"),
    # okx/proof-of-reserves common/crypto_test.go
    (AVAX, "X-avax1v88xtvkfmas5467c0zcdhsdxv42nm8d0gjmp5q", None),
    (CFX, "cfx:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte55", None),
    (ELF, "2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7X", None),
    # Conflux-Chain/js-conflux-sdk test/conflux: hex beside the text
    (
        CFX_T,
        "cfxtest:aasm4c231py7j34fghntcfkdt2nm9xv1tu6jd3r1s7",
        "1cad0b19bb29d4674531d6f115237e16afce377c",
    ),
    # trustwallet/wallet-core tests/chains/ICON/AddressTests.cpp
    (
        ICX,
        "hx116f042497e5f34268b1b91e742680f84cf4e9f3",
        "00116f042497e5f34268b1b91e742680f84cf4e9f3",
    ),
    (
        ICX,
        "cx116f042497e5f34268b1b91e742680f84cf4e9f3",
        "01116f042497e5f34268b1b91e742680f84cf4e9f3",
    ),
    # Stacks' boot contract account, and micro-stacks' verify.test.ts
    (STX, "SP000000000000000000002Q6VF78", "16" + "00" * 20),
    (STX, "SP2JXKMSH007NPYAQHKJPQMAQYAD90NQGTVJVQ02B", None),
    # nodeos: the u64 of "eosio", as AntelopeIO writes it in decimal
    (EOS, "eosio", (6138663577826885632).to_bytes(8, "little").hex()),
    (EOS, "eosio.token", (6138663591592764928).to_bytes(8, "little").hex()),
    (EOS, "okbwallet1tr", None),
    # trustwallet/wallet-core tests/chains/NULS/AddressTests.cpp
    (NULS, "NULSd6HgbwcM8wz48f6UkFYHLVriT1L81X9z2", None),
    (NULS, "NULSd6HgUxmcJWc88iELEJ7RH9XHsazBQqnJc", None),
]


@pytest.mark.parametrize(("spec", "text", "account"), KNOWN)
def test_known_addresses_round_trip(spec, text, account):
    decoded = decode(spec, text)
    assert account is None or decoded.hex() == account
    assert encode(spec, decoded) == text


SAME = [
    (
        FIL_EVM,
        "f410fa7sh5u6fvd7vt625dx2akhbu3jt7yvkhgdp55ki",
        "0x07e47ed3c5a8ff59fb5d1df4051c34da67fc5547",
    ),
    (FIL_EVM, "f01729", "0xff000000000000000000000000000000000006c1"),
    (
        ONE,
        "one1jl389rqgh59lhf33j20pp082aj8utjtpuass6r",
        "0x97e2728c08bd0bfba631929e10bceaec8fc5c961",
    ),
    (
        CFX,
        "cfx:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte55",
        "CFX:TYPE.USER:AAMEKSD3GWVMTDUC861YM2UZKFAAWU9566K0JNTE55",
    ),
    (
        ELF,
        "2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7X",
        "ELF_2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7X_AELF",
    ),
    (
        ATOM,
        "cosmos1hsk6jryyqjfhp5dhc55tc9jtckygx0eph6dd02",
        "COSMOS1HSK6JRYYQJFHP5DHC55TC9JTCKYGX0EPH6DD02",
    ),
]


@pytest.mark.parametrize(("spec", "one", "other"), SAME)
def test_spellings_of_one_account_decode_to_the_same_bytes(spec, one, other):
    assert decode(spec, one) == decode(spec, other)


REFUSED = [
    # trustwallet/wallet-core tests/chains/Filecoin/AddressTests.cpp, invalid ones
    *(
        (FIL, text, "bad-address")
        for text in (
            "",
            "f",
            "f0",
            "f0-1",
            "f001",
            "f0\u0661",
            "f018446744073709551616",
            "f418446744073709551615",
            "f4f77777777vnmsana",
            "f15ihq5ibzwki2b4ep2f46avlkr\0zhpqgtga7pdrq",
            "t15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq",
            "f95ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq",
            "f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7rdrr",
            "f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as66",
            "F15IHQ5IBZWKI2B4EP2F46AVLKRQZHPQGTGA7PDRQ",
            "f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrQ",
            "f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gma",
            "f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq ",
            "0x07e47ed3c5a8ff59fb5d1df4051c34da67fc5547",
        )
    ),
    (ATOM, "cosmosvaloper1sxx9mszve0gaedz5ld7qdkjkfv8z992ax69k08", "bad-address"),
    (ATOM, "one1a50tun737ulcvwy0yvve0pvu5skq0kjargvhwe", "bad-address"),
    (ATOM, "Cosmos1hsk6jryyqjfhp5dhc55tc9jtckygx0eph6dd02", "bad-address"),
    (ATOM, "cosmos1hsk6jryyqjfhp5dhc55tc9jtckygx0eph6dd02 ", "bad-address"),
    (ATOM, "0xbc2da90c84049370d1b7c528bc164bc588833f21", "bad-address"),
    (ATOM, digits_to_bech32(bytes_to_digits(bytes(20)), "cosmos", BECH32M), "bad-address"),
    (ATOM, digits_to_bech32(bytes_to_digits(bytes(21)), "cosmos", 1), "bad-address"),
    (ONE, digits_to_bech32(bytes_to_digits(bytes(32)), "one", 1), "bad-address"),
    (AVAX, "avax1v88xtvkfmas5467c0zcdhsdxv42nm8d0gjmp5q", "bad-address"),
    (AVAX, "P-avax1v88xtvkfmas5467c0zcdhsdxv42nm8d0gjmp5q", "bad-address"),
    (AVAX, "x-avax1v88xtvkfmas5467c0zcdhsdxv42nm8d0gjmp5q", "bad-address"),
    (AVAX, "X-fuji185n87yeprljt4376qqsdtltqs53rtqj8mz8u20", "bad-address"),
    (CFX, "cfxtest:aasm4c231py7j34fghntcfkdt2nm9xv1tu6jd3r1s7", "bad-address"),
    (CFX_T, "cfx:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte55", "bad-address"),
    (CFX, "cfx:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte5E", "bad-address"),
    (CFX, "cfx:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte5a", "bad-address"),
    (CFX, "CFX:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte55", "bad-address"),
    (CFX, "cfx:type.contract:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte55", "bad-address"),
    (CFX, "cfx:type.user:x:aameksd3gwvmtduc861ym2uzkfaawu9566k0jnte55", "bad-address"),
    (CFX, "0x1cad0b19bb29d4674531d6f115237e16afce377c", "bad-address"),
    (ELF, "2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7x", "bad-address"),
    (
        ELF,
        "ELF_2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7X_tDVV",
        "unsupported-address-type",
    ),
    (
        ELF_SIDE,
        "ELF_2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7X_AELF",
        "unsupported-address-type",
    ),
    (ELF, "ELF_2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7X", "bad-address"),
    (ELF, "ELF_2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7X_bank", "bad-address"),
    (ELF, "ELF_2XNagboftecQgKRtgG8W5zpdRiZWinUfsfZm62a5NmmEVoZG7x_tDVV", "bad-address"),
    (ELF, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bad-address"),
    (ICX, "0x116f042497e5f34268b1b91e742680f84cf4e9f3", "bad-address"),
    (ICX, "hx116f042497e5f34268b1b91e742680f84cf4e9f", "bad-address"),
    (ICX, "Hx116f042497e5f34268b1b91e742680f84cf4e9f3", "bad-address"),
    (STX, "SP2JXKMSH007NPYAQHKJPQMAQYAD90NQGTVJVQ02C", "bad-address"),
    (STX, "sp2JXKMSH007NPYAQHKJPQMAQYAD90NQGTVJVQ02B", "bad-address"),
    (STX, "SP2JXKMSHOO7NPYAQHKJPQMAQYAD90NQGTVJVQ02B", "bad-address"),
    (STX, "SP02JXKMSH007NPYAQHKJPQMAQYAD90NQGTVJVQ02B", "bad-address"),
    (STX, "1A6RRGGQ5DJM9FWRPYQRPHPFBNN1VKPGRB02581", "bad-address"),
    (STX, "ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM", "bad-address"),
    (STX, "S", "bad-address"),
    (STX, "SP", "bad-address"),
    (STX, "SP000000000000000000002Q6VF78.pox-3", "unsupported-address-type"),
    # trustwallet/wallet-core tests/chains/EOS/NameTests.cpp, invalid ones
    (EOS, "Alice", "bad-address"),
    (EOS, "alice16", "bad-address"),
    (EOS, "12345satoshis", "bad-address"),
    (EOS, "alice.", "bad-address"),
    (EOS, "alice\n", "bad-address"),
    (EOS, "", "bad-address"),
    (NULS, "NULSd6HgbwcM8wz48f6UkFYHLVriT1L81X9z", "bad-address"),
    (NULS, "tNULSeBaMtdtUNbnNBZ5RoFoh3fHrrrm6dVZLH", "bad-address"),
    (NULS, "NULSd" + bytes_to_base58(b"\x02\0\x01" + bytes(20) + b"\x03"), "bad-address"),
    (
        NULS,
        "NULSd" + bytes_to_base58(b"\x01\0\x09" + bytes(20) + b"\x08"),
        "unsupported-address-type",
    ),
    (FLOW, "0xa8d1a60acba12a20", "unsupported-address-type"),
    (FLOW, "0xa8d1a60acba12a2", "bad-address"),
    (LAT, "atp1qqqqqq", "bad-address"),
]


@pytest.mark.parametrize(("spec", "text", "code"), REFUSED)
def test_other_texts_are_refused_with_their_reason(spec, text, code):
    with pytest.raises(AddressError) as caught:
        decode(spec, text)
    assert caught.value.code == code


def test_conflux_knows_its_types():
    made = payload_to_cashaddr(b"\0\x20" + bytes(19), "cfx").removeprefix("cfx:")
    table = str.maketrans("qpzry9x8gf2tvdw0s3jn54khce6mua7l", "abcdefghjkmnprstuvwxyz0123456789")
    with pytest.raises(AddressError) as caught:
        decode(CFX, "cfx:" + made.translate(table))
    assert caught.value.code == "unsupported-address-type"
    null = encode(CFX, bytes(20))
    assert decode(CFX, null.upper().replace("CFX:", "CFX:TYPE.NULL:")) == bytes(20)


@pytest.mark.parametrize("spec", [FIL, ATOM, ONE, AVAX, CFX, ELF, ICX, STX, EOS, NULS, FLOW])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 9, 19, 22, 24, 31, 33])
def test_accounts_of_wrong_length_have_no_text(spec, length):
    with pytest.raises(AddressError):
        encode(spec, b"\x01" * length)


@pytest.mark.parametrize(
    "raw", ["00", "00ff", "00ff00ff", "000101", "008000", "00ffffffffffffffffff80", "05", "040a00"]
)
def test_filecoin_numbers_are_in_their_shortest_form(raw):
    # trustwallet/wallet-core tests/chains/Filecoin/AddressTests.cpp, and two of ours
    with pytest.raises(AddressError):
        encode(FIL, bytes.fromhex(raw))


KEYS = [
    # A published test key and the address that its chain's own tools derive from it.
    # trustwallet/wallet-core tests/chains: ICON, NULS, Harmony, NativeInjective, CryptoOrg
    (
        ICX,
        "94d1a980d5e528067d44bf8a60d646f556e40ca71e17cd4ead2d56f89e4bd20f",
        "hx98c0832ca5bd8e8bf355ca9491888aa9725c2c48",
    ),
    (
        NULS,
        "a1269039e4ffdf43687852d7247a295f0b5bc55e6dda031cffaa3295ca0a9d7a",
        "NULSd6HghWa4CN5qdxqMwYVikQxRZyj57Jn4L",
    ),
    (
        ONE,
        "e2f88b4974ae763ca1c2db49218802c2e441293a09eaa9ab681779e05d1b7b94",
        "one1a50tun737ulcvwy0yvve0pvu5skq0kjargvhwe",
    ),
    (
        chain("cosmos", hrp="inj", key="keccak"),
        "8d2a3bd62d300a148c89dc8635f87b7a24a951bd1c4e78675fe40e1a640d46ed",
        "inj14py36sx57ud82t9yrks9z6hdsrpn5x6k8tf7m3",
    ),
    (
        chain("cosmos", hrp="cro"),
        "5469c1a88e67d6d490e647ac8d82d54c4a17b8f00d272b3b30fac2253339aa28",
        "cro1tcfsr7m7d6jk6fpyety373m8c39ea2f8dmp830",
    ),
    # trustwallet/wallet-core rust/tw_tests/tests/chains/cosmos/cosmos_address.rs
    (
        chain("cosmos", hrp="dydx"),
        "a498a9ee41af9bab5ef2a8be63d5c970135c3c109e70efc8c56c534e6636b433",
        "dydx1mry47pkga5tdswtluy0m8teslpalkdq0hc72uz",
    ),
    # okx/go-wallet-sdk coins/cosmos/{tia,atom,terra}, coins/filecoin, coins/stacks
    (
        chain("cosmos", hrp="celestia"),
        "1790962db820729606cd7b255ace1ac5ebb129ac8e9b2d8534d022194ab25b37",
        "celestia145q0tcdur4tcx2ya5cphqx96e54yflfy3cja3e",
    ),
    (
        ATOM,
        "1790962db820729606cd7b255ace1ac5ebb129ac8e9b2d8534d022194ab25b37",
        "cosmos145q0tcdur4tcx2ya5cphqx96e54yflfyqjrdt5",
    ),
    (
        chain("cosmos", hrp="terra"),
        "d8e1c3c4e7bdb833ff0d2edf074cd3240ea7f820be75d137d5e8c582099ac99f",
        "terra1zu3nyxs7setu9l69ehdf0e9g5yc8uhw4xxjksx",
    ),
    (
        FIL,
        "7c6207c56b6aa5ed4345c5f662816408e273cbdf64e2f01d54ced0125d6172c2",
        "f1bh3d2y6xxugpg3ygzxnjhcrs5ffxh5nvqmanbia",
    ),
    (
        STX,
        "598d99970d04be67e8b41ddd5c5453487eeab5345ea1638c9a2849dee377f2a3",
        "SP1QCZZWWXT5CADKWGEPGG6F4RM0BDH3NTTNM86ZG",
    ),
    # Conflux-Chain/js-conflux-sdk test/personalMessage.test.js
    (
        CFX_T,
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "cfxtest:aasm4c231py7j34fghntcfkdt2nm9xv1tu6jd3r1s7",
    ),
]


@pytest.mark.parametrize(("spec", "secret", "text"), KEYS)
def test_published_keys_derive_their_addresses(spec, secret, text):
    key = coincurve.PrivateKey(bytes.fromhex(secret)).public_key.format(compressed=False)
    derived = RULES[spec.address].derive(key, spec.address_params)
    assert decode(spec, text) in derived


def test_stacks_binds_both_forms_of_a_key_and_the_wrapped_witness():
    key = coincurve.PrivateKey(sha256(b"stacks").digest()).public_key.format(compressed=False)
    accounts = RULES["stacks"].derive(key, {})
    assert sorted(accounts.values()) == ["compressed", "p2sh-p2wpkh", "uncompressed"]
    assert {encode(STX, account)[:2] for account in accounts} == {"SP", "SM"}
