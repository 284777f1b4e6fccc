"""A small TRON full node: the wallet HTTP API over a ledger with history.

The ledger is given as balances at a height. Each account last changed in some earlier block
(derived from its address), unless ``history`` lists its changes. In every block a treasury
pays 1 TRX to a till, so that each block has a transfer to take a canary from.

``history_flag=False`` is the dangerous node: it answers balance 0 and echoes the block.
``recorded_since`` is the node whose flag was switched on late. Like java-tron it leaves out
fields that hold their default value, a balance of 0 among them (``prints_zeros`` changes
that). Answers follow
https://tronprotocol.github.io/documentation-en/api/http/ in names, types and units.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.simulated.node import Faults, SimulatedNode, json_response

START_MS = 1_530_000_000_000
BLOCK_MS = 3_000
SPREAD = 5_000
"""Accounts without a given history changed last within this many blocks below the height."""
SOLID_DEPTH = 19
TREASURY = sha256(b"simulated TRON treasury").digest()[:20]
TILL = sha256(b"simulated TRON till").digest()[:20]
TREASURY_SUN = 10**17
TILL_SUN = 10**9
PAYMENT_SUN = 10**6

ACTIVE_OPERATIONS = "7fff1fc0033efb0f" + 24 * "00"
"""Spec: https://tronprotocol.github.io/documentation-en/api/http/account/getaccount/"""

_Asked = Mapping[str, Any]
_SOLIDITY = "/walletsolidity/"
_HEX = re.compile(r"41[0-9a-f]{40}\Z")
_JSON_ERROR = "class org.tron.json.JSONException : syntax error"
_ARGUMENT = "class java.lang.IllegalArgumentException : "


