"""Sui: balances as of a checkpoint that the service still keeps."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.addresses.base58 import bytes_to_base58
from chains.simulated.sui import SUI, SimulatedSui
from chains.simulated.sui_past import Transaction


def case() -> Case:
    """Return the case."""
    checkpoint, ledger = 306_133_070, ledger_of(32, 10**9)
    moved = [Transaction(at=checkpoint + 1, changes={(one, SUI): 7}) for one in ledger]

    def pass_by(node: SimulatedSui) -> None:
        node.newest, node.first_kept = checkpoint + 90_000, checkpoint + 80_000
        node.past.transactions = moved

    genesis = bytes_to_base58(SimulatedSui(checkpoint, ledger).genesis)
    return Case(
        name="sui",
        spec=spec_of("sui", "simulated", 784, {"genesis_digest": genesis}),
        height=checkpoint,
        ledger=ledger,
        node=lambda: SimulatedSui(checkpoint, ledger),
        be_another_chain=setting(chain="another"),
        name_another_block=setting(seed="another"),
        answer_zero=setting(zero_balances=True),
        fall_behind=setting(newest=checkpoint - 1),
        pass_by=pass_by,
    )
