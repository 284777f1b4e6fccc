"""A small made-up exchange: its wallets, what the chains hold for them, and its planted faults.

``made_up(rows)`` always gives the same world for the same number of rows. The list is written in
OKX's 12-column format with real signatures. Seven faults are planted in the list or on the chains;
three more in the endpoints (``crawler.demo.nodes``). Everything else is in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from math import gcd

import msgspec

from chains.addresses.base58 import bytes_to_base58, bytes_to_base58check
from chains.addresses.bech32 import bytes_to_digits, digits_to_bech32
from chains.simulated.bip122 import SimulatedCoin
from crawler.demo import keys
from crawler.demo.keys import MESSAGE
from crawler.demo.networks import Network, by_label, networks
from crawler.units import to_text

BITCOIN_HEIGHT, ETHEREUM_HEIGHT, TRON_HEIGHT, SOLANA_SLOT = 2_000, 20_000_000, 62_000_000, 270_000
HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/ public key,EOA1,EOA2"
)
RATIOS = {"BTC": "104", "ETH": "102", "USDT": "107", "USDC": "102", "TRX": "101", "SOL": "103"}
"""Percent of the liabilities that the list claims to cover; all of those of other coins."""
USDT = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")
USDC = bytes.fromhex("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
BECH32 = 1
PLACES = 18
"""Decimals of the liabilities."""
PLANTED_ROWS = 9
"""Rows that planting adds: contract rows, a repeat, a conflict, a broken address, …."""
MAIN_SHARES = {"ETH": 1500, "USDT-ERC20": 1500, "USDC": 500, "TRX": 1200, "BTC": 1700, "SOL": 700}
"""Rows in about ten thousand of a wide world; the further networks have the rest."""
WIDE_NUMBERS = 20_000_000
"""Wide worlds count from here where planted rows have numbers of their own."""
SHORTFALL_PARTS = 40
"""The planted shortfall is one part in this many of its row."""


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


def made_up(rows: int, *, sign: bool = True, wide: bool = False) -> MadeUp:
    """Make the world with ``rows`` rows; without ``sign`` only what the nodes need.

    A ``wide`` one has rows on the further networks too (``crawler.demo.networks``), in the shares
    of published lists, and is sorted by label as those are.
    """
    return completed(part(range(unplanted(rows)), sign=sign, wide=wide), sign=sign, wide=wide)


def unplanted(rows: int) -> int:
    """Return how many of the rows are in order."""
    return rows - PLANTED_ROWS


def part(numbers: range, *, sign: bool, wide: bool) -> MadeUp:
    """Make the rows of these numbers and what is behind them; parts can be joined."""
    world = MadeUp()
    if wide:
        for number in numbers:
            _wide_row(world, number, sign=sign)
        return world
    makers = _makers(world, sign=sign)
    for number in numbers:
        makers[number % len(makers)](number)
    return world


def join(world: MadeUp, more: MadeUp) -> None:
    """Put the rows of a part behind those of another, with what is behind them."""
    world.rows += more.rows
    world.coins += more.coins
    for own, other in (
        (world.ether, more.ether),
        (world.tron, more.tron),
        (world.solana, more.solana),
        *((world.tokens[token], more.tokens[token]) for token in more.tokens),
        *((world.others.setdefault(name, {}), held) for name, held in more.others.items()),
    ):
        own.update(other)


def completed(world: MadeUp, *, sign: bool, wide: bool) -> MadeUp:
    """Sort the rows of a wide world and plant the faults."""
    if wide:
        world.rows.sort(key=lambda row: row.coin)
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


@cache
def _wide_shares() -> tuple[tuple[str, int, int], ...]:
    """Return (label, place within its label, rows of the label) for each of a round of rows.

    Each label comes once before they are mixed, so that a short list has all of them.
    """
    shares = MAIN_SHARES | {one.label: one.family.share for one in networks()}
    places = [(name, i, count) for name, count in shares.items() for i in range(count)]
    step = next(
        step for step in range(len(places) * 3 // 8, len(places)) if gcd(step, len(places)) == 1
    )
    scattered = [places[i * step % len(places)] for i in range(len(places))]
    return tuple(sorted(scattered, key=lambda one: one[1] > 0))


def _wide_row(world: MadeUp, number: int, *, sign: bool) -> None:
    shares = _wide_shares()
    around, at = divmod(number, len(shares))
    name, place, count = shares[at]
    own = around * count + place
    if name == "BTC":
        _bitcoin(world, WIDE_NUMBERS + own * 10, sign=sign)
    elif name == "TRX":
        _tron(world, WIDE_NUMBERS + own, sign=sign)
    elif name == "SOL":
        _solana(world, own, sign=sign)
    elif name in LABELS:
        _evm(world, name, own, sign=sign, shared=own % 3 == 0)
    else:
        _other(world, by_label()[name], own, sign=sign)


def _other(world: MadeUp, network: Network, number: int, *, sign: bool) -> None:
    wallet = network.family.wallet(network, number, sign=sign)
    unit = 10**network.decimals
    units = _amount(unit // 100 + 1, 500 * unit, network.label, number)
    world.others.setdefault(network.label, {})[wallet.account] = units
    world.rows.append(
        ListedRow(
            coin=network.label,
            address=network.text(wallet.account),
            units=units,
            signatures=wallet.signatures if network.family.scheme else (),
            key=wallet.key,
        )
    )


def _amount(least: int, most: int, *parts: object) -> int:
    return least + int.from_bytes(keys.seed("amount", *parts), "big") % (most - least)


def _evm(world: MadeUp, coin: str, number: int, *, sign: bool, shared: bool = True) -> None:
    key = keys.secp256k1_key("evm", number) if shared else keys.secp256k1_key(coin, number)
    account = keys.evm_address(key)
    unit = 10 ** LABELS[coin].decimals
    units = _amount(unit, 500 * unit, coin, number)
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
