"""Targets that take texts of a list: addresses, accounts, signatures; and frames of JSON-RPC."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from chains import addresses, jsonrpc
from chains.model import ChainSpec, Exchange, Gap, Ownership, Request
from chains.reasons import GAPS, OWNERSHIP
from chains.signatures import Refused, SignedAddress, Unsupported, judge
from chains.stream import _is_notification
from chains.transport import LONGEST_PAUSE_S, retry_after_seconds
from crawler.settings import load_world
from tests.fuzz.target import Target, split

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "fixtures/signatures/rows.jsonl"


@cache
def rows() -> Sequence[SignedAddress]:
    """Rows that verify, of every scheme; ``harvest`` wrote them down."""
    lines = ROWS.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=SignedAddress) for line in lines]


class _Row(msgspec.Struct):
    """What a list says in a row: everything but the chain."""

    address: str
    message: str
    signatures: list[str]
    script: str
    public_key: str
    owners: list[str]


def row_seeds() -> list[bytes]:
    """Each row with its number in front, as three digits: it chooses chain and schemes."""
    return [
        b"%03d" % number
        + msgspec.json.encode(
            _Row(r.address, r.message, list(r.signatures), r.script, r.public_key, list(r.owners))
        )
        for number, r in enumerate(rows())
    ]


@cache
def proven() -> Mapping[tuple[str, bytes, str], Any]:
    """What verifies without any mutation: chain, account and text, with who signed."""
    found: dict[tuple[str, bytes, str], set[Any]] = {}
    for row in rows():
        outcome = judge(row)
        key = (repr(row.spec), row.account, row.message)
        found.setdefault(key, set()).add((outcome.status, *outcome.signers))
    return found


def signature(data: bytes) -> None:
    """Judge a row: what binds an account to a text did so before it was changed."""
    try:
        number, given = int(data[:3]) % len(rows()), msgspec.json.decode(data[3:], type=_Row)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return
    of = rows()[number]
    try:
        account = addresses.decode(of.spec, given.address)
    except addresses.AddressError:
        return
    row = SignedAddress(
        spec=of.spec,
        address=given.address,
        account=account,
        message=given.message,
        signatures=tuple(given.signatures),
        schemes=of.schemes,
        script=given.script,
        public_key=given.public_key,
        owners=tuple(given.owners),
    )
    outcome = None
    try:
        outcome = judge(row)
    except (Refused, Unsupported) as error:
        reason = error.code
    else:
        reason = outcome.reason
    assert reason in OWNERSHIP
    if outcome is not None and outcome.status is Ownership.BOUND:
        known = proven().get((repr(row.spec), account, row.message), ())
        assert any(status is Ownership.BOUND for status, *_ in known), row


@cache
def formats() -> Sequence[ChainSpec]:
    """One chain for each address format and its parameters."""
    found = {}
    for spec in load_world().chains.values():
        found.setdefault((spec.address, repr(spec.address_params)), spec)
    return list(found.values())


def address_seeds() -> list[bytes]:
    seeds = []
    for number, spec in enumerate(formats()):
        texts = {row.address for row in rows() if row.spec.address == spec.address}
        seeds += [bytes((number,)) + text.encode() for text in sorted(texts)[:4] or ["x"]]
    return seeds


def address(data: bytes) -> None:
    """Decode an address: an account that comes back as text and as the same account."""
    number, rest = split(data, len(formats()))
    spec = formats()[number]
    with contextlib.suppress(UnicodeDecodeError, addresses.AddressError):
        account = addresses.decode(spec, rest.decode("utf-8", "surrogatepass"))
        assert addresses.decode(spec, addresses.encode(spec, account)) == account


def account(data: bytes) -> None:
    """Encode an account: text that is the text of what it reads as, or of a type we refuse."""
    number, rest = split(data, len(formats()))
    spec = formats()[number]
    try:
        text = addresses.encode(spec, rest)
    except addresses.AddressError:
        return
    code = "unsupported-address-type"
    try:
        again = addresses.encode(spec, addresses.decode(spec, text))
    except addresses.AddressError as error:
        again, code = text, error.code
    assert (again, code) == (text, "unsupported-address-type")


def framing(data: bytes) -> None:
    """Match answers of JSON-RPC by their ids: each its own or a Gap; tell what is no answer.

    Who asks us to slow down is one of those who answered; an array has as many calls as members.
    """
    exchange = Exchange(request=Request(), endpoint="n0", status=200, body=data)
    many = jsonrpc.results(exchange, 3)
    assert len(many) == 3
    for one in (jsonrpc.result(exchange), *many):
        assert not isinstance(one, Gap) or one.reason in GAPS
    _is_notification(data)
    asked, answered = jsonrpc.throttled(data)
    assert 0 <= asked <= answered
    calls = jsonrpc.calls_in(data)
    assert calls >= 1
    if data[:1] == b"[":
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            assert calls == max(1, len(msgspec.json.decode(data)))


def retry_after(data: bytes) -> None:
    """Read a header as aiohttp hands it over: a pause that is bounded, or none."""
    pause = retry_after_seconds(data.decode("utf-8", "surrogateescape"))
    assert pause is None or 0 <= pause <= LONGEST_PAUSE_S


FRAMES = (
    b'{"jsonrpc":"2.0","id":0,"result":"0x10"}',
    b'[{"id":0,"result":1},{"id":2,"result":3.5},{"id":1,"error":{"code":-32000,"message":"m"}}]',
    b'[{"id":0,"error":{"code":429,"message":null}},{"id":1,"error":{"message":"rate limit"}}]',
    b'{"jsonrpc":"2.0","method":"blockchain.headers.subscribe","params":[{"height":1}]}',
)


TARGETS = (
    Target("addresses", address_seeds, address),
    Target("accounts", lambda: [bytes((n,)) + b"\1" * 20 for n in range(len(formats()))], account),
    Target("signatures", row_seeds, signature),
    Target("json-rpc", lambda: list(FRAMES), framing),
    Target("retry-after", lambda: [b"120", b" 5 ", b"Wed, 21 Oct 2015 07:28:00 GMT"], retry_after),
)
