"""Balances once more, each with a Merkle proof from the pinned block's own name down to it.

Every link of the chain is recomputed here, offline: the pinned hash is the Keccak-256 of the
header; the header holds the state root; the account proof leads from there to the account's balance
or, for a token, to its contract's storage root; the storage proof leads on to the word that is the
holder's balance. A proof of absence is a zero.

``proof`` is claimed where an endpoint other than the one that gave the proof named the pinned hash:
then the anchor does not come from whom it is to check. One endpoint alone could make up a block
with its header and state; its proofs are only ``state``.

Tokens: only those whose storage ``params.balance_slots`` describes. That the word there is what
``balanceOf`` answers is the recount's comparison, row by row; and a word of zero counts only where
a word of the same answer is not, since an unused place of the storage is always zero.

Spec: https://eips.ethereum.org/EIPS/eip-1186
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from chains import flow, jsonrpc
from chains.adapter import Transport
from chains.adapters.eip155 import headers, rlp, trie
from chains.adapters.eip155.endpoints import batch_limit, concurrency, primaries
from chains.adapters.eip155.programs import block_object
from chains.adapters.eip155.reading import UNSENT, find, reason_unsent
from chains.adapters.eip155.refusals import refine, too_large
from chains.adapters.eip155.trie import Unproven, keccak
from chains.adapters.eip155.ways import BalanceSlot, Quirks
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
    all_gaps,
)
from chains.pinning import is_anchored
from chains.words import WORD

DECODER = "proof"
BATCH = 50
"""Accounts per request: 5 to 10 kB each."""
ACCOUNT_FIELDS = 4
"""Nonce, balance, storage root, code hash."""

NO_ANCHOR = Gap("proof-no-anchor", detail="the header's fields do not hash to the pinned block")
NO_SLOT = Gap("asset-unsupported", detail="where this token keeps its balances is not configured")
UNUSED = Gap("zero-without-canary", detail="no word of this answer shows that balances are there")


class Proven(msgspec.Struct, frozen=True):
    """An account as its proof shows it: balance in wei, root of its storage."""

    balance: int
    storage_root: bytes


def header_request(at: Snapshot) -> Request:
    """Ask for the pinned block's header by its hash.

    Spec: https://ethereum.github.io/execution-apis/
    """
    return jsonrpc.call("eth_getBlockByHash", [at.block_hash, False])


def native_request(accounts: Sequence[bytes], at: Snapshot) -> Request:
    """Ask for the proofs of accounts; ids are positions.

    Spec: https://eips.ethereum.org/EIPS/eip-1186
    """
    members = [_call(i, account, (), at.block_hash) for i, account in enumerate(accounts)]
    return Request(body=b"[" + b",".join(members) + b"]")


def token_request(token: bytes, slots: Sequence[bytes], at: Snapshot) -> Request:
    """Ask for the proofs of several words of a contract's storage.

    Spec: https://eips.ethereum.org/EIPS/eip-1186
    """
    return Request(body=_call(0, token, slots, at.block_hash))


def _call(identity: int, account: bytes, slots: Sequence[bytes], block_hash: str) -> bytes:
    keys = ",".join(f'"0x{slot.hex()}"' for slot in slots)
    head = f'{{"jsonrpc":"2.0","id":{identity},"method":"eth_getProof","params":["0x'
    return f'{head}{account.hex()}",[{keys}],'.encode() + block_object(block_hash) + b"]}"


def slot_of(account: bytes, where: BalanceSlot) -> bytes:
    """Return the place of an account's balance in the token's storage.

    Spec: https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html
    """
    key, base = account.rjust(WORD, b"\0"), where.slot.to_bytes(WORD, "big")
    return keccak(base + key if where.vyper else key + base)


class _Asking(msgspec.Struct, frozen=True):
    """Whose balances of what are to be proven; ``token`` is ``None`` for the native coin."""

    quirks: Quirks
    questions: Questions
    at: Snapshot
    token: bytes | None

    @property
    def is_configured(self) -> bool:
        """Whether it is known where the balances are kept."""
        return self.token is None or self.token in self.quirks.balance_slots

    def accounts(self, piece: Sequence[int]) -> list[bytes]:
        """Return the accounts at these positions."""
        return [self.questions.accounts[position] for position in piece]

    def request(self, piece: Sequence[int]) -> Request:
        """Build the request for the proofs of one piece."""
        accounts = self.accounts(piece)
        if self.token is None:
            return native_request(accounts, self.at)
        where = self.quirks.balance_slots[self.token]
        holders = _asked(self.quirks, self.token, accounts)
        return token_request(self.token, [slot_of(one, where) for one in holders], self.at)


async def extract(
    transport: Transport, quirks: Quirks, questions: Questions, at: Snapshot, token: bytes | None
) -> AsyncIterator[Extract]:
    """Yield one extract per piece: the proofs and the header, all of one endpoint."""
    names = primaries(transport, at.endpoints)
    every = list(range(len(questions.accounts)))
    asking = _Asking(quirks, questions, at, token)
    if not asking.is_configured:
        yield Extract(positions=every, decoder=DECODER, exchanges=())
        return
    if not names:
        unsent = await transport.exchange_any(header_request(at), ())
        yield Extract(positions=every, decoder=UNSENT, exchanges=(unsent,))
        return
    limits = [limit for limit in (batch_limit(transport, name) for name in names) if limit]
    size = min([BATCH, *limits])
    jobs = (
        partial(_ask, transport, names, asking, every[start : start + size])
        for start in range(0, len(every), size)
    )
    slots = sum(concurrency(transport, name) for name in names)
    async for found in flow.in_window(jobs, max(1, slots)):
        for one in found:
            yield one


async def _ask(
    transport: Transport, names: Sequence[str], asking: _Asking, positions: Sequence[int]
) -> list[Extract]:
    """Ask for one piece; what is too much at once is halved."""
    done = []
    pieces = deque([positions])
    while pieces:
        piece = pieces.popleft()
        answer = await transport.exchange_any(asking.request(piece), names)
        if len(piece) > 1 and _is_too_large(answer):
            middle = len(piece) // 2
            pieces.extendleft([piece[middle:], piece[:middle]])
            continue
        exchanges = [answer]
        if not answer.failure:
            header = header_request(asking.at)
            exchanges.append(await transport.exchange(header, answer.endpoint))
        done.append(Extract(positions=piece, decoder=DECODER, exchanges=tuple(exchanges)))
    return done


def _asked(quirks: Quirks, token: bytes, accounts: Sequence[bytes]) -> list[bytes]:
    """Return the holders of one request: the token's canary, where there is one, is the last."""
    canary = quirks.token_canaries.get(token)
    return [*accounts, *([] if canary is None else [canary])]


