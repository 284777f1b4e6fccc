"""What ``spec.params`` of an Antelope chain says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from chains.adapters.antelope.wire import Symbol, is_hash
from chains.addresses import AddressError
from chains.addresses.antelope import decode
from chains.errors import ConfigError
from chains.model import AssetId, ChainSpec

CANARIES = ("eosio.stake",)
"""Holds every core token that is staked for bandwidth.
Source: VaultaFoundation/system-contracts eosio.system.hpp (stake_account)"""
_SYMBOL = re.compile(r"([0-9]{1,2}),([A-Z]{1,7})\Z")
_TOKEN = re.compile(r"([.1-5a-z]{1,12}):([A-Z]{1,7})\Z")


class Token(msgspec.Struct, frozen=True):
    """A token contract and the code of one of its tokens."""

    contract: str
    code: str


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """Checked parameters; ``canaries``, ``token_canaries`` and ``pools`` are accounts as bytes."""

    chain_id: str
    symbol: Symbol
    token: str
    system: str
    rex: bool
    canaries: tuple[bytes, ...]
    token_canaries: Mapping[str, bytes]
    pools: frozenset[bytes]

    @property
    def core(self) -> Token:
        """The core token."""
        return Token(self.token, self.symbol.code)

    def canary_of(self, token: Token) -> bytes | None:
        """Return the account that is known to hold some of a token, if one is declared."""
        return self.token_canaries.get(f"{token.contract}:{token.code}")


def read(spec: ChainSpec) -> Params:
    """Read the parameters; raises ``ConfigError``."""
    given = spec.params
    chain_id, symbol = given.get("chain_id"), _SYMBOL.match(str(given.get("symbol", "4,EOS")))
    if not is_hash(chain_id):
        raise ConfigError(f"chain {spec.id}: params.chain_id has to be 64 hex digits")
    if symbol is None:
        raise ConfigError(f"chain {spec.id}: params.symbol reads like 4,EOS")
    return Params(
        chain_id=chain_id,
        symbol=Symbol(symbol[2], int(symbol[1])),
        token=str(given.get("token", "eosio.token")),
        system=str(given.get("system", "eosio")),
        rex=bool(given.get("rex", True)),
        canaries=tuple(_account(spec, text) for text in given.get("canaries", CANARIES)),
        token_canaries={
            str(token): _account(spec, text)
            for token, text in dict(given.get("token_canaries", {})).items()
        },
        pools=frozenset(_account(spec, text) for text in given.get("pools", ())),
    )


def token_of(spec: ChainSpec, asset: AssetId) -> Token | None:
    """Return the token that ``<chain>/token:contract%3ACODE`` names, if it names one."""
    head = f"{spec.id}/token:"
    found = _TOKEN.match(unquote(asset.removeprefix(head))) if asset.startswith(head) else None
    return None if found is None else Token(found[1], found[2])


def _account(spec: ChainSpec, text: object) -> bytes:
    try:
        return decode(str(text), {})
    except AddressError as error:
        raise ConfigError(f"chain {spec.id}: {text!r} is no account name") from error
