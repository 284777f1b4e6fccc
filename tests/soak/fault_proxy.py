"""A TCP proxy in front of one simulated node that disturbs exchanges as foretold.

It copies bytes and knows no protocol but this much of HTTP: a head ends with an empty line, so
that damage falls on a body where there is one. A line protocol passes through it as well. Whatever
a client sends after an answer begins a new exchange; each exchange takes the next fault from
``forecast``. An empty forecast is fair weather. Every fault that was really caused is counted in
``caused``: truncation, for instance, only when there was a body to cut short.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Self

CLEAN = "clean"
FAULTS = (
    "cut",  # the connection is reset in the middle of the answer
    "truncate",  # half of the answer, then an orderly end
    "corrupt",  # a byte of the body becomes 0xff, which no JSON text holds
    "drip",  # the answer arrives in small pieces
    "hang",  # the request is swallowed and nothing comes back
    "reset",  # the connection is reset before the request is passed on
    "refuse",  # this exchange and the next connections are reset
    "429",  # without Retry-After
    "429-now",  # with Retry-After: 0
    "429-later",  # with Retry-After: 1
    "503",
)
REFUSED_CONNECTIONS = 3
PIECES = 24
"""A dripping answer arrives in about so many pieces."""
CHUNK = 1 << 16
END_OF_HEAD = b"\r\n\r\n"
_END = b"Content-Length: 9\r\nConnection: close\r\n\r\nslow down"
_LIMITED = b"HTTP/1.1 429 Too Many Requests\r\n"
CANNED = {
    "429": _LIMITED + _END,
    "429-now": _LIMITED + b"Retry-After: 0\r\n" + _END,
    "429-later": _LIMITED + b"Retry-After: 1\r\n" + _END,
    "503": b"HTTP/1.1 503 Service Unavailable\r\n" + _END,
}
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for which closing sends RST. Source: socket(7)."""


class FaultProxy:
    """Listens on a port of 127.0.0.1 of its own. Use as an async context manager.

    ``watch`` is called at the beginning of each exchange. While ``gate`` is clear, exchanges wait.
    """

    def __init__(self, port: int, watch: Callable[[], None] | None = None) -> None:
        self.forecast: deque[str] = deque()
        self.caused: Counter[str] = Counter()
        self.exchanges = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.watch = watch
        self._upstream = port
        self._refusing = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def foretell(self, faults: Iterable[str]) -> None:
        """Replace what is left of the forecast."""
        self.forecast = deque(faults)
        unknown = set(self.forecast) - {*FAULTS, CLEAN}
        if unknown:
            raise ValueError(f"no such fault: {sorted(unknown)}")

    async def __aenter__(self) -> Self:
        await self.revive()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()
        self._reserved.close()

    async def revive(self) -> None:
        """Listen, on the same port as ever."""
        self._refusing = 0
        self._server = await asyncio.start_server(
            self._accepted, "127.0.0.1", self.port, reuse_address=True
        )

    async def die(self) -> None:
        """Stop listening and drop every connection; the port stays ours and refuses."""
        self.caused["dead"] += 1
        await self._stop()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._server = None

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        if self._refusing:
            self._refusing -= 1
            self.caused["refuse"] += 1
            _reset(writer)
            return
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, exchange by exchange."""
        answers, requests = await asyncio.open_connection("127.0.0.1", self._upstream)
        exchange = _Exchange(self, writer)
        back = asyncio.create_task(exchange.pump(answers))
        try:
            while sent := await reader.read(CHUNK):
                if exchange.answered:
                    exchange.begin(await self._next())
                    if not await self._admitted(exchange.fault, reader, writer):
                        return
                requests.write(sent)
                await requests.drain()
        finally:
            back.cancel()
            requests.close()
            await asyncio.gather(back, return_exceptions=True)

    async def _next(self) -> str:
        self.exchanges += 1
        if self.watch is not None:
            self.watch()
        await self.gate.wait()
        return self.forecast.popleft() if self.forecast else CLEAN

    async def _admitted(
        self, fault: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Cause the faults that keep a request from the node; tell whether it may pass."""
        if fault in CANNED:
            self.caused[fault] += 1
            writer.write(CANNED[fault])
        elif fault == "hang":
            self.caused[fault] += 1
        elif fault in ("reset", "refuse"):
            self.caused[fault] += 1
            self._refusing = REFUSED_CONNECTIONS if fault == "refuse" else 0
            _reset(writer)
            return False
        else:
            return True
        while await reader.read(CHUNK):  # until the client gives up or has read the answer
            pass
        return False


class _Exchange:
    """The exchange that a connection is at: its fault and how far its answer has come."""

    def __init__(self, proxy: FaultProxy, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._writer = writer
        self._head = bytearray()
        self._in_body = False
        self.answered = True
        self.fault = CLEAN

    def begin(self, fault: str) -> None:
        self.fault = fault
        self.answered = False
        self._in_body = False
        self._head.clear()

    async def pump(self, answers: asyncio.StreamReader) -> None:
        """Copy what the node answers to the client, damaged as the fault says."""
        with contextlib.suppress(OSError):
            while piece := await answers.read(CHUNK):
                self.answered = True
                head, body = self._split(piece)
                self._writer.write(head)
                if body and not await self._damaged(body):
                    return
                await self._writer.drain()
            self._writer.close()

    def _split(self, piece: bytes) -> tuple[bytes, bytes]:
        """Split what came into the part that belongs to an HTTP head, and the rest."""
        if self._in_body:
            return b"", piece
        before = len(self._head)
        self._head += piece
        end = self._head.find(END_OF_HEAD)
        if not self._head.startswith(b"HTTP/"):
            end = -len(END_OF_HEAD)
        elif end < 0:
            return piece, b""
        self._in_body = True
        cut = max(0, end + len(END_OF_HEAD) - before)
        return piece[:cut], piece[cut:]

    async def _damaged(self, body: bytes) -> bool:
        """Pass on a piece of a body; tell whether the connection still lives."""
        fault, self.fault = self.fault, CLEAN
        middle = len(body) // 2
        if fault in ("cut", "truncate", "corrupt", "drip"):
            self._proxy.caused[fault] += 1
        if fault == "cut":
            self._writer.write(body[:middle])
            _reset(self._writer)
            return False
        if fault == "truncate":
            self._writer.write(body[:middle])
            self._writer.close()
            return False
        if fault == "corrupt":
            body = body[:middle] + b"\xff" + body[middle + 1 :]
        step = max(1, len(body) // PIECES) if fault == "drip" else len(body)
        for start in range(0, len(body), step):
            self._writer.write(body[start : start + step])
            await self._writer.drain()
            await asyncio.sleep(0)  # each piece is a write of its own
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that its peer sees a reset."""
    own = writer.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
