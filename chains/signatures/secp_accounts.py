"""Which accounts a secp256k1 key derives, for every address format that recount knows.

One table for all schemes: a scheme says how a text is hashed, this module what the key that
signed it owns. A key in the row is never believed: it must be the one that signed, and what
it owns is derived here.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b, sha3_256
from typing import Any

import msgspec
from coincurve import PublicKey

from chains.addresses import filecoin, icon, nuls, stacks, xrpl
from chains.signatures.model import Refused, SignedAddress
from chains.signatures.rows import Signer
from chains.signatures.secp256k1 import compressed, hash160, keccak_account, recover, sha256d

_UNCOMPRESSED, _COMPRESSED, _COORDINATES = 65, 33, 64
_CONFLUX_USER = 0x10
_HASH_LENGTH = 20
"""Longer accounts of Cosmos chains are contracts and modules, which obey somebody."""
_REMEMBERED = 1 << 12


class AccountRule(msgspec.Struct, frozen=True):
    """How the accounts of one address format follow from a key.

    ``derive`` returns each account of the key with the name of its variant. ``is_final``
    tells of an account whether no other key can ever control it; where one can, a good
    signature by the key of the row shows the key alone. ``name`` is the key as the chain's
    control answers name it, empty where the chain is not asked.
    """

    derive: Callable[[bytes, Mapping[str, Any]], Mapping[bytes, str]]
    is_final: Callable[[bytes], bool] = lambda _: True
    name: Callable[[bytes], str] = lambda _: ""


def _evm(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:  # noqa: ARG001
    return {keccak_account(key): ""}


def _cosmos(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:
    """Spec: https://docs.cosmos.network/main/learn/beginner/accounts#public-keys."""
    if params.get("key") == "keccak":
        return {keccak_account(key): ""}
    return {hash160(compressed(key)): ""}


