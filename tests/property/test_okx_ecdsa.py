"""Generated rows of every secp256k1 chain: what is signed binds, and no mutant of it does.

One key owns an account on each network, so each network's row is also tried under the
addresses that the same key has on all the others.
"""

from base64 import b64encode
from hashlib import sha256

import coincurve
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chains.addresses import AddressError, decode, encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, digests, judge
from chains.signatures import secp_wallets as wallets
from chains.signatures.antelope import _checksum, bytes_to_base58, key_text
from chains.signatures.secp_accounts import RULES
from chains.signatures.xrpl import half_sha512

pytestmark = pytest.mark.property

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
secrets = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


def chain(name, address, **params):
    return ChainSpec(
        id=ChainId(f"test:{name}"),
        name=name,
        adapter="none",
        address=address,
        native=AssetId(f"test:{name}/slip44:0"),
        address_params=params,
    )


CHAINS = [
    chain("OKC", "evm", hrp="ex"),
    chain("FIL", "filecoin", evm=True),
    chain("CFX", "conflux"),
    chain("CFX-testnet", "conflux", network=1),
    chain("ELF", "aelf"),
    chain("LUNC", "cosmos", hrp="terra", lengths=[20, 32]),
    chain("ATOM", "cosmos", hrp="cosmos"),
    chain("INJ", "cosmos", hrp="inj", key="keccak"),
    chain("ONE", "cosmos", hrp="one", key="keccak"),
    chain("AVAX-X", "cosmos", hrp="avax", prefix="X-"),
    chain("ICX", "icon"),
    chain("STX", "stacks"),
    chain("FLOW", "flow"),
    chain("XRP", "xrpl"),
    chain("NULS", "nuls"),
    chain("DOT", "ss58", prefix=0),
]
BY_NAME = {spec.name: spec for spec in CHAINS}
LOW_S_FREE = {"fil-f1", "fil-frc102", "substrate-ecdsa", "substrate-ethereum"}
"""Schemes whose chains take a high s: it is another writing of the same signature."""


class Made(msgspec.Struct, frozen=True):
    """A genuine row, its r ‖ s ‖ recovery id, and how such bytes are written."""

    row: SignedAddress
    raw: bytes
    plus: int
    write: str

    def with_raw(self, raw):
        body = raw[:64] + bytes(((raw[64] + self.plus) % 256,)) + raw[65:]
        text = {
            "hex": lambda: "0x" + body.hex(),
            "base64": lambda: b64encode(raw[:64] + raw[65:]).decode(),
            "der": lambda: der(raw),
        }[self.write]()
        return msgspec.structs.replace(self.row, signatures=(text,))


def der(raw):
    body = b""
    for digits in (raw[:32], raw[32:64]):
        short = digits.lstrip(b"\0") or b"\0"
        short = b"\0" + short if short[0] & 0x80 else short
        body += b"\x02" + bytes((len(short),)) + short
    return (b"\x30" + bytes((len(body),)) + body + raw[65:]).hex()


def key_of(secret):
    return coincurve.PrivateKey(secret).public_key.format(compressed=False)


def accounts_of(secret, spec):
    return sorted(RULES[spec.address].derive(key_of(secret), spec.address_params))


def make(secret, spec, text, scheme, *, which=0, named=False):
    accounts = accounts_of(secret, spec)
    account = accounts[which % len(accounts)]
    plus, write, digest = {
        "okx-ecdsa": (27, "hex", digests.okx_ecdsa),
        "cfx-personal-sign": (0, "hex", wallets.conflux_message),
        "fil-f1": (0, "hex", wallets.filecoin_message),
        "fil-frc102": (0, "hex", wallets.filecoin_personal_message),
        "stacks-message": (0, "hex", wallets.stacks_message),
        "substrate-ecdsa": (0, "hex", wallets.substrate_hash),
        "substrate-ethereum": (0, "hex", digests.bare_keccak),
        "xrpl-secp256k1": (0, "der", half_sha512),
        "adr36": (0, "base64", lambda one: _adr36(one, encode(spec, account))),
        "eip191": (27, "hex", digests.personal_sign),
    }[scheme]
    raw = coincurve.PrivateKey(secret).sign_recoverable(digest(text), hasher=None)
    row = SignedAddress(
        spec=spec,
        address=encode(spec, account),
        account=account,
        message=text,
        signatures=("",),
        schemes=(scheme,),
        public_key=coincurve.PrivateKey(secret).public_key.format().hex() if named else "",
    )
    made = Made(row, raw, plus, write)
    return Made(made.with_raw(raw), raw, plus, write)


