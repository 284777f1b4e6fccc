"""Simulated Dash Core and zcashd with an address index: ``getaddressdeltas``.

Every output of the ledger and every spend of one is a change of its address. Dash answers with
the list alone; Zcash, asked for ``chainInfo``, names the blocks at both ends, and takes a height
above its tip for the tip.

Spec: https://zcash.github.io/rpc/getaddressdeltas.html
Spec: https://github.com/dashpay/dash/blob/08630bb6dcb95064ac3e6496b257c17ffceb2dea/src/rpc/node.cpp
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chains import addresses
from chains.model import ChainSpec
from chains.simulated.bip122 import CoreFaults, RpcError, SimulatedCoin, SimulatedCore


class IndexFaults(CoreFaults, kw_only=True):
    """``drop_delta``: the last change is left out. ``no_index``: the node keeps no index.

    ``silent_zero``: no address ever changed. ``repeat_delta``: a change is listed twice.
    """

    drop_delta: bool = False
    repeat_delta: bool = False
    no_index: bool = False


class SimulatedIndexedCore(SimulatedCore):
    """A node of the chain ``spec``; ``names_ends``: it answers as Zcash does, not as Dash."""

    faults: IndexFaults

    def __init__(
        self,
        spec: ChainSpec,
        coins: Iterable[SimulatedCoin] = (),
        *,
        tip: int = 100,
        faults: IndexFaults | None = None,
        names_ends: bool = False,
    ) -> None:
        super().__init__(coins, tip=tip, faults=faults or IndexFaults())
        self.reward_script = b"\x76\xa9\x14" + b"\xee" * 20 + b"\x88\xac"
        self._spec = spec
        self._names_ends = names_ends

    def methods(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """Return what the node can be asked."""
        answers = super().methods() | {"getaddressdeltas": self._deltas}
        if self._names_ends:
            del answers["scantxoutset"]
        return answers

    def _deltas(self, params: Sequence[Any]) -> Any:
        if self.faults.no_index:
            raise RpcError(-5, "No information available for address")
        asked = params[0]
        start, end = asked["start"], asked["end"]
        if self._names_ends:
            end = min(end, self.tip)
        scripts = [self._script(text) for text in asked["addresses"]]
        found = [
            change
            for script in scripts
            for change in self._changes(script)
            if start <= change["height"] <= end
        ]
        if self.faults.silent_zero:
            self.caused["silent-zero"] += 1
            found = []
        if self.faults.drop_delta:
            self.caused["drop-delta"] += 1
            found = found[:-1]
        if self.faults.repeat_delta:
            self.caused["repeat-delta"] += 1
            found += found[:1]
        if self.faults.moving_tip:
            self.caused["moving-tip"] += 1
            self.faults.other_block = True
        if not (self._names_ends and asked.get("chainInfo")):
            return found
        ends = {"start": start, "end": end}
        named = {
            name: {"hash": self.block_hash(at), "height": at} for name, at in sorted(ends.items())
        }
        return {"deltas": found, **named}

    def _script(self, text: str) -> bytes:
        try:
            return addresses.decode(self._spec, text)
        except addresses.AddressError as error:
            raise RpcError(-5, "Invalid address") from error

    def _changes(self, script: bytes) -> list[dict[str, Any]]:
        """Return every change of a script, oldest first."""
        rewards = (self.reward_of(height) for height in range(1, self.tip + 1))
        coins = [coin for coin in (*self.coins, *rewards) if coin.script == script]
        paid = [_delta(coin.txid, coin.vout, coin.height, coin.units) for coin in coins]
        spent = [
            _delta(_spender(coin), coin.vout, coin.spent, -coin.units)
            for coin in coins
            if coin.spent
        ]
        text = addresses.encode(self._spec, script)
        changes = sorted(paid + spent, key=lambda change: change["height"])
        return [{**change, "address": text} for change in changes]


def _spender(coin: SimulatedCoin) -> str:
    return hashlib.sha256(f"spends {coin.txid}:{coin.vout}".encode()).hexdigest()


def _delta(txid: str, index: int, height: int, satoshis: int) -> dict[str, Any]:
    return {"txid": txid, "index": index, "height": height, "satoshis": satoshis, "blockindex": 1}
