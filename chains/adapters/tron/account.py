"""What the head state of a TRON account says that a height cannot: permissions and stakes.

Both change only by a transaction of the account itself, and every such transaction sets
``latest_opration_time`` (spelled so) to the time of the block *before* the one it is in. So a
time below the pinned block's says that nothing was done after it; the pinned block's own time
belongs to an operation in the next block. Source: tronprotocol/java-tron,
chainbase/.../db/BandwidthProcessor.java and ResourceProcessor.java (every way of paying for a
transaction sets it), framework/.../db/Manager.java (``updateDynamicProperties`` runs after the
transactions of a block). Delegation by others changes ``acquired_*``, which is theirs.

Not so for contracts, which stake and unstake from inside the virtual machine: nothing is
concluded about them, nor about their ``owner()``, which is contract state.

Fields: tronprotocol/java-tron, protocol/src/main/protos/core/Tron.proto, message Account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.adapters.tron.wire import hex_to_account, integer
from chains.addresses import tron as address
from chains.control import Authority
from chains.model import Gap, Part, PartKind

OWNER = "permission-owner"
ACTIVE = "permission-active"
TRANSFER = 1
TRIGGER = 31
"""Numbers of TransferContract and TriggerSmartContract, bits of ``operations``.
Source: tronprotocol/java-tron, protocol/src/main/protos/core/Tron.proto, ContractType"""
OPERATIONS_BYTES = 32
MALFORMED = Gap("malformed-answer", detail="a permission that cannot be read")

Answer = Mapping[str, Any]


def may_move(operations: Any) -> bool:
    """Tell whether an active permission lets its keys move TRX or tokens.

    ``operations`` are 32 bytes; bit n of byte k stands for the contract type 8k + n. Either of
    TransferContract and TriggerSmartContract is enough (a call may carry TRX). Another length
    allows nothing. Source: tronprotocol/java-tron, WalletUtil.checkPermissionOperations
    """
    try:
        bits = bytes.fromhex(operations)
    except (TypeError, ValueError):
        return False
    if len(bits) != OPERATIONS_BYTES:
        return False
    return any(bits[number // 8] >> number % 8 & 1 for number in (TRANSFER, TRIGGER))


def untouched(answer: Answer, time_ms: int) -> bool:
    """Tell whether the account itself did nothing after the block of this time."""
    latest = integer(answer, "latest_opration_time")
    return answer.get("type") != "Contract" and latest is not None and latest < time_ms


def ways(answer: Answer, account: bytes, params: Mapping[str, Any]) -> tuple[Authority, ...] | Gap:
    """Read the owner permission and the active ones that may move something.

    An account without owner permission obeys its own key. An account without active ones has
    none. Source: tronprotocol/java-tron, AccountCapsule.getPermissionById
    """
    owner = answer.get("owner_permission")
    actives = answer.get("active_permission", [])
    if not isinstance(actives, list):
        return MALFORMED
    if owner is None:
        own = {address.encode(account, params): 1}
        found: list[Authority | Gap] = [Authority(kind=OWNER, threshold=1, weights=own)]
    else:
        found = [_authority(OWNER, owner, params)]
    for one in actives:
        if not isinstance(one, dict):
            return MALFORMED
        if may_move(one.get("operations")):
            found.append(_authority(ACTIVE, one, params))
    read = tuple(one for one in found if isinstance(one, Authority))
    return read if len(read) == len(found) else MALFORMED


def _authority(kind: str, permission: Any, params: Mapping[str, Any]) -> Authority | Gap:
    if not isinstance(permission, dict):
        return MALFORMED
    threshold, keys = integer(permission, "threshold"), permission.get("keys")
    if not threshold or not isinstance(keys, list) or not keys:
        return MALFORMED
    weights: dict[str, int] = {}
    for key in keys:
        weight = integer(key, "weight") if isinstance(key, dict) else None
        signer = hex_to_account(key.get("address")) if weight else None
        if not weight or signer is None:
            return MALFORMED
        weights[address.encode(signer, params)] = weight
    if len(weights) != len(keys):
        return MALFORMED
    return Authority(kind=kind, threshold=threshold, weights=weights)


def stakes(answer: Answer) -> tuple[Part, ...] | Gap:
    """Read the TRX of an account that is not liquid, in sun; no part that is zero.

    ``acquired_*`` belongs to others and votes are no coins. ``allowance`` is what a voter has
    been credited and not withdrawn; a witness is credited with every block, so its allowance
    is not that of the height and is left out. What the node would credit at the next vote
    (``getReward``) is not in it.
    """
    amounts = {
        PartKind.STAKED: [
            *_each(answer, "frozen", "frozen_balance"),
            *_each(answer, "frozenV2", "amount"),
            _in(answer, "tron_power", "frozen_balance"),
            _in(answer, "account_resource", "frozen_balance_for_energy", "frozen_balance"),
        ],
        PartKind.DELEGATED: [
            _in(answer, "delegated_frozen_balance_for_bandwidth"),
            _in(answer, "delegated_frozenV2_balance_for_bandwidth"),
            _in(answer, "account_resource", "delegated_frozen_balance_for_energy"),
            _in(answer, "account_resource", "delegated_frozenV2_balance_for_energy"),
        ],
        PartKind.UNBONDING: _each(answer, "unfrozenV2", "unfreeze_amount"),
        PartKind.REWARD: [] if answer.get("is_witness") else [_in(answer, "allowance")],
    }
    parts = []
    for kind, found in amounts.items():
        units = [one for one in found if one is not None]
        if len(units) != len(found):
            return Gap("malformed-answer", detail=f"{kind} TRX that cannot be read")
        if sum(units):
            parts.append(Part(kind, sum(units)))
    return tuple(parts)


def _each(answer: Answer, name: str, field: str) -> list[int | None]:
    """Return one field of every element of a list; ``None`` for what cannot be read."""
    found = answer.get(name, [])
    return [_in(one, field) for one in found] if isinstance(found, list) else [None]


def _in(answer: Any, *path: str) -> int | None:
    """Return the amount at a path of objects, 0 where a step is missing."""
    for name in path[:-1]:
        answer = answer.get(name, {}) if isinstance(answer, dict) else None
    return integer(answer, path[-1]) if isinstance(answer, dict) else None
