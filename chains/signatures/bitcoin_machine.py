"""What a Bitcoin script works on: the stack, open branches, and what is counted on the way.

A key counts only where the script itself holds it, or its HASH160: a script that takes
its key from the witness could be satisfied by anybody.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from chains.signatures.bitcoin_checks import ecdsa_signed, schnorr_signed
from chains.signatures.bitcoin_opcodes import literals
from chains.signatures.model import Refused
from chains.signatures.secp256k1 import hash160

LEGACY, WITNESS, TAPSCRIPT = "legacy", "witness", "tapscript"
_TRUE, _FALSE = b"\x01", b""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a script is run for. ``digest`` gives what a signature of a hash type covers."""

    kind: str
    digest: Callable[[int], bytes]
    version: int
    lock_time: int
    sequence: int
    budget: int = 0


class Ran(msgspec.Struct, frozen=True):
    """Which keys signed, in order, and which time locks had to be open."""

    keys: tuple[bytes, ...]
    lock_time: int | None
    age: int | None


class Machine:
    """The state of one run: stacks, open branches, what was counted."""

    def __init__(self, script: bytes, stack: list[bytes], context: Context) -> None:
        self.script = script
        self.stack = stack
        self.context = context
        self.alternative: list[bytes] = []
        self.branches: list[bool] = []
        self.operations = 0
        self.budget = context.budget
        self.keys: list[bytes] = []
        self.lock_time: int | None = None
        self.age: int | None = None

    def pop(self) -> bytes:
        """Return the top element, removed; raises ``Refused`` where there is none."""
        if not self.stack:
            raise Refused("wrong-signature", "the script wants more elements than were given")
        return self.stack.pop()

    def number(self, longest: int = 4) -> int:
        """Return the top element as a number in its shortest form, of so many bytes at most."""
        element = self.pop()
        if len(element) > longest or (
            element and not element[-1] & 0x7F and (len(element) == 1 or not element[-2] & 0x80)
        ):
            raise Refused("wrong-signature", "a number on the stack is not minimal or too long")
        if not element:
            return 0
        magnitude = int.from_bytes(element[:-1] + bytes((element[-1] & 0x7F,)), "little")
        return -magnitude if element[-1] & 0x80 else magnitude

    def push_number(self, value: int) -> None:
        """Push a number in its shortest form."""
        magnitude = abs(value)
        length = magnitude.bit_length() // 8 + 1 if magnitude else 0
        raw = bytearray(magnitude.to_bytes(length, "little"))
        if value < 0:
            raw[-1] |= 0x80
        self.stack.append(bytes(raw))

    def push_bool(self, value: bool) -> None:  # noqa: FBT001 - the one thing that is pushed
        """Push true or false."""
        self.stack.append(_TRUE if value else _FALSE)

    def verify(self) -> None:
        """Take the top element, which must be true."""
        if not is_true(self.pop()):
            raise Refused("wrong-signature", "a condition of the script does not hold")

    def signed(self, key: bytes, signature: bytes) -> bool:
        """Tell whether ``signature``, which is not empty, is by ``key``; raises ``Refused``."""
        held = literals(self.script)
        if key not in held and hash160(key) not in held:
            raise Refused("wrong-key", "the script does not name the key that it is given")
        if self.context.kind == TAPSCRIPT:
            return schnorr_signed(key, signature, self.context.digest)
        if self.context.kind == LEGACY and signature in held:
            raise Refused("bad-script", "the script holds its own signature")
        return ecdsa_signed(key, signature, self.context.digest)


def is_true(element: bytes) -> bool:
    """Tell whether an element is neither zero nor negative zero."""
    return bool(element.strip(b"\0")) and element[:-1].strip(b"\0") + element[-1:] != b"\x80"
