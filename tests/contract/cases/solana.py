"""Solana: the tip, and the slot of each account's last transaction."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.solana import SimulatedSolana
from chains.simulated.solana_ledger import Happened


def case() -> Case:
    """Return the case."""
    slot, ledger = 300_000_000, ledger_of(32, 10**9)
    node = SimulatedSolana(slot, ledger)

    def pass_by(node: SimulatedSolana) -> None:
        for one, units in ledger.items():
            node.happened.append(Happened(slot=slot - 9, lamports={one: (0, units)}))
            node.happened.append(Happened(slot=slot + 1, lamports={one: (units, units + 10**9)}))
        node.balances = {one: units + 10**9 for one, units in ledger.items()}

    return Case(
        name="solana",
        spec=spec_of("solana", "simulated", 501, {"genesis_hash": node.genesis}),
        height=slot,
        ledger=ledger,
        node=lambda: SimulatedSolana(slot, ledger),
        be_another_chain=setting(seed="another"),
        name_another_block=_rename_solana_block,
        answer_zero=setting(null_for_everything=True),
        fall_behind=setting(finalized=slot - 1),
        pass_by=pass_by,
    )


def _rename_solana_block(node: SimulatedSolana) -> None:
    real = node.block_hash
    node.block_hash = lambda slot: real(slot + 1)  # type: ignore[method-assign]
