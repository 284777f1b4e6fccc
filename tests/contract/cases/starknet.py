"""Starknet: arrays of calls at a block hash, the supply and the sequencer as canaries."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.starknet import SimulatedStarknet


def case() -> Case:
    """Return the case."""
    height = 638_358
    ledger = {b"\0" + key: units for key, units in ledger_of(31, 10**18).items()}
    return Case(
        name="starknet",
        spec=spec_of("starknet", "simulated", 60, {}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedStarknet(height, ledger),
        be_another_chain=setting(chain="SN_SEPOLIA"),
        name_another_block=setting(seed="another"),
        answer_zero=setting(zero_for_everything=True),
        fall_behind=setting(newest=height - 1),
    )
