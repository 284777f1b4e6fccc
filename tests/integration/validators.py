"""Validators of an OKX list: the rows, a beacon node for them, an EVM node for their controllers.

The configuration is the one that ships; the nodes serve its mainnet identities.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
from coincurve import PrivateKey
from generic_run import Ran

from chains.model import ChainId
from chains.signatures import bls
from chains.signatures.digests import okx_evm
from chains.simulated.beacon import ANCHOR, GWEI, SimulatedBeacon, SimulatedValidator
from chains.simulated.eip155 import Contract, SimulatedEvm
from crawler import settings
from crawler.demo import keys

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
        second: PrivateKey | None = None,
        balance: int | None = 32 * GWEI,
        deposits: tuple[int, ...] = (),
    ) -> None:
        self.kind, self.pod, self.balance = kind, pod, balance
        self.key = (
            key
            or keys.seed(kind, credentials, pod, balance, second and second.secret) + b"\x01" * 16
        )
        self.signer, self.second = signer, second
        self.held = balance and SimulatedValidator(
            balance=balance, credentials=credentials, deposits=deposits
        )

    @property
    def line(self) -> str:
        """The row as an OKX list shows it."""
        owner, other = address(keys.evm_address(self.signer)), self.pod and address(self.pod)
        also = ""
        if self.second is not None:
            also, other = signed(self.second), address(keys.evm_address(self.second))
        start = f"ETH,{self.kind},ETH,{HEIGHT},{address(self.key)},32,{TEXT}"
        return f"{start},{signed(self.signer)},{also},,{owner},{other or ''}"


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


class Validators(msgspec.Struct):
    """A list, the nodes that can be asked about it, and the command line of the whole job."""

    directory: Path
    beacon: SimulatedBeacon
    evm: SimulatedEvm

    def arguments(self, run: Path) -> list[str]:
        """The command line of the whole job."""
        options = (f"--endpoints={self.directory / 'endpoints.toml'}", f"--run={run}")
        return ["run", str(self.directory / "list.csv"), *options, "--processes=1", "--quiet"]


@contextlib.asynccontextmanager
async def serving(
    directory: Path,
    rows: Mapping[str, Row],
    contracts: Mapping[bytes, Contract],
    pods: Mapping[bytes, bytes],
) -> AsyncIterator[Validators]:
    """Write the list and serve what stands behind it; ``pods`` maps owners to their pods."""
    world = settings.load_world()
    params = world.chains[ChainId("beacon:1")].params
    ethereum = world.chains[ChainId("eip155:1")].params
    beacon = SimulatedBeacon(
        HEIGHT,
        {row.key: row.held for row in rows.values() if row.held},
        missed=MISSED,
        genesis_root=params["genesis_validators_root"],
    )
    manager, canary = (
        bytes.fromhex(text[2:]) for text in (ethereum["eigen_pod_manager"], ethereum["canaries"][0])
    )
    evm = SimulatedEvm(
        chain_id=1,
        height=HEIGHT,
        native={canary: 10**24},
        contracts={**contracts, manager: Contract(pods=pods)},
    )
    total = f"coin,snapshot height,amount\nETH,-,{32 * len(rows)}\n\n{HEADER}\n"
    directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a test may block
    (directory / "list.csv").write_text(total + "".join(f"{r.line}\n" for r in rows.values()))
    async with beacon, evm:
        (directory / "endpoints.toml").write_text(
            "\n".join(
                f'[[endpoints]]\nname = "{chain[:3]}"\nchain = "{chain}"\nurl = "{node.url}"'
                for chain, node in (("beacon:1", beacon), ("eip155:1", evm))
            )
        )
        yield Validators(directory, beacon, evm)


def rows_of(run: Path, rows: Mapping[str, Row]) -> Ran:
    """Return a finished run with the records of its ledger by the rows' names."""
    by_line = {record["row"]: record for record in pq.read_table(run / "rows.parquet").to_pylist()}
    return Ran(run, {name: by_line[FIRST + i] for i, name in enumerate(rows)})