def _adr36(text, signer):
    return sha256(wallets.adr36_document(text, signer)).digest()


OKX_NAMES = sorted(BY_NAME.keys() - {"DOT"})
OKX = st.builds(
    make,
    secrets,
    st.sampled_from([BY_NAME[name] for name in OKX_NAMES]),
    texts,
    st.just("okx-ecdsa"),
    which=st.integers(0, 2),
    named=st.booleans(),
)
WALLETS = [
    ("CFX", "cfx-personal-sign"),
    ("CFX-testnet", "cfx-personal-sign"),
    ("FIL", "fil-f1"),
    ("FIL", "fil-frc102"),
    ("STX", "stacks-message"),
    ("DOT", "substrate-ecdsa"),
    ("OKC", "substrate-ethereum"),
    ("XRP", "xrpl-secp256k1"),
    ("ATOM", "adr36"),
    ("LUNC", "adr36"),
    ("ONE", "eip191"),
]
WALLET = st.sampled_from(WALLETS).flatmap(
    lambda pair: st.builds(
        make,
        secrets,
        st.just(BY_NAME[pair[0]]),
        texts,
        st.just(pair[1]),
        which=st.integers(0, 2),
        named=st.booleans(),
    )
)
MADE = OKX | WALLET
KEYED = MADE.filter(lambda made: made.row.schemes != ("eip191",))
"""EVM schemes do not read the key column: the key is recovered, and nothing there can help."""


def is_bound(row):
    try:
        return judge(row).status is Ownership.BOUND
    except (Refused, Unsupported):
        return False


def at(row, text):
    """Return the row under another text of an address, as the list's reader would make it."""
    try:
        account = decode(row.spec, text)
    except AddressError:
        return None
    return msgspec.structs.replace(row, address=text, account=account)


@settings(max_examples=80, deadline=None)
@given(MADE)
def test_what_is_signed_binds(made):
    assert judge(made.row).status is Ownership.BOUND
    assert at(made.row, made.row.address) == made.row


@settings(max_examples=250, deadline=None)
@given(MADE, st.data())
def test_no_changed_bit_of_a_signature_binds(made, data):
    width = 64 if made.write != "hex" else 65
    bit = data.draw(st.integers(0, width * 8 - 1))
    changed = bytearray(made.raw)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_bound(made.with_raw(bytes(changed)))


@settings(max_examples=120, deadline=None)
@given(MADE, texts)
def test_no_other_text_binds(made, text):
    assume(text != made.row.message)
    if made.row.schemes[0].startswith("substrate"):
        assume(wallets.in_bytes(text) != made.row.message)
    assert not is_bound(msgspec.structs.replace(made.row, message=text))


@settings(max_examples=200, deadline=None)
@given(MADE, st.data())
def test_no_changed_bit_of_an_account_binds(made, data):
    bit = data.draw(st.integers(0, len(made.row.account) * 8 - 1))
    changed = bytearray(made.row.account)
    changed[bit // 8] ^= 1 << bit % 8
    assert not is_bound(msgspec.structs.replace(made.row, account=bytes(changed)))


@settings(max_examples=200, deadline=None)
@given(MADE, st.data())
def test_no_changed_letter_of_an_address_binds(made, data):
    text = made.row.address
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="ascii") | st.sampled_from([text[place].swapcase()]))
    assume(letter != text[place])
    row = at(made.row, text[:place] + letter + text[place + 1 :])
    # Hex alone ignores the case of a letter; it is then the same account.
    assert row is None or row.account == made.row.account or not is_bound(row)
    if row is not None and row.account == made.row.account:
        assert text.lower() == row.address.lower()
        assert made.row.spec.address == "icon"


@settings(max_examples=60, deadline=None)
@given(OKX)
def test_an_address_in_another_case_is_the_same_account_or_none(made):
    for text in (made.row.address.upper(), made.row.address.lower(), made.row.address.swapcase()):
        row = at(made.row, text)
        assert row is None or row.account == made.row.account


