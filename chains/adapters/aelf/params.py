"""What ``spec.params`` of an aelf chain says."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from chains.adapters.aelf import wire
from chains.errors import ConfigError
from chains.model import AssetId, ChainSpec

_SYMBOL = re.compile(r"[A-Za-z0-9-]{1,30}\Z")
"""Source: AElfProject/AElf TokenContractConstants.cs, TokenContract_Helper.cs (symbols)"""


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """Checked parameters; accounts and contracts as bytes.

    ``genesis_hash`` is empty and ``token_contract`` ``None`` where they are not configured.
    """

    chain: str
    genesis_contract: bytes
    genesis_hash: str
    token_contract: bytes | None
    symbol: str
    canaries: tuple[bytes, ...]
    token_canaries: Mapping[str, bytes]


def read(spec: ChainSpec) -> Params:
    """Read the parameters; raises ``ConfigError``."""
    given = spec.params
    genesis_hash, symbol = given.get("genesis_hash", ""), given.get("symbol", "ELF")
    if genesis_hash and not wire.is_hash(genesis_hash):
        raise ConfigError(f"chain {spec.id}: params.genesis_hash has to be 64 hex digits")
    if not isinstance(symbol, str) or not _SYMBOL.match(symbol):
        raise ConfigError(f"chain {spec.id}: params.symbol has to be a symbol such as ELF")
    token = given.get("token_contract")
    return Params(
        chain=str(given.get("chain", spec.reference)),
        genesis_contract=_account(spec, given.get("genesis_contract")),
        genesis_hash=str(genesis_hash),
        token_contract=None if token is None else _account(spec, token),
        symbol=symbol,
        canaries=tuple(_account(spec, text) for text in given.get("canaries", ())),
        token_canaries={
            str(name): _account(spec, text)
            for name, text in dict(given.get("token_canaries", {})).items()
        },
    )


def symbol_of(spec: ChainSpec, asset: AssetId) -> str | None:
    """Return the symbol that ``<chain>/token:SYMBOL`` names, if it names one."""
    head = f"{spec.id}/token:"
    symbol = asset.removeprefix(head) if asset.startswith(head) else ""
    return symbol if _SYMBOL.match(symbol) else None


def _account(spec: ChainSpec, text: object) -> bytes:
    found = wire.read_address(text)
    if found is None:
        raise ConfigError(f"chain {spec.id}: {text!r} is no aelf address")
    return found
