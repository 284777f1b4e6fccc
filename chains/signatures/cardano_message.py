"""What Cardano's wallets sign (CIP-8, CIP-30): a COSE_Sign1 structure with the address in it.

The signature column holds the structure in hex, the key column the COSE key (or the bare 32
bytes), or the signature column holds the wallet's answer, a JSON object with ``signature``
and ``key``. The structure must be written in the one shortest way, name the row's own address
and carry the row's text or its hash. The stake key of a base address disposes of nothing:
it is not enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from chains.signatures.ed25519 import KEY_LENGTH, SIGNATURE_LENGTH, parse_key, signer, verify
from chains.signatures.envelopes import is_object, read_object, text_of
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row

FAMILY = "ed25519"
_LONGEST = 16_384
_ALGORITHM, _KEY_ID, _CRITICAL = 1, 4, 2
_EDDSA = -8
_KEY_TYPE, _KEY_KEY_ID, _KEY_ALGORITHM, _CURVE, _X = 1, 2, 3, -1, -2
_OKP, _ED25519 = 1, 6
"""Labels and values. Spec: https://datatracker.ietf.org/doc/html/rfc9053#section-2.2"""
_PARTS = 4
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+\Z")
_HASHED_LENGTH = 28

SCHEMES = (
    Scheme(
        name="cip8",
        family=FAMILY,
        addresses=frozenset({"cardano"}),
        origin="cardano-foundation/cardano-verify-datasignature:index.test.ts; "
        "okx/go-wallet-sdk:coins/cardano/message_test.go",
        description="CIP-8 and CIP-30: COSE_Sign1 over the address and the text.",
    ),
)
ALIASES = {"cip8/cip30-datasignature": "cip8", "cip30": "cip8"}


class Signed(msgspec.Struct, frozen=True):
    """What a COSE_Sign1 structure says; ``is_hashed``: the payload is the hash of the text."""

    protected: bytes
    address: bytes
    payload: bytes
    is_hashed: bool
    signature: bytes


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Cardano signed by a wallet."""
    return judge_row(row, scheme, _signed)


def parse(text: str) -> Signed:
    """Read a COSE_Sign1 structure in hex; raises ``Refused`` (``bad-signature``).

    Spec: https://github.com/cardano-foundation/CIPs/tree/master/CIP-0008
    """
    parts = _cbor(text, "bad-signature")
    if type(parts) is not list or len(parts) != _PARTS:
        raise Refused("bad-signature", "not a COSE_Sign1 structure")
    protected, unprotected, payload, signature = parts
    if (
        type(protected) is not bytes
        or type(unprotected) is not dict
        or type(payload) is not bytes
        or type(signature) is not bytes
        or len(signature) != SIGNATURE_LENGTH
    ):
        raise Refused("bad-signature", "a part of the COSE_Sign1 structure is of a wrong type")
    header = _cbor(protected.hex(), "bad-signature")
    if type(header) is not dict or header.keys() & unprotected.keys():
        raise Refused("bad-signature", "the protected header is not a map of its own")
    if header.keys() - {_ALGORITHM, _KEY_ID, "address"} or _CRITICAL in unprotected:
        raise Refused("bad-signature", "the headers hold what is not understood here")
    address, is_hashed = header.get("address"), unprotected.get("hashed", False)
    if not _is(header.get(_ALGORITHM), _EDDSA) or type(address) is not bytes:
        raise Refused("bad-signature", "the header names no address or not EdDSA")
    if type(is_hashed) is not bool or "address" in unprotected:
        raise Refused("bad-signature", "the header that is not signed is not in order")
    return Signed(protected, address, payload, is_hashed, signature)


def parse_cose_key(text: str) -> bytes:
    """Return the 32 bytes of a COSE key, or of a bare one, in hex; raises ``Refused``."""
    if len(text.removeprefix("0x")) == 2 * KEY_LENGTH:
        return parse_key(text)
    key = _cbor(text, "bad-key")
    if type(key) is not dict or key.keys() - {_KEY_TYPE, _KEY_KEY_ID, _KEY_ALGORITHM, _CURVE, _X}:
        raise Refused("bad-key", "not a COSE key, or one with members that are not understood")
    x = key.get(_X)
    if (
        not _is(key.get(_KEY_TYPE), _OKP)
        or not _is(key.get(_CURVE), _ED25519)
        or not _is(key.get(_KEY_ALGORITHM, _EDDSA), _EDDSA)
        or type(x) is not bytes
        or len(x) != KEY_LENGTH
    ):
        raise Refused("bad-key", "the COSE key is not an Ed25519 key")
    return x


def verify_structure(signed: Signed, key: bytes) -> bytes:
    """Return ``key`` if it signed the structure; raises ``Refused``.

    Spec: https://datatracker.ietf.org/doc/html/rfc9052#section-4.4
    """
    from cbor2 import dumps  # noqa: PLC0415 - loaded for these rows only

    to_sign = dumps(["Signature1", signed.protected, b"", signed.payload])
    return verify(key, signed.signature, to_sign)


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    structure, in_answer = signature, ""
    if is_object(signature):
        answer = read_object(signature, {"signature": str, "key": str})
        structure, in_answer = text_of(answer, "signature"), text_of(answer, "key")
    keys = {parse_cose_key(text) for text in (row.public_key, in_answer) if text}
    if not keys:
        raise Refused("missing-key", "the row gives no public key")
    if len(keys) > 1:
        raise Refused("wrong-key", "row and answer name different keys")
    signed = parse(structure)
    body = row.message.encode()
    expected = blake2b(body, digest_size=_HASHED_LENGTH).digest() if signed.is_hashed else body
    if signed.payload != expected:
        raise Refused("wrong-signature", "the structure holds another text")
    if signed.address != account:
        raise Refused("wrong-signature", "the structure names another address")
    key = verify_structure(signed, keys.pop())
    return signer("cardano", key, account, "hashed" if signed.is_hashed else "")


def _cbor(text: str, code: str) -> object:
    """Return what CBOR in hex stands for, if it is written in the one shortest way.

    That leaves no room for trailing bytes, repeated names, tags or indefinite lengths.
    """
    from cbor2 import dumps, loads  # noqa: PLC0415 - loaded for these rows only

    if len(text) > _LONGEST or _HEX.match(text) is None:
        raise Refused(code, "not hex digits, or too many")
    try:
        raw = bytes.fromhex(text)
        found: object = loads(raw)
        is_exact = _is_plain(found) and dumps(found) == raw
    except Exception:  # noqa: BLE001 - whatever a foreign text does to the decoder
        raise Refused(code, "not CBOR in hex") from None
    if not is_exact:
        raise Refused(code, "the CBOR is not written in the shortest way")
    return found


def _is_plain(found: object, depth: int = 3) -> bool:
    """Tell whether there are only lists, maps, bytes, texts, whole numbers, booleans in it."""
    if type(found) in (bytes, str, int, bool):
        return True
    if depth and type(found) is list:
        return all(_is_plain(item, depth - 1) for item in found)
    if depth and isinstance(found, Mapping):
        return all(
            type(name) in (str, int) and _is_plain(value, depth - 1)
            for name, value in found.items()
        )
    return False


def _is(found: object, expected: int) -> bool:
    return type(found) is int and found == expected
