"""A small, strict interpreter of Bitcoin scripts, for signed messages only.

It knows the operations that wallets' policies compile to (Miniscript's set). A script
that holds any other one is ``Unsupported``, wherever it stands, and so is everything that
consensus leaves open for later and lets anyone pass: other leaf versions, other key
lengths, OP_SUCCESS. The rules are those of consensus together with the ones that BIP-322
requires; every signature must cover the whole transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from Crypto.Hash import RIPEMD160

from chains.signatures.bitcoin_machine import (
    LEGACY,
    TAPSCRIPT,
    WITNESS,
    Context,
    Machine,
    Ran,
    is_true,
)
from chains.signatures.bitcoin_opcodes import LARGEST_ELEMENT, LARGEST_SCRIPT, parse
from chains.signatures.model import Refused, Unsupported
from chains.signatures.secp256k1 import hash160, sha256d

MOST_OPERATIONS = 201
DEEPEST_STACK = 1000
MOST_KEYS = 20
"""Spec: https://github.com/bitcoin/bitcoin/blob/master/src/script/script.h"""
BUDGET_PER_SIGNATURE = 50
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0342.mediawiki"""
LOCK_TIME_THRESHOLD = 500_000_000
"""Lock times below it are heights. Spec: https://github.com/bitcoin/bips/blob/master/bip-0065.mediawiki"""
FINAL = 0xFFFFFFFF
NO_AGE, IN_SECONDS, AGE_MASK = 1 << 31, 1 << 22, 0xFFFF
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0112.mediawiki"""

_TRUE, _FALSE = b"\x01", b""
_LONG, _X_ONLY = 65, 32


def run(script: bytes, stack: list[bytes], context: Context) -> Ran:
    """Run a script over the elements given; it must end with one true element alone.

    Raises ``Refused`` where the script is not satisfied, where nobody signed, or where one
    key signed twice; ``Unsupported`` where there is no rule.
    """
    if context.kind != TAPSCRIPT:
        if len(script) > LARGEST_SCRIPT:
            raise Refused("bad-script", "the script is too long")
        if context.kind == LEGACY and len(script) == 0:
            raise Refused("bad-script", "the script is empty")
    if any(len(element) > LARGEST_ELEMENT for element in stack):
        raise Refused("bad-signature", "an element of the stack is longer than 520 bytes")
    machine = Machine(script, stack, context)
    _steps(machine)
    if len(stack) != 1 or not is_true(stack[0]):
        raise Refused("wrong-signature", "the script does not end with one true element alone")
    xs = [_x(key) for key in machine.keys]
    if not xs:
        raise Refused("below-threshold", "the script is satisfied without any signature")
    if len(set(xs)) < len(xs):
        raise Refused("below-threshold", "one key of the script signed more than once")
    return Ran(tuple(machine.keys), machine.lock_time, machine.age)


def _steps(machine: Machine) -> None:
    """Take every step of the script; raises ``Refused`` or ``Unsupported``."""
    stack, branches = machine.stack, machine.branches
    for step in parse(machine.script):
        if isinstance(step, bytes):
            if all(branches):
                stack.append(step)
        else:
            machine.operations += 1
            if step in _BRANCHING or all(branches):
                _RUN[step](machine)
        if len(stack) + len(machine.alternative) > DEEPEST_STACK:
            raise Refused("wrong-signature", "the stack grows beyond 1000 elements")
    if machine.operations > MOST_OPERATIONS and machine.context.kind != TAPSCRIPT:
        raise Refused("bad-script", "the script has too many operations")
    if branches:
        raise Refused("bad-script", "OP_IF without OP_ENDIF")


def _x(key: bytes) -> bytes:
    """Return the x of a key: two keys with one x have one secret behind them."""
    return key if len(key) == _X_ONLY else key[1:33]


# --- One function per operation


def _if(machine: Machine, *, wanted: bytes = _TRUE) -> None:
    is_open = False
    if all(machine.branches):
        condition = machine.pop()
        if condition not in (_TRUE, _FALSE):
            raise Refused("wrong-signature", "the condition of OP_IF is not minimal")
        is_open = condition == wanted
    machine.branches.append(is_open)


def _notif(machine: Machine) -> None:
    _if(machine, wanted=_FALSE)


def _else(machine: Machine) -> None:
    if not machine.branches:
        raise Refused("bad-script", "OP_ELSE without OP_IF")
    machine.branches[-1] = not machine.branches[-1]


def _endif(machine: Machine) -> None:
    if not machine.branches:
        raise Refused("bad-script", "OP_ENDIF without OP_IF")
    machine.branches.pop()


def _to_alternative(machine: Machine) -> None:
    machine.alternative.append(machine.pop())


def _from_alternative(machine: Machine) -> None:
    if not machine.alternative:
        raise Refused("wrong-signature", "the alternative stack is empty")
    machine.stack.append(machine.alternative.pop())


def _drop(machine: Machine) -> None:
    machine.pop()


def _dup(machine: Machine) -> None:
    top = machine.pop()
    machine.stack += (top, top)


def _ifdup(machine: Machine) -> None:
    top = machine.pop()
    machine.stack += (top, top) if is_true(top) else (top,)


def _swap(machine: Machine) -> None:
    second, first = machine.pop(), machine.pop()
    machine.stack += (second, first)


def _size(machine: Machine) -> None:
    top = machine.pop()
    machine.stack.append(top)
    machine.push_number(len(top))


def _equal(machine: Machine) -> None:
    machine.push_bool(machine.pop() == machine.pop())


def _not_zero(machine: Machine) -> None:
    machine.push_bool(machine.number() != 0)


def _add(machine: Machine) -> None:
    machine.push_number(machine.number() + machine.number())


def _both(machine: Machine) -> None:
    second, first = machine.number(), machine.number()
    machine.push_bool(first != 0 and second != 0)


def _either(machine: Machine) -> None:
    second, first = machine.number(), machine.number()
    machine.push_bool(first != 0 or second != 0)


def _same_number(machine: Machine) -> None:
    machine.push_bool(machine.number() == machine.number())


def _hashing(function: Callable[[bytes], bytes]) -> Callable[[Machine], None]:
    def hash_top(machine: Machine) -> None:
        machine.stack.append(function(machine.pop()))

    return hash_top


def _ripemd160(payload: bytes) -> bytes:
    return RIPEMD160.new(data=payload).digest()


def _lock_time(machine: Machine) -> None:
    """Spec: https://github.com/bitcoin/bips/blob/master/bip-0065.mediawiki."""
    top = machine.pop()
    machine.stack.append(top)
    wanted, given = machine.number(5), machine.context.lock_time
    machine.stack.append(top)
    if wanted < 0 or (wanted < LOCK_TIME_THRESHOLD) != (given < LOCK_TIME_THRESHOLD):
        raise Refused("wrong-signature", "the lock time is of another kind than the script's")
    if wanted > given or machine.context.sequence == FINAL:
        raise Refused("wrong-signature", "the lock time is before the script's")
    machine.lock_time = max(wanted, machine.lock_time or 0)