@settings(max_examples=25, deadline=None)
@given(secrets, texts)
def test_no_other_networks_address_of_the_same_key_binds(secret, text):
    made = {name: make(secret, BY_NAME[name], text, "okx-ecdsa") for name in OKX_NAMES}
    for name, one in made.items():
        assert is_bound(one.row), name
        for other, spec in BY_NAME.items():
            for account in accounts_of(secret, spec):
                foreign = encode(spec, account)
                row = at(one.row, foreign)
                if row is None or row.account == one.row.account:
                    continue
                own = accounts_of(secret, one.row.spec)
                assert not is_bound(row) or row.account in own, (name, other, foreign)


@settings(max_examples=60, deadline=None)
@given(KEYED, secrets)
def test_no_row_with_another_key_in_its_column_binds(made, secret):
    key = coincurve.PrivateKey(secret).public_key
    assume(key.format(compressed=False) not in judge(made.row).keys)
    genuine = key_text(key.format())
    for text in (key.format().hex(), key.format(compressed=False).hex(), genuine, "00" * 33):
        assert not is_bound(msgspec.structs.replace(made.row, public_key=text))


@settings(max_examples=60, deadline=None)
@given(MADE)
def test_a_high_s_binds_only_where_the_chain_takes_it(made):
    s = ORDER - int.from_bytes(made.raw[32:64], "big")
    high = made.raw[:32] + s.to_bytes(32, "big") + bytes((made.raw[64] ^ 1,))
    assert is_bound(made.with_raw(high)) is (made.row.schemes[0] in LOW_S_FREE)


@settings(max_examples=100, deadline=None)
@given(MADE, st.binary(min_size=1, max_size=3), st.integers(1, 64))
def test_no_longer_or_shorter_signature_binds(made, extra, cut):
    for more in (extra, made.raw[64:]):  # the recovery id, where none belongs, as well
        assert not is_bound(made.with_raw(made.raw + more))
    text = made.row.signatures[0]
    for changed in (text[:-cut], text + " ", " " + text, text + text, text + "00"):
        assert not is_bound(msgspec.structs.replace(made.row, signatures=(changed,)))


@settings(max_examples=60, deadline=None)
@given(KEYED, st.text(max_size=140))
def test_any_text_as_signature_or_key_ends_in_a_verdict(made, text):
    row = msgspec.structs.replace(made.row, signatures=(text,))
    assert text == made.row.signatures[0] or not is_bound(row)
    # A filled column may only be the key that signed.
    row = msgspec.structs.replace(made.row, public_key=text)
    assert not text or text == made.row.public_key or not is_bound(row)


@settings(max_examples=60, deadline=None)
@given(MADE, secrets)
def test_another_keys_good_signature_never_binds(made, secret):
    assume(key_of(secret) not in judge(made.row).keys)
    other = make(secret, made.row.spec, made.row.message, made.row.schemes[0])
    assume(made.row.schemes != ("adr36",))
    row = msgspec.structs.replace(made.row, signatures=other.row.signatures, public_key="")
    assert not is_bound(row)
    # Nor beside the genuine one.
    both = msgspec.structs.replace(row, signatures=made.row.signatures + other.row.signatures)
    assert not is_bound(both)


@settings(max_examples=60, deadline=None)
@given(secrets, texts, st.data())
def test_names_of_antelope_are_never_bound(secret, text, data):
    digest = sha256(digests.frame(digests.OKX_HEADER, text)).digest()
    raw = coincurve.PrivateKey(secret).sign_recoverable(digest, hasher=None)
    body = bytearray(bytes((raw[64] + 31,)) + raw[:64])
    spec = chain("EOS", "antelope")

    def row(body):
        return SignedAddress(
            spec=spec,
            address="okbwallet1tr",
            account=decode(spec, "okbwallet1tr"),
            message=text,
            signatures=("SIG_K1_" + bytes_to_base58(bytes(body) + _checksum(bytes(body), b"K1")),),
            schemes=("okx-eos",),
            public_key=key_text(coincurve.PrivateKey(secret).public_key.format()),
        )

    assert judge(row(body)).status is Ownership.SIGNER_ONLY
    bit = data.draw(st.integers(0, 65 * 8 - 1))
    body[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Refused):
        judge(row(body))
