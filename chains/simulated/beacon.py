"""A small beacon node: the REST API over one chain of slots and one registry of validators.

The registry is the same at every slot; a slot not in ``missed`` has a block, and each block carries
the next execution block, as since the merge. Block roots are real tree hashes of the headers;
states, bodies and parents are made up. Like the real ones the node drops unknown keys from a
list, answers a list in an order of its own, and takes an empty list for all validators.

The dangerous answers are plain attributes. ``drops`` are validators that lists leave out although
the node knows them; ``by_root=False`` finds states by slot only; ``blinded=False`` has no blinded
blocks; ``queues=False`` does not offer the queues of Electra.
Spec: https://ethereum.github.io/beacon-APIs/
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

GENESIS_TIME = 1_606_824_023
SLOT_SECONDS = 12
ANCHOR = (15_537_394, 4_700_013)
"""The merge block and its slot."""
ELECTRA_SLOT = 11_649_024
DEPTH = 64
PROPOSER_INDEX = 7
PROPOSER = sha256(b"simulated proposer").digest() + sha256(b"of every block").digest()[:16]
PROPOSER_GWEI = 32_003_141_592
GWEI = 10**9


class SimulatedValidator(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the registry; ``deposits`` and ``withdrawals`` are queued, in gwei."""

    balance: int
    credentials: str = "0x00" + 31 * "ab"
    status: str = "active_ongoing"
    effective: int = 32 * GWEI
    slashed: bool = False
    deposits: Sequence[int] = ()
    withdrawals: Sequence[int] = ()
    consolidates: bool = False


