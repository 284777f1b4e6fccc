"""Questions and answers as lines over TCP or TLS: what servers of the Electrum protocol speak.

A request's body is one line of JSON, and the next line that is no notification is its answer. A
connection carries one question at a time, so that no answer can be taken for another's; after
any failure it is closed and never used again. Idle connections are kept, so there are never
more than the endpoint's slot lets through. Certificates are always checked.

Spec: https://electrumx.readthedocs.io/en/latest/protocol-basics.html
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit

import msgspec

STREAM_SCHEMES = ("tcp", "ssl")
GREETINGS: Mapping[str, bytes] = {
    "electrum": b'{"jsonrpc":"2.0","id":"hello","method":"server.version",'
    b'"params":["recount",["1.4","1.6"]]}'
}
"""First line on every connection, by ``EndpointSpec.protocol``; what is answered is not judged.

Newer servers refuse everything before it (protocol 1.6).
"""
GREETING_LIMIT = 1 << 16
"""Bytes of the answer to a greeting."""
_PIECE = 1 << 16


class BrokenOff(Exception):
    """The connection ended in the middle of an answer."""


class _Head(msgspec.Struct):
    """What tells a notification from an answer: it has a method."""

    method: str = ""


_head = msgspec.json.Decoder(_Head).decode


class Lines:
    """All connections to one endpoint. ``ask`` raises ``OSError`` or ``BrokenOff``."""

    def __init__(self, host: str, port: int, *, tls: bool, greeting: bytes = b"") -> None:
        self._host, self._port = host, port
        self._tls = ssl.create_default_context() if tls else None
        self._greeting = greeting
        self._idle: list[_Connection] = []

    @classmethod
    def of(cls, url: str, protocol: str) -> Self | None:
        """Return the lines to a ``tcp:`` or ``ssl:`` URL, ``None`` for another one."""
        parts = urlsplit(url)
        if parts.scheme not in STREAM_SCHEMES:
            return None
        greeting = GREETINGS.get(protocol, b"")
        tls = parts.scheme == "ssl"
        return cls(parts.hostname or "", parts.port or 0, tls=tls, greeting=greeting)

    async def ask(self, line: bytes, limit: int) -> tuple[bytes, bool]:
        """Send one line and return its answer; the flag is false where that is above ``limit``.

        ``limit`` is in bytes and counts notifications in between.
        """
        if b"\n" in line:
            raise ValueError("a question is one line")
        connection = await self._connection()
        try:
            answer = await connection.ask(line, limit)
        except BaseException:
            connection.close()
            raise
        if answer is None:
            connection.close()
            return b"", False
        self._idle.append(connection)
        return answer, True

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            await self._idle.pop().closed()

    async def _connection(self) -> _Connection:
        while self._idle:
            kept = self._idle.pop()
            if kept.is_open:
                return kept
            kept.close()
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        connection = _Connection(reader, writer)
        if self._greeting:
            try:
                answer = await connection.ask(self._greeting, GREETING_LIMIT)
            except BaseException:
                connection.close()
                raise
            if answer is None:
                connection.close()
                raise BrokenOff("the answer to the greeting has no end")
        return connection


class _Connection:
    """One connection; what came after the last answer waits in ``_rest``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._rest = bytearray()

    @property
    def is_open(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, line: bytes, limit: int) -> bytes | None:
        """Return the answer, ``None`` where it is above ``limit`` bytes."""
        self._writer.write(line + b"\n")
        await self._writer.drain()
        left = limit
        while True:
            answer = await self._line(left)
            if answer is None or not _is_notification(answer):
                return answer
            left -= len(answer)

    async def _line(self, limit: int) -> bytes | None:
        searched = 0
        while True:
            end = self._rest.find(b"\n", searched)
            if (end if end >= 0 else len(self._rest)) > limit:
                return None
            if end >= 0:
                line = bytes(self._rest[:end])
                del self._rest[: end + 1]
                return line
            searched = len(self._rest)
            piece = await self._reader.read(_PIECE)
            if not piece and self._rest:
                raise BrokenOff("the connection ended inside a line")
            if not piece:
                raise ConnectionResetError("the connection ended before an answer")
            self._rest += piece

    def close(self) -> None:
        """Close at once, without waiting for the peer."""
        self._writer.transport.abort()

    async def closed(self) -> None:
        """Close and wait until that is done."""
        self.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _is_notification(line: bytes) -> bool:
    """Tell whether a line is the server's own message; what cannot be read is an answer."""
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        return bool(_head(line).method)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