def _is_too_large(exchange: Exchange) -> bool:
    answer = jsonrpc.result(exchange)
    if isinstance(answer, Gap):
        return too_large(answer)
    members = jsonrpc.results(exchange, 1) if exchange.body[:1] == b"[" else []
    return any(isinstance(one, Gap) and too_large(one) for one in members)


def decode(
    quirks: Quirks, questions: Questions, extract: Extract, at: Snapshot, token: bytes | None
) -> Answers:
    """Follow every proof of one piece. Pure."""
    asking = _Asking(quirks, questions, at, token)
    if not asking.is_configured:
        return all_gaps(extract, NO_SLOT)
    if extract.decoder == UNSENT:
        return all_gaps(extract, reason_unsent(extract))
    main = find(extract.exchanges, asking.request(extract.positions))
    if main is None:
        return all_gaps(extract, Gap("not-answered", detail="no exchange asks these proofs"))
    root = jsonrpc.failure(main) or _root(extract, at, main.endpoint)
    if isinstance(root, Gap):
        return all_gaps(extract, root, main.endpoint)
    accounts = asking.accounts(extract.positions)
    if token is None:
        members = jsonrpc.results(main, len(accounts))
        read = [_native(root, *pair) for pair in zip(accounts, members, strict=True)]
    else:
        read = _holdings(root, token, accounts, jsonrpc.result(main), quirks)
    gaps = {i: one for i, one in enumerate(read) if isinstance(one, Gap)}
    return Answers(
        positions=extract.positions,
        units=[None if isinstance(one, Gap) else one for one in read],
        source=Source.OWN_NODE if main.own_node else Source.SINGLE,
        method=Method.PROOF if is_anchored(at, main.endpoint) else Method.STATE,
        endpoint=main.endpoint,
        gaps=gaps,
    )


