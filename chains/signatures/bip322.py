"""BIP-322: a text signed as if coins of the address were spent.

The text and the address make up a transaction that cannot exist; the signature is what
would spend it. The *simple* form is the witness alone, the *full* form the whole spending
transaction, which may carry time locks. Bitcoin's own rules decide, and nothing that they
leave open counts.

Time locks: the standard's answer is "valid at time T and age S", and both stand in
``detail``. Where the script itself demanded a lock, the key obeys only later. An absolute
lock counts as open if it was long past before any list was published; a later one makes
the row ``signer-only``, since only the chain can tell. An age opens by waiting, within 15
months at most: the row is bound, and ``detail`` says which age.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as BinasciiError
from binascii import a2b_base64
from functools import lru_cache, partial

import msgspec

from chains.model import Ownership
from chains.signatures.bitcoin import MESSAGE_HEADERS
from chains.signatures.bitcoin_machine import Ran
from chains.signatures.bitcoin_script import IN_SECONDS, LOCK_TIME_THRESHOLD
from chains.signatures.bitcoin_spending import satisfy
from chains.signatures.bitcoin_transaction import (
    LARGEST,
    Input,
    Output,
    Transaction,
    read_transaction,
    read_witness,
    tagged_hash,
)
from chains.signatures.digests import compact_size
from chains.signatures.model import (
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, given, judge_owners
from chains.signatures.secp256k1 import sha256d

FAMILY = "utxo"
NAME = "bip322"
TAG = "BIP0322-signed-message"
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0322.mediawiki"""
OP_RETURN = b"\x6a"
VERSIONS = (0, 2)
LONG_PAST_HEIGHT, LONG_PAST_TIME = 750_000, 1_660_000_000
"""August 2022, before the first wallet list of the kind that recount reads."""

SCHEMES = (
    Scheme(
        name=NAME,
        family=FAMILY,
        addresses=frozenset({"bitcoin"}),
        origin="bitcoin/bips:bip-0322/{basic,generated}-test-vectors.json@7fe0b034",
        description="BIP-322 simple and full: keys, multisig, taproot, scripts with time locks.",
    ),
)
ALIASES = {"bip322-simple": NAME, "bip322-full": NAME, "bip322-error": NAME}

_SPEND_HEAD = bytes(4) + b"\x01" + bytes(32) + b"\xff\xff\xff\xff" + b"\x22\x00\x20"
"""Up to the message hash: version 0, one input of nothing, OP_0 and a push of 32 bytes."""
_SPEND_MIDDLE = bytes(4) + b"\x01" + bytes(8)
"""Between message hash and address: sequence 0, one output of 0 satoshi."""
_SIGNED_OUTPUTS = (Output(0, OP_RETURN),)


class _Proof(msgspec.Struct, frozen=True):
    """What a signature shows."""

    ran: Ran
    is_script: bool
    is_open: bool
    detail: str


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Bitcoin by BIP-322; one signature is the whole proof."""
    if not is_bitcoin(row):
        raise Unsupported("unconfirmed-scheme", f"{scheme} has vectors for Bitcoin only")
    if row.owners:
        return judge_owners(row, scheme, _signed)
    signatures = given(row.signatures)
    if len(signatures) > 1:
        raise Refused("extra-signature", "a BIP-322 signature is one text, however many keys sign")
    proof = _prove(row.message, signatures[0], row.account)
    reason = "script-keys-signed" if proof.is_script else "key-derives-address"
    return Outcome(
        status=Ownership.BOUND if proof.is_open else Ownership.SIGNER_ONLY,
        reason=reason if proof.is_open else "link-unobserved",
        scheme=scheme,
        keys=proof.ran.keys,
        detail=proof.detail,
    )


def is_bitcoin(row: SignedAddress) -> bool:
    """Tell whether the chain is Bitcoin or a test network of it: segwit and Bitcoin's header."""
    params = row.spec.address_params
    words = params.get("message_header", MESSAGE_HEADERS.get(row.spec.id))
    return bool(params.get("hrp")) and words in ("Bitcoin", ("Bitcoin",), ["Bitcoin"])


def to_spend(message: str, account: bytes) -> bytes:
    """Return the transaction that holds the text and pays to the address, as bytes."""
    return b"".join(
        (
            _SPEND_HEAD,
            message_hash(message),
            _SPEND_MIDDLE,
            compact_size(len(account)),
            account,
            bytes(4),
        )
    )


