"""Antelope: nodeos whose head stands at the block."""

from __future__ import annotations

from adapter_cases import Case, setting, spec_of

from chains.addresses.antelope import decode
from chains.simulated.antelope import SimulatedAntelope
from chains.simulated.node import Faults

NAMES = ("alice", "bob", "carol.x", "123451234512", "eosriobrazil")


def case() -> Case:
    """Return the case."""
    height = 400_000_000
    held = {decode(name, {}): 1 + i for i, name in enumerate(NAMES)}
    held |= {decode("rich", {}): 2**53 + 1, decode("poor", {}): 0}
    ledger = held | {decode("nobody", {}): 0}

    def node() -> SimulatedAntelope:
        # A 500 is an answer of this protocol; what may pass by itself is another one.
        return SimulatedAntelope(height, held, faults=Faults(status=502))

    return Case(
        name="antelope",
        spec=spec_of("antelope", "simulated", 194, {"chain_id": node().chain_id}),
        height=height,
        ledger=ledger,
        node=node,
        be_another_chain=setting(seed="another"),
        name_another_block=_rename_block,
        answer_zero=setting(zero_for_everything=True),
        fall_behind=setting(head=height - 1),
    )


def _rename_block(node: SimulatedAntelope) -> None:
    def block_id(number: int) -> str:
        return f"{number:08x}" + "ab" * 28

    node.block_id = block_id  # type: ignore[method-assign]
