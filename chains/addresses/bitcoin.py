"""Bitcoin and its relatives: the account is the output script (scriptPubKey) itself.

Parameters: ``p2pkh`` and ``p2sh`` (version bytes as integers or hex strings, one or
several, the first being canonical; two-byte ones as Zcash has them), ``hrp`` (bech32
addresses), ``cashaddr`` (the CashAddr prefix; then the canonical text),
``unsupported_prefixes`` (beginnings of texts that are addresses of a type without a rule,
such as ``zs1``). Legacy and CashAddr, ``3…`` and ``M…``, upper- and lower-case bech32 of
one account give the same script.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from chains.addresses import AddressError
from chains.addresses.base58 import (
    base58check_column,
    base58check_to_bytes,
    bytes_to_base58check,
)
from chains.addresses.bech32 import (
    BECH32,
    BECH32M,
    bech32_to_digits,
    bytes_to_digits,
    cashaddr_to_payload,
    digits_to_bech32,
    digits_to_bytes,
    payload_to_cashaddr,
    segwit_column,
)
from chains.bulk import Bytes, Flags, Texts
from chains.errors import ConfigError

HASH_LENGTH = 20
LONG_HASH_LENGTH = 32
P2PKH_HEAD, P2PKH_TAIL = b"\x76\xa9\x14", b"\x88\xac"
P2SH_HEAD, P2SH_TAIL = b"\xa9\x14", b"\x87"
P2SH32_HEAD = b"\xaa\x20"
P2WPKH_HEAD = b"\x00\x14"
P2WSH_HEAD = b"\x00\x20"
P2TR_HEAD = b"\x51\x20"
_LENGTHS = {25: (P2PKH_HEAD, P2PKH_TAIL), 23: (P2SH_HEAD, P2SH_TAIL), 35: (P2SH32_HEAD, P2SH_TAIL)}
_TOKEN_PREFIXES = ("bitcoincash", "bchtest", "bchreg")
"""Prefixes of chains with CashTokens. Spec: https://github.com/cashtokens/cashtokens"""
_CACHE_LIMIT = 256


