"""Validators: one list per group at the state of the pinned block's slot."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.beacon import SimulatedBeacon, SimulatedValidator


def case() -> Case:
    """Return the case."""
    height, ledger = 23_000_000, ledger_of(48, 32 * 10**9)
    known = {key: SimulatedValidator(balance=units) for key, units in ledger.items() if units}
    node = SimulatedBeacon(height, known)
    return Case(
        name="beacon",
        spec=spec_of("beacon", "simulated", 60, node.params),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedBeacon(height, known),
        be_another_chain=setting(seed="another"),
        name_another_block=setting(branch=1),
        answer_zero=setting(zero_for_everything=True),
        fall_behind=setting(finalized_slot=node.slot_of(height) - 1),
    )
