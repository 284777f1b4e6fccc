"""Lotus' JSON-RPC (Forest speaks it too): requests as bytes, answers as records or Gaps.

Amounts are decimal text of attoFIL (10^-18); CIDs are objects ``{"/": text}``; a tipset's key is
the list of its blocks' CIDs in the order in which the chain itself has them (by ticket, not by
CID).

Spec: https://github.com/filecoin-project/lotus/blob/master/documentation/en/api-methods-v1-stable.md
"""

from __future__ import annotations

import re
from base64 import b32decode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, TypeGuard

import msgspec

from chains import jsonrpc
from chains.addresses import AddressError, filecoin
from chains.model import Exchange, Gap, Request

_CID = re.compile(r"b[a-z2-7]{8,160}\Z")
_BLOCK_CID = bytes.fromhex("0171a0e40220")
"""How a block's CID begins: version 1, dag-cbor, BLAKE2b with 32 bytes."""
_AMOUNT = re.compile(r"(?:0|-?[1-9][0-9]{0,28})\Z")
_MOST_BLOCKS = 64
_ABSENT = re.compile(
    r"(?:1|11): (?:resolution lookup failed \((\S+)\): (?:resolve address (\S+): )?)?"
    r"actor not found\Z"
)
"""An actor that is not in the state; an address may be named.
Source: filecoin-project/lotus chain/state/statetree.go, chain/types/actor.go, api/api_errors.go"""
_ANOTHER_KIND = re.compile(
    r"1: .{0,80}(?:actor code is not (?:account|miner|multisig): [a-z]+|"
    r"[Uu]nknown actor code b[a-z2-7]+)\Z"
)
"""An actor that is no account, miner or multisig.
Source: filecoin-project/lotus chain/actors/builtin/{account,miner,multisig}, chain/vm/runtime.go;
ChainSafe/forest src/shim"""
MOST_SIGNERS = 256
"""Source: filecoin-project/builtin-actors actors/multisig (SIGNERS_MAX)"""
_PRUNED = re.compile(
    r"lookbacks of more than|could not find|block not found|load state tree|state root.*not found"
)
"""Gateways look back 24 hours; other nodes lack the blocks of the state.
Source: filecoin-project/lotus gateway/node.go; the rest is unconfirmed, as one of several texts"""
_LATE = "height greater than start point"
"""Source: filecoin-project/lotus chain/store/store.go (GetTipsetByHeight)"""
_NO_METHOD = re.compile(r"-32601: |.*method '.*' not (?:found|supported)")


class Tipset(msgspec.Struct, frozen=True):
    """The blocks of one epoch. ``state`` is the root of the state *before* their messages."""

    cids: tuple[str, ...]
    height: int
    parents: tuple[str, ...] = ()
    state: str = ""
    time: int = 0

    @property
    def hash(self) -> str:
        """The digest of the CID of the tipset's key: what FEVM calls the block's hash.

        Source: filecoin-project/lotus chain/types/tipset_key.go (Cid), EthHashFromCid
        """
        key = b"".join(cid_to_bytes(one) for one in self.cids)
        return "0x" + blake2b(_byte_string(key), digest_size=32).hexdigest()


class Actor(msgspec.Struct, frozen=True):
    """What the state has of an actor; without ``code`` it has none."""

    code: str
    units: int
    delegated: bytes = b""


ABSENT = Actor("", 0)


class Miner(msgspec.Struct, frozen=True):
    """What of a miner's balance is not free: attoFIL. ``locked`` vests, ``debt`` are fees owed."""

    balance: int
    pledge: int
    deposits: int
    locked: int
    debt: int


def call(method: str, *params: Any) -> Request:
    """Build a call of Lotus' API."""
    return jsonrpc.call(f"Filecoin.{method}", params)


def by_address(method: str, address: str, tipset: Sequence[str]) -> Request:
    """Ask something of an address in the parent state of a tipset."""
    return call(method, address, [{"/": cid} for cid in tipset])


def present(exchange: Exchange | None) -> Exchange | Gap:
    """Say that a question was not asked, where that is so."""
    return Gap("not-answered") if exchange is None else exchange


