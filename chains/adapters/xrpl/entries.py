"""Entries of the ledger's state: accounts, what they have locked away, the reserves.

Only answers of the pinned ledger are read. Amounts are drops.

Spec: https://xrpl.org/docs/references/protocol/ledger-data/ledger-entry-types
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

import msgspec

from chains.adapters.xrpl.wire import (
    U32,
    Answer,
    amount,
    elsewhere,
    is_hash,
    is_whole,
    outcome,
    refusal,
    success,
)
from chains.addresses import AddressError, xrpl
from chains.jsonrpc import malformed
from chains.model import Exchange, Gap

DISABLE_MASTER = 0x00100000
"""Spec: https://xrpl.org/docs/references/protocol/ledger-data/ledger-entry-types/accountroot"""
MOST_SIGNERS = 32
"""Spec: https://xrpl.org/docs/concepts/accounts/multi-signing#signer-lists"""
_MARKER_LENGTH = 200


class Account(msgspec.Struct, frozen=True):
    """An account's entry: drops, how many objects it owns, and who may sign for it.

    ``quorum`` is 0 where the account has no list of signers or none was asked for.
    """

    drops: int
    owned: int
    is_master_disabled: bool
    regular_key: str
    is_amm: bool
    quorum: int
    signers: Mapping[str, int]


class Locked(msgspec.Struct, frozen=True):
    """XRP of ``owner`` that has left its balance; ``destination`` may get it."""

    index: str
    owner: str
    destination: str
    drops: int


_NOTHING = Locked("", "", "", 0)


def read_account(
    exchange: Exchange, address: str, ledger_hash: str, *, with_signers: bool = False
) -> Account | Gap | None:
    """Read an account at the ledger; ``None`` where the ledger has none.

    That there is none counts only if the answer says of which ledger: rippled names it, Clio
    copies the request back, and looks for the account only after it found the ledger.
    ``with_signers``: the list of signers was asked for, so that its absence is no answer.
    """
    read = outcome(exchange)
    if isinstance(read, Gap):
        return read
    answer, error = read
    if error == "actNotFound" and _is_of(answer, address, ledger_hash):
        return None
    if error:
        return Gap("no-record", detail=error) if error == "actNotFound" else refusal(error)
    return elsewhere(answer, ledger_hash) or _account(
        exchange, answer, address, with_signers=with_signers
    )


def _account(
    exchange: Exchange, answer: Answer, address: str, *, with_signers: bool
) -> Account | Gap:
    entry = answer.get("account_data")
    if not isinstance(entry, dict) or entry.get("Account") != address:
        return malformed(exchange)
    lists = answer.get("signer_lists", entry.get("signer_lists", None if with_signers else []))
    read_list = _signers(lists)
    drops, owned, flags = amount(entry.get("Balance")), entry.get("OwnerCount"), entry.get("Flags")
    key = entry.get("RegularKey", "")
    if (
        drops is None
        or read_list is None
        or not is_whole(owned, U32)
        or not is_whole(flags, U32)
        or not (key == "" or _is_address(key))
    ):
        return malformed(exchange)
    return Account(
        drops=drops,
        owned=owned,
        is_master_disabled=bool(flags & DISABLE_MASTER),
        regular_key=key,
        is_amm="AMMID" in entry,
        quorum=read_list[0],
        signers=read_list[1],
    )


def _is_address(value: object) -> TypeGuard[str]:
    """Tell whether a JSON value is a classic address."""
    try:
        return isinstance(value, str) and xrpl.encode(xrpl.decode(value, {}), {}) == value
    except AddressError:
        return False


def _signers(lists: object) -> tuple[int, Mapping[str, int]] | None:
    """Read the quorum and weights of at most one list of signers; ``None`` if malformed."""
    if lists == []:
        return 0, {}
    if not isinstance(lists, list) or len(lists) != 1 or not isinstance(lists[0], dict):
        return None
    quorum, entries = lists[0].get("SignerQuorum"), lists[0].get("SignerEntries")
    if not is_whole(quorum, U32) or not isinstance(entries, list) or len(entries) > MOST_SIGNERS:
        return None
    weights: dict[str, int] = {}
    for one in entries:
        entry = one.get("SignerEntry") if isinstance(one, dict) else None
        who = entry.get("Account") if isinstance(entry, dict) else None
        weight = entry.get("SignerWeight") if isinstance(entry, dict) else None
        if not _is_address(who) or who in weights or not is_whole(weight, 2**16):
            return None
        weights[who] = weight
    return quorum, weights


def read_objects(exchange: Exchange, ledger_hash: str) -> tuple[Sequence[Locked], str] | Gap:
    """Read a page of objects and the marker of the next one, ``""`` after the last."""
    answer = success(exchange)
    if isinstance(answer, Gap):
        return answer
    wrong = elsewhere(answer, ledger_hash)
    if wrong is not None:
        return wrong
    objects, marker = answer.get("account_objects"), answer.get("marker", "")
    if (
        not isinstance(objects, list)
        or not isinstance(marker, str)
        or len(marker) > _MARKER_LENGTH
        or ("marker" in answer and not marker)
    ):
        return malformed(exchange)
    found: list[Locked] = []
    for entry in objects:
        locked = _locked(entry) if isinstance(entry, dict) else None
        if locked is None:
            return malformed(exchange)
        found.append(locked)
    return found, marker


def _locked(entry: Answer) -> Locked | None:
    """Read an escrow or a payment channel; other objects and tokens lock no XRP."""
    texts = [entry.get(key) for key in ("index", "Account", "Destination")]
    kind = entry.get("LedgerEntryType")
    if kind not in ("Escrow", "PayChannel") or isinstance(entry.get("Amount"), dict):
        return _NOTHING
    held = amount(entry.get("Amount"))
    paid = amount(entry.get("Balance")) if kind == "PayChannel" else 0
    if held is None or paid is None or paid > held:
        return None
    if not is_hash(texts[0]) or not all(isinstance(one, str) for one in texts):
        return None
    return Locked(str(texts[0]).upper(), str(texts[1]), str(texts[2]), held - paid)


def read_fees(exchange: Exchange, ledger_hash: str) -> tuple[int, int] | None:
    """Read base and increment of the reserve in drops, in the present or the old form."""
    answer = success(exchange)
    if isinstance(answer, Gap) or elsewhere(answer, ledger_hash) is not None:
        return None
    node = answer.get("node")
    if not isinstance(node, dict):
        return None
    base, step = _reserve(node, "ReserveBase"), _reserve(node, "ReserveIncrement")
    return None if base is None or step is None else (base, step)


def _reserve(node: Answer, name: str) -> int | None:
    """Read drops that are text in the present form of the entry and a number in the old one."""
    old = node.get(name)
    return old if is_whole(old, U32) else amount(node.get(f"{name}Drops"))


def _is_of(answer: Answer, address: str, ledger_hash: str) -> bool:
    """Tell whether an error answer is about this account at this ledger."""
    if "ledger_hash" in answer or "ledger_index" in answer or "ledger_current_index" in answer:
        is_here = elsewhere(answer, ledger_hash) is None
        return is_here and answer.get("account", address) == address
    asked = answer.get("request")
    if isinstance(asked, dict) and isinstance(asked.get("params"), list) and asked["params"]:
        asked = asked["params"][0]
    if not isinstance(asked, dict) or answer.get("validated", True) is not True:
        return False
    return asked.get("account") == address and asked.get("ledger_hash") == ledger_hash
