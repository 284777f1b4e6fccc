"""Substrate balances proven from the pinned block's name; simulated nodes with real tries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from account_crawl import asked, connected, pinned, short
from made_up_run import recount

from chains.adapters import substrate
from chains.adapters.substrate import storage
from chains.addresses.ss58 import encode
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Questions,
)
from chains.simulated.substrate import SimulatedSubstrate
from crawler.rowview.making import row_view

pytestmark = pytest.mark.integration

HEIGHT = 28_000_000
CHAIN = ChainId("polkadot:simulated")
USDT = AssetId(f"{CHAIN}/asset:1984")
RICH, POOR, NOBODY = b"\x21" * 32, b"\x22" * 32, b"\x23" * 32
PREFIX = {"prefix": 0}
WORLD = """replaces = true
[chains."{chain.id}"]
name = "{chain.name}"
adapter = "{chain.adapter}"
address = "{chain.address}"
native = "{chain.native}"
source = "made up"
params = {{ genesis_hash = "{chain.params[genesis_hash]}", proofs = true }}
address_params = {{ prefix = 0 }}
[assets."{chain.native}"]
symbol = "DOT"
decimals = 0
counts_as = "DOT"
class = "native"
source = "made up"
"""
HELD = {RICH: 2**60 + 1, POOR: 1}


def node_of(**more: Any) -> SimulatedSubstrate:
    return SimulatedSubstrate(HEIGHT, HELD, reserved={RICH: 7}, assets={1984: {RICH: 55}}, **more)


def spec(**params: object) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Substrate",
        adapter="substrate",
        address="ss58",
        native=AssetId(f"{CHAIN}/slip44:354"),
        params={"genesis_hash": node_of().genesis[2:], "proofs": True, **params},
    )


async def proven(
    *nodes: SimulatedSubstrate, asset: AssetId | None = None, then: Any = None, **params: object
) -> tuple[list[int | str], set[Method]]:
    """Pin, let ``then`` change the first node, and ask for proofs of RICH, POOR and NOBODY."""
    async with connected(substrate.Adapter, spec(**params), *nodes) as adapter:
        at = await pinned(adapter, HEIGHT)
        if then is not None:
            then(nodes[0])
        questions = Questions(
            kind=QueryKind.PROOF,
            chain=CHAIN,
            height=HEIGHT,
            asset=asset or adapter.spec.native,
            accounts=(RICH, POOR, NOBODY),
        )
        found = [
            answer
            async for extract in adapter.extract(questions, at)
            for _, answer in adapter.decode(questions, extract, at).each(questions)
        ]
    methods = {one.method for one in found if isinstance(one, Observation)}
    return [short(one) for one in found], methods


TRUE = [HELD[RICH] + 7, 1, 0]


@pytest.mark.parametrize("version", [0, 1])
async def test_what_another_endpoints_block_leads_to_is_proven(version):
    nodes = [node_of(), node_of()]
    for node in nodes:
        node.state_version = version
    assert await proven(*nodes) == (TRUE, {Method.PROOF})


async def test_with_one_endpoint_alone_it_is_only_what_that_one_says():
    assert await proven(node_of()) == (TRUE, {Method.STATE})


async def test_parts_are_those_of_a_balance_that_is_read():
    async with connected(substrate.Adapter, spec(), node_of()) as adapter:
        at = await pinned(adapter, HEIGHT)
        read = await asked(adapter, at, RICH)
        shown = await asked(adapter, at, RICH, kind=QueryKind.PROOF)
    parts = (Part(PartKind.LIQUID, HELD[RICH]), Part(PartKind.RESERVED, 7))
    for found in (read, shown):
        assert isinstance(found[RICH], Observation)
        assert found[RICH].parts == parts


async def test_an_assets_balances_are_proven_too():
    found, methods = await proven(node_of(), node_of(), asset=USDT)
    assert (found, methods) == ([55, 0, 0], {Method.PROOF})


def without(part: bytes) -> Callable[[bytes], bytes | None]:
    return lambda node: None if part in node else node


def richer(node: bytes) -> bytes:
    """Return a node in which RICH has more."""
    units = HELD[RICH].to_bytes(16, "little")
    return node.replace(units, (HELD[RICH] + 5).to_bytes(16, "little"))


async def test_a_changed_value_leads_nowhere():
    found, _ = await proven(node_of(), node_of(), then=lambda one: setattr(one, "tampers", richer))
    assert found == ["proof-wrong", 1, 0]


async def test_a_node_that_is_left_out_is_no_absence():
    hidden = without(storage.hashed(POOR)[-8:])
    found, _ = await proven(node_of(), node_of(), then=lambda one: setattr(one, "tampers", hidden))
    assert found[1] == "proof-wrong"


async def test_no_nodes_at_all_are_no_zeros():
    hide_all = without(b"")
    found, _ = await proven(node_of(), then=lambda one: setattr(one, "tampers", hide_all))
    assert found == ["proof-wrong"] * 3


async def test_a_proof_of_another_block_is_none():
    found, _ = await proven(node_of(), then=lambda one: setattr(one, "proves_at", "0x" + "11" * 32))
    assert found == ["wrong-block"] * 3


async def test_a_node_without_the_call_leaves_a_gap():
    found, _ = await proven(
        node_of(), then=lambda one: setattr(one, "lacks", ["state_getReadProof"])
    )
    assert found == ["method-missing"] * 3


async def test_headers_of_another_form_are_no_anchor():
    found, _ = await proven(node_of(), node_of(), header="extended")
    assert found == ["proof-no-anchor"] * 3


async def test_a_lie_about_a_balance_is_told_by_its_proof():
    node = node_of()
    lie = "0x" + node._account(1, 0, 0).hex()
    async with connected(substrate.Adapter, spec(), node, node_of()) as adapter:
        at = await pinned(adapter, HEIGHT)
        node.lies[storage.account_key(RICH)] = lie
        read = await asked(adapter, at, RICH)
        shown = await asked(adapter, at, RICH, kind=QueryKind.PROOF)
    assert (short(read[RICH]), short(shown[RICH])) == (1, TRUE[0])


async def test_a_proof_that_the_relays_account_is_empty_after_the_move_is_no_zero():
    node = node_of()
    node.moved = True
    moves = {"moved_to": "polkadot:hub", "moved_during": [HEIGHT - 5, HEIGHT - 1]}
    found, _ = await proven(node, **moves)
    assert found[1:] == ["moved-elsewhere"] * 2


async def test_many_accounts_take_several_proofs():
    accounts = [bytes((1, i)) * 16 for i in range(120)]
    node = SimulatedSubstrate(HEIGHT, {one: 1 + i for i, one in enumerate(accounts)})
    async with connected(substrate.Adapter, spec(), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        before = node.requests
        found = await asked(adapter, at, *accounts, kind=QueryKind.PROOF)
    assert [short(found[one]) for one in accounts] == list(range(1, 121))
    assert node.requests - before == 4  # the header, and three proofs of 50 accounts at most


async def test_without_the_header_nothing_is_proven():
    found, _ = await proven(node_of(), then=lambda one: setattr(one, "lacks", ["chain_getHeader"]))
    assert found == ["method-missing"] * 3


async def test_a_run_with_proofs_says_so_in_its_report_and_replays_alike(tmp_path: Path):
    directory, chain = tmp_path, spec()
    nodes = [node_of(), node_of()]
    balances = {RICH: TRUE[0], POOR: TRUE[1], NOBODY: 0}
    rows = [f"{chain.id},{encode(who, PREFIX)},{units},{HEIGHT}" for who, units in balances.items()]
    text = "network,address,amount,height\n" + "\n".join(rows) + "\n"
    (directory / "list.csv").write_text(text, encoding="utf-8")
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node)
        endpoints = [
            f'[[endpoints]]\nname = "n{i}"\nchain = "{chain.id}"\nurl = "{node.url}"\n'
            for i, node in enumerate(nodes)
        ]
        (directory / "endpoints.toml").write_text("".join(endpoints), encoding="utf-8")
        (directory / "world.toml").write_text(WORLD.format(chain=chain), encoding="utf-8")
        files = {"endpoints": "endpoints.toml", "config": "world.toml", "run": "run"}
        options = [f"--{name}={directory / file}" for name, file in files.items()]
        command = ["run", str(directory / "list.csv"), "--proofs=2", "--processes=1", "--quiet"]
        code, _, err = await recount(*command, *options, "--json")
    assert code in (0, 1, 3), err
    ledger = pq.read_table(directory / "run" / "rows.parquet").to_pylist()
    found = [(row["observed"], row["method"], row["gap"]) for row in ledger]
    expected = [str(units) for units in balances.values()]
    methods = ["proof", "proof", "state"]  # the two largest claims were to be proven
    assert found == [(*one, "") for one in zip(expected, methods, strict=True)]
    replayed, _, err = await recount("replay", str(directory / "run"), "--json")
    assert replayed == code, err
    rich, nobody = (row_view(directory / "run", line) for line in (2, 4))
    told = [(one.kind, one.method, one.stands) for one in rich.answers]
    assert told == [("balance", "state", False), ("proof", "proof", True)]
    assert rich.balance is not None
    assert rich.balance.sum.base == str(balances[RICH])
    assert len(rich.balance.parts) > 1  # as they were read: what is proven is the same
    assert [(one.kind, one.stands) for one in nobody.answers] == [("balance", True)]
