"""What is really signed: the digests of the schemes, from the text of the row.

``frame`` puts a header and the text into one byte string, both with their length in
front as Bitcoin writes lengths (CompactSize). All texts are taken as UTF-8.
Digests are remembered, within bounds: a list has a handful of texts.
"""

from __future__ import annotations

from functools import lru_cache

from chains.signatures.secp256k1 import keccak256, sha256d

OKX_HEADER = "OKX Signed Message:\n"
"""Spec: https://github.com/okx/proof-of-reserves (common/hash.go at 2962a89)"""
_ETHEREUM = b"\x19Ethereum Signed Message:\n"
_TRON = b"\x19TRON Signed Message:\n"
_REMEMBERED = 64


def compact_size(length: int) -> bytes:
    """Return a length as Bitcoin writes it.

    Spec: https://developer.bitcoin.org/reference/transactions.html#compactsize-unsigned-integers
    """
    if length < 0xFD:  # noqa: PLR2004 - the boundaries are the format
        return length.to_bytes(1, "little")
    if length <= 0xFFFF:  # noqa: PLR2004
        return b"\xfd" + length.to_bytes(2, "little")
    return b"\xfe" + length.to_bytes(4, "little")


def frame(header: str, text: str) -> bytes:
    """Return header and text, each behind its CompactSize length in bytes."""
    head, body = header.encode(), text.encode()
    return compact_size(len(head)) + head + compact_size(len(body)) + body


@lru_cache(maxsize=_REMEMBERED)
def bitcoin_message(header: str, text: str) -> bytes:
    """Return the digest of signmessage: SHA-256 twice over the frame.

    ``header`` is the coin's words, without " Signed Message:".
    """
    return sha256d(frame(f"{header} Signed Message:\n", text))


@lru_cache(maxsize=_REMEMBERED)
def okx_ecdsa(text: str) -> bytes:
    """Return OKX's digest for secp256k1 keys outside EVM and Bitcoin chains."""
    return keccak256(frame(OKX_HEADER, text))


@lru_cache(maxsize=_REMEMBERED)
def okx_evm(text: str) -> bytes:
    """Return OKX's EVM digest: EIP-191 over the 32-byte Keccak of the text."""
    return keccak256(_ETHEREUM + b"32" + keccak256(text.encode()))


@lru_cache(maxsize=_REMEMBERED)
def personal_sign(text: str) -> bytes:
    """Return the digest of ``personal_sign``: EIP-191 over the text itself.

    Spec: https://eips.ethereum.org/EIPS/eip-191
    """
    body = text.encode()
    return keccak256(_ETHEREUM + str(len(body)).encode() + body)


@lru_cache(maxsize=_REMEMBERED)
def bare_keccak(text: str) -> bytes:
    """Return the Keccak-256 of the text, without any header."""
    return keccak256(text.encode())


@lru_cache(maxsize=_REMEMBERED)
def tron_hashed(text: str) -> bytes:
    """Return TRON's first form over the 32-byte Keccak of the text."""
    return keccak256(_TRON + b"32" + keccak256(text.encode()))


@lru_cache(maxsize=_REMEMBERED)
def tron_legacy(text: str) -> bytes:
    """Return old TronWeb's digest: the header always says 32, whatever the text's length."""
    return keccak256(_TRON + b"32" + text.encode())


@lru_cache(maxsize=_REMEMBERED)
def tip191(text: str) -> bytes:
    """Return TRON's second form, the header carrying the text's length in bytes.

    Spec: https://github.com/tronprotocol/tips/blob/master/tip-191.md
    """
    return tron_message(text.encode())


def tron_message(body: bytes) -> bytes:
    """Return the TIP-191 digest of raw bytes."""
    return keccak256(_TRON + str(len(body)).encode() + body)
