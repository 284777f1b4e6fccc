"""What real nodes answered on regtest decodes, offline, to what was paid out there."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from chains.adapters.bip122 import DUMP, SCAN, Adapter, dump_files, rpc
from chains.adapters.bip122.dump import MAX_MONEY
from chains.errors import Unanswerable
from chains.model import (
    Answers,
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Extract,
    Method,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "bip122"
CHAIN = ChainId("bip122:regtest")
NATIVE = AssetId(f"{CHAIN}/slip44:1")


class NoTransport:
    endpoints = ()


class Recorded:
    """One folder: the adapter for its chain, the moment, and what every script held."""

    def __init__(self, name: str) -> None:
        self.folder = FIXTURES / name
        expected = json.loads((self.folder / "expected.json").read_text())
        self.height = expected["height"]
        self.units = {bytes.fromhex(k): int(v) for k, v in sorted(expected["units"].items())}
        genesis = msgspec.json.decode((self.folder / "identity.json").read_bytes())[0]["result"]
        spec = ChainSpec(
            id=CHAIN,
            name="Regtest",
            adapter="bip122",
            address="bitcoin",
            native=NATIVE,
            params={"genesis": genesis, "magic": "fabfb5da"},
        )
        self.adapter = Adapter(spec, NoTransport())  # type: ignore[arg-type]
        self.questions = Questions(
            kind=QueryKind.BALANCE,
            chain=CHAIN,
            height=self.height,
            asset=NATIVE,
            accounts=tuple(self.units),
        )

    def exchange(self, name: str) -> Exchange:
        body = (self.folder / name).read_bytes()
        return Exchange(request=Request(), endpoint="node", own_node=True, status=200, body=body)

    def moment(self) -> Snapshot:
        names = ("identity.json", "block.json", "reward.json")
        return self.adapter.snapshot(self.height, [self.exchange(name) for name in names])

    def decode(self, decoder: str, exchange: Exchange, at: Snapshot) -> Answers:
        positions = range(len(self.units))
        extract = Extract(positions=positions, decoder=decoder, exchanges=(exchange,))
        return self.adapter.decode(self.questions, extract, at)


@pytest.fixture(params=["knots-29", "litecoin-0.21"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(request.param)


def test_the_node_pins_the_moment_and_its_canary(recorded: Recorded) -> None:
    at = recorded.moment()
    assert at.height == recorded.height
    assert at.detail["height_tied_by"] == "node"
    assert at.canaries == ("51",)
    assert int(at.detail["canary_units"]) == 50 * 10**8


def test_the_scan_gives_what_was_paid_out(recorded: Recorded) -> None:
    answers = recorded.decode(SCAN, recorded.exchange("scantxoutset.json"), recorded.moment())
    assert list(answers.units) == list(recorded.units.values())
    assert answers.method is Method.STATE


def test_a_scan_recorded_at_another_block_is_no_answer(recorded: Recorded) -> None:
    at = msgspec.structs.replace(recorded.moment(), height=recorded.height - 1)
    answers = recorded.decode(SCAN, recorded.exchange("scantxoutset.json"), at)
    assert {gap.reason for gap in answers.gaps.values()} == {"scan-mismatch"}


def test_without_the_canary_in_the_scan_nothing_is_believed(recorded: Recorded) -> None:
    exchange = recorded.exchange("scantxoutset.json")
    canary = rpc.Canary(outpoint="00" * 32 + ":0", script=b"\x51", units=50 * 10**8)
    found = rpc.read_scan(exchange, list(recorded.units), recorded.moment(), canary)
    assert getattr(found, "reason", "") == "zero-without-canary"


def test_the_dump_gives_what_was_paid_out() -> None:
    knots = Recorded("knots-29")
    path = knots.folder / "utxo.dat"
    exchange = dump_files.scanned(
        "dump", path, list(knots.units), own_node=True, max_money=MAX_MONEY
    )
    header = dump_files.read_dump_header("dump", path, own_node=True)
    answers = knots.decode(DUMP, exchange, knots.moment())
    assert list(answers.units) == list(knots.units.values())
    assert answers.method is Method.BULK
    alone = knots.adapter.snapshot(knots.height, [header])
    assert alone.block_hash == knots.moment().block_hash
    assert list(knots.decode(DUMP, exchange, alone).units) == list(knots.units.values())


def test_litecoins_old_dump_gives_what_was_paid_out() -> None:
    litecoin = Recorded("litecoin-0.21")
    path = litecoin.folder / "utxo-v1.dat"
    header = dump_files.read_dump_header("dump", path, own_node=True)
    names = ("identity.json", "block.json", "reward.json")
    said = [header, *(litecoin.exchange(name) for name in names)]
    at = litecoin.adapter.snapshot(litecoin.height, said)
    assert (at.rejected, at.endpoints) == ({}, ("dump", "node"))
    exchange = dump_files.scanned(
        "dump", path, list(litecoin.units), own_node=True, max_money=MAX_MONEY
    )
    answers = litecoin.decode(DUMP, exchange, at)
    assert list(answers.units) == list(litecoin.units.values())
    assert answers.method is Method.BULK


def test_litecoins_old_dump_alone_does_not_show_its_chain() -> None:
    litecoin = Recorded("litecoin-0.21")
    path = litecoin.folder / "utxo-v1.dat"
    header = dump_files.read_dump_header("dump", path, own_node=True)
    with pytest.raises(Unanswerable) as error:
        litecoin.adapter.snapshot(litecoin.height, [header])
    assert error.value.code == "identity-unproven"
    exchange = dump_files.scanned(
        "dump", path, list(litecoin.units), own_node=True, max_money=MAX_MONEY
    )
    at = msgspec.structs.replace(litecoin.moment(), detail={"height_unverified": "true"})
    gaps = litecoin.decode(DUMP, exchange, at).gaps.values()
    assert {gap.reason for gap in gaps} == {"dump-mismatch"}
