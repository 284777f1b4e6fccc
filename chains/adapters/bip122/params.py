"""What ``config/chains.toml`` tells this adapter about one chain, checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chains.adapters.bip122.dump import MAX_MONEY
from chains.errors import ConfigError
from chains.model import ChainSpec

_MAGIC_BYTES = 4


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """``params`` of a chain of this family. Hashes are lower-case hex in the usual order.

    ``header_checked``: a block's hash is the double SHA-256 of its 80 header bytes, as on
    Bitcoin; declared with ``header = "sha256d"`` (the default) or ``"unchecked"``.
    ``scan_names_block``: ``scantxoutset`` says at which block it was made. ``cash_tokens``:
    outputs can carry tokens, which stand in front of their scripts. ``address_index``: nodes keep
    every change of an address and are asked for them (see ``deltas``). ``set_hashes``: hashes
    of the whole set of coins, by height, that others found. ``dumps``, ``scans``: the network's
    nodes have ``dumptxoutset``, ``scantxoutset``.
    """

    genesis: str
    magic: bytes
    checkpoints: Mapping[int, str]
    max_money: int
    header_checked: bool
    scan_names_block: bool
    cash_tokens: bool
    address_index: bool
    set_hashes: Mapping[int, str]
    dumps: bool = True
    scans: bool = True

    def anchors(self, height: int) -> dict[int, str]:
        """Return the blocks by which a node shows its chain: block 0 and the last checkpoint.

        Bitcoin and Bitcoin Cash share block 0 and half a million more; only a block after the
        fork tells them apart.
        """
        latest = max((known for known in self.checkpoints if known <= height), default=0)
        return {0: self.genesis} | ({latest: self.checkpoints[latest]} if latest else {})

    @classmethod
    def of(cls, spec: ChainSpec) -> Params:
        """Read ``spec.params``; raises ``ConfigError`` naming the key."""
        params = spec.params
        where = f"chain {spec.id}, params"
        try:
            magic = bytes.fromhex(params.get("magic", ""))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}.magic: expected 8 hex digits") from error
        if len(magic) not in (0, _MAGIC_BYTES):
            raise ConfigError(f"{where}.magic: expected 8 hex digits, got {len(magic)} bytes")
        if "genesis" not in params:
            raise ConfigError(f"{where}.genesis is missing: the hash of block 0")
        checkpoints = _table(params, "checkpoints", where)
        set_hashes = _table(params, "txoutset_hashes", where)
        for flag in ("scan_names_block", "cash_tokens", "address_index", "dumps", "scans"):
            if not isinstance(params.get(flag, False), bool):
                raise ConfigError(f"{where}.{flag}: expected true or false")
        header = params.get("header", "sha256d")
        if header not in ("sha256d", "unchecked"):
            raise ConfigError(f"{where}.header: expected sha256d or unchecked, got {header!r}")
        if "fork_height" in params:
            checkpoints = {**checkpoints, params["fork_height"]: params.get("fork_hash")}
        try:
            known = {int(height): _hash(value) for height, value in checkpoints.items()}
            return cls(
                genesis=_hash(params["genesis"]),
                magic=magic,
                checkpoints=known,
                max_money=int(params.get("max_money", MAX_MONEY)),
                header_checked=header == "sha256d",
                scan_names_block=params.get("scan_names_block", True),
                cash_tokens=params.get("cash_tokens", False),
                address_index=params.get("address_index", False),
                set_hashes={int(height): _hash(value) for height, value in set_hashes.items()},
                dumps=params.get("dumps", True),
                scans=params.get("scans", True),
            )
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from error


def _table(params: Mapping[str, Any], key: str, where: str) -> Mapping[Any, Any]:
    found = params.get(key, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{where}.{key}: expected a table of height = hash")
    return found


def _hash(value: Any) -> str:
    if not isinstance(value, str) or len(bytes.fromhex(value)) != 32:  # noqa: PLR2004
        raise ValueError(f"expected a hash of 64 hex digits, got {value!r}")
    return value.lower()
