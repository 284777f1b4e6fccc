"""The whole job on an OKX list with validators: a beacon node for them, an EVM node for owners.

The configuration is the one that ships; the nodes serve its mainnet identities.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from coincurve import PrivateKey
from generic_run import Ran
from made_up_run import recount

from chains.model import ChainId
from chains.signatures import bls
from chains.signatures.digests import okx_evm
from chains.simulated.beacon import ANCHOR, GWEI, SimulatedBeacon, SimulatedValidator
from chains.simulated.eip155 import Contract, SimulatedEvm
from crawler import settings
from crawler.demo import keys

pytestmark = pytest.mark.integration

TEXT = "I am an OKX address"
HEIGHT = 23_000_000
MISSED = range(ANCHOR[1] + 1000, ANCHOR[1] + 1070)
HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/public key,EOA1,EOA2"
)
FIRST = 5
"""The line of the first row."""
OWNER, STRANGER = keys.secp256k1_key("staking owner"), keys.secp256k1_key("stranger")
POD, OTHER_POD, WALLET, MUTE = (bytes((n,)) * 20 for n in range(0xA1, 0xA5))
NATIVE, EIGEN = "Native ETH Staking", "Eigenlayer Staking"


def address(account: bytes) -> str:
    return "0x" + account.hex()


def paid_to(account: bytes, prefix: str = "01") -> str:
    return f"0x{prefix}{'00' * 11}{account.hex()}"


def signed(key: PrivateKey) -> str:
    raw = key.sign_recoverable(okx_evm(TEXT), hasher=None)
    return "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()


class Row:
    """One published row about a validator, and what the beacon chain holds of it."""

    def __init__(
        self,
        kind: str,
        credentials: str,
        pod: bytes | None = None,
        *,
        key: bytes | None = None,
        signer: PrivateKey = OWNER,
        balance: int | None = 32 * GWEI,
        deposits: tuple[int, ...] = (),
    ) -> None:
        self.kind, self.pod, self.balance = kind, pod, balance
        self.key = key or keys.seed(kind, credentials, pod, balance) + b"\x01" * 16
        self.signer = signer
        self.held = balance and SimulatedValidator(
            balance=balance, credentials=credentials, deposits=deposits
        )

    @property
    def line(self) -> str:
        """The row as an OKX list shows it."""
        owner, pod = address(keys.evm_address(self.signer)), self.pod and address(self.pod)
        start = f"ETH,{self.kind},ETH,{HEIGHT},{address(self.key)},32,{TEXT}"
        return f"{start},{signed(self.signer)},,,{owner},{pod or ''}"


class HotRow(Row):
    """A row of the older form, signed by the validator's own key."""

    def __init__(self, credentials: str) -> None:
        self.secret = b"\0" + keys.seed("hot key", credentials)[1:]
        super().__init__("", credentials, key=bls._milagro().SkToPk(self.secret))

    @property
    def line(self) -> str:
        """The row as an OKX list shows it."""
        signature = bls._milagro().Sign(self.secret, okx_evm(TEXT)).hex()
        return f"BETH,,BETH,{HEIGHT},{self.key.hex()},32,{TEXT},{signature},,,,"


MINE = paid_to(keys.evm_address(OWNER))
ROWS: Mapping[str, Row] = {
    "native": Row(NATIVE, MINE),
    "compounding": Row(NATIVE, paid_to(keys.evm_address(OWNER), "02"), deposits=(GWEI,)),
    "another's": Row(NATIVE, paid_to(keys.evm_address(STRANGER))),
    "bls credentials": Row(NATIVE, "0x00" + "ab" * 31),
    "unknown": Row(NATIVE, MINE, balance=None),
    "pod": Row(EIGEN, paid_to(POD), POD),
    "pod of another": Row(EIGEN, paid_to(POD), POD, signer=STRANGER, balance=31 * GWEI),
    "contract as pod": Row(EIGEN, paid_to(WALLET), WALLET),
    "not through the pod": Row(EIGEN, MINE, POD),
    "another pod": Row(EIGEN, paid_to(OTHER_POD), POD),
    "mute pod": Row(EIGEN, paid_to(MUTE), MUTE),
    "hot key": HotRow(MINE),
    "hot key, bls credentials": HotRow("0x00" + "cd" * 31),
}
CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")
EXPECTED = {
    "native": CONTROLLED,
    "compounding": CONTROLLED,
    "another's": ("signer-only", "controller-unasked"),  # it may be a contract of the signer's
    "bls credentials": ("signer-only", "no-control-rule"),
    "unknown": ("signer-only", "nothing-at-address"),
    "pod": CONTROLLED,
    "pod of another": DENIED,
    "contract as pod": CONTROLLED,
    "not through the pod": DENIED,
    "another pod": DENIED,
    "mute pod": DENIED,
    "hot key": ("signer-only", "link-unobserved"),
    "hot key, bls credentials": ("signer-only", "link-unobserved"),
}


async def ran(directory: Path) -> Ran:
    """Do the whole job on the rows, replay it, and return the ledger by name."""
    world = settings.load_world()
    params = world.chains[ChainId("beacon:1")].params
    ethereum = world.chains[ChainId("eip155:1")].params
    beacon = SimulatedBeacon(
        HEIGHT,
        {row.key: row.held for row in ROWS.values() if row.held},
        missed=MISSED,
        genesis_root=params["genesis_validators_root"],
    )
    manager, canary = (
        bytes.fromhex(text[2:]) for text in (ethereum["eigen_pod_manager"], ethereum["canaries"][0])
    )
    owner = keys.evm_address(OWNER)
    evm = SimulatedEvm(
        chain_id=1,
        height=HEIGHT,
        native={canary: 10**24},
        contracts={
            POD: Contract(pod_owner=owner),
            OTHER_POD: Contract(pod_owner=owner),
            WALLET: Contract(owner=owner),
            MUTE: Contract(),
            manager: Contract(pods={owner: POD}),
        },
    )
    total = f"coin,snapshot height,amount\nETH,-,{32 * len(ROWS)}\n\n{HEADER}\n"
    (directory / "list.csv").write_text(total + "".join(f"{r.line}\n" for r in ROWS.values()))
    async with AsyncExitStack() as stack:
        for node in (beacon, evm):
            await stack.enter_async_context(node)
        (directory / "endpoints.toml").write_text(
            "\n".join(
                f'[[endpoints]]\nname = "{chain[:3]}"\nchain = "{chain}"\nurl = "{node.url}"'
                for chain, node in (("beacon:1", beacon), ("eip155:1", evm))
            )
        )
        options = (f"--endpoints={directory / 'endpoints.toml'}", f"--run={directory / 'run'}")
        code, _, err = await recount(
            "run", str(directory / "list.csv"), *options, "--processes=1", "--quiet", "--json"
        )
    assert code in (0, 1, 3), err
    replayed, _, err = await recount("replay", str(directory / "run"), "--json")
    assert replayed == code, err
    ledger = pq.read_table(directory / "run" / "rows.parquet").to_pylist()
    by_line = {record["row"]: record for record in ledger}
    return Ran(directory / "run", {name: by_line[FIRST + i] for i, name in enumerate(ROWS)})


async def test_every_row_is_judged_by_its_withdrawal_credentials(tmp_path: Path) -> None:
    found = await ran(tmp_path)
    assert found.verdicts() == EXPECTED
    held = {name: str(row.balance or 0) for name, row in ROWS.items()}
    assert found.observed() == held | {"compounding": str(33 * GWEI)}
