"""Evidence packs: the raw exchanges behind every answer, as compressed JSON lines.

The first line of a pack is its header; every further line is one extract: which positions of
the shard it answers, by which decoder, and the exchanges as they went over the wire. A body that
is UTF-8 text stands as text, so that an auditor can read it; any other body as base64.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from chains.model import Exchange, Extract, Request
from crawler.errors import EnvironmentFault

FORMAT = "recount/evidence/1"
LONGEST_LINE = 1 << 30
BLOCK = 1 << 22
"""Bytes read at a time."""


class ExchangeLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One exchange on disk. ``sha256`` digests request and answer together."""

    sha256: str
    endpoint: str
    method: str
    path: str = ""
    sent: str = ""
    sent_base64: str = ""
    status: int = 0
    received: str = ""
    received_base64: str = ""
    own_node: bool = False
    failure: str = ""
    retryable: bool = False


class ExtractLine(msgspec.Struct, frozen=True, kw_only=True):
    """One extract on disk. ``positions`` count within the shard, not within the attempt."""

    positions: list[int]
    decoder: str
    exchanges: list[ExchangeLine]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a pack: the shard (or snapshot), its attempt, and who was asked."""

    format: str
    subject: str
    attempt: int
    witness: bool = False


def digest(exchange: Exchange) -> str:
    """Digest one exchange: lengths keep request and answer apart."""
    request = exchange.request
    h = hashlib.sha256()
    for piece in (
        request.method.encode(),
        request.path.encode(),
        request.body,
        exchange.endpoint.encode(),
        b"own-node" if exchange.own_node else b"",
        str(exchange.status).encode(),
        exchange.failure.encode(),
        exchange.body,
    ):
        h.update(len(piece).to_bytes(8, "big"))
        h.update(piece)
    return h.hexdigest()


class PackWriter:
    """Writes one pack to a path; closing it leaves a complete file.

    What is added waits until it is written, so that a thread may write much at once while the
    next answers arrive. ``waiting`` is how many bytes of exchanges wait.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.waiting = 0
        self._held: list[Extract] = []
        self._stream = pa.CompressedOutputStream(str(path), "zstd")
        self._encode = msgspec.json.Encoder().encode
        self._line(header)

    def add(self, extract: Extract) -> None:
        """Append one extract."""
        self._held.append(extract)
        self.waiting += sum(len(one.body) + len(one.request.body) for one in extract.exchanges)

    def write(self) -> None:
        """Digest, compress and write what waits."""
        for extract in self._held:
            line = ExtractLine(
                positions=list(extract.positions),
                decoder=extract.decoder,
                exchanges=[_to_line(exchange) for exchange in extract.exchanges],
            )
            self._line(line)
        self._held, self.waiting = [], 0

    def close(self) -> None:
        """Write what waits and finish the file."""
        self.write()
        self._stream.close()

    def _line(self, value: object) -> None:
        self._stream.write(self._encode(value) + b"\n")


def read_pack(path: Path) -> Iterator[Header | Extract]:
    """Yield the header and then every extract; raises ``EnvironmentFault`` for a damaged pack."""
    try:
        with pa.input_stream(str(path), compression="zstd") as stream:
            lines = _lines(stream)
            yield _header(next(lines))
            decode = msgspec.json.Decoder(ExtractLine).decode
            for raw in lines:
                line = decode(raw)
                yield Extract(
                    positions=line.positions,
                    decoder=line.decoder,
                    exchanges=tuple(_from_line(entry, path) for entry in line.exchanges),
                )
    except (OSError, StopIteration, ValueError, RecursionError) as error:
        raise EnvironmentFault(
            f"the evidence pack {path} is missing or damaged: {str(error) or 'it is empty'}"
        ) from error


def evidence_pack(digest: str, attempt: int, *, witness: bool = False) -> str:
    """Name of the evidence pack of an attempt, inside the run directory."""
    place, slash, name = digest.rpartition("/")  # answers of a capture lie below its own place
    return f"{place}{slash}evidence/{name}.{attempt}{'.witness' if witness else ''}.jsonl.zst"


def extract_digests(extract: Extract) -> Sequence[str]:
    """Digests of an extract's exchanges, in order."""
    return [digest(exchange) for exchange in extract.exchanges]


def _header(raw: bytes) -> Header:
    header = msgspec.json.decode(raw, type=Header)
    if header.format != FORMAT:
        raise ValueError(f"its format is {header.format!r}, not {FORMAT!r}")
    return header


def _lines(stream: Any) -> Iterator[bytes]:
    pieces: list[bytes] = []
    size = 0
    while block := stream.read(BLOCK):
        end, *more = block.split(b"\n")
        pieces.append(end)
        size += len(end)
        if more:
            yield b"".join(pieces)
            *whole, rest = more
            yield from whole
            pieces, size = [rest], len(rest)
        if size > LONGEST_LINE:
            raise ValueError("a line is longer than 1 GiB")
    if size:
        raise ValueError("the last line is incomplete")


def _to_line(exchange: Exchange) -> ExchangeLine:
    sent, sent_base64 = _text(exchange.request.body)
    received, received_base64 = _text(exchange.body)
    return ExchangeLine(
        sha256=digest(exchange),
        endpoint=exchange.endpoint,
        method=exchange.request.method,
        path=exchange.request.path,
        sent=sent,
        sent_base64=sent_base64,
        status=exchange.status,
        received=received,
        received_base64=received_base64,
        own_node=exchange.own_node,
        failure=exchange.failure,
        retryable=exchange.retryable,
    )


def _from_line(line: ExchangeLine, path: Path) -> Exchange:
    exchange = Exchange(
        request=Request(
            method=line.method,  # type: ignore[arg-type]  # checked by the digest below
            path=line.path,
            body=_bytes(line.sent, line.sent_base64),
        ),
        endpoint=line.endpoint,
        own_node=line.own_node,
        status=line.status,
        body=_bytes(line.received, line.received_base64),
        failure=line.failure,
        retryable=line.retryable,
    )
    if digest(exchange) != line.sha256:
        raise EnvironmentFault(f"{path}: an exchange does not match its digest {line.sha256}")
    return exchange


def _text(body: bytes) -> tuple[str, str]:
    try:
        return body.decode("utf-8"), ""
    except UnicodeDecodeError:
        return "", base64.b64encode(body).decode("ascii")


def _bytes(text: str, encoded: str) -> bytes:
    return base64.b64decode(encoded, validate=True) if encoded else text.encode("utf-8")
