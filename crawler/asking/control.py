"""Signature results + control answers = final verdicts. A pure join.

A named owner's signature, or one by a key from which the address does not derive, proves that key
only. The row becomes ``controlled`` when the chain shows, at the snapshot, a way to control the
account whose threshold those who signed reach; ``refuted`` when the chain names others instead of
one of them, and all of those are known down to their keys; and stays ``signer-only`` when the chain
did not answer, names nobody (that no account or owner was seen may be the endpoint's silence),
names digests of keys that it does not show, or names an account behind which recount could not look
(``crawler.asking.controllers``): whoever signed may stand behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.control import ControlFacts, has_digest, is_met, members, spelling

AWAITING = frozenset({"control-unobserved", "link-unobserved", "contract-unasked"})
"""Reasons of rows about whose accounts the chain is asked."""

CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")
NOTHING_THERE = ("signer-only", "nothing-at-address")
NO_RULE = ("signer-only", "no-control-rule")
BELOW_THRESHOLD = ("signer-only", "owners-below-threshold")
NOT_SHOWN = ("signer-only", "key-not-shown")
UNOBSERVED, UNASKED, TOO_MANY, TOO_DEEP, UNKNOWN = CLOSED = (
    "controller-unobserved",
    "controller-unasked",
    "controllers-too-many",
    "controllers-too-deep",
    "controller-unknown",
)
"""Why nobody looked behind an account in control; where several are so, the first is told."""
ACCEPTED = ("controlled", "contract-accepts")
REJECTED = ("refuted", "contract-rejects")
NOBODY = "0x" + 20 * "00"
"""The zero address: an owner that was given up, or a node that answers zeros."""


def judge_signers(
    signers: Sequence[str],
    silent: Sequence[str],
    facts: ControlFacts,
    closed: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Compare who signed with what the chain shows about the account; (status, reason).

    ``silent`` are owners whom the row names and who did not sign (an EigenPod cannot): they
    must be among those through whom the others control the account. ``closed`` are members in
    control, in their spelling, behind whom nobody could look, with the reason of ``CLOSED``:
    what they might change is not judged. ``signers`` is not empty.
    """
    if not facts.exists:
        return NOTHING_THERE
    named = set(members(facts.ways)) - {NOBODY}
    if not named:
        return NO_RULE
    signed = frozenset(map(spelling, signers))
    unseen = frozenset(closed or ())
    not_judged = ("signer-only", min((closed or {}).values(), key=CLOSED.index, default=UNASKED))
    if signed <= named:
        return _weighed(signed, frozenset(map(spelling, silent)), facts, unseen, not_judged)
    if unseen:
        return not_judged
    return NOT_SHOWN if has_digest(facts.ways) else DENIED


def _weighed(
    signed: frozenset[str],
    through: frozenset[str],
    facts: ControlFacts,
    unseen: frozenset[str],
    not_judged: tuple[str, str],
) -> tuple[str, str]:
    """Judge whether those who signed, all of whom have a say, are enough."""
    met = [way for way in facts.ways if is_met(way, signed)]
    if any(through <= set(members((way,))) for way in met):
        return CONTROLLED
    possible = tuple(way for way in facts.ways if is_met(way, signed | unseen))
    if not unseen.isdisjoint(members(possible)):
        return not_judged
    return DENIED if met else BELOW_THRESHOLD


def judge_contract(facts: ControlFacts) -> tuple[str, str]:
    """Read what a contract says to a signature; (status, reason)."""
    if not facts.exists:
        return NOTHING_THERE
    if facts.accepts is None:
        return NO_RULE
    return ACCEPTED if facts.accepts else REJECTED
