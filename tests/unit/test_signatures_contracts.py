"""Rows whose accounts cannot sign: contracts that are asked (EIP-1271), validators and pods.

Offline neither ever owns anything. What a chain says to them is judged by
``crawler.asking.control``.
"""

import coincurve
import msgspec
import pytest

from chains import reasons
from chains.addresses import decode, encode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, digests, eip1271, judge, trace
from chains.signatures.secp256k1 import keccak_account

pytestmark = pytest.mark.unit

TEXT = "I am an OKX address"


def chain(address, chain_id="test:1", **params):
    return ChainSpec(
        id=ChainId(chain_id),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId(f"{chain_id}/slip44:60"),
        address_params=params,
    )


EVM, BEACON = chain("evm", "eip155:1"), chain("bls", "beacon:1")
SAFE = "0x" + "5a" * 20
VALIDATOR = "0x" + "ab" * 48


def row(spec, address, *given, scheme="eip1271", message=TEXT, **other):
    return SignedAddress(
        spec=spec,
        address=address,
        account=decode(spec, address),
        message=message,
        signatures=given,
        schemes=(scheme,) if isinstance(scheme, str) else scheme,
        **other,
    )


def code_of(case, kind=Refused):
    with pytest.raises(kind) as caught:
        judge(case)
    assert caught.value.code in reasons.OWNERSHIP
    return caught.value.code


def owner(number, text=TEXT, digest=digests.okx_evm):
    """Return an account and its signature, made with a known key."""
    key = coincurve.PrivateKey(bytes((number,)) * 32)
    raw = key.sign_recoverable(digest(text), hasher=None)
    account = keccak_account(key.public_key.format(compressed=False))
    return encode(EVM, account), "0x" + raw[:64].hex() + f"{raw[64] + 27:02x}"


ONE, SIGNED_ONE = owner(1)
TWO, SIGNED_TWO = owner(2)
POD = encode(EVM, b"\x0d" * 20)


def test_a_contract_waits_for_the_chain_whatever_the_signature():
    for given in ("0x" + "11" * 65, "22" * 130, "0x00", SIGNED_ONE):
        outcome = judge(row(EVM, SAFE, given))
        assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "contract-unasked")
        assert (outcome.keys, outcome.signers, outcome.silent) == ((), (), ())
        account, digest, signature = eip1271.parts(outcome.asked)
        assert account == decode(EVM, SAFE)
        assert digest == digests.personal_sign(TEXT)
        assert signature == bytes.fromhex(given.removeprefix("0x"))


def test_the_question_is_of_this_text_and_account():
    asked = judge(row(EVM, SAFE, "0x1122")).asked
    assert judge(row(EVM, SAFE, "0x1122", message="huobi")).asked != asked
    assert judge(row(EVM, ONE, "0x1122")).asked != asked
    assert judge(row(EVM, SAFE, "0x1122", "")).asked == asked
    assert judge(row(EVM, SAFE, "", "0x1122")).asked == asked


def test_even_the_key_of_the_address_is_not_bound_by_this_scheme():
    address, signature = owner(1, digest=digests.personal_sign)
    assert judge(row(EVM, address, signature)).status is Ownership.SIGNER_ONLY
    both = row(EVM, address, signature, scheme=("eip191", "eip1271"))
    assert (judge(both).status, judge(both).scheme) == (Ownership.BOUND, "eip191")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("0x",), "bad-signature"),
        (("0x1",), "bad-signature"),
        (("zz",), "bad-signature"),
        (("0X1122",), "bad-signature"),
        (("0x11 22",), "bad-signature"),
        ((" 0x1122",), "bad-signature"),
        (("0x1122\n",), "bad-signature"),
        (("null",), "bad-signature"),
        (("0x" + "00" * (eip1271.LONGEST + 1),), "bad-signature"),
        (("0x1122", "0x1122"), "extra-signature"),
        (("0x1122", "0x3344"), "extra-signature"),
        (("", ""), "no-signature"),
        ((), "no-signature"),
    ],
)
def test_the_form_of_what_is_handed_on(given, code):
    assert code_of(row(EVM, SAFE, *given)) == code
    longest = "00" * eip1271.LONGEST
    assert len(judge(row(EVM, SAFE, longest)).asked) == 52 + eip1271.LONGEST


def test_only_contracts_of_evm_chains_without_owners_are_asked():
    named = row(EVM, SAFE, SIGNED_ONE, owners=(ONE,))
    assert code_of(named, Unsupported) == "unsupported-scheme"
    elsewhere = chain("evm", "test:1")
    assert code_of(row(elsewhere, SAFE, "0x1122"), Unsupported) == "unsupported-scheme"
    tron = row(chain("tron"), "TEjxQjU3CxkFrSDcPfHwZXSuPpCpdQ27NJ", "0x1122")
    assert code_of(tron, Unsupported) == "unsupported-scheme"


