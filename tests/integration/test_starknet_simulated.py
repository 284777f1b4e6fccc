"""The Starknet adapter against simulated nodes: balances, what is no zero, control end to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from account_crawl import asked, connected, pinned, short, verdict

from chains.adapters.starknet import Adapter
from chains.errors import NodeBehind
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    QueryKind,
)
from chains.signatures import judge
from chains.signatures.model import SignedAddress
from chains.simulated.starknet import SEQUENCER, SimulatedStarknet

pytestmark = pytest.mark.integration

CHAIN = ChainId("starknet:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:60")
HEIGHT = 638_358
RICH, POOR = (bytes((0, i)) * 16 for i in (1, 2))
BALANCES = {RICH: 2**128 + 7}


def spec_of(**params: Any) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Starknet",
        adapter="starknet",
        address="starknet",
        native=NATIVE,
        params=params,
    )


async def changed_after_the_pin(change: Mapping[str, Any], **params: Any) -> set[int | str]:
    """Return the answers of a node that changes after the pin."""
    node = SimulatedStarknet(HEIGHT, BALANCES)
    async with connected(Adapter, spec_of(**params), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        for name, value in change.items():
            setattr(node, name, value)
        found = await asked(adapter, at, RICH, POOR)
    return {short(one) for one in found.values()}


async def test_balances_of_both_words_in_any_order_of_answers():
    node = SimulatedStarknet(HEIGHT, BALANCES)
    node.shuffles = True
    async with connected(Adapter, spec_of(), node) as adapter:
        found = await asked(adapter, await pinned(adapter, HEIGHT), RICH, POOR)
    assert {one: short(answer) for one, answer in found.items()} == {RICH: 2**128 + 7, POOR: 0}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"zero_for_everything": True}, "canary-wrong"),
        ({"balances": {}}, "canary-wrong"),
        ({"balances": {SEQUENCER: 1}}, "canary-wrong"),
        ({"no_token": True}, "no-contract"),
        ({"first_block": HEIGHT + 1}, "state-pruned"),
        ({"failing": "totalSupply"}, "rpc-error"),
        ({"failing": "balanceOf"}, "rpc-error"),
    ],
)
async def test_no_failure_after_the_pin_is_a_zero(change, reason):
    assert await changed_after_the_pin(change) == {reason}


async def test_a_configured_canary_shows_zeros_that_spare_the_sequencer():
    change = {"zero_for_accounts": True}
    canaries = [f"0x{RICH.hex()}"]
    assert await changed_after_the_pin(change, canaries=canaries) == {"canary-wrong"}


async def test_a_configured_canary_that_is_empty_rejects_the_endpoint():
    node = SimulatedStarknet(HEIGHT, BALANCES)
    async with connected(
        Adapter, spec_of(canaries=[f"0x{RICH.hex()}", f"0x{POOR.hex()}"]), node
    ) as adapter:
        at = await pinned(adapter, HEIGHT)
    assert at.rejected == {"n0": "canary-failed"}


async def test_a_block_that_is_not_accepted_yet_is_not_pinned():
    node = SimulatedStarknet(HEIGHT, BALANCES)
    node.pre_confirmed = True
    async with connected(Adapter, spec_of(), node) as adapter:
        with pytest.raises(NodeBehind):
            await pinned(adapter, HEIGHT)


SPEC = ChainSpec(
    id=ChainId("starknet:SN_MAIN"),
    name="Starknet",
    adapter="starknet",
    address="starknet",
    native=AssetId("starknet:SN_MAIN/slip44:60"),
)
KEY = 0x6459074AA056E6DFB18539E414720CA7518B4D9B6D9A9FA0A3A64B8E2287963
ACCOUNT = bytes.fromhex("03b7f0b02b63683eca1639fb2d5dfa1021628d4ee728b03bc0ac2be66edc32f1")
ROW = SignedAddress(
    spec=SPEC,
    address=f"0x{ACCOUNT.hex()}",
    account=ACCOUNT,
    message="OKC_DTT_AUP2025",
    signatures=(
        (
            "04550efc3034895232cac30b73677c81cf949e7428d9629eda85b83e60614f45"
            "061639b572eb88f82f304b6a3ad4f2392a835e5582b918da53ddaaee4e342ea0"
        ),
    ),
    schemes=("okx-starknet",),
    public_key=hex(KEY),
)
"""Source: okx/proof-of-reserves example/test.csv"""


@pytest.mark.parametrize("old_errors", [False, True])
@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        ({"get_public_key": [KEY]}, ("controlled", "owner-in-control")),
        ({"get_owner": [KEY], "get_guardian": [0]}, ("controlled", "owner-in-control")),
        ({"get_public_key": [KEY + 1]}, ("refuted", "owner-not-in-control")),
        ({"get_owner": [KEY], "get_guardian": [5]}, ("signer-only", "no-control-rule")),
        (
            {"get_owner": [KEY], "get_guardian": "argent/only_guid"},
            ("signer-only", "no-control-rule"),
        ),
        (
            {"get_public_key": [KEY], "get_signers": [1, KEY, 1, 9, 0]},
            ("signer-only", "no-control-rule"),
        ),
        ({}, ("signer-only", "no-control-rule")),
        (None, ("signer-only", "nothing-at-address")),
    ],
)
async def test_a_published_signature_controls_the_account_that_names_its_key(
    contract, expected, old_errors
):
    assert judge(ROW).signers == (f"0x{KEY:064x}",)
    contracts = {} if contract is None else {ACCOUNT: contract}
    node = SimulatedStarknet(HEIGHT, BALANCES, contracts=contracts)
    node.old_errors = old_errors
    async with connected(Adapter, spec_of(), node) as adapter:
        assert await verdict(adapter, await pinned(adapter, HEIGHT), ROW) == expected


async def test_control_that_a_node_cannot_answer_is_a_gap():
    node = SimulatedStarknet(HEIGHT, BALANCES, contracts={ACCOUNT: {"get_public_key": [KEY]}})
    node.failing = "get_guardian"
    async with connected(Adapter, spec_of(), node) as adapter:
        found = await asked(adapter, await pinned(adapter, HEIGHT), ACCOUNT, kind=QueryKind.CONTROL)
    assert short(found[ACCOUNT]) == "rpc-error"
