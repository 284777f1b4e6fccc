"""What Aptos wallets sign: a block of lines around the text.

The block begins with ``APTOS`` and names, where the wallet was asked to, the account, the
application and the chain; then come the text and a nonce. The row's message is the whole
block, or the text alone, and then the signature column holds the wallet's answer as a JSON
object with ``fullMessage`` and ``signature``. What the block says must fit the row. The same
keys may have signed the bytes of the text alone (``aptos-raw``).
"""

from __future__ import annotations

import re

from chains.addresses import AddressError, decode
from chains.signatures.aptos_keys import Authenticator, parse, signer
from chains.signatures.envelopes import is_object, read_object, text_of
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row

FAMILY = "ed25519"
RAW = "aptos-raw"
_BLOCK = re.compile(
    r"APTOS"
    r"(?:\naddress: (?P<address>[^\n]+))?"
    r"(?:\napplication: (?P<application>[^\n]+))?"
    r"(?:\nchainId: (?P<chain>[0-9]{1,10}))?"
    r"\nmessage: (?P<message>.*)"
    r"\nnonce: (?P<nonce>[^\n]+)\Z",
    re.DOTALL,
)
_LONGEST = 65_536
_ANSWER = {"fullMessage": str, "signature": str}
_ANSWER_MAY = {
    "address": str,
    "application": str,
    "chainId": int,
    "message": str,
    "nonce": str,
    "prefix": str,
}

SCHEMES = (
    Scheme(
        name="aptos-full-message",
        family=FAMILY,
        addresses=frozenset({"aptos"}),
        origin="okx/go-wallet-sdk:coins/aptos/aptos_test.go",
        description="Aptos wallets' block of lines: address, application, chain, text, nonce.",
    ),
    Scheme(
        name=RAW,
        family=FAMILY,
        addresses=frozenset({"aptos"}),
        origin="aptos-labs/aptos-ts-sdk:tests/unit/{helper,multiEd25519.test}.ts@82b31044; "
        "mrtnetwork/On_chain:test/aptos/signing_test.dart@f56635dd",
        description="The bytes of the text, by one or several keys of an Aptos account.",
    ),
)
ALIASES = {"aptos-fullMessage": "aptos-full-message"}


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row whose text was signed by an Aptos wallet."""
    return judge_row(row, scheme, _signed_raw if scheme == RAW else _signed)


def _signed_raw(row: SignedAddress, signature: str, account: bytes) -> Signer:
    return signer(_keys(row), signature, row.message.encode(), account)


def _keys(row: SignedAddress) -> Authenticator:
    if not row.public_key:
        raise Refused("missing-key", "the row gives no public key")
    return parse(row.public_key)


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    keys = _keys(row)
    if is_object(signature):
        answer = read_object(signature, _ANSWER, _ANSWER_MAY)
        block, raw = text_of(answer, "fullMessage"), text_of(answer, "signature")
        detail = _check(row, block, account, row.message)
        _agree(row, answer, block, account)
    else:
        block, raw = row.message, signature
        detail = _check(row, block, account, None)
    return signer(keys, raw, block.encode(), account, detail)


def _check(row: SignedAddress, block: str, account: bytes, message: str | None) -> str:
    """Return the application that the block names; raises ``Refused`` if it contradicts the row.

    Spec: https://github.com/aptos-foundation/AIPs/blob/main/aips/aip-62.md
    """
    lines = _BLOCK.match(block) if len(block) <= _LONGEST else None
    if lines is None:
        raise Refused("wrong-signature", "what was signed is not the block of an Aptos wallet")
    if message is not None and lines["message"] != message:
        raise Refused("wrong-signature", "the block holds another text")
    if lines["chain"] is not None and lines["chain"] != row.spec.reference:
        raise Refused("wrong-signature", "the block names another chain")
    if lines["address"] is not None and _decoded(row, lines["address"]) != account:
        raise Refused("wrong-signature", "the block names another address")
    return f"application {lines['application']}" if lines["application"] else ""


def _agree(row: SignedAddress, answer: dict[str, object], block: str, account: bytes) -> None:
    """Refuse an answer whose other members say something else than its block and the row."""
    lines = _BLOCK.match(block)
    for member in ("application", "message", "nonce"):
        if lines is None or (member in answer and answer[member] != lines[member]):
            raise Refused("bad-signature", f"{member!r} is not what the block says")
    if str(answer.get("chainId", row.spec.reference)) != row.spec.reference:
        raise Refused("wrong-signature", "the answer names another chain")
    if "address" in answer and _decoded(row, text_of(answer, "address")) != account:
        raise Refused("wrong-signature", "the answer names another address")


def _decoded(row: SignedAddress, text: str) -> bytes:
    try:
        return decode(row.spec, text)
    except AddressError:
        raise Refused("wrong-signature", "an address of the block does not decode") from None
