"""A simulated Ethereum-like node: a small ledger with history behind the real JSON-RPC shapes.

Everything it says is *constructed*. It runs no EVM: it knows our four batch programs by their
bytes and answers them in Python as the real ones do, and it knows a handful of selectors. What
the programs really do is shown against anvil, in the integration tests.

Block hashes are made up (a digest and the number), chained by ``parentHash``. Error texts
follow geth's. Dangerous answers are attributes that can be changed while it runs; each one
that strikes is counted in ``caused``. The quirks of other chains of the family are attributes
too: ``evm_number`` and ``evm_parent`` are what NUMBER and BLOCKHASH answer where they do not name
the block (Arbitrum, Scroll, zkEVM roll-ups), ``null_rounds`` are epochs without a block (FEVM),
``own_bytecode`` runs no EVM code from outside (zkSync Era), ``missing_opcode`` is that of an older
EVM, ``ignored_overrides`` and ``calls_at_head`` are what OKTC's node does with a call (its
override argument is not read, and answers are cached by the call and the head alone),
``unfinalized`` is how coreth refuses blocks above the last accepted one.

Spec: https://ethereum.github.io/execution-apis/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from chains.simulated import evm_calls
from chains.simulated.evm_calls import Contract, EvmState, Failure, TokenState
from chains.simulated.node import Faults, SimulatedNode, json_response

__all__ = ["Contract", "EvmState", "SimulatedEvm", "TokenState"]

GENESIS_TIME = 1_600_000_000
BLOCK_SECONDS = 12
CONFIRMATIONS = 64
"""How far the head stands above the height, so that the asked state is never the newest."""


class SimulatedEvm(SimulatedNode):
    """One node of one chain. Use as an async context manager.

    ``native`` maps accounts (20 bytes) to wei, ``tokens`` and ``contracts`` are keyed by
    address; they hold from ``height`` on. ``history`` adds other states from other heights on;
    before the first one everything is empty.
    """

    def __init__(
        self,
        *,
        chain_id: int,
        height: int,
        native: Mapping[bytes, int] | None = None,
        tokens: Mapping[bytes, TokenState] | None = None,
        contracts: Mapping[bytes, Contract] | None = None,
        history: Mapping[int, EvmState] | None = None,
        head: int | None = None,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.chain_id = chain_id
        self.genesis_time = GENESIS_TIME
        self.head = height + CONFIRMATIONS if head is None else head
        own = EvmState(native=native or {}, tokens=tokens or {}, contracts=contracts or {})
        self.history: dict[int, EvmState] = {height: own, **(history or {})}
        self.zero_for_everything = False
        self.pruned_below = 0
        self.pruned_text = ""
        self.wrong_chain_id: int | None = None
        self.wrong_block_hash = False
        self.wrong_header_words = False
        self.no_overrides = False
        self.no_deployless = False
        self.no_batches = False
        self.no_block_objects = False
        self.accounts_per_call = 0
        self.marks_beyond = 0
        self.lag = 0
        self.one_member_failing = False
        self.drop_ids = False
        self.shuffled = False
        self.short_answer = False
        self.fork = 0
        self.fork_from = 0
        self.multicall3: bytes | None = None
        self.ignored_overrides = False
        self.own_bytecode = False
        self.missing_opcode = ""
        self.calls_at_head = False
        self.evm_chain_id: int | None = None
        self.evm_number: int | None = None
        self.evm_parent: bytes | None = None
        self.null_rounds: frozenset[int] = frozenset()
        self.unfinalized = False
        self.more_fields: Mapping[str, Any] = {}

    # --- the chain ---------------------------------------------------------------------

    def block_hash(self, number: int) -> bytes:
        """Return the made-up hash: 24 bytes of digest, then the number."""
        fork = self.fork if number >= self.fork_from else 0
        if self.wrong_block_hash:
            fork = -1
        text = f"recount simulated {self.chain_id} {number} {fork}"
        return hashlib.sha256(text.encode()).digest()[:24] + number.to_bytes(8, "big")

    def reorganise(self, start: int) -> None:
        """Replace every block from ``start`` on; earlier hashes stay."""
        self.fork += 1
        self.fork_from = start

    def state(self, number: int) -> EvmState:
        """Return the state after block ``number``."""
        if self.zero_for_everything:
            self.caused["zero-for-everything"] += 1
            return self._emptied(number)
        heights = [height for height in self.history if height <= number]
        return self.history[max(heights)] if heights else EvmState()

    def _emptied(self, number: int) -> EvmState:
        heights = [height for height in self.history if height <= number]
        if not heights:
            return EvmState()
        full = self.history[max(heights)]
        tokens = {
            at: msgspec.structs.replace(token, balances={}, total_supply=0)
            for at, token in full.tokens.items()
        }
        return msgspec.structs.replace(full, native={}, tokens=tokens)

    def header_words(self, number: int) -> bytes:
        """Return chain id, number and parent hash as the batch programs state them."""
        seen = number if self.evm_number is None else self.evm_number
        if self.wrong_header_words:
            self.caused["wrong-header-words"] += 1
            seen = number + 1
        chain = self._shown_chain_id() if self.evm_chain_id is None else self.evm_chain_id
        parent = self.parent_hash(number) if self.evm_parent is None else self.evm_parent
        return b"".join((chain.to_bytes(32, "big"), seen.to_bytes(32, "big"), parent))

    def parent_hash(self, number: int) -> bytes:
        """Return the hash of the last block below ``number``; rounds without a block are passed."""
        below = number - 1
        while below in self.null_rounds:
            below -= 1
        return self.block_hash(below)

    def _shown_chain_id(self) -> int:
        return self.chain_id if self.wrong_chain_id is None else self.wrong_chain_id

    # --- the protocol ------------------------------------------------------------------

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one JSON-RPC object or array."""
        del request
        try:
            asked = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return json_response(_error(None, Failure(-32700, "parse error")))
        if isinstance(asked, dict):
            return json_response(self._one(asked))
        if not isinstance(asked, list) or not asked:
            return json_response(_error(None, Failure(-32600, "invalid request")))
        if self.no_batches:
            self.caused["no-batches"] += 1
            return json_response(_error(None, Failure(-32600, "batch requests are not supported")))
        if self.accounts_per_call and len(asked) > self.accounts_per_call:
            self.caused["too-large"] += 1
            return json_response(_error(None, Failure(-32600, "batch too large")))
        answers = [self._one(member) for member in asked]
        return json_response(self._disturbed(answers))

    def _disturbed(self, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.one_member_failing:
            self.caused["one-member-failing"] += 1
            middle = len(answers) // 2
            answers[middle] = _error(answers[middle]["id"], Failure(-32000, "internal error"))
        if self.drop_ids:
            self.caused["drop-ids"] += 1
            del answers[0]
        return answers[::-1] if self.shuffled else answers

    def _one(self, member: Any) -> dict[str, Any]:
        if not isinstance(member, dict):
            return _error(None, Failure(-32600, "invalid request"))
        identity, method = member.get("id"), member.get("method")
        params = member.get("params", [])
        try:
            result = self._call(str(method), params)
        except Failure as failure:
            return _error(identity, failure)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            return _error(identity, Failure(-32602, f"invalid argument: {error}"))
        return {"jsonrpc": "2.0", "id": identity, "result": result}

    def _call(self, method: str, params: list[Any]) -> Any:  # noqa: PLR0911 - a dispatch
        match method:
            case "eth_chainId":
                return hex(self._shown_chain_id())
            case "eth_blockNumber":
                return hex(self.head - self.lag)
            case "eth_getBlockByNumber":
                head = params[0] in ("latest", "safe", "finalized")
                number = self.head - self.lag if head else int(params[0], 16)
                return self._block(number, full=bool(params[1]))
            case "eth_getBlockByHash":
                return self._block(self._number({"blockHash": params[0]}), full=bool(params[1]))
            case "eth_getBalance":
                state = self._state_at(params[1])
                return hex(state.balance(evm_calls.address(params[0])))
            case "eth_getCode":
                state = self._state_at(params[1])
                return "0x" + evm_calls.code(state, evm_calls.address(params[0])).hex()
            case "eth_getStorageAt":
                state = self._state_at(params[2])
                contract = state.contracts.get(evm_calls.address(params[0]), Contract())
                slot = int(params[1], 16)
                return "0x" + contract.storage.get(slot, 0).to_bytes(32, "big").hex()
            case "eth_call":
                return self._eth_call(params)
            case _:
                message = f"the method {method} does not exist/is not available"
                raise Failure(-32601, message)

    def _block(self, number: int, *, full: bool) -> dict[str, Any] | None:
        if number > self.head - self.lag:
            if self.unfinalized:
                self.caused["unfinalized"] += 1
                raise Failure(-32000, "cannot query unfinalized data")
            return None
        if number in self.null_rounds:
            self.caused["null-round"] += 1
            raise Failure(12, f"requested epoch was a null round ({number})")
        state = self.state(number)
        rich = max(state.native, key=lambda at: state.native[at], default=bytes(20))
        payment = {"from": "0x" + rich.hex(), "to": "0x" + rich.hex(), "hash": "0x" + "11" * 32}
        return {
            "number": hex(number),
            "hash": "0x" + self.block_hash(number).hex(),
            "parentHash": "0x" + self.parent_hash(number).hex(),
            "stateRoot": "0x" + hashlib.sha256(b"state" + self.block_hash(number)).hexdigest(),
            "timestamp": hex(self.genesis_time + number * BLOCK_SECONDS),
            "miner": "0x" + bytes(20).hex(),
            "transactions": [payment if full else payment["hash"]],
            **self.more_fields,
        }

    def _number(self, block: Any) -> int:
        """Resolve a block parameter: a quantity, a tag, or the object of EIP-1898."""
        head = self.head - self.lag
        if isinstance(block, dict):
            if self.no_block_objects:
                raise Failure(-32602, "invalid argument 1: cannot unmarshal object")
            if "blockHash" in block:
                raw = bytes.fromhex(str(block["blockHash"])[2:])
                number = int.from_bytes(raw[-8:], "big")
                if number > head:
                    raise Failure(-32000, "header for hash not found")
                if self.block_hash(number) != raw:
                    raise Failure(-32000, "hash is not currently canonical")
                return number
            block = block["blockNumber"]
        if block in ("latest", "safe", "finalized"):
            return head
        number = int(block, 16)
        if number > head:
            raise Failure(-32000, "header not found")
        return number

    def _state_at(self, block: Any) -> EvmState:
        return self.state(self._available(block))

    def _available(self, block: Any) -> int:
        number = self._number(block)
        if number < self.pruned_below:
            self.caused["pruned"] += 1
            root = self.block_hash(number).hex()
            message = f"missing trie node {root} (path ) state 0x{root} is not available"
            raise Failure(-32000, self.pruned_text or message)
        return number

    def _eth_call(self, params: list[Any]) -> str:
        call, block = params[0], params[1]
        overrides = params[2] if len(params) > 2 else {}  # noqa: PLR2004
        number = self._available(block)
        if self.calls_at_head:
            self.caused["calls-at-head"] += 1
            number = self.head
        state = self.state(number)
        data = bytes.fromhex(str(call.get("data", call.get("input", "0x")))[2:])
        if overrides and self.no_overrides:
            self.caused["no-overrides"] += 1
            raise Failure(-32602, "too many arguments, want at most 2")
        if overrides and self.ignored_overrides:
            self.caused["ignored-overrides"] += 1
            overrides = {}
        if self.own_bytecode and (overrides or "to" not in call):
            self.caused["own-bytecode"] += 1
            raise Failure(3, "execution reverted: not a bytecode of this machine")
        if self.missing_opcode and (overrides or "to" not in call):
            self.caused["missing-opcode"] += 1
            raise Failure(-32000, f"invalid opcode: opcode {self.missing_opcode} not defined")
        if "to" not in call:
            if self.no_deployless:
                self.caused["no-deployless"] += 1
                raise Failure(-32602, "invalid argument 0: missing to")
            return self._hex(evm_calls.deployless(state, self.header_words(number), data, self))
        to = evm_calls.address(call["to"])
        placed = overrides.get(str(call["to"]))
        if placed is not None:
            program = bytes.fromhex(str(placed["code"])[2:])
            return self._hex(
                evm_calls.program(state, self.header_words(number), program, data, self)
            )
        if to == self.multicall3:
            return self._hex(evm_calls.multicall(state, self.header_words(number), to, data, self))
        return self._hex(evm_calls.view(state, to, data))

    def check_size(self, accounts: int) -> None:
        """Fail as a node does when a call needs more gas than it gives."""
        if self.accounts_per_call and accounts > self.accounts_per_call:
            self.caused["too-large"] += 1
            raise Failure(-32000, "out of gas")

    def _hex(self, raw: bytes) -> str:
        if self.short_answer:
            self.caused["short-answer"] += 1
            raw = raw[:-32]
        return "0x" + raw.hex()


def _error(identity: object, failure: Failure) -> dict[str, Any]:
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.data is not None:
        error["data"] = failure.data
    return {"jsonrpc": "2.0", "id": identity, "error": error}
