"""What a beacon node may answer about one validator, ready to be changed and decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chains.adapters import beacon
from chains.adapters.beacon import rules, wire
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Observation,
    Part,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "beacon"
CHAIN = ChainId("beacon:1")
NATIVE = AssetId("beacon:1/slip44:60")
PARAMS: dict[str, Any] = {
    "genesis_time": 1_606_824_023,
    "genesis_validators_root": "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
    "anchors": [[15_537_394, 4_700_013]],
    "electra_slot": 11_649_024,
}
SPEC = ChainSpec(
    id=CHAIN, name="beacon", adapter="beacon", address="bls", native=NATIVE, params=PARAMS
)
HEIGHT, SLOT = 22_300_000, 11_700_000
BEFORE_ELECTRA = 11_649_023
ACCOUNT, CANARY, OTHER = b"\x0a" * 48, b"\x0c" * 48, b"\x0e" * 48
HEADER = wire.Header(
    slot=wire.Uint(SLOT),
    proposer_index=wire.Uint(7),
    parent_root="0x" + "01" * 32,
    state_root="0x" + "02" * 32,
    body_root="0x" + "03" * 32,
)
ADDRESS = "0x" + "7e" * 20
EXECUTION = "0x01" + "00" * 11 + ADDRESS[2:]


class NoTransport:
    """A transport that must not be used: reading is pure."""

    endpoints = ("a",)

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        raise AssertionError(f"a pure function asked {endpoint}: {request}")

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        raise AssertionError(f"a pure function asked {among}: {request}")


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def told(request: Request, body: object, status: int = 200) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    failure = "" if status == 200 else "refused"
    return Exchange(request=request, endpoint="a", status=status, body=raw, failure=failure)


def data(value: object, **flags: object) -> dict[str, object]:
    return {"execution_optimistic": False, "finalized": True, **flags, "data": value}


def record(key: bytes, index: int, balance: object, **more: object) -> dict[str, object]:
    validator = {
        "pubkey": "0x" + key.hex(),
        "withdrawal_credentials": EXECUTION,
        "effective_balance": "32000000000",
        "slashed": False,
        **more,
    }
    shown = {"index": str(index), "balance": balance, "status": "active_ongoing"}
    return {**shown, "validator": validator}


PROPOSER = record(CANARY, 7, "32000000001")
MINE = record(ACCOUNT, 9, "32756234517")


def snapshot(slot: int = SLOT, state: str = HEADER.state_root) -> Snapshot:
    return Snapshot(
        chain=CHAIN,
        height=HEIGHT,
        block_hash=HEADER.root,
        time=1,
        endpoints=("a",),
        canaries=(CANARY.hex(),),
        detail={
            "slot": str(slot),
            "state_root": HEADER.state_root,
            "canary": f"{CANARY.hex()} 32000000001",
            "state@a": state,
        },
    )


def header_body(header: wire.Header = HEADER, **flags: object) -> dict[str, object]:
    message = {name: str(getattr(header, name)) for name in msgspec.structs.asdict(header)}
    named = {"root": header.root, "canonical": True, "header": {"message": message}}
    return data({**named, **{k: v for k, v in flags.items() if k in named}}, **{
        k: v for k, v in flags.items() if k not in named
    })  # fmt: skip


def bodies(state: str = HEADER.state_root, **changed: object) -> dict[Request, Exchange]:
    """What a good node says about ``ACCOUNT``, some of it changed."""
    said: dict[str, object] = {
        "header": header_body(),
        "list": data([MINE, PROPOSER]),
        "deposits": data([]),
        "withdrawals": data([]),
        "consolidations": data([]),
        **changed,
    }
    requests = {
        "header": wire.header(HEADER.root),
        "list": wire.validators(state, rules.ids([ACCOUNT], snapshot())),
        "deposits": wire.pending_deposits(state),
        "withdrawals": wire.pending_withdrawals(state),
        "consolidations": wire.pending_consolidations(state),
        "root": wire.state_root(SLOT),
        "alone": wire.validator(state, ACCOUNT),
        "canary": wire.validator(state, CANARY),
    }
    return {
        requests[name]: body if isinstance(body, Exchange) else told(requests[name], body)
        for name, body in said.items()
    }


def answer(
    own: Mapping[Request, Exchange],
    at: Snapshot | None = None,
    kind: QueryKind = QueryKind.BALANCE,
    account: bytes = ACCOUNT,
) -> Observation | Gap:
    questions = Questions(kind=kind, chain=CHAIN, height=HEIGHT, asset=NATIVE, accounts=(account,))
    extract = Extract(positions=(0,), decoder=f"{kind}/1", exchanges=tuple(own.values()))
    adapter = beacon.Adapter(SPEC, NoTransport())
    answers = adapter.decode(questions, extract, at or snapshot())
    ((position, found),) = answers.each(questions)
    assert position == 0
    return found


def parts(found: Observation | Gap) -> tuple[Part, ...]:
    assert isinstance(found, Observation), found
    assert found.units == sum(part.units for part in found.parts if part.counted)
    return found.parts


def reason(found: Observation | Gap) -> str:
    assert isinstance(found, Gap), found
    return found.reason
