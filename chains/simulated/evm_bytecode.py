"""Small contracts for anvil, assembled here instruction by instruction.

Each contract is a list of lines ``(instruction, argument, what it is for)``. A label ``@name``
as an argument is the position of the line ``("JUMPDEST", "name", …)``. No PUSH0: the code runs
from Istanbul on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

OPCODES = {
    "STOP": 0x00,
    "EQ": 0x14,
    "SHR": 0x1C,
    "KECCAK256": 0x20,
    "CALLDATALOAD": 0x35,
    "CODECOPY": 0x39,
    "GASLIMIT": 0x45,
    "MLOAD": 0x51,
    "MSTORE": 0x52,
    "SLOAD": 0x54,
    "JUMPI": 0x57,
    "GAS": 0x5A,
    "JUMPDEST": 0x5B,
    "DUP1": 0x80,
    "RETURN": 0xF3,
    "REVERT": 0xFD,
    "INVALID": 0xFE,
}

Line = tuple[str, str, str]


def assemble(lines: Sequence[Line]) -> bytes:
    """Turn lines into code; labels take two bytes."""
    labels: dict[str, int] = {}
    position = 0
    for name, argument, _ in lines:
        if name == "JUMPDEST" and argument:
            labels[argument] = position
        position += _size(name, argument)
    code = b""
    for name, argument, _ in lines:
        if name.startswith("PUSH"):
            value = _value(name, argument, labels)
            code += bytes([0x5F + int(name[4:])]) + value
        else:
            code += bytes([OPCODES[name]])
    return code


def _size(name: str, argument: str) -> int:
    del argument
    return 1 + (int(name[4:]) if name.startswith("PUSH") else 0)


def _value(name: str, argument: str, labels: dict[str, int]) -> bytes:
    size = int(name[4:])
    number = labels[argument[1:]] if argument.startswith("@") else int(argument, 16)
    return number.to_bytes(size, "big")


def _selector() -> list[Line]:
    return [
        ("PUSH1", "0", "offset of the call data"),
        ("CALLDATALOAD", "", "its first word"),
        ("PUSH1", "e0", "224 bits"),
        ("SHR", "", "the selector remains on the stack"),
    ]


def _case(selector: str, label: str) -> list[Line]:
    return [
        ("DUP1", "", "keep the selector for the next case"),
        ("PUSH4", selector, label),
        ("EQ", "", "is it this function?"),
        ("PUSH2", "@" + label, "then"),
        ("JUMPI", "", "go there"),
    ]


def _fail() -> list[Line]:
    return [("PUSH1", "0", "no data"), ("PUSH1", "0", "at 0"), ("REVERT", "", "unknown function")]


def _return_top() -> list[Line]:
    return [
        ("PUSH1", "0", "to memory 0"),
        ("MSTORE", "", "store the word on the stack"),
        ("PUSH1", "20", "32 bytes"),
        ("PUSH1", "0", "from memory 0"),
        ("RETURN", "", "answer"),
    ]


def _return_words(words: Sequence[int]) -> list[Line]:
    lines: list[Line] = []
    for i, word in enumerate(words):
        lines += [
            ("PUSH32", f"{word:x}", f"word {i}"),
            ("PUSH2", f"{32 * i:x}", "its place in memory"),
            ("MSTORE", "", "store it"),
        ]
    size = f"{32 * len(words):x}"
    lines += [("PUSH2", size, "size"), ("PUSH1", "0", "from 0"), ("RETURN", "", "answer")]
    return lines


def _constant(label: str, words: Sequence[int]) -> list[Line]:
    return [("JUMPDEST", label, "here"), *_return_words(words)]


def text_words(text: str) -> list[int]:
    """Return the ABI form of a short ``string``: offset, length, bytes."""
    raw = text.encode()
    return [32, len(raw), int.from_bytes(raw.ljust(32, b"\0"), "big")]


def token(symbol: str, decimals: int, *, bytes32: bool = False) -> bytes:
    """Return an ERC-20: balances in the mapping at slot 0, total supply in slot 1."""
    words = text_words(symbol)
    return assemble(
        [
            *_selector(),
            *_case("70a08231", "balanceOf"),
            *_case("18160ddd", "totalSupply"),
            *_case("313ce567", "decimals"),
            *_case("95d89b41", "symbol"),
            *_fail(),
            ("JUMPDEST", "balanceOf", "balanceOf(address)"),
            ("PUSH1", "4", "the argument"),
            ("CALLDATALOAD", "", "load it"),
            ("PUSH1", "0", "to memory 0"),
            ("MSTORE", "", "first half of the mapping key"),
            ("PUSH1", "0", "slot 0"),
            ("PUSH1", "20", "to memory 32"),
            ("MSTORE", "", "second half of the mapping key"),
            ("PUSH1", "40", "64 bytes"),
            ("PUSH1", "0", "from memory 0"),
            ("KECCAK256", "", "the storage slot of the balance"),
            ("SLOAD", "", "the balance"),
            *_return_top(),
            ("JUMPDEST", "totalSupply", "totalSupply()"),
            ("PUSH1", "1", "slot 1"),
            ("SLOAD", "", "the supply"),
            *_return_top(),
            *_constant("decimals", [decimals]),
            *_constant("symbol", words[2:] if bytes32 else words),
        ]
    )


def safe(owners: Sequence[bytes], threshold: int) -> bytes:
    """Return a contract that answers ``getOwners()`` and ``getThreshold()`` like a Safe."""
    numbers = [int.from_bytes(owner, "big") for owner in owners]
    return assemble(
        [
            *_selector(),
            *_case("a0e67e2b", "getOwners"),
            *_case("e75235b8", "getThreshold"),
            *_fail(),
            *_constant("getOwners", [32, len(owners), *numbers]),
            *_constant("getThreshold", [threshold]),
        ]
    )


def owned(owner: bytes) -> bytes:
    """Return a contract that answers ``owner()``."""
    return assemble(
        [
            *_selector(),
            *_case("8da5cb5b", "owner"),
            *_fail(),
            *_constant("owner", [int.from_bytes(owner, "big")]),
        ]
    )


def answering(answers: Mapping[str, Sequence[int]]) -> bytes:
    """Return a contract that answers each selector with its words, whatever the arguments."""
    lines = _selector()
    for selector in answers:
        lines += _case(selector, selector)
    lines += _fail()
    for selector, words in answers.items():
        lines += _constant(selector, words)
    return assemble(lines)


def accepting(digest: bytes) -> bytes:
    """Return a contract whose ``isValidSignature`` accepts any signature of this digest."""
    return assemble(
        [
            ("PUSH1", "4", "the first argument"),
            ("CALLDATALOAD", "", "load it"),
            ("PUSH32", digest.hex(), "the digest"),
            ("EQ", "", "is it this one?"),
            ("PUSH2", "@1626ba7e", "then"),
            ("JUMPI", "", "say yes"),
            *_fail(),
            *_constant("1626ba7e", [0x1626BA7E << 224]),
        ]
    )


def pod_manager(pods: Mapping[bytes, bytes]) -> bytes:
    """Return a contract that answers ``ownerToPod(address)`` like an EigenPodManager."""
    lines = [*_selector(), *_case("9ba06275", "ownerToPod"), *_fail()]
    lines += [("JUMPDEST", "ownerToPod", "ownerToPod(address)")]
    for owner in pods:
        lines += [
            ("PUSH1", "4", "the argument"),
            ("CALLDATALOAD", "", "load it"),
            ("PUSH32", owner.hex(), "an owner"),
            ("EQ", "", "is it this one?"),
            ("PUSH2", "@" + owner.hex(), "then"),
            ("JUMPI", "", "go there"),
        ]
    lines += _return_words([0])
    for owner, pod in pods.items():
        lines += _constant(owner.hex(), [int.from_bytes(pod, "big")])
    return assemble(lines)


REVERTING = assemble(_fail())
"""A contract that always reverts."""
SHORT = assemble([("PUSH1", "1f", "31 bytes"), ("PUSH1", "0", "from 0"), ("RETURN", "", "answer")])
"""A contract that answers one byte too little."""