class _Forms(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one chain, read once."""

    heads: Mapping[bytes, tuple[bytes, bytes]]
    p2pkh: bytes
    p2sh: bytes
    hrp: str
    cashaddr: str
    unsupported: tuple[str, ...]


_forms_seen: dict[int, tuple[Mapping[str, Any], _Forms]] = {}


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the output script of an address.

    Spec: https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki
    """
    forms = _forms(params)
    hrp = forms.hrp
    if hrp and text[: len(hrp) + 1].lower() == f"{hrp}1":
        return _from_bech32(text, hrp)
    prefix = forms.cashaddr
    if prefix:
        if text.startswith(f"{prefix}:"):
            return _from_cashaddr(text[len(prefix) + 1 :], prefix)
        if text[:1] in ("q", "p", "z", "r"):
            return _from_cashaddr(text, prefix)
    if forms.unsupported and text.startswith(forms.unsupported):
        raise AddressError("an address type without a rule", code="unsupported-address-type")
    payload = base58check_to_bytes(text)
    affixes = forms.heads.get(payload[:-HASH_LENGTH])
    if affixes is None:
        raise AddressError("the version bytes are of another network or address type")
    return affixes[0] + payload[-HASH_LENGTH:] + affixes[1]


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the canonical address of an output script.

    Raises ``AddressError`` (``unsupported-address-type``) for scripts without an address.
    """
    forms = _forms(params)
    if account[:2] in (P2WPKH_HEAD, P2WSH_HEAD, P2TR_HEAD) and account[1] == len(account) - 2:
        if not forms.hrp:
            raise AddressError("this chain has no bech32 addresses")
        version = 1 if account[:2] == P2TR_HEAD else 0
        digits = bytes((version,)) + bytes_to_digits(account[2:])
        return digits_to_bech32(digits, forms.hrp, BECH32M if version else BECH32)
    head, tail = _LENGTHS.get(len(account), (b"\0", b"\0"))
    if not (account.startswith(head) and account.endswith(tail)):
        raise AddressError("a script without an address", code="unsupported-address-type")
    payload = account[len(head) : -len(tail)]
    if forms.cashaddr:
        if len(payload) not in (HASH_LENGTH, LONG_HASH_LENGTH):
            raise AddressError("no hash of a length that CashAddr has")
        kind = 0 if head == P2PKH_HEAD else 8
        size = 3 if len(payload) == LONG_HASH_LENGTH else 0
        return payload_to_cashaddr(bytes((kind | size,)) + payload, forms.cashaddr)
    version_bytes = forms.p2pkh if head == P2PKH_HEAD else forms.p2sh
    if not version_bytes or len(payload) != HASH_LENGTH:
        raise AddressError("this chain has no address of this type")
    return bytes_to_base58check(version_bytes + payload)


def script_hash_columns(
    column: Texts, params: Mapping[str, Any]
) -> tuple[tuple[Bytes, Flags], tuple[Bytes, Flags]]:
    """Return the witness programs of P2WSH texts and the hashes of P2SH texts, each as rows.

    Both with which texts are that. No text at all where the chain has CashAddr or types of address
    without a rule: there a text must be looked at one by one.
    """
    forms = _forms(params)
    programs = np.zeros((len(column), LONG_HASH_LENGTH), np.uint8)
    are_programs = np.zeros(len(column), np.bool_)
    payloads, are_hashes = base58check_column(column, 1 + HASH_LENGTH)
    if forms.cashaddr or forms.unsupported:
        return (programs, are_programs), (payloads[:, 1:], are_programs.copy())
    versions = [
        head[0] for head, form in forms.heads.items() if form[0] == P2SH_HEAD and len(head) == 1
    ]
    are_hashes &= np.isin(payloads[:, 0], versions)
    if forms.hrp:
        programs, are_programs = segwit_column(column, forms.hrp, LONG_HASH_LENGTH)
        hashes = np.flatnonzero(are_hashes)
        first = column.data[column.offsets[hashes]] | 0x20
        are_hashes[hashes] = first != ord(forms.hrp[0])  # it might be meant as bech32
    return (programs, are_programs), (payloads[:, 1:], are_hashes)


def _from_bech32(text: str, hrp: str) -> bytes:
    digits, constant = bech32_to_digits(text, hrp)
    if not digits:
        raise AddressError("a bech32 text without data")
    version, program = digits[0], digits_to_bytes(digits[1:])
    if constant != (BECH32M if version else BECH32):
        raise AddressError("the checksum is not the one of this witness version")
    if version == 0:
        if len(program) not in (HASH_LENGTH, LONG_HASH_LENGTH):
            raise AddressError("a version 0 witness program has 20 or 32 bytes")
        return bytes((0, len(program))) + program
    if version > 16 or not 2 <= len(program) <= 40:  # noqa: PLR2004 - BIP-141 limits
        raise AddressError("not a witness program")
    if version == 1 and len(program) == LONG_HASH_LENGTH:
        return P2TR_HEAD + program
    raise AddressError("an unknown witness program", code="unsupported-address-type")


def _from_cashaddr(data: str, prefix: str) -> bytes:
    """Read a CashAddr without prefix; upper case is refused although its standard knows it.

    Spec: https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/cashaddr.md
    """
    payload = cashaddr_to_payload(data, prefix)
    version, digest = payload[0] if payload else 0xFF, payload[1:]
    token_aware = prefix in _TOKEN_PREFIXES
    if version & 0x80 or len(digest) != (20, 24, 28, 32, 40, 48, 56, 64)[version & 7]:
        raise AddressError("CashAddr version and length disagree")
    kind = version >> 3
    if kind in (0, 1) or (token_aware and kind in (2, 3)):
        if len(digest) == HASH_LENGTH:
            head, tail = (P2SH_HEAD, P2SH_TAIL) if kind & 1 else (P2PKH_HEAD, P2PKH_TAIL)
            return head + digest + tail
        if token_aware and kind & 1 and len(digest) == LONG_HASH_LENGTH:
            return P2SH32_HEAD + digest + P2SH_TAIL
    raise AddressError("an unknown CashAddr type", code="unsupported-address-type")


def _forms(params: Mapping[str, Any]) -> _Forms:
    """Read the parameters once per mapping, since every row of a list asks for them."""
    seen = _forms_seen.get(id(params))
    if seen is not None and seen[0] is params:
        return seen[1]
    if len(_forms_seen) >= _CACHE_LIMIT:
        _forms_seen.clear()
    p2pkh, p2sh = _versions(params, "p2pkh"), _versions(params, "p2sh")
    heads = dict.fromkeys(p2sh, (P2SH_HEAD, P2SH_TAIL))
    heads.update(dict.fromkeys(p2pkh, (P2PKH_HEAD, P2PKH_TAIL)))
    forms = _Forms(
        heads=heads,
        p2pkh=p2pkh[0] if p2pkh else b"",
        p2sh=p2sh[0] if p2sh else b"",
        hrp=str(params.get("hrp", "")),
        cashaddr=str(params.get("cashaddr", "")).removesuffix(":"),
        unsupported=tuple(params.get("unsupported_prefixes", ())),
    )
    _forms_seen[id(params)] = (params, forms)
    return forms


def _versions(params: Mapping[str, Any], key: str) -> tuple[bytes, ...]:
    """Return version bytes given as an integer, a hex string or a list of these."""
    given = params.get(key, ())
    versions: list[bytes] = []
    for item in given if isinstance(given, list | tuple) else (given,):
        if isinstance(item, str):
            versions.append(bytes.fromhex(item.removeprefix("0x")))
        elif isinstance(item, int) and 0 <= item <= 0xFFFF:  # noqa: PLR2004 - two bytes at most
            versions.append(item.to_bytes(1 if item < 0x100 else 2, "big"))  # noqa: PLR2004
        else:
            raise ConfigError(f"address_params.{key}: expected version bytes, found {item!r}")
    return tuple(versions)
