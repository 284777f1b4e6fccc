"""Who controls an account that has code: contract owner, Safe owners, proxy admin.

A contract that has no such function reverts or answers nothing: it shows nobody. An endpoint that
fails is a ``Gap``, never nobody. An account without code is controlled by its key alone: nothing
exists there in the sense of ``ControlFacts``. The EIP-1967 admin is noted and decides nothing.

web3 builds and sends the contract calls (``provider``); reading them back is pure and uses
only the ABI codec.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from eth_abi import abi
from eth_abi.exceptions import DecodingError

from chains.adapters.eip155.endpoints import concurrency, primaries
from chains.adapters.eip155.programs import WORD
from chains.adapters.eip155.reading import (
    UNSENT,
    code_request,
    find,
    reason_unsent,
    storage_request,
    view_request,
)
from chains.adapters.eip155.refusals import refine
from chains.adapters.eip155.ways import answer_bytes
from chains.control import Authority, ControlFacts, encode
from chains.model import (
    Answers,
    Exchange,
    Extract,
    Gap,
    Method,
    Questions,
    Request,
    Snapshot,
    Source,
    Transport,
    all_gaps,
)

DECODER = "control"
OWNER = "8da5cb5b"
GET_OWNERS = "a0e67e2b"
GET_THRESHOLD = "e75235b8"
ADMIN_SLOT = 0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103
"""``keccak256("eip1967.proxy.admin") - 1``. Spec: https://eips.ethereum.org/EIPS/eip-1967"""
DELEGATION = bytes.fromhex("ef0100")
"""Code of a key's account that delegates. Spec: https://eips.ethereum.org/EIPS/eip-7702"""


async def extract(
    transport: Transport, questions: Questions, at: Snapshot
) -> AsyncIterator[Extract]:
    """Yield one extract per account: its code and, for contracts, the control answers."""
    names = primaries(transport, at.endpoints)
    if not names:
        for position, account in enumerate(questions.accounts):
            exchange = await transport.exchange_any(code_request(account, at), ())
            yield Extract(positions=[position], decoder=UNSENT, exchanges=(exchange,))
        return
    at_once = sum(concurrency(transport, name) for name in names)
    waiting = iter(enumerate(questions.accounts))
    done: asyncio.Queue[Extract | None] = asyncio.Queue()

    async def work() -> None:
        try:
            for position, account in waiting:
                exchanges = await _ask(transport, names, at, account)
                done.put_nowait(Extract(positions=[position], decoder=DECODER, exchanges=exchanges))
        finally:
            done.put_nowait(None)

    left = min(at_once, len(questions.accounts))
    tasks = [asyncio.create_task(work()) for _ in range(left)]
    try:
        while left:
            result = await done.get()
            if result is None:
                left -= 1
            else:
                yield result
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(
    transport: Transport, names: Sequence[str], at: Snapshot, account: bytes
) -> tuple[Exchange, ...]:
    first = await transport.exchange_any(code_request(account, at), names)
    code = answer_bytes(first)
    if isinstance(code, Gap) or not code or code.startswith(DELEGATION):
        return (first,)
    from chains.adapters.eip155.provider import ask_contract  # noqa: PLC0415 - web3 is slow to import

    more = await ask_contract(transport, first.endpoint, at, account, ADMIN_SLOT)
    return (first, *more)


def decode(questions: Questions, extract: Extract, at: Snapshot) -> Answers:
    """Read the facts of one account."""
    if extract.decoder == UNSENT:
        return all_gaps(extract, reason_unsent(extract))
    account = questions.accounts[extract.positions[0]]
    endpoint = extract.exchanges[0].endpoint
    facts = _facts(account, extract.exchanges, at)
    if isinstance(facts, Gap):
        return all_gaps(extract, facts, endpoint)
    own = all(exchange.own_node for exchange in extract.exchanges)
    return Answers(
        positions=extract.positions,
        units=[0] * len(extract.positions),
        source=Source.OWN_NODE if own else Source.SINGLE,
        method=Method.STATE,
        endpoint=endpoint,
        facts={0: encode(facts)},
    )


def _facts(account: bytes, exchanges: Sequence[Exchange], at: Snapshot) -> ControlFacts | Gap:
    code = _bytes(exchanges, code_request(account, at))
    if isinstance(code, Gap):
        return code
    if not code:
        return ControlFacts(exists=False)
    if code.startswith(DELEGATION) and len(code) == len(DELEGATION) + 20:
        delegate = _text(code[len(DELEGATION) :])  # the account's own key controls it still
        return ControlFacts(exists=True, notes={"eip7702_delegate": delegate})
    answers: list[bytes | None] = []
    for request in (
        view_request(account, OWNER, at),
        view_request(account, GET_OWNERS, at),
        view_request(account, GET_THRESHOLD, at),
        storage_request(account, ADMIN_SLOT, at),
    ):
        raw = _bytes(exchanges, request)
        if isinstance(raw, Gap) and raw.reason != "call-failed":
            return raw
        answers.append(None if isinstance(raw, Gap) else raw)
    owner, owners, threshold, admin = answers
    way = _safe(owners, threshold) or _owner(owner)
    proxy_admin = _address(admin)
    return ControlFacts(
        exists=True,
        ways=(way,) if way else (),
        notes={"eip1967_admin": proxy_admin} if proxy_admin else {},
    )


def _bytes(exchanges: Sequence[Exchange], request: Request) -> bytes | Gap:
    found = find(exchanges, request)
    if found is None:
        return Gap("not-answered", detail="a question is missing")
    raw = answer_bytes(found)
    return refine(raw) if isinstance(raw, Gap) else raw


def _address(raw: bytes | None) -> str | None:
    """Read one ABI ``address``; ``None`` when the word is no address or names nobody."""
    if raw is None or len(raw) != WORD or any(raw[:12]) or not any(raw):
        return None
    return _text(raw[12:])


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
