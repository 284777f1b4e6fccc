"""Read recorded scans, of a dump or of a node, as answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chains import jsonrpc
from chains.adapters.bip122 import deltas, rolling, rpc
from chains.adapters.bip122.moment import HEIGHT_UNVERIFIED, canary_of
from chains.adapters.bip122.params import Params
from chains.adapters.bip122.scan import DumpScan, wanted_digest
from chains.model import (
    Answers,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    Questions,
    Snapshot,
    Source,
    all_gaps,
)

_read = msgspec.json.Decoder(DumpScan).decode


def decode_dump(params: Params, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
    """Answer from the record of one pass over a dump."""
    (exchange,) = extract.exchanges
    scripts = [questions.accounts[position] for position in extract.positions]
    units = _dump_units(params, exchange, scripts, at)
    proven = at.height in params.set_hashes  # then it was found to be that very set
    return _answers(extract, exchange, units, Method.PROOF if proven else Method.BULK)


def decode_scan(params: Params, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
    """Answer from one ``scantxoutset`` of a node."""
    (exchange,) = extract.exchanges
    scripts = [questions.accounts[position] for position in extract.positions]
    units = rpc.read_scan(exchange, scripts, at, canary_of(at), names_block=params.scan_names_block)
    return _answers(extract, exchange, units, Method.STATE)


def decode_deltas(
    spec: ChainSpec, params: Params, questions: Questions, extract: Extract, at: Snapshot
) -> Answers:
    """Answer from the changes that a node's address index lists up to the height."""
    (exchange,) = extract.exchanges
    scripts = [questions.accounts[position] for position in extract.positions]
    canary = canary_of(at)
    read = deltas.read_deltas(exchange, spec, scripts, at, canary, max_money=params.max_money)
    return _answers(extract, exchange, read, Method.STATE)


def decode_lines(params: Params, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
    """Answer from what an Electrum server said of a group of scripts."""
    scripts = [questions.accounts[position] for position in extract.positions]
    read = rolling.read(params, extract, scripts, at)
    own = all(exchange.own_node for exchange in extract.exchanges)
    return Answers(
        positions=extract.positions,
        units=_known(read),
        gaps=_gaps(read),
        source=Source.OWN_NODE if own else Source.SINGLE,
        method=Method.ROLLED_BACK if extract.decoder == rolling.ROLLED else Method.UNTOUCHED,
        endpoint=extract.exchanges[0].endpoint,
    )


def _answers(
    extract: Extract, exchange: Exchange, units: Sequence[int | Gap] | Gap, method: Method
) -> Answers:
    if isinstance(units, Gap):
        return all_gaps(extract, units, exchange.endpoint)
    return Answers(
        positions=extract.positions,
        units=_known(units),
        gaps=_gaps(units),
        source=Source.OWN_NODE if exchange.own_node else Source.SINGLE,
        method=method,
        endpoint=exchange.endpoint,
    )


def _known(units: Sequence[int | Gap]) -> list[int | None]:
    return [None if isinstance(one, Gap) else one for one in units]


def _gaps(units: Sequence[int | Gap]) -> dict[int, Gap]:
    return {i: one for i, one in enumerate(units) if isinstance(one, Gap)}


def _dump_units(
    params: Params, exchange: Exchange, scripts: list[bytes], at: Snapshot
) -> list[int] | Gap:
    """Return satoshi per script, or the one reason why there is no answer for any."""
    gap = jsonrpc.failure(exchange)
    if gap is not None:
        return Gap(gap.reason, gap.retryable, exchange.body[:300].decode("utf-8", "replace"))
    try:
        scan = _read(exchange.body)
        contradiction = _contradiction(scan, scripts)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Gap("malformed-answer", detail=str(error)[:200])
    mismatch = _of_another_moment(params, scan, at)
    if mismatch:
        return Gap("dump-mismatch", detail=mismatch)
    if contradiction:
        return Gap("malformed-answer", detail=contradiction)
    if scan.coins <= 0:
        return Gap("zero-without-canary", detail="the dump holds no coins")
    units = {matched.script: int(matched.units) for matched in scan.matched}
    return [units.get(script.hex(), 0) for script in scripts]


def _contradiction(scan: DumpScan, scripts: list[bytes]) -> str:
    """Say where the record of a pass contradicts itself or the question; empty where it does not.

    Raises ``ValueError`` for an amount that is no integer.
    """
    if (scan.wanted, scan.wanted_sha256) != (len(scripts), wanted_digest(scripts)):
        return "the scan looked for other scripts"
    found = {matched.script for matched in scan.matched}
    if len(found) != len(scan.matched) or not found <= {script.hex() for script in scripts}:
        return "the scan lists a script twice or one that was not asked for"
    sums = [int(matched.units) for matched in scan.matched]
    if any(units < 0 for units in sums) or sum(sums) > int(scan.total_units):
        return "the scan's sums are above its total"
    if sum(matched.coins for matched in scan.matched) != scan.matched_coins:
        return "the scan's numbers of coins do not add up"
    return ""


def _of_another_moment(params: Params, scan: DumpScan, at: Snapshot) -> str:
    """Say why the dump is not of the pinned moment; empty when it is."""
    magic = params.magic.hex() if scan.version != 1 else ""
    if scan.magic != magic:
        return f"the dump is of network {scan.magic}, expected {magic}"
    if scan.base_hash != at.block_hash:
        return f"the dump is of block {scan.base_hash}, expected {at.block_hash}"
    if scan.highest > at.height:
        return f"the dump has a coin of height {scan.highest}, above {at.height}"
    expected = params.set_hashes.get(at.height)
    if expected is not None and scan.set_hash != expected:
        return f"the set of coins has the hash {scan.set_hash or 'unknown'}, expected {expected}"
    return _untied(scan, at)


def _untied(scan: DumpScan, at: Snapshot) -> str:
    """Say why the dump's block may be of another height; empty when something ties it."""
    if at.detail.get(HEIGHT_UNVERIFIED) == "true" and scan.version == 1:
        return "a dump of version 1 names no network, and nothing else ties its block to the chain"
    if at.detail.get(HEIGHT_UNVERIFIED) == "true" and scan.highest != at.height:
        return (
            f"the dump's newest coin is of height {scan.highest}, so its block is not that of"
            f" {at.height}; configure a node or a checkpoint to tie the block to the height"
        )
    return ""
