"""NEAR: one call per account at a block hash, the block's producer as canary."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.near import SimulatedNear


def case() -> Case:
    """Return the case."""
    height = 157_424_893
    named = {f"a{key[0]}.near": units for key, units in ledger_of(1, 10**24).items()}
    ledger = {name.encode(): units for name, units in named.items()}
    node = SimulatedNear(height, named)
    return Case(
        name="near",
        spec=spec_of("near", "simulated", 397, {"genesis_hash": node.genesis}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedNear(height, named),
        be_another_chain=setting(seed="another"),
        name_another_block=setting(names_another_block=True),
        answer_zero=setting(forgets_everything=True),
        fall_behind=setting(final=height - 1),
    )
