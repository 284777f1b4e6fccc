"""aelf: a node whose head is the block."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.addresses.aelf import encode
from chains.simulated.aelf import GENESIS, SimulatedAelf


def case() -> Case:
    """Return the case."""
    height, ledger = 4_229_086, ledger_of(32, 10**8)
    params = {"genesis_contract": encode(GENESIS, {}), "chain": "AELF"}
    return Case(
        name="aelf",
        spec=spec_of("aelf", "simulated", 1616, params),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedAelf(height, ledger),
        be_another_chain=setting(chain="tDVV"),
        name_another_block=setting(fork="another"),
        answer_zero=setting(zero_for_everything=True),
        fall_behind=setting(best=height - 1),
        pass_by=setting(best=height + 900),
    )
