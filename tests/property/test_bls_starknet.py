"""BLS and Starknet: published vectors, a second opinion, and mutants that must not pass.

The vectors are of OKX's checker, Lotus, Ethereum's BLS tests (ethereum/bls12-381-tests), StarkWare
(starkex-resources) and OKX's wallet library; none was made by this code.
"""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc.bls import G2Basic, G2ProofOfPossession
from py_ecc.bls.g2_primitives import G2_to_signature, signature_to_G2
from py_ecc.bls.point_compression import modular_squareroot_in_FQ2
from py_ecc.optimized_bls12_381 import FQ2, add, b2, curve_order, multiply

from chains.addresses import AddressError, decode, starknet
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, bls, judge
from chains.signatures.digests import okx_evm
from chains.signatures.stark_curve import ORDER, is_signed, pedersen, pedersen_array, y_of
from chains.signatures.starknet import digest, selector

milagro = bls._milagro()
pytestmark = pytest.mark.property


def chain(address):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
    )


def row(address_format, address, message, signature, scheme, *, key="", owners=()):
    spec = chain(address_format)
    return SignedAddress(
        spec=spec,
        address=address,
        account=decode(spec, address),
        message=message,
        signatures=(signature,),
        schemes=(scheme,),
        public_key=key,
        owners=owners,
    )


BETH = row(
    "bls",
    "0x82f5af1eb567301d0f71fe56e4bf8aa6e4ffa00c9ac92a8f67aae056b7f19e18be645f6d46c7862de8f1342fc4786853",
    "hello world",
    "0x98d6aa7da816638b8c27a1b6ff9a46529948960743300814f0413499b04886cdc65f63b273461ebaf42be17f08ca01"
    "fa13c964bf5a2d988c5c7fe745b472a90dcc86b522543c70020b5ce525b5ffaf6e4e4a7ce80b40049a509b12c3204554"
    "1a",
    "okx-bls",
)  # okx/proof-of-reserves common/crypto_test.go
F3 = row(
    "filecoin",
    "f3tcgq5scpfhdwh4dbalwktzf6mbv3ng2nw7tyzni5cyrsgvineid6jybnweecpa6misa6lk4tvwtxj2gkwpzq",
    "potato",
    "0x9927444bfcffdca34af57b78757b9b90f1cd28d2a3aeed2aa6bde299f8bbb9184756f2287b0588e6d3f2860d2bb206"
    "6e0c59778c1e644fb2cfb35fba8f09fa824a9ed825108c82ff4bf634c1037eeaf185f45673d4a1c1c6eeb712b7d72a54"
    "98",
    "fil-f3",
)  # filecoin-project/lotus lib/sigs/bls/bls_test.go
STARK = row(
    "starknet",
    "0x03b7f0b02b63683eca1639fb2d5dfa1021628d4ee728b03bc0ac2be66edc32f1",
    "OKC_DTT_AUP2025",
    "04550efc3034895232cac30b73677c81cf949e7428d9629eda85b83e60614f45"
    "061639b572eb88f82f304b6a3ad4f2392a835e5582b918da53ddaaee4e342ea0",
    "okx-starknet",
    key="0x6459074aa056e6dfb18539e414720ca7518b4d9b6d9a9fa0a3a64b8e2287963",
)  # okx/proof-of-reserves example/test.csv
ETH2 = (
    bytes.fromhex(
        "b301803f8b5ac4a1133581fc676dfedc60d891dd5fa99028805e5ea5b08d3491af75d0707adab3b70c6a6a580217bf81"
    ),
    bytes([0x56]) * 32,
    bytes.fromhex(
        "af1390c3c47acdb37131a51216da683c509fce0e954328a59f93aebda7e4ff974ba208d9a4a2a2389f892a9d418d6184"
        "18dd7f7a6bc7aa0da999a9d3a5b815bc085e14fd001f6a1948768a3f4afefc8b8240dda329f984cb345c6363272ba4fe"
    ),
)  # ethereum/bls12-381-tests, verify_valid
INFINITY_KEY, INFINITY_SIGNATURE = b"\xc0" + bytes(47), b"\xc0" + bytes(95)


