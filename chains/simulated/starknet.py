"""A small Starknet node: JSON-RPC over a ledger of one token and some account contracts.

``balances`` are the units of the token by account (32 bytes). ``contracts`` maps accounts to what
their entry points answer: a list of felts, or a text with which the contract reverts; accounts that
are not listed have no contract. The block's sequencer is ``SEQUENCER``.

Dangerous knobs: ``zero_for_everything``, ``zero_for_accounts`` (but the sequencer),
``old_errors`` (a missing entry point is the error 40, as before version 0.8), ``pre_confirmed``
(the block at the height is not accepted yet), ``first_block`` (older state is pruned),
``no_token``, ``shuffles`` (answers of an array in another order), ``failing`` (an entry point by
name that the node fails to run). Answers follow
https://github.com/starkware-libs/starknet-specs (api/starknet_api_openrpc.json).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.signatures.starknet import selector
from chains.simulated.node import Faults, SimulatedNode, json_response

TOKEN = 0x49D36570D4E46F48E99674BD3FCC84644DDD6B96F7C741B1562B82F9E004DC7
SEQUENCER = 0x1176A1BD84444C89232EC27754698E5D2E7E1A7F1539F12027F28B23EC9F3D8
FEES = 3 * 10**18
SUPPLY = 10**24
_HALF = 2**128
BALANCE_OF, TOTAL_SUPPLY = (hex(selector(name)) for name in ("balanceOf", "totalSupply"))

Entry = Sequence[int] | str


class StarknetError(Exception):
    """An error of the specification."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.answer: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.answer["data"] = data


class SimulatedStarknet(SimulatedNode):
    """A node whose knobs are plain attributes; accounts as 32 bytes."""

    def __init__(
        self,
        height: int,
        balances: Mapping[bytes, int],
        *,
        contracts: Mapping[bytes, Mapping[str, Entry]] | None = None,
        seed: str = "starknet",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.height = height
        self.newest = height + 50
        self.balances = {int.from_bytes(one, "big"): units for one, units in balances.items()}
        self.balances.setdefault(SEQUENCER, FEES)
        self.contracts = {
            int.from_bytes(one, "big"): {hex(selector(name)): said for name, said in entry.items()}
            for one, entry in (contracts or {}).items()
        }
        self.seed = seed
        self.chain = "simulated"
        self.first_block = 0
        self.zero_for_everything = False
        self.zero_for_accounts = False
        self.old_errors = False
        self.pre_confirmed = False
        self.no_token = False
        self.shuffles = False
        self.failing = ""

    def block_hash(self, number: int) -> str:
        """Return the hash of a block, a felt."""
        return hex(int.from_bytes(sha256(f"{self.seed} {number}".encode()).digest()[1:], "big"))

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a call or an array of calls."""
        del request
        asked = msgspec.json.decode(body)
        if not isinstance(asked, list):
            return json_response(self._one(asked))
        answers = [self._one(call) for call in asked]
        return json_response(answers[::-1] if self.shuffles else answers)

    def _one(self, call: Mapping[str, Any]) -> dict[str, Any]:
        methods: dict[str, Callable[..., Any]] = {
            "starknet_chainId": lambda: hex(int.from_bytes(self.chain.encode(), "big")),
            "starknet_blockNumber": lambda: self.newest,
            "starknet_getBlockWithTxHashes": self._block,
            "starknet_call": self._call,
            "starknet_getClassHashAt": self._class_hash,
        }
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            return said | {"result": methods[call["method"]](*call["params"])}
        except StarknetError as error:
            return said | {"error": error.answer}

    def _block(self, which: Mapping[str, Any]) -> dict[str, Any]:
        number = which["block_number"]
        if number > self.newest:
            raise StarknetError(24, "Block not found")
        block = {
            "status": "ACCEPTED_ON_L1",
            "block_hash": self.block_hash(number),
            "parent_hash": self.block_hash(number - 1),
            "block_number": number,
            "new_root": self.block_hash(-number),
            "timestamp": 1_700_000_000 + number,
            "sequencer_address": hex(SEQUENCER),
            "starknet_version": "0.13.4",
            "transactions": [],
        }
        if self.pre_confirmed:
            block["status"] = "PRE_CONFIRMED"
            del block["block_hash"], block["parent_hash"], block["new_root"]
        return block

    def _check_block(self, which: Mapping[str, Any]) -> None:
        held = range(max(self.first_block, self.newest - 100), self.newest + 1)
        if all(self.block_hash(number) != which["block_hash"] for number in held):
            raise StarknetError(24, "Block not found")

    def _class_hash(self, which: Mapping[str, Any], address: str) -> str:
        self._check_block(which)
        if int(address, 16) not in self.contracts:
            raise StarknetError(20, "Contract not found")
        return "0x1a736d6ed154502257f02b1ccdf4d9d1089f80811cd6acad48e6b6a9d1f2003"

    def _call(self, call: Mapping[str, Any], which: Mapping[str, Any]) -> list[str]:
        self._check_block(which)
        address, entry = int(call["contract_address"], 16), call["entry_point_selector"]
        if self.failing and entry == hex(selector(self.failing)):
            raise StarknetError(-32603, "Internal error")
        if address == TOKEN and not self.no_token:
            return self._token(entry, [int(one, 16) for one in call["calldata"]])
        if address not in self.contracts:
            raise StarknetError(20, "Contract not found")
        said = self.contracts[address].get(entry)
        if isinstance(said, str):
            raise StarknetError(40, "Contract error", {"revert_error": said})
        if said is None and self.old_errors:
            text = f"Entry point EntryPointSelector({entry}) not found in contract."
            raise StarknetError(40, "Contract error", {"revert_error": text})
        if said is None:
            raise StarknetError(21, "Requested entry point does not exist in the contract")
        return [hex(one) for one in said]

    def _token(self, entry: str, arguments: Sequence[int]) -> list[str]:
        if entry == TOTAL_SUPPLY:
            units = SUPPLY
        elif entry == BALANCE_OF:
            hidden = self.zero_for_accounts and arguments[0] != SEQUENCER
            units = 0 if hidden else self.balances.get(arguments[0], 0)
        else:
            raise StarknetError(21, "Requested entry point does not exist in the contract")
        units = 0 if self.zero_for_everything else units
        return [hex(units % _HALF), hex(units // _HALF)]
