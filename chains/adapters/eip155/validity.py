"""Whether a contract stands behind a signature: EIP-1271 at the pinned block.

The contract's code and ``isValidSignature(bytes32,bytes)`` are asked of one endpoint. What comes
back means:

- no code: nothing exists there; keys' accounts are not asked further;
- exactly one word, the magic value and zeros: accepted;
- exactly one other word: rejected, the contract answered and it is not the magic value;
- a revert, or anything that is not one word: no rule. A contract without the function reverts or
  its fallback returns nothing, and many that have it (Safe) revert on a bad signature: from
  outside the two look alike, so neither acceptance nor rejection is shown;
- the same signature accepted for another digest too: no rule, for such a contract says yes to
  anything and shows nothing;
- the endpoint's own failure: a ``Gap``.

A key's account that delegates (EIP-7702) has code and is asked like a contract.

Spec: https://eips.ethereum.org/EIPS/eip-1271
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from chains.adapter import Transport
from chains.adapters.eip155 import asking
from chains.adapters.eip155.asking import Shown
from chains.adapters.eip155.reading import code_request, view_request
from chains.adapters.eip155.ways import answer_bytes
from chains.control import ControlFacts
from chains.model import Answers, Exchange, Extract, Gap, Questions, Request, Snapshot
from chains.signatures.eip1271 import ACCOUNT, DIGEST, parts
from chains.words import WORD

DECODER = "signature"
KIND = "contract-signature"
IS_VALID_SIGNATURE = bytes.fromhex("1626ba7e")
ACCEPTED = IS_VALID_SIGNATURE.ljust(WORD, b"\0")
"""The magic value, which is the function's own selector, as ABI ``bytes4``."""


def extract(transport: Transport, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
    """Yield one extract per question: the code and, where there is some, the contract's word."""

    async def ask(names: Sequence[str], asked: bytes) -> tuple[Exchange, ...]:
        if _is_cut(asked):
            return ()
        first = await transport.exchange_any(code_request(asked[:ACCOUNT], at), names)
        code = answer_bytes(first)
        if isinstance(code, Gap) or not code:
            return (first,)
        calls = (_call(asked, at), _call(_another(asked), at))
        return (first, *[await transport.exchange(call, first.endpoint) for call in calls])

    return asking.extracts(transport, questions, at, DECODER, ask)


def decode(questions: Questions, extract: Extract, at: Snapshot) -> Answers:
    """Read what the contract said to one signature."""

    def read(asked: bytes, shown: Shown) -> ControlFacts | Gap:
        if _is_cut(asked):
            return Gap("not-answered", detail="the question is shorter than account and digest")
        code = shown.answer(code_request(asked[:ACCOUNT], at))
        if isinstance(code, Gap):
            return code
        if not code:
            return ControlFacts(exists=False)
        word, other = (shown.call(_call(one, at)) for one in (asked, _another(asked)))
        for said in (word, other):
            if isinstance(said, Gap):
                return said
        if word == other == ACCEPTED:
            return ControlFacts(exists=True, notes={"accepts": "anything"})
        accepts = word == ACCEPTED if isinstance(word, bytes) and len(word) == WORD else None
        return ControlFacts(exists=True, accepts=accepts)

    return asking.answers(questions, extract, read)


def _is_cut(asked: bytes) -> bool:
    return len(asked) < ACCOUNT + DIGEST


def _another(asked: bytes) -> bytes:
    """Return the same question about another digest, which nobody signed."""
    account, digest, signature = parts(asked)
    return account + digest[:-1] + bytes((digest[-1] ^ 1,)) + signature


def _call(asked: bytes, at: Snapshot) -> Request:
    """Build the call with its arguments in ABI form: the digest, then the signature's bytes."""
    account, digest, signature = parts(asked)
    data = b"".join(
        (
            IS_VALID_SIGNATURE,
            digest,
            (2 * WORD).to_bytes(WORD, "big"),
            len(signature).to_bytes(WORD, "big"),
            signature.ljust(-(-len(signature) // WORD) * WORD, b"\0"),
        )
    )
    return view_request(account, data.hex(), at)
