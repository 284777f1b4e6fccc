"""Blocks and refusals in each network's own shape, read with the shipped configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eip155_fixtures import FOLDER, NoTransport

from chains.adapters.eip155 import Adapter
from chains.adapters.eip155.pinning import (
    CHAIN_ID,
    HEAD,
    balance_request,
    block_request,
    configured_canaries,
)
from chains.errors import NodeBehind, Unanswerable
from chains.model import ChainId, Exchange, Request
from crawler.settings import load_world

pytestmark = pytest.mark.unit

WORLD = load_world()
FILES = sorted((FOLDER / "networks").glob("*.json"))


def exchanges(document: dict[str, Any]) -> list[Exchange]:
    """Return what one endpoint said while pinning."""
    spec = WORLD.chains[ChainId(document["chain"])]
    answers = document["answers"]
    canaries = configured_canaries(spec)
    block_hash = answers["eth_getBlockByNumber"].get("result", {}).get("hash", "0x")
    requests: dict[str, Request] = {
        "eth_chainId": CHAIN_ID,
        "eth_blockNumber": HEAD,
        "eth_getBlockByNumber": block_request(document["height"], full=not canaries),
        "eth_getBalance": balance_request(canaries[0], block_hash),
    }
    return [
        Exchange(request=request, endpoint="a", status=200, body=json.dumps(answers[name]).encode())
        for name, request in requests.items()
    ]


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_each_networks_block_is_read(file: Path) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    adapter = Adapter(WORLD.chains[ChainId(document["chain"])], NoTransport())
    expected = document["expected"]
    if isinstance(expected, dict):
        at = adapter.snapshot(document["height"], exchanges(document))
        assert (at.time, at.block_hash) == (expected["time"], expected["block_hash"])
        assert at.endpoints == ("a",)
        assert at.canaries
        return
    with pytest.raises((NodeBehind, Unanswerable)) as raised:
        adapter.snapshot(document["height"], exchanges(document))
    assert raised.value.code == expected


def test_the_files_are_there() -> None:
    assert len(FILES) >= 9
