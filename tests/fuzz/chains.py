"""Targets that take bytes from a chain's side: addresses, signatures, a node's answers, dumps."""

from __future__ import annotations

import contextlib
import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from chains import addresses, jsonrpc
from chains.adapters import load
from chains.adapters.bip122 import dump, scan
from chains.adapters.tvm import cells
from chains.control import decode as decode_control
from chains.errors import ChainError, Malformed
from chains.model import ChainSpec, Exchange, Gap, Ownership, QueryKind, Request
from chains.reasons import GAPS, OWNERSHIP, SNAPSHOT
from chains.signatures import Refused, SignedAddress, Unsupported, judge
from chains.simulated.bip122 import SimulatedCoin, write_dump, write_old_dump
from chains.stream import _is_notification
from crawler.settings import load_world
from tests.fuzz.target import Target, file_with, place, split

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/contract"))  # whose modules import each other by bare name

from adapter_cases import Case, cases  # noqa: E402
from hostile import parse, recorded, with_body  # noqa: E402

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


class _Answers:
    """The recorded answers of an honest node to one adapter, one by one."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.one = recorded(case)
        self.places = [
            (questions, extract, number)
            for questions, extracts in self.one.asked.values()
            for extract in extracts
            for number in range(len(extract.exchanges))
        ]

    def seeds(self) -> list[bytes]:
        return [
            bytes((at % 256,)) + extract.exchanges[number].body
            for at, (_, extract, number) in enumerate(self.places[:256])
        ]

    def check(self, data: bytes) -> None:
        """Decode with one body replaced: one answer for each question, and no invented number."""
        at, body = split(data, min(256, len(self.places)))
        questions, extract, number = self.places[at]
        exchanges = list(extract.exchanges)
        original = exchanges[number].body
        exchanges[number] = with_body(exchanges[number], body)
        changed = msgspec.structs.replace(extract, exchanges=tuple(exchanges))
        said = self.one.adapter.decode(questions, changed, self.one.at)
        found = {questions.accounts[i]: answer for i, answer in said.each(questions)}
        assert list(found) == [questions.accounts[i] for i in extract.positions]
        says_something = tree(body) not in (None, tree(original))
        for owner, answer in found.items():
            if isinstance(answer, Gap):
                assert answer.reason in GAPS, answer
                assert len(answer.detail) < 2000
                continue
            assert type(answer.units) is int
            assert answer.units >= 0
            assert answer.units == sum(part.units for part in answer.parts if part.counted)
            if questions.kind is QueryKind.CONTROL:
                decode_control(answer.facts)
            elif not says_something:
                assert answer.units == self.case.ledger[owner], (owner, answer)

    def pin_seeds(self) -> list[bytes]:
        return [bytes((at,)) + one.body for at, one in enumerate(self.one.pin)]

    def pin(self, data: bytes) -> None:
        """Pin with one body replaced: a snapshot, or an error that says why not."""
        at, body = split(data, len(self.one.pin))
        exchanges = list(self.one.pin)
        exchanges[at] = with_body(exchanges[at], body)
        code = ""
        try:
            found = self.one.adapter.snapshot(self.case.height, exchanges)
        except ChainError as error:
            code = error.code
        else:
            assert found.height == self.case.height
        assert code in {"", *GAPS, *SNAPSHOT}


def tree(body: bytes) -> Any:
    """Return what a body says as JSON, ``None`` where it is none."""
    try:
        return parse(body)
    except (ValueError, RecursionError):
        return None


def adapter_targets() -> list[Target]:
    found = []
    for case in cases():
        load(case.spec.adapter)  # now, while what is imported may be watched
        held: list[_Answers] = []

        def answers(case: Case = case, held: list[_Answers] = held) -> _Answers:
            held.extend([] if held else [_Answers(case)])  # nothing is recorded before it is used
            return held[0]

        found += [
            Target(f"decode {case.name}", lambda a=answers: a().seeds(),
                   lambda data, a=answers: a().check(data)),
            Target(f"pin {case.name}", lambda a=answers: a().pin_seeds(),
                   lambda data, a=answers: a().pin(data)),
        ]  # fmt: skip
    return found


COINS = [
    SimulatedCoin(txid=f"{n // 2:064x}", vout=n, height=n + 1, units=units, script=script)
    for n, (units, script) in enumerate(
        [
            (5000, b"\x76\xa9\x14" + b"\x07" * 20 + b"\x88\xac"),
            (10**12, b"\x00\x14" + b"\x08" * 20),
            (1, b"\x51\x20" + b"\x09" * 32),
            (123456789, b"\x52" * 40),
        ]
    )
]


def dump_seeds() -> list[bytes]:
    path = place() / "dump"
    made = []
    for write in (write_dump, write_old_dump):
        write(path, COINS, block_hash="ab" * 32)
        made.append(path.read_bytes())
    return made


def utxo_dump(data: bytes) -> None:
    """Scan a dump: no more money than there can be, and each match within the total."""
    wanted = sorted({coin.script for coin in COINS})
    with contextlib.suppress(Malformed):
        found = scan.scan_dump(file_with(data, "dump"), wanted, plain=True)
        assert 0 <= int(found.total_units) <= dump.MAX_MONEY
        assert sum(int(one.units) for one in found.matched) <= int(found.total_units)


def framing(data: bytes) -> None:
    """Match answers of JSON-RPC by their ids: each its own or a Gap; tell what is no answer."""
    exchange = Exchange(request=Request(), endpoint="n0", status=200, body=data)
    many = jsonrpc.results(exchange, 3)
    assert len(many) == 3
    for one in (jsonrpc.result(exchange), *many):
        assert not isinstance(one, Gap) or one.reason in GAPS
    _is_notification(data)


FRAMES = (
    b'{"jsonrpc":"2.0","id":0,"result":"0x10"}',
    b'[{"id":0,"result":1},{"id":2,"result":3.5},{"id":1,"error":{"code":-32000,"message":"m"}}]',
    b'{"jsonrpc":"2.0","method":"blockchain.headers.subscribe","params":[{"height":1}]}',
)


def bag_of_cells(data: bytes) -> None:
    with contextlib.suppress(cells.CellError):
        cell = cells.parse(data)
        cells.address(cell)


def bags() -> list[bytes]:
    return [b64decode(cells.address_bag(b"\0" + b"\x07" * 32))]


TARGETS = (
    Target("addresses", address_seeds, address),
    Target("accounts", lambda: [bytes((n,)) + b"\1" * 20 for n in range(len(formats()))], account),
    Target("signatures", row_seeds, signature),
    Target("json-rpc", lambda: list(FRAMES), framing),
    Target("utxo dump", dump_seeds, utxo_dump),
    Target("bag of cells", bags, bag_of_cells),
    *adapter_targets(),
)
