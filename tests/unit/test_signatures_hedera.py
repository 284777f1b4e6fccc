"""Hedera's signed messages: vectors of Hedera's own wallet library, and what must not pass.

Vectors: hashgraph/hedera-wallet-connect, test/reown/wallets/hip-820/wallet-methods.test.ts at
25d7f018 and test/wallet/methods/wallet-signMessage.test.ts at 13d880d9; the text is "Hello Future".
"""

from __future__ import annotations

from base64 import b64decode, b64encode

import msgspec
import pytest

from chains.addresses import decode
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, judge

pytestmark = pytest.mark.unit

SPEC = ChainSpec(
    id=ChainId("hedera:mainnet"),
    name="Hedera",
    adapter="hedera",
    address="hedera",
    native=AssetId("hedera:mainnet/slip44:3030"),
)
TEXT = "Hello Future"
ECDSA_LOW = (
    "CmUKIQJ4J53yGuPNMGEGJ7HkI+u3QFxUuAOa9VLEtFj7Y6qNMzJAp3vxT7kRPE9HFFm/bbArGYDQ+psNWZC70rdW2bE1L8"
    "5u79GOlQSTlaog5lmE6TiaX6r8Bk70dU7ZIwcHgnAkCw=="
)
ECDSA_HIGH = (
    "CmUKIQJ4J53yGuPNMGEGJ7HkI+u3QFxUuAOa9VLEtFj7Y6qNMzJAp3vxT7kRPE9HFFm/bbArGYDQ+psNWZC70rdW2bE1L8"
    "6REC5xavtsalXfGaZ7FsdkWwPg4GBUKuzmr1eFTcYdNg=="
)
ED25519 = (
    "CmQKIKLvE3YbZEplGhpKxmbq+6xBnJcoL4r1wz9Y1zLnPlpVGkBtfDTfBZGf/MUbovYyLUjORErDGhDYbzPFoAbkMwRrpw"
    "2ouDRmn6Dd6A06k6yM/FhZ/VjdHVhQUd+fxv1cZqUM"
)
ECDSA_KEY = "0278279df21ae3cd30610627b1e423ebb7405c54b8039af552c4b458fb63aa8d33"
ED25519_KEY = "a2ef13761b644a651a1a4ac666eafbac419c97282f8af5c33f58d732e73e5a55"
VECTORS = {ECDSA_LOW: ECDSA_KEY, ECDSA_HIGH: ECDSA_KEY, ED25519: ED25519_KEY}


def row(signature: str, **more: object) -> SignedAddress:
    fields = {
        "spec": SPEC,
        "address": "0.0.12345",
        "account": decode(SPEC, "0.0.12345"),
        "message": TEXT,
        "signatures": (signature,),
        "schemes": ("hedera-signed-message",),
        **more,
    }
    return SignedAddress(**fields)  # type: ignore[arg-type]


def code_of(row_: SignedAddress) -> str:
    with pytest.raises((Refused, Unsupported)) as error:
        judge(row_)
    return error.value.code


def pieces(signature: str) -> tuple[bytes, bytes]:
    """Return what stands before the 64 bytes of a signature, and these."""
    raw = b64decode(signature)
    return raw[:-64], raw[-64:]


@pytest.mark.parametrize(("signature", "key"), VECTORS.items())
def test_what_hederas_wallets_sign_shows_the_key_and_never_the_account(
    signature: str, key: str
) -> None:
    for column in ("", key, "0x" + key.upper()):
        outcome = judge(row(signature, public_key=column))
        assert (outcome.status, outcome.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
        assert (outcome.keys, outcome.signers) == ((bytes.fromhex(key),), ("0x" + key,))
    bare = pieces(signature)[1].hex()
    for text in (bare, "0x" + bare):
        assert judge(row(text, public_key=key)).signers == ("0x" + key,)
    assert code_of(row(bare)) == "missing-key"


@pytest.mark.parametrize("signature", VECTORS)
def test_no_bit_of_it_may_change(signature: str) -> None:
    head, raw = pieces(signature)
    for bit in range(0, 512, 7):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        spoilt = b64encode(head + bytes(changed)).decode()
        assert code_of(row(spoilt)) in ("wrong-signature", "weak-key")
    assert code_of(row(signature, message="Hello future")) == "wrong-signature"
    assert code_of(row(signature, message="Hello Future ")) == "wrong-signature"
    other = {ECDSA_KEY: ED25519_KEY, ED25519_KEY: ECDSA_KEY}[VECTORS[signature]]
    assert code_of(row(signature, public_key=other)) == "wrong-key"
    assert code_of(row(raw.hex(), public_key=other)) in ("wrong-signature", "weak-key")


def test_the_key_may_stand_in_the_row_with_its_beginning_in_the_answer() -> None:
    _, raw = pieces(ED25519)
    key = bytes.fromhex(ED25519_KEY)
    for length in (0, 1, 6, 32):
        start = b"\x0a" + bytes((length,)) + key[:length] if length else b""
        pair = start + b"\x1a\x40" + raw
        answer = b64encode(b"\x0a" + bytes((len(pair),)) + pair).decode()
        assert judge(row(answer, public_key=ED25519_KEY)).keys == (key,)
        assert length == 32 or code_of(row(answer)) == "missing-key"
        other = "00" + ED25519_KEY[2:]
        assert code_of(row(answer, public_key=other)) in ("wrong-key", "wrong-signature")


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        (ED25519[:-4], "bad-signature"),
        (ED25519 + "AA==", "bad-signature"),
        (" " + ED25519, "bad-signature"),
        ("", "no-signature"),
        ("00" * 63, "bad-signature"),
        ("zz" * 64, "bad-signature"),
        (b64encode(b64decode(ED25519) * 2).decode(), "unsupported-scheme"),
        (b64encode(b"\x08\x01").decode(), "bad-signature"),
        (b64encode(b"\x0a\x00").decode(), "bad-signature"),
        (b64encode(b"\x0a\x42\x22\x40" + bytes(64)).decode(), "bad-signature"),  # RSA
    ],
)
def test_what_is_no_answer_of_a_wallet_is_refused(signature: str, code: str) -> None:
    assert code_of(row(signature)) == code


def test_a_text_of_which_wallets_may_count_bytes_or_units_is_not_judged() -> None:
    assert code_of(row(ED25519, message="Hello Füture")) == "unconfirmed-scheme"
    assert code_of(row(ED25519, message="Hello \U0001f600")) == "unconfirmed-scheme"


def test_other_chains_have_no_such_messages() -> None:
    spec = msgspec.structs.replace(SPEC, address="near")
    assert code_of(row(ED25519, spec=spec, account=b"a.near")) == "unsupported-scheme"
