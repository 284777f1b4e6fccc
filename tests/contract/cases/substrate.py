"""Substrate: many keys in one call at a block hash; the block's time and an account as canaries."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.substrate import SimulatedSubstrate


def case() -> Case:
    """Return the case."""
    height = 28_000_000
    ledger = ledger_of(32, 10**10)
    node = SimulatedSubstrate(height, ledger)
    return Case(
        name="substrate",
        spec=spec_of("substrate", "simulated", 354, {"genesis_hash": node.genesis[2:]}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedSubstrate(height, ledger),
        be_another_chain=setting(genesis_text="0x" + "91" * 32),
        name_another_block=setting(names_another_block=True),
        answer_zero=setting(forgets_everything=True),
        fall_behind=setting(final=height - 1),
    )
