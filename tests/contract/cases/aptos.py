"""Aptos: the state of a ledger version, its clock and those who paid gas."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.aptos import SimulatedAptos


def case() -> Case:
    """Return the case."""
    version, ledger = 3_363_904_007, ledger_of(32, 10**8)
    return Case(
        name="aptos",
        spec=spec_of("aptos", "1", 637, {"chain_id": 1}),
        height=version,
        ledger=ledger,
        node=lambda: SimulatedAptos(version, ledger),
        be_another_chain=setting(chain_id=2),
        name_another_block=setting(seed="another"),
        answer_zero=setting(zero_views=True),
        fall_behind=setting(newest=version - 1),
    )
