"""Bitcoin: a scan of all coins while the tip is the pinned block."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, setting_fault, spec_of

from chains.simulated.bip122 import SimulatedCoin, SimulatedCore


def case() -> Case:
    """Return the case."""
    height = 120
    scripts = ledger_of(20, 1000)
    ledger = {b"\x00\x14" + program: units for program, units in scripts.items()}
    ledger = dict(sorted((s, min(u, 21 * 10**14 // 20)) for s, u in ledger.items()))
    coins = [
        SimulatedCoin(txid=f"{i:064x}", vout=0, height=5, units=units, script=script)
        for i, (script, units) in enumerate(ledger.items(), start=1)
        if units
    ]
    node = SimulatedCore(coins, tip=height)
    return Case(
        name="bip122",
        spec=spec_of("bip122", "simulated", 1, {"genesis": node.genesis}),
        height=height,
        ledger=ledger,
        node=lambda: SimulatedCore(coins, tip=height),
        be_another_chain=setting_fault(wrong_chain=True),
        name_another_block=setting_fault(other_block=True),
        answer_zero=setting_fault(silent_zero=True),
        fall_behind=setting(tip=height - 1),
    )
