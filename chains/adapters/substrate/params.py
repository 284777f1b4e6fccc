"""What ``spec.params`` says of a Substrate chain, checked when the adapter is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from chains.adapter import Capabilities
from chains.adapters.substrate.wire import MOST_KEYS
from chains.addresses import AddressError, ss58
from chains.errors import ConfigError
from chains.model import ChainSpec, Gap, Method

_IDENTITY = re.compile(r"[0-9a-f]{32,64}\Z")
_KNOWN = {"genesis_hash", "canaries", "batch", "header", "proofs"}
_KNOWN |= {"moved_to", "moved_from", "moved_during"}


class Move(msgspec.Struct, frozen=True):
    """The balances' move between two chains: the other one and the blocks here, both included."""

    other: str
    away: bool
    first: int
    last: int

    @property
    def told(self) -> str:
        """The move as a phrase."""
        way = "to" if self.away else "from"
        return f"balances moved {way} {self.other} at blocks {self.first} to {self.last}"

    def hides(self, height: int) -> Gap | None:
        """Return why an empty account at a height shows nothing, if it does not."""
        if height < self.first or (not self.away and height > self.last):
            return None
        return Gap("moved-elsewhere", detail=self.told)


class Params(msgspec.Struct, frozen=True):
    """The parameters of one chain."""

    genesis: str
    canaries: tuple[bytes, ...]
    batch: int
    extended: bool
    move: Move | None


def read_params(spec: ChainSpec) -> Params:
    """Read the parameters; raises ``ConfigError``."""
    given = spec.params
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        raise _wrong(spec, unknown[0], "is not a parameter of this adapter")
    genesis = str(given.get("genesis_hash", spec.reference)).removeprefix("0x")
    if not _IDENTITY.match(genesis):
        raise _wrong(spec, "genesis_hash", f"{genesis!r} is not 32 to 64 hex digits")
    batch = given.get("batch", MOST_KEYS)
    if not _is_number(batch) or not 1 <= batch <= MOST_KEYS:
        raise _wrong(spec, "batch", f"{batch!r} is not a number from 1 to {MOST_KEYS}")
    header = given.get("header", "plain")
    if header not in ("plain", "extended"):
        raise _wrong(spec, "header", f"{header!r} is neither plain nor extended")
    canaries = tuple(_account(spec, text) for text in given.get("canaries", ()))
    return Params(genesis, canaries, batch, header == "extended", _move(spec, given))


def offered(usual: Capabilities, spec: ChainSpec) -> Capabilities:
    """Say whether proofs hold on a chain, and where its balances moved."""
    how = {Method.STATE: "state_queryStorageAt at the block's hash"}
    move = read_params(spec).move
    if move is not None:
        how[Method.STATE] += f"; {move.told}"
    if spec.params.get("proofs"):
        how[Method.PROOF] = "state_getReadProof, checked from the block's hash down"
    return usual.only(*how, how=how)


def _account(spec: ChainSpec, text: str) -> bytes:
    try:
        return ss58.decode(text, spec.address_params)
    except AddressError as error:
        raise _wrong(spec, "canaries", f"{text!r}: {error}") from error


def _move(spec: ChainSpec, given: Mapping[str, Any]) -> Move | None:
    ways = [way for way in ("moved_to", "moved_from") if way in given]
    if not ways and "moved_during" not in given:
        return None
    blocks = given.get("moved_during")
    if len(ways) != 1 or not isinstance(blocks, list | tuple) or len(blocks) != 2:  # noqa: PLR2004
        raise _wrong(spec, "moved_during", "needs two blocks and moved_to or moved_from")
    first, last = blocks
    if not _is_number(first) or not _is_number(last) or not 0 < first <= last:
        raise _wrong(spec, "moved_during", f"{blocks!r} are not two blocks in order")
    return Move(str(given[ways[0]]), ways[0] == "moved_to", first, last)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(spec: ChainSpec, name: str, text: str) -> ConfigError:
    return ConfigError(f"chain {spec.id}: params.{name}: {text}")