def answer(exchange: Exchange) -> Any | Gap:
    """Return the result, or a Gap; known refusals become reasons of their own."""
    said = jsonrpc.result(exchange)
    if not isinstance(said, Gap) or said.reason != "rpc-error":
        return said
    if _LATE in said.detail:
        return Gap("node-behind", retryable=True, detail=said.detail)
    if _NO_METHOD.match(said.detail):
        return Gap("method-missing", detail=said.detail)
    return Gap("state-pruned", detail=said.detail) if _PRUNED.search(said.detail) else said


def read_cids(value: Any) -> tuple[str, ...] | None:
    """Return the texts of a list of CIDs."""
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_BLOCKS:
        return None
    texts = tuple(_cid(one) for one in value)
    return texts if all(texts) and len(set(texts)) == len(texts) else None


def read_tipset(exchange: Exchange) -> Tipset | Gap:
    """Read a tipset, whose blocks must be of one height, of the same parents and state."""
    said = answer(exchange)
    if isinstance(said, Gap):
        return said
    cids = read_cids(said.get("Cids")) if isinstance(said, dict) else None
    blocks = said.get("Blocks") if isinstance(said, dict) else None
    if cids is None or not isinstance(blocks, list) or len(blocks) != len(cids):
        return malformed("the tipset's blocks")
    if not all(cid_to_bytes(one) for one in cids):
        return malformed("the CID of a block")
    headers = [_header(cids, block) for block in blocks]
    first = headers[0]
    if (
        first is None
        or any(one != first for one in headers[1:])
        or said.get("Height") != first.height
    ):
        return malformed("the headers of a tipset")
    return first


def _header(cids: tuple[str, ...], block: Any) -> Tipset | None:
    """Return what every block of a tipset must say alike."""
    if not isinstance(block, dict):
        return None
    height, time = block.get("Height"), block.get("Timestamp")
    parents, state = read_cids(block.get("Parents")), _cid(block.get("ParentStateRoot"))
    if not _is_number(height) or not _is_number(time) or parents is None or not state:
        return None
    return Tipset(cids, height, parents, state, time)


def read_actor(exchange: Exchange, address: str, network: str) -> Actor | Gap:
    """Read an actor's balance; ``ABSENT`` where the state has none (an error, or null)."""
    said = answer(exchange)
    if isinstance(said, Gap):
        absent = _ABSENT.match(said.detail) if said.reason == "rpc-error" else None
        named = {one for one in absent.groups() if one} if absent else set()
        return ABSENT if absent and named <= {address} else said
    if said is None:  # Forest. Source: ChainSafe/forest src/rpc/methods/state.rs
        return ABSENT
    if not isinstance(said, dict):
        return malformed("an actor")
    code, units = _cid(said.get("Code")), amount(said.get("Balance"))
    delegated = _delegated(said.get("DelegatedAddress"), network)
    if not code or units is None or units < 0 or delegated is None:
        return malformed("code, balance or delegated address of an actor")
    return Actor(code, units, delegated)


def _delegated(value: Any, network: str) -> bytes | None:
    """Return the f4 address of an actor, nothing where it has none."""
    if value is None or value == "<empty>":
        return b""
    account = account_of(value, network)
    return account if account is not None and account[0] == filecoin.DELEGATED else None


def account_of(value: Any, network: str) -> bytes | None:
    """Return the canonical bytes of an address in an answer."""
    try:
        return filecoin.decode(value, {"network": network}) if isinstance(value, str) else None
    except AddressError:
        return None


def read_amount(exchange: Exchange) -> int | Gap | None:
    """Read an available balance, maybe negative; ``None`` where the actor is of another kind."""
    said = _of_kind(exchange)
    if said is None or isinstance(said, Gap):
        return said
    units = amount(said)
    return malformed("an available balance") if units is None else units


def _of_kind(exchange: Exchange | Gap) -> Any | Gap | None:
    """Return the result of a question about one kind of actor; ``None`` of another kind."""
    said = exchange if isinstance(exchange, Gap) else answer(exchange)
    if not isinstance(said, Gap):
        return malformed("nothing") if said is None else said
    return None if said.reason == "rpc-error" and _ANOTHER_KIND.match(said.detail) else said


