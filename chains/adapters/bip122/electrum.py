"""The Electrum protocol: what is asked of a server, and what its answers say. Pure.

Everything goes in arrays of calls. Headers are asked as bytes and hashed here, transactions are
held against their ids, and the position of a transaction in a block against the header's Merkle
root: a server can leave things out, but it cannot make them up.

Spec: https://electrumx.readthedocs.io/en/latest/protocol-methods.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from chains import jsonrpc
from chains.adapters.bip122.params import Params
from chains.adapters.bip122.transactions import Moves, read_moves
from chains.errors import Malformed, WrongChain
from chains.model import Exchange, Gap, Request

HEADER_BYTES = 80
CANDIDATES = 4
"""So many transactions of the pinned block are looked at for a script that was paid there."""
SCRIPTS = 8
"""So many of their scripts: each costs its whole history."""
TRANSACTIONS = 20
"""Transactions per request."""

HEADER, TIP = "blockchain.block.header", "blockchain.headers.subscribe"
BALANCE, HISTORY = "blockchain.scripthash.get_balance", "blockchain.scripthash.get_history"
TRANSACTION, PLACE = "blockchain.transaction.get", "blockchain.transaction.id_from_pos"
FEATURES = "server.features"

_TOO_MUCH = ("too large", "too long", "exceeds max history")
"""What ElectrumX and Fulcrum (src/Storage.cpp) say of a history above their limits."""

Call = tuple[str, tuple[Any, ...]]


class Entry(msgspec.Struct, frozen=True):
    """One transaction of a script; a height of 0 or -1 is not in a block yet."""

    tx_hash: str
    height: int


class Paid(msgspec.Struct, frozen=True):
    """A script that the transaction ``txid`` paid."""

    txid: str
    script: bytes
    units: int = 0


class Tip(msgspec.Struct, frozen=True):
    """The server's newest block, and a coin that nobody can have spent: that block's reward."""

    height: int
    block_hash: str
    reward: Paid


class _Tip(msgspec.Struct, frozen=True):
    height: int
    hex: str


class _Balance(msgspec.Struct, frozen=True):
    confirmed: int


class _Place(msgspec.Struct, frozen=True):
    tx_hash: str
    merkle: list[str]


class Said:
    """The answers of several exchanges, by the calls that their own requests made."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._answers: dict[Call, Any | Gap] = {}
        for exchange in exchanges:
            calls = [
                (call["method"], tuple(call["params"]))
                for call in msgspec.json.decode(exchange.request.body)
            ]
            answers = jsonrpc.results(exchange, len(calls))
            self._answers.update(zip(calls, map(_sharper, answers), strict=True))

    def __call__(self, method: str, *params: Any) -> Any | Gap:
        """Return the answer, or why there is none."""
        return self._answers.get((method, params), Gap("not-answered", retryable=True))

    def asked(self, method: str, *params: Any) -> bool:
        """Tell whether there was such a call at all."""
        return (method, params) in self._answers

    def read(self, kind: Any, method: str, *params: Any) -> Any | Gap:
        """Return the answer as ``kind``, or why there is none."""
        answer = self(method, *params)
        if isinstance(answer, Gap):
            return answer
        try:
            return msgspec.convert(answer, kind)
        except (msgspec.ValidationError, RecursionError) as error:
            return Gap("malformed-answer", detail=str(error)[:200])

    def header(self, height: int, *, method: str = HEADER) -> bytes | Gap:
        """Return a header's first 80 bytes, which are what a block's hash is of."""
        return _header(self.read(str, method, height))

    def moves(self, txid: str, params: Params) -> Moves | Gap:
        """Return a transaction that hashes to its id."""
        text = self.read(str, TRANSACTION, txid)
        if isinstance(text, Gap):
            return text
        try:
            return read_moves(bytes.fromhex(text), txid, cash_tokens=params.cash_tokens)
        except (ValueError, Malformed) as error:
            return Gap("malformed-answer", detail=str(error)[:200])

    def placed(self, height: int, position: int, header: bytes) -> str | Gap:
        """Return the id of the transaction at a place, if its branch ends in the header's root."""
        place: _Place | Gap = self.read(_Place, PLACE, height, position, True)
        if isinstance(place, Gap):
            return place
        try:
            node = bytes.fromhex(place.tx_hash)[::-1]
            for depth, sibling in enumerate(place.merkle):
                other = bytes.fromhex(sibling)[::-1]
                node = _sha256d(other + node if position >> depth & 1 else node + other)
        except ValueError:
            return Gap("malformed-answer", detail="the Merkle branch is no hex")
        if node != header[36:68] or len(place.tx_hash) != 64:  # noqa: PLR2004
            return Gap("malformed-answer", detail="the Merkle branch does not end in the header")
        return place.tx_hash


