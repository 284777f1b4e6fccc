"""What ``eth_call`` answers on the simulated node: our batch programs and a few selectors.

*Constructed*: no code is run. The programs are recognised by their bytes (kept here a second
time, as hashes, so that a changed program is noticed) and answered in Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

WORD = 32
MARK = b"\xff" * WORD

NATIVE = "25800e9fb17a74d740c82ef414bb521b52cb34151a3c51a3edf1df76603cc254"
ERC20 = "7745b8c21a60678353800b1fa20c8aff6f392e9fe57778efd7d6780eb64419de"
NATIVE_INIT = (73, "fc5b3d1cba5af22c3888234ca62d5722def8c92ee5135dcd1ae416d48b371131")
ERC20_INIT = (120, "f97946732bccb0b4d376e134b4f37c1d16ae555f237b28bd613feb97bedc74bf")
"""SHA-256 of the batch programs, of the initcodes with their length."""
DEPLOYED_CODE_MOST = 24_576
"""Spec: https://eips.ethereum.org/EIPS/eip-170"""
INITCODE_MOST = 49_152
"""Spec: https://eips.ethereum.org/EIPS/eip-3860"""

_MASK = b"\xff" + bytes(11)
_RESOLVE, _LOOKUP = (bytes.fromhex("fe" + "00" * 18 + end) for end in ("01", "02"))


class TokenState(msgspec.Struct, frozen=True, kw_only=True):
    """An ERC-20 token: base units per holder. ``total_supply`` ``None``: the sum of balances.

    ``bytes32_symbol`` answers as tokens from before the standard do. ``reverting`` holders make
    ``balanceOf`` revert.
    """

    symbol: str
    decimals: int
    balances: Mapping[bytes, int] = {}
    total_supply: int | None = None
    bytes32_symbol: bool = False
    reverting: frozenset[bytes] = frozenset()


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A contract with an owner, a Safe with owners and a threshold, an EigenPod, or nothing of it.

    ``pod_owner`` is what it says of itself, ``pods`` makes it the manager that maps owners to
    pods. ``signatures`` maps digest ‖ signature to the bytes that ``isValidSignature`` returns;
    others get ``rejection``, or a revert where that is ``None``.
    """

    owner: bytes | None = None
    safe_owners: tuple[bytes, ...] = ()
    threshold: int = 0
    pod_owner: bytes | None = None
    pods: Mapping[bytes, bytes] | None = None
    signatures: Mapping[bytes, bytes] | None = None
    rejection: bytes | None = None
    storage: Mapping[int, int] = {}
    code: bytes = b"\x60\x00"


class EvmState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole state from one height on.

    ``actors`` maps numbers to addresses where actors have both (FEVM); a masked address is asked
    as the address behind it. ``None``: a machine without the contracts that tell them.
    """

    native: Mapping[bytes, int] = {}
    tokens: Mapping[bytes, TokenState] = {}
    contracts: Mapping[bytes, Contract] = {}
    actors: Mapping[int, bytes] | None = None

    def balance(self, account: bytes) -> int:
        """Return the coins of an account, by whichever of its addresses it is asked."""
        if self.actors and account.startswith(_MASK):
            account = self.actors.get(int.from_bytes(account[len(_MASK) :], "big"), account)
        return self.native.get(account, 0)


