"""From single signature checks to the outcome of a row, the same for every family.

A row without owners: every signature given must be by a key of the address. A row with
owners: the signatures stand in for the owners, in their order, one each; that shows the
owners' keys only, and the chain must say whether they control the address.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from chains.addresses import AddressError, decode, encode
from chains.model import Ownership
from chains.signatures.model import NotApplicable, Outcome, Refused, SignedAddress, Unsupported


class Signer(msgspec.Struct, frozen=True):
    """A key that made a valid signature.

    ``is_account`` tells whether the account derives from the key; where it does not, the
    account is of a kind that may still obey this key. ``detail`` names the variant.
    ``name`` is the signer as the chain's control answers name it (``chains.control``), empty
    where the chain is not asked.
    """

    key: bytes
    detail: str = ""
    is_account: bool = True
    name: str = ""


class Signed(Protocol):
    """One signature checked against one account."""

    def __call__(self, row: SignedAddress, signature: str, account: bytes) -> Signer:
        """Return the key that signed; raises ``Refused``."""
        ...


def given(signatures: tuple[str, ...]) -> tuple[str, ...]:
    """Return the signatures that are not empty; raises ``Refused`` if there is none."""
    present = tuple(filter(None, signatures))
    if not present:
        raise Refused("no-signature", "the row carries no signature")
    return present


def judge_row(row: SignedAddress, scheme: str, signed: Signed) -> Outcome:
    """Judge a row whose address is that of one key, or whose owners sign for it."""
    if row.owners:
        return judge_owners(row, scheme, signed)
    signers = [signed(row, signature, row.account) for signature in given(row.signatures)]
    return _outcome(signers, scheme)


def judge_owners(row: SignedAddress, scheme: str, signed: Signed) -> Outcome:
    """Judge a row that names owners: each must decode, be another account, and have signed."""
    accounts: list[bytes] = []
    for text in row.owners:
        try:
            account = decode(row.spec, text)
        except AddressError as error:
            raise Refused("bad-owner", f"the owner {text!r} does not decode: {error}") from None
        if account in accounts:
            raise Refused("bad-owner", f"the owner {text!r} is named twice")
        accounts.append(account)
    count = len(given(row.signatures))
    signatures = row.signatures[: len(accounts)]
    if len(signatures) < len(accounts) or not all(signatures):
        raise Refused(
            "owner-signature-missing", f"{len(accounts)} owners are named but {count} signed"
        )
    if count > len(accounts):
        raise Refused("extra-signature", "there are more signatures than named owners")
    signers = _owners_signed(row, tuple(zip(signatures, accounts, strict=True)), signed)
    if accounts == [row.account] or not all(signer.is_account for signer in signers):
        return _outcome(signers, scheme)
    return Outcome(
        status=Ownership.SIGNER_ONLY,
        reason="control-unobserved",
        scheme=scheme,
        keys=tuple(signer.key for signer in signers),
        signers=tuple(encode(row.spec, account) for account in accounts),
        detail=signers[0].detail,
    )


def _owners_signed(
    row: SignedAddress, pairs: tuple[tuple[str, bytes], ...], signed: Signed
) -> list[Signer]:
    """Check a signature by each owner; owners of whom only some are of the scheme's kind are a gap.

    Each may have signed in the way of its own kind, and no scheme refutes what they do together.
    """
    signers: list[Signer] = []
    foreign: NotApplicable | None = None
    for signature, account in pairs:
        try:
            signers.append(signed(row, signature, account))
        except NotApplicable as error:
            foreign = error
    if foreign is None:
        return signers
    raise Unsupported(foreign.code, foreign.message) if signers else foreign


def _outcome(signers: list[Signer], scheme: str) -> Outcome:
    """Bind if every key that signed derives the account, else say that the link is unseen."""
    is_bound = all(signer.is_account for signer in signers)
    names = [signer.name for signer in signers]
    return Outcome(
        status=Ownership.BOUND if is_bound else Ownership.SIGNER_ONLY,
        reason="key-derives-address" if is_bound else "link-unobserved",
        scheme=scheme,
        keys=tuple(dict.fromkeys(signer.key for signer in signers)),
        signers=() if is_bound else tuple(dict.fromkeys(filter(None, names))),
        detail=signers[0].detail,
    )
