"""Filecoin: one call per account in the parent state of the tipset above, f02 as canary."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.addresses import filecoin
from chains.simulated.filecoin import SimulatedActor, SimulatedLotus, code_of


def case() -> Case:
    """Return the case."""
    height = 4_863_282
    truth = {f"f0{1000 + key[0]}": units for key, units in ledger_of(1, 10**18).items()}
    actors = {name: SimulatedActor(balance=units) for name, units in truth.items() if units}
    node = SimulatedLotus(height, actors)
    return Case(
        name="filecoin",
        spec=spec_of(
            "filecoin", "f", 461, {"genesis": node.genesis, "plain_codes": [code_of("account")]}
        ),
        height=height,
        ledger={filecoin.decode(name, {}): units for name, units in truth.items()},
        node=lambda: SimulatedLotus(height, actors),
        be_another_chain=setting(seed="another"),
        name_another_block=setting(names_another_block=True),
        answer_zero=setting(forgets_everything=True),
        fall_behind=setting(head=height),
    )
