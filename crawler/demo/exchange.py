"""A made-up exchange: the rows of its list, what the chains hold for them, and its planted faults.

The list is written in OKX's 12-column format. ``crawler.demo.wallet_rows`` makes the rows,
``crawler.demo.planting`` the faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import msgspec

from chains.simulated.bip122 import SimulatedCoin
from crawler.counting.units import to_text
from crawler.demo.keys import MESSAGE
from crawler.demo.networks import by_label

BITCOIN_HEIGHT, ETHEREUM_HEIGHT, TRON_HEIGHT, SOLANA_SLOT = 2_000, 20_000_000, 62_000_000, 270_000
HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key,EOA1,EOA2"
)
RATIOS = {"BTC": "104", "ETH": "102", "USDT": "107", "USDC": "102", "TRX": "101", "SOL": "103"}
"""Percent of the liabilities that the list claims to cover; all of those of other coins."""
USDT = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")
USDC = bytes.fromhex("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
PLACES = 18
"""Decimals of the liabilities."""


class Label(msgspec.Struct, frozen=True):
    """What an asset label of the list stands for: network label, height, decimals, coin."""

    network: str
    height: int
    decimals: int
    coin: str


LABELS = {
    "BTC": Label("BTC", BITCOIN_HEIGHT, 8, "BTC"),
    "ETH": Label("ETH", ETHEREUM_HEIGHT, 18, "ETH"),
    "USDT-ERC20": Label("ETH", ETHEREUM_HEIGHT, 6, "USDT"),
    "USDC": Label("ETH", ETHEREUM_HEIGHT, 6, "USDC"),
    "TRX": Label("TRON", TRON_HEIGHT, 6, "TRX"),
    "SOL": Label("SOL", SOLANA_SLOT, 9, "SOL"),
}


@cache
def label_of(name: str) -> Label:
    """Return what an asset label stands for."""
    if name in LABELS:
        return LABELS[name]
    network = by_label()[name]
    return Label(name, network.family.height, network.decimals, network.coin)


class ListedRow(msgspec.Struct, kw_only=True):
    """One line of the list's detail section; ``units`` is what it claims."""

    coin: str
    address: str
    units: int
    signatures: tuple[str, ...] = ()
    key: str = ""
    owners: tuple[str, ...] = ()

    def line(self) -> str:
        """Write the row as it stands in the file."""
        label = label_of(self.coin)
        first, second = (*self.signatures, "", "")[:2]
        owner, other = (*self.owners, "", "")[:2]
        amount = to_text(self.units, label.decimals)
        cells = (
            self.coin, "Non Staking", label.network, str(label.height), self.address, amount,
            MESSAGE, first, second, self.key, owner, other,
        )  # fmt: skip
        return ",".join(cells)


class Planted(msgspec.Struct, frozen=True):
    """One planted fault: what was done, and the finding by which it must be named.

    ``rows`` are positions in ``World.rows``; ``endpoint`` is set for faults of endpoints.
    """

    what: str
    code: str
    rows: tuple[int, ...] = ()
    endpoint: str = ""


class MadeUp(msgspec.Struct, kw_only=True):
    """The whole made-up world: the list's rows and what the chains really hold."""

    rows: list[ListedRow] = []
    coins: list[SimulatedCoin] = []
    ether: dict[bytes, int] = {}
    tokens: dict[bytes, dict[bytes, int]] = msgspec.field(
        default_factory=lambda: {USDT: {}, USDC: {}}
    )
    owned_contracts: dict[bytes, bytes] = {}
    safes: dict[bytes, tuple[bytes, ...]] = {}
    tron: dict[bytes, int] = {}
    solana: dict[bytes, int] = {}
    others: dict[str, dict[bytes, int]] = {}
    planted: list[Planted] = []

    def totals(self) -> dict[str, int]:
        """Add up the list's rows by label, as published."""
        sums: dict[str, int] = {}
        for row in self.rows:
            sums[row.coin] = sums.get(row.coin, 0) + row.units
        return sums

    def list_text(self) -> str:
        """Write the list."""
        return "".join(self.list_lines())

    def list_lines(self) -> Iterator[str]:
        """Yield the lines of the list: totals, a blank line, rows."""
        yield "coin,amount\n"
        for name, total in self.totals().items():
            yield f"{name},{to_text(total, label_of(name).decimals)}\n"
        yield f"\n{HEADER}\n"
        for row in self.rows:
            yield row.line() + "\n"

    @property
    def first_row(self) -> int:
        """Physical line of the first detail row."""
        return len(self.totals()) + 4

    def liabilities_text(self) -> str:
        """Write liabilities such that the list claims the ratios of ``RATIOS``."""
        lines = ['as_of = "2024-06-10"', 'source = "made up for the demo"', "[liabilities]"]
        uncounted = {i for p in self.planted if p.code in ("repeat-of", "conflict") for i in p.rows}
        totals: dict[str, Fraction] = {}
        for i, row in enumerate(self.rows):
            if i not in uncounted:
                label = label_of(row.coin)
                coins = Fraction(row.units, 10**label.decimals)
                totals[label.coin] = totals.get(label.coin, Fraction(0)) + coins
        for coin, total in totals.items():
            owed = total * 100 / int(RATIOS.get(coin, "100"))
            lines.append(f'{coin} = "{to_text(int(owed * 10**PLACES), PLACES)}"')
        return "\n".join(lines) + "\n"
