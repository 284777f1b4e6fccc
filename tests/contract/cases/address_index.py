"""Dash and Zcash: every change of an address up to the height, from a node's index."""

from __future__ import annotations

import msgspec
from adapter_cases import Case, ledger_of, setting, setting_fault, spec_of

from chains.simulated.address_index import SimulatedIndexedCore
from chains.simulated.bip122 import SimulatedCoin, SimulatedCore


def case() -> Case:
    """Return the case."""
    height = 120
    hashes = ledger_of(20, 1000)
    ledger = {b"\x76\xa9\x14" + one + b"\x88\xac": units for one, units in hashes.items()}
    ledger = dict(sorted(ledger.items()))
    coins = [
        SimulatedCoin(txid=f"{i:064x}", vout=0, height=5, units=units, script=script)
        for i, (script, units) in enumerate(ledger.items(), start=1)
        if units
    ]
    coins += [  # what was spent before the height, or paid after it, does not count
        SimulatedCoin(txid="aa" * 32, vout=1, height=6, units=7, script=min(ledger), spent=9),
        SimulatedCoin(txid="bb" * 32, vout=0, height=height + 1, units=9, script=min(ledger)),
    ]
    params = {"genesis": SimulatedCore().genesis, "address_index": True, "max_money": 2**60}
    plain = spec_of("bip122", "indexed", 1, params)
    spec = msgspec.structs.replace(
        plain, address="bitcoin", address_params={"p2pkh": [0x4C], "p2sh": [0x10]}
    )
    return Case(
        name="address_index",
        spec=spec,
        height=height,
        ledger=ledger,
        node=lambda: SimulatedIndexedCore(spec, coins, tip=height + 2),
        be_another_chain=setting_fault(wrong_chain=True),
        name_another_block=setting_fault(other_block=True),
        answer_zero=setting_fault(silent_zero=True),
        fall_behind=setting(tip=height - 1),
    )