def test_a_question_that_is_too_short_is_an_error():
    assert eip1271.parts(bytes(52)) == (bytes(20), bytes(32), b"")
    with pytest.raises(ValueError, match="shorter"):
        eip1271.parts(bytes(51))


def test_an_explanation_of_a_contract_shows_no_key():
    with trace.listening() as heard:
        outcome = judge(row(EVM, SAFE, SIGNED_ONE))
    assert outcome.asked
    assert not {name for name, _ in heard} & {"recovered", "verified", "account"}


def validator(*given, owners, **other):
    return row(BEACON, VALIDATOR, *given, scheme="okx-evm", owners=owners, **other)


def test_a_validators_owner_is_only_a_signer():
    outcome = judge(validator(SIGNED_ONE, owners=(ONE,)))
    assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "control-unobserved")
    assert (outcome.signers, outcome.silent) == ((ONE,), ())


def test_a_pod_is_named_as_the_one_through_whom_the_owner_controls():
    for given in ((SIGNED_ONE,), (SIGNED_ONE, "")):
        outcome = judge(validator(*given, owners=(ONE, POD)))
        assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "control-unobserved")
        assert (outcome.signers, outcome.silent) == ((ONE,), (POD,))
        assert len(outcome.keys) == 1


def test_two_owners_of_a_validator_who_both_sign_are_both_signers():
    outcome = judge(validator(SIGNED_ONE, SIGNED_TWO, owners=(ONE, TWO)))
    assert (outcome.signers, outcome.silent) == ((ONE, TWO), ())


@pytest.mark.parametrize(
    ("given", "owners", "code"),
    [
        ((SIGNED_TWO,), (ONE, POD), "wrong-key"),
        (("", SIGNED_TWO), (ONE, TWO), "owner-signature-missing"),
        ((SIGNED_ONE, "null"), (ONE, POD), "bad-signature"),
        ((SIGNED_ONE, SIGNED_ONE), (ONE, POD), "wrong-key"),
        ((SIGNED_ONE, SIGNED_TWO), (ONE, POD), "wrong-key"),
        ((SIGNED_ONE,), (ONE, ONE), "bad-owner"),
        ((SIGNED_ONE,), (ONE, ONE.lower()), "bad-owner"),
        ((SIGNED_ONE,), (ONE, "0x00"), "bad-owner"),
        ((SIGNED_ONE,), ("0x00", POD), "bad-owner"),
        ((SIGNED_ONE,), (ONE, VALIDATOR), "bad-owner"),
        ((SIGNED_ONE,), (ONE, POD, TWO), "owner-signature-missing"),
        ((SIGNED_ONE,), (POD, ONE), "wrong-key"),
        (("",), (ONE, POD), "no-signature"),
        ((SIGNED_ONE, "", SIGNED_TWO), (ONE, POD), "owner-signature-missing"),
    ],
)
def test_validator_rows_that_contradict_themselves(given, owners, code):
    assert code_of(validator(*given, owners=owners)) == code


def test_another_text_or_scheme_helps_no_validator():
    assert code_of(validator(SIGNED_ONE, owners=(ONE, POD), message="huobi")) == "wrong-key"
    for scheme in ("eip191", "htx-evm"):
        other = msgspec.structs.replace(validator(SIGNED_ONE, owners=(ONE, POD)), schemes=(scheme,))
        assert code_of(other, Unsupported) == "unsupported-scheme"
    assert code_of(validator(SIGNED_ONE, owners=()), Unsupported) == "unsupported-scheme"


@pytest.mark.parametrize("scheme", ["okx-evm", "eip191", "htx-evm"])
def test_nobody_but_a_validator_may_name_an_owner_who_does_not_sign(scheme):
    digest = digests.okx_evm if scheme == "okx-evm" else digests.personal_sign
    one, signed = owner(1, digest=digest)
    for given in ((signed,), (signed, "")):
        case = row(EVM, SAFE, *given, scheme=scheme, owners=(one, POD))
        assert code_of(case) == "owner-signature-missing"
    alone = judge(row(EVM, SAFE, signed, scheme=scheme, owners=(one,)))
    assert (alone.silent, alone.signers) == ((), (one,))


@pytest.mark.parametrize("address", ["flow", "filecoin"])
def test_nor_may_rows_of_chains_with_the_same_accounts(address):
    spec = chain(address, "test:1", evm=True) if address == "filecoin" else chain(address)
    texts = [encode(spec, _account(address, decode(EVM, text))) for text in (SAFE, ONE, POD)]
    case = row(spec, texts[0], SIGNED_ONE, scheme="okx-evm", owners=(texts[1], texts[2]))
    assert code_of(case) == "owner-signature-missing"


def _account(address, account):
    from chains.addresses.filecoin import ETHEREUM  # noqa: PLC0415

    return ETHEREUM + account if address == "filecoin" else account
