"""Sui accounts: 32 bytes in hex behind ``0x``, read and written as on Aptos.

Spec: https://docs.sui.io/concepts/cryptography/transaction-auth/keys-addresses
"""

from __future__ import annotations

from chains.addresses.aptos import LENGTH, decode, encode

__all__ = ["LENGTH", "decode", "encode"]