class Failure(Exception):
    """A JSON-RPC error object."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class SizeCheck(Protocol):
    """The node's limits on the accounts of one call.

    ``marks_beyond``: token holders after this many run out of gas inside a program (0: never).
    """

    marks_beyond: int

    def check_size(self, accounts: int) -> None:
        """Raise ``Failure`` when a call asks about too many accounts."""
        ...


def address(text: object) -> bytes:
    """Return the 20 bytes of an address parameter."""
    raw = bytes.fromhex(str(text)[2:])
    if len(raw) != 20:  # noqa: PLR2004
        raise Failure(-32602, "invalid argument 0: hex string has wrong length")
    return raw


def code(state: EvmState, at: bytes) -> bytes:
    """Return the code at an address, empty where nothing is deployed."""
    if at in state.tokens:
        return b"\x60\x01"
    contract = state.contracts.get(at)
    return b"" if contract is None else contract.code


def program(state: EvmState, header: bytes, placed: bytes, data: bytes, limit: SizeCheck) -> bytes:
    """Answer a program placed by an override."""
    name = hashlib.sha256(placed).hexdigest()
    if name == NATIVE:
        return header + b"".join(_natives(state, data, limit))
    if name == ERC20:
        return header + b"".join(_holdings(state, data[:20], data[20:], limit))
    raise Failure(-32000, "invalid opcode: this simulated node does not know the program")


def deployless(state: EvmState, header: bytes, data: bytes, limit: SizeCheck) -> bytes:
    """Answer a program sent as initcode, within the limits on code sizes."""
    if len(data) > INITCODE_MOST:
        message = f"max initcode size exceeded: code size {len(data)}, limit {INITCODE_MOST}"
        raise Failure(-32000, message)
    size, name = NATIVE_INIT
    if hashlib.sha256(data[:size]).hexdigest() == name:
        answer = header + b"".join(_natives(state, data[size:], limit))
    else:
        size, name = ERC20_INIT
        if hashlib.sha256(data[:size]).hexdigest() != name:
            raise Failure(-32000, "invalid opcode: this simulated node does not know the program")
        token, holders = data[size : size + 20], data[size + 20 :]
        answer = header + b"".join(_holdings(state, token, holders, limit))
    if len(answer) > DEPLOYED_CODE_MOST:
        raise Failure(-32000, "max code size exceeded")
    return answer


def view(state: EvmState, to: bytes, data: bytes) -> bytes:
    """Answer a plain call by its selector; nothing where there is no contract."""
    selector = data[:4].hex()
    token = state.tokens.get(to)
    if token is not None:
        return _token_view(token, selector, data)
    contract = state.contracts.get(to)
    if contract is None:
        return b""
    return _contract_view(contract, selector, data[4:])


def _contract_view(contract: Contract, selector: str, arguments: bytes) -> bytes:
    if selector == "8da5cb5b" and contract.owner is not None:
        return _address_word(contract.owner)
    if selector == "a0e67e2b" and contract.safe_owners:
        owners = [_address_word(owner) for owner in contract.safe_owners]
        return b"".join((_number(WORD), _number(len(owners)), *owners))
    if selector == "e75235b8" and contract.safe_owners:
        return _number(contract.threshold)
    if selector == "0b18ff66" and contract.pod_owner is not None:
        return _address_word(contract.pod_owner)
    if selector == "9ba06275" and contract.pods is not None:
        return _address_word(contract.pods.get(arguments[12:WORD], bytes(20)))
    if selector == "1626ba7e" and contract.signatures is not None:
        return _is_valid(contract, arguments)
    raise _reverted()


def _is_valid(contract: Contract, arguments: bytes) -> bytes:
    """Answer ``isValidSignature(bytes32,bytes)``.

    Spec: https://eips.ethereum.org/EIPS/eip-1271
    """
    start = _read(arguments, WORD) + WORD
    signature = arguments[start : start + _read(arguments, start - WORD)]
    said = (contract.signatures or {}).get(arguments[:WORD] + signature, contract.rejection)
    if said is None:
        raise _reverted()
    return said


def multicall(state: EvmState, header: bytes, own: bytes, data: bytes, limit: SizeCheck) -> bytes:
    """Answer ``aggregate3`` of Multicall3.

    Spec: https://github.com/mds1/multicall
    """
    if data[:4].hex() != "82ad56cb":
        raise _reverted()
    raw = data[4:]
    base = _read(raw, 0) + WORD
    count = _read(raw, base - WORD)
    limit.check_size(count)
    results: list[bytes] = []
    for i in range(count):
        at = base + _read(raw, base + i * WORD)
        target = raw[at + 12 : at + WORD]
        inner = at + _read(raw, at + 2 * WORD)
        call = raw[inner + WORD : inner + WORD + _read(raw, inner)]
        results.append(_result(state, header, own, target, call))
    offsets: list[bytes] = []
    offset = count * WORD
    for result in results:
        offsets.append(_number(offset))
        offset += len(result)
    return b"".join((_number(WORD), _number(count), *offsets, *results))


def _result(state: EvmState, header: bytes, own: bytes, target: bytes, call: bytes) -> bytes:
    """Return one ``(bool success, bytes returnData)``."""
    own_words = {"3408e470": 0, "42cbb15c": 1, "27e86d6e": 2}
    selector = call[:4].hex()
    succeeded = True
    if target == own and selector in own_words:
        i = own_words[selector]
        answer = header[i * WORD : i * WORD + WORD]
    elif target == own and selector == "4d2301cc":
        answer = _number(state.balance(call[16:36]))
    elif state.actors is not None and target in (_RESOLVE, _LOOKUP):
        answer = _actor(state.actors, own, call, by_number=target == _LOOKUP)
    else:
        try:
            answer = view(state, target, call)
        except Failure:
            succeeded, answer = False, b""
    padded = answer.ljust(-(-len(answer) // WORD) * WORD, b"\0")
    return b"".join((_number(int(succeeded)), _number(2 * WORD), _number(len(answer)), padded))


def _actor(actors: Mapping[int, bytes], own: bytes, asked: bytes, *, by_number: bool) -> bytes:
    """Answer ``lookup_delegated_address``, or ``resolve_address``; Multicall3 has number 7.

    Spec: https://docs.filecoin.io/core-concepts/filecoin-evm-runtime/precompiles
    """
    addresses = {7: own, **actors}
    if by_number:
        found = addresses.get(int.from_bytes(asked, "big"))
        return b"" if found is None else b"\x04\x0a" + found
    numbers = {b"\x04\x0a" + at: number for number, at in addresses.items()}
    return _number(numbers[asked]) if asked in numbers else b""


def _natives(state: EvmState, packed: bytes, limit: SizeCheck) -> Iterable[bytes]:
    limit.check_size(len(packed) // 20)
    native = state.native
    for i in range(0, len(packed), 20):
        yield native.get(packed[i : i + 20], 0).to_bytes(WORD, "big")


def _holdings(state: EvmState, at: bytes, packed: bytes, limit: SizeCheck) -> Iterable[bytes]:
    limit.check_size(len(packed) // 20)
    token = state.tokens.get(at)
    for i in range(0, len(packed), 20):
        holder = packed[i : i + 20]
        starved = 0 < limit.marks_beyond <= i // 20
        if token is None or starved or holder in token.reverting:
            yield MARK
        else:
            yield token.balances.get(holder, 0).to_bytes(WORD, "big")


def _token_view(token: TokenState, selector: str, data: bytes) -> bytes:
    match selector:
        case "70a08231":
            holder = data[16:36]
            if holder in token.reverting:
                raise _reverted()
            return _number(token.balances.get(holder, 0))
        case "313ce567":
            return _number(token.decimals)
        case "18160ddd":
            total = token.total_supply
            return _number(sum(token.balances.values()) if total is None else total)
        case "95d89b41":
            text = token.symbol.encode()
            if token.bytes32_symbol:
                return text.ljust(WORD, b"\0")
            padded = text.ljust(-(-len(text) // WORD) * WORD, b"\0")
            return _number(WORD) + _number(len(text)) + padded
        case _:
            raise _reverted()


def _reverted() -> Failure:
    """Build geth's answer to a call that reverts without a text."""
    return Failure(3, "execution reverted", "0x")


def _address_word(at: bytes) -> bytes:
    return bytes(12) + at


def _number(value: int) -> bytes:
    return value.to_bytes(WORD, "big")


def _read(raw: bytes, at: int) -> int:
    if at + WORD > len(raw):
        raise _reverted()
    return int.from_bytes(raw[at : at + WORD], "big")
