"""Requests to a beacon node and the typed reading of its answers.

Numbers are decimal texts of at most 64 bits, roots and keys hex with ``0x``; what does not follow
this is ``malformed-answer``. Fields that are not read are ignored, as the API asks.
Spec: https://ethereum.github.io/beacon-APIs/
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from chains import rest
from chains.jsonrpc import failure, malformed
from chains.model import Exchange, Gap, Request

T = TypeVar("T")

_UINT64 = 2**64
_STATES = "/eth/v1/beacon/states/"


class Uint(int):
    """An unsigned integer of 64 bits, a decimal text on the wire; not to be passed on as it is."""


Root = Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-fA-F]{64}\Z")]
Key = Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-fA-F]{96}\Z")]


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """What every answer has around its data. Absent flags: not optimistic, finality not stated."""

    data: T
    execution_optimistic: bool = False
    finalized: bool | None = None


class Genesis(msgspec.Struct, frozen=True):
    """What tells one beacon chain from another."""

    genesis_time: Uint
    genesis_validators_root: Root


class Payload(msgspec.Struct, frozen=True):
    """The execution block of a beacon block, or its header."""

    block_number: Uint
    block_hash: Root
    timestamp: Uint


class Body(msgspec.Struct, frozen=True):
    """``execution_payload_header`` in blinded blocks, ``execution_payload`` in whole ones."""

    execution_payload_header: Payload | None = None
    execution_payload: Payload | None = None


class Block(msgspec.Struct, frozen=True):
    """A beacon block, as far as it is read."""

    slot: Uint
    proposer_index: Uint
    state_root: Root
    body: Body

    @property
    def payload(self) -> Payload | None:
        """The execution block; ``None`` before the merge and where it travels apart (Gloas)."""
        return self.body.execution_payload_header or self.body.execution_payload


class SignedBlock(msgspec.Struct, frozen=True):
    """A block with its signature, which is not read."""

    message: Block


class Header(msgspec.Struct, frozen=True):
    """The five fields whose tree hash is the block root."""

    slot: Uint
    proposer_index: Uint
    parent_root: Root
    state_root: Root
    body_root: Root

    @property
    def root(self) -> str:
        """Return the block root in hex.

        Spec: https://github.com/ethereum/consensus-specs/blob/dev/ssz/simple-serialize.md
        """
        numbers = [int(n).to_bytes(32, "little") for n in (self.slot, self.proposer_index)]
        roots = (self.parent_root, self.state_root, self.body_root)
        nodes = numbers + [bytes.fromhex(root[2:]) for root in roots] + 3 * [bytes(32)]
        while len(nodes) > 1:
            pairs = zip(nodes[::2], nodes[1::2], strict=True)
            nodes = [sha256(left + right).digest() for left, right in pairs]
        return "0x" + nodes[0].hex()


class SignedHeader(msgspec.Struct, frozen=True):
    """A header with its signature, which is not read."""

    message: Header


class Named(msgspec.Struct, frozen=True):
    """A header, its root, and whether the node holds it to be part of the chain."""

    root: Root
    canonical: bool
    header: SignedHeader


class StateRoot(msgspec.Struct, frozen=True):
    """The root of a state."""

    root: Root


class Validator(msgspec.Struct, frozen=True):
    """What the registry holds of a validator."""

    pubkey: Key
    withdrawal_credentials: Root
    effective_balance: Uint
    slashed: bool


class Record(msgspec.Struct, frozen=True):
    """One validator with its balance in gwei."""

    index: Uint
    balance: Uint
    status: str
    validator: Validator

    @property
    def key(self) -> bytes:
        """The 48 bytes of the public key."""
        return bytes.fromhex(self.validator.pubkey[2:])


class Deposit(msgspec.Struct, frozen=True):
    """A deposit that the chain has taken note of and not yet added to a balance."""

    pubkey: Key
    amount: Uint


class Withdrawal(msgspec.Struct, frozen=True):
    """A partial withdrawal that was asked for and is still in the balance."""

    validator_index: Uint
    amount: Uint


class Consolidation(msgspec.Struct, frozen=True):
    """A validator whose stake is to move to another one."""

    source_index: Uint


class Error(msgspec.Struct, frozen=True):
    """The API's own form of an error, as opposed to that of something in between."""

    message: str


