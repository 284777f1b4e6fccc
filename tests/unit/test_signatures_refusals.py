"""Rows of OKX's lists that must not be owned, judged with the shipped configuration.

The keys are known here, so that every row but one column is genuine. The rules and the other tests
of them: docs/schemes.md.
"""

import re
from hashlib import blake2b, sha3_256
from importlib.util import find_spec
from pathlib import Path

import coincurve
import msgspec
import pyarrow as pa
import pytest
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from chains.addresses import encode
from chains.model import AssetId, ChainId, ChainSpec
from chains.signatures import SCHEMES, Refused, SignedAddress, Unsupported, digests, judge
from chains.signatures.secp256k1 import compressed, hash160, keccak256, keccak_account
from crawler.examining.ownership import Reading, examine
from crawler.model import CLAIMS
from crawler.settings import Heights, load_world

pytestmark = pytest.mark.unit

TEXT = "I am an OKX address"
OWNED = ("bound", "controlled")


@pytest.fixture(scope="module")
def reading():
    return Reading(world=load_world(), exchange="okx", messages=None, heights=Heights())


def key(number):
    return coincurve.PrivateKey(bytes((number,)) * 32)


def long_key(number):
    return key(number).public_key.format(compressed=False)


def account(number):
    return "0x" + keccak_account(long_key(number)).hex()


def signed(number, digest=digests.okx_evm, text=TEXT):
    raw = key(number).sign_recoverable(digest(text), hasher=None)
    return "0x" + raw[:64].hex() + f"{raw[64] + 27:02x}"


CONTRACT = "0x" + "5a" * 20
TYPES = ["", "Non Staking", "Native ETH Staking", "Eigenlayer Staking", "Other", "staking", " "]


def claim(**fields):
    row = {
        "row": 2,
        "kind": "claim",
        "exchange": "",
        "network": "ETH",
        "asset": "ETH",
        "type": "",
        "address": account(1),
        "amount": "1",
        "height": "1",
        "message": TEXT,
        "signatures": [signed(1)],
        "script": "",
        "public_key": "",
        "owners": [],
        "scheme": "",
        "problem": "",
    }
    return row | fields


def verdict(reading, **fields):
    batch = pa.RecordBatch.from_pylist([claim(**fields)], schema=CLAIMS)
    ((_, found),) = examine([batch], reading, processes=1)
    (row,) = found.to_pylist()
    return row["status"], row["reason"]


def test_the_row_is_genuine(reading):
    assert verdict(reading) == ("bound", "key-derives-address")


@pytest.mark.parametrize("kind", TYPES)
def test_no_type_weakens_a_check(reading, kind):
    """Rule 7: whatever the Type column says, a bad, missing or foreign signature owns nothing."""
    for fields in (
        {"signatures": []},
        {"signatures": [signed(2)]},
        {"signatures": ["0x" + "11" * 65]},
        {"address": CONTRACT},
        {"address": CONTRACT, "owners": [account(1)], "signatures": [signed(2)]},
        {"address": CONTRACT, "owners": [account(1), account(2)]},
        {"address": CONTRACT, "owners": [account(1), account(2)], "signatures": [signed(1)] * 2},
        {"address": CONTRACT, "owners": [account(1), account(1)], "signatures": [signed(1)] * 2},
    ):
        status, reason = verdict(reading, type=kind, **fields)
        assert status in ("refuted", "unsupported", "unsigned"), (fields, status, reason)


@pytest.mark.parametrize("kind", TYPES)
def test_no_type_makes_an_owner_more_than_a_signer(reading, kind):
    """Rules 6 and 8: owner columns never bind, for contracts and validators alike."""
    for address in (CONTRACT, "0x" + "ab" * 48):
        for owners, signatures in (
            ([account(1)], [signed(1)]),
            ([account(1), account(2)], [signed(1), signed(2)]),
            ([account(1), CONTRACT], [signed(1)]),
        ):
            status, _ = verdict(
                reading, type=kind, address=address, owners=owners, signatures=signatures
            )
            assert status not in OWNED


@pytest.mark.parametrize(
    ("network", "asset", "reason"),
    [
        ("NOSUCH", "ETH", "unknown-network"),
        ("NOSUCH", "NOSUCH", "unknown-network"),
        ("ETH2", "ETH", "unknown-network"),
    ],
)
def test_an_unknown_network_has_no_default_scheme(reading, network, asset, reason):
    """Rules 19 and 20."""
    assert verdict(reading, network=network, asset=asset) == ("unsupported", reason)


