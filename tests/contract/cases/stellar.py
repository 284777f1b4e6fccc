"""Stellar: present accounts, and the ledger that changed each last."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.stellar import PASSPHRASE, SimulatedHorizon


def case() -> Case:
    """Return the case."""
    sequence, ledger = 50_000_000, ledger_of(32, 10**8)
    return Case(
        name="stellar",
        spec=spec_of("stellar", "simulated", 148, {"network_passphrase": PASSPHRASE}),
        height=sequence,
        ledger=ledger,
        node=lambda: SimulatedHorizon(sequence, ledger),
        be_another_chain=setting(passphrase="Another Network"),
        name_another_block=setting(fork="another"),
        answer_zero=setting(knows_nobody=True),
        fall_behind=setting(latest=sequence - 1),
        pass_by=setting(latest=sequence + 1000),
    )
