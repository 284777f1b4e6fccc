"""The XRP Ledger: accounts at a ledger that is named by its hash."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.xrpl import KNOWN, SimulatedXrpl


def case() -> Case:
    """Return the case."""
    index, ledger = 90_000_000, ledger_of(20, 10**7)
    node = SimulatedXrpl(index, ledger)
    known = {"index": KNOWN, "hash": node.hash_of(KNOWN)}
    return Case(
        name="xrpl",
        spec=spec_of("xrpl", "0", 144, {"network_id": 0, "known_ledger": known}),
        height=index,
        ledger=ledger,
        node=lambda: SimulatedXrpl(index, ledger),
        be_another_chain=setting(seed="another"),
        name_another_block=setting(fork="another"),
        answer_zero=setting(knows_nobody=True),
        fall_behind=setting(complete=f"{KNOWN}-{index - 1}"),
    )
