"""Resolve the pinned moment from what nodes and dumps say about it. Pure.

Nodes that serve the declared chain and have reached the height must name one block. Dumps
must be of that block. Where no node answers, a checkpoint of the configuration ties the
dump's block to the height; failing that, the dump's own newest coin has to (see the package).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from chains import jsonrpc
from chains.adapters.bip122 import dump, electrum, rpc
from chains.adapters.bip122.electrum import Paid
from chains.adapters.bip122.params import Params
from chains.adapters.bip122.rolling import PAID
from chains.errors import (
    ChainError,
    Disagreement,
    Malformed,
    NodeBehind,
    Unanswerable,
    Unreachable,
    WrongChain,
)
from chains.model import ChainId, Exchange, Gap, Snapshot

HEIGHT_TIED_BY = "height_tied_by"
HEIGHT_UNVERIFIED = "height_unverified"
AT_TIP = "at_tip"
"""Key of ``Snapshot.detail``, with a node behind it whose tip is the pinned block."""
CANARY_OUTPOINT, CANARY_UNITS = "canary_outpoint", "canary_units"
_PASSING = frozenset(
    {
        "node-behind",
        "rate-limited",
        "reorganised",
        "server-error",
        "timeout",
        "truncated-answer",
        "unreachable",
    }
)
"""Reasons that may be gone when the run is resumed."""


class _Seen(msgspec.Struct, frozen=True):
    """What one endpoint says of the moment. A dump knows no ``time`` and needs no canary.

    ``shows_chain``: it says to which chain the block belongs, which dumps of version 1 do not.
    ``paid``: a script that the block paid, shown by an Electrum server. ``at_tip``: the block is
    the node's newest.
    """

    block_hash: str
    time: int = 0
    canary: rpc.Canary | None = None
    shows_chain: bool = True
    paid: Paid | None = None
    at_tip: bool = False


def resolve(chain: ChainId, params: Params, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
    """Make the ``Snapshot``; raises ``WrongChain`` or ``Disagreement``.

    An endpoint that cannot serve the moment is in ``rejected`` with its reason. Where none
    can, raises ``Unreachable`` or ``NodeBehind`` when asking later may help, else ``Unanswerable``.
    """
    nodes: dict[str, _Seen] = {}
    dumps: dict[str, _Seen] = {}
    rejected: dict[str, str] = {}
    for endpoint, said in _by_endpoint(exchanges).items():
        seen = _says(params, height, endpoint, said)
        if isinstance(seen, Gap):
            rejected[endpoint] = seen.reason
        else:
            (dumps if said[0].request.method == "FILE" else nodes)[endpoint] = seen
    _agree("the block at the height", nodes)
    if not nodes and height not in params.checkpoints:
        _reject(dumps, rejected, "identity-unproven", lambda seen: seen.shows_chain)
        _agree("the block of the dump", dumps)
    tied_by, block = _tied(params.checkpoints.get(height), nodes, dumps)
    _reject(dumps, rejected, "dump-mismatch", lambda seen: seen.block_hash == block)
    usable = [endpoint for endpoint in _by_endpoint(exchanges) if endpoint in {**nodes, **dumps}]
    if not usable:
        raise _nobody(height, rejected)
    detail = {HEIGHT_TIED_BY: tied_by}
    detail |= {HEIGHT_UNVERIFIED: "true"} if tied_by == "newest-coin" else {}
    canary = next((seen.canary for seen in nodes.values() if seen.canary is not None), None)
    if canary is not None:
        detail |= {CANARY_OUTPOINT: canary.outpoint, CANARY_UNITS: str(canary.units)}
    paid = {name: seen.paid for name, seen in nodes.items() if seen.paid is not None}
    if paid:
        detail |= {f"{PAID}@{name}": f"{one.txid}:{one.script.hex()}" for name, one in paid.items()}
        detail |= {f"{AT_TIP}@{name}": "true" for name, seen in nodes.items() if seen.at_tip}
    scripts = [one.script for one in paid.values()] if canary is None else [canary.script]
    return Snapshot(
        chain=chain,
        height=height,
        block_hash=block,
        time=next((seen.time for seen in nodes.values()), 0),
        endpoints=tuple(usable),
        rejected=rejected,
        canaries=tuple(script.hex() for script in scripts[:1]),
        detail=detail,
    )


def _says(params: Params, height: int, endpoint: str, said: Sequence[Exchange]) -> _Seen | Gap:
    method = said[0].request.method
    if method == "FILE":
        return _dump_says(params, endpoint, said[0])
    if method == "LINE":
        return _server_says(params, height, endpoint, said)
    return _node_says(params, height, endpoint, said)


def _tied(
    checkpoint: str | None, nodes: Mapping[str, _Seen], dumps: Mapping[str, _Seen]
) -> tuple[str, str]:
    """Return what ties a block to the height, and its hash; empty where nothing names one."""
    if nodes:
        return "node", next(iter(nodes.values())).block_hash
    if checkpoint is not None:
        return "checkpoint", checkpoint
    return "newest-coin", next((seen.block_hash for seen in dumps.values()), "")


def _reject(
    dumps: dict[str, _Seen], rejected: dict[str, str], reason: str, keep: Callable[[_Seen], bool]
) -> None:
    """Move the dumps that are not to be kept from ``dumps`` to ``rejected``."""
    for endpoint in [name for name, seen in dumps.items() if not keep(seen)]:
        rejected[endpoint] = reason
        del dumps[endpoint]


def canary_of(at: Snapshot) -> rpc.Canary | None:
    """Return the coin of the pinned block that every scan must list, if one is known."""
    if CANARY_OUTPOINT not in at.detail:
        return None
    return rpc.Canary(
        outpoint=at.detail[CANARY_OUTPOINT],
        script=bytes.fromhex(at.canaries[0]),
        units=int(at.detail[CANARY_UNITS]),
    )


def _nobody(height: int, rejected: Mapping[str, str]) -> ChainError:
    """Say why no endpoint can serve the moment; the reason that most needs action leads."""
    told = ", ".join(f"{endpoint}: {reason}" for endpoint, reason in rejected.items())
    message = f"no endpoint can serve block {height} ({told or 'none is configured'})"
    reasons = set(rejected.values())
    lasting = sorted(reasons - _PASSING)
    if lasting:
        return Unanswerable(message, code=lasting[0])
    if "node-behind" in reasons:
        return NodeBehind(message)
    return Unreachable(message, code=next(iter(sorted(reasons)), "no-usable-endpoint"))


def _by_endpoint(exchanges: Sequence[Exchange]) -> dict[str, list[Exchange]]:
    grouped: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        grouped.setdefault(exchange.endpoint, []).append(exchange)
    return grouped


def _dump_says(params: Params, endpoint: str, exchange: Exchange) -> _Seen | Gap:
    gap = jsonrpc.failure(exchange)
    if gap is not None:
        return gap
    try:
        header = dump.read_header(exchange.body)
    except Malformed as error:
        return Gap(error.code, detail=str(error))
    if header.version == 1:
        return _Seen(header.block_hash, shows_chain=False)
    if header.magic != params.magic:
        raise WrongChain(
            f"{endpoint} is a dump of the network {header.magic.hex()}; expected"
            f" {params.magic.hex() or 'a magic in the chain declaration, which has none'}"
        )
    return _Seen(header.block_hash)


def _node_says(  # noqa: PLR0911 - one return for each thing a node can lack
    params: Params, height: int, endpoint: str, said: Sequence[Exchange]
) -> _Seen | Gap:
    anchors = params.anchors(height)
    *shown, block_hash = rpc.read_identity(said[0], len(anchors) + 1)
    for (anchor, expected), seen in zip(anchors.items(), shown, strict=True):
        if isinstance(seen, Gap):
            return seen
        if seen != expected:
            raise WrongChain(f"{endpoint} has {seen} as block {anchor}; expected {expected}")
    if isinstance(block_hash, Gap):
        return block_hash
    if len(said) < 2:  # noqa: PLR2004 - identity, then header
        return Gap("not-answered")
    header = rpc.read_header(said[1], block_hash, checked=params.header_checked)
    if isinstance(header, Gap):
        return header
    if header.confirmations < 1:
        return Gap("reorganised", retryable=True)
    if header.height != height:
        return Gap("wrong-block", detail=f"the header is of height {header.height}")
    canary = rpc.read_reward(said[2]) if len(said) > 2 else None  # noqa: PLR2004
    return _Seen(block_hash, header.time, canary, at_tip=header.confirmations == 1)


def _server_says(
    params: Params, height: int, endpoint: str, said: Sequence[Exchange]
) -> _Seen | Gap:
    found = electrum.read_moment(params, height, endpoint, said)
    if isinstance(found, Gap):
        return found
    header, paid = found
    time = int.from_bytes(header[68:72], "little")
    return _Seen(electrum.hash_of(header), time, paid=paid)


def _agree(what: str, seen: Mapping[str, _Seen]) -> None:
    """Raise ``Disagreement`` unless all name one block."""
    if len({said.block_hash for said in seen.values()}) > 1:
        names = "; ".join(f"{endpoint}: {said.block_hash}" for endpoint, said in seen.items())
        raise Disagreement(f"the endpoints name different hashes for {what}: {names}")
