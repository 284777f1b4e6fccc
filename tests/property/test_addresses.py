"""Generated accounts and texts: every codec round-trips and holds its checksum."""

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chains.addresses import AddressError, bech32, decode, encode
from chains.addresses.base58 import (
    base58_to_bytes,
    base58check_to_bytes,
    bytes_to_base58,
    bytes_to_base58check,
)
from chains.model import AssetId, ChainId, ChainSpec

pytestmark = pytest.mark.property


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


def script(kind, digest):
    heads = {
        "p2pkh": (b"\x76\xa9\x14", b"\x88\xac", 20),
        "p2sh": (b"\xa9\x14", b"\x87", 20),
        "p2wpkh": (b"\x00\x14", b"", 20),
        "p2wsh": (b"\x00\x20", b"", 32),
        "p2tr": (b"\x51\x20", b"", 32),
    }
    head, tail, length = heads[kind]
    return head + digest[:length] + tail


BTC = chain("bitcoin", p2pkh=[0], p2sh=[5], hrp="bc")
ZEC = chain("bitcoin", p2pkh=[0x1CB8], p2sh=[0x1CBD])
BCH = chain("bitcoin", p2pkh=[0], p2sh=[5], cashaddr="bitcoincash")
digests = st.binary(min_size=32, max_size=32)
legacy = st.sampled_from(["p2pkh", "p2sh"])
scripts = st.builds(script, legacy, digests)
witnesses = st.builds(script, st.sampled_from(["p2wpkh", "p2wsh", "p2tr"]), digests)
accounts_of_20 = st.binary(min_size=20, max_size=20)
accounts_of_32 = st.binary(min_size=32, max_size=32)

ACCOUNTS = st.one_of(
    st.tuples(st.just(BTC), scripts | witnesses),
    st.tuples(st.sampled_from([ZEC, BCH]), scripts),
    st.tuples(
        st.sampled_from([chain("evm"), chain("tron"), chain("tron", version=0xA0), chain("xrpl")]),
        accounts_of_20,
    ),
    st.tuples(
        st.sampled_from([chain("solana"), chain("aptos"), chain("sui")])
        | st.integers(0, 0x3FFF).map(lambda prefix: chain("ss58", prefix=prefix)),
        accounts_of_32,
    ),
    st.tuples(
        st.sampled_from([chain("ton"), chain("ton", testnet=True)]),
        st.builds(bytes.__add__, st.sampled_from([b"\x00", b"\xff"]), accounts_of_32),
    ),
    st.tuples(
        st.just(chain("bls")),
        st.binary(min_size=47, max_size=47).map(lambda rest: b"\x81" + rest),
    ),
)
CHECKED = {"bitcoin", "tron", "xrpl", "ss58", "ton"}
"""Formats whose text carries a checksum."""


@given(ACCOUNTS)
def test_accounts_round_trip(case):
    spec, account = case
    assert decode(spec, encode(spec, account)) == account


@given(ACCOUNTS, st.data())
def test_a_changed_text_is_refused_or_another_account(case, data):
    spec, account = case
    text = encode(spec, account)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    assume(letter != text[place])
    changed = text[:place] + letter + text[place + 1 :]
    try:
        decoded = decode(spec, changed)
    except AddressError:
        return
    assert spec.address not in CHECKED
    if spec.address in ("evm", "aptos", "sui", "bls"):
        assert decoded != account or changed.lower() == text.lower()
    else:
        assert decoded != account


@settings(deadline=None)
@given(ACCOUNTS, st.sampled_from([" ", "\t", "\n", "\u00a0", "\u200b", "\ufeff"]), st.booleans())
def test_surrounding_space_is_never_trimmed(case, space, in_front):
    spec, account = case
    text = encode(spec, account)
    with pytest.raises(AddressError):
        decode(spec, space + text if in_front else text + space)


@given(st.text(max_size=80))
@example("bc1")
@example("bc1p")
@example("bitcoincash:")
@example("1")
@example("0x" + "\u0661" * 40)
def test_any_text_decodes_or_raises_the_one_error(text):
    for spec in (BTC, BCH, ZEC, chain("evm", hrp="ex", f410="f"), chain("tron"), chain("ton")):
        try:
            account = decode(spec, text)
        except AddressError as error:
            code = error.code
        else:
            code = "bad-address"
            assert decode(spec, encode(spec, account)) == account
        assert code in ("bad-address", "unsupported-address-type")


@given(st.binary(max_size=70), st.sampled_from([b"\x76\xa9\x14", b"\xa9\x14"]))
@example(b"\x01\x02", b"\xa9\x14")
def test_what_is_written_can_be_read(payload, head):
    account = head + payload + (b"\x88\xac" if head[0] == 0x76 else b"\x87")
    for spec in (BTC, BCH, ZEC):
        try:
            text = encode(spec, account)
        except AddressError:
            continue
        assert decode(spec, text) == account


@given(accounts_of_20)
@example(b"\x20" + bytes(19))
@example(bytes(20))
def test_what_conflux_writes_can_be_read(account):
    try:
        text = encode(chain("conflux"), account)
    except AddressError:
        assert account[0] >> 4 not in (0, 1, 8)
    else:
        assert decode(chain("conflux"), text) == account


@given(accounts_of_20, st.lists(st.booleans(), min_size=40, max_size=40))
def test_mixed_case_of_evm_is_only_good_as_eip55_writes_it(account, raised):
    spec = chain("evm")
    canonical = encode(spec, account)
    digits = "".join(
        digit.upper() if up else digit for digit, up in zip(account.hex(), raised, strict=True)
    )
    is_good = digits in (canonical[2:], digits.lower(), digits.upper())
    if is_good:
        assert decode(spec, "0x" + digits) == account
    else:
        with pytest.raises(AddressError):
            decode(spec, "0x" + digits)


@given(st.binary(max_size=80))
def test_base58_is_exact(payload):
    assert base58_to_bytes(bytes_to_base58(payload)) == payload


BASE58 = st.text(alphabet="123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", max_size=90)


@given(BASE58, st.integers(0, 90), st.sampled_from("0OIl+/ \t_é１"))
def test_no_letter_outside_base58_is_read_as_one_of_it(text, place, letter):
    place %= len(text) + 1
    with pytest.raises(AddressError):
        base58_to_bytes(text[:place] + letter + text[place:])


@given(BASE58)
def test_every_base58_text_is_the_one_text_of_its_bytes(text):
    assert bytes_to_base58(base58_to_bytes(text)) == text


@given(st.binary(min_size=1, max_size=60))
def test_base58check_is_exact(payload):
    assert base58check_to_bytes(bytes_to_base58check(payload)) == payload


@given(st.binary(max_size=40))
def test_five_bit_digits_are_exact(payload):
    assert bech32.digits_to_bytes(bech32.bytes_to_digits(payload)) == payload


@settings(max_examples=50)
@given(digests, st.integers(0, 250), st.integers(0, 250))
def test_bech32_finds_two_changed_letters(digest, one, other):
    text = encode(BTC, script("p2wsh", digest))
    letters = list(text)
    for place in (one, other):
        at = 3 + place % (len(text) - 3)
        letters[at] = bech32.CHARSET[(bech32.CHARSET.index(letters[at]) + 1 + place) % 32]
    changed = "".join(letters)
    assume(changed != text)
    with pytest.raises(AddressError):
        decode(BTC, changed)
