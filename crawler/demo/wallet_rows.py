"""The rows of the made-up exchange, signed, with what the chains hold for them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from math import gcd

from chains.addresses.base58 import bytes_to_base58, bytes_to_base58check
from chains.addresses.bech32 import bytes_to_digits, digits_to_bech32
from chains.simulated.bip122 import SimulatedCoin
from crawler.demo import keys
from crawler.demo.exchange import BITCOIN_HEIGHT, LABELS, USDC, USDT, ListedRow, MadeUp
from crawler.demo.networks import Network, by_label, networks

BECH32 = 1
MAIN_SHARES = {"ETH": 1500, "USDT-ERC20": 1500, "USDC": 500, "TRX": 1200, "BTC": 1700, "SOL": 700}
"""Rows in about ten thousand of a wide world; the further networks have the rest."""
WIDE_NUMBERS = 20_000_000
"""Wide worlds count from here where planted rows have numbers of their own."""
RICH = 400_000
"""Bitcoin wallets that hold up to 40 BTC; all others hold up to one. There are 21 million."""


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
        bitcoin_row(world, n, sign=sign)

    def tron(n: int) -> None:
        tron_row(world, n, sign=sign)

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
        bitcoin_row(world, WIDE_NUMBERS + own * 10, sign=sign)
    elif name == "TRX":
        tron_row(world, WIDE_NUMBERS + own, sign=sign)
    elif name == "SOL":
        _solana(world, own, sign=sign)
    elif name in LABELS:
        _evm(world, name, own, sign=sign, shared=own % 3 == 0)
    else:
        _other(world, by_label()[name], own, sign=sign)


def _other(world: MadeUp, network: Network, number: int, *, sign: bool) -> None:
    wallet = network.family.wallet(network, number, sign=sign)
    unit = 10**network.decimals
    units = amount(unit // 100 + 1, 500 * unit, network.label, number)
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


def amount(least: int, most: int, *parts: object) -> int:
    """Return an amount of base units within bounds, the same for the same parts."""
    return least + int.from_bytes(keys.seed("amount", *parts), "big") % (most - least)


def _evm(world: MadeUp, coin: str, number: int, *, sign: bool, shared: bool = True) -> None:
    key = keys.secp256k1_key("evm", number) if shared else keys.secp256k1_key(coin, number)
    account = keys.evm_address(key)
    unit = 10 ** LABELS[coin].decimals
    units = amount(unit, 500 * unit, coin, number)
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


def bitcoin_row(world: MadeUp, number: int, *, sign: bool) -> None:
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
    most = 40 if number < WIDE_NUMBERS + 10 * RICH else 1
    units = amount(10**6, most * 10**8, "bitcoin", number)
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


def tron_row(world: MadeUp, number: int, *, sign: bool) -> None:
    """Add a row on TRON."""
    key = keys.secp256k1_key("tron", number)
    account = keys.evm_address(key)
    units = amount(10**6, 10**12, "tron", number)
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
    units = amount(10**9, 10**13, "solana", number)
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
