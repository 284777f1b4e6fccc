"""Address formats of the Ed25519 chains: one canonical text, and nothing else read as one."""

from hashlib import blake2b

import pytest

from chains.addresses import AddressError, bech32, decode, encode
from tests.unit.ed25519_vectors import chain

pytestmark = pytest.mark.unit

GOOD = [
    # stellar/stellar-protocol:ecosystem/sep-0023.md, the valid test cases
    (
        "stellar",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK",
        "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
    ),
    # cardano-foundation/CIPs: CIP-0019, test vectors (types 0, 6, 14)
    (
        "cardano",
        "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x",
        None,
    ),
    ("cardano", "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8", None),
    ("cardano", "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw", None),
    ("near", "alice.near", None),
    ("near", "a_b-c.d.near", None),
    ("algorand", "J4AEINCSSLDA7LNBNWM4ZXFCTLTOZT5LG3F5BLMFPJYGFWVCMU37EZI2AM", None),
    ("hedera", "0.0.800", None),
]


@pytest.mark.parametrize(("name", "text", "canonical"), GOOD)
def test_addresses_have_one_canonical_text(name, text, canonical):
    account = decode(chain(name), text)
    assert encode(chain(name), account) == (canonical or text)
    assert decode(chain(name), canonical or text) == account


BAD = [
    # stellar/stellar-protocol:ecosystem/sep-0023.md, the invalid test cases
    ("stellar", "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZA", "bad-address"),
    ("stellar", "G47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVP2I", "bad-address"),
    (
        "stellar",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLKA",
        "bad-address",
    ),
    (
        "stellar",
        "M47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ",
        "bad-address",
    ),
    (
        "stellar",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLL",
        "bad-address",
    ),
    ("stellar", "ga7qynf7sowq3glr2bgmzehxaviRZA4KVWLTJJFC7MGXUA74P7UJVSGZ", "bad-address"),
    ("cardano", "addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz", "bad-address"),
    (
        "cardano",
        "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k",
        "unsupported-address-type",
    ),
    (
        "cardano",
        "37btjrVyb4KDXBNC4haBVPCrro8AQPHwvCMp3RFhhSVWwfFmZ6wwzSK6JK1hY6wHNmtrpTf1kdbva8TCneM2YsiXT7mrzT21EacHnPpz5YyUdj64na",
        "unsupported-address-type",
    ),
    ("cardano", "Addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8", "bad-address"),
    ("cardano", "addr1", "bad-address"),
    ("near", "a", "bad-address"),
    ("near", "Alice.near", "bad-address"),
    ("near", "a..near", "bad-address"),
    ("near", "-a.near", "bad-address"),
    ("near", "a" * 65, "bad-address"),
    ("near", "a.near\n", "bad-address"),
    ("algorand", "J4AEINCSSLDA7LNBNWM4ZXFCTLTOZT5LG3F5BLMFPJYGFWVCMU37EZI2AN", "bad-address"),
    ("algorand", "J4AEINCSSLDA7LNBNWM4ZXFCTLTOZT5LG3F5BLMFPJYGFWVCMU37EZI2BM", "bad-address"),
    ("hedera", "0.0", "bad-address"),
    ("hedera", "0.0.01", "bad-address"),
    ("hedera", "0.0.9999999999999999999", "bad-address"),
    ("hedera", "0.0.123-vfmkw", "unsupported-address-type"),
]


@pytest.mark.parametrize(("name", "text", "code"), BAD)
def test_other_texts_are_no_addresses(name, text, code):
    with pytest.raises(AddressError) as caught:
        decode(chain(name), text)
    assert caught.value.code == code


def test_cardano_headers_of_another_network_or_type_are_no_addresses():
    digits = bech32.bytes_to_digits
    for header, prefix in ((0x60, "addr"), (0xE1, "addr"), (0x61, "stake"), (0x91, "addr")):
        body = bytes((header,)) + bytes(28)
        text = bech32.digits_to_bech32(digits(body), prefix, bech32.BECH32)
        with pytest.raises(AddressError):
            decode(chain("cardano"), text)
    body = b"\x61" + bytes(28)
    for account in (body + b"\0", body[:-1], b"\x01" + bytes(28), b"\x60" + bytes(28), b""):
        with pytest.raises(AddressError):
            encode(chain("cardano"), account)
    modern = bech32.digits_to_bech32(digits(body), "addr", bech32.BECH32M)
    with pytest.raises(AddressError, match="bech32m"):
        decode(chain("cardano"), modern)
    test = encode(chain("cardano", network=0), b"\x60" + bytes(28))
    assert test.startswith("addr_test1")
    assert decode(chain("cardano", network=0), test) == b"\x60" + bytes(28)


def test_substrate_networks_have_their_own_prefixes():
    key = blake2b(b"", digest_size=32).digest()
    texts = {prefix: encode(chain("ss58", prefix=prefix), key) for prefix in (0, 2, 5, 8, 30, 36)}
    texts |= {prefix: encode(chain("ss58", prefix=prefix), key) for prefix in (42, 1110, 2135)}
    for prefix, text in texts.items():
        for other in texts:
            if other == prefix:
                assert decode(chain("ss58", prefix=other), text) == key
            else:
                with pytest.raises(AddressError):
                    decode(chain("ss58", prefix=other), text)
