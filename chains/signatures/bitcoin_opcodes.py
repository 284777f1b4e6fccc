"""Bitcoin scripts as steps: which operations are known, and how a script is cut into them.

The operations are those that wallets' policies compile to (Miniscript's set). A script
that holds any other one is ``Unsupported``, wherever it stands. Pushes must be minimal.
"""

from __future__ import annotations

from functools import lru_cache

from chains.signatures.model import Refused, Unsupported

LARGEST_ELEMENT = 520
LARGEST_SCRIPT = 10_000
"""In bytes. Spec: https://github.com/bitcoin/bitcoin/blob/master/src/script/script.h"""

_LONGEST_PUSH, _PUSHDATA, _OP_1NEGATE, _OP_1, _OP_16 = 75, (76, 77, 78), 0x4F, 0x51, 0x60
_CODESEPARATOR = 0xAB
_NEGATIVE_ONE = b"\x81"
_REMEMBERED, _LONGEST_REMEMBERED = 1 << 12, 1000
"""So many scripts of so many bytes at most."""

OPCODES = {
    0x63: "IF",
    0x64: "NOTIF",
    0x67: "ELSE",
    0x68: "ENDIF",
    0x69: "VERIFY",
    0x6B: "TOALTSTACK",
    0x6C: "FROMALTSTACK",
    0x73: "IFDUP",
    0x75: "DROP",
    0x76: "DUP",
    0x7C: "SWAP",
    0x82: "SIZE",
    0x87: "EQUAL",
    0x88: "EQUALVERIFY",
    0x92: "0NOTEQUAL",
    0x93: "ADD",
    0x9A: "BOOLAND",
    0x9B: "BOOLOR",
    0x9C: "NUMEQUAL",
    0x9D: "NUMEQUALVERIFY",
    0xA6: "RIPEMD160",
    0xA8: "SHA256",
    0xA9: "HASH160",
    0xAA: "HASH256",
    0xAC: "CHECKSIG",
    0xAD: "CHECKSIGVERIFY",
    0xAE: "CHECKMULTISIG",
    0xAF: "CHECKMULTISIGVERIFY",
    0xB1: "CHECKLOCKTIMEVERIFY",
    0xB2: "CHECKSEQUENCEVERIFY",
    0xBA: "CHECKSIGADD",
}
"""Every operation that is run. Spec: https://github.com/bitcoin/bips/blob/master/bip-0379.md"""

Step = bytes | str
"""What a script does next: push these bytes, or run this operation."""


def parse(script: bytes) -> tuple[Step, ...]:
    """Return the steps of a script; those of ordinary length are remembered.

    Raises ``Refused`` (``bad-script``) where a push is cut short or not minimal, and
    ``Unsupported`` for an operation outside ``OPCODES``.
    """
    return _remembered(script) if len(script) <= _LONGEST_REMEMBERED else _parse(script)


def _parse(script: bytes) -> tuple[Step, ...]:
    steps: list[Step] = []
    position = 0
    while position < len(script):
        opcode = script[position]
        position += 1
        if opcode > _OP_16:
            if opcode == _CODESEPARATOR:
                raise Refused("bad-script", "OP_CODESEPARATOR is forbidden in signed messages")
            name = OPCODES.get(opcode)
            if name is None:
                raise _unknown(opcode)
            steps.append(name)
            continue
        if opcode > _PUSHDATA[-1]:
            if opcode != _OP_1NEGATE and opcode < _OP_1:
                raise _unknown(opcode)
            steps.append(_NEGATIVE_ONE if opcode == _OP_1NEGATE else bytes((opcode - _OP_1 + 1,)))
            continue
        length = opcode
        if opcode in _PUSHDATA:
            size = 1 << (opcode - _PUSHDATA[0])
            length = int.from_bytes(script[position : position + size], "little")
            position += size
        payload = script[position : position + length]
        position += length
        if position > len(script):
            raise Refused("bad-script", "a push reaches beyond the end of the script")
        if opcode != _minimal_opcode(payload):
            raise Refused("bad-script", "a push is not written in its shortest form")
        if length > LARGEST_ELEMENT:
            raise Refused("bad-script", "a push is longer than 520 bytes")
        steps.append(payload)
    return tuple(steps)


_remembered = lru_cache(maxsize=_REMEMBERED)(_parse)


def literals(script: bytes) -> frozenset[bytes]:
    """Return everything that a script pushes by itself."""
    is_short = len(script) <= _LONGEST_REMEMBERED
    return _remembered_literals(script) if is_short else _literals(script)


def _literals(script: bytes) -> frozenset[bytes]:
    return frozenset(step for step in parse(script) if isinstance(step, bytes))


_remembered_literals = lru_cache(maxsize=_REMEMBERED)(_literals)


def _unknown(opcode: int) -> Unsupported:
    return Unsupported("unsupported-scheme", f"no rule for the script operation 0x{opcode:02x}")


def _minimal_opcode(payload: bytes) -> int:
    """Return the opcode by which a payload has to be pushed.

    Spec: https://github.com/bitcoin/bips/blob/master/bip-0062.mediawiki
    """
    length = len(payload)
    if length == 1 and 1 <= payload[0] <= _OP_16 - _OP_1 + 1:
        return _OP_1 + payload[0] - 1
    if payload == _NEGATIVE_ONE:
        return _OP_1NEGATE
    if length <= _LONGEST_PUSH:
        return length
    return _PUSHDATA[0] if length <= 0xFF else _PUSHDATA[1]  # noqa: PLR2004 - one byte of length


def pushes(script: bytes) -> list[bytes]:
    """Return the stack that an input script leaves: pushes only; raises ``Refused``."""
    if len(script) > LARGEST_SCRIPT:
        raise Refused("bad-signature", "the input script is too long")
    steps = parse(script)
    if not all(isinstance(step, bytes) for step in steps):
        raise Refused("bad-signature", "the input script does more than push")
    return [step for step in steps if isinstance(step, bytes)]
