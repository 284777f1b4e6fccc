"""The whole job on an OKX list with validators, who may withdraw, and who controls those."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from made_up_run import recount
from validators import (
    EIGEN,
    MINE,
    NATIVE,
    OWNER,
    STRANGER,
    HotRow,
    Row,
    paid_to,
    rows_of,
    serving,
)

from chains.simulated.beacon import GWEI
from chains.simulated.eip155 import Contract
from crawler.demo import keys

pytestmark = pytest.mark.integration

OUTSIDER = keys.secp256k1_key("outsider")
ME, ANOTHER = keys.evm_address(OWNER), keys.evm_address(STRANGER)
POD, OTHER_POD, WALLET, MUTE, SAFE, ITS_SAFE, DEEPER, DEEPEST, LOOP, BACK, LEFT, POD_SAFE = (
    bytes((n,)) * 20 for n in range(0xA1, 0xAD)
)
CONTRACTS = {
    POD: Contract(pod_owner=ME),
    OTHER_POD: Contract(pod_owner=ME),
    WALLET: Contract(owner=ME),
    MUTE: Contract(),
    SAFE: Contract(safe_owners=(ANOTHER, ME), threshold=1),
    ITS_SAFE: Contract(safe_owners=(ANOTHER, WALLET, MUTE), threshold=1),
    DEEPER: Contract(owner=ITS_SAFE),
    DEEPEST: Contract(owner=DEEPER),
    LOOP: Contract(owner=BACK),
    BACK: Contract(owner=LOOP),
    LEFT: Contract(safe_owners=(WALLET, ANOTHER), threshold=2),
    POD_SAFE: Contract(safe_owners=(ANOTHER,), threshold=1, pod_owner=SAFE),
}
ROWS: Mapping[str, Row] = {
    "native": Row(NATIVE, MINE),
    "compounding": Row(NATIVE, paid_to(ME, "02"), deposits=(GWEI,)),
    "another's": Row(NATIVE, paid_to(ANOTHER)),
    "bls credentials": Row(NATIVE, "0x00" + "ab" * 31),
    "unknown": Row(NATIVE, MINE, balance=None),
    "pod": Row(EIGEN, paid_to(POD), POD),
    "pod that is not named": Row(NATIVE, paid_to(POD)),
    "pod of another": Row(EIGEN, paid_to(POD), POD, signer=STRANGER, balance=31 * GWEI),
    "contract as pod": Row(EIGEN, paid_to(WALLET), WALLET),
    "not through the pod": Row(EIGEN, MINE, POD),
    "another pod": Row(EIGEN, paid_to(OTHER_POD), OTHER_POD),
    "mute pod": Row(EIGEN, paid_to(MUTE), MUTE),
    "pod of a safe": Row(EIGEN, paid_to(POD_SAFE), POD_SAFE),
    "contract of the owner": Row(NATIVE, paid_to(WALLET)),
    "contract of another": Row(NATIVE, paid_to(WALLET), signer=STRANGER),
    "contract of nobody known": Row(NATIVE, paid_to(MUTE)),
    "safe of the owner": Row(NATIVE, paid_to(SAFE)),
    "safe of a contract": Row(NATIVE, paid_to(ITS_SAFE)),
    "three contracts": Row(NATIVE, paid_to(DEEPER)),
    "four contracts": Row(NATIVE, paid_to(DEEPEST)),
    "contracts of each other": Row(NATIVE, paid_to(LOOP)),
    "safe that wants two": Row(NATIVE, paid_to(LEFT)),
    "both owners of a safe that wants two": Row(NATIVE, paid_to(LEFT), second=STRANGER),
    "an owner of a safe and a stranger": Row(NATIVE, paid_to(SAFE), second=OUTSIDER),
    "hot key": HotRow(MINE),
    "hot key, bls credentials": HotRow("0x00" + "cd" * 31),
}
CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")
UNKNOWN = ("signer-only", "controller-unknown")
EXPECTED = {
    "native": CONTROLLED,
    "compounding": CONTROLLED,
    "another's": DENIED,
    "bls credentials": ("signer-only", "no-control-rule"),
    "unknown": ("signer-only", "nothing-at-address"),
    "pod": CONTROLLED,
    "pod that is not named": CONTROLLED,
    "pod of another": DENIED,
    "contract as pod": CONTROLLED,
    "not through the pod": DENIED,
    "another pod": UNKNOWN,
    "mute pod": UNKNOWN,
    "pod of a safe": CONTROLLED,
    "contract of the owner": CONTROLLED,
    "contract of another": DENIED,
    "contract of nobody known": UNKNOWN,
    "safe of the owner": CONTROLLED,
    "safe of a contract": CONTROLLED,
    "three contracts": CONTROLLED,
    "four contracts": ("signer-only", "controllers-too-deep"),
    "contracts of each other": UNKNOWN,
    "safe that wants two": ("signer-only", "owners-below-threshold"),
    "both owners of a safe that wants two": CONTROLLED,
    "an owner of a safe and a stranger": DENIED,
    "hot key": ("signer-only", "link-unobserved"),
    "hot key, bls credentials": ("signer-only", "link-unobserved"),
}


async def test_every_row_is_judged_by_who_may_withdraw_and_who_controls_them(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    async with serving(tmp_path / "inputs", ROWS, CONTRACTS, {ME: POD, SAFE: POD_SAFE}) as made:
        code, _, err = await recount(*made.arguments(run))
    assert code in (0, 1, 3), err
    replayed, _, err = await recount("replay", str(run), "--json")
    assert replayed == code, err
    found = rows_of(run, ROWS)
    assert found.verdicts() == EXPECTED
    held = {name: str(row.balance or 0) for name, row in ROWS.items()}
    assert found.observed() == held | {"compounding": str(33 * GWEI)}