@pytest.mark.parametrize(
    "text",
    [
        *("I am a OKcoin address", "I am an OKcoin address", "OKC_DTT_AUP2025", "huobi"),
        *(TEXT + " ", " " + TEXT, TEXT.lower(), TEXT.upper(), TEXT[:-1], TEXT.replace(" ", "  ")),
    ],
)
def test_a_good_signature_of_another_text_refutes_the_row(reading, text):
    """Rule 15: Okcoin's, HTX's and the auditor's texts are not those of the monthly lists."""
    fields = {"message": text, "signatures": [signed(1, text=text)]}
    assert verdict(reading, **fields) == ("refuted", "unexpected-message")


def test_a_row_without_text_is_refuted(reading):
    fields = {"message": "", "signatures": [signed(1, text="")]}
    assert verdict(reading, **fields) == ("refuted", "missing-message")


@pytest.mark.parametrize("text", [TEXT, "I am a OKX address"])
def test_both_spellings_of_the_lists_own_text_stand(reading, text):
    fields = {"message": text, "signatures": [signed(1, text=text)]}
    assert verdict(reading, **fields)[0] == "bound"


@pytest.mark.parametrize(
    "address",
    [
        account(1).upper(),
        account(1)[2:],
        " " + account(1),
        account(1) + " ",
        account(1) + "\n",
        account(1)[:-1],
        account(1).replace("0x", "0X"),
        account(1).replace("a", "A", 1),
        long_key(1).hex(),
        compressed(long_key(1)).hex(),
    ],
)
def test_another_spelling_of_an_address_is_refuted(reading, address):
    """Rules 1 to 3: nothing is trimmed, folded or taken for an address that is none."""
    assert address != account(1)
    assert verdict(reading, address=address) == ("refuted", "bad-address")


def test_a_public_key_in_the_row_switches_no_scheme(reading):
    """Rule 9: the row of another address stays refuted, with whatever key beside it."""
    for column in (long_key(1).hex(), compressed(long_key(1)).hex(), "00" * 32):
        status, _ = verdict(reading, address=CONTRACT, public_key=column)
        assert status == "refuted"
        for digest in (digests.okx_ecdsa, digests.personal_sign, digests.bare_keccak):
            own = {"signatures": [signed(1, digest)], "public_key": column}
            assert verdict(reading, **own)[0] == "refuted"


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_row_without_signature_is_unsigned_under_every_scheme(scheme):
    """Rule 12."""
    for given in ((), ("",), ("", "")):
        with pytest.raises(Refused) as caught:
            judge(_row(spec("evm"), bytes(20), given, scheme=scheme, public_key="00" * 32))
        assert caught.value.code == "no-signature"


@pytest.mark.parametrize("token", ["null", "\\N", "-", "0x", "0"])
@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_no_placeholder_is_a_signature_under_any_scheme(scheme, token):
    """Rule 12: were a placeholder to reach a check, it would own nothing."""
    for name, length in (("evm", 20), ("solana", 32), ("sui", 32), ("aptos", 32), ("bls", 48)):
        row = _row(spec(name), b"\x11" * length, (token,), scheme=scheme, public_key="11" * 32)
        try:
            outcome = judge(row)
        except (Refused, Unsupported):
            continue
        assert (outcome.status.value, outcome.reason) == ("signer-only", "contract-unasked")


PUBLIC, SECRET = crypto_sign_seed_keypair(b"\x05" * 32)
FRAMED = crypto_sign(digests.frame(digests.OKX_HEADER, TEXT), SECRET)[:64].hex()