def lines(calls: Sequence[Call]) -> Request:
    """Build one line of calls."""
    return msgspec.structs.replace(jsonrpc.batch(calls), method="LINE")


def scripthash(script: bytes) -> str:
    """Return the protocol's name of a script: its SHA-256, bytes reversed, hex."""
    return hashlib.sha256(script).digest()[::-1].hex()


def hash_of(header: bytes) -> str:
    """Return a block's hash in the usual order."""
    return _sha256d(header)[::-1].hex()


def moment_request(heights: Iterable[int], height: int) -> Request:
    """Ask which chain it is, how far it is known, for headers and for what a block begins with."""
    places: list[Call] = [(PLACE, (height, position, True)) for position in range(CANDIDATES)]
    headers: list[Call] = [(HEADER, (one,)) for one in dict.fromkeys([*heights, height])]
    return lines([(FEATURES, ()), (TIP, ()), *headers, *places])


def transactions_requests(txids: Iterable[str]) -> list[Request]:
    """Ask for transactions as bytes, some at a time."""
    wanted = list(dict.fromkeys(txids))
    return [
        lines([(TRANSACTION, (txid,)) for txid in wanted[start : start + TRANSACTIONS]])
        for start in range(0, len(wanted), TRANSACTIONS)
    ]


def histories_request(scripts: Iterable[bytes]) -> Request:
    """Ask for the histories of scripts."""
    return lines([(HISTORY, (scripthash(script),)) for script in dict.fromkeys(scripts)])


def balances_request(params: Params, scripts: Iterable[bytes]) -> Request:
    """Ask for the balances of scripts at the tip."""
    return lines([(BALANCE, _of(params, script)) for script in dict.fromkeys(scripts)])


def read_balance(said: Said, params: Params, script: bytes) -> int | Gap:
    """Return what a script holds in blocks, in satoshi."""
    balance = said.read(_Balance, BALANCE, *_of(params, script))
    if isinstance(balance, Gap):
        return balance
    if not 0 <= balance.confirmed <= params.max_money:
        return Gap("malformed-answer", detail="a balance is negative or above all the money")
    return int(balance.confirmed)


def read_history(said: Said, script: bytes) -> list[Entry] | Gap:
    """Return a script's transactions that are in blocks."""
    entries = said.read(list[Entry], HISTORY, scripthash(script))
    if isinstance(entries, Gap):
        return entries
    if len({entry.tx_hash for entry in entries}) != len(entries):
        return Gap("malformed-answer", detail="a history lists a transaction twice")
    return [entry for entry in entries if entry.height > 0]


def placed_txids(params: Params, said: Said, height: int) -> list[str]:
    """Return the first transactions of the block at ``height``, as far as they are shown."""
    header = said.header(height)
    if isinstance(header, Gap) or not params.header_checked:
        return []
    found = [said.placed(height, position, header) for position in range(CANDIDATES)]
    return [txid for txid in found if isinstance(txid, str)]


def candidates(params: Params, said: Said, height: int) -> list[Paid]:
    """Return scripts that the pinned block paid; the reward, to a miner of many blocks, last."""
    first, *others = placed_txids(params, said, height) or [""]
    found: dict[bytes, Paid] = {}
    for txid in filter(None, [*others, first]):
        moves = said.moves(txid, params)
        for script, units in [] if isinstance(moves, Gap) else moves.pays:
            if units:
                found.setdefault(script, Paid(txid, script, units))
    return list(found.values())[-SCRIPTS:]


