"""Who controls an account that has code: contract owner, Safe owners, pod owner, proxy admin.

A contract that has no such function reverts or answers nothing: it shows nobody. An endpoint that
fails is a ``Gap``, never nobody. An account without code is controlled by its key alone: nothing
exists there in the sense of ``ControlFacts``. It is ``plain`` only if the same endpoint also showed
that it holds the state of the block: the canary with its pinned balance. The EIP-1967 admin is
noted and decides nothing.
An EigenPod's owner counts only where the chain's EigenPodManager confirms it (``pods``).

web3 builds and sends the contract calls that need no argument (``provider``); reading all of them
back is pure and uses only the ABI codec.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from eth_abi import abi
from eth_abi.exceptions import DecodingError

from chains.adapter import Transport
from chains.adapters.eip155 import asking, pinning, pods
from chains.adapters.eip155.asking import Shown
from chains.adapters.eip155.pods import address_word
from chains.adapters.eip155.reading import code_request, storage_request, view_request
from chains.adapters.eip155.ways import ACCOUNT, answer_bytes
from chains.control import Authority, ControlFacts
from chains.model import Answers, Exchange, Extract, Gap, Questions, Request, Snapshot

DECODER = "control"
OWNER = "8da5cb5b"
GET_OWNERS = "a0e67e2b"
GET_THRESHOLD = "e75235b8"
ADMIN_SLOT = 0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103
"""``keccak256("eip1967.proxy.admin") - 1``. Spec: https://eips.ethereum.org/EIPS/eip-1967"""
DELEGATION = bytes.fromhex("ef0100")
"""Code of a key's account that delegates. Spec: https://eips.ethereum.org/EIPS/eip-7702"""


def extract(
    transport: Transport, questions: Questions, at: Snapshot, pod_manager: bytes | None
) -> AsyncIterator[Extract]:
    """Yield one extract per account: its code and, for contracts, the control answers.

    ``pod_manager`` is the chain's EigenPodManager, where it has one.
    """

    async def ask(names: Sequence[str], account: bytes) -> tuple[Exchange, ...]:
        return await _ask(transport, names, at, account, pod_manager)

    return asking.extracts(transport, questions, at, DECODER, ask)


async def _ask(
    transport: Transport,
    names: Sequence[str],
    at: Snapshot,
    account: bytes,
    pod_manager: bytes | None,
) -> tuple[Exchange, ...]:
    first = await transport.exchange_any(code_request(account, at), names)
    code = answer_bytes(first)
    if code == b"" and at.canaries:
        return (first, await transport.exchange(_canary_request(at), first.endpoint))
    if isinstance(code, Gap) or not code or code.startswith(DELEGATION):
        return (first,)
    from chains.adapters.eip155.provider import ask_contract  # noqa: PLC0415 - web3 is slow to import

    more = await ask_contract(transport, first.endpoint, at, account, ADMIN_SLOT)
    if pod_manager is not None:
        more += await pods.ask(transport, first.endpoint, at, account, pod_manager)
    return (first, *more)


def decode(
    questions: Questions, extract: Extract, at: Snapshot, pod_manager: bytes | None
) -> Answers:
    """Read the facts of one account."""

    def read(account: bytes, shown: Shown) -> ControlFacts | Gap:
        return _facts(account, shown, at, pod_manager)

    return asking.answers(questions, extract, read)


def _facts(
    account: bytes, shown: Shown, at: Snapshot, pod_manager: bytes | None
) -> ControlFacts | Gap:
    code = shown.answer(code_request(account, at))
    if isinstance(code, Gap):
        return code
    if not code:
        return _plain(shown, at)
    if code.startswith(DELEGATION) and len(code) == len(DELEGATION) + ACCOUNT:
        delegate = _text(code[len(DELEGATION) :])  # the account's own key controls it still
        return ControlFacts(exists=True, notes={"eip7702_delegate": delegate})
    answers: list[bytes | None] = []
    for request in (
        view_request(account, OWNER, at),
        view_request(account, GET_OWNERS, at),
        view_request(account, GET_THRESHOLD, at),
        storage_request(account, ADMIN_SLOT, at),
    ):
        raw = shown.call(request)
        if isinstance(raw, Gap):
            return raw
        answers.append(raw)
    owner, owners, threshold, admin = answers
    pod = None if pod_manager is None else pods.read(account, shown, at, pod_manager)
    if isinstance(pod, Gap):
        return pod
    ways = (_safe(owners, threshold) or _owner(owner), pod)
    proxy_admin = _address(admin)
    return ControlFacts(
        exists=True,
        ways=tuple(way for way in ways if way is not None),
        notes={"eip1967_admin": proxy_admin} if proxy_admin else {},
    )


def _plain(shown: Shown, at: Snapshot) -> ControlFacts | Gap:
    """Read what stands beside "no code": only who shows the canary is believed to hold state."""
    canary = shown.exchange(_canary_request(at)) if at.canaries else None
    if canary is None:
        return ControlFacts(exists=False)
    units = pinning.balance_of(canary)
    if isinstance(units, Gap):
        return Gap("zero-without-canary", retryable=True, detail="the canary got no answer")
    if str(units) != at.detail.get("canary_units", str(units)) or not units:
        return Gap("canary-wrong", retryable=True, detail=f"the canary has {units} wei")
    return ControlFacts(exists=False, plain=True)


def _canary_request(at: Snapshot) -> Request:
    return pinning.balance_request(bytes.fromhex(at.canaries[0]), at.block_hash)


def _address(raw: bytes | None) -> str | None:
    """Read one ABI ``address``; ``None`` when the word is no address or names nobody."""
    address = address_word(raw)
    return None if address is None else _text(address)


def _owner(raw: bytes | None) -> Authority | None:
    owner = _address(raw)
    return Authority(kind="contract-owner", threshold=1, weights={owner: 1}) if owner else None


def _safe(owners: bytes | None, threshold: bytes | None) -> Authority | None:
    """Read a Safe's answers; ``None`` unless both make sense together."""
    if owners is None or threshold is None:
        return None
    try:
        (texts,) = abi.decode(["address[]"], owners)
        (needed,) = abi.decode(["uint256"], threshold)
    except (DecodingError, OverflowError):
        return None
    if not 1 <= needed <= len(texts):
        return None
    weights = {str(text).lower(): 1 for text in texts}
    return Authority(kind="safe-owners", threshold=needed, weights=weights)


def _text(raw: bytes) -> str:
    return "0x" + raw.hex()