class SimulatedBeacon(SimulatedNode):
    """A node whose knobs are plain attributes; ``height`` is an execution block.

    ``orphans`` are queued deposits of keys that are in no registry. The finalized block stands
    ``DEPTH`` slots after the one of ``height``. ``genesis_root`` is made up unless given.
    """

    def __init__(
        self,
        height: int,
        validators: Mapping[bytes, SimulatedValidator],
        *,
        missed: Collection[int] = (),
        orphans: Sequence[tuple[bytes, int]] = (),
        genesis_root: str = "",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self._registry = {PROPOSER: SimulatedValidator(balance=PROPOSER_GWEI), **validators}
        self._index = {key: PROPOSER_INDEX + i for i, key in enumerate(self._registry)}
        self.missed = sorted(missed)
        self.orphans = orphans
        self._genesis_root = genesis_root
        self.seed = "beacon"
        self.branch = 0
        self.finalized_slot = self.slot_of(height) + DEPTH
        self.finalized: bool | None = True
        self.optimistic = False
        self.canonical = True
        self.zero_for_everything = False
        self.forgets_states = False
        self.by_root = True
        self.blinded = True
        self.queues = True
        self.payloads = True
        self.drops: Collection[bytes] = ()
        self.shuffled = True
        self.calls: list[str] = []
        state = r"/eth/v1/beacon/states/([^/]+)"
        self._routes: list[tuple[re.Pattern[str], Callable[..., web.Response]]] = [
            (re.compile(pattern + r"\Z"), method)
            for pattern, method in (
                (r"/eth/v1/beacon/genesis", self._genesis),
                (r"/eth/v1/beacon/headers/([^/]+)", self._header),
                (r"/eth/v1/beacon/blinded_blocks/(\d+)", self._blinded),
                (r"/eth/v2/beacon/blocks/(\d+)", self._whole),
                (state + r"/root", self._state_root),
                (state + r"/validators", self._list),
                (state + r"/validators/(0x[0-9a-f]{96})", self._single),
                (state + r"/pending_(\w+)", self._pending),
            )
        ]

    @property
    def genesis_root(self) -> str:
        """The root of the first validators."""
        return self._genesis_root or self._made_up("genesis")

    @property
    def params(self) -> dict[str, Any]:
        """What ``ChainSpec.params`` of this chain are."""
        return {
            "genesis_time": GENESIS_TIME,
            "genesis_validators_root": self.genesis_root,
            "anchors": [list(ANCHOR)],
            "electra_slot": ELECTRA_SLOT,
        }

    def slot_of(self, height: int) -> int:
        """Return the slot of an execution block."""
        slot = ANCHOR[1] + height - ANCHOR[0]
        while self.number_of(slot) < height or slot in self.missed:
            slot += 1
        return slot

    def number_of(self, slot: int) -> int:
        """Return the execution block of the last block up to a slot."""
        return ANCHOR[0] + slot - ANCHOR[1] - bisect_right(self.missed, slot)

    def header(self, slot: int) -> dict[str, str]:
        """Return the header of a slot's block."""
        return {
            "slot": str(slot),
            "proposer_index": str(PROPOSER_INDEX),
            "parent_root": self._made_up("block", slot - 1),
            "state_root": self.state_root(slot),
            "body_root": self._made_up("body", slot, self.branch),
        }

    def block_root(self, slot: int) -> str:
        """Return the tree hash of a header."""
        header = self.header(slot)
        leaves = [int(header[name]).to_bytes(32, "little") for name in ("slot", "proposer_index")]
        leaves += [
            bytes.fromhex(header[f"{name}_root"][2:]) for name in ("parent", "state", "body")
        ]
        return "0x" + _tree(leaves + 3 * [bytes(32)]).hex()

    def state_root(self, slot: int) -> str:
        """Return the made-up root of the state after a slot."""
        return self._made_up("state", slot)

    def payload(self, slot: int) -> dict[str, str]:
        """Return what is read of a slot's execution block."""
        number = self.number_of(slot)
        return {
            "block_number": str(number),
            "block_hash": self._made_up("execution", number),
            "timestamp": str(GENESIS_TIME + SLOT_SECONDS * slot),
        }

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one call of the API."""
        self.calls.append(request.path)
        for pattern, method in self._routes:
            match = pattern.match(request.path)
            if match is not None:
                more = (body,) if request.method == "POST" else ()
                return method(*match.groups(), *more)
        return web.Response(status=404, text="<html><body>404 Not Found</body></html>")

    def _genesis(self) -> web.Response:
        data = {
            "genesis_time": str(GENESIS_TIME),
            "genesis_validators_root": self.genesis_root,
            "genesis_fork_version": "0x00000000",
        }
        return json_response({"data": data})

    def _header(self, block: str) -> web.Response:
        slot = self._slot_of_block(block)
        if slot is None:
            return _error(404, "Block not found")
        header = {"message": self.header(slot), "signature": "0x" + 96 * "00"}
        data = {"root": self.block_root(slot), "canonical": self.canonical, "header": header}
        return self._data(data)

    def _blinded(self, slot: str) -> web.Response:
        if not self.blinded:
            return web.Response(status=404, text="404 page not found")
        return self._block(int(slot), "execution_payload_header")

    def _whole(self, slot: str) -> web.Response:
        return self._block(int(slot), "execution_payload")

    def _block(self, slot: int, field: str) -> web.Response:
        if not self._has_block(slot):
            return _error(404, f"NOT_FOUND: beacon block at slot {slot}")
        header = self.header(slot)
        body = {field: self.payload(slot)} if self.payloads else {}
        message = {**header, "body": {"graffiti": "0x" + 32 * "00", **body}}
        del message["body_root"]
        fork = "fulu" if slot >= ELECTRA_SLOT else "deneb"
        return self._data({"message": message, "signature": "0x" + 96 * "00"}, version=fork)

    def _state_root(self, state: str) -> web.Response:
        slot = self._slot_of_state(state)
        return _no_state() if slot is None else self._data({"root": self.state_root(slot)})

    def _list(self, state: str, body: bytes = b"{}") -> web.Response:
        if self._slot_of_state(state) is None:
            return _no_state()
        asked = set(msgspec.json.decode(body).get("ids") or [])
        found = [
            self._record(key)
            for key in self._registry
            if not asked or {"0x" + key.hex(), str(self._index[key])} & asked
            if key not in self.drops
        ]
        if self.zero_for_everything:
            found = []
        return self._data(found[::-1] if self.shuffled else found)

    def _single(self, state: str, key: str) -> web.Response:
        raw = bytes.fromhex(key[2:])
        if self._slot_of_state(state) is None:
            return _no_state()
        if raw not in self._registry or self.zero_for_everything:
            return _error(404, "Validator not found")
        return self._data(self._record(raw))

    def _pending(self, state: str, what: str) -> web.Response:
        slot = self._slot_of_state(state)
        if slot is None or not self.queues:
            return _no_state()
        if slot < ELECTRA_SLOT:
            return _error(400, "The pending queues are not known before Electra")
        return self._data(getattr(self, f"_{what}")(), version="fulu")

    def _deposits(self) -> list[dict[str, str]]:
        known = ((key, units) for key, one in self._registry.items() for units in one.deposits)
        return [
            {
                "pubkey": "0x" + key.hex(),
                "withdrawal_credentials": "0x" + 32 * "00",
                "amount": str(units),
                "signature": "0x" + 96 * "00",
                "slot": "0",
            }
            for key, units in (*known, *self.orphans)
        ]

    def _partial_withdrawals(self) -> list[dict[str, str]]:
        return [
            {
                "validator_index": str(self._index[key]),
                "amount": str(units),
                "withdrawable_epoch": "1",
            }
            for key, one in self._registry.items()
            for units in one.withdrawals
        ]

    def _consolidations(self) -> list[dict[str, str]]:
        return [
            {"source_index": str(self._index[key]), "target_index": "3"}
            for key, one in self._registry.items()
            if one.consolidates
        ]

    def _record(self, key: bytes) -> dict[str, Any]:
        one = self._registry[key]
        return {
            "index": str(self._index[key]),
            "balance": str(one.balance),
            "status": one.status,
            "validator": {
                "pubkey": "0x" + key.hex(),
                "withdrawal_credentials": one.credentials,
                "effective_balance": str(one.effective),
                "slashed": one.slashed,
                "activation_eligibility_epoch": "0",
                "activation_epoch": "0",
                "exit_epoch": str(2**64 - 1),
                "withdrawable_epoch": str(2**64 - 1),
            },
        }

    def _has_block(self, slot: int) -> bool:
        return ANCHOR[1] <= slot <= self.finalized_slot and slot not in self.missed

    def _slot_of_block(self, block: str) -> int | None:
        if block == "finalized":
            return self.finalized_slot
        near = range(self.finalized_slot, self.finalized_slot - 4 * DEPTH, -1)
        named = int(block) if block.isdigit() else None
        known = (slot for slot in near if self.block_root(slot) == block)
        slot = next(known, None) if named is None else named
        return slot if slot is not None and self._has_block(slot) else None

    def _slot_of_state(self, state: str) -> int | None:
        if self.forgets_states:
            return None
        near = range(self.finalized_slot, self.finalized_slot - 4 * DEPTH, -1)
        if state.isdigit():
            return int(state) if int(state) <= self.finalized_slot else None
        known = (slot for slot in near if self.state_root(slot) == state)
        return next(known, None) if self.by_root else None

    def _data(self, data: object, **more: object) -> web.Response:
        flags: dict[str, object] = {"execution_optimistic": self.optimistic}
        if self.finalized is not None:
            flags["finalized"] = self.finalized
        return json_response({**more, **flags, "data": data})

    def _made_up(self, *parts: object) -> str:
        return "0x" + sha256(f"{self.seed} {parts}".encode()).hexdigest()


def _tree(nodes: Sequence[bytes]) -> bytes:
    """Hash a power of two of nodes up to their root."""
    if len(nodes) == 1:
        return nodes[0]
    half = len(nodes) // 2
    return sha256(_tree(nodes[:half]) + _tree(nodes[half:])).digest()


def _error(status: int, message: str) -> web.Response:
    return json_response({"code": status, "message": message}, status=status)


def _no_state() -> web.Response:
    return _error(404, "State not found")
