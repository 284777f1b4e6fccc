"""Signature results + control answers = final verdicts. A pure join.

A named owner's signature, or one by a key from which the address does not derive, proves that key
only. The row becomes ``controlled`` when the chain shows, at the snapshot, a way to control the
account whose threshold those who signed reach; ``refuted`` when the chain names others instead of
one of them; and stays ``signer-only`` when the chain did not answer, names nobody (that no account
or owner was seen may be the endpoint's silence) or names digests of keys that it does not show.
"""

from __future__ import annotations

from collections.abc import Sequence

from chains.control import ControlFacts, has_digest, is_met, members, spelling

AWAITING = frozenset({"control-unobserved", "link-unobserved", "contract-unasked"})
"""Reasons of rows about whose accounts the chain is asked."""

CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")
NOTHING_THERE = ("signer-only", "nothing-at-address")
NO_RULE = ("signer-only", "no-control-rule")
UNASKED = ("signer-only", "controller-unasked")
BELOW_THRESHOLD = ("signer-only", "owners-below-threshold")
NOT_SHOWN = ("signer-only", "key-not-shown")
ACCEPTED = ("controlled", "contract-accepts")
REJECTED = ("refuted", "contract-rejects")
NOBODY = "0x" + 20 * "00"
"""The zero address: an owner that was given up, or a node that answers zeros."""


def judge_signers(
    signers: Sequence[str], silent: Sequence[str], facts: ControlFacts
) -> tuple[str, str]:
    """Compare who signed with what the chain shows about the account; (status, reason).

    ``silent`` are owners whom the row names and who did not sign (an EigenPod cannot): they
    must be among those through whom the others control the account. ``signers`` is not empty.
    """
    if not facts.exists:
        return NOTHING_THERE
    signed = frozenset(map(spelling, signers))
    if not set(members(facts.ways)) - {NOBODY}:
        return NO_RULE
    if not signed <= set(members(facts.ways)) - {NOBODY}:
        return NOT_SHOWN if has_digest(facts.ways) else DENIED
    through = set(map(spelling, silent))
    met = [way for way in facts.ways if is_met(way, signed)]
    if any(through <= set(members((way,))) for way in met):
        return CONTROLLED
    return DENIED if met else BELOW_THRESHOLD


def judge_contract(facts: ControlFacts) -> tuple[str, str]:
    """Read what a contract says to a signature; (status, reason)."""
    if not facts.exists:
        return NOTHING_THERE
    if facts.accepts is None:
        return NO_RULE
    return ACCEPTED if facts.accepts else REJECTED