def _filecoin(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:  # noqa: ARG001
    """Spec: https://spec.filecoin.io/appendix/address/ (protocol 1) and FIP-0048."""
    return {_filecoin_key(key): "", filecoin.ETHEREUM + keccak_account(key): "f410"}


def _filecoin_key(key: bytes) -> bytes:
    return b"\x01" + blake2b(key, digest_size=20).digest()


def _conflux(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:  # noqa: ARG001
    """Spec: https://doc.confluxnetwork.org/docs/core/core-space-basics/addresses."""
    account = keccak_account(key)
    return {bytes((account[0] & 0x0F | _CONFLUX_USER,)) + account[1:]: ""}


def _aelf(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:  # noqa: ARG001
    """Spec: https://github.com/AElfProject/AElf (Address.FromPublicKey)."""
    return {sha256d(key): ""}


def _icon(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:  # noqa: ARG001
    """Spec: https://docs.icon.community/concepts/accounts."""
    return {icon.ACCOUNT + sha3_256(key[1:]).digest()[-20:]: ""}


def _stacks(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:
    """Return the accounts of one key, the version being that of the network.

    Spec: https://github.com/stacksgov/sips/blob/main/sips/sip-005 (hash modes 0 and 2)
    """
    single, script = params.get("versions", (stacks.SINGLE_KEY, stacks.SCRIPT))
    head, short = bytes((single,)), hash160(compressed(key))
    return {
        head + short: "compressed",
        head + hash160(key): "uncompressed",
        bytes((script,)) + hash160(b"\x00\x14" + short): "p2sh-p2wpkh",
    }


def _xrpl(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:  # noqa: ARG001
    """Spec: https://xrpl.org/docs/concepts/accounts/addresses#address-encoding."""
    return {hash160(compressed(key)): "master-key"}


def _nuls(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:
    """Spec: https://docs.nuls.io/Docs/ (Account module, address format)."""
    head = int(params.get("chain", 1)).to_bytes(2, "little") + bytes((nuls.SINGLE_KEY,))
    return {head + hash160(compressed(key)): ""}


def _substrate(key: bytes, params: Mapping[str, Any]) -> Mapping[bytes, str]:  # noqa: ARG001
    """Spec: https://docs.rs/sp-runtime (MultiSigner::Ecdsa into AccountId32)."""
    return {blake2b(compressed(key), digest_size=32).digest(): ""}


def _is_final_on_filecoin(account: bytes) -> bool:
    """f0 and f2 name actors that may obey any key."""
    return account[0] not in (filecoin.ID, filecoin.ACTOR)


RULES: Mapping[str, AccountRule] = {
    "evm": AccountRule(_evm),
    "flow": AccountRule(_evm),
    "cosmos": AccountRule(_cosmos, lambda account: len(account) == _HASH_LENGTH),
    "filecoin": AccountRule(
        _filecoin, _is_final_on_filecoin, lambda key: filecoin.encode(_filecoin_key(key), {})
    ),
    "conflux": AccountRule(_conflux),
    "aelf": AccountRule(_aelf),
    "icon": AccountRule(_icon),
    "stacks": AccountRule(_stacks, lambda account: account[0] in (stacks.SINGLE_KEY, 26)),
    "xrpl": AccountRule(
        _xrpl, lambda _: False, lambda key: xrpl.encode(hash160(compressed(key)), {})
    ),
    "nuls": AccountRule(_nuls, lambda account: account[2] != nuls.SCRIPT),
    "ss58": AccountRule(_substrate),
}
"""By address format."""


def link(row: SignedAddress, key: bytes, account: bytes) -> Signer:
    """Return the signer that ``key``, which signed the row, is for ``account``.

    Raises ``Refused``: ``wrong-key`` where the account cannot be that of this key or the row
    names another one, ``missing-key`` where only a key in the row could tell who signed.
    """
    named = bool(row.public_key) and not row.owners
    if named and parse_key(row.public_key) != key:
        raise Refused("wrong-key", "the row's public key is not the one that signed")
    rule = RULES[row.spec.address]
    variant = rule.derive(key, row.spec.address_params).get(account)
    if variant is not None:
        return Signer(key, variant, name=rule.name(key))
    if rule.is_final(account):
        raise Refused("wrong-key", "the key that signed this text is of another account")
    if not named:
        raise Refused("missing-key", "the address is not of the key that signed; none is named")
    return Signer(key, is_account=False, name=rule.name(key))


def link_one_of(
    row: SignedAddress, digest: bytes, body: bytes, recovery_ids: Sequence[int], account: bytes
) -> Signer:
    """Return the signer of r ‖ s where its recovery id is not known, or one of few.

    A key verifies r ‖ s exactly if one of the ids recovers it. Raises ``Refused``.
    """
    refusal: Refused | None = None
    for one in recovery_ids:
        try:
            return link(row, recover(digest, body + bytes((one,))), account)
        except Refused as error:
            refusal = error
    raise refusal or Refused("wrong-signature", "no key can be recovered")


@lru_cache(maxsize=_REMEMBERED)
def parse_key(text: str) -> bytes:
    """Return the uncompressed form of a key: 33, 65 or 64 (x and y) bytes.

    Hex with or without ``0x``, or base64 of 33 bytes. Raises ``Refused`` (``bad-key``).
    """
    digits = text.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits)
        exact = digits.lower() == raw.hex()
    except ValueError:
        raw, exact = _from_base64(text)
    if not exact or len(raw) not in (_UNCOMPRESSED, _COMPRESSED, _COORDINATES):
        raise Refused("bad-key", "not a secp256k1 public key of 33, 64 or 65 bytes")
    if len(raw) == _UNCOMPRESSED and raw[0] != 4:  # noqa: PLR2004 - hybrid forms are not keys
        raise Refused("bad-key", "65 bytes of a public key begin with 04")
    try:
        point = PublicKey(b"\x04" + raw if len(raw) == _COORDINATES else raw)
    except ValueError:
        raise Refused("bad-key", "the public key is no point of the curve") from None
    return point.format(compressed=False)


def _from_base64(text: str) -> tuple[bytes, bool]:
    try:
        raw = b64decode(text, validate=True)
    except (ValueError, BinasciiError):
        raise Refused("bad-key", "the public key is neither hex nor base64") from None
    return raw, len(raw) == _COMPRESSED and b64encode(raw).decode() == text