def _sequence(machine: Machine) -> None:
    """Spec: https://github.com/bitcoin/bips/blob/master/bip-0112.mediawiki."""
    top = machine.pop()
    machine.stack.append(top)
    wanted, given = machine.number(5), machine.context.sequence
    machine.stack.append(top)
    if wanted < 0:
        raise Refused("wrong-signature", "the script's age is negative")
    if wanted & NO_AGE:
        raise Unsupported("unsupported-scheme", "the script's age is switched off")
    if machine.context.version < 2 or given & NO_AGE:  # noqa: PLR2004 - BIP-68
        raise Refused("wrong-signature", "the transaction does not carry an age")
    if (wanted ^ given) & IN_SECONDS or wanted & AGE_MASK > given & AGE_MASK:
        raise Refused("wrong-signature", "the age is below the script's, or of another kind")
    machine.age = max(wanted & (IN_SECONDS | AGE_MASK), machine.age or 0)


def _check_signature(machine: Machine) -> None:
    key, signature = machine.pop(), machine.pop()
    machine.push_bool(_is_signed(machine, key, signature))


def _check_signature_add(machine: Machine) -> None:
    if machine.context.kind != TAPSCRIPT:
        raise Refused("bad-script", "OP_CHECKSIGADD outside tapscript")
    key, count, signature = machine.pop(), machine.number(), machine.pop()
    machine.push_number(count + _is_signed(machine, key, signature))


def _is_signed(machine: Machine, key: bytes, signature: bytes) -> bool:
    """Check one signature; an empty one is none, and any other must be good."""
    if machine.context.kind == TAPSCRIPT:
        if len(key) != _X_ONLY:
            if not key:
                raise Refused("bad-key", "a key of the script is empty")
            raise Unsupported("unsupported-scheme", "a tapscript key of an unknown type")
        if signature:
            machine.budget -= BUDGET_PER_SIGNATURE
            if machine.budget < 0:
                raise Refused("bad-script", "more signatures than the witness has room for")
    elif machine.context.kind == WITNESS:
        _check_witness_key(key)
    if not signature:
        return False
    if not machine.signed(key, signature):
        raise Refused("wrong-signature", "a signature is not by its key for this message")
    machine.keys.append(key)
    return True


