"""Starknet: the native coin, which is a token, and the keys of account contracts, at a block.

Asked over JSON-RPC: ``starknet_chainId``, ``starknet_blockNumber``, the block by number, and then
arrays of ``starknet_call`` and ``starknet_getClassHashAt`` at the block's hash. The native asset is
the balance in the contract ``token`` (ETH by default). Units are 10^-18 ETH. Other tokens are not
read, STRK and what is staked neither.

Traps: a block by number may be one that is not accepted yet and has no hash; a missing entry point
is the error 21, on older nodes 40 with the reason in its data, which is also the error of any
contract that reverts; an account that was never deployed has no contract and may have a balance.

The canaries are the token's total supply and the balance of the block's sequencer (or of the
configured accounts): every array asks for them again, and they must be those of the pin. The
supply is never zero; the sequencer's balance may be, since fees are paid in STRK.

``spec.params``: ``token`` (0x and hex digits), ``canaries`` (addresses that hold the coin).

Spec: https://github.com/starkware-libs/starknet-specs (api/starknet_api_openrpc.json)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from chains import jsonrpc
from chains.accounts import AccountAdapter, Read, liquid
from chains.adapter import Capabilities, Effort, Transport
from chains.adapters.starknet import owners, wire
from chains.adapters.starknet.wire import Fault
from chains.errors import ConfigError, WrongChain
from chains.model import ChainSpec, Exchange, Gap, Method, QueryKind, Questions, Request, Snapshot
from chains.pinning import View

ETH = "0x49d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7"
"""Source: starknet-io/starknet-addresses bridged_tokens/mainnet.json"""
_WITNESSES = "witnesses"
_CANARIES = "canary-accounts"


class Adapter(AccountAdapter):
    """Reads balances of the native token (10^-18) and account keys at a block hash."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="exact",
        assets=("slip44",),
        methods=(Method.STATE,),
        zero_rule=(
            "A zero counts if the same array shows the token's total supply and the balance of the "
            "block's sequencer, or of the configured canaries, as at the pin."
        ),
        batch=10,
        shard=5000,
        calls={QueryKind.CONTROL: owners.QUESTIONS},
        efforts=(Effort(each="0", a_batch=1, calls_each="1", calls_a_batch=2),),
        pinning=5,
        control=(owners.WAY,),
    )
    group = 10

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self._token = self._declared(spec.params.get("token", ETH))
        self._canaries = tuple(map(self._declared, spec.params.get("canaries", ())))

    def _declared(self, text: Any) -> int:
        number = wire.felt(text)
        if not number:
            raise ConfigError(f"chain {self.spec.id}: {text!r} is no Starknet address")
        return number

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Return chain id, newest block, and the block at the height."""
        newest = jsonrpc.call("starknet_blockNumber", [])
        return jsonrpc.call("starknet_chainId", []), newest, wire.block_request(height)

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for the total supply and the canaries at the block's hash."""
        block = wire.read_block(wire.answer(shown[2]))
        if isinstance(block, Gap) or block.number != height:
            return []
        accounts = self._canaries or (block.sequencer,)
        return await self.together([self._request(accounts, hex(block.hash))], endpoint)

    def _request(
        self, accounts: Sequence[int], block: str, more: Sequence[tuple[str, Any]] = ()
    ) -> Request:
        """Return the array that asks for the supply, balances, and more."""
        supply = wire.call(self._token, wire.TOTAL_SUPPLY, (), block)
        calls = [wire.call(self._token, wire.BALANCE_OF, (one,), block) for one in accounts]
        return jsonrpc.batch([supply, *calls, *more])

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``."""
        chain, head, said = (wire.answer(own[one]) for one in self.pin_requests(height))
        reason = self._identity(endpoint, chain) or _behind(head, height)
        block = wire.read_block(said)
        if reason:
            return View(reason=reason)
        if isinstance(block, Gap):
            return View(reason=block.reason)
        if block.number != height:
            return View(reason="wrong-block")
        accounts = self._canaries or (block.sequencer,)
        asked = own.get(self._request(accounts, hex(block.hash)))
        found = [] if asked is None else wire.answers(asked, 1 + len(accounts))
        units = [wire.read_amount(one) for one in found] or [Gap("not-answered")]
        failed = next((one.reason for one in units if isinstance(one, Gap)), "")
        empty = not failed and (not units[0] or (self._canaries and not all(units[1:])))
        return View(
            block_hash=hex(block.hash),
            time=block.time,
            reason=failed or ("canary-failed" if empty else ""),
            shown={
                "parent-hash": hex(block.parent),
                "state-root": hex(block.root),
                _WITNESSES: " ".join(map(str, units)),
                _CANARIES: " ".join(map(hex, accounts)),
            },
            canaries=tuple(
                one.to_bytes(32, "big").hex()
                for one, held in zip(accounts, units[1:], strict=False)
                if isinstance(held, int) and held
            ),
        )

    def head_requests(self) -> Sequence[Request]:
        """Ask for the newest block."""
        return (jsonrpc.call("starknet_blockNumber", []),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest block. Pure."""
        head = wire.answer(exchanges[0])
        if isinstance(head, Fault | Gap):
            return head.gap if isinstance(head, Fault) else head
        return int(head) if wire.is_number(head) else Gap("malformed-answer")

    def _identity(self, endpoint: str, said: Any | Fault | Gap) -> str:
        """Return why the endpoint did not show its chain, if so; raises ``WrongChain``."""
        if isinstance(said, Gap):
            return "identity-unproven" if said.reason == "rpc-error" else said.reason
        shown = wire.felt(said)
        if shown is None:
            return "identity-unproven"
        if shown != int.from_bytes(self.spec.reference.encode(), "big"):
            raise WrongChain(f"{endpoint} serves chain {said}, not {self.spec.reference}")
        return ""

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Send one array: supply, canaries, then balances or what shows control."""
        numbers = [int.from_bytes(one, "big") for one in accounts]
        asked, more = [*_canaries(at), *numbers], []
        if questions.kind is QueryKind.CONTROL:
            more = [one for n in numbers for one in owners.questions(n, at.block_hash)]
            asked = _canaries(at)
        request = self._request(asked, at.block_hash, more)
        return [await self.transport.exchange_any(request, at.endpoints)]

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read one balance, or what shows control, per account."""
        start = 1 + len(_canaries(at))
        width = owners.QUESTIONS if questions.kind is QueryKind.CONTROL else 1
        said = wire.answers(exchanges[0], start + width * len(accounts))
        shown = [wire.read_amount(one) for one in said[:start]]
        failed = next((one for one in shown if isinstance(one, Gap)), None)
        if failed is None and " ".join(map(str, shown)) != at.detail.get(_WITNESSES):
            failed = Gap("canary-wrong", retryable=True, detail="supply or a canary differs")
        if failed is not None:
            return [failed] * len(accounts)
        if questions.kind is QueryKind.CONTROL:
            return [owners.read(said[i : i + width]) for i in range(start, len(said), width)]
        units = [wire.read_amount(one) for one in said[start:]]
        return [one if isinstance(one, Gap) else liquid(one) for one in units]


def _behind(head: Any | Fault | Gap, height: int) -> str:
    """Return why the newest block is not known to be at the height or above, if so."""
    if isinstance(head, Fault | Gap):
        return head.gap.reason if isinstance(head, Fault) else head.reason
    if not wire.is_number(head):
        return "malformed-answer"
    return "node-behind" if head < height else ""


def _canaries(at: Snapshot) -> list[int]:
    """Return the canaries of the pin, those without a balance too."""
    return [int(one, 16) for one in at.detail.get(_CANARIES, "").split()]