def read_moment(
    params: Params, height: int, endpoint: str, exchanges: Sequence[Exchange]
) -> tuple[bytes, Paid] | Gap:
    """Return the pinned block's header and a script that it paid, in that script's history.

    Raises ``WrongChain``.
    """
    if not params.header_checked:
        return Gap("identity-unproven", detail="the hash of this chain's blocks is not computed")
    said = Said(exchanges)
    features = said(FEATURES)
    named = features.get("genesis_hash") if isinstance(features, Mapping) else None
    if isinstance(named, str) and named != params.genesis:
        raise WrongChain(f"{endpoint} serves the chain of {named[:64]}; expected {params.genesis}")
    for anchor, expected in params.anchors(height).items():
        shown = said.header(anchor)
        if isinstance(shown, Gap):
            return shown
        if hash_of(shown) != expected:
            raise WrongChain(
                f"{endpoint} has {hash_of(shown)} as block {anchor}; expected {expected}"
            )
    tip, header = said.read(_Tip, TIP), said.header(height)
    if isinstance(tip, Gap):
        return tip
    if tip.height < height:
        return Gap("node-behind", retryable=True, detail=f"its tip is {tip.height}")
    if isinstance(header, Gap):
        return header
    paid = _shortest(params, said, height)
    return paid if isinstance(paid, Gap) else (header, paid)


def _shortest(params: Params, said: Said, height: int) -> Paid | Gap:
    """Return the candidate with the shortest history that has its transaction."""
    reasons: list[Gap] = []
    found: list[tuple[int, bytes, Paid]] = []
    for paid in candidates(params, said, height):
        history = read_history(said, paid.script)
        if isinstance(history, Gap):
            reasons.append(history)
        elif Entry(paid.txid, height) in history:
            found.append((len(history), paid.script, paid))
    if found:
        return min(found)[2]
    return next(iter(reasons), Gap("canary-failed", detail="no script that the block paid"))


def read_tip(params: Params, exchanges: Sequence[Exchange]) -> Tip | Gap:
    """Return the server's tip with its reward, from what ``rolling`` asked for it."""
    said = Said(exchanges)
    tip = said.read(_Tip, TIP)
    if isinstance(tip, Gap):
        return tip
    header = _header(tip.hex)
    if isinstance(header, Gap):
        return header
    txid = said.placed(tip.height, 0, header)
    moves = txid if isinstance(txid, Gap) else said.moves(txid, params)
    if isinstance(txid, Gap) or isinstance(moves, Gap):
        return txid if isinstance(txid, Gap) else moves  # type: ignore[return-value]
    script, units = max(moves.pays, key=lambda pay: pay[1], default=(b"", 0))
    if not units:
        return Gap("zero-without-canary", detail="the newest block pays no reward")
    return Tip(tip.height, hash_of(header), Paid(txid, script, units))


def _of(params: Params, script: bytes) -> tuple[str, ...]:
    """Return the parameters of a balance: where coins can carry tokens, those that do count too.

    Spec: https://electrum-cash-protocol.readthedocs.io/en/latest/protocol-methods.html
    """
    return (scripthash(script), *(("include_tokens",) if params.cash_tokens else ()))


def _header(text: str | Gap) -> bytes | Gap:
    if isinstance(text, Gap):
        return text
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) < HEADER_BYTES:
        return Gap("malformed-answer", detail="the answer is no block header")
    return raw[:HEADER_BYTES]


def _sharper(answer: Any | Gap) -> Any | Gap:
    """Give a server's error its own reason where we know it."""
    if not isinstance(answer, Gap) or answer.reason != "rpc-error":
        return answer
    text = answer.detail.lower()
    if any(words in text for words in _TOO_MUCH):
        return Gap("too-much-history", detail=answer.detail)
    if "excessive resource" in text or "busy" in text:
        return Gap("rate-limited", retryable=True, detail=answer.detail)
    if answer.detail.startswith("-32601:") or "unknown method" in text:
        return Gap("method-missing", detail=answer.detail)
    return answer


def _sha256d(raw: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()