def _check_witness_key(key: bytes) -> None:
    """Raise ``Unsupported`` for a long key in a witness: consensus allows it, nodes do not."""
    if len(key) == _LONG and key[0] == 4:  # noqa: PLR2004 - the uncompressed form
        raise Unsupported("unsupported-scheme", "an uncompressed key in a witness")


def _check_multisig(machine: Machine) -> None:
    """Match signatures to keys in the order of the script; all given must be good."""
    if machine.context.kind == TAPSCRIPT:
        raise Refused("bad-script", "OP_CHECKMULTISIG is disabled in tapscript")
    total = machine.number()
    if not 0 <= total <= MOST_KEYS:
        raise Refused("bad-script", "a multisig of more than 20 keys")
    machine.operations += total
    keys = [machine.pop() for _ in range(total)]
    threshold = machine.number()
    if not 0 <= threshold <= total:
        raise Refused("bad-script", "a multisig that wants more signatures than it has keys")
    signatures = [machine.pop() for _ in range(threshold)]
    if machine.pop():
        raise Refused("wrong-signature", "the extra element of a multisig is not empty")
    if not any(signatures):
        machine.push_bool(threshold == 0)
        return
    if not all(signatures):
        raise Refused("below-threshold", "a multisig got fewer signatures than it demands")
    places: list[int] = []
    likely = _LIKELY.get((threshold, total), ())
    for number, signature in enumerate(signatures):
        first = places[-1] + 1 if places else 0
        choice = list(range(first, total - threshold + number + 1))
        if number < len(likely) and likely[number] in choice:
            choice.remove(likely[number])
            choice.insert(0, likely[number])
        places.append(_place(machine, signature, keys, choice))
    _LIKELY[threshold, total] = tuple(places)
    machine.keys += (keys[place] for place in reversed(places))
    machine.push_bool(True)


_LIKELY: dict[tuple[int, int], tuple[int, ...]] = {}
"""Which keys signed the last multisig of this size: whoever makes a list signs alike, and a
key that is tried in vain costs as much as one that signed. Only the order of trying follows it."""


def _place(machine: Machine, signature: bytes, keys: list[bytes], choice: list[int]) -> int:
    """Return the place of the key that made ``signature``; raises ``Refused``."""
    for place in choice:
        key = keys[place]
        if machine.context.kind == WITNESS:
            _check_witness_key(key)
        if machine.signed(key, signature):
            return place
    raise Refused("wrong-signature", "a signature is by no key of the multisig that is left")


def _then_verify(operation: Callable[[Machine], None]) -> Callable[[Machine], None]:
    def run_and_verify(machine: Machine) -> None:
        operation(machine)
        machine.verify()

    return run_and_verify


_BRANCHING = frozenset(("IF", "NOTIF", "ELSE", "ENDIF"))
_RUN: dict[str, Callable[[Machine], None]] = {
    "IF": _if,
    "NOTIF": _notif,
    "ELSE": _else,
    "ENDIF": _endif,
    "VERIFY": Machine.verify,
    "TOALTSTACK": _to_alternative,
    "FROMALTSTACK": _from_alternative,
    "IFDUP": _ifdup,
    "DROP": _drop,
    "DUP": _dup,
    "SWAP": _swap,
    "SIZE": _size,
    "EQUAL": _equal,
    "EQUALVERIFY": _then_verify(_equal),
    "0NOTEQUAL": _not_zero,
    "ADD": _add,
    "BOOLAND": _both,
    "BOOLOR": _either,
    "NUMEQUAL": _same_number,
    "NUMEQUALVERIFY": _then_verify(_same_number),
    "RIPEMD160": _hashing(_ripemd160),
    "SHA256": _hashing(lambda payload: sha256(payload).digest()),
    "HASH160": _hashing(hash160),
    "HASH256": _hashing(sha256d),
    "CHECKSIG": _check_signature,
    "CHECKSIGVERIFY": _then_verify(_check_signature),
    "CHECKMULTISIG": _check_multisig,
    "CHECKMULTISIGVERIFY": _then_verify(_check_multisig),
    "CHECKLOCKTIMEVERIFY": _lock_time,
    "CHECKSEQUENCEVERIFY": _sequence,
    "CHECKSIGADD": _check_signature_add,
}
