"""Signatures that a contract accepts: nothing is shown until the contract was asked.

A contract account has no key. Its ``isValidSignature(bytes32,bytes)`` says, at the snapshot, if
it stands behind a signature over the digest of the text (EIP-191, as wallets do for contract
accounts). Offline only the form is checked: every such row waits for the chain.

Spec: https://eips.ethereum.org/EIPS/eip-1271
"""

from __future__ import annotations

from chains.model import Ownership
from chains.signatures.digests import personal_sign
from chains.signatures.model import (
    NotApplicable,
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)

ACCOUNT = 20
DIGEST = 32
LONGEST = 24_576
"""Bytes of a signature that are passed on: what fits a call together with the rest."""

SCHEMES = (
    Scheme(
        name="eip1271",
        family="evm",
        origin="https://eips.ethereum.org/EIPS/eip-1271",
        description="isValidSignature of the contract at the address, over the EIP-191 digest.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Check the form; whether the contract accepts the signature, only the chain says."""
    if row.spec.address != "evm" or row.spec.namespace != "eip155":
        raise NotApplicable("unsupported-scheme", "only contracts of EVM chains are asked")
    if row.owners:
        raise Unsupported("unsupported-scheme", "only contracts without named owners are asked")
    if len([text for text in row.signatures if text]) != 1:
        raise Refused("extra-signature", "a contract is asked about exactly one signature")
    signature = _signature(next(filter(None, row.signatures)))
    return Outcome(
        status=Ownership.SIGNER_ONLY,
        reason="contract-unasked",
        scheme=scheme,
        keys=(),
        asked=row.account + personal_sign(row.message) + signature,
    )


def parts(asked: bytes) -> tuple[bytes, bytes, bytes]:
    """Take ``Outcome.asked`` apart: account, digest, signature; raises ``ValueError``."""
    if len(asked) < ACCOUNT + DIGEST:
        raise ValueError("a signature question is shorter than account and digest")
    return asked[:ACCOUNT], asked[ACCOUNT : ACCOUNT + DIGEST], asked[ACCOUNT + DIGEST :]


def _signature(text: str) -> bytes:
    """Read the bytes handed to the contract, hex with or without ``0x``; raises ``Refused``."""
    digits = text.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raise Refused("bad-signature", "the signature is not hex digits") from None
    if digits.lower() != raw.hex():
        raise Refused("bad-signature", "the signature is not plain hex digits")
    if not 0 < len(raw) <= LONGEST:
        raise Refused("bad-signature", f"expected 1 to {LONGEST} bytes of signature")
    return raw