def spec(name, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=name,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


def _row(chain, own, given, *, scheme, **other):
    return SignedAddress(
        spec=chain,
        address="",
        account=own,
        message=TEXT,
        signatures=given,
        schemes=(scheme,),
        **other,
    )


FOR_SOME = sorted(scheme.name for scheme in SCHEMES.values() if scheme.addresses)


@pytest.mark.parametrize("scheme", FOR_SOME)
def test_a_scheme_of_other_addresses_says_so_and_hides_no_refusal(scheme):
    for address in SCHEMES[scheme].addresses:
        assert find_spec(f"chains.addresses.{address.replace('-', '_')}")
    foreign = "solana" if "solana" not in SCHEMES[scheme].addresses else "evm"
    row = _row(spec(foreign), b"\x11" * 32, ("00" * 65,), scheme=scheme)
    with pytest.raises(Unsupported, match=f"{scheme} is for .* addresses, not {foreign}") as caught:
        judge(row)
    assert caught.value.code == "unsupported-scheme"
    other = "ed25519-raw" if foreign == "solana" else "eip191"
    for schemes in ((scheme, other), (other, scheme)):
        with pytest.raises(Refused):
            judge(msgspec.structs.replace(row, schemes=schemes))


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_no_scheme_judges_addresses_of_a_format_that_it_does_not_know(scheme):
    for length in (20, 32):
        row = _row(spec("nobodys"), b"\x11" * length, ("00" * 65,), scheme=scheme)
        with pytest.raises(Unsupported) as caught:
            judge(row)
        assert caught.value.code == "unsupported-scheme"


BTC = spec("bitcoin", p2pkh=[0], p2sh=[5], hrp="bc", message_header="Bitcoin")
P2PKH = b"\x76\xa9\x14" + hash160(compressed(long_key(1))) + b"\x88\xac"


def btc_signature():
    from base64 import b64encode  # noqa: PLC0415

    raw = key(1).sign_recoverable(digests.bitcoin_message("Bitcoin", TEXT), hasher=None)
    return b64encode(bytes((raw[64] + 31,)) + raw[:64]).decode()


FAMILIES = {
    "evm": (spec("evm"), keccak_account(long_key(1)), signed(1), "okx-evm"),
    "tron": (spec("tron"), keccak_account(long_key(1)), signed(1, digests.tip191), "tip191"),
    "bitcoin": (BTC, P2PKH, btc_signature(), "okx-utxo"),
    "cosmos": (
        spec("cosmos", hrp="cosmos"),
        hash160(compressed(long_key(1))),
        signed(1, digests.okx_ecdsa),
        "okx-ecdsa",
    ),
    "solana": (spec("solana"), PUBLIC, FRAMED, "okx-ed25519"),
    "ss58": (spec("ss58", prefix=0), PUBLIC, FRAMED, "okx-ed25519"),
    "stellar": (spec("stellar"), PUBLIC, FRAMED, "okx-ed25519"),
    "sui": (
        spec("sui"),
        blake2b(b"\0" + PUBLIC, digest_size=32).digest(),
        FRAMED,
        "okx-ed25519",
    ),
    "aptos": (spec("aptos"), sha3_256(PUBLIC + b"\0").digest(), FRAMED, "okx-ed25519"),
    "near": (spec("near"), PUBLIC.hex().encode(), FRAMED, "okx-ed25519"),
}
"""A chain, an account, its own signature and the scheme."""


def other_account(own):
    return keccak256(own).hex().encode() if len(own) == 64 else own[:-3] + b"\x01" + own[-2:]


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_an_owner_of_any_family_is_only_a_signer(name):
    """Rules 6 and 7: not only on EVM chains, and a second owner must have signed."""
    chain, own, signature, scheme = FAMILIES[name]
    other = other_account(own)
    column = PUBLIC.hex() if scheme == "okx-ed25519" else ""
    texts = encode(chain, own), encode(chain, other)

    def case(account, given, owners):
        return _row(chain, account, given, scheme=scheme, public_key=column, owners=owners)

    assert judge(case(own, (signature,), ())).status.value == "bound"
    outcome = judge(case(other, (signature,), texts[:1]))
    assert (outcome.status.value, outcome.reason) == ("signer-only", "control-unobserved")
    assert outcome.signers == texts[:1]
    for given, owners in (
        ((signature,), texts),
        ((signature, ""), texts),
        (("", signature), texts),
        ((signature, signature), (texts[0], texts[0])),
        ((signature, signature), texts[:1]),
        ((signature,), ("no address",)),
    ):
        with pytest.raises(Refused):
            judge(case(other, given, owners))


ROOT = Path(__file__).parents[2]


def test_the_table_of_rules_names_tests_that_exist_and_every_scheme():
    text = (ROOT / "docs" / "schemes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([0-9, ]+)\. .*? \| (.*)$", text, re.MULTILINE)
    assert sorted(int(n) for numbers, _ in rows for n in numbers.split(",")) == list(range(1, 22))
    for _, tests in rows:
        file = ""
        for name in re.findall(r"`([^`]*)`", tests):
            path, _, test = name.rpartition("::")
            if test.endswith(".py"):
                path, test = test, ""
            file = path or file
            if file:
                source = (ROOT / "tests" / (file if "/" in file else f"unit/{file}")).read_text()
                assert f"def {test}" in source or (not path and _is_in_any(test)), name
            else:
                assert _is_in_any(test), name
    for scheme in SCHEMES:
        assert f"`{scheme}`" in text, scheme


def _is_in_any(test):
    sources = (path.read_text() for path in (ROOT / "tests").glob("*/test_*.py"))
    return any(f"def {test}(" in source for source in sources)
