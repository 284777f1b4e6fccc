"""A small Hedera mirror node: its REST API over snapshots of balances and transactions.

``balances`` are tinybars at the snapshot by account text (``0.0.n``); accounts that are neither
there nor in ``accounts`` do not exist. ``moves`` are (time, account, tinybars) of later
transactions. ``keys`` maps accounts to the key object of the API. The treasury ``0.0.2`` has a
balance, and every block one transaction that names nobody else.

Dangerous knobs: ``zero_for_everything``; ``no_snapshot`` (the balance of another time); ``missing``
(nothing exists but the treasury); ``another_snapshot`` (the node has a later one than at the pin);
``no_transactions`` (the lists are empty); ``starts_at`` (a mirror that begins with a later block).
Answers follow https://github.com/hiero-ledger/hiero-mirror-node (rest/api/v1/openapi.yml).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha384
from typing import Any

from aiohttp import web

from chains.simulated.node import Faults, SimulatedNode, json_response

START = 1_568_411_631 * 10**9
BLOCK_NS = 2 * 10**9
SNAPSHOT_NS = 15 * 60 * 10**9
TREASURY, TREASURY_UNITS = "0.0.2", 5 * 10**17
MOST = 100
_TIMES = re.compile(r"(gte|gt|lte|lt):(\d+)\.(\d{9})\Z")


class SimulatedHedera(SimulatedNode):
    """A node whose knobs are plain attributes; amounts in tinybars."""

    def __init__(
        self,
        height: int,
        balances: Mapping[str, int],
        *,
        moves: Sequence[tuple[int, str, int]] = (),
        keys: Mapping[str, Any] | None = None,
        deleted: Collection[str] = (),
        seed: str = "hedera",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.height = height
        self.newest = height + 20
        self.balances = {TREASURY: TREASURY_UNITS, **balances}
        self.moves = list(moves)
        self.keys = dict(keys or {})
        self.deleted = frozenset(deleted)
        self.seed = seed
        self.zero_for_everything = False
        self.no_snapshot = False
        self.missing = False
        self.another_snapshot = False
        self.no_transactions = False
        self.names_another_block = False
        self.starts_at = 0

    @property
    def genesis(self) -> str:
        """The hash of block 0."""
        return self.block_hash(0)

    def block_hash(self, number: int) -> str:
        """Return the hash of a block."""
        shift = 1 if self.names_another_block and number else 0
        return "0x" + sha384(f"{self.seed} {number + shift}".encode()).hexdigest()

    def span(self, number: int) -> tuple[int, int]:
        """Return the times of the first and the last transaction of a block."""
        return START + number * BLOCK_NS, START + (number + 1) * BLOCK_NS - 1

    def snapshot(self, until: int) -> int:
        """Return the time of the last snapshot of balances up to a time."""
        if self.another_snapshot:
            return until - 1
        return max(START, until - (until - START) % SNAPSHOT_NS)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a GET."""
        del body
        path = request.path.removeprefix("/api/v1/")
        kind, _, name = path.partition("/")
        said: dict[str, Any] | None = None
        if kind == "blocks":
            said = self._block(int(name)) if name else {"blocks": [self._block(self.newest)]}
        elif kind == "accounts":
            said = self._account(name, _bounds(request)[1])
        elif kind == "transactions":
            said = self._transactions(request.query.get("account.id"), *_bounds(request))
        if said is None:
            return json_response({"_status": {"messages": [{"message": "Not found"}]}}, 404)
        return json_response(said)

    def _block(self, number: int) -> dict[str, Any] | None:
        if not self.starts_at <= number <= self.newest:
            return None
        first, last = self.span(number)
        return {
            "count": 1,
            "hapi_version": "0.47.0",
            "hash": self.block_hash(number),
            "name": f"{number}.rcd.gz",
            "number": number,
            "previous_hash": self.block_hash(number - 1),
            "timestamp": {"from": _text(first), "to": _text(last)},
        }

    def _account(self, name: str, until: int) -> dict[str, Any] | None:
        born = min((time for time, one, _ in self.moves if one == name), default=None)
        known = name in self.balances or name in self.keys or (born is not None and born <= until)
        if not known or (self.missing and name != TREASURY):
            return None
        units = 0 if self.zero_for_everything else self.balances.get(name, 0)
        shown = until + SNAPSHOT_NS if self.no_snapshot else self.snapshot(until)
        return {
            "account": name,
            "balance": {"balance": units, "timestamp": _text(shown), "tokens": []},
            "deleted": name in self.deleted,
            "key": self.keys.get(name),
            "links": {"next": None},
            "transactions": [],
        }

    def _transactions(self, name: str | None, first: int, last: int) -> dict[str, Any]:
        found = [one for one in self.moves if one[1] == name and first <= one[0] <= last]
        if name is None:
            found = [(first, "0.0.98", 0)]
        found = [] if self.no_transactions else sorted(found)
        return {
            "transactions": [
                {
                    "consensus_timestamp": _text(time),
                    "result": "SUCCESS",
                    "transfers": [
                        {"account": "0.0.98", "amount": -units, "is_approval": False},
                        {"account": account, "amount": units, "is_approval": False},
                    ],
                }
                for time, account, units in found[:MOST]
            ],
            "links": {"next": "/api/v1/transactions?more" if len(found) > MOST else None},
        }


def _bounds(request: web.Request) -> tuple[int, int]:
    """Return the first and the last time that is asked for."""
    first, last = 0, 2**62
    for text in request.query.getall("timestamp", []):
        match = _TIMES.match(text)
        if match is not None:
            time = int(match[2]) * 10**9 + int(match[3])
            if match[1].startswith("g"):
                first = time + (match[1] == "gt")
            else:
                last = time - (match[1] == "lt")
    return first, last


def _text(time: int) -> str:
    return f"{time // 10**9}.{time % 10**9:09d}"
