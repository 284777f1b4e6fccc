"""Whether an input satisfies the output script of an address, by the type of address.

One function per type. What is not one of them, or is of a kind that consensus lets anyone
spend until it gets rules (nested witness programs of later versions, unknown leaf
versions), is ``Unsupported``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256

from coincurve import PublicKeyXOnly

from chains.addresses.bitcoin import (
    P2PKH_HEAD,
    P2PKH_TAIL,
    P2SH_HEAD,
    P2SH_TAIL,
    P2TR_HEAD,
    P2WPKH_HEAD,
    P2WSH_HEAD,
)
from chains.signatures.bitcoin_checks import ecdsa_signed, schnorr_signed
from chains.signatures.bitcoin_machine import LEGACY, TAPSCRIPT, WITNESS, Context, Ran
from chains.signatures.bitcoin_opcodes import pushes
from chains.signatures.bitcoin_script import BUDGET_PER_SIGNATURE, run
from chains.signatures.bitcoin_transaction import (
    Output,
    Transaction,
    legacy_digest,
    tagged_hash,
    taproot_digest,
    witness_digest,
)
from chains.signatures.digests import compact_size
from chains.signatures.model import Refused, Unsupported
from chains.signatures.secp256k1 import hash160

ANNEX_TAG = 0x50
LEAF_TAPSCRIPT, LEAF_MASK = 0xC0, 0xFE
CONTROL_HEAD, CONTROL_STEP, DEEPEST = 33, 32, 128
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0341.mediawiki"""
_SHORT = 33
_PROGRAM_SIZES = range(4, 43)

Satisfied = tuple[str, Ran]


def satisfy(transaction: Transaction, account: bytes, *, is_simple: bool) -> Satisfied:
    """Check that the first input spends an output of 0 satoshi to ``account``.

    Returns the kind of spending and which keys signed. In the simple form the input script
    is left out and follows from the witness. Raises ``Refused`` or ``Unsupported``.
    """
    head, size = account[:2], len(account)
    signed = transaction.inputs[0]
    if size == 23 and head == P2SH_HEAD and account[22:] == P2SH_TAIL:  # noqa: PLR2004
        return _script_hash(transaction, account, is_simple=is_simple)
    if size == 25 and account[:3] == P2PKH_HEAD and account[23:] == P2PKH_TAIL:  # noqa: PLR2004
        if is_simple:
            raise Refused("bad-signature", "a P2PKH address needs the full form")
        return "p2pkh", _key_hash(transaction, account)
    if signed.script:
        raise Refused("bad-signature", "the input of a witness program has no script")
    return _program(transaction, account)


def _program(transaction: Transaction, program: bytes) -> Satisfied:
    head, size = program[:2], len(program)
    if size == 22 and head == P2WPKH_HEAD:  # noqa: PLR2004
        return "p2wpkh", _witness_key_hash(transaction, program)
    if size == 34 and head == P2WSH_HEAD:  # noqa: PLR2004
        return "p2wsh", _witness_script_hash(transaction, program)
    if size == 34 and head == P2TR_HEAD:  # noqa: PLR2004
        return _taproot(transaction, program)
    raise Unsupported("unsupported-address-type", "no rule for signatures of this type")


def _key_hash(transaction: Transaction, account: bytes) -> Ran:
    _no_witness(transaction)
    stack = pushes(transaction.inputs[0].script)
    if len(stack) != 2:  # noqa: PLR2004 - a signature and a key
        raise Refused("bad-signature", "a P2PKH input pushes a signature and a key")
    if hash160(stack[1]) != account[3:23]:
        raise Refused("wrong-key", "the key of the signature is not the one of the address")
    return run(account, stack, _context(transaction, LEGACY, _legacy(transaction, account)))


def _script_hash(transaction: Transaction, account: bytes, *, is_simple: bool) -> Satisfied:
    signed = transaction.inputs[0]
    if is_simple:
        kind, ran = _program(transaction, _nested_program(signed.witness, account))
        return f"p2sh-{kind}", ran
    stack = pushes(signed.script)
    redeem = stack.pop() if stack else b""
    if not redeem or account != P2SH_HEAD + hash160(redeem) + P2SH_TAIL:
        raise Refused("wrong-script", "the redeem script does not hash to the address")
    if _is_program(redeem):
        if stack:
            raise Refused("bad-signature", "the input pushes more than its witness program")
        if redeem[0]:
            raise Unsupported("unsupported-scheme", "a nested witness program without rules")
        kind, ran = _program(transaction, redeem)
        return f"p2sh-{kind}", ran
    _no_witness(transaction)
    return "p2sh", run(redeem, stack, _context(transaction, LEGACY, _legacy(transaction, redeem)))


def _nested_program(witness: tuple[bytes, ...], account: bytes) -> bytes:
    """Return the version 0 program that a witness belongs to, if the address is of it."""
    last = witness[-1] if witness else b""
    for program in (P2WPKH_HEAD + hash160(last), P2WSH_HEAD + sha256(last).digest()):
        if account == P2SH_HEAD + hash160(program) + P2SH_TAIL:
            return program
    raise Refused("wrong-key", "neither key nor script of the witness is the one of the address")


