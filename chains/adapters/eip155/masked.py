"""Which account a masked address of the Filecoin EVM is another name of.

An actor that has an address of 20 bytes has a number too, and ``0xff``, eleven zeros and the
number is a second address of the same coins. Only inside the machine can one ask which address an
actor has (``lookup_delegated_address``), so Multicall3 asks, at the pinned block. An actor without
one and a machine without that contract both answer nothing: therefore the same call asks for the
number of Multicall3 itself (``resolve_address``), which has one wherever these contracts are.

Spec: https://docs.filecoin.io/core-concepts/filecoin-evm-runtime/precompiles
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.adapters.eip155 import multicall
from chains.adapters.eip155.ways import ACCOUNT, Quirks, answer_bytes, wrong_header
from chains.model import Exchange, Gap, Request, Snapshot
from chains.words import WORD

RESOLVE_ADDRESS = bytes.fromhex("fe" + "00" * 18 + "01")
LOOKUP_DELEGATED_ADDRESS = bytes.fromhex("fe" + "00" * 18 + "02")
_MASK = b"\xff" + bytes(11)
_DELEGATED = b"\x04\x0a"
"""Protocol 4 under the Ethereum address manager (actor 10), before the 20 bytes."""
_CALLED_BEFORE = 1
"""Results between the header words and the looked-up addresses."""


def is_masked(account: bytes) -> bool:
    """Tell whether an account of 20 bytes is an actor's number."""
    return account.startswith(_MASK)


def lookup_request(quirks: Quirks, at: Snapshot, accounts: Sequence[bytes]) -> Request | None:
    """Ask for the addresses of the masked ones among ``accounts``; ``None``: nothing to ask."""
    contract = quirks.multicall
    if not quirks.masked_actors or contract is None or at.height < contract.from_block:
        return None
    numbers = [account for account in accounts if is_masked(account)]
    if not numbers:
        return None
    own = bytes.fromhex(contract.address[2:])
    calls = [(RESOLVE_ADDRESS, _DELEGATED + own)]
    calls += [(LOOKUP_DELEGATED_ADDRESS, one[len(_MASK) :].rjust(WORD, b"\0")) for one in numbers]
    return multicall.aggregate(contract.address, calls, at.block_hash, quirks.call_gas)


def read(
    quirks: Quirks, at: Snapshot, accounts: Sequence[bytes], exchange: Exchange | None
) -> Mapping[int, bytes | Gap]:
    """Return, by place, the account that each masked one is, or why that is not known. Pure."""
    if not quirks.masked_actors:
        return {}
    places = [i for i, account in enumerate(accounts) if is_masked(account)]
    if not places:
        return {}
    shown = _results(quirks, at, len(places), exchange)
    if isinstance(shown, Gap):
        return dict.fromkeys(places, shown)
    return {i: _account(accounts[i], answer) for i, answer in zip(places, shown, strict=True)}


def _results(
    quirks: Quirks, at: Snapshot, count: int, exchange: Exchange | None
) -> list[bytes | None] | Gap:
    if exchange is None:
        return _unresolved("there is no Multicall3 at this height to ask which actor this is")
    raw = answer_bytes(exchange)
    if isinstance(raw, Gap):
        return raw
    before = len(multicall.HEADER_CALLS)
    try:
        results = multicall.results(raw, before + _CALLED_BEFORE + count)
    except ValueError as error:
        return Gap("malformed-answer", retryable=True, detail=str(error))
    gap = wrong_header(quirks, at, [multicall.word(one) for one in results[:before]])
    if gap is not None:
        return gap
    if not multicall.word(results[before]):
        return _unresolved("the machine does not tell actors' addresses")
    return results[before + _CALLED_BEFORE :]


def _account(masked: bytes, answer: bytes | None) -> bytes | Gap:
    """Read a delegated address; nothing means that the number is the actor's only one."""
    if answer is None:
        return Gap("call-failed", detail="lookup_delegated_address reverted")
    if not answer.startswith(_DELEGATED):
        return masked
    if len(answer) != len(_DELEGATED) + ACCOUNT:
        return Gap("malformed-answer", retryable=True, detail="a delegated address")
    return answer[len(_DELEGATED) :]


def _unresolved(detail: str) -> Gap:
    return Gap("account-unresolved", detail=detail)