def _root(extract: Extract, at: Snapshot, endpoint: str) -> bytes | Gap:
    """Return the state root of the pinned block, from a header that hashes to its name."""
    header = find(extract.exchanges, header_request(at), endpoint)
    block = Gap("not-answered") if header is None else jsonrpc.result(header)
    if isinstance(block, Gap):
        return refine(block)
    return headers.state_root(block, at.block_hash) or NO_ANCHOR


def _native(root: bytes, account: bytes, answer: Any) -> int | Gap:
    if isinstance(answer, Gap):
        return refine(answer)
    try:
        proven = _account(root, account, answer)
    except Unproven as error:
        return _wrong(error)
    return _said(answer.get("balance"), proven.balance)


def _holdings(
    root: bytes, token: bytes, accounts: Sequence[bytes], answer: Any, quirks: Quirks
) -> list[int | Gap]:
    """Read the words of a token's storage that are the holders' balances."""
    if isinstance(answer, Gap):
        return [refine(answer)] * len(accounts)
    try:
        storage = _account(root, token, answer).storage_root
        words = _words(answer)
    except Unproven as error:
        return [_wrong(error)] * len(accounts)
    where = quirks.balance_slots[token]
    asked = _asked(quirks, token, accounts)
    read = [_word(storage, slot_of(one, where), words, where) for one in asked]
    used = any(isinstance(one, int) and one for one in read)
    return [UNUSED if one == 0 and not used else one for one in read[: len(accounts)]]


def _account(root: bytes, account: bytes, answer: Any) -> Proven:
    """Follow an account proof; raises ``Unproven``."""
    nodes = _nodes(answer.get("accountProof") if isinstance(answer, dict) else None)
    value = trie.look_up(root, keccak(account), nodes)
    if value is None:
        return Proven(0, trie.EMPTY_ROOT)
    try:
        decoded = rlp.decode(value)
        fields = decoded if isinstance(decoded, list) else []
        balance = rlp.quantity(fields[1])
    except (ValueError, IndexError) as error:
        raise Unproven(f"what stands for the account: {error}") from error
    storage_root = fields[2] if len(fields) == ACCOUNT_FIELDS else b""
    if not isinstance(storage_root, bytes) or len(storage_root) != WORD:
        raise Unproven("what stands for the account has not its four fields")
    return Proven(balance, storage_root)


def _words(answer: Mapping[str, Any]) -> Mapping[int, Mapping[str, Any]]:
    """Index storage proofs by their slot: nodes write it with or without leading zeros."""
    found = {}
    listed = answer.get("storageProof")
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and isinstance(one.get("key"), str):
            try:
                found[int(one["key"], 16)] = one
            except ValueError as error:
                raise Unproven("a storage proof without its slot") from error
    return found


def _word(
    storage: bytes, slot: bytes, words: Mapping[int, Mapping[str, Any]], where: BalanceSlot
) -> int | Gap:
    answer = words.get(int.from_bytes(slot, "big"))
    if answer is None:
        return Gap("proof-wrong", retryable=True, detail="the proof of this word is missing")
    try:
        raw = trie.look_up(storage, keccak(slot), _nodes(answer.get("proof")))
        word = 0 if raw is None else rlp.quantity(rlp.decode(raw))
    except Unproven as error:
        return _wrong(error)
    except ValueError as error:
        return _wrong(Unproven(f"what stands for the word: {error}"))
    said = _said(answer.get("value"), word)
    return said if isinstance(said, Gap) else word & ((1 << where.bits) - 1)


def _nodes(listed: Any) -> Mapping[bytes, bytes]:
    """Read a list of nodes in hex; raises ``Unproven``."""
    if not isinstance(listed, list):
        raise Unproven("no list of nodes")
    try:
        return trie.by_hash(bytes.fromhex(text[2:]) for text in listed[: trie.MOST_NODES + 1])
    except (KeyError, TypeError, ValueError) as error:
        raise Unproven("a node that is no hex text") from error


def _said(text: Any, proven: int) -> int | Gap:
    """Return what is proven; a ``Gap`` where the same answer states another number beside it."""
    try:
        said = int(text, 16)
    except (TypeError, ValueError):
        return Gap("malformed-answer", retryable=True, detail="the answer states no number")
    if said != proven:
        return Gap("proof-contradicts", detail=f"stated {said}, proven {proven}")
    return proven


def _wrong(error: Unproven) -> Gap:
    return Gap(error.code, retryable=True, detail=str(error)[:200])