def _is_program(script: bytes) -> bool:
    """Tell whether a script is a witness program of any version.

    Spec: https://github.com/bitcoin/bips/blob/master/bip-0141.mediawiki
    """
    is_version = script[0] == 0 or 0x51 <= script[0] <= 0x60  # noqa: PLR2004 - OP_1 to OP_16
    return is_version and len(script) in _PROGRAM_SIZES and script[1] == len(script) - 2


def _witness_key_hash(transaction: Transaction, program: bytes) -> Ran:
    witness = transaction.inputs[0].witness
    if len(witness) != 2:  # noqa: PLR2004 - a signature and a key
        raise Refused("bad-signature", "a P2WPKH witness is a signature and a key")
    signature, key = witness
    if hash160(key) != program[2:]:
        raise Refused("wrong-key", "the key of the signature is not the one of the address")
    if len(key) != _SHORT:
        raise Unsupported("unsupported-scheme", "an uncompressed key in a witness")
    code = P2PKH_HEAD + program[2:] + P2PKH_TAIL
    if not signature or not ecdsa_signed(key, signature, _witness(transaction, code)):
        raise Refused("wrong-signature", "the signature is not by its key for this message")
    return Ran((key,), None, None)


def _witness_script_hash(transaction: Transaction, program: bytes) -> Ran:
    *stack, script = transaction.inputs[0].witness or (b"",)
    if sha256(script).digest() != program[2:]:
        raise Refused("wrong-script", "the witness script does not hash to the address")
    return run(script, stack, _context(transaction, WITNESS, _witness(transaction, script)))


def _taproot(transaction: Transaction, program: bytes) -> Satisfied:
    witness = transaction.inputs[0].witness
    if len(witness) > 1 and witness[-1][:1] == bytes((ANNEX_TAG,)):
        raise Unsupported("unsupported-scheme", "an annex, which has no meaning yet")
    digest = cache(partial(taproot_digest, transaction, (Output(0, program),)))
    if len(witness) == 1:
        if not schnorr_signed(program[2:], witness[0], digest):
            raise Refused("wrong-signature", "the signature is not by the key of the address")
        return "p2tr", Ran((program[2:],), None, None)
    if not witness:
        raise Refused("bad-signature", "the witness is empty")
    *stack, script, control = witness
    leaf = _leaf(script, control, program)
    size = len(compact_size(len(witness))) + sum(
        len(compact_size(len(element))) + len(element) for element in witness
    )
    context = _context(
        transaction,
        TAPSCRIPT,
        cache(partial(taproot_digest, transaction, (Output(0, program),), leaf=leaf)),
        budget=BUDGET_PER_SIGNATURE + size,
    )
    return "p2tr-script", run(script, stack, context)


def _leaf(script: bytes, control: bytes, program: bytes) -> bytes:
    """Return the hash of a leaf after finding it below the output key; raises ``Refused``."""
    depth, rest = divmod(len(control) - CONTROL_HEAD, CONTROL_STEP)
    if rest or not 0 <= depth <= DEEPEST:
        raise Refused("bad-signature", "the control block has a wrong length")
    version = control[0] & LEAF_MASK
    leaf = tagged_hash("TapLeaf", bytes((version,)) + compact_size(len(script)) + script)
    node = leaf
    for start in range(CONTROL_HEAD, len(control), CONTROL_STEP):
        other = control[start : start + CONTROL_STEP]
        node = tagged_hash("TapBranch", min(node, other) + max(node, other))
    is_odd = bool(control[0] & 1)
    if taproot_output(control[1:CONTROL_HEAD], node) != (program[2:], is_odd):
        raise Refused("wrong-script", "the script is not below the key of the address")
    if version != LEAF_TAPSCRIPT:
        raise Unsupported("unsupported-scheme", "a leaf version without rules")
    return leaf


def taproot_output(internal: bytes, root: bytes = b"") -> tuple[bytes, bool]:
    """Return the output key of an internal one and the root of its scripts, and its oddness.

    Without scripts this is the address of a key by BIP-86. Raises ``Refused``.
    Spec: https://github.com/bitcoin/bips/blob/master/bip-0086.mediawiki
    """
    try:
        key = PublicKeyXOnly(internal)
        key.tweak_add(tagged_hash("TapTweak", internal + root))
    except ValueError:
        raise Refused("bad-key", "the internal key is not on the curve") from None
    return key.format(), bool(key.parity)


def _no_witness(transaction: Transaction) -> None:
    if transaction.inputs[0].witness:
        raise Refused("bad-signature", "an input without witness program has a witness")


def _context(
    transaction: Transaction, kind: str, digest: Callable[[int], bytes], *, budget: int = 0
) -> Context:
    return Context(
        kind=kind,
        digest=digest,
        version=transaction.version,
        lock_time=transaction.lock_time,
        sequence=transaction.inputs[0].sequence,
        budget=budget,
    )


def _legacy(transaction: Transaction, script: bytes) -> Callable[[int], bytes]:
    return cache(lambda _: legacy_digest(transaction, script))


def _witness(transaction: Transaction, script: bytes) -> Callable[[int], bytes]:
    return cache(lambda _: witness_digest(transaction, script, 0))
