"""Jettons: each owner has a wallet, a contract of its own, that holds what it has.

Which contract that is only the master says (``get_wallet_address``). What the wallet says counts
if it names the owner and the master of the question. A get method ends with an exit code; unless
that is good its stack holds remains, which look like an answer.

Spec: https://github.com/ton-blockchain/TEPs (0064 token data, 0074 jettons, 0089 wallets)
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from chains.accounts import Fact, Held, Read, liquid
from chains.adapters.tvm import cells, wire
from chains.model import Exchange, Gap, Request

ON_CHAIN, OFF_CHAIN, SNAKE = 0, 1, 0
"""First bytes of a jetton's description, and of a text in it."""
DEFAULT_DECIMALS, MOST_DECIMALS = 9, 255
LONGEST_TEXT = 1000
_KEY_BITS = 256
_SUPPLY, _CONTENT = 0, 3
_BALANCE, _OWNER, _MASTER = 0, 1, 2
_UNCONFIRMED = "asset-unconfirmed"

Own = Mapping[Request, Exchange]


def data(master: bytes, seqno: int) -> Request:
    """Ask a master for supply and description."""
    return wire.run(master, "get_jetton_data", seqno)


def wallet_of(master: bytes, owner: bytes, seqno: int) -> Request:
    """Ask a master for an owner's wallet."""
    return wire.run(master, "get_wallet_address", seqno, owner)


def wallet_data(wallet: bytes, seqno: int) -> Request:
    """Ask a wallet what it holds, for whom."""
    return wire.run(wallet, "get_wallet_data", seqno)


def ended_well(exchange: Exchange | None, at: wire.Block) -> wire.Ran | Gap:
    """Read a get method's answer; a bad exit code is a ``Gap``."""
    ran = wire.ran(exchange, at)
    if isinstance(ran, Gap) or ran.exit_code in wire.SUCCEEDED:
        return ran
    return Gap("call-failed", detail=f"exit code {ran.exit_code}")


def wallet(own: Own, master: bytes, owner: bytes, at: wire.Block) -> bytes | Gap:
    """Read which wallet is the owner's."""
    ran = ended_well(own.get(wallet_of(master, owner, at.seqno)), at)
    return ran if isinstance(ran, Gap) else ran.address(0)


def supply(own: Own, master: bytes, at: wire.Block) -> int | Gap:
    """Read how much there is of a jetton."""
    ran = ended_well(own.get(data(master, at.seqno)), at)
    return ran if isinstance(ran, Gap) else ran.amount(_SUPPLY)


def failed(own: Own, contract: bytes, request: Request, at: wire.Block) -> list[Request]:
    """Return what is asked besides where a get method ended badly: is there a contract at all."""
    ran = wire.ran(own.get(request), at)
    is_bad = isinstance(ran, wire.Ran) and ran.exit_code not in wire.SUCCEEDED
    return [wire.state(contract, at.seqno)] if is_bad else []


def is_nothing(own: Own, contract: bytes, at: wire.Block) -> bool:
    """Tell whether the node showed that no contract stands there."""
    found = wire.account(own.get(wire.state(contract, at.seqno)), at)
    return isinstance(found, wire.Account) and found.state == wire.UNINITIALISED


def held(own: Own, master: bytes, owner: bytes, at: wire.Block) -> Held | Gap:
    """Read what an owner has of a jetton; a wallet that was never deployed holds nothing."""
    address = wallet(own, master, owner, at)
    if isinstance(address, Gap):
        return address
    ran = ended_well(own.get(wallet_data(address, at.seqno)), at)
    if isinstance(ran, Gap):
        is_empty = ran.reason == "call-failed" and is_nothing(own, address, at)
        return liquid(0) if is_empty else ran
    units = ran.amount(_BALANCE)
    if isinstance(units, Gap):
        return units
    if (ran.address(_OWNER), ran.address(_MASTER)) != (owner, master):
        return Gap("call-failed", detail="the wallet names another owner or master")
    return liquid(units)


def fact(own: Own, master: bytes, at: wire.Block) -> Read:
    """Read decimals and symbol; the symbol is empty where it stands off the chain only."""
    ran = ended_well(own.get(data(master, at.seqno)), at)
    if isinstance(ran, Gap):
        is_nowhere = ran.reason == "call-failed" and is_nothing(own, master, at)
        return Gap("no-contract") if is_nowhere else ran
    content = ran.cell(_CONTENT)
    if isinstance(content, Gap):
        return content
    try:
        decimals, symbol = described(content)
    except (cells.CellError, UnicodeDecodeError) as error:
        return Gap(_UNCONFIRMED, detail=f"the description does not read: {error}"[:100])
    if decimals is None:
        return Gap(_UNCONFIRMED, detail="the decimals stand off the chain")
    return Fact(msgspec.json.encode({"decimals": decimals, "symbol": symbol}).decode())


def described(content: cells.Cell) -> tuple[int | None, str]:
    """Return decimals and symbol of a description; raises ``CellError``.

    Decimals that are not on the chain are 9 if nothing else can name them, else ``None``.
    """
    reader = cells.Reader(content)
    layout = reader.take(8)
    if layout == OFF_CHAIN:
        return None, ""
    if layout != ON_CHAIN:
        raise cells.CellError("the description has another layout")
    if not reader.take(1):
        return DEFAULT_DECIMALS, ""
    entries = reader.reference()
    places = _entry(entries, "decimals")
    symbol = _entry(entries, "symbol")
    if places is None:
        is_elsewhere = _entry(entries, "uri") is not None
        return None if is_elsewhere else DEFAULT_DECIMALS, symbol or ""
    if not (places.isascii() and places.isdigit()) or len(places) > len(str(MOST_DECIMALS)):
        raise cells.CellError("the decimals are no number")
    if int(places) > MOST_DECIMALS:
        raise cells.CellError("the decimals are out of range")
    return int(places), symbol or ""


def _entry(entries: cells.Cell, name: str) -> str | None:
    """Return the text of an entry of the description, ``None`` where there is none."""
    key = int.from_bytes(sha256(name.encode()).digest(), "big")
    found = cells.lookup(entries, key, _KEY_BITS)
    if found is None:
        return None
    value = found.reference()
    reader = cells.Reader(value)
    if reader.take(8) != SNAKE:
        raise cells.CellError("a text is written in chunks")
    text = cells.snake(value, reader)
    if len(text) > LONGEST_TEXT:
        raise cells.CellError("a text is too long")
    return text.decode()
