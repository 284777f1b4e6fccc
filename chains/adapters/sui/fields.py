"""Names of types, and of the objects in which Sui keeps the entries of its tables.

An entry of a table is a dynamic field, an object whose id is made of the table's id, the key and
the key's type. The address balances of SIP-58 are such entries of the object ``0xacc``.

Spec: https://github.com/MystenLabs/sui/blob/main/crates/sui-types/src/dynamic_field.rs
(``derive_dynamic_field_id``), crates/sui-types/src/accumulator_root.rs
"""

from __future__ import annotations

import hashlib
import re

_LENGTH = 32
_FIELD = b"\xf0"
"""Source: MystenLabs/sui crates/shared-crypto/src/intent.rs (HashingIntentScope)"""
_STRUCT, _U64 = b"\x07", b"\x02"
"""Source: Move TypeTag in BCS (language_storage.rs)"""
_TABLE = (0xACC).to_bytes(_LENGTH, "big")
_FRAMEWORK = (2).to_bytes(_LENGTH, "big")
_ADDRESS = re.compile(r"0x([0-9a-fA-F]{1,64})")
_PLAIN = re.compile(r"0x([0-9a-fA-F]{1,64})::(\w+)::(\w+)", re.ASCII)


def normal(kind: str) -> str:
    """Return a type's text with whole addresses and without spaces."""
    return _ADDRESS.sub(lambda one: f"0x{one[1].lower():0>64}", kind.replace(" ", ""))


def field_id(table: bytes, key: bytes, key_type: bytes) -> bytes:
    """Return the id of the object that holds a table's entry."""
    length = len(key).to_bytes(8, "little")
    return hashlib.blake2b(_FIELD + table + length + key + key_type, digest_size=_LENGTH).digest()


def number_field(table: bytes, number: int) -> bytes:
    """Return the id of the object that holds the entry of a number."""
    return field_id(table, number.to_bytes(8, "little"), _U64)


def address_balance(coin: str, account: bytes) -> bytes | None:
    """Return the id of the object with an account's address balance of a coin.

    ``None`` for types with types of their own, which are not written out here.
    """
    found = _PLAIN.fullmatch(coin)
    if found is None:
        return None
    package = bytes.fromhex(f"{found[1]:0>64}")
    kind = _struct(package, found[2], found[3])
    held = _struct(_FRAMEWORK, "balance", "Balance", kind)
    return field_id(_TABLE, account, _struct(_FRAMEWORK, "accumulator", "Key", held))


def _struct(package: bytes, module: str, name: str, *inner: bytes) -> bytes:
    """Write a struct's type in BCS; names are shorter than 128 bytes."""
    texts = b"".join(bytes((len(one),)) + one.encode() for one in (module, name))
    return _STRUCT + package + texts + bytes((len(inner),)) + b"".join(inner)
