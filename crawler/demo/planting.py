"""The faults of the made-up exchange: seven in the list or on the chains, three in the endpoints.

Those of the endpoints are in ``crawler.demo.nodes``. Everything else is in order.
"""

from __future__ import annotations

import msgspec

from crawler.demo import keys
from crawler.demo.exchange import ListedRow, MadeUp, Planted
from crawler.demo.wallet_rows import amount, bitcoin_row, tron_row

PLANTED_ROWS = 9
"""Rows that planting adds: contract rows, a repeat, a conflict, a broken address, …."""
SHORTFALL_PARTS = 40
"""The planted shortfall is one part in this many of its row."""


def plant(world: MadeUp, *, sign: bool) -> None:
    """Plant the faults, in fixed places of the list."""
    rows = world.rows
    _plant_contracts(world, sign=sign)

    shortfall = next(i for i, row in enumerate(rows) if row.coin == "ETH")
    account = bytes.fromhex(rows[shortfall].address[2:])
    world.ether[account] -= rows[shortfall].units // SHORTFALL_PARTS
    world.planted.append(Planted("an address holds less than claimed", "shortfall", (shortfall,)))

    tron_row(world, 10**6, sign=sign)
    if sign:
        rows[-1].signatures = (keys.sign_tron(keys.secp256k1_key("somebody else")),)
    world.planted.append(
        Planted("a signature by the wrong key", "refuted:wrong-key", (len(rows) - 1,))
    )

    bitcoin_row(world, 10**6, sign=sign)
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

    bitcoin_row(world, 10**6 + 10, sign=sign)
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
        units = amount(10**18, 50 * 10**18, "contract", number)
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
