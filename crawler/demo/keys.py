"""Throw-away keys of the demo, and how its made-up exchange signs with them.

Every secret derives from a public text, so anybody can spend with these keys: they must never
hold anything. The signatures are real ones, by the same libraries that verify them.
"""

from __future__ import annotations

import base64
import hashlib

from coincurve import PrivateKey
from nacl.signing import SigningKey

from chains.addresses.base58 import bytes_to_base58check
from chains.signatures.digests import bitcoin_message, frame, okx_ecdsa, okx_evm, tron_hashed
from chains.signatures.secp256k1 import keccak256

MESSAGE = "I am the demo exchange"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of secp256k1. Spec: https://www.secg.org/sec2-v2.pdf (section 2.4.1)"""


def seed(*parts: object) -> bytes:
    """Return 32 bytes that depend on nothing but ``parts``."""
    return hashlib.sha256(f"recount demo {parts}".encode()).digest()


def secp256k1_key(*parts: object) -> PrivateKey:
    """Return a throw-away secp256k1 key."""
    return PrivateKey((int.from_bytes(seed(*parts), "big") % (ORDER - 1) + 1).to_bytes(32, "big"))


def ed25519_key(*parts: object) -> SigningKey:
    """Return a throw-away Ed25519 key."""
    return SigningKey(seed(*parts))


def compressed(key: PrivateKey) -> bytes:
    """Return the public key in 33 bytes."""
    return key.public_key.format(compressed=True)


def hash160(data: bytes) -> bytes:
    """Return RIPEMD-160 of SHA-256."""
    from Crypto.Hash import RIPEMD160  # noqa: PLC0415 - OpenSSL may lack it

    return RIPEMD160.new(hashlib.sha256(data).digest()).digest()


def evm_address(key: PrivateKey) -> bytes:
    """Return the 20 bytes of a key's address on EVM chains and TRON."""
    return keccak256(key.public_key.format(compressed=False)[1:])[12:]


def tron_text(account: bytes) -> str:
    """Return the text of a TRON account."""
    return bytes_to_base58check(b"\x41" + account)


def multisig_script(threshold: int, keys: list[bytes]) -> bytes:
    """Return a bare m-of-n script. Spec: BIP-11."""
    pushes = b"".join(bytes([len(key)]) + key for key in keys)
    return bytes([0x50 + threshold]) + pushes + bytes([0x50 + len(keys), 0xAE])


def sign_evm(key: PrivateKey) -> str:
    """Sign the demo's text as an EVM row does."""
    return "0x" + _recoverable(key, okx_evm(MESSAGE)).hex()


def sign_okx(key: PrivateKey) -> str:
    """Sign the demo's text as rows of other secp256k1 chains do."""
    return "0x" + _recoverable(key, okx_ecdsa(MESSAGE)).hex()


def sign_tron(key: PrivateKey) -> str:
    """Sign the demo's text as a TRON row does."""
    return "0x" + _recoverable(key, tron_hashed(MESSAGE)).hex()


def sign_bitcoin(key: PrivateKey, header: str = "Bitcoin") -> str:
    """Sign the demo's text as Core's signmessage does, for a compressed key."""
    signature = key.sign_recoverable(bitcoin_message(header, MESSAGE), hasher=None)
    return base64.b64encode(bytes([31 + signature[64]]) + signature[:64]).decode()


def sign_ed25519(key: SigningKey) -> str:
    """Sign the demo's text as an Ed25519 row does."""
    signature = bytes(key.sign(frame("OKX Signed Message:\n", MESSAGE)).signature)
    return "0x" + signature.hex()


def _recoverable(key: PrivateKey, digest: bytes) -> bytes:
    signature = key.sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])
