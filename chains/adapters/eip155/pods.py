"""Who owns an EigenPod, as the chain's EigenPodManager confirms.

Any contract can say ``podOwner()``. It is believed only where the manager that the configuration
names says at the same block, on the same endpoint, that this owner's pod is this very account.
``getPod`` would not do: it also names pods that were never created.

Source: Layr-Labs/eigenlayer-contracts, EigenPod.sol and EigenPodManagerStorage.sol (``ownerToPod``
is a public mapping).
"""

from __future__ import annotations

from chains.adapter import Transport
from chains.adapters.eip155.asking import Shown
from chains.adapters.eip155.reading import view_request
from chains.adapters.eip155.ways import ACCOUNT, answer_bytes
from chains.control import Authority
from chains.model import Exchange, Gap, Request, Snapshot
from chains.words import WORD

POD_OWNER = "0b18ff66"
OWNER_TO_POD = "9ba06275"
KIND = "pod-owner"


async def ask(
    transport: Transport, endpoint: str, at: Snapshot, account: bytes, manager: bytes
) -> tuple[Exchange, ...]:
    """Ask the account for its pod's owner and, where it names one, the manager for the pod."""
    claim = await transport.exchange(view_request(account, POD_OWNER, at), endpoint)
    owner = address_word(answer_bytes(claim))
    if owner is None:
        return (claim,)
    return (claim, await transport.exchange(_pod_request(manager, owner, at), endpoint))


def read(account: bytes, shown: Shown, at: Snapshot, manager: bytes) -> Authority | Gap | None:
    """Return the owner's authority, ``None`` for what is no pod of this manager."""
    claim = shown.call(view_request(account, POD_OWNER, at))
    owner = address_word(claim)
    if owner is None:
        return claim if isinstance(claim, Gap) else None
    pod = shown.call(_pod_request(manager, owner, at))
    if isinstance(pod, Gap):
        return pod
    if address_word(pod) != account:
        return None
    return Authority(kind=KIND, threshold=1, weights={"0x" + owner.hex(): 1})


def address_word(raw: bytes | Gap | None) -> bytes | None:
    """Read one ABI ``address``; ``None`` when the word is no address or names nobody."""
    if not isinstance(raw, bytes) or len(raw) != WORD or not any(raw):
        return None
    return None if any(raw[: WORD - ACCOUNT]) else raw[WORD - ACCOUNT :]


def _pod_request(manager: bytes, owner: bytes, at: Snapshot) -> Request:
    return view_request(manager, OWNER_TO_POD + owner.rjust(WORD, b"\0").hex(), at)