def read_key(exchange: Exchange | Gap, network: str) -> bytes | Gap | None:
    """Read the address of an account's key: f1, f3 or f4; ``None`` where it is no account."""
    said = _of_kind(exchange)
    if said is None or isinstance(said, Gap):
        return said
    account = account_of(said, network)
    is_key = account is not None and account[0] not in (filecoin.ID, filecoin.ACTOR)
    return account if is_key else malformed("the key of an account")


def read_owner(exchange: Exchange | Gap, network: str) -> bytes | Gap | None:
    """Read the number of a miner's owner; ``None`` where it is no miner."""
    said = _of_kind(exchange)
    if said is None or isinstance(said, Gap):
        return said
    account = account_of(said.get("Owner"), network) if isinstance(said, dict) else None
    is_number = account is not None and account[0] == filecoin.ID
    return account if is_number else malformed("the owner of a miner")


def read_signers(
    exchange: Exchange | Gap, network: str
) -> tuple[int, tuple[bytes, ...]] | Gap | None:
    """Read threshold and signers of a multisig's state; ``None`` where it is none.

    Source: filecoin-project/go-state-types builtin/v11/multisig/multisig_state.go (State)
    """
    said = exchange if isinstance(exchange, Gap) else answer(exchange)
    if isinstance(said, Gap):
        return said
    state = said.get("State") if isinstance(said, dict) else None
    if not isinstance(state, dict) or "Signers" not in state:
        return None if isinstance(said, dict) and "State" in said else malformed("a state")
    named, threshold = state["Signers"], state.get("NumApprovalsThreshold")
    listed = named if isinstance(named, list) and len(named) <= MOST_SIGNERS else [None]
    found = [account_of(one, network) for one in listed]
    signers = tuple(one for one in found if one is not None)
    if not _is_number(threshold) or len(set(signers)) != len(listed) or not threshold:
        return malformed("signers and threshold of a multisig")
    return threshold, signers


def read_miner(exchange: Exchange) -> Miner | Gap:
    """Read the amounts of a miner's state, as ``StateReadState`` shows it.

    Source: filecoin-project/go-state-types builtin/v11/miner/miner_state.go (State)
    """
    said = answer(exchange)
    if isinstance(said, Gap):
        return said
    state = said.get("State") if isinstance(said, dict) else None
    if not isinstance(state, dict):
        return malformed("the state of a miner")
    names = ("InitialPledge", "PreCommitDeposits", "LockedFunds", "FeeDebt")
    amounts = [amount(said.get("Balance")), *(amount(state.get(name)) for name in names)]
    known = [one for one in amounts if one is not None and one >= 0]
    return Miner(*known) if len(known) == len(amounts) else malformed("the state of a miner")


def read_market(exchange: Exchange) -> tuple[int, int] | Gap:
    """Return what an address has in the storage market: locked for deals, and free."""
    said = answer(exchange)
    if isinstance(said, Gap):
        return said
    escrow, locked = (
        amount(said.get(name)) if isinstance(said, dict) else None for name in ("Escrow", "Locked")
    )
    if escrow is None or locked is None or not 0 <= locked <= escrow:
        return malformed("escrow in the storage market")
    return locked, escrow - locked


def amount(value: Any) -> int | None:
    """Return an integer that is written as decimal text."""
    return int(value) if isinstance(value, str) and _AMOUNT.match(value) else None


def cid_to_bytes(text: str) -> bytes:
    """Return the bytes of a block's CID, none if it is another kind of CID."""
    try:
        raw = b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
    except ValueError:
        return b""
    return raw if raw.startswith(_BLOCK_CID) and len(raw) == len(_BLOCK_CID) + 32 else b""


def malformed(what: str) -> Gap:
    """Say what of an answer does not follow the protocol."""
    return Gap("malformed-answer", retryable=True, detail=what)


def _cid(value: Any) -> str:
    text = value.get("/") if isinstance(value, dict) and len(value) == 1 else None
    return text if isinstance(text, str) and _CID.match(text) else ""


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _byte_string(payload: bytes) -> bytes:
    """Return bytes as CBOR writes them."""
    length = len(payload)
    if length < 1 << 8:
        return bytes((0x58, length)) + payload  # a key has at least 38 bytes
    return bytes((0x59,)) + length.to_bytes(2, "big") + payload
