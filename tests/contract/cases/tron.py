"""TRON: a record of history per account."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.tron import SimulatedTron


def case() -> Case:
    """Return the case."""
    height, ledger = 60_000_000, ledger_of(20, 1)
    node = SimulatedTron(height, ledger)
    return Case(
        name="tron",
        spec=spec_of("tron", "simulated", 195, {"genesis_hash": node.genesis}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedTron(height, ledger),
        be_another_chain=setting(seed="another"),
        name_another_block=_rename_tron_block,
        answer_zero=setting(zero_for_everything=True),
        fall_behind=setting(head=height - 1),
        pass_by=setting(head=height + 1000),
    )


def _rename_tron_block(node: SimulatedTron) -> None:
    genesis = node.genesis

    def block_id(number: int) -> str:
        return f"{number:016x}" + "ab" * 24 if number else genesis

    node.block_id = block_id  # type: ignore[method-assign]