def refusal(changed):
    with pytest.raises((Refused, Unsupported)) as caught:
        judge(changed)
    return caught.value.code


def with_signature(good, raw, *, prefix="0x"):
    return msgspec.structs.replace(good, signatures=(prefix + raw.hex(),))


def raw_of(good):
    return bytes.fromhex(good.signatures[0].removeprefix("0x"))


@pytest.mark.parametrize(
    ("good", "status", "reason"),
    [
        (BETH, Ownership.SIGNER_ONLY, "link-unobserved"),
        (F3, Ownership.BOUND, "key-derives-address"),
        (STARK, Ownership.SIGNER_ONLY, "link-unobserved"),
    ],
)
def test_published_rows(good, status, reason):
    outcome = judge(good)
    assert (outcome.status, outcome.reason, outcome.scheme) == (status, reason, good.schemes[0])
    assert len(outcome.keys) == 1


def test_the_vector_names_are_accepted():
    for good, alias in ((F3, "fil-f3-bls(RO_NUL)"), (BETH, "okx-beth-bls-pop")):
        assert judge(msgspec.structs.replace(good, schemes=(alias,))).scheme == good.schemes[0]


@pytest.mark.parametrize("good", [BETH, STARK])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_changed_bit_of_the_signature_passes(good, data):
    raw = bytearray(raw_of(good))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    refusal(with_signature(good, bytes(raw)))


