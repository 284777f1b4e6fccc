"""Hedera: a snapshot of balances and the transactions since, the treasury as canary."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.addresses import hedera
from chains.simulated.hedera import SimulatedHedera


def case() -> Case:
    """Return the case."""
    height = 70_000_000
    named = {f"0.0.{1000 + key[0]}": units for key, units in ledger_of(1, 10**8).items()}
    ledger = {hedera.decode(name, {}): units for name, units in named.items()}
    node = SimulatedHedera(height, named)
    return Case(
        name="hedera",
        spec=spec_of("hedera", "simulated", 3030, {"genesis_hash": node.genesis}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedHedera(height, named),
        be_another_chain=setting(seed="another"),
        name_another_block=setting(names_another_block=True),
        answer_zero=setting(zero_for_everything=True),
        fall_behind=setting(newest=height - 1),
        pass_by=setting(newest=height + 1000),
    )