class SimulatedTron(SimulatedNode):
    """A node whose knobs are plain attributes; amounts in sun, accounts as 20 bytes.

    ``head`` is the newest block (``height`` + 100 unless given); the newest solidified one
    lies 19 below. ``history`` maps an account to its (block, balance after it) changes in
    ascending order and overrides ``balances``. ``created`` maps accounts to their creation
    time in milliseconds. ``contracts`` are accounts of type Contract. ``operated`` maps accounts
    to the block of their last own transaction, ``head_state`` to further fields of their account
    as it is now (permissions, stakes). ``contradict`` adds to every positive answer, so that two
    nodes disagree. ``stale_head`` is the head of a lagging node behind the same address.
    """

    def __init__(
        self,
        height: int,
        balances: Mapping[bytes, int],
        *,
        head: int | None = None,
        history: Mapping[bytes, Sequence[tuple[int, int]]] | None = None,
        created: Mapping[bytes, int] | None = None,
        contracts: Collection[bytes] = (),
        seed: str = "tron",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.height = height
        self.start_ms = START_MS
        self.balances = balances
        self.head = height + 100 if head is None else head
        self.history = dict(history or {})
        self.created = dict(created or {})
        self.contracts = frozenset(contracts)
        self.operated: dict[bytes, int] = {}
        self.head_state: dict[bytes, dict[str, Any]] = {}
        self.stale_head: int | None = None
        self.seed = seed
        self.history_flag = True
        self.recorded_since = 0
        self.zero_for_everything = False
        self.contradict = 0
        self.prints_zeros = False
        self.empty_blocks = False
        self.serves_solidity = True
        self.fail_with = ""
        self.calls: dict[str, int] = {}
        self._methods: dict[str, Callable[[_Asked], web.Response]] = {
            "/wallet/getblockbynum": self._by_number,
            "/walletsolidity/getblockbynum": self._by_number,
            "/wallet/getnowblock": lambda _: json_response(self._block(self.shown_head)),
            "/walletsolidity/getnowblock": lambda _: json_response(self._block(self.solid_head)),
            "/wallet/getaccountbalance": self._balance,
            "/wallet/getaccount": self._account,
        }

    @property
    def solid_head(self) -> int:
        """The newest solidified block."""
        return max(0, self.head - SOLID_DEPTH)

    @property
    def shown_head(self) -> int:
        """The block that ``getnowblock`` names."""
        return self.head if self.stale_head is None else self.stale_head

    @property
    def genesis(self) -> str:
        """The id of block 0."""
        return self.block_id(0)

    def block_id(self, number: int) -> str:
        """Return the id of a block: its number in eight bytes, then a hash."""
        digest = sha256(f"{self.seed} {number}".encode()).hexdigest()
        return f"{number:016x}{digest[16:]}"

    def block_time_ms(self, number: int) -> int:
        """Return the time of a block in milliseconds."""
        return self.start_ms + BLOCK_MS * number if number else 0

    def changes(self, account: bytes) -> Sequence[tuple[int, int]]:
        """Return (block, balance after it) of an account, ascending."""
        if account in self.history:
            return self.history[account]
        units = self.balances.get(account)
        if not units:
            return ()
        last = max(1, self.height - int.from_bytes(account[-4:], "big") % SPREAD)
        return ((last, units),)

    def record(self, account: bytes, number: int) -> tuple[int, int] | None:
        """Return (block, balance) of the last change up to ``number``."""
        if number and account == TREASURY:
            return number, TREASURY_SUN - number * PAYMENT_SUN
        if number and account == TILL:
            return number, TILL_SUN + number * PAYMENT_SUN
        changes = self.changes(account)
        at = bisect_right(changes, number, key=lambda change: change[0])
        return changes[at - 1] if at else None

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one call of the wallet API."""
        self.calls[request.path] = self.calls.get(request.path, 0) + 1
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
        except msgspec.DecodeError:
            return _error(_JSON_ERROR)
        if self.fail_with:
            return _error(self.fail_with)
        method = self._methods.get(request.path)
        if method is None or (request.path.startswith(_SOLIDITY) and not self.serves_solidity):
            return web.Response(status=404, text="<html><body>404 Not Found</body></html>")
        return method(asked)

    def _by_number(self, asked: _Asked) -> web.Response:
        number = asked.get("num", 0)
        known = isinstance(number, int) and 0 <= number <= self.head
        return json_response(self._block(number) if known else {})

    def _block(self, number: int) -> dict[str, Any]:
        raw: dict[str, Any] = {
            "number": number,
            "txTrieRoot": sha256(f"transactions {number}".encode()).hexdigest(),
            "witness_address": _hex(TREASURY),
            "parentHash": self.block_id(number - 1) if number else "00" * 32,
            "version": 34,
            "timestamp": self.block_time_ms(number),
        }
        if not number:
            raw = {key: value for key, value in raw.items() if value}
        block: dict[str, Any] = {
            "blockID": self.block_id(number),
            "block_header": {"raw_data": raw, "witness_signature": "00" * 65},
        }
        if number and not self.empty_blocks:
            block["transactions"] = [_payment(number, self.start_ms)]
        return block

    def _balance(self, asked: _Asked) -> web.Response:
        block, account = asked.get("block_identifier"), asked.get("account_identifier")
        if not isinstance(account, dict):
            return _error(_ARGUMENT + "account_identifier is null")
        if not isinstance(block, dict):
            return _error(_ARGUMENT + "block_identifier null")
        address, number, named = account.get("address"), block.get("number", 0), block.get("hash")
        if not isinstance(address, str) or not _HEX.match(address):
            return _error(_ARGUMENT + "account_identifier address is null")
        if not isinstance(number, int) or number > self.head:
            return _error(
                "class org.tron.core.exception.ItemNotFoundException : "
                f"number: {number} is not found!"
            )
        if named != self.block_id(number):
            return _error(_ARGUMENT + "number and hash do not match")
        found = self.record(bytes.fromhex(address)[1:], number) if self.history_flag else None
        if found is None or found[0] < self.recorded_since or self.zero_for_everything:
            found = (number, 0)
        at, units = found
        units += self.contradict if units else 0
        answer: dict[str, Any] = {"balance": units}
        if not units and not self.prints_zeros:
            del answer["balance"]
        answer["block_identifier"] = {"hash": self.block_id(at), "number": at}
        return json_response(answer)

    def _account(self, asked: _Asked) -> web.Response:
        address = asked.get("address")
        if not isinstance(address, str) or not _HEX.match(address):
            return json_response({})
        account = bytes.fromhex(address)[1:]
        found = self.record(account, self.head)
        if found is None and account not in self.created:
            return json_response({})
        answer: dict[str, Any] = {"address": address}
        if account in self.contracts:
            answer["type"] = "Contract"
        if found is not None and found[1]:
            answer["balance"] = found[1]
        first = self.changes(account)[0][0] if self.changes(account) else 1
        answer["create_time"] = self.created.get(account, self.block_time_ms(first - 1))
        if not answer["create_time"]:
            del answer["create_time"]
        if account in self.operated:
            answer["latest_opration_time"] = self.block_time_ms(self.operated[account] - 1)
        if account not in self.contracts:
            answer |= _own_permissions(address)
        return json_response(answer | self.head_state.get(account, {}))


def _own_permissions(address: str) -> dict[str, Any]:
    """Return the permissions of an account that never changed them."""
    keys = [{"address": address, "weight": 1}]
    active = {
        "type": "Active",
        "id": 2,
        "permission_name": "active",
        "threshold": 1,
        "operations": ACTIVE_OPERATIONS,
        "keys": keys,
    }
    owner = {"permission_name": "owner", "threshold": 1, "keys": keys}
    return {"owner_permission": owner, "active_permission": [active]}


def _payment(number: int, start_ms: int) -> dict[str, Any]:
    """Return the one transaction of a block: the treasury pays the till."""
    return {
        "ret": [{"contractRet": "SUCCESS"}],
        "signature": ["00" * 65],
        "txID": sha256(f"payment {number}".encode()).hexdigest(),
        "raw_data": {
            "contract": [
                {
                    "parameter": {
                        "value": {
                            "amount": PAYMENT_SUN,
                            "owner_address": _hex(TREASURY),
                            "to_address": _hex(TILL),
                        },
                        "type_url": "type.googleapis.com/protocol.TransferContract",
                    },
                    "type": "TransferContract",
                }
            ],
            "ref_block_bytes": "0000",
            "ref_block_hash": "0000000000000000",
            "expiration": start_ms + BLOCK_MS * (number + 20),
            "timestamp": start_ms + BLOCK_MS * number,
        },
        "raw_data_hex": "",
    }


def _hex(account: bytes) -> str:
    return "41" + account.hex()


def _error(text: str) -> web.Response:
    return json_response({"Error": text})
