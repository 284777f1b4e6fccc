"""What a chain shows about who controls an account: the answer to every ``control`` question.

An account may be controlled in several *ways* (its owner permission, its active permission; its
master key, its signer list). Each way is an ``Authority``: signers with weights, and the
threshold that the weights of those who signed must reach. A member of an authority may itself
be an account with an authority of its own (EOSIO permissions, contracts that own contracts).

A signer is named in the one text that the family's signature checks put into
``Outcome.signers`` too: an address in its canonical text, or a key (docs/adding-a-chain.md lists
them per family). Comparison ignores case for hex with ``0x`` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec


class Authority(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way to control an account.

    ``kind`` names the check (``contract-owner``, ``safe-owners``, ``regular-key``, …) and is one
    of the adapter's ``capabilities.control``. ``weights`` maps each signer to its weight;
    ``nested`` maps members that are accounts themselves to what the chain shows about them.
    ``digest`` says that the signers are digests of keys that the chain does not show (Aptos): who
    is not named may still be one of them, so nobody is denied by this way.
    """

    kind: str
    threshold: int
    weights: Mapping[str, int]
    nested: Mapping[str, tuple[Authority, ...]] = {}
    digest: bool = False


class ControlFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the chain shows about one account at the snapshot.

    ``exists``: the account (where accounts are keys: a contract at it) was seen. ``plain``: the
    chain showed that nothing is there but an account that obeys the key behind its own address.
    ``ways`` are alternatives; empty where the chain shows nobody. ``accepts`` answers
    ``signature`` questions: whether the contract accepts the signature, ``None`` where it has no
    such function.
    ``notes`` are facts for the reader that decide nothing (``eip1967_admin``).
    """

    exists: bool
    plain: bool = False
    ways: tuple[Authority, ...] = ()
    accepts: bool | None = None
    notes: Mapping[str, str] = {}


def encode(facts: ControlFacts) -> str:
    """Return the JSON text that travels in ``Answers.facts``; equal facts give equal texts."""
    return msgspec.json.encode(facts, order="deterministic").decode()


def decode(text: str) -> ControlFacts:
    """Read what ``encode`` wrote; raises ``msgspec.ValidationError``."""
    return msgspec.json.decode(text, type=ControlFacts)


def spelling(signer: str) -> str:
    """Return the text by which signers are compared: hex in lower case, others as they are."""
    return signer.lower() if signer[:2] in ("0x", "0X") else signer


def members(ways: tuple[Authority, ...]) -> Iterator[str]:
    """Yield everyone who has a say, accounts in between included."""
    for way in ways:
        for signer in way.weights:
            yield spelling(signer)
        for nested in way.nested.values():
            yield from members(nested)


def has_digest(ways: tuple[Authority, ...]) -> bool:
    """Tell whether any of the ways, or of those nested in them, names digests of keys."""
    nested = (one for way in ways for one in way.nested.values())
    return any(way.digest for way in ways) or any(map(has_digest, nested))


def is_met(way: Authority, signed: frozenset[str]) -> bool:
    """Tell whether those who signed reach the threshold; nested accounts count when theirs is met.

    ``signed`` are spellings. A threshold below 1 and weights below 1 show nothing.
    """
    if way.threshold < 1:
        return False
    reached = 0
    counted = set()
    for signer, weight in way.weights.items():
        name = spelling(signer)
        if name in counted or weight < 1:
            continue
        nested = way.nested.get(signer, ())
        if name in signed or any(is_met(one, signed) for one in nested):
            counted.add(name)
            reached += weight
    return reached >= way.threshold
