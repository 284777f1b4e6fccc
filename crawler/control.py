"""Signature results + control answers = final verdicts. A pure join.

A named owner's signature proves the owner's key only. It becomes ``controlled`` when the chain
shows, at the snapshot, that every owner who signed controls the account and that they meet the
account's own threshold; it becomes ``refuted`` when the chain denies one of them; and it stays
``signer-only`` when the chain did not answer or has no rule for this kind of account. Only a
named other owner denies: that no contract or owner was seen may be the endpoint's silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")
UNOBSERVED = ("signer-only", "control-unobserved")
NO_CONTRACT = ("signer-only", "not-a-contract")
NO_RULE = ("signer-only", "no-control-rule")
NOBODY = 20 * "00"
"""The zero address: an owner that was given up, or a node that answers zeros."""


def final_verdict(
    status: str, reason: str, signers: Sequence[str], facts: str | None
) -> tuple[str, str]:
    """Return (status, reason). ``facts`` is the control answer, ``None`` where there is none."""
    if reason != "control-unobserved" or facts is None:
        return status, reason
    return judge_owners(signers, msgspec.json.decode(facts.encode()))


def judge_owners(signers: Sequence[str], facts: dict[str, Any]) -> tuple[str, str]:
    """Compare the owners that signed with what the chain says about the account.

    ``facts``: ``code`` (is there a contract), ``owner`` (or null), ``safe`` (or null) with
    ``owners`` and ``threshold``.
    """
    if not signers:
        return UNOBSERVED
    if not facts["code"]:
        return NO_CONTRACT
    signed = {signer.lower() for signer in signers}
    safe = facts.get("safe")
    if safe is not None and safe["owners"] and safe["threshold"] >= 1:
        owners = {owner.lower() for owner in safe["owners"]}
        if not signed <= owners:
            return DENIED
        enough = safe["threshold"] <= len(signed)
        return CONTROLLED if enough else ("signer-only", "owners-below-threshold")
    owner = facts.get("owner")
    if owner is not None and owner.lower().removeprefix("0x") != NOBODY:
        return CONTROLLED if signed == {owner.lower()} else DENIED
    return NO_RULE
