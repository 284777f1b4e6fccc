"""What can be done on one EVM chain, by how the chain is declared."""

from __future__ import annotations

from chains.adapter import Capabilities
from chains.adapters.eip155.ways import Quirks, Way, most, quirks_of
from chains.model import ChainSpec, Method

_WAYS = {
    Way.OVERRIDE: "eth_call with a state override",
    Way.DEPLOYLESS: "a deployless eth_call",
    Way.MULTICALL3: "Multicall3",
    Way.RPC: "arrays of single questions",
}
_SHOWN = {
    "full": "an answer names chain id, number and parent of its block",
    "number": "an answer names chain id and number of its block",
    "chain-id": "an answer names its chain id alone",
}
"""What is compared with the block, by ``params.header_words``."""


def offered(usual: Capabilities, spec: ChainSpec) -> Capabilities:
    """Return the family's capabilities, cut to those of one chain."""
    quirks = quirks_of(spec)
    ways = _usable(quirks)
    by = ", else ".join(_WAYS[way] for way in ways)
    how = {Method.STATE: f"at the block's hash, by {by}; {_SHOWN[quirks.header_words]}"}
    if spec.params.get("proofs"):
        how[Method.PROOF] = "eth_getProof (EIP-1186), checked from the header's fields down"
    control = usual.control if Way.RPC in quirks.ways else ()  # single calls must be tied
    if quirks.eigen_pod_manager is None:
        control = tuple(check for check in control if check != "pod-owner")
    return usual.only(*how, how=how, control=control, batch=most(ways[0], quirks))


def _usable(quirks: Quirks) -> tuple[Way, ...]:
    """Return the ways that the chain allows, best first; Multicall3 has to be deployed."""
    return tuple(
        way for way in quirks.ways if way is not Way.MULTICALL3 or quirks.multicall is not None
    )