@pytest.mark.parametrize("good", [BETH, STARK])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_no_changed_bit_of_the_account_or_text_passes(good, data):
    account = bytearray(good.account)
    bit = data.draw(st.integers(0, len(account) * 8 - 1))
    account[bit // 8] ^= 1 << bit % 8
    refusal(msgspec.structs.replace(good, account=bytes(account)))
    text = data.draw(st.text(alphabet=st.characters(max_codepoint=126), max_size=40))
    if text != good.message:
        refusal(msgspec.structs.replace(good, message=text))


@pytest.mark.parametrize("bit", [2, 400, 767])
def test_no_changed_bit_of_an_f3_signature_passes(bit):
    raw = bytearray(raw_of(F3))
    raw[bit // 8] ^= 0x80 >> bit % 8
    refusal(with_signature(F3, bytes(raw)))


def test_an_f3_address_of_another_key_or_kind_does_not_pass():
    other = milagro.SkToPk((5).to_bytes(32, "big"))
    assert refusal(msgspec.structs.replace(F3, account=b"\x03" + other)) == "wrong-signature"
    assert refusal(msgspec.structs.replace(F3, account=b"\x01" + bytes(20))) == "unsupported-scheme"
    assert refusal(msgspec.structs.replace(F3, message="potato ")) == "wrong-signature"


def test_an_f3_key_that_signed_the_wallets_envelope_is_no_fault_of_the_row():
    """FRC-0102 by a BLS key: right by its words, but no vector of others confirms it."""
    envelope = b"\x19Filecoin Signed Message:\n6potato"
    raw = G2Basic.Sign(5, envelope)
    own = msgspec.structs.replace(F3, account=b"\x03" + G2Basic.SkToPk(5))
    for schemes in (("fil-f3",), ("fil-f1", "fil-frc102", "fil-f3")):
        row_of_both = msgspec.structs.replace(own, schemes=schemes)
        assert refusal(with_signature(row_of_both, raw)) == "unconfirmed-scheme"
    assert refusal(with_signature(own, G2Basic.Sign(6, envelope))) == "wrong-signature"


@pytest.mark.parametrize("good", [BETH, F3])
def test_lengths_encodings_and_infinity(good):
    raw = raw_of(good)
    for wrong in (raw[:-1], raw + b"U", b"", raw + raw, INFINITY_SIGNATURE):
        changed = with_signature(good, wrong)
        assert refusal(changed) == "bad-signature"
    spaced = good.signatures[0][:50] + " " + good.signatures[0][50:]
    assert refusal(msgspec.structs.replace(good, signatures=(spaced,))) == "bad-signature"
    beyond = int.from_bytes(raw[48:], "big") + bls.PRIME
    if beyond < 1 << 384:
        assert refusal(with_signature(good, raw[:48] + beyond.to_bytes(48, "big"))) == (
            "bad-signature"
        )
    key = good.account[-48:]
    head = good.account[:-48]
    for wrong in (INFINITY_KEY, bytes([key[0] & 0x7F]) + key[1:], b"\x9f" + b"\xff" * 47):
        assert refusal(msgspec.structs.replace(good, account=head + wrong)) == "bad-key"


def test_a_signature_under_the_other_tag_does_not_pass():
    secret = 7
    key = milagro.SkToPk(secret.to_bytes(32, "big"))
    message = okx_evm("hello world")
    assert bls.verify(key, message, G2ProofOfPossession.Sign(secret, message))
    assert not bls.verify(key, message, G2Basic.Sign(secret, message))


def small_order_point():
    """Return a point of the curve of G2 whose order is 13: outside the subgroup."""
    cofactor = 0x5D543A95414E7F1091D50792876A202CD91DE4547085ABAA68A205B2E5A7DDFA628F1CB4D9E82EF21537E293A6691AE1616EC6E786F0C70CF1C38E31C7238E5  # noqa: E501
    assert cofactor % 169 == 0
    for x in range(1, 20):
        y = modular_squareroot_in_FQ2(FQ2([x, 1]) ** 3 + b2)
        if y is not None:
            point = multiply((FQ2([x, 1]), y, FQ2.one()), curve_order * (cofactor // 169))
            if point[2] != FQ2.zero():
                return point
    raise AssertionError("no point found")


def test_a_small_order_part_is_refused():
    key, message, signature = ETH2
    assert bls.verify(*ETH2)
    assert G2ProofOfPossession.Verify(*ETH2)
    forged = bytes(G2_to_signature(add(signature_to_G2(signature), small_order_point())))
    assert not bls.verify(key, message, forged)
    assert not G2ProofOfPossession.Verify(key, message, forged)


def signed_by(count, message):
    secrets = [number.to_bytes(32, "big") for number in range(1, count + 1)]
    return [(milagro.SkToPk(one), message, milagro.Sign(one, message)) for one in secrets]


def test_two_rows_with_each_others_signature_do_not_cancel_out():
    one, two = signed_by(2, b"\x22" * 32)
    swapped = [(one[0], one[1], two[2]), (two[0], two[1], one[2])]
    total = milagro.Aggregate([one[2], two[2]])
    assert milagro.FastAggregateVerify([one[0], two[0]], one[1], total)  # why sums do not do
    assert not any(bls.verify(*check) for check in swapped)


def test_named_owners_do_not_turn_a_validators_row_into_more():
    owned = msgspec.structs.replace(BETH, owners=("0x" + "11" * 20,))
    assert refusal(owned) == "bad-owner"


PEDERSEN = [
    (
        0x3D937C035C878245CAF64531A5756109C53068DA139362728FEB561405371CB,
        0x208A0A10250E382E1E4BBE2880906C2791BF6275695E02FBBC6AEFF9CD8B31A,
        0x30E480BED5FE53FA909CC0F8C4D99B8F9F2C016BE4C41E13A4848797979C662,
    ),
    (
        0x58F580910A6CA59B28927C08FE6C43E2E303CA384BADC365795FC645D479D45,
        0x78734F65A067BE9BDB39DE18434D71E79F7B6466A4B66BBD979AB9E7515FE0B,
        0x68CC0B76CDDD1DD4ED2301ADA9B7C872B23875D5FF837B3A87993E0D9996B87,
    ),
    (0, 0, 0x49EE3EBA8C1600700EE1B87EB599F16716B0B1022947733551FDE4050CA6804),
    (1, 2, 0x5BB9440E27889A364BCB678B1F679ECD1347ACDEDCBF36E83494F857CC58026),
]
"""starkware-libs/starkex-resources, signature_test_data.json; the last two from cairo-lang."""


@pytest.mark.parametrize(("left", "right", "expected"), PEDERSEN)
def test_pedersen_vectors(left, right, expected):
    assert pedersen(left, right) == expected


def test_pedersen_of_nothing_and_out_of_range():
    assert pedersen_array(()) == PEDERSEN[2][2]
    with pytest.raises(ValueError, match="field"):
        pedersen(2**252, 0)


STARKEX = (
    0x397E76D1667C4454BFB83514E120583AF836F8E32A516765497823EABE16A3F,
    0x173FD03D8B008EE7432977AC27D1E9D1A1F6C98B1A2F05FA84A21C84C44E882,
    0x4B6D75385AED025AA222F28A0ADC6D58DB78FF17E51C3F59E259B131CD5A1CC,
    0x77A3B314DB07C45076D11F62B6F9E748A39790441823307743CF00D6597EA43,
)
WALLET = (
    0x1D6F9DDEF6E87E75A12850AC21BFA1A9DCCABF97D5EFC311D16E1939DF367C1,
    0x07294C0AB1106743E278C0E5B0E51D2F85A2D220523F9562885D554E7617EE30,
    0x072AB5F6BB8E3451493677114564C72AF598279F32229234978170303AE977F5,
    0x02F4A65ECEA5351F49F181841BDDDCDF62F600D0E4864755699386D42DD17E37,
)
"""Digest, r, s, key: starkex-resources (party_a_order) and okx/go-wallet-sdk (message_test.go)."""


@pytest.mark.parametrize("vector", [STARKEX, WALLET])
def test_stark_ecdsa_vectors_and_their_neighbours(vector):
    assert is_signed(*vector)
    for place in range(4):
        changed = list(vector)
        changed[place] += 1
        assert not is_signed(*changed)
    number, r, s, key = vector
    for wrong in (
        (number, 0, s, key),
        (number, r, 0, key),
        (0, r, s, key),
        (number, r, ORDER, key),
    ):
        assert not is_signed(*wrong)


def test_starknet_selector_and_digest_parts():
    domain = "StarkNetDomain(name:felt,version:felt,chainId:felt)"
    assert selector(domain) == 0x1BFC207425A47A5DFA1A50A4F5241203F50624CA5FDF5E18755765416B8E288


@pytest.mark.parametrize("text", ["", "x" * 32, "1234", "0x12", "é"])
def test_texts_that_are_no_short_string_are_unsupported(text):
    with pytest.raises(Unsupported):
        digest(1, text)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"public_key": ""}, "missing-key"),
        ({"public_key": "0xzz"}, "bad-key"),
        ({"public_key": "0x" + "f" * 64}, "bad-key"),
        ({"public_key": STARK.public_key + " "}, "bad-key"),
        ({"signatures": (STARK.signatures[0][:-1],)}, "bad-signature"),
        ({"signatures": (STARK.signatures[0] + "00",)}, "bad-signature"),
        ({"message": "I am an OKX address"}, "wrong-signature"),
        ({"account": (1).to_bytes(32, "big")}, "wrong-signature"),
        ({"spec": chain("evm")}, "unsupported-scheme"),
    ],
)
def test_starknet_rows_that_must_not_pass(change, code):
    assert refusal(msgspec.structs.replace(STARK, **change)) == code


def test_a_key_off_the_curve_is_no_key():
    wrong = next(x for x in range(1, 50) if y_of(x) is None)
    assert refusal(msgspec.structs.replace(STARK, public_key=hex(wrong))) == "bad-key"


@given(st.integers(1, starknet.BOUND - 1))
def test_starknet_addresses_come_back(number):
    account = number.to_bytes(32, "big")
    assert decode(chain("starknet"), starknet.encode(account, {})) == account
    assert decode(chain("starknet"), hex(number)) == account


@pytest.mark.parametrize(
    "text",
    ["0x", "0x0", "1", "0X12", "0x" + "0" * 63 + "12", " 0x12", "0x12 ", "0x1_2", "0x-1",
     hex(starknet.BOUND), "0x\u0661"],
)  # fmt: skip
def test_what_is_no_starknet_address(text):
    with pytest.raises(AddressError):
        decode(chain("starknet"), text)
