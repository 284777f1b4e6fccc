"""What Lotus' API looks like from another hand: ganache's Filecoin simulator.

It shows that our framing, CIDs, amounts, addresses and two of our readings of errors are not only
our own idea of them. It shows nothing about balances of actors: it has neither ``StateGetActor``
nor tipsets as Lotus has them (its timestamps have fractions), and so pins nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ganache import Ganache, running

from chains.adapters.filecoin import Adapter, wire
from chains.addresses import filecoin
from chains.endpoints import EndpointSpec
from chains.errors import Unanswerable, WrongChain
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap
from chains.simulated.filecoin import cid_of
from chains.transport import HttpTransport, RetryPolicy

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("ganache-filecoin")]

CHAIN = ChainId("fil:ganache")
TEST_NETWORK = {"network": "t"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ganache]:
    with running(tmp_path_factory.mktemp("ganache")) as started:
        yield started


@asynccontextmanager
async def connected(node: Ganache) -> AsyncIterator[HttpTransport]:
    endpoint = EndpointSpec(name="ganache", chain=CHAIN, url=node.url, rate="0", timeout_s=20)
    policy = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02)
    async with HttpTransport(CHAIN, [endpoint], policy) as transport:
        yield transport


async def called(node: Ganache, method: str, *params: Any) -> Exchange:
    async with connected(node) as transport:
        return await transport.exchange(wire.call(method, *params), "ganache")


def spec_of(genesis: str) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="ganache",
        adapter="filecoin",
        address="filecoin",
        address_params=TEST_NETWORK,
        native=AssetId(f"{CHAIN}/slip44:461"),
        params={"genesis": genesis},
    )


async def test_addresses_made_elsewhere_are_read_and_written_alike(node):
    texts = wire.answer(await called(node, "WalletList"))
    assert len(texts) == 2
    for text in texts:
        account = filecoin.decode(text, TEST_NETWORK)
        assert (account[0], len(account)) == (filecoin.BLS, 49)
        assert filecoin.encode(account, TEST_NETWORK) == text


async def test_a_balance_is_decimal_text_of_the_smallest_unit(node):
    text = wire.answer(await called(node, "WalletDefaultAddress"))
    said = wire.answer(await called(node, "WalletBalance", text))
    assert wire.amount(said) == 100 * 10**18


async def test_tipsets_are_named_by_cids_and_linked_by_them(node):
    before = wire.answer(await called(node, "ChainHead"))
    node.call("Ganache.MineTipset")
    after = wire.answer(await called(node, "ChainGetTipSetByHeight", before["Height"] + 1, None))
    cids = wire.read_cids(before["Cids"])
    assert cids is not None
    assert all(wire.cid_to_bytes(one) for one in cids)
    assert wire.read_cids(after["Blocks"][0]["Parents"]) == cids
    assert after["Height"] == before["Height"] + 1


async def test_an_epoch_above_the_head_is_told_in_the_words_that_we_know(node):
    said = wire.answer(await called(node, "ChainGetTipSetByHeight", 10**6, None))
    assert isinstance(said, Gap)
    assert said.reason == "node-behind"


async def test_what_it_does_not_know_is_a_gap_not_an_absent_actor(node):
    text = wire.answer(await called(node, "WalletDefaultAddress"))
    key = wire.read_cids(wire.answer(await called(node, "ChainHead"))["Cids"])
    assert key is not None
    async with connected(node) as transport:
        request = wire.by_address("StateGetActor", text, key)
        actor = wire.read_actor(await transport.exchange(request, "ganache"), text, "t")
    assert isinstance(actor, Gap)
    assert actor.reason == "rpc-error"


async def test_it_names_its_genesis_but_is_no_lotus_and_so_pins_nothing(node):
    (genesis,) = wire.read_cids(wire.answer(await called(node, "ChainGetGenesis"))["Cids"]) or ()
    async with connected(node) as transport:
        other = Adapter(spec_of(cid_of("another genesis")), transport)
        exchanges = await other.pin(0)
        with pytest.raises(WrongChain, match=genesis):
            other.snapshot(0, exchanges)
        with pytest.raises(Unanswerable) as error:
            Adapter(spec_of(genesis), transport).snapshot(0, exchanges)
    assert error.value.code == "malformed-answer"
