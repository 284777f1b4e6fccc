"""What the unit tests of the TRON adapter share: one moment of Nile, and answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from chains.model import AssetId, ChainId, ChainSpec, Exchange, Request, Snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tron"
CHAIN = ChainId("tron:0xcd8690dc")
NATIVE = AssetId(f"{CHAIN}/slip44:195")
ACCOUNT = bytes.fromhex("dd791d6b49e190062d650e6a23c575510d35f2f9")
CANARY = bytes.fromhex("b2f713d57dbcec679d93a8849fa0cd0e4db594ba")
HEIGHT = 66987565
BLOCK = "0000000003fe262d52bfa4b2814f816fd2e57af5b98a33d60d8630a03a908e0e"
TIME_MS = 1777445121000
AT = Snapshot(
    chain=CHAIN,
    height=HEIGHT,
    block_hash=BLOCK,
    time=TIME_MS // 1000,
    endpoints=("a",),
    canaries=(CANARY.hex(),),
    detail={f"canary:{CANARY.hex()}": f"5@{HEIGHT}", "time-ms": str(TIME_MS)},
)
SPEC = ChainSpec(
    id=CHAIN,
    name="TRON Nile",
    adapter="tron",
    address="tron",
    native=NATIVE,
    params={"genesis_hash": "00" * 32},
)


class NoTransport:
    endpoints = ("a",)

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        raise AssertionError(f"a pure function asked {endpoint}: {request}")

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        raise AssertionError(f"a pure function asked {among}: {request}")


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def exchange(request: Request, body: object, failure: str = "") -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=request, endpoint="a", status=200, body=raw, failure=failure)
