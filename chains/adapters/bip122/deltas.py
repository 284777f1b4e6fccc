"""The address index of Dash Core and zcashd: every change of an address up to a height.

A node that keeps such an index (Dash: ``-addressindex``; Zcash: ``-experimentalfeatures
-insightexplorer`` or ``-lightwalletd``) answers for any height, many addresses in one call: the
balance is the sum of what was paid and spent at or below the height. zebrad has no such call.

The answer of Zcash names the block at its end, that of Dash names none: so the node is asked for
the block at the height before and after, in the same array. Changes are believed because the
pinned block's own reward, asked for in the same call, is among them.

Dash's index knows keys, not scripts: what was paid to a bare public key (P2PK, which no wallet has
written for many years) stands under the address of that key.

Spec: https://zcash.github.io/rpc/getaddressdeltas.html
Spec: https://github.com/dashpay/dash/blob/08630bb6dcb95064ac3e6496b257c17ffceb2dea/src/rpc/node.cpp
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from chains import addresses, jsonrpc, workings
from chains.adapters.bip122.rpc import Canary, sharper
from chains.errors import Malformed
from chains.model import ChainSpec, Exchange, Gap, Request, Snapshot
from chains.workings import Clock, Movement, Rule, Working

GROUP = 100
"""Addresses per call, where the endpoint declares no ``batch``: each brings its whole history."""
_FIRST = 1
"""Nothing of block 0 can be spent; a start of 0 would mean every height to Dash."""


class _Delta(msgspec.Struct, frozen=True):
    """One change: ``index`` is that of an output if ``satoshis`` are paid, else of an input."""

    address: str
    txid: str
    index: int
    height: int
    satoshis: int


class _End(msgspec.Struct, frozen=True):
    height: int
    hash: str


class _Range(msgspec.Struct, frozen=True):
    """What Zcash answers: the changes, and the block at which they end."""

    deltas: list[_Delta]
    end: _End


def deltas_request(
    spec: ChainSpec, scripts: Sequence[bytes], height: int, canary: Canary | None
) -> Request:
    """Ask for all changes of these scripts up to ``height``, between two looks at its block.

    Spec: https://zcash.github.io/rpc/getaddressdeltas.html
    """
    texts = _texts(spec, scripts, canary)
    block: tuple[str, list[Any]] = ("getblockhash", [height])
    asked = {"addresses": texts, "start": _FIRST, "end": height, "chainInfo": True}
    return jsonrpc.batch([block, ("getaddressdeltas", [asked]), block])


def read_deltas(
    exchange: Exchange,
    spec: ChainSpec,
    scripts: Sequence[bytes],
    at: Snapshot,
    canary: Canary | None,
    *,
    max_money: int,
) -> list[int | Gap] | Gap:
    """Return satoshi per script at the pinned height, in order, or why there is none at all. Pure.

    A script without changes has 0: the same answer lists the pinned block's own reward. No change
    and no sum is above ``max_money``, in satoshi.
    """
    before, answer, after = jsonrpc.results(exchange, 3)
    for told in (answer, before, after):
        if isinstance(told, Gap):
            return _without_index(sharper(told))
    if before != at.block_hash or after != at.block_hash:
        return Gap("wrong-block", retryable=True, detail=f"another block at {at.height}")
    rewarded = "" if canary is None else _text(spec, canary.script)
    if canary is None or not rewarded:
        return Gap("zero-without-canary", detail="the pinned block shows no reward with an address")
    units = dict.fromkeys(_texts(spec, scripts, canary), 0)
    try:
        deltas = _changes(answer, at)
        _within(max_money, (abs(one.satoshis) for one in deltas))
        listed = _add_up(deltas, at.height, units, canary, rewarded)
        _within(max_money, units.values())
    except (msgspec.ValidationError, Malformed) as error:
        return Gap("malformed-answer", detail=str(error)[:200])
    if not listed:
        return Gap("canary-wrong", detail="the changes lack the pinned block's own reward")
    for script in scripts:
        text = _text(spec, script)
        if text:
            workings.tell(script, _working, deltas, text, at.height, units[text])
    return [_units(units, _text(spec, script)) for script in scripts]


def _working(deltas: Sequence[_Delta], text: str, height: int, units: int) -> Working:
    """Tell of which changes a balance is the sum."""
    return Working(
        rule=Rule.FORWARD,
        clock=Clock.HEIGHT,
        height=height,
        start=0,
        start_at=0,
        movements=tuple(
            Movement(units=one.satoshis, at=one.height, id=one.txid)
            for one in deltas
            if one.address == text
        ),
        result=units,
        shown="the node's address index: every change from the beginning up to the height",
    )


def _texts(spec: ChainSpec, scripts: Sequence[bytes], canary: Canary | None) -> list[str]:
    """Return the addresses to be asked about, each once, the canary's last."""
    watched = (*scripts, canary.script) if canary else scripts
    return list(dict.fromkeys(filter(None, (_text(spec, script) for script in watched))))


def _text(spec: ChainSpec, script: bytes) -> str:
    """Return the address by which the index knows a script, empty where it has none."""
    try:
        return addresses.encode(spec, script)
    except addresses.AddressError:
        return ""


def _changes(answer: Any, at: Snapshot) -> list[_Delta]:
    """Return the changes; raises ``Malformed`` where they end at another block."""
    if isinstance(answer, list):
        return msgspec.convert(answer, list[_Delta])
    read = msgspec.convert(answer, _Range)
    if (read.end.height, read.end.hash) != (at.height, at.block_hash):
        raise Malformed(f"the changes end at block {read.end.height}, not at the pinned one")
    return read.deltas


def _add_up(
    deltas: Sequence[_Delta], height: int, units: dict[str, int], canary: Canary, rewarded: str
) -> bool:
    """Add every change to its address in ``units``, and tell whether the canary was among them.

    Raises ``Malformed`` where the answer contradicts itself or was not asked for.
    """
    seen: set[tuple[str, int, bool]] = set()
    listed = False
    for delta in deltas:
        if delta.address not in units:
            raise Malformed("a change of an address that was not asked for")
        if not _FIRST <= delta.height <= height:
            raise Malformed(f"a change at {delta.height}, outside of what was asked")
        change = (delta.txid, delta.index, delta.satoshis < 0)
        if change in seen:
            raise Malformed("one change is listed twice")
        seen.add(change)
        units[delta.address] += delta.satoshis
        listed |= (delta.address, f"{delta.txid}:{delta.index}", delta.satoshis, delta.height) == (
            rewarded,
            canary.outpoint,
            canary.units,
            height,
        )
    if any(sum_ < 0 for sum_ in units.values()):
        raise Malformed("more was spent from an address than was paid to it")
    return listed


def _within(max_money: int, amounts: Iterable[int]) -> None:
    """Raise ``Malformed`` where an amount is above all coins there can be."""
    if any(amount > max_money for amount in amounts):
        raise Malformed("more coins than there can be")


def _units(units: dict[str, int], text: str) -> int | Gap:
    if not text:
        return Gap("method-missing", detail="the node's index knows no address of this script")
    return units[text]


def _without_index(gap: Gap) -> Gap:
    """Say what a node without an address index lacks."""
    lacking = ("No information available for address", "is disabled", "Address index not enabled")
    if gap.reason == "method-missing" or any(words in gap.detail for words in lacking):
        how = "start the node with its address index (-addressindex; zcashd: -insightexplorer)"
        return Gap("method-missing", detail=f"{how}: {gap.detail}"[:300])
    return gap
