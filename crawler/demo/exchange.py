"""A small made-up exchange: its wallets, what the chains hold for them, and its planted faults.

``made_up(rows)`` always gives the same world for the same number of rows. The list is written in
OKX's 12-column format with real signatures. Seven faults are planted in the list or on the chains;
three more in the endpoints (``crawler.demo.nodes``). Everything else is in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from fractions import Fraction

import msgspec

from chains.addresses.base58 import bytes_to_base58, bytes_to_base58check
from chains.addresses.bech32 import bytes_to_digits, digits_to_bech32
from chains.simulated.bip122 import SimulatedCoin
from crawler.demo import keys
from crawler.demo.keys import MESSAGE
from crawler.units import to_text

BITCOIN_HEIGHT, ETHEREUM_HEIGHT, TRON_HEIGHT, SOLANA_SLOT = 2_000, 20_000_000, 62_000_000, 270_000
HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key,EOA1,EOA2"
)
DECIMALS = {"BTC": 8, "ETH": 18, "USDT-ERC20": 6, "USDC": 6, "TRX": 6, "SOL": 9}
NETWORKS = {"BTC": "BTC", "TRX": "TRON", "SOL": "SOL"}
HEIGHTS = {"BTC": BITCOIN_HEIGHT, "ETH": ETHEREUM_HEIGHT, "TRON": TRON_HEIGHT, "SOL": SOLANA_SLOT}
COINS = {"USDT-ERC20": "USDT"}
RATIOS = {"BTC": "104", "ETH": "102", "USDT": "107", "USDC": "102", "TRX": "101", "SOL": "103"}
"""Percent of the liabilities that the list claims to cover."""
USDT = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")
USDC = bytes.fromhex("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
BECH32 = 1
SHORTFALL_PARTS = 40
"""The planted shortfall is one part in this many of its row."""


class ListedRow(msgspec.Struct, kw_only=True):
    """One line of the list's detail section; ``units`` is what it claims."""

    coin: str
    address: str
    units: int
    signatures: tuple[str, ...] = ()
    key: str = ""
    owners: tuple[str, ...] = ()

    @property
    def network(self) -> str:
        """The published network label."""
        return NETWORKS.get(self.coin, "ETH")

    def line(self) -> str:
        """Write the row as it stands in the file."""
        first, second = (*self.signatures, "", "")[:2]
        owner, other = (*self.owners, "", "")[:2]
        amount = to_text(self.units, DECIMALS[self.coin])
        height = str(HEIGHTS[self.network])
        cells = (
            self.coin, "Non Staking", self.network, height, self.address, amount, MESSAGE,
            first, second, self.key, owner, other,
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
    planted: list[Planted] = []

    def totals(self) -> dict[str, int]:
        """Add up the list's rows by label, as published."""
        sums: dict[str, int] = {}
        for row in self.rows:
            sums[row.coin] = sums.get(row.coin, 0) + row.units
        return sums

    def list_text(self) -> str:
        """Write the list: totals, a blank line, rows."""
        head = ["coin,amount"]
        head += [f"{c},{to_text(total, DECIMALS[c])}" for c, total in self.totals().items()]
        return "\n".join([*head, "", HEADER, *(row.line() for row in self.rows)]) + "\n"

    @property
    def first_row(self) -> int:
        """Physical line of the first detail row."""
        return len(self.totals()) + 4

    def liabilities_text(self) -> str:
        """Write liabilities such that the list claims the ratios of ``RATIOS``."""
        lines = ['as_of = "2024-06-10"', 'source = "made up for the demo"', "[liabilities]"]
        uncounted = {i for p in self.planted if p.code in ("repeat-of", "conflict") for i in p.rows}
        counted = [row for i, row in enumerate(self.rows) if i not in uncounted]
        for label in self.totals():
            coin = COINS.get(label, label)
            total = sum(row.units for row in counted if row.coin == label)
            owed = Fraction(total * 100, int(RATIOS[coin]))
            lines.append(f'{coin} = "{to_text(int(owed), DECIMALS[label])}"')
        return "\n".join(lines) + "\n"


def made_up(rows: int, *, sign: bool = True) -> MadeUp:
    """Make the world with ``rows`` rows; without ``sign`` only what the nodes need."""
    world = MadeUp()
    makers = _makers(world, sign=sign)
    for number in range(rows - _plant_count()):
        makers[number % len(makers)](number)
    _plant(world, sign=sign)
    return world


def _makers(world: MadeUp, *, sign: bool) -> list[Callable[[int], None]]:
    """Return the kinds of rows in their order; about half are on Ethereum."""

    def ether(n: int) -> None:
        _evm(world, "ETH", n, sign=sign)

    def tether(n: int) -> None:
        # Every third address also holds ether under its own row: lists share addresses.
        _evm(world, "USDT-ERC20", n - 1 if n % 3 else n, sign=sign)

    def usdc(n: int) -> None:
        _evm(world, "USDC", n, sign=sign)

    def bitcoin(n: int) -> None:
        _bitcoin(world, n, sign=sign)

    def tron(n: int) -> None:
        _tron(world, n, sign=sign)

    def solana(n: int) -> None:
        _solana(world, n, sign=sign)

    return [ether, tether, bitcoin, tron, ether, tether, solana, bitcoin, tron, usdc]


def _amount(least: int, most: int, *parts: object) -> int:
    return least + int.from_bytes(keys.seed("amount", *parts), "big") % (most - least)


def _evm(world: MadeUp, coin: str, number: int, *, sign: bool) -> None:
    key = keys.secp256k1_key("evm", number)
    account = keys.evm_address(key)
    units = _amount(10 ** DECIMALS[coin], 500 * 10 ** DECIMALS[coin], coin, number)
    _hold(world, coin, account, units)
    signature = keys.sign_evm(key) if sign else ""
    world.rows.append(
        ListedRow(coin=coin, address="0x" + account.hex(), units=units, signatures=(signature,))
    )


def _hold(world: MadeUp, coin: str, account: bytes, units: int) -> None:
    if coin == "ETH":
        world.ether[account] = units
    else:
        world.tokens[USDT if coin == "USDT-ERC20" else USDC][account] = units


def _bitcoin(world: MadeUp, number: int, *, sign: bool) -> None:
    """Take the usual forms in turn: P2WSH 2-of-3, P2PKH, P2SH 2-of-3, P2WPKH."""
    signers = [keys.secp256k1_key("bitcoin", number, i) for i in range(3)]
    form = number // 10 % 4
    publics = [keys.compressed(key) for key in signers]
    script = keys.multisig_script(2, publics)
    if form == 0:
        program = hashlib.sha256(script).digest()
        address, pubkey_script = segwit(program), b"\x00\x20" + program
    elif form == 1:
        digest = keys.hash160(publics[0])
        address = bytes_to_base58check(b"\x00" + digest)
        pubkey_script = b"\x76\xa9\x14" + digest + b"\x88\xac"
    elif form == 2:  # noqa: PLR2004 - the third form
        digest = keys.hash160(script)
        address = bytes_to_base58check(b"\x05" + digest)
        pubkey_script = b"\xa9\x14" + digest + b"\x87"
    else:
        digest = keys.hash160(publics[0])
        address, pubkey_script = segwit(digest), b"\x00\x14" + digest
    several = form in (0, 2)
    signing = signers[:2] if several else signers[:1]
    units = _amount(10**6, 40 * 10**8, "bitcoin", number)
    world.coins.extend(_coins(number, units, pubkey_script))
    world.rows.append(
        ListedRow(
            coin="BTC",
            address=address,
            units=units,
            signatures=tuple(keys.sign_bitcoin(key) for key in signing) if sign else (),
            key=script.hex() if several else "",
        )
    )


def segwit(program: bytes) -> str:
    """Return the bech32 text of a version 0 witness program."""
    return digits_to_bech32(b"\x00" + bytes_to_digits(program), "bc", BECH32)


def _coins(number: int, units: int, script: bytes) -> Iterator[SimulatedCoin]:
    """Split a balance over two coins."""
    first = units // 3
    for i, part in enumerate((first, units - first)):
        yield SimulatedCoin(
            txid=keys.seed("txid", number, i).hex(),
            vout=i,
            height=BITCOIN_HEIGHT - 1 - number % 1000,
            units=part,
            script=script,
        )


def _tron(world: MadeUp, number: int, *, sign: bool) -> None:
    key = keys.secp256k1_key("tron", number)
    account = keys.evm_address(key)
    units = _amount(10**6, 10**12, "tron", number)
    world.tron[account] = units
    world.rows.append(
        ListedRow(
            coin="TRX",
            address=keys.tron_text(account),
            units=units,
            signatures=(keys.sign_tron(key) if sign else "",),
        )
    )


def _solana(world: MadeUp, number: int, *, sign: bool) -> None:
    key = keys.ed25519_key("solana", number)
    account = bytes(key.verify_key)
    units = _amount(10**9, 10**13, "solana", number)
    world.solana[account] = units
    world.rows.append(
        ListedRow(
            coin="SOL",
            address=bytes_to_base58(account),
            units=units,
            signatures=(keys.sign_ed25519(key) if sign else "",),
            key="0x" + account.hex(),
        )
    )


def _plant_count() -> int:
    """Rows that planting adds: contract rows, a repeat, a conflict, a broken address, …."""
    return 9


def _plant(world: MadeUp, *, sign: bool) -> None:
    """Plant the faults, in fixed places of the list."""
    rows = world.rows
    _plant_contracts(world, sign=sign)

    shortfall = next(i for i, row in enumerate(rows) if row.coin == "ETH")
    account = bytes.fromhex(rows[shortfall].address[2:])
    world.ether[account] -= rows[shortfall].units // SHORTFALL_PARTS
    world.planted.append(Planted("an address holds less than claimed", "shortfall", (shortfall,)))

    _tron(world, 10**6, sign=sign)
    if sign:
        rows[-1].signatures = (keys.sign_tron(keys.secp256k1_key("somebody else")),)
    world.planted.append(
        Planted("a signature by the wrong key", "refuted:wrong-key", (len(rows) - 1,))
    )

    _bitcoin(world, 10**6, sign=sign)
    rows[-1].signatures = rows[-1].signatures[:1] * 2
    world.planted.append(
        Planted("one signature twice in a 2-of-3", "refuted:below-threshold", (len(rows) - 1,))
    )

    repeated = next(row for row in rows if row.coin == "USDT-ERC20")
    shouted = "0x" + repeated.address[2:].upper()
    rows.append(msgspec.structs.replace(repeated, address=shouted))
    world.planted.append(
        Planted("a row repeated in another spelling", "repeat-of", (len(rows) - 1,))
    )

    conflicting = next(i for i, row in enumerate(rows) if row.coin == "SOL")
    rows.append(msgspec.structs.replace(rows[conflicting], units=rows[conflicting].units + 10**9))
    world.planted.append(
        Planted("two amounts for one account", "conflict", (conflicting, len(rows) - 1))
    )

    _bitcoin(world, 10**6 + 10, sign=sign)
    good = rows[-1].address
    rows[-1].address = good[:-1] + ("2" if good[-1] != "2" else "3")
    rows[-1].units = 10**5
    world.planted.append(
        Planted("an address that does not decode", "refuted:bad-address", (len(rows) - 1,))
    )

    world.planted += [
        Planted("an endpoint that answers 429", "rate-limited", endpoint="ethereum-busy"),
        Planted("an endpoint that times out", "timeout", endpoint="solana-silent"),
        Planted("an endpoint that answers zero", "canary-failed", endpoint="tron-empty"),
    ]


def _plant_contracts(world: MadeUp, *, sign: bool) -> None:
    """Add contract wallets: one by its owner, one Safe, and one by a stranger."""
    owner, other, stranger = (keys.secp256k1_key("owner", i) for i in range(3))
    owned, safe, foreign = (keys.seed("contract", i)[:20] for i in range(3))
    world.owned_contracts[owned] = keys.evm_address(owner)
    world.owned_contracts[foreign] = keys.evm_address(keys.secp256k1_key("its real owner"))
    world.safes[safe] = (keys.evm_address(owner), keys.evm_address(other))
    for number, (account, signers) in enumerate(
        ((owned, [owner]), (safe, [owner, other]), (foreign, [stranger]))
    ):
        units = _amount(10**18, 50 * 10**18, "contract", number)
        world.ether[account] = units
        world.rows.append(
            ListedRow(
                coin="ETH",
                address="0x" + account.hex(),
                units=units,
                signatures=tuple(keys.sign_evm(key) if sign else "" for key in signers),
                owners=tuple("0x" + keys.evm_address(key).hex() for key in signers),
            )
        )
    world.planted.append(
        Planted(
            "an owner column that names a stranger",
            "refuted:owner-not-in-control",
            (len(world.rows) - 1,),
        )
    )
