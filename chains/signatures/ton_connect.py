"""What TON wallets sign for applications: proofs, data, and an older form for plain texts.

Proofs and data also cover the address, the application's domain and a time. The signature
column then holds the wallet's answer as a JSON object (``signature``, ``domain``,
``timestamp``, perhaps ``payload`` and ``address``); the row's message is the payload of the
proof, or the text (or the bytes, as UTF-8) of the data. The key stands in the key column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256, sha512

from chains.addresses import AddressError, decode
from chains.signatures.ed25519 import (
    SIGNATURE_LENGTH,
    key_of,
    parse_signature,
    signer,
    verify,
)
from chains.signatures.envelopes import bytes_of, check_members, read_object, text_of
from chains.signatures.model import (
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signed, Signer, judge_row

FAMILY = "ed25519"
_LONGEST_DOMAIN = 253
_NESTED = re.compile(r'"domain"\s*:\s*\{')
_LATEST = 2**63 - 1
_CONNECT = b"\xff\xffton-connect"
_PROOF = b"ton-proof-item-v2/"
_DATA = b"\xff\xffton-connect/sign-data/"
_SAFE = b"\xff\xffton-safe-sign-magic"
_ANSWER = {"signature": str, "timestamp": int}
_ANSWER_MAY = {"address": str, "payload": str, "state_init": str}

SCHEMES = (
    Scheme(
        name="ton-proof-v2",
        family=FAMILY,
        addresses=frozenset({"ton"}),
        origin="okx/go-wallet-sdk:coins/ton/connect_test.go",
        description="TON Connect's proof of an address, with domain and time.",
    ),
    Scheme(
        name="ton-connect-sign-data-text",
        family=FAMILY,
        addresses=frozenset({"ton"}),
        origin="near/intents:crates/signatures/ton-connect/src/lib.rs",
        description="TON Connect's signature of a text, with domain and time.",
    ),
    Scheme(
        name="ton-connect-sign-data-binary",
        family=FAMILY,
        addresses=frozenset({"ton"}),
        origin="near/intents:crates/signatures/ton-connect/src/lib.rs",
        description="TON Connect's signature of bytes, with domain and time.",
    ),
    Scheme(
        name="ton-safe-sign-magic",
        family=FAMILY,
        addresses=frozenset({"ton"}),
        origin="bizjs/chainkit:packages/tvm/tests/tvm-chain.test.ts",
        description="The text behind the mark of TON's older wallets.",
    ),
)
ALIASES = {
    "ton-connect-signData-text": "ton-connect-sign-data-text",
    "ton-connect-signData-binary": "ton-connect-sign-data-binary",
}


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of TON signed for an application."""
    return judge_row(row, scheme, _SIGNED[scheme])


def proof(account: bytes, domain: bytes, timestamp: int, payload: bytes) -> bytes:
    """Return the hash that a proof signs. ``timestamp`` is in Unix seconds.

    Spec: https://docs.ton.org/v3/guidelines/ton-connect/verifying-signed-in-users
    """
    item = (
        _PROOF
        + _workchain_and_hash(account)
        + len(domain).to_bytes(4, "little")
        + domain
        + timestamp.to_bytes(8, "little")
        + payload
    )
    return sha256(_CONNECT + sha256(item).digest()).digest()


def data(kind: bytes, account: bytes, domain: bytes, timestamp: int, body: bytes) -> bytes:
    """Return the hash that is signed for data of the kind ``txt`` or ``bin``.

    Spec: https://github.com/ton-blockchain/ton-connect/blob/main/requests-responses.md#sign-data
    """
    return sha256(
        _DATA
        + _workchain_and_hash(account)
        + len(domain).to_bytes(4, "big")
        + domain
        + timestamp.to_bytes(8, "big")
        + kind
        + len(body).to_bytes(4, "big")
        + body
    ).digest()


def _workchain_and_hash(account: bytes) -> bytes:
    workchain = int.from_bytes(account[:1], "big", signed=True)
    return workchain.to_bytes(4, "big", signed=True) + account[1:]


def _signed_answer(
    row: SignedAddress,
    signature: str,
    account: bytes,
    *,
    payload: Callable[[bytes, bytes, int, bytes], bytes],
) -> Signer:
    key = key_of("ton", row.public_key, account)
    domain_type: type = str if _NESTED.search(signature) is None else dict
    answer = read_object(signature, {**_ANSWER, "domain": domain_type}, _ANSWER_MAY)
    if "payload" in answer and answer["payload"] != row.message:
        raise Refused("wrong-signature", "the payload of the answer is another text")
    if "address" in answer and _decoded(row, text_of(answer, "address")) != account:
        raise Refused("wrong-signature", "the answer names another address")
    domain = _domain(answer["domain"])
    timestamp = answer["timestamp"]
    if not isinstance(timestamp, int) or not 0 <= timestamp <= _LATEST:
        raise Refused("bad-signature", "the time is out of range")
    raw = bytes_of(text_of(answer, "signature"), SIGNATURE_LENGTH)
    verify(key, raw, payload(account, domain.encode(), timestamp, row.message.encode()))
    return signer("ton", key, account, f"domain {domain}, time {timestamp}")


def _domain(member: object) -> str:
    """Return the domain, given as a text or with its length in bytes; raises ``Refused``."""
    if isinstance(member, dict):
        check_members(member, {"lengthBytes": int, "value": str})
        domain = str(member["value"])
        if member["lengthBytes"] != len(domain.encode()):
            raise Refused("bad-signature", "the domain has another length than stated")
    else:
        domain = str(member)
    if not domain or len(domain.encode()) > _LONGEST_DOMAIN:
        raise Refused("bad-signature", "no domain has this length")
    return domain


def _decoded(row: SignedAddress, text: str) -> bytes:
    try:
        return decode(row.spec, text)
    except AddressError:
        raise Refused("bad-signature", "the address of the answer does not decode") from None


def _signed_text(row: SignedAddress, signature: str, account: bytes) -> Signer:
    """Check the older form. Some tools hash the text first: said to be unconfirmed."""
    key = key_of("ton", row.public_key, account)
    raw, body = parse_signature(signature), row.message.encode()
    try:
        verify(key, raw, _SAFE + body)
    except Refused as refusal:
        if refusal.code == "wrong-signature" and _verifies(key, raw, sha512(_SAFE + body).digest()):
            raise Unsupported(
                "unconfirmed-scheme", "the hashed form has no vector that is not ours"
            ) from None
        raise
    return signer("ton", key, account)


def _verifies(key: bytes, raw: bytes, payload: bytes) -> bool:
    try:
        verify(key, raw, payload)
    except Refused:
        return False
    return True


_SIGNED: Mapping[str, Signed] = {
    "ton-proof-v2": partial(_signed_answer, payload=proof),
    "ton-connect-sign-data-text": partial(_signed_answer, payload=partial(data, b"txt")),
    "ton-connect-sign-data-binary": partial(_signed_answer, payload=partial(data, b"bin")),
    "ton-safe-sign-magic": _signed_text,
}
