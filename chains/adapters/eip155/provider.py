"""web3's view of our transport: every call at the pinned block, every exchange kept.

web3 encodes the contract calls; it opens no connection of its own. Whatever block it would
name is replaced by the pinned hash, and what it would put around a question (ids, extra
fields) is left out, so that the same question is the same bytes as everywhere else.

This is the only module that imports web3, which takes most of a second: import it when needed.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from chains import jsonrpc
from chains.adapter import Transport
from chains.adapters.eip155.reading import storage_request, view_request
from chains.errors import ConfigError
from chains.model import Exchange, Gap, Request, Snapshot

_RECURSION_LIMIT = sys.getrecursionlimit()

from web3 import AsyncWeb3  # noqa: E402
from web3.contract import AsyncContract  # noqa: E402
from web3.exceptions import Web3Exception  # noqa: E402
from web3.providers.async_base import AsyncBaseProvider  # noqa: E402
from web3.types import RPCEndpoint, RPCResponse  # noqa: E402

# What web3 imports raises the limit to 100,000, under which deeply nested JSON from a node
# overflows the stack and kills the process instead of raising an error.
sys.setrecursionlimit(_RECURSION_LIMIT)

ABI: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": name,
        "inputs": [],
        "outputs": [{"name": "", "type": kind}],
        "stateMutability": "view",
    }
    for name, kind in (
        ("owner", "address"),
        ("getOwners", "address[]"),
        ("getThreshold", "uint256"),
    )
]
"""Spec: https://eips.ethereum.org/EIPS/eip-173 and the Safe's OwnerManager."""


class PinnedProvider(AsyncBaseProvider):
    """Sends through our transport to one endpoint, at one block; ``exchanges`` in order made."""

    def __init__(self, transport: Transport, endpoint: str, at: Snapshot) -> None:
        super().__init__()
        self._transport = transport
        self._endpoint = endpoint
        self._at = at
        self.exchanges: list[Exchange] = []

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Send one of the few questions that the control checks need.

        web3 asks for the code where a contract answered nothing: that was asked before, is not
        sent again, and makes the call one that cannot be read.
        """
        if method == "eth_getCode":
            known = {"code": -32000, "message": "the contract answered nothing"}
            return {"jsonrpc": "2.0", "id": 0, "error": known}  # type: ignore[typeddict-item]
        exchange = await self._transport.exchange(
            self._request(str(method), params), self._endpoint
        )
        self.exchanges.append(exchange)
        result = jsonrpc.result(exchange)
        if isinstance(result, Gap):
            error = {"code": -32000, "message": f"{result.reason}: {result.detail}"}
            return {"jsonrpc": "2.0", "id": 0, "error": error}  # type: ignore[typeddict-item]
        return {"jsonrpc": "2.0", "id": 0, "result": result}

    def _request(self, method: str, params: Any) -> Request:
        if method == "eth_call":
            call = params[0]
            data = str(call["data"]).removeprefix("0x")
            return view_request(bytes.fromhex(str(call["to"])[2:]), data, self._at)
        if method == "eth_getStorageAt":
            return storage_request(bytes.fromhex(params[0][2:]), int(params[1], 16), self._at)
        raise ConfigError(f"web3 wants to send {method}, which no control check needs")


UNREADABLE = (Web3Exception, ValueError, TypeError, AttributeError, KeyError)
"""What web3's formatters raise on a result of another type than the method gives."""


async def ask_contract(
    transport: Transport, endpoint: str, at: Snapshot, account: bytes, admin_slot: int
) -> tuple[Exchange, ...]:
    """Ask ``owner()``, ``getOwners()``, ``getThreshold()`` and the proxy's admin slot.

    What the contract answers is not looked at here: the exchanges are read by ``control``.
    """
    provider = PinnedProvider(transport, endpoint, at)
    web3: AsyncWeb3[PinnedProvider] = AsyncWeb3(provider, middleware=[])
    address = AsyncWeb3.to_checksum_address(account)
    contract: AsyncContract = web3.eth.contract(address=address, abi=ABI)
    for name in ("owner", "getOwners", "getThreshold"):
        with contextlib.suppress(*UNREADABLE):  # the exchange is kept; a revert is an answer
            await contract.functions[name]().call()
    with contextlib.suppress(*UNREADABLE):
        await web3.eth.get_storage_at(address, admin_slot)
    return tuple(provider.exchanges)
