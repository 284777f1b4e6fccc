"""Ethereum: state at a block hash, many accounts per call."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.eip155 import SimulatedEvm


def case() -> Case:
    """Return the case."""
    height, ledger = 20_000_000, ledger_of(20, 10**18)
    return Case(
        name="eip155",
        spec=spec_of("eip155", "1337", 60, {"chain_id": 1337}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedEvm(chain_id=1337, height=height, native=ledger),
        be_another_chain=setting(wrong_chain_id=1),
        name_another_block=setting(wrong_block_hash=True),
        answer_zero=setting(zero_for_everything=True),
        fall_behind=setting(lag=10**6),
    )
