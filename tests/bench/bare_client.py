"""A client that only sends what was made beforehand: the limit of what asking costs."""

from __future__ import annotations

import asyncio

from chains.model import Request


async def bare(port: int, messages: list[bytes], connections: int) -> None:
    """Send whole HTTP messages over ``connections`` sockets; read and discard the answers."""
    waiting = iter(messages)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        for message in waiting:
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(work() for _ in range(connections)))


def http_message(port: int, request: Request) -> bytes:
    """Write a request as an HTTP message to a node of this machine."""
    head = (
        f"{request.method} {request.path or '/'} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(request.body)}\r\n\r\n"
    )
    return head.encode() + request.body
