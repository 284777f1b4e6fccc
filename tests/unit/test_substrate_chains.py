"""Every Substrate chain with a fixture: as configured, it is pinned and read without any code.

A fixture is ``fixtures/substrate/NAME.json``: a block of the chain, part of its state, and what
accounts come to. A further chain needs a further file and no line here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains import addresses
from chains.adapters.substrate import Adapter
from chains.errors import WrongChain
from chains.model import AssetId, ChainId, Exchange, Gap, QueryKind, Questions, Request
from crawler.settings import World, load_world

pytestmark = pytest.mark.unit

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "substrate").glob("*.json"))
RELAYS = {
    "polkadot:91b171bb158e2d3848fa23a9f1c25182": (28_490_502, 28_495_696),
    "polkadot:b0a8d493285c2df73290dfb7e61f870f": (30_423_691, 30_425_590),
}
HUBS = {
    "polkadot:68d56f15f85d3136970ec16946040bc1": (10_254_470, 10_259_208),
    "polkadot:48239ef607d7928874027a43a6768920": (11_150_168, 11_151_931),
}
"""First and last block of the move. Source: paritytech/substrate-api-sidecar"""


class Told:
    """A transport that answers as the chain of a fixture would."""

    endpoints = ("a",)

    def __init__(self, fixture: Mapping[str, Any]) -> None:
        self.fixture = fixture

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        call = msgspec.json.decode(request.body)
        body = {"jsonrpc": "2.0", "id": 0, "result": self._result(call["method"], call["params"])}
        raw = msgspec.json.encode(body)
        return Exchange(request=request, endpoint=endpoint, status=200, body=raw)

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        return await self.exchange(request, among[0])

    def _result(self, method: str, params: Sequence[Any]) -> Any:
        told, state = self.fixture, self.fixture["state"]
        if method == "chain_getBlockHash":
            return {0: told["genesis"], told["height"]: told["hash"]}.get(params[0])
        if method == "chain_getFinalizedHead":
            return told["hash"]
        assert params[-1] == told["hash"]
        if method == "chain_getHeader":
            return told["header"]
        if method == "state_getKeysPaged":
            return sorted(key for key in state if key.startswith(params[0]))
        assert method == "state_queryStorageAt"
        changes = [[key, state.get(key)] for key in params[0]]
        return [{"block": told["hash"], "changes": changes}]


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


@pytest.fixture(params=FIXTURES, ids=lambda path: path.stem)
def told(request: pytest.FixtureRequest) -> Any:
    return msgspec.json.decode(request.param.read_bytes())


def adapter_of(world: World, chain: str, told: Mapping[str, Any]) -> Adapter:
    return Adapter(world.chains[ChainId(chain)], Told(told))


async def balances(
    adapter: Adapter, height: int, asset: AssetId, texts: Sequence[str]
) -> dict[str, int | str]:
    spec = adapter.spec
    by_account = {addresses.decode(spec, text): text for text in texts}
    accounts = tuple(sorted(by_account))
    at = adapter.snapshot(height, await adapter.pin(height))
    kind = QueryKind.BALANCE
    questions = Questions(kind=kind, chain=spec.id, height=height, asset=asset, accounts=accounts)
    return {
        by_account[accounts[position]]: one.reason if isinstance(one, Gap) else one.units
        async for extract in adapter.extract(questions, at)
        for position, one in adapter.decode(questions, extract, at).each(questions)
    }


async def test_the_chain_is_read_as_configured(world, told):
    adapter = adapter_of(world, told["chain"], told)
    at = adapter.snapshot(told["height"], await adapter.pin(told["height"]))
    assert (at.block_hash, at.time, at.endpoints) == (told["hash"], told["time"], ("a",))
    assert at.detail["state-root"] == told["header"]["stateRoot"]
    found = await balances(adapter, told["height"], adapter.spec.native, [*told["balances"]])
    assert found == {text: int(units) for text, units in told["balances"].items()}


async def test_no_other_configured_chain_takes_it_for_its_own(world, told):
    others = [one for one in world.chains.values() if one.adapter == "substrate"]
    assert len(others) > len(FIXTURES)
    for spec in others:
        if spec.id != told["chain"]:
            adapter = adapter_of(world, spec.id, told)
            with pytest.raises(WrongChain):
                adapter.snapshot(told["height"], await adapter.pin(told["height"]))


async def test_a_header_that_has_not_the_blocks_hash_pins_nothing(world, told):
    for name in ("stateRoot", "parentHash", "extrinsicsRoot"):
        changed = told | {"header": told["header"] | {name: "0x" + "11" * 32}}
        adapter = adapter_of(world, told["chain"], changed)
        exchanges = await adapter.pin(told["height"])
        assert adapter.view(told["height"], "a", {one.request: one for one in exchanges}).reason


async def test_an_asset_is_read_from_the_map_of_its_own(world):
    path = next(path for path in FIXTURES if path.stem == "kusama-asset-hub")
    told = msgspec.json.decode(path.read_bytes())
    adapter = adapter_of(world, told["chain"], told)
    some, none = told["balances"]
    for number, expected in (
        (11, {some: 690_000_000_000_000, none: 0}),
        (12, {some: "zero-without-canary", none: "zero-without-canary"}),
    ):
        asset = AssetId(f"{told['chain']}/asset:{number}")
        assert await balances(adapter, told["height"], asset, [some, none]) == expected


def hidden(world: World, chain: str, height: int) -> str | None:
    move = adapter_of(world, chain, {}).params.move
    gap = move.hides(height) if move else None
    return gap.detail if gap else None


def test_after_the_move_an_empty_account_of_a_relay_chain_points_to_its_hub(world):
    for (chain, (first, last)), hub in zip(RELAYS.items(), HUBS, strict=True):
        assert hidden(world, chain, first - 1) is None
        for height in (first, last, last + 1, last + 10**6):
            assert hub in str(hidden(world, chain, height))


def test_while_balances_moved_an_empty_account_of_a_hub_points_to_its_relay_chain(world):
    for (chain, (first, last)), relay in zip(HUBS.items(), RELAYS, strict=True):
        for height in (first - 1, last + 1):
            assert hidden(world, chain, height) is None
        for height in (first, last):
            assert relay in str(hidden(world, chain, height))