@lru_cache(maxsize=64)
def message_hash(message: str) -> bytes:
    """Return the tagged hash of the text's UTF-8 bytes."""
    return tagged_hash(TAG, message.encode())


def simple_transaction(message: str, account: bytes, witness: tuple[bytes, ...]) -> Transaction:
    """Return the spending transaction of the simple form."""
    spent = sha256d(to_spend(message, account))
    return Transaction(
        version=0,
        inputs=(Input(spent, 0, b"", 0, witness),),
        outputs=_SIGNED_OUTPUTS,
        lock_time=0,
    )


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    """Check one owner's signature."""
    proof = _prove(row.message, signature, account)
    return Signer(proof.ran.keys[0], proof.detail, is_account=proof.is_open)


def _prove(message: str, text: str, account: bytes) -> _Proof:
    """Check one signature in full; raises ``Refused`` or ``Unsupported``."""
    form, transaction = _read(text, message, account)
    if form == "full":
        _check_fields(transaction, sha256d(to_spend(message, account)))
    kind, ran = satisfy(transaction, account, is_simple=form == "simple")
    is_open, notes = _locks(transaction, ran)
    detail = ", ".join((f"{form} {kind}", *notes))
    return _Proof(ran, kind not in ("p2pkh", "p2wpkh", "p2sh-p2wpkh", "p2tr"), is_open, detail)


def _read(text: str, message: str, account: bytes) -> tuple[str, Transaction]:
    """Return the form and the transaction of a signature with or without its prefix.

    Without one the witness alone is meant; texts from before the prefixes may hold either.
    """
    prefix, body = text[:3], text[3:]
    if prefix == "pof":
        raise Unsupported("unsupported-scheme", "a proof of funds needs the outputs it spends")
    simple = partial(simple_transaction, message, account)
    if prefix == "smp":
        return "simple", simple(read_witness(_bytes(body)))
    if prefix == "ful":
        return "full", read_transaction(_bytes(body))
    raw = _bytes(text)
    try:
        return "simple", simple(read_witness(raw))
    except Refused:
        return "full", read_transaction(raw)


def _bytes(text: str) -> bytes:
    """Return the bytes of an exact base64 text."""
    if len(text) > LARGEST * 4 // 3:
        raise Refused("bad-signature", "the signature is too long")
    try:
        raw = a2b_base64(text, strict_mode=True)
    except (BinasciiError, ValueError):
        raise Refused("bad-signature", "the signature is not base64") from None
    if not raw or b64encode(raw).decode() != text:
        raise Refused("bad-signature", "the signature is not exact base64")
    return raw


def _check_fields(transaction: Transaction, spent: bytes) -> None:
    """Hold a full signature's transaction to the fields that the standard prescribes.

    More inputs were once allowed, and stand in proofs of funds: what they spend is not known
    here. Spec: https://github.com/bitcoin/bips/blob/master/bip-0322.mediawiki
    """
    if not transaction.inputs or transaction.outputs != _SIGNED_OUTPUTS:
        raise Refused("bad-signature", "the transaction must have one output: 0 to OP_RETURN")
    first = transaction.inputs[0]
    if first.txid != spent or first.index != 0:
        raise Refused("wrong-signature", "the transaction is not of this text and address")
    if len(transaction.inputs) > 1:
        raise Unsupported("unsupported-scheme", "a proof of funds needs the outputs it spends")
    if transaction.version not in VERSIONS:
        raise Unsupported("unsupported-scheme", "a transaction version without rules")


def _locks(transaction: Transaction, ran: Ran) -> tuple[bool, list[str]]:
    """Tell whether the script's own locks count as open, and what to say of them."""
    notes: list[str] = []
    sequence = transaction.inputs[0].sequence
    if transaction.lock_time or sequence:
        notes.append(f"valid at time {transaction.lock_time} and age {sequence}")
    is_open = True
    if ran.lock_time is not None:
        is_height = ran.lock_time < LOCK_TIME_THRESHOLD
        is_open = ran.lock_time <= (LONG_PAST_HEIGHT if is_height else LONG_PAST_TIME)
        notes.append(f"script locked until {'height' if is_height else 'time'} {ran.lock_time}")
    if ran.age is not None:
        age = (
            f"{ran.age & ~IN_SECONDS} x 512 seconds"
            if ran.age & IN_SECONDS
            else f"{ran.age} blocks"
        )
        notes.append(f"script demands an age of {age}")
    return is_open, notes
