"""A server of the Electrum protocol for the targets: no case of the contract suite has one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Request
from chains.simulated.electrum import SimulatedElectrum, Transfer
from chains.stream import BrokenOff, _Connection
from tests.fuzz.contract import Case, Recorded, record
from tests.fuzz.target import Target, split

CHAIN = ChainId("bip122:electrum")
HEIGHT = 100
RICH, NEVER, BUSY, PINNED = (b"\x00\x14" + bytes([i]) * 20 for i in range(4))
LEDGER: Mapping[bytes, int] = {
    RICH: 25 * 10**8,
    NEVER: 0,
    BUSY: 25 * 10**8,
    PINNED: 50 * 10**8,
}


def server() -> SimulatedElectrum:
    """Make a server: everything before the height or at it, and one script that moved since."""
    node = SimulatedElectrum()
    coins = [node.reward_id(height) for height in (1, 2)]
    first = Transfer(
        height=10,
        spends=((coins[0], 0),),
        pays=((RICH, 25 * 10**8), (BUSY, 25 * 10**8)),
    )
    pinned = Transfer(height=HEIGHT, spends=((coins[1], 0),), pays=((PINNED, 50 * 10**8),))
    moved = Transfer(height=101, spends=((first.txid, 1),), pays=((b"\x51", 25 * 10**8),))
    return SimulatedElectrum([first, pinned, moved], tip=102)


class Direct:
    """A transport that hands lines to a server without a socket."""

    endpoints = ("n0",)

    def __init__(self, node: SimulatedElectrum) -> None:
        self._node = node

    def spec(self, endpoint: str) -> EndpointSpec:
        return EndpointSpec(name=endpoint, chain=CHAIN, url="tcp://127.0.0.1:1")

    def local_path(self, endpoint: str) -> Path | None:
        del endpoint
        return None

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        said = msgspec.json.encode(self._node._answers(msgspec.json.decode(request.body)))
        return Exchange(request=request, endpoint=endpoint, status=200, body=said)

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        return await self.exchange(request, among[0])


def _no_lie(node: object) -> None:
    """Do nothing: the lies of the contract suite are told elsewhere."""


CASE = Case(
    name="electrum",
    spec=ChainSpec(
        id=CHAIN,
        name="Simulated",
        adapter="bip122",
        address="bitcoin",
        native=AssetId(f"{CHAIN}/slip44:1"),
        params={"genesis": server().genesis},
    ),
    height=HEIGHT,
    ledger=LEDGER,
    node=server,
    be_another_chain=_no_lie,
    name_another_block=_no_lie,
    answer_zero=_no_lie,
    fall_behind=_no_lie,
)


def recording() -> Recorded:
    """Pin the server and ask it about all scripts."""
    return asyncio.run(record(CASE, sorted(LEDGER), Direct(server())))


class _Writes:
    """Where questions go that nobody reads."""

    def write(self, line: bytes) -> None:
        del line

    async def drain(self) -> None:
        pass


LIMITS = (0, 10, 1000, 1 << 20)


def lines(data: bytes) -> None:
    """Ask a connection on which these bytes come: a line of them, or why there is none."""
    which, said = split(data, len(LIMITS))

    async def ask() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(said)
        reader.feed_eof()
        connection = _Connection(reader, _Writes())  # type: ignore[arg-type]
        try:
            answer = await connection.ask(b"{}", LIMITS[which])
        except (BrokenOff, ConnectionResetError):
            return
        if answer is not None:
            assert answer in said.split(b"\n")
            assert len(answer) <= LIMITS[which]

    LOOP.run_until_complete(ask())


LOOP = asyncio.new_event_loop()
LINES = (
    b'\x03{"method":"x","params":[]}\n{"id":0,"result":1}\n{"id":0}',
    b"\x01[]\n",
    b"\x02\xff\n",
)
TARGETS = (Target("electrum lines", lambda: list(LINES), lines),)
