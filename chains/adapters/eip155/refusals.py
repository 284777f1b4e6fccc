"""What nodes say when they cannot answer, and what it means.

JSON-RPC error codes differ from node to node, so the texts decide. The table is read from
top to bottom; the first text that occurs in the node's message (lower case) wins. Before it comes
what all servers say that want us to slow down (``chains.jsonrpc``).
"""

from __future__ import annotations

from enum import StrEnum

from chains.jsonrpc import asks_to_slow_down
from chains.model import Gap


class Trouble(StrEnum):
    """What an error text means for the question."""

    SKIPPED = "skipped"
    BEHIND = "behind"
    PRUNED = "pruned"
    ELSEWHERE = "elsewhere"
    TOO_LARGE = "too-large"
    SLOW_DOWN = "slow-down"
    REVERTED = "reverted"
    NO_METHOD = "no-method"
    OTHER = "other"


TEXTS: tuple[tuple[str, Trouble], ...] = (
    ("execution reverted", Trouble.REVERTED),  # first: the rest is the contract's own text
    ("execution failed (exit=[33]", Trouble.REVERTED),  # lotus: an EVM's revert, likewise
    ("was a null round", Trouble.SKIPPED),  # lotus, forest: an epoch without a block
    ("requested a future epoch", Trouble.BEHIND),  # lotus
    ("cannot query unfinalized data", Trouble.BEHIND),  # coreth: above the last accepted block
    ("after last accepted block", Trouble.BEHIND),  # coreth
    ("not currently canonical", Trouble.ELSEWHERE),  # geth, EIP-1898 requireCanonical
    ("is not canonical", Trouble.ELSEWHERE),
    ("missing trie node", Trouble.PRUNED),  # geth, bsc, bor, coreth
    ("historical state", Trouble.PRUNED),  # geth path scheme, reth, coreth: "... unavailable"
    ("state not available", Trouble.PRUNED),
    ("state is not available", Trouble.PRUNED),  # "state 0x… is not available" below
    ("state histories haven't been fully indexed", Trouble.PRUNED),  # geth path scheme
    ("state already pruned", Trouble.PRUNED),
    ("pruned", Trouble.PRUNED),  # nethermind, erigon, reth
    ("world state unavailable", Trouble.PRUNED),  # besu
    ("blockoutofrange", Trouble.PRUNED),  # anvil --prune-history
    ("block out of range", Trouble.PRUNED),
    ("archive", Trouble.PRUNED),  # hosted nodes: "requires an archive node"
    ("header for hash not found", Trouble.PRUNED),  # geth
    ("header not found", Trouble.PRUNED),  # geth, nethermind
    ("unknown block", Trouble.PRUNED),
    ("block not found", Trouble.PRUNED),  # erigon, reth
    ("blocknotfound", Trouble.PRUNED),
    ("failed to get tipset", Trouble.PRUNED),  # lotus
    ("no historical rpc", Trouble.PRUNED),  # op-geth: before Bedrock, without a legacy node
    ("failed to load state tree", Trouble.PRUNED),  # lotus
    ("resource not found", Trouble.PRUNED),  # EIP-1474 code -32001
    ("out of gas", Trouble.TOO_LARGE),
    ("outofgas", Trouble.TOO_LARGE),  # anvil, revm
    ("gas required exceeds", Trouble.TOO_LARGE),
    ("intrinsic gas", Trouble.TOO_LARGE),
    ("gas too low", Trouble.TOO_LARGE),
    ("execution aborted (timeout", Trouble.TOO_LARGE),  # geth rpc.evmtimeout
    ("execution timeout", Trouble.TOO_LARGE),
    ("too large", Trouble.TOO_LARGE),  # "response/request/content too large"
    ("call retuned result on length", Trouble.TOO_LARGE),  # bor returndatalimit, as spelt there
    ("call returned result on length", Trouble.TOO_LARGE),
    ("returned data exceeds", Trouble.TOO_LARGE),
    ("max code size", Trouble.TOO_LARGE),  # deployless: created code above EIP-170
    ("createcontractsizelimit", Trouble.TOO_LARGE),  # anvil, revm
    ("max initcode size", Trouble.TOO_LARGE),  # EIP-3860
    ("createinitcodesizelimit", Trouble.TOO_LARGE),
    ("batch too", Trouble.TOO_LARGE),  # geth "batch too large"
    ("batch limit", Trouble.TOO_LARGE),
    ("batch size", Trouble.TOO_LARGE),
    ("limit exceeded", Trouble.SLOW_DOWN),  # EIP-1474 code -32005
    ("capacity", Trouble.SLOW_DOWN),
    ("try again", Trouble.SLOW_DOWN),
    ("revert", Trouble.REVERTED),
    ("invalid opcode", Trouble.REVERTED),
    ("invalidfeopcode", Trouble.REVERTED),
    ("stack underflow", Trouble.REVERTED),
    ("bad jump destination", Trouble.REVERTED),
    ("too many arguments", Trouble.NO_METHOD),  # geth family without the third parameter
    ("method not found", Trouble.NO_METHOD),
    ("does not exist", Trouble.NO_METHOD),  # "the method … does not exist/is not available"
    ("not supported", Trouble.NO_METHOD),
    ("unsupported", Trouble.NO_METHOD),
    ("invalid argument", Trouble.NO_METHOD),
    ("invalid params", Trouble.NO_METHOD),
    ("-32601", Trouble.NO_METHOD),
    ("-32602", Trouble.NO_METHOD),
)


def trouble(text: str) -> Trouble:
    """Return what an error text means; ``OTHER`` when the table does not know it."""
    lower = text.lower()
    if asks_to_slow_down(lower):
        return Trouble.SLOW_DOWN
    for words, meaning in TEXTS:
        if words in lower:
            return meaning
    if "state" in lower and "available" in lower:  # geth: "state 0x… is not available"
        return Trouble.PRUNED
    return Trouble.OTHER


_REASONS: dict[Trouble, tuple[str, bool]] = {
    Trouble.SKIPPED: ("slot-skipped", False),
    Trouble.BEHIND: ("node-behind", True),
    Trouble.PRUNED: ("state-pruned", False),
    Trouble.ELSEWHERE: ("wrong-block", False),
    Trouble.TOO_LARGE: ("rpc-error", False),
    Trouble.SLOW_DOWN: ("rate-limited", True),
    Trouble.REVERTED: ("call-failed", False),
    Trouble.NO_METHOD: ("method-missing", False),
    Trouble.OTHER: ("rpc-error", False),
}


def refine(gap: Gap) -> Gap:
    """Give an ``rpc-error`` the more exact reason that its text allows; others stay."""
    if gap.reason != "rpc-error":
        return gap
    reason, retryable = _REASONS[trouble(gap.detail)]
    return Gap(reason, retryable=retryable, detail=gap.detail)


def too_large(gap: Gap) -> bool:
    """Tell whether asking for fewer accounts at once may help."""
    if gap.reason == "answer-too-large":
        return True
    if gap.reason == "refused":
        return gap.detail == "413"
    return gap.reason == "rpc-error" and trouble(gap.detail) is Trouble.TOO_LARGE
