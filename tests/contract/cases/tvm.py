"""TON: accounts of workchain 0 and of the masterchain as a masterchain block left them."""

from __future__ import annotations

from adapter_cases import Case, ledger_of, setting, spec_of

from chains.simulated.node import Faults
from chains.simulated.tvm import MAINNET_ZERO_STATE, SimulatedTon


def case() -> Case:
    """Return the case."""
    seqno = 39_984_096
    hashes = ledger_of(32, 10**9)
    ledger = {b"\0" + digest: units for digest, units in hashes.items()}
    ledger |= {b"\xff" + b"\x55" * 32: 10**18, b"\xff" + b"\x56" * 32: 0}
    root, file = MAINNET_ZERO_STATE
    held = {account: units for account, units in ledger.items() if units}

    def node() -> SimulatedTon:
        # A 500 is an answer of this protocol; what may pass by itself is another one.
        return SimulatedTon(seqno, held, faults=Faults(status=502))

    return Case(
        name="tvm",
        spec=spec_of("tvm", "-239", 607, {"zero_state_root": root, "zero_state_file": file}),
        height=seqno,
        ledger=ledger,
        node=node,
        be_another_chain=setting(zero_state=(file, root)),
        name_another_block=setting(seed="another"),
        answer_zero=setting(empty_states=True),
        fall_behind=setting(newest=seqno - 1),
    )
