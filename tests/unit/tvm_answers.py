"""Answers of toncenter servers for the tests of TON, and cells that pytoniq-core 0.2.1 wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from chains.adapters.tvm import pinning, wire
from chains.addresses.ton import decode
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Gap,
    Request,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tvm"
HEIGHT = 39_984_096
ROOT = "6f6ebf3f0f01633e9563b472601ff0d8d7fca4a05e6ec83e1f8ad3d691f96443"
FILE = "94bca5ae3ede667d1348dc69838ca8bc9278c7f20b81e789ddbc92e8c1554c9c"
BLOCK = wire.Block(HEIGHT, ROOT, FILE)
ELECTOR = b"\xff" + b"\x33" * 32
USDT = decode("EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs", {})
OWNER = decode("EQAj3SoOk4MPzjn816Crw1b4RxW79fB_Z549tyCd9HIQV6b7", {})
WALLET = decode("EQC9lSq4FyI3XwwtP-3KysuxFkzVqUi-kbda6sdAJ2Fk4mIs", {})
HOLDER = decode("EQA6KfVWDGL36F6rL-7puTnCNG08gaga5ImhBpl12PxEuVLX", {})
PARAMS = {
    "zero_state_root": "F6OpKZKqvqeFp6CQmFomXNMfMj2EnaUSOXN+Mh+wVWk=",
    "zero_state_file": "XplPz01CXAps5qeSWUtxcyBfdAo5zVb1N979KLSKD24=",
}
# Descriptions and dictionaries that pytoniq-core 0.2.1 wrote.
WHOLE = (
    "te6ccgECEQEAAhUAAQMAwAECASACBAFDv/CC62Y7V6ABkvSmrEZyiN8t/t252hvuKPZSHIvr0h8ewAMANABodHRw"
    "czovL2V4YW1wbGUub3JnL3gucG5nAgEgBQoCASAGCAFBv0VGpv/ht5z92GutPbh0MT3N4vsF5qdKp/NVLZYXx50T"
    "BwAaAEV4YW1wbGUgQ29pbgFBv27U+UKnhIziywZrd6ESjGof+MQ/Q4otziRhK6n/q4sDCQAKAFhNUEwCASALDwFB"
    "v1II3vRvWh1Pnc5mqzCfSoUTBfFm+R73nZI+9Y40+aIJDAH+AGEgZGVzY3JpcHRpb24gdGhhdCBpcyBsb25nZXIg"
    "dGhhbiBvbmUgY2VsbCwgYSBkZXNjcmlwdGlvbiB0aGF0IGlzIGxvbmdlciB0aGFuIG9uZSBjZWxsLCBhIGRlc2Ny"
    "aXB0aW9uIHRoYXQgaXMgbG9uZ2VyIHRoYW4gb25lIA0B/mNlbGwsIGEgZGVzY3JpcHRpb24gdGhhdCBpcyBsb25n"
    "ZXIgdGhhbiBvbmUgY2VsbCwgYSBkZXNjcmlwdGlvbiB0aGF0IGlzIGxvbmdlciB0aGFuIG9uZSBjZWxsLCBhIGRl"
    "c2NyaXB0aW9uIHRoYXQgaXMgbG9uZ2VyIHRoYW4OABYgb25lIGNlbGwsIAFBv10B+l48BpAcRQRsay3c6lr3ZP6g"
    "7tcqENQE8jEs6yR9EAAEADg="
)
BARE = "te6ccgEBAQEABAAAAwBA"
NO_DECIMALS = "te6ccgEBAwEAMQABAwDAAQFDoBbtT5QqeEjOLLBmt3oRKMah/4xD9Dii3OJGErqf+riwMAIACgBYTVBM"
ONE = "te6ccgEBAwEAMAABAwDAAQFDoB3QH6XjwGkBxFBGxrLdzqWvdk/qDu1yoQ1ATyMSzrJH0AIACAAyNTU="
URI_ONLY = (
    "te6ccgEBBgEAdQABAwDAAQIBIAIEAUO/+HLr21FNnJfCg7fwrlF5Ap4rYRnDlGJxnk9G7Y90E+ZAAwA2AGh0dHBz"
    "Oi8vZXhhbXBsZS5vcmcveC5qc29uAUO/27U+UKnhIziywZrd6ESjGof+MQ/Q4otziRhK6n/q4sDABQAEAFg="
)
OFF = "te6ccgEBAQEAHQAANgFodHRwczovL2V4YW1wbGUub3JnL3guanNvbg=="
LARGE = "te6ccgEBAwEAMAABAwDAAQFDoB3QH6XjwGkBxFBGxrLdzqWvdk/qDu1yoQ1ATyMSzrJH0AIACAAyNTY="
WORDS = "te6ccgEBAwEAMAABAwDAAQFDoB3QH6XjwGkBxFBGxrLdzqWvdk/qDu1yoQ1ATyMSzrJH0AIACABzaXg="
SIGNED = "te6ccgEBAwEALwABAwDAAQFDoB3QH6XjwGkBxFBGxrLdzqWvdk/qDu1yoQ1ATyMSzrJH0AIABgAtNg=="
CHUNKS = "te6ccgEBAwEALgABAwDAAQFDoB3QH6XjwGkBxFBGxrLdzqWvdk/qDu1yoQ1ATyMSzrJH0AIAAwFA"
BROKEN_TEXT = (
    "te6ccgEBBgEAXAABAwDAAQIBWAIEAUK/t2p8oVPCRnFlgzW70IlGNQ/8Yh+hxRbnEjCV1P/VxYEDAAgA////AUK/"
    "roD9Lx4DSA4igjY1lu51LXuyf1B3a5UIagJ5GJZ1kj4FAAQANg=="
)
LAYOUT = "te6ccgEBAQEAAwAAAgI="
EMPTY = "te6ccgEBAQEAAgAAAA=="
BYTES = (
    "te6ccgECSQEAAUgAAgEgASYCASACFQIBIAMMAgEgBAkCASAFCAIBIAYHAAPX/AAD98QAA73jAgEgCgsAA7vVAAO5"
    "xwIBIA0QAgEgDg8AA7e5AAO1qwIBIBESAAOznQIBIBMUAAPWPAAD9gQCASAWHQIBIBcaAgEgGBkAA71zAAO7ZQIB"
    "IBscAAO5VwADt0kCASAeIQIBIB8gAAO1OwADsy0CASAiJQIBICMkAAPUfAAD9EQAA70DAgEgJzgCASAoLwIBICks"
    "AgEgKisAA7r1AAO45wIBIC0uAAO22QADtMsCASAwNQIBIDEyAAOyvQIBIDM0AAPSvAAD8oQCASA2NwADvJMAA7qF"
    "AgEgOUACASA6PQIBIDs8AAO4dwADtmkCASA+PwADtFsAA7JNAgEgQUYCASBCRQIBIENEAAPQ/AAD8MQAA7wjAgEg"
    "R0gAA7oVAAO4Bw=="
)
SAME = "te6ccgEBBwEAIgACASABBAID30ACAwADACAAAwBgAgEgBQYABd9QQAAF/yJA"

OTHER_FORM = "te6ccgEBAwEALgABAwDAAQFDoB3QH6XjwGkBxFBGxrLdzqWvdk/qDu1yoQ1ATyMSzrJH0AIABAE2"
LONG = (
    "te6ccgECDQEABFcAAQMAwAECAVgCCwFCv7dqfKFTwkZxZYM1u9CJRjUP/GIfocUW5xIwldT/1cWBAwH+AFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWAQB/lhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFgFAf5YWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYBgH+WFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWAcB/lhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFgIAf5YWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYCQH+WFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWAoA4lhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
    "WFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYAUK/roD9Lx4DSA4igjY1lu51LXuyf1B3a5UIagJ5GJZ1kj4MAAQA"
    "Ng=="
)


def spec_of(**params: Any) -> ChainSpec:
    return ChainSpec(
        id=ChainId("tvm:-239"),
        name="TON",
        adapter="tvm",
        address="ton",
        native=AssetId("tvm:-239/slip44:607"),
        params={**PARAMS, **params},
    )


NETWORK = pinning.network(spec_of())


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def altered(name: str, **members: object) -> dict[str, Any]:
    """Return an answer with members of its result replaced."""
    answer = msgspec.json.decode(fixture(name))
    return {**answer, "result": {**answer["result"], **members}}


def answered(request: Request, body: object, status: int = 200) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    failure = "" if status < 300 else "refused"
    return Exchange(request=request, endpoint="n0", status=status, body=raw, failure=failure)


def by_request(*exchanges: Exchange) -> dict[Request, Exchange]:
    return {exchange.request: exchange for exchange in exchanges}


def pinned_id(**members: object) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(fixture("header"))["result"]["id"]
    return {**found, **members}


def state(**members: object) -> dict[str, Any]:
    return altered("account-active", **{"block_id": pinned_id(), **members})


def shown(**changed: object) -> dict[Request, Exchange]:
    """What a good endpoint shows; ``changed`` replaces answers by name."""
    answers = {
        "info": (wire.info(), fixture("masterchain-info")),
        "header": (wire.header(HEIGHT), fixture("header")),
        "canary": (wire.state(ELECTOR, HEIGHT), state(balance="5")),
    }
    return by_request(
        *(answered(request, changed.get(name, body)) for name, (request, body) in answers.items())
    )


def read_state(body: object, at: wire.Block = BLOCK, status: int = 200) -> wire.Account | Gap:
    return wire.account(answered(wire.state(OWNER, at.seqno), body, status), at)
