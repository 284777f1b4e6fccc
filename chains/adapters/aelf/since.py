"""What happened between the pinned block and the node's head: whose balances cannot have changed.

The node reads balances at its head and keeps no older ones. But every change of a balance fires an
event of the token contract that names the account (``Transferred``, ``Burned``, ``Issued``,
``CrossChainTransferred``, ``CrossChainReceived``, ``TransactionFeeCharged``, ``RentalCharged``,
``ResourceTokenClaimed``, ``TransactionFeeClaimed``). An account that no event in these blocks
names, and that sent none of their transactions, holds at the head what it held at the pinned
block. What an account was moved by is not summed up: it is a gap. All transactions of all blocks
are looked at; the bloom filters of headers are not relied on, because the documented ones do not
hold what was fired.

The blocks have to link up, from the pinned one to the head that the node stood at afterwards.
Source: AElfProject/AElf contract/AElf.Contracts.MultiToken (all callers of ModifyBalance)
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chains.adapters.aelf import calls, protobuf, wire
from chains.model import Exchange, Gap, Request

MOST_BLOCKS = 1000
"""About eight minutes: blocks between the pinned one and the head."""
MOST_PAGES = 5000
"""Answers with transactions of these blocks, 100 in each."""
TOO_FAR = Gap(
    "no-history",
    detail="the node's head is too far past the block; capture at the height, or a node that was "
    "stopped at it, would answer",
)
UNASKED = Gap("not-answered", retryable=True, detail="the batch broke off before this question")
_FEE = "TransactionFeeCharged"
_PAYER = 3
"""Source: AElfProject/AElf protobuf/transaction_fee.proto (chargingAddress)"""

Own = Mapping[Request, Exchange]


class Since(msgspec.Struct, frozen=True):
    """What the blocks after the pinned one say: ``blocks`` of them, and the accounts named."""

    blocks: int
    named: bytes = b""

    def touched(self, account: bytes) -> bool:
        """Tell whether an account's balance may have changed."""
        return account in self.named


def blocks_requests(height: int, best: int) -> list[Request]:
    """Ask for the blocks after the pinned one."""
    return [wire.block_request(number) for number in range(height + 1, best + 1)]


def results_requests(own: Own, height: int, best: int) -> list[Request]:
    """Ask for the transactions of these blocks; for none where there are too many."""
    asked: list[Request] = []
    if too_far(own, height, best):
        return asked
    for number in range(height + 1, best + 1):
        block = _block(own, number)
        if isinstance(block, wire.Block):
            asked += _pages(block)
    return asked


def too_far(own: Own, height: int, best: int) -> bool:
    """Tell whether there are more blocks than are asked for, or more transactions in them."""
    if best - height > MOST_BLOCKS:
        return True
    blocks = (_block(own, number) for number in range(height + 1, best + 1))
    counts = (len(_pages(block)) for block in blocks if isinstance(block, wire.Block))
    return sum(counts) > MOST_PAGES


def read(
    own: Own, at: tuple[int, str], before: wire.Status, after: wire.Status, token: bytes
) -> Since | Gap:
    """Read what happened after the pinned block ``at`` (height and hash).

    ``before`` and ``after`` are where the node stood around the reading of balances.
    """
    height, parent = at
    named: list[bytes] = []
    for number in range(height + 1, after.best + 1):
        block = _block(own, number)
        if isinstance(block, Gap):
            return block
        if block.parent != parent:
            return Gap("wrong-block", retryable=True, detail=f"block {number} has another parent")
        parent = block.named
        if number == before.best and parent != before.best_hash:
            return Gap("wrong-block", retryable=True, detail="the head is not of this branch")
        found = _named(own, block, token)
        if isinstance(found, Gap):
            return found
        named += found
    if parent != after.best_hash:
        return Gap("wrong-block", retryable=True, detail=f"its head is {after.best_hash}")
    return Since(after.best - height, b" ".join(named))


def _block(own: Own, number: int) -> wire.Block | Gap:
    exchange = own.get(wire.block_request(number))
    return UNASKED if exchange is None else wire.read_block(exchange, number)


def _named(own: Own, block: wire.Block, token: bytes) -> list[bytes] | Gap:
    """Return bytes that contain every account whose balance a block may have changed."""
    results: list[wire.Result] = []
    for request in _pages(block):
        exchange = own.get(request)
        page = UNASKED if exchange is None else wire.read_results(exchange, block)
        if isinstance(page, Gap):
            return page
        results += page
    if len(results) != block.transactions:
        return Gap("malformed-answer", retryable=True, detail="transactions of a block are missing")
    named: list[bytes] = []
    for result in results:
        named += [result.sender, *(event.fields for event in result.events)]
        if any(_is_unnamed_fee(event, token) for event in result.events):
            return Gap("no-history", detail="a fee was charged to an account that is not named")
    return named


def _is_unnamed_fee(event: wire.Event, token: bytes) -> bool:
    """Tell whether an event says that a fee was paid and not by whom, as older contracts did."""
    if event.contract != token or event.name != _FEE:
        return False
    try:
        payer = protobuf.one_bytes(protobuf.parse(event.fields), _PAYER)
    except ValueError:
        return True
    return len(payer) != len(calls.message(bytes(wire.ADDRESS_BYTES)))


def _pages(block: wire.Block) -> list[Request]:
    offsets = range(0, block.transactions, wire.PAGE)
    return [wire.results_request(block.named, offset) for offset in offsets]
