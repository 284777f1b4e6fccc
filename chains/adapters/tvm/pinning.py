"""Whether an endpoint serves the network and holds a masterchain block with its state.

The network is its state before the first block, which every server repeats, and the number that
each header carries. A block is named by root and file hash. That the state is there shows in
accounts which are never empty: the elector, and those that ``spec.params`` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chains.adapters.tvm import wire
from chains.errors import ConfigError, WrongChain
from chains.model import ChainSpec, Exchange, Gap, Request, Snapshot
from chains.pinning import View

FILE = "file-hash"
"""Key of ``Snapshot.detail``: the block's second hash."""


class Network(msgspec.Struct, frozen=True):
    """What tells a network from others: the number in headers, and the zero state in hex."""

    number: int
    zero_root: str
    zero_file: str


def canary_key(account: bytes) -> str:
    """Return the key of ``Snapshot.detail`` under which a canary's balance stands."""
    return f"canary-{account.hex()}"


def network(spec: ChainSpec) -> Network:
    """Return what the chain's declaration demands; raises ``ConfigError``."""
    root, file = (wire.digest(spec.params.get(f"zero_state_{name}")) for name in ("root", "file"))
    if not root or not file:
        raise ConfigError(f"chain {spec.id}: params.zero_state_root and _file are 32 bytes each")
    try:
        return Network(int(spec.reference), root, file)
    except ValueError:
        raise ConfigError(f"chain {spec.id}: the reference is no network number") from None


def requests(height: int, canaries: Sequence[bytes]) -> list[Request]:
    """Return what every endpoint is asked first."""
    return [wire.info(), wire.header(height), *(wire.state(one, height) for one in canaries)]


def view(
    network: Network,
    height: int,
    name: str,
    own: Mapping[Request, Exchange],
    canaries: Sequence[bytes],
) -> View:
    """Read what one endpoint showed; raises ``WrongChain``."""
    info = wire.read_object(own.get(wire.info()), height)
    if isinstance(info, Gap):
        return View(reason="identity-unproven" if info.reason == "rpc-error" else info.reason)
    if not _is_proven(network, name, info.get("init")):
        return View(reason="identity-unproven")
    newest = wire.block(info.get("last"))
    if isinstance(newest, Gap):
        return View(reason=newest.reason)
    if newest.seqno < height:
        return View(reason="node-behind")
    named = _named(network, height, name, own.get(wire.header(height)))
    if isinstance(named, Gap):
        return View(reason=named.reason)
    return named if named.reason else _state(named, height, own, canaries)


def read_head(exchange: Exchange) -> int | Gap:
    """Return the number of the newest masterchain block."""
    info = wire.read_object(exchange, 0)
    newest = info if isinstance(info, Gap) else wire.block(info.get("last"))
    return newest if isinstance(newest, Gap) else newest.seqno


def _is_proven(network: Network, name: str, said: object) -> bool:
    """Tell whether the zero state was shown; raises ``WrongChain`` where it is another's."""
    shown = said if isinstance(said, dict) else {}
    root, file = wire.digest(shown.get("root_hash")), wire.digest(shown.get("file_hash"))
    if not root or not file:
        return False
    if (root, file) != (network.zero_root, network.zero_file):
        raise WrongChain(f"{name} shows the zero state {root}, not {network.zero_root}")
    return True


def _named(network: Network, height: int, name: str, exchange: Exchange | None) -> View | Gap:
    """Read the header; raises ``WrongChain``."""
    said = wire.read_object(exchange, height)
    if isinstance(said, Gap):
        return said
    named, time, number = wire.block(said.get("id")), said.get("gen_utime"), said.get("global_id")
    if isinstance(named, Gap):
        return named
    if not wire.is_integer(number) or not wire.is_integer(time) or time < 0:
        return Gap("malformed-answer")
    if number != network.number:
        raise WrongChain(f"{name} serves network {number}, not {network.number}")
    if named.seqno != height:
        return Gap("wrong-block")
    return View(block_hash=named.root, time=time, shown={FILE: named.file})


def _state(
    named: View, height: int, own: Mapping[Request, Exchange], canaries: Sequence[bytes]
) -> View:
    """Add to a view whether the endpoint holds the state: who is not empty."""
    at = wire.Block(height, named.block_hash, named.shown[FILE])
    balances: dict[bytes, int] = {}
    reason = ""
    for one in canaries:
        found = wire.account(own.get(wire.state(one, height)), at)
        if isinstance(found, Gap):
            reason = reason or found.reason
        else:
            balances[one] = found.balance
    if not reason and not any(balances.values()):
        reason = "canary-failed"
    if reason:
        return View(block_hash=named.block_hash, time=named.time, reason=reason)
    shown = {canary_key(one): str(units) for one, units in balances.items()}
    return View(
        block_hash=named.block_hash,
        time=named.time,
        shown={**named.shown, **shown},
        canaries=tuple(one.hex() for one, units in balances.items() if units),
    )


def block_at(at: Snapshot) -> wire.Block | None:
    """Return the pinned block, ``None`` where no endpoint may be asked."""
    return wire.Block(at.height, at.block_hash, at.detail[FILE]) if FILE in at.detail else None