def _number(kind: type, value: Any) -> Any:
    """Read a decimal text: no sign, no blanks, no leading zero."""
    plain = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20  # noqa: PLR2004
    if kind is not Uint or not plain or str(int(value)) != value or int(value) >= _UINT64:
        raise ValueError("expected a decimal text of 64 bits")
    return Uint(value)


def _decoder(of: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(of, dec_hook=_number)


GENESIS = _decoder(Answer[Genesis])
BLOCK = _decoder(Answer[SignedBlock])
HEADER = _decoder(Answer[Named])
STATE_ROOT = _decoder(Answer[StateRoot])
VALIDATORS = _decoder(Answer[list[Record]])
VALIDATOR = _decoder(Answer[Record])
DEPOSITS = _decoder(Answer[list[Deposit]])
WITHDRAWALS = _decoder(Answer[list[Withdrawal]])
CONSOLIDATIONS = _decoder(Answer[list[Consolidation]])
_ERROR = _decoder(Error)


def read(exchange: Exchange, decoder: msgspec.json.Decoder[Any]) -> Any | Gap:
    """Return the typed ``Answer`` of a successful exchange, or a ``Gap``."""
    gap = failure(exchange)
    if gap is not None:
        return gap
    try:
        return decoder.decode(exchange.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return malformed(exchange)


def is_absent(exchange: Exchange) -> bool:
    """Tell whether the API itself answered 404, not a proxy that knows no such path."""
    if exchange.failure != "refused" or exchange.status != 404:  # noqa: PLR2004
        return False
    try:
        _ERROR.decode(exchange.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def genesis() -> Request:
    """Ask which chain this is."""
    return rest.get("/eth/v1/beacon/genesis")


def header(block: str) -> Request:
    """Ask the header of a block: ``finalized``, a slot or a root."""
    return rest.get(f"/eth/v1/beacon/headers/{block}")


def blinded_block(slot: int) -> Request:
    """Ask a block without its transactions."""
    return rest.get(f"/eth/v1/beacon/blinded_blocks/{slot}")


def whole_block(slot: int) -> Request:
    """Ask a block with its transactions."""
    return rest.get(f"/eth/v2/beacon/blocks/{slot}")


def state_root(slot: int) -> Request:
    """Ask the root of the state after a slot."""
    return rest.get(f"{_STATES}{slot}/root")


def validators(state: str, ids: Sequence[str]) -> Request:
    """Ask validators by key or index; an empty list would ask for all of them."""
    if not ids:
        raise ValueError("an empty list of ids means all validators")
    return rest.post(f"{_STATES}{state}/validators", {"ids": list(ids)})


def validator(state: str, key: bytes) -> Request:
    """Ask for one validator alone: 404 where there is none."""
    return rest.get(f"{_STATES}{state}/validators/{key_text(key)}")


def pending_deposits(state: str) -> Request:
    """Ask the queue of deposits (from Electra on)."""
    return rest.get(f"{_STATES}{state}/pending_deposits")


def pending_withdrawals(state: str) -> Request:
    """Ask the queue of partial withdrawals (from Electra on)."""
    return rest.get(f"{_STATES}{state}/pending_partial_withdrawals")


def pending_consolidations(state: str) -> Request:
    """Ask the queue of consolidations (from Electra on)."""
    return rest.get(f"{_STATES}{state}/pending_consolidations")


def key_text(key: bytes) -> str:
    """Return a public key as the API writes it."""
    return "0x" + key.hex()
